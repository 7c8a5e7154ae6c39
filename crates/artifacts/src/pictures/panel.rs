//! One chart of a picture: two axes with a grid, and what plotters draws between them.

use std::convert::Infallible;
use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::element::PathElement;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, IntoFont as _, RGBColor, ShapeStyle, TextStyle};

use super::axis::Axis;
use super::canvas::{Canvas, Font, Pen, units};
use super::dashes::dashed;
use super::theme::{FRAME, GRID, INK, QUIET, TEXT};
use crate::error::ArtifactError;

/// plotters' view of a panel: data coordinates, drawn on a canvas.
pub(crate) type Chart<'a, 'b> = ChartContext<'a, Pen<'b>, Cartesian2d<Side, Side>>;
/// How drawing on a chart ends.
pub(crate) type Drawn = Result<(), DrawingAreaErrorKind<Infallible>>;

/// An axis as plotters sees it.
pub(crate) struct Side {
    range: RangedCoordf64,
    places: Vec<f64>,
}

impl Side {
    fn new(axis: &Axis) -> Side {
        Side { range: (axis.from..axis.to).into(), places: axis.places() }
    }
}

impl Ranged for Side {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // plotters asks once for the lines with numbers and once for those between them, of which there are none.
        if hint.weight().allow_light_points() { Vec::new() } else { self.places.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

/// Length of the marks at written numbers, in pixels.
const MARK: f32 = 4.0;
/// Room below a frame for the numbers and the name of its axis, in pixels.
pub(crate) const BELOW: f32 = 54.0;
/// Room above a frame for its title, in pixels.
pub(crate) const ABOVE: f32 = 30.0;

/// A chart and its place.
pub(crate) struct Panel {
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// Where the data are drawn: left, top, right and bottom in whole pixels.
    pub(crate) frame: [f32; 4],
    /// Written above it.
    pub(crate) title: String,
    /// Written below its numbers.
    pub(crate) x_title: String,
}

impl Panel {
    /// Room that the numbers on the left of a frame need, in pixels.
    pub(crate) fn room_for(y: &Axis) -> f32 {
        (y.widest(TEXT) + 2.0 * MARK + 2.0).ceil()
    }

    /// Draws axes, grid and names, then what `series` adds.
    pub(crate) fn draw(
        &self,
        canvas: &mut Canvas,
        series: impl FnOnce(&mut Chart<'_, '_>) -> Drawn,
    ) -> Result<(), ArtifactError> {
        let [left, top, right, bottom] = self.frame;
        canvas.text(&self.title, (left, top - 8.0), (HPos::Left, VPos::Bottom), Font::new(TEXT, &INK));
        let name = ((left + right) / 2.0, bottom + BELOW - 2.0);
        canvas.text(&self.x_title, name, (HPos::Center, VPos::Bottom), Font::new(TEXT, &QUIET));
        self.plot(canvas, series).map_err(|error| ArtifactError::draw(&error))
    }

    fn plot(&self, canvas: &mut Canvas, series: impl FnOnce(&mut Chart<'_, '_>) -> Drawn) -> Drawn {
        let [left, top, right, bottom] = self.frame;
        let (beside, below) = (Panel::room_for(&self.y), BELOW - 26.0);
        let size = (units(right - left + beside) + 1, units(bottom - top + below) + 1);
        let area = canvas.area().shrink((units(left - beside), units(top)), size);
        let mut chart = ChartBuilder::on(&area)
            .set_label_area_size(LabelAreaPosition::Left, units(beside))
            .set_label_area_size(LabelAreaPosition::Bottom, units(below))
            .build_cartesian_2d(Side::new(&self.x), Side::new(&self.y))?;
        let numbers = TextStyle::from(("sans-serif", units(TEXT)).into_font()).color(&QUIET);
        chart
            .configure_mesh()
            .bold_line_style(stroke(GRID, 1.0))
            .axis_style(stroke(FRAME, 1.0))
            .label_style(numbers)
            .set_all_tick_mark_size(units(MARK))
            .x_label_formatter(&|at| self.x.label(*at))
            .y_label_formatter(&|at| self.y.label(*at))
            .draw()?;
        series(&mut chart)
    }

    /// The pixel at these values.
    pub(crate) fn pixel(&self, x: f64, y: f64) -> (f32, f32) {
        let [left, top, right, bottom] = self.frame;
        let share = |axis: &Axis, value: f64| ((axis.at(value) - axis.from) / (axis.to - axis.from)) as f32;
        (left + share(&self.x, x) * (right - left), bottom - share(&self.y, y) * (bottom - top))
    }
}

/// A line of this colour and width in pixels.
pub(crate) fn stroke(colour: impl Color, width: f32) -> ShapeStyle {
    colour.stroke_width(units(width) as u32)
}

/// Draws a line through `points`, which are values on the panel's axes; it is broken where one is no finite number.
pub(crate) fn curve(
    chart: &mut Chart<'_, '_>,
    panel: &Panel,
    points: &[(f64, Option<f64>)],
    style: ShapeStyle,
) -> Drawn {
    let placed = points.iter().map(|&(x, y)| {
        let y = y.map(|y| panel.y.at(y)).filter(|y| y.is_finite());
        y.map(|y| (panel.x.at(x), y))
    });
    let placed: Vec<Option<(f64, f64)>> = placed.collect();
    let pieces = placed.split(Option::is_none).filter(|piece| piece.len() > 1);
    chart.draw_series(
        pieces.map(|piece| PathElement::new(piece.iter().flatten().copied().collect::<Vec<_>>(), style)),
    )?;
    Ok(())
}

/// What stands before a text in a legend.
pub(crate) enum Sign {
    /// A line without marks, of this width in pixels.
    Plain(RGBColor, f32),
    /// A line with a mark on it, as curves have.
    Line(RGBColor, Shape),
    /// A broken line with a mark on it, for one of many curves.
    Series(RGBColor, &'static [f32], Shape),
    /// The ring around a chosen epoch.
    Ring,
    /// A mark with an interval.
    Whisker(RGBColor),
    /// A line that is broken in this pattern.
    Dashes(RGBColor, &'static [f32]),
}

/// Marks that tell curves apart without their colours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Disc,
    Square,
}

impl Shape {
    /// Draws it around a pixel.
    pub(crate) fn draw(self, canvas: &mut Canvas, (x, y): (f32, f32), colour: &impl Color) {
        match self {
            Shape::Disc => canvas.disc((x, y), 4.0, colour),
            Shape::Square => canvas.rectangle((x - 3.6, y - 3.6), (x + 3.6, y + 3.6), colour),
        }
    }
}

/// The ring around a chosen epoch.
pub(crate) fn ring(canvas: &mut Canvas, at: (f32, f32), colour: &impl Color) {
    canvas.ring(at, 8.0, 2.0, colour);
}

/// Half the width of a whisker's ends, in pixels.
const END: f32 = 5.0;

/// A mark with a line that ends at `ends`, the heights of an interval.
pub(crate) fn whisker(canvas: &mut Canvas, (x, y): (f32, f32), ends: [f32; 2], colour: &impl Color) {
    canvas.line(&ends.map(|end| (x, end)), 2.0, colour);
    for end in ends {
        canvas.line(&[(x - END, end), (x + END, end)], 2.0, colour);
    }
    Shape::Disc.draw(canvas, (x, y), colour);
}

/// Width of a legend's signs with the space behind them, in pixels.
pub(crate) const SIGN: f32 = 42.0;
/// Space between a legend's entries, in pixels.
pub(crate) const APART: f32 = 30.0;

/// Draws signs with their texts in a row; `(x, y)` is its upper left corner. Gives where it ends.
pub(crate) fn legend(canvas: &mut Canvas, (mut x, y): (f32, f32), entries: &[(Sign, String)]) -> f32 {
    let face = crate::text::Typeface::new(TEXT);
    let middle = y + face.height() as f32 / 2.0;
    for (sign, text) in entries {
        let centre = (x + 17.0, middle);
        match sign {
            Sign::Plain(colour, width) => canvas.line(&[(x + 2.0, middle), (x + 32.0, middle)], *width, colour),
            Sign::Line(colour, shape) => {
                canvas.line(&[(x + 2.0, middle), (x + 32.0, middle)], 2.5, colour);
                shape.draw(canvas, centre, colour);
            }
            Sign::Series(colour, pattern, shape) => {
                dashed(canvas, &[(x + 2.0, middle), (x + 32.0, middle)], 2.5, pattern, colour);
                shape.draw(canvas, centre, colour);
            }
            Sign::Ring => ring(canvas, centre, &INK),
            Sign::Whisker(colour) => whisker(canvas, centre, [middle - 8.0, middle + 8.0], colour),
            Sign::Dashes(colour, pattern) => {
                dashed(canvas, &[(x + 2.0, middle), (x + 32.0, middle)], 2.0, pattern, colour);
            }
        }
        canvas.text(text, (x + SIGN, y), (HPos::Left, VPos::Top), Font::new(TEXT, &INK));
        x += SIGN + face.width(text) + APART;
    }
    x - APART
}
