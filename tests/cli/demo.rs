//! The demo, as a newcomer starts it.

use crate::broker::Folder;
use crate::process::run;

#[test]
fn the_demo_ends_with_every_line_counted_and_a_second_run_counts_none_twice() {
    let folder = Folder::new();
    let data = folder.path("data");
    let args = ["demo", "--exit", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"];
    let args = [&args[..], &[data.to_str().unwrap()]].concat();
    for _ in 0..2 {
        let shown = run(&args).well();
        let summary = "241 windows: 10000 requests, 220 errors, 2747282740 bytes.";
        assert!(shown.lines().any(|line| line == summary), "{shown}");
    }
}

#[test]
fn the_demo_is_json_for_programs() {
    let folder = Folder::new();
    let data = folder.path("data");
    let args =
        ["demo", "--exit", "--output", "json", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"];
    let shown = run(&[&args[..], &[data.to_str().unwrap()]].concat()).well();
    let lines: Vec<serde_json::Value> =
        shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[0]["kafka"].as_str().unwrap().starts_with("127.0.0.1:"), "{}", lines[0]);
    let requests: u64 = lines[1..].iter().map(|line| line["requests"].as_u64().unwrap()).sum();
    assert_eq!(requests, 10_000);
}
