//! Single image files: decoded within limits, upright, to 8-bit grey or RGB.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, RgbaImage};

use crate::error::DataError;
use crate::preprocess::ResizeFilter;
use crate::resize::{expand, grey, resize};
use crate::types::ImageShape;

/// The largest image that is decoded. What is larger is refused by its header, before anything is allocated for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageLimits {
    /// Longest side, in pixels.
    pub side: u32,
    /// Most pixels.
    pub pixels: u64,
    /// Most bytes that the pixels may take as they are decoded. A decoder holds them twice for a while, and so does
    /// turning an image upright.
    pub bytes: u64,
}

impl ImageLimits {
    /// At most `side` pixels along a side and `pixels` in all, of four bytes each.
    pub const fn new(side: u32, pixels: u64) -> ImageLimits {
        ImageLimits { side, pixels, bytes: 4 * pixels }
    }

    fn exceeded(self, path: &Path, what: &str) -> DataError {
        let ImageLimits { side, pixels, bytes } = self;
        let problem = format!(
            "{what}: at most {side} pixels along a side, {pixels} pixels in all and {bytes} bytes when decoded"
        );
        DataError::ImageTooLarge { path: path.to_path_buf(), problem }
    }
}

impl Default for ImageLimits {
    /// 8192 pixels along a side and those of the largest cameras in telephones in all, so that no file, however small,
    /// costs more than 512 MB.
    fn default() -> ImageLimits {
        ImageLimits::new(8192, 50_331_648)
    }
}

/// Visible pixels at least this light would vanish on white.
const VANISHES_ON_WHITE: u64 = 224;

/// A decoded image: `height x width x channels` bytes. One channel if all its pixels are grey, else RGB.
///
/// Transparency is laid on white, or on black where what is visible would vanish on white.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedImage {
    shape: ImageShape,
    pixels: Vec<u8>,
}

impl DecodedImage {
    /// Height, width, and 1 channel (grey) or 3 (RGB).
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The `H x W x C` pixels.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The image as a network of input `shape` wants it: stretched to its height and width, as training images were,
    /// and turned grey or to RGB. Returns `shape.len()` bytes.
    pub fn to_input(&self, shape: ImageShape, filter: ResizeFilter) -> Vec<u8> {
        let own = self.shape;
        let (pixels, channels) = match (own.channels, shape.channels) {
            (3, 1) => (grey(&self.pixels), 1),
            (channels, _) => (self.pixels.clone(), channels),
        };
        let from = ImageShape { channels, ..own };
        let resized = resize(&pixels, from, (shape.height, shape.width), filter);
        if channels == 1 { expand(&resized, shape.channels) } else { resized }
    }
}

/// Decodes an image file; its format is told from its content.
///
/// # Errors
/// [`DataError::Read`] if there is no such file; [`DataError::Empty`]; [`DataError::Image`] if it is no image or is
/// damaged; [`DataError::ImageTooLarge`] if it is beyond the default [`ImageLimits`].
pub fn read_image(path: &Path) -> Result<DecodedImage, DataError> {
    let file = File::open(path).map_err(DataError::read(path))?;
    let meta = file.metadata().map_err(DataError::read(path))?;
    if meta.is_dir() {
        return Err(DataError::folder(path, "is a folder where an image is needed"));
    }
    if meta.len() == 0 {
        return Err(DataError::Empty { path: path.to_path_buf() });
    }
    decode(BufReader::new(file), path, ImageLimits::default())
}

/// Decodes an image in memory; `origin` names it in errors.
///
/// # Errors
/// As [`read_image`].
pub fn decode_image(bytes: &[u8], origin: &str) -> Result<DecodedImage, DataError> {
    decode_image_within(bytes, origin, ImageLimits::default())
}

/// Decodes an image in memory that is within `limits`; `origin` names it in errors.
///
/// # Errors
/// As [`read_image`].
pub fn decode_image_within(bytes: &[u8], origin: &str, limits: ImageLimits) -> Result<DecodedImage, DataError> {
    if bytes.is_empty() {
        return Err(DataError::Empty { path: origin.into() });
    }
    decode(Cursor::new(bytes), Path::new(origin), limits)
}

/// Height and width of an image file, upright, from its header alone.
pub(crate) fn image_size(path: &Path) -> Result<(usize, usize), DataError> {
    let file = File::open(path).map_err(DataError::read(path))?;
    if file.metadata().map_err(DataError::read(path))?.len() == 0 {
        return Err(DataError::Empty { path: path.to_path_buf() });
    }
    let (width, height, orientation) = guarded(path, || {
        let (decoder, orientation) = decoder(BufReader::new(file), path, ImageLimits::default())?;
        let (width, height) = decoder.dimensions();
        Ok((width, height, orientation))
    })?;
    let turned = matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    Ok(if turned { (width as usize, height as usize) } else { (height as usize, width as usize) })
}

