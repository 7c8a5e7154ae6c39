//! A strided convolution as a sum of convolutions with stride 1: each takes the pixels that some taps of the kernel meet.
//!
//! With stride 2, the even taps of a kernel row meet every other pixel of the padded image, the odd taps the pixels
//! between. So each of the stride's two times two phases of the image has a kernel of its own with stride 1: of 5x5 taps
//! 3x3, 3x2, 2x3 and 2x2, of which the smaller ones are filled up with zeros.

use crate::conv::ConvShape;

/// Taps along each side of a phase's kernel.
pub(super) const TAPS: usize = 3;

/// Pixels of every image of a batch that lie in a lattice.
#[derive(Clone, Copy)]
pub(super) struct View {
    /// Rows and columns of the lattice.
    pub(super) height: usize,
    pub(super) width: usize,
    /// Floats before the first pixel, and from one row and one pixel to the next.
    pub(super) start: usize,
    pub(super) row: usize,
    pub(super) pixel: usize,
    /// Floats of a whole image.
    pub(super) sample: usize,
}

impl View {
    /// All pixels of an image.
    pub(super) fn whole(height: usize, width: usize, channels: usize) -> View {
        let row = width * channels;
        View { height, width, start: 0, row, pixel: channels, sample: height * row }
    }

    /// Whether all pixels, of so many channels, are inside the image.
    pub(super) fn lies_in_its_sample(&self, channels: usize) -> bool {
        let View { height, width, start, row, pixel, sample } = *self;
        height == 0 || width == 0 || start + (height - 1) * row + (width - 1) * pixel + channels <= sample
    }

    /// The outputs of a convolution.
    pub(super) fn outputs(shape: &ConvShape) -> View {
        View::whole(shape.out_height(), shape.out_width(), shape.filters)
    }
}

/// One phase of a convolution's input, and the part of its kernel that meets it.
#[derive(Clone, Copy)]
pub(super) struct Phase {
    /// The phase's pixels.
    pub(super) view: View,
    /// Rows and columns of zeros before them.
    pub(super) top: usize,
    pub(super) left: usize,
    /// Where every tap of its kernel is in the whole kernel, row by row; `None` for those filled up.
    pub(super) taps: [Option<usize>; TAPS * TAPS],
}

/// The number of phases.
pub(super) fn phase_count(shape: &ConvShape) -> usize {
    shape.stride.0 * shape.stride.1
}

/// All phases.
pub(super) fn phases(shape: &ConvShape) -> impl Iterator<Item = Phase> + use<> {
    let shape = *shape;
    (0..phase_count(&shape)).map(move |index| {
        let (down, right) = shape.stride;
        let at = (index / right, index % right);
        let (top, first_row, height) = along(shape.height, shape.pad.top, down, at.0);
        let (left, first_column, width) = along(shape.width, shape.pad.left, right, at.1);
        let whole = View::whole(shape.height, shape.width, shape.channels);
        let start = first_row * whole.row + first_column * whole.pixel;
        let (row, pixel) = (down * whole.row, right * whole.pixel);
        let view = View { height, width, start, row, pixel, sample: whole.sample };
        let taps = std::array::from_fn(|tap| {
            let (i, j) = (down * (tap / TAPS) + at.0, right * (tap % TAPS) + at.1);
            (i < shape.kernel.0 && j < shape.kernel.1).then_some(i * shape.kernel.1 + j)
        });
        Phase { view, top, left, taps }
    })
}

/// Along one side: the phase's zeros, its first pixel, and its number of pixels.
fn along(size: usize, pad: usize, stride: usize, phase: usize) -> (usize, usize, usize) {
    let zeros = pad.saturating_sub(phase).div_ceil(stride);
    let first = stride * zeros + phase - pad;
    (zeros, first, size.saturating_sub(first).div_ceil(stride))
}
