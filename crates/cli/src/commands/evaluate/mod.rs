//! `evaluate`: what a model gets right and wrong on labelled data.

mod measure;
mod print;

use glyphnet::nn::Threads;
use glyphnet_data::Part;
use serde::Serialize;

use self::measure::Measured;
use super::run_data::{self, Run};
use super::splits::Splits;
use super::{model, source};
use crate::args::{EvaluateArgs, SplitName};
use crate::error::CliError;
use crate::output::{Out, say};

/// What is measured where no data is named and the model comes from no run.
const DEFAULT_DATA: &str = "mnist";

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
            Ok(dataset) => measured.push(Measured::new(&model, part, &dataset, &threads)?),
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
        let (model_name, classes) = (args.model.display().to_string(), model.classes());
        return out.json(&Document { model: &model_name, data: &data, classes, splits: &measured });
    }
    print::write(&measured, model.classes(), out)
}

/// All that was measured, as JSON (`docs/evaluate-output.md`).
#[derive(Serialize)]
struct Document<'a> {
    model: &'a str,
    data: &'a str,
    /// Names, by label.
    classes: &'a [String],
    splits: &'a [Measured],
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
