//! Winograd's convolution against the naive twin, for every instruction set, at sizes on both sides of tiles and
//! blocks.

use glyphnet_kernels::random::{Purpose, Stream};
use glyphnet_kernels::reference::matrix as naive;
use glyphnet_kernels::{
    ConvPool, ConvShape, Isa, Pad, PoolShape, WinogradWeights, add_winograd_gradient, max_pool_forward, winograd_fits,
    winograd_forward, winograd_gathered_len, winograd_gradient_fits, winograd_input_gradient, winograd_pooled_forward,
    winograd_scratch_len, winograd_weight_gradient,
};

fn values(stream: &mut Stream, n: usize) -> Vec<f32> {
    (0..n).map(|_| stream.uniform(-1.0, 1.0) as f32).collect()
}

/// Largest error over the largest value (at least 1, the size of a term): the transforms' coefficients of up to 8 cost
/// about ten times the rounding of a direct sum.
fn assert_near(what: &str, shape: &ConvShape, got: &[f32], want: &[f64]) {
    let scale = want.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*got) - want).abs();
        assert!(error <= 2e-5 * scale, "{what} {shape:?} [{i}]: {got} is not {want} (scale {scale})");
    }
}

fn check(shape: &ConvShape, n: usize) {
    let mut stream = Stream::new(23, Purpose::Sample, shape.width as u32, shape.channels as u32);
    let x = values(&mut stream, n * shape.input_len());
    let w = values(&mut stream, shape.weights_len());
    let bias = values(&mut stream, shape.filters);
    let want = naive::conv_forward(shape, n, &x, &w, &bias);
    for isa in Isa::available() {
        let mut weights = WinogradWeights::new(isa, shape);
        weights.pack(&w);
        let mut scratch = vec![f32::NAN; winograd_scratch_len(shape)];
        for relu in [false, true] {
            let mut y = vec![f32::NAN; want.len()];
            winograd_forward(isa, shape, &x, &weights, &bias, relu, &mut y, &mut scratch);
            let want: Vec<f64> = want.iter().map(|&v| if relu { v.max(0.0) } else { v }).collect();
            assert_near(&format!("{isa} y"), shape, &y, &want);
        }
    }
}

fn check_gradients(shape: &ConvShape, n: usize) {
    let mut stream = Stream::new(29, Purpose::Sample, shape.width as u32, shape.channels as u32);
    let x = values(&mut stream, n * shape.input_len());
    let w = values(&mut stream, shape.weights_len());
    let dy = values(&mut stream, n * shape.output_len());
    let want_dx = naive::conv_input_gradient(shape, n, &dy, &w);
    let (want_dw, want_db) = naive::conv_weight_gradient(shape, n, &x, &dy);
    for isa in Isa::available() {
        let mut scratch = vec![f32::NAN; winograd_scratch_len(shape)];
        if winograd_gradient_fits(shape) {
            let mut weights = WinogradWeights::for_input_gradient(isa, shape);
            weights.pack(&w);
            let mut dx = vec![f32::NAN; x.len()];
            winograd_input_gradient(isa, shape, &dy, &weights, &mut dx, &mut scratch);
            assert_near(&format!("{isa} dx"), shape, &dx, &want_dx);
        }
        let (mut dw, mut db) = (vec![1.0; w.len()], vec![2.0; shape.filters]);
        let mut gathered = vec![0.0; winograd_gathered_len(shape)];
        winograd_weight_gradient(isa, shape, &x, &dy, &mut gathered, &mut db, &mut scratch);
        add_winograd_gradient(isa, shape, &gathered, &mut dw);
        let want_dw: Vec<f64> = want_dw.iter().map(|v| v + 1.0).collect();
        let want_db: Vec<f64> = want_db.iter().map(|v| v + 2.0).collect();
        assert_near(&format!("{isa} dw"), shape, &dw, &want_dw);
        assert_near(&format!("{isa} db"), shape, &db, &want_db);
    }
}

/// Three samples, whose tiles share blocks; the input gradient is checked for all but the widest padding.
fn each_shape(check: fn(&ConvShape, usize)) {
    let pads = [
        Pad::NONE,
        Pad { top: 1, bottom: 1, left: 1, right: 1 },
        Pad { top: 0, bottom: 2, left: 1, right: 0 },
        Pad { top: 5, bottom: 0, left: 3, right: 7 },
    ];
    for pad in pads {
        for (height, width) in [(3, 3), (4, 7), (6, 6), (9, 10), (26, 26), (17, 30)] {
            for (channels, filters) in [(1, 1), (3, 5), (16, 16), (17, 33), (64, 32)] {
                let shape = ConvShape { height, width, channels, filters, kernel: (3, 3), stride: (1, 1), pad };
                assert!(winograd_fits(&shape));
                check(&shape, 3);
            }
        }
    }
}

