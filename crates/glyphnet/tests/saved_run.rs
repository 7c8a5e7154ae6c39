//! A run is read back from its folder as it was left there.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs;
use std::path::Path;

use glyphnet::recipe::Recipe;
use glyphnet::saved_run::{DataFacts, RunState, SavedRun, Thumbnails, write_thumbnails};
use glyphnet::train::{Metrics, Outcome, TrainingData};
use glyphnet::{Dataset, ImageShape};
use serde_json::Value;

#[path = "common/rows.rs"]
mod rows;
#[path = "common/runs.rs"]
mod runs;

use rows::source;
use runs::{STEPS_PER_EPOCH, begin, extend, stop_after};

const RECIPE: &str = r#"
data.validation = 40
train = { batch_size = 24, epochs = 2, seed = 7 }
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = "classes"
activation = "softmax"
"#;

fn recipe() -> Recipe {
    Recipe::from_toml(RECIPE, "test").unwrap()
}

/// Writes `run.toml`, as the command does before the first step.
fn write_recipe(path: &Path, mut recipe: Recipe) {
    let source = source();
    let mut provenance = toml::Table::from_iter([("recipe".to_owned(), toml::Value::from("test"))]);
    DataFacts::new(&source, &TrainingData::new(&recipe, &source).unwrap()).note(&mut provenance).unwrap();
    recipe.provenance = Some(provenance);
    fs::write(path.join("run.toml"), recipe.to_toml().unwrap()).unwrap();
}

/// Writes `metrics.json`, as the command does at the end.
fn write_metrics(path: &Path, outcome: &Outcome) {
    let metrics = Metrics {
        recipe: "test".to_owned(),
        seed: 7,
        threads: 2,
        simd: "scalar".to_owned(),
        epochs_run: outcome.history.records().len() as u32,
        best_epoch: outcome.best_epoch,
        train_seconds: 1.0,
        images_per_second: 2.0,
        data_wait_seconds: 0.0,
        flops: Some(outcome.flops),
        validation: outcome.validation,
        test: outcome.test,
        interrupted: outcome.interrupted,
        extended: outcome.extended.clone(),
        members: Vec::new(),
    };
    fs::write(path.join("metrics.json"), serde_json::to_string(&metrics).unwrap()).unwrap();
}

/// A run in `path`, stopped after so many steps.
fn run(path: &Path, steps: Option<usize>) -> Outcome {
    let outcome = begin(&recipe(), path, &mut steps.map(stop_after).unwrap_or_default()).unwrap();
    write_recipe(path, recipe());
    write_metrics(path, &outcome);
    outcome
}

/// Makes the first probability of a split no number, and its loss, as they are where a network diverged.
fn diverge(path: &Path, split: &str) {
    let (mut bytes, mut metrics): (Vec<u8>, Value) = (
        fs::read(path.join("predictions.safetensors")).unwrap(),
        serde_json::from_slice(&fs::read(path.join("metrics.json")).unwrap()).unwrap(),
    );
    let begin = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..begin]).unwrap();
    let offset = header[format!("{split}/probabilities")]["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[begin + offset..begin + offset + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    metrics[split]["loss"] = Value::Null;
    fs::write(path.join("predictions.safetensors"), bytes).unwrap();
    fs::write(path.join("metrics.json"), metrics.to_string()).unwrap();
}

fn refusal(path: &Path) -> String {
    SavedRun::open(path).unwrap_err().to_string()
}

