//! Whether a group whose broker shares out the partitions (KIP-848) has come to rest. Until then a member may have nothing
//! yet, or less than it is to get: what it is to get is another's until that one has let go of it, or is given up.

use mainstem_client::admin::GroupDescription;
use mainstem_client::consumer::Consumer;
use mainstem_client::{Admin, TopicPartition};
use tokio::time::{Duration, Instant};

use crate::cli::error::{self, Error};

/// How long it may take before somebody who waits is told for what.
const UNTOLD: Duration = Duration::from_secs(3);

/// A group whose partitions are being shared out.
pub(super) struct Sharing {
    admin: Admin,
    group: String,
    waits_since: Option<Instant>,
    is_told: bool,
}

impl Sharing {
    pub(super) const fn new(admin: Admin, group: String) -> Self {
        Self { admin, group, waits_since: None, is_told: false }
    }

    /// Whether nothing more comes to this member as the group is now.
    pub(super) async fn is_over(&mut self, consumer: &Consumer) -> Result<bool, Error> {
        let Some(member) = consumer.member_id() else { return Ok(false) };
        let group = self.admin.describe_group(&self.group).await?;
        let is_over = is_settled(&group, &member, &consumer.assignment());
        if !is_over {
            self.tell();
        }
        Ok(is_over)
    }

    fn tell(&mut self) {
        let since = *self.waits_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= UNTOLD && !std::mem::replace(&mut self.is_told, true) {
            let group = &self.group;
            error::note(format_args!(
                "waiting until other members of group {group} have let go of partitions, or are given up"
            ));
        }
    }
}

/// Whether each member has what it is to have, and this one knows of it.
fn is_settled(group: &GroupDescription, member: &str, owned: &[TopicPartition]) -> bool {
    let has_all = |target: &[TopicPartition]| {
        target.len() == owned.len() && target.iter().all(|partition| owned.contains(partition))
    };
    let is_here = group.members.iter().any(|other| &*other.id == member && has_all(&other.target));
    &*group.state == "Stable" && is_here
}

#[cfg(test)]
mod tests {
    use mainstem_client::admin::GroupMember;
    use mainstem_protocol::BrokerId;

    use super::*;

    fn t(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    fn group(state: &str, target: &[TopicPartition]) -> GroupDescription {
        let member = GroupMember {
            id: "me".into(),
            instance_id: None,
            client_id: "c".into(),
            host: "h".into(),
            subscribed: Vec::new(),
            pattern: None,
            assignment: target.to_vec(),
            target: target.to_vec(),
            epoch: Some(2),
        };
        GroupDescription {
            id: "g".into(),
            group_type: "consumer".into(),
            state: state.into(),
            protocol_type: "consumer".into(),
            protocol: "uniform".into(),
            epochs: None,
            coordinator: BrokerId(1),
            members: vec![member],
        }
    }

    #[test]
    fn nothing_more_comes_once_the_group_is_stable_and_the_member_has_its_target() {
        let check = |group: GroupDescription, owned: &[TopicPartition], expected| {
            assert_eq!(is_settled(&group, "me", owned), expected, "{group:?} {owned:?}");
        };
        check(group("Stable", &[]), &[], true);
        check(group("Stable", &[t(0), t(1)]), &[t(1), t(0)], true);
        check(group("Reconciling", &[]), &[], false);
        check(group("Assigning", &[t(0)]), &[t(0)], false);
        check(group("Stable", &[t(0), t(1)]), &[t(0)], false);
        check(group("Stable", &[t(0)]), &[t(1)], false);
        assert!(!is_settled(&group("Stable", &[]), "another", &[]));
    }
}
