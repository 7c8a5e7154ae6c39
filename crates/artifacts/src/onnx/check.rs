//! What was written, run by rten and compared with our own prediction.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use glyphnet::{ImageShape, Images, Model};
use glyphnet_kernels::softmax_rows;
use rten::{ModelOptions, NodeId, RunOptions, ThreadPool, Value, op_registry};

use super::{INPUT, LOGITS, OUTPUT, OnnxError};

/// How far a logit may be from ours, as a part of the largest.
const TOLERANCE: f32 = 1e-4;
/// The first two batches, before full ones: every size must be right.
const ODD_BATCHES: [usize; 2] = [1, 7];
/// Images of a full batch, where the network is not so wide that fewer fill [`ROOM`].
const BATCH: usize = 64;
/// Values that the widest layer may have for one batch.
const ROOM: usize = 1 << 25;

/// An ONNX file at work in rten.
pub struct Runtime {
    model: rten::Model,
    options: RunOptions,
    input: NodeId,
    outputs: [NodeId; 2],
}

/// What a runtime says to some images.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// The value before softmax, `images x classes`, row-major.
    pub logits: Vec<f32>,
    /// The output, `images x classes`, row-major.
    pub probabilities: Vec<f32>,
}

impl Runtime {
    /// Reads the bytes of a file; it will run on so many threads.
    ///
    /// # Errors
    /// If the runtime refuses them.
    pub fn load(bytes: Vec<u8>, threads: usize) -> Result<Runtime, OnnxError> {
        // The operators that are written, and no others: the linker leaves out the rest.
        let operators = op_registry!(
            Add,
            AveragePool,
            BatchNormalization,
            Cast,
            Conv,
            Div,
            Elu,
            Flatten,
            Gelu,
            Gemm,
            GlobalAveragePool,
            LeakyRelu,
            Log,
            Max,
            MaxPool,
            Mul,
            Relu,
            Sigmoid,
            Softmax,
            Sub,
            Tanh,
            Transpose
        );
        // As it was written: what is fused or folded would not be in every other program.
        let model =
            ModelOptions::with_ops(operators).enable_optimization(false).load(bytes).map_err(refused("read"))?;
        let node = |name| model.node_id(name).map_err(refused("read"));
        let (input, outputs) = (node(INPUT)?, [node(LOGITS)?, node(OUTPUT)?]);
        let pool = Some(Arc::new(ThreadPool::with_num_threads(threads)));
        Ok(Runtime { options: RunOptions::default().with_thread_pool(pool), model, input, outputs })
    }

    /// Runs it on one batch.
    ///
    /// # Errors
    /// If the runtime cannot, or answers with something else than matrices.
    pub fn run(&self, images: &Images) -> Result<Answers, OnnxError> {
        let ImageShape { height, width, channels } = images.shape();
        let batch = Value::from_shape([images.len(), height, width, channels], images.pixels().to_vec());
        let inputs = vec![(self.input, batch.map_err(refused("run"))?.into())];
        let answers = self.model.run_n(inputs, self.outputs, Some(self.options.clone())).map_err(refused("run"))?;
        let [logits, probabilities] = answers.map(|answer| answer.into_shape_vec::<f32, 2>());
        Ok(Answers {
            logits: logits.map_err(refused("run"))?.1,
            probabilities: probabilities.map_err(refused("run"))?.1,
        })
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("model", &self.model).finish()
    }
}

/// For `map_err`.
fn refused<E: Error + Send + Sync + 'static>(doing: &'static str) -> impl FnOnce(E) -> OnnxError {
    move |source| OnnxError::Runtime { doing, source: Box::new(source) }
}

/// How close a runtime came to our own prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Images that were compared.
    pub images: usize,
    /// The largest difference between two logits.
    pub difference: f32,
    /// The largest difference between two probabilities.
    pub probabilities: f32,
    /// The largest of our logits, without its sign.
    pub largest: f32,
}

impl Agreement {
    /// The largest difference that rounding explains: 1e-4 of the largest logit, and no less than 1e-4.
    pub fn bound(&self) -> f32 {
        TOLERANCE * self.largest.max(1.0)
    }

