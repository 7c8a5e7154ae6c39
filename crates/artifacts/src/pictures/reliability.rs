//! The reliability diagram: how often a classifier is right where it is so and so sure.

use glyphnet::analysis::{Bin, Calibration};
use plotters::element::Rectangle;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color as _, ShapeStyle};

use super::Subject;
use super::axis::Axis;
use super::canvas::{Canvas, Font};
use super::dashes::dashed;
use super::heading::Heading;
use super::panel::{ABOVE, BELOW, Panel, Sign, legend, whisker};
use super::theme::{BLUE, MARGIN, QUIET, SMALL, TEXT};
use crate::error::ArtifactError;
use crate::numbers::{count, grouped, percent};
use crate::text::Typeface;

/// Size of the frame of the diagram, in pixels.
const SIZE: (f32, f32) = (780.0, 440.0);
/// Height of the frame with the numbers of images.
const COUNTS: f32 = 150.0;
/// Room in that frame for the number above the highest bar.
const HEADROOM: f32 = 24.0;
/// The width that a title may ask for.
const WIDEST: f32 = 720.0;
/// The 97.5th percentile of the normal distribution: between it and its negative lie 95 %.
const NORMAL: f64 = 1.959_963_984_540_054;
/// How the diagonal is broken.
const DASHES: [f32; 2] = [7.0, 6.0];

/// The reliability diagram of a split as a PNG: for each bin of the probability of the class that images were taken for,
/// the share of them that was right, which should be that probability, and below how many images there are.
///
/// Whiskers show where chance alone could put a share of so few images: Wilson's 95 % interval.
///
/// # Errors
/// If the picture cannot be made.
pub fn reliability(subject: &Subject<'_>, calibration: &Calibration) -> Result<Vec<u8>, ArtifactError> {
    draw(subject, calibration)?.0.png()
}

fn draw(subject: &Subject<'_>, calibration: &Calibration) -> Result<(Canvas, [Panel; 2]), ArtifactError> {
    let heading = heading(subject, calibration);
    let bins: Vec<Bin> = calibration.bins.iter().copied().filter(|bin| bin.count > 0).collect();
    let (y, counts) = (Axis::linear(0.0, 100.0, 5), counts_axis(&bins));
    let room = Panel::room_for(&y).max(Panel::room_for(&counts));
    let (left, top) = ((MARGIN + room).round(), heading.height() + ABOVE);
    let right = left + SIZE.0;
    let below = top + SIZE.1 + BELOW + ABOVE - 4.0;
    let kind = if counts.logarithmic { " (logarithmic)" } else { "" };
    let accuracy = Panel {
        x: Axis::linear(0.0, 100.0, 10),
        y,
        frame: [left, top, right, top + SIZE.1],
        title: "share of images that is right, %".to_owned(),
        x_title: String::new(),
    };
    let histogram = Panel {
        x: Axis::linear(0.0, 100.0, 10),
        y: counts,
        frame: [left, below, right, below + COUNTS],
        title: format!("images{kind}"),
        x_title: "probability of the class that they were taken for, %".to_owned(),
    };
    let width = (right + MARGIN).max(heading.width(WIDEST) + 2.0 * MARGIN);
    let mut canvas = Canvas::new(width, below + COUNTS + BELOW + MARGIN - 8.0);
    heading.draw(&mut canvas);
    let line = heading.height() - 14.0 - Typeface::new(TEXT).height() as f32 - 4.0;
    legend(&mut canvas, (MARGIN - 2.0, line), &signs());
    draw_shares(&mut canvas, &accuracy, &bins)?;
    draw_counts(&mut canvas, &histogram, &bins)?;
    Ok((canvas, [accuracy, histogram]))
}

fn heading(subject: &Subject<'_>, calibration: &Calibration) -> Heading {
    let [right, sure] = [|bin: &Bin| bin.accuracy, |bin: &Bin| bin.confidence].map(|of| percent(calibration.mean(of)));
    let images = count(calibration.images() as usize, "image");
    let ece = percent(calibration.ece);
    let line = format!("{images}: {right} right, {sure} sure in the mean; expected calibration error (ECE) {ece}");
    // The second line is the legend's.
    Heading::new(format!("Reliability, {subject}"), vec![line, String::new()])
}

fn signs() -> Vec<(Sign, String)> {
    vec![
        (Sign::Whisker(BLUE), "right, with its 95 % interval (Wilson)".to_owned()),
        (Sign::Dashes(QUIET, &DASHES), "as sure as right".to_owned()),
    ]
}

