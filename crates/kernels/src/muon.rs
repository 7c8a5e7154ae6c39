//! Muon: momentum whose matrices are made nearly orthogonal (Jordan et al. 2024, <https://kellerjordan.github.io/posts/muon>),
//! with the formulas of PyTorch's `torch.optim.Muon`, in 32 bits where PyTorch rounds to 16.

use pulp::Simd;

use crate::lanes::{Lanewise, lanewise};
use crate::optimizer::flush;
use crate::transpose::transpose;
use crate::{
    Buffer, DenseShape, DenseWeights, Isa, dense_forward, dense_weight_gradient, scale_in_place, sum_of_squares,
};

/// Newton-Schulz steps.
pub(crate) const STEPS: usize = 5;
/// Of the polynomial `a s + b s^3 + c s^5` that each step takes every singular value through.
pub(crate) const COEFFICIENTS: [f32; 3] = [3.4445, -4.775, 2.0315];
/// A matrix whose norm is smaller is divided by this instead.
pub(crate) const SMALLEST_NORM: f64 = 1e-7;

/// Muon's settings. The weights of a convolution are a matrix with a column for each filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Muon {
    /// Learning rate.
    pub learning_rate: f64,
    /// How much of the mean gradient stays; Nesterov's variant.
    pub momentum: f64,
    /// Decoupled weight decay: `w -= learning_rate * weight_decay * w` before the update; 0 for none.
    pub weight_decay: f64,
}

impl Muon {
    /// The learning rate for matrices of `rows x columns`: higher where there are more filters than inputs of one, times
    /// `sqrt(max(1, columns / rows))`.
    pub fn step_size(&self, rows: usize, columns: usize) -> f64 {
        self.learning_rate * (columns as f64 / rows as f64).max(1.0).sqrt()
    }
}

/// Room to make a matrix of one size orthogonal, and what came of it.
#[derive(Debug)]
pub struct MuonRoom {
    rows: usize,
    columns: usize,
    /// The matrix and its successor, the shorter side across.
    x: Buffer,
    next: Buffer,
    /// `x^T x`.
    gram: Buffer,
    /// `a + b x^T x + c (x^T x)^2`.
    polynomial: Buffer,
    packed: DenseWeights,
    /// The direction of the step, `rows x columns`.
    direction: Buffer,
}

impl MuonRoom {
    /// For a matrix of `rows x columns`, neither of them 0.
    pub fn new(isa: Isa, rows: usize, columns: usize) -> MuonRoom {
        let (len, side) = (rows * columns, rows.min(columns));
        let [x, next, direction] = [(); 3].map(|()| Buffer::new(len));
        let [gram, polynomial] = [(); 2].map(|()| Buffer::new(side * side));
        let packed = DenseWeights::forward(isa, &DenseShape { inputs: side, units: side });
        MuonRoom { rows, columns, x, next, gram, polynomial, packed, direction }
    }

    /// Floats that it takes.
    pub fn floats(rows: usize, columns: usize) -> u64 {
        let (rows, columns) = (rows as u64, columns as u64);
        let side = rows.min(columns);
        // The packed matrix is at most a panel wider than the others.
        3 * rows * columns + 3 * side * side.next_multiple_of(64)
    }

    /// Floating-point operations of [`MuonRoom::direct`], its matrix products alone.
    pub fn flops(rows: usize, columns: usize) -> u64 {
        let (len, side) = (rows as u64 * columns as u64, rows.min(columns) as u64);
        // x^T x and x times the polynomial take side products for each value of x, the square one for each of side^3.
        STEPS as u64 * 2 * (2 * len * side + side * side * side)
    }

    /// Takes in a gradient: `mean += (g - mean) * (1 - momentum)`, and makes `g + (mean - g) * momentum` orthogonal, which
    /// [`MuonRoom::apply`] then steps against. Nothing is allocated.
    ///
    /// # Panics
    /// If the lengths are not those of the matrix.
    pub fn direct(&mut self, isa: Isa, muon: &Muon, gradient: &[f32], mean: &mut [f32]) {
        let len = self.rows * self.columns;
        assert!(gradient.len() == len && mean.len() == len, "MuonRoom::direct: not {len} values");
        let look_ahead = LookAhead { momentum: muon.momentum as f32, rest: (1.0 - muon.momentum) as f32 };
        lanewise(isa, look_ahead, [gradient], [mean, &mut self.direction]);
        self.orthogonalise(isa);
    }

