//! The right-hand sides of matrix products, cut into panels that a register tile reads front to back.

use pulp::{Simd, WithSimd};

use crate::lanes::registers;
use crate::transpose::transpose_into;
use crate::{Buffer, Isa, size, tile};

/// Floats between the matrices of a batch, past their own size: sizes are often powers of two, and without it the
/// matrices would compete for the same lines of the cache.
const GAP: usize = 16;

/// A batch of right-hand sides `depth x columns`, each cut into panels of a few registers. Columns past the end are
/// zero. Allocated once; packing writes in place.
#[derive(Debug)]
pub(crate) struct Packed {
    isa: Isa,
    depth: usize,
    columns: usize,
    panels: Vec<Panel>,
    /// Floats from one matrix of the batch to the next.
    stride: usize,
    data: Buffer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panel {
    /// First column.
    pub(crate) start: usize,
    /// Width in registers: 1, 2 or 4.
    pub(crate) vectors: usize,
    /// Real columns.
    pub(crate) columns: usize,
    /// Where the panel starts in its matrix.
    pub(crate) offset: usize,
}

struct MaxVectors;

impl WithSimd for MaxVectors {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        tile::max_vectors::<S>()
    }
}

fn panels(isa: Isa, depth: usize, columns: usize) -> Vec<Panel> {
    let (lanes, widest) = (isa.lanes(), isa.run(MaxVectors));
    let (mut panels, mut start, mut offset) = (Vec::new(), 0, 0);
    while start < columns {
        let vectors = (columns - start).div_ceil(lanes).min(widest).next_power_of_two();
        let width = vectors * lanes;
        panels.push(Panel { start, vectors, columns: width.min(columns - start), offset });
        start += width;
        offset += size(&[width, depth]);
    }
    panels
}

impl Packed {
    /// Room for a `depth x columns` matrix, all zero.
    pub(crate) fn new(isa: Isa, depth: usize, columns: usize) -> Packed {
        Packed::batch(isa, 1, depth, columns)
    }

    /// Room for `count` such matrices.
    pub(crate) fn batch(isa: Isa, count: usize, depth: usize, columns: usize) -> Packed {
        let panels = panels(isa, depth, columns);
        let len = panels.last().map_or(0, |p| p.offset + size(&[p.vectors, isa.lanes(), depth]));
        let stride = len + GAP;
        Packed { isa, depth, columns, panels, stride, data: Buffer::new(size(&[count, stride])) }
    }

    /// Packs a whole row-major matrix.
    pub(crate) fn pack_matrix(&mut self, matrix: &[f32]) {
        assert_eq!(matrix.len(), size(&[self.depth, self.columns]), "a matrix of another size");
        let Packed { isa, columns, panels, data, .. } = self;
        match panels[..] {
            // One full panel is the matrix itself.
            [panel] if panel.vectors * isa.lanes() == *columns => data[..matrix.len()].copy_from_slice(matrix),
            _ => isa.run(Rows { matrix, columns: *columns, panels, data }),
        }
    }

    /// Packs the rows from `first` on, given transposed: `matrix` is `columns x rows`.
    pub(crate) fn pack_transposed(&mut self, first: usize, matrix: &[f32]) {
        let rows = matrix.len() / self.columns;
        assert!(rows * self.columns == matrix.len() && first + rows <= self.depth, "a matrix of another size");
        for panel in &self.panels {
            let width = panel.vectors * self.isa.lanes();
            let from = &matrix[panel.start * rows..(panel.start + panel.columns) * rows];
            let to = &mut self.data[panel.offset + first * width..][..rows * width];
            transpose_into(panel.columns, rows, from, to, width);
        }
    }

    /// Floats that it holds.
    pub(crate) fn floats(&self) -> usize {
        self.data.len()
    }

    /// Inner dimension.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The instruction set whose registers the panels are made for.
    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// Matrices in the batch.
    pub(crate) fn count(&self) -> usize {
        self.data.len() / self.stride
    }

    /// The panels of every matrix.
    pub(crate) fn panels(&self) -> &[Panel] {
        &self.panels
    }

    /// Floats from one matrix to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// All matrices, [`Packed::stride`] apart. In a panel, register `j` of row `k` lies at
    /// `offset + (k * vectors + j) * lanes`.
    pub(crate) fn data(&self) -> &[f32] {
        &self.data
    }

    /// The panels, and all matrices to be written.
    pub(crate) fn parts_mut(&mut self) -> (&[Panel], &mut [f32]) {
        (&self.panels, &mut self.data)
    }
}

/// Packs a row-major matrix.
struct Rows<'a> {
    matrix: &'a [f32],
    columns: usize,
    panels: &'a [Panel],
    data: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for panel in self.panels {
            let width = panel.vectors * S::F32_LANES;
            let rows = self.data[panel.offset..].chunks_exact_mut(width);
            for (to, from) in rows.zip(self.matrix.chunks_exact(self.columns)) {
                let from = &from[panel.start..panel.start + panel.columns];
                registers!(S, panel.columns, |at, lanes| {
                    // SAFETY: both slices hold so many values from `at` on.
                    unsafe {
                        let value = tile::load_lanes(simd, from[at..at + lanes].as_ptr(), lanes);
                        tile::store_lanes(simd, to[at..at + lanes].as_mut_ptr(), value, lanes);
                    }
                });
            }
        }
    }
}
