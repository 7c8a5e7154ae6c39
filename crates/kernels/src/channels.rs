//! Drivers for kernels whose parameters belong to channels: maps over pixels and sums over pixels. Arrays are
//! pixels x channels.

use pulp::{Simd, WithSimd};

use crate::Isa;
use crate::lanes::{MAX_LANES, load, registers, store};

/// A map over pixels: `IN` arrays are read, one is written; `P` values belong to each channel.
pub(crate) trait PixelMap<const P: usize, const IN: usize> {
    fn value<S: Simd>(&self, simd: S, parameters: &[S::f32s; P], inputs: [S::f32s; IN]) -> S::f32s;
}

/// `output[pixel, c] = map(parameters[..][c], inputs[..][pixel, c])`. The caller has checked the lengths.
pub(crate) fn map_pixels<const P: usize, const IN: usize>(
    isa: Isa,
    channels: usize,
    map: impl PixelMap<P, IN>,
    parameters: [&[f32]; P],
    inputs: [&[f32]; IN],
    output: &mut [f32],
) {
    isa.run(MapPixels::<_, P, IN, false> { channels, map, parameters, inputs, output });
}

/// `x[pixel, c] = map(parameters[..][c], x[pixel, c])`. The caller has checked the lengths.
pub(crate) fn map_pixels_in_place<const P: usize>(
    isa: Isa,
    channels: usize,
    map: impl PixelMap<P, 1>,
    parameters: [&[f32]; P],
    x: &mut [f32],
) {
    isa.run(MapPixels::<_, P, 1, true> { channels, map, parameters, inputs: [&[]], output: x });
}

/// Where the map is in place, its one input is the output's old value.
struct MapPixels<'a, M, const P: usize, const IN: usize, const IN_PLACE: bool> {
    channels: usize,
    map: M,
    parameters: [&'a [f32]; P],
    inputs: [&'a [f32]; IN],
    output: &'a mut [f32],
}

impl<M: PixelMap<P, IN>, const P: usize, const IN: usize, const IN_PLACE: bool> WithSimd
    for MapPixels<'_, M, P, IN, IN_PLACE>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = S::F32_LANES;
        let mut c = 0;
        // Wide strips first: a strip's parameters stay in registers while memory is walked in long runs.
        while c + 4 * lanes <= self.channels {
            self.strip::<S, 4>(simd, c, lanes);
            c += 4 * lanes;
        }
        while c + 2 * lanes <= self.channels {
            self.strip::<S, 2>(simd, c, lanes);
            c += 2 * lanes;
        }
        while c < self.channels {
            self.strip::<S, 1>(simd, c, lanes.min(self.channels - c));
            c += lanes;
        }
    }
}

impl<M: PixelMap<P, IN>, const P: usize, const IN: usize, const IN_PLACE: bool> MapPixels<'_, M, P, IN, IN_PLACE> {
    /// Channels `start .. start + N * width` of all pixels, in `N` registers.
    #[inline(always)]
    fn strip<S: Simd, const N: usize>(&mut self, simd: S, start: usize, width: usize) {
        let zero = simd.splat_f32s(0.0);
        let mut parameters = [[zero; P]; N];
        for (v, parameters) in parameters.iter_mut().enumerate() {
            for (parameter, values) in parameters.iter_mut().zip(self.parameters) {
                *parameter = load(simd, &values[start + v * width..][..width]);
            }
        }
        let mut at = start;
        while at < self.output.len() {
            for (v, parameters) in parameters.iter().enumerate() {
                let mut x = [zero; IN];
                for (x, values) in x.iter_mut().zip(self.inputs) {
                    let values = if IN_PLACE { &*self.output } else { values };
                    *x = load(simd, &values[at + v * width..][..width]);
                }
                let value = self.map.value(simd, parameters, x);
                store(simd, &mut self.output[at + v * width..][..width], value);
            }
            at += self.channels;
        }
    }
}

