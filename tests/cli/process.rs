//! The binary as users start it.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

/// The binary, with an environment that says nothing about settings.
pub(crate) fn mainstem(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mainstem"));
    let ours = std::env::vars_os().map(|(name, _)| name);
    ours.filter(|name| name.to_string_lossy().starts_with("MAINSTEM_")).for_each(|name| {
        command.env_remove(name);
    });
    command.args(args);
    command
}

/// What a command has said and how it has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Said {
    /// The standard output of a command that succeeded.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }

    /// The standard error of a command that ended with `code`.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        self.err
    }
}

/// Seconds after which a command that should have ended has failed; coreutils' `timeout` then ends with 124.
const SECONDS_MAX: &str = "60";

/// The same, for a command that ends by itself.
fn limited(args: &[&str]) -> Command {
    let command = mainstem(args);
    let mut limited = Command::new("timeout");
    limited.arg(SECONDS_MAX).arg(command.get_program()).args(command.get_args());
    command.get_envs().for_each(|(name, _)| {
        limited.env_remove(name);
    });
    limited
}

/// A command line for each command that talks to a broker.
pub(crate) const TALKING: [&[&str]; 19] = [
    &["topic", "list"],
    &["topic", "create", "logs"],
    &["topic", "describe", "logs"],
    &["topic", "alter", "logs", "--partitions", "2"],
    &["topic", "offsets", "logs"],
    &["topic", "delete-records", "logs", "0:1", "--yes"],
    &["topic", "delete", "logs"],
    &["produce", "logs"],
    &["consume", "logs"],
    &["consume", "logs", "--group", "readers"],
    &["consume", "--include", "logs.*"],
    &["group", "list"],
    &["group", "describe", "readers"],
    &["group", "reset", "readers", "--all-topics", "--to-earliest"],
    &["group", "delete", "readers"],
    &["group", "delete-offsets", "readers", "--topic", "logs"],
    &["bench", "produce"],
    &["bench", "consume"],
    &["bench", "latency"],
];

/// Runs a command without input.
pub(crate) fn run(args: &[&str]) -> Said {
    limited(args).stdin(Stdio::null()).output().unwrap().into()
}

/// Runs a command with `input`.
pub(crate) fn run_with(args: &[&str], input: &[u8]) -> Said {
    let mut child = piped(limited(args));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that fails early does not read all of it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let said = child.wait_with_output().unwrap().into();
    writer.join().unwrap();
    said
}

/// Starts a command with all three of its pipes.
pub(crate) fn piped(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}
