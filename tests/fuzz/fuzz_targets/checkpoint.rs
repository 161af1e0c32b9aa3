//! Any bytes as a checkpoint and as what follows it in the journal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstem_storage::fuzzing;

fuzz_target!(|data: &[u8]| {
    let [entries, rest @ ..] = data else { return };
    let (entries, content) = rest.split_at(usize::from(*entries).min(rest.len()));
    fuzzing::checkpoint(content, entries);
});
