//! What an answer holds, as a tree whose leaves have names: read from the answer's `Debug` form, so that each message
//! that there will ever be can be compared field by field.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tree {
    /// A number, an id, an error code, or `null`.
    Atom(String),
    Text(String),
    List(Vec<Self>),
    Structure(Vec<(String, Self)>),
}

impl Tree {
    pub(crate) fn of(value: &impl fmt::Debug) -> Self {
        let text = format!("{value:?}");
        let mut reader = Reader { rest: &text };
        reader.value()
    }

    pub(crate) fn atom(text: impl Into<String>) -> Self {
        Self::Atom(text.into())
    }

    /// The field of a structure.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Structure(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// Calls for each field in the tree, the outer ones first.
    pub(crate) fn each_field(&mut self, change: &mut impl FnMut(&str, &mut Self)) {
        match self {
            Self::Atom(_) | Self::Text(_) => {}
            Self::List(items) => items.iter_mut().for_each(|item| item.each_field(change)),
            Self::Structure(fields) => {
                for (name, value) in fields {
                    change(name, value);
                    value.each_field(change);
                }
            }
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atom(text) => f.write_str(text),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Structure(fields) => {
                f.write_str("{")?;
                for (at, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name}: {value}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Reads what `derive(Debug)` writes. What has a name and one value in parentheses is that value: `Some(5)`, `Offset(5)`.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn value(&mut self) -> Tree {
        self.rest = self.rest.trim_start();
        if self.takes("[") {
            return Tree::List(self.items("]"));
        }
        if self.rest.starts_with('"') || self.rest.starts_with("b\"") {
            return Tree::Text(self.text());
        }
        let end = self.rest.find([',', ')', ']', '}', '{', '(', '[']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if self.takes("{") {
            return Tree::Structure(self.fields());
        }
        if self.takes("(") {
            let mut items = self.items(")");
            return if items.len() == 1 { items.remove(0) } else { Tree::List(items) };
        }
        Tree::atom(if word == "None" { "null" } else { word.trim() })
    }

    fn takes(&mut self, token: &str) -> bool {
        let taken = self.rest.trim_start().strip_prefix(token);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    fn items(&mut self, end: &str) -> Vec<Tree> {
        let mut items = Vec::new();
        while !self.takes(end) {
            items.push(self.value());
            self.takes(",");
        }
        items
    }

    fn fields(&mut self) -> Vec<(String, Tree)> {
        let mut fields = Vec::new();
        while !self.takes("}") {
            let (name, rest) = self.rest.split_once(':').expect("a field has a name");
            self.rest = rest;
            let name = name.trim().to_owned();
            fields.push((name, self.value()));
            self.takes(",");
        }
        fields
    }

    /// What stands between quotes, escapes as they are.
    fn text(&mut self) -> String {
        let start = self.rest.find('"').map_or(0, |at| at + 1);
        let mut escaped = false;
        let end = self.rest[start..].find(|letter| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        let end = start + end.expect("a text ends");
        let text = self.rest[start..end].to_owned();
        self.rest = &self.rest[end + 1..];
        text
    }
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::{
        ErrorCode, Offset,
        messages::{FetchResponse, ResponseBody, fetch::FetchableTopicResponse, fetch::PartitionData},
    };

    use super::*;

    #[test]
    fn an_answer_is_read_field_by_field() {
        let partition = PartitionData {
            error_code: ErrorCode::OFFSET_OUT_OF_RANGE,
            high_watermark: Offset(7),
            aborted_transactions: None,
            ..Default::default()
        };
        let topic = FetchableTopicResponse {
            topic: "a \"b\", c".into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let tree =
            Tree::of(&ResponseBody::from(FetchResponse { responses: vec![topic], ..Default::default() }));
        let Some(Tree::List(topics)) = tree.field("responses") else { panic!("{tree}") };
        assert_eq!(topics[0].field("topic"), Some(&Tree::Text("a \\\"b\\\", c".to_owned())));
        let Some(Tree::List(partitions)) = topics[0].field("partitions") else { panic!("{tree}") };
        assert_eq!(partitions[0].field("error_code"), Some(&Tree::atom("OFFSET_OUT_OF_RANGE")));
        assert_eq!(partitions[0].field("high_watermark"), Some(&Tree::atom("7")));
        assert_eq!(partitions[0].field("aborted_transactions"), Some(&Tree::atom("null")));
        assert_eq!(
            partitions[0].field("diverging_epoch").and_then(|it| it.field("epoch")),
            Some(&Tree::atom("-1"))
        );
    }
}
