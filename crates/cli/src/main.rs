//! The `glyphnet` command: from a pile of small labelled images to a trained classifier and its predictions.
//!
//! `main` reads what was typed ([`args`]), [`commands`] works out what it means and does it, and every error comes
//! back here to be printed once and turned into an exit code.

#![forbid(unsafe_code)]
// Both panic when the other end of a pipe is gone; `output` writes instead.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod classify;
mod commands;
mod error;
mod interrupt;
mod output;
mod progress;
mod serve;
mod table;
mod terminal;
mod trial;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output::Out;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help goes to standard output with code 0, wrong usage to standard error with code 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

fn run(args: Args) -> Result<(), CliError> {
    // A server has its own use of the signals.
    let interrupt = match args.command {
        Command::Serve(_) => Interrupt::default(),
        _ => Interrupt::install()?,
    };
    let mut out = Out::stdout();
    commands::run(args.command, &mut out, &interrupt)?;
    out.finish()
}
