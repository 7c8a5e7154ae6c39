//! What a run writes while it goes on, and how it goes on from it.

use std::time::Instant;

use super::checkpoint::{Checkpoint, Extended, Progress, Store};
use super::exact::Exact;
use super::run::Run;
use super::same_run;
use crate::Error;
use crate::model_file;
use crate::recipe::{OnNan, Recipe};

impl Run<'_> {
    /// Begins to save, where the run has a folder, by writing what there is: a run that cannot save does not start.
    /// `number` is the checkpoint that it goes on from.
    pub(super) fn open_store(&mut self, number: Option<u64>) -> Result<(), Error> {
        let Some(folder) = &self.options.folder else { return Ok(()) };
        self.store = Some(Store::new(folder, number).map_err(Error::not_saved)?);
        if number.is_some() {
            // After a crash these may be ahead of the checkpoint.
            self.write_history()?;
            self.write_model()?;
        }
        self.save()
    }

    /// Writes a checkpoint, where the run has a folder.
    pub(super) fn save(&mut self) -> Result<(), Error> {
        let Some(mut store) = self.store.take() else { return Ok(()) };
        let written = store.write(&self.checkpoint());
        self.store = Some(store);
        self.saved = Instant::now();
        self.seen = self.saved;
        written.map_err(Error::not_saved)
    }

    pub(super) fn write_history(&self) -> Result<(), Error> {
        let Some(folder) = &self.options.folder else { return Ok(()) };
        self.history.write_csv(&folder.file("history.csv")).map_err(Error::not_saved)
    }

    /// Writes the best network, if there is one.
    pub(super) fn write_model(&self) -> Result<(), Error> {
        let (Some(folder), Some((_, network))) = (&self.options.folder, &self.best) else { return Ok(()) };
        let path = folder.file("model.safetensors");
        model_file::save(&self.parts(network.clone()), &path).map_err(Error::not_saved)
    }

    /// This moment.
    fn checkpoint(&self) -> Checkpoint {
        let mut progress = Progress {
            epochs: self.epochs(),
            planned: self.recipe.train.epochs,
            steps: self.trainer.steps(),
            averaged: self.trainer.average().map_or(0, |average| average.count),
            epoch: self.current,
            stopped: self.stopped,
            best_epoch: self.best_epoch(),
            learning_rate: Exact(self.schedule.base()),
            rollbacks: self.rollbacks,
            totals: self.totals,
            result: self.result,
            extended: self.extended.clone(),
            ..Progress::default()
        };
        self.watchers.remember(&mut progress);
        let rollback = self.back.as_ref().filter(|_| self.current.steps > 0);
        progress.back = rollback.map(|(_, sums)| *sums).unwrap_or_default();
        let average = rollback.and_then(|(state, _)| state.average.as_ref());
        progress.back_averaged = average.map_or(0, |average| average.count);
        Checkpoint {
            recipe: Recipe { provenance: None, ..self.recipe.clone() },
            data: self.fingerprint.clone(),
            simd: self.options.isa.to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            model: self.parts(self.trainer.network().clone()),
            optimizer: self.trainer.optimizer_state(),
            average: self.trainer.average().cloned(),
            best: self.best.as_ref().filter(|(epoch, _)| *epoch > 0).map(|(_, network)| network.clone()),
            rollback: rollback.map(|(state, _)| state.clone()),
            history: self.history.clone(),
            progress,
        }
    }

    /// Goes on from `checkpoint`; without one, from the beginning. Gives what to say about it.
    pub(super) fn restore(&mut self, checkpoint: Option<Checkpoint>, extend: bool) -> Result<Vec<String>, Error> {
        let Some(mut checkpoint) = checkpoint else {
            return Ok(vec!["there is no checkpoint yet: the run starts from its beginning".to_owned()]);
        };
        self.check(&checkpoint)?;
        let mut notes = Vec::new();
        let planned = self.recipe.train.epochs;
        if planned != checkpoint.progress.planned || (extend && checkpoint.is_over()) {
            extend_to(planned, &mut checkpoint.progress)?;
            notes.push(format!("the run is extended to {planned} epochs"));
        }
        let (simd, program) = (self.options.isa.to_string(), env!("CARGO_PKG_VERSION"));
        if checkpoint.simd != simd {
            let was = &checkpoint.simd;
            notes.push(format!("the run was on {was} and goes on with {simd}: the bits will differ"));
        }
        if checkpoint.program != program {
            let was = &checkpoint.program;
            notes.push(format!("the run was made by version {was} and goes on with {program}: the bits may differ"));
        }
        notes.push(match checkpoint.progress {
            Progress { epochs, epoch, .. } if epoch.steps > 0 => {
                format!("going on in epoch {}, after step {} of {}", epochs + 1, epoch.steps, self.steps_per_epoch)
            }
            Progress { epochs, .. } => format!("going on after epoch {epochs}"),
        });
        self.take(checkpoint);
        Ok(notes)
    }

    /// Whether it is a checkpoint of this run.
    fn check(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        same_run::check(checkpoint, self.recipe, &self.fingerprint)?;
        let Progress { epochs, steps, epoch, .. } = checkpoint.progress;
        let (ours, theirs) = (self.trainer.network(), checkpoint.model.network());
        if ours.specs() != theirs.specs() || ours.input() != theirs.input() || self.classes != checkpoint.model.classes
        {
            return Err(Error::Mismatch("the checkpoint is of another network than the recipe's".to_owned()));
        }
        let whole = u64::from(epochs).checked_mul(self.steps_per_epoch);
        if epoch.steps > self.steps_per_epoch || whole.and_then(|n| n.checked_add(epoch.steps)) != Some(steps) {
            return Err(Error::Mismatch("the checkpoint's steps do not fit the data".to_owned()));
        }
        Ok(())
    }

    /// Becomes what the checkpoint says.
    fn take(&mut self, checkpoint: Checkpoint) {
        self.trainer.restore(&checkpoint.state());
        let Checkpoint { best, rollback, history, progress, .. } = checkpoint;
        self.watchers.restore(self.recipe, &progress);
        self.schedule = self.schedule.with_base(progress.learning_rate.0);
        self.best = best.map(|network| (progress.best_epoch, network));
        let back = rollback.filter(|_| self.recipe.train.on_nan == OnNan::Rollback);
        self.back = back.map(|state| (state, progress.back));
        self.history = history;
        self.current = progress.epoch;
        self.rollbacks = progress.rollbacks;
        self.stopped = progress.stopped;
        self.totals = progress.totals;
        self.result = progress.result;
        self.extended = progress.extended;
    }
}

/// Gives a run another length: what it has come to is put on record, and early stopping starts waiting anew.
fn extend_to(planned: u32, progress: &mut Progress) -> Result<(), Error> {
    let Progress { epochs, best_epoch, .. } = *progress;
    if planned <= epochs {
        return Err(Error::Mismatch(format!(
            "the run has had {epochs} epochs already: name more of them to extend it, not {planned}"
        )));
    }
    let result = progress.result.take();
    progress.extended.push(Extended { planned: progress.planned, epochs, best_epoch, result });
    progress.planned = planned;
    progress.stopped = false;
    if let Some(state) = &mut progress.early_stopping {
        state.wait = 0;
    }
    Ok(())
}
