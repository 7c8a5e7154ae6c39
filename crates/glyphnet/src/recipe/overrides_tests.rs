//! `--set`: what it reaches, what it reads, and what it says when it cannot.

use super::*;
use crate::nn::Units;
use glyphnet_data::Amount;

fn seed() -> Recipe {
    Recipe::load("seed").unwrap()
}

fn set(overrides: &[&str]) -> Recipe {
    seed().with_overrides(overrides).unwrap()
}

fn refusal(overrides: &[&str]) -> String {
    seed().with_overrides(overrides).unwrap_err().to_string()
}

#[test]
fn nothing_changes_nothing() {
    assert_eq!(set(&[]), seed());
    // Bit for bit, through the text between.
    assert_eq!(set(&["train.epochs=100"]).preprocess.scale.to_bits(), seed().preprocess.scale.to_bits());
}

#[test]
fn values_are_toml_or_else_text() {
    let recipe = set(&[
        "train.batch_size=64",
        "optimizer.learning_rate = 3e-4",
        "data.source=my images/train.csv",
        "data.validation=6000",
        "data.stratify=true",
        "preprocess.mean=[0.5]",
        "preprocess.std.0=0.25",
        "augment.fill=wrap",
        "train.class_weights=balanced",
    ]);
    assert_eq!((recipe.train.batch_size, recipe.optimizer.learning_rate()), (64, 3e-4));
    assert_eq!((recipe.data.source.as_str(), recipe.data.stratify), ("my images/train.csv", true));
    assert_eq!(recipe.data.validation, Amount::Count(6000));
    assert_eq!((&recipe.preprocess.mean, &recipe.preprocess.std), (&vec![0.5], &vec![0.25]));
    assert_eq!(recipe.train.class_weights, Some(ClassWeights::BALANCED));
    // Where text belongs, even a number or a date is text.
    for source in ["2024", "1979-05-27", "none", "a=b", "[x]", "\"quoted\""] {
        assert_eq!(set(&[&format!("data.source={source}")]).data.source, source.trim_matches('"'));
    }
}

#[test]
fn the_last_override_of_a_key_wins() {
    assert_eq!(set(&["train.epochs=3", "train.epochs=5"]).train.epochs, 5);
}

#[test]
fn layers_are_reached_by_their_number() {
    let recipe = set(&["layer.0.filters=16", "layer.1.kernel=[5, 3]", "layer.4.units=7"]);
    assert!(matches!(&recipe.layer[0], LayerSpec::Conv2d(conv) if conv.filters == 16));
    assert!(matches!(&recipe.layer[1], LayerSpec::Conv2d(conv) if conv.kernel.get() == (5, 3)));
    assert!(matches!(&recipe.layer[4], LayerSpec::Dense(dense) if dense.units == Units::Count(7)));
    let recipe = set(&["layer.2.kind=dropout", "layer.2.rate=0.25"]);
    assert!(matches!(&recipe.layer[2], LayerSpec::Dropout(dropout) if dropout.rate == 0.25));
}

#[test]
fn another_kind_keeps_what_it_knows_whatever_the_order() {
    for overrides in [
        ["optimizer.kind=sgd", "optimizer.nesterov=true", "optimizer.momentum=0.9"],
        ["optimizer.nesterov=true", "optimizer.momentum=0.9", "optimizer.kind=sgd"],
    ] {
        let expected = SgdConfig { learning_rate: 0.001, momentum: 0.9, nesterov: true, ..SgdConfig::default() };
        assert_eq!(set(&overrides).optimizer, OptimizerConfig::Sgd(expected));
    }
}

#[test]
fn optional_tables_come_and_go() {
    let recipe = set(&["early_stopping=none", "augment=none", "schedule.kind=cosine", "schedule.alpha=0.1"]);
    assert_eq!((&recipe.early_stopping, &recipe.augment), (&None, &None));
    let cosine = ScheduleConfig::Cosine { alpha: 0.1, decay_epochs: None, warmup_epochs: 0.0, warmup_from: 0.0 };
    assert_eq!(recipe.schedule, Some(cosine));
    let recipe = recipe.with_overrides(&["schedule=none", "reduce_lr_on_plateau={ patience = 3 }"]).unwrap();
    assert_eq!(recipe.schedule, None);
    assert_eq!(recipe.reduce_lr_on_plateau, Some(ReduceLrConfig { patience: 3, ..ReduceLrConfig::default() }));
    assert_eq!(set(&["early_stopping.baseline=0.5"]).early_stopping.unwrap().baseline, Some(0.5));
}

