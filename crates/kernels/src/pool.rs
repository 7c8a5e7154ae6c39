//! Max, average and global average pooling, NHWC.

use crate::{Isa, Pad, reference};

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
pub fn max_pool_forward(_isa: Isa, shape: &PoolShape, x: &[f32], y: &mut [f32], argmax: &mut [u32]) {
    shape.check("max_pool_forward", x.len(), y.len());
    assert_eq!(argmax.len(), y.len(), "max_pool_forward: argmax has {} values, y {}", argmax.len(), y.len());
    reference::pool::max_pool_forward(shape, x, y, argmax);
}

/// [`max_pool_forward`] without `argmax`, for inference; the same values.
///
/// # Panics
/// If the lengths do not fit `shape`.
pub fn max_pool_inference(_isa: Isa, shape: &PoolShape, x: &[f32], y: &mut [f32]) {
    shape.check("max_pool_inference", x.len(), y.len());
    let mut argmax = vec![0; y.len()];
    reference::pool::max_pool_forward(shape, x, y, &mut argmax);
}

/// `dx` = each output's gradient at the input that won, summed where windows overlap (in the order of the outputs),
/// zero elsewhere. `dx` is overwritten.
///
/// # Panics
/// If the lengths do not fit `shape`.
pub fn max_pool_backward(_isa: Isa, shape: &PoolShape, dy: &[f32], argmax: &[u32], dx: &mut [f32]) {
    shape.check("max_pool_backward", dx.len(), dy.len());
    assert_eq!(argmax.len(), dy.len(), "max_pool_backward: argmax has {} values, dy {}", argmax.len(), dy.len());
    reference::pool::max_pool_backward(shape, dy, argmax, dx);
}

/// `y` = the mean of each window's real pixels; padding does not count, as in Keras.
///
/// Shapes: `x` N x height x width x channels, `y` N x out_height x out_width x channels.
///
/// # Panics
/// If the lengths do not fit `shape`.
pub fn avg_pool_forward(_isa: Isa, shape: &PoolShape, x: &[f32], y: &mut [f32]) {
    shape.check("avg_pool_forward", x.len(), y.len());
    reference::pool::avg_pool_forward(shape, x, y);
}

/// `dx` = each output's gradient shared among the real pixels of its window, summed where windows overlap. `dx` is
/// overwritten.
///
/// # Panics
/// If the lengths do not fit `shape`.
pub fn avg_pool_backward(_isa: Isa, shape: &PoolShape, dy: &[f32], dx: &mut [f32]) {
    shape.check("avg_pool_backward", dx.len(), dy.len());
    reference::pool::avg_pool_backward(shape, dy, dx);
}

/// `y` (N x channels) = the mean over the pixels of each channel of `x` (N x pixels x channels).
///
/// # Panics
/// If the lengths do not fit.
pub fn global_avg_pool_forward(_isa: Isa, pixels: usize, channels: usize, x: &[f32], y: &mut [f32]) {
    check_global("global_avg_pool_forward", pixels, channels, x.len(), y.len());
    reference::pool::global_avg_pool_forward(pixels, channels, x, y);
}

/// `dx` (N x pixels x channels, overwritten) = `dy / pixels` (N x channels) at every pixel.
///
/// # Panics
/// If the lengths do not fit.
pub fn global_avg_pool_backward(_isa: Isa, pixels: usize, channels: usize, dy: &[f32], dx: &mut [f32]) {
    check_global("global_avg_pool_backward", pixels, channels, dx.len(), dy.len());
    reference::pool::global_avg_pool_backward(pixels, channels, dy, dx);
}

fn check_global(name: &str, pixels: usize, channels: usize, x: usize, y: usize) {
    assert!(pixels > 0 && channels > 0, "{name}: {pixels} pixels of {channels} channels");
    assert!(
        y.is_multiple_of(channels) && x == y * pixels,
        "{name}: {x} values are not {} samples of {pixels} pixels x {channels} channels ({y} means)",
        y / channels
    );
}
