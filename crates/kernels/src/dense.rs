//! Dense layers: `y = x w + b` for row-major `x` (`n x inputs`) and `w` (`inputs x units`).

use crate::gemm::{self, Grid, Lattice};
use crate::packed::Packed;
use crate::tile::Runs;
use crate::{Isa, bias_gradient, size};

/// The sizes of a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseShape {
    /// Inputs of one sample.
    pub inputs: usize,
    /// Outputs of one sample.
    pub units: usize,
}

impl DenseShape {
    fn samples(&self, input: usize, output: usize) -> usize {
        let n = input / self.inputs.max(1);
        assert_eq!(n * self.inputs, input, "input is not whole samples of {self:?}");
        assert_eq!(n * self.units, output, "output is not {n} samples of {self:?}");
        n
    }

    fn grid(n: usize, input: usize, output: usize) -> Grid {
        Grid {
            rows: 1,
            columns: n,
            input: Lattice { base: 0, row: 0, column: input },
            output: Lattice { base: 0, row: 0, column: output },
        }
    }
}

/// The weights of a dense layer, packed for the forward pass or, transposed, for the input gradient.
#[derive(Debug)]
pub struct DenseWeights(Packed);

impl DenseWeights {
    /// Room for the forward pass: `inputs` deep.
    pub fn forward(isa: Isa, shape: &DenseShape) -> DenseWeights {
        DenseWeights(Packed::new(isa, shape.inputs, shape.units))
    }

    /// Room for the input gradient: `units` deep.
    pub fn gradient(isa: Isa, shape: &DenseShape) -> DenseWeights {
        DenseWeights(Packed::new(isa, shape.units, shape.inputs))
    }

    /// Floats that the packed weights take.
    pub fn floats(&self) -> usize {
        self.0.floats()
    }

    /// Packs `weights` (`inputs x units`) for the forward pass.
    pub fn pack_forward(&mut self, weights: &[f32]) {
        let units = self.0.columns();
        assert_eq!(weights.len(), self.0.depth() * units, "dense weights have the wrong size");
        self.0.pack_matrix(weights);
    }

    /// Packs some of the columns of `weights` (`inputs x units`) for the forward pass: as many as there is room for, from
    /// column `start` on.
    pub fn pack_forward_columns(&mut self, weights: &[f32], units: usize, start: usize) {
        assert_eq!(weights.len(), size(&[self.0.depth(), units]), "dense weights have the wrong size");
        assert!(start + self.0.columns() <= units, "no {} columns from {start} of {units}", self.0.columns());
        let lanes = self.0.isa().lanes();
        let (panels, data) = self.0.parts_mut();
        for (k, row) in weights.chunks_exact(units).enumerate() {
            for panel in panels {
                let from = &row[start + panel.start..][..panel.columns];
                data[panel.offset + k * panel.vectors * lanes..][..panel.columns].copy_from_slice(from);
            }
        }
    }

    /// Packs `weights` (`inputs x units`) for the input gradient.
    pub fn pack_gradient(&mut self, weights: &[f32]) {
        let units = self.0.depth();
        assert_eq!(weights.len(), self.0.columns() * units, "dense weights have the wrong size");
        self.0.pack_transposed(0, weights);
    }
}

/// `y = x w + bias`, then `max(0, .)` if `relu`; `bias` is `units` long or empty.
pub fn dense_forward(
    isa: Isa,
    shape: &DenseShape,
    x: &[f32],
    weights: &DenseWeights,
    bias: &[f32],
    relu: bool,
    y: &mut [f32],
) {
    let n = shape.samples(x.len(), y.len());
    assert_eq!(weights.0.columns(), shape.units, "weights were packed for another dense layer");
    let runs = Runs { count: 1, len: shape.inputs, stride: 0 };
    gemm::product(isa, &DenseShape::grid(n, shape.inputs, shape.units), runs, x, &weights.0, bias, relu, y);
}

/// `dx = dy w^T`, overwritten. `weights` were packed by [`DenseWeights::pack_gradient`].
pub fn dense_input_gradient(isa: Isa, shape: &DenseShape, dy: &[f32], weights: &DenseWeights, dx: &mut [f32]) {
    let n = shape.samples(dx.len(), dy.len());
    assert_eq!(weights.0.columns(), shape.inputs, "weights were packed for another dense layer");
    let runs = Runs { count: 1, len: shape.units, stride: 0 };
    gemm::product(isa, &DenseShape::grid(n, shape.units, shape.inputs), runs, dy, &weights.0, &[], false, dx);
}

/// `dw += x^T dy` (`inputs x units`) and `db += sum of dy` (empty for none).
pub fn dense_weight_gradient(isa: Isa, shape: &DenseShape, x: &[f32], dy: &[f32], dw: &mut [f32], db: &mut [f32]) {
    let n = shape.samples(x.len(), dy.len());
    assert!(db.is_empty() || db.len() == shape.units, "{} bias gradients for {shape:?}", db.len());
    let runs = Runs { count: 1, len: shape.inputs, stride: 0 };
    gemm::outer(isa, &DenseShape::grid(n, shape.inputs, shape.units), runs, x, dy, shape.units, dw);
    bias_gradient(isa, dy, db);
}

/// Some rows of `dw += x^T dy`: those from `start` on that `dw` (`rows x units`) has room for.
pub fn dense_weight_gradient_rows(isa: Isa, shape: &DenseShape, x: &[f32], dy: &[f32], start: usize, dw: &mut [f32]) {
    let n = shape.samples(x.len(), dy.len());
    let rows = dw.len() / shape.units.max(1);
    assert!(start + rows <= shape.inputs, "{shape:?} has no {rows} rows from {start}");
    if rows == 0 {
        return;
    }
    let runs = Runs { count: 1, len: rows, stride: 0 };
    let mut grid = DenseShape::grid(n, shape.inputs, shape.units);
    grid.input.base = start;
    gemm::outer(isa, &grid, runs, x, dy, shape.units, dw);
}
