//! Batch normalisation (Ioffe and Szegedy 2015) over all axes but the last.
//!
//! While training, mean and variance are those of the whole batch, so the layer couples the batch. Otherwise the
//! running averages are used, and the layer is one scale and shift a channel.

use std::ops::Range;

use glyphnet_kernels::{Isa, Moments, batch_norm_backward, batch_norm_backward_sums, scale_shift};

use crate::nn::layer::{Backward, Coupled, Layer, Op, OpContext, Parameter, Pass, Start, Tape, Values};
use crate::nn::{BatchNorm, LayerError, Shape};

/// Keras's default momentum.
const KERAS_MOMENTUM: f32 = 0.99;

impl BatchNorm {
    /// How much of the running average stays at each step, and whether the running variance is the unbiased one.
    fn convention(&self) -> (f64, bool) {
        match (self.keras_momentum, self.torch_momentum) {
            (_, Some(torch)) => (1.0 - f64::from(torch), true),
            (keras, None) => (f64::from(keras.unwrap_or(KERAS_MOMENTUM)), false),
        }
    }
}

impl Layer for &BatchNorm {
    fn output(&self, input: Shape) -> Result<Shape, LayerError> {
        let setting = |key, needs, got: f32| Err(LayerError::Setting { key, needs, got: got.to_string() });
        match (self.keras_momentum, self.torch_momentum) {
            (Some(_), Some(torch)) => setting("torch_momentum", "absent where keras_momentum is given", torch),
            (Some(m), _) if !(0.0..=1.0).contains(&m) => setting("keras_momentum", "in [0, 1]", m),
            (_, Some(m)) if !(0.0..=1.0).contains(&m) => setting("torch_momentum", "in [0, 1]", m),
            _ if !(self.epsilon > 0.0 && self.epsilon.is_finite()) => setting("epsilon", "above 0", self.epsilon),
            _ => Ok(input),
        }
    }

    fn parameters(&self, input: Shape) -> Vec<Parameter> {
        let shape = vec![input.channels()];
        let state = |name, start| Parameter { name, shape: shape.clone(), start, trained: false };
        vec![
            Parameter::trained("gamma", shape.clone(), Start::Ones),
            Parameter::trained("beta", shape.clone(), Start::Zeros),
            state("moving_mean", Start::Zeros),
            state("moving_variance", Start::Ones),
        ]
    }

    fn op(&self, context: &OpContext) -> Option<Box<dyn Op>> {
        if !context.training || self.frozen {
            let zeros = vec![0.0; context.input.channels()];
            return Some(Box::new(AffineOp { isa: context.isa, affine: Affine::new(self, context), zeros }));
        }
        let channels = context.input.channels();
        let (keep, unbiased) = self.convention();
        let zeros = || vec![0.0; channels];
        Some(Box::new(BatchNormOp {
            isa: context.isa,
            channels,
            epsilon: self.epsilon,
            keep,
            own_keep: keep,
            unbiased,
            tensors: context.tensors.clone(),
            mean: zeros(),
            inv_std: zeros(),
            scale: zeros(),
            shift: zeros(),
            sums: vec![0.0; 2 * channels],
            count: 0.0,
        }))
    }
}

/// Batch norm by its running averages: one scale and one shift for each channel.
pub(super) struct Affine {
    epsilon: f32,
    /// gamma, beta, moving mean, moving variance.
    tensors: Vec<Range<usize>>,
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

impl Affine {
    pub(super) fn new(layer: &BatchNorm, context: &OpContext) -> Affine {
        let zeros = || vec![0.0; context.input.channels()];
        Affine { epsilon: layer.epsilon, tensors: context.tensors.clone(), scale: zeros(), shift: zeros() }
    }

    pub(super) fn channels(&self) -> usize {
        self.scale.len()
    }

    /// Scale and shift of each channel, before they are rounded.
    pub(super) fn exact<'a>(&self, values: Values<'a>) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        let tensor = |array: &'a [f32], i: usize| array[self.tensors[i].clone()].iter().map(|&v| f64::from(v));
        let (gamma, beta) = (tensor(values.weights, 0), tensor(values.weights, 1));
        let (mean, variance) = (tensor(values.state, 2), tensor(values.state, 3));
        let epsilon = f64::from(self.epsilon);
        gamma.zip(beta).zip(mean.zip(variance)).map(move |((gamma, beta), (mean, variance))| {
            let scale = gamma / (variance + epsilon).sqrt();
            (scale, beta - mean * scale)
        })
    }

    pub(super) fn prepare(&mut self, values: Values<'_>) {
        let exact = self.exact(values);
        for (c, (scale, shift)) in exact.enumerate() {
            (self.scale[c], self.shift[c]) = (scale as f32, shift as f32);
        }
    }
}

/// Batch norm by its running averages, where nothing takes it over: in inference, or frozen.
struct AffineOp {
    isa: Isa,
    affine: Affine,
    /// The shift of a gradient, one a channel.
    zeros: Vec<f32>,
}

