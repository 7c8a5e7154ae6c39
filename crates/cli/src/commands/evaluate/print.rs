//! What was measured, for people.

use std::io::{self, Write};

use glyphnet::analysis::{Analysis, Averages, Bin};

use super::measure::Measured;
use crate::commands::text::{count, grouped, percent};
use crate::error::CliError;
use crate::output::Out;
use crate::table::{Align, Table};
use crate::terminal::Style;

/// Of more classes than this, only so many are listed: those that are found worst.
const MOST_CLASSES: usize = 60;
/// So many pairs of confused classes are listed.
const MOST_PAIRS: usize = 10;

/// One line for each split, then what there is to say about each.
pub(super) fn write(splits: &[Measured], classes: &[String], out: &mut Out) -> Result<(), CliError> {
    let right = Align::Right;
    let mut table = Table::new([("split", Align::Left), ("images", right), ("loss", right), ("accuracy", right)]);
    for split in splits {
        table.row([
            split.split.clone(),
            grouped(split.images as u64),
            split.loss.map_or_else(|| "no labels".to_owned(), |loss| format!("{loss:.4}")),
            split.accuracy.map_or_else(|| "no labels".to_owned(), percent),
        ]);
    }
    table.write(out)?;
    for split in splits {
        if let Some(analysis) = &split.analysis {
            write_headline(split, analysis, out)?;
            write_classes(analysis, classes, out)?;
            write_confused(analysis, classes, out)?;
            write_calibration(analysis, out)?;
        }
    }
    Ok(out.flush()?)
}

fn write_headline(split: &Measured, analysis: &Analysis, out: &mut Out) -> io::Result<()> {
    let wrong: u64 = analysis.confused.iter().map(|pair| pair.count).sum();
    let title = format!("{}: {} of {} wrong", split.split, grouped(wrong), count(split.images, "image"));
    writeln!(out, "\n{}", Style::stdout().bold(&title))?;
    if let Some(kept) = &split.known_label_errors {
        let (set_aside, images) = (count(kept.errors.rows.len(), "wrong label"), count(kept.images, "image"));
        writeln!(out, "accuracy {} of {images}, with {set_aside} set aside:", percent(kept.accuracy))?;
        writeln!(out, "  {}", kept.errors.source)?;
    }
    let top = analysis.top.iter().map(|top| format!(", in the top {} {}", top.k, percent(top.accuracy)));
    let top: String = top.collect();
    writeln!(out, "label most probable {}{top}", percent(analysis.accuracy))?;
    let calibration = &analysis.calibration;
    let (ece, mce) = (percent(calibration.ece), percent(calibration.mce));
    writeln!(out, "Brier score {:.4}, calibration error {ece} expected (ECE), {mce} at most (MCE)", analysis.brier)
}

fn write_classes(analysis: &Analysis, classes: &[String], out: &mut Out) -> io::Result<()> {
    let right = Align::Right;
    let columns = [("precision", right), ("recall", right), ("F1", right), ("images", right)];
    let mut table = Table::new([("class", Align::Left)].into_iter().chain(columns));
    let mut listed: Vec<usize> = (0..analysis.classes).collect();
    if listed.len() > MOST_CLASSES {
        listed.sort_by(|&a, &b| analysis.per_class[a].f1.total_cmp(&analysis.per_class[b].f1));
        listed.truncate(MOST_CLASSES);
    }
    for class in &listed {
        let metrics = &analysis.per_class[*class];
        let figures = [metrics.precision, metrics.recall, metrics.f1].map(percent);
        table.row([name(classes, *class)].into_iter().chain(figures).chain([grouped(metrics.support)]));
    }
    let images = grouped(analysis.images as u64);
    let mut average = |name: &str, averages: Averages| {
        let figures = [averages.precision, averages.recall, averages.f1].map(percent);
        table.row([name.to_owned()].into_iter().chain(figures).chain([images.clone()]));
    };
    average("mean of the classes", analysis.macro_average);
    average("weighted by images", analysis.weighted_average);
    writeln!(out)?;
    table.write(out)?;
    if listed.len() < analysis.classes {
        let (listed, all) = (listed.len(), count(analysis.classes, "class"));
        writeln!(out, "these are the {listed} with the lowest F1 of {all} (all with --json)")?;
    }
    Ok(())
}

fn write_confused(analysis: &Analysis, classes: &[String], out: &mut Out) -> io::Result<()> {
    if analysis.confused.is_empty() {
        return Ok(());
    }
    let right = Align::Right;
    let columns = [("label", Align::Left), ("taken for", Align::Left), ("images", right), ("of the label's", right)];
    let mut table = Table::new(columns);
    for pair in analysis.confused.iter().take(MOST_PAIRS) {
        let names = [pair.label, pair.predicted].map(|class| name(classes, class as usize));
        table.row(names.into_iter().chain([grouped(pair.count), percent(pair.share_of_label)]));
    }
    writeln!(out)?;
    table.write(out)?;
    match analysis.confused.len().saturating_sub(MOST_PAIRS) {
        0 => Ok(()),
        more => writeln!(out, "... and {} more (all with --json)", count(more, "pair")),
    }
}

fn write_calibration(analysis: &Analysis, out: &mut Out) -> io::Result<()> {
    let right = Align::Right;
    let mut table = Table::new([("probability", right), ("images", right), ("mean", right), ("right", right)]);
    for Bin { lower, upper, count, confidence, accuracy } in &analysis.calibration.bins {
        if *count > 0 {
            let range = format!("{:.1} to {:.1} %", lower * 100.0, upper * 100.0);
            table.row([range, grouped(*count), percent(*confidence), percent(*accuracy)]);
        }
    }
    writeln!(out)?;
    table.write(out)
}

/// The name of a class; its number where it has none.
fn name(classes: &[String], class: usize) -> String {
    classes.get(class).cloned().unwrap_or_else(|| class.to_string())
}
