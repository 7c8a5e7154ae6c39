//! The warp: one pass over the output, each pixel interpolated bilinearly between four pixels of the input.
//!
//! Coordinates advance along a row in `f32` relative to a whole pixel that is recomputed in `f64` for every run of
//! [`RUN`] pixels, so that their error does not grow with the size of the image.

use super::Fill;
use super::draw::{Draw, InverseMap};
use crate::ImageShape;

/// Output pixels per run: the arrays of a run stay in registers and the first cache level.
const RUN: usize = 32;

/// With [`Fill::Constant`], how far outside the image a coordinate still counts as on its border, in pixels.
const ON_BORDER: f64 = 1e-6;

/// The most pixels an image may have along one side, so that twice as many are exact in `f32`.
pub(super) const MAX_SIDE: usize = 1 << 22;

/// Source coordinates are clamped to this distance, which keeps them in the range of integers. It is farther than
/// any valid setting reaches.
const FAR: f64 = 2.0 * MAX_SIDE as f64;

/// An image plane and what lies outside it.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub(super) shape: ImageShape,
    pub(super) fill: Fill,
    pub(super) fill_value: f32,
}

/// Warps and flips `input` to `output`, both `H x W x C` in raw units.
pub(super) fn warp(plane: &Plane, draw: &Draw, input: &[u8], output: &mut [f32]) {
    // With a constant number of channels the compiler unrolls their loop.
    match plane.shape.channels {
        1 => warp_channels(plane, draw, 1, input, output),
        3 => warp_channels(plane, draw, 3, input, output),
        channels => warp_channels(plane, draw, channels, input, output),
    }
}

#[inline(always)]
fn warp_channels(plane: &Plane, draw: &Draw, channels: usize, input: &[u8], output: &mut [f32]) {
    let ImageShape { height, width, .. } = plane.shape;
    let map = draw.inverse_map(plane.shape);
    let source = Source::new(plane, channels, input);
    for (row, out) in output.chunks_exact_mut(width * channels).enumerate() {
        let row = if draw.flip_vertical { height - 1 - row } else { row };
        match &map {
            Some(map) => warp_row(&source, map, row, out),
            None => {
                let pixels = &input[row * width * channels..][..width * channels];
                out.iter_mut().zip(pixels).for_each(|(out, &pixel)| *out = f32::from(pixel));
            }
        }
        if draw.flip_horizontal {
            out.reverse();
            out.chunks_exact_mut(channels).for_each(<[f32]>::reverse);
        }
    }
}

/// The input of a warp with all that its inner loops need.
struct Source<'a> {
    pixels: &'a [u8],
    width: i32,
    height: i32,
    channels: usize,
    /// Values from a pixel to its right and lower neighbours; 0 in an image of one column or one row.
    right: usize,
    down: usize,
    fill: Fill,
    fill_value: f32,
}

