//! The warp: one pass over the output, each pixel interpolated bilinearly between four pixels of the input.
//!
//! Coordinates advance along a row in `f32` relative to a whole pixel that is recomputed in `f64` for every run of
//! [`RUN`] pixels, so that their error does not grow with the size of the image. Runs are branch-free loops over
//! arrays, which compilers turn into vector code. For images of up to 4,096 values the four neighbours of each pixel
//! are first packed into one word, so that an output pixel costs one load, and that without a bounds check.

use glyphnet_kernels::{Isa, Vectorize};

use super::Fill;
use super::draw::{Draw, InverseMap};
use crate::ImageShape;

/// Output pixels per run: the arrays of a run stay in registers and the first cache level.
const RUN: usize = 32;

/// With [`Fill::Constant`], how far outside the image a coordinate still counts as on its border, in pixels.
const ON_BORDER: f64 = 1e-6;

/// The most pixels an image may have along one side: coordinates relative to it, and [`FAR`], stay exact in `f32`.
pub(super) const MAX_SIDE: usize = 1 << 20;

/// Source coordinates are clamped to this distance. It is farther than any valid setting reaches.
const FAR: f64 = 2.0 * MAX_SIDE as f64;

/// An image plane and what lies outside it.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub(super) shape: ImageShape,
    pub(super) fill: Fill,
    pub(super) fill_value: f32,
}

/// Warps and flips `input` to `output`, both `H x W x C` in raw units.
///
/// Compiled for each instruction set. Nothing here is contracted or reordered, so all of them give the same bits.
pub(super) fn warp(isa: Isa, plane: &Plane, draw: &Draw, input: &[u8], output: &mut [f32]) {
    match draw.inverse_map(plane.shape) {
        Some(map) => isa.vectorize(Warp { plane, map, input, output: &mut *output }),
        None => output.iter_mut().zip(input).for_each(|(out, &pixel)| *out = f32::from(pixel)),
    }
    flip(plane.shape, draw, output);
}

/// The arguments of [`warp_plane`].
struct Warp<'a> {
    plane: &'a Plane,
    map: InverseMap,
    input: &'a [u8],
    output: &'a mut [f32],
}

impl Vectorize for Warp<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        warp_plane(self.plane, &self.map, self.input, self.output);
    }
}

#[inline(always)]
fn warp_plane(plane: &Plane, map: &InverseMap, input: &[u8], output: &mut [f32]) {
    let source = Source::new(plane, input);
    // Constant numbers of channels and of values let the compiler unroll loops and leave out bounds checks.
    match (plane.shape.channels, input.len()) {
        (1, ..=1024) => warp_rows(&source, &Quads::<1024>::new(&source), map, 1, output),
        (1, ..=4096) => warp_rows(&source, &Quads::<4096>::new(&source), map, 1, output),
        (3, ..=4096) => warp_rows(&source, &Quads::<4096>::new(&source), map, 3, output),
        (1, _) => warp_rows(&source, &source, map, 1, output),
        (3, _) => warp_rows(&source, &source, map, 3, output),
        (channels, _) => warp_rows(&source, &source, map, channels, output),
    }
}

/// Mirrors the warped image in place. After the warp and not by it, so that a flip never changes a rounding.
fn flip(shape: ImageShape, draw: &Draw, output: &mut [f32]) {
    let row_size = shape.width * shape.channels;
    if draw.flip_horizontal {
        for row in output.chunks_exact_mut(row_size) {
            row.reverse();
            if shape.channels > 1 {
                row.chunks_exact_mut(shape.channels).for_each(<[f32]>::reverse);
            }
        }
    }
    if draw.flip_vertical {
        let (upper, lower) = output.split_at_mut(shape.height / 2 * row_size);
        let mirrored = lower.chunks_exact_mut(row_size).rev();
        upper.chunks_exact_mut(row_size).zip(mirrored).for_each(|(upper, lower)| upper.swap_with_slice(lower));
    }
}

/// The input of a warp with all that its inner loops need.
struct Source<'a> {
    pixels: &'a [u8],
    shape: ImageShape,
    /// Values from a pixel to its right and lower neighbours; 0 in an image of one column or one row.
    right: usize,
    down: usize,
    fill: Fill,
    fill_value: f32,
}

