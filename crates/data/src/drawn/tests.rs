//! Strokes of known size and width, what is not drawn, and hostile values. Real MNIST is in `tests/mnist.rs`.

use super::*;

const SIDE: usize = 28;
const SHAPE: ImageShape = ImageShape::new(SIDE, SIDE, 1);
/// Each pixel is the mean over so many places, squared.
const FINE: usize = 5;

type Point = [f64; 2];

fn grey(covered: impl Fn(Point) -> bool) -> Vec<u8> {
    let place = |i: usize, fine: usize| i as f64 + (fine as f64 + 0.5) / FINE as f64;
    let pixel = |i: usize| {
        let fine = (0..FINE * FINE).filter(|f| covered([place(i / SIDE, f / FINE), place(i % SIDE, f % FINE)]));
        (255.0 * fine.count() as f64 / (FINE * FINE) as f64).round() as u8
    };
    (0..SIDE * SIDE).map(pixel).collect()
}

fn squared_distance(p: Point, [a, b]: [Point; 2]) -> f64 {
    let along = [b[0] - a[0], b[1] - a[1]];
    let from = [p[0] - a[0], p[1] - a[1]];
    let t = (from[0] * along[0] + from[1] * along[1]) / (along[0] * along[0] + along[1] * along[1]);
    let t = t.clamp(0.0, 1.0);
    (from[0] - t * along[0]).powi(2) + (from[1] - t * along[1]).powi(2)
}

/// Light on dark; each stroke is a line through points, with round ends.
fn drawing(strokes: &[Vec<Point>], width: f64) -> Vec<u8> {
    let pieces: Vec<[Point; 2]> = strokes.iter().flat_map(|s| s.windows(2).map(|w| [w[0], w[1]])).collect();
    grey(|p| pieces.iter().any(|&piece| squared_distance(p, piece) <= width * width / 4.0))
}

fn arc(centre: Point, radius: f64, from: f64, to: f64) -> Vec<Point> {
    let angle = |i: usize| from + (to - from) * i as f64 / 24.0;
    (0..=24).map(|i| [centre[0] + radius * angle(i).sin(), centre[1] + radius * angle(i).cos()]).collect()
}

fn estimate(images: &[Vec<u8>]) -> Option<Drawn> {
    Drawn::estimate(images.iter().map(Vec::as_slice), SHAPE, Polarity::LightOnDark)
}

const ROUND: f64 = std::f64::consts::TAU;

/// Simple strokes in many directions: bars, rings and open arcs, 16 pixels in size less the width.
fn simple(width: f64) -> Vec<Vec<u8>> {
    let middles = (0..12).map(|i| [14.0 + 0.17 * f64::from(i % 6), 13.5 + 0.23 * f64::from(i % 5)]);
    let strokes = middles.enumerate().flat_map(|(i, m)| {
        let turn = ROUND * i as f64 / 12.0 + 0.1;
        let end = |sign: f64| [m[0] + sign * 8.0 * turn.sin(), m[1] + sign * 8.0 * turn.cos()];
        [vec![end(-1.0), end(1.0)], arc(m, 8.0, 0.0, ROUND), arc(m, 8.0, turn, turn + 4.5)]
    });
    strokes.map(|stroke| drawing(&[stroke], width)).collect()
}

fn close(value: f32, wanted: f64, by: f64) -> bool {
    (f64::from(value) - wanted).abs() <= by * wanted
}

#[test]
fn the_width_of_simple_strokes_is_found() {
    for width in [2.0, 2.5, 3.0, 4.0] {
        let drawn = estimate(&simple(width)).unwrap();
        assert!(close(drawn.stroke, width, 0.05), "{width}: {drawn:?}");
    }
    let hairline = estimate(&simple(1.0)).unwrap();
    assert!(close(hairline.stroke, 1.4, 0.1), "{hairline:?}");
}

#[test]
fn crossings_corners_and_loops_change_the_width_little() {
    for width in [2.0, 3.0, 4.0] {
        let figures = [
            vec![vec![[4.0, 14.2], [24.0, 14.2]], vec![[14.1, 5.0], [14.1, 23.0]]],
            vec![vec![[5.0, 5.0], [24.0, 23.0]], vec![[5.0, 22.0], [24.0, 4.0]]],
            vec![vec![[5.0, 7.0], [5.2, 20.0], [24.0, 11.0]]],
            vec![arc([9.3, 14.0], 4.8, 0.0, ROUND), arc([19.0, 14.0], 5.0, 0.0, ROUND)],
        ];
        for figure in figures {
            let drawn = estimate(&[drawing(&figure, width)]).unwrap();
            assert!(close(drawn.stroke, width, 0.1), "{width}: {drawn:?}");
        }
    }
}

