//! Convolution, relu and max-pooling as one op: the convolution's output never leaves the scratch of its thread, and
//! the backward pass follows the few pixels that won their windows.

use std::ops::Range;

use glyphnet_kernels::{
    Activation, ConvShape, FilterMajor, Isa, PoolShape, Pooled, add_filter_major, max_pool_forward, max_pool_inference,
    pooled_input_gradient, pooled_scratch_len, pooled_weight_gradient,
};

use super::convolve::Convolution;
use crate::nn::LayerSpec;
use crate::nn::layer::{Backward, Needs, Op, OpContext, Pass, Tape, Values};

/// One op for two layers, where there is one. `context` is the first layer's.
pub(crate) fn fuse(first: &LayerSpec, second: &LayerSpec, context: &OpContext) -> Option<Box<dyn Op>> {
    let (LayerSpec::Conv2d(conv), LayerSpec::MaxPool2d(pool)) = (first, second) else { return None };
    if conv.activation != Activation::Relu {
        return None;
    }
    let conv = conv.shape(context.input)?;
    Some(Box::new(ConvPoolOp {
        isa: context.isa,
        conv,
        pool: pool.shape(context.output)?,
        kernel: context.tensors[0].clone(),
        bias: context.tensors.get(1).cloned(),
        forward: Convolution::new(context.isa, &conv, context.kernels),
        filters: context.training.then(|| FilterMajor::new(&conv)),
    }))
}

struct ConvPoolOp {
    isa: Isa,
    conv: ConvShape,
    pool: PoolShape,
    kernel: Range<usize>,
    bias: Option<Range<usize>>,
    forward: Convolution,
    /// The kernel for the input gradient; only in training.
    filters: Option<FilterMajor>,
}

impl Op for ConvPoolOp {
    fn needs(&self) -> Needs {
        let pooled = self.pool.output_len();
        let forward = self.conv.output_len() + self.forward.scratch_len();
        match self.filters {
            None => Needs { scratch: forward, ..Needs::default() },
            Some(_) => Needs {
                floats: 0,
                indices: pooled,
                scratch: forward.max(pooled_scratch_len(&self.conv, pooled)),
                scratch_indices: pooled + self.conv.filters,
                gathered: self.conv.weights_len(),
            },
        }
    }

    fn prepare(&mut self, values: Values<'_>) {
        let kernel = &values.weights[self.kernel.clone()];
        self.forward.pack(kernel);
        if let Some(filters) = &mut self.filters {
            filters.pack(kernel);
        }
    }

    fn forward(&self, pass: &Pass<'_>, x: &[f32], y: &mut [f32], tape: Tape<'_>, scratch: &mut [f32]) {
        let bias = self.bias.clone().map_or(&[][..], |range| &pass.weights[range]);
        let (z, scratch) = scratch.split_at_mut(self.conv.output_len());
        let pooled = self.pool.output_len();
        for (s, (x, y)) in x.chunks_exact(self.conv.input_len()).zip(y.chunks_exact_mut(pooled)).enumerate() {
            self.forward.forward(x, bias, true, z, scratch);
            match self.filters {
                Some(_) => {
                    max_pool_forward(self.isa, &self.pool, z, y, &mut tape.indices[s * pooled..(s + 1) * pooled])
                }
                None => max_pool_inference(self.isa, &self.pool, z, y),
            }
        }
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, tape: Tape<'_>, scratch: &mut [f32], gradient: &mut [f32]) {
        let (input, pooled) = (self.conv.input_len(), self.pool.output_len());
        let mut dx = io.dx;
        let mut db = self.bias.clone().map(|range| &mut gradient[range]);
        for s in 0..io.dy.len() / pooled {
            let cut = s * pooled..(s + 1) * pooled;
            let side = Pooled { y: &io.y[cut.clone()], dy: &io.dy[cut.clone()], argmax: &tape.indices[cut] };
            let x = &io.x[s * input..(s + 1) * input];
            let db = db.as_deref_mut().unwrap_or_default();
            pooled_weight_gradient(self.isa, &self.conv, x, side, io.gathered, db, scratch, io.indices);
            if let (Some(dx), Some(filters)) = (&mut dx, &self.filters) {
                let dx = &mut dx[s * input..(s + 1) * input];
                pooled_input_gradient(self.isa, &self.conv, side, filters, dx, scratch);
            }
        }
    }

    fn flush(&self, gathered: &[f32], gradient: &mut [f32]) {
        add_filter_major(&self.conv, gathered, &mut gradient[self.kernel.clone()]);
    }
}
