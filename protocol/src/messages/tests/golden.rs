//! Bytes that must never change: one value of every message in every version.

use std::fmt::Write;

use super::*;
use crate::specimen::Counting;

/// Kept beside the recorded frames; `Verify.java` there has Kafka's own code read and write each line.
const GOLDEN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/golden/messages.txt"));

#[derive(Default)]
struct Lines(Vec<String>);

impl Visit for Lines {
    fn visit<M, O>(&mut self, key: ApiKey, kind: Kind)
    where
        M: Message + Specimen + PartialEq + std::fmt::Debug,
        O: oracle::Oracle,
    {
        let half = format!("{kind:?}").to_lowercase();
        for version in M::VERSIONS {
            let bytes = encode(&M::specimen(&mut Counting::default(), version), version);
            self.0.push(format!("{} {key} {half} {version} x{}", key as i16, to_hex(&bytes)));
        }
    }
}

fn lines() -> Vec<String> {
    let mut lines = Lines::default();
    visit_all(&mut lines);
    lines.0
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[test]
fn every_version_of_every_message_has_its_golden_bytes() {
    let (ours, golden) = (lines(), GOLDEN.lines().collect::<Vec<_>>());
    assert_eq!(ours.len(), golden.len());
    for (ours, golden) in ours.iter().zip(golden) {
        assert_eq!(ours, golden);
    }
}

#[test]
#[ignore = "prints the golden bytes anew"]
fn print_golden_bytes() {
    println!("{}", lines().join("\n"));
}
