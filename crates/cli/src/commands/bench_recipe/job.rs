//! What there is to do for one recipe.

use std::collections::BTreeMap;
use std::path::PathBuf;

use glyphnet::nn::Threads;
use glyphnet::recipe::Recipe;
use glyphnet_data::Source;

use crate::args::{BenchRecipeArgs, FinalNetwork, RecipeArgs};
use crate::commands::train::{self, plan::Plan};
use crate::error::CliError;
use crate::trial::Trial;

/// The setting that makes a run train several networks.
const ENSEMBLE: &str = "train.ensemble";
/// The setting by which runs of several seeds hold out the same images, as the members of an ensemble do.
const SPLIT_SEED: &str = "data.split_seed";
/// The settings by which a seed draws images. Where they are 0 there is nothing to hold out alike, and the networks of a
/// pool are those of the recipe of one network, so a pool of these serves both.
const DRAWN: [&str; 2] = ["data.validation", "data.limit"];
/// What a run without held-out images must not have: nothing would tell it when to stop.
const HELD_OUT: [&str; 3] = ["data.validation=0", "early_stopping=none", "reduce_lr_on_plateau=none"];

/// A recipe and the trainings of it.
pub(super) struct Job {
    /// What the recipe is called.
    pub(super) name: String,
    /// What its data are called.
    pub(super) data: String,
    /// The recipe of each single network, but for its seed.
    pub(super) recipe: Recipe,
    /// Networks of an ensemble, where the recipe asks for one.
    pub(super) ensemble: Option<usize>,
    /// Where its results are.
    pub(super) folder: PathBuf,
    /// One for each seed.
    pub(super) trials: Vec<Trial>,
}

impl Job {
    /// The trainings of the recipe `typed`; its data are opened to see that all fits.
    pub(super) fn new(typed: &str, args: &BenchRecipeArgs, threads: usize) -> Result<Job, CliError> {
        let plan = Plan::new(&settings(typed, args, Vec::new()), None)?;
        let typed_settings = plan.recipe.settings()?;
        let ensemble = typed_settings.get(ENSEMBLE).and_then(|n| n.parse().ok()).filter(|&n| n > 1);
        let mut more = Vec::new();
        if ensemble.is_some() {
            more.push(format!("{ENSEMBLE}=none"));
            if !typed_settings.contains_key(SPLIT_SEED) && DRAWN.iter().any(|key| is_set(&typed_settings, key)) {
                more.push(format!("{SPLIT_SEED}={}", args.first_seed));
            }
        }
        if args.network == Some(FinalNetwork::Last) {
            more.extend(HELD_OUT.map(str::to_owned));
        }
        let plan = Plan::new(&settings(typed, args, more), None)?;
        let pool = Threads::new(threads)?;
        let source = train::open(&plan, &pool)?;
        check(&plan, args, &source)?;
        let fingerprint = pool.run(|| source.fingerprint());
        let folder = args.out.join(&plan.name);
        let networks = if ensemble.is_some() { args.seeds.max(args.pool) } else { args.seeds };
        let trial = |seed: u64| {
            let mut recipe = plan.recipe.clone();
            recipe.train.seed = seed;
            recipe.provenance = None;
            Trial {
                name: plan.name.clone(),
                recipe,
                fingerprint: fingerprint.clone(),
                folder: folder.join(format!("seed-{seed}")),
                threads,
                simd: args.simd.clone(),
                read_test: !args.no_test,
                alone: args.jobs.get() == 1,
            }
        };
        let seeds = (0..u64::from(networks)).map(|i| args.first_seed.saturating_add(i));
        let trials = seeds.map(trial).collect();
        Ok(Job { name: plan.name.clone(), data: source.name.clone(), recipe: plan.recipe, ensemble, folder, trials })
    }
}

/// Whether a setting that is a number is another one than 0.
fn is_set(settings: &BTreeMap<String, String>, key: &str) -> bool {
    settings.get(key).and_then(|value| value.parse().ok()).is_some_and(|value: f64| value != 0.0)
}

/// The recipe with what was typed and `more` laid over it.
fn settings(recipe: &str, args: &BenchRecipeArgs, more: Vec<String>) -> RecipeArgs {
    RecipeArgs {
        recipe: recipe.to_owned(),
        data: args.data.clone(),
        batch_size: None,
        seed: None,
        threads: args.threads,
        simd: args.simd.clone(),
        set: args.set.iter().cloned().chain(more).collect(),
    }
}

/// Refuses what could not give the figures that were asked for, before an hour is spent on it.
fn check(plan: &Plan, args: &BenchRecipeArgs, source: &Source) -> Result<(), CliError> {
    let (name, data) = (&plan.name, &source.name);
    let own = source.validation.as_ref().is_some_and(|validation| validation.labels.is_some());
    let holds_out = own || glyphnet::train::TrainingData::new(&plan.recipe, source)?.validation.is_some();
    match args.network {
        Some(FinalNetwork::Best) if !holds_out => {
            return Err(CliError::Usage(format!("--final best: {name} holds no validation images out")));
        }
        Some(FinalNetwork::Last) if own => {
            return Err(CliError::Usage(format!(
                "--final last: {data} has validation images of its own, by which the network is chosen"
            )));
        }
        _ => {}
    }
    if args.no_test && !holds_out {
        return Err(CliError::Usage(format!("--no-test: {name} holds no validation images out: nothing is measured")));
    }
    let labelled = source.test.as_ref().is_some_and(|test| test.labels.is_some());
    if !args.no_test && !labelled {
        return Err(CliError::failed(format!(
            "{data} has no labelled test images; --no-test measures on held-out training images"
        )));
    }
    Ok(())
}
