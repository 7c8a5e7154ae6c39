//! Drivers for kernels that treat every element alike. An element's result never depends on its neighbours or on
//! where the slice is cut: whole registers and the rest at the end go through the same instructions.

use pulp::{Simd, WithSimd};

use crate::Isa;

/// The widest register of any instruction set, in f32 values.
pub(crate) const MAX_LANES: usize = 16;

/// What happens to one register of elements: `IN` arrays are read, `OUT` arrays are updated.
pub(crate) trait Lanewise<const IN: usize, const OUT: usize> {
    /// The new contents of the updated arrays.
    fn apply<S: Simd>(&self, simd: S, inputs: [S::f32s; IN], state: [S::f32s; OUT]) -> [S::f32s; OUT];
}

/// Applies `op` to arrays that all have the length of `state[0]`; longer ones are a bug of the caller.
pub(crate) fn lanewise<const IN: usize, const OUT: usize>(
    isa: Isa,
    op: impl Lanewise<IN, OUT>,
    inputs: [&[f32]; IN],
    state: [&mut [f32]; OUT],
) {
    let len = state[0].len();
    debug_assert!(inputs.iter().all(|x| x.len() == len) && state.iter().all(|x| x.len() == len));
    isa.run(Run { op, inputs, state });
}

struct Run<'a, Op, const IN: usize, const OUT: usize> {
    op: Op,
    inputs: [&'a [f32]; IN],
    state: [&'a mut [f32]; OUT],
}

impl<Op: Lanewise<IN, OUT>, const IN: usize, const OUT: usize> WithSimd for Run<'_, Op, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Run { op, inputs, state } = self;
        let zero = simd.splat_f32s(0.0);
        let inputs = inputs.map(|x| S::as_simd_f32s(x));
        let state = state.map(|x| S::as_mut_simd_f32s(x));
        let registers = state[0].0.len();
        let (mut x, mut y) = ([zero; IN], [zero; OUT]);
        for i in 0..registers {
            for k in 0..IN {
                x[k] = inputs[k].0[i];
            }
            for k in 0..OUT {
                y[k] = state[k].0[i];
            }
            let result = op.apply(simd, x, y);
            for k in 0..OUT {
                state[k].0[i] = result[k];
            }
        }
        if state[0].1.is_empty() {
            return;
        }
        for k in 0..IN {
            x[k] = simd.partial_load_f32s(inputs[k].1);
        }
        for k in 0..OUT {
            y[k] = simd.partial_load_f32s(state[k].1);
        }
        let result = op.apply(simd, x, y);
        for k in 0..OUT {
            simd.partial_store_f32s(state[k].1, result[k]);
        }
    }
}

/// The first register of `x`; if `x` is shorter, the lanes past its end are zero.
#[inline(always)]
pub(crate) fn load<S: Simd>(simd: S, x: &[f32]) -> S::f32s {
    match S::as_simd_f32s(x).0.first() {
        Some(register) => *register,
        None => simd.partial_load_f32s(x),
    }
}

/// Writes the first register of `x`, or as many lanes as `x` has.
#[inline(always)]
pub(crate) fn store<S: Simd>(simd: S, x: &mut [f32], value: S::f32s) {
    if x.len() >= S::F32_LANES {
        S::as_mut_simd_f32s(x).0[0] = value;
    } else {
        simd.partial_store_f32s(x, value);
    }
}

/// [`load`] of integers.
#[inline(always)]
pub(crate) fn load_u32<S: Simd>(simd: S, x: &[u32]) -> S::u32s {
    match S::as_simd_u32s(x).0.first() {
        Some(register) => *register,
        None => simd.partial_load_u32s(x),
    }
}

/// [`store`] of integers.
#[inline(always)]
pub(crate) fn store_u32<S: Simd>(simd: S, x: &mut [u32], value: S::u32s) {
    if x.len() >= S::F32_LANES {
        S::as_mut_simd_u32s(x).0[0] = value;
    } else {
        simd.partial_store_u32s(x, value);
    }
}

/// 0, 1, 2, ... in the lanes.
#[inline(always)]
pub(crate) fn iota<S: Simd>(simd: S) -> S::u32s {
    const COUNT: [u32; MAX_LANES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    load_u32(simd, &COUNT)
}

/// Cuts `0..len` into registers: calls `body(start, width)` with `width` the lanes, less at the end.
macro_rules! registers {
    ($simd:ty, $len:expr, |$start:ident, $width:ident| $body:block) => {{
        let len: usize = $len;
        let mut $start = 0;
        while $start < len {
            let $width = usize::min(<$simd>::F32_LANES, len - $start);
            $body
            $start += <$simd>::F32_LANES;
        }
    }};
}
pub(crate) use registers;
