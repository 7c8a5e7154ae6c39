//! How far a run has come: everything in a checkpoint that is no array.

use serde::{Deserialize, Serialize};

use crate::evaluate::Score;
use crate::train::callbacks::{BestState, EarlyStoppingState, ReduceLrState};
use crate::train::exact::Exact;

/// How far a run has come. As JSON in the header of a checkpoint; readers pass over keys that they do not know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::train) struct Progress {
    /// Epochs that are over.
    pub(in crate::train) epochs: u32,
    /// Epochs that the run is to have at most.
    pub(in crate::train) planned: u32,
    /// Steps taken in all.
    pub(in crate::train) steps: u64,
    /// Steps in the average of the weights; 0 = it has not begun, or there is none.
    #[serde(default)]
    pub(in crate::train) averaged: u64,
    /// The epoch that has begun.
    pub(in crate::train) epoch: EpochProgress,
    /// Steps in the average at the point that the run goes back to.
    #[serde(default)]
    pub(in crate::train) back_averaged: u64,
    /// The same at the point that the run goes back to when numbers go wrong: the epoch's beginning, as a rule.
    #[serde(default)]
    pub(in crate::train) back: EpochProgress,
    /// Whether early stopping has ended the run.
    pub(in crate::train) stopped: bool,
    /// The epoch whose network is the best so far, from 1; 0 = none yet.
    pub(in crate::train) best_epoch: u32,
    /// What the schedule's curve is a fraction of, after all reductions.
    pub(in crate::train) learning_rate: Exact,
    /// How often the run has gone back because numbers went wrong.
    pub(in crate::train) rollbacks: u32,
    /// What keeps the best network, if there is a validation split.
    pub(in crate::train) best: Option<BestState>,
    /// Early stopping, where it is on.
    pub(in crate::train) early_stopping: Option<EarlyStoppingState>,
    /// The reduction on a plateau, where it is on.
    pub(in crate::train) reduce_lr: Option<ReduceLrState>,
    /// What was counted and timed.
    pub(in crate::train) totals: Totals,
    /// What the run came to, once it is finished.
    pub(in crate::train) result: Option<RunResult>,
    /// What it had come to each time that it was extended.
    #[serde(default)]
    pub(in crate::train) extended: Vec<Extended>,
}

/// The sums of an epoch that has begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::train) struct EpochProgress {
    /// Steps taken in it.
    pub(in crate::train) steps: u64,
    /// Sum of the losses.
    pub(in crate::train) loss: Exact,
    /// Right answers.
    pub(in crate::train) correct: u64,
    /// Images trained.
    pub(in crate::train) images: u64,
    /// Seconds that it has taken.
    pub(in crate::train) seconds: Exact,
}

/// What is counted and timed over a whole run, however often it was interrupted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::train) struct Totals {
    /// Images trained.
    pub(in crate::train) images: u64,
    /// Seconds of training steps.
    pub(in crate::train) train_seconds: Exact,
    /// Seconds between steps.
    pub(in crate::train) data_wait_seconds: Exact,
}

/// The figures of a finished run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::train) struct RunResult {
    /// Loss and accuracy on validation.
    pub(in crate::train) validation: Option<(Exact, Exact)>,
    /// Loss and accuracy on test.
    pub(in crate::train) test: Option<(Exact, Exact)>,
}

impl RunResult {
    pub(in crate::train) fn new(validation: Option<Score>, test: Option<Score>) -> RunResult {
        let exact = |score: Score| (Exact(score.loss), Exact(score.accuracy));
        RunResult { validation: validation.map(exact), test: test.map(exact) }
    }

    pub(in crate::train) fn scores(&self) -> (Option<Score>, Option<Score>) {
        let score = |(loss, accuracy): (Exact, Exact)| Score { loss: loss.0, accuracy: accuracy.0 };
        (self.validation.map(score), self.test.map(score))
    }
}

/// A length that a run had before it was given another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::train) struct Extended {
    /// Epochs it was to have.
    pub(in crate::train) planned: u32,
    /// Epochs that were over.
    pub(in crate::train) epochs: u32,
    /// The best of them; 0 = none.
    pub(in crate::train) best_epoch: u32,
    /// What it came to, if it was finished.
    pub(in crate::train) result: Option<RunResult>,
}
