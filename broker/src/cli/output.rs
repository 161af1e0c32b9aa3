//! Results on standard output: tables for people, JSON for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets;
use serde::Serialize;

/// For whom results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Writes a value as one line of JSON.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes lines for people.
pub(super) fn text(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Text of others, as a terminal may see it: control characters, which could move its cursor or worse, are escaped.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = |char: char| match char.is_control() {
        true => char.escape_default().to_string(),
        false => char.to_string(),
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// Writes a table without lines, headings in capitals; cells are [`printable`].
pub(super) fn table<R>(headings: &[&str], rows: impl IntoIterator<Item = R>) -> io::Result<()>
where
    R: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings.iter().map(|heading| heading.to_uppercase()));
    let cells = |row: R| row.into_iter().map(|cell| printable(&cell).into_owned()).collect::<Vec<_>>();
    table.add_rows(rows.into_iter().map(cells));
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    text(table.trim_fmt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("größe-ß"), "größe-ß");
        assert_eq!(printable("a\u{1b}[2Jb\n\u{9b}ß"), "a\\u{1b}[2Jb\\n\\u{9b}ß");
    }
}
