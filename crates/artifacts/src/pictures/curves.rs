//! Learning curves: loss, accuracy and learning rate by epoch.

use glyphnet::train::history::EpochRecord;
use plotters::style::RGBColor;

use super::axis::Axis;
use super::canvas::Canvas;
use super::dashes::dashed;
use super::heading::Heading;
use super::panel::{ABOVE, BELOW, Panel, Shape, Sign, curve, legend, ring, stroke};
use super::theme::{BLUE, FRAME, GREEN, MARGIN, TEXT, VERMILION};
use crate::error::ArtifactError;
use crate::text::Typeface;

const WIDTH: f32 = 1440.0;
/// Height of the frames that hold the curves.
const HEIGHT: f32 = 330.0;
/// Between one panel and the numbers of the next.
const GAP: f32 = 36.0;
/// How much of the width the three panels have.
const SHARES: [f32; 3] = [0.39, 0.37, 0.24];
/// So many epochs have a mark each; more would run together.
const MOST_MARKS: usize = 40;

const TRAINING: (RGBColor, Shape) = (BLUE, Shape::Disc);
const VALIDATION: (RGBColor, Shape) = (VERMILION, Shape::Square);

/// The learning curves of a run as a PNG: loss, accuracy and learning rate of its epochs, the first of which is 1, with
/// a ring around the epoch whose network was kept.
///
/// Losses that span more than a factor of 25 are drawn on a logarithmic axis. Values that are no finite numbers are
/// left out.
///
/// # Errors
/// If the picture cannot be made.
pub fn curves(run: &str, epochs: &[EpochRecord], best_epoch: u32) -> Result<Vec<u8>, ArtifactError> {
    draw(run, epochs, best_epoch)?.0.png()
}

/// One quantity of every epoch.
type Values = Vec<(f64, Option<f64>)>;

/// A curve of a panel.
struct Curve {
    values: Values,
    colour: RGBColor,
    shape: Shape,
}

fn draw(run: &str, epochs: &[EpochRecord], best_epoch: u32) -> Result<(Canvas, Vec<Panel>), ArtifactError> {
    let heading = Heading::new(format!("Learning curves of {run}"), vec![String::new()]);
    let top = heading.height();
    let mut canvas = Canvas::new(WIDTH, top + ABOVE + HEIGHT + BELOW + MARGIN - 8.0);
    heading.draw(&mut canvas);
    let line = top - 14.0 - Typeface::new(TEXT).height() as f32 - 4.0;
    legend(&mut canvas, (MARGIN - 2.0, line), &signs(epochs, best_epoch));

    let all = [losses(epochs), accuracies(epochs), rates(epochs)];
    let axes = [loss_axis(&all[0]), accuracy_axis(&all[1]), rate_axis(&all[2])];
    let panels = place(axes, epochs.len(), top + ABOVE);
    for (panel, curves) in panels.iter().zip(&all) {
        draw_panel(&mut canvas, panel, curves, best_epoch)?;
    }
    Ok((canvas, panels))
}

fn signs(epochs: &[EpochRecord], best_epoch: u32) -> Vec<(Sign, String)> {
    let line = |(colour, shape): (RGBColor, Shape), text: &str| (Sign::Line(colour, shape), text.to_owned());
    let mut signs = vec![line(TRAINING, "training, as the epoch went")];
    let validated = epochs.iter().any(|epoch| epoch.val_loss.is_some());
    if validated {
        signs.push(line(VALIDATION, "validation, after the epoch"));
    }
    let best = epochs.iter().find(|epoch| epoch.epoch == best_epoch);
    signs.extend(best.map(|best| {
        let what = match (best.val_loss, best.val_accuracy) {
            (Some(loss), Some(accuracy)) => {
                format!("kept: epoch {best_epoch}, validation loss {loss:.4}, accuracy {:.2} %", accuracy * 100.0)
            }
            _ => format!("kept: epoch {best_epoch}, the last (there is no validation split)"),
        };
        (Sign::Ring, what)
    }));
    signs
}

/// One value of every epoch; no finite number is none.
fn values(epochs: &[EpochRecord], value: impl Fn(&EpochRecord) -> Option<f64>) -> Values {
    epochs.iter().map(|epoch| (f64::from(epoch.epoch), value(epoch).filter(|value| value.is_finite()))).collect()
}

fn both(epochs: &[EpochRecord], pick: impl Fn(&EpochRecord) -> [Option<f64>; 2]) -> Vec<Curve> {
    let curve = |at: usize, (colour, shape)| Curve { values: values(epochs, |epoch| pick(epoch)[at]), colour, shape };
    vec![curve(0, TRAINING), curve(1, VALIDATION)]
}

