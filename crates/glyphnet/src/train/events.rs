//! How a run is started, what it says while it goes on, and what it gives.

use glyphnet_data::Part;
use glyphnet_kernels::Isa;

use super::history::{EpochRecord, History};
use super::run_folder::{Extension, RunFolder};
use crate::Model;
use crate::evaluate::Score;
use crate::nn::{Kernels, Network, Threads};

/// How a recipe is run on this machine.
#[derive(Debug, Clone)]
pub struct FitOptions {
    /// Threads to use.
    pub threads: Threads,
    /// Instruction set to use.
    pub isa: Isa,
    /// Where the best model, the history, the predictions and the checkpoints are kept; nowhere if absent.
    pub folder: Option<RunFolder>,
    /// Which kernels train: the fast ones, unless they are to be compared with others.
    pub kernels: Kernels,
}

/// What happens while a run goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// Before the first step.
    Begin {
        /// Epochs at most.
        epochs: u32,
        /// Images trained an epoch.
        train: usize,
        /// Images evaluated after each epoch.
        validation: usize,
        /// The network as it starts.
        network: &'a Network,
    },
    /// After a step: running means of the epoch so far.
    Step {
        /// From 1.
        epoch: u32,
        /// Images trained in this epoch so far.
        images: usize,
        /// Mean loss.
        loss: f64,
        /// Share of right answers.
        accuracy: f64,
    },
    /// While a split is evaluated, after each epoch and at the end: with 0 done at first, with all done at last.
    Evaluating {
        /// Validation or test.
        split: Part,
        /// Images evaluated so far.
        done: usize,
        /// Images of the split.
        total: usize,
    },
    /// After an epoch.
    Epoch(&'a EpochRecord),
    /// Something to say aloud.
    Message(&'a str),
}

/// Whoever watches a run. It is called on a thread of the run's pool, one call after another.
pub trait Observer: Send {
    /// Called for everything that happens.
    fn event(&mut self, event: &Event<'_>);

    /// Asked after every step; true ends the run with what it has.
    fn stop_requested(&self) -> bool {
        false
    }

    /// Asked once, when training is over; false ends the run without a look at the test images.
    fn test_wanted(&self) -> bool {
        true
    }
}

/// Nobody watches.
impl Observer for () {
    fn event(&mut self, _: &Event<'_>) {}
}

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    /// The best network, ready to predict.
    pub model: Model,
    /// What each epoch brought.
    pub history: History,
    /// The epoch whose network was kept, from 1; 0 where none was finished.
    pub best_epoch: u32,
    /// Seconds of training steps with their augmentation.
    pub train_seconds: f64,
    /// Seconds in which no step could run because the next batch was not there: the time to order an epoch and to
    /// put its batches together. Workers look up and vary their own images inside a step.
    pub data_wait_seconds: f64,
    /// Images trained, by all the steps that were taken: those that were gone back on count too.
    pub images: u64,
    /// Floating-point operations of these steps, as [`training_flops`](crate::nn::training_flops) counts them.
    pub flops: u64,
    /// The best network on validation, of an interrupted run as its epoch found it; `None` where there is no such
    /// split, or the run was interrupted before its first epoch was over.
    pub validation: Option<Score>,
    /// The best network on test, read once; `None` where there is no labelled one, the observer did not want it, or the
    /// run was interrupted.
    pub test: Option<Score>,
    /// Whether the observer asked to stop before the run was over.
    pub interrupted: bool,
    /// Each time that the run was extended: what it had come to.
    pub extended: Vec<Extension>,
}
