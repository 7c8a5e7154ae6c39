//! A run read back from its folder: whatever is drawn or told of it afterwards is made of this, and needs neither the
//! data nor the network.

mod choose;
mod facts;
mod thumbnails;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Error;
use crate::analysis::Rows;
use crate::evaluate::{SavedSplit, Score, read_predictions_without};
use crate::nn::Network;
use crate::read_file::read_run_file;
use crate::recipe::Recipe;
use crate::train::history::{EpochRecord, History};
use crate::train::{Metrics, best_epoch};

pub(crate) use choose::choose_thumbnails;
pub use facts::{DataFacts, SplitFacts};
pub use thumbnails::{Thumbnails, read_thumbnails, thumbnails_from_bytes, write_thumbnails};

/// A larger `run.toml` or `metrics.json` is none of ours.
const LARGEST_TEXT: u64 = 8 << 20;
/// Nor is a larger `history.csv`: a million epochs.
const LARGEST_HISTORY: u64 = 128 << 20;
/// So many of a folder's entries are named where it is no run.
const NAMED: usize = 5;

/// A run that is finished, still training, or was interrupted.
///
/// The parts fit together. What an extended run had come to before is not among them: until it is finished again,
/// [`metrics`](SavedRun::metrics), predictions and thumbnails are only those of the network that it has now.
#[derive(Debug, Clone)]
pub struct SavedRun {
    /// The folder.
    pub path: PathBuf,
    /// What the run is called: the folder's name.
    pub name: String,
    /// Its settings, with the `[provenance]` that `run.toml` notes.
    pub recipe: Recipe,
    /// What its data were; `None` in runs of older versions.
    pub facts: Option<DataFacts>,
    /// The epochs that are over.
    pub history: Vec<EpochRecord>,
    /// What it came to; `None` until it is finished or interrupted.
    pub metrics: Option<Metrics>,
    /// What its network says to validation and test images; none until it is finished, nor of those that it
    /// [diverged](SavedRun::diverged) on.
    pub predictions: Vec<SavedSplit>,
    /// Some of these images, at most one entry for each of the splits that have predictions; none in runs of older
    /// versions.
    pub thumbnails: Vec<Thumbnails>,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It still trains, or was killed.
    Open,
    /// It was asked to stop.
    Interrupted,
    /// It came to its end.
    Finished,
}

impl SavedRun {
    /// Reads the run in `folder`.
    ///
    /// # Errors
    /// If the folder is no run's, or a file in it cannot be read, is damaged or does not fit the others; the file is
    /// named.
    pub fn open(folder: &Path) -> Result<SavedRun, Error> {
        let file = |name: &str| folder.join(name);
        let recipe = read_recipe(folder, &file("run.toml"))?;
        let damaged = |reason| Error::Damaged { path: file("run.toml"), reason };
        let facts = DataFacts::noted(&recipe).map_err(damaged)?;
        let history = if_there(&file("history.csv"), read_history)?.unwrap_or_default();
        let metrics = if_there(&file("metrics.json"), read_metrics)?;
        let diverged = metrics.as_ref().map(diverged).unwrap_or_default();
        let predictions = |path: &Path| read_predictions_without(path, &diverged);
        let mut run = SavedRun {
            // Without the slash that a shell puts behind it.
            path: folder.components().collect(),
            name: run_name(folder),
            recipe,
            facts,
            history: history.records().to_vec(),
            metrics,
            predictions: if_there(&file("predictions.safetensors"), predictions)?.unwrap_or_default(),
            thumbnails: if_there(&file("thumbnails.safetensors"), read_thumbnails)?.unwrap_or_default(),
        };
        run.thumbnails.retain(|thumbnails| !diverged.contains(&thumbnails.split.as_str()));
        run.check()?;
        run.leave_out_the_past()?;
        Ok(run)
    }

    /// The epoch whose network is kept, from 1; 0 while none is over.
    pub fn best_epoch(&self) -> u32 {
        let found = self.metrics.as_ref().map(|metrics| metrics.best_epoch);
        found.unwrap_or_else(|| best_epoch(&self.recipe, &self.history))
    }

