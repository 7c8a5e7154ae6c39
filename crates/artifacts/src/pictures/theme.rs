//! Colours and sizes that all pictures share.

use plotters::style::RGBColor;

pub(crate) const PAPER: RGBColor = RGBColor(255, 255, 255);
/// Text and marks.
pub(crate) const INK: RGBColor = RGBColor(32, 33, 36);
/// What is said in passing.
pub(crate) const QUIET: RGBColor = RGBColor(95, 99, 104);
/// Axes and frames.
pub(crate) const FRAME: RGBColor = RGBColor(154, 160, 166);
/// Lines behind the data.
pub(crate) const GRID: RGBColor = RGBColor(228, 231, 235);
/// Cells of a matrix that count nothing.
pub(crate) const EMPTY: RGBColor = RGBColor(246, 247, 248);

/// Okabe and Ito's colours, which people with any kind of colour vision can tell apart
/// (<https://jfly.uni-koeln.de/color/>), without the yellow that vanishes on white.
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(crate) const VERMILION: RGBColor = RGBColor(213, 94, 0);
pub(crate) const GREEN: RGBColor = RGBColor(0, 158, 115);
pub(crate) const PURPLE: RGBColor = RGBColor(204, 121, 167);
pub(crate) const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub(crate) const SKY: RGBColor = RGBColor(86, 180, 233);

/// Line heights of text, in pixels.
pub(crate) const TITLE: f32 = 27.0;
pub(crate) const TEXT: f32 = 18.0;
pub(crate) const SMALL: f32 = 16.0;
/// White around a picture, in pixels.
pub(crate) const MARGIN: f32 = 26.0;

/// matplotlib's viridis in ten steps (CC0), from its light end to its dark one.
const VIRIDIS: [[u8; 3]; 10] = [
    [253, 231, 37],
    [181, 222, 43],
    [110, 206, 88],
    [53, 183, 121],
    [31, 158, 137],
    [38, 130, 142],
    [49, 104, 142],
    [62, 74, 137],
    [72, 40, 120],
    [68, 1, 84],
];

/// A colour for a number from 0, light, to 1, dark.
pub(crate) fn viridis(share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let lower = (place as usize).min(VIRIDIS.len() - 2);
    let rest = place - lower as f64;
    let mix = |channel: usize| {
        let [from, to] = [VIRIDIS[lower][channel], VIRIDIS[lower + 1][channel]].map(f64::from);
        (from + (to - from) * rest).round() as u8
    };
    RGBColor(mix(0), mix(1), mix(2))
}

/// What can be read best on `colour`: dark text or white.
pub(crate) fn text_on(colour: RGBColor) -> RGBColor {
    if contrast(colour, INK) > contrast(colour, PAPER) { INK } else { PAPER }
}

/// Relative luminance, as the Web Content Accessibility Guidelines 2.2 define it.
fn luminance(RGBColor(red, green, blue): RGBColor) -> f64 {
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/// Contrast of two colours, from 1 to 21, by the same guidelines.
fn contrast(a: RGBColor, b: RGBColor) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_darkens_steadily_and_text_on_it_can_be_read() {
        assert_eq!([viridis(-1.0), viridis(2.0)], [RGBColor(253, 231, 37), RGBColor(68, 1, 84)]);
        let steps: Vec<RGBColor> = (0..=100).map(|step| viridis(f64::from(step) / 100.0)).collect();
        for pair in steps.windows(2) {
            assert!(luminance(pair[0]) > luminance(pair[1]), "{pair:?}");
        }
        for colour in steps {
            let contrast = contrast(colour, text_on(colour));
            assert!(contrast > 3.9, "{colour:?} {contrast}");
        }
    }

    #[test]
    fn text_stands_out_from_the_paper() {
        assert!([INK, QUIET].iter().all(|&colour| contrast(colour, PAPER) > 5.0));
    }
}
