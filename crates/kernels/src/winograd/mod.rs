//! 3x3 convolution by Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR
//! 2016): 36 multiplications give 16 outputs instead of 144, at the price of transforms and of a rounding error some ten
//! times that of the direct sum. A strided convolution whose phases have 3x3 taps, such as 5x5 with stride 2, is a sum of
//! such convolutions over the phases of its input.
//!
//! The outputs of all samples at hand are cut into tiles of 4x4; a block of tiles is transformed, multiplied and
//! transformed back before the next, so that what lies between stays in the cache. A tile's bits do not depend on the
//! others in its block.

mod gradient;
mod output;
mod phase;
mod squares;
mod weights;

pub use gradient::{add_winograd_gradient, winograd_gathered_len, winograd_weight_gradient};
pub use weights::WinogradWeights;

use std::ops::Range;

use crate::conv::ConvShape;
use crate::conv_pool::ConvPool;
use crate::gemm::{self, Grid, Lattice};
use crate::packed::Packed;
use crate::tile::Runs;
use crate::{Isa, Pad, size};
use output::{Outputs, Sink};
use phase::{TAPS, View, phase_count, phases};
use squares::{Patches, Squares, Transformed};

/// Elements of a transformed tile.
const POINTS: usize = 36;

/// Outputs along each side of a tile.
const SIDE: usize = 4;

/// Floats between the points of a transformed block, past their own size: sizes are often powers of two, and without
/// it the 36 points would compete for the same lines of the cache.
const GAP: usize = 16;

/// Floats that a transformed block may take: it and the transformed kernel share the second-level cache with the images.
const BLOCK_FLOATS: usize = 96 * 1024;

/// Tiles of a block come in multiples of this, as many as a register tile has rows, and are never more than the second
/// number.
const BLOCK: (usize, usize) = (12, 48);

/// Whether the functions of this module can take this convolution: 3x3 with stride 1, 5x5 or 6x6 with stride 2, and so on.
pub fn winograd_fits(shape: &ConvShape) -> bool {
    let taps = (shape.kernel.0.div_ceil(shape.stride.0), shape.kernel.1.div_ceil(shape.stride.1));
    taps == (TAPS, TAPS) && shape.output_len() > 0
}

/// Whether [`winograd_input_gradient`] can take it, too: the padding above and to the left of no phase may be wider than
/// its kernel's reach.
pub fn winograd_gradient_fits(shape: &ConvShape) -> bool {
    winograd_fits(shape) && phases(shape).all(|phase| phase.top.max(phase.left) < TAPS)
}

/// The share of the direct convolution's multiplications that Winograd's needs, counting what its whole tiles waste.
pub fn winograd_work(shape: &ConvShape) -> f64 {
    let points = size(&[POINTS, Layout::forward(shape).per_sample(), phase_count(shape)]);
    points as f64 / size(&[shape.kernel.0, shape.kernel.1, shape.out_height(), shape.out_width()]) as f64
}

/// Floats of scratch that any function of this module needs for this convolution.
pub fn winograd_scratch_len(shape: &ConvShape) -> usize {
    let (channels, filters) = (shape.channels, shape.filters);
    let transformed = |layout: Layout, channels| layout.stride(channels) + layout.stride(filters);
    let forward = transformed(Layout::forward(shape), inner(shape));
    let gradient = phases(shape).map(|phase| transformed(Layout::new(&phase.view, filters, channels), channels)).max();
    size(&[POINTS, forward.max(gradient.unwrap_or(0)) + channels.max(filters)])
}

/// Channels of a transformed input: those of all phases.
fn inner(shape: &ConvShape) -> usize {
    size(&[phase_count(shape), shape.channels])
}

/// How the outputs of one convolution are cut into tiles.
#[derive(Clone, Copy)]
struct Layout {
    /// Tiles of one sample.
    rows: usize,
    columns: usize,
    /// Tiles of a block.
    block: usize,
}

impl Layout {
    /// For such outputs, summed over so many channels.
    fn new(outputs: &View, channels: usize, filters: usize) -> Layout {
        let (rows, columns) = (outputs.height.div_ceil(SIDE), outputs.width.div_ceil(SIDE));
        let fit = BLOCK_FLOATS / size(&[POINTS, channels.saturating_add(filters)]).max(1);
        let block = (fit / BLOCK.0 * BLOCK.0).clamp(BLOCK.0, BLOCK.1);
        Layout { rows, columns, block }
    }

    /// For the outputs of a forward pass.
    fn forward(shape: &ConvShape) -> Layout {
        Layout::new(&View::outputs(shape), inner(shape), shape.filters)
    }

    fn per_sample(&self) -> usize {
        self.rows * self.columns
    }

