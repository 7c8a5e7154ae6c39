//! What stands above a picture: whose it is, and how it is to be read.

use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Canvas, Font};
use super::theme::{INK, MARGIN, QUIET, TEXT, TITLE};
use crate::text::Typeface;

/// A title with lines of explanation below it.
pub(crate) struct Heading {
    title: String,
    lines: Vec<String>,
}

impl Heading {
    pub(crate) fn new(title: String, lines: Vec<String>) -> Heading {
        Heading { title, lines }
    }

    /// The width of its longest explanation, or of the title up to `most` pixels: run names may have any length.
    pub(crate) fn width(&self, most: f32) -> f32 {
        let face = Typeface::new(TEXT);
        let lines = self.lines.iter().map(|line| face.width(line)).fold(0.0, f32::max);
        lines.max(Typeface::new(TITLE).width(&self.title).min(most))
    }

    /// Its height with the space below it.
    pub(crate) fn height(&self) -> f32 {
        let line = Typeface::new(TEXT).height() as f32 + 4.0;
        MARGIN + Typeface::new(TITLE).height() as f32 + 4.0 + self.lines.len() as f32 * line + 14.0
    }

    /// Draws it at the top of the picture. A title that is too long is cut.
    pub(crate) fn draw(&self, canvas: &mut Canvas) {
        let face = Typeface::new(TITLE);
        let title = face.fit(&self.title, canvas.picture.width() as f32 - 2.0 * MARGIN);
        let corner = (HPos::Left, VPos::Top);
        canvas.text(&title, (MARGIN, MARGIN), corner, Font::new(TITLE, &INK));
        let mut top = MARGIN + face.height() as f32 + 4.0;
        for line in &self.lines {
            canvas.text(line, (MARGIN, top), corner, Font::new(TEXT, &QUIET));
            top += Typeface::new(TEXT).height() as f32 + 4.0;
        }
    }
}
