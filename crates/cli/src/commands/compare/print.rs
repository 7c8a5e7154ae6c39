//! The comparison for people.

use std::io::Write as _;

use glyphnet::saved_run::RunState;

use super::figures::{Comparison, Figures, possible_pairs};
use crate::commands::text::{count, grouped, percent};
use crate::error::CliError;
use crate::output::Out;
use crate::table::{Align, Table};

/// So many settings are listed.
const MOST_SETTINGS: usize = 40;
/// Rarer than this by chance alone, a difference is called more than chance.
const RARE: f64 = 0.05;
/// Stands where there is no figure.
const NONE: &str = "-";

pub(super) fn text(comparison: &Comparison, out: &mut Out) -> Result<(), CliError> {
    runs(comparison, out)?;
    settings(comparison, out)?;
    pairs(comparison, out)?;
    if !comparison.notes.is_empty() {
        writeln!(out)?;
    }
    for note in &comparison.notes {
        writeln!(out, "note: {note}")?;
    }
    if let Some(picture) = &comparison.picture {
        writeln!(out, "\ncurves written to {}", picture.display())?;
    }
    Ok(())
}

/// One line for each run.
fn runs(comparison: &Comparison, out: &mut Out) -> Result<(), CliError> {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new([
        ("", left),
        ("run", left),
        ("recipe", left),
        ("parameters", right),
        ("epochs", right),
        ("kept", right),
        ("val loss", right),
        ("val accuracy", right),
        ("test accuracy", right),
        ("images/s", right),
        ("train s", right),
        ("state", left),
    ]);
    for (place, run) in comparison.runs.iter().enumerate() {
        table.row(cells(run, comparison.best == Some(place)));
    }
    table.write(out)?;
    if comparison.best.is_some() {
        writeln!(out, "* the highest validation accuracy; test images have no say in it")?;
    }
    Ok(())
}

fn cells(run: &Figures, best: bool) -> [String; 12] {
    let text = |value: Option<String>| value.unwrap_or_else(|| NONE.to_owned());
    let state = match run.state {
        RunState::Open => "not finished",
        RunState::Interrupted => "interrupted",
        RunState::Finished => "finished",
    };
    [
        if best { "*" } else { "" }.to_owned(),
        run.name.clone(),
        text(run.recipe.clone()),
        text(run.parameters.map(|number| grouped(number as u64))),
        format!("{}/{}", run.epochs_run, run.epochs),
        text((run.best_epoch > 0).then(|| run.best_epoch.to_string())),
        text(run.validation.map(|score| format!("{:.4}", score.loss))),
        text(run.validation.map(|score| percent(score.accuracy))),
        text(run.test.map(|score| percent(score.accuracy))),
        text(run.images_per_second.map(|speed| grouped(speed.round() as u64))),
        text(run.train_seconds.map(|seconds| format!("{seconds:.1}"))),
        state.to_owned(),
    ]
}

/// The settings that differ, one line each.
fn settings(comparison: &Comparison, out: &mut Out) -> Result<(), CliError> {
    writeln!(out)?;
    if comparison.settings.is_empty() {
        return Ok(writeln!(out, "all settings are the same")?);
    }
    let names = comparison.runs.iter().map(|run| (run.name.as_str(), Align::Left));
    let mut table = Table::new([("setting", Align::Left)].into_iter().chain(names));
    for setting in comparison.settings.iter().take(MOST_SETTINGS) {
        let values = setting.values.iter().map(|value| value.clone().unwrap_or_else(|| NONE.to_owned()));
        table.row([setting.name.clone()].into_iter().chain(values));
    }
    table.write(out)?;
    match comparison.settings.len().saturating_sub(MOST_SETTINGS) {
        0 => Ok(()),
        more => Ok(writeln!(out, "... and {} more (all with --json)", count(more, "setting"))?),
    }
}

/// The reference against each other run.
fn pairs(comparison: &Comparison, out: &mut Out) -> Result<(), CliError> {
    let Some(first) = comparison.pairs.first() else { return Ok(()) };
    let reference = &comparison.runs[first.reference].name;
    let (left, right) = (Align::Left, Align::Right);
    let only = format!("only {reference} right");
    let mut table = Table::new([
        (format!("{reference} against").as_str(), left),
        ("on", left),
        ("images", right),
        ("answers differ", right),
        (only.as_str(), right),
        ("only the other right", right),
        ("p", right),
        ("difference in accuracy", left),
    ]);
    for pair in &comparison.pairs {
        let answers = &pair.answers;
        let verdict = match answers.only_first == answers.only_second {
            true => "none",
            false if pair.p_adjusted < RARE => "more than chance",
            false => "may be chance",
        };
        table.row([
            comparison.runs[pair.run].name.clone(),
            pair.split.to_owned(),
            grouped(answers.images as u64),
            grouped(answers.different),
            grouped(answers.only_first),
            grouped(answers.only_second),
            if pair.p_adjusted < 1e-4 { "<0.0001".to_owned() } else { format!("{:.4}", pair.p_adjusted) },
            verdict.to_owned(),
        ]);
    }
    writeln!(out)?;
    table.write(out)?;
    writeln!(
        out,
        "p: how often chance alone makes so large a difference (McNemar's exact test); below {RARE} it is rare"
    )?;
    let runs = comparison.runs.len();
    if runs > 2 {
        let times = possible_pairs(runs);
        writeln!(
            out,
            "p is multiplied by {times}, the number of pairs among {runs} runs: among more pairs chance makes a larger difference"
        )?;
    }
    Ok(())
}
