//! What a run came to: `metrics.json`, and what is printed at its end.

use std::io::Write as _;
use std::path::Path;

use glyphnet::evaluate::Score;
use glyphnet::train::{FitOptions, Metrics, Outcome, RunFolder};
use glyphnet_artifacts::quoted;
use glyphnet_data::{Source, SourceKind};

use super::plan::Plan;
use super::tensorboard;
use crate::commands::report::REPORT;
use crate::commands::text::{count, grouped, percent};
use crate::error::CliError;
use crate::output::Out;
use crate::terminal::Style;

pub(super) fn write_metrics(
    plan: &Plan,
    options: &FitOptions,
    outcome: &Outcome,
    folder: &RunFolder,
) -> Result<(), CliError> {
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
        flops: Some(outcome.flops),
        validation: outcome.validation,
        test: outcome.test,
        interrupted: outcome.interrupted,
        extended: outcome.extended.clone(),
        members: Vec::new(),
    };
    save_metrics(&metrics, folder)
}

pub(super) fn save_metrics(metrics: &Metrics, folder: &RunFolder) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(metrics)? + "\n";
    Ok(folder.write("metrics.json", &text)?)
}

pub(super) fn write(
    outcome: &Outcome,
    source: &Source,
    test_wanted: bool,
    folder: &Path,
    out: &mut Out,
) -> Result<(), CliError> {
    write_scores(outcome.test, outcome.validation, source, test_wanted, out)?;
    let epochs = outcome.history.records().len();
    writeln!(out, "best epoch           {} of {epochs}", outcome.best_epoch)?;
    let speed = outcome.images as f64 / outcome.train_seconds.max(1e-9);
    let images = grouped(outcome.images);
    let seconds = outcome.train_seconds;
    writeln!(out, "training             {images} images in {seconds:.1} s, {} images/s", grouped(speed as u64))?;
    write_end(source, folder, out)
}

/// What an ensemble came to.
pub(super) fn write_ensemble(
    metrics: &Metrics,
    source: &Source,
    test_wanted: bool,
    folder: &Path,
    out: &mut Out,
) -> Result<(), CliError> {
    write_scores(metrics.test, metrics.validation, source, test_wanted, out)?;
    let mut alone: Vec<f64> = metrics.members.iter().filter_map(|m| Some(m.test?.accuracy)).collect();
    let mut of = "test";
    if alone.is_empty() {
        alone = metrics.members.iter().filter_map(|m| Some(m.validation?.accuracy)).collect();
        of = "validation";
    }
    alone.sort_by(f64::total_cmp);
    let range = match &alone[..] {
        [lowest, .., highest] => {
            format!("; each alone {} to {} of the {of} images", percent(*lowest), percent(*highest))
        }
        _ => String::new(),
    };
    writeln!(out, "networks             {}, averaged{range}", metrics.members.len())?;
    let speed = grouped(metrics.images_per_second as u64);
    writeln!(out, "training             {:.1} s, {speed} images/s", metrics.train_seconds)?;
    write_end(source, folder, out)
}

fn write_scores(
    test: Option<Score>,
    validation: Option<Score>,
    source: &Source,
    test_wanted: bool,
    out: &mut Out,
) -> Result<(), CliError> {
    let style = Style::stdout();
    match test {
        Some(test) => {
            let accuracy = style.bold(&percent(test.accuracy));
            let images = count(source.test.as_ref().map_or(0, glyphnet_data::Dataset::len), "image");
            writeln!(out, "test accuracy        {accuracy}, loss {:.4} ({images})", test.loss)?;
        }
        None if !test_wanted => writeln!(out, "test accuracy        unknown: the test images were left alone")?,
        None => writeln!(out, "test accuracy        unknown: {} has no labelled test images", source.name)?,
    }
    if let Some(validation) = validation {
        writeln!(out, "validation accuracy  {}, loss {:.4}", percent(validation.accuracy), validation.loss)?;
    }
    Ok(())
}

/// Where it all is, and what one would try now.
fn write_end(source: &Source, folder: &Path, out: &mut Out) -> Result<(), CliError> {
    let style = Style::stdout();
    writeln!(out, "run folder           {}", folder.display())?;
    let report = folder.join(REPORT);
    if report.is_file() {
        writeln!(out, "report               {}", report.display())?;
    }
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
    if let Some(events) = tensorboard::begun(folder) {
        commands.push(format!("tensorboard --logdir {}", quoted(&events.display().to_string())));
    }
    commands
}
