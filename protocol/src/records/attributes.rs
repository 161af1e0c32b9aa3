//! The 16 attribute bits of a batch (Kafka: `DefaultRecordBatch`).

const COMPRESSION_BITS: i16 = 0b111;
const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
const TRANSACTIONAL_BIT: i16 = 1 << 4;
const CONTROL_BIT: i16 = 1 << 5;
const DELETE_HORIZON_BIT: i16 = 1 << 6;

/// How the records of a batch are compressed: all of them together, as one blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy in the framing of xerial's snappy-java.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// RFC 8878 (KIP-110).
    Zstd,
}

/// A compression that no Kafka has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compression {0} is not known")]
pub struct UnknownCompressionError(pub u8);

impl Compression {
    /// Every compression, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The number in the attributes.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// Kafka's name, as in the setting `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The compression of that name; `None` for names such as `producer` that say no compression.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.name() == name)
    }
}

impl TryFrom<u8> for Compression {
    type Error = UnknownCompressionError;

    fn try_from(id: u8) -> Result<Self, Self::Error> {
        Self::ALL.get(usize::from(id)).copied().ok_or(UnknownCompressionError(id))
    }
}

/// Whose clock the timestamps of a batch come from (KIP-32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer's: each record has its own.
    #[default]
    CreateTime,
    /// The broker's: the batch's largest timestamp is that of every record.
    LogAppendTime,
}

/// The attributes of a batch. Bits that have no meaning yet are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(pub i16);

impl Attributes {
    /// Plain records of producers, compressed so.
    #[must_use]
    pub const fn new(compression: Compression) -> Self {
        Self(compression.id() as i16)
    }

    /// The compression.
    ///
    /// # Errors
    /// Where the number stands for none.
    pub fn compression(self) -> Result<Compression, UnknownCompressionError> {
        Compression::try_from((self.0 & COMPRESSION_BITS) as u8)
    }

    /// Whose timestamps these are.
    #[must_use]
    pub const fn timestamp_type(self) -> TimestampType {
        if self.has(LOG_APPEND_TIME_BIT) { TimestampType::LogAppendTime } else { TimestampType::CreateTime }
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(self) -> bool {
        self.has(TRANSACTIONAL_BIT)
    }

    /// Whether the records are for brokers and clients themselves, not for applications.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.has(CONTROL_BIT)
    }

    /// Whether the base timestamp holds the time from which tombstones may go (KIP-534).
    #[must_use]
    pub const fn has_delete_horizon(self) -> bool {
        self.has(DELETE_HORIZON_BIT)
    }

    /// The same, with the other timestamp type.
    #[must_use]
    pub const fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(LOG_APPEND_TIME_BIT, matches!(timestamp_type, TimestampType::LogAppendTime))
    }

    /// The same, in a transaction or not.
    #[must_use]
    pub const fn with_transactional(self, transactional: bool) -> Self {
        self.with(TRANSACTIONAL_BIT, transactional)
    }

    /// The same, as a control batch or not.
    #[must_use]
    pub const fn with_control(self, control: bool) -> Self {
        self.with(CONTROL_BIT, control)
    }

    /// The same, with the base timestamp as delete horizon or not.
    #[must_use]
    pub const fn with_delete_horizon(self, delete_horizon: bool) -> Self {
        self.with(DELETE_HORIZON_BIT, delete_horizon)
    }

    const fn has(self, bit: i16) -> bool {
        self.0 & bit != 0
    }

    const fn with(self, bit: i16, set: bool) -> Self {
        if set { Self(self.0 | bit) } else { Self(self.0 & !bit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_of_kafka() {
        let attributes = Attributes::new(Compression::Zstd)
            .with_timestamp_type(TimestampType::LogAppendTime)
            .with_transactional(true)
            .with_control(true)
            .with_delete_horizon(true);
        assert_eq!(attributes, Attributes(0b111_1100));
        assert_eq!(attributes.with_control(false), Attributes(0b101_1100));
    }

    #[test]
    fn unknown_compressions_are_refused() {
        assert_eq!(Attributes(4).compression(), Ok(Compression::Zstd));
        assert_eq!(Attributes(5).compression(), Err(UnknownCompressionError(5)));
        assert_eq!(Attributes(0b1_1000).compression(), Ok(Compression::None));
    }

    #[test]
    fn names_lead_back_to_their_compression() {
        for compression in Compression::ALL {
            assert_eq!(Compression::from_name(compression.name()), Some(compression));
        }
        assert_eq!(Compression::from_name("producer"), None);
    }
}
