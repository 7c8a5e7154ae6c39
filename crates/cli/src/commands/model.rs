//! Models, and the runs that they come from.

use std::path::Path;

use glyphnet::nn::Threads;
use glyphnet::{Model, Predictions};
use glyphnet_data::formats::kaggle;
use glyphnet_data::{DataError, Dataset, Images, OpenOptions, Source, SourceKind};
use indicatif::ProgressBar;

use super::{source, wrong_model};
use crate::error::CliError;

/// So many images are predicted between two moves of a bar.
const BLOCK: usize = 1024;

/// Reads a model file, or the one in a run's folder.
pub(crate) fn load(path: &Path) -> Result<Model, CliError> {
    Model::load(path).map_err(|error| wrong_model::explain(path, error))
}

/// Opens data as `model` needs it: labels number the model's classes. Image files are resized to its input; data of
/// another fixed size is refused.
pub(crate) fn open_for(model: &Model, name: &str, options: &OpenOptions) -> Result<Source, CliError> {
    let mut opened = open_images(model, name, options, source::open)?;
    relabel(&mut opened, model.classes())?;
    Ok(opened)
}

/// The same with the data's own labels, whatever the model's classes are; `open` is what opens data.
pub(crate) fn open_images(
    model: &Model,
    name: &str,
    options: &OpenOptions,
    open: fn(&str, &OpenOptions) -> Result<Source, CliError>,
) -> Result<Source, CliError> {
    let mut opened = open(name, options)?;
    let input = model.input();
    if opened.kind == SourceKind::Folder && opened.shape() != input {
        let size = Some((input.height, input.width));
        let resize = model.preprocess().resize;
        opened = open(name, &OpenOptions { size, channels: Some(input.channels), resize, isa: model.isa() })?;
    }
    if opened.shape() != input {
        let shape = opened.shape();
        return Err(CliError::failed(format!("{name} holds images of {shape}, but the model takes {input}")));
    }
    Ok(opened)
}

/// The images of a CSV file, with labels or without; they must have the size of the model's input.
pub(crate) fn read_csv(model: &Model, path: &Path) -> Result<Dataset, DataError> {
    let input = model.input();
    // A CSV file does not tell the sides of images that are not square.
    let size = (input.height != input.width).then_some((input.height, input.width));
    let data = kaggle::read_csv(path, size, model.isa())?;
    if data.images.shape() != input {
        let problem = format!("the images are {}, but the model takes {input}", data.images.shape());
        return Err(DataError::Csv { path: path.to_owned(), line: 1, column: None, problem });
    }
    Ok(data)
}

/// Predicts `images` block by block, so that `bar` can show how far it is; `each` gets the number of a block's first
/// image and the block's predictions.
pub(crate) fn predict(
    model: &Model,
    threads: &Threads,
    images: &Images,
    bar: &ProgressBar,
    mut each: impl FnMut(usize, &Predictions),
) -> Result<(), CliError> {
    let shape = images.shape();
    for (block, pixels) in images.pixels().chunks(BLOCK * shape.len()).enumerate() {
        let predictions = model.predict_on(threads, &Images::new(shape, pixels.to_vec())?)?;
        each(block * BLOCK, &predictions);
        bar.inc(predictions.len() as u64);
    }
    Ok(())
}

/// Numbers the labels by the model's class names instead of the data's own.
fn relabel(source: &mut Source, classes: &[String]) -> Result<(), CliError> {
    if classes.starts_with(&source.classes) {
        return Ok(());
    }
    let place = |name: &String| {
        let found = classes.iter().position(|class| class == name);
        found.map(|label| label as u32).ok_or_else(|| {
            let known = classes.join(", ");
            CliError::failed(format!("{} has a class '{name}' that the model does not know: {known}", source.name))
        })
    };
    let places = source.classes.iter().map(place).collect::<Result<Vec<u32>, CliError>>()?;
    let renumber = |data: &mut Dataset| {
        for label in data.labels.iter_mut().flatten() {
            *label = places[*label as usize];
        }
    };
    let parts = [Some(&mut source.train), source.validation.as_mut(), source.test.as_mut()];
    parts.into_iter().flatten().for_each(renumber);
    source.classes = classes.to_vec();
    Ok(())
}

#[cfg(test)]
mod tests {
    use glyphnet_data::{ImageShape, Images};

    use super::*;

    fn source(classes: &[&str], labels: &[u32]) -> Source {
        let images = Images::new(ImageShape::new(1, 1, 1), vec![0; labels.len()]).unwrap();
        let train = Dataset { images, labels: Some(labels.to_vec()) };
        let classes = classes.iter().map(|&name| name.to_owned()).collect();
        let kind = SourceKind::Folder;
        Source { name: "data".to_owned(), kind, classes, train, validation: None, test: None, notes: vec![] }
    }

    #[test]
    fn labels_follow_the_names_of_the_classes() {
        let classes = ["cat", "dog", "owl"].map(str::to_owned);
        let mut fewer = source(&["dog", "owl"], &[0, 1, 1]);
        assert!(relabel(&mut fewer, &classes).is_ok());
        assert_eq!(fewer.train.labels, Some(vec![1, 2, 2]));
        let mut same = source(&["cat", "dog"], &[0, 1]);
        assert!(relabel(&mut same, &classes).is_ok());
        assert_eq!(same.train.labels, Some(vec![0, 1]));
        assert!(relabel(&mut source(&["cow"], &[0]), &classes).is_err());
    }
}
