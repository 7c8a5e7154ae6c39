//! `convert`, `summary` and `inspect` on data of every format.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{Bench, bar_image, files_in, png, write_idx_bars};

fn inspect(bench: &Bench, source: &str) -> serde_json::Value {
    serde_json::from_str(&bench.ok(&["inspect", "--json", "--data", source])).unwrap()
}

#[test]
fn data_goes_through_all_formats_unchanged() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 30, 9);
    let first = inspect(&bench, "bars")["fingerprint"].clone();
    let ran = bench.run(&["convert", "bars", "bars.npz", "--to", "npz"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "bars.npz: train 30 images, test 9 images\n"));
    assert_eq!(ran.stderr, "");
    bench.ok(&["convert", "bars.npz", "folder", "--to", "folder"]);
    bench.ok(&["convert", "folder", "idx", "--to", "idx"]);
    for source in ["bars.npz", "folder", "idx"] {
        assert_eq!(inspect(&bench, source)["fingerprint"], first, "{source}");
    }
}

#[test]
fn kaggle_gets_the_sizes_that_were_asked_for_and_no_test_labels() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 30, 9);
    let ran = bench.run(&["convert", "bars", "kaggle", "--to", "kaggle", "--sizes", "20,10", "--seed", "3"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("no labels") && ran.stderr.contains("left out 9 of 39"), "{}", ran.stderr);
    let facts = inspect(&bench, "kaggle/train.csv");
    assert_eq!(facts["splits"][0]["images"], 20);
    assert_eq!(facts["splits"][1]["images"], 10);
    assert!(facts["splits"][1]["class_counts"].is_null());
    assert_eq!(facts["columns"].as_array().unwrap().len(), 65);
    assert_eq!(facts["columns"][64], "pixel63");
    assert!(bench.read("kaggle/test.csv").starts_with("pixel0,pixel1,"));

    bench.ok(&["convert", "bars", "again", "--to", "kaggle", "--sizes", "20,10", "--seed", "3"]);
    assert_eq!(bench.read("kaggle/train.csv"), bench.read("again/train.csv"));
    bench.ok(&["convert", "bars", "other", "--to", "kaggle", "--sizes", "20,10", "--seed", "4"]);
    assert_ne!(bench.read("kaggle/train.csv"), bench.read("other/train.csv"));
}

#[test]
fn a_refused_conversion_leaves_nothing() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 30, 9);
    bench.fails(&["convert", "bars", "k", "--to", "kaggle", "--sizes", "20,20"], 1, &["20,20", "39 images"]);
    bench.fails(&["convert", "bars", "bars", "--to", "kaggle"], 1, &["bars", "not empty"]);
    bench.fails(&["convert", "bars", "bars.zip", "--to", "npz"], 1, &["bars.zip", ".npz"]);
    bench.fails(&["convert", "nothing", "k", "--to", "kaggle"], 1, &["nothing"]);
    assert_eq!(files_in(bench.path("").as_path()).len(), 4, "{:?}", files_in(&bench.path("")));
}

#[test]
fn duplicates_and_contradictions_are_counted() {
    let bench = Bench::new();
    let picture = png(8, 8, &bar_image(0, 0));
    for (place, number) in [("train/a/1", 0), ("train/a/3", 3), ("train/b/2", 1), ("test/b/1", 4)] {
        bench.write(&format!("images/{place}.png"), png(8, 8, &bar_image(0, number)));
    }
    for place in ["train/a/2", "train/b/1", "test/a/1"] {
        bench.write(&format!("images/{place}.png"), &picture);
    }
    let text = bench.ok(&["inspect", "--data", "images"]);
    for line in [
        "2 images of train repeat an earlier one exactly",
        "no image of test is there twice",
        "1 image of test is in train too, exactly",
        "1 image is there under different labels",
    ] {
        assert!(text.contains(line), "'{line}' is not in:\n{text}");
    }
}

#[test]
fn the_reference_network_in_summary() {
    let bench = Bench::new();
    let text = bench.ok(&["summary"]);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows.contains(&vec!["conv2d", "26", "x", "26", "x", "64", "640", "389,376"]), "{text}");
    assert!(rows.contains(&vec!["conv2d_1", "24", "x", "24", "x", "32", "18,464", "10,616,832"]), "{text}");
    assert!(rows.contains(&vec!["dense", "10", "46,090", "46,080"]), "{text}");
    assert!(rows.contains(&vec!["parameters", "65,194"]), "{text}");
}

#[test]
fn the_plan_of_the_reference_network() {
    let bench = Bench::new();
    let text = bench.ok(&["summary", "--plan", "--simd", "scalar", "--threads", "2", "--batch-size", "48"]);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = text.lines().map(words).collect();
    for line in [
        "training: scalar, 2 threads, batches of 48 in 8 chunks",
        "segment 1 groups of 5 images",
        "conv2d 389,376 conv 3x3, relu: direct",
        "conv2d_1 + max_pool2d 10,616,832 conv 3x3, relu, max-pool 2x2: Winograd 4x4, sparse backward",
        "dense 46,080 dense",
        "inference: scalar, 2 threads",
        "conv2d_1 + max_pool2d 10,616,832 conv 3x3, relu, max-pool 2x2: Winograd 4x4",
        "weights, running averages 255",
    ] {
        assert!(lines.iter().any(|l| l == line), "'{line}' is not in:\n{text}");
    }
    assert_eq!(lines.iter().filter(|line| line.starts_with("segment 1 ")).count(), 2, "{text}");
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    for part in text.split("memory").skip(1) {
        let sizes = part.lines().skip(1).map_while(|line| line.split_whitespace().next_back());
        let sizes: Vec<u64> = sizes.map(|size| size.replace(',', "").parse().unwrap()).collect();
        let (total, parts) = sizes.split_last().unwrap();
        // Each size is rounded up.
        assert!((0..=parts.len() as u64).contains(&(parts.iter().sum::<u64>() - total)), "{text}");
    }
}

#[test]
fn a_plan_names_what_couples_the_batch() {
    let bench = Bench::new();
    let recipe = r#"
        [[layer]]
        kind = "conv2d"
        filters = 4
        kernel = 3
        [[layer]]
        kind = "batch_norm"
        [[layer]]
        kind = "activation"
        activation = "relu"
        [[layer]]
        kind = "flatten"
        [[layer]]
        kind = "dense"
        units = 128
        activation = "tanh"
        [[layer]]
        kind = "dense"
        units = "classes"
    "#;
    bench.write("net.toml", recipe);
    let text = bench.ok(&["summary", "--recipe", "net.toml", "--plan"]);
    for words in [
        "waits for the whole batch: its sums",
        "batch norm over the batch",
        "waits for the whole batch: large dense layer",
        "dense, tanh: whole batch",
        "conv2d .. activation",
        "conv 3x3 with batch norm, relu: direct",
    ] {
        assert!(text.contains(words), "'{words}' is not in:\n{text}");
    }
    bench.fails(&["summary", "--threads", "2"], 2, &["--plan"]);
}

/// Nothing knows that there are ten classes of 28 x 28.
#[test]
fn the_same_recipe_fits_other_data() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 30, 9);
    let text = bench.ok(&["summary", "--data", "bars"]);
    assert!(text.lines().any(|line| line.starts_with("dense") && line.contains(" 3 ")), "{text}");
    assert!(text.contains("8 x 8 x 1"), "{text}");
}
