//! The list of pooled values that have a gradient.

use super::{ConvPool, Pooled};

/// The winners of one sample, window by window, within a window by the place of their pixel in it.
pub(super) struct Winners<'a> {
    /// The gradient of each.
    pub(super) gradients: &'a [f32],
    /// The filter of each.
    pub(super) filters: &'a [u32],
    /// Where the patch of its pixel starts in the padded input.
    pub(super) patches: &'a [u32],
    /// For every window and every place in it, where its winners end.
    pub(super) ends: &'a [u32],
    /// Places in a window.
    pub(super) places: usize,
}

/// Indices that a list takes.
pub(super) fn indices_len(shape: &ConvPool) -> usize {
    let n = shape.pool.output_len();
    let places = shape.pool.window.0 * shape.pool.window.1;
    // Filters, patches, ends; and one window's winners before they are sorted.
    2 * n + n / shape.conv.filters * places + 2 * shape.conv.filters
}

impl<'a> Winners<'a> {
    /// Lists the winners; `gradients` has room for one for every pooled value.
    pub(super) fn find(
        shape: &ConvPool,
        side: Pooled<'_>,
        gradients: &'a mut [f32],
        indices: &'a mut [u32],
    ) -> Winners<'a> {
        let (n, count) = (shape.pool.output_len(), shape.conv.filters);
        let places = shape.pool.window.0 * shape.pool.window.1;
        let (filters, indices) = indices.split_at_mut(n);
        let (patches, indices) = indices.split_at_mut(n);
        let (ends, indices) = indices.split_at_mut(n / count * places);
        let (live, place) = indices.split_at_mut(count);
        let least = if shape.relu { 0.0 } else { f32::NEG_INFINITY };
        let (mut done, mut window) = (0, Window::first(shape));
        for (w, ends) in ends.chunks_exact_mut(places).enumerate() {
            let cut = w * count..(w + 1) * count;
            let (y, dy, argmax) = (&side.y[cut.clone()], &side.dy[cut.clone()], &side.argmax[cut]);
            let live = alive(y, dy, least, live);
            window.places(argmax, live, place);
            let start = done;
            done += live.len();
            sort(live, place, dy, start, &mut gradients[start..done], &mut filters[start..done], ends);
            window.patches(start, ends, patches);
            window.advance();
        }
        Winners { gradients: &gradients[..done], filters: &filters[..done], patches: &patches[..done], ends, places }
    }

    /// Adds every winner's gradient to that of its filter's bias.
    pub(super) fn add_bias(&self, db: &mut [f32]) {
        if !db.is_empty() {
            for (&filter, &gradient) in self.filters.iter().zip(self.gradients) {
                db[filter as usize] += gradient;
            }
        }
    }
}

/// The filters whose value has a gradient.
fn alive<'a>(y: &[f32], dy: &[f32], least: f32, live: &'a mut [u32]) -> &'a [u32] {
    let mut count = 0;
    for (f, (&y, &dy)) in y.iter().zip(dy).enumerate() {
        // Without a branch, as nobody can guess which values live.
        live[count] = f as u32;
        count += usize::from((y > least) & (dy != 0.0));
    }
    &live[..count]
}

/// Sorts the winners of a window by place. The lists begin `start` winners after the first of the sample; `ends` gets
/// where each place's winners end.
fn sort(
    live: &[u32],
    place: &[u32],
    dy: &[f32],
    start: usize,
    gradients: &mut [f32],
    filters: &mut [u32],
    ends: &mut [u32],
) {
    ends.fill(0);
    for &place in &place[..live.len()] {
        ends[place as usize] += 1;
    }
    // From here on `ends` is where the next winner of each place goes.
    let mut next = start as u32;
    for end in ends.iter_mut() {
        next += std::mem::replace(end, next);
    }
    for (&f, &place) in live.iter().zip(place) {
        let end = &mut ends[place as usize];
        let at = *end as usize - start;
        *end += 1;
        (gradients[at], filters[at]) = (dy[f as usize], f);
    }
}

/// One window of the pool over the convolution's output.
struct Window {
    /// Places down and right.
    size: (u32, u32),
    /// Windows of a row, and the index of this one in its row.
    columns: usize,
    column: usize,
    /// Offset of its first value in the convolution's output; beyond the beginning where the pool is padded.
    first: u32,
    /// Where the patch of its first pixel starts in the padded input.
    patch: u32,
    /// From one place to the next, down and right: in the convolution's output, and in the padded input.
    output: (u32, u32),
    input: (u32, u32),
    /// Offset and patch of the first window of this row of windows.
    row: (u32, u32),
    /// Pixels from one window to the next.
    stride: (u32, u32),
}

/// Offsets are computed modulo 2^32: every real one fits (see [`ConvPool::check`]), and those of a pool's padding, before the
/// beginning, are only steps on the way to real ones.
impl Window {
    fn first(shape: &ConvPool) -> Window {
        let (pool, conv) = (&shape.pool, &shape.conv);
        let pair = |(down, right): (usize, usize)| (down as u32, right as u32);
        let output = pair((pool.width * pool.channels, pool.channels));
        let input = pair((conv.stride.0 * shape.frame_width() * conv.channels, conv.stride.1 * conv.channels));
        let pad = pair((pool.pad.top, pool.pad.left));
        let before =
            |step: (u32, u32)| 0_u32.wrapping_sub(pad.0.wrapping_mul(step.0)).wrapping_sub(pad.1.wrapping_mul(step.1));
        let row = (before(output), before(input));
        Window {
            size: pair(pool.window),
            columns: pool.out_width(),
            column: 0,
            first: row.0,
            patch: row.1,
            output,
            input,
            row,
            stride: pair(pool.stride),
        }
    }

    /// Moves on to the next window.
    fn advance(&mut self) {
        self.column += 1;
        if self.column < self.columns {
            self.first = self.first.wrapping_add(self.stride.1.wrapping_mul(self.output.1));
            self.patch = self.patch.wrapping_add(self.stride.1.wrapping_mul(self.input.1));
        } else {
            self.column = 0;
            self.row.0 = self.row.0.wrapping_add(self.stride.0.wrapping_mul(self.output.0));
            self.row.1 = self.row.1.wrapping_add(self.stride.0.wrapping_mul(self.input.0));
            (self.first, self.patch) = self.row;
        }
    }

    /// The place in the window, row by row from 0, of every live filter's winner.
    fn places(&self, argmax: &[u32], live: &[u32], place: &mut [u32]) {
        for (&f, place) in live.iter().zip(place) {
            // Small counts, so that nothing is divided.
            let mut offset = argmax[f as usize].wrapping_sub(f).wrapping_sub(self.first);
            *place = 0;
            for _ in 1..self.size.0 {
                let more = u32::from(offset >= self.output.0);
                offset -= more * self.output.0;
                *place += more * self.size.1;
            }
            for _ in 1..self.size.1 {
                let more = u32::from(offset >= self.output.1);
                offset -= more * self.output.1;
                *place += more;
            }
            debug_assert_eq!(offset, 0, "argmax outside its window");
        }
    }

    /// Sets where the patches of the winners from `start` on begin. Pixels in the pool's padding have none, but nobody wins
    /// there.
    fn patches(&self, mut start: usize, ends: &[u32], patches: &mut [u32]) {
        for (down, ends) in (0..).zip(ends.chunks_exact(self.size.1 as usize)) {
            let mut patch = self.patch.wrapping_add(self.input.0.wrapping_mul(down));
            for &end in ends {
                patches[start..end as usize].fill(patch);
                start = end as usize;
                patch = patch.wrapping_add(self.input.1);
            }
        }
    }
}
