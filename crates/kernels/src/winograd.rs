//! 3x3 convolution with stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast algorithms for convolutional neural
//! networks", CVPR 2016): 36 multiplications give 16 outputs instead of 144, at the price of transforms and of a
//! rounding error some ten times that of the direct sum.
//!
//! Tiles of 6x6 inputs overlap by two; a block of tiles is transformed, multiplied and transformed back before the
//! next, so that what lies between stays in the cache.

use pulp::{Simd, WithSimd};

use crate::conv::{ConvShape, Frame};
use crate::gemm::{self, Grid, Lattice, Packed};
use crate::tile::{self, Runs};
use crate::{Buffer, Isa, activation, size};

/// Elements of a transformed tile.
const POINTS: usize = 36;
/// Tiles that are multiplied together: as many as a register tile has rows.
const BLOCK: usize = tile::MAX_ROWS;

/// Floats between the points of a transformed kernel or block, past their own size: sizes are often powers of two, and
/// without it the 36 points would compete for the same lines of the cache.
const GAP: usize = 16;

/// Whether [`winograd_forward`] can take this convolution.
pub fn winograd_fits(shape: &ConvShape) -> bool {
    shape.kernel == (3, 3) && shape.stride == (1, 1) && shape.output_len() > 0
}

/// Floats of scratch that [`winograd_forward`] needs.
pub fn winograd_scratch_len(shape: &ConvShape) -> usize {
    let layout = Layout::new(shape);
    let frame = if layout.in_place { 0 } else { layout.frame.len() };
    frame + size(&[POINTS, layout.stride(shape.channels) + layout.stride(shape.filters)])
}

/// The tiles of one convolution.
struct Layout {
    rows: usize,
    columns: usize,
    /// Tiles of a block.
    block: usize,
    /// The input with its padding and with zeros up to whole tiles.
    frame: Frame,
    /// Whether the input already is that frame.
    in_place: bool,
}

impl Layout {
    fn new(shape: &ConvShape) -> Layout {
        let (rows, columns) = (shape.out_height().div_ceil(4), shape.out_width().div_ceil(4));
        let (height, width) = (4 * rows + 2, 4 * columns + 2);
        let in_place = (height, width, shape.pad.top, shape.pad.left) == (shape.height, shape.width, 0, 0);
        let (top, left) = (shape.pad.top as isize, shape.pad.left as isize);
        let frame = Frame { height, width, channels: shape.channels, top, left };
        let blocks = (rows * columns).div_ceil(BLOCK).max(1);
        Layout { rows, columns, block: (rows * columns).div_ceil(blocks), frame, in_place }
    }
}

impl Layout {
    /// Floats from one point of a block to the next.
    fn stride(&self, channels: usize) -> usize {
        size(&[self.block, channels]) + GAP
    }
}

/// The transformed kernel of one convolution. Repack after every change of the weights.
#[derive(Debug)]
pub struct WinogradWeights {
    shape: ConvShape,
    points: Vec<Packed>,
    transformed: Buffer,
}

impl WinogradWeights {
    /// Room for the transformed kernel, all zero.
    pub fn new(isa: Isa, shape: &ConvShape) -> WinogradWeights {
        let plane = size(&[shape.channels, shape.filters]);
        WinogradWeights {
            shape: *shape,
            points: (0..POINTS).map(|_| Packed::new(isa, shape.channels, shape.filters)).collect(),
            transformed: Buffer::new(POINTS * (plane + GAP)),
        }
    }

    /// Transforms `weights` (HWIO): U = G g G^T for every pair of channels.
    pub fn pack(&mut self, isa: Isa, weights: &[f32]) {
        assert_eq!(weights.len(), self.shape.weights_len(), "kernel has the wrong size");
        let plane = self.shape.channels * self.shape.filters;
        isa.run(Kernel { weights, plane, transformed: &mut self.transformed });
        for (point, values) in self.points.iter_mut().zip(self.transformed.chunks_exact(plane + GAP)) {
            point.pack_matrix(&values[..plane]);
        }
    }
}

/// Transforms kernels: `transformed[point][pair]`, the points `plane + GAP` apart, from `weights[tap][pair]`.
struct Kernel<'a> {
    weights: &'a [f32],
    /// Pairs of channels.
    plane: usize,
    transformed: &'a mut [f32],
}

