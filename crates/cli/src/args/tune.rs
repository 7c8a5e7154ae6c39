//! What `tune` takes.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum, value_parser};
use glyphnet::tune::Objective;

use super::RecipeArgs;

#[derive(Debug, ClapArgs)]
pub(crate) struct TuneArgs {
    /// The recipe to start from: a shipped one, or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "seed")]
    pub(crate) recipe: String,
    /// The data, instead of the recipe's
    #[arg(long, value_name = "SRC")]
    pub(crate) data: Option<String>,
    /// Replace any setting of the recipe in all trials; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Epochs of a trial at most, instead of the recipe's
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<u32>,
    /// A setting to vary: KEY=low..high, KEY=log:low..high, or KEY=value,value,...; may be repeated
    #[arg(long, value_name = "KEY=SPEC", required_unless_present = "space")]
    pub(crate) search: Vec<String>,
    /// The settings to vary, from a TOML file of lines KEY = SPEC (docs/tune.md)
    #[arg(long, value_name = "FILE")]
    pub(crate) space: Option<PathBuf>,
    /// Recipes to try
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) trials: u32,
    /// random trains every trial to its end; halving trains all for a few epochs and goes on with the best
    #[arg(long, value_enum, default_value_t = Method::Random)]
    pub(crate) method: Method,
    /// Halving: epochs of a trial at least
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    pub(crate) min_epochs: u32,
    /// Halving: from rung to rung, one trial in so many goes on, for so many times the epochs
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(2..=1000))]
    pub(crate) eta: u32,
    /// What is best on the validation images
    #[arg(long, value_enum, default_value_t = MonitorName::ValAccuracy)]
    pub(crate) monitor: MonitorName,
    /// Trials at the same time; they share the threads, and the result is the same
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) jobs: NonZeroUsize,
    /// Seed of the search; that of the trainings is train.seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Threads to use in all [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Instruction set: auto, avx512, avx2, neon or scalar
    #[arg(long, value_name = "SET", default_value = "auto")]
    pub(crate) simd: String,
    /// The folder of the search; one that is there goes on [default: tune/<recipe>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

impl TuneArgs {
    /// The recipe that all trials start from, as other commands take it.
    pub(crate) fn settings(&self) -> RecipeArgs {
        RecipeArgs {
            recipe: self.recipe.clone(),
            data: self.data.clone(),
            batch_size: None,
            seed: None,
            threads: self.threads,
            simd: self.simd.clone(),
            set: self.set.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    Random,
    Halving,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MonitorName {
    #[value(name = "val_accuracy")]
    ValAccuracy,
    #[value(name = "val_loss")]
    ValLoss,
}

impl MonitorName {
    pub(crate) fn objective(self) -> Objective {
        match self {
            MonitorName::ValAccuracy => Objective::Accuracy,
            MonitorName::ValLoss => Objective::Loss,
        }
    }
}
