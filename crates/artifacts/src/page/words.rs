//! What the page says in words.

use glyphnet::model_file::ModelParts;
use glyphnet_data::{Polarity, ResizeFilter};

use crate::numbers::{count, grouped};

/// As many class names as are said in a sentence.
const MOST_NAMES: usize = 12;
/// Letters that they may have together.
const MOST_LETTERS: usize = 120;

/// What there is to do, for example `Draw a digit`.
pub(super) fn title(parts: &ModelParts) -> String {
    if !super::can_draw(parts) {
        return "Show it an image".to_owned();
    }
    let all = |is: fn(&char) -> bool| parts.classes.iter().all(|name| matches!(single(name), Some(c) if is(&c)));
    let what = match () {
        () if all(char::is_ascii_digit) => "a digit",
        () if all(|c| c.is_alphabetic()) => "a letter",
        () if all(|_| true) => "a character",
        () => "something",
    };
    format!("Draw {what}")
}

/// What the network does with it.
pub(super) fn lead(parts: &ModelParts) -> String {
    let named = parts.classes.iter().all(|name| !name.trim().is_empty());
    let letters: usize = parts.classes.iter().map(|name| name.chars().count()).sum();
    let classes = if named && parts.classes.len() <= MOST_NAMES && letters <= MOST_LETTERS {
        format!("{}: {}", count(parts.classes.len(), "class"), parts.classes.join(", "))
    } else {
        count(parts.classes.len(), "class")
    };
    format!("The network tells apart {classes}. It runs in this page, and nothing you show it leaves your computer.")
}

/// Facts about the network and its preprocessing, by name.
pub(super) fn facts(parts: &ModelParts) -> Vec<(&'static str, String)> {
    let (network, preprocess) = (parts.network(), &parts.preprocess);
    let networks = parts.networks.count() as u64;
    let mut facts = vec![
        ("classes", grouped(parts.classes.len() as u64)),
        ("parameters", grouped(parts.networks.parameters() as u64)),
        ("multiplications", format!("{} an image", grouped(network.macs().saturating_mul(networks)))),
    ];
    if networks > 1 {
        facts.insert(0, ("networks", format!("{}, averaged", grouped(networks))));
    }
    let polarity = match preprocess.polarity {
        Some(Polarity::LightOnDark) => Some("light on dark; images that show the opposite are swapped"),
        Some(Polarity::DarkOnLight) => Some("dark on light; images that show the opposite are swapped"),
        Some(Polarity::Mixed) | None => None,
    };
    // In colour nothing is swapped.
    if let Some(polarity) = polarity.filter(|_| network.input().channels == 1) {
        facts.push(("learned from", polarity.to_owned()));
    }
    if let Some(drawn) = &preprocess.drawn {
        let what = format!("{:.1} pixels on the longer side, strokes {:.1} pixels thick", drawn.size, drawn.stroke);
        facts.push(("drawings become", what));
    }
    let filter = match preprocess.resize {
        ResizeFilter::Nearest => "the nearest pixel",
        ResizeFilter::Triangle => "linear interpolation",
        ResizeFilter::CatmullRom => "cubic interpolation",
        ResizeFilter::Lanczos3 => "a Lanczos filter",
    };
    facts.push(("images are resized", format!("by {filter}")));
    facts
}

/// The one character of a name that has no more.
fn single(name: &str) -> Option<char> {
    let mut letters = name.trim().chars();
    letters.next().filter(|_| letters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::{drawn_model, model};

    #[test]
    fn the_title_says_what_to_draw() {
        let title = |names: &[&str]| super::title(&drawn_model(names));
        assert_eq!(title(&["0", "7"]), "Draw a digit");
        assert_eq!(title(&["a", "\u{436}"]), "Draw a letter");
        assert_eq!(title(&["a", "7", "+"]), "Draw a character");
        assert_eq!(title(&["cat", "7"]), "Draw something");
        assert_eq!(super::title(&model(&["cat", "7"])), "Show it an image");
    }

    #[test]
    fn few_short_names_are_said_and_many_or_long_ones_counted() {
        let lead = |names: &[&str]| lead(&model(names));
        assert!(lead(&["cat", "dog"]).starts_with("The network tells apart 2 classes: cat, dog. "));
        assert!(lead(&["x"; 47]).starts_with("The network tells apart 47 classes. "));
        assert!(lead(&["", "dog"]).starts_with("The network tells apart 2 classes. "));
        assert!(
            lead(&["a"; 2].map(|_| "a name that goes on and on, longer than anybody would read in a sentence"))
                .starts_with("The network tells apart 2 classes. ")
        );
    }
}
