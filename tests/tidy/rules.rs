//! The checkers: pure functions from files to violations, each `path: what is wrong`.

use crate::code;
use crate::tree::File;

/// A place that is excepted from a rule, with the reason.
pub(crate) struct Exception {
    pub(crate) path: &'static str,
    #[expect(dead_code, reason = "the reason is for the reader")]
    pub(crate) reason: &'static str,
}

impl Exception {
    pub(crate) const fn new(path: &'static str, reason: &'static str) -> Self {
        Self { path, reason }
    }
}

/// Product code outside `places` that names one of `words`. A place that ends with `/` is a folder.
pub(crate) fn named_outside(files: &[File], words: &[&str], places: &[Exception]) -> Vec<String> {
    let outside = files.iter().filter(|file| !is_test_file(&file.path) && !is_in(&file.path, places));
    outside.flat_map(|file| named_in(file, words)).collect()
}

/// Exceptions for which no code names any of `words`: they can go.
pub(crate) fn unused_exceptions(files: &[File], words: &[&str], places: &[Exception]) -> Vec<String> {
    let is_used = |place: &&Exception| {
        files.iter().any(|file| is_below(&file.path, place.path) && !named_in(file, words).is_empty())
    };
    places
        .iter()
        .filter(|place| !is_used(place))
        .map(|place| format!("{}: needs no exception", place.path))
        .collect()
}

/// Files with more lines than the limit or, where they have one, than their own.
pub(crate) fn too_long(files: &[File], limit: usize, own_limits: &[(&str, usize)]) -> Vec<String> {
    let limit_of =
        |path: &str| own_limits.iter().find(|(own, _)| *own == path).map_or(limit, |(_, lines)| *lines);
    let over = files.iter().filter(|file| file.text.lines().count() > limit_of(&file.path));
    over.map(|file| {
        format!("{}: {} lines, at most {}", file.path, file.text.lines().count(), limit_of(&file.path))
    })
    .collect()
}

/// Lines that hold one of the words, comments included.
pub(crate) fn lines_with(files: &[File], words: &[String]) -> Vec<String> {
    let lines =
        files.iter().flat_map(|file| (1..).zip(file.text.lines()).map(move |(at, line)| (file, at, line)));
    let found = lines.filter(|(_, _, line)| words.iter().any(|word| code::names(line, word)));
    found.map(|(file, at, line)| format!("{}:{at}: {}", file.path, line.trim())).collect()
}

/// Public items whose documentation has no example.
pub(crate) fn without_example(files: &[File]) -> Vec<String> {
    files.iter().filter(|file| !is_test_file(&file.path)).flat_map(items_without_example).collect()
}

fn items_without_example(file: &File) -> Vec<String> {
    let (mut found, mut has_example) = (Vec::new(), false);
    // Unit tests stand at the end of a file.
    let lines = file.text.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]");
    for (at, line) in (1..).zip(lines) {
        match line {
            _ if line.starts_with("///") => has_example |= line.contains("```"),
            _ if line.starts_with('#') => {}
            _ => {
                if is_public_item(line) && !has_example {
                    found.push(format!("{}:{at}: no example: {line}", file.path));
                }
                has_example = false;
            }
        }
    }
    found
}

fn is_public_item(line: &str) -> bool {
    let Some(item) = line.strip_prefix("pub ") else { return false };
    let item = ["const ", "async "].iter().fold(item, |item, word| item.strip_prefix(word).unwrap_or(item));
    ["fn ", "struct ", "enum ", "trait ", "type "].iter().any(|kind| item.starts_with(kind))
}

/// Macro calls of these names in code, tests included.
pub(crate) fn macro_calls(files: &[File], names: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let code = code::without_literals(&file.text);
        let called = names
            .iter()
            .filter(|name| code.match_indices(&format!("{name}!")).any(|(at, _)| !continues_name(&code, at)));
        found.extend(called.map(|name| format!("{}: calls {name}!", file.path)));
    }
    found
}

/// Relaxed lints that give no reason.
pub(crate) fn lints_without_reason(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let code = code::without_literals(&file.text);
        for opening in ["[allow(", "[expect("] {
            let attributes =
                code.match_indices(opening).map(|(at, _)| &code[at..at + attribute_length(&code[at..])]);
            let bare = attributes.filter(|attribute| !code::names(attribute, "reason"));
            found.extend(bare.map(|attribute| format!("{}: {attribute} has no reason", file.path)));
        }
    }
    found
}

/// Links to files that are not there, in Markdown. `exists` is asked for paths from the root.
pub(crate) fn dead_links(files: &[File], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let targets = links(&file.text).into_iter().filter(|link| is_relative(link));
        let dead = targets.filter(|link| !resolve(&file.path, link).is_some_and(|path| exists(&path)));
        found.extend(dead.map(|link| format!("{}: no such file: {link}", file.path)));
    }
    found
}

/// Dependencies that the text does not mention as `name`.
pub(crate) fn not_mentioned(dependencies: &[String], text: &str) -> Vec<String> {
    let missing = dependencies.iter().filter(|name| !text.contains(&format!("`{name}`")));
    missing.map(|name| format!("{name}: not listed")).collect()
}

/// Names that are in only one of the two lists.
pub(crate) fn differences(actual: &[String], expected: &[&str]) -> Vec<String> {
    let unexpected = actual
        .iter()
        .filter(|name| !expected.contains(&name.as_str()))
        .map(|name| format!("{name}: unexpected"));
    let missing = expected.iter().filter(|name| !actual.iter().any(|other| other == *name));
    unexpected.chain(missing.map(|name| format!("{name}: missing"))).collect()
}

fn named_in(file: &File, words: &[&str]) -> Vec<String> {
    let code = code::without_tests(&code::without_literals(&file.text));
    let found = words.iter().filter(|word| code::names(&code, word));
    found.map(|word| format!("{}: names {word}", file.path)).collect()
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/benches/")
}

fn is_in(path: &str, places: &[Exception]) -> bool {
    places.iter().any(|place| is_below(path, place.path))
}

fn is_below(path: &str, place: &str) -> bool {
    if place.ends_with('/') { path.starts_with(place) } else { path == place }
}

fn continues_name(code: &str, at: usize) -> bool {
    code[..at].chars().next_back().is_some_and(|char| char.is_alphanumeric() || char == '_')
}

/// From `[` to the `]` that closes it.
fn attribute_length(code: &str) -> usize {
    let mut depth = 0;
    for (at, char) in code.char_indices() {
        match char {
            '[' => depth += 1,
            ']' if depth == 1 => return at + 1,
            ']' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The targets of `[text](target)` outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        in_block ^= line.trim_start().starts_with("```");
        if !in_block {
            found.extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
        }
    }
    found
}

fn is_relative(link: &str) -> bool {
    !link.is_empty() && !link.starts_with('#') && !link.contains("://") && !link.starts_with("mailto:")
}

/// The path from the root of a link in the file `from`; none where it leaves the repository.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('#').next()?.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}
