//! Two-dimensional convolution (cross-correlation, as in Keras and PyTorch): forward, input gradient, weight gradient.
//!
//! Images are NHWC, kernels HWIO (`kernel_height x kernel_width x input channels x output channels`). A kernel row
//! covers adjacent memory in NHWC, so a convolution is a sum of one product per kernel row, read in place.

use std::ops::Range;

use crate::gemm::{self, Grid, Lattice};
use crate::packed::Packed;
use crate::tile::Runs;
use crate::{Isa, Pad, size};

/// The sizes of one convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Input height in pixels.
    pub height: usize,
    /// Input width in pixels.
    pub width: usize,
    /// Input channels.
    pub channels: usize,
    /// Output channels.
    pub filters: usize,
    /// Kernel height and width.
    pub kernel: (usize, usize),
    /// Vertical and horizontal stride.
    pub stride: (usize, usize),
    /// Zero pixels added around the input.
    pub pad: Pad,
}

impl ConvShape {
    /// Output height: `floor((height + padding - kernel) / stride) + 1`; 0 where the kernel does not fit.
    pub fn out_height(&self) -> usize {
        out_size(self.height + self.pad.top + self.pad.bottom, self.kernel.0, self.stride.0)
    }

    /// Output width, likewise.
    pub fn out_width(&self) -> usize {
        out_size(self.width + self.pad.left + self.pad.right, self.kernel.1, self.stride.1)
    }

    /// Elements of one input sample.
    pub fn input_len(&self) -> usize {
        size(&[self.height, self.width, self.channels])
    }

    /// Elements of one output sample.
    pub fn output_len(&self) -> usize {
        size(&[self.out_height(), self.out_width(), self.filters])
    }

    /// Elements of the kernel, without the bias.
    pub fn weights_len(&self) -> usize {
        size(&[self.kernel.0, self.kernel.1, self.channels, self.filters])
    }

    /// Whether the kernel is as large as the input, so that the convolution is a dense layer.
    pub fn covers_input(&self) -> bool {
        self.kernel == (self.height, self.width) && self.pad == Pad::NONE
    }

    /// Multiply-accumulates of one forward pass of one sample.
    pub fn macs(&self) -> u64 {
        (self.out_height() * self.out_width()) as u64 * self.weights_len() as u64
    }

    /// The frame that holds the padded input of a forward pass.
    pub(crate) fn input_frame(&self) -> Frame {
        let (top, left) = (self.pad.top as isize, self.pad.left as isize);
        Frame {
            height: self.height + self.pad.top + self.pad.bottom,
            width: self.width + self.pad.left + self.pad.right,
            channels: self.channels,
            top,
            left,
        }
    }

    /// The frame that holds the output gradient with every zero that the input gradient reads.
    fn gradient_frame(&self) -> Frame {
        let extent = |input: usize, before: usize, kernel: usize, stride: usize| {
            let edge = kernel.div_ceil(stride) - 1;
            (edge, (input - 1 + before) / stride + 1 + edge)
        };
        let (top, height) = extent(self.height, self.pad.top, self.kernel.0, self.stride.0);
        let (left, width) = extent(self.width, self.pad.left, self.kernel.1, self.stride.1);
        Frame { height, width, channels: self.filters, top: top as isize, left: left as isize }
    }

    /// Elements of scratch that [`conv_forward`] and [`conv_weight_gradient`] need: 0 where nothing is padded.
    pub fn forward_scratch_len(&self) -> usize {
        if self.pad == Pad::default() { 0 } else { self.input_frame().len() }
    }

    /// Elements of scratch that [`conv_input_gradient`] needs.
    pub fn gradient_scratch_len(&self) -> usize {
        self.gradient_frame().len()
    }

    fn runs(&self, frame_width: usize) -> Runs {
        Runs { count: self.kernel.0, len: self.kernel.1 * self.channels, stride: frame_width * self.channels }
    }

    fn grid(&self, frame_width: usize) -> Grid {
        let row = self.stride.0 * frame_width * self.channels;
        Grid {
            rows: self.out_height(),
            columns: self.out_width(),
            input: Lattice { base: 0, row, column: self.stride.1 * self.channels },
            output: Lattice { base: 0, row: self.out_width() * self.filters, column: self.filters },
        }
    }

