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
        let mut done = 0;
        for (w, ends) in ends.chunks_exact_mut(places).enumerate() {
            let cut = w * count..(w + 1) * count;
            let (y, dy, argmax) = (&side.y[cut.clone()], &side.dy[cut.clone()], &side.argmax[cut]);
            let window = Window::new(shape, w);
            let mut alive = 0;
            for f in 0..count {
                // Without a branch, as nobody can guess which values live.
                live[alive] = f as u32;
                alive += usize::from((y[f] > least) & (dy[f] != 0.0));
            }
            ends.fill(0);
            for (&f, place) in live[..alive].iter().zip(place.iter_mut()) {
                *place = window.place(argmax[f as usize] as usize, f as usize) as u32;
                ends[*place as usize] += 1;
            }
            // From here on `ends` is where the next winner of each place goes.
            let mut start = done;
            for end in ends.iter_mut() {
                start += std::mem::replace(end, start as u32) as usize;
            }
            for (&f, &place) in live[..alive].iter().zip(place.iter()) {
                let at = ends[place as usize] as usize;
                ends[place as usize] += 1;
                gradients[at] = dy[f as usize];
                filters[at] = f;
            }
            let mut start = done;
            window.each_patch(|place, patch| {
                let end = ends[place] as usize;
                patches[start..end].fill(patch as u32);
                start = end;
            });
            done += alive;
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

/// One window of the pool over the convolution's output.
struct Window<'a> {
    shape: &'a ConvPool,
    /// Its first pixel; negative where the pool is padded.
    row: isize,
    column: isize,
}

impl Window<'_> {
    fn new(shape: &ConvPool, index: usize) -> Window<'_> {
        let pool = &shape.pool;
        let (row, column) = (index / pool.out_width() * pool.stride.0, index % pool.out_width() * pool.stride.1);
        Window { shape, row: row as isize - pool.pad.top as isize, column: column as isize - pool.pad.left as isize }
    }

    /// The place in the window of an element of the convolution's output: row by row, from 0.
    fn place(&self, at: usize, filter: usize) -> usize {
        let pool = &self.shape.pool;
        let row = (pool.width * pool.channels) as isize;
        let mut offset = (at - filter) as isize - self.row * row - self.column * pool.channels as isize;
        // Small counts, so that nothing is divided.
        let mut down = 0;
        for _ in 1..pool.window.0 {
            let more = isize::from(offset >= row);
            (offset, down) = (offset - more * row, down + more);
        }
        let mut right = 0;
        for _ in 1..pool.window.1 {
            let more = isize::from(offset >= pool.channels as isize);
            (offset, right) = (offset - more * pool.channels as isize, right + more);
        }
        debug_assert_eq!(offset, 0, "argmax outside its window");
        down as usize * pool.window.1 + right as usize
    }

    /// Calls `each(place, patch)` with where the patch of every pixel starts in the padded input. Pixels in the pool's
    /// padding have none, but nobody wins there.
    fn each_patch(&self, mut each: impl FnMut(usize, usize)) {
        let (conv, window) = (&self.shape.conv, self.shape.pool.window);
        let (row, column) = (conv.stride.0 * self.shape.frame_width() * conv.channels, conv.stride.1 * conv.channels);
        for down in 0..window.0 {
            let row = (self.row + down as isize).max(0) as usize * row;
            for right in 0..window.1 {
                each(down * window.1 + right, row + (self.column + right as isize).max(0) as usize * column);
            }
        }
    }
}
