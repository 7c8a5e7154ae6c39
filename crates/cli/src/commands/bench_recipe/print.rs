//! The results for people.

use std::io::Write as _;

use super::results::{ENOUGH_LONG_SEEDS, ENOUGH_SEEDS, Measured, Results};
use super::spread::{Range, Spread};
use crate::commands::text::{percent, printable};
use crate::error::CliError;
use crate::output::Out;
use crate::table::{Align, Table};

/// Stands where there is no figure.
pub(super) const NONE: &str = "-";

/// The table, and what a reader of it must know.
pub(super) fn text(all: &[Results], mark: Option<f64>, out: &mut Out) -> Result<(), CliError> {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new([
        ("recipe", left),
        ("n", right),
        ("network", left),
        ("test accuracy", right),
        ("95 % of mean", left),
        ("validation", right),
        ("epochs", right),
        ("train s (range)", left),
        ("wall s", right),
        ("TFLOP", right),
        ("peak MB", right),
    ]);
    all.iter().for_each(|results| table.row(cells(results)));
    table.write(out)?;
    for results in all {
        ensembles(results, out)?;
        times(results, out)?;
        if let Some(mark) = mark {
            writeln!(out, "{}", against(results, mark))?;
        }
    }
    Ok(())
}

fn cells(results: &Results) -> Vec<String> {
    let peak = results.peak_memory_bytes.map(|bytes| format!("{:.0}", bytes as f64 / 1e6));
    [printable(&results.recipe)].into_iter().chain(figures(results)).chain([or_none(peak)]).collect()
}

/// Number of networks, which of each run, test accuracy and its interval, validation accuracy, epochs, seconds of training
/// and of the whole process, operations.
pub(super) fn figures(results: &Results) -> [String; 9] {
    [
        results.seeds.len().to_string(),
        results.network.words().to_owned(),
        or_none(results.test.as_ref().map(spread)),
        or_none(results.test.as_ref().and_then(interval)),
        or_none(results.validation.as_ref().map(spread)),
        or_none(results.epochs.map(whole)),
        or_none(results.train_seconds.map(seconds)),
        or_none(results.wall_seconds.map(|wall| format!("{:.2}", wall.median))),
        or_none(results.flops.map(teraflop)),
    ]
}

pub(super) fn or_none(value: Option<String>) -> String {
    value.unwrap_or_else(|| NONE.to_owned())
}

fn ensembles(results: &Results, out: &mut Out) -> Result<(), CliError> {
    let Some(found) = &results.ensemble else { return Ok(()) };
    let (recipe, draws) = (printable(&results.recipe), found.accuracies.len());
    let shared = found.shared.map_or(String::new(), |shared| {
        format!("; two draws share {shared:.1} networks on average, so their spread is too small")
    });
    let members = found.members;
    let cost = results.train_seconds.map_or(String::new(), |train| {
        format!("; training one takes {} s, network after network", trimmed(train.median * members as f64))
    });
    let (pool, test) = (found.pool, spread(&found.test));
    writeln!(
        out,
        "{recipe}: {draws} ensembles of {members} networks, drawn from {pool}: test accuracy {test}{shared}{cost}"
    )?;
    Ok(())
}

/// Which times there are not, and why.
fn times(results: &Results, out: &mut Out) -> Result<(), CliError> {
    let (recipe, all, timed) = (printable(&results.recipe), results.seeds.len(), results.timed);
    if timed < all {
        writeln!(
            out,
            "note: {recipe}: {timed} of {all} networks have a time: one that was trained beside others (--jobs), that went on \
             after an interruption, or on other threads than the others, has none"
        )?;
    }
    Ok(())
}

/// Whether the mean reaches the mark, and in what time.
fn against(results: &Results, mark: f64) -> String {
    let (recipe, mark_text) = (printable(&results.recipe), percent(mark));
    let Some(test) = &results.test else {
        return format!("{recipe}: the test images were left alone, so nothing is said of the mark {mark_text}");
    };
    if test.mean < mark {
        return format!("{recipe}: the mean of {} networks misses the mark {mark_text}", test.n);
    }
    let time = match (results.train_seconds, results.wall_seconds) {
        (Some(train), Some(wall)) => {
            format!(": {:.2} s of training, {:.2} s of the whole process (medians)", train.median, wall.median)
        }
        _ => "; there is no time for it".to_owned(),
    };
    let few = match test.n {
        n if n < ENOUGH_LONG_SEEDS => format!("; {n} networks are too few to say so"),
        n if n < ENOUGH_SEEDS => format!("; {n} networks are enough for a long recipe only"),
        _ => String::new(),
    };
    let chosen = match results.network {
        Measured::LastEpoch => "",
        Measured::BestOnValidation => "; its epoch was chosen on held-out images",
    };
    format!("{recipe}: the mean of {} networks reaches the mark {mark_text}{time}{few}{chosen}", test.n)
}

/// `99.041 ± 0.070 %`.
pub(super) fn spread(spread: &Spread) -> String {
    match spread.sd {
        Some(sd) => format!("{:.3} ± {:.3} %", spread.mean * 100.0, sd * 100.0),
        None => format!("{:.3} %", spread.mean * 100.0),
    }
}

/// `99.008 to 99.074`.
fn interval(spread: &Spread) -> Option<String> {
    spread.interval.map(|[low, high]| format!("{:.3} to {:.3}", low * 100.0, high * 100.0))
}

/// `0.31 (0.30 to 0.35)`.
fn seconds(range: Range) -> String {
    format!("{:.2} ({:.2} to {:.2})", range.median, range.min, range.max)
}

/// `10`, or `8 to 31`.
fn whole(range: Range) -> String {
    match range.min == range.max {
        true => format!("{:.0}", range.median),
        false => format!("{:.0} to {:.0}", range.min, range.max),
    }
}

/// Operations in trillions, to three digits.
pub(super) fn teraflop(flops: f64) -> String {
    trimmed(flops / 1e12)
}

/// To about three digits; without an exponent where they can be read so.
fn trimmed(value: f64) -> String {
    if value > 0.0 && value < 0.001 {
        return format!("{value:.2e}");
    }
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else if value >= 1.0 {
        2
    } else {
        4
    };
    format!("{value:.digits$}")
}