    /// Floats from one point of a transformed block to the next.
    fn stride(&self, channels: usize) -> usize {
        size(&[self.block, channels]) + GAP
    }

    /// The blocks that the tiles of `samples` are taken in.
    fn blocks(&self, samples: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let (tiles, block) = (samples * self.per_sample(), self.block);
        (0..tiles).step_by(block).map(move |first| first..tiles.min(first + block))
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

/// `v[point][tile][phase][channel]` for a block of tiles.
fn transform_phases(
    isa: Isa,
    shape: &ConvShape,
    layout: &Layout,
    x: &[f32],
    block: Range<usize>,
    v: &mut [f32],
    patch: &mut [f32],
) {
    let (channels, Layout { rows, columns, .. }) = (shape.channels, *layout);
    let (stride, square) = (layout.stride(inner(shape)), inner(shape));
    for (index, phase) in phases(shape).enumerate() {
        let squares =
            Squares { images: x, view: phase.view, channels, top: phase.top, left: phase.left, rows, columns };
        let to = Transformed { v: &mut v[index * channels..], stride, square };
        Patches { squares, patch }.transform_inputs(isa, block.clone(), to);
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
    assert!(winograd_fits(shape), "{shape:?} has no 3x3 taps in a phase");
    let n = shape.samples(x.len(), y.len());
    assert!(weights.suit(shape, false), "weights were transformed for another convolution");
    assert!(bias.is_empty() || bias.len() == shape.filters, "{} biases for {shape:?}", bias.len());
    forward(isa, shape, n, x, weights, bias, relu, Sink::Whole(y), scratch);
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
    forward(isa, conv, n, x, weights, bias, *relu, Sink::Pooled { y, argmax }, scratch);
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
    assert!(winograd_gradient_fits(shape), "{shape:?} has no 3x3 taps, or much padding");
    let n = shape.samples(dx.len(), dy.len());
    assert!(weights.suit(shape, true), "weights were transformed for another convolution");
    let (channels, filters) = (shape.filters, shape.channels);
    for (phase, weights) in phases(shape).zip(weights.batches()) {
        let layout = Layout::new(&phase.view, channels, filters);
        let (top, left) = (TAPS - 1 - phase.top, TAPS - 1 - phase.left);
        let Layout { rows, columns, .. } = layout;
        let squares = Squares { images: dy, view: View::outputs(shape), channels, top, left, rows, columns };
        let (v, m, patch) = split(&layout, channels, filters, scratch);
        let mut patches = Patches { squares, patch };
        let products = Products { isa, layout: &layout, view: phase.view, weights, bias: &[], relu: false };
        for block in layout.blocks(n) {
            let to = Transformed { v, stride: layout.stride(channels), square: channels };
            patches.transform_inputs(isa, block.clone(), to);
            products.run(block, v, m, Sink::Whole(dx));
        }
    }
}

/// The three parts of the scratch: a transformed block of inputs, one of outputs, and a square.
fn split<'a>(
    layout: &Layout,
    channels: usize,
    filters: usize,
    scratch: &'a mut [f32],
) -> (&'a mut [f32], &'a mut [f32], &'a mut [f32]) {
    let (v, scratch) = scratch.split_at_mut(POINTS * layout.stride(channels));
    let (m, patch) = scratch.split_at_mut(POINTS * layout.stride(filters));
    (v, m, patch)
}

#[allow(clippy::too_many_arguments, reason = "the operands of one convolution")]
fn forward(
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
    let layout = Layout::forward(shape);
    let (v, m, patch) = split(&layout, inner(shape), shape.filters, scratch);
    let products =
        Products { isa, layout: &layout, view: View::outputs(shape), weights: &weights.batches()[0], bias, relu };
    for block in layout.blocks(n) {
        transform_phases(isa, shape, &layout, x, block.clone(), v, patch);
        products.run(block, v, m, sink.again());
    }
}

/// From transformed inputs to outputs.
struct Products<'a> {
    isa: Isa,
    layout: &'a Layout,
    /// The outputs.
    view: View,
    weights: &'a Packed,
    bias: &'a [f32],
    relu: bool,
}

impl Products<'_> {
    /// Multiplies a block with the kernel and transforms it back; `m` is scratch for the products.
    fn run(&self, block: Range<usize>, v: &[f32], m: &mut [f32], sink: Sink<'_>) {
        let Products { isa, layout, view, weights, bias, relu } = *self;
        let (depth, filters, count) = (weights.depth(), weights.columns(), block.len());
        let (c, f) = (layout.stride(depth), layout.stride(filters));
        gemm::products(isa, &grid(count, depth, filters), run(depth), v, c, weights, m, f);
        isa.run(Outputs { layout, view, filters, m, stride: f, bias, relu, first: block.start, count, sink });
    }
}
