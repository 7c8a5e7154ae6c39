//! Test-time augmentation: the mean over five views, where the network is unsure and nowhere else.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::evaluate::evaluate;
use glyphnet::model_file::{ModelParts, from_bytes, to_bytes};
use glyphnet::nn::{Activation, Conv2d, Dense, Flatten, Sequential, Threads};
use glyphnet::{Model, Predictions};
use glyphnet_data::{Dataset, ImageShape, Images, Preprocess};
use glyphnet_kernels::Isa;

const SHAPE: ImageShape = ImageShape::new(6, 5, 3);
const IMAGES: usize = 40;

fn model(tta_below: Option<f32>) -> Model {
    let layers =
        Sequential::new().add(Conv2d::new(6, 3).activation(Activation::Relu)).add(Flatten {}).add(Dense::new(3));
    let mut network = layers.build(SHAPE, 3, 5).unwrap();
    // Steeper, so that it is sure of some images.
    network.weights_mut().iter_mut().for_each(|w| *w *= 1.6);
    let classes = vec!["a".into(), "b".into(), "c".into()];
    let preprocess = Preprocess { mean: vec![0.4, 0.5, 0.6], std: vec![0.3], tta_below, ..Preprocess::default() };
    Model::new(ModelParts { networks: network.into(), classes, preprocess })
}

/// Pixels that look random.
fn images() -> Images {
    let pixels = (0..IMAGES * SHAPE.len()).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 24) as u8);
    Images::new(SHAPE, pixels.collect()).unwrap()
}

/// All images, their pictures moved down and to the right by so many pixels.
fn moved(down: i64, right: i64) -> Images {
    let images = images();
    let mut pixels = Vec::new();
    for image in 0..IMAGES {
        for (row, column) in (0..6).flat_map(|row| (0..5).map(move |column| (row, column))) {
            let (row, column) = ((row - down).clamp(0, 5) as usize, (column - right).clamp(0, 4) as usize);
            pixels.extend_from_slice(&images.get(image)[(row * 5 + column) * 3..][..3]);
        }
    }
    Images::new(SHAPE, pixels).unwrap()
}

fn rows(predictions: &Predictions) -> Vec<Vec<f32>> {
    (0..predictions.len()).map(|i| predictions.row(i).to_vec()).collect()
}

#[test]
fn unsure_images_get_the_mean_of_five_views_and_the_others_keep_their_bits() {
    let plain = rows(&model(None).predict(&images()).unwrap());
    let views = [(1, 0), (-1, 0), (0, 1), (0, -1)]
        .map(|(down, right)| rows(&model(None).predict(&moved(down, right)).unwrap()));
    for below in [0.5, 0.8, 1.0] {
        let tta = rows(&model(Some(below)).predict(&images()).unwrap());
        let mut unsure = 0;
        for (image, (plain, tta)) in plain.iter().zip(&tta).enumerate() {
            if plain.iter().any(|p| *p >= below) {
                assert_eq!(plain, tta, "image {image} below {below}");
                continue;
            }
            unsure += 1;
            for (class, got) in tta.iter().enumerate() {
                let want = (plain[class] + views.iter().map(|view| view[image][class]).sum::<f32>()) / 5.0;
                assert!((got - want).abs() < 1e-6, "image {image} class {class} below {below}: {got} for {want}");
            }
        }
        assert!(unsure > 0 && (below == 1.0) == (unsure == IMAGES), "{unsure} of {IMAGES} below {below}");
    }
}

#[test]
fn bits_depend_neither_on_threads_nor_on_company_and_the_loss_is_that_of_the_mean() {
    let model = model(Some(0.9));
    let all = model.predict(&images()).unwrap();
    for threads in [1, 3] {
        assert_eq!(model.predict_on(&Threads::new(threads).unwrap(), &images()).unwrap(), all);
    }
    let lying_apart = images();
    assert_eq!(model.predict_scattered(IMAGES, |i| lying_apart.get(i)), all);
    for image in 0..IMAGES {
        let alone = Images::new(SHAPE, images().get(image).to_vec()).unwrap();
        assert_eq!(model.predict(&alone).unwrap().row(0), all.row(image), "image {image}");
    }
    let labels: Vec<u32> = (0..IMAGES as u32).map(|i| i % 3).collect();
    let loss: f64 = labels.iter().enumerate().map(|(i, &l)| -f64::from(all.row(i)[l as usize]).ln()).sum();
    let dataset = Dataset { images: images(), labels: Some(labels) };
    let score = evaluate(&model, &dataset, &Threads::new(2).unwrap()).unwrap().unwrap().score;
    assert!((score.loss - loss / IMAGES as f64).abs() < 1e-5, "{} for {}", score.loss, loss / IMAGES as f64);
}

#[test]
fn the_model_file_remembers_it() {
    let model = model(Some(0.75));
    let parts = from_bytes(&to_bytes(model.parts()).unwrap(), "test").unwrap();
    assert_eq!(parts.preprocess.tta_below, Some(0.75));
    let again = Model::with_isa(parts, Isa::detect());
    assert_eq!(again.predict(&images()).unwrap(), model.predict(&images()).unwrap());
}