    /// `w -= step * direction`, after weight decay.
    ///
    /// # Panics
    /// If there are not as many weights as in the matrix.
    pub fn apply(&self, isa: Isa, muon: &Muon, weights: &mut [f32]) {
        let len = self.rows * self.columns;
        assert_eq!(weights.len(), len, "MuonRoom::apply: not {len} weights");
        let step = muon.step_size(self.rows, self.columns) as f32;
        let decay = (muon.learning_rate * muon.weight_decay) as f32;
        lanewise(isa, Apply { step, decay }, [&self.direction], [weights]);
    }

    /// Brings all singular values of `direction` near 1.
    fn orthogonalise(&mut self, isa: Isa) {
        let is_wide = self.columns > self.rows;
        let norm = sum_of_squares(isa, &self.direction).sqrt().max(SMALLEST_NORM);
        scale_in_place(isa, &mut self.direction, (1.0 / norm) as f32);
        match is_wide {
            true => transpose(self.rows, self.columns, &self.direction, &mut self.x),
            false => self.x.copy_from_slice(&self.direction),
        }
        for _ in 0..STEPS {
            self.newton_schulz(isa);
        }
        match is_wide {
            true => transpose(self.columns, self.rows, &self.x, &mut self.direction),
            false => self.direction.copy_from_slice(&self.x),
        }
    }

    /// `x = x (a + b x^T x + c (x^T x)^2)`.
    fn newton_schulz(&mut self, isa: Isa) {
        let side = self.rows.min(self.columns);
        let square = DenseShape { inputs: side, units: side };
        self.gram.fill(0.0);
        dense_weight_gradient(isa, &square, &self.x, &self.x, &mut self.gram, &mut []);
        self.packed.pack_forward(&self.gram);
        dense_forward(isa, &square, &self.gram, &self.packed, &[], false, &mut self.polynomial);
        let [a, b, c] = COEFFICIENTS;
        lanewise(isa, Blend { b, c }, [&self.gram], [&mut self.polynomial]);
        self.polynomial.iter_mut().step_by(side + 1).for_each(|diagonal| *diagonal += a);
        self.packed.pack_forward(&self.polynomial);
        dense_forward(isa, &square, &self.x, &self.packed, &[], false, &mut self.next);
        std::mem::swap(&mut self.x, &mut self.next);
    }
}

struct LookAhead {
    momentum: f32,
    rest: f32,
}

impl Lanewise<1, 2> for LookAhead {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [g]: [S::f32s; 1], [mean, _]: [S::f32s; 2]) -> [S::f32s; 2] {
        let mean = simd.mul_add_e_f32s(simd.sub_f32s(g, mean), simd.splat_f32s(self.rest), mean);
        let mean = flush(simd, mean);
        [mean, simd.mul_add_e_f32s(simd.sub_f32s(mean, g), simd.splat_f32s(self.momentum), g)]
    }
}

/// `b gram + c gram^2`, from the square.
struct Blend {
    b: f32,
    c: f32,
}

impl Lanewise<1, 1> for Blend {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [gram]: [S::f32s; 1], [square]: [S::f32s; 1]) -> [S::f32s; 1] {
        [simd.mul_add_e_f32s(square, simd.splat_f32s(self.c), simd.mul_f32s(gram, simd.splat_f32s(self.b)))]
    }
}

struct Apply {
    step: f32,
    decay: f32,
}

impl Lanewise<1, 1> for Apply {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [direction]: [S::f32s; 1], [w]: [S::f32s; 1]) -> [S::f32s; 1] {
        let w = simd.negate_mul_add_e_f32s(w, simd.splat_f32s(self.decay), w);
        [simd.negate_mul_add_e_f32s(direction, simd.splat_f32s(self.step), w)]
    }
}
