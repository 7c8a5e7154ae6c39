//! Images as a network sees them, enlarged by whole pixels.

use glyphnet_data::ImageShape;
use image::Rgb;
use plotters::style::Color as _;

use super::canvas::Canvas;
use super::theme::FRAME;

/// Images are enlarged, or thinned out, by the whole number that brings their longer side nearest to this from below.
const WANTED: usize = 112;

/// How images of one shape are drawn.
#[derive(Clone, Copy)]
pub(crate) struct Tiles {
    shape: ImageShape,
    /// Pixels of the picture for one of the image, and of the image for one of the picture; one of them is 1.
    up: usize,
    down: usize,
}

impl Tiles {
    pub(crate) fn new(shape: ImageShape) -> Tiles {
        let longest = shape.height.max(shape.width).max(1);
        Tiles { shape, up: (WANTED / longest).max(1), down: longest.div_ceil(2 * WANTED) }
    }

    /// Width and height of an image in the picture, in pixels.
    pub(crate) fn size(self) -> (f32, f32) {
        let side = |length: usize| (length.div_ceil(self.down) * self.up) as f32;
        (side(self.shape.width), side(self.shape.height))
    }

    /// Draws an image (`H x W x C`, one byte a value) in a thin frame, which shows where white ones end. One channel is
    /// drawn grey, three RGB, of any other number the first.
    pub(crate) fn draw(self, canvas: &mut Canvas, (left, top): (f32, f32), pixels: &[u8]) {
        let (width, height) = self.size();
        canvas.rectangle((left - 1.0, top - 1.0), (left + width + 1.0, top + height + 1.0), &FRAME.mix(0.6));
        for y in 0..height as usize {
            for x in 0..width as usize {
                let place = (y / self.up * self.down) * self.shape.width + x / self.up * self.down;
                let colour = match pixels.get(place * self.shape.channels..(place + 1) * self.shape.channels) {
                    Some(&[red, green, blue]) => [red, green, blue],
                    Some(&[grey, ..]) => [grey; 3],
                    _ => [0; 3],
                };
                let at = (left as u32 + x as u32, top as u32 + y as u32);
                if let Some(pixel) = canvas.picture.get_pixel_mut_checked(at.0, at.1) {
                    *pixel = Rgb(colour);
                }
            }
        }
    }
}
