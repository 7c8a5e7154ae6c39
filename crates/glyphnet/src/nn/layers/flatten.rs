//! Image to vector. NHWC is already in the order that Keras flattens, so nothing moves.

use crate::nn::layer::{Layer, Op, OpContext};
use crate::nn::{Flatten, LayerError, Shape};

impl Layer for &Flatten {
    fn output(&self, input: Shape) -> Result<Shape, LayerError> {
        Ok(Shape::Vector(input.len()))
    }

    fn op(&self, _: &OpContext) -> Option<Box<dyn Op>> {
        None
    }
}
