//! `mainstem verify`: an offline look at a data directory.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use mainstem_storage::disk::{Disk, LockError, RealDisk};
use mainstem_storage::verify::{Finding, Report, VerifyError, verify};
use serde::Serialize;

use super::Error;
use super::output::{self, Output};

const EXAMPLES: &str = "\
Examples:
  mainstem verify ./data
  mainstem verify /var/lib/mainstem --output json | jq '.damages[]'

Nothing is changed but the lock, which is taken meanwhile. Exit codes: 0 clean, 1 damaged, 2 could not run.";

/// The exit code where something is damaged.
const DAMAGED: u8 = 1;

/// Check a data directory, and name every bad range of bytes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The data directory of a broker that is not running
    dir: PathBuf,
    /// How to write what is found
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    clean: bool,
    damages: Vec<ShownFinding<'a>>,
    notes: Vec<ShownFinding<'a>>,
    groups: u64,
    segments: u64,
    batches: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct ShownFinding<'a> {
    file: String,
    /// The first bad byte, and the first good one behind it; both absent where the whole file is meant.
    from: Option<u64>,
    to: Option<u64>,
    what: &'a str,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Error> {
    check_directory(&args.dir)?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(&args.dir));
    let report = verify(&disk).map_err(|error| could_not_run(args, &error))?;
    match args.output {
        Output::Json => output::json(&shown(&report))?,
        Output::Text => show(args, &report)?,
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

/// Told before the disk is asked, which knows files below the directory alone.
fn check_directory(dir: &Path) -> Result<(), Error> {
    let shown = dir.display();
    let wrong = match dir.is_dir() {
        true => return Ok(()),
        false if dir.exists() => format!("cannot verify {shown}: it is a file"),
        false => {
            format!("cannot verify {shown}: there is no such directory, or this user may not look into it")
        }
    };
    Err(Error::usage(wrong).advise("name the directory that the broker has as --data"))
}

fn could_not_run(args: &Args, error: &VerifyError) -> Error {
    let dir = args.dir.display();
    let advice = match error {
        VerifyError::NoData => "name the directory that the broker has as --data",
        VerifyError::Lock(LockError::Held { .. }) => "stop the broker first",
        VerifyError::Lock(LockError::Io { .. }) => "see to it that this user may write into that directory",
        VerifyError::Newer(_) => "use the newer version of mainstem that wrote it",
        VerifyError::Io { .. } => "look into the disk, and whether this user may read it",
    };
    Error::usage(format_args!("cannot verify {dir}: {error}")).advise(advice)
}

fn show(args: &Args, report: &Report) -> Result<(), Error> {
    let Report { damages, notes, groups, segments, batches, bytes } = report;
    damages.iter().try_for_each(|damage| output::text(format_args!("damaged: {}", line(damage))))?;
    notes.iter().try_for_each(|note| output::text(format_args!("note: {}", line(note))))?;
    let verdict = match damages.len() {
        0 => "clean".to_owned(),
        1 => "1 place is damaged".to_owned(),
        count => format!("{count} places are damaged"),
    };
    Ok(output::text(format_args!(
        "{}: {verdict}; {segments} segments with {batches} batches in {bytes} bytes, {groups} groups in the journal",
        args.dir.display()
    ))?)
}

fn line(finding: &Finding) -> String {
    let Finding { path, range, what } = finding;
    match range.is_empty() {
        true => format!("{}: {what}", path.display()),
        false => format!("{} bytes {} to {}: {what}", path.display(), range.start, range.end),
    }
}

fn shown(report: &Report) -> Shown<'_> {
    let Report { damages, notes, groups, segments, batches, bytes } = report;
    Shown {
        clean: report.is_clean(),
        damages: damages.iter().map(shown_finding).collect(),
        notes: notes.iter().map(shown_finding).collect(),
        groups: *groups,
        segments: *segments,
        batches: *batches,
        bytes: *bytes,
    }
}

fn shown_finding(finding: &Finding) -> ShownFinding<'_> {
    let range = Some(&finding.range).filter(|range| !range.is_empty());
    ShownFinding {
        file: finding.path.display().to_string(),
        from: range.map(|range| range.start),
        to: range.map(|range| range.end),
        what: &finding.what,
    }
}
