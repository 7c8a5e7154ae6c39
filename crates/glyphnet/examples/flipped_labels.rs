//! How well label issues are found: 1 % of the labels of MNIST's training images are flipped on purpose, and it is
//! counted how many of them come first.
//!
//! ```text
//! cargo run --release --package glyphnet --example flipped_labels --features embedded-mnist [-- SEED [EPOCHS [FOLDS [DIR]]]]
//! ```
//!
//! The seed is that of the flips. With a folder it leaves there what `parity/label_issues_golden.py DIR` compares with
//! cleanlab.

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use glyphnet::data::{OpenOptions, open};
use glyphnet::evaluate::{SplitPredictions, write_predictions};
use glyphnet::label_issues::{JudgedLabel, LabelIssues, OutOfSample, out_of_sample};
use glyphnet::nn::{Kernels, Threads};
use glyphnet::recipe::Recipe;
use glyphnet::train::{FitOptions, RunFolder};
use glyphnet::{Isa, Source};
use glyphnet_kernels::random::{Purpose, Stream};

/// One label in so many is flipped.
const ONE_IN: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let seed = args.next().map_or(Ok(1), |text| text.parse())?;
    let epochs = args.next().map_or(Ok(5), |text| text.parse())?;
    let folds = args.next().map_or(Ok(5), |text| text.parse())?;
    let mut recipe = Recipe::load("seed")?;
    recipe.train.epochs = epochs;
    let mut source = open("mnist", &OpenOptions::default())?;
    let flipped = flip(&mut source, seed);
    let options =
        FitOptions { threads: Threads::new(0)?, isa: Isa::detect(), folder: None, kernels: Kernels::default() };
    let judged = out_of_sample(&recipe, &source, folds, &options, &mut ())?.ok_or("nobody asked to stop")?;
    let labels = source.train.labels.as_deref().unwrap_or_default();
    let found = LabelIssues::find(labels, judged.predictions.probabilities(), source.classes.len())?;
    println!(
        "{} labels, {} of them flipped by seed {seed}; {folds} folds, {epochs} epochs each",
        labels.len(),
        flipped.len()
    );
    let mut by_margin: Vec<&JudgedLabel> = found.ranking.iter().collect();
    by_margin.sort_by(|a, b| a.margin.total_cmp(&b.margin));
    let first = |ranking: &mut dyn Iterator<Item = &JudgedLabel>| {
        ranking.take(flipped.len()).filter(|judged| flipped.contains(&judged.row)).count()
    };
    let right = first(&mut found.ranking.iter());
    report("first by probability of the label, as many as were flipped", right, flipped.len(), flipped.len());
    let right = first(&mut by_margin.into_iter());
    report("first by margin, as many", right, flipped.len(), flipped.len());
    let issues: Vec<&JudgedLabel> = found.issues().collect();
    let right = issues.iter().filter(|judged| flipped.contains(&judged.row)).count();
    report("issues", right, issues.len(), flipped.len());
    match args.next() {
        Some(folder) => leave(&source, &judged, &found, Path::new(&folder)),
        None => Ok(()),
    }
}

/// Gives one training label in [`ONE_IN`] another class, each other one as likely; which.
fn flip(source: &mut Source, seed: u64) -> HashSet<usize> {
    let classes = source.classes.len() as u32;
    let labels = source.train.labels.as_deref_mut().unwrap_or_default();
    let mut stream = Stream::new(seed, Purpose::Sample, 0, 0);
    let mut rows: Vec<usize> = (0..labels.len()).collect();
    stream.shuffle(&mut rows);
    rows.truncate(labels.len() / ONE_IN);
    for &row in &rows {
        labels[row] = (labels[row] + 1 + stream.below(classes - 1)) % classes;
    }
    rows.into_iter().collect()
}

fn report(what: &str, right: usize, listed: usize, flipped: usize) {
    let share = |whole: usize| right as f64 / whole.max(1) as f64 * 100.0;
    println!(
        "{what}: {listed}, of which {right} flipped: precision {:.2} %, recall {:.2} %",
        share(listed),
        share(flipped)
    );
}

/// Writes probabilities and issues.
fn leave(source: &Source, judged: &OutOfSample, found: &LabelIssues, path: &Path) -> Result<(), Box<dyn Error>> {
    let folder = RunFolder::create(path)?;
    let labels = source.train.labels.as_deref().unwrap_or_default();
    let indices = (0..labels.len() as u32).collect();
    let predictions = SplitPredictions { split: "train", indices, labels, predictions: &judged.predictions };
    write_predictions(&folder.file("predictions.safetensors"), &[predictions])?;
    let mut csv = "rank,index\n".to_owned();
    for (rank, judged) in (1..).zip(found.issues()) {
        writeln!(csv, "{rank},{}", judged.row)?;
    }
    Ok(folder.write("issues.csv", &csv)?)
}
