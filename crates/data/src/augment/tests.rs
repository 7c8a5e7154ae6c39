//! Configuration, draws, and what a warp must do whatever the reference says.

use super::*;

const SHAPE: ImageShape = ImageShape { height: 28, width: 28, channels: 1 };

fn everything() -> AugmentConfig {
    AugmentConfig {
        rotation: 10.0,
        width_shift: 0.1,
        height_shift: 3.0,
        shear: 5.0,
        zoom: 0.2,
        horizontal_flip: true,
        vertical_flip: true,
        brightness: Some([0.5, 1.5]),
        channel_shift: 20.0,
        erase: 0.5,
        ..AugmentConfig::default()
    }
}

fn picture(shape: ImageShape) -> Vec<u8> {
    (0..shape.len()).map(|i| (i * i * 7 + i * 31) as u8).collect()
}

fn applied(config: &AugmentConfig, shape: ImageShape, draw: &Draw) -> Vec<f32> {
    let mut output = vec![f32::NAN; shape.len()];
    Augmenter::new(config, shape, 0, Isa::detect()).unwrap().apply(draw, &picture(shape), &mut output);
    output
}

fn as_floats(pixels: &[u8]) -> Vec<f32> {
    pixels.iter().map(|&pixel| f32::from(pixel)).collect()
}

