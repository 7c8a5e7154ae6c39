//! The list of pooled values that have a gradient.

use super::{ConvPool, Pooled};
use crate::lanes::MAX_LANES;
use crate::{Isa, size};

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

/// Places in a window of the pool.
fn places(shape: &ConvPool) -> usize {
    shape.pool.window.0 * shape.pool.window.1
}

/// Gradients that a list takes: those of all values, and a register more, which is written at once.
pub(super) fn gradients_len(shape: &ConvPool) -> usize {
    shape.pool.output_len().saturating_add(MAX_LANES)
}

/// Indices that a list takes.
pub(super) fn indices_len(shape: &ConvPool) -> usize {
    let windows = shape.pool.output_len() / shape.conv.filters;
    // Filters and patches, and what `Live` has; ends and corners of each window.
    let lists = size(&[2, gradients_len(shape)]).saturating_add(size(&[4, shape.pool.output_len()]));
    lists.saturating_add(size(&[windows, places(shape) + 2]))
}

/// What [`Winners`] are written to.
pub(super) struct Lists<'a> {
    pub(super) gradients: &'a mut [f32],
    pub(super) filters: &'a mut [u32],
    pub(super) patches: &'a mut [u32],
    pub(super) ends: &'a mut [u32],
}

impl<'a> Winners<'a> {
    /// Lists the winners in `gradients` and `indices`, which are as long as [`gradients_len`] and [`indices_len`] say.
    pub(super) fn find(
        isa: Isa,
        shape: &ConvPool,
        side: Pooled<'_>,
        gradients: &'a mut [f32],
        indices: &'a mut [u32],
    ) -> Winners<'a> {
        let (n, places) = (shape.pool.output_len(), places(shape));
        let windows = n / shape.conv.filters;
        let (filters, indices) = indices.split_at_mut(gradients_len(shape));
        let (patches, indices) = indices.split_at_mut(gradients_len(shape));
        let (ends, indices) = indices.split_at_mut(windows * places);
        let (corners, indices) = indices.split_at_mut(windows * 2);
        let steps = Steps::new(shape);
        steps.corners(shape, corners);
        let lists =
            Lists { gradients: &mut *gradients, filters: &mut *filters, patches: &mut *patches, ends: &mut *ends };
        let found = lists.fill(isa, shape, side, &steps, corners, indices);
        Winners { gradients: &gradients[..found], filters: &filters[..found], patches: &patches[..found], ends, places }
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

impl Lists<'_> {
    /// Gives the number of winners; `indices` is scratch.
    fn fill(
        self,
        isa: Isa,
        shape: &ConvPool,
        side: Pooled<'_>,
        steps: &Steps,
        corners: &[u32],
        indices: &mut [u32],
    ) -> usize {
        #[cfg(target_arch = "x86_64")]
        if let Some(set) = isa.avx512() {
            return isa.run(super::compressed::Compress { set, shape, side, steps, corners, lists: self });
        }
        let _ = isa;
        let Lists { gradients, filters, patches, ends } = self;
        let mut live = Live::find(shape, side, indices);
        live.locate(shape, steps, side.argmax, corners, ends);
        // From here on `ends` is where the next winner of each place goes.
        let mut next = 0;
        for end in ends.iter_mut() {
            next += std::mem::replace(end, next);
        }
        for i in 0..live.values.len() {
            let end = &mut ends[live.keys[i] as usize];
            let at = *end as usize;
            *end += 1;
            gradients[at] = side.dy[live.values[i] as usize];
            (filters[at], patches[at]) = (live.filters[i], live.patches[i]);
        }
        live.values.len()
    }
}

/// The winners before they are sorted. All loops go over the winners of the whole sample: a window has a handful, how
/// many nobody can guess, and a processor that guesses wrong has lost the time of several.
struct Live<'a> {
    /// Which of the pooled values.
    values: &'a mut [u32],
    filters: &'a mut [u32],
    /// The place of each: number of the window times the places of a window, plus the place in it.
    keys: &'a mut [u32],
    patches: &'a mut [u32],
}

