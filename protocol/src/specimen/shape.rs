//! Descriptions as data, and as lines that can be compared with Kafka's schemas.

use std::ops::{Bound, RangeBounds, RangeInclusive};

/// The type of a field.
pub(crate) enum Shape {
    /// A primitive, by its name in Kafka's schemas.
    Plain(&'static str),
    /// An array of something.
    Array(Box<Self>),
    /// Something that may be null.
    Nullable(Box<Self>),
    /// Fields of its own.
    Structure(Vec<Field>),
}

/// A field of a structure.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) versions: RangeInclusive<i16>,
    /// The versions in which a nullable field really may be null.
    pub(crate) null: RangeInclusive<i16>,
    pub(crate) tag: Option<u32>,
    pub(crate) default: String,
}

/// The first and the last version of a range.
pub(crate) fn limits(range: impl RangeBounds<i16>) -> RangeInclusive<i16> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        _ => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => *end,
        _ => i16::MAX,
    };
    start..=end
}

/// The versions that are in both ranges.
pub(crate) fn both(left: &RangeInclusive<i16>, right: &RangeInclusive<i16>) -> RangeInclusive<i16> {
    *left.start().max(right.start())..=*left.end().min(right.end())
}

fn shown(versions: &RangeInclusive<i16>) -> String {
    if versions.is_empty() { "-".to_owned() } else { format!("{}-{}", versions.start(), versions.end()) }
}

impl Shape {
    /// One line per field that exists in one of `versions`, those of inner structures behind it.
    pub(crate) fn lines(&self, path: &str, versions: &RangeInclusive<i16>) -> Vec<String> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Array(inner) | Self::Nullable(inner) => inner.lines(path, versions),
            Self::Structure(fields) => fields.iter().flat_map(|field| field.lines(path, versions)).collect(),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Plain(name) => (*name).to_owned(),
            Self::Array(inner) => format!("[]{}", inner.name()),
            Self::Nullable(inner) => inner.name(),
            Self::Structure(_) => "struct".to_owned(),
        }
    }
}

impl Field {
    fn lines(&self, path: &str, versions: &RangeInclusive<i16>) -> Vec<String> {
        let versions = both(&self.versions, versions);
        if versions.is_empty() {
            return Vec::new();
        }
        // A name that is a word of Rust has a mark before it.
        let path = format!("{path}.{}", self.name.trim_start_matches("r#"));
        let null = match self.shape {
            Shape::Nullable(_) => shown(&both(&self.null, &versions)),
            _ => "-".to_owned(),
        };
        let tag = self.tag.map_or_else(|| "-".to_owned(), |tag| tag.to_string());
        let default = if self.default.is_empty() { "-" } else { &self.default };
        let line = format!("{path} {} {} {null} {tag} {default}", self.shape.name(), shown(&versions));
        std::iter::once(line).chain(self.shape.lines(&path, &versions)).collect()
    }
}