    /// Checks that an array holds whole samples, and returns how many.
    pub(crate) fn samples(&self, input: usize, output: usize) -> usize {
        let n = input / self.input_len().max(1);
        assert_eq!(n * self.input_len(), input, "input is not whole samples of {self:?}");
        assert_eq!(n * self.output_len(), output, "output is not {n} samples of {self:?}");
        n
    }
}

/// `floor((padded - window) / stride) + 1`, or 0 where the window does not fit.
pub(crate) fn out_size(padded: usize, window: usize, stride: usize) -> usize {
    if padded < window { 0 } else { (padded - window) / stride + 1 }
}

/// A zero frame with an image laid in it; parts that fall outside are cut off.
pub(crate) struct Frame {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) top: isize,
    pub(crate) left: isize,
}

impl Frame {
    pub(crate) fn len(&self) -> usize {
        size(&[self.height, self.width, self.channels])
    }

    /// Zeroes `to` and copies the `height x width` image `from` into its place.
    pub(crate) fn place(&self, from: &[f32], height: usize, width: usize, to: &mut [f32]) {
        to.fill(0.0);
        let c = self.channels;
        let skip = (-self.left).max(0) as usize;
        let start = self.left.max(0) as usize;
        let count = width.saturating_sub(skip).min(self.width.saturating_sub(start)) * c;
        if count == 0 {
            return;
        }
        for y in 0..height {
            let at = self.top + y as isize;
            if (0..self.height as isize).contains(&at) {
                let to = &mut to[(at as usize * self.width + start) * c..][..count];
                to.copy_from_slice(&from[(y * width + skip) * c..][..count]);
            }
        }
    }
}

/// The kernel of one convolution, packed for the forward pass. Repack after every change of the weights.
#[derive(Debug)]
pub struct ForwardWeights(Packed);

impl ForwardWeights {
    /// Room for the packed kernel, all zero.
    pub fn new(isa: Isa, shape: &ConvShape) -> ForwardWeights {
        ForwardWeights(Packed::new(isa, shape.runs(0).depth(), shape.filters))
    }

    /// Floats that the packed weights take.
    pub fn floats(&self) -> usize {
        self.0.floats()
    }

    /// Packs `weights` (HWIO).
    pub fn pack(&mut self, weights: &[f32]) {
        let columns = self.0.columns();
        assert_eq!(weights.len(), self.0.depth() * columns, "kernel has the wrong size");
        self.0.pack_matrix(weights);
    }
}

/// The kernel of one convolution, packed for the input gradient: one matrix per phase of the stride.
#[derive(Debug)]
pub struct GradientWeights {
    shape: ConvShape,
    phases: Vec<(Phase, Packed)>,
}

/// The input pixels `(y, x)` with `(y + pad) % stride == (ty, tx)`: they all meet the same kernel elements.
#[derive(Debug, Clone, Copy)]
struct Phase {
    ty: usize,
    tx: usize,
    /// Kernel rows and columns that these pixels meet.
    taps: (usize, usize),
}

impl GradientWeights {
    /// Room for the packed kernel, all zero.
    pub fn new(isa: Isa, shape: &ConvShape) -> GradientWeights {
        let taps = |kernel: usize, t: usize, stride: usize| kernel.saturating_sub(t).div_ceil(stride);
        let mut phases = Vec::new();
        for ty in 0..shape.stride.0 {
            for tx in 0..shape.stride.1 {
                let taps = (taps(shape.kernel.0, ty, shape.stride.0), taps(shape.kernel.1, tx, shape.stride.1));
                let depth = taps.0 * taps.1 * shape.filters;
                phases.push((Phase { ty, tx, taps }, Packed::new(isa, depth, shape.channels)));
            }
        }
        GradientWeights { shape: *shape, phases }
    }

    /// Floats that the packed weights take.
    pub fn floats(&self) -> usize {
        self.phases.iter().map(|(_, packed)| packed.floats()).sum()
    }

