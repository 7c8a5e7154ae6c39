//! `submit`: Kaggle's test file becomes the submission file.

use std::io::Write as _;

use glyphnet::nn::Threads;
use glyphnet_artifacts::write_submission;
use glyphnet_data::Dataset;

use super::model;
use super::text::count;
use crate::args::SubmitArgs;
use crate::error::CliError;
use crate::output::Out;
use crate::progress::{self, Unit};

pub(crate) fn run(args: SubmitArgs, out: &mut Out) -> Result<(), CliError> {
    let model = model::load(&args.model)?;
    let threads = Threads::new(args.threads.map_or(0, usize::from))?;
    let spinner = progress::spinner(format!("reading {}", args.input.display()));
    let data = threads.run(|| model::read_csv(&model, &args.input));
    spinner.finish_and_clear();
    let Dataset { images, labels } = data?;
    if labels.is_some() {
        return Err(CliError::failed(format!("{} has labels; did you mean test.csv?", args.input.display())));
    }
    let bar = progress::bar("predicting", images.len() as u64, Unit::Images);
    let mut labels = Vec::with_capacity(images.len());
    model::predict(&model, &threads, &images, &bar, |_, predictions| labels.extend(predictions.labels()))?;
    bar.finish_and_clear();
    write_submission(&args.output, labels.iter().map(|&label| model.classes()[label as usize].as_str()))?;
    Ok(writeln!(out, "{}: {}", args.output.display(), count(labels.len(), "row"))?)
}
