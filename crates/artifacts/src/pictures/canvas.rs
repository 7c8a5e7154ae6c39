//! What pictures are drawn on: shapes with soft edges, and text in the embedded font.
//!
//! plotters places shapes by whole numbers. A [`Pen`] gives it sixteen of them for each pixel and draws with the part of
//! a pixel that a shape covers, so that curves are smooth at the size at which they are looked at.

use std::convert::Infallible;
use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

use super::theme::PAPER;
use crate::error::ArtifactError;
use crate::text::{Typeface, blend};

/// plotters' units in a pixel.
const UNITS: f32 = 16.0;

/// A length or place in pixels as plotters wants it.
pub(crate) fn units(pixels: f32) -> i32 {
    (pixels * UNITS).round() as i32
}

fn pixels(units: i32) -> f32 {
    units as f32 / UNITS
}

/// A text with the rectangle that its line takes up: left, top, right, bottom.
#[cfg(test)]
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) place: [f32; 4],
}

/// How a text looks.
#[derive(Clone, Copy)]
pub(crate) struct Font {
    /// Line height in pixels.
    pub(crate) size: f32,
    pub(crate) colour: Rgb<u8>,
    /// Whether it runs from the bottom to the top.
    pub(crate) upwards: bool,
}

impl Font {
    pub(crate) fn new(size: f32, colour: &impl Color) -> Font {
        let (red, green, blue) = colour.rgb();
        Font { size, colour: Rgb([red, green, blue]), upwards: false }
    }

    pub(crate) fn upwards(self) -> Font {
        Font { upwards: true, ..self }
    }
}

/// A picture in the making. Places are in pixels from its upper left corner.
pub(crate) struct Canvas {
    pub(crate) picture: RgbImage,
    #[cfg(test)]
    pub(crate) texts: Vec<Written>,
}

impl Canvas {
    /// An empty picture; sizes are rounded up.
    pub(crate) fn new(width: f32, height: f32) -> Canvas {
        let (red, green, blue) = PAPER.rgb();
        let picture = RgbImage::from_pixel(width.ceil() as u32, height.ceil() as u32, Rgb([red, green, blue]));
        Canvas {
            picture,
            #[cfg(test)]
            texts: Vec::new(),
        }
    }

