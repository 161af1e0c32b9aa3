//! Index files: their checksum, and that they speak of nothing behind their segment's end.

use std::path::Path;

use super::{Report, VerifyError, io_error, list};
use crate::{
    disk::{Disk, whole},
    images::Images,
    partition::{TOPICS, partition_folder, topic_of_folder},
};

/// See `docs/formats.md`: the entries, and behind them a trailer that guards them.
const TRAILER_BYTES: usize = 40;
const GUARDED_BYTES: usize = 32;

/// After a stop that was not in order an index may be torn: then the next start makes it anew, and no word is lost.
pub(super) fn verify(
    disk: &dyn Disk,
    images: &Images,
    is_clean: bool,
    report: &mut Report,
) -> Result<(), VerifyError> {
    for topic in list(disk, Path::new(TOPICS))?.iter().filter_map(|name| topic_of_folder(name)) {
        let partitions = images.topics.get(&topic).map_or(0, |topic| topic.partitions.len());
        for partition in (0..partitions).map(|number| mainstem_protocol::PartitionId(number as i32)) {
            let folder = partition_folder(topic, partition);
            for name in list(disk, &folder)? {
                verify_index(disk, &folder.join(&name), is_clean, report)?;
            }
        }
    }
    Ok(())
}

fn verify_index(
    disk: &dyn Disk,
    path: &Path,
    is_clean: bool,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let magic = match path.extension().and_then(|extension| extension.to_str()) {
        Some("index") => b"MSOX",
        Some("timeindex") => b"MSTX",
        _ => return Ok(()),
    };
    let bytes = whole::read_direct(disk, path).map_err(io_error(path))?;
    if is_whole(&bytes, *magic) {
        return Ok(());
    }
    let what = "the index is damaged; it is made anew when it is needed";
    match is_clean {
        true => report.damage(path, 0..bytes.len() as u64, what),
        false => report.note(path, what),
    }
    Ok(())
}

fn is_whole(bytes: &[u8], magic: [u8; 4]) -> bool {
    let Some((entries, trailer)) = bytes.split_last_chunk::<TRAILER_BYTES>() else { return bytes.is_empty() };
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(entries);
    hasher.update(&trailer[..GUARDED_BYTES]);
    trailer[..4] == magic && trailer[GUARDED_BYTES..GUARDED_BYTES + 4] == hasher.finalize().to_le_bytes()
}
