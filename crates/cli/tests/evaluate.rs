//! `evaluate` on what a run learned from and held out, and runs whose data are not where they were.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{Bench, csv_bars, write_idx_bars};
use serde_json::Value;

/// A run in `runs/bars-1` of the bars, which hold out 24 of 120 images.
fn trained() -> Bench {
    let bench = Bench::bars();
    bench.ok(&["train", "--recipe", "bars.toml", "--threads", "2"]);
    bench
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What `evaluate` says in JSON, by split: images and loss.
fn evaluated(bench: &Bench, args: &[&str]) -> Vec<(String, u64, Value)> {
    let document = json(&bench.ok(&[&["evaluate", "--json"], args].concat()));
    let splits = document["splits"].as_array().unwrap();
    let split = |s: &Value| (s["split"].as_str().unwrap().to_owned(), s["images"].as_u64().unwrap(), s["loss"].clone());
    splits.iter().map(split).collect()
}

#[test]
fn a_run_is_measured_on_what_it_held_out() {
    let bench = trained();
    let metrics = json(&bench.read("runs/bars-1/metrics.json"));
    let splits = evaluated(&bench, &["--model", "runs/bars-1", "--split", "validation,train,test,validation"]);
    let images: Vec<(&str, u64)> = splits.iter().map(|(split, images, _)| (split.as_str(), *images)).collect();
    assert_eq!(images, [("validation", 24), ("train", 96), ("test", 30)], "each once");
    assert_eq!(splits[0].2, metrics["validation"]["loss"], "the very images of the run");
    assert_eq!(splits[2].2, metrics["test"]["loss"]);
    // The same data, named.
    assert_eq!(evaluated(&bench, &["--model", "runs/bars-1", "--data", "bars", "--split", "validation"])[0], splits[0]);
    // The settings that were typed count, not those of the recipe.
    bench.ok(&["train", "--recipe", "bars.toml", "--out", "other", "--seed", "9", "--set", "data.validation=30"]);
    let metrics = json(&bench.read("other/metrics.json"));
    let other = evaluated(&bench, &["--model", "other", "--split", "validation"]);
    assert_eq!((other[0].1, &other[0].2), (30, &metrics["validation"]["loss"]));
}

#[test]
fn a_split_that_is_not_there_is_an_error_that_says_what_to_do() {
    let bench = trained();
    std::fs::copy(bench.path("runs/bars-1/model.safetensors"), bench.path("alone.safetensors")).unwrap();
    let fails = |args: &[&str], words: &[&str]| {
        let ran = bench.run(&[&["evaluate"], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
        let error = ran.stderr.lines().find(|line| !line.starts_with("note: ")).unwrap();
        assert!(error.starts_with("error: there is nothing to evaluate on"), "{}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "'{word}' is not in: {}", ran.stderr);
        }
    };
    let alone = ["--model", "alone.safetensors", "--data", "bars", "--split", "validation"];
    fails(&alone, &["no validation images of its own", "name the run's folder", "labelled are: train, test"]);
    assert_eq!(evaluated(&bench, &[&alone[..5], &["train"]].concat())[0].1, 120, "as the data have them");

    write_idx_bars(&bench, "more", 60, 12);
    let more = ["--model", "runs/bars-1", "--data", "more", "--split"];
    fails(&[&more[..], &["validation"]].concat(), &["more has no validation images", "without --data"]);
    assert_eq!(evaluated(&bench, &[&more[..], &["train"]].concat())[0].1, 60);

    bench.ok(&["train", "--recipe", "bars.toml", "--out", "all", "--set", "data.validation=0"]);
    fails(
        &["--model", "all", "--split", "validation"],
        &["held out no validation images", "labelled are: train, test"],
    );
    assert_eq!(evaluated(&bench, &["--model", "all", "--split", "train"])[0].1, 120);

    bench.write("kaggle/train.csv", csv_bars(90, true));
    bench.write("kaggle/test.csv", csv_bars(12, false));
    bench.ok(&["train", "--recipe", "bars.toml", "--data", "kaggle/train.csv", "--out", "kaggle-run"]);
    fails(&["--model", "kaggle-run"], &["no labels", "labelled are: train, validation"]);
    // What is there is measured, what is not is a note.
    let ran = bench.run(&["evaluate", "--model", "alone.safetensors", "--data", "bars", "--split", "validation,test"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.starts_with("note: bars has no validation images"), "{}", ran.stderr);
}

#[test]
fn a_run_whose_data_have_changed_cannot_tell_what_it_held_out() {
    let bench = trained();
    write_idx_bars(&bench, "bars", 90, 30);
    for split in ["validation", "train", "test,train"] {
        let words = ["bars holds other images", "run.toml", "--data bars"];
        bench.fails(&["evaluate", "--model", "runs/bars-1", "--split", split], 1, &words);
    }
    bench.ok(&["evaluate", "--model", "runs/bars-1"]);
    let named = evaluated(&bench, &["--model", "runs/bars-1", "--split", "train", "--data", "bars"]);
    assert_eq!(named[0].1, 90, "as the data have them");
}

/// The binary, run to its end in a folder below.
fn run_in(bench: &Bench, folder: &str, args: &[&str]) -> (Option<i32>, String) {
    std::fs::create_dir_all(bench.path(folder)).unwrap();
    let output = bench.command(args).current_dir(bench.path(folder)).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_data_of_a_run_are_found_from_any_folder() {
    let bench = trained();
    let recipe = "../runs/bars-1/run.toml";
    let repeat = ["train", "--recipe", recipe, "--out", "run"];
    let evaluate = ["evaluate", "--model", "../runs/bars-1", "--split", "validation"];
    for args in [&repeat[..], &evaluate, &["summary", "--recipe", recipe]] {
        let (code, stderr) = run_in(&bench, "elsewhere", args);
        assert_eq!(code, Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("the result will differ"), "{stderr}");
    }
    // A path that somebody types is meant as typed.
    let named = ["train", "--recipe", recipe, "--data", "bars"];
    let set = ["train", "--recipe", recipe, "--set", "data.source=bar"];
    for (args, name) in [(named, "'bars'"), (set, "'bar'")] {
        let (code, stderr) = run_in(&bench, "elsewhere", &args);
        assert_eq!(code, Some(1), "{args:?}");
        assert!(stderr.contains(&format!("no data found at {name}: looked for")), "{stderr}");
    }
    std::fs::rename(bench.path("bars"), bench.path("moved")).unwrap();
    let was = bench.path("bars").display().to_string();
    for args in [&["train", "--recipe", recipe][..], &evaluate, &["summary", "--recipe", recipe]] {
        let (code, stderr) = run_in(&bench, "elsewhere", args);
        assert_eq!(code, Some(1), "{args:?}");
        for word in
            ["no data found at 'bars'", recipe, "relative to the folder where the run was started", &was, "--data"]
        {
            assert!(stderr.contains(word), "'{word}' is not in: {stderr}");
        }
    }
    let moved = ["evaluate", "--model", "../runs/bars-1", "--split", "validation", "--data", "../moved"];
    assert_eq!(run_in(&bench, "elsewhere", &moved).0, Some(0));
}
