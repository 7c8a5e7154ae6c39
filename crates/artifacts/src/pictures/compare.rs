//! The learning curves of several runs, one over the other.

use glyphnet::train::history::EpochRecord;
use plotters::style::{Color as _, RGBColor};

use super::axis::Axis;
use super::canvas::Canvas;
use super::dashes::dashed;
use super::heading::Heading;
use super::panel::{ABOVE, APART, BELOW, Panel, SIGN, Shape, Sign, legend, ring};
use super::theme::{BLUE, GREEN, INK, MARGIN, ORANGE, PURPLE, QUIET, SKY, TEXT, VERMILION};
use crate::error::ArtifactError;
use crate::numbers::percent;
use crate::sample_grid::can_draw;
use crate::text::Typeface;

/// The runs that a picture has room for.
pub const MOST_RUNS: usize = STYLES.len();

const WIDTH: f32 = 1440.0;
/// Height of the frames that hold the curves.
const HEIGHT: f32 = 430.0;
/// Between one panel and the numbers of the next.
const GAP: f32 = 40.0;
/// A run's name may be so wide in the legend, in pixels; longer ones are cut.
const LONGEST_NAME: f32 = 420.0;
/// About so many marks lie on a curve.
const MARKS: usize = 12;
/// A loss that spans more than this factor is drawn on a logarithmic axis.
const MOST_LINEAR: f64 = 8.0;
/// Height of a row of the legend.
const ROW: f32 = 26.0;

const WHOLE: &[f32] = &[];
const LONG: &[f32] = &[13.0, 7.0];
const DOTS: &[f32] = &[2.0, 6.5];
const MIXED: &[f32] = &[14.0, 7.0, 2.0, 7.0];
/// How the runs look. No two have pattern and mark in common, so that they are told apart without colours too.
const STYLES: [(RGBColor, &[f32], Shape); 8] = [
    (BLUE, WHOLE, Shape::Disc),
    (VERMILION, LONG, Shape::Square),
    (GREEN, DOTS, Shape::Disc),
    (PURPLE, MIXED, Shape::Square),
    (INK, WHOLE, Shape::Square),
    (ORANGE, LONG, Shape::Disc),
    (SKY, DOTS, Shape::Square),
    (QUIET, MIXED, Shape::Disc),
];

/// A run as it is drawn.
#[derive(Debug, Clone, Copy)]
pub struct ComparedRun<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Its epochs, the first of which is 1.
    pub epochs: &'a [EpochRecord],
    /// The epoch whose network was kept, from 1; 0 = none yet.
    pub best_epoch: u32,
}

