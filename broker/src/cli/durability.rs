//! What an acknowledgement means, as a flag.

use clap::ValueEnum;

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Durability {
    /// The record is on the disk
    Fsync,
    /// The record is with the operating system; a sync follows
    Os,
}

impl Durability {
    /// The value of `flush.messages` for it; that of `os` is Kafka's default.
    pub(super) const fn flush_messages(self) -> &'static str {
        match self {
            Self::Fsync => "1",
            Self::Os => "9223372036854775807",
        }
    }
}
