//! The convolutions that are measured, and everything to run their kernels on: shared by the benches and by the example
//! `peak`.
#![allow(dead_code, reason = "each program uses its part")]

use glyphnet_kernels::random::{Purpose, Stream};
use glyphnet_kernels::{
    Buffer, ConvShape, ForwardWeights, GradientWeights, Isa, Pad, WinogradWeights, add_winograd_gradient, conv_forward,
    conv_input_gradient, conv_weight_gradient, winograd_fits, winograd_forward, winograd_gathered_len,
    winograd_gradient_fits, winograd_input_gradient, winograd_scratch_len, winograd_weight_gradient,
};

/// Samples that go through a kernel together: a chunk of a batch of 32.
pub(crate) const SAMPLES: usize = 4;

/// `len` values, uniform in `[-1, 1)`; another `tag` gives other values.
pub(crate) fn values(tag: u32, len: usize) -> Buffer {
    let mut stream = Stream::new(0, Purpose::Sample, tag, len as u32);
    let mut buffer = Buffer::new(len);
    buffer.iter_mut().for_each(|value| *value = stream.uniform(-1.0, 1.0) as f32);
    buffer
}

/// A square convolution; `pad` is what is added before and after, in both directions.
fn square(
    side: usize,
    channels: usize,
    filters: usize,
    kernel: usize,
    stride: usize,
    pad: (usize, usize),
) -> ConvShape {
    ConvShape {
        height: side,
        width: side,
        channels,
        filters,
        kernel: (kernel, kernel),
        stride: (stride, stride),
        pad: Pad { top: pad.0, bottom: pad.1, left: pad.0, right: pad.1 },
    }
}

/// The convolutions of the recipes, of the deep network in `benchmarks/recipes/accurate.toml`, and one of a kind that
/// neither has.
pub(crate) fn convolutions() -> Vec<ConvShape> {
    vec![
        // recipes/seed.toml
        square(28, 1, 64, 3, 1, (0, 0)),
        square(26, 64, 32, 3, 1, (0, 0)),
        // benchmarks/recipes/accurate.toml; its 4x4 on 4x4 pixels runs as a dense layer
        square(28, 1, 32, 3, 1, (0, 0)),
        square(26, 32, 32, 3, 1, (0, 0)),
        square(24, 32, 32, 5, 2, (1, 2)),
        square(12, 32, 64, 3, 1, (0, 0)),
        square(10, 64, 64, 3, 1, (0, 0)),
        square(8, 64, 64, 5, 2, (1, 2)),
        // 5x5 with stride 1
        square(14, 32, 64, 5, 1, (2, 2)),
    ]
}

/// `26x26x64 -> 32, 3x3`, with the stride and padding where there are any.
pub(crate) fn name(shape: &ConvShape) -> String {
    let ConvShape { height, width, channels, filters, kernel, stride, pad } = shape;
    let stride = if *stride == (1, 1) { String::new() } else { format!(", stride {}", stride.0) };
    let pad = if *pad == Pad::NONE { "" } else { ", same" };
    format!("{height}x{width}x{channels} -> {filters}, {}x{}{stride}{pad}", kernel.0, kernel.1)
}

/// One kernel of a convolution. A new one is a variant, a name, and a line in [`Convolution::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    Forward,
    InputGradient,
    WeightGradient,
    WinogradForward,
    WinogradInputGradient,
    WinogradWeightGradient,
}

impl Kernel {
    pub(crate) const ALL: [Kernel; 6] = [
        Kernel::Forward,
        Kernel::InputGradient,
        Kernel::WeightGradient,
        Kernel::WinogradForward,
        Kernel::WinogradInputGradient,
        Kernel::WinogradWeightGradient,
    ];

    /// How it computes, and what.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kernel::Forward => "direct forward",
            Kernel::InputGradient => "direct input gradient",
            Kernel::WeightGradient => "direct weight gradient",
            Kernel::WinogradForward => "Winograd forward",
            Kernel::WinogradInputGradient => "Winograd input gradient",
            Kernel::WinogradWeightGradient => "Winograd weight gradient",
        }
    }

    /// Whether it can take this convolution.
    pub(crate) fn fits(self, shape: &ConvShape) -> bool {
        match self {
            Kernel::Forward | Kernel::InputGradient | Kernel::WeightGradient => true,
            Kernel::WinogradForward | Kernel::WinogradWeightGradient => winograd_fits(shape),
            Kernel::WinogradInputGradient => winograd_gradient_fits(shape),
        }
    }
}

