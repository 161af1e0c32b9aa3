//! Any bytes as what members say to each other, and as keys and values of `__consumer_offsets`.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mainstem_protocol::formats::{
    consumer::{Assignment, Subscription},
    offsets::{GroupMetadataValue, Key, OffsetCommitValue},
};

fuzz_target!(|data: &[u8]| {
    let [kind, data @ ..] = data else { return };
    let bytes = Bytes::copy_from_slice(data);
    match kind % 5 {
        0 => subscription(bytes),
        1 => assignment(bytes),
        2 => key(bytes),
        3 => offset(bytes),
        _ => group(bytes),
    }
});

/// What was read in one version is read again from what the newest writes.
macro_rules! reads_back {
    ($name:ident, $type:ty, $version:expr) => {
        fn $name(bytes: Bytes) {
            let Ok(value) = <$type>::from_bytes(bytes) else { return };
            let written = value.to_bytes($version).expect("what was read can be written");
            assert_eq!(<$type>::from_bytes(written), Ok(value));
        }
    };
}

reads_back!(subscription, Subscription, 3);
reads_back!(assignment, Assignment, 3);

fn key(bytes: Bytes) {
    let Ok(key) = Key::from_bytes(bytes) else { return };
    assert_eq!(Key::from_bytes(key.to_bytes().expect("what was read can be written")), Ok(key));
}

/// The version stands in front: in each one values are written as they were read.
macro_rules! reads_back_in_its_version {
    ($name:ident, $type:ty) => {
        fn $name(bytes: Bytes) {
            let Some(version) = bytes.first_chunk().copied().map(i16::from_be_bytes) else { return };
            let Ok(value) = <$type>::from_bytes(bytes) else { return };
            let written = value.to_bytes(version).expect("what was read can be written");
            assert_eq!(<$type>::from_bytes(written), Ok(value));
        }
    };
}

reads_back_in_its_version!(offset, OffsetCommitValue);
reads_back_in_its_version!(group, GroupMetadataValue);
