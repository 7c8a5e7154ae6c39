//! Pooling against its naive twin at odd shapes, and its rules for ties, padding and NaN.

#[path = "common/mod.rs"]
mod common;

use common::{assert_close, assert_same, each_isa, panic_message, values};
use glyphnet_kernels::{
    Isa, Pad, PoolShape, avg_pool_backward, avg_pool_forward, global_avg_pool_backward, global_avg_pool_forward,
    max_pool_backward, max_pool_forward, max_pool_inference, reference::pool as naive,
};

const CHANNELS: [usize; 9] = [1, 3, 7, 8, 15, 16, 17, 33, 64];

fn shapes() -> Vec<PoolShape> {
    let base = PoolShape { height: 6, width: 6, channels: 1, window: (2, 2), stride: (2, 2), pad: Pad::NONE };
    let same = |s: PoolShape| PoolShape { pad: Pad::same((s.height, s.width), s.window, s.stride), ..s };
    let geometries = [
        base,
        PoolShape { height: 7, width: 5, ..base },
        PoolShape { height: 7, width: 9, window: (3, 3), ..base },
        PoolShape { height: 5, width: 4, window: (3, 2), stride: (1, 1), ..base },
        PoolShape { height: 5, width: 8, window: (1, 3), stride: (3, 2), ..base },
        PoolShape { height: 4, width: 3, window: (4, 3), stride: (1, 1), ..base },
        same(PoolShape { height: 7, width: 6, window: (3, 3), ..base }),
        same(PoolShape { height: 5, width: 5, window: (2, 2), stride: (1, 1), ..base }),
        PoolShape { window: (3, 4), pad: Pad { top: 2, bottom: 1, left: 0, right: 3 }, ..base },
        PoolShape { height: 1, width: 1, window: (3, 3), pad: Pad { top: 1, bottom: 2, left: 2, right: 1 }, ..base },
    ];
    CHANNELS.iter().flat_map(|&channels| geometries.map(|shape| PoolShape { channels, ..shape })).collect()
}

#[test]
fn max_pooling_equals_its_twin() {
    for shape in shapes() {
        let (n_in, n_out) = (3 * shape.input_len(), 3 * shape.output_len());
        // Few different values, so that there are many ties.
        let x: Vec<f32> = values(1, n_in, 3.0).iter().map(|v| v.round()).collect();
        let dy = values(2, n_out, 1.0);
        let (mut want, mut want_at, mut want_dx) = (vec![0.0; n_out], vec![0; n_out], vec![0.0; n_in]);
        naive::max_pool_forward(&shape, &x, &mut want, &mut want_at);
        naive::max_pool_backward(&shape, &dy, &want_at, &mut want_dx);
        each_isa(|isa| {
            let what = format!("{isa} {shape:?}");
            let (mut y, mut at, mut dx) = (vec![f32::NAN; n_out], vec![u32::MAX; n_out], vec![f32::NAN; n_in]);
            max_pool_forward(isa, &shape, &x, &mut y, &mut at);
            assert_same(&what, &y, &want);
            assert_eq!(at, want_at, "{what}");
            max_pool_backward(isa, &shape, &dy, &at, &mut dx);
            assert_same(&what, &dx, &want_dx);
            y.fill(f32::NAN);
            max_pool_inference(isa, &shape, &x, &mut y);
            assert_same(&what, &y, &want);
        });
    }
}

#[test]
fn average_pooling_equals_its_twin() {
    for shape in shapes() {
        let (n_in, n_out) = (3 * shape.input_len(), 3 * shape.output_len());
        let (x, dy) = (values(3, n_in, 2.0), values(4, n_out, 2.0));
        let (mut want, mut want_dx) = (vec![0.0; n_out], vec![0.0; n_in]);
        naive::avg_pool_forward(&shape, &x, &mut want);
        naive::avg_pool_backward(&shape, &dy, &mut want_dx);
        each_isa(|isa| {
            let what = format!("{isa} {shape:?}");
            let (mut y, mut dx) = (vec![f32::NAN; n_out], vec![f32::NAN; n_in]);
            avg_pool_forward(isa, &shape, &x, &mut y);
            assert_close(&what, &y, &want, 0.0, 1e-6);
            avg_pool_backward(isa, &shape, &dy, &mut dx);
            assert_same(&what, &dx, &want_dx);
        });
    }
}

