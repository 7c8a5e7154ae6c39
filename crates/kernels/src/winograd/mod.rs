//! 3x3 convolution with stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast algorithms for convolutional neural
//! networks", CVPR 2016): 36 multiplications give 16 outputs instead of 144, at the price of transforms and of a
//! rounding error some ten times that of the direct sum.
//!
//! The outputs of all samples at hand are cut into tiles of 4x4; a block of tiles is transformed, multiplied and
//! transformed back before the next, so that what lies between stays in the cache. A tile's bits do not depend on the
//! others in its block.

mod gradient;
mod output;
mod squares;
mod weights;

pub use gradient::{add_winograd_gradient, winograd_gathered_len, winograd_weight_gradient};
pub use weights::WinogradWeights;

use crate::conv::ConvShape;
use crate::conv_pool::ConvPool;
use crate::gemm::{self, Grid, Lattice};
use crate::tile::Runs;
use crate::{Isa, Pad, size};
use output::{Outputs, Sink};
use squares::{Patches, Squares};

/// Elements of a transformed tile.
const POINTS: usize = 36;

/// Outputs along each side of a tile.
const SIDE: usize = 4;

/// Floats between the points of a transformed block, past their own size: sizes are often powers of two, and without
/// it the 36 points would compete for the same lines of the cache.
const GAP: usize = 16;

/// Floats that a transformed block may take.
const BLOCK_FLOATS: usize = 128 * 1024;

/// Tiles of a block come in multiples of this, as many as a register tile has rows, and are never more than the second
/// number.
const BLOCK: (usize, usize) = (12, 48);

/// Whether the functions of this module can take this convolution.
pub fn winograd_fits(shape: &ConvShape) -> bool {
    shape.kernel == (3, 3) && shape.stride == (1, 1) && shape.output_len() > 0
}

/// Whether [`winograd_input_gradient`] can take it, too: no edge of the padding may be wider than the kernel's reach.
pub fn winograd_gradient_fits(shape: &ConvShape) -> bool {
    let pad = shape.pad;
    winograd_fits(shape) && [pad.top, pad.bottom, pad.left, pad.right].iter().all(|&p| p <= 2)
}

/// The share of the direct convolution's multiplications that Winograd's needs, counting what its whole tiles waste.
pub fn winograd_work(shape: &ConvShape) -> f64 {
    let tiles = Layout::new(shape).per_sample();
    (POINTS * tiles) as f64 / (9 * shape.out_height() * shape.out_width()) as f64
}

/// Floats of scratch that any function of this module needs for this convolution.
pub fn winograd_scratch_len(shape: &ConvShape) -> usize {
    let layout = Layout::new(shape);
    let points = layout.stride(shape.channels) + layout.stride(shape.filters) + shape.channels.max(shape.filters);
    size(&[POINTS, points])
}

/// How the outputs of one convolution are cut into tiles.
struct Layout {
    /// Tiles of one sample.
    rows: usize,
    columns: usize,
    /// Tiles of a block.
    block: usize,
}

impl Layout {
    fn new(shape: &ConvShape) -> Layout {
        let (rows, columns) = (shape.out_height().div_ceil(SIDE), shape.out_width().div_ceil(SIDE));
        let fit = BLOCK_FLOATS / size(&[POINTS, shape.channels.saturating_add(shape.filters)]).max(1);
        let block = (fit / BLOCK.0 * BLOCK.0).clamp(BLOCK.0, BLOCK.1);
        Layout { rows, columns, block }
    }

    fn per_sample(&self) -> usize {
        self.rows * self.columns
    }

    /// Floats from one point of a transformed block to the next.
    fn stride(&self, channels: usize) -> usize {
        size(&[self.block, channels]) + GAP
    }

    /// The blocks that the tiles of `samples` are taken in: first tile and number of tiles.
    fn blocks(&self, samples: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (tiles, block) = (samples * self.per_sample(), self.block);
        (0..tiles).step_by(block).map(move |first| (first, block.min(tiles - first)))
    }
}

/// The products of a block: `count` tiles of so many channels on either side.
fn grid(count: usize, input: usize, output: usize) -> Grid {
    Grid {
        rows: 1,
        columns: count,
        input: Lattice { base: 0, row: 0, column: input },
        output: Lattice { base: 0, row: 0, column: output },
    }
}

fn run(channels: usize) -> Runs {
    Runs { count: 1, len: channels, stride: 0 }
}

/// The inputs of a convolution's tiles: 6x6 pixels, four apart, zero beyond the image.
fn inputs<'a>(shape: &ConvShape, layout: &Layout, x: &'a [f32]) -> Squares<'a> {
    Squares {
        image: x,
        height: shape.height,
        width: shape.width,
        channels: shape.channels,
        top: shape.pad.top,
        left: shape.pad.left,
        rows: layout.rows,
        columns: layout.columns,
    }
}

