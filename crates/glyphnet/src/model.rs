//! A trained model, ready to predict.

use std::path::Path;

use glyphnet_data::{ImageShape, Images, Preprocess};
use glyphnet_kernels::Isa;

use crate::model_file::{self, ModelFileError, ModelParts};
use crate::networks::{Networks, Predictors};
use crate::nn::{Network, Threads};
use crate::tta::{self, View};

/// A trained network, or several that are averaged, with class names and preprocessing. `Send + Sync`; `&self` predicts.
#[derive(Debug)]
pub struct Model {
    parts: ModelParts,
    predictors: Predictors,
}

/// Images that a thread predicts between two reports of progress. What is shared out between two reports must be enough
/// that no thread waits long for the last.
const ROUND: usize = 512;

/// Writes the network's input for one image.
type Fill<'a> = dyn Fn(usize, &mut [f32]) + Sync + 'a;

/// Class probabilities of some images.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    classes: usize,
    probabilities: Vec<f32>,
}

impl Model {
    /// A model of these parts, on the fastest instruction set of this CPU.
    pub fn new(parts: ModelParts) -> Model {
        Model::with_isa(parts, Isa::detect())
    }

    /// A model of these parts on the given instruction set.
    pub fn with_isa(parts: ModelParts, isa: Isa) -> Model {
        let predictors = Predictors::new(&parts.networks, isa);
        Model { parts, predictors }
    }

    /// Reads a model file, or the one in a run's folder.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn load(path: impl AsRef<Path>) -> Result<Model, ModelFileError> {
        let path = path.as_ref();
        let file = if path.is_dir() { path.join("model.safetensors") } else { path.to_owned() };
        Ok(Model::new(model_file::load(&file)?))
    }

    /// Reads a model file from memory.
    ///
    /// # Errors
    /// If the bytes are no intact model file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model, ModelFileError> {
        Ok(Model::new(model_file::from_bytes(bytes, "model")?))
    }

    /// What it was made of.
    pub fn parts(&self) -> &ModelParts {
        &self.parts
    }

    /// Class names, by label.
    pub fn classes(&self) -> &[String] {
        &self.parts.classes
    }

    /// Shape of the images it takes.
    pub fn input(&self) -> ImageShape {
        self.network().input()
    }

    /// How pixels become input.
    pub fn preprocess(&self) -> &Preprocess {
        &self.parts.preprocess
    }

    /// Its network; where it has several, the first: layers and input are those of all.
    pub fn network(&self) -> &Network {
        self.parts.network()
    }

    /// All its networks, whose probabilities are averaged.
    pub fn networks(&self) -> &Networks {
        &self.parts.networks
    }

    /// Instruction set of its kernels.
    pub fn isa(&self) -> Isa {
        self.predictors.isa()
    }

    /// Class probabilities, on the calling thread. Each image's bits are its own, whatever comes with it.
    ///
    /// # Errors
    /// If the images have another shape than [`Model::input`].
    pub fn predict(&self, images: &Images) -> Result<Predictions, ShapeMismatch> {
        Ok(self.finish(self.logits(images)?))
    }

    /// The same on a pool of threads, with the same bits.
    ///
    /// # Errors
    /// If the images have another shape than [`Model::input`].
    pub fn predict_on(&self, threads: &Threads, images: &Images) -> Result<Predictions, ShapeMismatch> {
        Ok(self.finish(self.logits_on(threads, images, &mut |_, _| {})?))
    }

    /// Class probabilities of `n` images that need not lie together, on the calling thread: `image(i)` gives the
    /// `H x W x C` pixels of image `i`. Each image's bits are its own, whatever comes with it.
    ///
    /// # Panics
    /// If an image does not have `input().len()` pixels.
    pub fn predict_scattered<'a>(&self, n: usize, image: impl Fn(usize) -> &'a [u8] + Sync) -> Predictions {
        self.finish(self.seen(n, image, |n, fill| self.predictors.logits(n, fill)))
    }

    /// What the network says of each image before softmax, `images x classes`, row-major, on the calling thread; the
    /// logarithms of the probabilities where several networks are averaged or test-time augmentation has looked again.
    ///
    /// # Errors
    /// If the images have another shape than [`Model::input`].
    pub fn logits(&self, images: &Images) -> Result<Vec<f32>, ShapeMismatch> {
        self.check(images)?;
        Ok(self.seen(images.len(), |i| images.get(i), |n, fill| self.predictors.logits(n, fill)))
    }

    /// Logits, round by round; `progress(done, total)` is called on the calling thread before the first and after each.
    pub(crate) fn logits_on(
        &self,
        threads: &Threads,
        images: &Images,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<f32>, ShapeMismatch> {
        self.check(images)?;
        let (total, round) = (images.len(), ROUND * threads.count());
        let mut logits = Vec::with_capacity(total * self.classes().len());
        progress(0, total);
        for first in (0..total).step_by(round) {
            let many = round.min(total - first);
            let run = |n: usize, fill: &Fill<'_>| self.predictors.logits_on(threads, n, fill);
            logits.extend(self.seen(many, |i| images.get(first + i), run));
            progress(first + many, total);
        }
        Ok(logits)
    }

    /// Logits of `n` images, of which `image(i)` gives the pixels, with test-time augmentation where the model has it;
    /// `run(n, fill)` gives the logits of `n` inputs.
    fn seen<'a>(
        &self,
        n: usize,
        image: impl Fn(usize) -> &'a [u8] + Sync,
        run: impl Fn(usize, &Fill<'_>) -> Vec<f32>,
    ) -> Vec<f32> {
        let (shape, preprocess) = (self.input(), self.preprocess());
        let mut logits = run(n, &|i, input| preprocess.normalise_u8(image(i), shape.channels, input));
        if let Some(below) = preprocess.tta_below {
            let softmax = |rows: &mut [f32]| self.predictors.softmax(rows);
            let views = |views: &[View]| {
                run(views.len(), &|i, input| views[i].fill(image(views[i].image), shape, preprocess, input))
            };
            tta::look_again(self.classes().len(), below, &mut logits, softmax, views);
        }
        logits
    }

    pub(crate) fn finish(&self, mut logits: Vec<f32>) -> Predictions {
        self.predictors.softmax(&mut logits);
        Predictions::new(self.classes().len(), logits)
    }

    fn check(&self, images: &Images) -> Result<(), ShapeMismatch> {
        if images.shape() == self.input() {
            Ok(())
        } else {
            Err(ShapeMismatch { model: self.input(), images: images.shape() })
        }
    }
}

