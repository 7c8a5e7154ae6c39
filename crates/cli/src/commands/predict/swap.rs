//! Swapping dark and light, for images of the other polarity than the model has learned from.

use glyphnet_data::{ImageShape, Polarity};

use crate::args::Invert;

/// Whether `image` is to be swapped for a model that learned from images of polarity `learned`.
pub(crate) fn is_wanted(invert: Invert, learned: Option<Polarity>, image: &[u8], shape: ImageShape) -> bool {
    match invert {
        Invert::Yes => true,
        Invert::No => false,
        Invert::Auto => matches!(
            (learned, Polarity::of_image(image, shape)),
            (Some(Polarity::LightOnDark), Polarity::DarkOnLight) | (Some(Polarity::DarkOnLight), Polarity::LightOnDark)
        ),
    }
}

/// Swaps dark and light in `image` (`H x W x C`).
///
/// Paper in a photograph is grey and ink is not black, so for a model that learned from clean images the background
/// (the median of the border, channel by channel) is moved to its own end of 0..=255 and the strongest ink to the
/// other. Without a known polarity each value `v` becomes `255 - v`.
pub(crate) fn swap(image: &mut [u8], shape: ImageShape, learned: Option<Polarity>) {
    for value in image.iter_mut() {
        *value = 255 - *value;
    }
    match learned {
        Some(Polarity::LightOnDark) => stretch(image, shape, true),
        Some(Polarity::DarkOnLight) => stretch(image, shape, false),
        Some(Polarity::Mixed) | None => {}
    }
}

/// Moves the background to 0 (`light_ink`) or 255 and the strongest ink to the opposite end.
fn stretch(image: &mut [u8], shape: ImageShape, light_ink: bool) {
    let channels = shape.channels;
    let background: Vec<u8> = (0..channels).map(|channel| border_median(image, shape, channel)).collect();
    let ink =
        |value: u8, ground: u8| if light_ink { value.saturating_sub(ground) } else { ground.saturating_sub(value) };
    let inks = image.iter().zip(background.iter().cycle()).map(|(&value, &ground)| ink(value, ground));
    let strongest = u32::from(inks.max().unwrap_or(0)).max(1);
    for (value, &ground) in image.iter_mut().zip(background.iter().cycle()) {
        let stretched = ((u32::from(ink(*value, ground)) * 255 + strongest / 2) / strongest) as u8;
        *value = if light_ink { stretched } else { 255 - stretched };
    }
}

fn border_median(image: &[u8], shape: ImageShape, channel: usize) -> u8 {
    let (height, width) = (shape.height, shape.width);
    let is_border = |y: usize, x: usize| y == 0 || x == 0 || y + 1 == height || x + 1 == width;
    let places = (0..height * width).filter(|i| is_border(i / width, i % width));
    let mut values: Vec<u8> = places.map(|i| image[i * shape.channels + channel]).collect();
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape::new(5, 5, 1);

    /// A vertical stroke of `ink` on `paper`.
    fn stroke(ink: u8, paper: u8) -> Vec<u8> {
        (0..25).map(|i| if i % 5 == 2 && (5..20).contains(&i) { ink } else { paper }).collect()
    }

    #[test]
    fn grey_paper_becomes_black_and_ink_white() {
        let mut image = stroke(60, 190);
        swap(&mut image, SHAPE, Some(Polarity::LightOnDark));
        assert_eq!(image, stroke(255, 0));
        swap(&mut image, SHAPE, Some(Polarity::DarkOnLight));
        assert_eq!(image, stroke(0, 255));
        let mut unknown = stroke(60, 190);
        swap(&mut unknown, SHAPE, None);
        assert_eq!(unknown, stroke(195, 65));
        let mut flat = vec![7; 25];
        swap(&mut flat, SHAPE, Some(Polarity::LightOnDark));
        assert_eq!(flat, [0; 25]);
    }

    #[test]
    fn auto_swaps_only_what_is_the_other_way_round() {
        let wanted = |invert, learned, image: &[u8]| is_wanted(invert, learned, image, SHAPE);
        let (light, dark) = (stroke(250, 10), stroke(10, 250));
        assert!(wanted(Invert::Auto, Some(Polarity::LightOnDark), &dark));
        assert!(!wanted(Invert::Auto, Some(Polarity::LightOnDark), &light));
        assert!(wanted(Invert::Auto, Some(Polarity::DarkOnLight), &light));
        assert!(!wanted(Invert::Auto, Some(Polarity::Mixed), &dark));
        assert!(!wanted(Invert::Auto, None, &dark));
        assert!(wanted(Invert::Yes, None, &light));
        assert!(!wanted(Invert::No, Some(Polarity::LightOnDark), &dark));
    }
}
