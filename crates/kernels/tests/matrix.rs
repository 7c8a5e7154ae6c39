//! Convolution and dense kernels against their naive twins, for every instruction set of this CPU, at sizes on both
//! sides of the register tiles.

use glyphnet_kernels::random::{Purpose, Stream};
use glyphnet_kernels::{
    ConvShape, DenseShape, DenseWeights, ForwardWeights, GradientWeights, Isa, Pad, conv_forward, conv_input_gradient,
    conv_weight_gradient, dense_forward, dense_input_gradient, dense_weight_gradient, dense_weight_gradient_rows,
    reference::matrix as naive,
};

fn values(stream: &mut Stream, n: usize) -> Vec<f32> {
    (0..n).map(|_| stream.uniform(-1.0, 1.0) as f32).collect()
}

/// The scale is the larger of the largest reference value and 1, the size of a term: float sums that cancel keep the
/// rounding errors of their terms.
fn assert_close(what: &str, got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    let scale = want.iter().fold(1.0_f64, |m, w| m.max(w.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((f64::from(*g) - w).abs() <= 3e-6 * scale, "{what}[{i}]: {g} is not {w} (scale {scale})");
    }
}

fn check_conv(shape: &ConvShape, n: usize) {
    let mut stream = Stream::new(11, Purpose::Sample, shape.height as u32, shape.channels as u32);
    let x = values(&mut stream, n * shape.input_len());
    let w = values(&mut stream, shape.weights_len());
    let bias = values(&mut stream, shape.filters);
    let dy = values(&mut stream, n * shape.output_len());
    let y_want = naive::conv_forward(shape, n, &x, &w, &bias);
    let dx_want = naive::conv_input_gradient(shape, n, &dy, &w);
    let (dw_want, db_want) = naive::conv_weight_gradient(shape, n, &x, &dy);
    for isa in Isa::available() {
        let what = |part: &str| format!("{isa} {shape:?} {part}");
        let mut scratch = vec![f32::NAN; shape.forward_scratch_len().max(shape.gradient_scratch_len())];
        let mut forward = ForwardWeights::new(isa, shape);
        forward.pack(&w);
        let mut y = vec![f32::NAN; n * shape.output_len()];
        conv_forward(isa, shape, &x, &forward, &bias, false, &mut y, &mut scratch);
        assert_close(&what("y"), &y, &y_want);
        conv_forward(isa, shape, &x, &forward, &[], true, &mut y, &mut scratch);
        let relu: Vec<f64> = naive::conv_forward(shape, n, &x, &w, &[]).iter().map(|v| v.max(0.0)).collect();
        assert_close(&what("relu"), &y, &relu);

        let mut gradient = GradientWeights::new(isa, shape);
        gradient.pack(&w);
        let mut dx = vec![f32::NAN; n * shape.input_len()];
        conv_input_gradient(isa, shape, &dy, &gradient, &mut dx, &mut scratch);
        assert_close(&what("dx"), &dx, &dx_want);

        // Weight gradients are added to what is there.
        let (mut dw, mut db) = (vec![0.5; w.len()], vec![0.25; shape.filters]);
        conv_weight_gradient(isa, shape, &x, &dy, &mut dw, &mut db, &mut scratch);
        let add = |v: &[f64], start: f64| v.iter().map(|v| v + start).collect::<Vec<_>>();
        assert_close(&what("dw"), &dw, &add(&dw_want, 0.5));
        assert_close(&what("db"), &db, &add(&db_want, 0.25));
    }
}

#[test]
fn convolution_equals_its_twin_at_awkward_sizes() {
    for (height, width) in [(1, 1), (3, 3), (5, 7), (8, 13), (9, 14), (6, 29)] {
        for (channels, filters) in [(1, 1), (1, 33), (2, 5), (3, 16), (16, 17), (33, 32), (5, 8)] {
            for kernel in [(1, 1), (3, 3), (2, 3), (5, 5)] {
                if kernel.0 > height || kernel.1 > width {
                    continue;
                }
                let shape = ConvShape { height, width, channels, filters, kernel, stride: (1, 1), pad: Pad::NONE };
                check_conv(&shape, 2);
            }
        }
    }
}

#[test]
fn strides_and_paddings_of_every_kind() {
    let pads = [
        Pad::NONE,
        Pad { top: 1, bottom: 1, left: 1, right: 1 },
        Pad { top: 0, bottom: 1, left: 0, right: 1 },
        Pad { top: 2, bottom: 3, left: 4, right: 0 },
        Pad { top: 6, bottom: 6, left: 6, right: 6 },
    ];
    for pad in pads {
        for stride in [(1, 1), (2, 2), (3, 1), (1, 2), (4, 5)] {
            for kernel in [(1, 1), (2, 2), (3, 3), (5, 4), (7, 7)] {
                let shape = ConvShape { height: 8, width: 9, channels: 3, filters: 5, kernel, stride, pad };
                if shape.output_len() > 0 {
                    check_conv(&shape, 1);
                }
            }
        }
    }
    let same = |size, kernel, stride| ConvShape {
        height: size,
        width: size + 1,
        channels: 4,
        filters: 6,
        kernel: (kernel, kernel),
        stride: (stride, stride),
        pad: Pad::same((size, size + 1), (kernel, kernel), (stride, stride)),
    };
    for (size, kernel, stride) in [(7, 3, 1), (7, 3, 2), (8, 5, 2), (9, 2, 3)] {
        let shape = same(size, kernel, stride);
        assert_eq!(shape.out_height(), size.div_ceil(stride));
        check_conv(&shape, 3);
    }
}

#[test]
fn dense_equals_its_twin_at_awkward_sizes() {
    for n in [1, 2, 5, 13, 14, 40] {
        for inputs in [1, 3, 16, 33, 130] {
            for units in [1, 2, 7, 8, 10, 16, 17, 31, 33, 65] {
                check_dense(n, DenseShape { inputs, units });
            }
        }
    }
}

fn check_dense(n: usize, shape: DenseShape) {
    let mut stream = Stream::new(3, Purpose::Sample, n as u32, shape.inputs as u32);
    let x = values(&mut stream, n * shape.inputs);
    let w = values(&mut stream, shape.inputs * shape.units);
    let bias = values(&mut stream, shape.units);
    let dy = values(&mut stream, n * shape.units);
    let y_want = naive::dense_forward(&shape, n, &x, &w, &bias);
    let dx_want = naive::dense_input_gradient(&shape, n, &dy, &w);
    let (dw_want, db_want) = naive::dense_weight_gradient(&shape, n, &x, &dy);
    for isa in Isa::available() {
        let what = |part: &str| format!("{isa} {n} x {shape:?} {part}");
        let mut forward = DenseWeights::forward(isa, &shape);
        forward.pack_forward(&w);
        let mut y = vec![f32::NAN; n * shape.units];
        dense_forward(isa, &shape, &x, &forward, &bias, false, &mut y);
        assert_close(&what("y"), &y, &y_want);
        let mut gradient = DenseWeights::gradient(isa, &shape);
        gradient.pack_gradient(&w);
        let mut dx = vec![f32::NAN; n * shape.inputs];
        dense_input_gradient(isa, &shape, &dy, &gradient, &mut dx);
        assert_close(&what("dx"), &dx, &dx_want);
        let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; shape.units]);
        dense_weight_gradient(isa, &shape, &x, &dy, &mut dw, &mut db);
        assert_close(&what("dw"), &dw, &dw_want);
        assert_close(&what("db"), &db, &db_want);
        check_dense_blocks(isa, &shape, &x, &w, &dy);
    }
}

