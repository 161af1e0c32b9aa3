//! Levels of the broker's log (KIP-412).

use mainstem_protocol::ErrorCode;

use super::{Described, SOURCE_LOGGER, Synonym, brokers};
use crate::{
    api::Refusal,
    node::Node,
    process::levels::{self, Levels},
};

/// The levels in force. Where this process writes no log of ours, they are those that it would write by.
pub(super) fn describe(node: &Node, name: &str) -> Result<Vec<Described>, Refusal> {
    if name.is_empty() {
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, "a broker's number must not be empty"));
    }
    brokers::check_name(node, name)?;
    let fixed = || Levels::of(node.config.fixed().process.log_filter.as_str());
    Ok(levels::in_force().unwrap_or_else(fixed).all().into_iter().map(described).collect())
}

fn described((name, value): (String, String)) -> Described {
    let synonyms = vec![Synonym::new(&name, &value, SOURCE_LOGGER)];
    Described { name, value, kind: None, doc: "how much is logged", is_read_only: false, synonyms }
}
