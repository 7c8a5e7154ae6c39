//! What `predict` and `serve` do alike: an image file becomes what the model wants, and probabilities an answer.

use glyphnet::{Model, ranked};
use glyphnet_data::{DecodedImage, Polarity};
use serde::Serialize;

use crate::args::Invert;

/// One class and how likely it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Choice {
    pub(crate) class: String,
    pub(crate) label: usize,
    pub(crate) probability: f32,
}

/// The image at the model's input size, `H x W x C`.
pub(crate) fn to_input(model: &Model, image: &DecodedImage) -> Vec<u8> {
    image.to_input(model.input(), model.preprocess().resize)
}

/// Swaps dark and light in one image of the model's input size, `H x W x C`, if that is wanted for it; says whether.
pub(crate) fn swap(model: &Model, invert: Invert, image: &mut [u8]) -> bool {
    let (shape, learned) = (model.input(), model.preprocess().polarity.unwrap_or(Polarity::Mixed));
    let wanted = match invert {
        Invert::Yes => true,
        Invert::No => false,
        // In colour the complement is another colour, not the same thing on other ground: red would become cyan.
        Invert::Auto => shape.channels == 1 && learned.is_opposite_of(image, shape),
    };
    if wanted {
        learned.swap(image, shape);
    }
    wanted
}

/// The `count` likeliest of `classes`, the best first; of equals the lower label.
pub(crate) fn likeliest(probabilities: &[f32], classes: &[String], count: usize) -> Vec<Choice> {
    let choice = |label: usize| Choice {
        class: classes.get(label).cloned().unwrap_or_else(|| label.to_string()),
        label,
        probability: probabilities[label],
    };
    ranked(probabilities).into_iter().take(count).map(|label| choice(label as usize)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_come_first_and_equals_in_order() {
        let classes = ["a", "b", "c", "d"].map(str::to_owned);
        let top = likeliest(&[0.1, 0.4, 0.1, 0.4], &classes, 3);
        let found: Vec<(&str, usize)> = top.iter().map(|c| (c.class.as_str(), c.label)).collect();
        assert_eq!(found, [("b", 1), ("d", 3), ("a", 0)]);
        assert_eq!(likeliest(&[0.5, 0.5], &classes, 9).len(), 2);
    }
}
