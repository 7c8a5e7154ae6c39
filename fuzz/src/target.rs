//! What is fed: one function for each kind of file.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use glyphnet::Model;
use glyphnet::analysis::{Analysis, MOST_CLASSES};
use glyphnet::data::{DecodedImage, ImageShape, Images, OpenOptions, ResizeFilter, decode_image, open};
use glyphnet::evaluate::predictions_from_bytes;
use glyphnet::recipe::Recipe;
use glyphnet::saved_run::thumbnails_from_bytes;
use glyphnet::train::Checkpoint;
use glyphnet_data::formats::{idx, kaggle};
use glyphnet_kernels::Isa;
use tempfile::TempDir;

use crate::container::Container;
use crate::seeds;

/// A reader of files with what is needed to feed it.
#[derive(Debug)]
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Reads the bytes; the words are those of the error, or what was read. It panics where something does not hold that
    /// must.
    pub run: fn(&[u8]) -> String,
    /// Sound inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Pieces of text that the format gives a meaning.
    pub words: &'static [&'static str],
    /// What inputs may be wrapped in.
    pub(crate) container: Container,
}

/// All targets.
pub static TARGETS: [Target; 9] = [
    Target {
        name: "idx",
        run: idx,
        seeds: seeds::idx,
        words: &["\0\0\x08\x03", "\0\0\x08\x01"],
        container: Container::Gzip,
    },
    Target { name: "csv", run: csv, seeds: seeds::csv, words: seeds::CSV_WORDS, container: Container::Gzip },
    Target { name: "npz", run: npz, seeds: seeds::npz, words: seeds::NPZ_WORDS, container: Container::Zip },
    Target { name: "image", run: image, seeds: seeds::image, words: seeds::IMAGE_WORDS, container: Container::Png },
    Target {
        name: "recipe",
        run: recipe,
        seeds: seeds::recipe,
        words: seeds::RECIPE_WORDS,
        container: Container::None,
    },
    Target { name: "model", run: model, seeds: seeds::model, words: seeds::MODEL_WORDS, container: Container::Sealed },
    Target {
        name: "checkpoint",
        run: checkpoint,
        seeds: seeds::checkpoint,
        words: seeds::CHECKPOINT_WORDS,
        container: Container::Sealed,
    },
    Target {
        name: "predictions",
        run: predictions,
        seeds: seeds::predictions,
        words: seeds::PREDICTIONS_WORDS,
        container: Container::None,
    },
    Target {
        name: "thumbnails",
        run: thumbnails,
        seeds: seeds::thumbnails,
        words: seeds::THUMBNAILS_WORDS,
        container: Container::None,
    },
];

