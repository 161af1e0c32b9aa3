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
    assert_none(rules::differences(&tree::top_level(), &expected));
}

#[test]
fn relative_links_lead_to_files() {
    assert_none(rules::dead_links(&tree::files("", ".md"), tree::exists));
}

#[test]
fn the_readme_names_its_two_commands() {
    let readme = tree::text("README.md");
    for command in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(readme.contains(command), "{command}");
    }
}
