//! How far a measurement is: a bar on standard error, where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::load::Amount;

/// How often the bar is drawn in a second, at most: drawing is not what is measured.
const DRAWS_PER_SECOND: u8 = 5;

/// A bar; it is gone when it is dropped.
#[derive(Clone)]
pub(super) struct Progress {
    bar: ProgressBar,
    is_timed: bool,
}

impl Progress {
    /// Where standard error is no terminal, it draws nothing.
    pub(super) fn new(amount: Amount) -> Self {
        let (length, template, is_timed) = match amount {
            Amount::Records(count) => (count, "[{bar:40}] {human_pos}/{human_len} records, {per_sec}", false),
            Amount::Time(time) => (millis(time), "[{bar:40}] {elapsed}, {msg}", true),
        };
        let bar =
            ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        Self { bar, is_timed }
    }

    /// So many records are done, so long after the start.
    pub(super) fn at(&self, records: u64, elapsed: Duration) {
        if self.bar.is_hidden() {
            return;
        }
        match self.is_timed {
            true => {
                self.bar.set_message(format!("{records} records"));
                self.bar.set_position(millis(elapsed));
            }
            false => self.bar.set_position(records),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