/// The arrays of one convolution over [`SAMPLES`] samples.
pub(crate) struct Convolution {
    isa: Isa,
    shape: ConvShape,
    x: Buffer,
    y: Buffer,
    dy: Buffer,
    dx: Buffer,
    bias: Buffer,
    dw: Buffer,
    db: Buffer,
    scratch: Buffer,
    forward: ForwardWeights,
    gradient: GradientWeights,
    winograd: Option<Winograd>,
}

/// What Winograd's kernels need besides.
struct Winograd {
    forward: WinogradWeights,
    gradient: WinogradWeights,
    gathered: Buffer,
}

impl Winograd {
    fn new(isa: Isa, shape: &ConvShape, weights: &[f32]) -> Winograd {
        let (mut forward, mut gradient) =
            (WinogradWeights::new(isa, shape), WinogradWeights::for_input_gradient(isa, shape));
        forward.pack(weights);
        gradient.pack(weights);
        Winograd { forward, gradient, gathered: Buffer::new(winograd_gathered_len(shape)) }
    }
}

impl Convolution {
    pub(crate) fn new(isa: Isa, shape: &ConvShape) -> Convolution {
        let weights = values(1, shape.weights_len());
        let (mut forward, mut gradient) = (ForwardWeights::new(isa, shape), GradientWeights::new(isa, shape));
        forward.pack(&weights);
        gradient.pack(&weights);
        let winograd = winograd_fits(shape).then(|| Winograd::new(isa, shape, &weights));
        let winograd_scratch = if winograd.is_some() { winograd_scratch_len(shape) } else { 0 };
        let scratch = shape.forward_scratch_len().max(shape.gradient_scratch_len()).max(winograd_scratch);
        Convolution {
            isa,
            shape: *shape,
            x: values(2, SAMPLES * shape.input_len()),
            y: Buffer::new(SAMPLES * shape.output_len()),
            dy: values(3, SAMPLES * shape.output_len()),
            dx: Buffer::new(SAMPLES * shape.input_len()),
            bias: values(4, shape.filters),
            dw: Buffer::new(shape.weights_len()),
            db: Buffer::new(shape.filters),
            scratch: Buffer::new(scratch),
            forward,
            gradient,
            winograd,
        }
    }

    /// Floating-point operations of one [`Convolution::run`], counted as in the direct sum.
    pub(crate) fn flops(&self) -> u64 {
        2 * self.shape.macs() * SAMPLES as u64
    }

    /// Runs one kernel over all samples. It must fit.
    pub(crate) fn run(&mut self, kernel: Kernel) {
        let Convolution { isa, shape, x, y, dy, dx, bias, dw, db, scratch, forward, gradient, winograd } = self;
        let isa = *isa;
        match (kernel, winograd) {
            (Kernel::Forward, _) => conv_forward(isa, shape, x, forward, bias, true, y, scratch),
            (Kernel::InputGradient, _) => conv_input_gradient(isa, shape, dy, gradient, dx, scratch),
            (Kernel::WeightGradient, _) => conv_weight_gradient(isa, shape, x, dy, dw, db, scratch),
            (Kernel::WinogradForward, Some(w)) => {
                winograd_forward(isa, shape, x, &w.forward, bias, true, y, scratch);
            }
            (Kernel::WinogradInputGradient, Some(w)) => {
                winograd_input_gradient(isa, shape, dy, &w.gradient, dx, scratch);
            }
            (Kernel::WinogradWeightGradient, Some(w)) => {
                w.gathered.fill(0.0);
                winograd_weight_gradient(isa, shape, x, dy, &mut w.gathered, db, scratch);
                add_winograd_gradient(isa, shape, &w.gathered, dw);
            }
            (_, None) => unreachable!("Kernel::fits was not asked"),
        }
    }
}
