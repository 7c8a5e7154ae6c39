//! A search over recipe keys: the trials' learning curves, and their results by each key.

use glyphnet::tune::{Objective, Param, Spec};
use plotters::style::{Color as _, RGBColor};

use super::axis::Axis;
use super::canvas::Canvas;
use super::heading::Heading;
use super::panel::{ABOVE, BELOW, Panel, Shape, Sign, legend, ring};
use super::theme::{BLUE, FRAME, INK, MARGIN, TEXT, VERMILION, viridis};
use crate::error::ArtifactError;
use crate::numbers::count;
use crate::sample_grid::can_draw;
use crate::text::Typeface;

const WIDTH: f32 = 1440.0;
/// Height of the frames.
const HEIGHT: f32 = 300.0;
/// Between one panel and the numbers of the next.
const GAP: f32 = 40.0;
/// Width of the best trial's curve, in pixels.
const BEST_WIDTH: f32 = 3.5;
/// Panels side by side.
const COLUMNS: usize = 3;
/// The axis goes so many times as far from the best as the best third does; what is worse lies on its edge.
const REACH: f64 = 3.0;
/// Room beyond the best, as a share of the axis.
const BEYOND: f64 = 0.04;
/// Room on both sides of a range, as a share of it: marks and numbers at its ends keep clear of the numbers of results.
const BESIDE: f64 = 0.06;
/// Results that differ by less are one.
const LEAST_SPREAD: f64 = 1e-9;

/// A trial as it is drawn.
#[derive(Debug, Clone, Copy)]
pub struct TunedTrial<'a> {
    /// Its number.
    pub number: u32,
    /// The last rung that it was trained in, from 0.
    pub rung: usize,
    /// The searched settings, as `--set` takes them, in the order of the space.
    pub values: &'a [Option<String>],
    /// Its result: accuracy in per cent, or loss.
    pub value: f64,
    /// Epoch and result after it.
    pub curve: &'a [(f64, f64)],
}

