//! The grid of the worst errors.

use glyphnet_data::ImageShape;
use plotters::style::text_anchor::{HPos, VPos};

use super::Subject;
use super::canvas::{Canvas, Font};
use super::heading::Heading;
use super::theme::{INK, MARGIN, SMALL, VERMILION};
use super::tiles::Tiles;
use crate::error::ArtifactError;
use crate::numbers::{count, grouped};
use crate::text::Typeface;

/// The errors that a grid has room for.
pub const MOST_ERRORS: usize = 24;

const COLUMNS: usize = 6;
/// Between two tiles.
const GAP: f32 = 20.0;
/// Tiles are as wide as their image and the longest line need, within these bounds; longer names are cut.
const WIDTH: std::ops::RangeInclusive<f32> = 136.0..=210.0;
/// The width that a heading may ask for.
const WIDEST: f32 = 900.0;

/// An image that was classified wrong.
#[derive(Debug, Clone, Copy)]
pub struct WrongImage<'a> {
    /// `H x W x C`, one byte a value.
    pub pixels: &'a [u8],
    /// Its class.
    pub label: u32,
    /// The class that it was taken for.
    pub predicted: u32,
    /// The probability of that class, 0 to 1.
    pub probability: f32,
}

/// The worst errors of a split as a PNG: each image with its true class, and below it what it was taken for with the
/// probability of that. `worst` is the first [`MOST_ERRORS`] of the `wrong` images of `images`, the greatest loss first.
///
/// # Errors
/// If an image has not the length of the shape.
pub fn errors(
    subject: &Subject<'_>,
    classes: &[String],
    shape: ImageShape,
    worst: &[WrongImage<'_>],
    (wrong, images): (usize, usize),
) -> Result<Vec<u8>, ArtifactError> {
    draw(subject, classes, shape, worst, (wrong, images))?.png()
}

fn draw(
    subject: &Subject<'_>,
    classes: &[String],
    shape: ImageShape,
    worst: &[WrongImage<'_>],
    (wrong, images): (usize, usize),
) -> Result<Canvas, ArtifactError> {
    let worst = &worst[..worst.len().min(MOST_ERRORS)];
    super::check_lengths(shape, worst.iter().map(|image| image.pixels))?;
    let lines: Vec<[String; 3]> = worst.iter().map(|image| texts(classes, image)).collect();
    let heading = heading(subject, worst.len(), wrong, images);
    let (tiles, face) = (Tiles::new(shape), Typeface::new(SMALL));
    let (wide, high) = tiles.size();
    let needed = lines.iter().map(|[truth, said, sure]| face.width(truth).max(face.width(said) + face.width(sure)));
    let needed = needed.fold(0.0, f32::max).ceil();
    let width = needed.clamp(*WIDTH.start(), *WIDTH.end()).max(wide);
    let line = face.height() as f32;
    let height = high + 2.0 * line + 10.0;
    let (columns, rows) = (worst.len().clamp(1, COLUMNS), worst.len().div_ceil(COLUMNS));
    let all = columns as f32 * (width + GAP) - GAP;
    let below = heading.height() + rows as f32 * (height + GAP) - GAP + MARGIN;
    let mut canvas = Canvas::new(all.max(heading.width(WIDEST)) + 2.0 * MARGIN, below);
    heading.draw(&mut canvas);
    for (place, (image, [truth, said, sure])) in worst.iter().zip(&lines).enumerate() {
        let left = MARGIN + (place % COLUMNS) as f32 * (width + GAP);
        let top = heading.height() + (place / COLUMNS) as f32 * (height + GAP);
        tiles.draw(&mut canvas, (left, top), image.pixels);
        let corner = (HPos::Left, VPos::Top);
        canvas.text(&face.fit(truth, width), (left, top + high + 5.0), corner, Font::new(SMALL, &INK));
        // Cut so that the probability behind it is whole.
        let said = face.fit(said, width - face.width(sure)) + sure;
        canvas.text(&said, (left, top + high + 5.0 + line), corner, Font::new(SMALL, &VERMILION));
    }
    Ok(canvas)
}

fn heading(subject: &Subject<'_>, shown: usize, wrong: usize, images: usize) -> Heading {
    let images = count(images, "image");
    let lines = if wrong == 0 {
        vec![format!("none of {images} was classified wrong")]
    } else {
        let wrong_ones = format!("{} of {images} classified wrong", grouped(wrong as u64));
        let which = if shown == wrong { "all of them".to_owned() } else { format!("the {shown} of greatest loss") };
        vec![
            format!("{wrong_ones}; here {which}, the worst first"),
            "black: the true class; \u{2192} what it was taken for, and the probability of that".to_owned(),
        ]
    };
    Heading::new(format!("Worst errors, {subject}"), lines)
}

/// The true class, what was said, and how surely: with one decimal, and never 100 % where it is not.
fn texts(classes: &[String], image: &WrongImage<'_>) -> [String; 3] {
    let name = |label: u32| super::name(classes.get(label as usize).map_or("", String::as_str), label);
    let value = f64::from(image.probability) * 100.0;
    let sure = if (99.95..100.0).contains(&value) { "  >99.9 %".to_owned() } else { format!("  {value:.1} %") };
    [name(image.label), format!("\u{2192} {}", name(image.predicted)), sure]
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::style::RGBColor;

    const SUBJECT: Subject<'_> = Subject { split: "test", run: "seed-1" };

    fn wrong(pixels: &[u8], probability: f32) -> WrongImage<'_> {
        WrongImage { pixels, label: 0, predicted: 1, probability }
    }

    #[test]
    fn images_and_words_are_where_they_belong() {
        let shape = ImageShape::new(2, 2, 3);
        let pixels = [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30];
        let worst = [wrong(&pixels, 0.9999), wrong(&pixels, 0.5)];
        let classes = ["cat".to_owned(), "dog".to_owned()];
        let canvas = draw(&SUBJECT, &classes, shape, &worst, (2, 1000)).unwrap();
        canvas.check();
        let [left, top, ..] = canvas.find("\u{2192} dog  >99.9 %");
        canvas.find("\u{2192} dog  50.0 %");
        canvas.find("2 of 1,000 images classified wrong; here all of them, the worst first");
        let high = Typeface::new(SMALL).height() as f32 + 5.0 + 112.0;
        let at = |x: f32, y: f32| canvas.colour((left + x, top - high + y));
        assert_eq!([at(1.0, 1.0), at(111.0, 1.0)], [RGBColor(255, 0, 0), RGBColor(0, 255, 0)]);
        assert_eq!([at(1.0, 111.0), at(111.0, 111.0)], [RGBColor(0, 0, 255), RGBColor(10, 20, 30)]);
    }

    #[test]
    fn any_number_of_errors_names_of_any_length_and_images_of_any_size() {
        let long = ["W".repeat(40), "Ankle boot / Stiefelette, schwarz glänz".to_owned()];
        let short = ["7".to_owned(), "お".to_owned()];
        for side in [1, 8, 28, 64, 300] {
            let pixels = vec![90; side * side * 3];
            let worst: Vec<_> = (0..30).map(|place| wrong(&pixels, place as f32 / 30.0)).collect();
            for (shown, classes) in [(0, &long), (1, &short), (5, &long), (30, &long), (24, &short)] {
                let shape = ImageShape::new(side, side, 3);
                draw(&SUBJECT, classes, shape, &worst[..shown], (shown * 9, 6000)).unwrap().check();
            }
        }
    }

    #[test]
    fn an_image_of_another_length_is_refused() {
        let refused = errors(&SUBJECT, &[], ImageShape::new(2, 2, 1), &[wrong(&[0; 5], 1.0)], (1, 1)).unwrap_err();
        assert!(refused.to_string().contains("image 0 has 5 values"), "{refused}");
    }
}
