//! Files that nothing refers to. Those that a start removes are noted, no more.

use std::path::Path;

use mainstem_protocol::{PartitionId, TopicId};

use super::{Report, VerifyError, list};
use crate::{
    checkpoint,
    disk::{Disk, whole::TEMPORARY_SUFFIX},
    images::Images,
    journal::file,
    meta,
    partition::{TOPICS, topic_folder, topic_of_folder},
    segment::parse_file_name,
};

pub(super) fn verify(disk: &dyn Disk, images: &Images, report: &mut Report) -> Result<(), VerifyError> {
    let root = ["lock", meta::PATH, file::FOLDER, checkpoint::FOLDER, TOPICS];
    expect(disk, Path::new(""), |name| root.contains(&name), report)?;
    expect(disk, Path::new(file::FOLDER), |name| file::number(name).is_some(), report)?;
    expect(disk, Path::new(checkpoint::FOLDER), |name| checkpoint::lsn_of(name).is_some(), report)?;
    expect(disk, Path::new(TOPICS), |name| topic_of_folder(name).is_some(), report)?;
    for topic in list(disk, Path::new(TOPICS))?.iter().filter_map(|name| topic_of_folder(name)) {
        verify_topic(disk, topic, images, report)?;
    }
    Ok(())
}

fn expect(
    disk: &dyn Disk,
    folder: &Path,
    is_known: impl Fn(&str) -> bool,
    report: &mut Report,
) -> Result<(), VerifyError> {
    for name in list(disk, folder)? {
        if !is_known(&name) && !name.ends_with(TEMPORARY_SUFFIX) {
            report.note(folder.join(name), "it does not belong here");
        }
    }
    Ok(())
}

fn verify_topic(
    disk: &dyn Disk,
    topic: TopicId,
    images: &Images,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let folder = topic_folder(topic);
    if !images.topics.contains_key(&topic) {
        report.note(&folder, "it is of a topic that does not exist; the next start removes it");
        return Ok(());
    }
    for name in list(disk, &folder)? {
        let Ok(number) = name.parse::<i32>() else {
            report.note(folder.join(name), "it does not belong here");
            continue;
        };
        for file in list(disk, &folder.join(&name))? {
            let id = parse_file_name(&file).map(|(id, _)| id);
            if id.is_none_or(|id| !images.has_segment(topic, PartitionId(number), id)) {
                report.note(folder.join(&name).join(file), "no log has it; the next start removes it");
            }
        }
    }
    Ok(())
}
