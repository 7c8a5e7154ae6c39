//! What convolution and pooling share: a window that slides over a padded image.

use glyphnet_kernels::Pad;

use crate::nn::{LayerError, NamedPadding, Padding, Pair, Shape};

/// A window over an image, all sizes known, in pixels; pairs are (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Rows of the image.
    pub height: usize,
    /// Columns of the image.
    pub width: usize,
    /// Channels of the image.
    pub channels: usize,
    /// Size of the window.
    pub size: (usize, usize),
    /// Step of the window.
    pub stride: (usize, usize),
    /// What is put around the image: zeros for a convolution, nothing that counts for pooling.
    pub pad: Pad,
}

/// The largest kernel, window, stride or padding: anything larger is a slip of the pen.
const LARGEST: usize = 1024;

/// The most values that one padded sample may have: it is laid out in memory once a thread.
const LARGEST_FRAME: usize = 1 << 28;

impl Window {
    /// Resolves the settings of a layer against its input.
    pub(crate) fn new(
        input: Shape,
        size: (&'static str, Pair),
        stride: Pair,
        padding: Padding,
    ) -> Result<Window, LayerError> {
        let Shape::Image { height, width, channels } = input else {
            return Err(LayerError::Input { needs: "an image".to_owned(), got: input });
        };
        positive(size.0, size.1)?;
        positive("stride", stride)?;
        let (size, stride) = (size.1.get(), stride.get());
        let pad = match padding {
            Padding::Named(NamedPadding::Valid) => Pad::NONE,
            Padding::Named(NamedPadding::Same) => Pad::same((height, width), size, stride),
            Padding::Explicit(pair) => {
                let (v, h) = pair.get();
                if v.max(h) > LARGEST {
                    return Err(out_of_range("padding", "at most 1024", pair));
                }
                Pad { top: v, bottom: v, left: h, right: h }
            }
        };
        let (padded_h, padded_w) = (height + pad.top + pad.bottom, width + pad.left + pad.right);
        if padded_h < size.0 || padded_w < size.1 {
            let needs = format!("at least {} x {} pixels with its padding", size.0, size.1);
            return Err(LayerError::Input { needs, got: input });
        }
        if padded_h.saturating_mul(padded_w).saturating_mul(channels) > LARGEST_FRAME {
            let needs = format!("at most {LARGEST_FRAME} values with its padding");
            return Err(LayerError::Input { needs, got: input });
        }
        Ok(Window { height, width, channels, size, stride, pad })
    }

    /// Height and width of the output.
    pub fn out(&self) -> (usize, usize) {
        let out = |size: usize, before: usize, after: usize, window: usize, stride: usize| {
            (size + before + after - window) / stride + 1
        };
        (
            out(self.height, self.pad.top, self.pad.bottom, self.size.0, self.stride.0),
            out(self.width, self.pad.left, self.pad.right, self.size.1, self.stride.1),
        )
    }

    /// Shape of the output with so many channels.
    pub(crate) fn output(&self, channels: usize) -> Shape {
        let (height, width) = self.out();
        Shape::Image { height, width, channels }
    }
}

fn positive(key: &'static str, pair: Pair) -> Result<(), LayerError> {
    let (v, h) = pair.get();
    if v == 0 || h == 0 || v.max(h) > LARGEST {
        return Err(out_of_range(key, "between 1 and 1024", pair));
    }
    Ok(())
}

fn out_of_range(key: &'static str, needs: &'static str, pair: Pair) -> LayerError {
    let (v, h) = pair.get();
    LayerError::Setting { key, needs, got: if v == h { v.to_string() } else { format!("[{v}, {h}]") } }
}
