//! The grid of labelled samples that `inspect` and `train` write.

use std::path::Path;

use glyphnet_artifacts::{SampleGrid, Tile, can_draw, choose_samples};
use glyphnet_data::{Images, Source};

use crate::error::CliError;

/// The grid's rows.
const ROWS: usize = 3;
/// The grid's columns.
pub(crate) const COLUMNS: usize = 6;

/// The name of a class as it can be drawn.
pub(crate) fn drawable(classes: &[String], label: u32) -> String {
    match classes.get(label as usize) {
        Some(name) if can_draw(name) => name.clone(),
        _ => format!("class {label}"),
    }
}

/// Some training images with their class names.
pub(crate) struct Samples {
    images: Images,
    labels: Vec<String>,
}

impl Samples {
    /// 18 training images chosen at random by `seed`, fewer if there are fewer.
    pub(crate) fn choose(source: &Source, seed: u64) -> Samples {
        let chosen = source.train.select(&choose_samples(source.train.len(), ROWS * COLUMNS, seed));
        let names = chosen.labels.iter().flatten().map(|&label| drawable(&source.classes, label));
        Samples { labels: names.collect(), images: chosen.images }
    }

    /// The images with what is written above them.
    pub(crate) fn tiles(&self) -> Vec<Tile<'_>> {
        let label = |place: usize| self.labels.get(place).map_or("", String::as_str);
        self.images.iter().enumerate().map(|(place, pixels)| Tile { pixels, label: label(place) }).collect()
    }

    /// Writes the grid as PNG.
    pub(crate) fn save(&self, path: &Path) -> Result<(), CliError> {
        Ok(SampleGrid::draw(self.images.shape(), &self.tiles(), COLUMNS).save_png(path)?)
    }
}