#[test]
fn global_average_pooling_equals_its_twin() {
    for channels in CHANNELS {
        for pixels in [1, 2, 7, 49, 63, 64, 65, 784] {
            let (x, dy) = (values(5, 2 * pixels * channels, 2.0), values(6, 2 * channels, 2.0));
            let (mut want, mut want_dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
            naive::global_avg_pool_forward(pixels, channels, &x, &mut want);
            naive::global_avg_pool_backward(pixels, channels, &dy, &mut want_dx);
            each_isa(|isa| {
                let what = format!("{isa} {pixels} pixels, {channels} channels");
                let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
                global_avg_pool_forward(isa, pixels, channels, &x, &mut y);
                assert_close(&what, &y, &want, 0.0, 1e-6);
                global_avg_pool_backward(isa, pixels, channels, &dy, &mut dx);
                assert_same(&what, &dx, &want_dx);
            });
        }
    }
}

#[test]
fn the_first_of_equals_wins_and_padding_never() {
    let shape = PoolShape {
        height: 2,
        width: 2,
        channels: 1,
        window: (3, 3),
        stride: (1, 1),
        pad: Pad { top: 1, bottom: 1, left: 1, right: 1 },
    };
    each_isa(|isa| {
        let (mut y, mut at) = ([0.0; 4], [9; 4]);
        max_pool_forward(isa, &shape, &[-5.0, -2.0, -2.0, -7.0], &mut y, &mut at);
        assert_eq!((y, at), ([-2.0; 4], [1; 4]), "{isa}: negative values beat the zeros of the padding");
        max_pool_forward(isa, &shape, &[f32::NEG_INFINITY; 4], &mut y, &mut at);
        assert_eq!((y, at), ([f32::NEG_INFINITY; 4], [0; 4]), "{isa}");
        max_pool_forward(isa, &shape, &[1.0, f32::NAN, f32::INFINITY, f32::NAN], &mut y, &mut at);
        assert!(y.iter().all(|v| v.is_nan()) && at == [1; 4], "{isa}: the first NaN wins, got {y:?} at {at:?}");
        let mut mean = [0.0; 4];
        avg_pool_forward(isa, &shape, &[1.0, 2.0, 3.0, 6.0], &mut mean);
        assert_eq!(mean, [3.0; 4], "{isa}: the mean of four real pixels, not of nine");
    });
}

#[test]
fn a_sample_does_not_depend_on_its_neighbours() {
    for shape in shapes() {
        let x = values(7, 3 * shape.input_len(), 2.0);
        each_isa(|isa| {
            let (mut all, mut one) = (vec![0.0; 3 * shape.output_len()], vec![0.0; shape.output_len()]);
            avg_pool_forward(isa, &shape, &x, &mut all);
            avg_pool_forward(isa, &shape, &x[shape.input_len()..2 * shape.input_len()], &mut one);
            assert_same("average", &one, &all[shape.output_len()..2 * shape.output_len()]);
        });
    }
}

#[test]
fn misuse_is_named() {
    let shape = PoolShape { height: 4, width: 4, channels: 2, window: (2, 2), stride: (2, 2), pad: Pad::NONE };
    let message = panic_message(|| max_pool_inference(Isa::SCALAR, &shape, &[0.0; 32], &mut [0.0; 7]));
    assert!(message.contains("32 input and 7 output values"), "{message}");
    let deep = PoolShape { pad: Pad { top: 2, ..Pad::NONE }, ..shape };
    let message = panic_message(move || avg_pool_forward(Isa::SCALAR, &deep, &[0.0; 32], &mut [0.0; 12]));
    assert!(message.contains("wholly in the padding"), "{message}");
    let large = PoolShape { window: (5, 5), ..shape };
    let message = panic_message(move || avg_pool_forward(Isa::SCALAR, &large, &[0.0; 32], &mut []));
    assert!(message.contains("no window fits"), "{message}");
}
