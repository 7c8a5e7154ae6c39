//! A large dense layer in training: the whole batch at once, cut into blocks of weights rather than of samples.
//!
//! Such a layer is bound by its weights. Were each chunk of the batch to run it alone, each would read all weights
//! again and again and gather a gradient as large as they are. Here each block of weights is read once a pass, by one
//! thread, and its gradient is written once, in place. Blocks have a fixed size, so threads do not change a bit.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use glyphnet_kernels::{
    Buffer, DenseShape, DenseWeights, Isa, bias_gradient, dense_forward, dense_weight_gradient_rows,
};
use rayon::prelude::*;

use super::activation::Epilogue;
use crate::nn::layer::{Backward, Needs, Op, OpContext, Pass, Tape, Values, Whole};

/// Bytes of weights from which on a dense layer runs on the whole batch: at 300 KB that already halves a step.
const LARGE: usize = 256 * 1024;
/// Outputs of one block of the forward pass.
const COLUMNS: usize = 32;
/// Inputs of one block of the backward pass.
const ROWS: usize = 48;
/// Samples that one panel of the backward pass holds.
const SAMPLES: usize = 32;

/// Whether a dense layer of this shape is bound by its weights, with outputs enough to share.
pub(super) fn is_large(shape: &DenseShape) -> bool {
    shape.units >= 2 * COLUMNS && shape.inputs.saturating_mul(shape.units) >= LARGE / size_of::<f32>()
}

pub(super) struct WholeDense {
    isa: Isa,
    shape: DenseShape,
    kernel: Range<usize>,
    bias: Option<Range<usize>>,
    epilogue: Epilogue,
    /// Panels of [`SAMPLES`] that hold a full batch. What follows and holds the batch is empty at first.
    capacity: usize,
    /// The batch's inputs, `n x inputs`.
    x: Buffer,
    /// Packed weights of the blocks at work: a thread takes the place of its number.
    packed: Vec<Mutex<DenseWeights>>,
    /// The batch's outputs, block by block, `n x COLUMNS` each.
    y: Vec<Buffer>,
    /// Gradients at the product's output, `n x units`.
    dy: Buffer,
    /// The same by panels of samples, transposed.
    panels: Vec<DenseWeights>,
    /// Gradients at the input: for each block of rows, for each panel, `rows x SAMPLES`.
    dx: Buffer,
}

impl WholeDense {
    pub(super) fn new(context: &OpContext, shape: DenseShape, epilogue: Epilogue) -> WholeDense {
        let isa = context.isa;
        let blocks = shape.units.div_ceil(COLUMNS);
        let block = DenseShape { inputs: shape.inputs, units: COLUMNS };
        WholeDense {
            isa,
            shape,
            kernel: context.tensors[0].clone(),
            bias: context.tensors.get(1).cloned(),
            epilogue,
            capacity: context.batch_size.div_ceil(SAMPLES),
            x: Buffer::new(0),
            packed: (0..blocks).map(|_| Mutex::new(DenseWeights::forward(isa, &block))).collect(),
            y: Vec::new(),
            dy: Buffer::new(0),
            panels: Vec::new(),
            dx: Buffer::new(0),
        }
    }

    /// A panel of samples for the backward pass.
    fn panel(&self) -> DenseWeights {
        DenseWeights::gradient(self.isa, &DenseShape { inputs: SAMPLES, units: self.shape.units })
    }

    /// The first output of block `b`: the last block may overlap the one before it, and computes the same there.
    fn column(&self, b: usize) -> usize {
        (b * COLUMNS).min(self.shape.units - COLUMNS)
    }
}

impl Op for WholeDense {
    fn describe(&self) -> String {
        format!("dense{}: whole batch", self.epilogue.describe())
    }

    fn packed(&self) -> usize {
        let floats = |block: &Mutex<DenseWeights>| block.lock().unwrap_or_else(PoisonError::into_inner).floats();
        self.packed.iter().map(floats).sum()
    }

    /// There are no weights to take in; room for the batch is made once.
    fn prepare(&mut self, _: Values<'_>) {
        if !self.panels.is_empty() {
            return;
        }
        let (DenseShape { inputs, units }, batch) = (self.shape, self.capacity * SAMPLES);
        self.x = Buffer::new(batch * inputs);
        self.y = self.packed.iter().map(|_| Buffer::new(batch * COLUMNS)).collect();
        self.dy = Buffer::new(batch * units);
        self.panels = (0..self.capacity).map(|_| self.panel()).collect();
        self.dx = Buffer::new(batch * inputs);
    }

    fn needs(&self) -> Needs {
        Needs { floats: self.epilogue.tape_len(self.shape.units), ..Needs::default() }
    }

