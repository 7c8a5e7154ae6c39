//! The input's gradient: every winner adds its filter, times its gradient, to its patch.

use pulp::{Simd, WithSimd};

use super::{ConvPool, Winners};
use crate::conv::ConvShape;
use crate::lanes::registers;
use crate::pool::PoolShape;
use crate::transpose::transpose;
use crate::{Buffer, Isa, Pad, tile};

/// The kernel of one convolution in the order that its input's gradient takes behind a pool.
#[derive(Debug)]
pub struct PooledWeights {
    isa: Isa,
    shape: ConvShape,
    order: Order,
}

/// The kernel, filter by filter: filters x kernel_height x (kernel_width x channels), and, where a window's patch is summed in
/// registers, the same once more by registers of channels.
#[derive(Debug)]
enum Order {
    Rows(Buffer),
    /// The second is registers of channels x filters x 9 x lanes.
    Registers(Buffer, Buffer),
}

/// Registers of an instruction set that can hold the 4x4 patch of a window beside the operands.
const PATCH_REGISTERS: usize = 32;

struct RegisterCount;

impl WithSimd for RegisterCount {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::REGISTER_COUNT
    }
}

/// Whether a window's patch is 4x4 and moves by two.
fn is_four_by_four(conv: &ConvShape, pool: &PoolShape) -> bool {
    (conv.kernel, conv.stride) == ((3, 3), (1, 1))
        && (pool.window, pool.stride, pool.pad) == ((2, 2), (2, 2), Pad::NONE)
}

impl PooledWeights {
    /// Room for the kernel, all zero.
    pub fn new(isa: Isa, shape: &ConvPool) -> PooledWeights {
        let (conv, lanes) = (shape.conv, isa.lanes());
        let by_filter = Buffer::new(conv.weights_len());
        let order = if isa.run(RegisterCount) >= PATCH_REGISTERS && is_four_by_four(&conv, &shape.pool) {
            Order::Registers(by_filter, Buffer::new(conv.channels.div_ceil(lanes) * lanes * conv.filters * 9))
        } else {
            Order::Rows(by_filter)
        };
        PooledWeights { isa, shape: conv, order }
    }

    /// Floats that the packed weights take.
    pub fn floats(&self) -> usize {
        match &self.order {
            Order::Rows(by_filter) => by_filter.len(),
            Order::Registers(by_filter, blocks) => by_filter.len() + blocks.len(),
        }
    }

    /// Takes in `weights` (HWIO).
    pub fn pack(&mut self, weights: &[f32]) {
        let ConvShape { filters, channels, .. } = self.shape;
        assert_eq!(weights.len(), self.shape.weights_len(), "kernel has the wrong size");
        let (Order::Rows(by_filter) | Order::Registers(by_filter, _)) = &mut self.order;
        transpose(weights.len() / filters, filters, weights, by_filter);
        if let Order::Registers(by_filter, blocks) = &mut self.order {
            let lanes = self.isa.lanes();
            for (r, block) in blocks.chunks_exact_mut(filters * 9 * lanes).enumerate() {
                let width = lanes.min(channels - r * lanes);
                for (to, from) in block.chunks_exact_mut(lanes).zip(by_filter.chunks_exact(channels)) {
                    to[..width].copy_from_slice(&from[r * lanes..r * lanes + width]);
                }
            }
        }
    }

    /// Overwrites `dx`, the gradient of one sample's padded input.
    pub(super) fn spread(&self, isa: Isa, shape: &ConvPool, winners: &Winners<'_>, dx: &mut [f32]) {
        assert_eq!(self.shape, shape.conv, "weights were packed for another convolution");
        assert_eq!(self.isa, isa, "weights were packed for another instruction set");
        match &self.order {
            Order::Rows(weights) => {
                dx.fill(0.0);
                isa.run(Rows { shape, winners, weights, dx });
            }
            Order::Registers(_, weights) => isa.run(Registers { shape, winners, weights, dx }),
        }
    }
}

/// Adds `gradient * filter` to the patch of every winner, kernel row by kernel row.
struct Rows<'a> {
    shape: &'a ConvPool,
    winners: &'a Winners<'a>,
    weights: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Rows { shape, winners, weights, dx } = self;
        let (run, depth) = (shape.run(), shape.run() * shape.conv.kernel.0);
        let stride = shape.frame_width() * shape.conv.channels;
        for ((&g, &filter), &patch) in winners.gradients.iter().zip(winners.filters).zip(winners.patches) {
            let weights = &weights[filter as usize * depth..(filter as usize + 1) * depth];
            for (row, weights) in weights.chunks_exact(run).enumerate() {
                add_scaled(simd, g, weights, &mut dx[patch as usize + row * stride..][..run]);
            }
        }
    }
}

/// `to += g * from`.
#[inline(always)]
fn add_scaled<S: Simd>(simd: S, g: f32, from: &[f32], to: &mut [f32]) {
    let ((from, from_tail), (to, to_tail)) = (S::as_simd_f32s(from), S::as_mut_simd_f32s(to));
    let splat = simd.splat_f32s(g);
    for (to, &from) in to.iter_mut().zip(from) {
        *to = simd.mul_add_e_f32s(splat, from, *to);
    }
    if !to_tail.is_empty() {
        let sum = simd.mul_add_e_f32s(splat, simd.partial_load_f32s(from_tail), simd.partial_load_f32s(to_tail));
        simd.partial_store_f32s(to_tail, sum);
    }
}