    /// The whole of it, for plotters.
    pub(crate) fn area(&mut self) -> DrawingArea<Pen<'_>, Shift> {
        Pen(self).into_drawing_area()
    }

    /// The picture as a PNG file.
    pub(crate) fn png(&self) -> Result<Vec<u8>, ArtifactError> {
        let mut bytes = Cursor::new(Vec::new());
        self.picture.write_to(&mut bytes, ImageFormat::Png).map_err(|error| ArtifactError::draw(&error))?;
        Ok(bytes.into_inner())
    }

    /// Writes one line with `(x, y)` at its side `across` and `down`.
    pub(crate) fn text(&mut self, text: &str, (x, y): (f32, f32), (across, down): (HPos, VPos), font: Font) {
        let face = Typeface::new(font.size);
        let (long, high) = (face.width(text), face.height() as f32);
        let (width, height) = if font.upwards { (high, long) } else { (long, high) };
        let left = match across {
            HPos::Left => x,
            HPos::Center => x - width / 2.0,
            HPos::Right => x - width,
        };
        let top = match down {
            VPos::Top => y,
            VPos::Center => y - height / 2.0,
            VPos::Bottom => y - height,
        };
        let (left, top) = (left.round(), top.round());
        if font.upwards {
            face.draw_upwards(&mut self.picture, left, top + height, text, font.colour);
        } else {
            face.draw(&mut self.picture, left, top, text, font.colour);
        }
        #[cfg(test)]
        self.texts.push(Written { text: text.to_owned(), place: [left, top, left + width, top + height] });
    }

    /// Fills a rectangle.
    pub(crate) fn rectangle(&mut self, (left, top): (f32, f32), (right, bottom): (f32, f32), colour: &impl Color) {
        let part = |from: f32, to: f32, at: i64| (to.min(at as f32 + 1.0) - from.max(at as f32)).clamp(0.0, 1.0);
        for y in top.floor() as i64..bottom.ceil() as i64 {
            for x in left.floor() as i64..right.ceil() as i64 {
                self.lay(x, y, part(left, right, x) * part(top, bottom, y), colour.to_backend_color());
            }
        }
    }

    /// Fills a circle.
    pub(crate) fn disc(&mut self, centre: (f32, f32), radius: f32, colour: &impl Color) {
        self.round(centre, radius + 1.0, colour, |distance| radius + 0.5 - distance);
    }

    /// Draws the edge of a circle; half of the line's `width` is inside `radius`.
    pub(crate) fn ring(&mut self, centre: (f32, f32), radius: f32, width: f32, colour: &impl Color) {
        let half = width / 2.0;
        self.round(centre, radius + half + 1.0, colour, |distance| half + 0.5 - (distance - radius).abs());
    }

    fn round(&mut self, (x, y): (f32, f32), reach: f32, colour: &impl Color, covered: impl Fn(f32) -> f32) {
        for row in (y - reach).floor() as i64..=(y + reach).ceil() as i64 {
            for column in (x - reach).floor() as i64..=(x + reach).ceil() as i64 {
                let distance = (column as f32 + 0.5 - x).hypot(row as f32 + 0.5 - y);
                self.lay(column, row, covered(distance).clamp(0.0, 1.0), colour.to_backend_color());
            }
        }
    }

    /// Draws a line through `points` with round corners and ends. Where it crosses itself it is no darker.
    pub(crate) fn line(&mut self, points: &[(f32, f32)], width: f32, colour: &impl Color) {
        let mut mask = Mask::around(points, width / 2.0 + 1.0, self.picture.dimensions());
        for ends in points.windows(2) {
            mask.segment(ends[0], ends[1], width / 2.0);
        }
        for (place, &coverage) in mask.coverage.iter().enumerate().filter(|(_, coverage)| **coverage > 0.0) {
            let (x, y) = ((place % mask.width) as i64, (place / mask.width) as i64);
            self.lay(mask.left + x, mask.top + y, coverage, colour.to_backend_color());
        }
    }

    fn lay(&mut self, x: i64, y: i64, coverage: f32, colour: BackendColor) {
        let (red, green, blue) = colour.rgb;
        blend(&mut self.picture, x, y, coverage * colour.alpha as f32, Rgb([red, green, blue]));
    }
}

#[cfg(test)]
impl Canvas {
    /// Checks that no two texts overlap and none leaves the picture, and that the PNG holds the picture.
    pub(crate) fn check(&self) {
        let (width, height) = self.picture.dimensions();
        for (place, text) in self.texts.iter().enumerate() {
            let [left, top, right, bottom] = text.place;
            assert!(left >= 0.0 && top >= 0.0 && right <= width as f32 && bottom <= height as f32, "outside: {text:?}");
            for other in &self.texts[..place] {
                let [left2, top2, right2, bottom2] = other.place;
                let apart = right <= left2 || right2 <= left || bottom <= top2 || bottom2 <= top;
                assert!(apart || text.text.is_empty() || other.text.is_empty(), "overlap: {text:?} {other:?}");
            }
        }
        let decoded = image::load_from_memory(&self.png().unwrap()).unwrap().to_rgb8();
        assert!(decoded == self.picture, "the PNG is another picture");
    }

    /// The place of the one text that reads so.
    pub(crate) fn find(&self, text: &str) -> [f32; 4] {
        let found: Vec<_> = self.texts.iter().filter(|written| written.text == text).collect();
        assert_eq!(found.len(), 1, "{text}: {:?}", self.texts);
        found[0].place
    }

    /// The colour at a place.
    pub(crate) fn colour(&self, (x, y): (f32, f32)) -> plotters::style::RGBColor {
        let Rgb([red, green, blue]) = *self.picture.get_pixel(x as u32, y as u32);
        plotters::style::RGBColor(red, green, blue)
    }
}

