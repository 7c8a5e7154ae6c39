//! The warp against the definition written out in `f64`, at sizes on both sides of every special case in it.

use glyphnet_kernels::random::{Purpose, Stream};

use super::*;

const FILLS: [Fill; 4] = [Fill::Nearest, Fill::Constant, Fill::Reflect, Fill::Wrap];

/// Height, width, channels: one row, one column, one pixel, a run of 32 exactly and one more, 1,024 and 4,096 values
/// exactly and more, for one, three and other numbers of channels.
const SHAPES: [[usize; 3]; 14] = [
    [1, 1, 1],
    [1, 33, 1],
    [33, 1, 3],
    [2, 2, 1],
    [32, 32, 1],
    [31, 34, 1],
    [64, 64, 1],
    [65, 64, 1],
    [16, 32, 3],
    [37, 38, 3],
    [1, 1, 4],
    [9, 11, 2],
    [20, 65, 5],
    [3, 400, 1],
];

fn source_place(fill: Fill, place: i64, size: i64) -> i64 {
    match fill {
        Fill::Nearest | Fill::Constant => place.clamp(0, size - 1),
        Fill::Reflect => {
            let place = place.rem_euclid(2 * size);
            if place < size { place } else { 2 * size - 1 - place }
        }
        Fill::Wrap => place.rem_euclid(size),
    }
}

fn defined(plane: &Plane, map: &draw::InverseMap, input: &[u8], output: usize) -> f64 {
    let ImageShape { height, width, channels } = plane.shape;
    let (channel, column, row) = (output % channels, output / channels % width, output / channels / width);
    let x = map.xx * column as f64 + map.xy * row as f64 + map.x;
    let y = map.yx * column as f64 + map.yy * row as f64 + map.y;
    let is_inside = (0.0..=(width - 1) as f64).contains(&x) && (0.0..=(height - 1) as f64).contains(&y);
    if plane.fill == Fill::Constant && !is_inside {
        return plane.fill_value.into();
    }
    let pixel = |dx: i64, dy: i64| {
        let column = source_place(plane.fill, x.floor() as i64 + dx, width as i64);
        let row = source_place(plane.fill, y.floor() as i64 + dy, height as i64);
        f64::from(input[(row as usize * width + column as usize) * channels + channel])
    };
    let (wx, wy) = (x - x.floor(), y - y.floor());
    let upper = pixel(0, 0) * (1.0 - wx) + pixel(1, 0) * wx;
    let lower = pixel(0, 1) * (1.0 - wx) + pixel(1, 1) * wx;
    upper * (1.0 - wy) + lower * wy
}

fn random_draw(stream: &mut Stream, shape: ImageShape) -> Draw {
    // Some reach far beyond the image, where folds repeat.
    let reach = if stream.below(4) == 0 { 3.0 } else { 0.2 };
    Draw {
        theta: stream.uniform(-180.0, 180.0),
        tx: stream.uniform(-reach, reach) * shape.width as f64,
        ty: stream.uniform(-reach, reach) * shape.height as f64,
        shear: stream.uniform(-40.0, 40.0),
        zoom_x: stream.uniform(0.3, 2.0),
        zoom_y: stream.uniform(0.3, 2.0),
        ..Draw::IDENTITY
    }
}

/// Calls `check` with random pixels, draws, shapes and fills.
fn for_many(mut check: impl FnMut(&Plane, &Draw, &[u8])) {
    let mut stream = Stream::new(4, Purpose::Sample, 0, 0);
    for [height, width, channels] in SHAPES {
        let shape = ImageShape { height, width, channels };
        for fill in FILLS {
            let plane = Plane { shape, fill, fill_value: 77.0 };
            for _ in 0..12 {
                let input: Vec<u8> = (0..shape.len()).map(|_| stream.next_u32() as u8).collect();
                let draw = random_draw(&mut stream, shape);
                check(&plane, &draw, &input);
            }
        }
    }
}

#[test]
fn the_warp_is_what_its_definition_says() {
    let mut largest = 0.0_f64;
    for_many(|plane, draw, input| {
        let mut output = vec![f32::NAN; input.len()];
        warp(Isa::detect(), plane, draw, input, &mut output);
        let map = draw.inverse_map(plane.shape).unwrap();
        for (index, &value) in output.iter().enumerate() {
            let expected = defined(plane, &map, input, index);
            let difference = (f64::from(value) - expected).abs();
            assert!(difference < 2e-3, "value {index}: {value} for {expected} with {plane:?}, {draw:?}");
            largest = largest.max(difference);
        }
    });
    println!("largest difference {largest}");
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    for_many(|plane, draw, input| {
        let bits = |isa: Isa| {
            let mut output = vec![f32::NAN; input.len()];
            warp(isa, plane, draw, input, &mut output);
            output.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let plain = bits(Isa::SCALAR);
        for isa in Isa::available() {
            assert!(bits(isa) == plain, "{isa}: bits differ with {plane:?}, {draw:?}");
        }
    });
}