    /// Packs `weights` (HWIO), flipped and transposed.
    pub fn pack(&mut self, weights: &[f32]) {
        let shape = self.shape;
        assert_eq!(weights.len(), shape.weights_len(), "kernel has the wrong size");
        let (filters, plane) = (shape.filters, shape.channels * shape.filters);
        for (phase, packed) in &mut self.phases {
            let Phase { ty, tx, taps } = *phase;
            for i in 0..taps.0 {
                for j in 0..taps.1 {
                    let kh = ty + (taps.0 - 1 - i) * shape.stride.0;
                    let kw = tx + (taps.1 - 1 - j) * shape.stride.1;
                    let tap = &weights[(kh * shape.kernel.1 + kw) * plane..][..plane];
                    packed.pack_transposed((i * taps.1 + j) * filters, tap);
                }
            }
        }
    }
}

/// `y = conv(x) + bias`, then `max(0, .)` if `relu`.
///
/// `x` is `n x height x width x channels`, `y` is `n x out_height x out_width x filters`, `bias` is `filters` long or
/// empty, `scratch` at least [`ConvShape::forward_scratch_len`].
#[allow(clippy::too_many_arguments, reason = "the operands of one convolution")]
pub fn conv_forward(
    isa: Isa,
    shape: &ConvShape,
    x: &[f32],
    weights: &ForwardWeights,
    bias: &[f32],
    relu: bool,
    y: &mut [f32],
    scratch: &mut [f32],
) {
    let n = shape.samples(x.len(), y.len());
    assert_eq!(weights.0.columns(), shape.filters, "weights were packed for another convolution");
    for s in 0..n {
        let x = &x[s * shape.input_len()..][..shape.input_len()];
        let y = &mut y[s * shape.output_len()..][..shape.output_len()];
        let (x, width) = framed(shape, x, scratch);
        gemm::product(isa, &shape.grid(width), shape.runs(width), x, &weights.0, bias, relu, y);
    }
}

/// The input with its padding, and its width: in place where nothing is padded, else in `scratch`.
pub(crate) fn framed<'a>(shape: &ConvShape, x: &'a [f32], scratch: &'a mut [f32]) -> (&'a [f32], usize) {
    if shape.forward_scratch_len() == 0 {
        return (x, shape.width);
    }
    let frame = shape.input_frame();
    let scratch = &mut scratch[..frame.len()];
    frame.place(x, shape.height, shape.width, scratch);
    (scratch, frame.width)
}

/// `dx = ` the gradient of the loss with respect to the input, given `dy`, the one with respect to the output.
///
/// Shapes as in [`conv_forward`]; `dx` is overwritten. `scratch` holds at least [`ConvShape::gradient_scratch_len`].
pub fn conv_input_gradient(
    isa: Isa,
    shape: &ConvShape,
    dy: &[f32],
    weights: &GradientWeights,
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    let n = shape.samples(dx.len(), dy.len());
    assert_eq!(*shape, weights.shape, "weights were packed for another convolution");
    let frame = shape.gradient_frame();
    let scratch = &mut scratch[..frame.len()];
    for s in 0..n {
        let dx = &mut dx[s * shape.input_len()..][..shape.input_len()];
        frame.place(
            &dy[s * shape.output_len()..][..shape.output_len()],
            shape.out_height(),
            shape.out_width(),
            scratch,
        );
        for (phase, packed) in &weights.phases {
            let rows = along(shape.height, shape.pad.top, shape.stride.0, phase.ty, phase.taps.0, shape.kernel.0);
            let columns = along(shape.width, shape.pad.left, shape.stride.1, phase.tx, phase.taps.1, shape.kernel.1);
            let pixels = Pixels { shape, frame: &frame, taps: phase.taps, columns };
            for (range, taps) in rows.spans(phase.taps.0, shape.out_height(), shape.kernel.0, shape.stride.0) {
                pixels.gradient(isa, &rows, range, taps, scratch, packed, dx);
            }
        }
    }
}

/// Pixels of one phase, and what their gradient is made of.
struct Pixels<'a> {
    shape: &'a ConvShape,
    frame: &'a Frame,
    taps: (usize, usize),
    columns: Along,
}

