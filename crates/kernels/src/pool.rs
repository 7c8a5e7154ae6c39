//! Max, average and global average pooling, NHWC.

use pulp::{Simd, WithSimd};

use crate::lanes::{iota, load, load_u32, registers, store, store_u32};
use crate::{Isa, Pad};

/// The geometry of a pooling layer. Pairs are (height, width).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Height of the input.
    pub height: usize,
    /// Width of the input.
    pub width: usize,
    /// Channels of input and output.
    pub channels: usize,
    /// Size of the window.
    pub window: (usize, usize),
    /// Step from one window to the next.
    pub stride: (usize, usize),
    /// Rows and columns around the input; they never win a maximum and do not count in an average.
    pub pad: Pad,
}

impl PoolShape {
    /// Height of the output: windows that fit wholly into the padded input.
    pub fn out_height(&self) -> usize {
        windows(self.height + self.pad.top + self.pad.bottom, self.window.0, self.stride.0)
    }

    /// Width of the output.
    pub fn out_width(&self) -> usize {
        windows(self.width + self.pad.left + self.pad.right, self.window.1, self.stride.1)
    }

    /// Values in one input sample.
    pub fn input_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Values in one output sample.
    pub fn output_len(&self) -> usize {
        self.out_height() * self.out_width() * self.channels
    }

    /// Panics unless `x` and `y` values are the same number of whole samples of a possible geometry.
    fn check(&self, name: &str, x: usize, y: usize) {
        let (window, pad) = (self.window, self.pad);
        assert!(window.0 > 0 && window.1 > 0 && self.stride.0 > 0 && self.stride.1 > 0, "{name}: zero in {self:?}");
        assert!(self.output_len() > 0, "{name}: no window fits into the input of {self:?}");
        assert!(
            pad.top.max(pad.bottom) < window.0 && pad.left.max(pad.right) < window.1,
            "{name}: a window may lie wholly in the padding of {self:?}"
        );
        assert!(u32::try_from(self.input_len()).is_ok(), "{name}: more than 2^32 values in a sample of {self:?}");
        let samples = x / self.input_len();
        assert!(
            x == samples * self.input_len() && y == samples * self.output_len(),
            "{name}: {x} input and {y} output values are not the same number of samples of {} and {} values ({self:?})",
            self.input_len(),
            self.output_len()
        );
    }
}

/// The real pixels under one window: rows `top .. bottom`, columns `left .. right` of the input. Never empty.
#[derive(Clone, Copy)]
struct Window {
    top: usize,
    bottom: usize,
    left: usize,
    right: usize,
}

impl Window {
    fn count(&self) -> usize {
        (self.bottom - self.top) * (self.right - self.left)
    }
}

impl PoolShape {
    /// The window of output pixel `(oy, ox)`, cut to the image.
    #[inline(always)]
    fn window_at(&self, oy: usize, ox: usize) -> Window {
        let (y, x) = (oy * self.stride.0, ox * self.stride.1);
        Window {
            top: y.saturating_sub(self.pad.top),
            bottom: (y + self.window.0 - self.pad.top).min(self.height),
            left: x.saturating_sub(self.pad.left),
            right: (x + self.window.1 - self.pad.left).min(self.width),
        }
    }

    /// Offset of the first channel of a pixel within its sample.
    #[inline(always)]
    fn offset(&self, y: usize, x: usize) -> usize {
        (y * self.width + x) * self.channels
    }
}

fn windows(size: usize, window: usize, stride: usize) -> usize {
    size.checked_sub(window).map_or(0, |rest| rest / stride + 1)
}

/// `y` = the largest value of each window; `argmax` = where it was found, as an offset within the sample's input.
/// Of equal values the first in row order wins; the first NaN of a window wins over everything.
///
/// Shapes: `x` N x height x width x channels, `y` and `argmax` N x out_height x out_width x channels.
///
/// # Panics
/// If the lengths do not fit `shape`.
pub fn max_pool_forward(isa: Isa, shape: &PoolShape, x: &[f32], y: &mut [f32], argmax: &mut [u32]) {
    shape.check("max_pool_forward", x.len(), y.len());
    assert_eq!(argmax.len(), y.len(), "max_pool_forward: argmax has {} values, y {}", argmax.len(), y.len());
    isa.run(MaxPool::<true> { shape, x, y, argmax });
}

/// [`max_pool_forward`] without `argmax`, for inference; the same values.
///
/// # Panics
/// If the lengths do not fit `shape`.
pub fn max_pool_inference(isa: Isa, shape: &PoolShape, x: &[f32], y: &mut [f32]) {
    shape.check("max_pool_inference", x.len(), y.len());
    isa.run(MaxPool::<false> { shape, x, y, argmax: &mut [] });
}

