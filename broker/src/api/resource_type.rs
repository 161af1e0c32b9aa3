//! What has settings, by its number on the wire (Kafka: `ConfigResource.Type`).

/// A type of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceType {
    Topic = 2,
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
}

impl ResourceType {
    /// Every type, in the order in which they are told.
    pub(crate) const ALL: [Self; 5] =
        [Self::Group, Self::ClientMetrics, Self::BrokerLogger, Self::Broker, Self::Topic];

    /// The type of this number, if there is one.
    pub(crate) fn of(number: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.number() == number)
    }

    /// Its number.
    pub(crate) const fn number(self) -> i8 {
        self as i8
    }
}