/// In the form that must be typed, at whatever depth the mistake is.
#[test]
fn an_unknown_key_is_told_the_override_that_was_meant() {
    for (typed, meant) in [
        ("epochs=3", "train.epochs=3"),
        ("seed = 7", "train.seed=7"),
        ("lr=0.1", "optimizer.learning_rate=0.1"),
        ("learning_rate=0.1", "optimizer.learning_rate=0.1"),
        ("optimizer.lr=0.1", "optimizer.learning_rate=0.1"),
        ("optimizer.decay=1e-4", "optimizer.weight_decay=1e-4"),
        ("train.lr=0.1", "optimizer.learning_rate=0.1"),
        ("optimiser.kind=adam", "optimizer.kind=adam"),
        ("layer.0.filter=8", "layer.0.filters=8"),
        ("early_stopping.patients=2", "early_stopping.patience=2"),
    ] {
        let got = refusal(&[typed]);
        let said = format!("did you mean `{meant}`? known here: ");
        assert!(got.starts_with(&format!("--set {typed}: ")) && got.contains(&said), "{typed}\n{got}\n{said}");
    }
    // Inside a value there is no override to type.
    let got = refusal(&["early_stopping={ patients = 2 }"]);
    assert!(got.contains("did you mean `patience`?"), "{got}");
    // A key of another kind of optimizer is not suggested to where it was typed.
    assert!(!refusal(&["optimizer.kind=adam", "optimizer.rho=0.9"]).contains("did you mean"));
}

#[test]
fn a_mistake_is_reported_with_the_override_that_made_it() {
    for (overrides, message) in [
        (
            &["train.batchsize=64"][..],
            "--set train.batchsize=64: train.batchsize: unknown key `batchsize`; did you mean `train.batch_size=64`? known here: ",
        ),
        (
            &["train.epochs=3", "train.epochs=x"],
            "--set train.epochs=x: train.epochs: wrong type: expected a whole number, at least 1, found the text \"x\"",
        ),
        (
            &["optimizer.kind=adamx"],
            "--set optimizer.kind=adamx: optimizer.kind: unknown word \"adamx\"; did you mean `adam",
        ),
        (&["optimizer.rho=0.9", "optimizer.kind=adam"], "--set optimizer.rho=0.9: optimizer.rho: unknown key `rho`"),
        (
            &["schedule.alpha=0.1"],
            "--set schedule.alpha=0.1: schedule: `kind` is missing; it is one of constant, step, exponential, cosine",
        ),
        (&["layer.0.filters=0"], "--set layer.0.filters=0: layer.0.filters: out of range"),
        (&["layer=none"], "--set layer=none: `layer` is missing"),
        (
            &["optimizer.kind=sgd", "optimizer.nesterov=true"],
            "--set optimizer.nesterov=true: optimizer.nesterov: nesterov does nothing",
        ),
        (
            &["layer.5.filters=3"],
            "--set layer.5.filters=3: layer.5.filters: no such place: layer has 5 entries, numbered from 0, and \"5\" is none of them",
        ),
        (
            &["layer.first.filters=3"],
            "--set layer.first.filters=3: layer.first.filters: no such place: layer has 5 entries",
        ),
        (
            &["train.epochs.x=3"],
            "--set train.epochs.x=3: train.epochs.x: no such place: train.epochs is a single value",
        ),
        (&["train.epochs"], "--set train.epochs: not an override; write it as dotted.path=value"),
        (&["=3"], "--set =3: not an override"),
        (&["train..epochs=3"], "--set train..epochs=3: not an override"),
    ] {
        let got = refusal(overrides);
        assert!(got.starts_with(message), "{overrides:?}\n{got}\n{message}");
    }
}
