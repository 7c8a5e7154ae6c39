//! Batch normalisation: statistics that combine across chunks, the affine map, and the backward pass.
//!
//! Training: each chunk of the batch fills its own [`Moments`]; the chunks are merged in a fixed order; the caller
//! turns them into `mean` and `inv_std = 1 / sqrt(variance + epsilon)`. Normalisation uses the *biased* variance
//! ([`Moments::variance`], `m2 / count`) everywhere. For the running variance Keras uses the biased one too,
//! PyTorch the *unbiased* one ([`Moments::unbiased_variance`], `m2 / (count - 1)`); the running update is the
//! caller's.

use pulp::Simd;

use crate::Isa;
use crate::activation::relu;
use crate::channels::{PixelMap, PixelSums, map_pixels, map_pixels_in_place, sum_pixels};

/// Count, mean and sum of squared deviations of each channel.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Values seen in each channel (pixels times samples).
    pub count: u64,
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// Sum of squared deviations from the mean, of each channel.
    pub m2: Vec<f64>,
    /// Scratch of [`Moments::add`]: mean and deviations of what is added.
    part_mean: Vec<f64>,
    part_m2: Vec<f64>,
    /// Scratch of [`Moments::add`]: the mean in f32, from which deviations are taken.
    centre: Vec<f32>,
}

impl Moments {
    /// Empty moments of so many channels. This allocates; nothing else here does.
    pub fn new(channels: usize) -> Moments {
        let zeros = || vec![0.0; channels];
        let (mean, m2, part_mean, part_m2) = (zeros(), zeros(), zeros(), zeros());
        Moments { count: 0, mean, m2, part_mean, part_m2, centre: vec![0.0; channels] }
    }

    /// Forgets everything seen.
    pub fn reset(&mut self) {
        self.count = 0;
        self.mean.fill(0.0);
        self.m2.fill(0.0);
    }

    /// Replaces the contents by the moments of `x` (pixels x channels).
    ///
    /// # Panics
    /// If `x` is not whole pixels.
    pub fn accumulate(&mut self, isa: Isa, x: &[f32]) {
        self.reset();
        self.add(isa, x);
    }

    /// Takes in the moments of `x` (pixels x channels): two passes over it, first for the mean, then for the deviations
    /// from it; then a merge. The same parts in the same order give the same bits each time.
    ///
    /// # Panics
    /// If `x` is not whole pixels.
    pub fn add(&mut self, isa: Isa, x: &[f32]) {
        let channels = self.mean.len();
        check_pixels("Moments::add", channels, x.len());
        if x.is_empty() {
            return;
        }
        let pixels = (x.len() / channels) as u64;
        let count = pixels as f64;
        let (sum, squares, centre) = (&mut self.part_mean, &mut self.part_m2, &mut self.centre);
        sum.fill(0.0);
        squares.fill(0.0);
        sum_pixels(isa, channels, Sum { sum }, [], [x]);
        for (centre, mean) in centre.iter_mut().zip(&mut *sum) {
            *centre = (*mean / count) as f32;
            *mean = 0.0;
        }
        // `sum` now collects the deviations from `centre`; what is left of them corrects both results.
        sum_pixels(isa, channels, Deviations { sum, squares }, [centre], [x]);
        for ((mean, m2), centre) in sum.iter_mut().zip(squares).zip(centre) {
            let rest = *mean / count;
            *m2 -= *mean * rest;
            if *m2 < 0.0 {
                *m2 = 0.0; // rounding; a NaN stays
            }
            *mean = f64::from(*centre) + rest;
        }
        let part = (pixels, &self.part_mean[..], &self.part_m2[..]);
        self.count = merge(self.count, &mut self.mean, &mut self.m2, part);
    }

    /// Takes in what `other` has seen. Merging chunks in a fixed order gives the same bits each time; another order
    /// gives other last bits.
    ///
    /// # Panics
    /// If the channels differ.
    pub fn merge(&mut self, other: &Moments) {
        let (ours, theirs) = (self.mean.len(), other.mean.len());
        assert_eq!(ours, theirs, "Moments::merge: {ours} channels with {theirs}");
        self.count = merge(self.count, &mut self.mean, &mut self.m2, (other.count, &other.mean, &other.m2));
    }

