//! Bad input for each checker: a checker that finds nothing would make every invariant hold.

use crate::code;
use crate::manifest::Manifest;
use crate::rules::{self, Exception};
use crate::tree::File;

fn file(path: &str, text: &str) -> Vec<File> {
    vec![File { path: path.to_owned(), text: text.to_owned() }]
}

const SEAM: [Exception; 1] = [Exception::new("a/seam/", "the only place")];

#[test]
fn a_word_outside_its_place_is_found() {
    let bad = file("a/src/lib.rs", "fn f() { std::fs::read(\"x\"); }");
    assert_eq!(rules::named_outside(&bad, &["std::fs"], &SEAM), ["a/src/lib.rs: names std::fs"]);
}

#[test]
fn a_word_in_its_place_a_comment_a_literal_or_a_test_is_no_use() {
    let code = "use std::fs;";
    assert!(rules::named_outside(&file("a/seam/disk.rs", code), &["std::fs"], &SEAM).is_empty());
    assert!(rules::named_outside(&file("a/src/tests.rs", code), &["std::fs"], &SEAM).is_empty());
    let elsewhere = "// std::fs\n/* std::fs /* std::fs */ */ const A: &str = \"\\\"std::fs\"; const B: &str = r#\"std::fs\"#;\n\
                     #[cfg(test)]\nmod tests {\n    use std::fs;\n    fn f() { if true { std::fs::x() } }\n}\n";
    assert!(rules::named_outside(&file("a/src/lib.rs", elsewhere), &["std::fs"], &SEAM).is_empty());
}

#[test]
fn code_after_literals_and_tests_is_still_seen() {
    for before in [
        "'\"'; '\\''; ",
        "b'\\\\'; ",
        "fn f<'a>(x: &'a str) {} ",
        "r\"\\\"; ",
        "#[cfg(test)] mod t { } ",
        "#[cfg(test)] use x; ",
    ] {
        let bad = file("a/src/lib.rs", &format!("{before}unsafe {{}}"));
        assert_eq!(rules::named_outside(&bad, &["unsafe"], &SEAM).len(), 1, "{before}");
    }
}

#[test]
fn a_word_within_a_longer_one_is_another_word() {
    assert!(!code::names("unsafe_code", "unsafe"));
    assert!(!code::names("mystd::fs", "std::fs"));
    assert!(code::names("(unsafe{", "unsafe"));
}

#[test]
fn an_exception_without_use_is_found() {
    let used = file("a/seam/disk.rs", "use std::fs;");
    assert!(rules::unused_exceptions(&used, &["std::fs"], &SEAM).is_empty());
    let unused = file("a/seam/disk.rs", "// std::fs");
    assert_eq!(rules::unused_exceptions(&unused, &["std::fs"], &SEAM), ["a/seam/: needs no exception"]);
}

#[test]
fn a_long_file_is_found() {
    let long = file("a.rs", "\n\n\n");
    assert_eq!(rules::too_long(&long, 2, &[]), ["a.rs: 3 lines, at most 2"]);
    assert!(rules::too_long(&long, 3, &[]).is_empty());
    assert!(rules::too_long(&long, 2, &[("a.rs", 3)]).is_empty());
    assert_eq!(rules::too_long(&long, 9, &[("a.rs", 2)]).len(), 1);
}

#[test]
fn words_are_found_in_comments_with_their_line() {
    let bad = file("a.rs", "fn f() {}\n// LATER: more\n// COLLATERAL\n");
    assert_eq!(rules::lines_with(&bad, &["LATER".to_owned()]), ["a.rs:2: // LATER: more"]);
}

#[test]
fn macro_calls_are_found_in_code_alone() {
    assert_eq!(rules::macro_calls(&file("a.rs", "fn f() { halt!() }"), &["halt"]), ["a.rs: calls halt!"]);
    assert!(
        rules::macro_calls(&file("a.rs", "// halt!\nfn f() { \"halt!\"; my_halt!() }"), &["halt"]).is_empty()
    );
}

#[test]
fn a_lint_without_reason_is_found() {
    assert_eq!(rules::lints_without_reason(&file("a.rs", "#[allow(dead_code)] fn f() {}")).len(), 1);
    assert_eq!(rules::lints_without_reason(&file("a.rs", "#[expect(dead_code)] fn reason() {}")).len(), 1);
    assert!(
        rules::lints_without_reason(&file("a.rs", "#[expect(a, reason = \"b ] c\")] fn f() {}")).is_empty()
    );
}

#[test]
fn a_public_item_without_an_example_is_found() {
    let text = "/// ```\n/// a();\n/// ```\n#[must_use]\npub fn a() {}\n\n/// Text.\npub const fn b() {}\npub(crate) fn c() {}\n\
                pub struct D;\n#[cfg(test)]\nmod tests {\n    pub fn e() {}\n}";
    assert_eq!(
        rules::without_example(&file("client/src/a.rs", text)),
        [
            "client/src/a.rs:8: no example: pub const fn b() {}",
            "client/src/a.rs:10: no example: pub struct D;"
        ]
    );
}

#[test]
fn a_dead_link_is_found() {
    let exists = |path: &str| path == "docs/there.md" || path == "docs";
    let text = "[a](there.md) [b](../docs/there.md#part) [c](https://example.org) [d](#here) [e](gone.md) [f](../../out.md)\n\
                ```\n[g](in-code.md)\n```\n[h](late.md)";
    let dead = ["gone.md", "../../out.md", "late.md"].map(|link| format!("docs/a.md: no such file: {link}"));
    assert_eq!(rules::dead_links(&file("docs/a.md", text), exists), dead);
}

#[test]
fn a_dependency_that_nobody_weighed_is_found() {
    let names = ["bytes".to_owned(), "left-pad".to_owned()];
    assert_eq!(rules::not_mentioned(&names, "| `bytes` | buffers |"), ["left-pad: not listed"]);
}

#[test]
fn missing_and_unexpected_names_are_found() {
    let actual = ["a".to_owned(), "b".to_owned()];
    assert_eq!(rules::differences(&actual, &["b", "c"]), ["a: unexpected", "c: missing"]);
}

#[test]
fn manifests_tell_dependencies_versions_features_and_lints() {
    let bad = Manifest::parse(
        "[dependencies]\nmainstem-client.workspace = true\nbytes = \"1\"\ntokio = { workspace = true, features = [\"net\"] }\n\
         [dev-dependencies]\nproptest.workspace = true\n[workspace]\nmembers = [\"a\"]",
    );
    assert_eq!(bad.own_dependencies(), ["mainstem-client"]);
    assert_eq!(bad.dependencies(), ["bytes", "mainstem-client", "tokio"]);
    assert_eq!(bad.all_dependencies().len(), 4);
    assert_eq!(bad.own_versions(), ["bytes"]);
    assert_eq!(bad.features("tokio"), ["net"]);
    assert_eq!(bad.members(), ["a"]);
    assert!(!bad.has_workspace_lints());
    assert!(Manifest::parse("[lints]\nworkspace = true").has_workspace_lints());
}