/// `dx` = each output's gradient at the input that won, summed where windows overlap (in the order of the outputs),
/// zero elsewhere. `dx` is overwritten.
///
/// # Panics
/// If the lengths do not fit `shape`.
pub fn max_pool_backward(isa: Isa, shape: &PoolShape, dy: &[f32], argmax: &[u32], dx: &mut [f32]) {
    shape.check("max_pool_backward", dx.len(), dy.len());
    assert_eq!(argmax.len(), dy.len(), "max_pool_backward: argmax has {} values, dy {}", argmax.len(), dy.len());
    isa.run(MaxPoolBackward { shape, dy, argmax, dx });
}

/// `y` = the mean of each window's real pixels; padding does not count, as in Keras.
///
/// Shapes: `x` N x height x width x channels, `y` N x out_height x out_width x channels.
///
/// # Panics
/// If the lengths do not fit `shape`.
pub fn avg_pool_forward(isa: Isa, shape: &PoolShape, x: &[f32], y: &mut [f32]) {
    shape.check("avg_pool_forward", x.len(), y.len());
    isa.run(AvgPool { shape, x, y });
}

/// `dx` = each output's gradient shared among the real pixels of its window, summed where windows overlap. `dx` is
/// overwritten.
///
/// # Panics
/// If the lengths do not fit `shape`.
pub fn avg_pool_backward(isa: Isa, shape: &PoolShape, dy: &[f32], dx: &mut [f32]) {
    shape.check("avg_pool_backward", dx.len(), dy.len());
    isa.run(AvgPoolBackward { shape, dy, dx });
}

/// `y` (N x channels) = the mean over the pixels of each channel of `x` (N x pixels x channels).
///
/// # Panics
/// If the lengths do not fit.
pub fn global_avg_pool_forward(isa: Isa, pixels: usize, channels: usize, x: &[f32], y: &mut [f32]) {
    check_global("global_avg_pool_forward", pixels, channels, x.len(), y.len());
    isa.run(GlobalAvgPool { pixels, channels, x, y });
}

/// `dx` (N x pixels x channels, overwritten) = `dy / pixels` (N x channels) at every pixel.
///
/// # Panics
/// If the lengths do not fit.
pub fn global_avg_pool_backward(isa: Isa, pixels: usize, channels: usize, dy: &[f32], dx: &mut [f32]) {
    check_global("global_avg_pool_backward", pixels, channels, dx.len(), dy.len());
    isa.run(GlobalAvgPoolBackward { pixels, channels, dy, dx });
}

fn check_global(name: &str, pixels: usize, channels: usize, x: usize, y: usize) {
    assert!(pixels > 0 && channels > 0, "{name}: {pixels} pixels of {channels} channels");
    assert!(
        y.is_multiple_of(channels) && x == y * pixels,
        "{name}: {x} values are not {} samples of {pixels} pixels x {channels} channels ({y} means)",
        y / channels
    );
}

/// Walks all outputs, `width` channels at a time: sample, output pixel, then channels.
macro_rules! each_output {
    ($simd:ty, $shape:expr, $samples:expr, |$sample:ident, $window:ident, $at:ident, $c:ident, $width:ident| $body:block) => {
        let (out_height, out_width) = ($shape.out_height(), $shape.out_width());
        for $sample in 0..$samples {
            for oy in 0..out_height {
                for ox in 0..out_width {
                    let $window = $shape.window_at(oy, ox);
                    let pixel = ($sample * out_height + oy) * out_width + ox;
                    registers!($simd, $shape.channels, |$c, $width| {
                        let $at = pixel * $shape.channels + $c;
                        $body
                    });
                }
            }
        }
    };
}

/// Where `v` takes the place of `best`: larger, or the first NaN.
#[inline(always)]
pub(crate) fn wins<S: Simd>(simd: S, v: S::f32s, best: S::f32s) -> S::m32s {
    // Not (v <= best), and best is a number.
    let loses = simd.less_than_or_equal_f32s(v, best);
    simd.and_m32s(simd.not_m32s(loses), simd.equal_f32s(best, best))
}

struct MaxPool<'a, const ARGMAX: bool> {
    shape: &'a PoolShape,
    x: &'a [f32],
    y: &'a mut [f32],
    argmax: &'a mut [u32],
}

impl<const ARGMAX: bool> WithSimd for MaxPool<'_, ARGMAX> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let MaxPool { shape, x, y, argmax } = self;
        let input_len = shape.input_len();
        let lane = iota(simd);
        each_output!(S, shape, x.len() / input_len, |sample, window, at, c, width| {
            let x = &x[sample * input_len..][..input_len];
            let first = shape.offset(window.top, window.left) + c;
            let mut best = load(simd, &x[first..first + width]);
            let mut winner = simd.splat_u32s(first as u32);
            for row in window.top..window.bottom {
                for column in window.left..window.right {
                    let here = shape.offset(row, column) + c;
                    let v = load(simd, &x[here..here + width]);
                    let wins = wins(simd, v, best);
                    best = simd.select_f32s(wins, v, best);
                    if ARGMAX {
                        winner = simd.select_u32s(wins, simd.splat_u32s(here as u32), winner);
                    }
                }
            }
            store(simd, &mut y[at..at + width], best);
            if ARGMAX {
                store_u32(simd, &mut argmax[at..at + width], simd.add_u32s(winner, lane));
            }
        });
    }
}