    /// Whether no difference is larger than that. A probability differs by less than its logits do.
    pub fn holds(&self) -> bool {
        self.largest.is_finite() && self.difference <= self.bound() && self.probabilities <= self.bound()
    }

    /// Takes in another batch of differences.
    fn add(&mut self, images: usize, ours: &Answers, theirs: &Answers) {
        self.images += images;
        self.largest = ours.logits.iter().map(|v| v.abs()).fold(self.largest, larger);
        self.difference = larger(self.difference, difference(&ours.logits, &theirs.logits));
        self.probabilities = larger(self.probabilities, difference(&ours.probabilities, &theirs.probabilities));
    }
}

/// The larger of two numbers; NaN is the largest of all.
fn larger(a: f32, b: f32) -> f32 {
    if b.is_nan() || b > a { b } else { a }
}

/// The largest difference between two numbers at the same place; infinite if one side has more of them.
fn difference(ours: &[f32], theirs: &[f32]) -> f32 {
    if ours.len() != theirs.len() {
        return f32::INFINITY;
    }
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, larger)
}

/// Runs `images` through a runtime, in batches of several sizes, and through `model`; `progress` is told how many are done.
///
/// # Errors
/// If the runtime cannot run, or the images are not such as the model takes.
pub fn compare(
    model: &Model,
    runtime: &Runtime,
    images: &Images,
    progress: &mut dyn FnMut(usize),
) -> Result<Agreement, OnnxError> {
    let mut agreement = Agreement { images: 0, difference: 0.0, probabilities: 0.0, largest: 0.0 };
    let widest = model.network().layers().iter().map(|layer| layer.output.len()).fold(model.input().len(), usize::max);
    let full = (ROOM / widest).clamp(1, BATCH);
    let mut sizes = ODD_BATCHES.into_iter().chain(std::iter::repeat(full));
    while agreement.images < images.len() {
        let size = sizes.next().unwrap_or(full).min(images.len() - agreement.images);
        let first = agreement.images as u32;
        let batch = images.select(&(first..first + size as u32).collect::<Vec<u32>>());
        let logits = model.logits(&batch).map_err(glyphnet::Error::from)?;
        let mut probabilities = logits.clone();
        softmax_rows(model.isa(), model.classes().len(), &mut probabilities);
        agreement.add(size, &Answers { logits, probabilities }, &runtime.run(&batch)?);
        progress(agreement.images);
    }
    Ok(agreement)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(ours: [f32; 3], theirs: &[f32]) -> Agreement {
        let answers = |logits: &[f32]| Answers { logits: logits.to_vec(), probabilities: vec![0.5; 3] };
        let mut agreement = Agreement { images: 0, difference: 0.0, probabilities: 0.0, largest: 0.0 };
        agreement.add(1, &answers(&ours), &answers(theirs));
        agreement
    }

    #[test]
    fn differences_are_measured_by_the_largest_logit() {
        assert!(agreement([0.1, -0.2, 0.3], &[0.1, -0.2, 0.300_09]).holds());
        assert!(!agreement([0.1, -0.2, 0.3], &[0.1, -0.2, 0.300_11]).holds());
        let large = agreement([0.1, -200.0, 0.3], &[0.1, -200.0, 0.319]);
        assert!(large.holds() && large.largest == 200.0 && (large.bound() - 0.02).abs() < 1e-6, "{large:?}");
        assert!(!agreement([0.1, -200.0, 0.3], &[0.1, -200.0, 0.321]).holds());
    }

    #[test]
    fn what_is_no_number_or_not_there_never_agrees() {
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        assert!(!agreement([nan, 1.0, 1.0], &[1.0, 1.0, 1.0]).holds());
        assert!(!agreement([1.0, 1.0, 1.0], &[nan, 1.0, 1.0]).holds());
        assert!(!agreement([nan, 1.0, 1.0], &[nan, 1.0, 1.0]).holds());
        assert!(!agreement([1.0, infinity, 1.0], &[1.0, infinity, 1.0]).holds());
        assert!(!agreement([1.0, 1.0, 1.0], &[1.0, 1.0]).holds());
    }
}
