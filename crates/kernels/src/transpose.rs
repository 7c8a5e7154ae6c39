//! Transposition of matrices.

/// Rows and columns that are moved together, so that both sides stay within a few lines of the cache.
const BLOCK: usize = 16;

/// `to[c][r] = from[r][c]`: `from` is `rows x columns`, `to` is `columns x rows`.
pub(crate) fn transpose(rows: usize, columns: usize, from: &[f32], to: &mut [f32]) {
    each(rows, columns, from, to, |to, from| *to = from);
}

/// `to[c][r] += from[r][c]`.
pub(crate) fn add_transposed(rows: usize, columns: usize, from: &[f32], to: &mut [f32]) {
    each(rows, columns, from, to, |to, from| *to += from);
}

#[inline(always)]
fn each(rows: usize, columns: usize, from: &[f32], to: &mut [f32], put: impl Fn(&mut f32, f32)) {
    assert!(from.len() == rows * columns && to.len() == rows * columns, "matrices of {rows} x {columns}");
    for first_row in (0..rows).step_by(BLOCK) {
        let last_row = rows.min(first_row + BLOCK);
        for first in (0..columns).step_by(BLOCK) {
            for c in first..columns.min(first + BLOCK) {
                let to = &mut to[c * rows + first_row..c * rows + last_row];
                for (r, to) in to.iter_mut().enumerate() {
                    put(to, from[(first_row + r) * columns + c]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_every_element() {
        for (rows, columns) in [(0, 3), (1, 1), (5, 40), (16, 16), (17, 33), (64, 32)] {
            let from: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let mut to = vec![f32::NAN; from.len()];
            transpose(rows, columns, &from, &mut to);
            for (i, &value) in from.iter().enumerate() {
                assert_eq!(to[i % columns * rows + i / columns], value);
            }
            add_transposed(rows, columns, &from, &mut to);
            assert!(to.iter().enumerate().all(|(i, v)| *v == 2.0 * from[i % rows * columns + i / rows]));
        }
    }
}
