//! What `predict` and `submit` make of colours and of inputs that are not what they should be.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{BARS_RECIPE, Bench, bar_image, colour_png, csv_bars, png};
use serde_json::Value;

/// A run in `run/` that has learned the bars.
fn trained() -> Bench {
    let bench = Bench::bars();
    bench.ok(&["train", "--recipe", "bars.toml", "--out", "run", "--threads", "2"]);
    bench
}

/// A square of a colour on other ground, 8 x 8; the number moves it a little.
fn square(colour: [u8; 3], ground: u8, number: usize) -> Vec<u8> {
    let (top, left) = (2 + number % 2, 2 + number / 2 % 2);
    let inside = |i: usize| (top..top + 4).contains(&(i / 8)) && (left..left + 4).contains(&(i % 8));
    (0..64).flat_map(|i| if inside(i) { colour } else { [ground + (number % 7) as u8; 3] }).collect()
}

const RED: [u8; 3] = [230, 20, 20];
const CYAN: [u8; 3] = [20, 230, 230];

/// On light ground these are the other way round than what the model has learned, and still themselves.
#[test]
fn auto_never_swaps_images_for_a_colour_model() {
    let bench = Bench::new();
    for number in 0..24 {
        for (class, colour) in [("red", RED), ("cyan", CYAN)] {
            bench.write(&format!("shapes/train/{class}/{number}.png"), colour_png(8, 8, &square(colour, 8, number)));
        }
    }
    bench.write("shapes.toml", BARS_RECIPE.replace("\"bars\"", "\"shapes\""));
    bench.ok(&["train", "--recipe", "shapes.toml", "--out", "run", "--epochs", "20"]);
    bench.write("dark.png", colour_png(8, 8, &square(RED, 8, 1)));
    bench.write("light.png", colour_png(8, 8, &square(RED, 240, 1)));
    let predict = |invert: &[&str]| {
        let args = ["predict", "--model", "run", "dark.png", "light.png", "--format", "json"];
        let document: Value = serde_json::from_str(&bench.ok(&[&args[..], invert].concat())).unwrap();
        [0, 1].map(|i| document["predictions"][i].clone())
    };
    let auto = predict(&[]);
    assert_eq!(auto[0]["class"], "red");
    assert!(auto.iter().all(|p| p["inverted"] == false), "{auto:?}");
    assert_eq!(auto, predict(&["--invert", "no"]));
    let forced = predict(&["--invert", "yes"]);
    assert!(forced.iter().all(|p| p["inverted"] == true), "{forced:?}");
    assert_eq!(forced[0]["class"], "cyan");
}

#[test]
fn where_no_input_can_be_read_there_is_no_table() {
    let bench = trained();
    bench.write("broken.png", "no picture");
    bench.fails(
        &["predict", "--model", "run", "broken.png", "missing.png"],
        1,
        &["broken.png", "missing.png", "2 of 2"],
    );
    let ran = bench.run(&["predict", "--model", "run", "broken.png", "--format", "csv"]);
    assert_eq!(ran.stdout, "input,row,inverted,class,probability\n");
}

#[test]
fn no_class_at_all_is_nothing_to_show() {
    let bench = trained();
    bench.write("one.png", png(8, 8, &bar_image(1, 3)));
    bench.fails(
        &["predict", "--model", "run", "one.png", "--top", "0"],
        2,
        &["--top", "at least 1", "how many classes"],
    );
    bench.fails(&["predict", "--model", "run", "one.png", "--top", "few"], 2, &["--top", "few"]);
    let all = bench.ok(&["predict", "--model", "run", "one.png", "--top", "99", "--format", "csv"]);
    assert!(all.lines().next().unwrap().ends_with(",probability_3"), "{all}");
}

#[test]
fn a_file_with_labels_is_nothing_to_submit() {
    let bench = trained();
    bench.write("train.csv", csv_bars(9, true));
    bench.write("test.csv", csv_bars(9, false));
    bench.fails(&["submit", "--model", "run", "train.csv"], 1, &["train.csv", "has labels; did you mean test.csv?"]);
    assert!(!bench.path("submission.csv").exists());
    bench.ok(&["submit", "--model", "run", "test.csv"]);
    // To `predict` the labels are one column more.
    bench.ok(&["predict", "--model", "run", "train.csv"]);
}

#[test]
fn what_is_no_model_is_told_what_it_looks_like() {
    let bench = trained();
    let refused = |model: &str, words: &[&str]| bench.fails(&["summary", "--model", model], 1, words);
    refused("nope", &["nope: there is no such file or folder; name a model file or a run folder"]);
    refused("bars", &["bars: there is no model.safetensors in this folder; name a model file or a run folder"]);
    let run = "name the run folder run or its model.safetensors";
    refused("run/run.toml", &["run/run.toml: this looks like a recipe (TOML), not a model file", run]);
    refused("run/samples.png", &["a picture (PNG)", run]);
    refused("run/history.csv", &["a CSV file", run]);
    refused("run/metrics.json", &["a JSON file", run]);
    refused("run/predictions.safetensors", &["the predictions of a run", run]);
    refused("run/thumbnails.safetensors", &["images of a run", run]);
    bench.write("train.csv", csv_bars(9, true));
    let other = "name a model file (model.safetensors) or a run folder";
    refused("train.csv", &["train.csv: this looks like a CSV file", other]);
    refused("bars/train-images-idx3-ubyte", &["an IDX file", other]);
    bench.write("notes", format!("{}é", "x".repeat(1023)));
    refused("notes", &["a text file", other]);
    // Neither text nor anything known, and a model cut short: the reader's own words.
    bench.write("noise", [200, 7, 3, 255, 0, 1, 9, 77, 5, 4]);
    refused("noise", &["noise: not a model file: "]);
    let model = std::fs::read(bench.path("run/model.safetensors")).unwrap();
    bench.write("short.safetensors", &model[..model.len() / 2]);
    refused("short.safetensors", &["short.safetensors: not a model file: "]);
}
