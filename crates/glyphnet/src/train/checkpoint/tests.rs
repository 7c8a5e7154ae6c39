//! A small checkpoint, and everything that may happen to its file.

use std::path::Path;

use super::*;
use crate::nn::{AverageState, BatchNorm, Dense, Flatten, Sequential};
use crate::train::checkpoint::progress::EpochProgress;
use crate::train::exact::Exact;
use crate::train::history::EpochRecord;
use glyphnet_data::{ImageShape, Preprocess};

const RECIPE: &str = "[optimizer]\nkind = \"rmsprop\"\nmomentum = 0.5\n[[layer]]\nkind = \"flatten\"\n[[layer]]\n\
                      kind = \"dense\"\nunits = \"classes\"\n[[layer]]\nkind = \"batch_norm\"\n";

/// A checkpoint in the middle of the second epoch, with every section.
fn sample() -> Checkpoint {
    let layers = Sequential::new().add(Flatten {}).add(Dense::new(2)).add(BatchNorm::default());
    let network = layers.build(ImageShape::new(2, 2, 1), 2, 3).unwrap();
    let weights = network.trained_parameters();
    let array = |start: f32| (0..weights).map(|i| start + i as f32).collect::<Vec<f32>>();
    let optimizer = vec![("mean_square", array(0.5)), ("velocity", array(-3e-40))];
    let (flat, state) = (array(9.0), network.state().to_vec());
    let average = |count| AverageState { count, weights: array(-4.0), state: state.clone() };
    let (average, earlier) = (average(3), average(1));
    let rollback =
        TrainerState { steps: 5, weights: flat, state, optimizer: optimizer.clone(), average: Some(earlier) };
    let mut history = History::default();
    let (train_loss, seconds) = (0.1 + 0.2, 1.5);
    let record = EpochRecord {
        epoch: 1,
        train_loss,
        train_accuracy: 0.5,
        val_loss: None,
        val_accuracy: None,
        learning_rate: 1e-3,
        seconds,
    };
    history.push(record);
    let epoch = EpochProgress { steps: 2, loss: Exact(0.1), correct: 3, images: 4, seconds: Exact(0.0) };
    let (averaged, back_averaged) = (3, 1);
    let progress = Progress {
        epochs: 1,
        planned: 9,
        steps: 7,
        averaged,
        epoch,
        back_averaged,
        best_epoch: 1,
        ..Progress::default()
    };
    Checkpoint {
        recipe: Recipe::from_toml(RECIPE, "test").unwrap(),
        data: "d".repeat(64),
        simd: "scalar".to_owned(),
        program: "0".to_owned(),
        best: Some(network.clone()),
        model: ModelParts {
            networks: network.into(),
            classes: vec!["a".into(), "b".into()],
            preprocess: Preprocess::default(),
        },
        optimizer,
        average: Some(average),
        rollback: Some(rollback),
        history,
        progress,
    }
}

fn read(bytes: &[u8]) -> Result<Checkpoint, String> {
    Checkpoint::from_bytes(bytes, Path::new("file")).map_err(|error| error.to_string())
}

#[test]
fn a_checkpoint_reads_back_as_it_was_written() {
    let whole = sample();
    let bytes = whole.to_bytes().unwrap();
    assert_eq!(read(&bytes).unwrap(), whole);
    assert_eq!(read(&bytes).unwrap().to_bytes().unwrap(), bytes, "equal checkpoints are equal files");
    let mut bare = sample();
    (bare.best, bare.average, bare.rollback) = (None, None, None);
    (bare.progress.best_epoch, bare.progress.averaged) = (0, 0);
    assert_eq!(read(&bare.to_bytes().unwrap()).unwrap(), bare);
}

#[test]
fn every_damaged_byte_and_every_cut_is_refused() {
    let bytes = sample().to_bytes().unwrap();
    for i in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[i] ^= 1 << (i % 8);
        assert!(read(&damaged).is_err(), "byte {i}");
        assert!(read(&bytes[..i]).is_err(), "cut at {i}");
    }
}

#[test]
fn parts_that_contradict_each_other_are_refused() {
    let refusal = |spoil: fn(&mut Checkpoint)| {
        let mut checkpoint = sample();
        spoil(&mut checkpoint);
        read(&checkpoint.to_bytes().unwrap()).unwrap_err()
    };
    assert!(refusal(|c| c.progress.epochs = 2).contains("its history has 1 epochs, not 2"));
    assert!(refusal(|c| c.average = None).contains("average.dense/kernel"));
    assert!(refusal(|c| c.progress.averaged = 8).contains("8 of its 7 steps are averaged"));
    assert!(refusal(|c| c.best = None).contains("best.dense/kernel"));
    assert!(refusal(|c| c.progress.best_epoch = 3).contains("best epoch is 3 of 1"));
    assert!(refusal(|c| c.progress.epoch.steps = 8).contains("steps"));
    assert!(refusal(|c| c.progress.learning_rate = Exact(f64::NAN)).contains("learning rate"));
    assert!(refusal(|c| drop(c.optimizer.pop())).contains("optimizer.velocity.dense/kernel"));
    let other = refusal(|c| c.model.classes.push("c".into()));
    assert!(other.contains("2 classes") || other.contains("3 classes"), "{other}");
}
