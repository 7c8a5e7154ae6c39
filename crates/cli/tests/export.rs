//! What `export` writes, what it is compared on, and that nothing is left where it refuses.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{Bench, csv_bars, files_in};
use glyphnet::ImageShape;
use glyphnet::model_file::{ModelParts, save};
use glyphnet::nn::{Dense, Flatten, Network, Sequential};

const ONNX: [&str; 3] = ["export", "--format", "onnx"];

/// A run in `run/` that has learned the bars.
fn trained() -> Bench {
    let bench = Bench::bars();
    bench.ok(&["train", "--recipe", "bars.toml", "--out", "run", "--epochs", "1", "--threads", "2"]);
    bench
}

fn export(bench: &Bench, args: &[&str]) -> String {
    bench.ok(&[&ONNX[..], args].concat())
}

/// A model file of this network.
fn model_file(bench: &Bench, name: &str, network: Network) {
    let classes = (0..network.classes()).map(|label| label.to_string()).collect();
    save(&ModelParts { networks: network.into(), classes, preprocess: Default::default() }, &bench.path(name)).unwrap();
}

#[test]
fn a_run_becomes_a_file_that_was_run() {
    let bench = trained();
    let said = export(&bench, &["--model", "run"]);
    for words in [
        "model.onnx: ",
        " bytes, opset 23, images uint8 [batch, 8, 8, 1] -> probabilities float32 [batch, 3]\n",
        "run by rten on 30 test images of bars: logits differ from the model's by at most ",
    ] {
        assert!(said.contains(words), "'{words}' is not in: {said}");
    }
    let file = std::fs::read(bench.path("model.onnx")).unwrap();
    for text in ["glyphnet", "conv2d/kernel", "[\"0\",\"1\",\"2\"]", "\"scale\":0.003921569"] {
        assert!(file.windows(text.len()).any(|window| window == text.as_bytes()), "no {text}");
    }
    // The same file again, whatever the number of threads, and over the old one.
    bench.write("other.onnx", "old");
    export(&bench, &["--model", "run/model.safetensors", "-o", "other.onnx", "--threads", "1"]);
    assert_eq!(std::fs::read(bench.path("other.onnx")).unwrap(), file);
}

