//! Wrong usage, and what goes to which stream.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{Bench, write_idx_bars};

#[test]
fn wrong_usage_is_exit_code_two() {
    let bench = Bench::new();
    bench.fails(&["inspekt"], 2, &["inspekt", "inspect"]);
    bench.fails(&["inspect", "--sead", "3"], 2, &["--sead", "--seed"]);
    bench.fails(&["inspect", "--seed", "many"], 2, &["--seed", "many"]);
    bench.fails(&["inspect", "--size", "0x3"], 2, &["--size", "0x3"]);
    bench.fails(&["train", "--fast-run", "--epochs", "3"], 2, &["--fast-run", "--epochs"]);
    bench.fails(&["predict", "--model", "m.safetensors"], 2, &["INPUT"]);
    bench.fails(&["compare", "run"], 2, &["RUN", "2"]);
    bench.fails(&["compare", "a", "b", "--out", "a.jpg"], 2, &["a.jpg", ".png"]);
    bench.fails(&["compare", "a", "a"], 2, &["a: the run is named twice"]);
    bench.fails(&["convert", "mnist", "there", "--to", "jpeg"], 2, &["jpeg", "kaggle"]);
    let nothing = bench.run(&[]);
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.stderr.contains("Usage:"), "{}", nothing.stderr);
}

#[test]
fn help_and_version_are_results() {
    let bench = Bench::new();
    assert!(bench.ok(&["--help"]).contains("First steps:"));
    assert!(bench.ok(&["--version"]).starts_with("glyphnet "));
    for command in [
        "inspect", "train", "summary", "evaluate", "lr-find", "compare", "predict", "submit", "serve", "convert",
        "fetch",
    ] {
        let help = bench.ok(&[command, "--help"]);
        assert!(help.contains("Usage: glyphnet"), "{command}: {help}");
    }
}

#[test]
fn inspect_of_the_embedded_digits() {
    let bench = Bench::new();
    let ran = bench.run(&["inspect"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr, "", "progress without a terminal");
    for line in ["60,000 images", "10,000 images", "28 x 28 x 1", "light on dark", "samples.png"] {
        assert!(ran.stdout.contains(line), "'{line}' is not in:\n{}", ran.stdout);
    }
    // The number of ones in MNIST's two splits, the largest class.
    assert!(ran.stdout.lines().any(|line| line.starts_with("1 ") && line.contains("6,742") && line.contains("1,135")));
    assert!(!ran.stdout.contains('\u{1b}'), "colours without a terminal");
    let picture = image::open(bench.path("samples.png")).unwrap();
    assert!(picture.width() > picture.height(), "3 rows of 6");
}

#[test]
fn inspect_as_json() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 30, 9);
    let json: serde_json::Value =
        serde_json::from_str(&bench.ok(&["inspect", "--data", "bars", "--json", "--out", "grid.png", "--seed", "4"]))
            .unwrap();
    assert_eq!(json["shape"], serde_json::json!({"height": 8, "width": 8, "channels": 1}));
    assert_eq!(json["classes"], serde_json::json!(["0", "1", "2"]));
    assert_eq!(json["splits"][0]["class_counts"], serde_json::json!([10, 10, 10]));
    assert_eq!(json["splits"][1]["images"], 9);
    assert_eq!(json["polarity"], "light_on_dark");
    assert_eq!(json["samples"], "grid.png");
    assert!(bench.path("grid.png").exists());
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 30, 9);
    let ran = bench.run_into_closed_pipe(&["inspect", "--data", "bars"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr, "");
}

#[test]
fn samples_are_png_and_nothing_else() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 30, 9);
    for name in ["s.jpg", "s", "png", "s.png.txt"] {
        bench.fails(&["inspect", "--data", "bars", "--out", name], 2, &[&format!("--out {name}:"), ".png"]);
        assert!(!bench.path(name).exists());
    }
    bench.ok(&["inspect", "--data", "bars", "--out", "S.PNG"]);
    assert!(image::open(bench.path("S.PNG")).is_ok());
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 30, 9);
    bench.write("file", "in the way");
    let ran = bench.run(&["inspect", "--data", "bars", "--out", "file/samples.png"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("file/samples.png"), "{}", ran.stderr);
}