/// The images do not have the shape that the model takes.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the model takes images of {model}, but these are {images}")]
pub struct ShapeMismatch {
    /// What the model takes.
    pub model: ImageShape,
    /// What was given.
    pub images: ImageShape,
}

impl From<ShapeMismatch> for crate::Error {
    fn from(mismatch: ShapeMismatch) -> crate::Error {
        crate::Error::Mismatch(mismatch.to_string())
    }
}

impl Predictions {
    /// Probabilities of `classes` classes, image by image.
    pub(crate) fn new(classes: usize, probabilities: Vec<f32>) -> Predictions {
        Predictions { classes, probabilities }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.probabilities.len() / self.classes
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.probabilities.is_empty()
    }

    /// All probabilities, `images x classes`, row-major.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The probabilities of one image, by label.
    ///
    /// # Panics
    /// If there is no image `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.probabilities[i * self.classes..(i + 1) * self.classes]
    }

    /// The most probable label of each image; of equals, the first.
    pub fn labels(&self) -> Vec<u32> {
        (0..self.len()).map(|i| self.ranked(i)[0]).collect()
    }

    /// The labels of one image, most probable first.
    pub fn ranked(&self, i: usize) -> Vec<u32> {
        ranked(self.row(i))
    }
}

/// The labels by their probabilities, most probable first; of equals, the first.
pub fn ranked(row: &[f32]) -> Vec<u32> {
    let mut labels: Vec<u32> = (0..row.len() as u32).collect();
    labels.sort_by(|&a, &b| row[b as usize].total_cmp(&row[a as usize]));
    labels
}
