//! The confusion matrix, as counts and as shares of each true class.

use plotters::style::text_anchor::{HPos, VPos};

use super::Subject;
use super::canvas::{Canvas, Font};
use super::heading::Heading;
use super::theme::{EMPTY, INK, MARGIN, QUIET, SMALL, TEXT, text_on, viridis};
use crate::error::ArtifactError;
use crate::numbers::{count, percent};
use crate::text::Typeface;

/// The side of a matrix that is aimed at, and what its cells may have, in pixels.
const SIDE: f32 = 560.0;
const CELL: std::ops::RangeInclusive<f32> = 24.0..=84.0;
/// Class names longer than this many pixels are cut: enough for 40 letters.
const LONGEST_NAME: f32 = 360.0;
/// The two matrices stand side by side in pictures up to this width, else one below the other.
const WIDEST: f32 = 1900.0;
/// Between the two.
const GAP: f32 = 40.0;
/// Between names and cells.
const NEAR: f32 = 7.0;
/// Room for a line of text beside a matrix.
const LINE: f32 = 26.0;

/// The confusion matrix of a split as a PNG: counts, and what share of each true class they are.
///
/// `counts` has a row for each true class and a column for each predicted class, row by row. Both matrices are coloured
/// by share, so that small classes are as visible as large ones.
///
/// # Errors
/// If there are not as many counts as pairs of classes, or none.
pub fn confusion(subject: &Subject<'_>, classes: &[String], counts: &[u64]) -> Result<Vec<u8>, ArtifactError> {
    draw(subject, classes, counts)?.0.png()
}

/// What the cells of a matrix hold.
#[derive(Clone, Copy)]
enum Kind {
    Counts,
    Shares,
}

impl Kind {
    fn title(self) -> &'static str {
        match self {
            Kind::Counts => "images",
            Kind::Shares => "per cent of the true class",
        }
    }
}

/// Sizes that both matrices share, in pixels.
struct Layout {
    classes: usize,
    names: Vec<String>,
    /// Line height of names and cells.
    text: f32,
    cell: f32,
    /// The longest name.
    name: f32,
    upright: bool,
}

/// A matrix in its place; `left` and `top` are those of the first cell.
struct Matrix<'a> {
    layout: &'a Layout,
    counts: &'a [u64],
    kind: Kind,
    left: f32,
    top: f32,
}

/// Left, top and side of a cell of each matrix.
type Corners = Vec<(f32, f32, f32)>;

fn draw(subject: &Subject<'_>, classes: &[String], counts: &[u64]) -> Result<(Canvas, Corners), ArtifactError> {
    let n = classes.len();
    if n == 0 || counts.len() != n * n {
        let problem = format!("{} counts are not a matrix of {}", counts.len(), count(n, "class"));
        return Err(ArtifactError::Draw { problem });
    }
    let layout = Layout::new(classes, counts);
    let heading = heading(subject, n, counts);
    let (width, height) = layout.block();
    let beside = 2.0 * width + GAP + 2.0 * MARGIN <= WIDEST;
    let (columns, rows) = if beside { (2.0, 1.0) } else { (1.0, 2.0) };
    let wide = (columns * width + (columns - 1.0) * GAP).max(heading.width(WIDEST / 2.0)).max(RAMP_ROW);
    let top = heading.height() + LINE + 8.0;
    let tall = top + rows * height + (rows - 1.0) * GAP + MARGIN;
    let mut canvas = Canvas::new(wide + 2.0 * MARGIN, tall);
    heading.draw(&mut canvas);
    ramp(&mut canvas, (MARGIN, heading.height() - 8.0));
    let second = if beside { (MARGIN + width + GAP, top) } else { (MARGIN, top + height + GAP) };
    let places = [(Kind::Counts, (MARGIN, top)), (Kind::Shares, second)];
    let mut cells = Vec::new();
    for (kind, (left, top)) in places {
        let (left, top) = layout.first_cell(left, top);
        Matrix { layout: &layout, counts, kind, left, top }.draw(&mut canvas);
        cells.push((left, top, layout.cell));
    }
    Ok((canvas, cells))
}

fn heading(subject: &Subject<'_>, n: usize, counts: &[u64]) -> Heading {
    let all: u64 = counts.iter().sum();
    let right: u64 = (0..n).map(|class| counts[class * n + class]).sum();
    let accuracy = if all == 0 { String::new() } else { format!(", {} right", percent(right as f64 / all as f64)) };
    let line = format!("{} in {}{accuracy}; empty cells are 0", count(all as usize, "image"), count(n, "class"));
    Heading::new(format!("Confusion matrix, {subject}"), vec![line])
}

