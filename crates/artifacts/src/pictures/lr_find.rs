//! A learning-rate range test: loss by learning rate.

use glyphnet::train::{RangeTest, RatePoint, SUGGESTION_RULE};
use plotters::style::RGBColor;

use super::axis::Axis;
use super::canvas::Canvas;
use super::heading::Heading;
use super::panel::{ABOVE, BELOW, Panel, Shape, Sign, curve, legend, stroke};
use super::theme::{BLUE, GREEN, MARGIN, TEXT, VERMILION};
use crate::error::ArtifactError;
use crate::numbers::rate;
use crate::text::Typeface;

const WIDTH: f32 = 1200.0;
/// Height of the frame that holds the curves.
const HEIGHT: f32 = 480.0;
/// So many rates are written below the frame, or a few more.
const RATES: usize = 10;
/// The picture goes this much higher than the smoothed loss.
const HEADROOM: f64 = 1.1;

/// The loss of single batches, which is noisy: [`BLUE`] in the distance.
const FAINT: RGBColor = RGBColor(165, 205, 229);
/// Widths of the two curves and of the lines at rates, in pixels.
const RAW_WIDTH: f32 = 1.5;
const SMOOTHED_WIDTH: f32 = 3.0;
const RATE_WIDTH: f32 = 2.0;

const SUGGESTION: (RGBColor, Shape) = (GREEN, Shape::Disc);
const PRESENT: (RGBColor, Shape) = (VERMILION, Shape::Square);

/// A range test as a PNG: the loss of each step's batch and the smoothed loss by learning rate, which grows by the same
/// factor from step to step, with lines at the suggestion and at `present`, the rate that the recipe has.
///
/// `subject` says what was tested, such as `seed on mnist`. Losses far above the first are cut off.
///
/// # Errors
/// If the picture cannot be made.
pub fn lr_find(subject: &str, test: &RangeTest, present: f64) -> Result<Vec<u8>, ArtifactError> {
    draw(subject, test, present)?.0.png()
}

/// A rate that is marked: where, how, and what it is.
type Marked = (f64, (RGBColor, Shape), String);

fn draw(subject: &str, test: &RangeTest, present: f64) -> Result<(Canvas, Panel), ArtifactError> {
    let marked = marked(test, present);
    let rule = match test.suggestion {
        Some(_) => format!("The suggestion is {SUGGESTION_RULE}."),
        None => "The loss fell by less than 2 %, so there is no suggestion.".to_owned(),
    };
    let heading = Heading::new(format!("Learning-rate range test of {subject}"), vec![rule, String::new()]);
    let top = heading.height();
    let mut canvas = Canvas::new(WIDTH, top + ABOVE + HEIGHT + BELOW + MARGIN - 8.0);
    heading.draw(&mut canvas);
    let line = top - 14.0 - Typeface::new(TEXT).height() as f32 - 4.0;
    legend(&mut canvas, (MARGIN - 2.0, line), &signs(&marked));

    let y = loss_axis(test);
    let left = (MARGIN + Panel::room_for(&y)).round();
    let panel = Panel {
        x: rate_axis(test, &marked),
        y,
        frame: [left, top + ABOVE, WIDTH - MARGIN, top + ABOVE + HEIGHT],
        title: "loss of a batch before its step".to_owned(),
        x_title: "learning rate of the step (logarithmic)".to_owned(),
    };
    draw_panel(&mut canvas, &panel, test, &marked)?;
    Ok((canvas, panel))
}

/// The suggestion and the recipe's rate, as far as they are within a decade of what was tested.
fn marked(test: &RangeTest, present: f64) -> Vec<Marked> {
    let (low, high) = tested(test);
    let suggestion = test.suggestion.map(|at| (at, SUGGESTION, format!("suggestion: {}", rate(at))));
    let present = (present, PRESENT, format!("the recipe has {}", rate(present)));
    let near = |(at, ..): &Marked| (low / 10.0..=high * 10.0).contains(at);
    suggestion.into_iter().chain([present]).filter(near).collect()
}

