//! How much each part of the program logs, and how that changes while it runs (KIP-412; Kafka: `LoggingController`,
//! `RuntimeLoggerManager`).
//!
//! The process has one log, and so one set of levels. Changes are not kept: the next start has those of `logging.filter`.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::Metadata;
use tracing_subscriber::filter::{FilterFn, LevelFilter};

use crate::{caps::LOGGERS_MAX, config::LoggerName};

/// What Kafka calls the logger above all others.
pub(crate) const ROOT: &str = "root";

/// All of the broker. Its modules are [`LOGGERS`], and so nothing else lies below it.
const BROKER: &str = "mainstem";

/// The parts that have levels, beside those that somebody names in the filter. Whatever lies below one of them by its path
/// may have a level as well.
pub(crate) const LOGGERS: &[&str] = &[
    BROKER,
    "mainstem::api",
    "mainstem::broker",
    "mainstem::cli",
    "mainstem::config",
    "mainstem::dispatch",
    "mainstem::embed",
    "mainstem::fetch_session",
    "mainstem::group",
    "mainstem::http",
    "mainstem::metrics",
    "mainstem::net",
    "mainstem::observer",
    "mainstem::partition",
    "mainstem::process",
    "mainstem::task",
    "mainstem::transaction",
    "mainstem_client",
    "mainstem_processor",
    "mainstem_storage",
];

/// Kafka's names of levels (`LogLevelConfig`). There is nothing above ERROR here, so FATAL is silence.
pub(crate) const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// A level that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LevelError {
    /// There is nothing of that name.
    #[error("logger {0} does not exist")]
    NoLogger(String),
    /// There is no such level.
    #[error("the level of {logger} cannot be {level}: expected one of {}", LEVELS.join(", "))]
    NoLevel {
        /// Whose.
        logger: String,
        /// What was asked for.
        level: String,
    },
    /// Too many have levels.
    #[error("at most {LOGGERS_MAX} loggers can have levels of their own")]
    TooMany,
    /// Something has to be above all others.
    #[error("the level of root can be changed, but not be taken away")]
    Root,
    /// Somebody else in this process writes the log.
    #[error("this broker does not write the log: its levels are not its own")]
    NotOurs,
}

/// A change of one logger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Whose level.
    pub(crate) logger: String,
    /// What it becomes; none for that of the logger above.
    pub(crate) level: Option<String>,
}

/// The levels that were given, by logger; the root always has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Levels(BTreeMap<LoggerName, String>);