/// `y = conv(x) + bias`, then `max(0, .)` if `relu`: the same arguments as [`crate::conv_forward`], `scratch` at least
/// [`winograd_scratch_len`]. A sample's bits do not depend on its companions.
#[allow(clippy::too_many_arguments, reason = "the operands of one convolution")]
pub fn winograd_forward(
    isa: Isa,
    shape: &ConvShape,
    x: &[f32],
    weights: &WinogradWeights,
    bias: &[f32],
    relu: bool,
    y: &mut [f32],
    scratch: &mut [f32],
) {
    assert!(winograd_fits(shape), "{shape:?} is not 3x3 with stride 1");
    let n = shape.samples(x.len(), y.len());
    assert!(weights.suit(shape, false), "weights were transformed for another convolution");
    assert!(bias.is_empty() || bias.len() == shape.filters, "{} biases for {shape:?}", bias.len());
    convolve(isa, shape, n, x, weights, bias, relu, Sink::Whole(y), scratch);
}

/// Whether [`winograd_pooled_forward`] can take this convolution and the pool behind it: 2x2 windows side by side.
pub fn winograd_pooled_fits(shape: &ConvPool) -> bool {
    let pool = &shape.pool;
    winograd_fits(&shape.conv) && (pool.window, pool.stride, pool.pad) == ((2, 2), (2, 2), Pad::NONE)
}

/// `y = max_pool(conv(x) + bias)`, with a relu between if the shape has one: [`winograd_forward`] and
/// [`crate::max_pool_forward`] in one, with the same bits. `argmax` is as long as `y`, or empty where it is not wanted.
#[allow(clippy::too_many_arguments, reason = "the operands of one convolution")]
pub fn winograd_pooled_forward(
    isa: Isa,
    shape: &ConvPool,
    x: &[f32],
    weights: &WinogradWeights,
    bias: &[f32],
    y: &mut [f32],
    argmax: &mut [u32],
    scratch: &mut [f32],
) {
    let ConvPool { conv, pool, relu } = shape;
    assert!(winograd_pooled_fits(shape), "{shape:?} is not 3x3 with stride 1 and 2x2 windows");
    let n = x.len() / conv.input_len();
    assert!(x.len() == n * conv.input_len() && y.len() == n * pool.output_len(), "samples of {shape:?}");
    assert!(argmax.is_empty() || argmax.len() == y.len(), "{} winners for {} values", argmax.len(), y.len());
    assert!(u32::try_from(conv.output_len()).is_ok(), "places in {conv:?} do not fit into 32 bits");
    assert!(weights.suit(conv, false), "weights were transformed for another convolution");
    assert!(bias.is_empty() || bias.len() == conv.filters, "{} biases for {conv:?}", bias.len());
    convolve(isa, conv, n, x, weights, bias, *relu, Sink::Pooled { y, argmax }, scratch);
}

/// `dx = ` the gradient of the loss with respect to the input: the same arguments as [`crate::conv_input_gradient`], for
/// convolutions that [`winograd_gradient_fits`]; `scratch` at least [`winograd_scratch_len`].
pub fn winograd_input_gradient(
    isa: Isa,
    shape: &ConvShape,
    dy: &[f32],
    weights: &WinogradWeights,
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    assert!(winograd_gradient_fits(shape), "{shape:?} is not 3x3 with stride 1 and little padding");
    let n = shape.samples(dx.len(), dy.len());
    assert!(weights.suit(shape, true), "weights were transformed for another convolution");
    convolve(isa, &transposed(shape), n, dy, weights, &[], false, Sink::Whole(dx), scratch);
}

/// The convolution that turns the output's gradient into the input's.
fn transposed(shape: &ConvShape) -> ConvShape {
    let pad = shape.pad;
    ConvShape {
        height: shape.out_height(),
        width: shape.out_width(),
        channels: shape.filters,
        filters: shape.channels,
        pad: Pad { top: 2 - pad.top, bottom: 2 - pad.bottom, left: 2 - pad.left, right: 2 - pad.right },
        ..*shape
    }
}

#[allow(clippy::too_many_arguments, reason = "the operands of one convolution")]
fn convolve(
    isa: Isa,
    shape: &ConvShape,
    n: usize,
    x: &[f32],
    weights: &WinogradWeights,
    bias: &[f32],
    relu: bool,
    mut sink: Sink<'_>,
    scratch: &mut [f32],
) {
    let layout = Layout::new(shape);
    let (c, f) = (layout.stride(shape.channels), layout.stride(shape.filters));
    let (v, scratch) = scratch.split_at_mut(POINTS * c);
    let (m, patch) = scratch.split_at_mut(POINTS * f);
    let mut patches = Patches { squares: inputs(shape, &layout, x), patch };
    for (first, count) in layout.blocks(n) {
        patches.transform_inputs(isa, first, count, v, c);
        let grid = grid(count, shape.channels, shape.filters);
        gemm::products(isa, &grid, run(shape.channels), v, c, weights.points(), m, f);
        let sink = sink.again();
        isa.run(Outputs { layout: &layout, shape, m, stride: f, bias, relu, first, count, sink });
    }
}