fn signs(marked: &[Marked]) -> Vec<(Sign, String)> {
    let mut signs = vec![
        (Sign::Plain(FAINT, RAW_WIDTH + 1.0), "of one batch".to_owned()),
        (Sign::Plain(BLUE, SMOOTHED_WIDTH), "smoothed".to_owned()),
    ];
    signs.extend(marked.iter().map(|(_, (colour, shape), text)| (Sign::Line(*colour, *shape), text.clone())));
    signs
}

/// The lowest and the highest rate.
fn tested(test: &RangeTest) -> (f64, f64) {
    match (test.points.first(), test.points.last()) {
        (Some(first), Some(last)) => (first.learning_rate, last.learning_rate),
        _ => (1.0, 1.0),
    }
}

fn rate_axis(test: &RangeTest, marked: &[Marked]) -> Axis {
    let (low, high) = tested(test);
    let rates = marked.iter().map(|(at, ..)| *at);
    let (low, high) = rates.fold((low, high), |(low, high), at| (low.min(at), high.max(at)));
    Axis::powers(low, high, RATES)
}

/// From the lowest loss to somewhat above all that is smoothed; that of a batch may be of any height.
fn loss_axis(test: &RangeTest) -> Axis {
    let highest = test.points.iter().map(|point| point.smoothed_loss).fold(0.0, f64::max);
    let least = test.points.iter().map(|point| point.loss.min(point.smoothed_loss)).fold(highest, f64::min);
    Axis::linear(least, highest * HEADROOM, 6)
}

fn draw_panel(canvas: &mut Canvas, panel: &Panel, test: &RangeTest, marked: &[Marked]) -> Result<(), ArtifactError> {
    let [_, top, _, bottom] = panel.frame;
    let line = |loss: fn(&RatePoint) -> f64| {
        cut(test.points.iter().map(|point| (point.learning_rate, loss(point))), panel.y.to)
    };
    let (raw, smoothed) = (line(|point| point.loss), line(|point| point.smoothed_loss));
    panel.draw(canvas, |chart| {
        curve(chart, panel, &raw, stroke(FAINT, RAW_WIDTH))?;
        curve(chart, panel, &smoothed, stroke(BLUE, SMOOTHED_WIDTH))
    })?;
    for (at, (colour, shape), _) in marked {
        let x = panel.pixel(*at, panel.y.from).0.round();
        canvas.line(&[(x, top), (x, bottom)], RATE_WIDTH, colour);
        if let Some(loss) = smoothed_at(test, *at).filter(|loss| *loss <= panel.y.to) {
            shape.draw(canvas, panel.pixel(*at, loss), colour);
        }
    }
    Ok(())
}

/// The smoothed loss at a rate between two that were tested.
fn smoothed_at(test: &RangeTest, rate: f64) -> Option<f64> {
    let around = test.points.windows(2).find(|ends| (ends[0].learning_rate..=ends[1].learning_rate).contains(&rate))?;
    let share = (rate / around[0].learning_rate).ln() / (around[1].learning_rate / around[0].learning_rate).ln();
    Some(around[0].smoothed_loss + share * (around[1].smoothed_loss - around[0].smoothed_loss))
}

/// A line through `points` as far as it is not above `top`: it is broken, and begins again, where it crosses that height.
fn cut(points: impl Iterator<Item = (f64, f64)>, top: f64) -> Vec<(f64, Option<f64>)> {
    let mut line: Vec<(f64, Option<f64>)> = Vec::new();
    let mut previous: Option<(f64, f64)> = None;
    for (x, y) in points {
        if let Some((before, height)) = previous
            && (height > top) != (y > top)
        {
            // Rates grow by factors, so a share of the way between two of them is one of their logarithms.
            let share = (top - height) / (y - height);
            line.push((before * (x / before).powf(share), Some(top)));
        }
        line.push((x, (y <= top).then_some(y)));
        previous = Some((x, y));
    }
    line
}

#[cfg(test)]
mod tests {
    use glyphnet::train::{RangeEnd, RateRange};

    use super::*;
    use crate::pictures::theme::PAPER;

