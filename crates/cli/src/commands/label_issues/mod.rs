//! `find-label-issues`: which labels are probably wrong.

mod watch;
mod write;

use std::path::Path;

use glyphnet::label_issues::{LabelIssues, out_of_sample, stratified_folds};
use glyphnet::nn::{Kernels, Threads};
use glyphnet::train::{FitOptions, RunFolder};

use self::watch::Watch;
use super::text::count;
use super::train::{self, plan::Plan};
use crate::args::LabelIssuesArgs;
use crate::error::CliError;
use crate::output::{Out, say};

/// Where results are put that name no folder.
const RUNS: &str = "runs";
/// The beginning of the folder's name there.
const NAME: &str = "label-issues";
/// Epochs of each network, if nothing else is asked for: out of sample a few are enough.
const EPOCHS: u32 = 5;

pub(crate) fn run(args: LabelIssuesArgs, out: &mut Out) -> Result<(), CliError> {
    let plan = plan(&args)?;
    let threads = Threads::new(plan.threads)?;
    let source = train::open(&plan, &threads)?;
    // Before the folder is made: they are what the run begins with.
    stratified_folds(source.train.labels.as_deref().unwrap_or_default(), args.folds, plan.recipe.train.seed)?;
    let folder = match &args.out {
        Some(path) => RunFolder::create(path),
        None => RunFolder::next(Path::new(RUNS), NAME),
    };
    let folder = folder.map_err(|error| {
        CliError::failed(format!("cannot make the folder for the results: {error} (--out names another place)"))
    })?;
    let images = count(source.train.len(), "label");
    say!("{} on {}, {images} in {} folds, folder {}", plan.name, source.name, args.folds, folder.path().display());
    let options = FitOptions { threads, isa: plan.isa, folder: None, kernels: Kernels::default() };
    let mut watch = Watch::new(args.folds);
    let judged = out_of_sample(&plan.recipe, &source, args.folds, &options, &mut watch);
    watch.finish();
    // The watch never asks to stop: a signal ends the process at once, and nothing of worth is lost.
    let judged = judged?.ok_or(CliError::Interrupted)?;
    let labels = source.train.labels.as_deref().unwrap_or_default();
    let found = LabelIssues::find(labels, judged.predictions.probabilities(), source.classes.len())?;
    write::files(&source, &judged, &found, &folder)?;
    write::summary(&source, &judged, &found, folder.path(), out)
}

/// The recipe with what was typed laid over it, and not many epochs.
fn plan(args: &LabelIssuesArgs) -> Result<Plan, CliError> {
    let mut plan = Plan::new(&args.settings, args.epochs)?;
    let named = args.epochs.is_some() || args.settings.set.iter().any(|set| set.starts_with("train.epochs="));
    if !named {
        plan.recipe.train.epochs = plan.recipe.train.epochs.min(EPOCHS);
    }
    Ok(plan)
}
