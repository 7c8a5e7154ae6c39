//! `evaluate`: loss and accuracy of a model on labelled data.

mod splits;

use std::io::Write as _;

use glyphnet::Model;
use glyphnet::evaluate::{Score, evaluate_with_progress};
use glyphnet::nn::Threads;
use glyphnet_data::{Dataset, Part};
use serde::Serialize;

use self::splits::Splits;
use super::run_data::{self, Run};
use super::text::{grouped, percent};
use super::{model, source};
use crate::args::{EvaluateArgs, SplitName};
use crate::error::CliError;
use crate::output::{Out, say};
use crate::progress::{self, Unit};
use crate::table::{Align, Table};

/// What is measured where no data is named and the model comes from no run.
const DEFAULT_DATA: &str = "mnist";

/// One split.
#[derive(Serialize)]
struct Measured {
    split: String,
    images: usize,
    /// `null` without labels.
    loss: Option<f64>,
    accuracy: Option<f64>,
}

pub(crate) fn run(args: EvaluateArgs, out: &mut Out) -> Result<(), CliError> {
    let model = model::load(&args.model)?;
    let run = Run::of_model(&args.model)?;
    let data = match (&args.data, &run) {
        (Some(data), _) => data.clone(),
        (None, Some(run)) => run_data::locate(&run.recipe, &run.file)?,
        (None, None) => DEFAULT_DATA.to_owned(),
    };
    let options = run.as_ref().map(|run| source::options_of(&run.recipe)).unwrap_or_default();
    let threads = Threads::new(args.threads.map_or(0, usize::from))?;
    let source = threads.run(|| model::open_for(&model, &data, &options))?;
    let wanted = once(&args.splits);
    let splits = Splits::new(&source, run.as_ref(), &wanted, args.data.is_some())?;
    let (mut measured, mut problems) = (Vec::new(), Vec::new());
    for part in wanted {
        match splits.get(part) {
            Ok(dataset) => measured.push(measure(&model, part, &dataset, &threads)?),
            Err(problem) => problems.push(problem),
        }
    }
    let unlabelled = measured.iter().filter(|split| split.loss.is_none());
    problems.extend(unlabelled.map(|split| format!("the {} images of {data} have no labels", split.split)));
    if measured.iter().all(|split| split.loss.is_none()) {
        let (problems, labelled) = (problems.join("; "), splits.labelled().join(", "));
        let hint = format!("labelled are: {labelled} (choose with --split, or other data with --data)");
        return Err(CliError::failed(format!("there is nothing to evaluate on: {problems}; {hint}")));
    }
    problems.iter().for_each(|problem| say!("note: {problem}"));
    if args.json {
        return write_json(&args.model.display().to_string(), &data, &measured, out);
    }
    write_table(&measured, out)
}

impl From<SplitName> for Part {
    fn from(name: SplitName) -> Part {
        match name {
            SplitName::Train => Part::Train,
            SplitName::Validation => Part::Validation,
            SplitName::Test => Part::Test,
        }
    }
}

/// What was asked for, each only once.
fn once(names: &[SplitName]) -> Vec<Part> {
    let mut parts = Vec::new();
    for part in names.iter().copied().map(Part::from) {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

fn measure(model: &Model, part: Part, dataset: &Dataset, threads: &Threads) -> Result<Measured, CliError> {
    let bar = progress::bar(format!("evaluating {part}"), dataset.len() as u64, Unit::Images);
    let mut progress = |done: usize, _total| bar.set_position(done as u64);
    let evaluation = evaluate_with_progress(model, dataset, threads, &mut progress);
    bar.finish_and_clear();
    let score: Option<Score> = evaluation?.map(|evaluation| evaluation.score);
    let (loss, accuracy) = (score.map(|s| s.loss), score.map(|s| s.accuracy));
    Ok(Measured { split: part.to_string(), images: dataset.len(), loss, accuracy })
}

fn write_json(model: &str, data: &str, splits: &[Measured], out: &mut Out) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Document<'a> {
        model: &'a str,
        data: &'a str,
        splits: &'a [Measured],
    }
    out.json(&Document { model, data, splits })
}

fn write_table(splits: &[Measured], out: &mut Out) -> Result<(), CliError> {
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
    Ok(out.flush()?)
}
