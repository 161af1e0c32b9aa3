//! The binary `mainstem`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    mainstem::cli::Cli::parse().run()
}
