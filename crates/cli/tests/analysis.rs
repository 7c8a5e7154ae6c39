//! What `evaluate` says beyond loss and accuracy: per class, confusion, calibration, labels that are known to be wrong.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{BARS_RECIPE, Bench, bar_image, idx, write_idx_bars};
use serde_json::Value;

/// A network that is trained in a moment, on anything.
const SMALL_RECIPE: &str = r#"
[data]
validation = 0
[train]
batch_size = 32
epochs = 2
[optimizer]
kind = "adam"
learning_rate = 0.01
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = "classes"
activation = "softmax"
"#;

fn evaluated(bench: &Bench, args: &[&str]) -> Value {
    serde_json::from_str(&bench.ok(&[&["evaluate", "--json"], args].concat())).unwrap()
}

#[test]
fn the_json_has_everything_and_keeps_its_old_keys() {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 120, 30);
    bench.write("bars.toml", BARS_RECIPE);
    bench.ok(&["train", "--recipe", "bars.toml", "--out", "run"]);
    let json = evaluated(&bench, &["--model", "run", "--split", "test,validation"]);
    assert_eq!(
        (&json["model"], &json["data"], &json["classes"]),
        (&"run".into(), &"bars".into(), &["0", "1", "2"].into())
    );
    for (split, images) in [(&json["splits"][0], 30), (&json["splits"][1], 24)] {
        let analysis = &split["analysis"];
        assert_eq!((&split["images"], &analysis["images"]), (&images.into(), &images.into()));
        assert_eq!(split["accuracy"], analysis["accuracy"]);
        let (loss, analysed) = (split["loss"].as_f64().unwrap(), analysis["loss"].as_f64().unwrap());
        assert!((loss - analysed).abs() < 1e-5, "{loss} from logits, {analysed} from probabilities");
        let counted: u64 = analysis["confusion"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(|count| count.as_u64().unwrap())
            .sum();
        assert_eq!(counted, images);
        for key in ["brier", "top", "per_class", "macro_average", "weighted_average", "confused", "top_losses"] {
            assert!(!analysis[key].is_null(), "{key}");
        }
        assert_eq!(analysis["calibration"]["bins"].as_array().unwrap().len(), 15);
        assert!(split["known_label_errors"].is_null());
    }
    let text = bench.ok(&["evaluate", "--model", "run"]);
    for line in ["split  images", "test: ", "class ", "precision", "mean of the classes", "Brier score", "probability"]
    {
        assert!(
            text.lines().any(|l| l.trim_start().starts_with(line) || l.contains(line)),
            "'{line}' is not in:\n{text}"
        );
    }
}

#[test]
fn the_wrong_labels_of_mnist_are_set_aside_whatever_it_is_called() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL_RECIPE);
    bench.ok(&["train", "--recipe", "small.toml", "--data", "mnist", "--out", "run", "--set", "data.limit=2000"]);
    bench.ok(&["convert", "mnist", "copy", "--to", "idx"]);
    let wrong = [947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729];
    for data in ["mnist", "copy"] {
        let json = evaluated(&bench, &["--model", "run", "--data", data]);
        let split = &json["splits"][0];
        let known = &split["known_label_errors"];
        assert_eq!((&known["rows"], &known["images"]), (&wrong.to_vec().into(), &9985.into()), "{data}");
        assert!(known["source"].as_str().unwrap().contains("labelerrors.com"));
        // At most all fifteen change sides.
        let (raw, kept) = (split["accuracy"].as_f64().unwrap() * 1e4, known["accuracy"].as_f64().unwrap() * 9985.0);
        let taken = (raw - kept).round();
        assert!((0.0..=15.0).contains(&taken), "{taken} of the wrong labels were agreed with");
    }
    let text = bench.ok(&["evaluate", "--model", "run"]);
    assert!(text.contains("of 9,985 images, with 15 wrong labels set aside:") && text.contains("Northcutt"), "{text}");
    // Its name does not make it MNIST.
    let labels = bench.path("copy/t10k-labels-idx1-ubyte");
    let mut bytes = std::fs::read(&labels).unwrap();
    bytes[8] = (bytes[8] + 1) % 10;
    std::fs::write(&labels, bytes).unwrap();
    let json = evaluated(&bench, &["--model", "run", "--data", "copy"]);
    assert!(json["splits"][0]["known_label_errors"].is_null());
}

#[test]
fn every_one_of_47_classes_has_its_line_and_of_more_the_worst() {
    for (classes, lines) in [(47_u32, 47), (70, 60)] {
        let bench = Bench::new();
        for (part, count) in [("train", 2 * classes), ("t10k", classes)] {
            let labels: Vec<u8> = (0..count).map(|i| (i % classes) as u8).collect();
            let pixels: Vec<u8> = (0..count).flat_map(|i| bar_image(i % 3, i)).collect();
            bench.write(&format!("many/{part}-images-idx3-ubyte"), idx(&[count, 8, 8], &pixels));
            bench.write(&format!("many/{part}-labels-idx1-ubyte"), idx(&[count], &labels));
        }
        bench.write("small.toml", SMALL_RECIPE);
        bench.ok(&["train", "--recipe", "small.toml", "--data", "many", "--out", "run"]);
        let text = bench.ok(&["evaluate", "--model", "run"]);
        let table = text.split("\n\n").find(|table| table.starts_with("class")).unwrap();
        let rows = table.lines().skip(1).filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count();
        assert_eq!(rows, lines, "{text}");
        assert_eq!(table.contains("these are the 60 with the lowest F1 of 70 classes"), classes == 70, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let pairs = text.split("\n\n").find(|table| table.starts_with("label ")).unwrap();
        assert!(pairs.lines().count() <= 12 && pairs.contains("more (all with --json)"), "{text}");
    }
}
