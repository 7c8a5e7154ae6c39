//! Matrix products over grids of pixels: the one engine behind convolution (forward, input gradient, weight
//! gradient) and dense layers. A "batch-reduce" product in the sense of Georganas et al., "Harnessing deep learning
//! via a single building block" (IPDPS 2020): the left side is read in place, run by run, so no im2col copy exists.

use pulp::{Simd, WithSimd};

use crate::size;
use crate::tile::{self, MAX_ROWS, RowAddress, Runs, Scattered, Strided};
use crate::{Buffer, Isa, activation};

/// A right-hand side `depth x columns`, cut into panels of a few registers so that a tile reads it front to back.
/// Columns past the end are zero. Allocated once; packing writes in place.
#[derive(Debug)]
pub(crate) struct Packed {
    isa: Isa,
    depth: usize,
    columns: usize,
    panels: Vec<Panel>,
    data: Buffer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Panel {
    /// First column.
    start: usize,
    /// Width in registers: 1, 2 or 4.
    vectors: usize,
    /// Real columns.
    columns: usize,
    /// Where the panel starts in `data`.
    offset: usize,
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
        let panels = panels(isa, depth, columns);
        let len = panels.last().map_or(0, |p| p.offset + size(&[p.vectors, isa.lanes(), depth]));
        Packed { isa, depth, columns, panels, data: Buffer::new(len) }
    }

    /// Packs a whole row-major matrix.
    pub(crate) fn pack_matrix(&mut self, matrix: &[f32]) {
        assert_eq!(matrix.len(), size(&[self.depth, self.columns]), "a matrix of another size");
        match self.panels[..] {
            // One full panel is the matrix itself.
            [panel] if panel.vectors * self.isa.lanes() == self.columns => {
                self.data[..matrix.len()].copy_from_slice(matrix);
            }
            _ => {
                let columns = self.columns;
                self.pack_rows(|k| &matrix[k * columns..(k + 1) * columns]);
            }
        }
    }

    /// Packs row `k` from `row(k)`, which must have at least `columns` elements.
    pub(crate) fn pack_rows<'a>(&mut self, row: impl Fn(usize) -> &'a [f32]) {
        let lanes = self.isa.lanes();
        for k in 0..self.depth {
            let source = row(k);
            for panel in &self.panels {
                let at = panel.offset + k * panel.vectors * lanes;
                let from = &source[panel.start..panel.start + panel.columns];
                self.data[at..at + panel.columns].copy_from_slice(from);
            }
        }
    }

    /// Packs a transposed matrix: element `(k, c)` is `source(k)[c * stride]`.
    pub(crate) fn pack_columns<'a>(&mut self, stride: usize, source: impl Fn(usize) -> &'a [f32]) {
        let lanes = self.isa.lanes();
        for k in 0..self.depth {
            let source = source(k);
            for panel in &self.panels {
                let at = panel.offset + k * panel.vectors * lanes;
                let from = source[panel.start * stride..].iter().step_by(stride);
                for (to, &value) in self.data[at..at + panel.columns].iter_mut().zip(from) {
                    *to = value;
                }
            }
        }
    }

    /// Inner dimension.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }
}

/// A grid of pixels on two arrays: pixel `(r, c)` reads at `input.at(r, c)` and writes at `output.at(r, c)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) input: Lattice,
    pub(crate) output: Lattice,
}

/// Where the pixels of a grid lie in one array, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lattice {
    pub(crate) base: usize,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl Lattice {
    #[inline(always)]
    fn at(&self, r: usize, c: usize) -> usize {
        self.base + r * self.row + c * self.column
    }
}

impl Grid {
    fn is_empty(&self) -> bool {
        self.rows == 0 || self.columns == 0
    }

    /// Checks that every pixel lies inside both arrays when `reach` and `width` elements are touched at each.
    fn check(&self, reach: usize, input: usize, width: usize, output: usize) {
        // Checked arithmetic: a sum that wraps around would let anything pass.
        let inside = |lattice: &Lattice, more: usize, len: usize| {
            let row = (self.rows - 1).checked_mul(lattice.row);
            let column = (self.columns - 1).checked_mul(lattice.column);
            let last =
                row.zip(column).and_then(|(r, c)| r.checked_add(c)?.checked_add(lattice.base)?.checked_add(more));
            last.is_some_and(|end| end <= len) && self.rows.checked_mul(self.columns).is_some()
        };
        assert!(inside(&self.input, reach + 1, input), "input of {input} elements is too short for {self:?} + {reach}");
        assert!(inside(&self.output, width, output), "output of {output} elements is too short for {self:?}");
    }

    fn pixel(&self, index: usize) -> (usize, usize) {
        (index / self.columns, index % self.columns)
    }
}

