//! Transformed kernels.

use pulp::{Simd, WithSimd};

use super::phase::{Phase, TAPS, phase_count, phases};
use super::{POINTS, inner};
use crate::conv::ConvShape;
use crate::packed::{Packed, Panel};
use crate::transpose::transpose;
use crate::{Buffer, Isa, size, tile};

/// The transformed kernel of one convolution. Repack after every change of the weights.
#[derive(Debug)]
pub struct WinogradWeights {
    shape: ConvShape,
    input_gradient: bool,
    /// One batch of 36 matrices; for the input gradient one for every phase.
    batches: Vec<Packed>,
    /// A kernel of 3x3 taps in the order in which it is transformed, where the convolution's own has another.
    arranged: Buffer,
}

impl WinogradWeights {
    /// Room for the transformed kernel of [`crate::winograd_forward`], all zero: the phases' channels side by side.
    pub fn new(isa: Isa, shape: &ConvShape) -> WinogradWeights {
        let batches = vec![Packed::batch(isa, POINTS, inner(shape), shape.filters)];
        let arranged = if phase_count(shape) == 1 { 0 } else { size(&[TAPS * TAPS, inner(shape), shape.filters]) };
        WinogradWeights { shape: *shape, input_gradient: false, batches, arranged: Buffer::new(arranged) }
    }

    /// The same for [`crate::winograd_input_gradient`]: a kernel for every phase.
    pub fn for_input_gradient(isa: Isa, shape: &ConvShape) -> WinogradWeights {
        let batch = |_| Packed::batch(isa, POINTS, shape.filters, shape.channels);
        let batches = (0..phase_count(shape)).map(batch).collect();
        let arranged = Buffer::new(size(&[TAPS * TAPS, shape.filters, shape.channels]));
        WinogradWeights { shape: *shape, input_gradient: true, batches, arranged }
    }

    /// Floats that the packed weights take.
    pub fn floats(&self) -> usize {
        self.batches.iter().map(Packed::floats).sum::<usize>() + self.arranged.len()
    }

    /// Transforms `weights` (HWIO): U = G g G^T for every pair of channels.
    pub fn pack(&mut self, weights: &[f32]) {
        assert_eq!(weights.len(), self.shape.weights_len(), "kernel has the wrong size");
        let WinogradWeights { shape, input_gradient, batches, arranged } = self;
        if *input_gradient {
            for (phase, batch) in phases(shape).zip(batches) {
                turn(shape, &phase, weights, arranged);
                transform(arranged, batch);
            }
        } else if arranged.is_empty() {
            transform(weights, &mut batches[0]);
        } else {
            place_side_by_side(shape, weights, arranged);
            transform(arranged, &mut batches[0]);
        }
    }

    /// The batches of matrices: one, or for the input gradient one for every phase.
    pub(super) fn batches(&self) -> &[Packed] {
        &self.batches
    }

    /// Whether they were made for this convolution and direction.
    pub(super) fn suit(&self, shape: &ConvShape, input_gradient: bool) -> bool {
        self.shape == *shape && self.input_gradient == input_gradient
    }
}

/// The kernels of all phases, as one kernel of so many times the channels.
fn place_side_by_side(shape: &ConvShape, weights: &[f32], arranged: &mut [f32]) {
    let plane = shape.channels * shape.filters;
    let count = phase_count(shape);
    for (index, phase) in phases(shape).enumerate() {
        for (tap, source) in phase.taps.iter().enumerate() {
            let to = &mut arranged[(tap * count + index) * plane..][..plane];
            match source {
                Some(source) => to.copy_from_slice(&weights[source * plane..][..plane]),
                None => to.fill(0.0),
            }
        }
    }
}

/// A phase's kernel turned around: 3 x 3 x filters x channels.
fn turn(shape: &ConvShape, phase: &Phase, weights: &[f32], turned: &mut [f32]) {
    let plane = shape.channels * shape.filters;
    for (source, to) in phase.taps.iter().zip(turned.chunks_exact_mut(plane).rev()) {
        match source {
            Some(source) => transpose(shape.channels, shape.filters, &weights[source * plane..][..plane], to),
            None => to.fill(0.0),
        }
    }
}

fn transform(weights: &[f32], points: &mut Packed) {
    let (isa, stride, depth, columns) = (points.isa(), points.stride(), points.depth(), points.columns());
    let (panels, transformed) = points.parts_mut();
    isa.run(Kernels { weights, depth, columns, panels, stride, transformed });
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
