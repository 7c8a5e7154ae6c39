//! The trainings of a rung, some of them at the same time.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use glyphnet::evaluate::Score;
use glyphnet::tune::spans_epochs;

use super::journal::{Journal, Line};
use super::search::{Candidate, Search};
use super::watch::Watch;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output::say;
use crate::trial::{TrainingFailed, Trial, TrialResult};

/// The folder of the run folders.
pub(super) const TRIALS: &str = "trials";

/// How the trainings of a search are done.
pub(super) struct Work<'a> {
    pub(super) search: &'a Search,
    pub(super) folder: &'a Path,
    /// Trainings at the same time.
    pub(super) jobs: usize,
    /// Threads in all.
    pub(super) threads: usize,
    /// Of the data.
    pub(super) fingerprint: String,
    pub(super) interrupt: &'a Interrupt,
}

impl Work<'_> {
    /// Trains what the journal does not have. The order in which trainings end decides about nothing.
    pub(super) fn rung(
        &self,
        rung: usize,
        trials: &[Candidate],
        journal: &mut Journal,
        watch: &mut Watch<'_>,
    ) -> Result<(), CliError> {
        let todo: Vec<&Candidate> = trials.iter().filter(|trial| journal.find(trial.number, rung).is_none()).collect();
        std::fs::create_dir_all(self.folder.join(TRIALS))?;
        let next = AtomicUsize::new(0);
        let (sender, ended) = mpsc::channel();
        let mut stopped = None;
        thread::scope(|scope| {
            for _ in 0..self.jobs {
                let (sender, next, todo) = (sender.clone(), &next, &todo);
                scope.spawn(move || {
                    while let Some(trial) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // Nobody listens only after a panic, which ends the search anyway.
                        let _ = sender.send((*trial, self.train(trial, rung)));
                    }
                });
            }
            drop(sender);
            for (trial, ended) in ended {
                let noted = ended.and_then(|ended| note(self.search, trial, rung, ended, journal, watch));
                if let Err(error) = noted {
                    // Those that have begun come to their end, the others do not begin.
                    next.store(todo.len(), Ordering::Relaxed);
                    stopped.get_or_insert(error);
                }
            }
        });
        if self.interrupt.requested() && stopped.is_some() {
            watch.finish();
            say!("the same command goes on with the search in {}", self.folder.display());
            return Err(CliError::Interrupted);
        }
        stopped.map_or(Ok(()), Err)
    }

    /// Trains a trial to the epochs of the rung; why there is no result, if it failed.
    fn train(&self, trial: &Candidate, rung: usize) -> Result<Result<TrialResult, String>, CliError> {
        if self.interrupt.requested() {
            return Err(CliError::Interrupted);
        }
        let recipe = match &trial.recipe {
            Ok(recipe) => self.search.in_rung(recipe, rung),
            Err(reason) => return Ok(Err(reason.clone())),
        };
        let extends = spans_epochs(&recipe).is_none();
        let training = Trial {
            name: format!("trial-{}", trial.number),
            folder: self.folder.join(TRIALS).join(self.search.folder_name(trial.number, &recipe, rung)),
            recipe,
            fingerprint: self.fingerprint.clone(),
            threads: (self.threads / self.jobs).max(1),
            simd: self.search.plan.isa.to_string(),
            read_test: false,
            alone: self.jobs == 1,
        };
        match if extends { training.extend(self.interrupt) } else { training.run(self.interrupt) } {
            Err(CliError::Failed(error)) => match error.downcast::<TrainingFailed>() {
                Ok(failed) => Ok(Err(failed.reason())),
                Err(error) => Err(CliError::Failed(error)),
            },
            result => result.map(Ok),
        }
    }
}

/// Puts on record how a training ended.
fn note(
    search: &Search,
    trial: &Candidate,
    rung: usize,
    ended: Result<TrialResult, String>,
    journal: &mut Journal,
    watch: &mut Watch<'_>,
) -> Result<(), CliError> {
    let epochs = trial.recipe.as_ref().map_or(0, |recipe| search.in_rung(recipe, rung).train.epochs);
    let score = |result: &TrialResult| {
        let score = Score { accuracy: result.best_val_accuracy?, loss: result.best_val_loss? };
        score.loss.is_finite().then_some(score)
    };
    let (score, best_epoch, seconds, failed) = match ended {
        Ok(result) => match score(&result) {
            Some(score) => (Some(score), result.best_epoch, result.train_seconds, None),
            None => (None, 0, result.train_seconds, Some("its validation loss is no number".to_owned())),
        },
        Err(reason) => (None, 0, 0.0, Some(reason)),
    };
    let values = trial.values.clone();
    let line = Line { trial: trial.number, rung, epochs, values, score, best_epoch, seconds, failed };
    journal.push(&line)?;
    watch.line(&line);
    Ok(())
}
