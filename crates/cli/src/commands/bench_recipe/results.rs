//! What the networks of a recipe came to: `bench.json` in the recipe's folder.

use std::path::{Path, PathBuf};

use glyphnet_data::write_atomic;
use serde::{Deserialize, Serialize};

use super::ensembles::Ensembles;
use super::job::Job;
use super::spread::{Range, Spread};
use crate::commands::train::cpu_name;
use crate::error::CliError;
use crate::trial::TrialResult;

/// The file.
const RESULTS: &str = "bench.json";
/// The accuracy of short recipes is a mean over so many seeds, to count as having reached a mark.
pub(super) const ENOUGH_SEEDS: usize = 20;
/// Of long ones over so many.
pub(super) const ENOUGH_LONG_SEEDS: usize = 5;

/// The figures of one recipe. Accuracies are shares, 0 to 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Results {
    /// The recipe's name.
    pub(super) recipe: String,
    /// What its data are called.
    pub(super) data: String,
    /// The version of the program.
    pub(super) glyphnet: String,
    /// The processor.
    pub(super) cpu: String,
    /// Threads of each training; `None` where they were not all the same.
    pub(super) threads: Option<usize>,
    /// Instruction set; `None` where it was not always the same.
    pub(super) simd: Option<String>,
    /// Which network of each run was measured.
    pub(super) network: Measured,
    /// On the test images; `None` where they were left alone.
    pub(super) test: Option<Spread>,
    /// On the validation images, the network that was kept; `None` where none were held out.
    pub(super) validation: Option<Spread>,
    /// Epochs.
    pub(super) epochs: Option<Range>,
    /// Seconds of training steps; `None` where trainings ran beside each other or were interrupted.
    pub(super) train_seconds: Option<Range>,
    /// Seconds of the whole process, likewise.
    pub(super) wall_seconds: Option<Range>,
    /// Trainings that these times are of.
    pub(super) timed: usize,
    /// The most memory that a process took, in bytes.
    pub(super) peak_memory_bytes: Option<u64>,
    /// Floating-point operations of a training, on average.
    pub(super) flops: Option<f64>,
    /// Ensembles of these networks, where the recipe asks for them.
    pub(super) ensemble: Option<Ensembles>,
    /// The networks, by seed.
    pub(super) seeds: Vec<Seed>,
}

/// Which network of a run was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Measured {
    /// That of the last epoch, nothing being held out.
    LastEpoch,
    /// The best on validation images.
    BestOnValidation,
}

impl Measured {
    pub(super) fn words(self) -> &'static str {
        match self {
            Measured::LastEpoch => "last epoch",
            Measured::BestOnValidation => "best on validation",
        }
    }
}

/// One network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Seed {
    seed: u64,
    test_accuracy: Option<f64>,
    validation_accuracy: Option<f64>,
    epochs: u32,
    train_seconds: Option<f64>,
    wall_seconds: Option<f64>,
    peak_memory_bytes: Option<u64>,
    flops: Option<u64>,
}

impl From<&TrialResult> for Seed {
    fn from(result: &TrialResult) -> Seed {
        Seed {
            seed: result.seed,
            test_accuracy: result.test_accuracy,
            validation_accuracy: result.best_val_accuracy,
            epochs: result.epochs_run,
            train_seconds: result.timed.then_some(result.train_seconds),
            wall_seconds: result.wall_seconds,
            peak_memory_bytes: result.peak_memory_bytes,
            flops: result.flops,
        }
    }
}

impl Results {
    /// The figures of what the trials of `job` came to.
    pub(super) fn new(job: &Job, trials: &[TrialResult], ensemble: Option<Ensembles>) -> Results {
        let seeds: Vec<Seed> = trials.iter().map(Seed::from).collect();
        let of = |value: &dyn Fn(&Seed) -> Option<f64>| seeds.iter().filter_map(value).collect::<Vec<f64>>();
        let same_threads = trials.iter().all(|trial| trial.threads == trials[0].threads);
        let same_simd = trials.iter().all(|trial| trial.simd == trials[0].simd);
        let train_seconds = if same_threads && same_simd { of(&|seed| seed.train_seconds) } else { Vec::new() };
        let wall_seconds = if train_seconds.is_empty() { Vec::new() } else { of(&|seed| seed.wall_seconds) };
        let validation = of(&|seed| seed.validation_accuracy);
        Results {
            recipe: job.name.clone(),
            data: job.data.clone(),
            glyphnet: env!("CARGO_PKG_VERSION").to_owned(),
            cpu: cpu_name(),
            threads: trials.first().filter(|_| same_threads).map(|trial| trial.threads),
            simd: trials.first().filter(|_| same_simd).map(|trial| trial.simd.clone()),
            network: if validation.is_empty() { Measured::LastEpoch } else { Measured::BestOnValidation },
            test: Spread::of(&of(&|seed| seed.test_accuracy)),
            validation: Spread::of(&validation),
            epochs: Range::of(&of(&|seed| Some(f64::from(seed.epochs)))),
            train_seconds: Range::of(&train_seconds),
            wall_seconds: Range::of(&wall_seconds),
            timed: train_seconds.len(),
            peak_memory_bytes: trials.iter().filter_map(|trial| trial.peak_memory_bytes).max(),
            flops: Spread::of(&of(&|seed| seed.flops.map(|flops| flops as f64))).map(|flops| flops.mean),
            ensemble,
            seeds,
        }
    }

    /// Writes them into the recipe's folder.
    pub(super) fn write(&self, folder: &Path) -> Result<(), CliError> {
        let (path, text) = (folder.join(RESULTS), serde_json::to_string_pretty(self)? + "\n");
        write_atomic(&path, text.as_bytes())
            .map_err(|error| CliError::failed(format!("cannot write '{}': {error}", path.display())))
    }

    /// Those of all recipes below `out`, by name.
    pub(super) fn all(out: &Path) -> Result<Vec<Results>, CliError> {
        let problem =
            |path: &Path, reason: &dyn std::fmt::Display| CliError::failed(format!("{}: {reason}", path.display()));
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(out).map_err(|error| problem(out, &error))? {
            files.push(entry.map_err(|error| problem(out, &error))?.path().join(RESULTS));
        }
        files.retain(|file| file.is_file());
        files.sort();
        let read = |file: &PathBuf| {
            let text = std::fs::read(file).map_err(|error| problem(file, &error))?;
            serde_json::from_slice(&text).map_err(|error| problem(file, &error))
        };
        files.iter().map(read).collect()
    }
}