/// The learning curves of several runs as a PNG: loss and accuracy on the validation images, faint those of training, a
/// ring around the epoch whose network was kept. Of runs that held no images out the curves of training are drawn
/// instead. The axes are those of the validation curves; what lies beyond is cut off.
///
/// Only the first [`MOST_RUNS`] runs are drawn; `all` is the number that was compared, and where it is larger, `chosen`
/// says which of them these are, as in `8 of 9 runs: those with the highest accuracy`.
///
/// # Errors
/// If the picture cannot be made.
pub fn compare(runs: &[ComparedRun<'_>], all: usize, chosen: &str) -> Result<Vec<u8>, ArtifactError> {
    draw(runs, all, chosen)?.0.png()
}

/// A value of every epoch, where there is one.
type Values = Vec<(f64, Option<f64>)>;

/// The curves of one run in one panel.
struct Pair {
    /// What is looked at: validation, or training where there is no validation.
    main: Values,
    /// Training beside validation.
    faint: Values,
}

impl Pair {
    fn new(
        run: &ComparedRun<'_>,
        training: fn(&EpochRecord) -> f64,
        held_out: fn(&EpochRecord) -> Option<f64>,
    ) -> Pair {
        let values = |value: &dyn Fn(&EpochRecord) -> Option<f64>| -> Values {
            run.epochs
                .iter()
                .map(|epoch| (f64::from(epoch.epoch), value(epoch).filter(|value| value.is_finite())))
                .collect()
        };
        let training = values(&|epoch| Some(training(epoch)));
        if validated(run) {
            Pair { main: values(&held_out), faint: training }
        } else {
            Pair { main: training, faint: Vec::new() }
        }
    }
}

fn validated(run: &ComparedRun<'_>) -> bool {
    run.epochs.iter().any(|epoch| epoch.val_loss.is_some())
}

fn draw(runs: &[ComparedRun<'_>], all: usize, chosen: &str) -> Result<(Canvas, [Panel; 2]), ArtifactError> {
    let runs = &runs[..runs.len().min(MOST_RUNS)];
    let entries = entries(runs);
    let (columns, width) = columns(&entries);
    let rows = entries.len().div_ceil(columns);
    let heading = heading(runs, all, chosen);
    let below_heading = heading.height() - 8.0;
    let top = below_heading + rows as f32 * ROW + 12.0 + ABOVE;
    let mut canvas = Canvas::new(WIDTH, top + HEIGHT + BELOW + MARGIN - 8.0);
    heading.draw(&mut canvas);
    for (place, entry) in entries.into_iter().enumerate() {
        let corner = (MARGIN - 2.0 + (place % columns) as f32 * width, below_heading + (place / columns) as f32 * ROW);
        legend(&mut canvas, corner, &[entry]);
    }
    let losses: Vec<Pair> =
        runs.iter().map(|run| Pair::new(run, |epoch| epoch.train_loss, |epoch| epoch.val_loss)).collect();
    let accuracies = runs
        .iter()
        .map(|run| Pair::new(run, |e| e.train_accuracy * 100.0, |e| e.val_accuracy.map(|share| share * 100.0)))
        .collect::<Vec<Pair>>();
    let panels = place(runs, &losses, &accuracies, top);
    draw_panel(&mut canvas, &panels[0], runs, &losses)?;
    draw_panel(&mut canvas, &panels[1], runs, &accuracies)?;
    Ok((canvas, panels))
}

fn heading(runs: &[ComparedRun<'_>], all: usize, chosen: &str) -> Heading {
    let what = if runs.iter().all(validated) {
        "strong: validation, after the epoch; faint: training, as it went, where it is within the frame; ring: the epoch that was kept"
    } else if runs.iter().any(validated) {
        "strong: validation, or training where nothing was held out; faint: training beside it; ring: the epoch that was kept"
    } else {
        "training, as it went: nothing was held out; ring: the epoch that was kept"
    };
    let mut lines = vec![what.to_owned()];
    if all > runs.len() {
        lines.push(format!("{} of {all} runs: {chosen}", runs.len()));
    }
    Heading::new(format!("Learning curves of {all} runs"), lines)
}

/// The legend: each run with what its kept epoch gave.
fn entries(runs: &[ComparedRun<'_>]) -> Vec<(Sign, String)> {
    let face = Typeface::new(TEXT);
    let entry = |(place, run): (usize, &ComparedRun<'_>)| {
        let (colour, pattern, shape) = STYLES[place];
        let name =
            if can_draw(run.name) && !run.name.trim().is_empty() { run.name } else { &format!("run {}", place + 1) };
        let best = run.epochs.iter().find(|epoch| epoch.epoch == run.best_epoch);
        let result = match best.map(|best| best.val_accuracy) {
            Some(Some(accuracy)) => format!(": {} in epoch {}", percent(accuracy), run.best_epoch),
            Some(None) => ": nothing held out".to_owned(),
            None => ": no epoch yet".to_owned(),
        };
        (Sign::Series(colour, pattern, shape), face.fit(name, LONGEST_NAME) + &result)
    };
    runs.iter().enumerate().map(entry).collect()
}

/// How many entries stand side by side, and the width of each.
fn columns(entries: &[(Sign, String)]) -> (usize, f32) {
    let face = Typeface::new(TEXT);
    let widest = entries.iter().map(|(_, text)| face.width(text)).fold(0.0, f32::max);
    let width = (SIGN + widest + APART).ceil();
    ((((WIDTH - 2.0 * MARGIN + APART) / width) as usize).max(1), width)
}

/// The lowest and the highest value on validation; of training only where no run has any.
fn extremes(runs: &[ComparedRun<'_>], pairs: &[Pair]) -> (f64, f64) {
    let any = runs.iter().any(validated);
    let looked_at = runs.iter().zip(pairs).filter(|(run, _)| !any || validated(run));
    let numbers = looked_at.flat_map(|(_, pair)| pair.main.iter().filter_map(|(_, value)| *value));
    numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// Puts the panels side by side.
fn place(runs: &[ComparedRun<'_>], losses: &[Pair], accuracies: &[Pair], top: f32) -> [Panel; 2] {
    let (low, high) = extremes(runs, losses);
    let loss =
        if low > 0.0 && high / low > MOST_LINEAR { Axis::decades(low, high) } else { Axis::linear(low, high, 6) };
    let (low, high) = extremes(runs, accuracies);
    let accuracy = Axis::linear(low, high, 6);
    let epochs = runs.iter().map(|run| run.epochs.len()).max().unwrap_or(0);
    let rooms = [&loss, &accuracy].map(Panel::room_for);
    let width = ((WIDTH - 2.0 * MARGIN - GAP - rooms[0] - rooms[1]) / 2.0).floor();
    let name = if loss.logarithmic { "loss (logarithmic)" } else { "loss" };
    let lefts = [MARGIN + rooms[0], MARGIN + rooms[0] + width + GAP + rooms[1]].map(f32::round);
    let panel = |left: f32, y: Axis, name: &str| Panel {
        x: Axis::epochs(epochs, width, TEXT),
        y,
        frame: [left, top, left + width, top + HEIGHT],
        title: name.to_owned(),
        x_title: "epoch".to_owned(),
    };
    [panel(lefts[0], loss, name), panel(lefts[1], accuracy, "accuracy, %")]
}

fn draw_panel(
    canvas: &mut Canvas,
    panel: &Panel,
    runs: &[ComparedRun<'_>],
    pairs: &[Pair],
) -> Result<(), ArtifactError> {
    panel.draw(canvas, |_| Ok(()))?;
    for (pair, (colour, ..)) in pairs.iter().zip(STYLES) {
        for piece in pieces(panel, &pair.faint) {
            canvas.line(&piece, 1.5, &colour.mix(0.4));
        }
    }
    for (pair, (colour, pattern, _)) in pairs.iter().zip(STYLES) {
        for piece in pieces(panel, &pair.main) {
            dashed(canvas, &piece, 2.5, pattern, &colour);
        }
    }
    for (place, ((pair, run), (colour, _, shape))) in pairs.iter().zip(runs).zip(STYLES).enumerate() {
        // Each run's marks are on epochs of its own, where there are enough, so that they do not cover each other.
        let stride = pair.main.len().div_ceil(MARKS).max(1);
        for (at, value) in pair.main.iter().enumerate() {
            let best = value.0 == f64::from(run.best_epoch);
            if let Some(centre) = pixel(panel, value).filter(|_| best || at % stride == place % stride) {
                shape.draw(canvas, centre, &colour);
                if best {
                    ring(canvas, centre, &colour);
                }
            }
        }
    }
    Ok(())
}

/// Where a value is, if that is in the frame.
fn pixel(panel: &Panel, (x, y): &(f64, Option<f64>)) -> Option<(f32, f32)> {
    let [_, top, _, bottom] = panel.frame;
    let at = panel.pixel(*x, (*y)?);
    (top - 0.5..=bottom + 0.5).contains(&at.1).then_some(at)
}

/// The line through these values, in pixels, as far as it is in the frame; it is broken where there is none.
fn pieces(panel: &Panel, values: &Values) -> Vec<Vec<(f32, f32)>> {
    let [_, top, _, bottom] = panel.frame;
    let points: Vec<Option<(f32, f32)>> =
        values.iter().map(|&(x, y)| y.map(|y| panel.pixel(x, y)).filter(|(_, y)| y.is_finite())).collect();
    let mut pieces: Vec<Vec<(f32, f32)>> = Vec::new();
    for ends in points.windows(2) {
        let [Some(from), Some(to)] = *ends else { continue };
        let Some([from, to]) = clipped(from, to, (top, bottom)) else { continue };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&from) => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
    }
    pieces
}

/// The part of a line that is between two heights.
fn clipped(from: (f32, f32), to: (f32, f32), (top, bottom): (f32, f32)) -> Option<[(f32, f32); 2]> {
    let at = |share: f32| match share {
        0.0 => from,
        1.0 => to,
        share => (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1)),
    };
    let rise = to.1 - from.1;
    if rise == 0.0 {
        return (top..=bottom).contains(&from.1).then_some([from, to]);
    }
    let (a, b) = ((top - from.1) / rise, (bottom - from.1) / rise);
    let (begin, end) = (a.min(b).max(0.0), a.max(b).min(1.0));
    (begin < end).then(|| [at(begin), at(end)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::history;

    /// A run that learns better the greater `skill` is.
    fn epochs(count: u32, skill: f64, validated: bool) -> Vec<EpochRecord> {
        let better = |epoch: EpochRecord| EpochRecord {
            train_loss: epoch.train_loss / skill,
            val_loss: epoch.val_loss.map(|loss| loss / skill),
            val_accuracy: epoch.val_accuracy.map(|accuracy| 1.0 - (1.0 - accuracy) / skill),
            ..epoch
        };
        history(count, validated).into_iter().map(better).collect()
    }

    #[test]
    fn every_run_has_its_marks_and_its_ring_where_the_data_say() {
        let histories = [epochs(5, 1.0, true), epochs(8, 2.0, true)];
        let runs = [
            ComparedRun { name: "seed-1", epochs: &histories[0], best_epoch: 5 },
            ComparedRun { name: "seed-2", epochs: &histories[1], best_epoch: 3 },
        ];
        let (canvas, [loss, accuracy]) = draw(&runs, 2, "").unwrap();
        canvas.check();
        for (run, (colour, ..)) in runs.iter().zip(STYLES) {
            for epoch in run.epochs {
                let x = f64::from(epoch.epoch);
                assert_eq!(canvas.colour(loss.pixel(x, epoch.val_loss.unwrap())), colour, "{} {x}", run.name);
                let share = epoch.val_accuracy.unwrap() * 100.0;
                assert_eq!(canvas.colour(accuracy.pixel(x, share)), colour, "{} {x}", run.name);
            }
            let best = &run.epochs[run.best_epoch as usize - 1];
            let (x, y) = loss.pixel(f64::from(best.epoch), best.val_loss.unwrap());
            for at in [(x, y - 8.0), (x, y + 8.0)] {
                assert_eq!(canvas.colour(at), colour, "the ring of {}", run.name);
            }
        }
        canvas.find("seed-2: 98.75 % in epoch 3");
    }

    #[test]
    fn what_leaves_the_frame_is_cut_off_at_its_edge() {
        let range = (10.0, 20.0);
        assert_eq!(clipped((0.0, 12.0), (4.0, 18.0), range), Some([(0.0, 12.0), (4.0, 18.0)]));
        assert_eq!(clipped((0.0, 0.0), (4.0, 20.0), range), Some([(2.0, 10.0), (4.0, 20.0)]));
        assert_eq!(clipped((0.0, 15.0), (4.0, 25.0), range), Some([(0.0, 15.0), (2.0, 20.0)]));
        assert_eq!(clipped((0.0, 30.0), (4.0, 0.0), range), Some([(4.0 / 3.0, 20.0), (8.0 / 3.0, 10.0)]));
        for (from, to) in [(0.0, 9.0), (21.0, 30.0), (5.0, 5.0)] {
            assert_eq!(clipped((0.0, from), (4.0, to), range), None, "{from} {to}");
        }
    }

    #[test]
    fn many_and_odd_runs_are_drawn_too() {
        let long = "long name ".repeat(40);
        let strange =
            vec![EpochRecord { train_loss: f64::NAN, val_loss: Some(f64::INFINITY), ..history(1, true).remove(0) }];
        let none = Vec::new();
        for count in [1, 2, 40, 100, 500] {
            let all: Vec<Vec<EpochRecord>> =
                (0..9_u32).map(|place| epochs(count + place, 1.0 + f64::from(place), place != 4)).collect();
            for names in [["a", "\u{304a}", ""], [&long, "seed-1", "b"]] {
                let mut runs: Vec<ComparedRun<'_>> = (0..)
                    .zip(&all)
                    .map(|(place, epochs)| ComparedRun { name: names[place % 3], epochs, best_epoch: count })
                    .collect();
                draw(&runs, 9, "those with the highest validation accuracy").unwrap().0.check();
                runs[0].epochs = &strange;
                runs[1].epochs = &none;
                draw(&runs[..3], 3, "").unwrap().0.check();
                draw(&runs[1..2], 1, "").unwrap().0.check();
            }
        }
    }

    #[test]
    fn more_runs_than_can_be_told_apart_are_left_out_and_it_is_said() {
        let histories: Vec<Vec<EpochRecord>> = (0..9).map(|_| epochs(4, 1.0, true)).collect();
        let names: Vec<String> = (1..=9).map(|number| format!("run-{number}")).collect();
        let runs: Vec<ComparedRun<'_>> =
            names.iter().zip(&histories).map(|(name, epochs)| ComparedRun { name, epochs, best_epoch: 4 }).collect();
        let canvas = draw(&runs, 9, "the best ones").unwrap().0;
        canvas.find("8 of 9 runs: the best ones");
        canvas.find("run-8: 97.75 % in epoch 4");
        assert!(!canvas.texts.iter().any(|written| written.text.contains("run-9")));
    }
}
