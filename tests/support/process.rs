//! The real binary, as a process.

#![allow(dead_code, reason = "each test and benchmark uses what it needs")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Mutex,
};

/// A broker that runs.
pub(crate) struct Broker {
    pub(crate) address: SocketAddr,
    child: Mutex<Child>,
}

impl Broker {
    /// Starts a broker and waits until it says that it listens.
    pub(crate) fn start(data: &Path, settings: &[&str]) -> Self {
        Self::start_telling(data, settings, Stdio::inherit())
    }

    /// Starts a broker where one was before, so that clients find it again.
    pub(crate) fn start_at(data: &Path, address: SocketAddr) -> Self {
        Self::start_at_with(data, address, &[])
    }

    /// Starts one with these settings where one was before.
    pub(crate) fn start_at_with(data: &Path, address: SocketAddr, settings: &[&str]) -> Self {
        Self::start_listening(data, &address.to_string(), settings, Stdio::inherit())
    }

    /// Starts a broker whose log lines go there.
    pub(crate) fn start_telling(data: &Path, settings: &[&str], log: Stdio) -> Self {
        Self::start_listening(data, "127.0.0.1:0", settings, log)
    }

    fn start_listening(data: &Path, listen: &str, settings: &[&str], log: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mainstem"))
            .args(["serve", "--listen", listen, "--http", "127.0.0.1:0", "--output", "json", "--data"])
            .arg(data)
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the broker does not start");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is a pipe"))
            .read_line(&mut line)
            .expect("stdout ends");
        let addresses: serde_json::Value = serde_json::from_str(&line).expect("the first line is JSON");
        let address = addresses["kafka"].as_str().and_then(|address| address.parse().ok());
        Self { address: address.expect("the first line names the address"), child: Mutex::new(child) }
    }

    /// Resident memory in KiB, as the kernel counts it.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child().id())).expect("the broker runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("there is a VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("VmRSS is a number")
    }

    /// Kill -9.
    pub(crate) fn kill(&self) {
        self.signal("KILL");
        self.ended();
    }

    /// Nothing moves any more, until it is killed or goes on.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// It goes on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// An orderly stop.
    pub(crate) fn stop(&self) {
        self.signal("TERM");
        let status = self.ended();
        assert!(status.success(), "the broker ends with {status}");
    }

    /// The number of the process.
    pub(crate) fn pid(&self) -> String {
        self.child().id().to_string()
    }

    fn signal(&self, name: &str) {
        let pid = self.pid();
        let told = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(told.success(), "the broker has ended by itself");
    }

    /// Waits for its end, which somebody else has begun.
    pub(crate) fn ended(&self) -> ExitStatus {
        self.child().wait().expect("the broker was started here")
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Where a check has failed, nothing may be left running.
        let _ = self.child().kill();
        let _ = self.child().wait();
    }
}

/// An empty directory for one test.
#[expect(clippy::disallowed_methods, reason = "the test looks at the broker's files from outside")]
pub(crate) fn fresh_directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("the last run's directory goes");
    }
    fs::create_dir_all(&directory).expect("the directory is made");
    directory
}

/// The highest number of a journal file: files get a higher one each time they are used again.
#[expect(clippy::disallowed_methods, reason = "the test looks at the broker's files from outside")]
pub(crate) fn last_journal_file(data: &Path) -> u64 {
    let files = fs::read_dir(data.join("journal")).expect("there is a journal");
    let number = |name: String| name.strip_suffix(".journal")?.parse().ok();
    files
        .filter_map(|file| number(file.expect("the folder is readable").file_name().into_string().ok()?))
        .max()
        .expect("the journal has files")
}
