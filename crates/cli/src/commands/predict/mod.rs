//! `predict`: classes of images, folders of images and CSV files.

mod inputs;
mod rows;

use std::path::Path;

use glyphnet::Model;
use glyphnet::nn::Threads;
use glyphnet_data::{DataError, Images, read_image};
use indicatif::ProgressBar;

use self::inputs::Input;
use self::rows::Row;
use super::model;
use crate::args::{Invert, PredictArgs};
use crate::classify::{likeliest, swap, to_input};
use crate::error::CliError;
use crate::output::{Out, say};
use crate::progress::{self, Unit};
use crate::terminal::Style;

/// Image files are read and predicted so many at a time.
const BLOCK: usize = 256;

pub(crate) fn run(args: PredictArgs, out: &mut Out) -> Result<(), CliError> {
    let model = model::load(&args.model)?;
    let threads = Threads::new(args.threads.map_or(0, usize::from))?;
    let inputs = inputs::gather(&args.inputs)?;
    let bar = progress::bar("predicting", inputs.len() as u64, Unit::Images);
    let (invert, top) = (args.invert, args.top);
    let mut work = Work { model: &model, threads, invert, top, bar, rows: Vec::new(), unreadable: 0 };
    // Neighbouring image files go together; a CSV file is a block of its own.
    for group in inputs.chunk_by(|a, b| matches!((a, b), (Input::Image(_), Input::Image(_)))) {
        for block in group.chunks(BLOCK) {
            work.predict(block)?;
        }
    }
    work.bar.finish_and_clear();
    rows::write(&work.rows, args.format, &args.model.display().to_string(), out)?;
    match work.unreadable {
        0 => Ok(()),
        n => Err(CliError::failed(format!("{n} of {} inputs could not be predicted, as said above", inputs.len()))),
    }
}

/// What has been predicted so far, and with what.
struct Work<'a> {
    model: &'a Model,
    threads: Threads,
    invert: Invert,
    top: usize,
    bar: ProgressBar,
    rows: Vec<Row>,
    /// Inputs that could not be read.
    unreadable: usize,
}

impl Work<'_> {
    /// Predicts image files, or one CSV file.
    fn predict(&mut self, block: &[Input]) -> Result<(), CliError> {
        let shape = self.model.input();
        let (mut pixels, mut origins) = (Vec::new(), Vec::new());
        for input in block {
            let read = match input {
                Input::Image(path) => read_image(path).map(|image| (to_input(self.model, &image), None)),
                Input::Csv(path) => self.read_csv(path),
            };
            match read {
                Ok((read, rows)) => {
                    pixels.extend(read);
                    match rows {
                        // The bar has counted the file as one image.
                        Some(rows) => {
                            self.bar.inc_length(rows as u64 - 1);
                            origins.extend((1..=rows).map(|row| (input, Some(row))));
                        }
                        None => origins.push((input, None)),
                    }
                }
                Err(problem) => {
                    self.unreadable += 1;
                    self.bar.suspend(|| say!("{} {problem}", Style::stderr().red("error:")));
                    self.bar.inc(1);
                }
            }
        }
        let (model, invert, top) = (self.model, self.invert, self.top);
        let inverted: Vec<bool> =
            pixels.chunks_exact_mut(shape.len()).map(|image| swap(model, invert, image)).collect();
        let images = Images::new(shape, pixels)?;
        let rows = &mut self.rows;
        model::predict(model, &self.threads, &images, &self.bar, |first, predictions| {
            for i in 0..predictions.len() {
                let (input, row) = origins[first + i];
                let top = likeliest(predictions.row(i), model.classes(), top);
                let input = input.path().display().to_string();
                rows.push(Row { input, row, inverted: inverted[first + i], top });
            }
        })?;
        Ok(())
    }

    /// All images of a CSV file, which must have the model's input size, and how many they are.
    fn read_csv(&self, path: &Path) -> Result<(Vec<u8>, Option<usize>), DataError> {
        let images = self.threads.run(|| model::read_csv(self.model, path))?.images;
        Ok((images.pixels().to_vec(), Some(images.len())))
    }
}
