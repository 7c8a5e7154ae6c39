//! Elementwise helpers, one element at a time.

/// `dst += src`.
pub fn add_in_place(dst: &mut [f32], src: &[f32]) {
    for (d, &s) in dst.iter_mut().zip(src) {
        *d += s;
    }
}

/// `dst = parts[0] + parts[1] + ...`, added in that order; zero if there are no parts.
pub fn sum_chunks(dst: &mut [f32], parts: &[&[f32]]) {
    for (i, d) in dst.iter_mut().enumerate() {
        let mut values = parts.iter().map(|part| part[i]);
        let first = values.next().unwrap_or(0.0);
        *d = values.fold(first, |sum, v| sum + v);
    }
}

/// The sum of squares, in f64.
pub fn sum_of_squares(x: &[f32]) -> f64 {
    x.iter().map(|&v| f64::from(v) * f64::from(v)).sum()
}

/// `x *= factor`.
pub fn scale_in_place(x: &mut [f32], factor: f32) {
    for v in x {
        *v *= factor;
    }
}

/// Each value moved into `[-limit, limit]`; NaN stays NaN.
pub fn clip_in_place(x: &mut [f32], limit: f32) {
    for v in x {
        *v = v.clamp(-limit, limit);
    }
}
