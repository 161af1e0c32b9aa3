//! Which partitions a member has, for people.

use mainstem_client::TopicPartition;

/// The partitions that a member has of its topic, when these have gone.
pub(super) fn told(had: &[TopicPartition], gone: &[TopicPartition]) -> String {
    let left = had.iter().filter(|partition| !gone.contains(partition));
    let left: Vec<String> = left.map(|partition| partition.partition.0.to_string()).collect();
    match &*left {
        [] => "this member has no partition now".to_owned(),
        [one] => format!("this member has partition {one} now"),
        several => format!("this member has partitions {} now", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_gone_is_left_out() {
        let had: Vec<_> = (0..3).map(|partition| TopicPartition::new("t", partition)).collect();
        assert_eq!(told(&had, &had[1..2]), "this member has partitions 0, 2 now");
        assert_eq!(told(&had, &had[1..]), "this member has partition 0 now");
        assert_eq!(told(&had, &had), "this member has no partition now");
    }
}