fn losses(epochs: &[EpochRecord]) -> Vec<Curve> {
    both(epochs, |epoch| [Some(epoch.train_loss), epoch.val_loss])
}

/// In per cent.
fn accuracies(epochs: &[EpochRecord]) -> Vec<Curve> {
    both(epochs, |epoch| [Some(epoch.train_accuracy), epoch.val_accuracy].map(|share| share.map(|share| share * 100.0)))
}

fn rates(epochs: &[EpochRecord]) -> Vec<Curve> {
    let values = values(epochs, |epoch| Some(f64::from(epoch.learning_rate)));
    vec![Curve { values, colour: GREEN, shape: Shape::Disc }]
}

/// The lowest and the highest value.
fn extremes(curves: &[Curve]) -> (f64, f64) {
    let values = curves.iter().flat_map(|curve| curve.values.iter().filter_map(|(_, value)| *value));
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

fn loss_axis(curves: &[Curve]) -> Axis {
    let (low, high) = extremes(curves);
    Axis::from_zero_or_decades(low, high)
}

fn accuracy_axis(curves: &[Curve]) -> Axis {
    let (low, high) = extremes(curves);
    Axis::linear(low, high, 5)
}

fn rate_axis(curves: &[Curve]) -> Axis {
    Axis::of_rates(curves.iter().flat_map(|curve| curve.values.iter().filter_map(|(_, value)| *value)))
}

/// Puts the panels side by side.
fn place(axes: [Axis; 3], epochs: usize, top: f32) -> Vec<Panel> {
    let rooms: Vec<f32> = axes.iter().map(Panel::room_for).collect();
    let free = WIDTH - 2.0 * MARGIN - 2.0 * GAP - rooms.iter().sum::<f32>();
    let names = ["loss", "accuracy, %", "learning rate"];
    let mut left = MARGIN;
    let mut panels = Vec::new();
    for (((y, name), room), share) in axes.into_iter().zip(names).zip(rooms).zip(SHARES) {
        let width = (free * share).floor();
        left = (left + room).round();
        let kind = if y.logarithmic { " (logarithmic)" } else { "" };
        panels.push(Panel {
            x: Axis::epochs(epochs, width, TEXT),
            y,
            frame: [left, top, left + width, top + HEIGHT],
            title: format!("{name}{kind}"),
            x_title: "epoch".to_owned(),
        });
        left += width + GAP;
    }
    panels
}

fn draw_panel(canvas: &mut Canvas, panel: &Panel, curves: &[Curve], best_epoch: u32) -> Result<(), ArtifactError> {
    panel.draw(canvas, |chart| {
        curves.iter().try_for_each(|line| curve(chart, panel, &line.values, stroke(line.colour, 2.5)))
    })?;
    // Validation chose the epoch, where there is one.
    let at = f64::from(best_epoch);
    let best = |curve: &Curve| curve.values.iter().find(|(epoch, value)| *epoch == at && value.is_some()).copied();
    let chosen = curves.iter().rev().find_map(best).and_then(|(epoch, value)| Some(panel.pixel(epoch, value?)));
    if let Some((x, y)) = chosen {
        let [_, top, _, bottom] = panel.frame;
        dashes(canvas, x, (top, y - 9.0));
        dashes(canvas, x, (y + 9.0, bottom));
    }
    for Curve { values, colour, shape } in curves {
        let marked = if values.len() <= MOST_MARKS { &values[..] } else { &[] };
        for &(epoch, value) in marked {
            if let Some(value) = value {
                shape.draw(canvas, panel.pixel(epoch, value), colour);
            }
        }
    }
    if let Some(centre) = chosen {
        ring(canvas, centre, &super::theme::INK);
    }
    Ok(())
}

/// A thin broken line downwards.
fn dashes(canvas: &mut Canvas, x: f32, (top, bottom): (f32, f32)) {
    let x = x.floor() + 0.5;
    if top < bottom {
        dashed(canvas, &[(x, top), (x, bottom)], 1.0, &[5.0, 4.0], &FRAME);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pictures::theme::INK;

    /// A history like that of a network that learns.
    pub(crate) fn history(count: u32, validated: bool) -> Vec<EpochRecord> {
        let epoch = |epoch: u32| {
            let left = 1.0 / f64::from(epoch);
            EpochRecord {
                epoch,
                train_loss: 0.05 + 0.3 * left,
                train_accuracy: 0.99 - 0.09 * left,
                val_loss: validated.then_some(0.06 + 0.1 * left),
                val_accuracy: validated.then_some(0.985 - 0.03 * left),
                learning_rate: 0.001,
                seconds: 3.0,
            }
        };
        (1..=count).map(epoch).collect()
    }

    /// Where these values are in a panel, worked out from its frame and axes alone.
    fn place(panel: &Panel, epoch: f64, value: f64) -> (f32, f32) {
        let [left, top, right, bottom] = panel.frame.map(f64::from);
        let x = left + (epoch - panel.x.from) / (panel.x.to - panel.x.from) * (right - left);
        let y = bottom - (value - panel.y.from) / (panel.y.to - panel.y.from) * (bottom - top);
        (x as f32, y as f32)
    }

    #[test]
    fn marks_lines_and_the_ring_lie_where_the_data_say() {
        let epochs = history(3, true);
        let (canvas, panels) = draw("seed-1", &epochs, 2).unwrap();
        canvas.check();
        let curves = [
            (&panels[0], BLUE, epochs.iter().map(|e| e.train_loss).collect::<Vec<_>>()),
            (&panels[0], VERMILION, epochs.iter().filter_map(|e| e.val_loss).collect()),
            (&panels[1], BLUE, epochs.iter().map(|e| e.train_accuracy * 100.0).collect()),
            (&panels[2], GREEN, vec![f64::from(0.001_f32); 3]),
        ];
        for (panel, colour, values) in curves {
            for (at, value) in (1..).zip(&values) {
                let mark = place(panel, f64::from(at), *value);
                assert_eq!(canvas.colour(mark), colour, "epoch {at} of {}", panel.title);
            }
            let between = place(panel, 1.4, values[0] + 0.4 * (values[1] - values[0]));
            assert_eq!(canvas.colour(between), colour, "line of {}", panel.title);
        }
        for (panel, value) in [(&panels[0], 0.11), (&panels[1], 97.0)] {
            let (x, y) = place(panel, 2.0, value);
            for at in [(x + 8.0, y), (x, y - 8.0)] {
                let RGBColor(red, green, blue) = canvas.colour(at);
                let off = [(red, INK.0), (green, INK.1), (blue, INK.2)].map(|(is, ink)| is.abs_diff(ink));
                assert!(off.iter().all(|&off| off <= 4), "ring of {}: {off:?}", panel.title);
            }
        }
    }

    #[test]
    fn the_numbers_beside_an_axis_are_level_with_what_they_say() {
        let (canvas, panels) = draw("seed-1", &history(10, true), 10).unwrap();
        let [_, top, _, bottom] = canvas.find("0.2");
        let (_, y) = place(&panels[0], 1.0, 0.2);
        assert!(((top + bottom) / 2.0 - y).abs() < 1.5, "{top} {bottom} {y}");
        let [left, _, right, _] = canvas.texts.iter().find(|written| written.text == "4").unwrap().place;
        let (x, _) = place(&panels[0], 4.0, 0.1);
        assert!(((left + right) / 2.0 - x).abs() < 1.5, "{left} {right} {x}");
    }

    #[test]
    fn odd_histories_are_drawn_too() {
        for count in [0, 1, 2, 7, 40, 41, 99, 100, 500] {
            for validated in [true, false] {
                draw("a run", &history(count, validated), count).unwrap().0.check();
            }
        }
        let mut strange = history(6, true);
        strange[1].train_loss = f64::NAN;
        strange[2].val_loss = Some(f64::INFINITY);
        strange[4].train_loss = 1e9;
        strange[5].learning_rate = 1e-30;
        strange[3].val_accuracy = Some(0.0);
        draw(&"long name ".repeat(40), &strange, 4).unwrap().0.check();
        let same =
            EpochRecord { train_loss: 0.0, val_loss: Some(0.0), learning_rate: 0.0, ..history(1, true).remove(0) };
        draw("0", &[same], 1).unwrap().0.check();
    }

    #[test]
    fn losses_that_span_much_and_rates_that_step_down_have_logarithmic_axes() {
        let mut epochs = history(20, true);
        let kinds = |epochs: &[EpochRecord]| {
            let panels = draw("", epochs, 1).unwrap().1;
            [0, 2].map(|at| panels[at].y.logarithmic)
        };
        assert_eq!(kinds(&epochs), [false, false]);
        epochs[0].train_loss = 4.0;
        epochs[8..].iter_mut().for_each(|epoch| epoch.learning_rate = 1e-4);
        assert_eq!(kinds(&epochs), [true, true]);
    }
}