impl WithSimd for Kernel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Kernel { weights, plane, transformed } = self;
        let stride = plane + GAP;
        for at in (0..plane).step_by(S::F32_LANES) {
            let n = S::F32_LANES.min(plane - at);
            // SAFETY: the slice holds `n` values.
            let tap = |tap: usize| unsafe { tile::load_lanes(simd, weights[tap * plane + at..][..n].as_ptr(), n) };
            // Columns first: half[kw] = G g[..][kw].
            let half: [[S::f32s; 6]; 3] =
                std::array::from_fn(|kw| kernel_transform(simd, [tap(kw), tap(3 + kw), tap(6 + kw)]));
            for i in 0..6 {
                let row = kernel_transform(simd, [half[0][i], half[1][i], half[2][i]]);
                for (j, value) in row.into_iter().enumerate() {
                    let to = &mut transformed[(i * 6 + j) * stride + at..][..n];
                    // SAFETY: the slice holds `n` values.
                    unsafe { tile::store_lanes(simd, to.as_mut_ptr(), value, n) };
                }
            }
        }
    }
}

/// G g, with G = [[1/4, 0, 0], [-1/6, -1/6, -1/6], [-1/6, 1/6, -1/6], [1/24, 1/12, 1/6], [1/24, -1/12, 1/6], [0, 0, 1]].
#[inline(always)]
fn kernel_transform<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; 6] {
    let times = |factor: f32, a| simd.mul_f32s(simd.splat_f32s(factor), a);
    let outer = times(-1.0 / 6.0, simd.add_f32s(g[0], g[2]));
    let inner = times(1.0 / 6.0, g[1]);
    let even = simd.mul_add_e_f32s(simd.splat_f32s(1.0 / 24.0), g[0], times(1.0 / 6.0, g[2]));
    let odd = times(1.0 / 12.0, g[1]);
    [
        times(1.0 / 4.0, g[0]),
        simd.sub_f32s(outer, inner),
        simd.add_f32s(outer, inner),
        simd.add_f32s(even, odd),
        simd.sub_f32s(even, odd),
        g[2],
    ]
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
    let n = shape.samples(x.len(), y.len());
    assert_eq!(*shape, weights.shape, "weights were transformed for another convolution");
    assert!(winograd_fits(shape), "{shape:?} is not 3x3 with stride 1");
    assert!(bias.is_empty() || bias.len() == shape.filters, "{} biases for {shape:?}", bias.len());
    let layout = Layout::new(shape);
    let (frame, scratch) = scratch.split_at_mut(if layout.in_place { 0 } else { layout.frame.len() });
    let (v, m) = scratch.split_at_mut(POINTS * layout.stride(shape.channels));
    let m = &mut m[..POINTS * layout.stride(shape.filters)];
    for s in 0..n {
        let mut input = &x[s * shape.input_len()..][..shape.input_len()];
        let y = &mut y[s * shape.output_len()..][..shape.output_len()];
        if !layout.in_place {
            layout.frame.place(input, shape.height, shape.width, frame);
            input = frame;
        }
        let tiles = layout.rows * layout.columns;
        for first in (0..tiles).step_by(layout.block) {
            let count = layout.block.min(tiles - first);
            isa.run(Input { layout: &layout, channels: shape.channels, x: input, first, count, v });
            multiply(isa, shape, weights, &layout, count, v, m);
            isa.run(Output { layout: &layout, shape, m, bias, relu, first, count, y });
        }
    }
}

/// `m[point] = v[point] * u[point]` for all 36 points of a block.
fn multiply(
    isa: Isa,
    shape: &ConvShape,
    weights: &WinogradWeights,
    layout: &Layout,
    count: usize,
    v: &[f32],
    m: &mut [f32],
) {
    let (c, f) = (shape.channels, shape.filters);
    let grid = Grid {
        rows: 1,
        columns: count,
        input: Lattice { base: 0, row: 0, column: c },
        output: Lattice { base: 0, row: 0, column: f },
    };
    let runs = Runs { count: 1, len: c, stride: 0 };
    let points = v.chunks_exact(layout.stride(c)).zip(m.chunks_exact_mut(layout.stride(f)));
    for (u, (v, m)) in weights.points.iter().zip(points) {
        gemm::product(isa, &grid, runs, v, u, &[], false, m);
    }
}

/// Transforms the inputs of a block: `v[point][tile][channel]`, V = B^T d B.
struct Input<'a> {
    layout: &'a Layout,
    channels: usize,
    x: &'a [f32],
    first: usize,
    count: usize,
    v: &'a mut [f32],
}

