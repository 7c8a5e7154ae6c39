//! The backward passes of convolution + relu + max-pooling, taken together.
//!
//! Behind a max-pool only the winning pixel of each window has a gradient, and behind a relu only where it is above
//! zero: with 2x2 windows that is some five in a hundred pixels. So the gradient of the convolution's output is
//! never spread out; each pooled value that has one adds its share directly, one adjacent run per kernel row.

use pulp::{Simd, WithSimd};

use crate::conv::ConvShape;
use crate::transpose::{add_transposed, transpose};
use crate::{Buffer, Isa, size, tile};

/// The kernel of one convolution with the filter outermost: `filters x kernel_height x (kernel_width x channels)`.
#[derive(Debug)]
pub struct FilterMajor {
    shape: ConvShape,
    data: Buffer,
}

impl FilterMajor {
    /// Room for the kernel, all zero.
    pub fn new(shape: &ConvShape) -> FilterMajor {
        FilterMajor { shape: *shape, data: Buffer::new(shape.weights_len()) }
    }

    /// Takes in `weights` (HWIO).
    pub fn pack(&mut self, weights: &[f32]) {
        assert_eq!(weights.len(), self.data.len(), "kernel has the wrong size");
        let filters = self.shape.filters;
        transpose(weights.len() / filters, filters, weights, &mut self.data);
    }
}

/// Adds a gradient that was gathered filter by filter to one in the kernel's own order (HWIO).
pub fn add_filter_major(shape: &ConvShape, gathered: &[f32], gradient: &mut [f32]) {
    assert_eq!(gathered.len(), shape.weights_len(), "gathered gradient of {shape:?}");
    assert_eq!(gradient.len(), shape.weights_len(), "gradient of {shape:?}");
    add_transposed(shape.filters, gathered.len() / shape.filters, gathered, gradient);
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

impl Pooled<'_> {
    fn check(&self, shape: &ConvShape) {
        let n = self.y.len();
        assert!(self.dy.len() == n && self.argmax.len() == n, "pooled arrays differ in length");
        assert_eq!(n % shape.filters, 0, "pooled values are not whole windows of {shape:?}");
    }

    /// Calls `each(index, pixel)` for every value that has a gradient.
    #[inline(always)]
    fn each(&self, filters: usize, mut each: impl FnMut(usize, usize)) {
        for (i, ((&y, &dy), &at)) in self.y.iter().zip(self.dy).zip(self.argmax).enumerate() {
            if y > 0.0 && dy != 0.0 {
                each(i, at as usize / filters);
            }
        }
    }
}

/// Where the patch of an output pixel starts in the padded input.
fn patch(shape: &ConvShape, pixel: usize) -> usize {
    let width = shape.width + shape.pad.left + shape.pad.right;
    let (row, column) = (pixel / shape.out_width(), pixel % shape.out_width());
    (row * shape.stride.0 * width + column * shape.stride.1) * shape.channels
}

/// Elements of float scratch that [`pooled_weight_gradient`] needs for so many pooled values a sample;
/// [`pooled_input_gradient`] needs no more. Of index scratch the former needs as many as there are pooled values, and
/// one more for each filter.
pub fn pooled_scratch_len(shape: &ConvShape, pooled: usize) -> usize {
    pooled + shape.forward_scratch_len()
}

/// `gathered +=` the kernel's gradient (filter-major, see [`add_filter_major`]) and `db +=` the bias's (empty for
/// none), for one sample `x`.
#[allow(clippy::too_many_arguments, reason = "the operands of one gradient")]
pub fn pooled_weight_gradient(
    isa: Isa,
    shape: &ConvShape,
    x: &[f32],
    pooled: Pooled<'_>,
    gathered: &mut [f32],
    db: &mut [f32],
    scratch: &mut [f32],
    indices: &mut [u32],
) {
    pooled.check(shape);
    assert_eq!(x.len(), shape.input_len(), "x is not one sample of {shape:?}");
    assert_eq!(gathered.len(), shape.weights_len(), "gathered gradient of {shape:?}");
    assert!(db.is_empty() || db.len() == shape.filters, "{} bias gradients for {shape:?}", db.len());
    let frame = size(&[
        shape.height + shape.pad.top + shape.pad.bottom,
        shape.width + shape.pad.left + shape.pad.right,
        shape.channels,
    ]);
    assert!(u32::try_from(frame).is_ok(), "places in {shape:?} do not fit into 32 bits");
    let (n, filters) = (pooled.y.len(), shape.filters);
    let windows = n / filters;
    let (gradients, frame) = scratch.split_at_mut(n);
    let (counts, places) = indices.split_at_mut(filters);
    let counts = &mut counts[..filters];
    counts.fill(0);
    pooled.each(filters, |i, pixel| {
        let filter = i % filters;
        let at = filter * windows + counts[filter] as usize;
        gradients[at] = pooled.dy[i];
        places[at] = patch(shape, pixel) as u32;
        counts[filter] += 1;
        if let Some(db) = db.get_mut(filter) {
            *db += pooled.dy[i];
        }
    });
    let (x, width) = crate::conv::framed(shape, x, frame);
    let run = shape.kernel.1 * shape.channels;
    let stride = width * shape.channels;
    for filter in 0..filters {
        let list = filter * windows..filter * windows + counts[filter] as usize;
        let (gradients, places) = (&gradients[list.clone()], &places[list]);
        let gathered = &mut gathered[filter * shape.kernel.0 * run..(filter + 1) * shape.kernel.0 * run];
        isa.run(Gather { x, stride, run, gradients, places, gathered });
    }
}

