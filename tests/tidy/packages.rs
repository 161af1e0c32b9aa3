//! Which package may depend on which.

use crate::manifest::Manifest;
use crate::rules::{differences, not_mentioned};
use crate::{assert_none, tree};

fn manifest(folder: &str) -> Manifest {
    Manifest::parse(&tree::text(&format!("{folder}/Cargo.toml")))
}

fn members() -> Vec<String> {
    Manifest::parse(&tree::text("Cargo.toml")).members()
}

fn assert_own_dependencies(folder: &str, expected: &[&str]) {
    assert_none(differences(&manifest(folder).own_dependencies(), expected));
}

#[test]
fn protocol_depends_on_none_of_ours() {
    assert_own_dependencies("protocol", &[]);
}

#[test]
fn client_depends_on_protocol_alone() {
    assert_own_dependencies("client", &["mainstem-protocol"]);
}

#[test]
fn processor_depends_on_client_alone() {
    assert_own_dependencies("processor", &["mainstem-client"]);
}

#[test]
fn storage_depends_on_protocol_alone() {
    assert_own_dependencies("broker/storage", &["mainstem-protocol"]);
}

#[test]
fn broker_sees_everything() {
    let all = ["mainstem-protocol", "mainstem-client", "mainstem-processor", "mainstem-storage"];
    assert_own_dependencies("broker", &all);
}

#[test]
fn the_workspace_has_five_packages() {
    assert_none(differences(&members(), &["protocol", "client", "processor", "broker", "broker/storage"]));
}

#[test]
fn storage_takes_nothing_of_tokio_but_sync() {
    assert_none(differences(&manifest("broker/storage").features("tokio"), &["sync"]));
}

#[test]
fn protocol_does_not_depend_on_a_runtime() {
    let dependencies = manifest("protocol").dependencies();
    assert!(!dependencies.iter().any(|name| name == "tokio"), "{dependencies:?}");
}

#[test]
fn versions_are_given_once_in_the_workspace() {
    let own = members().into_iter().map(|folder| (manifest(&folder).own_versions(), folder));
    let violations =
        own.flat_map(|(names, folder)| names.into_iter().map(move |name| format!("{folder}: {name}")));
    assert_none(violations.collect());
}

#[test]
fn every_package_takes_the_workspace_lints() {
    assert_none(members().into_iter().filter(|folder| !manifest(folder).has_workspace_lints()).collect());
}

#[test]
fn every_dependency_is_weighed_in_the_decisions() {
    let weighed = tree::text("docs/decisions/dependencies.md");
    let all = members().into_iter().flat_map(|folder| manifest(&folder).all_dependencies());
    let foreign: Vec<String> = all.filter(|name| !name.starts_with("mainstem")).collect();
    assert_none(not_mentioned(&foreign, &weighed));
}
