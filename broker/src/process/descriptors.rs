//! The limit on file descriptors: each connection and each open segment takes one, and the usual 1,024 are soon gone.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Descriptors below which thousands of partitions or clients will not fit.
const COMFORTABLE: u64 = 16_384;

/// Raises the soft limit to the hard one, which needs no privileges.
pub fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        warn!(%error, "limit on file descriptors was not raised");
    }
    let limit = getrlimit(Resource::Nofile).current;
    if let Some(limit) = limit.filter(|limit| *limit < COMFORTABLE) {
        warn!(limit, "few file descriptors: raise the hard limit (ulimit -Hn, or LimitNOFILE of systemd)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise_limit();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
    }
}