    /// The biased variance of a channel, `m2 / count`; NaN if nothing was seen.
    pub fn variance(&self, channel: usize) -> f64 {
        self.m2[channel] / self.count as f64
    }

    /// The unbiased variance of a channel, `m2 / (count - 1)`, which PyTorch puts into its running variance; of a
    /// single value it is NaN.
    pub fn unbiased_variance(&self, channel: usize) -> f64 {
        self.m2[channel] / (self.count as f64 - 1.0)
    }
}

/// Two moments in one (Chan, Golub, LeVeque 1983): into a count, mean and m2 goes another triple; returns the new count.
fn merge(count: u64, mean: &mut [f64], m2: &mut [f64], (more, more_mean, more_m2): (u64, &[f64], &[f64])) -> u64 {
    let total = count + more;
    if more == 0 {
        return total;
    }
    let share = more as f64 / total as f64;
    for c in 0..mean.len() {
        let delta = more_mean[c] - mean[c];
        mean[c] += delta * share;
        m2[c] += more_m2[c] + delta * delta * (count as f64 * share);
    }
    total
}

/// `y = x * scale + shift` per channel; `x` and `y` are pixels x channels.
///
/// With `scale = gamma * inv_std` and `shift = beta - mean * scale` this is batch normalisation.
///
/// # Panics
/// If the lengths do not fit.
pub fn scale_shift(isa: Isa, channels: usize, x: &[f32], scale: &[f32], shift: &[f32], y: &mut [f32]) {
    check_pixels("scale_shift", channels, x.len());
    check_same("scale_shift", x.len(), &[y.len()]);
    check_same("scale_shift", channels, &[scale.len(), shift.len()]);
    map_pixels(isa, channels, ScaleShift::<false>, [scale, shift], [x], y);
}

/// `x = x * scale + shift` per channel, in place, then `max(0, .)` if `then_relu`; `x` is pixels x channels.
///
/// # Panics
/// If the lengths do not fit.
pub fn scale_shift_in_place(isa: Isa, channels: usize, x: &mut [f32], scale: &[f32], shift: &[f32], then_relu: bool) {
    check_pixels("scale_shift_in_place", channels, x.len());
    check_same("scale_shift_in_place", channels, &[scale.len(), shift.len()]);
    if then_relu {
        map_pixels_in_place(isa, channels, ScaleShift::<true>, [scale, shift], x);
    } else {
        map_pixels_in_place(isa, channels, ScaleShift::<false>, [scale, shift], x);
    }
}

/// `dgamma += sum(dy * xhat)` and `dbeta += sum(dy)` over the pixels, `xhat = (x - mean) * inv_std`.
///
/// Shapes: `x` and `dy` pixels x channels, all others channels.
///
/// # Panics
/// If the lengths do not fit.
#[expect(clippy::too_many_arguments, reason = "each is a different array of the formula")]
pub fn batch_norm_backward_sums(
    isa: Isa,
    channels: usize,
    x: &[f32],
    dy: &[f32],
    mean: &[f32],
    inv_std: &[f32],
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) {
    check_pixels("batch_norm_backward_sums", channels, x.len());
    check_same("batch_norm_backward_sums", x.len(), &[dy.len()]);
    check_same("batch_norm_backward_sums", channels, &[mean.len(), inv_std.len(), dgamma.len(), dbeta.len()]);
    sum_pixels(isa, channels, GradientSums { dgamma, dbeta }, [mean, inv_std], [x, dy]);
}

/// `dx = gamma * inv_std * (dy - dbeta_total / count - xhat * dgamma_total / count)`, where the totals are
/// [`batch_norm_backward_sums`] over the whole batch and `count` is the number of its pixels.
///
/// Shapes: `x`, `dy` and `dx` pixels x channels, all others channels.
///
/// # Panics
/// If the lengths do not fit.
#[expect(clippy::too_many_arguments, reason = "each is a different array of the formula")]
pub fn batch_norm_backward(
    isa: Isa,
    channels: usize,
    x: &[f32],
    dy: &[f32],
    mean: &[f32],
    inv_std: &[f32],
    gamma: &[f32],
    dgamma_total: &[f32],
    dbeta_total: &[f32],
    count: f32,
    dx: &mut [f32],
) {
    check_pixels("batch_norm_backward", channels, x.len());
    check_same("batch_norm_backward", x.len(), &[dy.len(), dx.len()]);
    let parameters = [mean.len(), inv_std.len(), gamma.len(), dgamma_total.len(), dbeta_total.len()];
    check_same("batch_norm_backward", channels, &parameters);
    let parameters = [mean, inv_std, gamma, dgamma_total, dbeta_total];
    map_pixels(isa, channels, Backward { share: 1.0 / count }, parameters, [x, dy], dx);
}