#[test]
fn a_recipe_table_reads_with_defaults_and_refuses_unknown_keys() {
    let config: AugmentConfig = toml::from_str("rotation = 10.0\nzoom = 0.1\nfill = \"reflect\"").unwrap();
    assert_eq!(config, AugmentConfig { rotation: 10.0, zoom: 0.1, fill: Fill::Reflect, ..AugmentConfig::default() });
    let config: AugmentConfig = toml::from_str("brightness = [0.5, 1.5]\nwidth_shift = 2").unwrap();
    assert_eq!(config.brightness, Some([0.5, 1.5]));
    assert_eq!(config.width_shift, 2.0);
    let error = toml::from_str::<AugmentConfig>("rotate = 10.0").unwrap_err().to_string();
    assert!(error.contains("unknown field `rotate`"), "{error}");
    for config in [everything(), AugmentConfig::default()] {
        assert_eq!(toml::from_str::<AugmentConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let message = |config: AugmentConfig| Augmenter::new(&config, SHAPE, 0, Isa::detect()).unwrap_err().to_string();
    let base = AugmentConfig::default;
    let cases = [
        (AugmentConfig { rotation: -1.0, ..base() }, "augment.rotation = -1: must be from 0 to 180 degrees"),
        (AugmentConfig { rotation: f32::NAN, ..base() }, "augment.rotation = NaN: must be"),
        (AugmentConfig { width_shift: 29.0, ..base() }, "augment.width_shift = 29: must be a fraction"),
        (AugmentConfig { height_shift: -0.1, ..base() }, "augment.height_shift = -0.1: must be a fraction"),
        (AugmentConfig { shear: 90.0, ..base() }, "augment.shear = 90: must be"),
        (AugmentConfig { zoom: 1.0, ..base() }, "augment.zoom = 1: must be from 0 to below 1"),
        (AugmentConfig { brightness: Some([1.5, 0.5]), ..base() }, "augment.brightness = [1.5, 0.5]: must be"),
        (AugmentConfig { brightness: Some([0.5, f32::INFINITY]), ..base() }, "augment.brightness = [0.5, inf]: must"),
        (AugmentConfig { channel_shift: 256.0, ..base() }, "augment.channel_shift = 256: must be from 0 to 255"),
        (AugmentConfig { erase: 1.5, ..base() }, "augment.erase = 1.5: must be a share"),
        (AugmentConfig { erase_area: [0.3, 0.2], ..base() }, "augment.erase_area = [0.3, 0.2]: must be [smallest"),
        (AugmentConfig { erase_aspect: [0.0, 1.0], ..base() }, "augment.erase_aspect = [0, 1]: must be [smallest"),
        (AugmentConfig { erase_value: -1.0, ..base() }, "augment.erase_value = -1: must be from 0 to 255"),
        (AugmentConfig { fill_value: f32::NAN, ..base() }, "augment.fill_value = NaN: must be from 0 to 255"),
    ];
    for (config, start) in cases {
        let message = message(config);
        assert!(message.starts_with(start), "`{message}` should start with `{start}`");
    }
    for shape in [(0, 28, 1), (28, 0, 1), (28, 28, 0), (1, 5_000_000, 1), (65_536, 65_536, 1), (2, 2, usize::MAX)] {
        let shape = ImageShape { height: shape.0, width: shape.1, channels: shape.2 };
        assert!(
            matches!(Augmenter::new(&base(), shape, 0, Isa::detect()), Err(AugmentError::Shape { .. })),
            "{shape:?}"
        );
    }
}

#[test]
fn draws_depend_on_seed_epoch_and_image_alone() {
    let augmenter = Augmenter::new(&everything(), SHAPE, 7, Isa::detect()).unwrap();
    let forwards: Vec<Draw> = (0..100).map(|image| augmenter.draw(3, image)).collect();
    let mut backwards: Vec<Draw> = (0..100).rev().map(|image| augmenter.draw(3, image)).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert_ne!(augmenter.draw(3, 5), augmenter.draw(4, 5));
    assert_ne!(augmenter.draw(3, 5), augmenter.draw(3, 6));
    assert_ne!(augmenter.draw(3, 5), Augmenter::new(&everything(), SHAPE, 8, Isa::detect()).unwrap().draw(3, 5));
}

#[test]
fn switching_one_setting_off_changes_no_other_draw() {
    let full = Augmenter::new(&everything(), SHAPE, 7, Isa::detect()).unwrap().draw(0, 0);
    let config = AugmentConfig { rotation: 0.0, horizontal_flip: false, brightness: None, ..everything() };
    let part = Augmenter::new(&config, SHAPE, 7, Isa::detect()).unwrap().draw(0, 0);
    assert_eq!(part, Draw { theta: 0.0, flip_horizontal: false, brightness: 1.0, ..full });
    let none = Augmenter::new(&AugmentConfig::default(), SHAPE, 7, Isa::detect()).unwrap();
    assert!((0..50).all(|image| none.draw(1, image) == Draw::IDENTITY));
}

/// Each part is uniform over its range: the extremes, the mean and the variance of 20,000 draws.
#[test]
fn draws_are_uniform_over_their_ranges() {
    let shape = ImageShape { height: 40, width: 20, channels: 3 };
    let augmenter = Augmenter::new(&everything(), shape, 11, Isa::detect()).unwrap();
    let draws: Vec<Draw> = (0..20_000).map(|i| augmenter.draw(i % 4, i)).collect();
    type Part = (&'static str, f64, f64, fn(&Draw) -> f64);
    let parts: [Part; 8] = [
        ("theta", -10.0, 10.0, |draw| draw.theta),
        ("tx", -2.0, 2.0, |draw| draw.tx), // a tenth of 20 columns
        ("ty", -3.0, 3.0, |draw| draw.ty), // pixels
        ("shear", -5.0, 5.0, |draw| draw.shear),
        ("zoom_x", 0.8, 1.2, |draw| draw.zoom_x),
        ("zoom_y", 0.8, 1.2, |draw| draw.zoom_y),
        ("channel_shift", -20.0, 20.0, |draw| draw.channel_shift.into()),
        ("brightness", 0.5, 1.5, |draw| draw.brightness.into()),
    ];
    let n = draws.len() as f64;
    for (name, low, high, part) in parts {
        // Scaled to 0..1: mean 1/2 and variance 1/12, five standard errors allowed.
        let values: Vec<f64> = draws.iter().map(|draw| (part(draw) - low) / (high - low)).collect();
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        assert!((mean - 0.5).abs() < 5.0 * (1.0_f64 / 12.0 / n).sqrt(), "{name}: mean {mean}");
        assert!((variance - 1.0 / 12.0).abs() < 5.0 * (1.0_f64 / 180.0 / n).sqrt(), "{name}: variance {variance}");
        // Settings are `f32`, so a range may be wider than written here by its rounding.
        assert!(values.iter().all(|value| (-1e-6..1.0 + 1e-6).contains(value)), "{name} leaves its range");
        let (least, most) = values.iter().fold((1.0, 0.0), |(a, b), &v| (f64::min(a, v), f64::max(b, v)));
        assert!(least < 0.001 && most > 0.999, "{name}: {least}..{most} is less than its range");
    }
    let correlation = |a: fn(&Draw) -> f64, b: fn(&Draw) -> f64| draws.iter().map(|d| a(d) * b(d)).sum::<f64>() / n;
    assert!(correlation(|d| d.zoom_x * 5.0 - 5.0, |d| d.zoom_y * 5.0 - 5.0).abs() < 5.0 / 3.0 / n.sqrt());
    let flips: [fn(&Draw) -> bool; 2] = [|draw| draw.flip_horizontal, |draw| draw.flip_vertical];
    for flip in flips {
        let share = draws.iter().filter(|&draw| flip(draw)).count() as f64 / n;
        assert!((share - 0.5).abs() < 5.0 * 0.5 / n.sqrt(), "{share} are flipped");
    }
}

#[test]
fn the_identity_gives_the_image_bit_for_bit() {
    for (height, width, channels) in [(28, 28, 1), (13, 17, 3), (1, 1, 1), (1, 70, 2), (5, 1, 4)] {
        let shape = ImageShape { height, width, channels };
        for fill in [Fill::Nearest, Fill::Constant, Fill::Reflect, Fill::Wrap] {
            let config = AugmentConfig { fill, ..AugmentConfig::default() };
            assert_eq!(applied(&config, shape, &Draw::IDENTITY), as_floats(&picture(shape)));
        }
    }
}

#[test]
fn flips_and_quarter_turns_move_pixels_without_changing_them() {
    let shape = ImageShape { height: 4, width: 4, channels: 3 };
    let (pixels, config) = (as_floats(&picture(shape)), AugmentConfig::default());
    let at = |row: usize, column: usize| &pixels[(row * 4 + column) * 3..][..3];
    let place = |f: &dyn Fn(usize, usize) -> (usize, usize)| -> Vec<f32> {
        let places = (0..4).flat_map(|row| (0..4).map(move |column| (row, column)));
        places.flat_map(|(row, column)| at(f(row, column).0, f(row, column).1).to_vec()).collect()
    };
    let left_right = Draw { flip_horizontal: true, ..Draw::IDENTITY };
    assert_eq!(applied(&config, shape, &left_right), place(&|row, column| (row, 3 - column)));
    let upside_down = Draw { flip_vertical: true, ..Draw::IDENTITY };
    assert_eq!(applied(&config, shape, &upside_down), place(&|row, column| (3 - row, column)));
    // A quarter turn counter-clockwise puts the right-hand column on top.
    for fill in [Fill::Nearest, Fill::Constant, Fill::Reflect, Fill::Wrap] {
        let config = AugmentConfig { fill, fill_value: 99.0, ..AugmentConfig::default() };
        let turned = applied(&config, shape, &Draw { theta: 90.0, ..Draw::IDENTITY });
        let expected = place(&|row, column| (column, 3 - row));
        let worst = turned.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "{fill:?}: off by {worst}");
    }
}

/// Whole-pixel shifts of one row show each fill mode as its documentation draws it.
#[test]
fn fill_modes_continue_the_row_as_documented() {
    let shape = ImageShape { height: 1, width: 4, channels: 1 };
    let row = as_floats(&picture(shape));
    let [a, b, c, d] = [row[0], row[1], row[2], row[3]];
    let k = 50.0;
    let cases = [
        (Fill::Nearest, [a, a, a, a], [d, d, d, d], [b, c, d, d]),
        (Fill::Constant, [k, k, k, k], [k, k, k, k], [b, c, d, k]),
        (Fill::Reflect, [d, c, b, a], [d, c, b, a], [b, c, d, d]),
        (Fill::Wrap, [a, b, c, d], [a, b, c, d], [b, c, d, a]),
    ];
    for (fill, before, after, by_one) in cases {
        let config = AugmentConfig { fill, fill_value: k, ..AugmentConfig::default() };
        for (tx, expected) in [(-4.0, before), (4.0, after), (1.0, by_one)] {
            let draw = Draw { tx, ..Draw::IDENTITY };
            assert_eq!(applied(&config, shape, &draw), expected, "{fill:?} by {tx}");
        }
    }
}

/// A channel of a colour image is warped as if it were alone, and a large image as accurately as a small one.
#[test]
fn channels_are_independent_and_precision_does_not_depend_on_size() {
    let (small, large) = ([5, 70, 1], [5, 70, 3]);
    let shape = |s: [usize; 3]| ImageShape { height: s[0], width: s[1], channels: s[2] };
    let draw = Draw { theta: 3.0, tx: 1.3, zoom_y: 0.9, flip_horizontal: true, ..Draw::IDENTITY };
    let grey: Vec<u8> = picture(shape(small));
    let colour: Vec<u8> = grey.iter().flat_map(|&v| [v, 255 - v, v / 2]).collect();
    for fill in [Fill::Nearest, Fill::Constant, Fill::Reflect, Fill::Wrap] {
        let config = AugmentConfig { fill, ..AugmentConfig::default() };
        let run = |shape: ImageShape, pixels: &[u8]| {
            let mut output = vec![0.0; shape.len()];
            Augmenter::new(&config, shape, 0, Isa::detect()).unwrap().apply(&draw, pixels, &mut output);
            output
        };
        let (grey, colour) = (run(shape(small), &grey), run(shape(large), &colour));
        assert!(grey.iter().eq(colour.iter().step_by(3)), "{fill:?}");
    }
    // A ramp stays a ramp: the value at column x is x / 16 before and (x + 0.4) / 16 after, to rounding.
    let wide = ImageShape { height: 1, width: 4080, channels: 1 };
    let ramp: Vec<u8> = (0..4080).map(|x| (x / 16) as u8).collect();
    let mut output = vec![0.0; 4080];
    let draw = Draw { tx: 0.4, ..Draw::IDENTITY };
    Augmenter::new(&AugmentConfig::default(), wide, 0, Isa::detect()).unwrap().apply(&draw, &ramp, &mut output);
    for (x, &value) in output.iter().enumerate().take(4079) {
        let expected = f32::from(ramp[x]) + 0.4 * f32::from(ramp[x + 1] - ramp[x]);
        assert!((value - expected).abs() < 1e-4, "column {x}: {value} for {expected}");
    }
}

#[test]
fn brightness_clips_to_the_grey_range_and_channel_shift_to_the_image() {
    let shape = ImageShape { height: 1, width: 4, channels: 1 };
    let augmenter = Augmenter::new(&AugmentConfig::default(), shape, 0, Isa::detect()).unwrap();
    let run = |draw: Draw| {
        let mut output = [0.0; 4];
        augmenter.apply(&draw, &[10, 100, 150, 200], &mut output);
        output
    };
    assert_eq!(run(Draw { brightness: 1.5, ..Draw::IDENTITY }), [15.0, 150.0, 225.0, 255.0]);
    assert_eq!(run(Draw { channel_shift: 60.0, ..Draw::IDENTITY }), [70.0, 160.0, 200.0, 200.0]);
    assert_eq!(run(Draw { channel_shift: -60.0, ..Draw::IDENTITY }), [10.0, 40.0, 90.0, 140.0]);
}

#[test]
fn senseless_draws_do_not_panic() {
    let senseless = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 1e-300, 0.0, 1e9];
    for shape in
        [SHAPE, ImageShape { height: 1, width: 1, channels: 1 }, ImageShape { height: 3, width: 65, channels: 5 }]
    {
        for fill in [Fill::Nearest, Fill::Constant, Fill::Reflect, Fill::Wrap] {
            let config = AugmentConfig { fill, ..AugmentConfig::default() };
            for v in senseless {
                let identity = Draw::IDENTITY;
                applied(&config, shape, &Draw { theta: v, shear: v, ..identity });
                applied(&config, shape, &Draw { tx: v, ty: -v, ..identity });
                applied(&config, shape, &Draw { zoom_x: v, zoom_y: -v, ..identity });
                applied(&config, shape, &Draw { channel_shift: v as f32, brightness: v as f32, ..identity });
            }
        }
    }
}