    /// Takes the samples' outputs from the whole batch's.
    fn forward(&self, pass: &Pass<'_>, _: &[f32], y: &mut [f32], tape: Tape<'_>, _: &mut [f32]) {
        for (s, y) in y.chunks_exact_mut(self.shape.units).enumerate() {
            let row = (pass.first + s) * COLUMNS..(pass.first + s + 1) * COLUMNS;
            for (b, block) in self.y.iter().enumerate() {
                y[self.column(b)..][..COLUMNS].copy_from_slice(&block[row.clone()]);
            }
        }
        self.epilogue.forward(y, tape.floats);
    }

    /// Takes the samples' input gradients from the whole batch's.
    fn backward(&self, pass: &Pass<'_>, io: Backward<'_>, _: Tape<'_>, _: &mut [f32], _: &mut [f32]) {
        let Some(dx) = io.dx else { return };
        let (inputs, samples) = (self.shape.inputs, self.panels.len() * SAMPLES);
        for (b, block) in self.dx.chunks(ROWS * samples).enumerate() {
            let rows = block.len() / samples;
            for (s, dx) in dx.chunks_exact_mut(inputs).enumerate() {
                let (panel, column) = ((pass.first + s) / SAMPLES, (pass.first + s) % SAMPLES);
                let from = block[panel * rows * SAMPLES..].iter().skip(column).step_by(SAMPLES);
                dx[b * ROWS..b * ROWS + rows].iter_mut().zip(from).for_each(|(dx, &v)| *dx = v);
            }
        }
    }

    fn whole(&self) -> Option<&dyn Whole> {
        Some(self)
    }

    fn whole_mut(&mut self) -> Option<&mut dyn Whole> {
        Some(self)
    }
}

impl Whole for WholeDense {
    fn weights(&self) -> Range<usize> {
        self.kernel.start..self.bias.as_ref().map_or(self.kernel.end, |bias| bias.end)
    }

    fn room(&self) -> usize {
        let sample = 2 * self.shape.inputs + self.shape.units + self.packed.len() * COLUMNS;
        let panel = (SAMPLES * sample).saturating_add(self.panel().floats());
        self.capacity.saturating_mul(panel)
    }

    fn inputs(&mut self) -> &mut [f32] {
        &mut self.x
    }

    fn forward(&mut self, weights: &[f32], samples: usize) {
        let (isa, units, relu) = (self.isa, self.shape.units, self.epilogue.is_relu());
        let shape = DenseShape { inputs: self.shape.inputs, units: COLUMNS };
        let (kernel, packed) = (&weights[self.kernel.clone()], &self.packed);
        let bias = self.bias.clone().map_or(&[][..], |range| &weights[range]);
        let x = &self.x[..samples * shape.inputs];
        self.y.par_iter_mut().with_max_len(1).enumerate().for_each(|(b, y)| {
            let start = (b * COLUMNS).min(units - COLUMNS);
            let place = rayon::current_thread_index().unwrap_or(0) % packed.len();
            let mut packed = packed[place].lock().unwrap_or_else(PoisonError::into_inner);
            packed.pack_forward_columns(kernel, units, start);
            let bias = if bias.is_empty() { bias } else { &bias[start..start + COLUMNS] };
            dense_forward(isa, &shape, x, &packed, bias, relu, &mut y[..samples * COLUMNS]);
        });
    }

    fn finish(&self, y: &[f32], tape: Tape<'_>, dy: &mut [f32]) {
        self.epilogue.backward(tape.floats, y, dy);
    }

    fn gradients(&mut self) -> &mut [f32] {
        &mut self.dy
    }

    fn backward(&mut self, weights: &[f32], samples: usize, input_gradient: bool, gradient: &mut [f32]) {
        let (isa, shape, units) = (self.isa, self.shape, self.shape.units);
        let (x, all) = (&self.x[..samples * shape.inputs], &self.dy[..]);
        let (dy, kernel) = (&all[..samples * units], &weights[self.kernel.clone()]);
        if let Some(bias) = &self.bias {
            gradient[bias.clone()].fill(0.0);
            bias_gradient(isa, dy, &mut gradient[bias.clone()]);
        }
        let capacity = self.panels.len() * SAMPLES;
        let used = if input_gradient { samples.div_ceil(SAMPLES) } else { 0 };
        let (panels, panel) = (&mut self.panels[..used], SAMPLES * units);
        panels.par_iter_mut().zip(all.par_chunks(panel)).for_each(|(to, dy)| to.pack_gradient(dy));
        let (panels, product) = (&*panels, DenseShape { inputs: units, units: SAMPLES });
        gradient[self.kernel.clone()]
            .par_chunks_mut(ROWS * units)
            .with_max_len(1)
            .zip(kernel.par_chunks(ROWS * units))
            .zip(self.dx.par_chunks_mut(ROWS * capacity))
            .enumerate()
            .for_each(|(b, ((dw, w), dx))| {
                dw.fill(0.0);
                dense_weight_gradient_rows(isa, &shape, x, dy, b * ROWS, dw);
                for (panel, dx) in panels.iter().zip(dx.chunks_exact_mut(w.len() / units * SAMPLES)) {
                    dense_forward(isa, &product, w, panel, &[], false, dx);
                }
            });
    }
}
