//! Max and average pooling.

use glyphnet_kernels::{
    Isa, PoolShape, avg_pool_backward, avg_pool_forward, max_pool_backward, max_pool_forward, max_pool_inference,
};

use super::window::Window;
use crate::nn::layer::{Backward, Layer, Needs, Op, OpContext, Pass, Tape};
use crate::nn::{LayerError, LayerSpec, Padding, Pair, Pool2d, Shape};

impl Pool2d {
    /// Windows of this size, side by side.
    pub fn new(size: impl Into<Pair>) -> Pool2d {
        Pool2d { size: size.into(), stride: None, padding: Padding::VALID }
    }

    /// With this stride.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Pool2d {
        self.stride = Some(stride.into());
        self
    }

    /// With this padding.
    pub fn padding(mut self, padding: Padding) -> Pool2d {
        self.padding = padding;
        self
    }

    pub(in crate::nn) fn window(&self, input: Shape) -> Result<Window, LayerError> {
        let window = Window::new(input, ("size", self.size), self.stride.unwrap_or(self.size), self.padding)?;
        let pad = window.pad;
        if pad.top.max(pad.bottom) >= window.size.0 || pad.left.max(pad.right) >= window.size.1 {
            return Err(LayerError::Setting {
                key: "padding",
                needs: "smaller than the window",
                got: format!("[{}, {}]", pad.top.max(pad.bottom), pad.left.max(pad.right)),
            });
        }
        Ok(window)
    }

    pub(super) fn shape(&self, input: Shape) -> Option<PoolShape> {
        let w = self.window(input).ok()?;
        Some(PoolShape {
            height: w.height,
            width: w.width,
            channels: w.channels,
            window: w.size,
            stride: w.stride,
            pad: w.pad,
        })
    }
}

impl LayerSpec {
    /// Max pooling with windows of this size, side by side.
    pub fn max_pool2d(size: impl Into<Pair>) -> LayerSpec {
        LayerSpec::MaxPool2d(Pool2d::new(size))
    }

    /// Average pooling with windows of this size, side by side.
    pub fn avg_pool2d(size: impl Into<Pair>) -> LayerSpec {
        LayerSpec::AvgPool2d(Pool2d::new(size))
    }
}

/// Max pooling as a layer.
pub(crate) struct MaxPool<'a>(pub(crate) &'a Pool2d);

/// Average pooling as a layer.
pub(crate) struct AvgPool<'a>(pub(crate) &'a Pool2d);

impl Layer for MaxPool<'_> {
    fn output(&self, input: Shape) -> Result<Shape, LayerError> {
        Ok(self.0.window(input)?.output(input.channels()))
    }

    fn op(&self, context: &OpContext) -> Option<Box<dyn Op>> {
        let shape = self.0.shape(context.input)?;
        Some(Box::new(MaxPoolOp { isa: context.isa, shape, training: context.training }))
    }
}

impl Layer for AvgPool<'_> {
    fn output(&self, input: Shape) -> Result<Shape, LayerError> {
        Ok(self.0.window(input)?.output(input.channels()))
    }

    fn op(&self, context: &OpContext) -> Option<Box<dyn Op>> {
        Some(Box::new(AvgPoolOp { isa: context.isa, shape: self.0.shape(context.input)? }))
    }
}

/// For example `max-pool 2x2`.
pub(super) fn describe_max_pool(shape: &PoolShape) -> String {
    format!("max-pool {}x{}", shape.window.0, shape.window.1)
}

struct MaxPoolOp {
    isa: Isa,
    shape: PoolShape,
    training: bool,
}

impl Op for MaxPoolOp {
    fn describe(&self) -> String {
        describe_max_pool(&self.shape)
    }

    fn needs(&self) -> Needs {
        let indices = if self.training { self.shape.output_len() } else { 0 };
        Needs { indices, ..Needs::default() }
    }

    fn forward(&self, _: &Pass<'_>, x: &[f32], y: &mut [f32], tape: Tape<'_>, _: &mut [f32]) {
        if self.training {
            max_pool_forward(self.isa, &self.shape, x, y, tape.indices);
        } else {
            max_pool_inference(self.isa, &self.shape, x, y);
        }
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, tape: Tape<'_>, _: &mut [f32], _: &mut [f32]) {
        if let Some(dx) = io.dx {
            max_pool_backward(self.isa, &self.shape, io.dy, tape.indices, dx);
        }
    }
}

struct AvgPoolOp {
    isa: Isa,
    shape: PoolShape,
}

impl Op for AvgPoolOp {
    fn describe(&self) -> String {
        format!("average pool {}x{}", self.shape.window.0, self.shape.window.1)
    }

    fn forward(&self, _: &Pass<'_>, x: &[f32], y: &mut [f32], _: Tape<'_>, _: &mut [f32]) {
        avg_pool_forward(self.isa, &self.shape, x, y);
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, _: Tape<'_>, _: &mut [f32], _: &mut [f32]) {
        if let Some(dx) = io.dx {
            avg_pool_backward(self.isa, &self.shape, io.dy, dx);
        }
    }
}
