//! The tutorial: its commands do what it shows.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::broker::Folder;
use crate::process::mainstem;

const TUTORIAL: &str = include_str!("../../docs/tutorial.md");

/// Goes before the commands: what fails ends it, and nothing that it started outlives it.
const PRELUDE: &str = "set -eu -o pipefail\ntrap 'kill -KILL $(jobs -p) 2> /dev/null || :' EXIT\n";

/// What parts the output of one block of commands from the next.
const MARK: &str = "=== the next block ===";

/// Stands for whatever is different each time.
const ANYTHING: &str = "…";

/// The fenced blocks of a document, with the word behind the fence.
fn blocks(document: &str) -> Vec<(&str, &str)> {
    let fenced = document.split("```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).collect()
}

/// Blocks of commands, each with the output that is shown behind it.
fn commands() -> Vec<(&'static str, &'static str)> {
    let mut commands = Vec::new();
    for (kind, text) in blocks(TUTORIAL) {
        match (kind, commands.last_mut()) {
            ("sh", _) => commands.push((text, "")),
            ("text", Some((_, shown))) => *shown = text,
            _ => {}
        }
    }
    commands
}

#[test]
fn its_commands_do_what_it_shows() {
    let folder = Folder::new();
    let (kafka, http) = (free(), free());
    let steps: Vec<_> = commands().iter().map(|(step, _)| format!("{step}echo '{MARK}'\n")).collect();
    // Nothing else is different from the document: where no address is named, it comes from the environment.
    let script = format!("{PRELUDE}{}", steps.concat())
        .replace("127.0.0.1:8080", &http)
        .replace("127.0.0.1:9092", &kafka);
    let mut command = in_folder(&folder);
    command.args(["120", "bash", "-c", &script]);
    command.env("MAINSTEM_LISTENERS", &kafka).env("MAINSTEM_BOOTSTRAP_SERVER", &kafka);
    let output = command.env("MAINSTEM_HTTP_LISTENER", &http).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    let outputs: Vec<_> = out.split(&format!("{MARK}\n")).collect();
    for ((step, shown), found) in commands().iter().zip(&outputs) {
        assert!(is_as_shown(found, shown), "{step}\nshown:\n{shown}\nfound:\n{found}\n{err}");
    }
    assert_eq!((output.status.code(), outputs.len()), (Some(0), commands().len() + 1), "{out}\n{err}");
}

#[test]
fn its_program_is_that_of_the_example() {
    let example = include_str!("../../processor/examples/word_count.rs");
    let programs: Vec<_> = blocks(TUTORIAL).into_iter().filter(|(kind, _)| *kind == "rust").collect();
    assert_eq!(programs.len(), 1);
    assert!(programs.iter().all(|(_, program)| example.contains(program)), "{programs:?}");
}

#[test]
fn outputs_are_compared_but_for_what_is_left_out() {
    let check = |found, shown, expected| assert_eq!(is_as_shown(found, shown), expected, "{found} {shown}");
    check("a\nb\n", "a\nb\n", true);
    check("a 17 b\n", "a … b\n", true);
    check("a   17\n", "a …\n", true);
    check("a\nc\n", "a\nb\n", false);
    check("a\n", "a\nb\n", false);
    check("x 17 b\n", "a … b\n", false);
    check("a 17 c\n", "a … b\n", false);
}

/// Line by line; blanks at the ends of lines and between columns do not count.
fn is_as_shown(found: &str, shown: &str) -> bool {
    let lines = || found.lines().zip(shown.lines());
    found.lines().count() == shown.lines().count() && lines().all(|(found, shown)| fits(found, shown))
}

fn fits(found: &str, shown: &str) -> bool {
    let (found, shown) = (single_spaced(found), single_spaced(shown));
    let Some((head, tail)) = shown.split_once(ANYTHING) else { return found == shown };
    let Some(mut rest) = found.strip_prefix(head.trim_end()) else { return false };
    let mut parts: Vec<_> = tail.split(ANYTHING).collect();
    let end = parts.pop().unwrap_or_default();
    parts.into_iter().all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    }) && rest.ends_with(end)
}

fn single_spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An address that was free a moment ago: the document has its ports in the commands, so they must be known beforehand.
fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The folder of the examples, which `cargo test --workspace` has built; a run of these tests alone builds the one that it
/// needs.
fn examples(binaries: &Path) -> PathBuf {
    let folder = binaries.join("examples");
    if !folder.join("word_count").exists() {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let build = ["build", "-p", "mainstem-processor", "--example", "word_count", "--profile", profile];
        let built = Command::new(env!("CARGO")).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(built.unwrap().success());
    }
    folder
}

/// coreutils' `timeout` in a folder, with the binary in front of everything else that might be called so.
fn in_folder(folder: &Folder) -> Command {
    let binary = mainstem(&[]);
    let binaries = Path::new(binary.get_program()).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = [examples(&binaries), binaries].into_iter().chain(std::env::split_paths(&path));
    let mut command = Command::new("timeout");
    command.env("PATH", std::env::join_paths(paths).unwrap());
    binary.get_envs().for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.current_dir(folder.path("."));
    command
}
