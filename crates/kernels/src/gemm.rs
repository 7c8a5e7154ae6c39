//! Matrix products over grids of pixels: the one engine behind convolution (forward, input gradient, weight
//! gradient) and dense layers. A "batch-reduce" product in the sense of Georganas et al., "Harnessing deep learning
//! via a single building block" (IPDPS 2020): the left side is read in place, run by run, so no im2col copy exists.

use pulp::{Simd, WithSimd};

use crate::packed::{Packed, Panel};
use crate::tile::{self, MAX_ROWS, RowAddress, Runs, Scattered, Strided};
use crate::{Isa, activation};

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

    /// Divides even where there is only one row: with a branch instead, compilers no longer keep tiles in registers.
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
    assert_eq!(runs.depth(), b.depth(), "inner dimension of {runs:?} differs from the packed depth");
    if grid.is_empty() {
        return;
    }
    assert!(bias.is_empty() || bias.len() == b.columns(), "{} biases for {} columns", bias.len(), b.columns());
    check(isa, grid, runs, a.len(), b, out.len());
    isa.run(Product { grid, runs, a, panels: b.panels(), b: b.data(), first: 0, bias, relu, out });
}

/// The same with a part of `b`, from its row `first` on, and without bias.
pub(crate) fn partial_product(isa: Isa, grid: &Grid, runs: Runs, a: &[f32], b: &Packed, first: usize, out: &mut [f32]) {
    assert!(first + runs.depth() <= b.depth(), "{runs:?} from {first} on reach beyond the packed depth");
    if grid.is_empty() {
        return;
    }
    check(isa, grid, runs, a.len(), b, out.len());
    isa.run(Product { grid, runs, a, panels: b.panels(), b: b.data(), first, bias: &[], relu: false, out });
}

/// The same products for every matrix of a batch, without bias: `a` and `out` are `a_stride` and `out_stride` elements
/// further for each.
#[allow(clippy::too_many_arguments, reason = "the operands of a batch of products")]
pub(crate) fn products(
    isa: Isa,
    grid: &Grid,
    runs: Runs,
    a: &[f32],
    a_stride: usize,
    b: &Packed,
    out: &mut [f32],
    out_stride: usize,
) {
    assert_eq!(runs.depth(), b.depth(), "inner dimension of {runs:?} differs from the packed depth");
    if grid.is_empty() {
        return;
    }
    let last = b.count() - 1;
    assert!(a.len() >= last * a_stride && out.len() >= last * out_stride, "a batch of {} matrices", b.count());
    check(isa, grid, runs, a.len() - last * a_stride, b, out.len() - last * out_stride);
    isa.run(Products { grid, runs, a, a_stride, b, out, out_stride });
}

fn check(isa: Isa, grid: &Grid, runs: Runs, a: usize, b: &Packed, out: usize) {
    assert_eq!(isa, b.isa(), "weights were packed for another instruction set");
    grid.check(runs.last(), a, b.columns(), out);
}

struct Products<'a> {
    grid: &'a Grid,
    runs: Runs,
    a: &'a [f32],
    a_stride: usize,
    b: &'a Packed,
    out: &'a mut [f32],
    out_stride: usize,
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for i in 0..self.b.count() {
            let product = Product {
                grid: self.grid,
                runs: self.runs,
                a: &self.a[i * self.a_stride..],
                panels: self.b.panels(),
                b: &self.b.data()[i * self.b.stride()..],
                first: 0,
                bias: &[],
                relu: false,
                out: &mut self.out[i * self.out_stride..],
            };
            product.with_simd(simd);
        }
    }
}

struct Product<'a> {
    grid: &'a Grid,
    runs: Runs,
    a: &'a [f32],
    panels: &'a [Panel],
    b: &'a [f32],
    /// The first row of `b`.
    first: usize,
    bias: &'a [f32],
    relu: bool,
    out: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for i in 0..self.panels.len() {
            let panel = self.panels[i];
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
        let (pixels, most) = (self.grid.rows * self.grid.columns, tile::max_product_rows::<S>(NV));
        // Tiles stay within an image row, as rows at a constant distance need no table; three pixels already keep the
        // multipliers busy, fewer are tiled across rows.
        let run = if self.grid.columns >= most.min(3) { self.grid.columns } else { pixels };
        let tiles = run.div_ceil(most);
        let (least, longer) = (run / tiles, run % tiles);
        for first in (0..pixels).step_by(run) {
            let mut done = 0;
            for t in 0..tiles {
                let rows = least + usize::from(t < longer);
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
        if M > tile::max_product_rows::<S>(NV) {
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
            let (a, b) = (self.a.as_ptr().add(base), self.b.as_ptr().add(panel.offset + self.first * NV * lanes));
            if c + M <= self.grid.columns {
                tile::product::<S, M, NV, _>(simd, a, Strided(self.grid.input.column), self.runs, b, start)
            } else {
                let offsets = self.offsets::<M>(first, base);
                tile::product::<S, M, NV, _>(simd, a, Scattered(&offsets), self.runs, b, start)
            }
        };
        // Counted on from pixel to pixel: divisions would cost as much as a tenth of a tile.
        let (mut r, mut c) = (r, c);
        for row in acc {
            let at = self.grid.output.at(r, c) + panel.start;
            (r, c) = if c + 1 == self.grid.columns { (r + 1, 0) } else { (r, c + 1) };
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
    assert_eq!(w.len(), runs.depth() * columns, "the gradient is not {} x {columns}", runs.depth());
    outers(isa, 1, grid, runs, [a, d], [0, 0], columns, w, 0);
}

/// The same for a batch of `count`: the arrays are `strides` and `w_stride` elements further for each.
#[allow(clippy::too_many_arguments, reason = "the operands of a batch of products")]
pub(crate) fn outers(
    isa: Isa,
    count: usize,
    grid: &Grid,
    runs: Runs,
    [a, d]: [&[f32]; 2],
    strides: [usize; 2],
    columns: usize,
    w: &mut [f32],
    w_stride: usize,
) {
    if grid.is_empty() || count == 0 {
        return;
    }
    let last = count - 1;
    assert!(a.len() >= last * strides[0] && d.len() >= last * strides[1], "operands of {count} gradients");
    assert!(w.len() >= last * w_stride + runs.depth() * columns, "{count} gradients of {} x {columns}", runs.depth());
    grid.check(runs.last(), a.len() - last * strides[0], columns, d.len() - last * strides[1]);
    isa.run(Outers { count, grid, runs, a, d, strides, columns, w, w_stride });
}

struct Outers<'a> {
    count: usize,
    grid: &'a Grid,
    runs: Runs,
    a: &'a [f32],
    d: &'a [f32],
    strides: [usize; 2],
    columns: usize,
    w: &'a mut [f32],
    w_stride: usize,
}

impl WithSimd for Outers<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Outers { grid, runs, columns, .. } = self;
        for i in 0..self.count {
            let (a, d) = (&self.a[i * self.strides[0]..], &self.d[i * self.strides[1]..]);
            Outer { grid, runs, a, d, columns, w: &mut self.w[i * self.w_stride..] }.with_simd(simd);
        }
    }
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
        let (least, longer) = (depth / tiles, depth % tiles);
        let mut done = 0;
        for t in 0..tiles {
            let rows = least + usize::from(t < longer);
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
