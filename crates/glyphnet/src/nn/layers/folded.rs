//! A convolution or dense layer in inference, together with what follows it: batch norm, activations, max-pooling.
//!
//! Batch norm right behind the product is folded into its weights (`kernel * scale`, `bias * scale + shift`, in f64).
//! All that follows runs on the result while it is in the cache. Steps that never make the larger of two values the
//! smaller one move behind the max-pool, where fewer values are left.

use std::ops::Range;

use glyphnet_kernels::{
    Activation, ConvPool, ConvShape, DenseShape, DenseWeights, Isa, PoolShape, dense_forward, max_pool_inference,
    scale_shift_in_place,
};

use super::activation::Epilogue;
use super::batch_norm::Affine;
use super::convolve::{Convolution, describe_conv};
use super::pool2d::describe_max_pool;
use crate::nn::LayerSpec;
use crate::nn::layer::{Backward, Needs, Op, OpContext, Pass, Tape, Values};

/// What the weights belong to.
pub(super) enum Product {
    Conv(ConvShape, Box<Convolution>),
    Dense(DenseShape, DenseWeights),
}

impl Product {
    /// Output channels.
    fn channels(&self) -> usize {
        match self {
            Product::Conv(shape, _) => shape.filters,
            Product::Dense(shape, _) => shape.units,
        }
    }

    fn input_len(&self) -> usize {
        match self {
            Product::Conv(shape, _) => shape.input_len(),
            Product::Dense(shape, _) => shape.inputs,
        }
    }

    fn output_len(&self) -> usize {
        match self {
            Product::Conv(shape, _) => shape.output_len(),
            Product::Dense(shape, _) => shape.units,
        }
    }

    fn scratch_len(&self) -> usize {
        match self {
            Product::Conv(_, convolution) => convolution.scratch_len(),
            Product::Dense(..) => 0,
        }
    }

    fn packed(&self) -> usize {
        match self {
            Product::Conv(_, convolution) => convolution.packed(),
            Product::Dense(_, weights) => weights.floats(),
        }
    }

    fn pack(&mut self, kernel: &[f32]) {
        match self {
            Product::Conv(_, convolution) => convolution.pack(kernel),
            Product::Dense(_, weights) => weights.pack_forward(kernel),
        }
    }

    fn forward(&self, isa: Isa, x: &[f32], bias: &[f32], relu: bool, y: &mut [f32], scratch: &mut [f32]) {
        match self {
            Product::Conv(_, convolution) => convolution.forward(x, bias, relu, y, scratch),
            Product::Dense(shape, weights) => dense_forward(isa, shape, x, weights, bias, relu, y),
        }
    }
}

/// A product and what was taken over from the layers behind it.
pub(super) struct FoldedOp {
    isa: Isa,
    product: Product,
    kernel: Range<usize>,
    bias_range: Option<Range<usize>>,
    /// Batch norms folded into the weights.
    folds: Vec<Affine>,
    /// Bias with the folds; empty for none.
    bias: Vec<f32>,
    /// Whether the product itself ends in relu.
    relu: bool,
    steps: Vec<Step>,
    pool: Option<Pool>,
}

/// What happens to the product's result.
enum Step {
    ScaleShift { affine: Affine, relu: bool },
    Activation(Activation, Epilogue),
}

struct Pool {
    shape: PoolShape,
    /// How many steps come before it as the layers stand.
    position: usize,
    /// How many must come before it.
    early: usize,
}

impl Step {
    fn run(&self, isa: Isa, y: &mut [f32]) {
        match self {
            Step::ScaleShift { affine, relu } => {
                scale_shift_in_place(isa, affine.channels(), y, &affine.scale, &affine.shift, *relu);
            }
            Step::Activation(_, epilogue) => epilogue.apply(y),
        }
    }

    fn describe(&self) -> String {
        match self {
            Step::ScaleShift { relu, .. } => format!(", batch norm{}", if *relu { ", relu" } else { "" }),
            Step::Activation(_, epilogue) => epilogue.describe(),
        }
    }

    /// Whether it keeps the order of any two values of a channel.
    fn rises(&self) -> bool {
        match self {
            Step::ScaleShift { affine, .. } => affine.scale.iter().all(|&scale| scale >= 0.0),
            Step::Activation(activation, _) => activation.rises(),
        }
    }
}

impl FoldedOp {
    /// A product whose layer ends in `activation`.
    pub(super) fn new(context: &OpContext, product: Product, activation: Activation) -> FoldedOp {
        let mut op = FoldedOp {
            isa: context.isa,
            product,
            kernel: context.tensors[0].clone(),
            bias_range: context.tensors.get(1).cloned(),
            folds: Vec::new(),
            bias: Vec::new(),
            relu: false,
            steps: Vec::new(),
            pool: None,
        };
        op.activate(activation);
        op
    }

    fn activate(&mut self, activation: Activation) {
        let ends_in_pool = self.pool.as_ref().is_some_and(|pool| pool.position == self.steps.len());
        let relu = activation == Activation::Relu;
        match self.steps.last_mut() {
            _ if activation == Activation::Linear => {}
            None if relu && !ends_in_pool => self.relu = true,
            Some(Step::ScaleShift { relu: then, .. }) if relu && !ends_in_pool => *then = true,
            _ => {
                let epilogue = Epilogue::new(self.isa, activation, self.product.channels());
                self.steps.push(Step::Activation(activation, epilogue));
            }
        }
    }

