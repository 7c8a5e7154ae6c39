//! One line of text on a picture, in the embedded DejaVu Sans.

use ab_glyph::{Font, FontRef, GlyphId, PxScale, ScaleFont, point};
use image::{Rgb, RgbImage};

/// See `fonts/README.md` for where it comes from and its licence.
const DEJAVU_SANS: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");

const ELLIPSIS: char = '\u{2026}';

/// A text size of the embedded font.
pub(crate) struct Typeface {
    font: FontRef<'static>,
    scale: PxScale,
}

impl Typeface {
    /// The embedded font with a line height of `pixels`.
    pub(crate) fn new(pixels: f32) -> Typeface {
        let font = match FontRef::try_from_slice(DEJAVU_SANS) {
            Ok(font) => font,
            Err(_) => unreachable!("the embedded font is a constant that the tests read"),
        };
        Typeface { font, scale: PxScale::from(pixels) }
    }

    /// Line height in whole pixels.
    pub(crate) fn height(&self) -> u32 {
        self.font.as_scaled(self.scale).height().ceil() as u32
    }

    /// Width of `text` in pixels, kerning included.
    pub(crate) fn width(&self, text: &str) -> f32 {
        let scaled = self.font.as_scaled(self.scale);
        let mut previous: Option<GlyphId> = None;
        let mut width = 0.0;
        for id in text.chars().map(|c| self.font.glyph_id(c)) {
            width += previous.map_or(0.0, |p| scaled.kern(p, id)) + scaled.h_advance(id);
            previous = Some(id);
        }
        width
    }

    /// Whether the font has a glyph for every character of `text`.
    pub(crate) fn covers(&self, text: &str) -> bool {
        text.chars().all(|c| self.font.glyph_id(c) != GlyphId(0))
    }

    /// `text` itself if it fits into `limit` pixels, otherwise its longest beginning with an ellipsis that does.
    pub(crate) fn fit(&self, text: &str, limit: f32) -> String {
        if self.width(text) <= limit {
            return text.to_owned();
        }
        let ends = text.char_indices().map(|(at, _)| at).rev();
        ends.map(|end| format!("{}{ELLIPSIS}", text[..end].trim_end()))
            .find(|cut| self.width(cut) <= limit)
            .unwrap_or_default()
    }

    /// Draws `text` in `colour` with the upper left corner of its line at `(left, top)`; what lies outside the
    /// picture is cut off.
    pub(crate) fn draw(&self, picture: &mut RgbImage, left: f32, top: f32, text: &str, colour: Rgb<u8>) {
        self.rasterise(left, top, text, |x, y, coverage| blend(picture, x, y, coverage, colour));
    }

    /// The same running upwards: the line's beginning is at the bottom, its top at the left, `(left, bottom)` its corner.
    pub(crate) fn draw_upwards(&self, picture: &mut RgbImage, left: f32, bottom: f32, text: &str, colour: Rgb<u8>) {
        let (left, bottom) = (left.round() as i64, bottom.round() as i64);
        self.rasterise(0.0, 0.0, text, |x, y, coverage| blend(picture, left + y, bottom - 1 - x, coverage, colour));
    }

    /// Gives `pixel` the place of each pixel that `text` touches, and how much of it is covered, 0 to 1.
    fn rasterise(&self, left: f32, top: f32, text: &str, mut pixel: impl FnMut(i64, i64, f32)) {
        let scaled = self.font.as_scaled(self.scale);
        let baseline = top + scaled.ascent();
        let mut previous: Option<GlyphId> = None;
        let mut x = left;
        for id in text.chars().map(|c| self.font.glyph_id(c)) {
            x += previous.map_or(0.0, |p| scaled.kern(p, id));
            let glyph = id.with_scale_and_position(self.scale, point(x, baseline));
            if let Some(outline) = self.font.outline_glyph(glyph) {
                let bounds = outline.px_bounds();
                let (left, top) = (bounds.min.x as i64, bounds.min.y as i64);
                outline.draw(|dx, dy, coverage| pixel(left + i64::from(dx), top + i64::from(dy), coverage));
            }
            x += scaled.h_advance(id);
            previous = Some(id);
        }
    }
}

/// Lays `coverage` (0 to 1) of `colour` over the pixel at `(x, y)`, if there is one.
pub(crate) fn blend(picture: &mut RgbImage, x: i64, y: i64, coverage: f32, colour: Rgb<u8>) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
    let Some(pixel) = picture.get_pixel_mut_checked(x, y) else { return };
    let coverage = coverage.clamp(0.0, 1.0);
    for (under, over) in pixel.0.iter_mut().zip(colour.0) {
        *under = (f32::from(*under) * (1.0 - coverage) + f32::from(over) * coverage).round() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_covers_latin_greek_cyrillic_and_says_what_it_lacks() {
        let face = Typeface::new(16.0);
        assert!(face.covers("Ankle boot 0123456789 äöüßéñ αβγ Жук …–“”"));
        assert!(!face.covers("お"));
    }

    #[test]
    fn a_long_name_is_cut_with_an_ellipsis_and_then_fits() {
        let face = Typeface::new(16.0);
        assert_eq!(face.fit("cat", 100.0), "cat");
        let cut = face.fit("a very long class name, longer than the cell", 100.0);
        assert!(cut.starts_with("a very") && cut.ends_with('…'), "{cut}");
        assert!(face.width(&cut) <= 100.0);
        assert!(face.width(&format!("{cut}m")) > 100.0 - 2.0 * face.width("m"), "cut shorter than needed: {cut}");
        assert_eq!(face.fit("wide", 1.0), "");
        // Cut between characters, not between bytes.
        assert!(face.fit("ЖЖЖЖЖЖЖЖЖЖЖЖ", 60.0).ends_with('…'));
    }

    #[test]
    fn drawing_stays_within_the_measured_width_and_survives_the_edge() {
        let face = Typeface::new(20.0);
        let mut picture = RgbImage::from_pixel(200, 30, Rgb([255; 3]));
        face.draw(&mut picture, 10.0, 2.0, "Trouser 7", Rgb([0; 3]));
        let end = 10.0 + face.width("Trouser 7");
        let dark: Vec<u32> = picture.enumerate_pixels().filter(|(_, _, p)| p.0[0] < 128).map(|(x, _, _)| x).collect();
        assert!(dark.len() > 100, "only {} dark pixels", dark.len());
        assert!(dark.iter().all(|&x| x >= 9 && (x as f32) <= end + 1.0));
        face.draw(&mut picture, -20.0, -10.0, "off the edge of the picture, all of it and more", Rgb([0; 3]));
    }

    #[test]
    fn text_that_runs_upwards_is_the_same_text_turned() {
        let face = Typeface::new(20.0);
        let mut across = RgbImage::from_pixel(120, 30, Rgb([255; 3]));
        let mut upwards = RgbImage::from_pixel(30, 120, Rgb([255; 3]));
        face.draw(&mut across, 0.0, 0.0, "Trouser 7", Rgb([0; 3]));
        face.draw_upwards(&mut upwards, 0.0, 120.0, "Trouser 7", Rgb([0; 3]));
        assert_eq!(image::imageops::rotate270(&across), upwards);
    }
}
