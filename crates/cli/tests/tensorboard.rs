//! `train --tensorboard`: which events there are, also of runs that go on. Whether TensorBoard reads them is asked by
//! `clients/tensorboard/`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{Bench, files_in};

const TRAIN: [&str; 5] = ["train", "--recipe", "bars.toml", "--out", "run"];

fn files(bench: &Bench) -> Vec<String> {
    files_in(&bench.path("run/tensorboard"))
}

/// How often `tag` is in the event file of a split: once a step.
fn values(bench: &Bench, split: &str, tag: &str) -> usize {
    let bytes = std::fs::read(bench.path(&format!("run/tensorboard/{split}/events.out.tfevents.glyphnet"))).unwrap();
    bytes.windows(tag.len()).filter(|window| *window == tag.as_bytes()).count()
}

/// Whether each split has each of so many epochs once.
fn check(bench: &Bench, epochs: usize) {
    for (split, tag) in [
        ("train", "epoch_loss"),
        ("train", "epoch_accuracy"),
        ("train", "epoch_learning_rate"),
        ("validation", "epoch_loss"),
        ("validation", "epoch_accuracy"),
    ] {
        assert_eq!(values(bench, split, tag), epochs, "{split} {tag}");
    }
}

#[test]
fn each_epoch_and_each_picture_is_there_once() {
    let bench = Bench::bars();
    let text = bench.ok(&[&TRAIN[..], &["--tensorboard"]].concat());
    assert!(text.contains("  tensorboard --logdir run/tensorboard\n"), "{text}");
    let name = "events.out.tfevents.glyphnet";
    assert_eq!(files(&bench), ["pictures", "train", "validation"].map(|split| format!("{split}/{name}")));
    check(&bench, 3);
    assert_eq!(values(&bench, "pictures", "samples"), 1);
}

#[test]
fn a_run_that_goes_on_has_no_epoch_twice_and_none_too_few() {
    let bench = Bench::bars();
    bench.ok(&[&TRAIN[..], &["--tensorboard"]].concat());
    bench.ok(&["train", "--resume", "run", "--epochs", "5"]);
    check(&bench, 5);
    assert_eq!(values(&bench, "pictures", "samples"), 2, "at the end of the first length and of the second");
    // As after a crash: the files are ahead of the run, and the last event was not written whole.
    let file = bench.path("run/tensorboard/train/events.out.tfevents.glyphnet");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 3]).unwrap();
    bench.ok(&["train", "--resume", "run", "--epochs", "6"]);
    check(&bench, 6);
}

#[test]
fn a_run_may_begin_with_it_when_it_goes_on() {
    let bench = Bench::bars();
    bench.ok(&TRAIN);
    assert!(!bench.path("run/tensorboard").exists());
    bench.ok(&["train", "--resume", "run", "--epochs", "4", "--tensorboard"]);
    check(&bench, 4);
}

#[test]
fn without_validation_there_is_no_such_run() {
    let bench = Bench::bars();
    bench.ok(&[&TRAIN[..], &["--tensorboard", "--set", "data.validation=0"]].concat());
    assert!(files(&bench).iter().all(|file| !file.starts_with("validation")), "{:?}", files(&bench));
    assert_eq!(values(&bench, "train", "epoch_loss"), 3);
}