impl Layout {
    fn new(classes: &[String], counts: &[u64]) -> Layout {
        let n = classes.len();
        let text = if n <= 12 {
            TEXT
        } else if n <= 24 {
            SMALL
        } else {
            14.0
        };
        let face = Typeface::new(text);
        let names: Vec<String> =
            (0..).zip(classes).map(|(label, name)| face.fit(&super::name(name, label), LONGEST_NAME)).collect();
        let name = names.iter().map(|name| face.width(name)).fold(0.0, f32::max).ceil();
        let texts = (0..n * n).flat_map(|at| [Kind::Counts, Kind::Shares].map(|kind| written(kind, counts, n, at)));
        let widest = texts.map(|text| face.width(&text)).fold(0.0, f32::max);
        let cell = (SIDE / n as f32).clamp(*CELL.start(), *CELL.end()).max(widest + 6.0).floor();
        Layout { classes: n, names, text, cell, name, upright: name > cell - 6.0 }
    }

    /// Side of the cells together.
    fn side(&self) -> f32 {
        self.classes as f32 * self.cell
    }

    /// Height of the names below the columns.
    fn below(&self) -> f32 {
        if self.upright { self.name } else { Typeface::new(self.text).height() as f32 }
    }

    /// Width and height of a matrix with all that is written around it.
    fn block(&self) -> (f32, f32) {
        let title = [Kind::Counts, Kind::Shares].map(|kind| Typeface::new(TEXT).width(kind.title()));
        let inner = title.into_iter().fold(self.side(), f32::max).ceil();
        (LINE + self.name + NEAR + inner, LINE + self.side() + NEAR + self.below() + LINE + 4.0)
    }

    /// Where the first cell of a block at this place is.
    fn first_cell(&self, left: f32, top: f32) -> (f32, f32) {
        (left + LINE + self.name + NEAR, top + LINE)
    }
}

/// The share of its true class that a cell is; `None` where it is empty.
fn share(counts: &[u64], n: usize, at: usize) -> Option<f64> {
    let row = &counts[at / n * n..(at / n + 1) * n];
    let count = counts[at];
    (count > 0).then(|| count as f64 / row.iter().sum::<u64>() as f64)
}

/// What stands in a cell.
fn written(kind: Kind, counts: &[u64], n: usize, at: usize) -> String {
    let Some(share) = share(counts, n, at) else { return String::new() };
    match kind {
        Kind::Counts => counts[at].to_string(),
        Kind::Shares => in_percent(share, n <= 24),
    }
}

/// Per cent without the sign. Rounding never makes 0 or 100 of what is not.
fn in_percent(share: f64, decimal: bool) -> String {
    let (value, step) = (share * 100.0, if decimal { 0.1 } else { 1.0 });
    let text = |value: f64| if decimal && value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    if value < step / 2.0 {
        format!("<{}", text(step))
    } else if value < 100.0 && value > 100.0 - step / 2.0 {
        format!(">{}", text(100.0 - step))
    } else {
        text(value)
    }
}

/// The colour for a share: its root, so that a few wrong images can be seen.
fn colour(share: f64) -> plotters::style::RGBColor {
    viridis(share.sqrt())
}

impl Matrix<'_> {
    fn draw(&self, canvas: &mut Canvas) {
        let Layout { classes: n, cell, text, .. } = *self.layout;
        for at in 0..n * n {
            let (left, top) = (self.left + (at % n) as f32 * cell, self.top + (at / n) as f32 * cell);
            let share = share(self.counts, n, at);
            let fill = share.map_or(EMPTY, colour);
            canvas.rectangle((left, top), (left + cell - 1.0, top + cell - 1.0), &fill);
            if share.is_some() {
                let font = Font::new(text, &text_on(fill));
                let centre = (left + (cell - 1.0) / 2.0, top + (cell - 1.0) / 2.0);
                canvas.text(&written(self.kind, self.counts, n, at), centre, (HPos::Center, VPos::Center), font);
            }
        }
        self.names(canvas);
    }

    fn names(&self, canvas: &mut Canvas) {
        let Layout { cell, text, upright, ref names, .. } = *self.layout;
        let (font, quiet) = (Font::new(text, &INK), Font::new(TEXT, &QUIET));
        let side = self.layout.side();
        let bottom = self.top + side;
        for (place, name) in names.iter().enumerate() {
            let middle = (place as f32 + 0.5) * cell - 0.5;
            canvas.text(name, (self.left - NEAR, self.top + middle), (HPos::Right, VPos::Center), font);
            let below = (self.left + middle, bottom + NEAR - 1.0);
            let font = if upright { font.upwards() } else { font };
            canvas.text(name, below, (HPos::Center, VPos::Top), font);
        }
        canvas.text(self.kind.title(), (self.left, self.top - 5.0), (HPos::Left, VPos::Bottom), Font::new(TEXT, &INK));
        let left = self.left - NEAR - self.layout.name - 4.0;
        let side_title = (left, self.top + side / 2.0);
        canvas.text("true class", side_title, (HPos::Right, VPos::Center), quiet.upwards());
        let below = (self.left + side / 2.0, bottom + NEAR + self.layout.below() + 2.0);
        canvas.text("predicted class", below, (HPos::Center, VPos::Top), quiet);
    }
}

