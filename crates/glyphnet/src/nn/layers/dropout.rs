//! Dropout: a mask that is a pure function of seed, step, layer, sample and element.

use glyphnet_kernels::{Isa, dropout_backward, dropout_forward};

use crate::nn::layer::{Backward, Layer, Op, OpContext, Pass, Tape};
use crate::nn::{Dropout, LayerError, Shape};

/// Room for the layer's number beside the step in a mask's position.
const LAYERS: u64 = 1 << 16;

impl Layer for &Dropout {
    fn output(&self, input: Shape) -> Result<Shape, LayerError> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(LayerError::Setting { key: "rate", needs: "in [0, 1)", got: self.rate.to_string() });
        }
        Ok(input)
    }

    fn op(&self, context: &OpContext) -> Option<Box<dyn Op>> {
        if !context.training || self.rate == 0.0 {
            return None;
        }
        let (len, layer) = (context.input.len(), context.index as u64);
        Some(Box::new(DropoutOp { isa: context.isa, rate: self.rate, len, layer }))
    }
}

struct DropoutOp {
    isa: Isa,
    rate: f32,
    len: usize,
    layer: u64,
}

impl DropoutOp {
    fn position(&self, pass: &Pass<'_>) -> u64 {
        pass.step.wrapping_mul(LAYERS) + self.layer
    }
}

impl Op for DropoutOp {
    fn describe(&self) -> String {
        format!("dropout {}", self.rate)
    }

    fn forward(&self, pass: &Pass<'_>, x: &[f32], y: &mut [f32], _: Tape<'_>, _: &mut [f32]) {
        for (i, (x, y)) in x.chunks_exact(self.len).zip(y.chunks_exact_mut(self.len)).enumerate() {
            dropout_forward(self.isa, self.rate, pass.seed, self.position(pass), (pass.first + i) as u32, x, y);
        }
    }

    fn backward(&self, pass: &Pass<'_>, io: Backward<'_>, _: Tape<'_>, _: &mut [f32], _: &mut [f32]) {
        let Some(dx) = io.dx else { return };
        for (i, (dy, dx)) in io.dy.chunks_exact(self.len).zip(dx.chunks_exact_mut(self.len)).enumerate() {
            dropout_backward(self.isa, self.rate, pass.seed, self.position(pass), (pass.first + i) as u32, dy, dx);
        }
    }
}
