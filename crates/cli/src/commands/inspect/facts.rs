//! What there is to know about a source before training on it.

use glyphnet_data::duplicates::{self, Duplicates};
use glyphnet_data::stats::{class_counts, pixel_statistics};
use glyphnet_data::{ImageShape, Part, Polarity, Source};
use serde::Serialize;

/// Everything that `inspect` tells, in the form of its JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    pub(crate) source: String,
    pub(crate) format: String,
    /// SHA-256 over pixels, labels and class names.
    pub(crate) fingerprint: String,
    pub(crate) shape: ImageShape,
    pub(crate) classes: Vec<String>,
    /// The columns of a CSV file, else `null`.
    pub(crate) columns: Option<Vec<String>>,
    /// Estimated from the training images.
    pub(crate) polarity: Polarity,
    pub(crate) splits: Vec<SplitFacts>,
    pub(crate) shared: Vec<Shared>,
    /// Groups of exactly equal images whose labels differ.
    pub(crate) contradictions: usize,
    pub(crate) notes: Vec<String>,
}

/// One split.
#[derive(Debug, Serialize)]
pub(crate) struct SplitFacts {
    pub(crate) name: String,
    pub(crate) images: usize,
    /// Images of each class; `null` without labels.
    pub(crate) class_counts: Option<Vec<usize>>,
    /// One entry for each channel.
    pub(crate) pixels: Vec<PixelFacts>,
    /// Images whose pixels are exactly those of an earlier image of the split.
    pub(crate) duplicates: usize,
}

/// Statistics of one channel, in raw units of 0 to 255.
#[derive(Debug, Serialize)]
pub(crate) struct PixelFacts {
    pub(crate) min: u8,
    pub(crate) max: u8,
    pub(crate) mean: f64,
    /// Of the whole population.
    pub(crate) std: f64,
}

/// Images that two splits have in common.
#[derive(Debug, Serialize, PartialEq)]
pub(crate) struct Shared {
    pub(crate) first: String,
    pub(crate) second: String,
    /// Images of the second split whose pixels are exactly those of some image of the first.
    pub(crate) images: usize,
}

impl Facts {
    /// Looks at all images of `source`.
    pub(crate) fn of(source: &Source, columns: Option<Vec<String>>) -> Facts {
        let duplicates = duplicates::find(source);
        let splits = source.parts().map(|(part, data)| SplitFacts {
            name: part.to_string(),
            images: data.len(),
            class_counts: data.labels.as_ref().map(|l| class_counts(l.iter().copied(), source.classes.len())),
            pixels: pixel_statistics(&data.images)
                .into_iter()
                .map(|c| PixelFacts { min: c.min, max: c.max, mean: c.mean, std: c.std })
                .collect(),
            duplicates: duplicates.within(part),
        });
        Facts {
            source: source.name.clone(),
            format: source.kind.to_string(),
            fingerprint: source.fingerprint(),
            shape: source.shape(),
            classes: source.classes.clone(),
            columns,
            polarity: Polarity::estimate(source.train.images.iter(), source.shape()),
            splits: splits.collect(),
            shared: shared(source, &duplicates),
            contradictions: duplicates.contradictions().count(),
            notes: source.notes.clone(),
        }
    }
}

/// One entry for each pair of splits.
fn shared(source: &Source, duplicates: &Duplicates) -> Vec<Shared> {
    let parts: Vec<Part> = source.parts().map(|(part, _)| part).collect();
    let pairs = parts.iter().enumerate().flat_map(|(i, &second)| parts[..i].iter().map(move |&first| (first, second)));
    pairs
        .map(|(first, second)| Shared {
            first: first.to_string(),
            second: second.to_string(),
            images: duplicates.between(first, second),
        })
        .collect()
}