fn decoder<'a>(
    reader: impl BufRead + Seek + 'a,
    path: &Path,
    limits: ImageLimits,
) -> Result<(impl ImageDecoder + 'a, Orientation), DataError> {
    let mut reader = ImageReader::new(reader).with_guessed_format().map_err(DataError::read(path))?;
    reader.limits(limits.into());
    let mut decoder = reader.into_decoder().map_err(|error| refused(error, path, limits))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(DataError::Image { path: path.to_path_buf(), problem: "it has no pixels".to_owned() });
    }
    if u64::from(width) * u64::from(height) > limits.pixels || decoder.total_bytes() > limits.bytes {
        return Err(limits.exceeded(path, &format!("its {width} x {height} pixels are too many")));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

/// What a decoder says of an image: beyond the limits, or damaged.
fn refused(error: ImageError, path: &Path, limits: ImageLimits) -> DataError {
    match error {
        ImageError::Limits(_) => limits.exceeded(path, "its sides or pixels are too many"),
        error => DataError::Image { path: path.to_path_buf(), problem: error.to_string() },
    }
}

impl From<ImageLimits> for Limits {
    fn from(limits: ImageLimits) -> Limits {
        let mut own = Limits::default();
        own.max_image_width = Some(limits.side);
        own.max_image_height = Some(limits.side);
        own.max_alloc = Some(limits.bytes);
        own
    }
}

/// Does what `decode` does; where a decoder panics at a damaged image, that is an error like any other.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    // Nothing outlives the panic: reader, decoder and pixels are all made within.
    panic::catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        let problem = "it is damaged in a way that its decoder does not expect".to_owned();
        Err(DataError::Image { path: path.to_path_buf(), problem })
    })
}

fn decode<'a>(reader: impl BufRead + Seek + 'a, path: &Path, limits: ImageLimits) -> Result<DecodedImage, DataError> {
    guarded(path, || decode_pixels(reader, path, limits))
}

fn decode_pixels<'a>(
    reader: impl BufRead + Seek + 'a,
    path: &Path,
    limits: ImageLimits,
) -> Result<DecodedImage, DataError> {
    let (decoder, orientation) = decoder(reader, path, limits)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| refused(error, path, limits))?;
    image.apply_orientation(orientation);
    let (height, width) = (image.height() as usize, image.width() as usize);
    let has_alpha = image.color().has_alpha();
    let (channels, pixels) = if has_alpha {
        (3, flatten(&image.into_rgba8()))
    } else if image.color().has_color() {
        (3, image.into_rgb8().into_raw())
    } else {
        (1, image.into_luma8().into_raw())
    };
    let is_grey = channels == 3 && pixels.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]);
    if is_grey {
        let pixels = pixels.chunks_exact(3).map(|p| p[0]).collect();
        return Ok(DecodedImage { shape: ImageShape { height, width, channels: 1 }, pixels });
    }
    Ok(DecodedImage { shape: ImageShape { height, width, channels }, pixels })
}

/// RGB pixels of an image with transparency, laid on white (or on black if all that is visible is nearly white).
fn flatten(image: &RgbaImage) -> Vec<u8> {
    let (mut light, mut visible) = (0_u64, 0_u64);
    for p in image.pixels() {
        let alpha = u64::from(p.0[3]);
        light += alpha * u64::from(grey(&p.0[..3])[0]);
        visible += alpha;
    }
    let opaque = visible == 255 * image.pixels().len() as u64;
    let ground = if !opaque && visible > 0 && light >= VANISHES_ON_WHITE * visible { 0 } else { 255 };
    let mut pixels = Vec::with_capacity(image.pixels().len() * 3);
    for p in image.pixels() {
        let alpha = u32::from(p.0[3]);
        pixels.extend(p.0[..3].iter().map(|&v| ((u32::from(v) * alpha + ground * (255 - alpha) + 127) / 255) as u8));
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 2 x 1 image: one pixel of `ink`, one that is transparent.
    fn with_hole(ink: u8) -> Vec<u8> {
        flatten(&RgbaImage::from_raw(2, 1, vec![ink, ink, ink, 255, 9, 9, 9, 0]).unwrap())
    }

    #[test]
    fn transparency_lies_on_white_unless_that_hides_the_ink() {
        assert_eq!(with_hole(0), [0, 0, 0, 255, 255, 255]);
        assert_eq!(with_hole(128), [128, 128, 128, 255, 255, 255]);
        assert_eq!(with_hole(255), [255, 255, 255, 0, 0, 0]);
        let half = RgbaImage::from_raw(1, 1, vec![10, 20, 30, 128]).unwrap();
        assert_eq!(flatten(&half), [132, 137, 142]);
    }

    #[test]
    fn an_input_gets_the_channels_and_size_it_wants() {
        let shape = ImageShape::new(2, 2, 3);
        let image = DecodedImage { shape, pixels: vec![255, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0] };
        assert_eq!(image.to_input(ImageShape::new(1, 3, 1), ResizeFilter::Triangle), [76; 3]);
        assert_eq!(image.to_input(ImageShape::new(1, 1, 3), ResizeFilter::Triangle), [255, 0, 0]);
        let grey = DecodedImage { shape: ImageShape::new(1, 1, 1), pixels: vec![7] };
        assert_eq!(grey.to_input(ImageShape::new(1, 2, 3), ResizeFilter::Nearest), [7; 6]);
    }
}