/// The target of this name.
pub fn by_name(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Puts `bytes` where a reader that wants a path finds them.
fn with_file<T>(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    thread_local! {
        static FOLDER: TempDir = {
            // In memory, where there is such a place.
            let memory = Path::new("/dev/shm");
            let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
            tempfile::tempdir_in(place).expect("a folder for temporary files")
        };
    }
    let path = FOLDER.with(|folder| folder.path().join(name));
    fs::write(&path, bytes).expect("room for a temporary file");
    read(&path)
}

/// The words of a result.
fn words<T, E: Display>(result: &Result<T, E>) -> String {
    match result {
        Ok(_) => "read".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn idx(bytes: &[u8]) -> String {
    with_file("x-idx", bytes, |path| {
        let (images, labels) = (idx::read_images(path), idx::read_labels(path));
        if let Ok(images) = &images {
            assert_eq!(images.pixels().len(), images.len() * images.shape().len());
            assert!(!images.is_empty());
        }
        format!("{}; {}", words(&images), words(&labels))
    })
}

fn csv(bytes: &[u8]) -> String {
    with_file("train.csv", bytes, |path| {
        let size = if bytes.len().is_multiple_of(4) { Some((2, 3)) } else { None };
        let data = kaggle::read_csv(path, size, Isa::detect());
        let plain = kaggle::read_csv(path, size, Isa::SCALAR);
        match (&data, &plain) {
            (Ok(data), Ok(plain)) => assert!(data == plain, "instruction sets read different things"),
            _ => assert_eq!(words(&data), words(&plain)),
        }
        if let Ok(data) = &data {
            assert_eq!(data.images.pixels().len(), data.len() * data.images.shape().len());
            assert!(data.labels.as_ref().is_none_or(|labels| labels.len() == data.len()));
        }
        words(&data)
    })
}

fn npz(bytes: &[u8]) -> String {
    with_file("x.npz", bytes, |path| {
        let source = open(&path.to_string_lossy(), &OpenOptions::default());
        if let Ok(source) = &source {
            for (_, data) in source.parts() {
                assert_eq!(data.images.shape(), source.shape());
                let labels = data.labels.iter().flatten();
                assert!(labels.clone().all(|&label| (label as usize) < source.classes.len()));
                assert!(data.labels.is_none() || labels.count() == data.len());
            }
        }
        words(&source)
    })
}

fn image(bytes: &[u8]) -> String {
    let image = decode_image(bytes, "image");
    if let Ok(image) = &image {
        let DecodedImage { .. } = image;
        assert_eq!(image.pixels().len(), image.shape().len());
        for shape in [ImageShape::new(7, 5, 1), ImageShape::new(3, 8, 3)] {
            assert_eq!(image.to_input(shape, ResizeFilter::Triangle).len(), shape.len());
        }
    }
    words(&image)
}

/// A recipe, and after a line `---` settings to lay over it, one a line.
fn recipe(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return "no text".to_owned() };
    let (text, overrides) = text.split_once("\n---\n").unwrap_or((text, ""));
    let recipe = match Recipe::from_toml(text, "recipe") {
        Ok(recipe) => recipe,
        error => return words(&error),
    };
    let overrides: Vec<&str> = overrides.lines().collect();
    let changed = recipe.with_overrides(&overrides);
    for recipe in std::iter::once(&recipe).chain(&changed) {
        let written = recipe.to_toml().expect("what was read can be written");
        let again = Recipe::from_toml(&written, "again").expect("what was written can be read");
        // As text: the table `provenance` may hold anything, NaN too.
        assert_eq!(again.to_toml().expect("it was written before"), written);
    }
    words(&changed)
}

fn model(bytes: &[u8]) -> String {
    let parts = match glyphnet::model_file::from_bytes(bytes, "model") {
        Ok(parts) => parts,
        error => return words(&error),
    };
    let written = glyphnet::model_file::to_bytes(&parts).expect("what was read can be written");
    let again = glyphnet::model_file::from_bytes(&written, "again").expect("what was written can be read");
    assert_eq!(again, parts);
    predict(&Model::new(parts))
}

fn checkpoint(bytes: &[u8]) -> String {
    let checkpoint = Checkpoint::from_bytes(bytes, Path::new("checkpoint"));
    if let Ok(checkpoint) = &checkpoint {
        let written = checkpoint.to_bytes().expect("what was read can be written");
        let again = Checkpoint::from_bytes(&written, Path::new("again")).expect("what was written can be read");
        // Not the checkpoints themselves: a number in them may be NaN.
        assert!(again.to_bytes().expect("it was written before") == written);
    }
    words(&checkpoint)
}

fn predictions(bytes: &[u8]) -> String {
    let splits = predictions_from_bytes(bytes, Path::new("predictions"));
    for split in splits.iter().flatten().filter(|split| split.classes <= MOST_CLASSES) {
        let analysis = Analysis::new(&split.labels, &split.probabilities, split.classes);
        assert_eq!(analysis.expect("what was read fits together").images, split.indices.len());
    }
    words(&splits)
}

fn thumbnails(bytes: &[u8]) -> String {
    let splits = thumbnails_from_bytes(bytes, Path::new("thumbnails"));
    for split in splits.iter().flatten() {
        assert!(split.rows.iter().all(|&row| split.image(row).is_some_and(|image| image.len() == split.shape.len())));
        assert!(!split.rows.is_empty() && split.pixels.len() == split.rows.len() * split.shape.len());
    }
    words(&splits)
}

/// One image through the network, unless that takes too long.
fn predict(model: &Model) -> String {
    const MOST: u64 = 10_000_000;
    let shape = model.input();
    if model.network().macs() > MOST || shape.len() as u64 > MOST {
        return "a large model".to_owned();
    }
    let image = Images::new(shape, vec![200; shape.len()]).expect("pixels of this shape");
    let predictions = model.predict(&image).expect("an image of the model's shape");
    assert_eq!(predictions.len(), 1);
    "a model".to_owned()
}
