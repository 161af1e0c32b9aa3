//! The group as the coordinator has it: everything of one change in one append, then the machine.

use super::*;

impl World {
    pub(super) fn apply<A>(&mut self, mut change: Change<A>) -> A {
        let successor = change.successor.take();
        self.store(&change.records);
        let Machine::Modern(group) = &mut self.machine else { panic!("it is a classic group") };
        let answer = group.apply(change, self.now);
        if let Some(mut stored) = successor {
            self.turned.1 += 1;
            if self.fault == Fault::DowngradeStandsStill {
                stored.leader = stored.members.first().map(|(id, ..)| id.clone());
            }
            let group = classic::Group::restored("g".into(), CLASSIC, stored, self.now);
            assert!(self.log.is_empty(), "nothing of the newer group is left");
            self.classic_log = Some(self.through_the_log(&group, &group.assignments()));
            self.machine = Machine::Classic(group);
        }
        answer
    }

    pub(super) fn store(&mut self, records: &[Record]) {
        for record in records {
            let (key, value) = record.stored(&"g".into(), Timestamp(0)).unwrap();
            let key = key.to_bytes().unwrap();
            match value {
                Some(value) => drop(self.log.insert(key, value)),
                None => drop(self.log.remove(&key)),
            }
        }
    }

    pub(super) fn through_the_log(
        &self,
        group: &classic::Group,
        given: &BTreeMap<Text, Bytes>,
    ) -> GroupMetadataValue {
        let value = metadata(group, given, Timestamp(0)).to_bytes(GroupMetadataValue::WRITTEN_VERSION);
        GroupMetadataValue::from_bytes(value.unwrap()).unwrap()
    }

    pub(super) fn do_all(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Joined(waiter, answer) => drop(self.joined.insert(waiter, answer)),
                Action::Synced(waiter, answer) => drop(self.synced.insert(waiter, answer)),
                Action::Store(store) => self.store_classic(store),
            }
        }
    }

    pub(super) fn store_classic(&mut self, store: Store) {
        let Machine::Classic(group) = &self.machine else { panic!("it is no classic group") };
        self.classic_log = Some(self.through_the_log(group, &store.assignments));
        let Machine::Classic(group) = &mut self.machine else { return };
        let actions = group.stored(store, Ok(()), self.now);
        self.do_all(actions);
    }

    pub(super) fn heartbeat(&mut self, beat: &Heartbeat) -> Result<Beat, ErrorCode> {
        if let Machine::Classic(group) = &self.machine {
            if beat.epoch != JOIN {
                return Err(ErrorCode::GROUP_ID_NOT_FOUND);
            }
            let is_empty = group.state == classic::State::Empty;
            let upgraded = match is_empty {
                true => Ok((Group::new("g".into(), limits()), Vec::new())),
                false => Group::upgraded_from(group, limits(), &self.topics, self.now),
            };
            let (mut upgraded, records) = upgraded.map_err(|refusal| refusal.error)?;
            if self.fault == Fault::UpgradeForgets {
                upgraded.owners.clear();
            }
            let change = upgraded.heartbeat(beat, &self.topics).map_err(|refusal| refusal.error)?;
            let away = group.send_away();
            self.turned.0 += u32::from(!is_empty);
            self.classic_log = None;
            self.store(&records);
            self.machine = Machine::Modern(upgraded);
            self.do_all(away);
            return Ok(self.apply(change));
        }
        let Machine::Modern(group) = &self.machine else { return Err(ErrorCode::NONE) };
        let change = if beat.epoch < JOIN {
            group.leave(beat, &self.topics)
        } else {
            group.heartbeat(beat, &self.topics)
        };
        change.map(|change| self.apply(change)).map_err(|refusal| refusal.error)
    }
}
