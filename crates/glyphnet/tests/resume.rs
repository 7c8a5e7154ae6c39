//! A run that was interrupted, however often, comes to the bits of one that was not.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

use glyphnet::Error;
use glyphnet::recipe::Recipe;
use glyphnet::train::{Checkpoint, Event, FitOptions, Observer, Outcome, RunFolder, fit, resume};
use glyphnet_kernels::Isa;

#[path = "common/rows.rs"]
mod rows;
#[path = "common/runs.rs"]
mod runs;

use rows::source;
use runs::{STEPS_PER_EPOCH, Watch, begin, extend, go_on, history, latest, options, stop_after};

/// All that has a memory: augmentation, dropout, batch norm, class weights, early stopping, reduction on a plateau.
const EVERYTHING: &str = r#"
data.validation = 40
augment = { rotation = 10.0, zoom = 0.1, width_shift = 0.1 }
train = { batch_size = 24, epochs = 5, seed = 7, class_weights = "balanced", label_smoothing = 0.1 }
early_stopping = { patience = 3 }
reduce_lr_on_plateau = { patience = 0, factor = 0.5, min_delta = 0.5 }
[[layer]]
kind = "conv2d"
filters = 3
kernel = 2
[[layer]]
kind = "batch_norm"
[[layer]]
kind = "activation"
activation = "relu"
[[layer]]
kind = "dropout"
rate = 0.2
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = "classes"
activation = "softmax"
"#;

/// Every optimizer with everything that it can keep.
const OPTIMIZERS: [&[&str]; 6] = [
    &["optimizer.kind=sgd", "optimizer.momentum=0.9", "optimizer.nesterov=true", "optimizer.global_clip_norm=1.0"],
    &["optimizer.kind=rmsprop", "optimizer.momentum=0.5", "optimizer.centered=true", "optimizer.weight_decay=0.01"],
    &["optimizer.kind=rmsprop"],
    &["optimizer.kind=adam", "optimizer.clip_value=0.1"],
    &["optimizer.kind=adamw", "optimizer.learning_rate=0.01"],
    &["optimizer.kind=muon", "optimizer.momentum=0.6"],
];

fn recipe(overrides: &[&str]) -> Recipe {
    Recipe::from_toml(EVERYTHING, "test").unwrap().with_overrides(overrides).unwrap()
}

/// All that a run comes to, but for times.
fn result(path: &Path, outcome: &Outcome) -> (Vec<u8>, Vec<u8>, Vec<String>, String) {
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    let Outcome { best_epoch, images, validation, test, .. } = outcome;
    let scores = format!("{best_epoch} {images} {validation:?} {test:?}");
    (read("model.safetensors"), read("predictions.safetensors"), history(path), scores)
}

fn uninterrupted(recipe: &Recipe) -> (Vec<u8>, Vec<u8>, Vec<String>, String) {
    let place = tempfile::tempdir().unwrap();
    let outcome = begin(recipe, place.path(), &mut Watch::default()).unwrap();
    assert!(!outcome.interrupted);
    result(place.path(), &outcome)
}

