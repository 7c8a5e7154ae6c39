//! Batch normalisation by its definition, in f64.

use crate::Moments;

/// Count, mean and sum of squared deviations of each channel of `x` (pixels x channels).
pub fn moments(channels: usize, x: &[f32]) -> Moments {
    let mut moments = Moments::new(channels);
    let count = x.len() / channels;
    moments.count = count as u64;
    for c in 0..channels.min(x.len()) {
        let values = || x.iter().skip(c).step_by(channels).map(|&v| f64::from(v));
        let mean = values().sum::<f64>() / count as f64;
        moments.mean[c] = mean;
        moments.m2[c] = values().map(|v| (v - mean) * (v - mean)).sum();
    }
    moments
}

/// `y = x * scale + shift`, per channel.
pub fn scale_shift(channels: usize, x: &[f32], scale: &[f32], shift: &[f32], y: &mut [f32]) {
    for (i, (y, &x)) in y.iter_mut().zip(x).enumerate() {
        *y = x * scale[i % channels] + shift[i % channels];
    }
}

/// `dgamma += sum(dy * xhat)`, `dbeta += sum(dy)`; see [`crate::batch_norm_backward_sums`].
pub fn batch_norm_backward_sums(
    channels: usize,
    (x, dy): (&[f32], &[f32]),
    (mean, inv_std): (&[f32], &[f32]),
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) {
    for c in 0..channels {
        let (mut gamma, mut beta) = (0.0_f64, 0.0_f64);
        for i in (c..x.len()).step_by(channels) {
            gamma += f64::from(dy[i]) * (f64::from(x[i]) - f64::from(mean[c])) * f64::from(inv_std[c]);
            beta += f64::from(dy[i]);
        }
        dgamma[c] = (f64::from(dgamma[c]) + gamma) as f32;
        dbeta[c] = (f64::from(dbeta[c]) + beta) as f32;
    }
}

/// The gradient of the input; see [`crate::batch_norm_backward`].
pub fn batch_norm_backward(
    channels: usize,
    (x, dy): (&[f32], &[f32]),
    (mean, inv_std, gamma): (&[f32], &[f32], &[f32]),
    (dgamma_total, dbeta_total): (&[f32], &[f32]),
    count: f32,
    dx: &mut [f32],
) {
    for i in 0..x.len() {
        let wide = |values: &[f32]| f64::from(values[i % channels]);
        let normalised = (f64::from(x[i]) - wide(mean)) * wide(inv_std);
        let centred = f64::from(dy[i]) - (wide(dbeta_total) + normalised * wide(dgamma_total)) / f64::from(count);
        dx[i] = (wide(gamma) * wide(inv_std) * centred) as f32;
    }
}
