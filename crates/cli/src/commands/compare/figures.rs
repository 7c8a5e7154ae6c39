//! What sets the runs apart; as JSON it is what `--json` prints (docs/compare.md).

use std::path::PathBuf;

use glyphnet::compare::PairedAnswers;
use glyphnet::evaluate::Score;
use glyphnet::recipe::{ChangedSetting, Recipe};
use glyphnet::saved_run::{RunState, SavedRun};
use serde::Serialize;

use crate::commands::text::printable;
use crate::error::CliError;

/// Runs beside each other.
#[derive(Serialize)]
pub(super) struct Comparison {
    pub(super) runs: Vec<Figures>,
    /// Place of the run with the highest validation accuracy, if that can be said.
    pub(super) best: Option<usize>,
    /// What is not the same in all of them.
    pub(super) settings: Vec<ChangedSetting>,
    /// Another run against the reference, on the images that both predicted.
    pub(super) pairs: Vec<Pair>,
    /// What one should know before one trusts the figures.
    pub(super) notes: Vec<String>,
    pub(super) picture: Option<PathBuf>,
}

/// One run.
#[derive(Serialize)]
pub(super) struct Figures {
    pub(super) name: String,
    path: PathBuf,
    pub(super) recipe: Option<String>,
    pub(super) state: RunState,
    data_fingerprint: Option<String>,
    pub(super) parameters: Option<usize>,
    pub(super) epochs_run: usize,
    pub(super) epochs: u32,
    pub(super) best_epoch: u32,
    pub(super) validation: Option<Score>,
    pub(super) test: Option<Score>,
    pub(super) images_per_second: Option<f64>,
    pub(super) train_seconds: Option<f64>,
}

/// Two runs on the same images; the reference is the first.
#[derive(Serialize)]
pub(super) struct Pair {
    pub(super) reference: usize,
    pub(super) run: usize,
    pub(super) split: &'static str,
    #[serde(flatten)]
    pub(super) answers: PairedAnswers,
    /// The p-value times the number of pairs among the runs (Bonferroni), at most 1: the reference was chosen.
    pub(super) p_adjusted: f64,
}

impl Comparison {
    pub(super) fn new(runs: &[SavedRun], names: &[String]) -> Result<Comparison, CliError> {
        let same_data = runs.windows(2).all(|pair| fingerprint(&pair[0]) == fingerprint(&pair[1]));
        let best = if same_data { best(runs) } else { None };
        let (pairs, unpaired) = match same_data {
            true => {
                let pairs = pairs(runs, best.unwrap_or(0));
                let unpaired = left_out(runs, names, best.unwrap_or(0), &pairs);
                (pairs, unpaired)
            }
            false => Default::default(),
        };
        Ok(Comparison {
            runs: runs.iter().zip(names).map(|(run, name)| Figures::new(run, name)).collect(),
            best,
            settings: settings(runs)?,
            notes: [notes(runs, names, same_data), unpaired].concat(),
            pairs,
            picture: None,
        })
    }
}

impl Figures {
    fn new(run: &SavedRun, name: &str) -> Figures {
        let metrics = run.metrics.as_ref();
        let recipe = metrics.map(|metrics| metrics.recipe.as_str()).or_else(|| run.noted("recipe"));
        Figures {
            name: name.to_owned(),
            path: run.path.clone(),
            recipe: recipe.map(printable),
            state: run.state(),
            data_fingerprint: fingerprint(run).map(str::to_owned),
            parameters: run.network().map(|network| network.parameters() * run.recipe.train.ensemble as usize),
            epochs_run: epochs_run(run),
            epochs: run.recipe.train.epochs.saturating_mul(run.recipe.train.ensemble),
            best_epoch: run.best_epoch(),
            validation: run.validation(),
            test: metrics.and_then(|metrics| metrics.test),
            images_per_second: metrics.map(|metrics| metrics.images_per_second),
            train_seconds: metrics.map(|metrics| metrics.train_seconds),
        }
    }
}

/// Epochs that are over, of an ensemble those of all its networks.
fn epochs_run(run: &SavedRun) -> usize {
    let members = run.metrics.as_ref().filter(|metrics| !metrics.members.is_empty());
    members.map_or(run.history.len(), |metrics| metrics.epochs_run as usize)
}

fn fingerprint(run: &SavedRun) -> Option<&str> {
    run.noted("data_fingerprint")
}

/// The highest validation accuracy, of equal ones the lowest loss; one run alone is not the best of any, and none is
/// where that is no number.
fn best(runs: &[SavedRun]) -> Option<usize> {
    let mut scores: Vec<(usize, Score)> =
        runs.iter().enumerate().filter_map(|(place, run)| Some((place, run.validation()?))).collect();
    let several = scores.len() > 1;
    scores.retain(|(_, score)| !score.accuracy.is_nan() && !score.loss.is_nan());
    scores.sort_by(|(_, a), (_, b)| b.accuracy.total_cmp(&a.accuracy).then(a.loss.total_cmp(&b.loss)));
    scores.first().filter(|_| several).map(|(place, _)| *place)
}

