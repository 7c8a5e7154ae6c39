//! Batch normalisation: statistics that combine across chunks, the affine map, and the backward pass.
//!
//! Training: each chunk of the batch fills its own [`Moments`]; the chunks are merged in a fixed order; the caller
//! turns them into `mean` and `inv_std = 1 / sqrt(variance + epsilon)`. Normalisation uses the *biased* variance
//! ([`Moments::variance`], `m2 / count`) everywhere. For the running variance Keras uses the biased one too,
//! PyTorch the *unbiased* one ([`Moments::unbiased_variance`], `m2 / (count - 1)`); the running update is the
//! caller's.

use crate::{Isa, reference};

/// Count, mean and sum of squared deviations of each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Values seen in each channel (pixels times samples).
    pub count: u64,
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// Sum of squared deviations from the mean, of each channel.
    pub m2: Vec<f64>,
}

impl Moments {
    /// Empty moments of so many channels. This allocates; nothing else here does.
    pub fn new(channels: usize) -> Moments {
        Moments { count: 0, mean: vec![0.0; channels], m2: vec![0.0; channels] }
    }

    /// Forgets everything seen.
    pub fn reset(&mut self) {
        self.count = 0;
        self.mean.fill(0.0);
        self.m2.fill(0.0);
    }

    /// Replaces the contents by the moments of `x` (pixels x channels): two passes, first the mean, then the
    /// deviations from it.
    ///
    /// # Panics
    /// If `x` is not whole pixels.
    pub fn accumulate(&mut self, _isa: Isa, x: &[f32]) {
        let channels = self.mean.len();
        check_pixels("Moments::accumulate", channels, x.len());
        let moments = reference::batch_norm::moments(channels, x);
        self.count = moments.count;
        self.mean.copy_from_slice(&moments.mean);
        self.m2.copy_from_slice(&moments.m2);
    }

    /// Takes in what `other` has seen (Chan, Golub, LeVeque 1983). Merging chunks in a fixed order gives the same
    /// bits each time; another order gives other last bits.
    ///
    /// # Panics
    /// If the channels differ.
    pub fn merge(&mut self, other: &Moments) {
        let (ours, theirs) = (self.mean.len(), other.mean.len());
        assert_eq!(ours, theirs, "Moments::merge: {ours} channels with {theirs}");
        let total = self.count + other.count;
        if other.count == 0 {
            return;
        }
        let share = other.count as f64 / total as f64;
        for c in 0..ours {
            let delta = other.mean[c] - self.mean[c];
            self.mean[c] += delta * share;
            self.m2[c] += other.m2[c] + delta * delta * (self.count as f64 * share);
        }
        self.count = total;
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

/// `y = x * scale + shift` per channel; `x` and `y` are pixels x channels.
///
/// With `scale = gamma * inv_std` and `shift = beta - mean * scale` this is batch normalisation.
///
/// # Panics
/// If the lengths do not fit.
pub fn scale_shift(_isa: Isa, channels: usize, x: &[f32], scale: &[f32], shift: &[f32], y: &mut [f32]) {
    check_pixels("scale_shift", channels, x.len());
    check_same("scale_shift", x.len(), &[y.len()]);
    check_same("scale_shift", channels, &[scale.len(), shift.len()]);
    reference::batch_norm::scale_shift(channels, x, scale, shift, y);
}

/// `dgamma += sum(dy * xhat)` and `dbeta += sum(dy)` over the pixels, `xhat = (x - mean) * inv_std`.
///
/// Shapes: `x` and `dy` pixels x channels, all others channels.
///
/// # Panics
/// If the lengths do not fit.
#[expect(clippy::too_many_arguments, reason = "each is a different array of the formula")]
pub fn batch_norm_backward_sums(
    _isa: Isa,
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
    reference::batch_norm::batch_norm_backward_sums(channels, (x, dy), (mean, inv_std), dgamma, dbeta);
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
    _isa: Isa,
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
    let totals = (dgamma_total, dbeta_total);
    reference::batch_norm::batch_norm_backward(channels, (x, dy), (mean, inv_std, gamma), totals, count, dx);
}

fn check_pixels(name: &str, channels: usize, len: usize) {
    assert!(channels > 0 && len.is_multiple_of(channels), "{name}: {len} values are not pixels of {channels} channels");
}

fn check_same(name: &str, expected: usize, lens: &[usize]) {
    assert!(lens.iter().all(|&len| len == expected), "{name}: expected {expected} values each, got {lens:?}");
}
