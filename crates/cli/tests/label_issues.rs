//! `find-label-issues`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{BARS_RECIPE, Bench, bar_image, files_in, idx, png};

/// Rows whose labels are wrong.
const WRONG: [u32; 4] = [7, 20, 51, 98];

/// 120 images of bars, of which four are labelled wrong.
fn flipped() -> Bench {
    let bench = Bench::new();
    let label = |i: u32| if WRONG.contains(&i) { (i + 1) % 3 } else { i % 3 };
    write_bars(&bench, "bars", 120, label);
    bench.write("bars.toml", BARS_RECIPE);
    bench
}

fn write_bars(bench: &Bench, name: &str, count: u32, label: impl Fn(u32) -> u32) {
    let labels: Vec<u8> = (0..count).map(|i| label(i) as u8).collect();
    let pixels: Vec<u8> = (0..count).flat_map(|i| bar_image(i % 3, i)).collect();
    bench.write(&format!("{name}/train-images-idx3-ubyte"), idx(&[count, 8, 8], &pixels));
    bench.write(&format!("{name}/train-labels-idx1-ubyte"), idx(&[count], &labels));
}

const ASKED: [&str; 7] = ["find-label-issues", "--recipe", "bars.toml", "--folds", "4", "--epochs", "12"];

/// The rows of `issues.csv`: index, label, suggestion.
fn issues(bench: &Bench, folder: &str) -> Vec<[String; 3]> {
    let text = bench.read(&format!("{folder}/issues.csv"));
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("rank,index,label,suggested,label_probability,suggested_probability,"));
    let field = |line: &str, i: usize| line.split(',').nth(i).unwrap().to_owned();
    lines.map(|line| [field(line, 1), field(line, 2), field(line, 3)]).collect()
}

#[test]
fn flipped_labels_are_found_with_what_they_should_be() {
    let bench = flipped();
    let ran = bench.run(&[&ASKED[..], &["--out", "found", "--threads", "2"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut found = issues(&bench, "found");
    found.sort_by_key(|row| row[0].parse::<u32>().unwrap());
    let expected = WRONG.map(|i| [i.to_string(), ((i + 1) % 3).to_string(), (i % 3).to_string()]);
    assert_eq!(found, expected, "{}", ran.stdout);
    assert_eq!(files_in(&bench.path("found")), [".lock", "issues.csv", "issues.png", "predictions.safetensors"]);
    assert!(ran.stdout.contains("4 labels (3.33 %) are probably wrong"), "{}", ran.stdout);
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("fold ")).count(), 4, "{}", ran.stderr);
    let picture = image::open(bench.path("found/issues.png")).unwrap();
    assert!(picture.width() > picture.height(), "four in a row");
    let read = glyphnet::evaluate::read_predictions(&bench.path("found/predictions.safetensors")).unwrap();
    assert_eq!((read[0].split.as_str(), read[0].labels.len(), read[0].classes), ("train", 120, 3));
    // Again, with another number of threads: the same to the last bit.
    bench.ok(&[&ASKED[..], &["--threads", "1"]].concat());
    for file in ["issues.csv", "predictions.safetensors"] {
        let [first, second] =
            ["found", "runs/label-issues-1"].map(|f| std::fs::read(bench.path(f).join(file)).unwrap());
        assert!(first == second, "{file} differs");
    }
}

#[test]
fn images_in_folders_are_named() {
    let bench = Bench::new();
    bench.write("bars.toml", BARS_RECIPE);
    let mut numbers = [0; 3];
    for i in 0..60_u32 {
        let class = if i == 31 { 0 } else { i % 3 };
        numbers[class as usize] += 1;
        bench.write(
            &format!("shapes/train/{}/{i}.png", ["a", "b", "c"][class as usize]),
            png(8, 8, &bar_image(i % 3, i)),
        );
    }
    bench.ok(&[&ASKED[..], &["--data", "shapes", "--out", "found"]].concat());
    let text = bench.read("found/issues.csv");
    let line = text.lines().nth(1).unwrap();
    assert!(text.lines().next().unwrap().ends_with(",file"), "{text}");
    assert!(line.contains(",a,b,") && line.ends_with("shapes/train/a/31.png"), "{text}");
}

#[test]
fn what_cannot_be_judged_is_an_error_before_anything_is_written() {
    let bench = flipped();
    let fails = |args: &[&str], words: &[&str]| {
        bench.fails(&[&["find-label-issues", "--recipe", "bars.toml", "--out", "none"], args].concat(), 1, words);
        assert!(!bench.path("none").exists());
    };
    fails(&["--folds", "1"], &["1 folds", "at least 2"]);
    fails(&["--folds", "41"], &["has 40 images", "fewer than the 41 folds"]);
    write_bars(&bench, "one", 12, |_| 0);
    fails(&["--data", "one"], &["at least two classes"]);
    bench.write("test.csv", common::csv_bars(12, false));
    fails(&["--data", "test.csv"], &["no 'label' column"]);
    bench.fails(&["find-label-issues", "--folds", "few"], 2, &["--folds", "few"]);
    bench.write("full/file", "x");
    bench.fails(&[&ASKED[..], &["--out", "full"]].concat(), 1, &["full", "is not empty"]);
}
