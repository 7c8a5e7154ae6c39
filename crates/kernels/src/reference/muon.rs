//! Muon's update as its formulas read, in 64 bits.

use crate::Muon;
use crate::muon::{COEFFICIENTS, SMALLEST_NORM, STEPS};

/// One update of a matrix of `rows x columns`; see [`crate::MuonRoom`].
pub fn muon_update(muon: &Muon, rows: usize, columns: usize, weights: &mut [f32], gradient: &[f32], mean: &mut [f32]) {
    let mut x: Vec<f64> = Vec::with_capacity(weights.len());
    for (m, &g) in mean.iter_mut().zip(gradient) {
        let new = f64::from(*m) + (f64::from(g) - f64::from(*m)) * (1.0 - muon.momentum);
        *m = new as f32;
        x.push(f64::from(g) + (new - f64::from(g)) * muon.momentum);
    }
    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt().max(SMALLEST_NORM);
    x.iter_mut().for_each(|v| *v /= norm);
    for _ in 0..STEPS {
        // x^T x, which is not the smaller product where a matrix is wide, but the same in the end.
        let gram = product(columns, rows, columns, |i, k| x[k * columns + i], |k, j| x[k * columns + j]);
        let square = product(columns, columns, columns, |i, k| gram[i * columns + k], |k, j| gram[k * columns + j]);
        let [a, b, c] = COEFFICIENTS.map(f64::from);
        let factor = |k: usize, j: usize| {
            f64::from(u8::from(k == j)) * a + b * gram[k * columns + j] + c * square[k * columns + j]
        };
        x = product(rows, columns, columns, |i, k| x[i * columns + k], factor);
    }
    let step = muon.step_size(rows, columns);
    for (w, x) in weights.iter_mut().zip(x) {
        *w = (f64::from(*w) * (1.0 - muon.learning_rate * muon.weight_decay) - step * x) as f32;
    }
}

/// `out[i][j] = sum over k of a(i, k) * b(k, j)`.
fn product(
    rows: usize,
    depth: usize,
    columns: usize,
    a: impl Fn(usize, usize) -> f64,
    b: impl Fn(usize, usize) -> f64,
) -> Vec<f64> {
    let at = |i: usize, j: usize| (0..depth).map(|k| a(i, k) * b(k, j)).sum();
    (0..rows * columns).map(|index| at(index / columns, index % columns)).collect()
}
