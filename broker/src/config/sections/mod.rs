//! The settings themselves, one file per component.

mod fetch;
mod groups;
mod http;
mod net;
mod process;
mod storage;
mod topics;
mod transactions;

pub use fetch::FetchSettings;
pub use groups::GroupSettings;
pub use http::HttpSettings;
pub use net::NetSettings;
pub use process::ProcessSettings;
pub use storage::StorageSettings;
pub use topics::TopicSettings;
pub use transactions::TransactionSettings;

use mainstem_storage::TopicConfig;

use super::Section;

const INT_MAX: i64 = i32::MAX as i64;
const LONG_MAX: i64 = i64::MAX;

/// In the order of the manual.
pub(super) const SECTIONS: &[Section] = &[
    StorageSettings::SECTION,
    NetSettings::SECTION,
    TopicSettings::SECTION,
    FetchSettings::SECTION,
    GroupSettings::SECTION,
    TransactionSettings::SECTION,
    HttpSettings::SECTION,
    ProcessSettings::SECTION,
];

/// Two settings that contradict one another.
#[derive(Debug)]
pub(super) struct Contradiction {
    /// The one to look at first.
    pub(super) name: &'static str,
    /// What contradicts it.
    pub(super) reason: String,
}

/// Whether records may be compacted before they have to be (Kafka: `LogConfig.validateValues`).
pub(super) fn check_lags(defaults: &TopicConfig) -> Result<(), Contradiction> {
    let (least, most) = (defaults.min_compaction_lag_ms, defaults.max_compaction_lag_ms);
    if least <= most {
        return Ok(());
    }
    let reason = format!("{least} is more than log.cleaner.max.compaction.lag.ms, {most}");
    Err(Contradiction { name: "log.cleaner.min.compaction.lag.ms", reason })
}
