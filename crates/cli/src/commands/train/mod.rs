//! `train`: a recipe and data become a run.

mod plan;
mod provenance;
mod watch;

use std::io::Write as _;
use std::path::Path;

use glyphnet::data::augment::Augmenter;
use glyphnet::nn::{Kernels, Sequential, Threads};
use glyphnet::train::{FitOptions, Metrics, Outcome, RunFolder, TrainingData, fit};
use glyphnet_data::{OpenOptions, Source, SourceKind};

use self::plan::Plan;
use self::watch::Watch;
use super::samples::Samples;
use super::source;
use super::text::{count, grouped, percent};
use crate::args::TrainArgs;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output::{Out, say};
use crate::terminal::Style;

/// Where runs are put that name no folder.
const RUNS: &str = "runs";

pub(crate) fn run(args: TrainArgs, out: &mut Out, interrupt: &Interrupt) -> Result<(), CliError> {
    let plan = Plan::new(&args)?;
    let threads = Threads::new(plan.threads)?;
    let open_options = OpenOptions { isa: plan.isa, ..source::options_of(&plan.recipe) };
    let source = threads.run(|| source::open(&plan.recipe.data.source, &open_options))?;
    check(&plan, &source)?;
    let folder = match &args.out {
        Some(path) => RunFolder::create(path),
        None => RunFolder::next(Path::new(RUNS), &plan.name),
    };
    let folder = folder.map_err(|error| {
        CliError::failed(format!("cannot make the run folder: {error} (--out names another place)"))
    })?;
    provenance::write(&plan, &source, &folder)?;
    Samples::choose(&source, plan.recipe.train.seed).save(&folder.file("samples.png"))?;
    say!("{} on {}, run folder {}", plan.name, source.name, folder.path().display());

    interrupt.heed();
    let options = FitOptions { threads, isa: plan.isa, folder: Some(folder.clone()), kernels: Kernels::default() };
    let mut watch = Watch::new(interrupt.clone());
    let outcome = fit(&plan.recipe, &source, &options, &mut watch);
    watch.finish();
    let outcome = outcome?;
    write_metrics(&plan, &options, &outcome, &folder)?;
    if outcome.interrupted {
        let place = folder.path().display();
        match outcome.best_epoch {
            0 => say!("no epoch was finished; the half-trained network was saved in {place}"),
            epoch => say!("the network of epoch {epoch} is in {place}"),
        }
        return Err(CliError::Interrupted);
    }
    write_summary(&outcome, &source, folder.path(), out)
}

/// Finds out what does not fit before a folder is made for it.
fn check(Plan { recipe, isa, .. }: &Plan, source: &Source) -> Result<(), CliError> {
    let shape = source.shape();
    Sequential::from(recipe.layer.clone()).build(shape, source.classes.len(), recipe.train.seed)?;
    recipe.preprocess.check(shape.channels).map_err(CliError::failed)?;
    if let Some(augment) = &recipe.augment {
        Augmenter::new(augment, shape, recipe.train.seed, *isa).map_err(glyphnet::Error::from)?;
    }
    TrainingData::new(recipe, source)?;
    Ok(())
}

fn write_metrics(plan: &Plan, options: &FitOptions, outcome: &Outcome, folder: &RunFolder) -> Result<(), CliError> {
    let speed = if outcome.train_seconds > 0.0 { outcome.images as f64 / outcome.train_seconds } else { 0.0 };
    let metrics = Metrics {
        recipe: plan.name.clone(),
        seed: plan.recipe.train.seed,
        threads: options.threads.count(),
        simd: plan.isa.to_string(),
        epochs_run: outcome.history.records().len() as u32,
        best_epoch: outcome.best_epoch,
        train_seconds: outcome.train_seconds,
        images_per_second: speed,
        data_wait_seconds: outcome.data_wait_seconds,
        validation: outcome.validation,
        test: outcome.test,
        extended: outcome.extended.clone(),
    };
    let text = serde_json::to_string_pretty(&metrics)? + "\n";
    Ok(folder.write("metrics.json", &text)?)
}

fn write_summary(outcome: &Outcome, source: &Source, folder: &Path, out: &mut Out) -> Result<(), CliError> {
    let style = Style::stdout();
    match outcome.test {
        Some(test) => {
            let accuracy = style.bold(&percent(test.accuracy));
            let images = count(source.test.as_ref().map_or(0, glyphnet_data::Dataset::len), "image");
            writeln!(out, "test accuracy        {accuracy}, loss {:.4} ({images})", test.loss)?;
        }
        None => writeln!(out, "test accuracy        unknown: {} has no labelled test images", source.name)?,
    }
    if let Some(validation) = outcome.validation {
        writeln!(out, "validation accuracy  {}, loss {:.4}", percent(validation.accuracy), validation.loss)?;
    }
    let epochs = outcome.history.records().len();
    writeln!(out, "best epoch           {} of {epochs}", outcome.best_epoch)?;
    let speed = outcome.images as f64 / outcome.train_seconds.max(1e-9);
    let images = grouped(outcome.images);
    let seconds = outcome.train_seconds;
    writeln!(out, "training             {images} images in {seconds:.1} s, {} images/s", grouped(speed as u64))?;
    writeln!(out, "run folder           {}", folder.display())?;
    writeln!(out, "\nnext:")?;
    for command in next_commands(source, folder) {
        writeln!(out, "  {}", style.green(&command))?;
    }
    Ok(())
}

/// What one would try now.
fn next_commands(source: &Source, folder: &Path) -> Vec<String> {
    let model = format!("--model {}", quoted(&folder.display().to_string()));
    let labelled = source.test.as_ref().is_some_and(|test| test.labels.is_some());
    let mut commands = vec![format!("glyphnet predict {model} IMAGE...")];
    if labelled {
        commands.insert(0, format!("glyphnet evaluate {model}"));
    }
    if source.kind == SourceKind::Kaggle && source.test.is_some() {
        let place = Path::new(&source.name);
        let folder = if place.is_dir() { place } else { place.parent().unwrap_or(Path::new("")) };
        let found = ["test.csv", "test.csv.gz"].map(|name| folder.join(name)).into_iter().find(|path| path.is_file());
        let test = found.map_or_else(|| "test.csv".to_owned(), |path| quoted(&path.display().to_string()));
        commands.insert(0, format!("glyphnet submit {model} {test}"));
    }
    commands.push(format!("glyphnet summary {model}"));
    commands
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
