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