impl Pixels<'_> {
    /// The gradient of these rows by these kernel rows.
    #[allow(clippy::too_many_arguments, reason = "the operands of one product")]
    fn gradient(
        &self,
        isa: Isa,
        rows: &Along,
        range: Range<usize>,
        taps: Range<usize>,
        frame: &[f32],
        weights: &Packed,
        dx: &mut [f32],
    ) {
        let Pixels { shape, columns, .. } = self;
        let (o, c, width) = (shape.filters, shape.channels, self.frame.width);
        let (source, first) = (rows.source + range.start + taps.start, rows.first + range.start * shape.stride.0);
        let grid = Grid {
            rows: range.len(),
            columns: columns.count,
            input: Lattice { base: (source * width + columns.source) * o, row: width * o, column: o },
            output: Lattice {
                base: (first * shape.width + columns.first) * c,
                row: shape.stride.0 * shape.width * c,
                column: shape.stride.1 * c,
            },
        };
        if taps.is_empty() || self.taps.1 == 0 {
            return clear(&grid, c, dx);
        }
        let runs = Runs { count: taps.len(), len: self.taps.1 * o, stride: width * o };
        gemm::partial_product(isa, &grid, runs, frame, weights, taps.start * runs.len, dx);
    }
}

/// The pixels of one phase along one axis.
struct Along {
    /// First input pixel of the phase.
    first: usize,
    /// How many there are.
    count: usize,
    /// Where the taps of the first pixel start in the gradient frame.
    source: usize,
}

impl Along {
    /// The rows of a phase, by which of the kernel's `taps` rows meet the output's gradient rather than the zeros around
    /// it: the rows and the taps.
    fn spans(
        &self,
        taps: usize,
        output: usize,
        kernel: usize,
        stride: usize,
    ) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<> {
        let edge = kernel.div_ceil(stride) - 1;
        let (source, count) = (self.source, self.count);
        let meets = move |row: usize| {
            let first = edge.saturating_sub(source + row).min(taps);
            first..(edge + output).saturating_sub(source + row).clamp(first, taps)
        };
        let mut row = 0;
        std::iter::from_fn(move || {
            let (start, span) = (row, meets(row));
            while row < count && meets(row) == span {
                row += 1;
            }
            (start < row).then_some((start..row, span))
        })
    }
}

fn along(size: usize, before: usize, stride: usize, t: usize, taps: usize, kernel: usize) -> Along {
    let first = (t + stride - before % stride) % stride;
    let count = size.saturating_sub(first).div_ceil(stride);
    let edge = kernel.div_ceil(stride) - 1;
    Along { first, count, source: (first + before) / stride + edge + 1 - taps.max(1) }
}

/// Input pixels that no kernel element meets (stride larger than the kernel) have no gradient.
fn clear(grid: &Grid, channels: usize, dx: &mut [f32]) {
    for r in 0..grid.rows {
        for c in 0..grid.columns {
            let at = grid.output.base + r * grid.output.row + c * grid.output.column;
            dx[at..at + channels].fill(0.0);
        }
    }
}

/// `dw +=` the gradient of the kernel (HWIO) and `db +=` that of the bias (empty for none), summed over the samples.
///
/// Shapes as in [`conv_forward`]; `scratch` holds at least [`ConvShape::forward_scratch_len`].
pub fn conv_weight_gradient(
    isa: Isa,
    shape: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    db: &mut [f32],
    scratch: &mut [f32],
) {
    let n = shape.samples(x.len(), dy.len());
    assert!(db.is_empty() || db.len() == shape.filters, "{} bias gradients for {shape:?}", db.len());
    for s in 0..n {
        let x = &x[s * shape.input_len()..][..shape.input_len()];
        let dy = &dy[s * shape.output_len()..][..shape.output_len()];
        let (x, width) = framed(shape, x, scratch);
        gemm::outer(isa, &shape.grid(width), shape.runs(width), x, dy, shape.filters, dw);
    }
    bias_gradient(isa, dy, db);
}

/// `db[c] += sum over rows of dy[row][c]`; nothing where `db` is empty. `dy` is `rows x db.len()`.
pub fn bias_gradient(isa: Isa, dy: &[f32], db: &mut [f32]) {
    if db.is_empty() {
        return;
    }
    // The product of a column of ones with `dy`: a grid whose input does not move.
    let pixels = dy.len() / db.len();
    assert_eq!(pixels * db.len(), dy.len(), "{} gradients are not rows of {}", dy.len(), db.len());
    let grid = Grid {
        rows: 1,
        columns: pixels,
        input: Lattice { base: 0, row: 0, column: 0 },
        output: Lattice { base: 0, row: 0, column: db.len() },
    };
    gemm::outer(isa, &grid, Runs { count: 1, len: 1, stride: 0 }, &[1.0], dy, db.len(), db);
}