/// A search as a PNG: the learning curves of all trials, then for each key the results by its values. Colours tell how
/// far a trial came, and a ring is around the best. `trials` come best first; those that failed are none of them.
///
/// # Errors
/// If the picture cannot be made.
pub fn tune(
    subject: &str,
    params: &[Param],
    trials: &[TunedTrial<'_>],
    objective: Objective,
) -> Result<Vec<u8>, ArtifactError> {
    draw(subject, params, trials, objective)?.0.png()
}

fn draw(
    subject: &str,
    params: &[Param],
    trials: &[TunedTrial<'_>],
    objective: Objective,
) -> Result<(Canvas, Vec<Panel>), ArtifactError> {
    let y = Results::new(trials, objective);
    let rungs = trials.iter().map(|trial| trial.rung + 1).max().unwrap_or(1);
    let lines = vec![y.explanation(trials.len()), String::new()];
    let heading = Heading::new(format!("Search from {subject}"), lines);
    let top = heading.height();
    let rows = (params.len() + 1).div_ceil(COLUMNS);
    let row = ABOVE + HEIGHT + BELOW + 18.0;
    let mut canvas = Canvas::new(WIDTH, top + rows as f32 * row + MARGIN - 18.0);
    heading.draw(&mut canvas);
    let line = top - 14.0 - Typeface::new(TEXT).height() as f32 - 4.0;
    legend(&mut canvas, (MARGIN - 2.0, line), &signs(rungs, trials));
    let room = Panel::room_for(&y.axis);
    let width = ((WIDTH - 2.0 * MARGIN - (COLUMNS - 1) as f32 * GAP) / COLUMNS as f32 - room).floor();
    let mut panels = Vec::with_capacity(params.len() + 1);
    for place in 0..=params.len() {
        let left = (MARGIN + (place % COLUMNS) as f32 * (width + room + GAP) + room).round();
        let upper = top + (place / COLUMNS) as f32 * row + ABOVE;
        let frame = [left, upper, left + width, upper + HEIGHT];
        let panel = match place.checked_sub(1).and_then(|at| params.get(at)) {
            None => curves(&mut canvas, &y, frame, rungs, trials)?,
            Some(param) => scatter(&mut canvas, &y, frame, rungs, (param, place - 1), trials)?,
        };
        panels.push(panel);
    }
    Ok((canvas, panels))
}

/// The axis of results, and where what is beyond it lies.
struct Results {
    axis: Axis,
    objective: Objective,
    /// Whether there is something worse than the axis shows.
    beyond: bool,
}

impl Results {
    fn new(trials: &[TunedTrial<'_>], objective: Objective) -> Results {
        let mut values: Vec<f64> = trials.iter().map(|trial| trial.value).filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        if objective == Objective::Accuracy {
            values.reverse();
        }
        let (Some(&best), Some(&worst)) = (values.first(), values.last()) else {
            return Results { axis: Axis::linear(0.0, 1.0, 5), objective, beyond: false };
        };
        let third = values[values.len() / 3];
        let reach = best + (third - best) * REACH;
        let end = if (third - best).abs() < LEAST_SPREAD { worst } else { nearer(best, worst, reach) };
        let beyond = best + (best - end) * BEYOND;
        let axis = Axis::linear(beyond.min(end), beyond.max(end), 5);
        let beyond = worst < axis.from || worst > axis.to;
        Results { axis, objective, beyond }
    }

    fn name(&self) -> &'static str {
        match self.objective {
            Objective::Accuracy => "validation accuracy, %",
            Objective::Loss => "validation loss",
        }
    }

    fn explanation(&self, trials: usize) -> String {
        let best = match self.objective {
            Objective::Accuracy => "validation accuracy, higher is better",
            Objective::Loss => "validation loss, lower is better",
        };
        let edge = if self.beyond { "; what is worse than the axis shows lies on its edge" } else { "" };
        format!("{} by {best}{edge}", count(trials, "trial"))
    }

    /// The height of a value in a panel, on the edge where it is beyond.
    fn pixel(&self, panel: &Panel, x: f64, value: f64) -> (f32, f32) {
        panel.pixel(x, value.clamp(self.axis.from, self.axis.to))
    }
}

/// Whichever of two values is nearer to `best`.
fn nearer(best: f64, one: f64, other: f64) -> f64 {
    if (one - best).abs() < (other - best).abs() { one } else { other }
}

/// Light for trials of the first rung, dark for those of the last.
fn colour(rung: usize, rungs: usize) -> RGBColor {
    // The lightest end of the ramp cannot be seen on white.
    if rungs < 2 { BLUE } else { viridis(0.3 + 0.7 * rung as f64 / (rungs - 1) as f64) }
}

fn signs(rungs: usize, trials: &[TunedTrial<'_>]) -> Vec<(Sign, String)> {
    let mut signs: Vec<(Sign, String)> = match rungs {
        1 => vec![(Sign::Line(BLUE, Shape::Disc), "a trial".to_owned())],
        _ => (0..rungs)
            .map(|rung| {
                let name =
                    if rung + 1 == rungs { "to the last rung".to_owned() } else { format!("to rung {}", rung + 1) };
                (Sign::Line(colour(rung, rungs), Shape::Disc), name)
            })
            .collect(),
    };
    if let Some(best) = trials.first() {
        signs.push((Sign::Ring, format!("the best: trial {}", best.number)));
        signs.push((Sign::Plain(VERMILION, BEST_WIDTH), "its curve".to_owned()));
    }
    signs
}

/// The learning curves, the best above the others.
fn curves(
    canvas: &mut Canvas,
    y: &Results,
    frame: [f32; 4],
    rungs: usize,
    trials: &[TunedTrial<'_>],
) -> Result<Panel, ArtifactError> {
    let last = trials.iter().flat_map(|trial| trial.curve).map(|(epoch, _)| *epoch as usize).max().unwrap_or(1);
    let panel = Panel {
        x: Axis::epochs(last, frame[2] - frame[0], TEXT),
        y: y.axis.clone(),
        frame,
        title: y.name().to_owned(),
        x_title: "epoch".to_owned(),
    };
    panel.draw(canvas, |_| Ok(()))?;
    for (place, trial) in trials.iter().enumerate().rev() {
        let points: Vec<(f32, f32)> = trial
            .curve
            .iter()
            .filter(|(_, value)| value.is_finite())
            .map(|&(epoch, value)| y.pixel(&panel, epoch, value))
            .collect();
        let tint = colour(trial.rung, rungs);
        if place == 0 {
            canvas.line(&points, BEST_WIDTH, &VERMILION);
        } else if points.len() > 1 {
            canvas.line(&points, 1.5, &tint.mix(0.7));
        }
        if let [point] = points[..] {
            canvas.disc(point, 3.0, &tint);
        }
    }
    Ok(panel)
}

/// The results by the values of one key.
fn scatter(
    canvas: &mut Canvas,
    y: &Results,
    frame: [f32; 4],
    rungs: usize,
    (param, place): (&Param, usize),
    trials: &[TunedTrial<'_>],
) -> Result<Panel, ArtifactError> {
    let scale = match &param.spec {
        &Spec::Range { logarithmic: true, .. } => " (logarithmic)",
        _ => "",
    };
    let title = if can_draw(&param.key) { format!("{}{scale}", param.key) } else { format!("setting {}", place + 1) };
    let title = Typeface::new(TEXT).fit(&title, frame[2] - frame[0]);
    let x = values_axis(&param.spec, frame[2] - frame[0]);
    let panel = Panel { x, y: y.axis.clone(), frame, title, x_title: String::new() };
    panel.draw(canvas, |_| Ok(()))?;
    let at = |trial: &TunedTrial<'_>| position(&param.spec, trial.values.get(place)?.as_deref()?);
    for trial in trials.iter().rev() {
        let Some(value) = at(trial) else { continue };
        let centre = y.pixel(&panel, value, trial.value);
        canvas.disc(centre, 6.0, &colour(trial.rung, rungs));
        canvas.ring(centre, 6.0, 1.0, &FRAME);
    }
    if let Some((value, best)) = trials.first().and_then(|best| Some((at(best)?, best))) {
        ring(canvas, y.pixel(&panel, value, best.value), &INK);
    }
    Ok(panel)
}

/// Choices stand side by side at 1, 2, and so on.
fn values_axis(spec: &Spec, width: f32) -> Axis {
    let axis = match spec {
        Spec::Choices(values) => return Axis::words(values, width, TEXT),
        &Spec::Range { low, high, logarithmic: true } => Axis::powers(low, high, 5),
        &Spec::Range { low, high, logarithmic: false } => Axis::linear(low, high, 5),
    };
    let room = (axis.to - axis.from) * BESIDE;
    axis.widened(room)
}

/// Where a value is on its axis.
fn position(spec: &Spec, value: &str) -> Option<f64> {
    match spec {
        Spec::Choices(values) => values.iter().position(|choice| choice == value).map(|place| (place + 1) as f64),
        Spec::Range { .. } => value.parse().ok(),
    }
}

#[cfg(test)]
#[path = "tune_tests.rs"]
mod tests;