struct MaxPoolBackward<'a> {
    shape: &'a PoolShape,
    dy: &'a [f32],
    argmax: &'a [u32],
    dx: &'a mut [f32],
}

impl WithSimd for MaxPoolBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let MaxPoolBackward { shape, dy, argmax, dx } = self;
        let input_len = shape.input_len();
        let (lane, zero) = (iota(simd), simd.splat_f32s(0.0));
        dx.fill(0.0);
        each_output!(S, shape, dx.len() / input_len, |sample, window, at, c, width| {
            let dx = &mut dx[sample * input_len..][..input_len];
            let gradient = load(simd, &dy[at..at + width]);
            let winner = load_u32(simd, &argmax[at..at + width]);
            for row in window.top..window.bottom {
                for column in window.left..window.right {
                    let here = shape.offset(row, column) + c;
                    let won = simd.equal_u32s(winner, simd.add_u32s(simd.splat_u32s(here as u32), lane));
                    let dx = &mut dx[here..here + width];
                    store(simd, dx, simd.add_f32s(load(simd, dx), simd.select_f32s(won, gradient, zero)));
                }
            }
        });
    }
}

struct AvgPool<'a> {
    shape: &'a PoolShape,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for AvgPool<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let AvgPool { shape, x, y } = self;
        let input_len = shape.input_len();
        each_output!(S, shape, x.len() / input_len, |sample, window, at, c, width| {
            let x = &x[sample * input_len..][..input_len];
            let mut sum = simd.splat_f32s(0.0);
            for row in window.top..window.bottom {
                for column in window.left..window.right {
                    let here = shape.offset(row, column) + c;
                    sum = simd.add_f32s(sum, load(simd, &x[here..here + width]));
                }
            }
            let count = simd.splat_f32s(window.count() as f32);
            store(simd, &mut y[at..at + width], simd.div_f32s(sum, count));
        });
    }
}

struct AvgPoolBackward<'a> {
    shape: &'a PoolShape,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for AvgPoolBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let AvgPoolBackward { shape, dy, dx } = self;
        let input_len = shape.input_len();
        dx.fill(0.0);
        each_output!(S, shape, dx.len() / input_len, |sample, window, at, c, width| {
            let dx = &mut dx[sample * input_len..][..input_len];
            let count = simd.splat_f32s(window.count() as f32);
            let share = simd.div_f32s(load(simd, &dy[at..at + width]), count);
            for row in window.top..window.bottom {
                for column in window.left..window.right {
                    let here = shape.offset(row, column) + c;
                    let dx = &mut dx[here..here + width];
                    store(simd, dx, simd.add_f32s(load(simd, dx), share));
                }
            }
        });
    }
}

struct GlobalAvgPool<'a> {
    pixels: usize,
    channels: usize,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for GlobalAvgPool<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let GlobalAvgPool { pixels, channels, x, y } = self;
        let (zero, count) = (simd.splat_f32s(0.0), simd.splat_f32s(pixels as f32));
        for (x, y) in x.chunks_exact(pixels * channels).zip(y.chunks_exact_mut(channels)) {
            registers!(S, channels, |c, width| {
                let mut total = zero;
                // Blocks of 64 pixels, so that a large image loses no more digits than a small one.
                for block in x.chunks(64 * channels) {
                    let mut sum = zero;
                    for pixel in block.chunks_exact(channels) {
                        sum = simd.add_f32s(sum, load(simd, &pixel[c..c + width]));
                    }
                    total = simd.add_f32s(total, sum);
                }
                store(simd, &mut y[c..c + width], simd.div_f32s(total, count));
            });
        }
    }
}

struct GlobalAvgPoolBackward<'a> {
    pixels: usize,
    channels: usize,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for GlobalAvgPoolBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let GlobalAvgPoolBackward { pixels, channels, dy, dx } = self;
        let count = simd.splat_f32s(pixels as f32);
        for (dx, dy) in dx.chunks_exact_mut(pixels * channels).zip(dy.chunks_exact(channels)) {
            registers!(S, channels, |c, width| {
                let share = simd.div_f32s(load(simd, &dy[c..c + width]), count);
                for pixel in dx.chunks_exact_mut(channels) {
                    store(simd, &mut pixel[c..c + width], share);
                }
            });
        }
    }
}
