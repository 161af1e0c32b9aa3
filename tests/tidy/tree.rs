//! The repository's files.

#![expect(clippy::disallowed_methods, reason = "tests read the repository itself, not a data directory")]

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that builds and tools leave behind, at any depth.
const LEFT_BEHIND: [&str; 4] = ["target", "data", "node_modules", "__pycache__"];

/// A file by its path from the root, with `/` between the names.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let broker = Path::new(env!("CARGO_MANIFEST_DIR"));
    broker.parent().expect("the broker's folder lies in the repository").to_path_buf()
}

/// Names in the root, without hidden ones and what builds leave behind.
pub(crate) fn top_level() -> Vec<String> {
    let names = names_in(&root()).into_iter();
    names.filter(|name| !name.starts_with('.') && !LEFT_BEHIND.contains(&name.as_str())).collect()
}

/// All files below `folder` (from the root) whose name ends with `suffix`, sorted by path.
pub(crate) fn files(folder: &str, suffix: &str) -> Vec<File> {
    let mut found = Vec::new();
    if exists(folder) {
        collect(&root(), folder, suffix, &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The text of one file.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// True where the path, from the root, leads to a file or folder.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

fn collect(root: &Path, folder: &str, suffix: &str, found: &mut Vec<File>) {
    for name in names_in(&root.join(folder)) {
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let is_folder = root.join(&path).is_dir();
        if is_folder && !is_skipped(&path, &name) {
            collect(root, &path, suffix, found);
        } else if !is_folder && name.ends_with(suffix) {
            found.push(File { text: text(&path), path });
        }
    }
}

/// `tests/data` is the repository's own, every other `data` is a broker's.
fn is_skipped(path: &str, name: &str) -> bool {
    path != "tests/data" && (LEFT_BEHIND.contains(&name) || name.starts_with('.'))
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("a folder's entry").file_name().to_string_lossy().into_owned()).collect()
}
