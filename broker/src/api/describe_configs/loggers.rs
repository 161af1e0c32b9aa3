//! Levels of the broker's log (KIP-412): they are those of `logging.filter`, by which the broker was started.

use mainstem_protocol::ErrorCode;

use super::{Described, SOURCE_LOGGER, Synonym, brokers};
use crate::{api::Refusal, node::Node};

/// What Kafka calls the logger above all others.
const ROOT: &str = "root";

pub(super) fn describe(node: &Node, name: &str) -> Result<Vec<Described>, Refusal> {
    if name.is_empty() {
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, "a broker's number must not be empty"));
    }
    brokers::check_name(node, name)?;
    Ok(levels(node.config.fixed().process.log_filter.as_str()).into_iter().map(described).collect())
}

/// Loggers with their levels. What is not named has the level of the whole; nothing is said by default.
fn levels(filter: &str) -> Vec<(String, String)> {
    let part = |part: &str| match part.trim().rsplit_once('=') {
        Some((module, level)) => (module.to_owned(), level.to_ascii_uppercase()),
        None => (ROOT.to_owned(), part.trim().to_ascii_uppercase()),
    };
    let mut levels: Vec<_> = filter.split(',').filter(|part| !part.trim().is_empty()).map(part).collect();
    if !levels.iter().any(|(name, _)| name == ROOT) {
        levels.insert(0, (ROOT.to_owned(), "OFF".to_owned()));
    }
    levels
}

fn described((name, value): (String, String)) -> Described {
    let synonyms = vec![Synonym::new(&name, &value, SOURCE_LOGGER)];
    Described { name, value, kind: None, doc: "how much is logged", is_read_only: true, synonyms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_told_by_module_and_for_the_rest() {
        let check = |filter, expected: &[(&str, &str)]| {
            let pair = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
            assert_eq!(levels(filter), expected.iter().map(pair).collect::<Vec<_>>(), "{filter}");
        };
        check("info", &[("root", "INFO")]);
        check("warn, mainstem::net=debug", &[("root", "WARN"), ("mainstem::net", "DEBUG")]);
        check("mainstem=trace", &[("root", "OFF"), ("mainstem", "TRACE")]);
    }
}