#[test]
fn a_finished_run_is_read_back_whole() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("first try");
    let outcome = run(&path, None);
    fs::remove_file(path.join("model.safetensors")).unwrap();
    fs::remove_dir_all(path.join("checkpoint")).unwrap();
    let run = SavedRun::open(&path).unwrap();
    assert_eq!((run.name.as_str(), &run.path), ("first try", &path));
    assert_eq!(run.recipe.train, recipe().train);
    assert_eq!(run.best_epoch(), outcome.best_epoch);
    assert_eq!(run.history.len(), 2);
    let metrics = run.metrics.as_ref().unwrap();
    assert_eq!((metrics.validation, metrics.test), (outcome.validation, outcome.test));
    let splits: Vec<_> = run.predictions.iter().map(|split| (split.split.as_str(), split.labels.len())).collect();
    assert_eq!(splits, [("validation", 40), ("test", 30)]);
    assert_eq!(run.classes(), ["0", "1", "2", "3"]);

    let facts = run.facts.unwrap();
    assert_eq!((facts.image, facts.classes.len()), (ImageShape::new(4, 4, 1), 4));
    let counts: Vec<_> = facts.splits.iter().map(|facts| (facts.split.as_str(), facts.images)).collect();
    assert_eq!(counts, [("train", 160), ("validation", 40), ("test", 30)]);
    assert_eq!(facts.split("test").unwrap().per_class, Some(vec![8, 8, 7, 7]));
    let train = facts.split("train").unwrap().per_class.clone().unwrap();
    let validation = facts.split("validation").unwrap().per_class.clone().unwrap();
    let both: Vec<u64> = train.iter().zip(validation).map(|(a, b)| a + b).collect();
    assert_eq!(both, [50; 4], "200 images, of each class as many");
}

#[test]
fn a_run_that_has_only_begun_is_a_run() {
    let place = tempfile::tempdir().unwrap();
    write_recipe(place.path(), recipe());
    let run = SavedRun::open(place.path()).unwrap();
    assert!(run.history.is_empty() && run.metrics.is_none() && run.predictions.is_empty());
    assert_eq!((run.best_epoch(), run.facts.unwrap().splits.len()), (0, 3));
}

#[test]
fn the_best_epoch_of_a_run_without_metrics_is_found_as_training_finds_it() {
    let place = tempfile::tempdir().unwrap();
    let best = run(place.path(), None).best_epoch;
    fs::remove_file(place.path().join("metrics.json")).unwrap();
    let run = SavedRun::open(place.path()).unwrap();
    assert_eq!(run.best_epoch(), best);
    let mut worse = run.clone();
    worse.history[best as usize - 1].val_loss = Some(f64::INFINITY);
    assert_ne!(worse.best_epoch(), best);
}

#[test]
fn an_interrupted_run_has_no_predictions() {
    let place = tempfile::tempdir().unwrap();
    let outcome = run(place.path(), Some(STEPS_PER_EPOCH + 2));
    assert!(outcome.interrupted);
    let run = SavedRun::open(place.path()).unwrap();
    assert_eq!((run.history.len(), run.predictions.len()), (1, 0));
    assert_eq!(run.metrics.unwrap().test, None);
}

#[test]
fn what_an_extended_run_had_come_to_before_is_left_out() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path();
    run(path, None);
    let shape = ImageShape::new(1, 1, 1);
    let thumbnails =
        ["validation", "test"].map(|split| Thumbnails { split: split.into(), rows: vec![3], shape, pixels: vec![9] });
    write_thumbnails(&path.join("thumbnails.safetensors"), &thumbnails).unwrap();
    assert_eq!(SavedRun::open(path).unwrap().thumbnails("test").unwrap().image(3), Some(&[9][..]));
    let longer = recipe().with_overrides(&["train.epochs=9"]).unwrap();
    let outcome = extend(&longer, path, &mut stop_after(2 * STEPS_PER_EPOCH + 1)).unwrap();
    assert!(outcome.interrupted);
    // As long as it trains, and if it is killed.
    let read = SavedRun::open(path).unwrap();
    assert_eq!((read.history.len(), read.metrics.is_some()), (4, false));
    assert!(read.predictions.is_empty() && read.thumbnails.is_empty());
    // When it is interrupted.
    write_metrics(path, &outcome);
    let read = SavedRun::open(path).unwrap();
    assert!(read.metrics.is_some() && read.predictions("test").is_none() && read.thumbnails("test").is_none());
}

