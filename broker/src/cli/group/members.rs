//! The members that keep a group from being changed.

use mainstem_client::ErrorCode;
use mainstem_client::admin::{Admin, GroupMember};

use crate::cli::Error;
use crate::cli::output;

/// Members that are named; of the others their number is told.
const NAMED_MAX: usize = 5;

/// Those who are in the group now, by what they call themselves and where they are; nobody where there is no such group.
pub(super) async fn names(admin: &Admin, group: &str) -> Result<Vec<String>, Error> {
    match admin.describe_group(group).await {
        Ok(described) => Ok(described.members.iter().map(name).collect()),
        Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Kafka shows an address with a slash before it.
fn name(member: &GroupMember) -> String {
    let GroupMember { id, client_id, host, .. } = member;
    format!("{client_id} at {} ({id})", host.trim_start_matches('/'))
}

/// What to say of a group that has members.
pub(super) fn active(group: &str, members: &[String], then: &str) -> Error {
    let group = output::printable(group).into_owned();
    Error::new(format_args!("group {group} has members: {}", listed(members)))
        .advise(format!("stop them first: {then} when they have left"))
}

/// Some of the names, and how many more there are.
pub(super) fn listed(members: &[String]) -> String {
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
        let members: Vec<_> = (0..7).map(|number| format!("m{number}")).collect();
        assert_eq!(listed(&members[..2]), "m0, m1");
        assert_eq!(listed(&members), "m0, m1, m2, m3, m4, and 2 more");
    }
}
