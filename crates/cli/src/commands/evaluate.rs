//! `evaluate`: loss and accuracy of a model on labelled data.

use std::io::Write as _;

use glyphnet::evaluate::{Score, evaluate_with_progress};
use glyphnet::nn::Threads;
use glyphnet_data::{Dataset, Part, Source};
use serde::Serialize;

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
    let recipe = model::recipe_of(&args.model)?;
    let data = args.data.or_else(|| recipe.as_ref().map(|recipe| recipe.data.source.clone()));
    let data = data.unwrap_or_else(|| DEFAULT_DATA.to_owned());
    let options = recipe.as_ref().map(source::options_of).unwrap_or_default();
    let source = model::open_for(&model, &data, &options)?;
    let threads = Threads::new(args.threads.map_or(0, usize::from))?;
    let mut measured = Vec::new();
    for part in args.splits.iter().copied().map(Part::from) {
        let Some(dataset) = dataset(&source, part) else {
            say!("{data} has no {part} images");
            continue;
        };
        let bar = progress::bar(format!("evaluating {part}"), dataset.len() as u64, Unit::Images);
        let mut progress = |done: usize, _total| bar.set_position(done as u64);
        let evaluation = evaluate_with_progress(&model, dataset, &threads, &mut progress);
        bar.finish_and_clear();
        let score: Option<Score> = evaluation?.map(|evaluation| evaluation.score);
        if score.is_none() {
            say!("the {part} images of {data} have no labels");
        }
        let (loss, accuracy) = (score.map(|s| s.loss), score.map(|s| s.accuracy));
        measured.push(Measured { split: part.to_string(), images: dataset.len(), loss, accuracy });
    }
    if measured.iter().all(|split| split.loss.is_none()) {
        let known: Vec<String> =
            source.parts().filter(|(_, data)| data.labels.is_some()).map(|(part, _)| part.to_string()).collect();
        let hint = format!("labelled are: {} (choose with --split, or other data with --data)", known.join(", "));
        return Err(CliError::failed(format!("there is nothing to evaluate on in {data}; {hint}")));
    }
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

fn dataset(source: &Source, wanted: Part) -> Option<&Dataset> {
    source.parts().find(|(part, _)| *part == wanted).map(|(_, data)| data)
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