impl Op for AffineOp {
    fn describe(&self) -> String {
        "batch norm by running averages".to_owned()
    }

    fn prepare(&mut self, values: Values<'_>) {
        self.affine.prepare(values);
    }

    fn forward(&self, _: &Pass<'_>, x: &[f32], y: &mut [f32], _: Tape<'_>, _: &mut [f32]) {
        scale_shift(self.isa, self.affine.channels(), x, &self.affine.scale, &self.affine.shift, y);
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, _: Tape<'_>, _: &mut [f32], _: &mut [f32]) {
        let Some(dx) = io.dx else { return };
        scale_shift(self.isa, self.affine.channels(), io.dy, &self.affine.scale, &self.zeros, dx);
    }
}

struct BatchNormOp {
    isa: Isa,
    channels: usize,
    epsilon: f32,
    /// How much of the running averages stays, and how much as the layer says.
    keep: f64,
    own_keep: f64,
    unbiased: bool,
    /// gamma, beta, moving mean, moving variance.
    tensors: Vec<Range<usize>>,
    mean: Vec<f32>,
    inv_std: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Sums over the batch: of `dy * xhat`, then of `dy`.
    sums: Vec<f32>,
    /// Pixels in the batch.
    count: f32,
}

impl BatchNormOp {
    /// Sets the scale and shift from a mean and a variance for each channel.
    fn normalise_by(&mut self, weights: &[f32], moments: impl Fn(usize) -> (f64, f64)) {
        let gamma = &weights[self.tensors[0].clone()];
        let beta = &weights[self.tensors[1].clone()];
        for c in 0..self.channels {
            let (mean, variance) = moments(c);
            let inv_std = 1.0 / (variance + f64::from(self.epsilon)).sqrt();
            let scale = f64::from(gamma[c]) * inv_std;
            self.mean[c] = mean as f32;
            self.inv_std[c] = inv_std as f32;
            self.scale[c] = scale as f32;
            self.shift[c] = (f64::from(beta[c]) - mean * scale) as f32;
        }
    }
}

impl Op for BatchNormOp {
    fn describe(&self) -> String {
        "batch norm over the batch".to_owned()
    }

    fn forward(&self, _: &Pass<'_>, x: &[f32], y: &mut [f32], _: Tape<'_>, _: &mut [f32]) {
        scale_shift(self.isa, self.channels, x, &self.scale, &self.shift, y);
    }

    fn backward(&self, pass: &Pass<'_>, io: Backward<'_>, _: Tape<'_>, _: &mut [f32], _: &mut [f32]) {
        let Some(dx) = io.dx else { return };
        let gamma = &pass.weights[self.tensors[0].clone()];
        let (dgamma, dbeta) = self.sums.split_at(self.channels);
        let (mean, inv_std) = (&self.mean[..], &self.inv_std[..]);
        batch_norm_backward(self.isa, self.channels, io.x, io.dy, mean, inv_std, gamma, dgamma, dbeta, self.count, dx);
    }

    fn coupled(&self) -> Option<&dyn Coupled> {
        Some(self)
    }

    fn coupled_mut(&mut self) -> Option<&mut dyn Coupled> {
        Some(self)
    }
}

impl Coupled for BatchNormOp {
    fn channels(&self) -> usize {
        self.channels
    }

    fn collect(&self, x: &[f32], moments: &mut Moments) {
        moments.add(self.isa, x);
    }

    fn keep(&mut self, share: Option<f64>) {
        self.keep = share.unwrap_or(self.own_keep);
    }

    fn settle(&mut self, moments: &Moments, weights: &[f32], state: &mut [f32]) {
        self.count = moments.count as f32;
        self.normalise_by(weights, |c| (moments.mean[c], moments.variance(c)));
        for c in 0..self.channels {
            let variance = if self.unbiased { moments.unbiased_variance(c) } else { moments.variance(c) };
            let mut average = |tensor: usize, new: f64| {
                let value = &mut state[self.tensors[tensor].start + c];
                *value = (f64::from(*value) * self.keep + new * (1.0 - self.keep)) as f32;
            };
            average(2, moments.mean[c]);
            // One value has no unbiased variance; the running one then stays as it is.
            if variance.is_finite() {
                average(3, variance);
            }
        }
    }

    fn collect_backward(&self, x: &[f32], dy: &[f32], sums: &mut [f32]) {
        let (dgamma, dbeta) = sums.split_at_mut(self.channels);
        batch_norm_backward_sums(self.isa, self.channels, x, dy, &self.mean, &self.inv_std, dgamma, dbeta);
    }

    fn settle_backward(&mut self, sums: &[f32], gradient: &mut [f32]) {
        self.sums.copy_from_slice(sums);
        let (dgamma, dbeta) = sums.split_at(self.channels);
        for (range, sums) in self.tensors.iter().zip([dgamma, dbeta]) {
            gradient[range.clone()].iter_mut().zip(sums).for_each(|(g, s)| *g += s);
        }
    }
}
