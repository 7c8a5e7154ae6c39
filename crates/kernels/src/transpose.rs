//! Transposition of matrices.

/// Rows and columns that are moved at once, by way of registers.
const SQUARE: usize = 4;

/// `to[c][r] = from[r][c]`: `from` is `rows x columns`, `to` is `columns x rows`.
pub(crate) fn transpose(rows: usize, columns: usize, from: &[f32], to: &mut [f32]) {
    transpose_into(rows, columns, from, to, rows);
}

/// The same into rows that are `stride` apart.
pub(crate) fn transpose_into(rows: usize, columns: usize, from: &[f32], to: &mut [f32], stride: usize) {
    each(rows, columns, from, to, stride, |to, from| *to = from);
}

/// `to[c][r] += from[r][c]`.
pub(crate) fn add_transposed(rows: usize, columns: usize, from: &[f32], to: &mut [f32]) {
    each(rows, columns, from, to, rows, |to, from| *to += from);
}

#[inline(always)]
fn each(rows: usize, columns: usize, from: &[f32], to: &mut [f32], stride: usize, put: impl Fn(&mut f32, f32)) {
    assert!(from.len() == rows * columns && stride >= rows, "a matrix of {rows} x {columns}");
    let (whole_rows, whole_columns) = (rows / SQUARE * SQUARE, columns / SQUARE * SQUARE);
    for c in (0..whole_columns).step_by(SQUARE) {
        for r in (0..whole_rows).step_by(SQUARE) {
            let mut square = [[0.0; SQUARE]; SQUARE];
            for (i, row) in square.iter_mut().enumerate() {
                row.copy_from_slice(&from[(r + i) * columns + c..][..SQUARE]);
            }
            for j in 0..SQUARE {
                let to: &mut [f32] = &mut to[(c + j) * stride + r..][..SQUARE];
                for i in 0..SQUARE {
                    put(&mut to[i], square[i][j]);
                }
            }
        }
    }
    for r in 0..rows {
        for c in if r < whole_rows { whole_columns } else { 0 }..columns {
            put(&mut to[c * stride + r], from[r * columns + c]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_every_element() {
        for (rows, columns) in [(0, 3), (1, 1), (3, 9), (5, 40), (16, 16), (17, 33), (64, 32)] {
            let from: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let mut to = vec![f32::NAN; from.len()];
            transpose(rows, columns, &from, &mut to);
            for (i, &value) in from.iter().enumerate() {
                assert_eq!(to[i % columns * rows + i / columns], value);
            }
            let once = to.clone();
            add_transposed(rows, columns, &from, &mut to);
            assert!(to.iter().zip(&once).all(|(twice, once)| *twice == 2.0 * once));
        }
    }
}
