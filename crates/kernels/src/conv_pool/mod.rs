//! The backward pass of convolution, an optional relu, and max-pooling, taken together.
//!
//! Behind a max-pool only the winning pixel of each window has a gradient, and behind a relu only where it is above
//! zero: with 2x2 windows that is some five in a hundred pixels. So the gradient of the convolution's output is
//! never spread out: a list of the winners is made, and each adds its share directly.

#[cfg(target_arch = "x86_64")]
mod compressed;
mod gather;
mod spread;
mod winners;

use crate::Isa;
use crate::conv::{ConvShape, Frame};
use crate::pool::PoolShape;
use crate::transpose::add_transposed;

pub use spread::PooledWeights;
use winners::Winners;

/// A convolution and the max-pool behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvPool {
    /// The convolution.
    pub conv: ConvShape,
    /// The pool over its output.
    pub pool: PoolShape,
    /// Whether there is a relu between the two (or behind both, which is the same).
    pub relu: bool,
}

impl ConvPool {
    /// Whether [`pooled_gradients`] can take it. A winner is found by its offset from the first pixel of its window, and a
    /// window wider than the image, as padding allows, has several pixels of the same offset.
    pub fn fits(&self) -> bool {
        self.pool.window.1 <= self.pool.width
    }

    /// Floats of scratch that [`pooled_gradients`] needs.
    pub fn scratch_len(&self) -> usize {
        // The winners' gradients in two orders, and the padded input or its gradient.
        winners::gradients_len(self) + self.pool.output_len() + self.conv.forward_scratch_len()
    }

    /// Indices of scratch that [`pooled_gradients`] needs.
    pub fn indices_len(&self) -> usize {
        winners::indices_len(self) + gather::indices_len(self)
    }

    fn frame_width(&self) -> usize {
        self.conv.width + self.conv.pad.left + self.conv.pad.right
    }

    /// Input elements of a kernel row.
    fn run(&self) -> usize {
        self.conv.kernel.1 * self.conv.channels
    }

    fn check(&self, x: &[f32], side: &Pooled<'_>) {
        let ConvPool { conv, pool, .. } = self;
        let output = (conv.out_height(), conv.out_width(), conv.filters);
        assert_eq!(output, (pool.height, pool.width, pool.channels), "{pool:?} is not behind {conv:?}");
        assert!(self.fits(), "a window of {pool:?} is wider than the image");
        let n = pool.output_len();
        assert!(side.y.len() == n && side.dy.len() == n && side.argmax.len() == n, "pooled arrays of {pool:?}");
        assert_eq!(x.len(), conv.input_len(), "x is not one sample of {conv:?}");
        assert!(u32::try_from(conv.input_frame().len()).is_ok(), "places in {conv:?} do not fit into 32 bits");
    }
}

/// What the pooled side of one sample brings to the backward pass; all three are equally long.
#[derive(Debug, Clone, Copy)]
pub struct Pooled<'a> {
    /// The pooled values, after the relu (windows x filters).
    pub y: &'a [f32],
    /// The gradient of the loss with respect to them.
    pub dy: &'a [f32],
    /// Where each was found: its offset in the convolution's output.
    pub argmax: &'a [u32],
}

/// What [`pooled_gradients`] fills.
#[derive(Debug)]
pub struct PooledGradients<'a> {
    /// Added to: the kernel's gradient, filter-major (see [`add_filter_major`]).
    pub gathered: &'a mut [f32],
    /// Added to: the bias's gradient; empty for none.
    pub db: &'a mut [f32],
    /// Overwritten: the input's gradient, where it is wanted, made with these weights.
    pub dx: Option<(&'a PooledWeights, &'a mut [f32])>,
}

/// The gradients of one sample `x`. `scratch` and `indices` are at least [`ConvPool::scratch_len`] and
/// [`ConvPool::indices_len`] long.
pub fn pooled_gradients(
    isa: Isa,
    shape: &ConvPool,
    x: &[f32],
    side: Pooled<'_>,
    gradients: PooledGradients<'_>,
    scratch: &mut [f32],
    indices: &mut [u32],
) {
    shape.check(x, &side);
    let PooledGradients { gathered, db, dx } = gradients;
    assert_eq!(gathered.len(), shape.conv.weights_len(), "gathered gradient of {shape:?}");
    assert!(db.is_empty() || db.len() == shape.conv.filters, "{} bias gradients for {shape:?}", db.len());
    let (found, scratch) = scratch.split_at_mut(winners::gradients_len(shape));
    let (sorted, frame) = scratch.split_at_mut(shape.pool.output_len());
    let (winners, indices) = indices.split_at_mut(winners::indices_len(shape));
    let winners = Winners::find(isa, shape, side, found, winners);
    winners.add_bias(db);
    let (x, _) = crate::conv::framed(&shape.conv, x, frame);
    gather::gather(isa, shape, &winners, x, gathered, sorted, indices);
    let Some((weights, dx)) = dx else { return };
    assert_eq!(dx.len(), shape.conv.input_len(), "dx is not one sample of {shape:?}");
    if shape.conv.forward_scratch_len() == 0 {
        weights.spread(isa, shape, &winners, dx);
    } else {
        let place = shape.conv.input_frame();
        let frame = &mut frame[..place.len()];
        weights.spread(isa, shape, &winners, frame);
        crop(&place, frame, &shape.conv, dx);
    }
}

/// Copies the image out of its frame.
fn crop(place: &Frame, frame: &[f32], conv: &ConvShape, image: &mut [f32]) {
    for (y, row) in image.chunks_exact_mut(conv.width * conv.channels).enumerate() {
        let at = ((y + conv.pad.top) * place.width + conv.pad.left) * conv.channels;
        row.copy_from_slice(&frame[at..at + row.len()]);
    }
}

/// Adds a gradient that was gathered filter by filter (`filters x kernel_height x kernel_width x channels`) to one in
/// the kernel's own order (HWIO).
pub fn add_filter_major(shape: &ConvShape, gathered: &[f32], gradient: &mut [f32]) {
    assert_eq!(gathered.len(), shape.weights_len(), "gathered gradient of {shape:?}");
    assert_eq!(gradient.len(), shape.weights_len(), "gradient of {shape:?}");
    add_transposed(shape.filters, gathered.len() / shape.filters, gathered, gradient);
}
