//! Resizing and channel conversion of raw pixels.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Pixel, Rgb};
use rayon::prelude::*;

use crate::preprocess::ResizeFilter;
use crate::types::{ImageShape, Images};

/// Grey values of RGB pixels, with the weights of ITU-R 601 in the fixed-point form that Pillow's `convert("L")` uses.
pub(crate) fn grey(rgb: &[u8]) -> Vec<u8> {
    let luma = |p: &[u8]| {
        ((u32::from(p[0]) * 19_595 + u32::from(p[1]) * 38_470 + u32::from(p[2]) * 7_471 + 0x8000) >> 16) as u8
    };
    rgb.chunks_exact(3).map(luma).collect()
}

/// Repeats each grey value `channels` times.
pub(crate) fn expand(grey: &[u8], channels: usize) -> Vec<u8> {
    if channels == 1 {
        return grey.to_vec();
    }
    grey.iter().flat_map(|&v| std::iter::repeat_n(v, channels)).collect()
}

/// Resizes one image of 1 or 3 channels to `(height, width)`, stretching it.
pub(crate) fn resize(pixels: &[u8], from: ImageShape, to: (usize, usize), filter: ResizeFilter) -> Vec<u8> {
    if (from.height, from.width) == to {
        return pixels.to_vec();
    }
    if from.channels == 1 {
        resample::<Luma<u8>>(pixels, from, to, filter)
    } else {
        resample::<Rgb<u8>>(pixels, from, to, filter)
    }
}

fn resample<P>(pixels: &[u8], from: ImageShape, to: (usize, usize), filter: ResizeFilter) -> Vec<u8>
where
    P: Pixel<Subpixel = u8> + 'static,
{
    let filter = match filter {
        ResizeFilter::Nearest => FilterType::Nearest,
        ResizeFilter::Triangle => FilterType::Triangle,
        ResizeFilter::CatmullRom => FilterType::CatmullRom,
        ResizeFilter::Lanczos3 => FilterType::Lanczos3,
    };
    match ImageBuffer::<P, &[u8]>::from_raw(from.width as u32, from.height as u32, pixels) {
        Some(image) => imageops::resize(&image, to.1 as u32, to.0 as u32, filter).into_raw(),
        // Only if the caller's shape is wrong, which `Images` and `DecodedImage` rule out.
        None => vec![0; to.0 * to.1 * from.channels],
    }
}

/// All images with another height, width or number of channels (1 or 3); resized side by side.
///
/// # Panics
/// If `to` holds nothing.
pub fn conform(images: &Images, to: ImageShape, filter: ResizeFilter) -> Images {
    let from = images.shape();
    if from == to {
        return images.clone();
    }
    let mut pixels = vec![0; images.len() * to.len()];
    pixels.par_chunks_exact_mut(to.len()).zip(images.pixels().par_chunks_exact(from.len())).for_each(|(out, image)| {
        let turned = if from.channels == 3 && to.channels == 1 { grey(image) } else { image.to_vec() };
        let channels = from.channels.min(to.channels);
        let resized = resize(&turned, ImageShape { channels, ..from }, (to.height, to.width), filter);
        out.copy_from_slice(&if channels < to.channels { expand(&resized, to.channels) } else { resized });
    });
    Images::from_parts(to, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_is_pillows() {
        // Image.new("RGB", (1, 1), rgb).convert("L"), Pillow 13.0
        assert_eq!(grey(&[255, 0, 0, 0, 255, 0, 0, 0, 255, 12, 200, 99, 255, 255, 255]), [76, 150, 29, 132, 255]);
    }

    #[test]
    fn shrinking_averages_and_nearest_picks() {
        let shape = ImageShape::new(4, 4, 1);
        let checks: Vec<u8> = (0..16).map(|i| if (i / 4 + i % 4) % 2 == 0 { 200 } else { 0 }).collect();
        let small = resize(&checks, shape, (1, 1), ResizeFilter::Triangle);
        assert_eq!(small, [100]);
        assert!([0, 200].contains(&resize(&checks, shape, (1, 1), ResizeFilter::Nearest)[0]));
        assert_eq!(resize(&[50; 16], shape, (7, 3), ResizeFilter::Lanczos3), [50; 21]);
    }

    #[test]
    fn a_set_is_conformed_image_by_image() {
        let images = Images::new(ImageShape::new(2, 1, 1), vec![10, 10, 20, 20]).unwrap();
        let out = conform(&images, ImageShape::new(1, 1, 3), ResizeFilter::Triangle);
        assert_eq!(out.pixels(), [10, 10, 10, 20, 20, 20]);
        assert_eq!(conform(&out, ImageShape::new(1, 1, 1), ResizeFilter::Triangle).pixels(), [10, 20]);
    }
}
