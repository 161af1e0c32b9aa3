//! What the source of each package is free of.

use crate::rules::{self, Exception};
use crate::tree::{self, File};
use crate::{assert_none, code};

/// A file has one noun; the longest admired ones stay below this.
const LINES_MAX: usize = 500;

/// Files that are longer, at most this many lines: the numbers only go down.
const LONGER: [(&str, usize); 0] = [];

/// Where files are opened. Everything else goes through the disk seam.
const FILES: [Exception; 6] = [
    Exception::new("broker/storage/src/disk/", "the disk seam itself"),
    Exception::new("broker/src/config/file.rs", "the settings file, which is not the log's"),
    Exception::new("broker/src/cli/group/reset/file.rs", "offsets that somebody has written down"),
    Exception::new("broker/src/cli/topic/delete_records/file.rs", "offsets that somebody has written down"),
    Exception::new("broker/src/net/sender.rs", "sendfile, from a file that storage has opened"),
    Exception::new("broker/src/metrics/process.rs", "/proc, which is no file"),
];

const UNSAFE: [Exception; 1] = [Exception::new("broker/storage/src/disk/", "maps and direct I/O")];

const PROCESSORS: [Exception; 1] =
    [Exception::new("broker/src/embed/", "processors that live beside the broker")];

const NOWHERE: [Exception; 0] = [];

fn sources(folders: &[&str]) -> Vec<File> {
    folders.iter().flat_map(|folder| tree::files(folder, ".rs")).collect()
}

/// The product's own code, without tests and benchmarks.
fn product() -> Vec<File> {
    sources(&["protocol/src", "client/src", "processor/src", "broker/src", "broker/storage/src"])
}

fn everything() -> Vec<File> {
    sources(&["protocol", "client", "processor", "broker", "tests", "benches"])
}

#[test]
fn protocol_does_no_io() {
    let io = ["std::fs", "std::net", "std::process", "std::thread", "tokio"];
    assert_none(rules::named_outside(&sources(&["protocol/src"]), &io, &NOWHERE));
}

#[test]
fn storage_names_no_sockets() {
    let sockets = ["std::net", "tokio::net", "TcpStream", "TcpListener", "UdpSocket", "rustix::net"];
    assert_none(rules::named_outside(&sources(&["broker/storage/src"]), &sockets, &NOWHERE));
}

#[test]
fn only_embed_names_the_processor() {
    assert_none(rules::named_outside(
        &sources(&["broker/src", "broker/storage/src"]),
        &["mainstem_processor"],
        &PROCESSORS,
    ));
}

#[test]
fn processor_names_the_broker_and_the_protocol_nowhere() {
    let others = ["mainstem", "mainstem_storage", "mainstem_protocol"];
    assert_none(rules::named_outside(&sources(&["processor/src"]), &others, &NOWHERE));
}

#[test]
fn only_the_disk_seam_has_unsafe_code() {
    assert_none(rules::named_outside(&product(), &["unsafe"], &UNSAFE));
}

#[test]
fn only_the_disk_seam_opens_files() {
    assert_none(rules::named_outside(&product(), &["std::fs", "tokio::fs", "rustix::fs"], &FILES));
}

#[test]
fn every_exception_is_used() {
    let sources = product();
    let mut unused = rules::unused_exceptions(&sources, &["std::fs", "tokio::fs", "rustix::fs"], &FILES);
    unused.extend(rules::unused_exceptions(&sources, &["unsafe"], &UNSAFE));
    unused.extend(rules::unused_exceptions(&sources, &["mainstem_processor"], &PROCESSORS));
    assert_none(unused);
}

#[test]
fn files_are_short() {
    assert_none(rules::too_long(&everything(), LINES_MAX, &LONGER));
}

#[test]
fn long_files_only_get_shorter() {
    let shorter = LONGER.iter().filter(|(path, lines)| tree::text(path).lines().count() < *lines);
    assert_none(
        shorter
            .map(|(path, lines)| format!("{path}: has fewer than {lines} lines now: lower its number"))
            .collect(),
    );
}

#[test]
fn nothing_is_left_to_be_done() {
    // The words are put together here so that this file does not hold them.
    let words: Vec<String> =
        [["TO", "DO"], ["FIX", "ME"], ["X", "XX"], ["HA", "CK"]].map(|halves| halves.concat()).into();
    assert_none(rules::lines_with(&everything(), &words));
    assert_none(rules::macro_calls(&everything(), &["todo", "unimplemented", "dbg"]));
}

#[test]
fn every_relaxed_lint_has_its_reason() {
    assert_none(rules::lints_without_reason(&everything()));
}

/// What users of the client meet; `testing` is for its own tests and those of the crates above.
#[test]
fn every_public_item_of_the_client_has_an_example() {
    let all = tree::files("client/src", ".rs");
    let met: Vec<_> = all.into_iter().filter(|file| !file.path.starts_with("client/src/testing/")).collect();
    assert_none(rules::without_example(&met));
}

#[test]
fn the_parser_of_sources_loses_no_line() {
    for file in everything() {
        let code = code::without_tests(&code::without_literals(&file.text));
        assert_eq!(file.text.matches('\n').count(), code.matches('\n').count(), "{}", file.path);
    }
}
