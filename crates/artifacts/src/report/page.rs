//! What the page shows, worked out once for all of its sections.

use std::collections::{HashMap, HashSet};

use glyphnet::analysis::{Analysis, MOST_CLASSES};
use glyphnet::evaluate::SavedSplit;
use glyphnet::label_issues::{JudgedLabel, LabelIssues};
use glyphnet::nn::Network;
use glyphnet::recipe::Monitor;

use super::sheet::{Sheet, problem};
use crate::error::ArtifactError;
use glyphnet::saved_run::{RunState, SavedRun, Thumbnails};

/// Images that are shown for their losses, and labels that are shown as probably wrong.
pub(super) const MOST_LOSSES: usize = 27;
pub(super) const MOST_ISSUES: usize = 27;
/// Bytes that all stored images may take of the page.
const IMAGES: usize = 1_200_000;

/// A run with everything that follows from it.
pub(super) struct Page<'a> {
    pub(super) run: &'a SavedRun,
    pub(super) state: RunState,
    /// The names of the classes, by label; empty where they are not known.
    pub(super) classes: Vec<String>,
    /// The epoch whose network was kept.
    pub(super) kept: Option<u32>,
    /// What it was chosen by; `None` where the last epoch is the model.
    pub(super) monitor: Option<Monitor>,
    /// `None` where the shape of the images is not known.
    pub(super) network: Option<Network>,
    /// Validation before test.
    pub(super) splits: Vec<Split<'a>>,
}

/// What the kept network said to the images of a split.
pub(super) struct Split<'a> {
    pub(super) saved: &'a SavedSplit,
    pub(super) analysis: Analysis,
    pub(super) issues: Option<LabelIssues>,
    pub(super) sheet: Option<Sheet>,
}

impl<'a> Page<'a> {
    pub(super) fn new(run: &'a SavedRun) -> Result<Page<'a>, ArtifactError> {
        let held_out = run.predictions.iter().filter(|split| split.split != "train" && split.classes <= MOST_CLASSES);
        let budget = IMAGES / held_out.clone().count().max(1);
        let splits = held_out.map(|saved| Split::new(run, saved, budget)).collect::<Result<Vec<_>, _>>()?;
        let kept = Some(run.best_epoch()).filter(|&epoch| epoch > 0);
        let (classes, network, state) = (run.classes(), run.network(), run.state());
        Ok(Page { run, classes, state, kept, monitor: monitor(run), network, splits })
    }

    /// What the class with this label is called.
    pub(super) fn class(&self, label: u32) -> String {
        match self.classes.get(label as usize).map(|name| name.trim()) {
            Some(name) if !name.is_empty() => shortened(name, 60),
            _ if self.named() => format!("class {label}"),
            _ => label.to_string(),
        }
    }

    /// Whether the classes have names, other than their numbers.
    pub(super) fn named(&self) -> bool {
        self.classes.iter().any(|name| !name.trim().is_empty())
    }

    /// What `run.toml` notes about where the run was made.
    pub(super) fn noted(&self, key: &str) -> Option<&str> {
        self.run.noted(key)
    }
}

impl<'a> Split<'a> {
    fn new(run: &SavedRun, saved: &'a SavedSplit, budget: usize) -> Result<Split<'a>, ArtifactError> {
        let failed = |error: glyphnet::Error| ArtifactError::report(&error);
        let SavedSplit { labels, probabilities, classes, .. } = saved;
        let analysis = Analysis::new(labels, probabilities, *classes).map_err(failed)?;
        let issues = (*classes > 1).then(|| LabelIssues::find(labels, probabilities, *classes));
        let mut split = Split { saved, analysis, issues: issues.transpose().map_err(failed)?, sheet: None };
        if let Some(thumbnails) = run.thumbnails.iter().find(|thumbnails| thumbnails.split == saved.split) {
            if let Some(problem) = problem(thumbnails, labels.len()) {
                return Err(ArtifactError::report(&problem));
            }
            let ranks = split.ranks(thumbnails);
            split.sheet = Sheet::new(thumbnails, |row| ranks[&row], budget)?;
        }
        Ok(split)
    }

    /// `validation` or `test`.
    pub(super) fn name(&self) -> &'a str {
        &self.saved.split
    }

    /// Images that were classified wrong.
    pub(super) fn wrong(&self) -> u64 {
        self.analysis.images as u64 - self.analysis.confusion.right()
    }

    /// The labels that are probably wrong, the likeliest first.
    pub(super) fn issues(&self) -> Vec<&JudgedLabel> {
        self.issues.iter().flat_map(LabelIssues::issues).collect()
    }

    /// Which of the stored images are the first to have: those that the page shows, then the first of each cell of the
    /// confusion matrix, the second of each, and so on.
    fn ranks(&self, thumbnails: &Thumbnails) -> HashMap<u32, usize> {
        let losses = self.analysis.top_losses.iter().take(MOST_LOSSES).map(|loss| loss.row as u32);
        let shown: HashSet<u32> =
            losses.chain(self.issues().iter().take(MOST_ISSUES).map(|issue| issue.row as u32)).collect();
        let mut seen: HashMap<(u32, u32), usize> = HashMap::new();
        let rank = |&row: &u32| {
            let before = seen.entry((self.saved.labels[row as usize], self.ranked(row)[0])).or_default();
            *before += 1;
            (row, if shown.contains(&row) { 0 } else { *before })
        };
        thumbnails.rows.iter().map(rank).collect()
    }

    /// The classes by their probability for the image in this row, the most probable first.
    pub(super) fn ranked(&self, row: u32) -> Vec<u32> {
        self.saved.ranked(row as usize)
    }

    /// What the network says of the image in this row to be of this class.
    pub(super) fn probability(&self, row: u32, class: u32) -> f32 {
        self.saved.row(row as usize)[class as usize]
    }
}

/// `text`, or as much of it as `most` letters hold.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let cut: String = text.chars().take(most - 1).collect();
    format!("{}\u{2026}", cut.trim_end())
}

/// What decides which epoch's network is kept; nothing does without a validation split.
fn monitor(run: &SavedRun) -> Option<Monitor> {
    let validated = run.history.iter().any(|epoch| epoch.val_loss.is_some());
    let chosen = run.recipe.early_stopping.as_ref().map_or(Monitor::ValLoss, |stopping| stopping.monitor);
    validated.then_some(chosen)
}
