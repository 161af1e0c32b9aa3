//! Rust source reduced to what the compiler builds into the product: without comments, literals and unit tests.

/// `text` with comments and the contents of literals blanked out; lines stay where they are.
pub(crate) fn without_literals(text: &str) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let (length, kept) = token(rest, first, out.chars().next_back());
        let (taken, left) = rest.split_at(length);
        if kept {
            out.push_str(taken);
        } else {
            out.extend(taken.chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
        }
        rest = left;
    }
    out
}

/// `code` (without literals) with everything below `#[cfg(test)]` blanked out: the item it stands on.
pub(crate) fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let (before, item) = rest.split_at(at);
        let (item, after) = item.split_at(item_length(item));
        out.push_str(before);
        out.extend(item.chars().filter(|char| *char == '\n'));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// True where `word` stands in `code` as a whole path or identifier.
pub(crate) fn names(code: &str, word: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// How many bytes the next token takes, and whether it stays.
fn token(rest: &str, first: char, before: Option<char>) -> (usize, bool) {
    let in_name = before.is_some_and(|char| char.is_alphanumeric() || char == '_');
    if rest.starts_with("//") {
        (rest.find('\n').unwrap_or(rest.len()), false)
    } else if rest.starts_with("/*") {
        (block_comment_length(rest), false)
    } else if let Some(length) = raw_string_length(rest).filter(|_| !in_name) {
        (length, false)
    } else if first == '"' {
        (quoted_length(rest, '"'), false)
    } else if first == '\'' && is_char_literal(rest) {
        (quoted_length(rest, '\''), false)
    } else {
        (first.len_utf8(), true)
    }
}

fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of `r"..."`, `r#"..."#`, `br"..."` at the start, if one is there.
fn raw_string_length(rest: &str) -> Option<usize> {
    let after_r = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after_r.len() - after_r.trim_start_matches('#').len();
    let body = after_r[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(rest.len() - body.len() + length)
}

/// The length of a literal that begins and ends with `quote`, which a backslash protects.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut protected = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            _ if protected => protected = false,
            '\\' => protected = true,
            _ if char == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// A lifetime has no closing quote where a literal of one character has it.
fn is_char_literal(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    let (first, second) = (chars.next(), chars.next());
    first == Some('\\') || second == Some('\'')
}

/// The length of the item at the start: to its semicolon, or to the end of its braces.
fn item_length(item: &str) -> usize {
    let mut depth = 0;
    for (at, char) in item.char_indices() {
        match char {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    item.len()
}
