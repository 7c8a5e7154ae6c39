//! Pooling by its definition.

use crate::PoolShape;

/// The input pixels `(row, column)` under the window of output pixel `(oy, ox)`, padding left out, in row order.
fn window(shape: &PoolShape, oy: usize, ox: usize) -> impl Iterator<Item = (usize, usize)> {
    let shape = *shape;
    (0..shape.window.0).flat_map(move |ky| (0..shape.window.1).map(move |kx| (ky, kx))).filter_map(move |(ky, kx)| {
        let y = (oy * shape.stride.0 + ky).checked_sub(shape.pad.top)?;
        let x = (ox * shape.stride.1 + kx).checked_sub(shape.pad.left)?;
        (y < shape.height && x < shape.width).then_some((y, x))
    })
}

/// Calls `f(output index within the sample, output pixel row, column, channel)` for every output of one sample.
fn each_output(shape: &PoolShape, mut f: impl FnMut(usize, usize, usize, usize)) {
    for oy in 0..shape.out_height() {
        for ox in 0..shape.out_width() {
            for c in 0..shape.channels {
                f((oy * shape.out_width() + ox) * shape.channels + c, oy, ox, c);
            }
        }
    }
}

fn offset(shape: &PoolShape, y: usize, x: usize, c: usize) -> usize {
    (y * shape.width + x) * shape.channels + c
}

/// Max pooling; see [`crate::max_pool_forward`].
pub fn max_pool_forward(shape: &PoolShape, x: &[f32], y: &mut [f32], argmax: &mut [u32]) {
    let (samples, out) = (x.chunks_exact(shape.input_len()), shape.output_len());
    for ((x, y), argmax) in samples.zip(y.chunks_exact_mut(out)).zip(argmax.chunks_exact_mut(out)) {
        each_output(shape, |i, oy, ox, c| {
            let mut best: Option<usize> = None;
            for (row, column) in window(shape, oy, ox) {
                let here = offset(shape, row, column, c);
                let wins = best.is_none_or(|b| !x[b].is_nan() && (x[here] > x[b] || x[here].is_nan()));
                best = if wins { Some(here) } else { best };
            }
            let winner = best.unwrap_or_default();
            (y[i], argmax[i]) = (x[winner], winner as u32);
        });
    }
}

/// The gradient of max pooling; see [`crate::max_pool_backward`].
pub fn max_pool_backward(shape: &PoolShape, dy: &[f32], argmax: &[u32], dx: &mut [f32]) {
    let out = shape.output_len();
    dx.fill(0.0);
    for ((dx, dy), argmax) in
        dx.chunks_exact_mut(shape.input_len()).zip(dy.chunks_exact(out)).zip(argmax.chunks_exact(out))
    {
        for (&gradient, &winner) in dy.iter().zip(argmax) {
            dx[winner as usize] += gradient;
        }
    }
}

/// Average pooling; see [`crate::avg_pool_forward`].
pub fn avg_pool_forward(shape: &PoolShape, x: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks_exact(shape.input_len()).zip(y.chunks_exact_mut(shape.output_len())) {
        each_output(shape, |i, oy, ox, c| {
            let sum: f64 = window(shape, oy, ox).map(|(r, s)| f64::from(x[offset(shape, r, s, c)])).sum();
            y[i] = (sum / window(shape, oy, ox).count() as f64) as f32;
        });
    }
}

/// The gradient of average pooling; see [`crate::avg_pool_backward`].
pub fn avg_pool_backward(shape: &PoolShape, dy: &[f32], dx: &mut [f32]) {
    dx.fill(0.0);
    for (dx, dy) in dx.chunks_exact_mut(shape.input_len()).zip(dy.chunks_exact(shape.output_len())) {
        each_output(shape, |i, oy, ox, c| {
            let share = dy[i] / window(shape, oy, ox).count() as f32;
            for (row, column) in window(shape, oy, ox) {
                dx[offset(shape, row, column, c)] += share;
            }
        });
    }
}

/// The mean over all pixels; see [`crate::global_avg_pool_forward`].
pub fn global_avg_pool_forward(pixels: usize, channels: usize, x: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks_exact(pixels * channels).zip(y.chunks_exact_mut(channels)) {
        for (c, mean) in y.iter_mut().enumerate() {
            let sum: f64 = x.iter().skip(c).step_by(channels).map(|&v| f64::from(v)).sum();
            *mean = (sum / pixels as f64) as f32;
        }
    }
}

/// The gradient of the mean over all pixels; see [`crate::global_avg_pool_backward`].
pub fn global_avg_pool_backward(pixels: usize, channels: usize, dy: &[f32], dx: &mut [f32]) {
    for (dx, dy) in dx.chunks_exact_mut(pixels * channels).zip(dy.chunks_exact(channels)) {
        for pixel in dx.chunks_exact_mut(channels) {
            for (gradient, &d) in pixel.iter_mut().zip(dy) {
                *gradient = d / pixels as f32;
            }
        }
    }
}