impl<'a> Source<'a> {
    #[inline(always)]
    fn new(plane: &Plane, channels: usize, pixels: &'a [u8]) -> Source<'a> {
        let ImageShape { height, width, .. } = plane.shape;
        Source {
            pixels,
            // `Augmenter::new` has seen to it that these fit.
            width: width as i32,
            height: height as i32,
            channels,
            right: if width > 1 { channels } else { 0 },
            down: if height > 1 { width * channels } else { 0 },
            fill: plane.fill,
            fill_value: plane.fill_value,
        }
    }

    /// The columns of an output row whose four source pixels all lie in the image, as `start..end`.
    #[inline(always)]
    fn inside(&self, line: &Line, width: usize) -> (usize, usize) {
        let slack = match self.fill {
            Fill::Nearest => return (0, width),
            Fill::Constant => ON_BORDER,
            Fill::Reflect | Fill::Wrap => 0.0,
        };
        let (first_x, last_x) = span(line.x, line.step_x, f64::from(self.width - 1), slack);
        let (first_y, last_y) = span(line.y, line.step_y, f64::from(self.height - 1), slack);
        // A cast of a float saturates, so an empty span stays empty.
        let end = (last_x.min(last_y).floor() + 1.0).clamp(0.0, width as f64) as usize;
        let start = first_x.max(first_y).ceil().clamp(0.0, end as f64) as usize;
        (start, end)
    }

    /// The value beyond the border for [`Fill::Reflect`] and [`Fill::Wrap`]; elsewhere the image itself.
    fn outside(&self, x: f64, y: f64, out: &mut [f32]) {
        let (x, y) = (x.clamp(-FAR, FAR), y.clamp(-FAR, FAR));
        let (floor_x, floor_y) = (x.floor(), y.floor());
        let (weight_x, weight_y) = ((x - floor_x) as f32, (y - floor_y) as f32);
        let fold = if self.fill == Fill::Wrap { wrap } else { reflect };
        let column = |step: i32| fold(floor_x as i32 + step, self.width) as usize * self.channels;
        let row = |step: i32| fold(floor_y as i32 + step, self.height) as usize * self.width as usize * self.channels;
        let (left, right, upper, lower) = (column(0), column(1), row(0), row(1));
        for (channel, out) in out.iter_mut().enumerate() {
            let pixel = |place: usize| f32::from(self.pixels[place + channel]);
            let taps = [pixel(upper + left), pixel(upper + right), pixel(lower + left), pixel(lower + right)];
            *out = interpolate(taps, weight_x, weight_y);
        }
    }
}

/// The source coordinates of an output row: `(x, y)` at column 0, and what each column adds.
struct Line {
    x: f64,
    y: f64,
    step_x: f64,
    step_y: f64,
}

#[inline(always)]
fn warp_row(source: &Source<'_>, map: &InverseMap, row: usize, out: &mut [f32]) {
    let channels = source.channels;
    let line = Line { x: map.x + map.xy * row as f64, y: map.y + map.yy * row as f64, step_x: map.xx, step_y: map.yx };
    let width = out.len() / channels;
    let (start, end) = source.inside(&line, width);
    for column in (0..start).chain(end..width) {
        let out = &mut out[column * channels..][..channels];
        if source.fill == Fill::Constant {
            out.fill(source.fill_value);
        } else {
            let step = column as f64;
            source.outside(line.x + line.step_x * step, line.y + line.step_y * step, out);
        }
    }
    let runs = out[start * channels..end * channels].chunks_mut(RUN * channels);
    for (run, out) in runs.enumerate() {
        warp_run(source, &line, start + run * RUN, out);
    }
}

/// Interpolates up to [`RUN`] pixels from `column` on. Coordinates are clamped to the image, which is what
/// [`Fill::Nearest`] means and only guards against rounding otherwise.
#[inline(always)]
fn warp_run(source: &Source<'_>, line: &Line, column: usize, out: &mut [f32]) {
    let count = out.len() / source.channels;
    let x = Steps::new(line.x, line.step_x, column, count, source.width);
    let y = Steps::new(line.y, line.step_y, column, count, source.height);
    let (mut places, mut weights_x, mut weights_y) = ([0_i32; RUN], [0.0_f32; RUN], [0.0_f32; RUN]);
    let row_size = source.width * source.channels as i32;
    for step in 0..RUN {
        let (place_x, weight_x) = x.at(step);
        let (place_y, weight_y) = y.at(step);
        places[step] = place_y * row_size + place_x * source.channels as i32;
        weights_x[step] = weight_x;
        weights_y[step] = weight_y;
    }
    for channel in 0..source.channels {
        let mut taps = [[0_u8; RUN]; 4];
        for step in 0..count {
            let place = places[step] as usize + channel;
            taps[0][step] = source.pixels[place];
            taps[1][step] = source.pixels[place + source.right];
            taps[2][step] = source.pixels[place + source.down];
            taps[3][step] = source.pixels[place + source.down + source.right];
        }
        let mut values = [0.0_f32; RUN];
        for step in 0..RUN {
            let taps = [taps[0][step], taps[1][step], taps[2][step], taps[3][step]].map(f32::from);
            values[step] = interpolate(taps, weights_x[step], weights_y[step]);
        }
        for (out, value) in out[channel..].iter_mut().step_by(source.channels).zip(values) {
            *out = value;
        }
    }
}

/// The coordinates of a run along one axis, relative to the whole pixel `base` at or below all of them.
struct Steps {
    first: f32,
    step: f32,
    base: i32,
    lowest: f32,
    highest: f32,
    last_place: i32,
}

impl Steps {
    #[inline(always)]
    fn new(start: f64, step: f64, column: usize, count: usize, size: i32) -> Steps {
        let first = (start + step * column as f64).clamp(-FAR, FAR);
        let last = (start + step * (column + count - 1) as f64).clamp(-FAR, FAR);
        let base = first.min(last).floor();
        Steps {
            first: (first - base) as f32,
            step: step as f32,
            base: base as i32,
            lowest: -base as f32,
            highest: (f64::from(size - 1) - base) as f32,
            last_place: (size - 2).max(0),
        }
    }

    /// The lower of the two pixels to interpolate between, and the weight of the upper one.
    #[inline(always)]
    fn at(&self, step: usize) -> (i32, f32) {
        let coordinate = (self.first + self.step * step as f32).max(self.lowest).min(self.highest);
        // Nothing lies below `base` but whole numbers, so truncation is the floor.
        let place = (coordinate as i32 + self.base).clamp(0, self.last_place);
        (place, coordinate - (place - self.base) as f32)
    }
}

#[inline(always)]
fn interpolate(taps: [f32; 4], weight_x: f32, weight_y: f32) -> f32 {
    let upper = taps[0] + weight_x * (taps[1] - taps[0]);
    let lower = taps[2] + weight_x * (taps[3] - taps[2]);
    upper + weight_y * (lower - upper)
}

/// The range of columns, as real numbers, in which `start + step * column` is in `[-slack, last + slack]`.
#[inline(always)]
fn span(start: f64, step: f64, last: f64, slack: f64) -> (f64, f64) {
    if step.abs() < 1e-12 {
        let is_inside = (-slack..=last + slack).contains(&start);
        return if is_inside { (f64::NEG_INFINITY, f64::INFINITY) } else { (f64::INFINITY, f64::NEG_INFINITY) };
    }
    let (a, b) = ((-slack - start) / step, (last + slack - start) / step);
    (a.min(b), a.max(b))
}

/// `abcd|abcd|abcd`: the place in `0..size` that `place` repeats.
fn wrap(place: i32, size: i32) -> i32 {
    place.rem_euclid(size)
}

/// `dcba|abcd|dcba`: the place in `0..size` that `place` mirrors.
fn reflect(place: i32, size: i32) -> i32 {
    let place = place.rem_euclid(2 * size);
    place.min(2 * size - 1 - place)
}
