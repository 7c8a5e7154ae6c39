//! `compare`: several runs beside each other, as a table and as a picture.

mod figures;
mod print;

use std::collections::HashSet;
use std::path::PathBuf;

use glyphnet::saved_run::SavedRun;
use glyphnet_artifacts::pictures::{self, ComparedRun, MOST_RUNS};
use glyphnet_data::write_atomic;

use self::figures::Comparison;
use super::check_png;
use super::text::printable;
use crate::args::CompareArgs;
use crate::error::CliError;
use crate::output::{Out, say};

/// What is said of runs that are drawn while others are not.
const CHOSEN: &str = "those with the highest validation accuracy";

pub(crate) fn run(args: CompareArgs, out: &mut Out) -> Result<(), CliError> {
    check_png(&args.out)?;
    check_distinct(&args.runs)?;
    let runs = open(&args.runs)?;
    let names = names(&runs);
    let mut comparison = Comparison::new(&runs, &names)?;
    if runs.iter().any(|run| !run.history.is_empty()) {
        draw(&runs, &names, &args)?;
        comparison.picture = Some(args.out.clone());
    } else {
        say!("note: no run has had an epoch yet: there is nothing to draw");
    }
    if args.json { out.json(&comparison) } else { print::text(&comparison, out) }
}

/// The runs in `folders`. Folders that are none, as `runs/*` may name, are passed over while two others are left.
fn open(folders: &[PathBuf]) -> Result<Vec<SavedRun>, CliError> {
    let (others, mut found): (Vec<&PathBuf>, Vec<&PathBuf>) =
        folders.iter().partition(|folder| folder.is_dir() && !folder.join("run.toml").exists());
    if found.len() < 2 {
        found = folders.iter().collect();
    } else {
        for folder in others {
            let folder = printable(&folder.display().to_string());
            say!("note: {folder} is left out: no run, there is no run.toml");
        }
    }
    Ok(found.into_iter().map(|folder| SavedRun::open(folder)).collect::<Result<_, _>>()?)
}

/// Refuses a run that is named twice: it would be compared with itself.
fn check_distinct(folders: &[PathBuf]) -> Result<(), CliError> {
    let mut seen = HashSet::new();
    for folder in folders {
        if !seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
            return Err(CliError::Usage(format!("{}: the run is named twice", folder.display())));
        }
    }
    Ok(())
}

/// What the runs are called: the names of their folders, or the paths as typed where two folders have one name.
fn names(runs: &[SavedRun]) -> Vec<String> {
    let distinct: HashSet<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let name =
        |run: &SavedRun| if distinct.len() == runs.len() { run.name.clone() } else { run.path.display().to_string() };
    runs.iter().map(|run| printable(&name(run))).collect()
}

/// Writes the picture; of more runs than it has room for, those that are best on validation, in the order typed.
fn draw(runs: &[SavedRun], names: &[String], args: &CompareArgs) -> Result<(), CliError> {
    let mut chosen: Vec<usize> = (0..runs.len()).collect();
    let accuracy = |place: usize| runs[place].validation().map_or(-1.0, |score| score.accuracy);
    chosen.sort_by(|&a, &b| accuracy(b).total_cmp(&accuracy(a)));
    chosen.truncate(MOST_RUNS);
    chosen.sort_unstable();
    let drawn = chosen.into_iter().map(|place| ComparedRun {
        name: &names[place],
        epochs: &runs[place].history,
        best_epoch: runs[place].best_epoch(),
    });
    let png = pictures::compare(&drawn.collect::<Vec<_>>(), runs.len(), CHOSEN)?;
    write_atomic(&args.out, &png)
        .map_err(|error| CliError::failed(format!("cannot write '{}': {error}", args.out.display())))
}