/// For the numbers of images, with room above the highest; logarithmic where they span more than a factor of 25.
fn counts_axis(bins: &[Bin]) -> Axis {
    let counts = bins.iter().map(|bin| bin.count as f64);
    let (low, high) = (counts.clone().fold(f64::INFINITY, f64::min), counts.fold(0.0, f64::max));
    let free = f64::from(COUNTS / (COUNTS - HEADROOM));
    if high <= 25.0 * low {
        // Steps are whole from 4 on.
        return Axis::linear(0.0, (high * free).max(4.0), 3);
    }
    // So that a single image has a bar too.
    let from: f64 = 0.6;
    Axis::decades(from, from * (high / from).powf(free))
}

/// In per cent, as all axes are.
fn rectangle(bin: &Bin, panel: &Panel, bottom: f64, top: f64, style: ShapeStyle) -> Rectangle<(f64, f64)> {
    let y = |value: f64| panel.y.at(value).clamp(panel.y.from, panel.y.to);
    Rectangle::new([(bin.lower * 100.0, y(bottom)), (bin.upper * 100.0, y(top))], style)
}

fn draw_shares(canvas: &mut Canvas, panel: &Panel, bins: &[Bin]) -> Result<(), ArtifactError> {
    let fill = BLUE.mix(0.18).filled();
    let bars = bins.iter().map(|bin| rectangle(bin, panel, 0.0, bin.accuracy * 100.0, fill));
    panel.draw(canvas, |chart| chart.draw_series(bars).map(drop))?;
    dashed(canvas, &[panel.pixel(0.0, 0.0), panel.pixel(100.0, 100.0)], 1.5, &DASHES, &QUIET);
    for bin in bins {
        let x = bin.confidence * 100.0;
        let ends = wilson(bin).map(|share| panel.pixel(x, share * 100.0).1);
        whisker(canvas, panel.pixel(x, bin.accuracy * 100.0), ends, &BLUE);
    }
    Ok(())
}

fn draw_counts(canvas: &mut Canvas, panel: &Panel, bins: &[Bin]) -> Result<(), ArtifactError> {
    let fill = BLUE.mix(0.55).filled();
    let bottom = if panel.y.logarithmic { 10_f64.powf(panel.y.from) } else { 0.0 };
    let bars = bins.iter().map(|bin| rectangle(bin, panel, bottom, bin.count as f64, fill));
    panel.draw(canvas, |chart| chart.draw_series(bars).map(drop))?;
    let face = Typeface::new(SMALL);
    for bin in bins {
        let (left, y) = panel.pixel(bin.lower * 100.0, bin.count as f64);
        let (right, _) = panel.pixel(bin.upper * 100.0, bin.count as f64);
        let text = grouped(bin.count);
        // What does not fit above its bar can be read from the axis.
        if face.width(&text) < right - left - 2.0 {
            let centre = ((left + right) / 2.0, y - 1.0);
            canvas.text(&text, centre, (HPos::Center, VPos::Bottom), Font::new(SMALL, &QUIET));
        }
    }
    Ok(())
}

