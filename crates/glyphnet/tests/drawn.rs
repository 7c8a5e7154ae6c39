//! A model remembers how its training images are drawn: those alone, and only if they are.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::nn::{Kernels, Threads};
use glyphnet::recipe::Recipe;
use glyphnet::train::{FitOptions, fit};
use glyphnet::{Images, Model, Source};
use glyphnet_data::{Drawn, OpenOptions, Polarity, open};
use glyphnet_kernels::Isa;

const RECIPE: &str = r#"
train.epochs = 1
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = "classes"
activation = "softmax"
"#;

/// 500 training images of MNIST; its test images become something else.
fn digits() -> Source {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/mnist");
    let mut source = open(folder, &OpenOptions::default()).unwrap();
    source.train = source.train.select(&(0..500).collect::<Vec<u32>>());
    let shape = source.shape();
    let test = source.test.as_mut().unwrap();
    test.images = Images::new(shape, vec![90; test.len() * shape.len()]).unwrap();
    source
}

fn trained(source: &Source, overrides: &[&str]) -> Model {
    let recipe = Recipe::from_toml(RECIPE, "test").unwrap().with_overrides(overrides).unwrap();
    let options =
        FitOptions { threads: Threads::new(2).unwrap(), isa: Isa::detect(), folder: None, kernels: Kernels::default() };
    fit(&recipe, source, &options, &mut ()).unwrap().model
}

#[test]
fn the_training_images_alone_say_how_they_are_drawn() {
    let source = digits();
    let all = Drawn::estimate(source.train.images.iter(), source.shape(), Polarity::LightOnDark);
    assert!(all.is_some());
    let model = trained(&source, &["data.validation=0"]);
    assert_eq!(model.preprocess().drawn, all);
    let half = trained(&source, &["data.validation=0.5"]).preprocess().drawn;
    assert!(half.is_some() && half != all, "{half:?}");
}

#[test]
fn what_a_recipe_says_is_overwritten() {
    let mut source = digits();
    let said = "preprocess.drawn={ centred_by = \"box\", centre = [1, 1], size = 1, stroke = 1, edge = 1, ground = 0, \
                ink = 1 }";
    let model = trained(&source, &["data.validation=0", said]);
    assert_eq!(
        model.preprocess().drawn,
        Drawn::estimate(source.train.images.iter(), source.shape(), Polarity::LightOnDark)
    );
    // Left halves light, right halves dark, throughout.
    let halves: Vec<u8> = (0..source.train.images.pixels().len()).map(|i| if i % 28 < 14 { 200 } else { 20 }).collect();
    source.train.images = Images::new(source.shape(), halves).unwrap();
    assert_eq!(trained(&source, &["data.validation=0", said]).preprocess().drawn, None);
}
