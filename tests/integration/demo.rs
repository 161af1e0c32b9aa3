//! The demo, to its end, and once more over the same data.

use std::{
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
};

use mainstem::{
    config::{Config, HostPort},
    embed::demo::{self, Options},
};

/// Windows that the access log has: minutes with at least one request of a status class.
const WINDOWS: usize = 241;

#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn config(directory: &Path) -> Config {
    let mut config = Config::default();
    config.storage.dir = directory.to_owned();
    config.storage.journal_bytes = 16 << 20;
    config.net.listeners = vec!["127.0.0.1:0".parse().unwrap()];
    config.http.listener = HostPort { host: "127.0.0.1".to_owned(), port: 0 };
    config
}

async fn run(config: Config) -> String {
    let shown = Shown::default();
    demo::run_on(Options { config, exit: true }, shown.clone()).await.unwrap();
    let bytes = shown.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// The rows of the table, and the sum below it.
fn rows_and_sum(shown: &str) -> (Vec<&str>, &str) {
    let rows = shown.lines().filter(|line| line.starts_with("2015-05-")).collect();
    (rows, shown.lines().last().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_window_is_shown_once_and_a_second_run_counts_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (run(config(directory.path())).await, run(config(directory.path())).await);
    let (rows, sum) = rows_and_sum(&first);
    assert_eq!(rows.len(), WINDOWS);
    assert!(rows[0].starts_with("2015-05-17T10:05:00Z"), "{}", rows[0]);
    assert!(sum.starts_with("241 windows: 10000 requests"), "{sum}");
    assert_eq!(rows_and_sum(&second), (rows, sum));
    assert!(second.contains("nothing is fed twice"), "{second}");
}
