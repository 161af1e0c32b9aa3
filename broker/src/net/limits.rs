//! How many connections there may be, in all and from one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::config::Live;

/// Counts connections and refuses those above the limits.
#[derive(Debug)]
pub(super) struct ConnectionLimits {
    config: Arc<Live>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMany {
    /// There are too many in all.
    #[error("there are {0} connections, the most that max.connections allows")]
    Total(usize),
    /// There are too many from this address.
    #[error("there are {0} connections from this address, the most that max.connections.per.ip allows")]
    PerIp(usize),
}

/// A connection that counts until this is dropped.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Arc<ConnectionLimits>,
    ip: IpAddr,
}

impl ConnectionLimits {
    pub(super) fn new(config: Arc<Live>) -> Self {
        Self { config, counts: Mutex::default() }
    }

    /// Lets a connection in.
    ///
    /// # Errors
    /// Where a limit is reached.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Admission, TooMany> {
        let now = self.config.now();
        let (most, most_per_ip) = (now.net.connections_max, now.net.connections_max_per_ip);
        let mut counts = self.counts();
        if counts.total >= most {
            return Err(TooMany::Total(counts.total));
        }
        let from_ip = counts.by_ip.get(&ip).copied().unwrap_or(0);
        if from_ip >= most_per_ip {
            return Err(TooMany::PerIp(from_ip));
        }
        counts.total += 1;
        counts.by_ip.insert(ip, from_ip + 1);
        Ok(Admission { limits: Arc::clone(self), ip })
    }

    /// Whether nobody is let in, whatever the address.
    pub(super) fn are_used_up(&self) -> bool {
        self.total() >= self.config.now().net.connections_max
    }

    /// How many there are.
    pub(super) fn total(&self) -> usize {
        self.counts().total
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut counts = self.limits.counts();
        counts.total -= 1;
        match counts.by_ip.get_mut(&self.ip) {
            Some(1) | None => drop(counts.by_ip.remove(&self.ip)),
            Some(from_ip) => *from_ip -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    fn limits() -> ConnectionLimits {
        let mut config = Config::default();
        (config.net.connections_max, config.net.connections_max_per_ip) = (3, 2);
        ConnectionLimits::new(Arc::new(Live::new(config)))
    }

    #[test]
    fn limits_hold_in_all_and_by_address() {
        let limits = Arc::new(limits());
        let first = limits.admit(HERE).unwrap();
        let _second = limits.admit(HERE).unwrap();
        assert_eq!(limits.admit(HERE).unwrap_err(), TooMany::PerIp(2));
        let _third = limits.admit(THERE).unwrap();
        assert_eq!(limits.admit(THERE).unwrap_err(), TooMany::Total(3));
        assert!(limits.are_used_up());
        drop(first);
        assert!(!limits.are_used_up());
        assert_eq!(limits.total(), 2);
        assert!(limits.admit(HERE).is_ok());
    }
}
