//! The commands: each works out what was typed means, does it, and prints the result.

mod convert;
mod evaluate;
mod fetch;
mod inspect;
mod model;
mod predict;
mod run_data;
mod samples;
mod source;
mod submit;
mod summary;
pub(crate) mod text;
mod train;
mod wrong_model;

use glyphnet::Isa;

use crate::args::Command;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output::Out;

/// The instruction set that `--simd` names.
pub(crate) fn isa(name: &str) -> Result<Isa, CliError> {
    name.parse().map_err(|error| CliError::Usage(format!("--simd {name}: {error}")))
}

/// Runs a command.
pub(crate) fn run(command: Command, out: &mut Out, interrupt: &Interrupt) -> Result<(), CliError> {
    match command {
        Command::Inspect(args) => inspect::run(args, out),
        Command::Summary(args) => summary::run(args, out),
        Command::Convert(args) => convert::run(args, out),
        Command::Train(args) => train::run(args, out, interrupt),
        Command::Evaluate(args) => evaluate::run(args, out),
        Command::Predict(args) => predict::run(args, out),
        Command::Submit(args) => submit::run(args, out),
        Command::Fetch(args) => fetch::run(args, out),
    }
}