/// Sums the 4x4 patch of a window in registers, one register of channels at a time, and moves it along the row: what
/// the next window does not reach is written, once.
struct Registers<'a> {
    shape: &'a ConvPool,
    winners: &'a Winners<'a>,
    weights: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for Registers<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT < PATCH_REGISTERS {
            return;
        }
        let Registers { shape, winners, weights, dx } = self;
        let (channels, width) = (shape.conv.channels, shape.frame_width());
        let (rows, columns) = (shape.pool.out_height(), shape.pool.out_width());
        let filters = shape.conv.filters;
        assert!(width >= 2 * columns + 2 && dx.len() >= (2 * rows + 2) * width * channels, "a frame of {shape:?}");
        assert!(winners.ends.len() == rows * columns * 4 && winners.filters.len() == winners.gradients.len());
        assert!(winners.ends.iter().all(|&end| end as usize <= winners.filters.len()), "ends of the winners");
        assert!(winners.filters.iter().all(|&filter| (filter as usize) < filters), "filters of the winners");
        clear_beyond(dx, width, channels, (2 * rows + 2, 2 * columns + 2));
        let block = filters * 9 * S::F32_LANES;
        assert!(weights.len() >= channels.div_ceil(S::F32_LANES) * block, "packed filters");
        registers!(S, channels, |c, tail| {
            let weights = &weights[c / S::F32_LANES * block..][..block];
            for row in 0..rows {
                let at = row * 2 * width * channels + c;
                let window = row * columns;
                // SAFETY: every pixel of the windows' patches lies in the frame, all filters in the block and all ends in
                // the lists, as was checked; `tail` channels are real.
                unsafe {
                    let dx = dx.as_mut_ptr().add(at);
                    if tail == S::F32_LANES {
                        window_row::<S, true>(
                            simd,
                            winners,
                            window,
                            columns,
                            weights,
                            dx,
                            (width * channels, channels),
                            0,
                        );
                    } else {
                        window_row::<S, false>(
                            simd,
                            winners,
                            window,
                            columns,
                            weights,
                            dx,
                            (width * channels, channels),
                            tail,
                        );
                    }
                }
            }
        });
    }
}

/// Zeroes what no window reaches: rows and columns from these on.
fn clear_beyond(dx: &mut [f32], width: usize, channels: usize, (rows, columns): (usize, usize)) {
    for (y, row) in dx.chunks_exact_mut(width * channels).enumerate() {
        row[if y < rows { columns * channels } else { 0 }..].fill(0.0);
    }
}

/// One row of windows, one register of channels (or, where not `WHOLE`, `tail` of them).
/// # Safety
/// `dx` must point at the first pixel of the first window's patch, with all pixels of all patches inside the frame;
/// filters and ends must lie in `weights` and the lists.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a strip is its operands")]
#[allow(clippy::needless_range_loop, reason = "closures inside iterators are not sure to be compiled for the set")]
unsafe fn window_row<S: Simd, const WHOLE: bool>(
    simd: S,
    winners: &Winners<'_>,
    window: usize,
    columns: usize,
    weights: &[f32],
    dx: *mut f32,
    (down, right): (usize, usize),
    tail: usize,
) {
    let tail = if WHOLE { S::F32_LANES } else { tail };
    let zero = simd.splat_f32s(0.0);
    // The upper two rows were reached by the row of windows above, if there is one.
    let above = window > 0;
    let mut acc = [[zero; 4]; 4];
    // SAFETY: the caller vouches for every pixel, filter and end.
    unsafe {
        let load = |r: usize, c: usize| tile::load_lanes(simd, dx.add(r * down + c * right), tail);
        if above {
            for r in 0..2 {
                for c in 0..2 {
                    acc[r][c] = load(r, c);
                }
            }
        }
        let mut i = if window == 0 { 0 } else { *winners.ends.get_unchecked(window * 4 - 1) as usize };
        for w in 0..columns {
            if above {
                for r in 0..2 {
                    for c in 2..4 {
                        acc[r][c] = load(r, 2 * w + c);
                    }
                }
            }
            macro_rules! place {
                ($place:literal, $r:literal, $c:literal) => {
                    let end = *winners.ends.get_unchecked((window + w) * 4 + $place) as usize;
                    while i < end {
                        let g = simd.splat_f32s(*winners.gradients.get_unchecked(i));
                        let filter = *winners.filters.get_unchecked(i) as usize;
                        let from = weights.as_ptr().add(filter * 9 * S::F32_LANES);
                        for kh in 0..3 {
                            for kw in 0..3 {
                                let weight = tile::load::<S>(from.add((kh * 3 + kw) * S::F32_LANES));
                                acc[$r + kh][$c + kw] = simd.mul_add_e_f32s(g, weight, acc[$r + kh][$c + kw]);
                            }
                        }
                        i += 1;
                    }
                };
            }
            place!(0, 0, 0);
            place!(1, 0, 1);
            place!(2, 1, 0);
            place!(3, 1, 1);
            for r in 0..4 {
                for c in 0..2 {
                    tile::store_lanes(simd, dx.add(r * down + (2 * w + c) * right), acc[r][c], tail);
                    acc[r][c] = acc[r][c + 2];
                    acc[r][c + 2] = zero;
                }
            }
        }
        for r in 0..4 {
            for c in 0..2 {
                tile::store_lanes(simd, dx.add(r * down + (2 * columns + c) * right), acc[r][c], tail);
            }
        }
    }
}