#[test]
fn size_and_centre_are_finer_than_a_pixel() {
    for shift in [0.0, 0.25, 0.5, 0.8] {
        let ring = drawing(&[arc([13.0 + shift, 15.0 - shift], 8.0, 0.0, ROUND)], 2.5);
        let drawn = estimate(&[ring]).unwrap();
        assert!(close(drawn.size, 18.5, 0.01), "{shift}: {drawn:?}");
        let wanted = [13.0 + shift, 15.0 - shift];
        assert!((0..2).all(|axis| close(drawn.centre[axis], wanted[axis], 0.01)), "{shift}: {drawn:?}");
    }
}

/// A frame open to the right, with a bar across at this row: its box is the same wherever the bar is.
fn frame(bar: f64, shift: Point) -> Vec<Vec<Point>> {
    let at = |y: f64, x: f64| [y + shift[0], x + shift[1]];
    vec![vec![at(5.0, 20.0), at(5.0, 9.0), at(23.0, 9.0)], vec![at(bar, 9.0), at(bar, 20.0)]]
}

#[test]
fn the_centre_that_spreads_less_is_taken() {
    let bars = [9.0, 14.0, 23.0];
    let by_box = bars.map(|bar| drawing(&frame(bar, [1.0, 0.0]), 2.0));
    let drawn = estimate(&by_box).unwrap();
    assert_eq!(drawn.centred_by, CentredBy::Box);
    assert!(close(drawn.centre[0], 15.0, 0.01) && close(drawn.centre[1], 14.5, 0.01), "{drawn:?}");

    let by_mass = bars.map(|bar| {
        let still = drawing(&frame(bar, [0.0, 0.0]), 2.0);
        let mass = Ink::of(&still, SHAPE, Polarity::LightOnDark).unwrap().mass();
        drawing(&frame(bar, [14.0 - mass[0], 13.0 - mass[1]]), 2.0)
    });
    let drawn = estimate(&by_mass).unwrap();
    assert_eq!(drawn.centred_by, CentredBy::Mass);
    assert!(close(drawn.centre[0], 14.0, 0.01) && close(drawn.centre[1], 13.0, 0.01), "{drawn:?}");
}

#[test]
fn dark_ink_on_grey_paper_is_the_same_drawing() {
    let light = simple(3.0);
    let dark: Vec<Vec<u8>> = light.iter().map(|image| image.iter().map(|&v| 230 - v / 2).collect()).collect();
    let (light, wanted) = (estimate(&light).unwrap(), SHAPE);
    let dark = Drawn::estimate(dark.iter().map(Vec::as_slice), wanted, Polarity::DarkOnLight).unwrap();
    assert_eq!((light.ground, light.ink), (0.0, 255.0));
    assert_eq!((dark.ground, dark.ink), (230.0, 103.0));
    assert!(close(dark.stroke, f64::from(light.stroke), 0.01) && close(dark.size, f64::from(light.size), 0.01));
}

#[test]
fn soft_edges_are_told_from_hard_ones() {
    let mean_of_area = simple(3.0);
    let hard: Vec<Vec<u8>> =
        mean_of_area.iter().map(|image| image.iter().map(|&v| if v < 128 { 0 } else { 255 }).collect()).collect();
    let blurred: Vec<Vec<u8>> = mean_of_area.iter().map(|image| blur(image)).collect();
    let [hard, grey, soft] = [&hard, &mean_of_area, &blurred].map(|images| estimate(images).unwrap().edge);
    assert!(close(hard, 1.2, 0.05) && close(grey, 1.6, 0.05) && close(soft, 3.1, 0.05), "{hard} {grey} {soft}");
}

/// Each pixel becomes the mean of the nine around it.
fn blur(image: &[u8]) -> Vec<u8> {
    let at = |y: usize, x: usize| if y < SIDE && x < SIDE { u32::from(image[y * SIDE + x]) } else { 0 };
    let around =
        |i: usize| (0..9).map(move |k| at((i / SIDE + k / 3).wrapping_sub(1), (i % SIDE + k % 3).wrapping_sub(1)));
    (0..SIDE * SIDE).map(|i| (around(i).sum::<u32>() / 9) as u8).collect()
}