/// Sums over pixels: `IN` arrays are read, `OUT` sums are made for each channel with the help of `P` values of it.
pub(crate) trait PixelSums<const P: usize, const IN: usize, const OUT: usize> {
    /// What a pixel adds to each sum.
    fn terms<S: Simd>(&self, simd: S, parameters: &[S::f32s; P], inputs: [S::f32s; IN]) -> [S::f32s; OUT];

    /// Takes the sums of one block of pixels for the channels that begin at `channel`.
    fn take(&mut self, channel: usize, sums: [&[f32]; OUT]);
}

/// Pixels summed in f32 before [`PixelSums::take`] gets the result. Fixed, so that the order of additions is.
const BLOCK: usize = 64;

/// Runs over all pixels in blocks, in order. The caller has checked the lengths.
pub(crate) fn sum_pixels<const P: usize, const IN: usize, const OUT: usize>(
    isa: Isa,
    channels: usize,
    sums: impl PixelSums<P, IN, OUT>,
    parameters: [&[f32]; P],
    inputs: [&[f32]; IN],
) {
    isa.run(SumPixels::<_, P, IN, OUT> { channels, sums, parameters, inputs });
}

struct SumPixels<'a, T, const P: usize, const IN: usize, const OUT: usize> {
    channels: usize,
    sums: T,
    parameters: [&'a [f32]; P],
    inputs: [&'a [f32]; IN],
}

impl<T: PixelSums<P, IN, OUT>, const P: usize, const IN: usize, const OUT: usize> WithSimd
    for SumPixels<'_, T, P, IN, OUT>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let len = self.inputs[0].len();
        let step = BLOCK * self.channels;
        for first in (0..len).step_by(step) {
            let end = len.min(first + step);
            registers!(S, self.channels, |c, width| {
                let totals = self.block(simd, first + c, end, c, width);
                let mut lanes = [[0.0; MAX_LANES]; OUT];
                for (lanes, total) in lanes.iter_mut().zip(totals) {
                    store(simd, lanes, total);
                }
                let mut sums: [&[f32]; OUT] = [&[]; OUT];
                for (sum, lanes) in sums.iter_mut().zip(&lanes) {
                    *sum = &lanes[..width];
                }
                self.sums.take(c, sums);
            });
        }
    }
}

impl<T: PixelSums<P, IN, OUT>, const P: usize, const IN: usize, const OUT: usize> SumPixels<'_, T, P, IN, OUT> {
    /// The sums of `width` channels from `channel` on, over the pixels whose values lie at `first`,
    /// `first + channels`, ... below `end`.
    #[inline(always)]
    fn block<S: Simd>(&self, simd: S, first: usize, end: usize, channel: usize, width: usize) -> [S::f32s; OUT] {
        let zero = simd.splat_f32s(0.0);
        let mut parameters = [zero; P];
        for (parameter, values) in parameters.iter_mut().zip(self.parameters) {
            *parameter = load(simd, &values[channel..channel + width]);
        }
        // Four interleaved sums, so that one addition need not wait for the last.
        let mut sums = [[zero; OUT]; 4];
        let mut at = first;
        while at < end {
            for sums in &mut sums {
                if at >= end {
                    break;
                }
                let mut x = [zero; IN];
                for (x, values) in x.iter_mut().zip(self.inputs) {
                    *x = load(simd, &values[at..at + width]);
                }
                let terms = self.sums.terms(simd, &parameters, x);
                for (sum, term) in sums.iter_mut().zip(terms) {
                    *sum = simd.add_f32s(*sum, term);
                }
                at += self.channels;
            }
        }
        let [a, b, c, d] = sums;
        let mut total = [zero; OUT];
        for (k, total) in total.iter_mut().enumerate() {
            *total = simd.add_f32s(simd.add_f32s(a[k], b[k]), simd.add_f32s(c[k], d[k]));
        }
        total
    }
}