impl WithSimd for Input<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(
        clippy::needless_range_loop,
        reason = "closures inside iterators are not sure to be compiled for the instruction set"
    )]
    fn with_simd<S: Simd>(self, simd: S) {
        let Input { layout, channels, x, first, count, v } = self;
        let (lanes, width) = (S::F32_LANES, layout.frame.width);
        assert!(x.len() >= layout.frame.len() && v.len() >= POINTS * layout.stride(channels), "a block's inputs");
        for t in 0..count {
            let (row, column) = ((first + t) / layout.columns, (first + t) % layout.columns);
            for c in (0..channels).step_by(lanes) {
                let tail = lanes.min(channels - c);
                // SAFETY: a tile lies in the frame, whose size was checked; `tail` channels are real; `v` holds
                // `block` tiles at every point.
                unsafe {
                    let from = x.as_ptr().add((4 * row * width + 4 * column) * channels + c);
                    let to = v.as_mut_ptr().add(t * channels + c);
                    let mut half = [[simd.splat_f32s(0.0); 6]; 6];
                    for j in 0..6 {
                        let d =
                            std::array::from_fn(|i| tile::load_lanes(simd, from.add((i * width + j) * channels), tail));
                        let d = input_transform(simd, d);
                        (0..6).for_each(|i| half[i][j] = d[i]);
                    }
                    for (i, row) in half.into_iter().enumerate() {
                        for (j, value) in input_transform(simd, row).into_iter().enumerate() {
                            let at = (i * 6 + j) * layout.stride(channels);
                            tile::store_lanes(simd, to.add(at), value, tail);
                        }
                    }
                }
            }
        }
    }
}

/// B^T d.
#[inline(always)]
fn input_transform<S: Simd>(simd: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
    let scaled = |factor: f32, a, b| simd.mul_add_e_f32s(simd.splat_f32s(factor), a, b);
    let (even, odd) = (scaled(-4.0, d[2], d[4]), scaled(-4.0, d[1], d[3]));
    let (outer, inner) = (simd.sub_f32s(d[4], d[2]), simd.sub_f32s(d[3], d[1]));
    [
        scaled(4.0, d[0], scaled(-5.0, d[2], d[4])),
        simd.add_f32s(even, odd),
        simd.sub_f32s(even, odd),
        scaled(2.0, inner, outer),
        scaled(-2.0, inner, outer),
        scaled(4.0, d[1], scaled(-5.0, d[3], d[5])),
    ]
}

/// Transforms the products of a block back: Y = A^T m A, then bias and relu.
struct Output<'a> {
    layout: &'a Layout,
    shape: &'a ConvShape,
    m: &'a [f32],
    bias: &'a [f32],
    relu: bool,
    first: usize,
    count: usize,
    y: &'a mut [f32],
}

impl WithSimd for Output<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(
        clippy::needless_range_loop,
        reason = "closures inside iterators are not sure to be compiled for the instruction set"
    )]
    fn with_simd<S: Simd>(self, simd: S) {
        let Output { layout, shape, m, bias, relu, first, count, y } = self;
        let (lanes, filters, width) = (S::F32_LANES, shape.filters, shape.out_width());
        assert!(y.len() == shape.output_len() && m.len() >= POINTS * layout.stride(filters), "a block's outputs");
        for t in 0..count {
            let (row, column) = (4 * ((first + t) / layout.columns), 4 * ((first + t) % layout.columns));
            let (height, wide) = (4.min(shape.out_height() - row), 4.min(width - column));
            for f in (0..filters).step_by(lanes) {
                let tail = lanes.min(filters - f);
                // SAFETY: `m` holds `block` tiles at every point; rows and columns were cut to the output; `tail`
                // filters are real.
                unsafe {
                    let from = m.as_ptr().add(t * filters + f);
                    let mut half = [[simd.splat_f32s(0.0); 6]; 4];
                    for j in 0..6 {
                        let points = std::array::from_fn(|i| {
                            tile::load_lanes(simd, from.add((i * 6 + j) * layout.stride(filters)), tail)
                        });
                        let points = output_transform(simd, points);
                        (0..4).for_each(|i| half[i][j] = points[i]);
                    }
                    let bias = match bias {
                        [] => simd.splat_f32s(0.0),
                        bias => tile::load_lanes(simd, bias.as_ptr().add(f), tail),
                    };
                    for (i, values) in half.into_iter().enumerate().take(height) {
                        let to = y.as_mut_ptr().add(((row + i) * width + column) * filters + f);
                        for (j, value) in output_transform(simd, values).into_iter().enumerate().take(wide) {
                            let value = simd.add_f32s(value, bias);
                            let value = if relu { activation::relu(simd, value) } else { value };
                            tile::store_lanes(simd, to.add(j * filters), value, tail);
                        }
                    }
                }
            }
        }
    }
}

/// A^T m.
#[inline(always)]
fn output_transform<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
    let scaled = |factor: f32, a, b| simd.mul_add_e_f32s(simd.splat_f32s(factor), a, b);
    let (sum_12, difference_12) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (sum_34, difference_34) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(m[0], simd.add_f32s(sum_12, sum_34)),
        scaled(2.0, difference_34, difference_12),
        scaled(4.0, sum_34, sum_12),
        simd.add_f32s(m[5], scaled(8.0, difference_34, difference_12)),
    ]
}
