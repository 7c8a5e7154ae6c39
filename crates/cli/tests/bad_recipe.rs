//! Recipes and overrides that are not what they should be.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{BARS_RECIPE, Bench, write_idx_bars};

fn bench() -> Bench {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 60, 9);
    bench.write("good.toml", BARS_RECIPE);
    bench
}

/// `train` must refuse before it makes a folder or computes anything.
fn refused(bench: &Bench, recipe: &str, words: &[&str]) {
    bench.write("bad.toml", recipe);
    bench.fails(&["train", "--recipe", "bad.toml"], 1, words);
    assert!(!bench.path("runs").exists(), "a folder for a run that was refused");
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    let bench = bench();
    let recipe = BARS_RECIPE.replace("batch_size", "batchsize");
    refused(&bench, &recipe, &["bad.toml:6", "batchsize", "did you mean", "batch_size"]);
    let recipe = BARS_RECIPE.replace("\"conv2d\"", "\"conv3d\"");
    refused(&bench, &recipe, &["bad.toml", "conv3d", "conv2d"]);
}

#[test]
fn a_wrong_type_says_what_belongs_there() {
    let bench = bench();
    let recipe = BARS_RECIPE.replace("batch_size = 16", "batch_size = \"many\"");
    refused(&bench, &recipe, &["bad.toml:6", "train.batch_size", "many"]);
    refused(&bench, "this is no TOML", &["bad.toml:1", "TOML"]);
    refused(&bench, "", &["bad.toml", "layer"]);
}

#[test]
fn a_layer_that_cannot_be_is_named() {
    let bench = bench();
    let recipe = BARS_RECIPE.replace("kernel = 3", "kernel = 9");
    refused(&bench, &recipe, &["layer 1", "conv2d", "8 x 8"]);
    let recipe = BARS_RECIPE.replace("[[layer]]\nkind = \"flatten\"\n", "");
    refused(&bench, &recipe, &["layer 3", "dense"]);
    let recipe = BARS_RECIPE.replace("units = \"classes\"", "units = 7");
    refused(&bench, &recipe, &["7", "3 classes"]);
    bench.fails(&["summary", "--recipe", "bad.toml"], 1, &["7", "3 classes"]);
}

#[test]
fn a_recipe_that_does_not_exist_lists_those_that_do() {
    let bench = bench();
    bench.fails(&["train", "--recipe", "sede"], 1, &["sede", "seed"]);
    bench.fails(&["summary", "--recipe", "none.toml"], 1, &["none.toml"]);
    bench.fails(&["summary", "--recipe", "bars"], 1, &["bars", "folder"]);
}

#[test]
fn wrong_overrides_are_wrong_usage() {
    let bench = bench();
    let set = |what: &str, words: &[&str]| bench.fails(&["train", "--recipe", "good.toml", "--set", what], 2, words);
    set("train.batchsize=3", &["batchsize", "batch_size"]);
    set("train.batch_size", &["train.batch_size", "="]);
    set("train.epochs=0", &["train.epochs", "0"]);
    bench.fails(&["train", "--recipe", "good.toml", "--batch-size", "0"], 2, &["train.batch_size", "0"]);
    bench.fails(&["train", "--recipe", "good.toml", "--simd", "mmx"], 2, &["--simd mmx", "scalar"]);
    bench.fails(&["train", "--recipe", "good.toml", "--threads", "0"], 2, &["--threads"]);
    assert!(!bench.path("runs").exists());
}

#[test]
fn a_validation_split_that_leaves_nothing_is_refused() {
    let bench = bench();
    let args = ["train", "--recipe", "good.toml", "--set", "data.validation=60"];
    let ran = bench.run(&args);
    assert!(matches!(ran.code, Some(1 | 2)), "{}", ran.stderr);
    assert!(ran.stderr.contains("60"), "{}", ran.stderr);
}
