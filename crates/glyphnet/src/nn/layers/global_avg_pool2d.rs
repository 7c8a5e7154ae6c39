//! The mean of each channel over the whole image.

use glyphnet_kernels::{Isa, global_avg_pool_backward, global_avg_pool_forward};

use crate::nn::layer::{Backward, Layer, Op, OpContext, Pass, Tape};
use crate::nn::{GlobalAvgPool2d, LayerError, Shape};

impl Layer for &GlobalAvgPool2d {
    fn output(&self, input: Shape) -> Result<Shape, LayerError> {
        match input {
            Shape::Image { channels, .. } => Ok(Shape::Vector(channels)),
            Shape::Vector(_) => Err(LayerError::Input { needs: "an image".to_owned(), got: input }),
        }
    }

    fn op(&self, context: &OpContext) -> Option<Box<dyn Op>> {
        let channels = context.input.channels();
        Some(Box::new(GlobalAvgPoolOp { isa: context.isa, pixels: context.input.len() / channels, channels }))
    }
}

struct GlobalAvgPoolOp {
    isa: Isa,
    pixels: usize,
    channels: usize,
}

impl Op for GlobalAvgPoolOp {
    fn describe(&self) -> String {
        "global average pool".to_owned()
    }

    fn forward(&self, _: &Pass<'_>, x: &[f32], y: &mut [f32], _: Tape<'_>, _: &mut [f32]) {
        global_avg_pool_forward(self.isa, self.pixels, self.channels, x, y);
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, _: Tape<'_>, _: &mut [f32], _: &mut [f32]) {
        if let Some(dx) = io.dx {
            global_avg_pool_backward(self.isa, self.pixels, self.channels, io.dy, dx);
        }
    }
}