impl<'a> Source<'a> {
    #[inline(always)]
    fn new(plane: &Plane, pixels: &'a [u8]) -> Source<'a> {
        let ImageShape { height, width, channels } = plane.shape;
        let right = if width > 1 { channels } else { 0 };
        let down = if height > 1 { width * channels } else { 0 };
        Source { pixels, shape: plane.shape, right, down, fill: plane.fill, fill_value: plane.fill_value }
    }

    /// The columns of an output row whose four source pixels all lie in the image, as `start..end`.
    #[inline(always)]
    fn inside(&self, line: &Line) -> (usize, usize) {
        let ImageShape { height, width, .. } = self.shape;
        let slack = match self.fill {
            Fill::Nearest => return (0, width),
            Fill::Constant => ON_BORDER,
            Fill::Reflect | Fill::Wrap => 0.0,
        };
        let (first_x, last_x) = span(line.x, line.step_x, (width - 1) as f64, slack);
        let (first_y, last_y) = span(line.y, line.step_y, (height - 1) as f64, slack);
        // `as` saturates, so an empty span stays empty. Rounding down is truncation here, rounding up its mirror.
        let end = (last_x.min(last_y) + 1.0).clamp(0.0, width as f64) as usize;
        let start = width - (width as f64 - first_x.max(first_y)).clamp(0.0, width as f64) as usize;
        (start.min(end), end)
    }

    /// The pixel beyond the border for [`Fill::Reflect`] and [`Fill::Wrap`]; elsewhere the image itself.
    fn outside(&self, x: f64, y: f64, out: &mut [f32]) {
        let ImageShape { height, width, channels } = self.shape;
        let fold = |place: i32, size: usize| match self.fill {
            Fill::Wrap => wrap(place, size as i32) as usize,
            _ => reflect(place, size as i32) as usize,
        };
        let (place_x, weight_x) = split(x.clamp(-FAR, FAR));
        let (place_y, weight_y) = split(y.clamp(-FAR, FAR));
        let (left, right) = (fold(place_x, width) * channels, fold(place_x + 1, width) * channels);
        let (upper, lower) = (fold(place_y, height) * width * channels, fold(place_y + 1, height) * width * channels);
        for (channel, out) in out.iter_mut().enumerate() {
            let pixel = |place: usize| self.pixels[place + channel];
            let taps = [pixel(upper + left), pixel(upper + right), pixel(lower + left), pixel(lower + right)];
            *out = interpolate(u32::from_le_bytes(taps), weight_x, weight_y);
        }
    }
}

/// Where the four pixels of an interpolation come from: value `place` and its right, lower and lower right neighbours,
/// as the bytes of a word, lowest first.
trait Taps {
    fn taps(&self, place: usize) -> u32;
}

/// Straight from an image of any size.
impl Taps for Source<'_> {
    #[inline(always)]
    fn taps(&self, place: usize) -> u32 {
        let (upper, lower) = (&self.pixels[place..], &self.pixels[place + self.down..]);
        u32::from_le_bytes([upper[0], upper[self.right], lower[0], lower[self.right]])
    }
}

/// The taps of every place of an image of up to `N` values, a power of two.
struct Quads<const N: usize>([u32; N]);

impl<const N: usize> Quads<N> {
    #[inline(always)]
    fn new(source: &Source<'_>) -> Quads<N> {
        let mut quads = [0; N];
        let (upper, lower) = (source.pixels, &source.pixels[source.down..]);
        let (upper_right, lower_right) = (&upper[source.right..], &lower[source.right..]);
        let taps = upper.iter().zip(upper_right).zip(lower.iter().zip(lower_right));
        for (quad, ((&a, &b), (&c, &d))) in quads.iter_mut().zip(taps) {
            *quad = u32::from_le_bytes([a, b, c, d]);
        }
        Quads(quads)
    }
}

