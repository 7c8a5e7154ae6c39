//! What a trial came to.

use std::io::ErrorKind;
use std::path::Path;

use glyphnet::saved_run::SavedRun;
use glyphnet::train::Metrics;
use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// `trial.json`: what only the parent of the process knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Times {
    /// Seconds of the process from its start to its end; of the last one where there were several.
    pub(super) wall_seconds: f64,
    /// The most memory that it took; `None` where the system does not tell.
    pub(super) peak_memory_bytes: Option<u64>,
    /// Whether one process did all of it, with no other trial beside it.
    pub(super) timed: bool,
}

/// Reads `trial.json`, if it is there: a parent that was killed may not have come to write it.
pub(super) fn read_times(path: &Path) -> Result<Option<Times>, CliError> {
    let problem = |reason: String| CliError::failed(format!("{}: {reason}", path.display()));
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| problem(error.to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(problem(error.to_string())),
    }
}

/// What a trial came to. Accuracies are shares, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TrialResult {
    /// `train.seed`.
    pub(crate) seed: u64,
    /// Epochs that it had.
    pub(crate) epochs_run: u32,
    /// The epoch whose network was kept and measured.
    pub(crate) best_epoch: u32,
    /// On the validation images, of the network that was kept; `None` where there are none.
    pub(crate) best_val_accuracy: Option<f64>,
    /// On the validation images, after the last epoch.
    pub(crate) last_val_accuracy: Option<f64>,
    /// Loss of the network that was kept on the validation images.
    pub(crate) best_val_loss: Option<f64>,
    /// On the test images, of the network that was kept; `None` where they were left alone, or there are none.
    pub(crate) test_accuracy: Option<f64>,
    /// Seconds of training steps with their augmentation.
    pub(crate) train_seconds: f64,
    /// Seconds of the whole process; `None` where it is not [`timed`](TrialResult::timed).
    pub(crate) wall_seconds: Option<f64>,
    /// Whether the seconds mean something: one process did it all, and no other trial ran beside it.
    pub(crate) timed: bool,
    /// The most memory that the process took; `None` where that is not known.
    pub(crate) peak_memory_bytes: Option<u64>,
    /// Floating-point operations of training.
    pub(crate) flops: Option<u64>,
    /// Threads used.
    pub(crate) threads: usize,
    /// Instruction set used.
    pub(crate) simd: String,
}

impl TrialResult {
    pub(super) fn new(run: &SavedRun, metrics: &Metrics, times: Option<Times>) -> TrialResult {
        let timed = times.as_ref().is_some_and(|times| times.timed);
        TrialResult {
            seed: metrics.seed,
            epochs_run: metrics.epochs_run,
            best_epoch: metrics.best_epoch,
            best_val_accuracy: metrics.validation.map(|score| score.accuracy),
            last_val_accuracy: run.history.last().and_then(|record| record.validation()).map(|score| score.accuracy),
            best_val_loss: metrics.validation.map(|score| score.loss),
            test_accuracy: metrics.test.map(|score| score.accuracy),
            train_seconds: metrics.train_seconds,
            wall_seconds: times.as_ref().filter(|_| timed).map(|times| times.wall_seconds),
            timed,
            peak_memory_bytes: times.and_then(|times| times.peak_memory_bytes),
            flops: metrics.flops,
            threads: metrics.threads,
            simd: metrics.simd.clone(),
        }
    }
}
