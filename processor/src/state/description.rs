//! What a store says of itself: the version of its format, and what it holds. It is an entry of the store and so of its
//! changelog, the first one that a new store writes: JSON, so that people can read it too.

use bytes::Bytes;
use mainstem_client::Text;
use serde::{Deserialize, Serialize};

use super::spec::Form;

/// The version of how stores and their changelogs are written. A store without a description is of the first.
pub(crate) const FORMAT: u32 = 1;

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    format: u32,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    kind: String,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    keys: String,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    values: String,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    windows: String,
    #[serde(default)]
    partitions: i32,
}

/// The version alone: what else a newer one says is not known.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Why a store cannot be used as the topology wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A newer version of this program has written it.
    #[error(
        "store {store} has format {found}, and this version knows {known}: a newer version has written it; run that one, \
         or give the topology another name to begin anew"
    )]
    Newer {
        /// The store.
        store: Text,
        /// Its version.
        found: u32,
        /// The newest version that is known.
        known: u32,
    },
    /// It holds something else than the topology keeps there.
    #[error(
        "store {store} of node {node} holds {what} {found}, and the topology keeps {what} {wanted} there: give the store \
         another name, or delete topic {changelog} and have the state directory forget the processor"
    )]
    Other {
        /// The store.
        store: Text,
        /// The node that keeps it.
        node: Text,
        /// Kind, keys, values, windows or partitions.
        what: &'static str,
        /// What is there.
        found: String,
        /// What should be.
        wanted: String,
        /// Where the store comes from.
        changelog: Text,
    },
    /// It says nothing that can be understood.
    #[error(
        "store {store} does not say what it holds: {cause}; was topic {changelog} written by something else?"
    )]
    Unreadable {
        /// The store.
        store: Text,
        /// What is wrong.
        cause: String,
        /// Where the store comes from.
        changelog: Text,
    },
}

/// Who asks, for errors.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    pub(crate) store: Text,
    pub(crate) node: Text,
    pub(crate) changelog: Text,
}

impl Description {
    pub(crate) fn new(form: &Form, partitions: i32) -> Self {
        let Form { kind, keys, values, windows } = form;
        let (kind, keys) = (kind.to_string(), keys.to_string());
        let (values, windows) = (values.to_string(), windows.to_string());
        Self { format: FORMAT, kind, keys, values, windows, partitions }
    }

    pub(crate) fn bytes(&self) -> Bytes {
        // Numbers and text: nothing in it can fail.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Whether a store that says this can be used by a topology that wants `self`.
    pub(crate) fn accepts(&self, found: &[u8], whose: &Whose) -> Result<(), Box<FormError>> {
        let unreadable = |error: serde_json::Error| {
            let Whose { store, changelog, node: _ } = whose.clone();
            Box::new(FormError::Unreadable { store, cause: error.to_string(), changelog })
        };
        let Version { format } = serde_json::from_slice(found).map_err(unreadable)?;
        if format > FORMAT {
            let store = whose.store.clone();
            return Err(Box::new(FormError::Newer { store, found: format, known: FORMAT }));
        }
        let found: Self = serde_json::from_slice(found).map_err(unreadable)?;
        self.compare(&found, whose)
    }

    fn compare(&self, found: &Self, whose: &Whose) -> Result<(), Box<FormError>> {
        let partitions = |description: &Self| match description.partitions {
            0 => String::new(),
            known => known.to_string(),
        };
        let (found_partitions, wanted_partitions) = (partitions(found), partitions(self));
        let all = [
            ("kind", &found.kind, &self.kind),
            ("keys", &found.keys, &self.keys),
            ("values", &found.values, &self.values),
            ("windows", &found.windows, &self.windows),
            ("partitions", &found_partitions, &wanted_partitions),
        ];
        let differs = all
            .into_iter()
            .find(|(_, found, wanted)| !found.is_empty() && !wanted.is_empty() && found != wanted);
        let Some((what, found, wanted)) = differs else { return Ok(()) };
        let Whose { store, node, changelog } = whose.clone();
        let (found, wanted) = (found.clone(), wanted.clone());
        Err(Box::new(FormError::Other { store, node, what, found, wanted, changelog }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose() -> Whose {
        Whose { store: "counts".into(), node: "count".into(), changelog: "p-counts-changelog".into() }
    }

    fn counts() -> Description {
        let form =
            Form { kind: "window".into(), values: "i64".into(), windows: "10 ms".into(), ..Form::default() };
        Description::new(&form, 3)
    }

    fn refused(found: &[u8]) -> String {
        counts().accepts(found, &whose()).unwrap_err().to_string()
    }

    #[test]
    fn store_of_the_same_form_is_accepted_and_what_nobody_says_is_not_compared() {
        assert_eq!(counts().accepts(&counts().bytes(), &whose()), Ok(()));
        assert_eq!(counts().accepts(br#"{"format":1}"#, &whose()), Ok(()));
        assert_eq!(counts().accepts(br#"{"format":1,"keys":"text","new":true}"#, &whose()), Ok(()));
    }

    #[test]
    fn description_is_json_that_people_can_read() {
        let text = r#"{"format":1,"kind":"window","values":"i64","windows":"10 ms","partitions":3}"#;
        assert_eq!(counts().bytes(), text);
    }

    #[test]
    fn store_of_another_form_is_refused_with_node_store_and_what_to_do() {
        assert_eq!(
            refused(br#"{"format":1,"kind":"window","values":"text"}"#),
            "store counts of node count holds values text, and the topology keeps values i64 there: give the store \
             another name, or delete topic p-counts-changelog and have the state directory forget the processor"
        );
        assert!(refused(br#"{"format":1,"windows":"20 ms"}"#).contains("windows 20 ms"));
        assert!(refused(br#"{"format":1,"kind":"session"}"#).contains("kind session"));
        assert!(refused(br#"{"format":1,"partitions":4}"#).contains("partitions 4"));
        assert!(refused(b"\x01nonsense").starts_with("store counts does not say what it holds"));
    }

    /// Trap 49: a version that is older than the state says so, whatever else the newer one has written.
    #[test]
    fn newer_format_is_refused_by_its_number_alone() {
        assert_eq!(
            refused(br#"{"format":2,"kind":["things","nobody","knows"]}"#),
            "store counts has format 2, and this version knows 1: a newer version has written it; run that one, or give \
             the topology another name to begin anew"
        );
    }
}
