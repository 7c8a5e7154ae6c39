//! The commands: each works out what was typed means, does it, and prints the result.

mod convert;
mod inspect;
#[allow(dead_code)]
mod predict;
mod samples;
mod source;
mod summary;
mod text;
#[allow(dead_code)]
mod train;

use crate::args::Command;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output::Out;

/// Runs a command.
pub(crate) fn run(command: Command, out: &mut Out, _interrupt: &Interrupt) -> Result<(), CliError> {
    match command {
        Command::Inspect(args) => inspect::run(args, out),
        Command::Summary(args) => summary::run(args, out),
        Command::Convert(args) => convert::run(args, out),
        _ => Err(CliError::failed("not there yet")),
    }
}
