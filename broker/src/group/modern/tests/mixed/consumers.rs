//! What consumers do, each by its protocol.

use super::*;

impl World {
    /// A consumer does what it does next.
    pub(super) fn act(&mut self, place: usize) {
        match self.consumers[place].speaks.clone() {
            Protocols::Modern(told) if told != self.consumers[place].reads && self.chance.one_in(2) => {
                self.consumers[place].reads = told;
            }
            Protocols::Modern(_) => self.beat_modern(place),
            Protocols::Classic(Phase::Joins) => self.join(place),
            Protocols::Classic(Phase::WaitsForJoin(waiter)) => {
                if let Some(answer) = self.joined.remove(&waiter) {
                    self.hear_join(place, answer);
                }
            }
            Protocols::Classic(Phase::Syncs(answer)) => self.sync(place, answer),
            Protocols::Classic(Phase::WaitsForSync(waiter)) => {
                if let Some(answer) = self.synced.remove(&waiter) {
                    self.hear_sync(place, answer);
                }
            }
            Protocols::Classic(Phase::Reads) if self.leads_too_little(place) => {
                self.consumers[place].speaks = Protocols::Classic(Phase::Joins);
            }
            Protocols::Classic(Phase::Reads) => self.beat_classic(place),
        }
    }

    /// The leader of a classic group joins again when there is more to share out.
    fn leads_too_little(&self, place: usize) -> bool {
        self.consumers[place].shared_out.is_some_and(|count| count != self.partitions())
    }

    pub(super) fn beat_modern(&mut self, place: usize) {
        let consumer = &self.consumers[place];
        let joins = consumer.epoch == JOIN;
        let beat = Heartbeat {
            instance_id: consumer.instance_id.clone(),
            rebalance_timeout: joins.then_some(REBALANCE),
            topics: joins.then(|| BTreeSet::from([TOPIC.into()])),
            ..owning(&consumer.id, consumer.epoch, &consumer.reads)
        };
        match self.heartbeat(&beat) {
            Ok(answer) => {
                let consumer = &mut self.consumers[place];
                consumer.epoch = answer.epoch;
                if let (Protocols::Modern(told), Some(assignment)) = (&mut consumer.speaks, answer.assignment)
                {
                    *told = assignment;
                }
            }
            Err(ErrorCode::UNRELEASED_INSTANCE_ID | ErrorCode::FENCED_INSTANCE_ID) => {
                self.consumers[place].is_alive = false;
                self.consumers[place].forget();
            }
            Err(_) => self.consumers[place].forget(),
        }
    }

    pub(super) fn request(&mut self, place: usize) -> JoinRequest {
        let consumer = &mut self.consumers[place];
        if !self.is_cooperative {
            consumer.reads = Assignment::default();
        }
        let owned = consumer.reads.clone();
        let (id, instance_id, number) = (consumer.id.clone(), consumer.instance_id.clone(), consumer.number);
        let subscription = Subscription {
            topics: vec![TOPIC.into()],
            owned_partitions: self.named(&owned),
            ..Subscription::default()
        };
        let metadata = subscription.to_bytes(1).unwrap();
        JoinRequest {
            member_id: id,
            fresh_id: format!("c{number}-{}", self.next()).into(),
            requires_known_id: instance_id.is_none() && self.chance.one_in(2),
            profile: classic::Profile {
                instance_id,
                client_id: "client".into(),
                client_host: "/127.0.0.1".into(),
                session_timeout: Duration::from_secs(30),
                rebalance_timeout: REBALANCE,
                protocols: vec![Protocol { name: "sticky".into(), metadata }],
            },
            protocol_type: PROTOCOL_TYPE.into(),
            // Before KIP-814 a static leader that comes back does not know that it leads, and nobody watches the topics.
            may_skip_assignment: true,
        }
    }

    pub(super) fn named(&self, assignment: &Assignment) -> Vec<Named> {
        let (id, _) = self.topics.topic(TOPIC).unwrap();
        let partitions = assignment.of(id).into_iter().flatten().copied().collect::<Vec<_>>();
        if partitions.is_empty() {
            return Vec::new();
        }
        vec![Named { topic: TOPIC.into(), partitions }]
    }

    pub(super) fn join(&mut self, place: usize) {
        let (request, waiter) = (self.request(place), Waiter(self.next()));
        self.consumers[place].speaks = Protocols::Classic(Phase::WaitsForJoin(waiter));
        // An empty group takes whichever comes first.
        if let Machine::Modern(group) = &self.machine
            && group.is_empty()
        {
            let deletion = group.deletion();
            self.store(&deletion);
            self.machine = Machine::Classic(classic::Group::new("g".into(), CLASSIC));
        }
        match &mut self.machine {
            Machine::Classic(group) => {
                let actions = group.join(waiter, request, self.now);
                self.do_all(actions);
            }
            Machine::Modern(group) => {
                let joined = group.join(&request, &self.topics);
                let answer = match joined {
                    Ok(change) => self.apply(change),
                    Err(refusal) => request.refused(refusal.error),
                };
                self.joined.insert(waiter, answer);
            }
        }
    }

    pub(super) fn hear_join(&mut self, place: usize, answer: JoinAnswer) {
        let consumer = &mut self.consumers[place];
        match answer.error {
            ErrorCode::NONE => {
                (consumer.id, consumer.epoch) = (answer.member_id.clone(), answer.generation);
                consumer.speaks = Protocols::Classic(Phase::Syncs(answer));
            }
            ErrorCode::MEMBER_ID_REQUIRED => {
                consumer.id = answer.member_id;
                consumer.speaks = Protocols::Classic(Phase::Joins);
            }
            error => self.refuse(place, error),
        }
    }

