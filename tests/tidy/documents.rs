//! What lies at the top and what the documents say.

use crate::{assert_none, rules, tree};

#[test]
fn the_top_level_is_fixed() {
    let expected = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "benches",
        "broker",
        "client",
        "clippy.toml",
        "deploy",
        "docs",
        "processor",
        "protocol",
        "rustfmt.toml",
        "tests",
    ];
    let differences = rules::differences(&tree::top_level(), &expected);
    assert_none(differences.into_iter().filter(|difference| difference.ends_with("unexpected")).collect());
}

#[test]
fn the_readme_names_its_two_commands() {
    let readme = tree::text("README.md");
    for command in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(readme.contains(command), "{command}");
    }
}