/// `gathered[row][..] += sum over the list of gradient * x[place + row * stride ..]`.
struct Gather<'a> {
    x: &'a [f32],
    stride: usize,
    run: usize,
    gradients: &'a [f32],
    places: &'a [u32],
    gathered: &'a mut [f32],
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        let last = self.places.iter().copied().max().unwrap_or(0) as usize;
        let rows = self.gathered.len() / self.run;
        assert!(last + (rows - 1) * self.stride + self.run <= self.x.len(), "a patch reaches beyond the input");
        for row in 0..rows {
            let mut start = 0;
            while start < self.run {
                let vectors = (self.run - start).div_ceil(lanes).min(BLOCK);
                let tail = (self.run - start - (vectors - 1) * lanes).min(lanes);
                let gathered = &mut self.gathered[row * self.run + start..];
                let x = &self.x[row * self.stride + start..];
                macro_rules! pick {
                    ($($n:literal)*) => {
                        match vectors {
                            // SAFETY: the furthest patch was checked against `x` above; `tail` lanes are real.
                            $($n => unsafe { gather::<S, $n>(simd, x, self.gradients, self.places, tail, gathered) },)*
                            _ => unreachable!("a block has at most {BLOCK} registers"),
                        }
                    };
                }
                pick!(1 2 3 4 5 6 7 8 9 10 11 12);
                start += vectors * lanes;
            }
        }
    }
}

/// Registers that one pass over a list accumulates.
const BLOCK: usize = 12;

/// # Safety
/// Every place must leave `N` registers (the last of `tail` lanes) readable in `x`, and `gathered` as many.
#[inline(always)]
unsafe fn gather<S: Simd, const N: usize>(
    simd: S,
    x: &[f32],
    gradients: &[f32],
    places: &[u32],
    tail: usize,
    gathered: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let width = |j: usize| if j + 1 == N { tail } else { lanes };
    // SAFETY: the caller vouches for all places and for `gathered`.
    unsafe {
        let to = gathered.as_mut_ptr();
        let mut acc = [simd.splat_f32s(0.0); N];
        for (j, acc) in acc.iter_mut().enumerate() {
            *acc = tile::load_lanes(simd, to.add(j * lanes), width(j));
        }
        for (&g, &place) in gradients.iter().zip(places) {
            let (g, from) = (simd.splat_f32s(g), x.as_ptr().add(place as usize));
            for (j, acc) in acc.iter_mut().enumerate() {
                *acc = simd.mul_add_e_f32s(g, tile::load_lanes(simd, from.add(j * lanes), width(j)), *acc);
            }
        }
        for (j, acc) in acc.into_iter().enumerate() {
            tile::store_lanes(simd, to.add(j * lanes), acc, width(j));
        }
    }
}

/// `dx =` the gradient of one sample's input; overwritten.
pub fn pooled_input_gradient(
    isa: Isa,
    shape: &ConvShape,
    pooled: Pooled<'_>,
    weights: &FilterMajor,
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    pooled.check(shape);
    assert_eq!(*shape, weights.shape, "weights were packed for another convolution");
    assert_eq!(dx.len(), shape.input_len(), "dx is not one sample of {shape:?}");
    if shape.forward_scratch_len() == 0 {
        dx.fill(0.0);
        isa.run(Spread { shape, pooled, weights: &weights.data, dx });
        return;
    }
    let frame = &mut scratch[..shape.forward_scratch_len()];
    frame.fill(0.0);
    isa.run(Spread { shape, pooled, weights: &weights.data, dx: &mut *frame });
    let width = shape.width + shape.pad.left + shape.pad.right;
    for (y, row) in dx.chunks_exact_mut(shape.width * shape.channels).enumerate() {
        let at = ((y + shape.pad.top) * width + shape.pad.left) * shape.channels;
        row.copy_from_slice(&frame[at..at + row.len()]);
    }
}

/// Adds `gradient * filter` to the patch of every pooled value that has a gradient.
struct Spread<'a> {
    shape: &'a ConvShape,
    pooled: Pooled<'a>,
    weights: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Spread { shape, pooled, weights, dx } = self;
        let run = shape.kernel.1 * shape.channels;
        let stride = (shape.width + shape.pad.left + shape.pad.right) * shape.channels;
        pooled.each(shape.filters, |i, pixel| {
            let filter = i % shape.filters;
            let weights = &weights[filter * shape.kernel.0 * run..(filter + 1) * shape.kernel.0 * run];
            let (g, place) = (pooled.dy[i], patch(shape, pixel));
            for (row, weights) in weights.chunks_exact(run).enumerate() {
                add_scaled(simd, g, weights, &mut dx[place + row * stride..][..run]);
            }
        });
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