impl<'a> Live<'a> {
    /// Finds the values with a gradient; where they lie is still open.
    fn find(shape: &ConvPool, side: Pooled<'_>, indices: &'a mut [u32]) -> Live<'a> {
        let (n, count) = (shape.pool.output_len(), shape.conv.filters);
        let least = if shape.relu { 0.0 } else { f32::NEG_INFINITY };
        let (values, indices) = indices.split_at_mut(n);
        let (filters, indices) = indices.split_at_mut(n);
        let (keys, patches) = indices.split_at_mut(n);
        let (mut value, mut found) = (0, 0);
        for (y, dy) in side.y.chunks_exact(count).zip(side.dy.chunks_exact(count)) {
            for (f, (&y, &dy)) in y.iter().zip(dy).enumerate() {
                // Without a branch, as nobody can guess which values live either.
                (values[found], filters[found]) = (value, f as u32);
                found += usize::from((y > least) & (dy != 0.0));
                value += 1;
            }
        }
        let (values, filters) = (&mut values[..found], &mut filters[..found]);
        Live { values, filters, keys: &mut keys[..found], patches: &mut patches[..found] }
    }

    /// Sets keys and patches, and `counts` to how often each key occurs.
    fn locate(&mut self, shape: &ConvPool, steps: &Steps, argmax: &[u32], corners: &[u32], counts: &mut [u32]) {
        counts.fill(0);
        let (count, places) = (shape.conv.filters as u32, places(shape) as u32);
        let live = self.values.iter().zip(self.filters.iter());
        for ((&value, &filter), (key, patch)) in live.zip(self.keys.iter_mut().zip(self.patches.iter_mut())) {
            let window = value / count;
            let corner = 2 * window as usize;
            let offset = argmax[value as usize].wrapping_sub(filter).wrapping_sub(corners[corner]);
            let (place, step) = steps.place(offset);
            (*key, *patch) = (window * places + place, corners[corner + 1].wrapping_add(step));
            counts[*key as usize] += 1;
        }
    }
}

/// From one pixel to the next, down and right. Offsets are computed modulo 2^32: every real one fits (see
/// [`ConvPool::check`]), and those of a pool's padding, before the beginning, are only steps on the way to real ones;
/// nobody wins there.
pub(super) struct Steps {
    /// Pixels of a window.
    window: (usize, usize),
    /// In the convolution's output.
    output: (u32, u32),
    /// From patch to patch, in the padded input.
    input: (u32, u32),
}

impl Steps {
    fn new(shape: &ConvPool) -> Steps {
        let (pool, conv) = (&shape.pool, &shape.conv);
        let pair = |(down, right): (usize, usize)| (down as u32, right as u32);
        Steps {
            window: pool.window,
            output: pair((pool.width * pool.channels, pool.channels)),
            input: pair((conv.stride.0 * shape.frame_width() * conv.channels, conv.stride.1 * conv.channels)),
        }
    }

    /// From a window's first pixel to another, in the convolution's output.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn output(&self, row: usize, column: usize) -> u32 {
        Steps::from_first(self.output, row as u32, column as u32)
    }

    /// The same from patch to patch in the padded input.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn input(&self, row: usize, column: usize) -> u32 {
        Steps::from_first(self.input, row as u32, column as u32)
    }

    fn from_first((down, right): (u32, u32), row: u32, column: u32) -> u32 {
        down.wrapping_mul(row).wrapping_add(right.wrapping_mul(column))
    }

    /// For each window, the offset of its first pixel in the convolution's output and that pixel's patch.
    fn corners(&self, shape: &ConvPool, corners: &mut [u32]) {
        let pool = &shape.pool;
        let mut corners = corners.chunks_exact_mut(2);
        for row in 0..pool.out_height() {
            let y = ((row * pool.stride.0) as u32).wrapping_sub(pool.pad.top as u32);
            for (column, corner) in (0..pool.out_width()).zip(&mut corners) {
                let x = ((column * pool.stride.1) as u32).wrapping_sub(pool.pad.left as u32);
                (corner[0], corner[1]) = (Steps::from_first(self.output, y, x), Steps::from_first(self.input, y, x));
            }
        }
    }

    /// The place in its window, row by row from 0, of the pixel so far behind the first, and how far its patch is behind
    /// the first's.
    #[inline(always)]
    fn place(&self, mut offset: u32) -> (u32, u32) {
        let (mut place, mut step) = (0, 0_u32);
        // Small counts, so that nothing is divided.
        for _ in 1..self.window.0 {
            let more = u32::from(offset >= self.output.0);
            offset -= more * self.output.0;
            place += more * self.window.1 as u32;
            step = step.wrapping_add(more * self.input.0);
        }
        for _ in 1..self.window.1 {
            let more = u32::from(offset >= self.output.1);
            offset -= more * self.output.1;
            place += more;
            step = step.wrapping_add(more * self.input.1);
        }
        debug_assert_eq!(offset, 0, "argmax outside its window");
        (place, step)
    }
}
