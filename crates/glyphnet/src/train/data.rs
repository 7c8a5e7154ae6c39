//! From a source and a recipe to what the loop works on.

use glyphnet_data::augment::Augmenter;
use glyphnet_data::split::train_test_split;
use glyphnet_data::{Amount, Dataset, Preprocess, Source, Subset};
use glyphnet_kernels::random::{Purpose, Stream};

use crate::Error;
use crate::nn::Batch;
use crate::recipe::Recipe;

/// The images of a run. Validation and test are never augmented.
#[derive(Debug)]
pub struct TrainingData<'a> {
    /// What is learned from: images of the source, which are not copied.
    pub train: Subset<'a>,
    /// Rows of `validation` in the source's training images; in its own validation split where it brings one.
    pub validation_indices: Vec<u32>,
    /// What the model is chosen by.
    pub validation: Option<Dataset>,
    /// Things to say aloud.
    pub notes: Vec<String>,
}

impl<'a> TrainingData<'a> {
    /// Limits and splits the source's images as the recipe says.
    ///
    /// # Errors
    /// If there are no labels, or the split cannot be made.
    pub fn new(recipe: &Recipe, source: &'a Source) -> Result<TrainingData<'a>, Error> {
        let mut notes = Vec::new();
        let Some(labels) = &source.train.labels else {
            return Err(Error::Mismatch(format!("{} has no labels: training needs them", source.name)));
        };
        check_labels(&source.train, "training", source)?;
        if let Some(validation) = &source.validation {
            check_labels(validation, "validation", source)?;
        }
        let seed = recipe.data.split_seed.unwrap_or(recipe.train.seed);
        let mut rows: Vec<u32> = (0..source.train.len() as u32).collect();
        if recipe.data.limit > 0 && recipe.data.limit < rows.len() {
            Stream::new(seed, Purpose::Sample, 0, 0).shuffle(&mut rows);
            rows.truncate(recipe.data.limit);
            rows.sort_unstable();
        }
        let own = source.validation.as_ref().filter(|v| v.labels.is_some() && !v.is_empty());
        if let Some(validation) = own {
            let train = Subset::new(&source.train, rows);
            let validation_indices = (0..validation.len() as u32).collect();
            return Ok(TrainingData { train, validation_indices, validation: Some(validation.clone()), notes });
        }
        let none = match recipe.data.validation {
            Amount::Fraction(fraction) => fraction == 0.0,
            Amount::Count(count) => count == 0,
        };
        if none {
            notes.push("no validation split: the last epoch will be the model".to_owned());
            let train = Subset::new(&source.train, rows);
            return Ok(TrainingData { train, validation_indices: Vec::new(), validation: None, notes });
        }
        let chosen: Vec<u32> = rows.iter().map(|&row| labels[row as usize]).collect();
        let stratify = recipe.data.stratify.then_some(&chosen[..]);
        let split = train_test_split(rows.len(), stratify, recipe.data.validation, seed)?;
        let pick = |indices: &[u32]| indices.iter().map(|&i| rows[i as usize]).collect::<Vec<u32>>();
        let validation_indices = pick(&split.held_out);
        let validation = Some(source.train.select(&validation_indices));
        let train = Subset::new(&source.train, pick(&split.train));
        Ok(TrainingData { train, validation_indices, validation, notes })
    }
}

/// A source that was put together in code may be wrong in ways that a file cannot.
fn check_labels(dataset: &Dataset, split: &str, source: &Source) -> Result<(), Error> {
    let Some(labels) = &dataset.labels else { return Ok(()) };
    let (images, classes, name) = (dataset.len(), source.classes.len(), &source.name);
    if labels.len() != images {
        let labels = labels.len();
        return Err(Error::Mismatch(format!("{name}: {images} {split} images have {labels} labels")));
    }
    match labels.iter().position(|&label| label as usize >= classes) {
        None => Ok(()),
        Some(row) => {
            let label = labels[row];
            Err(Error::Mismatch(format!("{name}: {split} image {row} has label {label}, of {classes} classes")))
        }
    }
}

/// One batch of an epoch: each sample is warped and normalised by the worker that is about to run it.
pub(super) struct EpochBatch<'a> {
    pub(super) data: &'a Subset<'a>,
    pub(super) rows: &'a [u32],
    pub(super) augmenter: Option<&'a Augmenter>,
    pub(super) preprocess: &'a Preprocess,
    pub(super) epoch: u32,
}

impl Batch for EpochBatch<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        let row = self.rows[position];
        let channels = self.data.shape().channels;
        let image = self.data.image(row as usize);
        match self.augmenter {
            Some(augmenter) => {
                augmenter.apply(&augmenter.draw(self.epoch, row), image, input);
                self.preprocess.normalise_f32(input, channels);
            }
            None => self.preprocess.normalise_u8(image, channels, input),
        }
    }

    fn label(&self, position: usize) -> u32 {
        self.data.label(self.rows[position] as usize).unwrap_or_default()
    }
}
