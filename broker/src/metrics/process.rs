//! The process: memory, processor time, descriptors, threads, as Linux tells them in `/proc/self`.

use mainstem_protocol::Timestamp;
use prometheus::{Counter, IntGauge};

use super::register::{Registry, gauge, info, seconds_counter, seconds_gauge};

#[derive(Debug)]
pub(super) struct Process {
    resident: IntGauge,
    threads: IntGauge,
    descriptors: IntGauge,
    descriptors_max: IntGauge,
    cpu: Counter,
}

impl Process {
    pub(super) fn new(registry: &Registry, started: Timestamp) -> Self {
        let start = seconds_gauge(
            registry,
            "mainstem_process_start_time_seconds",
            "When the process started, in seconds since 1970",
        );
        start.set(started.0 as f64 / 1000.0);
        info(
            registry,
            "mainstem_build_info",
            "The version that runs",
            &[("version", env!("CARGO_PKG_VERSION")), ("arch", std::env::consts::ARCH)],
        );
        let gauge = |name: &str, help: &str| gauge(registry, name, help);
        Self {
            resident: gauge("mainstem_process_resident_memory_bytes", "Resident memory"),
            threads: gauge("mainstem_process_threads", "Threads of the process"),
            descriptors: gauge("mainstem_process_open_fds", "Open file descriptors"),
            descriptors_max: gauge("mainstem_process_max_fds", "File descriptors that may be open"),
            cpu: seconds_counter(
                registry,
                "mainstem_process_cpu_seconds_total",
                "Processor time of the process, user and system",
            ),
        }
    }

    /// Reads it anew; what cannot be read stays as it was.
    pub(super) fn refresh(&self) {
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            update(&self.resident, field(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024));
            update(&self.threads, field(&status, "Threads:"));
        }
        update(&self.descriptors, open_descriptors());
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        update(&self.descriptors_max, limit.and_then(|limit| limit.try_into().ok()));
        if let Some(seconds) = cpu_seconds() {
            // It is read, not counted; two scrapes at once may each see the other's, so it is never taken back.
            self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        }
    }
}

fn update(gauge: &IntGauge, value: Option<i64>) {
    if let Some(value) = value {
        gauge.set(value);
    }
}

fn field(status: &str, name: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "/proc is no file of ours: it tells of the process")]
fn open_descriptors() -> Option<i64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is the directory that was just read.
    i64::try_from(count).ok().map(|count| count - 1)
}

/// `/proc/self/stat` counts in hundredths of a second on every Linux that we run on (`USER_HZ`); its second field, the
/// program's name, may have spaces, so fields are counted from its closing bracket.
fn cpu_seconds() -> Option<f64> {
    const USER_HZ: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / USER_HZ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_status_are_found() {
        let status = "Name:\tmainstem\nVmRSS:\t   12345 kB\nThreads:\t7\n";
        assert_eq!(field(status, "VmRSS:"), Some(12345));
        assert_eq!(field(status, "Threads:"), Some(7));
        assert_eq!(field(status, "VmHWM:"), None);
    }

    #[test]
    fn processor_time_rises() {
        let before = cpu_seconds().unwrap();
        let mut sum = 0_u64;
        while cpu_seconds().unwrap() <= before {
            sum = std::hint::black_box((0..1_000_000).fold(sum, u64::wrapping_add));
        }
        assert!(cpu_seconds().unwrap() > before);
    }
}
