//! Winograd's convolution against the naive twin, for every instruction set, at sizes on both sides of tiles and
//! blocks.

use glyphnet_kernels::random::{Purpose, Stream};
use glyphnet_kernels::reference::matrix as naive;
use glyphnet_kernels::{ConvShape, Isa, Pad, WinogradWeights, winograd_fits, winograd_forward, winograd_scratch_len};

fn values(stream: &mut Stream, n: usize) -> Vec<f32> {
    (0..n).map(|_| stream.uniform(-1.0, 1.0) as f32).collect()
}

/// Largest error over the largest value (at least 1, the size of a term): the transforms' coefficients of up to 8 cost
/// about ten times the rounding of a direct sum.
fn check(shape: &ConvShape, n: usize) {
    let mut stream = Stream::new(23, Purpose::Sample, shape.width as u32, shape.channels as u32);
    let x = values(&mut stream, n * shape.input_len());
    let w = values(&mut stream, shape.weights_len());
    let bias = values(&mut stream, shape.filters);
    let want = naive::conv_forward(shape, n, &x, &w, &bias);
    let scale = want.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
    for isa in Isa::available() {
        let mut weights = WinogradWeights::new(isa, shape);
        weights.pack(isa, &w);
        let mut scratch = vec![f32::NAN; winograd_scratch_len(shape)];
        for relu in [false, true] {
            let mut y = vec![f32::NAN; want.len()];
            winograd_forward(isa, shape, &x, &weights, &bias, relu, &mut y, &mut scratch);
            for (i, (got, want)) in y.iter().zip(&want).enumerate() {
                let want = if relu { want.max(0.0) } else { *want };
                let error = (f64::from(*got) - want).abs();
                assert!(error <= 2e-5 * scale, "{isa} {shape:?} y[{i}]: {got} is not {want} (scale {scale})");
            }
        }
    }
}

#[test]
fn equals_the_direct_convolution() {
    let pads = [Pad::NONE, Pad { top: 1, bottom: 1, left: 1, right: 1 }, Pad { top: 0, bottom: 2, left: 3, right: 0 }];
    for pad in pads {
        for (height, width) in [(3, 3), (4, 7), (6, 6), (9, 10), (26, 26), (17, 30)] {
            for (channels, filters) in [(1, 1), (3, 5), (16, 16), (17, 33), (64, 32)] {
                let shape = ConvShape { height, width, channels, filters, kernel: (3, 3), stride: (1, 1), pad };
                assert!(winograd_fits(&shape));
                check(&shape, 2);
            }
        }
    }
}

#[test]
fn only_three_by_three_with_stride_one_fits() {
    let shape =
        ConvShape { height: 9, width: 9, channels: 2, filters: 2, kernel: (3, 3), stride: (1, 1), pad: Pad::NONE };
    assert!(winograd_fits(&shape));
    assert!(!winograd_fits(&ConvShape { kernel: (5, 5), ..shape }));
    assert!(!winograd_fits(&ConvShape { stride: (2, 1), ..shape }));
    assert!(!winograd_fits(&ConvShape { height: 2, ..shape }));
}