    pub(super) fn refuse(&mut self, place: usize, error: ErrorCode) {
        let consumer = &mut self.consumers[place];
        match error {
            ErrorCode::REBALANCE_IN_PROGRESS => consumer.speaks = Protocols::Classic(Phase::Joins),
            ErrorCode::ILLEGAL_GENERATION => consumer.forget(),
            ErrorCode::FENCED_INSTANCE_ID => {
                consumer.is_alive = false;
                consumer.forget();
            }
            _ => {
                consumer.forget();
                consumer.id = Text::new();
            }
        }
    }

    pub(super) fn sync(&mut self, place: usize, joined: JoinAnswer) {
        let waiter = Waiter(self.next());
        // Who leads without having assigned does not know what there was when somebody did.
        let count = if joined.skip_assignment { 0 } else { self.partitions() };
        let consumer = &mut self.consumers[place];
        consumer.shared_out = (!joined.members.is_empty()).then_some(count);
        consumer.speaks = Protocols::Classic(Phase::WaitsForSync(waiter));
        let request = SyncRequest {
            member_id: consumer.id.clone(),
            instance_id: consumer.instance_id.clone(),
            generation: consumer.epoch,
            protocol_type: joined.protocol_type.clone(),
            protocol: joined.protocol.clone(),
            assignments: if joined.skip_assignment { BTreeMap::new() } else { self.assign(&joined) },
        };
        match &mut self.machine {
            Machine::Classic(group) => {
                let actions = group.sync(waiter, request, self.now);
                self.do_all(actions);
            }
            Machine::Modern(group) => {
                let synced = group.sync(&request, &self.topics);
                let answer = match synced {
                    Ok(change) => self.apply(change),
                    Err(refusal) => SyncAnswer::refused(refusal.error),
                };
                self.synced.insert(waiter, answer);
            }
        }
    }

    /// A leader gives partitions out in turn; those that another one has yet to give back, to nobody.
    pub(super) fn assign(&self, joined: &JoinAnswer) -> BTreeMap<Text, Bytes> {
        let (id, count) = self.topics.topic(TOPIC).unwrap();
        let mut given: Vec<(Text, Assignment, Assignment)> = Vec::new();
        for (member, _, metadata) in &joined.members {
            let subscription = Subscription::from_bytes(metadata.clone()).unwrap();
            let partitions = subscription.owned_partitions.iter().flat_map(|topic| &topic.partitions);
            let owned = partitions.map(|partition| (id, *partition)).collect();
            given.push((member.clone(), owned, Assignment::default()));
        }
        for number in 0..count {
            let partition = (id, PartitionId(number as i32));
            let to = number as usize % given.len().max(1);
            let is_free =
                given.iter().enumerate().all(|(at, (_, owned, _))| at == to || !owned.contains(partition));
            if let Some((_, _, gets)) = given.get_mut(to).filter(|_| is_free) {
                gets.insert(partition);
            }
        }
        let encode = |gets: &Assignment| Given { assigned_partitions: self.named(gets), user_data: None };
        given.iter().map(|(id, _, gets)| (id.clone(), encode(gets).to_bytes(1).unwrap())).collect()
    }

    pub(super) fn hear_sync(&mut self, place: usize, answer: SyncAnswer) {
        if !answer.error.is_none() {
            return self.refuse(place, answer.error);
        }
        let given = match answer.assignment.is_empty() {
            true => Given::default(),
            false => Given::from_bytes(answer.assignment).unwrap(),
        };
        let (id, _) = self.topics.topic(TOPIC).unwrap();
        let partitions = given.assigned_partitions.iter().flat_map(|topic| topic.partitions.clone());
        let given: Assignment = partitions.map(|partition| (id, partition)).collect();
        let consumer = &mut self.consumers[place];
        // Who has given something back joins again, so that somebody may have it.
        let gives_back = !consumer.reads.without(&given).is_empty() && self.is_cooperative;
        consumer.reads = given;
        let phase = if gives_back { Phase::Joins } else { Phase::Reads };
        consumer.speaks = Protocols::Classic(phase);
    }

    pub(super) fn beat_classic(&mut self, place: usize) {
        let consumer = &self.consumers[place];
        let (id, instance_id, epoch) = (consumer.id.clone(), consumer.instance_id.clone(), consumer.epoch);
        let error = match &mut self.machine {
            Machine::Classic(group) => {
                group.heartbeat(&id, instance_id.as_ref(), epoch, self.now).err().unwrap_or_default()
            }
            Machine::Modern(group) => {
                match group.heartbeat_classic(&id, instance_id.as_ref(), epoch, &self.topics) {
                    Ok(change) => group.apply(change, self.now),
                    Err(refusal) => refusal.error,
                }
            }
        };
        if !error.is_none() {
            self.refuse(place, error);
        }
    }

    pub(super) fn leave(&mut self) {
        let Some(place) = self.alive() else { return };
        let consumer = self.consumers.remove(place);
        let (id, instance_id) = (consumer.id.clone(), consumer.instance_id.clone());
        if consumer.is_modern() {
            let epoch = if instance_id.is_some() { LEAVE_FOR_A_WHILE } else { LEAVE };
            // The group may not know it any more.
            let _ = self.heartbeat(&Heartbeat { instance_id, ..staying(&id, epoch) });
            return;
        }
        match &mut self.machine {
            Machine::Classic(group) => {
                let mut actions = Vec::new();
                group.leave(&[Leaver { id, instance_id }], self.now, &mut actions);
                self.do_all(actions);
            }
            Machine::Modern(group) => {
                let change = group.take_out(&[(&id, instance_id.as_ref())], &self.topics);
                self.apply(change);
            }
        }
    }
}
