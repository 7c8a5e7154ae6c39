//! Images and labels in memory.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::DataError;

/// Height, width and channels of one image; stored row by row, channels last (`H x W x C`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageShape {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Values per pixel: 1 (grey) or 3 (RGB).
    pub channels: usize,
}

impl ImageShape {
    /// The shape of `height x width` pixels of `channels` values.
    pub const fn new(height: usize, width: usize, channels: usize) -> ImageShape {
        ImageShape { height, width, channels }
    }

    /// Values in one image: `height * width * channels`.
    pub const fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether an image of this shape would hold nothing.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} x {}", self.height, self.width, self.channels)
    }
}

/// `N x H x W x C` pixels of 0..=255, contiguous. Cloning shares the pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Images {
    shape: ImageShape,
    pixels: Arc<Vec<u8>>,
}

impl Images {
    /// Images of `shape` from `N * shape.len()` contiguous pixels.
    ///
    /// # Errors
    /// [`DataError::PixelCount`] if the pixels do not fill a whole number of images, or the shape holds nothing.
    pub fn new(shape: ImageShape, pixels: Vec<u8>) -> Result<Images, DataError> {
        let size = shape.height.checked_mul(shape.width).and_then(|s| s.checked_mul(shape.channels)).unwrap_or(0);
        if size == 0 || !pixels.len().is_multiple_of(size) {
            return Err(DataError::PixelCount { shape, pixels: pixels.len() });
        }
        Ok(Images { shape, pixels: Arc::new(pixels) })
    }

    /// Images whose pixels are known to fill a whole number of them.
    pub(crate) fn from_parts(shape: ImageShape, pixels: Vec<u8>) -> Images {
        debug_assert!(!shape.is_empty() && pixels.len().is_multiple_of(shape.len()));
        Images { shape, pixels: Arc::new(pixels) }
    }

    /// The shape of each image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.shape.len()
    }

    /// Whether there is no image at all.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// The `H x W x C` pixels of image `i`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Images::len).
    pub fn get(&self, i: usize) -> &[u8] {
        let size = self.shape.len();
        &self.pixels[i * size..(i + 1) * size]
    }

    /// All pixels, image after image.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The images, one slice of `H x W x C` pixels each.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, u8> {
        self.pixels.chunks_exact(self.shape.len())
    }

    /// The images at `indices`, in that order, copied.
    ///
    /// # Panics
    /// If an index is not below [`len`](Images::len).
    pub fn select(&self, indices: &[u32]) -> Images {
        let mut pixels = Vec::with_capacity(indices.len() * self.shape.len());
        for &i in indices {
            pixels.extend_from_slice(self.get(i as usize));
        }
        Images { shape: self.shape, pixels: Arc::new(pixels) }
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Images({} of {})", self.len(), self.shape)
    }
}

/// Images and, where they are known, their labels: `labels[i]` is the class index of image `i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// `N` images.
    pub images: Images,
    /// `N` class indices, or nothing for unlabelled images.
    pub labels: Option<Vec<u32>>,
}

impl Dataset {
    /// How many images there are.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is no image at all.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The images and labels at `indices`, in that order, copied.
    ///
    /// # Panics
    /// If an index is not below [`len`](Dataset::len).
    pub fn select(&self, indices: &[u32]) -> Dataset {
        Dataset {
            images: self.images.select(indices),
            labels: self.labels.as_ref().map(|labels| indices.iter().map(|&i| labels[i as usize]).collect()),
        }
    }
}

/// How much of a dataset: in a recipe `0.1` is a fraction and `6000` a count; `0` is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    // Tried first: a whole number would pass as a fraction as well.
    /// So many images.
    Count(usize),
    /// A part of all images, from 0 to 1.
    Fraction(f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_know_their_count_and_reject_a_remainder() {
        let shape = ImageShape::new(2, 3, 1);
        let images = Images::new(shape, (0..18).collect()).unwrap();
        assert_eq!(images.len(), 3);
        assert_eq!(images.get(1), [6, 7, 8, 9, 10, 11]);
        assert_eq!(images.select(&[2, 0]).pixels(), [12, 13, 14, 15, 16, 17, 0, 1, 2, 3, 4, 5]);
        let error = Images::new(shape, vec![0; 17]).unwrap_err();
        assert_eq!(error.to_string(), "17 pixels do not divide into images of 2 x 3 x 1");
        assert!(Images::new(ImageShape::new(0, 3, 1), vec![]).is_err());
    }

    #[test]
    fn an_amount_is_a_count_or_a_fraction_as_written() {
        let read = |text: &str| serde_json::from_str::<Amount>(text).unwrap();
        assert_eq!(read("0.1"), Amount::Fraction(0.1));
        assert_eq!(read("6000"), Amount::Count(6000));
        assert_eq!(read("0"), Amount::Count(0));
        assert_eq!(read("1.0"), Amount::Fraction(1.0));
    }
}