    /// A test like that of a network that learns from 0.0001 on and diverges above 0.1.
    fn test(from: f64, to: f64, count: u32) -> RangeTest {
        let point = |step: u32| {
            let learning_rate = from * (to / from).powf(f64::from(step) / f64::from((count - 1).max(1)));
            let loss = 0.3 + 2.0 / (1.0 + learning_rate / 1e-3) + (learning_rate / 0.2).powi(3);
            // Smoothing counts no loss as more than a little above the first.
            RatePoint { learning_rate, loss: 1.1 * loss, smoothed_loss: loss.min(2.8) }
        };
        RangeTest { points: (0..count).map(point).collect(), end: RangeEnd::Diverged, suggestion: Some(0.004) }
    }

    #[test]
    fn curves_and_marks_lie_where_the_data_say() {
        let test = test(1e-7, 0.5, 200);
        let (canvas, panel) = draw("seed on mnist", &test, 0.02).unwrap();
        canvas.check();
        let [left, top, right, bottom] = panel.frame;
        let place = |rate: f64, loss: f64| {
            let share = |axis: &Axis, at: f64| ((at - axis.from) / (axis.to - axis.from)) as f32;
            (left + share(&panel.x, rate.log10()) * (right - left), bottom - share(&panel.y, loss) * (bottom - top))
        };
        let faint = |(x, y): (f32, f32)| (FAINT.0..FAINT.0 + 30).contains(&canvas.colour((x, y)).0);
        for at in [20, 100, 140] {
            let point = test.points[at];
            assert_eq!(canvas.colour(place(point.learning_rate, point.smoothed_loss)), BLUE, "{point:?}");
            // A line of a pixel and a half seldom covers one whole.
            let (x, y) = place(point.learning_rate, point.loss);
            assert!([-1.0, 0.0, 1.0].iter().any(|off| faint((x, y + off))), "{point:?}");
        }
        for (rate, colour) in [(0.004, GREEN), (0.02, VERMILION)] {
            let (x, y) = place(rate, smoothed_at(&test, rate).unwrap());
            assert_eq!(canvas.colour((x, y + 3.0)), colour, "the mark at {rate}");
            assert_eq!(canvas.colour((x, bottom - 7.0)), colour, "the line at {rate}");
            assert_eq!(canvas.colour((x + 4.0, bottom - 7.0)), PAPER, "beside the line at {rate}");
        }
        // What diverges does not leave the frame.
        let above = (left as u32 + 250..canvas.picture.width())
            .filter(|x| (top as u32 - 6..top as u32 - 2).any(|y| canvas.colour((*x as f32, y as f32)) != PAPER));
        assert_eq!(above.count(), 0);
        let drawn = (right as u32 - 120..right as u32).filter(|x| faint((*x as f32, top + 2.0)));
        assert!(drawn.count() > 0, "it is drawn up to the edge");
    }

    #[test]
    fn odd_tests_are_drawn_too() {
        for count in [0, 1, 2, 3, 17] {
            let mut test = test(1e-7, 10.0, count);
            for suggestion in [None, Some(0.004), Some(1e-300)] {
                test.suggestion = suggestion;
                for present in [1e-30, 1e-3, 1e30] {
                    draw("", &test, present).unwrap().0.check();
                }
            }
        }
        let mut wide = test(1e-38, 1e38, 40);
        wide.points[20].loss = f64::MAX;
        draw(&"long name ".repeat(40), &wide, 1e-3).unwrap().0.check();
        let range = RateRange::default();
        let flat = |point: &mut RatePoint| (point.loss, point.smoothed_loss) = (0.0, 0.0);
        let mut nothing = test(range.lowest(), range.highest(), range.steps());
        nothing.points.iter_mut().for_each(flat);
        draw("all zero", &nothing, 1e-3).unwrap().0.check();
    }

    #[test]
    fn a_line_is_cut_where_it_crosses_the_top() {
        let line = cut([(1.0, 0.0), (100.0, 2.0), (1000.0, 5.0), (1e5, 0.0)].into_iter(), 1.0);
        let places: Vec<f64> = line.iter().map(|(x, _)| (x.log10() * 100.0).round() / 100.0).collect();
        assert_eq!(places, [0.0, 1.0, 2.0, 3.0, 4.6, 5.0]);
        assert_eq!(
            line.iter().map(|(_, y)| *y).collect::<Vec<_>>(),
            [Some(0.0), Some(1.0), None, None, Some(1.0), Some(0.0)]
        );
    }
}