/// `out[pixel][c] = bias[c] + sum over runs of a[pixel] * b`, then `max(0, .)` if `relu`.
///
/// `bias` is empty for none. Each output element is one sum in a fixed order, whatever else is in the grid.
#[allow(clippy::too_many_arguments, reason = "the operands of one product")]
pub(crate) fn product(
    isa: Isa,
    grid: &Grid,
    runs: Runs,
    a: &[f32],
    b: &Packed,
    bias: &[f32],
    relu: bool,
    out: &mut [f32],
) {
    if grid.is_empty() {
        return;
    }
    assert_eq!(isa, b.isa, "weights were packed for another instruction set");
    assert_eq!(runs.depth(), b.depth, "inner dimension of {runs:?} differs from the packed depth");
    assert!(bias.is_empty() || bias.len() == b.columns, "{} biases for {} columns", bias.len(), b.columns);
    grid.check(runs.last(), a.len(), b.columns, out.len());
    isa.run(Product { grid, runs, a, b, bias, relu, out });
}

struct Product<'a> {
    grid: &'a Grid,
    runs: Runs,
    a: &'a [f32],
    b: &'a Packed,
    bias: &'a [f32],
    relu: bool,
    out: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for i in 0..self.b.panels.len() {
            let panel = self.b.panels[i];
            match panel.vectors {
                1 => self.panel::<S, 1>(simd, panel),
                2 => self.panel::<S, 2>(simd, panel),
                _ => self.panel::<S, 4>(simd, panel),
            }
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn panel<S: Simd, const NV: usize>(&mut self, simd: S, panel: Panel) {
        if NV > tile::max_vectors::<S>() {
            return;
        }
        let (pixels, most) = (self.grid.rows * self.grid.columns, tile::max_rows::<S>(NV));
        // Tiles stay within an image row where a row fills them well; narrow rows are tiled across.
        let run = if self.grid.columns >= most { self.grid.columns } else { pixels };
        let tiles = run.div_ceil(most);
        for first in (0..pixels).step_by(run) {
            let mut done = 0;
            for t in 0..tiles {
                let rows = (run - done).div_ceil(tiles - t);
                self.rows::<S, NV>(simd, panel, first + done, rows);
                done += rows;
            }
        }
    }

    #[inline(always)]
    fn rows<S: Simd, const NV: usize>(&mut self, simd: S, panel: Panel, first: usize, rows: usize) {
        macro_rules! pick {
            ($($m:literal)*) => {
                match rows {
                    $($m => apart(simd, ProductTile::<$m, NV> { product: self, panel, first }),)*
                    _ => unreachable!("a tile has at most {MAX_ROWS} rows"),
                }
            };
        }
        pick!(1 2 3 4 5 6 7 8 9 10 11 12)
    }

    #[inline(always)]
    fn tile<S: Simd, const M: usize, const NV: usize>(&mut self, simd: S, panel: Panel, first: usize) {
        if M > tile::max_rows::<S>(NV) {
            return;
        }
        let lanes = S::F32_LANES;
        let tail = panel.columns - (NV - 1) * lanes;
        let mut start = [[simd.splat_f32s(0.0); NV]; M];
        if !self.bias.is_empty() {
            for j in 0..NV {
                let at = panel.start + j * lanes;
                // SAFETY: `product` checked that there is a bias for every column; `tail` lanes are real.
                let bias = unsafe {
                    tile::load_lanes(simd, self.bias.as_ptr().add(at), if j + 1 == NV { tail } else { lanes })
                };
                start.iter_mut().for_each(|row| row[j] = bias);
            }
        }
        let (r, c) = self.grid.pixel(first);
        let base = self.grid.input.at(r, c);
        // SAFETY: `product` checked the last pixel of both lattices against the slices, and the panel lies in `data`.
        let acc = unsafe {
            let (a, b) = (self.a.as_ptr().add(base), self.b.data.as_ptr().add(panel.offset));
            if c + M <= self.grid.columns {
                tile::product::<S, M, NV, _>(simd, a, Strided(self.grid.input.column), self.runs, b, start)
            } else {
                let offsets = self.offsets::<M>(first, base);
                tile::product::<S, M, NV, _>(simd, a, Scattered(&offsets), self.runs, b, start)
            }
        };
        for (i, row) in acc.into_iter().enumerate() {
            let (r, c) = self.grid.pixel(first + i);
            let at = self.grid.output.at(r, c) + panel.start;
            for (j, value) in row.into_iter().enumerate() {
                let value = if self.relu { activation::relu(simd, value) } else { value };
                // SAFETY: `product` checked the output of the last pixel and column.
                unsafe {
                    let to = self.out.as_mut_ptr().add(at + j * lanes);
                    tile::store_lanes(simd, to, value, if j + 1 == NV { tail } else { lanes });
                }
            }
        }
    }

    #[inline(always)]
    fn offsets<const M: usize>(&self, first: usize, base: usize) -> [usize; MAX_ROWS] {
        let mut offsets = [0; MAX_ROWS];
        for (i, offset) in offsets.iter_mut().enumerate().take(M) {
            let (r, c) = self.grid.pixel(first + i);
            *offset = self.grid.input.at(r, c) - base;
        }
        offsets
    }
}

/// Compiles `tile` as a function of its own: inlined into one large function, the register allocator would spill
/// accumulators inside the innermost loops.
#[inline(never)]
fn apart<S: Simd, K: WithSimd>(simd: S, tile: K) -> K::Output {
    simd.vectorize(tile)
}