    /// How far it has come.
    pub fn state(&self) -> RunState {
        match &self.metrics {
            None => RunState::Open,
            Some(metrics) if metrics.interrupted || self.was_interrupted(metrics) => RunState::Interrupted,
            Some(_) => RunState::Finished,
        }
    }

    /// Whether this is a run of an older version, which did not note it, that was interrupted: whatever was held out is
    /// measured at the end.
    fn was_interrupted(&self, metrics: &Metrics) -> bool {
        self.predictions.is_empty()
            && metrics.members.is_empty()
            && (metrics.validation.is_some_and(|score| score.loss.is_finite()) || metrics.best_epoch == 0)
    }

    /// What its best network so far is worth on the validation images; `None` where there are none, or no epoch is over.
    pub fn validation(&self) -> Option<Score> {
        let Some(metrics) = &self.metrics else {
            let best = self.best_epoch();
            return self.history.iter().find(|record| record.epoch == best)?.validation();
        };
        metrics.validation
    }

    /// The layers and shapes of the network, with every value zero. `None` where the shape of the images was not noted.
    pub fn network(&self) -> Option<Network> {
        let facts = self.facts.as_ref()?;
        Network::empty(&self.recipe.layer, facts.image, self.classes().len()).ok()
    }

    /// The splits on which the loss of its network is no finite number. What it says to their images is left out.
    pub fn diverged(&self) -> Vec<&'static str> {
        self.metrics.as_ref().map(diverged).unwrap_or_default()
    }

    /// What `run.toml` notes under `[provenance]`.
    pub fn noted(&self, key: &str) -> Option<&str> {
        self.recipe.provenance.as_ref()?.get(key)?.as_str()
    }

    /// What the network says to the images of one split.
    pub fn predictions(&self, split: &str) -> Option<&SavedSplit> {
        self.predictions.iter().find(|saved| saved.split == split)
    }

    /// The stored images of one split.
    pub fn thumbnails(&self, split: &str) -> Option<&Thumbnails> {
        self.thumbnails.iter().find(|thumbnails| thumbnails.split == split)
    }

    /// The names of the classes, by label; those that were not noted are empty. Their number is 0 where nothing tells it.
    pub fn classes(&self) -> Vec<String> {
        let mut names = self.facts.as_ref().map(|facts| facts.classes.clone()).unwrap_or_default();
        let count = self.predictions.first().map_or(0, |split| split.classes);
        names.resize(count.max(names.len()), String::new());
        names
    }

    /// Whether the files fit together.
    fn check(&self) -> Result<(), Error> {
        let damaged = |name: &str, reason| Error::Damaged { path: self.path.join(name), reason };
        if let Some(facts) = &self.facts {
            let mut splits = self.predictions.iter();
            splits
                .try_for_each(|split| facts.check_predictions(split))
                .map_err(|reason| damaged("predictions.safetensors", reason))?;
        }
        for Thumbnails { split, rows, .. } in &self.thumbnails {
            let images = self.predictions(split).map_or(0, |saved| saved.labels.len());
            if let Some(row) = rows.last().filter(|row| **row as usize >= images) {
                let reason = format!("it has image {row} of {split}, of which {images} have predictions");
                return Err(damaged("thumbnails.safetensors", reason));
            }
        }
        Ok(())
    }

    /// Drops what is of an earlier network, where the run goes on or was interrupted after it was extended.
    fn leave_out_the_past(&mut self) -> Result<(), Error> {
        let predictions = std::mem::take(&mut self.predictions);
        let epochs = self.history.len();
        if let Some(metrics) =
            self.metrics.take().filter(|metrics| metrics.epochs_run as usize == epochs || !metrics.members.is_empty())
        {
            for split in predictions {
                let path = || self.path.join("predictions.safetensors");
                if belongs(&split, &metrics).map_err(|reason| Error::Damaged { path: path(), reason })? {
                    self.predictions.push(split);
                }
            }
            self.metrics = Some(metrics);
        }
        let kept: Vec<&str> = self.predictions.iter().map(|saved| saved.split.as_str()).collect();
        self.thumbnails.retain(|thumbnails| kept.contains(&thumbnails.split.as_str()));
        Ok(())
    }
}

