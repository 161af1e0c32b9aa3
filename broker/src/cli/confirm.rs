//! Whether somebody means what cannot be undone.

use std::io::{self, BufRead, IsTerminal, Write};

use super::Error;

/// Asks on the terminal; anything but yes ends the command with nothing done. Where nobody can be asked, the flag `--yes` is
/// missing, and the command was called wrongly.
pub(super) fn ask(question: &str) -> Result<(), Error> {
    if !io::stdin().is_terminal() {
        return Err(
            Error::usage("nothing was done: there is nobody to ask").advise("--yes does it without asking")
        );
    }
    // The question is no result: standard output may go into a file.
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Error::new(format_args!("standard input failed: {error}")))?;
    if is_yes(&answer) { Ok(()) } else { Err(Error::new("nothing was done")) }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes("YES\n"));
        assert!(!is_yes("") && !is_yes("n\n") && !is_yes("yep\n"));
    }
}
