//! Warps against Keras's `ImageDataGenerator` and SciPy's `affine_transform` (`parity/augment_golden.py`).

use serde_json::Value;

use super::*;

/// Expected values are stored in steps of 1/256 grey level, so they may be off by half of that; the rest is the
/// error of `f32` coordinates and weights. The largest difference measured is 0.0021.
const TOLERANCE: f32 = 0.003;

struct Case {
    reference: String,
    name: String,
    augmenter: Augmenter,
    fill: Fill,
    draw: Draw,
    input: Vec<u8>,
    expected: Vec<f32>,
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../parity/golden/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn draw_of(value: &Value) -> Draw {
    let number = |key: &str, default: f64| value[key].as_f64().unwrap_or(default);
    let flag = |key: &str| value[key].as_bool().unwrap_or(false);
    Draw {
        theta: number("theta", 0.0),
        tx: number("tx", 0.0),
        ty: number("ty", 0.0),
        shear: number("shear", 0.0),
        zoom_x: number("zoom_x", 1.0),
        zoom_y: number("zoom_y", 1.0),
        flip_horizontal: flag("flip_horizontal"),
        flip_vertical: flag("flip_vertical"),
        channel_shift: number("channel_shift", 0.0) as f32,
        brightness: number("brightness", 1.0) as f32,
        ..Draw::IDENTITY
    }
}

fn cases() -> Vec<Case> {
    let (index, data) = (read("augment.json"), read("augment.bin"));
    let index: Value = serde_json::from_slice(&index).unwrap();
    let fill_value = index["fill_value"].as_f64().unwrap() as f32;
    let mut rest = &data[..];
    let mut images = Vec::new();
    for shape in index["shapes"].as_array().unwrap() {
        let side = |i: usize| shape[i].as_u64().unwrap() as usize;
        let shape = ImageShape { height: side(0), width: side(1), channels: side(2) };
        images.push((shape, rest.split_off(..shape.len()).unwrap()));
    }
    let cases = index["cases"].as_array().unwrap().iter().map(|case| {
        let (shape, input) = images[case["image"].as_u64().unwrap() as usize];
        let fill: Fill = serde_json::from_value(case["fill"].clone()).unwrap();
        let config = AugmentConfig { fill, fill_value, ..AugmentConfig::default() };
        let stored = rest.split_off(..2 * shape.len()).unwrap().chunks_exact(2);
        Case {
            reference: case["reference"].as_str().unwrap().to_owned(),
            name: case.to_string(),
            augmenter: Augmenter::new(&config, shape, 0, Isa::detect()).unwrap(),
            fill,
            draw: draw_of(&case["draw"]),
            input: input.to_vec(),
            expected: stored.map(|pair| f32::from(u16::from_le_bytes([pair[0], pair[1]])) / 256.0).collect(),
        }
    });
    let cases = cases.collect();
    assert!(rest.is_empty());
    cases
}

fn applied(case: &Case, draw: &Draw) -> Vec<f32> {
    let mut output = vec![f32::NAN; case.input.len()];
    case.augmenter.apply(draw, &case.input, &mut output);
    output
}

/// Whether output value `index` looks up a coordinate on the very border of the image, where SciPy's `constant`
/// depends on the last bit of its rounding.
fn is_on_the_border(case: &Case, index: usize) -> bool {
    let ImageShape { height, width, channels } = case.augmenter.shape();
    let Some(map) = case.draw.inverse_map(case.augmenter.shape()) else { return false };
    let (row, column) = ((index / channels / width) as f64, (index / channels % width) as f64);
    let x = map.xx * column + map.xy * row + map.x;
    let y = map.yx * column + map.yy * row + map.y;
    let near = |value: f64, edge: usize| value.abs() < 1e-9 || (value - edge as f64).abs() < 1e-9;
    near(x, width - 1) || near(y, height - 1)
}

#[test]
fn warps_are_those_of_keras_and_scipy() {
    let (mut compared, mut on_the_border, mut largest) = ([0, 0], 0, 0.0_f32);
    for case in cases().iter().filter(|case| case.reference != "keras brightness") {
        compared[usize::from(case.reference == "keras")] += 1;
        for (index, (value, expected)) in applied(case, &case.draw).into_iter().zip(&case.expected).enumerate() {
            let difference = (value - expected).abs();
            if difference > TOLERANCE && case.fill == Fill::Constant && is_on_the_border(case, index) {
                // The quarter turn: SciPy finds some border pixels outside by 1e-15 and gives the fill value.
                assert_eq!((case.draw.theta, *expected), (90.0, 37.0), "{}", case.name);
                on_the_border += 1;
                continue;
            }
            assert!(difference <= TOLERANCE, "value {index}: {value} for {expected} in {}", case.name);
            largest = largest.max(difference);
        }
    }
    assert!(compared[0] >= 80 && compared[1] >= 20, "{compared:?} cases were compared");
    assert!(on_the_border < 100, "{on_the_border} values lie on the border");
    println!("{compared:?} cases, largest difference {largest}, {on_the_border} values on the border");
}

/// Keras cuts to 8 bits before and after it multiplies, so it is darker by less than 1 + brightness.
#[test]
fn brightness_is_that_of_keras_but_for_its_two_cuts_to_eight_bits() {
    let (mut compared, mut largest) = (0, 0.0_f32);
    for case in cases().iter().filter(|case| case.reference == "keras brightness") {
        compared += 1;
        for (value, expected) in applied(case, &case.draw).into_iter().zip(&case.expected) {
            let darker = value - expected;
            assert!(
                darker > -TOLERANCE && darker < 1.0 + case.draw.brightness,
                "{value} for {expected} in {}",
                case.name
            );
            largest = largest.max(darker);
        }
    }
    assert!(compared >= 3);
    println!("{compared} cases, Keras is darker by at most {largest}");
}
