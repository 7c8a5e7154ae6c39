//! Small elementwise helpers and reductions.

use crate::{Isa, reference};

/// `dst += src`.
///
/// # Panics
/// If the lengths differ.
pub fn add_in_place(_isa: Isa, dst: &mut [f32], src: &[f32]) {
    assert_eq!(dst.len(), src.len(), "add_in_place: {} values += {}", dst.len(), src.len());
    reference::elementwise::add_in_place(dst, src);
}

/// `dst = parts[0] + parts[1] + ...`, added in that order; zero if there are no parts.
///
/// # Panics
/// If a part's length is not that of `dst`.
pub fn sum_chunks(_isa: Isa, dst: &mut [f32], parts: &[&[f32]]) {
    for (i, part) in parts.iter().enumerate() {
        assert_eq!(part.len(), dst.len(), "sum_chunks: part {i} has {} values, dst {}", part.len(), dst.len());
    }
    reference::elementwise::sum_chunks(dst, parts);
}

/// The sum of the squares of `x`, in a fixed order: f32 within blocks of 4096 values, f64 across blocks. Squares
/// above the largest f32 (values beyond 1.8e19) make it infinite.
pub fn sum_of_squares(_isa: Isa, x: &[f32]) -> f64 {
    reference::elementwise::sum_of_squares(x)
}

/// `x *= factor`.
pub fn scale_in_place(_isa: Isa, x: &mut [f32], factor: f32) {
    reference::elementwise::scale_in_place(x, factor);
}

/// Moves each value into `[-limit, limit]`; NaN stays NaN.
///
/// # Panics
/// If `limit` is negative or NaN.
pub fn clip_in_place(_isa: Isa, x: &mut [f32], limit: f32) {
    assert!(limit >= 0.0, "clip_in_place: the limit {limit} is not a size");
    reference::elementwise::clip_in_place(x, limit);
}
