//! The results: `issues.csv`, `issues.png`, `predictions.safetensors`, and what is printed.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use glyphnet::evaluate::{SplitPredictions, write_predictions};
use glyphnet::label_issues::{JudgedLabel, LabelIssues, OutOfSample};
use glyphnet::train::RunFolder;
use glyphnet_artifacts::{SampleGrid, Tile};
use glyphnet_data::formats::folder::training_files;
use glyphnet_data::{Source, SourceKind};

use crate::commands::samples::drawable;
use crate::commands::text::{count, percent};
use crate::error::CliError;
use crate::output::{Out, say};
use crate::table::{Align, Table};

/// So many issues are drawn, and so many in a row.
const DRAWN: usize = 60;
const COLUMNS: usize = 10;
/// So many are printed.
const PRINTED: usize = 10;

/// Writes what was found into the folder. A picture that cannot be drawn is no reason to lose the rest.
pub(super) fn files(
    source: &Source,
    judged: &OutOfSample,
    found: &LabelIssues,
    folder: &RunFolder,
) -> Result<(), CliError> {
    let labels = source.train.labels.as_deref().unwrap_or_default();
    let indices = (0..labels.len() as u32).collect();
    let predictions = SplitPredictions { split: "train", indices, labels, predictions: &judged.predictions };
    write_predictions(&folder.file("predictions.safetensors"), &[predictions])?;
    folder.write("issues.csv", &csv(source, judged, found)?)?;
    if found.issues().next().is_some()
        && let Err(error) = draw(source, found).save_png(&folder.file("issues.png"))
    {
        say!("note: {}", crate::error::chain(&error));
    }
    Ok(())
}

/// One line for each issue, the likeliest first.
fn csv(source: &Source, judged: &OutOfSample, found: &LabelIssues) -> Result<String, CliError> {
    let files = match source.kind {
        SourceKind::Folder => Some(training_files(Path::new(&source.name))?),
        _ => None,
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let heading =
        ["rank", "index", "label", "suggested", "label_probability", "suggested_probability", "margin", "fold"];
    writer.write_record(heading.into_iter().chain(files.is_some().then_some("file")))?;
    for (rank, issue) in (1..).zip(found.issues()) {
        let JudgedLabel { row, label, suggested, label_probability, suggested_probability, margin, .. } = issue;
        let fields: [String; 8] = [
            format!("{rank}"),
            row.to_string(),
            name(source, *label),
            name(source, *suggested),
            label_probability.to_string(),
            suggested_probability.to_string(),
            margin.to_string(),
            judged.folds[*row].to_string(),
        ];
        let file = files
            .as_ref()
            .map(|files: &Vec<PathBuf>| files.get(*row).map(|file| file.display().to_string()).unwrap_or_default());
        writer.write_record(fields.into_iter().chain(file))?;
    }
    let bytes = writer.into_inner().map_err(|error| CliError::failed(error.to_string()))?;
    Ok(String::from_utf8(bytes)?)
}

/// The likeliest issues, each under its label and what it looks like instead.
fn draw(source: &Source, found: &LabelIssues) -> SampleGrid {
    let label = |class| drawable(&source.classes, class);
    let issues = found.issues().take(DRAWN);
    let drawn: Vec<(usize, String)> = issues
        .map(|issue| (issue.row, format!("{}\n\u{2192} {}", label(issue.label), label(issue.suggested))))
        .collect();
    let tiles = drawn.iter().map(|(row, label)| Tile { pixels: source.train.images.get(*row), label });
    SampleGrid::draw(source.shape(), &tiles.collect::<Vec<_>>(), COLUMNS)
}

/// What a person should know, and where the rest is.
pub(super) fn summary(
    source: &Source,
    judged: &OutOfSample,
    found: &LabelIssues,
    folder: &Path,
    out: &mut Out,
) -> Result<(), CliError> {
    let labels = source.train.labels.as_deref().unwrap_or_default();
    let agree = judged.predictions.labels().iter().zip(labels).filter(|(a, b)| a == b).count();
    let (all, issues) = (labels.len().max(1) as f64, found.issues().count());
    let share = percent(agree as f64 / all);
    writeln!(out, "{share} of {} are what networks that have not seen the images say", count(labels.len(), "label"))?;
    writeln!(out, "{} ({}) {} probably wrong", count(issues, "label"), percent(issues as f64 / all), be(issues))?;
    if issues > 0 {
        write_table(source, found, out)?;
        if issues > PRINTED {
            writeln!(out, "... and {} more in issues.csv", count(issues - PRINTED, "label"))?;
        }
    }
    let place = folder.display();
    writeln!(out, "\nresults are in {place}: issues.csv{}", if issues > 0 { ", issues.png" } else { "" })?;
    Ok(writeln!(out, "the probabilities behind them are in predictions.safetensors there")?)
}

fn write_table(source: &Source, found: &LabelIssues, out: &mut Out) -> Result<(), CliError> {
    let (left, right) = (Align::Left, Align::Right);
    let columns =
        [("index", right), ("label", left), ("probability", right), ("suggested", left), ("probability", right)];
    let mut table = Table::new(columns);
    for issue in found.issues().take(PRINTED) {
        let [label, suggested] = [issue.label_probability, issue.suggested_probability].map(|p| percent(f64::from(p)));
        table.row([issue.row.to_string(), name(source, issue.label), label, name(source, issue.suggested), suggested]);
    }
    writeln!(out)?;
    Ok(table.write(out)?)
}

fn be(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// The name of a class; its number where it has none.
fn name(source: &Source, class: u32) -> String {
    source.classes.get(class as usize).cloned().unwrap_or_else(|| class.to_string())
}
