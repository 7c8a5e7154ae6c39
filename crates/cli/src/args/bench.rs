//! What can be typed for `bench-recipe`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

#[derive(Debug, ClapArgs)]
pub(crate) struct BenchRecipeArgs {
    /// Shipped recipes, or files; with --table alone, none
    #[arg(required_unless_present = "table", value_name = "NAME|FILE")]
    pub(crate) recipes: Vec<String>,
    /// Networks to train of each recipe, each from a seed of its own
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) seeds: u32,
    /// The first of these seeds
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) first_seed: u64,
    /// Networks to train at a time; times are only reported where it is 1
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    pub(crate) jobs: NonZeroUsize,
    /// Threads of each training [default: all cores, shared among the jobs]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Instruction set: auto, avx512, avx2, neon or scalar
    #[arg(long, value_name = "SET", default_value = "auto")]
    pub(crate) simd: String,
    /// Where the runs and results are kept; what is finished there is not done again
    #[arg(long, value_name = "DIR", default_value = "bench")]
    pub(crate) out: PathBuf,
    /// The data, instead of the recipes'
    #[arg(long, value_name = "SRC")]
    pub(crate) data: Option<String>,
    /// Replace any setting of the recipes; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Which network is measured [default: what the recipe gives]: last holds nothing out and never stops early, best needs
    /// a validation split
    #[arg(long = "final", value_enum, value_name = "WHICH")]
    pub(crate) network: Option<FinalNetwork>,
    /// Leave the test images alone: accuracies are those on the validation images, by which recipes are chosen
    #[arg(long)]
    pub(crate) no_test: bool,
    /// Say whether the mean test accuracy reaches this share, for example 0.99, and how long that takes
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    pub(crate) mark: Option<f64>,
    /// For recipes with train.ensemble: networks to draw the ensembles from, at least
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(crate) pool: u32,
    /// For recipes with train.ensemble: ensembles to draw
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) draws: u32,
    /// Rewrite the marked table in this Markdown file from all results in --out
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which network of a run is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FinalNetwork {
    /// That of the last epoch, with nothing held out.
    Last,
    /// The best on the validation images.
    Best,
}

/// A share between 0 and 1.
fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "give a share from 0 to 1, for example 0.99".to_owned())
}