/// Which log lines are written: those that a level lets through.
pub(crate) type Filter = FilterFn<Box<dyn Fn(&Metadata<'_>) -> bool + Send + Sync>>;

impl Levels {
    /// Those of a `logging.filter`. What is not named has the level of the whole; nothing is logged by default.
    #[must_use]
    pub(crate) fn of(filter: &str) -> Self {
        let part = |part: &str| {
            let (logger, level) = part.trim().rsplit_once('=').unwrap_or_else(|| (ROOT, part.trim()));
            Some((LoggerName::read(logger)?, level.to_ascii_uppercase()))
        };
        let silent = LoggerName::read(ROOT).map(|root| (root, "OFF".to_owned()));
        Self(silent.into_iter().chain(filter.split(',').filter_map(part)).collect())
    }

    /// Every logger with its level, which is its own or that of the nearest one above.
    #[must_use]
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        let names = LOGGERS.iter().copied().chain(self.0.keys().map(LoggerName::as_str));
        names.map(|name| (name.to_owned(), self.level(name).to_owned())).collect()
    }

    fn level(&self, logger: &str) -> &str {
        let above = |name: &&str| is_within(logger, name);
        let nearest = self.0.keys().map(LoggerName::as_str).filter(above).max_by_key(|name| name.len());
        self.0.get(nearest.unwrap_or(ROOT)).map_or("OFF", String::as_str)
    }

    /// These levels with `changes` made, of which all can be or none is.
    ///
    /// # Errors
    /// The first change that cannot be, or too many levels.
    pub(crate) fn changed(&self, changes: &[Change]) -> Result<Self, LevelError> {
        let mut changed = self.clone();
        for Change { logger, level } in changes {
            let logger = self.check(logger, level.as_deref())?;
            match level {
                Some(level) => changed.0.insert(logger, level.clone()),
                None => changed.0.remove(&logger),
            };
        }
        if changed.0.len() > LOGGERS_MAX { Err(LevelError::TooMany) } else { Ok(changed) }
    }

    fn check(&self, logger: &str, level: Option<&str>) -> Result<LoggerName, LevelError> {
        let is_known = |name: &LoggerName| self.0.contains_key(name) || has_place(name.as_str());
        let name = LoggerName::read(logger).filter(is_known);
        let name = name.ok_or_else(|| LevelError::NoLogger(logger.to_owned()))?;
        match level {
            Some(level) if !LEVELS.contains(&level) => {
                Err(LevelError::NoLevel { logger: logger.to_owned(), level: level.to_owned() })
            }
            None if logger == ROOT => Err(LevelError::Root),
            _ => Ok(name),
        }
    }

    /// The same as a filter of log lines. Loggers are compared by their paths: an `EnvFilter` compares letters, and would
    /// count `mainstem_storage` as a part of `mainstem`.
    #[must_use]
    pub(crate) fn filter(&self) -> Filter {
        let loudest = self.0.values().map(|level| threshold(level)).max();
        let levels = self.clone();
        let is_written = move |line: &Metadata<'_>| *line.level() <= threshold(levels.level(line.target()));
        let is_written: Box<dyn Fn(&Metadata<'_>) -> bool + Send + Sync> = Box::new(is_written);
        FilterFn::new(is_written).with_max_level_hint(loudest.unwrap_or(LevelFilter::OFF))
    }
}

/// The log's own name of a level; FATAL has none, and is silence.
fn threshold(level: &str) -> LevelFilter {
    level.parse().unwrap_or(LevelFilter::OFF)
}

/// Whether there is such a logger, or may be.
fn has_place(logger: &str) -> bool {
    let is_below = |above: &&str| **above != *BROKER && is_within(logger, above);
    LOGGERS.contains(&logger) || LOGGERS.iter().any(is_below)
}

/// Whether a logger is another one, or lies below it.
fn is_within(logger: &str, above: &str) -> bool {
    logger
        .strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix("::").is_some_and(|rest| !rest.is_empty()))
}

/// Puts a filter in force.
type Apply = Box<dyn Fn(Filter) -> Result<(), tracing_subscriber::reload::Error> + Send + Sync>;

/// The levels of this process, once it writes a log.
static IN_FORCE: OnceLock<InForce> = OnceLock::new();

struct InForce {
    levels: Mutex<Levels>,
    apply: Apply,
}

/// Takes over the levels of a log that has begun.
pub(super) fn take_over(levels: Levels, apply: Apply) {
    // The log can begin once alone, and so there is nothing there.
    let _ = IN_FORCE.set(InForce { levels: Mutex::new(levels), apply });
}

