//! What augmentation makes of the training images.

use glyphnet_data::augment::Augmenter;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Canvas, Font};
use super::heading::Heading;
use super::theme::{INK, MARGIN, QUIET, SMALL};
use super::tiles::Tiles;
use crate::error::ArtifactError;
use crate::text::Typeface;

/// Variations of each image.
const DRAWS: u32 = 8;
/// Between two tiles, and between an original and its variations.
const GAP: f32 = 10.0;
const APART: f32 = 28.0;
/// Longer class names are cut to this many pixels.
const LONGEST_NAME: f32 = 230.0;
const WIDEST: f32 = 900.0;

/// A training image.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// Its row among the images that the run trains on, by which its variations are drawn.
    pub row: u32,
    /// `H x W x C`, one byte a value.
    pub pixels: &'a [u8],
    /// Its class name.
    pub label: &'a str,
}

/// Training images, each beside the variations that a run sees in its first eight epochs, as a PNG.
///
/// # Errors
/// If an image has not the length of the augmenter's shape.
pub fn augmentation(run: &str, augmenter: &Augmenter, originals: &[Original<'_>]) -> Result<Vec<u8>, ArtifactError> {
    draw(run, augmenter, originals)?.0.png()
}

/// Where the tiles of a picture are.
struct Layout {
    left: f32,
    top: f32,
    tile: (f32, f32),
}

impl Layout {
    /// The upper left corner of the original (epoch 0) or the variation of an epoch.
    fn tile(&self, row: usize, epoch: u32) -> (f32, f32) {
        let apart = if epoch == 0 { 0.0 } else { APART - GAP };
        (self.left + apart + epoch as f32 * (self.tile.0 + GAP), self.top + row as f32 * (self.tile.1 + GAP))
    }
}

fn draw(run: &str, augmenter: &Augmenter, originals: &[Original<'_>]) -> Result<(Canvas, Layout), ArtifactError> {
    let shape = augmenter.shape();
    super::check_lengths(shape, originals.iter().map(|original| original.pixels))?;
    let heading = Heading::new(
        format!("Augmentation, training images of {run}"),
        vec!["originals, and what the network is shown of them in each epoch".to_owned()],
    );
    let (tiles, face) = (Tiles::new(shape), Typeface::new(SMALL));
    let names: Vec<String> = originals.iter().map(|original| face.fit(original.label, LONGEST_NAME)).collect();
    let name = names.iter().map(|name| face.width(name)).fold(0.0, f32::max).ceil();
    let left = MARGIN + name + if name > 0.0 { 12.0 } else { 0.0 };
    let layout = Layout { left, top: heading.height() + face.height() as f32 + 8.0, tile: tiles.size() };
    let right = layout.tile(0, DRAWS).0 + layout.tile.0;
    let bottom = layout.tile(originals.len().max(1) - 1, 0).1 + layout.tile.1;
    let mut canvas = Canvas::new(right.max(MARGIN + heading.width(WIDEST)) + MARGIN, bottom + MARGIN);
    heading.draw(&mut canvas);
    columns(&mut canvas, &layout);
    let mut varied = vec![0.0; shape.len()];
    for (row, (original, name)) in originals.iter().zip(&names).enumerate() {
        let (x, y) = layout.tile(row, 0);
        let middle = y + layout.tile.1 / 2.0;
        canvas.text(name, (x - 12.0, middle), (HPos::Right, VPos::Center), Font::new(SMALL, &INK));
        tiles.draw(&mut canvas, (x, y), original.pixels);
        for epoch in 1..=DRAWS {
            augmenter.apply(&augmenter.draw(epoch, original.row), original.pixels, &mut varied);
            let pixels: Vec<u8> = varied.iter().map(|value| value.round().clamp(0.0, 255.0) as u8).collect();
            tiles.draw(&mut canvas, layout.tile(row, epoch), &pixels);
        }
    }
    Ok((canvas, layout))
}

/// What the columns hold. Tiles may be narrower than the words, so only numbers stand above each.
fn columns(canvas: &mut Canvas, layout: &Layout) {
    let (font, face) = (Font::new(SMALL, &QUIET), Typeface::new(SMALL));
    let wide = layout.tile.0 >= face.width("epoch 8") && layout.tile.0 >= face.width("original");
    for epoch in 0..=DRAWS {
        let (x, _) = layout.tile(0, epoch);
        let text = match (epoch, wide) {
            (0, true) => "original".to_owned(),
            (0, false) => "0".to_owned(),
            (epoch, true) => format!("epoch {epoch}"),
            (epoch, false) => epoch.to_string(),
        };
        let middle = (x + layout.tile.0 / 2.0, layout.top - 5.0);
        canvas.text(&text, middle, (HPos::Center, VPos::Bottom), font);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glyphnet_data::ImageShape;
    use glyphnet_data::augment::AugmentConfig;
    use glyphnet_kernels::Isa;
    use plotters::style::RGBColor;

    fn augmenter(shape: ImageShape) -> Augmenter {
        let config = AugmentConfig { width_shift: 0.25, rotation: 20.0, ..AugmentConfig::default() };
        Augmenter::new(&config, shape, 7, Isa::detect()).unwrap()
    }

    #[test]
    fn each_tile_is_what_the_run_sees_in_that_epoch() {
        let shape = ImageShape::new(8, 8, 1);
        let augmenter = augmenter(shape);
        let pixels: Vec<u8> = (0..64).map(|place| (place * 4) as u8).collect();
        let originals = [12, 345].map(|row| Original { row, pixels: &pixels, label: "ramp" });
        let (canvas, layout) = draw("seed-1", &augmenter, &originals).unwrap();
        canvas.check();
        let mut varied = vec![0.0; 64];
        for (row, original) in originals.iter().enumerate() {
            for epoch in 0..=DRAWS {
                let (left, top) = layout.tile(row, epoch);
                augmenter.apply(&augmenter.draw(epoch, original.row), &pixels, &mut varied);
                for (place, value) in varied.iter().enumerate() {
                    let value = if epoch == 0 { pixels[place] } else { value.round() as u8 };
                    let at = (left + (place % 8) as f32 * 14.0 + 7.0, top + (place / 8) as f32 * 14.0 + 7.0);
                    assert_eq!(canvas.colour(at), RGBColor(value, value, value), "row {row} epoch {epoch}");
                }
            }
        }
    }

    #[test]
    fn images_of_any_size_and_names_of_any_length() {
        let name = "W".repeat(60);
        for side in [1, 5, 28, 64, 500] {
            for channels in [1, 3] {
                let shape = ImageShape::new(side, side, channels);
                let pixels = vec![200; shape.len()];
                for label in ["", "7", &name] {
                    let originals = [Original { row: 0, pixels: &pixels, label }; 2];
                    draw("a run", &augmenter(shape), &originals).unwrap().0.check();
                }
            }
        }
        draw("none", &augmenter(ImageShape::new(4, 4, 1)), &[]).unwrap().0.check();
    }
}