    /// The weights with all folds in them.
    fn fold(&mut self, values: Values<'_>) {
        let columns = self.product.channels();
        let (mut scale, mut shift) = (vec![1.0; columns], vec![0.0; columns]);
        if let Some(range) = &self.bias_range {
            let bias = &values.weights[range.clone()];
            shift.iter_mut().zip(bias).for_each(|(shift, &bias)| *shift = f64::from(bias));
        }
        for fold in &self.folds {
            for (c, (by, plus)) in fold.exact(values).enumerate() {
                scale[c] *= by;
                shift[c] = shift[c] * by + plus;
            }
        }
        let kernel = &values.weights[self.kernel.clone()];
        if self.folds.is_empty() {
            self.product.pack(kernel);
        } else {
            let by = scale.iter().cycle();
            let kernel: Vec<f32> = kernel.iter().zip(by).map(|(&w, by)| (f64::from(w) * by) as f32).collect();
            self.product.pack(&kernel);
        }
        let biased = self.bias_range.is_some() || !self.folds.is_empty();
        self.bias = if biased { shift.iter().map(|&shift| shift as f32).collect() } else { Vec::new() };
    }

    /// The product, the steps that must come before the max-pool, and the max-pool.
    fn forward_pooled(&self, pool: &Pool, x: &[f32], y: &mut [f32], scratch: &mut [f32]) {
        if let (Product::Conv(conv, convolution), 0) = (&self.product, pool.early) {
            let shape = ConvPool { conv: *conv, pool: pool.shape, relu: self.relu };
            return convolution.forward_pooled(&shape, x, &self.bias, y, &mut [], scratch);
        }
        let (z, scratch) = scratch.split_at_mut(self.product.output_len());
        let samples = x.chunks_exact(self.product.input_len());
        for (x, y) in samples.zip(y.chunks_exact_mut(pool.shape.output_len())) {
            self.product.forward(self.isa, x, &self.bias, self.relu, z, scratch);
            self.steps[..pool.early].iter().for_each(|step| step.run(self.isa, z));
            max_pool_inference(self.isa, &pool.shape, z, y);
        }
    }
}

impl Op for FoldedOp {
    fn describe(&self) -> String {
        let (mut text, kernel) = match &self.product {
            Product::Conv(shape, convolution) => (describe_conv(shape), format!(": {}", convolution.name())),
            Product::Dense(..) => ("dense".to_owned(), String::new()),
        };
        text += if self.folds.is_empty() { "" } else { " with batch norm" };
        text += if self.relu { ", relu" } else { "" };
        let position = self.pool.as_ref().map_or(0, |pool| pool.position);
        self.steps[..position].iter().for_each(|step| text += &step.describe());
        if let Some(pool) = &self.pool {
            text += &format!(", {}", describe_max_pool(&pool.shape));
        }
        self.steps[position..].iter().for_each(|step| text += &step.describe());
        text + &kernel
    }

    fn packed(&self) -> usize {
        self.product.packed()
    }

    fn needs(&self) -> Needs {
        let unpooled = if self.pool.is_some() { self.product.output_len() } else { 0 };
        Needs { scratch: unpooled + self.product.scratch_len(), ..Needs::default() }
    }

    fn absorb(&mut self, next: &LayerSpec, context: &OpContext) -> bool {
        if context.input.channels() != self.product.channels() {
            return false;
        }
        match next {
            LayerSpec::BatchNorm(layer) => {
                let affine = Affine::new(layer, context);
                if self.relu || !self.steps.is_empty() || self.pool.is_some() {
                    self.steps.push(Step::ScaleShift { affine, relu: false });
                } else {
                    self.folds.push(affine);
                }
            }
            LayerSpec::Activation(layer) => self.activate(layer.activation),
            LayerSpec::MaxPool2d(layer) if self.pool.is_none() => {
                let Some(shape) = layer.shape(context.input) else { return false };
                self.pool = Some(Pool { shape, position: self.steps.len(), early: self.steps.len() });
            }
            _ => return false,
        }
        true
    }

    fn prepare(&mut self, values: Values<'_>) {
        self.fold(values);
        for step in &mut self.steps {
            if let Step::ScaleShift { affine, .. } = step {
                affine.prepare(values);
            }
        }
        if let Some(pool) = &mut self.pool {
            let late = self.steps[..pool.position].iter().rev().take_while(|step| step.rises()).count();
            pool.early = pool.position - late;
        }
    }

    fn forward(&self, _: &Pass<'_>, x: &[f32], y: &mut [f32], _: Tape<'_>, scratch: &mut [f32]) {
        let late = match &self.pool {
            Some(pool) => {
                self.forward_pooled(pool, x, y, scratch);
                &self.steps[pool.early..]
            }
            None => {
                self.product.forward(self.isa, x, &self.bias, self.relu, y, scratch);
                &self.steps
            }
        };
        late.iter().for_each(|step| step.run(self.isa, y));
    }

    fn backward(&self, _: &Pass<'_>, _: Backward<'_>, _: Tape<'_>, _: &mut [f32], _: &mut [f32]) {
        unreachable!("layers are folded in inference alone");
    }
}