/// The levels in force; none where this process writes no log of ours.
#[must_use]
pub(crate) fn in_force() -> Option<Levels> {
    let levels = &IN_FORCE.get()?.levels;
    Some(levels.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Makes all changes or, where one cannot be, none; or says whether they could be made.
///
/// # Errors
/// The first change that cannot be.
pub(crate) fn alter(changes: &[Change], only_check: bool) -> Result<(), LevelError> {
    let InForce { levels, apply } = IN_FORCE.get().ok_or(LevelError::NotOurs)?;
    let mut levels = levels.lock().unwrap_or_else(PoisonError::into_inner);
    let changed = levels.changed(changes)?;
    if !only_check {
        apply(changed.filter()).map_err(|_| LevelError::NotOurs)?;
        *levels = changed;
        drop(levels);
        changes.iter().for_each(told);
    }
    Ok(())
}

fn told(change: &Change) {
    let Change { logger, level } = change;
    tracing::warn!(logger, level, "what is logged has changed");
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use tracing_subscriber::{fmt, layer::SubscriberExt};

    use super::*;
    use crate::caps::LOGGER_NAME_BYTES_MAX;

    fn change(logger: &str, level: Option<&str>) -> Change {
        Change { logger: logger.to_owned(), level: level.map(ToOwned::to_owned) }
    }

    #[test]
    fn a_logger_has_its_own_level_or_that_of_the_nearest_one_above() {
        let all = Levels::of("warn, mainstem::net=debug,hyper=error").all();
        let level = |logger: &str| all.get(logger).map(String::as_str);
        assert_eq!(
            (level(ROOT), level("mainstem"), level("mainstem_storage")),
            (Some("WARN"), Some("WARN"), Some("WARN"))
        );
        assert_eq!((level("mainstem::net"), level("hyper")), (Some("DEBUG"), Some("ERROR")));
        let all = Levels::of("mainstem=trace").all();
        assert_eq!((all["root"].as_str(), all["mainstem::api"].as_str()), ("OFF", "TRACE"));
        assert_eq!(all["mainstem_client"], "OFF");
    }

    #[test]
    fn levels_are_given_and_taken_away() {
        let levels = Levels::of("info");
        let loud = levels.changed(&[change("mainstem::net::sender", Some("TRACE"))]).unwrap();
        assert_eq!(loud.all()["mainstem::net::sender"], "TRACE");
        let silent =
            levels.changed(&[change(ROOT, Some("FATAL")), change("mainstem", Some("WARN"))]).unwrap();
        assert_eq!(
            (silent.all()["mainstem"].as_str(), silent.all()["mainstem_client"].as_str()),
            ("WARN", "FATAL")
        );
        let back = loud.changed(&[change("mainstem::net::sender", None)]).unwrap();
        assert_eq!(back, levels);
    }

    #[test]
    fn changes_that_cannot_be_are_refused_together() {
        let refused = |logger, level| {
            Levels::of("info")
                .changed(&[change("mainstem", Some("WARN")), change(logger, level)])
                .unwrap_err()
        };
        for stranger in [
            "kafka.server",
            "mainstemming",
            "mainstem::",
            "",
            "mainstem::nosuch",
            "mainstem::net,mainstem",
            "mainstem::net::[",
        ] {
            assert_eq!(refused(stranger, Some("INFO")), LevelError::NoLogger(stranger.to_owned()));
            assert_eq!(refused(stranger, None), LevelError::NoLogger(stranger.to_owned()));
        }
        assert!(matches!(refused("mainstem", Some("info")), LevelError::NoLevel { .. }));
        assert!(matches!(refused("mainstem", Some("LOUD")), LevelError::NoLevel { .. }));
        assert_eq!(refused(ROOT, None), LevelError::Root);
    }

    #[test]
    fn levels_of_names_without_end_are_refused() {
        let change = |at: usize| change(&format!("mainstem::net::a{at}"), Some("INFO"));
        let changes: Vec<_> = (0..LOGGERS_MAX).map(change).collect();
        let levels = Levels::of("info").changed(&changes[1..]).unwrap();
        assert_eq!(levels.changed(&changes), Err(LevelError::TooMany));
        let long = format!("mainstem::net::{}", "a".repeat(LOGGER_NAME_BYTES_MAX));
        let refused = Levels::of("info").changed(&[Change { logger: long.clone(), level: None }]);
        assert_eq!(refused, Err(LevelError::NoLogger(long)));
    }

    /// Where lines are kept for the test to read.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(levels: &Levels) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer().with_writer(move || writer.clone());
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(levels.filter()).with(layer),
            || {
                tracing::trace!(target: "mainstem::net::sender", "deep");
                tracing::trace!(target: "mainstem_storage", "beside");
                tracing::error!(target: "mainstem_client", "wrong");
                tracing::info!(target: "mainstem::api", "api");
            },
        );
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_is_logged_is_what_the_levels_say() {
        let has = |levels: &Levels| {
            let lines = logged(levels);
            ["deep", "beside", "wrong", "api"].map(|word| lines.contains(word))
        };
        let levels = Levels::of("info");
        assert_eq!(has(&levels), [false, false, true, true]);
        let loud = levels.changed(&[change("mainstem", Some("TRACE"))]).unwrap();
        assert_eq!(has(&loud), [true, false, true, true]);
        let silent = levels.changed(&[change("mainstem", Some("FATAL"))]).unwrap();
        assert_eq!(has(&silent), [false, false, true, false]);
        let near = levels.changed(&[change("mainstem::net::se", Some("TRACE"))]).unwrap();
        assert_eq!(has(&near), [false, false, true, true]);
    }

    #[test]
    fn every_logger_of_the_broker_is_one_of_its_modules() {
        let modules = include_str!("../lib.rs");
        for logger in LOGGERS.iter().filter_map(|logger| logger.strip_prefix("mainstem::")) {
            assert!(modules.contains(&format!("mod {logger};")), "{logger}");
        }
    }
}
