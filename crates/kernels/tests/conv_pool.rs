//! The sparse backward pass of convolution + relu + max-pooling against the dense one of the naive twins.

use glyphnet_kernels::random::{Purpose, Stream};
use glyphnet_kernels::reference::matrix as naive;
use glyphnet_kernels::{
    ConvPool, ConvShape, Isa, Pad, PoolShape, Pooled, PooledGradients, PooledWeights, add_filter_major,
    max_pool_forward, pooled_gradients,
};

fn values(stream: &mut Stream, n: usize) -> Vec<f32> {
    (0..n).map(|_| stream.uniform(-1.0, 1.0) as f32).collect()
}

fn assert_close(what: &str, got: &[f32], want: &[f64]) {
    let scale = want.iter().fold(1.0_f64, |m, w| m.max(w.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((f64::from(*g) - w).abs() <= 3e-6 * scale, "{what}[{i}]: {g} is not {w} (scale {scale})");
    }
}

fn check(conv: &ConvShape, window: (usize, usize), stride: (usize, usize)) {
    let mut stream = Stream::new(17, Purpose::Sample, conv.width as u32, conv.filters as u32);
    let x = values(&mut stream, conv.input_len());
    check_input(conv, window, stride, Pad::NONE, true, &x);
    check_input(conv, window, stride, Pad::NONE, false, &x);
    // Wide areas of one value, as the paper around a digit: every window there is a tie.
    let flat: Vec<f32> = x.iter().enumerate().map(|(i, &v)| if i % 37 == 0 { v } else { 0.25 }).collect();
    let pad = Pad { top: 1, bottom: 0, left: 1, right: 1 };
    check_input(conv, window, stride, pad, true, &flat);
}

fn check_input(conv: &ConvShape, window: (usize, usize), stride: (usize, usize), pad: Pad, relu: bool, x: &[f32]) {
    let mut stream = Stream::new(18, Purpose::Sample, conv.width as u32, conv.filters as u32);
    let w = values(&mut stream, conv.weights_len());
    let least = if relu { 0.0 } else { f64::NEG_INFINITY };
    let z: Vec<f32> = naive::conv_forward(conv, 1, x, &w, &[]).iter().map(|&v| v.max(least) as f32).collect();
    let (height, width, channels) = (conv.out_height(), conv.out_width(), conv.filters);
    let pool = PoolShape { height, width, channels, window, stride, pad };
    let shape = ConvPool { conv: *conv, pool, relu };
    let (mut y, mut argmax) = (vec![0.0; pool.output_len()], vec![0; pool.output_len()]);
    max_pool_forward(Isa::SCALAR, &pool, &z, &mut y, &mut argmax);
    // Some gradients are zero.
    let dy: Vec<f32> = values(&mut stream, y.len()).iter().map(|&v| if v > 0.8 { 0.0 } else { v }).collect();
    let mut dz = vec![0.0; z.len()];
    for ((&y, &dy), &at) in y.iter().zip(&dy).zip(&argmax) {
        dz[at as usize] += if !relu || y > 0.0 { dy } else { 0.0 };
    }
    assert!(dz.iter().any(|&d| d != 0.0), "{conv:?} tests nothing");
    let dx_want = naive::conv_input_gradient(conv, 1, &dz, &w);
    let (dw_want, db_want) = naive::conv_weight_gradient(conv, 1, x, &dz);
    for isa in Isa::available() {
        let what = |part: &str| format!("{isa} {shape:?} {part}");
        let side = Pooled { y: &y, dy: &dy, argmax: &argmax };
        let mut scratch = vec![f32::NAN; shape.scratch_len()];
        let mut indices = vec![u32::MAX; shape.indices_len()];
        let (mut gathered, mut db) = (vec![0.0; w.len()], vec![0.5; conv.filters]);
        let mut packed = PooledWeights::new(isa, &shape);
        packed.pack(&w);
        let mut dx = vec![f32::NAN; x.len()];
        let gradients = PooledGradients { gathered: &mut gathered, db: &mut db, dx: Some((&packed, &mut dx)) };
        pooled_gradients(isa, &shape, x, side, gradients, &mut scratch, &mut indices);
        let mut dw = vec![0.25; w.len()];
        add_filter_major(conv, &gathered, &mut dw);
        assert_close(&what("dw"), &dw, &dw_want.iter().map(|v| v + 0.25).collect::<Vec<_>>());
        assert_close(&what("db"), &db, &db_want.iter().map(|v| v + 0.5).collect::<Vec<_>>());
        assert_close(&what("dx"), &dx, &dx_want);
    }
}

#[test]
fn sparse_gradients_equal_dense_ones() {
    let pads = [Pad::NONE, Pad { top: 1, bottom: 1, left: 1, right: 1 }, Pad { top: 2, bottom: 0, left: 0, right: 3 }];
    for pad in pads {
        for (channels, filters) in [(1, 1), (1, 5), (3, 16), (16, 33), (33, 8), (64, 32)] {
            for (kernel, stride) in [((3, 3), (1, 1)), ((1, 1), (1, 1)), ((5, 2), (1, 1)), ((3, 3), (2, 1))] {
                let shape = ConvShape { height: 9, width: 11, channels, filters, kernel, stride, pad };
                check(&shape, (2, 2), (2, 2));
                check(&shape, (3, 2), (1, 2));
            }
        }
    }
}

#[test]
fn windows_as_wide_as_the_image_are_told_apart_and_wider_ones_do_not_fit() {
    for (side, window, stride) in [(2, 2, 2), (3, 3, 2), (4, 3, 2), (3, 2, 1)] {
        for filters in [5, 16, 17] {
            let (size, pad) = (side + 2, Pad::NONE);
            let conv =
                ConvShape { height: size, width: size, channels: 2, filters, kernel: (3, 3), stride: (1, 1), pad };
            let x = values(&mut Stream::new(19, Purpose::Sample, side as u32, filters as u32), conv.input_len());
            for pad in [Pad { top: 1, bottom: 1, left: 1, right: 1 }, Pad { top: 0, bottom: 1, left: 0, right: 1 }] {
                check_input(&conv, (window, window), (stride, stride), pad, true, &x);
                check_input(&conv, (window, window), (stride, stride), pad, false, &x);
            }
            let pool = PoolShape {
                height: side,
                width: side,
                channels: filters,
                window: (1, side + 1),
                stride: (1, 1),
                pad: Pad { top: 0, bottom: 0, left: 1, right: 0 },
            };
            assert!(!ConvPool { conv, pool, relu: true }.fits());
        }
    }
}