/// How much of each pixel in a rectangle a line covers.
struct Mask {
    left: i64,
    top: i64,
    width: usize,
    height: usize,
    coverage: Vec<f32>,
}

impl Mask {
    /// An empty one for what lies within `reach` of `points`, as far as that is in a picture of this size.
    fn around(points: &[(f32, f32)], reach: f32, (width, height): (u32, u32)) -> Mask {
        let span = |values: &dyn Fn(&(f32, f32)) -> f32, end: u32| {
            let low = points.iter().map(values).fold(f32::INFINITY, f32::min) - reach;
            let high = points.iter().map(values).fold(f32::NEG_INFINITY, f32::max) + reach;
            let (low, high) = (low.clamp(0.0, end as f32).floor(), high.clamp(0.0, end as f32).ceil());
            (low as i64, (high - low).max(0.0) as usize)
        };
        let (left, width) = span(&|point| point.0, width);
        let (top, height) = span(&|point| point.1, height);
        Mask { left, top, width, height, coverage: vec![0.0; width * height] }
    }

    /// Adds a line from `a` to `b`, `half` of its width to either side.
    fn segment(&mut self, a: (f32, f32), b: (f32, f32), half: f32) {
        let span = |from: f32, to: f32, start: i64, length: usize| {
            let place = |value: f32| (value - start as f32).clamp(0.0, length as f32) as usize;
            place(from.min(to) - half - 1.0)..place(from.max(to) + half + 2.0)
        };
        let (along_x, along_y) = (b.0 - a.0, b.1 - a.1);
        let length = along_x * along_x + along_y * along_y;
        for row in span(a.1, b.1, self.top, self.height) {
            for column in span(a.0, b.0, self.left, self.width) {
                let x = self.left as f32 + column as f32 + 0.5 - a.0;
                let y = self.top as f32 + row as f32 + 0.5 - a.1;
                let share = if length > 0.0 { ((x * along_x + y * along_y) / length).clamp(0.0, 1.0) } else { 0.0 };
                let distance = (x - share * along_x).hypot(y - share * along_y);
                let coverage = &mut self.coverage[row * self.width + column];
                *coverage = coverage.max((half + 0.5 - distance).clamp(0.0, 1.0));
            }
        }
    }
}

/// A canvas as plotters sees it.
pub(crate) struct Pen<'a>(&'a mut Canvas);

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// A style's colour.
struct Paint(BackendColor);

impl Color for Paint {
    fn to_backend_color(&self) -> BackendColor {
        self.0
    }
}

fn point((x, y): BackendCoord) -> (f32, f32) {
    (pixels(x), pixels(y))
}