#[test]
fn an_interrupted_run_is_never_taken_for_a_finished_one() {
    let place = tempfile::tempdir().unwrap();
    let all = recipe().with_overrides(&["data.validation=0"]).unwrap();
    for (steps, state) in [(None, RunState::Finished), (Some(STEPS_PER_EPOCH + 2), RunState::Interrupted)] {
        let path = place.path().join(format!("{state:?}"));
        let outcome = begin(&all, &path, &mut steps.map(stop_after).unwrap_or_default()).unwrap();
        write_recipe(&path, all.clone());
        write_metrics(&path, &outcome);
        assert_eq!(SavedRun::open(&path).unwrap().state(), state, "nothing is held out");
    }
    // Extended, and interrupted while the network of before is still the best.
    let path = place.path().join("extended");
    run(&path, None);
    assert_eq!(SavedRun::open(&path).unwrap().state(), RunState::Finished);
    let longer = recipe().with_overrides(&["train.epochs=9"]).unwrap();
    let outcome = extend(&longer, &path, &mut stop_after(1)).unwrap();
    write_metrics(&path, &outcome);
    let read = SavedRun::open(&path).unwrap();
    assert_eq!((read.predictions("validation").is_some(), read.state()), (true, RunState::Interrupted));
}

#[test]
fn a_diverged_run_is_read_without_what_is_no_number() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path();
    run(path, None);
    diverge(path, "validation");
    let read = SavedRun::open(path).unwrap();
    assert_eq!((read.state(), read.diverged()), (RunState::Finished, vec!["validation"]));
    assert!(read.validation().unwrap().loss.is_nan() && read.predictions("validation").is_none());
    assert!(read.predictions("test").is_some() && read.thumbnails("validation").is_none());
    diverge(path, "test");
    let read = SavedRun::open(path).unwrap();
    assert_eq!((read.state(), read.predictions.len(), read.thumbnails.len()), (RunState::Finished, 0, 0));
}

#[test]
fn predictions_without_metrics_are_left_out() {
    let place = tempfile::tempdir().unwrap();
    run(place.path(), None);
    fs::remove_file(place.path().join("metrics.json")).unwrap();
    let run = SavedRun::open(place.path()).unwrap();
    assert_eq!((run.state(), run.predictions.len(), run.thumbnails.len()), (RunState::Open, 0, 0));
}

#[test]
fn the_network_has_the_layers_that_were_trained() {
    let place = tempfile::tempdir().unwrap();
    let outcome = run(place.path(), None);
    let network = SavedRun::open(place.path()).unwrap().network().unwrap();
    assert_eq!(network.layers(), outcome.model.network().layers());
    assert_eq!(network.parameters(), outcome.model.network().parameters());
    assert!(network.weights().iter().all(|&weight| weight == 0.0), "nothing is drawn for it");
}

#[test]
fn a_folder_that_is_no_run_says_what_it_holds() {
    let place = tempfile::tempdir().unwrap();
    assert!(refusal(place.path()).contains("there is no run.toml, it is empty"));
    for name in 0..7 {
        fs::write(place.path().join(format!("{name}.txt")), "").unwrap();
    }
    let held = "it holds 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more";
    assert!(refusal(place.path()).contains(held), "{}", refusal(place.path()));
    assert!(refusal(&place.path().join("0.txt")).contains("no run, but a file"));
    assert!(refusal(&place.path().join("none")).contains("none: "));
}