#[test]
fn what_is_no_drawing_gives_nothing() {
    let disc = |m: Point, r: f64| grey(move |p| (p[0] - m[0]).hypot(p[1] - m[1]) < r);
    let solid = [
        disc([14.0, 14.0], 9.0),
        disc([12.0, 15.0], 5.0),
        grey(|p| (p[0] - 14.0).abs().max((p[1] - 14.0).abs()) < 8.0),
    ];
    assert_eq!(estimate(&solid), None);
    assert_eq!(estimate(&[]), None);
    assert_eq!(estimate(&[vec![7; SHAPE.len()]]), None, "nothing but ground");
    // Thin, but everywhere.
    let stripes: Vec<Vec<Point>> = (1..9).map(|i| f64::from(3 * i)).map(|y| vec![[y, 2.0], [y, 26.0]]).collect();
    assert_eq!(estimate(&[drawing(&stripes, 2.0)]), None);
    assert!(estimate(&[drawing(&stripes[..5], 2.0)]).is_some());

    let strokes = simple(2.5);
    assert!(estimate(&strokes).is_some());
    let of = |shape, polarity| Drawn::estimate(strokes.iter().map(Vec::as_slice), shape, polarity);
    assert_eq!(of(SHAPE, Polarity::Mixed), None);
    let colours: Vec<Vec<u8>> = strokes.iter().map(|image| image.iter().flat_map(|&v| [v; 3]).collect()).collect();
    let shape = ImageShape { channels: 3, ..SHAPE };
    assert_eq!(Drawn::estimate(colours.iter().map(Vec::as_slice), shape, Polarity::LightOnDark), None);
    // Ink lighter and darker than the ground.
    let both: Vec<Vec<u8>> = strokes
        .iter()
        .map(|image| image.iter().enumerate().map(|(i, &v)| if i % SIDE < 2 { 60 } else { 100 + v / 2 }).collect())
        .collect();
    assert_eq!(estimate(&both), None);
}

#[test]
fn a_third_may_be_something_else() {
    let disc = grey(|p| (p[0] - 14.0).hypot(p[1] - 14.0) < 9.0);
    let strokes = simple(2.5);
    let with = |discs: usize| [&strokes[..8], &vec![disc.clone(); discs]].concat();
    assert_eq!(estimate(&with(4)), estimate(&strokes[..8]), "and the measures are those of the drawings");
    assert_eq!(estimate(&with(5)), None);
    let blank = vec![vec![0; SHAPE.len()]; 20];
    assert_eq!(estimate(&[&strokes[..8], &blank].concat()), estimate(&strokes[..8]), "blank images say nothing");
}

#[test]
fn the_smallest_images_do_no_harm() {
    for (height, width) in [(1, 1), (1, 9), (2, 2), (9, 1), (3, 3)] {
        let shape = ImageShape::new(height, width, 1);
        for pattern in 0..1_u32 << shape.len() {
            let image: Vec<u8> = (0..shape.len()).map(|i| if pattern >> i & 1 == 1 { 255 } else { 0 }).collect();
            for polarity in [Polarity::LightOnDark, Polarity::DarkOnLight] {
                let drawn = Drawn::estimate([image.as_slice()].into_iter(), shape, polarity);
                assert_eq!(drawn.map_or(Ok(()), |drawn| drawn.check(shape)), Ok(()), "{shape} {image:?}");
            }
        }
    }
}

#[test]
fn impossible_values_are_named() {
    let good = estimate(&simple(2.5)).unwrap();
    assert_eq!(good.check(SHAPE), Ok(()));
    let bad = |drawn: Drawn| drawn.check(SHAPE).unwrap_err();
    assert_eq!(bad(Drawn { stroke: f32::NAN, ..good }), "preprocess.drawn.stroke is NaN: it must be 0.1 to 28");
    for (drawn, name) in [
        (Drawn { centre: [-1.0, 14.0], ..good }, "centre.0 is -1: it must be 0 to 28"),
        (Drawn { centre: [14.0, f32::INFINITY], ..good }, "centre.1 is inf"),
        (Drawn { size: 28.5, ..good }, "size is 28.5"),
        (Drawn { size: 0.0, ..good }, "size is 0"),
        (Drawn { edge: -1.0, ..good }, "edge is -1"),
        (Drawn { ground: 256.0, ..good }, "ground is 256"),
        (Drawn { ink: -1.0, ..good }, "ink is -1"),
        (Drawn { ground: 99.5, ink: 100.0, ..good }, "the ground 99.5: they must differ"),
    ] {
        assert!(bad(drawn).contains(name), "{}", bad(drawn));
    }
    assert!(good.check(ImageShape::new(28, 28, 3)).unwrap_err().contains("one channel, and these have 3"));
    assert!(good.check(ImageShape::new(12, 12, 1)).is_err());
}

#[test]
fn it_is_written_and_read_back() {
    let drawn = estimate(&simple(2.5)).unwrap();
    let text = serde_json::to_string(&drawn).unwrap();
    assert!(text.starts_with(r#"{"centred_by":"box","centre":["#), "{text}");
    assert_eq!(serde_json::from_str::<Drawn>(&text).unwrap(), drawn);
    let strange = text.replacen('{', r#"{"wobble":1,"#, 1);
    assert!(serde_json::from_str::<Drawn>(&strange).unwrap_err().to_string().contains("wobble"));
}
