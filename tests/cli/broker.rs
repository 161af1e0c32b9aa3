//! A broker to talk to, and what a user does with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::{Said, mainstem, piped, run, run_with};

/// A folder that goes with the test.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("mainstem-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running broker; it is killed when the test is over.
#[derive(Debug)]
pub(crate) struct Broker {
    process: Child,
    _stdout: BufReader<ChildStdout>,
    pub(crate) kafka: String,
    pub(crate) http: String,
    pub(crate) first_line: serde_json::Value,
}

impl Broker {
    /// A broker on free ports with its data in `dir`.
    pub(crate) fn start(dir: &Path, more: &[&str]) -> Self {
        let mut command = mainstem(&["serve", "--output", "json", "--http", "127.0.0.1:0", "--data"]);
        command.arg(dir).args(more);
        if !more.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        Self::of(command)
    }

    pub(crate) fn of(command: Command) -> Self {
        let mut process = piped(command);
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        if stdout.read_line(&mut line).unwrap() == 0 {
            panic!("no first line: {:?}", process.wait_with_output());
        }
        let first_line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = |name: &str| first_line[name].as_str().unwrap().to_owned();
        let (kafka, http) = (address("kafka"), address("http"));
        Self { process, _stdout: stdout, kafka, http, first_line }
    }

    /// Runs a command against this broker.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        run(&[args, &["-b", &self.kafka]].concat())
    }

    /// Runs a command against this broker, with `input`.
    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Said {
        run_with(&[args, &["-b", &self.kafka]].concat(), input)
    }

    /// The answer of the HTTP port, from its status line on.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the broker's end: its exit code, and what it logged.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.process.wait().unwrap().code(), log)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
