//! Transformed kernels.

use pulp::{Simd, WithSimd};

use super::POINTS;
use crate::conv::ConvShape;
use crate::packed::{Packed, Panel};
use crate::transpose::transpose;
use crate::{Buffer, Isa, tile};

/// The transformed kernel of one convolution. Repack after every change of the weights.
#[derive(Debug)]
pub struct WinogradWeights {
    shape: ConvShape,
    points: Packed,
    /// The kernel turned around, for the input gradient: 3 x 3 x filters x channels.
    turned: Option<Buffer>,
}

impl WinogradWeights {
    /// Room for the transformed kernel of [`crate::winograd_forward`], all zero.
    pub fn new(isa: Isa, shape: &ConvShape) -> WinogradWeights {
        let points = Packed::batch(isa, POINTS, shape.channels, shape.filters);
        WinogradWeights { shape: *shape, points, turned: None }
    }

    /// The same for [`crate::winograd_input_gradient`].
    pub fn for_input_gradient(isa: Isa, shape: &ConvShape) -> WinogradWeights {
        let points = Packed::batch(isa, POINTS, shape.filters, shape.channels);
        WinogradWeights { shape: *shape, points, turned: Some(Buffer::new(shape.weights_len())) }
    }

    /// Floats that the packed weights take.
    pub fn floats(&self) -> usize {
        self.points.floats() + self.turned.as_ref().map_or(0, |turned| turned.len())
    }

    /// Transforms `weights` (HWIO): U = G g G^T for every pair of channels.
    pub fn pack(&mut self, weights: &[f32]) {
        assert_eq!(weights.len(), self.shape.weights_len(), "kernel has the wrong size");
        let (isa, stride, depth, columns) =
            (self.points.isa(), self.points.stride(), self.points.depth(), self.points.columns());
        let weights = match &mut self.turned {
            None => weights,
            Some(turned) => {
                let (c, f) = (self.shape.channels, self.shape.filters);
                for (tap, plane) in weights.chunks_exact(c * f).enumerate() {
                    transpose(c, f, plane, &mut turned[(8 - tap) * c * f..(9 - tap) * c * f]);
                }
                turned
            }
        };
        let (panels, transformed) = self.points.parts_mut();
        isa.run(Kernels { weights, depth, columns, panels, stride, transformed });
    }

    pub(super) fn points(&self) -> &Packed {
        &self.points
    }

    /// Whether they were made for this convolution and direction.
    pub(super) fn suit(&self, shape: &ConvShape, input_gradient: bool) -> bool {
        self.shape == *shape && self.turned.is_some() == input_gradient
    }
}

/// Transforms kernels `weights[tap][k][column]` into packed matrices.
struct Kernels<'a> {
    weights: &'a [f32],
    depth: usize,
    columns: usize,
    panels: &'a [Panel],
    /// Floats from one matrix to the next.
    stride: usize,
    transformed: &'a mut [f32],
}

impl WithSimd for Kernels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Kernels { weights, depth, columns, panels, stride, transformed } = self;
        assert_eq!(weights.len(), 9 * depth * columns, "nine taps");
        for panel in panels {
            for k in 0..depth {
                for j in 0..panel.vectors {
                    let column = panel.start + j * S::F32_LANES;
                    if column >= columns {
                        continue;
                    }
                    let tail = S::F32_LANES.min(columns - column);
                    let to = panel.offset + (k * panel.vectors + j) * S::F32_LANES;
                    assert!(transformed.len() >= (POINTS - 1) * stride + to + S::F32_LANES, "packed points");
                    // SAFETY: every tap has `tail` values at this place; every point was checked to have a register.
                    unsafe {
                        let from = weights.as_ptr().add(k * columns + column);
                        register(simd, from, depth * columns, tail, transformed.as_mut_ptr().add(to), stride);
                    }
                }
            }
        }
    }
}

/// Transforms one register of kernels.
/// # Safety
/// `from` must be readable at nine taps, `to` writable at 36 points, at these distances.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "closures inside iterators are not sure to be compiled for the set")]
unsafe fn register<S: Simd>(simd: S, from: *const f32, tap: usize, tail: usize, to: *mut f32, stride: usize) {
    let zero = simd.splat_f32s(0.0);
    // Columns first: half[i][kw] = G g[..][kw].
    let mut half = [[zero; 3]; 6];
    for kw in 0..3 {
        let mut g = [zero; 3];
        for kh in 0..3 {
            // SAFETY: the caller vouches for every tap.
            g[kh] = unsafe { tile::load_lanes(simd, from.add((kh * 3 + kw) * tap), tail) };
        }
        let g = kernel_transform(simd, g);
        for i in 0..6 {
            half[i][kw] = g[i];
        }
    }
    for i in 0..6 {
        let row = kernel_transform(simd, half[i]);
        for j in 0..6 {
            // SAFETY: the caller vouches for every point.
            unsafe { tile::store_lanes(simd, to.add((i * 6 + j) * stride), row[j], S::F32_LANES) };
        }
    }
}

/// G g, with G = [[1/4, 0, 0], [-1/6, -1/6, -1/6], [-1/6, 1/6, -1/6], [1/24, 1/12, 1/6], [1/24, -1/12, 1/6], [0, 0, 1]].
#[inline(always)]
fn kernel_transform<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; 6] {
    let [quarter, sixth, twelfth, twenty_fourth] =
        [1.0 / 4.0, 1.0 / 6.0, 1.0 / 12.0, 1.0 / 24.0].map(|factor| simd.splat_f32s(factor));
    let outer = simd.mul_f32s(simd.splat_f32s(-1.0 / 6.0), simd.add_f32s(g[0], g[2]));
    let inner = simd.mul_f32s(sixth, g[1]);
    let even = simd.mul_add_e_f32s(twenty_fourth, g[0], simd.mul_f32s(sixth, g[2]));
    let odd = simd.mul_f32s(twelfth, g[1]);
    [
        simd.mul_f32s(quarter, g[0]),
        simd.sub_f32s(outer, inner),
        simd.add_f32s(outer, inner),
        simd.add_f32s(even, odd),
        simd.sub_f32s(even, odd),
        g[2],
    ]
}