fn check_pixels(name: &str, channels: usize, len: usize) {
    assert!(channels > 0 && len.is_multiple_of(channels), "{name}: {len} values are not pixels of {channels} channels");
}

fn check_same(name: &str, expected: usize, lens: &[usize]) {
    assert!(lens.iter().all(|&len| len == expected), "{name}: expected {expected} values each, got {lens:?}");
}

struct Sum<'a> {
    sum: &'a mut [f64],
}

impl PixelSums<0, 1, 1> for Sum<'_> {
    #[inline(always)]
    fn terms<S: Simd>(&self, _: S, _: &[S::f32s; 0], [x]: [S::f32s; 1]) -> [S::f32s; 1] {
        [x]
    }

    #[inline(always)]
    fn take(&mut self, channel: usize, [sums]: [&[f32]; 1]) {
        add_wide(&mut self.sum[channel..], sums);
    }
}

struct Deviations<'a> {
    sum: &'a mut [f64],
    squares: &'a mut [f64],
}

impl PixelSums<1, 1, 2> for Deviations<'_> {
    #[inline(always)]
    fn terms<S: Simd>(&self, simd: S, [centre]: &[S::f32s; 1], [x]: [S::f32s; 1]) -> [S::f32s; 2] {
        let deviation = simd.sub_f32s(x, *centre);
        [deviation, simd.mul_f32s(deviation, deviation)]
    }

    #[inline(always)]
    fn take(&mut self, channel: usize, [sums, squares]: [&[f32]; 2]) {
        add_wide(&mut self.sum[channel..], sums);
        add_wide(&mut self.squares[channel..], squares);
    }
}

#[inline(always)]
fn add_wide(totals: &mut [f64], sums: &[f32]) {
    for (total, sum) in totals.iter_mut().zip(sums) {
        *total += f64::from(*sum);
    }
}

struct ScaleShift<const RELU: bool>;

impl<const RELU: bool> PixelMap<2, 1> for ScaleShift<RELU> {
    #[inline(always)]
    fn value<S: Simd>(&self, simd: S, [scale, shift]: &[S::f32s; 2], [x]: [S::f32s; 1]) -> S::f32s {
        let y = simd.mul_add_e_f32s(x, *scale, *shift);
        if RELU { relu(simd, y) } else { y }
    }
}

struct GradientSums<'a> {
    dgamma: &'a mut [f32],
    dbeta: &'a mut [f32],
}

impl PixelSums<2, 2, 2> for GradientSums<'_> {
    #[inline(always)]
    fn terms<S: Simd>(&self, simd: S, [mean, inv_std]: &[S::f32s; 2], [x, dy]: [S::f32s; 2]) -> [S::f32s; 2] {
        let normalised = simd.mul_f32s(simd.sub_f32s(x, *mean), *inv_std);
        [simd.mul_f32s(dy, normalised), dy]
    }

    #[inline(always)]
    fn take(&mut self, channel: usize, [dgamma, dbeta]: [&[f32]; 2]) {
        for (total, sum) in self.dgamma[channel..].iter_mut().zip(dgamma) {
            *total += sum;
        }
        for (total, sum) in self.dbeta[channel..].iter_mut().zip(dbeta) {
            *total += sum;
        }
    }
}

struct Backward {
    /// `1 / count`.
    share: f32,
}

impl PixelMap<5, 2> for Backward {
    #[inline(always)]
    fn value<S: Simd>(&self, simd: S, parameters: &[S::f32s; 5], [x, dy]: [S::f32s; 2]) -> S::f32s {
        let [mean, inv_std, gamma, dgamma, dbeta] = *parameters;
        let normalised = simd.mul_f32s(simd.sub_f32s(x, mean), inv_std);
        let common = simd.mul_add_e_f32s(normalised, dgamma, dbeta);
        let centred = simd.negate_mul_add_e_f32s(common, simd.splat_f32s(self.share), dy);
        simd.mul_f32s(simd.mul_f32s(gamma, inv_std), centred)
    }
}
