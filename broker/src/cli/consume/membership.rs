//! How a reader is a member of its group.

use clap::ValueEnum;
use mainstem_client::ConsumerConfig;
use mainstem_client::consumer::{Assignor, GroupProtocol};

use crate::cli::{Error, arguments};

/// Who shares out the partitions of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// One of the members; every broker knows this
    #[default]
    Classic,
    /// The broker (KIP-848), which moves partitions one by one
    Consumer,
}

/// How a reader is a member of its group.
#[derive(Debug, clap::Args)]
pub(super) struct MembershipArgs {
    /// Share the partitions with the other members of this group, and commit what was printed
    #[arg(short, long, value_parser = arguments::group)]
    pub(super) group: Option<String>,
    /// Who shares out the partitions
    #[arg(long, value_enum, value_name = "PROTOCOL", default_value_t, requires = "group")]
    group_protocol: Protocol,
    /// How: range, roundrobin, sticky or cooperative-sticky; with --group-protocol consumer one that the broker knows, such
    /// as uniform or range
    #[arg(long, value_name = "NAME", requires = "group")]
    assignor: Option<String>,
    /// The name of this member, that of a static one: it comes back to its partitions without a rebalance
    #[arg(long, value_name = "ID", requires = "group", value_parser = instance)]
    instance_id: Option<String>,
    /// Say on standard error which partitions this member has, whenever that changes
    #[arg(short, long, requires = "group")]
    pub(super) verbose: bool,
}

fn instance(text: &str) -> Result<String, String> {
    arguments::some(text, "the name of a member, such as billing-1")
}

impl MembershipArgs {
    /// The group whose partitions the broker shares out; none where members do so, or nobody does.
    pub(super) fn shared_by_broker(&self) -> Option<&str> {
        self.group.as_deref().filter(|_| self.group_protocol == Protocol::Consumer)
    }

    /// The same, as a consumer takes it.
    pub(super) fn config(&self) -> Result<ConsumerConfig, Error> {
        let Self { group, group_protocol, assignor, instance_id, verbose: _ } = self;
        let text = |text: &Option<String>| text.as_deref().map(Into::into);
        let config = ConsumerConfig {
            group_id: text(group),
            group_instance_id: text(instance_id),
            ..Default::default()
        };
        Ok(match (group_protocol, assignor) {
            (Protocol::Consumer, _) => ConsumerConfig {
                group_protocol: GroupProtocol::Consumer,
                server_assignor: text(assignor),
                ..config
            },
            (Protocol::Classic, Some(name)) => ConsumerConfig { assignors: vec![by_name(name)?], ..config },
            (Protocol::Classic, None) => config,
        })
    }
}

fn by_name(name: &str) -> Result<Assignor, Error> {
    Assignor::by_name(name).ok_or_else(|| {
        Error::usage(format_args!("there is no assignor {name}")).advise(
            "range, roundrobin, sticky and cooperative-sticky are; others are the broker's, with --group-protocol consumer",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(group_protocol: Protocol, assignor: &str) -> MembershipArgs {
        let [group, instance_id] = ["g", "i"].map(|name| Some(name.to_owned()));
        let assignor = Some(assignor.to_owned());
        MembershipArgs { group, group_protocol, assignor, instance_id, verbose: false }
    }

    #[test]
    fn assignors_are_the_members_or_the_brokers() {
        let classic = args(Protocol::Classic, "sticky").config().unwrap();
        assert_eq!((classic.assignors, classic.server_assignor), (vec![Assignor::Sticky], None));
        assert_eq!(classic.group_instance_id.as_deref(), Some("i"));
        let modern = args(Protocol::Consumer, "uniform").config().unwrap();
        assert_eq!(modern.group_protocol, GroupProtocol::Consumer);
        assert_eq!(modern.server_assignor.as_deref(), Some("uniform"));
        let error = args(Protocol::Classic, "uniform").config().unwrap_err();
        assert!(error.to_string().contains("there is no assignor uniform"), "{error}");
    }
}
