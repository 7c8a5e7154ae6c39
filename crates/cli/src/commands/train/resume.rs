//! `train --resume`: going on with a run.

use std::path::Path;
use std::sync::Arc;

use glyphnet::Error;
use glyphnet::nn::Threads;
use glyphnet::recipe::{OnNan, Recipe};
use glyphnet::train::{Checkpoint, Metrics, ResumeFrom, RunFolder};
use glyphnet_artifacts::quoted;

use super::plan::Plan;
use super::{Job, Wanted, ensemble, open, provenance, tensorboard};
use crate::args::TrainArgs;
use crate::error::CliError;
use crate::output::say;

/// Reads how far the run in the folder `run` has come; nothing where nothing is left to do, which is said.
pub(super) fn prepare(args: &TrainArgs, run: &Path) -> Result<Option<Job>, CliError> {
    let place = run.display();
    let file = run.join("run.toml");
    if !file.is_file() {
        let problem = format!("{place}: not a run that could go on: there is no run.toml; name a run folder");
        return Err(CliError::failed(problem));
    }
    let file = file.display().to_string();
    let folder = RunFolder::open(run)?;
    let loaded = Recipe::load(&file)?;
    if loaded.train.ensemble > 1 {
        return ensemble::prepare(args, folder, &file, &loaded);
    }
    let latest = Checkpoint::latest(&folder)?;
    let plan =
        Plan::resumed(&args.settings, args.epochs, &file, &loaded, latest.checkpoint.as_ref().map(Checkpoint::simd))?;
    let checkpoint = latest.checkpoint.as_ref();
    let extend = args.epochs.is_some();
    let same_length = checkpoint.is_some_and(|c| c.planned_epochs() == plan.recipe.train.epochs);
    if same_length && !extend && checkpoint.is_some_and(|checkpoint| is_complete(checkpoint, &folder)) {
        let epochs = checkpoint.map_or(0, Checkpoint::epochs);
        say!("the run in {place} is finished after {epochs} epochs: there is nothing to do; --epochs N extends it");
        return Ok(None);
    }
    let threads = Threads::new(plan.threads)?;
    let source = Arc::new(open(&plan, &threads)?);
    if plan.recipe != loaded {
        // Before the first checkpoint of the new length, so that the two can be told apart after a crash.
        if let Some(checkpoint) = checkpoint {
            checkpoint.check(&plan.recipe, &source)?;
        }
        let earlier = checkpoint.filter(|_| !same_length).map(Checkpoint::planned_epochs);
        provenance::rewrite(&plan, &source, earlier, &folder)?;
    }
    let tensorboard = args.tensorboard || tensorboard::begun(run).is_some();
    let mut wanted = Wanted::new(args);
    wanted.test &= !provenance::leaves_test_alone(&loaded);
    Ok(Some(Job { plan, threads, source, folder, from: Some(ResumeFrom { latest, extend }), tensorboard, wanted }))
}

/// Whether the run is finished and its last file is there: a crash may have come between the two.
pub(super) fn is_complete(checkpoint: &Checkpoint, folder: &RunFolder) -> bool {
    let Some((_, test)) = checkpoint.result() else { return false };
    let text = std::fs::read_to_string(folder.file("metrics.json")).unwrap_or_default();
    let metrics = serde_json::from_str::<Metrics>(&text);
    metrics.is_ok_and(|m| m.epochs_run == checkpoint.epochs() && m.test.is_some() == test.is_some())
}

/// What to type to go on with the run in `folder`.
pub(super) fn command(folder: &Path) -> String {
    format!("glyphnet train --resume {}", quoted(&folder.display().to_string()))
}

/// An error in training, with how to go on where that is possible.
pub(super) fn with_advice(error: Error, recipe: &Recipe, folder: &Path) -> CliError {
    if !folder.join("checkpoint").is_dir() {
        return error.into();
    }
    let command = command(folder);
    match &error {
        Error::NotSaved(_) => CliError::failed(format!("{error}; when that is put right, go on with: {command}")),
        Error::Diverged { curable: true, .. } if recipe.train.on_nan == OnNan::Stop => CliError::failed(format!(
            "{error}; to go on from the last checkpoint with half the learning rate: {command} --set \
             train.on_nan=rollback"
        )),
        _ => error.into(),
    }
}