/// Width of the row that explains the colours.
const RAMP_ROW: f32 = 560.0;

/// Explains the colours in a row at this place.
fn ramp(canvas: &mut Canvas, (left, top): (f32, f32)) {
    let (face, text) = (Typeface::new(TEXT), "share of the true class");
    canvas.text(text, (left, top), (HPos::Left, VPos::Top), Font::new(TEXT, &QUIET));
    let mut x = left + face.width(text) + 14.0;
    for (share, label) in [(0.001, "0.1 %"), (0.01, "1 %"), (0.1, "10 %"), (0.5, "50 %"), (1.0, "100 %")] {
        let fill = colour(share);
        let width = face.width(label) + 14.0;
        canvas.rectangle((x, top - 2.0), (x + width, top + face.height() as f32 + 2.0), &fill);
        let centre = (x + width / 2.0, top + face.height() as f32 / 2.0);
        canvas.text(label, centre, (HPos::Center, VPos::Center), Font::new(TEXT, &text_on(fill)));
        x += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject<'_> = Subject { split: "validation", run: "seed-1" };

    fn names(n: usize, length: usize) -> Vec<String> {
        (0..n).map(|class| format!("{class} {}", "Wm stiefelette ".repeat(8)).chars().take(length).collect()).collect()
    }

    /// A network that is right mostly; class 1 has no images.
    fn counts(n: usize) -> Vec<u64> {
        let count = |truth: usize, said: usize| match (truth, said) {
            (1, _) => 0,
            (truth, said) if truth == said => 2400,
            (truth, said) => u64::from((truth * 7 + said * 3).is_multiple_of(5)) * (1 + (truth + said) as u64 % 7),
        };
        (0..n * n).map(|at| count(at / n, at % n)).collect()
    }

    #[test]
    fn cells_have_the_colour_of_their_share_in_their_true_class() {
        let counts = [90, 10, 0, 0, 0, 0, 1, 1, 2];
        let (canvas, matrices) = draw(&SUBJECT, &names(3, 5), &counts).unwrap();
        canvas.check();
        let shares = [Some(0.9), Some(0.1), None, None, None, None, Some(0.25), Some(0.25), Some(0.5)];
        assert_eq!(matrices.len(), 2);
        for (left, top, cell) in matrices {
            for (at, share) in shares.into_iter().enumerate() {
                let corner = (left + (at % 3) as f32 * cell + 2.0, top + (at / 3) as f32 * cell + 2.0);
                assert_eq!(canvas.colour(corner), share.map_or(EMPTY, colour), "cell {at}");
            }
        }
        for text in ["90", "10", "90.0", "50.0"] {
            canvas.find(text);
        }
        assert!(
            canvas
                .texts
                .iter()
                .any(|written| written.text == "104 images in 3 classes, 88.46 % right; empty cells are 0")
        );
    }

    #[test]
    fn few_and_many_classes_with_short_and_long_names_do_not_overlap() {
        for n in [1, 2, 3, 10, 13, 26, 47, 100] {
            for length in [1, 9, 40, 400] {
                let (canvas, _) = draw(&SUBJECT, &names(n, length), &counts(n)).unwrap();
                canvas.check();
            }
        }
        let all_empty = draw(&SUBJECT, &names(4, 3), &[0; 16]).unwrap().0;
        all_empty.check();
    }

    #[test]
    fn names_of_forty_letters_are_whole() {
        let long: Vec<String> =
            (0..47).map(|class| format!("{class:02} a class name as long as forty letters")).collect();
        assert!(long.iter().all(|name| name.len() == 40));
        let (canvas, _) = draw(&SUBJECT, &long, &counts(47)).unwrap();
        for name in long {
            assert_eq!(canvas.texts.iter().filter(|written| written.text == name).count(), 4, "{name}");
        }
    }

    #[test]
    fn rounding_makes_neither_none_nor_all_of_what_is_not() {
        let texts = |decimal| [1.0, 0.9999, 0.98765, 0.5, 0.004, 0.0004].map(|share| in_percent(share, decimal));
        assert_eq!(texts(true), ["100", ">99.9", "98.8", "50.0", "0.4", "<0.1"]);
        assert_eq!(texts(false), ["100", ">99", "99", "50", "<1", "<1"]);
    }

    #[test]
    fn a_matrix_that_is_none_is_refused() {
        for (classes, counts) in [(0, 0), (3, 8), (2, 5)] {
            assert!(confusion(&SUBJECT, &names(classes, 2), &vec![0; counts]).is_err());
        }
    }
}
