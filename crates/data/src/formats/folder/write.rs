//! Writing a source as a folder of PNG files.

use std::fs;
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;

use crate::error::DataError;
use crate::source::{Part, Source};
use crate::types::Dataset;

/// So many files are written between two reports of progress.
const STEP: usize = 1024;

/// Writes every image as `<split>/<class>/<index>.png`, unlabelled ones as `<split>/<index>.png`.
///
/// `progress` counts images.
pub(crate) fn write(source: &Source, folder: &Path, progress: &mut dyn FnMut(usize)) -> Result<(), DataError> {
    check(source)?;
    for (part, data) in source.parts() {
        let place = folder.join(part.to_string());
        let folders: Vec<_> = match data.labels {
            Some(_) => source.classes.iter().map(|class| place.join(class)).collect(),
            None => vec![place],
        };
        for folder in &folders {
            fs::create_dir_all(folder).map_err(DataError::write(folder))?;
        }
        let digits = data.len().saturating_sub(1).to_string().len();
        let indices: Vec<usize> = (0..data.len()).collect();
        for some in indices.chunks(STEP) {
            some.par_iter().try_for_each(|&i| {
                let folder = data.labels.as_ref().map_or(0, |labels| labels[i] as usize);
                write_png(data, i, &folders[folder].join(format!("{i:0digits$}.png")))
            })?;
            progress(some.len());
        }
    }
    Ok(())
}

/// Checks that the class names can be folder names and the labels find them.
fn check(source: &Source) -> Result<(), DataError> {
    let refuse = |problem: String| DataError::Convert { name: source.name.clone(), format: "an image folder", problem };
    if source.classes.len() < 2 {
        return Err(refuse("there is only one class, and a folder needs at least two".to_string()));
    }
    for (i, class) in source.classes.iter().enumerate() {
        let strange =
            class.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']) || class.chars().any(char::is_control);
        if class.is_empty() || class.starts_with('.') || class.ends_with(['.', ' ']) || strange {
            return Err(refuse(format!("class {i} is named '{class}', which cannot be a folder's name: rename it")));
        }
        if source.classes[..i].iter().any(|other| other.to_lowercase() == class.to_lowercase()) {
            return Err(refuse(format!("two classes are named '{class}': rename one")));
        }
    }
    for (part, data) in source.parts() {
        for label in data.labels.iter().flatten() {
            if *label as usize >= source.classes.len() {
                return Err(refuse(format!("{part} has label {label}, which has no class name")));
            }
        }
    }
    let Some(labels) = &source.train.labels else {
        return Err(refuse(format!("{} has no labels", Part::Train)));
    };
    let mut counts = vec![0_usize; source.classes.len()];
    labels.iter().for_each(|&l| counts[l as usize] += 1);
    match counts.iter().position(|&n| n == 0) {
        Some(i) => Err(refuse(format!("class '{}' has no training images", source.classes[i]))),
        None => Ok(()),
    }
}

fn write_png(data: &Dataset, i: usize, path: &Path) -> Result<(), DataError> {
    let shape = data.images.shape();
    let color = if shape.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive);
    encoder
        .write_image(data.images.get(i), shape.width as u32, shape.height as u32, color)
        .map_err(|e| DataError::write(path)(std::io::Error::other(e)))?;
    fs::write(path, bytes).map_err(DataError::write(path))
}
