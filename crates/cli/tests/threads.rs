//! The number of threads changes nothing but the time: the same files, byte for byte.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{Bench, idx};
use glyphnet_data::{Dataset, Images};

/// What has state or randomness of its own: the statistics of batch norm, the draws of dropout, the moments of Adam.
const NORMALISED: &str = r#"
[data]
source = "digits"
validation = 0.1
[augment]
rotation = 12.0
width_shift = 0.1
height_shift = 0.1
zoom = 0.1
shear = 5.0
[train]
batch_size = 32
[optimizer]
kind = "adam"
learning_rate = 0.003
[[layer]]
kind = "conv2d"
filters = 8
kernel = 3
use_bias = false
[[layer]]
kind = "batch_norm"
[[layer]]
kind = "activation"
activation = "relu"
[[layer]]
kind = "max_pool2d"
[[layer]]
kind = "dropout"
rate = 0.25
[[layer]]
kind = "conv2d"
filters = 12
kernel = 3
activation = "relu"
[[layer]]
kind = "batch_norm"
[[layer]]
kind = "global_avg_pool2d"
[[layer]]
kind = "dropout"
rate = 0.5
[[layer]]
kind = "dense"
units = "classes"
activation = "softmax"
"#;

/// IDX files of a few real digits.
fn write_digits(bench: &Bench) {
    let digits = glyphnet_data::open("mnist", &Default::default()).unwrap();
    let test = digits.test.unwrap();
    for (part, data, count) in [("train", &digits.train, 400), ("t10k", &test, 80)] {
        let few: Dataset = data.select(&(0..count).collect::<Vec<u32>>());
        let images: &Images = &few.images;
        let labels: Vec<u8> = few.labels.unwrap().iter().map(|&label| label as u8).collect();
        bench.write(&format!("digits/{part}-images-idx3-ubyte"), idx(&[count, 28, 28], images.pixels()));
        bench.write(&format!("digits/{part}-labels-idx1-ubyte"), idx(&[count], &labels));
    }
}

/// The history without its last column, the seconds.
fn without_seconds(history: &str) -> Vec<String> {
    assert!(history.starts_with("epoch,") && history.lines().next().unwrap().ends_with(",seconds"), "{history}");
    history.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}

/// One epoch of 300 augmented digits with 1, 2 and 3 threads; another seed must give something else.
fn threads_change_nothing(recipe: &str) {
    let bench = Bench::new();
    write_digits(&bench);
    bench.write("normalised.toml", NORMALISED);
    let train = |run: &str, threads: &str, seed: &str| {
        let settings = ["--set", "data.limit=300", "--data", "digits", "--epochs", "1", "--seed", seed];
        let args = ["train", "--recipe", recipe, "--out", run, "--threads", threads];
        bench.ok(&[&args[..], &settings[..]].concat());
        let file = |name: &str| std::fs::read(bench.path(run).join(name)).unwrap();
        let history = without_seconds(&bench.read(&format!("{run}/history.csv")));
        (file("model.safetensors"), file("predictions.safetensors"), history)
    };
    let (model, predictions, history) = train("one", "1", "4");
    assert_eq!(history.len(), 2, "{history:?}");
    assert!(bench.read("one/run.toml").contains("[augment]"));
    for threads in ["2", "3"] {
        let (other_model, other_predictions, other_history) = train(threads, threads, "4");
        assert_eq!(other_history, history, "{recipe} with {threads} threads");
        assert!(other_model == model, "{recipe}: the model of {threads} threads is another");
        assert!(other_predictions == predictions, "{recipe}: the predictions of {threads} threads are others");
    }
    let (other_model, _, other_history) = train("seed", "2", "5");
    assert!(other_model != model && other_history != history);
}

#[test]
fn threads_change_nothing_in_the_reference_network() {
    threads_change_nothing("seed");
}

#[test]
fn threads_change_nothing_in_a_network_with_batch_norm_and_dropout() {
    threads_change_nothing("normalised.toml");
}