struct ProductTile<'a, 'b, const M: usize, const NV: usize> {
    product: &'a mut Product<'b>,
    panel: Panel,
    first: usize,
}

impl<const M: usize, const NV: usize> WithSimd for ProductTile<'_, '_, M, NV> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.product.tile::<S, M, NV>(simd, self.panel, self.first);
    }
}

/// `w[k][c] += sum over pixels of a[pixel][k] * d[pixel][c]`: the gradient of [`product`]'s right-hand side.
///
/// `w` is `depth x columns`, row-major; `d` is read on the grid's output lattice.
pub(crate) fn outer(isa: Isa, grid: &Grid, runs: Runs, a: &[f32], d: &[f32], columns: usize, w: &mut [f32]) {
    if grid.is_empty() {
        return;
    }
    assert_eq!(w.len(), runs.depth() * columns, "the gradient is not {} x {columns}", runs.depth());
    grid.check(runs.last(), a.len(), columns, d.len());
    isa.run(Outer { grid, runs, a, d, columns, w });
}

struct Outer<'a> {
    grid: &'a Grid,
    runs: Runs,
    a: &'a [f32],
    d: &'a [f32],
    columns: usize,
    w: &'a mut [f32],
}

impl WithSimd for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (lanes, widest) = (S::F32_LANES, tile::max_vectors::<S>());
        let mut start = 0;
        while start < self.columns {
            let vectors = (self.columns - start).div_ceil(lanes).min(widest);
            match vectors {
                1 => self.columns::<S, 1>(simd, start),
                2 | 3 => self.columns::<S, 2>(simd, start),
                _ => self.columns::<S, 4>(simd, start),
            }
            start += lanes * if vectors == 3 { 2 } else { vectors };
        }
    }
}

impl Outer<'_> {
    #[inline(always)]
    fn columns<S: Simd, const NV: usize>(&mut self, simd: S, start: usize) {
        if NV > tile::max_vectors::<S>() {
            return;
        }
        let depth = self.runs.depth();
        let tiles = depth.div_ceil(tile::max_rows::<S>(NV));
        let mut done = 0;
        for t in 0..tiles {
            let rows = (depth - done).div_ceil(tiles - t);
            macro_rules! pick {
                ($($m:literal)*) => {
                    match rows {
                        $($m => self.tile::<S, $m, NV>(simd, start, done),)*
                        _ => unreachable!("a tile has at most {MAX_ROWS} rows"),
                    }
                };
            }
            pick!(1 2 3 4 5 6 7 8 9 10 11 12);
            done += rows;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const M: usize, const NV: usize>(&mut self, simd: S, start: usize, first: usize) {
        if M > tile::max_rows::<S>(NV) {
            return;
        }
        let within = first % self.runs.len;
        let base = self.element(first);
        if within + M <= self.runs.len {
            self.accumulate::<S, M, NV, _>(simd, start, first, base, Strided(1));
        } else {
            let mut offsets = [0; MAX_ROWS];
            for (i, offset) in offsets.iter_mut().enumerate().take(M) {
                *offset = self.element(first + i) - base;
            }
            self.accumulate::<S, M, NV, _>(simd, start, first, base, Scattered(&offsets));
        }
    }

    /// Where element `k` of the inner dimension lies, relative to a pixel.
    #[inline(always)]
    fn element(&self, k: usize) -> usize {
        k / self.runs.len * self.runs.stride + k % self.runs.len
    }

    #[inline(always)]
    fn accumulate<S: Simd, const M: usize, const NV: usize, R: RowAddress>(
        &mut self,
        simd: S,
        start: usize,
        first: usize,
        base: usize,
        rows: R,
    ) {
        let lanes = S::F32_LANES;
        let tail = (self.columns - start - (NV - 1) * lanes).min(lanes);
        let width = |j: usize| if j + 1 == NV { tail } else { lanes };
        let (input, output) = (self.grid.input, self.grid.output);
        // SAFETY: `outer` checked the last pixel of both lattices and the size of `w`; `tail` columns are real.
        unsafe {
            let w = self.w.as_mut_ptr().add(first * self.columns + start);
            let mut acc = [[simd.splat_f32s(0.0); NV]; M];
            for (i, row) in acc.iter_mut().enumerate() {
                for (j, value) in row.iter_mut().enumerate() {
                    *value = tile::load_lanes(simd, w.add(i * self.columns + j * lanes), width(j));
                }
            }
            for r in 0..self.grid.rows {
                let a = self.a.as_ptr().add(base + input.at(r, 0));
                let d = self.d.as_ptr().add(output.at(r, 0) + start);
                acc = tile::outer(simd, a, input.column, rows, d, output.column, self.grid.columns, tail, acc);
            }
            for (i, row) in acc.into_iter().enumerate() {
                for (j, value) in row.into_iter().enumerate() {
                    tile::store_lanes(simd, w.add(i * self.columns + j * lanes), value, width(j));
                }
            }
        }
    }
}