#[test]
fn damaged_files_are_named() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    run(&path, None);
    let sound = |name: &str| fs::read(path.join(name)).unwrap();
    let refused = |name: &str, bytes: &[u8], word: &str| {
        let before = fs::read(path.join(name)).ok();
        fs::write(path.join(name), bytes).unwrap();
        let message = refusal(&path);
        assert!(message.contains(&path.join(name).display().to_string()), "{name} is not named: {message}");
        assert!(message.contains(word), "'{word}' is not in: {message}");
        match before {
            Some(before) => fs::write(path.join(name), before).unwrap(),
            None => fs::remove_file(path.join(name)).unwrap(),
        }
    };
    for name in ["run.toml", "history.csv", "metrics.json", "predictions.safetensors", "thumbnails.safetensors"] {
        refused(name, b"\xff{", "");
        refused(name, b"", "");
    }
    let text = |name: &str| String::from_utf8(sound(name)).unwrap();
    let changed = |name: &str, from: &str, to: &str| {
        assert!(text(name).contains(from), "{from} is not in {}", text(name));
        text(name).replace(from, to).into_bytes()
    };
    refused("run.toml", &changed("run.toml", "[8, 8, 7, 7]", "[8, 8, 7, 8]"), "do not add up");
    refused("run.toml", &changed("run.toml", "[8, 8, 7, 7]", "[8, 8, 14]"), "test counts 3 classes of 4");
    refused("run.toml", &changed("run.toml", "height = 4", "height = 0"), "provenance.data: images of");
    refused(
        "run.toml",
        &changed("run.toml", "height = 4\nwidth = 4", "height = 4294967296\nwidth = 4294967296"),
        "large",
    );
    refused("run.toml", &changed("run.toml", "images = 30", "images = true"), "provenance.data: ");
    let named = changed("run.toml", "split = \"test\"", "split = \"other\"");
    fs::write(path.join("run.toml"), named).unwrap();
    assert!(refusal(&path).contains("predictions.safetensors") && refusal(&path).contains("run.toml has none"));
    write_recipe(&path, recipe());
    refused("metrics.json", &changed("metrics.json", "\"best_epoch\":", "\"best_epoch\":9"), "the best of 2");
    let metrics: Metrics = serde_json::from_slice(&sound("metrics.json")).unwrap();
    let mut other = metrics.clone();
    other.test.as_mut().unwrap().accuracy -= 1.0 / 30.0;
    fs::write(path.join("metrics.json"), serde_json::to_string(&other).unwrap()).unwrap();
    assert!(refusal(&path).contains("of the 30 images of test"), "{}", refusal(&path));
    fs::write(path.join("metrics.json"), serde_json::to_string(&metrics).unwrap()).unwrap();
    let shape = ImageShape::new(1, 1, 1);
    let beyond = Thumbnails { split: "test".into(), rows: vec![30], shape, pixels: vec![0] };
    write_thumbnails(&path.join("thumbnails.safetensors"), &[beyond]).unwrap();
    assert!(refusal(&path).contains("image 30 of test, of which 30"), "{}", refusal(&path));
}

#[test]
fn a_run_of_an_older_version_has_no_facts() {
    let place = tempfile::tempdir().unwrap();
    run(place.path(), None);
    let mut old = Recipe::load(&place.path().join("run.toml").display().to_string()).unwrap();
    old.provenance.as_mut().unwrap().remove("data").unwrap();
    fs::write(place.path().join("run.toml"), old.to_toml().unwrap()).unwrap();
    let run = SavedRun::open(place.path()).unwrap();
    assert_eq!((run.facts.is_none(), run.predictions.len(), run.classes()), (true, 2, vec![String::new(); 4]));
}

#[test]
fn thousands_of_classes_do_not_fill_run_toml() {
    let mut source = source();
    source.classes = (0..100_000).map(|class| class.to_string()).collect();
    source.test = Some(Dataset { labels: None, ..rows::dataset(3) });
    let data = TrainingData::new(&recipe(), &source).unwrap();
    let facts = DataFacts::new(&source, &data);
    assert_eq!((facts.classes.len(), facts.split("train").unwrap().images), (0, 160));
    assert!(facts.splits.iter().all(|facts| facts.per_class.is_none()));
    source.classes = vec!["w".repeat(100_000); 4];
    let facts = DataFacts::new(&source, &TrainingData::new(&recipe(), &source).unwrap());
    assert_eq!((facts.classes.len(), facts.split("test").unwrap().per_class.clone()), (0, None));
    assert!(facts.split("train").unwrap().per_class.is_some());
}
