//! ConsumerGroupHeartbeat (KIP-848).

use mainstem_protocol::{
    ErrorCode, Text, TopicId,
    messages::{
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
        consumer_group_heartbeat::{Assignment, TopicPartitions},
    },
    wire::Detach,
};

use super::{Caller, Coordinator, Group, Slot};
use crate::group::modern::{self, Beat, Catalogue, Client, Heartbeat, JOIN, Looked, Matched, Refusal};

impl Coordinator {
    /// Answers when what the heartbeat changes is stored.
    pub async fn consumer_group_heartbeat(
        &self,
        caller: &Caller,
        version: i16,
        request: ConsumerGroupHeartbeatRequest,
    ) -> ConsumerGroupHeartbeatResponse {
        let group = request.group_id.clone();
        match self.beat_modern(caller, version, request).await {
            Ok(beat) => self.beaten(&group, beat),
            Err(Refusal { error, message }) => ConsumerGroupHeartbeatResponse {
                error_code: error,
                error_message: message.map(Text::from),
                ..Default::default()
            },
        }
    }

    async fn beat_modern(
        &self,
        caller: &Caller,
        version: i16,
        request: ConsumerGroupHeartbeatRequest,
    ) -> Result<Beat, Refusal> {
        let group = request.group_id.clone();
        let client = Client { id: caller.client_id.clone().detached(), host: caller.host.clone() };
        let assignors = &self.0.settings.consumer_assignors.0;
        // What is kept must not keep the request that it came with.
        let beat = Heartbeat::read(request.detached(), version, client, assignors, fresh_id)?;
        let slot = match self.existing(&group) {
            Some(slot) => slot,
            None if beat.epoch == JOIN => self.existing_or_new(&group).map_err(too_many)?,
            None => return Err(not_found(&group)),
        };
        let matched = self.matched(&slot, beat.pattern.as_ref()).await;
        let beaten = self.change(&slot, beat.epoch == JOIN, |group, topics| {
            let topics = &Looked { topics, matched: &matched };
            if beat.epoch < JOIN { group.leave(&beat, topics) } else { group.heartbeat(&beat, topics) }
        });
        let beaten = beaten.await;
        if beaten.is_err() {
            // A group that nobody could join must not stay.
            self.end_unused(&group, slot).await;
        }
        beaten
    }

    /// Compiles and matches patterns where that cannot hold up other requests. Mostly there is nothing to do.
    async fn matched(&self, slot: &Slot, incoming: Option<&Text>) -> Matched {
        let topics = self.topic_view();
        let open = slot.read(|group| match group {
            Group::Modern(group) => group.open_patterns(incoming, topics.version()),
            Group::Classic(group) => self.new_modern(&group.id).open_patterns(incoming, topics.version()),
        });
        if open.is_empty() {
            return Matched::default();
        }
        let matched = self.off_reactor("patterns of a group", move |_| Matched::new(open, &topics));
        matched.await.unwrap_or_default()
    }

    fn beaten(&self, group: &str, beat: Beat) -> ConsumerGroupHeartbeatResponse {
        let Beat { member_id, epoch, assignment } = beat;
        let interval = self.times(group).heartbeat.as_millis();
        ConsumerGroupHeartbeatResponse {
            member_id: Some(member_id),
            member_epoch: epoch,
            // Who leaves needs not be told when to come again.
            heartbeat_interval_ms: if epoch < JOIN { 0 } else { i32::try_from(interval).unwrap_or(i32::MAX) },
            assignment: assignment.as_ref().map(told),
            ..Default::default()
        }
    }
}

fn told(assignment: &modern::Assignment) -> Assignment {
    let topic = |(topic_id, partitions): (TopicId, &std::collections::BTreeSet<_>)| TopicPartitions {
        topic_id,
        partitions: partitions.iter().copied().collect(),
    };
    Assignment { topic_partitions: assignment.topics().map(topic).collect() }
}

fn fresh_id() -> Text {
    TopicId::random().to_string().into()
}

fn too_many(error: ErrorCode) -> Refusal {
    Refusal::new(error, "There are too many groups.")
}

fn not_found(group: &Text) -> Refusal {
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("Consumer group {group} not found."))
}