fn diverged(metrics: &Metrics) -> Vec<&'static str> {
    let scores = [("validation", metrics.validation), ("test", metrics.test)];
    let diverged = scores.iter().filter(|(_, score)| score.is_some_and(|score| !score.loss.is_finite()));
    diverged.map(|(split, _)| *split).collect()
}

/// Whether these predictions are those that were measured. Only of a run that was extended they may be older.
fn belongs(saved: &SavedSplit, metrics: &Metrics) -> Result<bool, String> {
    let (split, images) = (&saved.split, saved.labels.len());
    let rows = Rows::new(&saved.labels, &saved.probabilities, saved.classes)?;
    let right = rows.predicted().iter().zip(&saved.labels).filter(|(a, b)| a == b).count();
    let score = if split == "test" { metrics.test } else { metrics.validation };
    let measured = score.map(|score| (score.accuracy * images as f64).round() as usize);
    if measured == Some(right) || !metrics.extended.is_empty() {
        return Ok(measured == Some(right));
    }
    let measured = measured.map_or_else(|| "none".to_owned(), |measured| measured.to_string());
    Err(format!("of the {images} images of {split} {right} are classified right, but in metrics.json {measured}"))
}

/// What a run is called, in pictures too: its folder's name.
pub fn run_name(folder: &Path) -> String {
    let full = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    full.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Reads a file that a run need not have.
fn if_there<T>(path: &Path, read: impl FnOnce(&Path) -> Result<T, Error>) -> Result<Option<T>, Error> {
    match path.try_exists() {
        Ok(false) => Ok(None),
        Ok(true) => read(path).map(Some),
        Err(source) => Err(Error::Io { path: path.to_owned(), source }),
    }
}

fn read_recipe(folder: &Path, file: &Path) -> Result<Recipe, Error> {
    if !file.is_file() {
        return Err(no_run(folder));
    }
    let text = String::from_utf8(read_run_file(file, LARGEST_TEXT)?)
        .map_err(|error| Error::Damaged { path: file.to_owned(), reason: error.to_string() })?;
    Ok(Recipe::from_toml(&text, &file.display().to_string())?)
}

fn read_history(path: &Path) -> Result<History, Error> {
    Ok(History::from_csv(&read_run_file(path, LARGEST_HISTORY)?, path)?)
}

fn read_metrics(path: &Path) -> Result<Metrics, Error> {
    let damaged = |reason| Error::Damaged { path: path.to_owned(), reason };
    let read = serde_json::from_slice(&read_run_file(path, LARGEST_TEXT)?);
    let metrics: Metrics = read.map_err(|error| damaged(error.to_string()))?;
    let Metrics { epochs_run, best_epoch, .. } = metrics;
    if best_epoch > epochs_run {
        return Err(damaged(format!("epoch {best_epoch} cannot be the best of {epochs_run}")));
    }
    Ok(metrics)
}

/// What there is instead of a run.
fn no_run(folder: &Path) -> Error {
    let place = folder.display();
    if folder.is_file() {
        return Error::Mismatch(format!("{place}: no run, but a file; name the run's folder"));
    }
    let mut names: Vec<String> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect(),
        Err(source) => return Error::Io { path: folder.to_owned(), source },
    };
    names.sort();
    let found = match names.len() {
        0 => "it is empty".to_owned(),
        n if n <= NAMED => format!("it holds {}", names.join(", ")),
        n => format!("it holds {} and {} more", names[..NAMED].join(", "), n - NAMED),
    };
    Error::Mismatch(format!("{place}: no run: there is no run.toml, {found}; name a run's folder"))
}
