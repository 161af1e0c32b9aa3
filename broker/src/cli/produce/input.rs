//! The lines of standard input, read on a thread of their own: reading blocks as long as nobody types.

use std::io::{self, BufRead, Read};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Error;

/// Bytes that a line may have.
pub(super) const LINE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Lines that are read ahead.
const LINES_AHEAD_MAX: usize = 1024;

/// Lines, without their ends.
pub(super) struct Lines {
    lines: mpsc::Receiver<io::Result<Bytes>>,
}

impl Lines {
    /// The lines of standard input.
    pub(super) fn of_stdin() -> Result<Self, Error> {
        let (sender, lines) = mpsc::channel(LINES_AHEAD_MAX);
        let read = move || send_all(io::stdin().lock(), &sender);
        // The thread may outlive the command while it waits for a line; it owns nothing that would be lost.
        std::thread::Builder::new().name("stdin".to_owned()).spawn(read).map_err(Error::new)?;
        Ok(Self { lines })
    }

    /// The next line; none at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        self.lines.recv().await.transpose()
    }
}

fn send_all(mut input: impl BufRead, lines: &mpsc::Sender<io::Result<Bytes>>) {
    while let Some(line) = read_line(&mut input, LINE_BYTES_MAX).transpose() {
        let is_last = line.is_err();
        // Nobody takes lines any more: the command has ended.
        if lines.blocking_send(line).is_err() || is_last {
            return;
        }
    }
}

/// A line without its end, or nothing where the input has ended. The last line may lack its end.
fn read_line(input: &mut impl BufRead, bytes_max: usize) -> io::Result<Option<Bytes>> {
    let mut line = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.len() > bytes_max {
        return Err(io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(Some(line.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, bytes_max: usize) -> io::Result<Vec<Bytes>> {
        let mut input = io::Cursor::new(text.as_bytes());
        std::iter::from_fn(|| read_line(&mut input, bytes_max).transpose()).collect()
    }

    #[test]
    fn lines_are_without_their_ends() {
        let check =
            |text: &str, expected: &[&str]| assert_eq!(read(text, 100).unwrap(), expected, "{text:?}");
        check("", &[]);
        check("a", &["a"]);
        check("a\n", &["a"]);
        check("a\n\nb\r\n", &["a", "", "b\r"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_refused() {
        assert_eq!(read("12345\n1234\n", 5).unwrap(), ["12345", "1234"]);
        assert!(read("123456\n", 5).is_err());
    }
}