/// The last columns of a forward pass and the last rows of a weight gradient have the bits of the whole.
fn check_dense_blocks(isa: Isa, shape: &DenseShape, x: &[f32], w: &[f32], dy: &[f32]) {
    let (n, units) = (x.len() / shape.inputs, shape.units);
    let mut all = DenseWeights::forward(isa, shape);
    all.pack_forward(w);
    let mut y = vec![0.0; n * units];
    dense_forward(isa, shape, x, &all, &[], false, &mut y);
    let columns = units.div_ceil(2);
    let block = DenseShape { units: columns, ..*shape };
    let mut some = DenseWeights::forward(isa, &block);
    some.pack_forward_columns(w, units, units - columns);
    let mut part = vec![f32::NAN; n * columns];
    dense_forward(isa, &block, x, &some, &[], false, &mut part);
    for (part, y) in part.chunks(columns).zip(y.chunks(units)) {
        assert_eq!(part, &y[units - columns..], "{isa} {n} x {shape:?}");
    }
    let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; units]);
    dense_weight_gradient(isa, shape, x, dy, &mut dw, &mut db);
    let first = shape.inputs / 2;
    let mut rows = vec![0.0; (shape.inputs - first) * units];
    dense_weight_gradient_rows(isa, shape, x, dy, first, &mut rows);
    assert_eq!(rows, &dw[first * units..], "{isa} {n} x {shape:?}");
}

#[test]
fn a_sample_has_the_same_bits_alone_and_in_company() {
    let shape = ConvShape {
        height: 9,
        width: 10,
        channels: 3,
        filters: 20,
        kernel: (3, 3),
        stride: (1, 1),
        pad: Pad { top: 1, bottom: 1, left: 1, right: 1 },
    };
    let dense = DenseShape { inputs: 50, units: 11 };
    let mut stream = Stream::new(5, Purpose::Sample, 0, 0);
    let (x, w) = (values(&mut stream, 7 * shape.input_len()), values(&mut stream, shape.weights_len()));
    let (dx, dw) = (values(&mut stream, 30 * dense.inputs), values(&mut stream, dense.inputs * dense.units));
    for isa in Isa::available() {
        let mut scratch = vec![0.0; shape.forward_scratch_len()];
        let mut forward = ForwardWeights::new(isa, &shape);
        forward.pack(&w);
        let (mut all, mut one) = (vec![0.0; 7 * shape.output_len()], vec![0.0; shape.output_len()]);
        conv_forward(isa, &shape, &x, &forward, &[], false, &mut all, &mut scratch);
        conv_forward(
            isa,
            &shape,
            &x[4 * shape.input_len()..][..shape.input_len()],
            &forward,
            &[],
            false,
            &mut one,
            &mut scratch,
        );
        assert_eq!(one, all[4 * shape.output_len()..][..shape.output_len()], "{isa} convolution");

        let mut forward = DenseWeights::forward(isa, &dense);
        forward.pack_forward(&dw);
        let (mut all, mut one) = (vec![0.0; 30 * dense.units], vec![0.0; dense.units]);
        dense_forward(isa, &dense, &dx, &forward, &[], false, &mut all);
        dense_forward(isa, &dense, &dx[29 * dense.inputs..], &forward, &[], false, &mut one);
        assert_eq!(one, all[29 * dense.units..], "{isa} dense");
    }
}
