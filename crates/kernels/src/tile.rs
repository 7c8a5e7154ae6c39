//! The two register tiles that all matrix work is built from. Everything here is unchecked: [`crate::gemm`] checks
//! shapes at the door; [`crate::conv_pool`] uses the loads and stores alone, with checks of its own.
//!
//! A tile keeps `M` rows times `NV` registers of results in registers while it walks the inner dimension. `M` and
//! `NV` are compile-time constants so that the accumulators never touch memory.

use pulp::{MemMask, Simd};

/// Where the rows of a tile lie, relative to the tile's first element.
pub(crate) trait RowAddress: Copy {
    /// Offset of row `i`, in elements.
    fn at(&self, i: usize) -> usize;
}

/// Rows at a constant distance.
#[derive(Clone, Copy)]
pub(crate) struct Strided(pub(crate) usize);

impl RowAddress for Strided {
    #[inline(always)]
    fn at(&self, i: usize) -> usize {
        i * self.0
    }
}

/// Rows anywhere, for tiles that wrap from one image row to the next.
#[derive(Clone, Copy)]
pub(crate) struct Scattered<'a>(pub(crate) &'a [usize; MAX_ROWS]);

impl RowAddress for Scattered<'_> {
    #[inline(always)]
    fn at(&self, i: usize) -> usize {
        self.0[i]
    }
}

/// The most rows a tile may have, for any instruction set: with one more, 32 registers no longer hold the operands
/// beside two registers a row.
pub(crate) const MAX_ROWS: usize = 12;

/// The inner dimension of a product: `count` runs of `len` adjacent elements, `stride` elements apart. A convolution
/// has one run per kernel row (kernel columns and channels are adjacent in NHWC), a dense layer has one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Runs {
    pub(crate) count: usize,
    pub(crate) len: usize,
    pub(crate) stride: usize,
}

impl Runs {
    pub(crate) fn depth(&self) -> usize {
        crate::size(&[self.count, self.len])
    }

    /// Offset of the last element.
    pub(crate) fn last(&self) -> usize {
        crate::size(&[self.count - 1, self.stride]).saturating_add(self.len - 1)
    }
}

/// How many registers wide a column panel may be.
#[inline(always)]
pub(crate) fn max_vectors<S: Simd>() -> usize {
    if S::IS_SCALAR { 4 } else { 2 }
}

/// How many rows fit beside `nv` registers a row, leaving room for the panel's registers and one operand.
#[inline(always)]
pub(crate) fn max_rows<S: Simd>(nv: usize) -> usize {
    ((S::REGISTER_COUNT - nv - 1) / nv).clamp(1, MAX_ROWS)
}

/// The same for a tile of [`product`]: with 16 registers, compilers do not manage to keep a tile that needs 15 of them in
/// place, and a spilled accumulator costs half the speed.
#[inline(always)]
pub(crate) fn max_product_rows<S: Simd>(nv: usize) -> usize {
    ((S::REGISTER_COUNT - nv - 3) / nv).clamp(1, MAX_ROWS)
}

/// # Safety
/// `p` must be valid for reading one register.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd>(p: *const f32) -> S::f32s {
    // SAFETY: the caller vouches for the pointer; a register is plain data without alignment here.
    unsafe { p.cast::<S::f32s>().read_unaligned() }
}

/// The first `lanes` lanes. Made anew from the mask alone, as pulp's own would call a function for each access.
#[inline(always)]
fn first_lanes<S: Simd>(simd: S, lanes: usize) -> MemMask<S::m32s> {
    MemMask::new(simd.mask_between_m32s(0, lanes as u32).mask())
}