fn checkpoints(path: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(path.join("checkpoint")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_optimizer_goes_on_to_the_same_bits_from_any_step() {
    for (number, optimizer) in OPTIMIZERS.iter().enumerate() {
        let recipe = recipe(optimizer);
        let whole = uninterrupted(&recipe);
        // In the first epoch, at its end, after it, in the middle of others, and at the very last step.
        let last = whole.2.len().saturating_sub(1) * STEPS_PER_EPOCH;
        for (i, stop) in [1, 6, 7, 8, 17, last].into_iter().enumerate() {
            let place = tempfile::tempdir().unwrap();
            let outcome = begin(&recipe, place.path(), &mut stop_after(stop)).unwrap();
            assert!(outcome.interrupted, "{optimizer:?} {stop}");
            let threads = [1, 2, 3, 8][(i + number) % 4];
            let outcome = go_on(&recipe, place.path(), threads, &mut Watch::default()).unwrap();
            assert!(result(place.path(), &outcome) == whole, "{optimizer:?} stopped after {stop} on {threads} threads");
            assert!(!outcome.interrupted && checkpoints(place.path()).len() == 2);
        }
    }
}

#[test]
fn interrupted_at_every_step_it_comes_to_the_same() {
    let cycle =
        ["reduce_lr_on_plateau=none", "schedule.kind=one_cycle", "schedule.momentum=[0.9, 0.5]", "optimizer.kind=adam"];
    let frozen = ["layer.0.frozen=true", "layer.1.frozen=true", "ema.start=0.25", "train.on_nan=rollback"];
    let settings: [&[&str]; 6] = [
        &frozen,
        &["schedule=none"],
        &["reduce_lr_on_plateau=none", "schedule.kind=cosine"],
        &cycle,
        &["ema.decay=0.9", "ema.start=0.25", "ema.every=2", "ema.recalibrate_batch_norm=50", "train.on_nan=rollback"],
        &["swa.start=0.3", "swa.every=4"],
    ];
    for settings in settings {
        let recipe = recipe(&[settings, &["train.epochs=3", "train.seed=8"]].concat());
        let whole = uninterrupted(&recipe);
        let place = tempfile::tempdir().unwrap();
        begin(&recipe, place.path(), &mut stop_after(1)).unwrap();
        let outcome = loop {
            let outcome = go_on(&recipe, place.path(), 2, &mut stop_after(1)).unwrap();
            if !outcome.interrupted {
                break outcome;
            }
        };
        assert!(result(place.path(), &outcome) == whole, "{settings:?}");
    }
}

#[test]
fn checkpoints_within_an_epoch_are_as_good() {
    let recipe = recipe(&["train.checkpoint_minutes=1e-9"]);
    let whole = uninterrupted(&recipe);
    let place = tempfile::tempdir().unwrap();
    begin(&recipe, place.path(), &mut stop_after(11)).unwrap();
    // The newest is that of the interruption, the one before of a step before it.
    let [before, newest] = &checkpoints(place.path())[..] else { panic!("two are kept") };
    std::fs::write(newest, b"damaged").unwrap();
    let mut watch = Watch::default();
    let damaged = newest.display().to_string();
    let outcome = go_on(&recipe, place.path(), 3, &mut watch).unwrap();
    let named =
        watch.heard.iter().any(|text| text.starts_with(&damaged) && text.contains("the one before it is taken"));
    assert!(named, "{:?}", watch.heard);
    assert!(watch.heard.iter().any(|text| text == "going on in epoch 2, after step 3 of 7"), "{:?}", watch.heard);
    assert!(result(place.path(), &outcome) == whole);
    assert!(!before.exists() && !newest.exists(), "older and damaged ones are gone");
}

#[test]
fn without_any_intact_checkpoint_a_run_does_not_go_on_and_without_any_it_starts() {
    let recipe = recipe(&["train.epochs=2"]);
    let whole = uninterrupted(&recipe);
    let place = tempfile::tempdir().unwrap();
    begin(&recipe, place.path(), &mut stop_after(9)).unwrap();
    for file in checkpoints(place.path()) {
        std::fs::write(file, b"damaged").unwrap();
    }
    let folder = RunFolder::open(place.path()).unwrap();
    let error = Checkpoint::latest(&folder).unwrap_err().to_string();
    assert!(error.contains("no checkpoint is intact") && error.matches("not a checkpoint").count() == 2, "{error}");
    drop(folder);
    std::fs::remove_dir_all(place.path().join("checkpoint")).unwrap();
    let mut watch = Watch::default();
    let outcome = go_on(&recipe, place.path(), 2, &mut watch).unwrap();
    assert!(watch.heard.iter().any(|text| text.contains("starts from its beginning")), "{:?}", watch.heard);
    assert!(result(place.path(), &outcome) == whole);
}

#[test]
fn a_finished_run_is_extended_to_the_bits_of_a_longer_one() {
    let short = recipe(&["train.epochs=2", "early_stopping=none"]);
    let long = recipe(&["train.epochs=4", "early_stopping=none"]);
    let whole = uninterrupted(&long);
    let place = tempfile::tempdir().unwrap();
    let first = begin(&short, place.path(), &mut Watch::default()).unwrap();
    let outcome = extend(&long, place.path(), &mut stop_after(3)).unwrap();
    assert!(outcome.interrupted);
    // The second time nothing is extended any more.
    let outcome = extend(&long, place.path(), &mut Watch::default()).unwrap();
    assert!(result(place.path(), &outcome) == whole);
    let [extension] = &outcome.extended[..] else { panic!("{:?}", outcome.extended) };
    assert_eq!((extension.epochs, extension.epochs_run, extension.best_epoch), (2, 2, first.best_epoch));
    assert_eq!((extension.validation, extension.test), (first.validation, first.test));
    let refused = extend(&recipe(&["train.epochs=3", "early_stopping=none"]), place.path(), &mut Watch::default());
    assert!(refused.unwrap_err().to_string().contains("4 epochs already"));
}

#[test]
fn extended_early_stopping_starts_waiting_anew() {
    // Nothing improves by so much: it stops after the third epoch.
    let recipe = |epochs: &str| recipe(&[epochs, "early_stopping.patience=2", "early_stopping.min_delta=100"]);
    let place = tempfile::tempdir().unwrap();
    let outcome = begin(&recipe("train.epochs=9"), place.path(), &mut Watch::default()).unwrap();
    assert_eq!(outcome.history.records().len(), 3);
    let again = go_on(&recipe("train.epochs=9"), place.path(), 1, &mut Watch::default()).unwrap();
    assert_eq!((again.history.records().len(), again.test), (3, outcome.test), "nothing is left to do");
    let more = extend(&recipe("train.epochs=9"), place.path(), &mut Watch::default()).unwrap();
    assert_eq!(more.history.records().len(), 5);
    assert_eq!((more.extended.len(), more.extended[0].test), (1, outcome.test));
}

#[test]
fn other_data_and_other_settings_are_refused_with_the_difference() {
    let place = tempfile::tempdir().unwrap();
    let ours = recipe(&[]);
    begin(&ours, place.path(), &mut stop_after(3)).unwrap();
    let saved = checkpoints(place.path());
    let refusal = |overrides: &[&str]| {
        let error = go_on(&recipe(overrides), place.path(), 1, &mut Watch::default()).unwrap_err();
        assert!(matches!(error, Error::OtherRun(_)), "{error}");
        error.to_string()
    };
    assert!(refusal(&["layer.0.filters=4"]).contains("layer.0.filters was 3 and is 4"));
    assert!(refusal(&["optimizer.learning_rate=0.5"]).contains("optimizer.learning_rate was 0.001 and is 0.5"));
    assert!(refusal(&["optimizer.kind=sgd"]).contains("optimizer.kind was \"rmsprop\" and is \"sgd\""));
    assert!(refusal(&["train.seed=8"]).contains("train.seed was 7 and is 8"));
    let mut other = source();
    other.classes[0] = "zero".to_owned();
    let folder = RunFolder::open(place.path()).unwrap();
    let from = latest(&folder, false);
    let error = resume(&ours, &other, &options(folder, 1), from, &mut ()).unwrap_err().to_string();
    assert!(error.contains("the data are others") && error.contains(&other.fingerprint()), "{error}");
    assert_eq!(checkpoints(place.path()), saved, "a refusal changes nothing");
}

#[test]
fn another_instruction_set_goes_on_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    let recipe = recipe(&["train.epochs=2"]);
    begin(&recipe, place.path(), &mut stop_after(3)).unwrap();
    let folder = RunFolder::open(place.path()).unwrap();
    let from = latest(&folder, false);
    let isa: Isa = "scalar".parse().unwrap();
    let scalar = FitOptions { isa, ..options(folder, 1) };
    let mut watch = Watch::default();
    let outcome = resume(&recipe, &source(), &scalar, from, &mut watch).unwrap();
    assert_eq!(outcome.history.records().len(), 2);
    let said = watch.heard.iter().any(|text| text.contains("goes on with scalar: the bits will differ"));
    assert!(said || Isa::detect() == isa, "{:?}", watch.heard);
}

#[test]
fn one_process_at_a_time_works_in_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let folder = RunFolder::create(&path).unwrap();
    let clone = folder.clone();
    drop(folder);
    let refused = |result: Result<RunFolder, Error>| {
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::InUse { path: named } if *named == path), "{error}");
    };
    refused(RunFolder::open(&path));
    refused(RunFolder::create(&path));
    drop(clone);
    std::fs::write(path.join(".model.safetensors.1-1.partial"), b"half").unwrap();
    let folder = RunFolder::open(&path).unwrap();
    assert!(!path.join(".model.safetensors.1-1.partial").exists());
    drop(folder);
    assert!(RunFolder::create(&path).is_ok(), "a lock alone is no run");
}

