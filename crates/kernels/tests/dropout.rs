//! Dropout: the mask is exactly its naive twin's on every instruction set, depends on every coordinate, and keeps the
//! share that it should.

#[path = "common/mod.rs"]
mod common;

use common::{SIZES, assert_same, each_isa, panic_message, values};
use glyphnet_kernels::{Isa, dropout_backward, dropout_forward, reference::dropout as naive};

const RATES: [f32; 6] = [0.0, 0.1, 0.25, 0.4, 0.5, 0.9];

#[test]
fn masks_equal_their_twin_to_the_bit_and_forward_is_backward() {
    for rate in RATES {
        for n in SIZES.into_iter().chain([127, 128, 129, 128 + 16, 1000]) {
            let x = values(1, n, 2.0);
            let mut want = vec![0.0; n];
            naive::dropout_forward(rate, 77, 1 << 40 | 3, 5, &x, &mut want);
            each_isa(|isa| {
                let (mut y, mut dx) = (vec![f32::NAN; n], vec![f32::NAN; n]);
                dropout_forward(isa, rate, 77, 1 << 40 | 3, 5, &x, &mut y);
                assert_same(&format!("{isa} rate {rate} n {n}"), &y, &want);
                dropout_backward(isa, rate, 77, 1 << 40 | 3, 5, &x, &mut dx);
                assert_same(&format!("{isa} rate {rate} n {n} backward"), &dx, &want);
            });
        }
    }
}

fn mask(seed: u64, position: u64, sample: u32, n: usize) -> Vec<bool> {
    let mut y = vec![0.0; n];
    dropout_forward(Isa::detect(), 0.5, seed, position, sample, &vec![1.0; n], &mut y);
    y.iter().map(|&v| v != 0.0).collect()
}

#[test]
fn every_coordinate_changes_the_mask() {
    let n = 10_000;
    let base = mask(1, 2, 3, n);
    assert_eq!(base, mask(1, 2, 3, n));
    assert_eq!(base[..100], mask(1, 2, 3, 100), "a longer sample begins like a shorter one");
    for other in [mask(2, 2, 3, n), mask(1, 3, 3, n), mask(1, 2 + (1 << 32), 3, n), mask(1, 2, 4, n)] {
        let agree = base.iter().zip(&other).filter(|(a, b)| a == b).count();
        // Independent fair coins agree 5000 +- 50 times; five standard deviations.
        assert!((4750..=5250).contains(&agree), "{agree} of {n} agree");
    }
    // Neighbours and the eight draws of a block are independent too.
    for lag in [1, 2, 8, 16, 32, 64, 112, 128] {
        let agree = base.iter().zip(&base[lag..]).filter(|(a, b)| a == b).count() as f64;
        let pairs = (n - lag) as f64;
        assert!((agree - pairs / 2.0).abs() < 2.5 * pairs.sqrt(), "lag {lag}: {agree} of {pairs} agree");
    }
}

#[test]
fn the_kept_share_and_the_mean_are_right() {
    for rate in RATES {
        let n = 1_000_000;
        let mut y = vec![0.0; n];
        dropout_forward(Isa::detect(), rate, 9, 0, 0, &vec![1.0; n], &mut y);
        let kept = y.iter().filter(|v| **v != 0.0).count() as f64 / n as f64;
        let keep = 1.0 - f64::from(rate);
        assert!(
            (kept - keep).abs() <= 5.0 * (keep * (1.0 - keep) / n as f64).sqrt() + 1e-5,
            "rate {rate}: kept {kept}"
        );
        assert!(y.iter().all(|v| *v == 0.0 || (f64::from(*v) - 1.0 / keep).abs() < 1e-6 / keep));
    }
}

#[test]
fn a_dropped_nan_is_dropped() {
    each_isa(|isa| {
        let mut y = [1.0; 200];
        dropout_forward(isa, 0.5, 1, 1, 1, &[f32::NAN; 200], &mut y);
        let nans = y.iter().filter(|v| v.is_nan()).count();
        assert!(y.iter().all(|v| v.is_nan() || *v == 0.0) && (50..150).contains(&nans), "{isa}: {nans}");
    });
}

#[test]
fn misuse_is_named() {
    let message = panic_message(|| dropout_forward(Isa::SCALAR, 1.0, 0, 0, 0, &[0.0], &mut [0.0]));
    assert!(message.contains("rate 1 is not in [0, 1)"), "{message}");
    let message = panic_message(|| dropout_forward(Isa::SCALAR, 0.5, 0, 0, 0, &[0.0], &mut []));
    assert!(message.contains("1 values in, 0 out"), "{message}");
}
