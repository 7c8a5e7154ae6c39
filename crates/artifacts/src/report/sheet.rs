//! The stored images of a split as one picture, of which the page shows cut-outs.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glyphnet::ImageShape;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

use crate::error::ArtifactError;
use glyphnet::saved_run::Thumbnails;

/// Lists show images of up to so many CSS pixels a side.
const SIDE: usize = 96;
/// So many images of a split are enough.
const MOST_IMAGES: usize = 1200;

/// Images in rows and columns.
pub(super) struct Sheet {
    /// The position in the split's predictions of each image, in the order in which they lie.
    pub(super) rows: Vec<u32>,
    pub(super) shape: ImageShape,
    pub(super) columns: usize,
    /// The picture, a PNG in base 64.
    pub(super) png: String,
    places: HashMap<u32, usize>,
}

impl Sheet {
    /// As many of `thumbnails` as fit into `budget` bytes, those with the least `rank` first. `None` where none does.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub(super) fn new(
        thumbnails: &Thumbnails,
        rank: impl Fn(u32) -> usize,
        budget: usize,
    ) -> Result<Option<Sheet>, ArtifactError> {
        let mut order: Vec<usize> = (0..thumbnails.rows.len()).collect();
        order.sort_by_key(|&at| rank(thumbnails.rows[at]));
        order.truncate(MOST_IMAGES);
        while !order.is_empty() {
            let columns = (order.len() as f64).sqrt().ceil() as usize;
            let png = STANDARD.encode(encode(thumbnails, &order, columns)?);
            if png.len() <= budget {
                let rows: Vec<u32> = order.iter().map(|&at| thumbnails.rows[at]).collect();
                let places = rows.iter().enumerate().map(|(place, &row)| (row, place)).collect();
                return Ok(Some(Sheet { rows, shape: thumbnails.shape, columns, png, places }));
            }
            let share = budget as f64 / png.len() as f64 * 0.95;
            order.truncate((order.len() as f64 * share) as usize);
        }
        Ok(None)
    }

    /// Number of lines.
    pub(super) fn lines(&self) -> usize {
        self.rows.len().div_ceil(self.columns)
    }

    /// Where the image of this row lies, as CSS has it: in per cent of what the picture has left over.
    pub(super) fn position(&self, row: u32) -> Option<String> {
        let place = *self.places.get(&row)?;
        let per_cent = |at: usize, of: usize| 100.0 * at as f64 / (of.max(2) - 1) as f64;
        let (x, y) = (per_cent(place % self.columns, self.columns), per_cent(place / self.columns, self.lines()));
        Some(format!("{x:.4}% {y:.4}%"))
    }

    /// Width and height of an image as the page's lists show it, in CSS pixels: a whole multiple where there is room.
    pub(super) fn shown(&self) -> (usize, usize) {
        let ImageShape { height, width, .. } = self.shape;
        let longer = height.max(width);
        let scale = if longer <= SIDE { (SIDE / longer) as f64 } else { SIDE as f64 / longer as f64 };
        let side = |side: usize| ((side as f64 * scale).round() as usize).max(1);
        (side(width), side(height))
    }

    /// The size of the whole picture in per cent of one image.
    pub(super) fn size(&self) -> String {
        format!("{}% {}%", self.columns * 100, self.lines() * 100)
    }
}

/// A PNG of the images at `order`.
fn encode(thumbnails: &Thumbnails, order: &[usize], columns: usize) -> Result<Vec<u8>, ArtifactError> {
    let ImageShape { height, width, channels } = thumbnails.shape;
    let (values, colour) = if channels == 3 { (3, ExtendedColorType::Rgb8) } else { (1, ExtendedColorType::L8) };
    let (wide, high) = (columns * width, order.len().div_ceil(columns) * height);
    let mut pixels = vec![0; wide * high * values];
    for (place, &at) in order.iter().enumerate() {
        let image = &thumbnails.pixels[at * thumbnails.shape.len()..][..thumbnails.shape.len()];
        let (left, top) = (place % columns * width, place / columns * height);
        for (y, line) in image.chunks_exact(width * channels).enumerate() {
            for (x, pixel) in line.chunks_exact(channels).enumerate() {
                let to = ((top + y) * wide + left + x) * values;
                pixels[to..to + values].copy_from_slice(&pixel[..values]);
            }
        }
    }
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive)
        .write_image(&pixels, wide as u32, high as u32, colour)
        .map_err(|source| ArtifactError::report(&source))?;
    Ok(png)
}

/// What is wrong with stored images, if anything is: there must be as many values as rows and shape say.
pub(super) fn problem(thumbnails: &Thumbnails, images: usize) -> Option<String> {
    let Thumbnails { split, rows, shape, pixels } = thumbnails;
    if shape.is_empty() || rows.len().checked_mul(shape.len()) != Some(pixels.len()) {
        return Some(format!("{} images of {split} have {} values, not {shape} each", rows.len(), pixels.len()));
    }
    let outside = rows.iter().find(|&&row| row as usize >= images)?;
    Some(format!("an image of {split} is of row {outside}, of {images} rows"))
}
