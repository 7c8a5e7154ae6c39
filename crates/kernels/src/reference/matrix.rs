//! Naive twins of convolution and dense layers, in f64.

use crate::{ConvShape, DenseShape};

/// The terms of a convolution of one sample: calls `term(input index, weight index, output index)` for each
/// multiplication whose input lies inside the image.
fn terms(shape: &ConvShape, mut term: impl FnMut(usize, usize, usize)) {
    let (kernel_h, kernel_w) = shape.kernel;
    for oy in 0..shape.out_height() {
        for ox in 0..shape.out_width() {
            for kh in 0..kernel_h {
                for kw in 0..kernel_w {
                    let y = (oy * shape.stride.0 + kh).wrapping_sub(shape.pad.top);
                    let x = (ox * shape.stride.1 + kw).wrapping_sub(shape.pad.left);
                    if y >= shape.height || x >= shape.width {
                        continue;
                    }
                    for c in 0..shape.channels {
                        for o in 0..shape.filters {
                            let input = (y * shape.width + x) * shape.channels + c;
                            let weight = ((kh * kernel_w + kw) * shape.channels + c) * shape.filters + o;
                            term(input, weight, (oy * shape.out_width() + ox) * shape.filters + o);
                        }
                    }
                }
            }
        }
    }
}

/// Twin of [`crate::conv_forward`] without activation: `n` samples, returns `n x out_height x out_width x filters`.
pub fn conv_forward(shape: &ConvShape, n: usize, x: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f64> {
    let (input, output) = (shape.input_len(), shape.output_len());
    let mut y = vec![0.0; n * output];
    for s in 0..n {
        let y = &mut y[s * output..(s + 1) * output];
        for (i, y) in y.iter_mut().enumerate() {
            *y = bias.get(i % shape.filters).map_or(0.0, |&b| f64::from(b));
        }
        terms(shape, |i, w, o| y[o] += f64::from(x[s * input + i]) * f64::from(weights[w]));
    }
    y
}

/// Twin of [`crate::conv_input_gradient`].
pub fn conv_input_gradient(shape: &ConvShape, n: usize, dy: &[f32], weights: &[f32]) -> Vec<f64> {
    let (input, output) = (shape.input_len(), shape.output_len());
    let mut dx = vec![0.0; n * input];
    for s in 0..n {
        terms(shape, |i, w, o| dx[s * input + i] += f64::from(dy[s * output + o]) * f64::from(weights[w]));
    }
    dx
}

/// Twin of [`crate::conv_weight_gradient`]: the gradients of kernel and bias.
pub fn conv_weight_gradient(shape: &ConvShape, n: usize, x: &[f32], dy: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let (input, output) = (shape.input_len(), shape.output_len());
    let mut dw = vec![0.0; shape.weights_len()];
    for s in 0..n {
        terms(shape, |i, w, o| dw[w] += f64::from(x[s * input + i]) * f64::from(dy[s * output + o]));
    }
    (dw, column_sums(shape.filters, dy))
}

fn column_sums(columns: usize, rows: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    for (i, &value) in rows.iter().enumerate() {
        sums[i % columns] += f64::from(value);
    }
    sums
}

/// Twin of [`crate::dense_forward`] without activation.
pub fn dense_forward(shape: &DenseShape, n: usize, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f64> {
    let mut y = vec![0.0; n * shape.units];
    for (i, y) in y.iter_mut().enumerate() {
        let (s, o) = (i / shape.units, i % shape.units);
        *y = bias.get(o).map_or(0.0, |&b| f64::from(b));
        for k in 0..shape.inputs {
            *y += f64::from(x[s * shape.inputs + k]) * f64::from(w[k * shape.units + o]);
        }
    }
    y
}

/// Twin of [`crate::dense_input_gradient`].
pub fn dense_input_gradient(shape: &DenseShape, n: usize, dy: &[f32], w: &[f32]) -> Vec<f64> {
    let mut dx = vec![0.0; n * shape.inputs];
    for (i, dx) in dx.iter_mut().enumerate() {
        let (s, k) = (i / shape.inputs, i % shape.inputs);
        for o in 0..shape.units {
            *dx += f64::from(dy[s * shape.units + o]) * f64::from(w[k * shape.units + o]);
        }
    }
    dx
}

/// Twin of [`crate::dense_weight_gradient`]: the gradients of weights and bias.
pub fn dense_weight_gradient(shape: &DenseShape, n: usize, x: &[f32], dy: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let mut dw = vec![0.0; shape.inputs * shape.units];
    for s in 0..n {
        for k in 0..shape.inputs {
            for o in 0..shape.units {
                dw[k * shape.units + o] += f64::from(x[s * shape.inputs + k]) * f64::from(dy[s * shape.units + o]);
            }
        }
    }
    (dw, column_sums(shape.units, dy))
}