#[test]
fn the_best_images_at_hand_are_compared() {
    let bench = trained();
    let compared = |args: &[&str], words: &str| {
        let said = export(&bench, args);
        assert!(said.contains(words), "{args:?}: '{words}' is not in: {said}");
    };
    bench.write("kaggle/train.csv", csv_bars(90, true));
    bench.ok(&["train", "--recipe", "bars.toml", "--data", "kaggle/train.csv", "--out", "held", "--epochs", "1"]);
    compared(&["--model", "held"], "18 validation images of kaggle/train.csv");
    compared(&["--model", "run", "--data", "kaggle/train.csv"], "90 train images of kaggle/train.csv");
    std::fs::copy(bench.path("run/model.safetensors"), bench.path("alone.safetensors")).unwrap();
    compared(&["--model", "alone.safetensors"], "256 images of noise");
    compared(&["--model", "alone.safetensors", "--data", "bars"], "30 test images of bars");
    let digits = Sequential::new().add(Flatten {}).add(Dense::new(4)).build(ImageShape::new(28, 28, 1), 4, 0);
    model_file(&bench, "digits.safetensors", digits.unwrap());
    compared(&["--model", "digits.safetensors"], "1,000 test images of mnist");

    std::fs::rename(bench.path("bars"), bench.path("moved")).unwrap();
    let ran = bench.run(&[&ONNX[..], &["--model", "run"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("note: without the data of the run: no data found at 'bars'"), "{}", ran.stderr);
    assert!(ran.stdout.contains("256 images of noise"), "{}", ran.stdout);
}

#[test]
fn test_time_augmentation_is_refused_or_left_out() {
    let bench = Bench::bars();
    let unsure = ["--set", "preprocess.tta_below=1", "--epochs", "1", "--out", "run"];
    bench.ok(&[&["train", "--recipe", "bars.toml"], &unsure[..]].concat());
    let plain = [&ONNX[..], &["--model", "run"]].concat();
    bench.fails(&plain, 1, &["preprocess.tta_below = 1", "--without-tta"]);
    assert!(!bench.path("model.onnx").exists());
    let said = export(&bench, &["--model", "run", "--without-tta"]);
    assert!(said.contains("run by rten on 30 test images of bars"), "{said}");
}

#[test]
fn a_run_becomes_a_page() {
    let bench = trained();
    let html = ["export", "--format", "html", "--model", "run"];
    let said = bench.ok(&html);
    let page = bench.read("model.html");
    let size = glyphnet_artifacts::numbers::grouped(page.len() as u64);
    let draws = page.contains("id=\"board\"");
    let how = if draws { "to draw, or to show it images\n" } else { "there is no board to draw on)\n" };
    assert!(said.starts_with(&format!("model.html: {size} bytes, ")) && said.ends_with(how), "{said}");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    // The same page again, over what was there.
    bench.write("other.html", "old");
    bench.ok(&[&html[..], &["-o", "other.html"]].concat());
    assert_eq!(bench.read("other.html"), page);
    bench.fails(&[&html[..], &["--data", "bars"]].concat(), 2, &["--data is for --format onnx"]);
    let wide = Sequential::new().add(Flatten {}).add(Dense::new(1 << 15)).add(Dense::new(2));
    model_file(&bench, "wide.safetensors", wide.build(ImageShape::new(32, 32, 1), 2, 0).unwrap());
    let wide = ["export", "--format", "html", "--model", "wide.safetensors", "-o", "wide.html"];
    bench.fails(&wide, 1, &["33,652,738 parameters", "use `export --format onnx` instead"]);
    assert!(!bench.path("wide.html").exists());
}

/// Two sums of large numbers that almost cancel: what is left is rounding, which another program does otherwise.
fn cancelling() -> Network {
    let layers = Sequential::new().add(Flatten {}).add(Dense::new(2)).add(Dense::new(2));
    let mut network = layers.build(ImageShape::new(28, 28, 1), 2, 0).unwrap();
    let kernels: Vec<_> = network.tensors().filter(|tensor| tensor.name.ends_with("kernel")).cloned().collect();
    let first = network.tensor_mut(&kernels[0]);
    for (i, pair) in first.chunks_exact_mut(2).enumerate() {
        pair[0] = 1e6 + 1e4 * (i % 97) as f32;
        pair[1] = pair[0] + (i % 5) as f32;
    }
    network.tensor_mut(&kernels[1]).copy_from_slice(&[1.0, 0.5, -1.0, -0.5]);
    network
}

#[test]
fn a_file_that_says_something_else_is_not_left() {
    let bench = Bench::new();
    model_file(&bench, "hard.safetensors", cancelling());
    let hard = [&ONNX[..], &["--model", "hard.safetensors"]].concat();
    bench.fails(&hard, 1, &["model.onnx was not written", "1,000 test images of mnist", "logits differ by up to"]);
    assert_eq!(files_in(&bench.path("")), ["hard.safetensors"]);
    bench.write("model.onnx", "old");
    bench.fails(&hard, 1, &["was not written"]);
    assert_eq!(bench.read("model.onnx"), "old");
}

#[test]
fn places_and_data_that_are_wrong_are_refused_before_anything_is_written() {
    let bench = trained();
    let before = files_in(&bench.path(""));
    let fails = |args: &[&str], code, words: &[&str]| {
        bench.fails(&[&ONNX[..], &["--model", "run"], args].concat(), code, words);
    };
    fails(&["-o", "run/model.safetensors"], 2, &["run/model.safetensors: this is the model itself"]);
    fails(&["-o", "run/run.toml"], 2, &["run/run.toml: a file beside the model would be lost"]);
    fails(&["-o", "run"], 2, &["this is a folder"]);
    fails(&["-o", "nowhere/model.onnx"], 2, &["there is no folder nowhere"]);
    fails(&["--data", "missing"], 1, &["'missing'"]);
    bench.fails(&["export", "--model", "run"], 2, &["--format"]);
    bench.fails(&["export", "--model", "missing", "--format", "onnx"], 1, &["no such file or folder"]);
    // Data of another size is refused where it is named, and not taken where it is not.
    fails(&["--data", "mnist"], 1, &["28 x 28 x 1", "8 x 8 x 1"]);
    assert_eq!(files_in(&bench.path("")), before);
}
