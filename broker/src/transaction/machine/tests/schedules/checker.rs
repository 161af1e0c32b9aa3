//! What must hold.

use std::collections::BTreeMap;

use mainstem_protocol::ProducerId;

use super::{
    super::{Outcome, Producer, Version},
    client::{Request, What},
    world::{Answer, Group, Tag},
};

#[derive(Default)]
pub(super) struct Checker {
    /// The client that was given the id last, and how often it was given away.
    holder: Option<usize>,
    /// How a transaction has ended, as its producer was told.
    told: BTreeMap<Tag, Outcome>,
    /// Writes of which a producer was told that they are there.
    acknowledged: BTreeMap<Tag, usize>,
    /// The first answer to each end of the second version.
    ends: BTreeMap<Producer, (Outcome, Producer)>,
    wrong: Option<String>,
}

impl Checker {
    pub(super) fn result(&mut self) -> Result<(), String> {
        self.wrong.take().map_or(Ok(()), Err)
    }

    fn fail(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    /// A client's batch gets its place.
    pub(super) fn written(&mut self, tag: Tag, client: usize) {
        if self.holder.is_some_and(|holder| holder != client) {
            self.fail(format!("client {client} was replaced and writes in transaction {tag}"));
        }
    }

    /// An end that a client asks for gets its place: it must end nothing but what the client meant.
    pub(super) fn ended(&mut self, log: &[Group], id: ProducerId, request: &Request) {
        for (partition, tag) in open(log, id) {
            if tag != request.tag {
                self.fail(format!("the end of {} ends transaction {tag} in {partition}", request.tag));
            }
        }
    }

    pub(super) fn answered(&mut self, request: &Request, answer: &Answer) {
        let Ok(producer) = answer else { return };
        match request.what {
            What::Init(_) => self.holder = Some(request.client),
            What::Write(_) => *self.acknowledged.entry(request.tag).or_default() += 1,
            What::End(outcome) => self.told_end(request, outcome, *producer),
            What::Add(_) => {}
        }
    }

    fn told_end(&mut self, request: &Request, outcome: Outcome, producer: Producer) {
        if *self.told.entry(request.tag).or_insert(outcome) != outcome {
            self.fail(format!("transaction {} was told both ends", request.tag));
        }
        if request.version == Version::V2 {
            let first = *self.ends.entry(request.producer).or_insert((outcome, producer));
            if first != (outcome, producer) {
                self.fail(format!("a repeat got another answer: {first:?}, {:?}", (outcome, producer)));
            }
        }
    }

    /// Looks through the whole log.
    pub(super) fn finish(&mut self, log: &[Group]) {
        let mut ends: BTreeMap<Tag, Vec<Option<Outcome>>> = BTreeMap::new();
        for (at, group) in log.iter().enumerate() {
            if let Some((partition, producer, tag)) = group.data {
                let markers = log[at..].iter().flat_map(|group| &group.markers);
                let end = markers.into_iter().find(|(of, by, _)| *of == partition && by.id == producer.id);
                ends.entry(tag).or_default().push(end.map(|(_, _, outcome)| *outcome));
            }
        }
        for (tag, ends) in &ends {
            if ends.iter().any(|end| *end != ends[0]) {
                self.fail(format!("transaction {tag} is torn: {ends:?}"));
            }
        }
        for (tag, told) in std::mem::take(&mut self.told) {
            let found = ends.get(&tag).and_then(|ends| ends[0]);
            let is_there = ends.contains_key(&tag) || !self.acknowledged.contains_key(&tag);
            if !is_there || found.is_some_and(|found| found != told) {
                self.fail(format!("transaction {tag} was told {told:?}, and the log has {found:?}"));
            }
        }
    }
}

/// What is open of a producer, by partition.
fn open(log: &[Group], id: ProducerId) -> BTreeMap<i32, Tag> {
    let mut open = BTreeMap::new();
    for group in log {
        if let Some((partition, producer, tag)) = group.data
            && producer.id == id
        {
            open.insert(partition.0, tag);
        }
        for (partition, producer, _) in &group.markers {
            if producer.id == id {
                open.remove(&partition.0);
            }
        }
    }
    open
}
