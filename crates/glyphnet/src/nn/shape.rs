//! The shape of one sample between two layers.

use std::fmt;

use glyphnet_data::ImageShape;

/// The shape of one sample: an image (stored NHWC) or a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Rows, columns, channels.
    Image {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Channels.
        channels: usize,
    },
    /// So many values.
    Vector(usize),
}

impl Shape {
    /// Values in one sample; `usize::MAX` where there are more.
    pub fn len(&self) -> usize {
        match *self {
            Shape::Image { height, width, channels } => height.saturating_mul(width).saturating_mul(channels),
            Shape::Vector(n) => n,
        }
    }

    /// Whether the sample has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size of the last axis: channels of an image, length of a vector.
    pub fn channels(&self) -> usize {
        match *self {
            Shape::Image { channels, .. } => channels,
            Shape::Vector(n) => n,
        }
    }
}

impl From<ImageShape> for Shape {
    fn from(shape: ImageShape) -> Shape {
        Shape::Image { height: shape.height, width: shape.width, channels: shape.channels }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Image { height, width, channels } => f.pad(&format!("{height} x {width} x {channels}")),
            Shape::Vector(n) => f.pad(&n.to_string()),
        }
    }
}
