//! Data that is not what it should be: each is refused with its place, exit code 1 and no panic.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{Bench, bar_image, csv_bars, gzip, idx, png, write_idx_bars};

/// Every command that reads data says the same; `inspect` is the quickest.
fn refused(bench: &Bench, source: &str, words: &[&str]) {
    bench.fails(&["inspect", "--data", source], 1, words);
    assert!(!bench.path("samples.png").exists(), "{source}: samples of data that was refused");
}

#[test]
fn a_missing_file_says_what_was_looked_for() {
    let bench = Bench::new();
    refused(&bench, "no/such/place", &["no/such/place", "train.csv", "IDX"]);
}

#[test]
fn empty_files_are_named() {
    let bench = Bench::new();
    bench.write("train.csv", "");
    refused(&bench, "train.csv", &["train.csv", "empty"]);
    bench.write("mnist.npz", "");
    refused(&bench, "mnist.npz", &["mnist.npz", "empty"]);
    write_idx_bars(&bench, "bars", 6, 3);
    bench.write("bars/train-images-idx3-ubyte", "");
    refused(&bench, "bars", &["train-images-idx3-ubyte", "empty"]);
}

#[test]
fn an_empty_folder_says_so() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("empty")).unwrap();
    refused(&bench, "empty", &["empty folder"]);
}

#[test]
fn idx_files_are_read_to_their_exact_end() {
    let bench = Bench::new();
    let images: Vec<u8> = (0..6).flat_map(|i| bar_image(i % 3, i)).collect();
    let good = idx(&[6, 8, 8], &images);
    let name = "bars/train-images-idx3-ubyte";
    write_idx_bars(&bench, "bars", 6, 3);
    bench.ok(&["inspect", "--data", "bars"]);
    std::fs::remove_file(bench.path("samples.png")).unwrap();

    let mut wrong_magic = good.clone();
    wrong_magic[2] = 13;
    bench.write(name, &wrong_magic);
    refused(&bench, "bars", &["train-images-idx3-ubyte", "byte"]);

    bench.write(name, &good[..good.len() - 1]);
    refused(&bench, "bars", &["train-images-idx3-ubyte", "byte 399"]);

    bench.write(name, &good[..7]);
    refused(&bench, "bars", &["train-images-idx3-ubyte", "byte"]);

    bench.write(name, [&good[..], &[0]].concat());
    refused(&bench, "bars", &["train-images-idx3-ubyte", "byte 400"]);

    bench.write(name, idx(&[u32::MAX, u32::MAX, u32::MAX], &images));
    refused(&bench, "bars", &["train-images-idx3-ubyte", "byte"]);
}

#[test]
fn a_damaged_gzip_file_is_named() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 6, 3);
    let images = std::fs::read(bench.path("bars/train-images-idx3-ubyte")).unwrap();
    std::fs::remove_file(bench.path("bars/train-images-idx3-ubyte")).unwrap();
    let zipped = gzip(&images);
    bench.write("bars/train-images-idx3-ubyte.gz", &zipped);
    bench.ok(&["inspect", "--data", "bars"]);
    std::fs::remove_file(bench.path("samples.png")).unwrap();
    bench.write("bars/train-images-idx3-ubyte.gz", &zipped[..zipped.len() / 2]);
    refused(&bench, "bars", &["train-images-idx3-ubyte.gz"]);
}

#[test]
fn images_and_labels_must_be_as_many() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 6, 3);
    bench.write("bars/train-labels-idx1-ubyte", idx(&[5], &[0, 1, 2, 0, 1]));
    refused(&bench, "bars", &["train-images-idx3-ubyte", "6 images", "train-labels-idx1-ubyte", "5 labels"]);
}

/// The bars as CSV with one line (from 1) changed.
fn csv_with(line: usize, change: impl Fn(&str) -> String) -> String {
    let text = csv_bars(9, true);
    let lines = text.lines().zip(1..).map(|(text, number)| if number == line { change(text) } else { text.to_owned() });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn csv_errors_name_line_and_column() {
    let bench = Bench::new();
    let cell = |text: &str, column: usize, value: &str| {
        let mut cells: Vec<&str> = text.split(',').collect();
        cells[column] = value;
        cells.join(",")
    };
    for (value, words) in [("seven", ["line 4", "pixel5", "seven"]), ("256", ["line 4", "pixel5", "256"])] {
        bench.write("train.csv", csv_with(4, |text| cell(text, 6, value)));
        refused(&bench, "train.csv", &words);
    }
    for value in ["-1", "3.5", ""] {
        bench.write("train.csv", csv_with(4, |text| cell(text, 6, value)));
        refused(&bench, "train.csv", &["train.csv", "line 4", "pixel5", value]);
    }
    bench.write("train.csv", csv_with(3, |text| cell(text, 0, "cat")));
    refused(&bench, "train.csv", &["train.csv", "line 3", "label"]);

    bench.write("train.csv", csv_with(5, |text| text.rsplit_once(',').unwrap().0.to_owned()));
    refused(&bench, "train.csv", &["train.csv", "line 5"]);
    bench.write("train.csv", csv_with(5, |text| format!("{text},0")));
    refused(&bench, "train.csv", &["train.csv", "line 5"]);
}

#[test]
fn csv_needs_its_columns_and_rows() {
    let bench = Bench::new();
    bench.write("train.csv", csv_bars(9, false));
    refused(&bench, "train.csv", &["train.csv", "label"]);
    let without_pixel9 = csv_bars(9, true);
    let drop = |text: &str| {
        let cells: Vec<&str> = text.split(',').collect();
        [&cells[..10], &cells[11..]].concat().join(",")
    };
    bench.write("train.csv", without_pixel9.lines().map(drop).collect::<Vec<_>>().join("\n"));
    refused(&bench, "train.csv", &["train.csv", "pixel9"]);
    bench.write("train.csv", csv_bars(0, true));
    refused(&bench, "train.csv", &["train.csv", "no images"]);
}

/// Line ends of Windows and a byte order mark are no damage.
#[test]
fn csv_may_come_from_windows() {
    let bench = Bench::new();
    bench.write("plain/train.csv", csv_bars(9, true));
    bench.write("windows/train.csv", format!("\u{feff}{}", csv_bars(9, true).replace('\n', "\r\n")));
    let print = |source: &str| {
        let json = bench.ok(&["inspect", "--json", "--data", source]);
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["fingerprint"].clone()
    };
    assert_eq!(print("plain/train.csv"), print("windows/train.csv"));
}

#[test]
fn a_corrupt_image_is_named() {
    let bench = Bench::new();
    for class in 0..2 {
        for i in 0..3 {
            bench.write(&format!("images/train/{class}/{i}.png"), png(8, 8, &bar_image(class, i)));
        }
    }
    bench.ok(&["inspect", "--data", "images"]);
    std::fs::remove_file(bench.path("samples.png")).unwrap();
    let good = png(8, 8, &bar_image(1, 7));
    bench.write("images/train/1/broken.png", &good[..good.len() / 2]);
    refused(&bench, "images", &["broken.png"]);
    bench.write("images/train/1/broken.png", "no picture at all");
    refused(&bench, "images", &["broken.png"]);
}

#[test]
fn one_class_is_nothing_to_classify() {
    let bench = Bench::new();
    bench.write("images/train/cat/1.png", png(8, 8, &bar_image(0, 1)));
    bench.write("images/train/cat/2.png", png(8, 8, &bar_image(0, 2)));
    refused(&bench, "images", &["images", "one class"]);
}