/// Kernels of three taps in every phase; of some phases no pixel lies inside the image.
fn each_strided_shape(check: fn(&ConvShape, usize)) {
    let pads = [
        Pad { top: 1, bottom: 2, left: 1, right: 2 },
        Pad { top: 2, bottom: 3, left: 4, right: 3 },
        Pad { top: 5, bottom: 0, left: 3, right: 7 },
    ];
    let kernels = [((5, 5), (2, 2)), ((6, 5), (2, 2)), ((3, 6), (1, 2)), ((7, 9), (3, 3))];
    let mut gradients = 0;
    for (pad, (kernel, stride)) in pads.into_iter().flat_map(|pad| kernels.map(|kernel| (pad, kernel))) {
        for (height, width) in [(4, 1), (4, 7), (8, 8), (24, 24), (17, 30)] {
            for (channels, filters) in [(1, 1), (3, 5), (16, 16), (17, 33)] {
                let shape = ConvShape { height, width, channels, filters, kernel, stride, pad };
                if shape.output_len() == 0 {
                    continue;
                }
                assert!(winograd_fits(&shape));
                gradients += usize::from(winograd_gradient_fits(&shape));
                check(&shape, 2);
            }
        }
    }
    assert!(gradients > 100, "{gradients} shapes with an input gradient");
}

#[test]
fn strided_convolutions_are_sums_over_their_phases() {
    each_strided_shape(check);
}

#[test]
fn gradients_of_strided_convolutions_are_sums_over_their_phases() {
    each_strided_shape(check_gradients);
}

#[test]
fn only_kernels_with_three_taps_in_a_phase_fit() {
    let (height, width, channels, filters, pad) = (12, 12, 16, 16, Pad::NONE);
    for (kernel, stride, fits) in [
        ((3, 3), (1, 1), true),
        ((5, 5), (2, 2), true),
        ((3, 5), (1, 2), true),
        ((5, 5), (1, 1), false),
        ((4, 4), (2, 2), false),
        ((3, 3), (2, 2), false),
        ((7, 7), (2, 2), false),
    ] {
        let shape = ConvShape { height, width, channels, filters, kernel, stride, pad };
        assert_eq!(winograd_fits(&shape), fits, "{kernel:?} by {stride:?}");
        assert!(!winograd_fits(&ConvShape { height: 2, ..shape }), "larger than its input");
    }
}

#[test]
fn equals_the_direct_convolution() {
    each_shape(check);
}

#[test]
fn gradients_equal_those_of_the_direct_convolution() {
    each_shape(check_gradients);
}

#[test]
fn pooling_on_the_way_out_has_the_bits_of_pooling_afterwards() {
    for (height, width, channels, filters) in [(4, 4, 1, 1), (9, 10, 3, 5), (11, 7, 16, 20), (26, 26, 17, 33)] {
        let conv = ConvShape { height, width, channels, filters, kernel: (3, 3), stride: (1, 1), pad: Pad::NONE };
        let (height, width) = (conv.out_height(), conv.out_width());
        let pool = PoolShape { height, width, channels: filters, window: (2, 2), stride: (2, 2), pad: Pad::NONE };
        let mut stream = Stream::new(37, Purpose::Sample, 0, 0);
        let (x, w) = (values(&mut stream, 3 * conv.input_len()), values(&mut stream, conv.weights_len()));
        let bias = values(&mut stream, filters);
        for (isa, relu) in Isa::available().into_iter().flat_map(|isa| [(isa, false), (isa, true)]) {
            let mut weights = WinogradWeights::new(isa, &conv);
            weights.pack(&w);
            let mut scratch = vec![f32::NAN; winograd_scratch_len(&conv)];
            let mut z = vec![f32::NAN; 3 * conv.output_len()];
            winograd_forward(isa, &conv, &x, &weights, &bias, relu, &mut z, &mut scratch);
            let n = 3 * pool.output_len();
            let (mut want, mut want_argmax) = (vec![f32::NAN; n], vec![u32::MAX; n]);
            max_pool_forward(isa, &pool, &z, &mut want, &mut want_argmax);
            let shape = ConvPool { conv, pool, relu };
            let (mut y, mut argmax) = (vec![f32::NAN; n], vec![u32::MAX; n]);
            winograd_pooled_forward(isa, &shape, &x, &weights, &bias, &mut y, &mut argmax, &mut scratch);
            assert!(y.iter().zip(&want).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa} {shape:?}");
            assert_eq!(argmax, want_argmax, "{isa} {shape:?}");
            winograd_pooled_forward(isa, &shape, &x, &weights, &bias, &mut y, &mut [], &mut scratch);
            assert!(y.iter().zip(&want).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa} {shape:?}");
        }
    }
}

#[test]
fn a_sample_does_not_depend_on_its_companions() {
    let (channels, filters) = (16, 20);
    let shape = ConvShape { height: 9, width: 10, channels, filters, kernel: (3, 3), stride: (1, 1), pad: Pad::NONE };
    let mut stream = Stream::new(31, Purpose::Sample, 0, 0);
    let (x, w) = (values(&mut stream, 9 * shape.input_len()), values(&mut stream, shape.weights_len()));
    for isa in Isa::available() {
        let mut weights = WinogradWeights::new(isa, &shape);
        weights.pack(&w);
        let mut scratch = vec![f32::NAN; winograd_scratch_len(&shape)];
        let mut together = vec![f32::NAN; 9 * shape.output_len()];
        winograd_forward(isa, &shape, &x, &weights, &[], false, &mut together, &mut scratch);
        for (x, together) in x.chunks_exact(shape.input_len()).zip(together.chunks_exact(shape.output_len())) {
            let mut alone = vec![f32::NAN; shape.output_len()];
            winograd_forward(isa, &shape, x, &weights, &[], false, &mut alone, &mut scratch);
            assert!(alone.iter().zip(together).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa}");
        }
    }
}