impl<const N: usize> Taps for Quads<N> {
    #[inline(always)]
    fn taps(&self, place: usize) -> u32 {
        self.0[place % N]
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
fn warp_rows(source: &Source<'_>, taps: &impl Taps, map: &InverseMap, channels: usize, output: &mut [f32]) {
    for (row, out) in output.chunks_exact_mut(source.shape.width * channels).enumerate() {
        let (x, y) = (map.x + map.xy * row as f64, map.y + map.yy * row as f64);
        let line = Line { x, y, step_x: map.xx, step_y: map.yx };
        let (start, end) = source.inside(&line);
        for column in (0..start).chain(end..source.shape.width) {
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
            warp_run(source, taps, &line, start + run * RUN, channels, out);
        }
    }
}

/// Interpolates up to [`RUN`] pixels from `column` on. Coordinates are clamped to the image, which is what
/// [`Fill::Nearest`] means and only guards against rounding otherwise.
#[inline(always)]
fn warp_run(source: &Source<'_>, taps: &impl Taps, line: &Line, column: usize, channels: usize, out: &mut [f32]) {
    let count = out.len() / channels;
    let x = Steps::new(line.x, line.step_x, column, count, source.shape.width);
    let y = Steps::new(line.y, line.step_y, column, count, source.shape.height);
    let (mut places, mut weights_x, mut weights_y) = ([0_u32; RUN], [0.0_f32; RUN], [0.0_f32; RUN]);
    let row_size = (source.shape.width * channels) as u32;
    for step in 0..RUN {
        let (place_x, weight_x) = x.at(step);
        let (place_y, weight_y) = y.at(step);
        places[step] = place_y * row_size + place_x * channels as u32;
        weights_x[step] = weight_x;
        weights_y[step] = weight_y;
    }
    for channel in 0..channels {
        let mut words = [0; RUN];
        for (word, &place) in words[..count].iter_mut().zip(&places) {
            *word = taps.taps(place as usize + channel);
        }
        let mut values = [0.0; RUN];
        for step in 0..RUN {
            values[step] = interpolate(words[step], weights_x[step], weights_y[step]);
        }
        for (out, value) in out[channel..].iter_mut().step_by(channels).zip(values) {
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
    /// The first pixel, and the last one that has a neighbour above it, relative to `base`, plus [`ROUND`].
    first_place: f32,
    last_place: f32,
}

/// Adding this to a number of at most 4,194,303 either way rounds it to a whole number, held by the low bits.
const ROUND: f32 = 12_582_912.0;

impl Steps {
    #[inline(always)]
    fn new(start: f64, step: f64, column: usize, count: usize, size: usize) -> Steps {
        let first = (start + step * column as f64).clamp(-FAR, FAR);
        let last = (start + step * (column + count - 1) as f64).clamp(-FAR, FAR);
        let (base, _) = split(first.min(last));
        let relative = |place: usize| (place as i32 - base) as f32;
        Steps {
            first: (first - f64::from(base)) as f32,
            step: step as f32,
            base,
            lowest: relative(0),
            highest: relative(size - 1),
            first_place: relative(0) + ROUND,
            last_place: relative(size.saturating_sub(2)) + ROUND,
        }
    }

    /// The lower of the two pixels to interpolate between, and the weight of the upper one.
    #[inline(always)]
    fn at(&self, step: usize) -> (u32, f32) {
        let coordinate = (self.first + self.step * step as f32).max(self.lowest).min(self.highest);
        // At a whole coordinate this may be the pixel below, whose upper neighbour then has the whole weight. A cast
        // would be the floor, but it saturates, for which older instruction sets have no vector code.
        let rounded = (coordinate - 0.5 + ROUND).max(self.first_place).min(self.last_place);
        let place = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(self.base as u32);
        (place, coordinate - (rounded - ROUND))
    }
}

/// The whole pixel below `coordinate`, which must fit `i32`, and the rest.
#[inline(always)]
fn split(coordinate: f64) -> (i32, f32) {
    let truncated = coordinate as i32;
    let place = truncated - i32::from(f64::from(truncated) > coordinate);
    (place, (coordinate - f64::from(place)) as f32)
}

/// Bilinear interpolation between the four bytes of `taps`.
#[inline(always)]
fn interpolate(taps: u32, weight_x: f32, weight_y: f32) -> f32 {
    let tap = |byte: u32| (taps >> (8 * byte) & 0xFF) as i32 as f32;
    let upper = tap(0) + weight_x * (tap(1) - tap(0));
    let lower = tap(2) + weight_x * (tap(3) - tap(2));
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
    match place {
        _ if place < -size || place >= 2 * size => place.rem_euclid(size),
        _ if place < 0 => place + size,
        _ if place >= size => place - size,
        _ => place,
    }
}

/// `dcba|abcd|dcba`: the place in `0..size` that `place` mirrors.
fn reflect(place: i32, size: i32) -> i32 {
    let place = if place < -size || place >= 2 * size { place.rem_euclid(2 * size) } else { place };
    match place {
        _ if place < 0 => -1 - place,
        _ if place >= size => 2 * size - 1 - place,
        _ => place,
    }
}
