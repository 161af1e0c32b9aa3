//! Where records are printed.

use std::io::{self, BufWriter, Stdout, Write};

use super::format::Format;
use super::shown::Shown;

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 64 * 1024;

/// Standard output, and how records look there.
pub(super) struct Sink {
    out: BufWriter<Stdout>,
    format: Option<Format>,
}

impl Sink {
    /// A JSON object a line.
    pub(super) fn json() -> Self {
        Self { out: BufWriter::with_capacity(BUFFER_BYTES, io::stdout()), format: None }
    }

    /// As the format says.
    pub(super) fn formatted(format: Format) -> Self {
        Self { format: Some(format), ..Self::json() }
    }

    pub(super) fn print(&mut self, record: &Shown) -> io::Result<()> {
        match &self.format {
            Some(format) => format.write(record, &mut self.out),
            None => {
                serde_json::to_writer(&mut self.out, record)?;
                self.out.write_all(b"\n")
            }
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
