//! The kernel's gradient: a transformed gradient is gathered over samples, and transformed back once.

use pulp::{Simd, WithSimd};

use super::phase::{Phase, TAPS, View, phases};
use super::squares::{Patches, Squares, Transformed};
use super::{GAP, Layout, POINTS, grid, inner, run, transform_phases, winograd_fits};
use crate::conv::ConvShape;
use crate::{Isa, bias_gradient, gemm, size, tile};

/// Floats from one point of a gathered gradient to the next.
fn stride(shape: &ConvShape) -> usize {
    size(&[inner(shape), shape.filters]) + GAP
}

/// Floats of a gathered gradient.
pub fn winograd_gathered_len(shape: &ConvShape) -> usize {
    size(&[POINTS, stride(shape)])
}

/// `gathered +=` the kernel's gradient in its transformed order (see [`add_winograd_gradient`]) and `db +=` the bias's
/// (empty for none), summed over the samples. Shapes as in [`crate::winograd_forward`]; `scratch` at least
/// [`crate::winograd_scratch_len`].
pub fn winograd_weight_gradient(
    isa: Isa,
    shape: &ConvShape,
    x: &[f32],
    dy: &[f32],
    gathered: &mut [f32],
    db: &mut [f32],
    scratch: &mut [f32],
) {
    assert!(winograd_fits(shape), "{shape:?} has no 3x3 taps in a phase");
    let n = shape.samples(x.len(), dy.len());
    assert_eq!(gathered.len(), winograd_gathered_len(shape), "gathered gradient of {shape:?}");
    assert!(db.is_empty() || db.len() == shape.filters, "{} bias gradients for {shape:?}", db.len());
    let layout = Layout::forward(shape);
    let (depth, filters) = (inner(shape), shape.filters);
    let (c, f) = (layout.stride(depth), layout.stride(filters));
    let (v, scratch) = scratch.split_at_mut(POINTS * c);
    let (d, patch) = scratch.split_at_mut(POINTS * f);
    for range in layout.blocks(n) {
        let grid = grid(range.len(), depth, filters);
        transform_phases(isa, shape, &layout, x, range.clone(), v, patch);
        let mut gradients = Patches { squares: outputs(shape, &layout, dy), patch };
        gradients.transform_gradients(isa, range, Transformed { v: d, stride: f, square: filters });
        gemm::outers(isa, POINTS, &grid, run(depth), [v, d], [c, f], filters, gathered, stride(shape));
    }
    bias_gradient(isa, dy, db);
}

/// The tiles of an output's gradient: 4x4 pixels, side by side, zero beyond the image.
fn outputs<'a>(shape: &ConvShape, layout: &Layout, dy: &'a [f32]) -> Squares<'a> {
    let Layout { rows, columns, .. } = *layout;
    let view = View::outputs(shape);
    Squares { images: dy, view, channels: shape.filters, top: 0, left: 0, rows, columns }
}

/// Adds a gathered gradient to one in the kernel's own order (HWIO): dg = G^T u G.
pub fn add_winograd_gradient(isa: Isa, shape: &ConvShape, gathered: &[f32], gradient: &mut [f32]) {
    assert_eq!(gathered.len(), winograd_gathered_len(shape), "gathered gradient of {shape:?}");
    assert_eq!(gradient.len(), shape.weights_len(), "gradient of {shape:?}");
    let plane = size(&[shape.channels, shape.filters]);
    for (index, Phase { taps, .. }) in phases(shape).enumerate() {
        let gathered = &gathered[index * plane..];
        isa.run(Back { plane, stride: stride(shape), gathered, taps, gradient });
    }
}

/// The gradient of one phase's kernel.
struct Back<'a> {
    /// Pairs of channels.
    plane: usize,
    /// Floats from one point to the next.
    stride: usize,
    gathered: &'a [f32],
    /// Where every tap goes.
    taps: [Option<usize>; TAPS * TAPS],
    gradient: &'a mut [f32],
}

impl WithSimd for Back<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "closures inside iterators are not sure to be compiled for the set")]
    fn with_simd<S: Simd>(self, simd: S) {
        let Back { plane, stride, gathered, taps, gradient } = self;
        assert!(gathered.len() >= (POINTS - 1) * stride + plane, "a gathered gradient");
        for tap in taps.iter().flatten() {
            assert!(gradient.len() >= (tap + 1) * plane, "a kernel's gradient");
        }
        let zero = simd.splat_f32s(0.0);
        for at in (0..plane).step_by(S::F32_LANES) {
            let tail = S::F32_LANES.min(plane - at);
            // SAFETY: every point and every tap holds `plane` values, as was checked; `tail` of them are left.
            unsafe {
                let from = gathered.as_ptr().add(at);
                let mut half = [[zero; 6]; 3];
                for j in 0..6 {
                    let mut u = [zero; 6];
                    for i in 0..6 {
                        u[i] = tile::load_lanes(simd, from.add((i * 6 + j) * stride), tail);
                    }
                    let u = back_transform(simd, u);
                    for i in 0..3 {
                        half[i][j] = u[i];
                    }
                }
                for i in 0..3 {
                    let row = back_transform(simd, half[i]);
                    for j in 0..3 {
                        let Some(tap) = taps[i * TAPS + j] else { continue };
                        let to = gradient.as_mut_ptr().add(tap * plane + at);
                        let sum = simd.add_f32s(tile::load_lanes(simd, to, tail), row[j]);
                        tile::store_lanes(simd, to, sum, tail);
                    }
                }
            }
        }
    }
}

/// G^T u: the transpose of the kernel's transform.
#[inline(always)]
fn back_transform<S: Simd>(simd: S, u: [S::f32s; 6]) -> [S::f32s; 3] {
    let [quarter, sixth, twelfth, twenty_fourth] =
        [1.0 / 4.0, 1.0 / 6.0, 1.0 / 12.0, 1.0 / 24.0].map(|factor| simd.splat_f32s(factor));
    let (sum_12, difference_21) = (simd.add_f32s(u[1], u[2]), simd.sub_f32s(u[2], u[1]));
    let (sum_34, difference_34) = (simd.add_f32s(u[3], u[4]), simd.sub_f32s(u[3], u[4]));
    let minus_sixth = simd.splat_f32s(-1.0 / 6.0);
    let outer = simd.mul_f32s(minus_sixth, sum_12);
    [
        simd.mul_add_e_f32s(twenty_fourth, sum_34, simd.mul_add_e_f32s(quarter, u[0], outer)),
        simd.mul_add_e_f32s(twelfth, difference_34, simd.mul_f32s(sixth, difference_21)),
        simd.add_f32s(u[5], simd.mul_add_e_f32s(sixth, sum_34, outer)),
    ]
}
