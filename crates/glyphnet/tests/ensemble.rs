//! Models of several networks: the mean of their probabilities, the same bits however it is asked for.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::evaluate::evaluate;
use glyphnet::model_file::{ModelParts, from_bytes, to_bytes};
use glyphnet::nn::{Activation, Conv2d, Dense, Flatten, Network, Sequential, Threads};
use glyphnet::{Model, Networks, NetworksError};
use glyphnet_data::{Dataset, ImageShape, Images, Preprocess};

const SHAPE: ImageShape = ImageShape::new(6, 5, 1);
const IMAGES: usize = 70;

fn network(seed: u64) -> Network {
    let layers =
        Sequential::new().add(Conv2d::new(6, 3).activation(Activation::Relu)).add(Flatten {}).add(Dense::new(3));
    let mut network = layers.build(SHAPE, 3, seed).unwrap();
    network.weights_mut().iter_mut().for_each(|weight| *weight *= 2.0);
    network
}

fn model(networks: Vec<Network>, tta_below: Option<f32>) -> Model {
    let classes = vec!["a".into(), "b".into(), "c".into()];
    let preprocess = Preprocess { mean: vec![0.4], std: vec![0.3], tta_below, ..Preprocess::default() };
    Model::new(ModelParts { networks: Networks::new(networks).unwrap(), classes, preprocess })
}

fn three() -> Vec<Network> {
    (1..4).map(network).collect()
}

/// Pixels that look random.
fn images() -> Images {
    let pixels = (0..IMAGES * SHAPE.len()).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 24) as u8);
    Images::new(SHAPE, pixels.collect()).unwrap()
}

#[test]
fn probabilities_are_the_mean_of_those_of_the_networks() {
    let alone: Vec<Vec<f32>> = three()
        .into_iter()
        .map(|network| model(vec![network], None).predict(&images()).unwrap().probabilities().to_vec())
        .collect();
    let together = model(three(), None).predict(&images()).unwrap();
    let mut apart = 0.0_f32;
    for (i, &mean) in together.probabilities().iter().enumerate() {
        let expected = alone.iter().map(|row| f64::from(row[i])).sum::<f64>() / 3.0;
        // A few roundings: of the sum, of the logarithm and of softmax.
        assert!((f64::from(mean) - expected).abs() < 2e-6, "{i}: {mean} for {expected}");
        apart = apart.max((alone[0][i] - mean).abs());
    }
    assert!(apart > 0.1, "the networks differ");
}

#[test]
fn bits_depend_neither_on_threads_nor_on_company() {
    for tta_below in [None, Some(0.6)] {
        let model = model(three(), tta_below);
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
        let again = Model::new(from_bytes(&to_bytes(model.parts()).unwrap(), "test").unwrap());
        assert_eq!(again.predict(&images()).unwrap(), all);
    }
}

/// Whether an image is seen again is decided on the mean: where single networks are sure of different classes it is not sure.
#[test]
fn unsure_is_what_the_mean_is_unsure_of() {
    let (plain, tta) = (model(three(), None), model(three(), Some(0.6)));
    let (plain, tta) = (plain.predict(&images()).unwrap(), tta.predict(&images()).unwrap());
    let mut seen_again = 0;
    for image in 0..IMAGES {
        let sure = plain.row(image).iter().any(|p| *p >= 0.6);
        assert_eq!(sure, plain.row(image) == tta.row(image), "image {image}");
        seen_again += usize::from(!sure);
    }
    assert!(seen_again > 0 && seen_again < IMAGES, "{seen_again}");
}

#[test]
fn loss_and_accuracy_are_those_of_the_mean() {
    let model = model(three(), None);
    let labels: Vec<u32> = (0..IMAGES as u32).map(|i| i % 3).collect();
    let all = model.predict(&images()).unwrap();
    let loss: f64 = labels.iter().enumerate().map(|(i, &l)| -f64::from(all.row(i)[l as usize]).ln()).sum();
    let right = all.labels().iter().zip(&labels).filter(|(a, b)| a == b).count();
    let dataset = Dataset { images: images(), labels: Some(labels) };
    let score = evaluate(&model, &dataset, &Threads::new(2).unwrap()).unwrap().unwrap().score;
    assert!((score.loss - loss / IMAGES as f64).abs() < 1e-5, "{} for {}", score.loss, loss / IMAGES as f64);
    assert_eq!(score.accuracy, right as f64 / IMAGES as f64);
}

#[test]
fn networks_that_differ_make_no_model() {
    let wider = Sequential::new().add(Flatten {}).add(Dense::new(3)).build(SHAPE, 3, 0).unwrap();
    assert_eq!(Networks::new(vec![network(1), wider]), Err(NetworksError::Differs(2)));
    assert_eq!(Networks::new(Vec::new()), Err(NetworksError::Count(0)));
}
