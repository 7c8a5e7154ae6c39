//! Elementwise helpers and reductions against their naive twins.

#[path = "common/mod.rs"]
mod common;

use common::{SIZES, assert_same, each_isa, panic_message, values};
use glyphnet_kernels::{
    Isa, add_in_place, clip_in_place, reference::elementwise as naive, scale_in_place, sum_chunks, sum_of_squares,
};

#[test]
fn maps_equal_their_twins_to_the_bit() {
    each_isa(|isa| {
        for n in SIZES {
            let what = format!("{isa} {n}");
            let (x, src) = (values(1, n, 4.0), values(2, n, 4.0));
            let (mut want, mut got) = (x.clone(), x.clone());
            naive::add_in_place(&mut want, &src);
            add_in_place(isa, &mut got, &src);
            assert_same(&what, &got, &want);
            naive::scale_in_place(&mut want, 0.3);
            scale_in_place(isa, &mut got, 0.3);
            assert_same(&what, &got, &want);
            naive::clip_in_place(&mut want, 0.7);
            clip_in_place(isa, &mut got, 0.7);
            assert_same(&what, &got, &want);
        }
        let mut special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5, -0.0];
        clip_in_place(isa, &mut special, 2.0);
        assert_same("special", &special, &[f32::NAN, 2.0, -2.0, 0.5, -0.0]);
    });
}

#[test]
fn chunks_are_added_in_order() {
    each_isa(|isa| {
        for n in SIZES {
            let parts: Vec<Vec<f32>> = (0..5).map(|tag| values(10 + tag, n, 4.0)).collect();
            for count in 0..=5 {
                let parts: Vec<&[f32]> = parts[..count].iter().map(Vec::as_slice).collect();
                let (mut want, mut got) = (vec![f32::NAN; n], vec![f32::NAN; n]);
                naive::sum_chunks(&mut want, &parts);
                sum_chunks(isa, &mut got, &parts);
                assert_same(&format!("{isa} {n} x {count}"), &got, &want);
            }
        }
        // 1e8 + 1 is 1e8 in f32: the order shows.
        let mut sum = [0.0];
        sum_chunks(isa, &mut sum, &[&[1e8], &[-1e8], &[1.0]]);
        assert_eq!(sum, [1.0], "{isa}");
        sum_chunks(isa, &mut sum, &[&[1e8], &[1.0], &[-1e8]]);
        assert_eq!(sum, [0.0], "{isa}");
    });
}

#[test]
fn the_sum_of_squares_is_right_at_any_length() {
    each_isa(|isa| {
        for n in SIZES.into_iter().chain([4095, 4096, 4097, 10_000, 100_003]) {
            let x = values(3, n, 4.0);
            let (want, got) = (naive::sum_of_squares(&x), sum_of_squares(isa, &x));
            assert!((got - want).abs() <= 1e-6 * want, "{isa} {n}: {got} is not {want}");
            assert_eq!(got.to_bits(), sum_of_squares(isa, &x).to_bits());
        }
        assert!(sum_of_squares(isa, &[1.0, f32::NAN]).is_nan(), "{isa}");
    });
}

#[test]
fn misuse_is_named() {
    let message = panic_message(|| add_in_place(Isa::SCALAR, &mut [0.0; 2], &[0.0; 3]));
    assert!(message.contains("2 values += 3"), "{message}");
    let message = panic_message(|| sum_chunks(Isa::SCALAR, &mut [0.0; 2], &[&[0.0; 2], &[0.0; 1]]));
    assert!(message.contains("part 1 has 1 values"), "{message}");
    let message = panic_message(|| clip_in_place(Isa::SCALAR, &mut [0.0], f32::NAN));
    assert!(message.contains("not a size"), "{message}");
}
