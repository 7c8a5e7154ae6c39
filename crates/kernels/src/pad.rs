//! Zero padding around an image, shared by convolution and pooling.

/// Rows and columns added around each image, in pixels. The added pixels are zero for a convolution; a pooling
/// window ignores them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pad {
    /// Rows above the image.
    pub top: usize,
    /// Rows below the image.
    pub bottom: usize,
    /// Columns left of the image.
    pub left: usize,
    /// Columns right of the image.
    pub right: usize,
}

impl Pad {
    /// No padding, "valid" in Keras's words.
    pub const NONE: Pad = Pad { top: 0, bottom: 0, left: 0, right: 0 };

    /// The padding that Keras calls "same": the output has `ceil(size / stride)` pixels a side, and an odd padding
    /// pixel goes after the image. Each pair is (height, width).
    ///
    /// ```
    /// use glyphnet_kernels::Pad;
    /// assert_eq!(Pad::same((28, 28), (3, 3), (1, 1)), Pad { top: 1, bottom: 1, left: 1, right: 1 });
    /// assert_eq!(Pad::same((28, 28), (5, 3), (2, 2)), Pad { top: 1, bottom: 2, left: 0, right: 1 });
    /// ```
    pub fn same(size: (usize, usize), window: (usize, usize), stride: (usize, usize)) -> Pad {
        let total = |size: usize, window: usize, stride: usize| {
            ((size.div_ceil(stride).saturating_sub(1)) * stride + window).saturating_sub(size)
        };
        let (rows, columns) = (total(size.0, window.0, stride.0), total(size.1, window.1, stride.1));
        Pad { top: rows / 2, bottom: rows - rows / 2, left: columns / 2, right: columns - columns / 2 }
    }
}
