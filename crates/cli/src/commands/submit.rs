//! `submit`: Kaggle's test file becomes the submission file.

use std::io::Write as _;

use glyphnet::nn::Threads;
use glyphnet_artifacts::write_submission;

use super::model;
use super::text::count;
use crate::args::SubmitArgs;
use crate::error::CliError;
use crate::output::Out;
use crate::progress;

pub(crate) fn run(args: SubmitArgs, out: &mut Out) -> Result<(), CliError> {
    let model = model::load(&args.model)?;
    let threads = Threads::new(args.threads.map_or(0, usize::from))?;
    let spinner = progress::spinner(format!("reading {}", args.input.display()));
    let images = model::csv_images(&model, &args.input);
    spinner.finish_and_clear();
    let images = images?;
    let spinner = progress::spinner(format!("predicting {}", count(images.len(), "image")));
    let predictions = model.predict_on(&threads, &images);
    spinner.finish_and_clear();
    let labels = predictions?.labels();
    write_submission(&args.output, labels.iter().map(|&label| model.classes()[label as usize].as_str()))?;
    Ok(writeln!(out, "{}: {}, ImageId,Label", args.output.display(), count(labels.len(), "row"))?)
}
