//! The commands: each works out what was typed means, does it, and prints the result.

mod bench_recipe;
mod compare;
mod convert;
mod evaluate;
mod export;
mod fetch;
mod inspect;
mod label_issues;
mod lr_find;
mod model;
mod pictures;
mod predict;
mod report;
mod run_data;
mod samples;
mod serve;
mod source;
mod splits;
mod submit;
mod summary;
pub(crate) mod text;
mod train;
mod tune;
mod wrong_model;

use std::path::Path;

use glyphnet::Isa;

use crate::args::Command;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output::Out;

pub(crate) use self::model::load as load_model;
pub(crate) use self::run_data::noted;
pub(crate) use self::wrong_model::file_of;

/// The instruction set that `--simd` names.
pub(crate) fn isa(name: &str) -> Result<Isa, CliError> {
    name.parse().map_err(|error| CliError::Usage(format!("--simd {name}: {error}")))
}

/// Refuses a name for a picture that ends in something else than `.png`.
pub(crate) fn check_png(out: &Path) -> Result<(), CliError> {
    if out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        return Ok(());
    }
    let place = out.display();
    Err(CliError::Usage(format!("--out {place}: pictures are written as PNG; give a name that ends in .png")))
}

/// Runs a command.
pub(crate) fn run(command: Command, out: &mut Out, interrupt: &Interrupt) -> Result<(), CliError> {
    match command {
        Command::Inspect(args) => inspect::run(args, out),
        Command::Summary(args) => summary::run(args, out),
        Command::Convert(args) => convert::run(args, out),
        Command::Train(args) => train::run(args, out, interrupt),
        Command::FindLabelIssues(args) => label_issues::run(args, out),
        Command::LrFind(args) => lr_find::run(args, out),
        Command::Evaluate(args) => evaluate::run(args, out),
        Command::Tune(args) => tune::run(&args, out, interrupt),
        Command::Compare(args) => compare::run(args, out),
        Command::BenchRecipe(args) => bench_recipe::run(args, out, interrupt),
        Command::Predict(args) => predict::run(args, out),
        Command::Submit(args) => submit::run(args, out),
        Command::Report(args) => report::run(args, out),
        Command::Export(args) => export::run(args, out),
        Command::Serve(args) => serve::run(&args),
        Command::Fetch(args) => fetch::run(args, out),
    }
}