impl DrawingBackend for Pen<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let (width, height) = self.0.picture.dimensions();
        (width * UNITS as u32, height * UNITS as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        self.0.rectangle(point((x, y)), point((x + 1, y + 1)), &Paint(colour));
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let mut points: Vec<_> = path.into_iter().map(point).collect();
        let width = pixels(style.stroke_width() as i32);
        // Lines of a grid and axes lie on whole pixels, so that they are as sharp as text.
        let sharp = |at: f32| if (width.round() as i32) % 2 == 1 { at.floor() + 0.5 } else { at.round() };
        if let [a, b] = &mut points[..] {
            if a.0 == b.0 {
                (a.0, b.0) = (sharp(a.0), sharp(a.0));
            } else if a.1 == b.1 {
                (a.1, b.1) = (sharp(a.1), sharp(a.1));
            }
        }
        self.0.line(&points, width, &Paint(style.color()));
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn {
        if fill {
            self.0.rectangle(point(from), point(to), &Paint(style.color()));
            return Ok(());
        }
        self.draw_path([from, (to.0, from.1), to, (from.0, to.1), from], style)
    }

    fn draw_circle<S: BackendStyle>(&mut self, centre: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        let (centre, radius, paint) = (point(centre), pixels(radius as i32), Paint(style.color()));
        if fill {
            self.0.disc(centre, radius, &paint);
        } else {
            self.0.ring(centre, radius, pixels(style.stroke_width() as i32), &paint);
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let (anchor, font) = (style.anchor(), Font::new(style.size() as f32 / UNITS, &Paint(style.color())));
        self.0.text(text, point(at), (anchor.h_pos, anchor.v_pos), font);
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let face = Typeface::new(style.size() as f32 / UNITS);
        Ok((units(face.width(text)) as u32, units(face.height() as f32) as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::theme::INK;
    use plotters::style::RGBColor;

    const BLACK: RGBColor = RGBColor(0, 0, 0);

    fn darkness(canvas: &Canvas) -> f32 {
        canvas.picture.pixels().map(|pixel| 1.0 - f32::from(pixel.0[0]) / 255.0).sum()
    }

    #[test]
    fn shapes_cover_the_area_that_they_have() {
        let drawn = |draw: &dyn Fn(&mut Canvas)| {
            let mut canvas = Canvas::new(60.0, 60.0);
            draw(&mut canvas);
            darkness(&canvas)
        };
        let disc = drawn(&|canvas| canvas.disc((30.3, 29.8), 10.0, &BLACK));
        assert!((disc - 314.2).abs() < 3.0, "{disc}");
        let ring = drawn(&|canvas| canvas.ring((30.0, 30.0), 10.0, 2.0, &BLACK));
        assert!((ring - 125.7).abs() < 2.0, "{ring}");
        let rectangle = drawn(&|canvas| canvas.rectangle((10.25, 10.5), (20.75, 12.0), &BLACK));
        assert!((rectangle - 15.75).abs() < 0.2, "{rectangle}");
        // 40 long and 3 wide, with half a circle at both ends.
        let line = drawn(&|canvas| canvas.line(&[(10.0, 10.0), (34.0, 42.0)], 3.0, &BLACK));
        assert!((line - 127.1).abs() < 2.0, "{line}");
        let half = drawn(&|canvas| canvas.rectangle((10.0, 10.0), (20.0, 20.0), &BLACK.mix(0.5)));
        assert!((half - 50.0).abs() < 0.5, "{half}");
    }

    #[test]
    fn a_line_that_crosses_itself_is_no_darker_there_and_may_leave_the_picture() {
        let mut canvas = Canvas::new(40.0, 40.0);
        let cross = [(5.0, 20.0), (35.0, 20.0), (20.0, 5.0), (20.0, 35.0)];
        canvas.line(&cross, 4.0, &BLACK.mix(0.5));
        assert_eq!(canvas.picture.get_pixel(20, 20), canvas.picture.get_pixel(10, 20));
        canvas.line(&[(-100.0, -50.0), (500.0, 90.0)], 3.0, &INK);
        canvas.line(&[], 3.0, &INK);
        canvas.line(&[(f32::MAX, f32::MAX), (-1e9, 5.0)], 3.0, &INK);
    }

    #[test]
    fn text_is_where_it_was_said_to_be() {
        let mut canvas = Canvas::new(200.0, 200.0);
        canvas.text("Trouser", (100.0, 50.0), (HPos::Center, VPos::Center), Font::new(18.0, &BLACK));
        canvas.text("Trouser", (100.0, 190.0), (HPos::Right, VPos::Bottom), Font::new(18.0, &BLACK).upwards());
        let mut ink = 0;
        for (x, y, pixel) in canvas.picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] < 128) {
            let within = |place: &[f32; 4]| {
                (place[0] - 1.0..=place[2] + 1.0).contains(&(x as f32)) && (place[1]..=place[3]).contains(&(y as f32))
            };
            assert!(canvas.texts.iter().any(|written| within(&written.place)), "{pixel:?} at ({x}, {y})");
            ink += 1;
        }
        assert!(ink > 200, "{ink}");
        let width = canvas.texts[0].place[2] - canvas.texts[0].place[0];
        assert!((width - Typeface::new(18.0).width("Trouser")).abs() < 1e-3, "{width}");
        assert!((canvas.texts[1].place[3] - 190.0).abs() < 0.5, "{:?}", canvas.texts[1].place);
    }
}