/// Every other run against `reference`, where both predicted the same images.
fn pairs(runs: &[SavedRun], reference: usize) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for split in ["validation", "test"] {
        let Some(first) = runs[reference].predictions(split) else { continue };
        let others = runs.iter().enumerate().filter(|(place, _)| *place != reference);
        pairs.extend(others.filter_map(|(run, other)| {
            let answers = PairedAnswers::new(first, other.predictions(split)?)?;
            let p_adjusted = (answers.p_value * possible_pairs(runs.len()) as f64).min(1.0);
            Some(Pair { reference, run, split, answers, p_adjusted })
        }));
    }
    pairs
}

/// How many pairs there are among so many runs.
pub(super) fn possible_pairs(runs: usize) -> usize {
    runs * runs.saturating_sub(1) / 2
}

/// Notes on the runs that are not among `pairs` on a split where there could be some.
fn left_out(runs: &[SavedRun], names: &[String], reference: usize, pairs: &[Pair]) -> Vec<String> {
    let mut notes = Vec::new();
    for split in ["validation", "test"] {
        let missing =
            |place: usize| place != reference && !pairs.iter().any(|pair| pair.split == split && pair.run == place);
        let known = |place: usize| runs[place].predictions(split).is_some();
        if !known(reference) {
            if (0..runs.len()).any(known) {
                notes.push(format!("no p on {split} images: {} has no predictions of them", names[reference]));
            }
            continue;
        }
        for (has, why) in [(true, "predicted other images than"), (false, "no predictions of them, unlike")] {
            let found = (0..runs.len()).filter(|&place| missing(place) && known(place) == has);
            let found: Vec<&str> = found.map(|place| names[place].as_str()).collect();
            if !found.is_empty() {
                notes.push(format!("no p on {split} images for {}: {why} {}", found.join(", "), names[reference]));
            }
        }
    }
    notes
}

/// The settings that differ, then what else does: version, processor, instruction set, threads.
fn settings(runs: &[SavedRun]) -> Result<Vec<ChangedSetting>, CliError> {
    let recipes: Vec<&Recipe> = runs.iter().map(|run| &run.recipe).collect();
    let mut settings = Recipe::changed_settings(&recipes)?;
    let noted = |key: &'static str| (key, runs.iter().map(|run| run.noted(key).map(printable)).collect());
    let threads = runs.iter().map(|run| run.metrics.as_ref().map(|metrics| metrics.threads.to_string()));
    let around: [(&str, Vec<Option<String>>); 4] =
        [noted("glyphnet"), noted("cpu"), noted("simd"), ("threads", threads.collect())];
    for (name, values) in around {
        let mut known = values.iter().flatten();
        let first = known.next();
        if known.any(|value| Some(value) != first) {
            settings.push(ChangedSetting { name: name.to_owned(), values });
        }
    }
    Ok(settings)
}

fn notes(runs: &[SavedRun], names: &[String], same_data: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let mut list = |which: &dyn Fn(&SavedRun) -> bool, one: &str, several: &str| {
        let found: Vec<&str> =
            runs.iter().zip(names).filter(|(run, _)| which(run)).map(|(_, name)| name.as_str()).collect();
        if !found.is_empty() {
            notes.push(format!("{} {}", found.join(", "), if found.len() == 1 { one } else { several }));
        }
    };
    list(
        &|run| run.state() == RunState::Open,
        "is not finished: it still trains, or was killed",
        "are not finished: they still train, or were killed",
    );
    list(
        &|run| run.state() == RunState::Interrupted,
        "was interrupted: its test images were not looked at",
        "were interrupted: their test images were not looked at",
    );
    list(
        &|run| run.state() != RunState::Open && epochs_run(run) == 0,
        "had no epoch: it cannot be the best",
        "had no epoch: none of them can be the best",
    );
    list(
        &|run| run.state() != RunState::Open && epochs_run(run) > 0 && run.validation().is_none(),
        "held out no images: it cannot be the best",
        "held out no images: none of them can be the best",
    );
    if !same_data {
        notes.push(
            "the runs are on different data: neither losses nor accuracies can be compared, and none is called the best"
                .to_owned(),
        );
    } else if held_out_differ(runs) {
        notes.push(
            "the runs held out different images: small differences on validation may come from that alone".to_owned(),
        );
    }
    notes
}

/// Whether two runs held out other images, as far as their predictions tell.
fn held_out_differ(runs: &[SavedRun]) -> bool {
    let held_out: Vec<&[u32]> =
        runs.iter().filter_map(|run| Some(run.predictions("validation")?.indices.as_slice())).collect();
    held_out.windows(2).any(|pair| pair[0] != pair[1])
}
