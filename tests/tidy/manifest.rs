//! What a `Cargo.toml` says that the invariants are about.

use toml::{Table, Value};

/// A parsed `Cargo.toml`.
pub(crate) struct Manifest {
    table: Table,
}

impl Manifest {
    /// Parses the text of a manifest.
    pub(crate) fn parse(text: &str) -> Self {
        Self { table: text.parse().expect("a manifest is TOML") }
    }

    /// Names of the dependencies that the package is built with, not those of its tests.
    pub(crate) fn dependencies(&self) -> Vec<String> {
        self.names(&["dependencies", "build-dependencies"])
    }

    /// Names of all dependencies, those of tests too.
    pub(crate) fn all_dependencies(&self) -> Vec<String> {
        self.names(&["dependencies", "build-dependencies", "dev-dependencies"])
    }

    /// Our own packages among the dependencies that the package is built with.
    pub(crate) fn own_dependencies(&self) -> Vec<String> {
        self.dependencies().into_iter().filter(|name| name.starts_with("mainstem")).collect()
    }

    /// Dependencies that name a version themselves instead of taking the workspace's.
    pub(crate) fn own_versions(&self) -> Vec<String> {
        let tables = ["dependencies", "build-dependencies", "dev-dependencies"];
        let entries = tables.into_iter().filter_map(|name| self.table.get(name)?.as_table()).flatten();
        entries.filter(|(_, value)| !is_of_workspace(value)).map(|(name, _)| name.clone()).collect()
    }

    /// The features that a dependency is taken with.
    pub(crate) fn features(&self, dependency: &str) -> Vec<String> {
        let value = self.table.get("dependencies").and_then(|table| table.get(dependency));
        let features = value.and_then(|value| value.get("features")).and_then(Value::as_array);
        features.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// True where the package takes the workspace's lints.
    pub(crate) fn has_workspace_lints(&self) -> bool {
        self.table.get("lints").is_some_and(is_of_workspace)
    }

    /// The members of a workspace.
    pub(crate) fn members(&self) -> Vec<String> {
        let members =
            self.table.get("workspace").and_then(|table| table.get("members")).and_then(Value::as_array);
        members.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn names(&self, tables: &[&str]) -> Vec<String> {
        let tables = tables.iter().filter_map(|name| self.table.get(*name)?.as_table());
        tables.flat_map(|table| table.keys().cloned()).collect()
    }
}

fn is_of_workspace(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}