#[test]
fn a_run_that_cannot_save_ends_at_once() {
    let place = tempfile::tempdir().unwrap();
    let recipe = recipe(&[]);
    // A file where the checkpoints should go: not a step is taken.
    let path = place.path().join("blocked");
    let folder = RunFolder::create(&path).unwrap();
    std::fs::write(path.join("checkpoint"), b"in the way").unwrap();
    let mut watch = Watch::default();
    let error = fit(&recipe, &source(), &options(folder, 1), &mut watch).unwrap_err();
    assert!(matches!(error, Error::NotSaved(_)) && error.to_string().contains("blocked/checkpoint"), "{error}");
    assert_eq!(watch.taken, 0);

    // A folder that is deleted while the run goes on.
    struct Delete(std::path::PathBuf, usize);
    impl Observer for Delete {
        fn event(&mut self, event: &Event<'_>) {
            if let Event::Step { .. } = event {
                self.1 += 1;
                if self.1 == 10 {
                    std::fs::remove_dir_all(&self.0).unwrap();
                }
            }
        }
    }
    let path = place.path().join("deleted");
    let mut delete = Delete(path.clone(), 0);
    let error = fit(&recipe, &source(), &options(RunFolder::create(&path).unwrap(), 1), &mut delete).unwrap_err();
    assert!(matches!(error, Error::NotSaved(_)) && error.to_string().contains("deleted"), "{error}");
    assert_eq!(delete.1, 2 * STEPS_PER_EPOCH, "it ended with the epoch");
}