/// Wilson's 95 % interval for the share that is right (Wilson: "Probable Inference, the Law of Succession, and
/// Statistical Inference", 1927).
pub(crate) fn wilson(bin: &Bin) -> [f64; 2] {
    let (n, share, square) = (bin.count as f64, bin.accuracy, NORMAL * NORMAL);
    let centre = (share + square / (2.0 * n)) / (1.0 + square / n);
    let half = NORMAL / (1.0 + square / n) * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    [centre - half, centre + half].map(|share| share.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use glyphnet::analysis::Analysis;
    use plotters::style::RGBColor;

    const SUBJECT: Subject<'_> = Subject { split: "validation", run: "seed-1" };

    /// Of two classes: for each `(probability, right, images)` so many images that are that sure of class 0.
    fn calibration(groups: &[(f32, usize, usize)]) -> Calibration {
        let (mut labels, mut probabilities) = (Vec::new(), Vec::new());
        for &(probability, right, images) in groups {
            labels.extend((0..images).map(|image| u32::from(image >= right)));
            probabilities.extend((0..images).flat_map(|_| [probability, 1.0 - probability]));
        }
        Analysis::new(&labels, &probabilities, 2).unwrap().calibration
    }

    /// The colour that `colour` has when so much of it is laid over white.
    fn over_paper(RGBColor(red, green, blue): RGBColor, share: f64) -> RGBColor {
        let mix = |value: u8| (255.0 + (f64::from(value) - 255.0) * share).round() as u8;
        RGBColor(mix(red), mix(green), mix(blue))
    }

    #[test]
    fn bars_marks_and_whiskers_lie_where_the_figures_say() {
        let calibration = calibration(&[(0.75, 30, 60), (0.9, 70, 80)]);
        let (canvas, [accuracy, histogram]) = draw(&SUBJECT, &calibration).unwrap();
        canvas.check();
        for (sure, right) in [(75.0, 50.0), (90.0, 87.5)] {
            assert_eq!(canvas.colour(accuracy.pixel(sure, right)), BLUE);
        }
        // Wilson's interval for 30 of 60 is 37.73 to 62.27 %.
        for y in [38.5, 61.5] {
            assert_eq!(canvas.colour(accuracy.pixel(75.0, y)), BLUE, "{y}");
        }
        let light = over_paper(BLUE, 0.18);
        assert_eq!(canvas.colour(accuracy.pixel(75.0, 64.0)), RGBColor(255, 255, 255));
        for (x, y, colour) in [(74.0, 1.0, light), (74.0, 49.0, light), (74.0, 51.0, RGBColor(255, 255, 255))] {
            assert_eq!(canvas.colour(accuracy.pixel(x, y)), colour, "{x} {y}");
        }
        let dark = over_paper(BLUE, 0.55);
        for (x, y, colour) in [(74.0, 58.0, dark), (89.0, 78.0, dark), (51.0, 5.0, RGBColor(255, 255, 255))] {
            assert_eq!(canvas.colour(histogram.pixel(x, y)), colour, "{x} {y}");
        }
        for text in ["60", "80"] {
            let [left, _, right, bottom] = canvas.texts.iter().rfind(|written| written.text == text).unwrap().place;
            let (_, y) = histogram.pixel(0.0, text.parse().unwrap());
            assert!(bottom <= y && bottom > y - 4.0 && right > left, "{text}: {bottom} {y}");
        }
        let line = "140 images: 71.43 % right, 83.57 % sure in the mean; expected calibration error (ECE) 12.14 %";
        canvas.find(line);
        canvas.find("Reliability, validation images of seed-1");
    }

    #[test]
    fn few_images_and_classifiers_that_are_always_sure_are_drawn_too() {
        let all: Vec<(f32, usize, usize)> = (0..15).map(|at| (0.5 + at as f32 / 30.0, at, 15 + 7 * at)).collect();
        let cases: [&[(f32, usize, usize)]; 9] = [
            &[(0.7, 1, 1)],
            &[(0.7, 0, 1)],
            &[(1.0, 5, 5)],
            &[(1.0, 0, 5)],
            &[(1.0, 9_877, 10_000)],
            &[(0.55, 1, 1), (1.0, 99_000, 100_000)],
            &[(1.0, 1_000_000, 1_234_567), (0.9, 2, 3)],
            &[(0.5, 3, 6)],
            &all,
        ];
        for groups in cases {
            draw(&SUBJECT, &calibration(groups)).unwrap().0.check();
        }
        let run = "long name ".repeat(40);
        draw(&Subject { split: "test", run: &run }, &calibration(&[(0.8, 1, 2)])).unwrap().0.check();
    }

    #[test]
    fn one_image_among_many_has_a_bar() {
        let (canvas, [_, histogram]) = draw(&SUBJECT, &calibration(&[(0.7, 1, 1), (1.0, 9_000, 9_999)])).unwrap();
        assert!(histogram.y.logarithmic);
        assert_eq!(canvas.colour(histogram.pixel(71.0, 0.8)), over_paper(BLUE, 0.55));
        assert_eq!(canvas.colour(histogram.pixel(71.0, 1.4)), RGBColor(255, 255, 255));
    }

    #[test]
    fn intervals_are_wilsons() {
        let bin = |right: u64, count: u64| {
            let accuracy = right as f64 / count as f64;
            wilson(&Bin { lower: 0.0, upper: 1.0, count, confidence: 0.5, accuracy })
        };
        // What SciPy's `binomtest(right, count).proportion_ci(method="wilson")` says.
        let golden = [
            ((30, 60), [0.377_350_242_415_557_7, 0.622_649_757_584_442_3]),
            ((0, 1), [0.0, 0.793_450_685_622_762_6]),
            ((1, 3), [0.061_491_944_720_396_26, 0.792_340_399_197_952_3]),
            ((5, 5), [0.565_517_535_216_825_1, 1.0]),
            ((5764, 5830), [0.985_623_666_823_117_9, 0.991_091_254_249_119_4]),
        ];
        for ((right, count), expected) in golden {
            for (ours, theirs) in bin(right, count).into_iter().zip(expected) {
                assert!((ours - theirs).abs() < 1e-12, "{right} of {count}: {ours} {theirs}");
            }
        }
    }
}
