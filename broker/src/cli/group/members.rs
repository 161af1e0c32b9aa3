//! The members that keep a group from being changed.

use mainstem_client::ErrorCode;
use mainstem_client::admin::{Admin, GroupMember};

use crate::cli::Error;
use crate::cli::output;

/// The epoch of a static member that has left for a while (KIP-848).
const AWAY: i32 = -2;

/// Members that are named; of the others their number is told.
const NAMED_MAX: usize = 5;

/// Those who are in the group now; none where there is no such group.
pub(super) async fn of(admin: &Admin, group: &str) -> Result<Option<Vec<GroupMember>>, Error> {
    match admin.describe_group(group).await {
        Ok(described) => Ok(Some(described.members)),
        Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether it is a static member that has left for a while. In a classic group nobody knows of it before its session
/// times out.
pub(super) fn is_away(member: &GroupMember) -> bool {
    member.epoch == Some(AWAY)
}

/// What a member calls itself, and where it is. Kafka shows an address with a slash before it.
fn name(member: &GroupMember) -> String {
    let GroupMember { id, client_id, host, .. } = member;
    format!("{client_id} at {} ({id})", host.trim_start_matches('/'))
}

fn instance(member: &GroupMember) -> String {
    member.instance_id.as_ref().unwrap_or(&member.id).to_string()
}

/// What to say of a group that has members.
pub(super) fn active(group: &str, members: &[GroupMember], then: &str) -> Error {
    let group = output::printable(group).into_owned();
    Error::new(format_args!("group {group} has members: {}", listed(members))).advise(advice(members, then))
}

/// Nobody can stop a member that is away.
fn advice(members: &[GroupMember], then: &str) -> String {
    let (away, here): (Vec<_>, Vec<_>) = members.iter().partition(|member| is_away(member));
    let names = some_of(away.into_iter().map(instance));
    let away = match members.len() - here.len() {
        0 => return format!("stop them first: {then} when they have left"),
        1 => format!("static member {names} is away and leaves within its session timeout"),
        _ => format!("static members {names} are away and leave within their session timeouts"),
    };
    match here.is_empty() {
        true => format!("{away}: {then} after that"),
        false => format!("{away}; stop the others first: {then} when all have left"),
    }
}

/// Some of the members, and how many more there are.
pub(super) fn listed(members: &[GroupMember]) -> String {
    some_of(members.iter().map(name))
}

fn some_of(names: impl Iterator<Item = String>) -> String {
    let members: Vec<_> = names.collect();
    let named: Vec<_> = members.iter().take(NAMED_MAX).map(|name| output::printable(name)).collect();
    let named = named.join(", ");
    match members.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_members_are_named_and_the_others_counted() {
        let names = |count: usize| some_of((0..count).map(|number| format!("m{number}")));
        assert_eq!(names(2), "m0, m1");
        assert_eq!(names(7), "m0, m1, m2, m3, m4, and 2 more");
    }

    fn member(instance: Option<&str>, epoch: i32) -> GroupMember {
        GroupMember {
            id: "m".into(),
            instance_id: instance.map(Into::into),
            client_id: "c".into(),
            host: "/h".into(),
            subscribed: Vec::new(),
            pattern: None,
            assignment: Vec::new(),
            target: Vec::new(),
            epoch: Some(epoch),
        }
    }

    #[test]
    fn members_that_are_away_need_not_be_stopped() {
        let (here, one, two) = (member(Some("i0"), 3), member(Some("i1"), AWAY), member(Some("i2"), AWAY));
        let check = |members: &[GroupMember], expected: &str| assert_eq!(advice(members, "go"), expected);
        check(std::slice::from_ref(&here), "stop them first: go when they have left");
        let away = "static member i1 is away and leaves within its session timeout";
        check(std::slice::from_ref(&one), &format!("{away}: go after that"));
        check(&[here, one.clone()], &format!("{away}; stop the others first: go when all have left"));
        let both = "static members i1, i2 are away and leave within their session timeouts: go after that";
        check(&[one, two], both);
    }
}
