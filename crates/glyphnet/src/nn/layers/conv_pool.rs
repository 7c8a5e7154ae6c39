//! Convolution, relu and max-pooling as one op: the convolution's output never leaves the scratch of its thread, and
//! the backward pass follows the few pixels that won their windows.

use std::ops::Range;

use glyphnet_kernels::{
    Activation, ConvPool, Isa, Pooled, PooledGradients, PooledWeights, add_filter_major, pooled_gradients,
};

use super::convolve::{Convolution, describe_conv};
use super::pool2d::describe_max_pool;
use crate::nn::LayerSpec;
use crate::nn::layer::{Backward, Needs, Op, OpContext, Pass, Tape, Values};

/// One op for two layers, where there is one. `context` is the first layer's.
pub(crate) fn fuse(first: &LayerSpec, second: &LayerSpec, context: &OpContext) -> Option<Box<dyn Op>> {
    let (LayerSpec::Conv2d(conv), LayerSpec::MaxPool2d(pool)) = (first, second) else { return None };
    if context.training && context.frozen {
        // The way back through the winners alone gathers the gradient of the weights too.
        return None;
    }
    let relu = match conv.activation {
        Activation::Relu => true,
        Activation::Linear => false,
        _ => return None,
    };
    let shape = ConvPool { conv: conv.shape(context.input)?, pool: pool.shape(context.output)?, relu };
    if !shape.fits() {
        return None;
    }
    Some(Box::new(ConvPoolOp {
        isa: context.isa,
        shape,
        kernel: context.tensors[0].clone(),
        bias: context.tensors.get(1).cloned(),
        forward: Convolution::new(context.isa, &shape.conv, context.kernels),
        training: context.training,
        weights: (context.training && context.input_gradient).then(|| PooledWeights::new(context.isa, &shape)),
    }))
}

struct ConvPoolOp {
    isa: Isa,
    shape: ConvPool,
    kernel: Range<usize>,
    bias: Option<Range<usize>>,
    forward: Convolution,
    training: bool,
    /// The kernel for the gradient of the input, where training asks for that.
    weights: Option<PooledWeights>,
}

impl Op for ConvPoolOp {
    fn describe(&self) -> String {
        let ConvPool { conv, pool, relu } = &self.shape;
        let relu = if *relu { ", relu" } else { "" };
        let backward = if self.training { ", sparse backward" } else { "" };
        let kernel = self.forward.name();
        format!("{}{relu}, {}: {kernel}{backward}", describe_conv(conv), describe_max_pool(pool))
    }

    fn packed(&self) -> usize {
        self.forward.packed() + self.weights.as_ref().map_or(0, PooledWeights::floats)
    }

    fn needs(&self) -> Needs {
        let forward = self.forward.pooled_scratch_len(&self.shape);
        match self.training {
            false => Needs { scratch: forward, ..Needs::default() },
            true => Needs {
                floats: 0,
                indices: self.shape.pool.output_len(),
                scratch: forward.max(self.shape.scratch_len()),
                scratch_indices: self.shape.indices_len(),
                gathered: self.shape.conv.weights_len(),
            },
        }
    }

    fn prepare(&mut self, values: Values<'_>) {
        let kernel = &values.weights[self.kernel.clone()];
        self.forward.pack(kernel);
        if let Some(weights) = &mut self.weights {
            weights.pack(kernel);
        }
    }

    fn forward(&self, pass: &Pass<'_>, x: &[f32], y: &mut [f32], tape: Tape<'_>, scratch: &mut [f32]) {
        let bias = self.bias.clone().map_or(&[][..], |range| &pass.weights[range]);
        self.forward.forward_pooled(&self.shape, x, bias, y, tape.indices, scratch);
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, tape: Tape<'_>, scratch: &mut [f32], gradient: &mut [f32]) {
        let (input, pooled) = (self.shape.conv.input_len(), self.shape.pool.output_len());
        let mut dx = io.dx;
        let mut db = self.bias.clone().map(|range| &mut gradient[range]);
        for s in 0..io.dy.len() / pooled {
            let cut = s * pooled..(s + 1) * pooled;
            let side = Pooled { y: &io.y[cut.clone()], dy: &io.dy[cut.clone()], argmax: &tape.indices[cut] };
            let sample = s * input..(s + 1) * input;
            let dx = dx.as_deref_mut().map(|dx| &mut dx[sample.clone()]);
            let gradients = PooledGradients {
                gathered: io.gathered,
                db: db.as_deref_mut().unwrap_or_default(),
                dx: self.weights.as_ref().zip(dx),
            };
            pooled_gradients(self.isa, &self.shape, &io.x[sample], side, gradients, scratch, io.indices);
        }
    }

    fn flush(&self, gathered: &[f32], gradient: &mut [f32]) {
        add_filter_major(&self.shape.conv, gathered, &mut gradient[self.kernel.clone()]);
    }
}
