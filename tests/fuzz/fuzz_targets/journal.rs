//! Any bytes as the entries of a journal, and as its frames behind checksums that are right.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstem_storage::fuzzing;

fuzz_target!(|data: &[u8]| {
    let [ahead, rest @ ..] = data else { return };
    let (ahead, payload) = rest.split_at(usize::from(*ahead).min(rest.len()));
    fuzzing::journal_entries(payload, ahead);
    fuzzing::journal(data);
});