/// Reads `lanes` floats (0 ..= register size); the lanes past them are zero.
/// # Safety
/// `p` must be valid for reading `lanes` floats.
#[inline(always)]
pub(crate) unsafe fn load_lanes<S: Simd>(simd: S, p: *const f32, lanes: usize) -> S::f32s {
    if lanes == S::F32_LANES {
        // SAFETY: a whole register is in bounds by the caller's word.
        unsafe { load::<S>(p) }
    } else {
        // SAFETY: only the first `lanes` lanes are read, which the caller vouches for.
        unsafe { simd.mask_load_ptr_f32s(first_lanes(simd, lanes), p) }
    }
}

/// Writes the first `lanes` lanes.
/// # Safety
/// `p` must be valid for writing `lanes` floats.
#[inline(always)]
pub(crate) unsafe fn store_lanes<S: Simd>(simd: S, p: *mut f32, v: S::f32s, lanes: usize) {
    if lanes == S::F32_LANES {
        // SAFETY: a whole register is in bounds by the caller's word; unaligned stores are allowed here.
        unsafe { p.cast::<S::f32s>().write_unaligned(v) }
    } else {
        // SAFETY: only the first `lanes` lanes are written, which the caller vouches for.
        unsafe { simd.mask_store_ptr_f32s(first_lanes(simd, lanes), p, v) }
    }
}

/// `acc[i][j] += sum over k of a[row i][k] * b[k][j]`, for a panel `b` packed as `depth x (NV registers)`.
/// # Safety
/// All `M` rows must be readable over all runs, and `b` for `depth * NV` registers.
#[inline(always)]
pub(crate) unsafe fn product<S: Simd, const M: usize, const NV: usize, R: RowAddress>(
    simd: S,
    a: *const f32,
    rows: R,
    runs: Runs,
    b: *const f32,
    mut acc: [[S::f32s; NV]; M],
) -> [[S::f32s; NV]; M] {
    let mut b = b;
    for run in 0..runs.count {
        // SAFETY: the caller vouches for every run of every row, and for the whole panel.
        unsafe {
            let a = a.add(run * runs.stride);
            for k in 0..runs.len {
                let a = a.add(k);
                let mut w = [simd.splat_f32s(0.0); NV];
                for (j, w) in w.iter_mut().enumerate() {
                    *w = load::<S>(b.add(j * S::F32_LANES));
                }
                for (i, acc) in acc.iter_mut().enumerate() {
                    let v = simd.splat_f32s(*a.add(rows.at(i)));
                    for j in 0..NV {
                        acc[j] = simd.mul_add_e_f32s(v, w[j], acc[j]);
                    }
                }
                b = b.add(NV * S::F32_LANES);
            }
        }
    }
    acc
}

/// `acc[i][j] += sum over p of a[p * a_step + row i] * d[p * d_step + j]`, over `count` pixels: one row of a weight
/// gradient. `lanes` is the number of real columns in the last register.
/// # Safety
/// Both sides must be readable at all pixels.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a register tile is its operands; a struct would be unpacked at once")]
pub(crate) unsafe fn outer<S: Simd, const M: usize, const NV: usize, R: RowAddress>(
    simd: S,
    a: *const f32,
    a_step: usize,
    rows: R,
    d: *const f32,
    d_step: usize,
    count: usize,
    lanes: usize,
    mut acc: [[S::f32s; NV]; M],
) -> [[S::f32s; NV]; M] {
    for p in 0..count {
        // SAFETY: the caller vouches for every pixel of both sides.
        unsafe {
            let (a, d) = (a.add(p * a_step), d.add(p * d_step));
            let mut w = [simd.splat_f32s(0.0); NV];
            for (j, w) in w.iter_mut().enumerate() {
                let lanes = if j + 1 == NV { lanes } else { S::F32_LANES };
                *w = load_lanes::<S>(simd, d.add(j * S::F32_LANES), lanes);
            }
            for (i, acc) in acc.iter_mut().enumerate() {
                let v = simd.splat_f32s(*a.add(rows.at(i)));
                for j in 0..NV {
                    acc[j] = simd.mul_add_e_f32s(v, w[j], acc[j]);
                }
            }
        }
    }
    acc
}
