//! `train`, and what can be done with its run: `evaluate`, `summary`, `predict`, `submit`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::time::Duration;

use common::{Bench, bar_image, csv_bars, files_in, png};
use glyphnet::saved_run::SavedRun;
use serde_json::Value;

/// The bars, and a run in `run/` that has learned them.
fn trained() -> Bench {
    let bench = Bench::bars();
    bench.ok(&["train", "--recipe", "bars.toml", "--out", "run", "--threads", "2"]);
    bench
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_run_is_complete_and_learns() {
    let bench = Bench::bars();
    let ran = bench.run(&["train", "--recipe", "bars.toml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let files = files_in(&bench.path("runs/bars-1"));
    let results = ["run.toml", "history.csv", "metrics.json", "predictions.safetensors", "model.safetensors"];
    let pictures = ["samples.png", "curves.png", "confusion.png", "reliability.png", "errors.png"];
    for name in results.into_iter().chain(pictures) {
        assert!(files.iter().any(|file| file == name), "{name} is not among {files:?}");
    }
    let metrics = json(&bench.read("runs/bars-1/metrics.json"));
    assert_eq!(metrics["epochs_run"], 3);
    assert!(metrics["test"]["accuracy"].as_f64().unwrap() > 0.9, "{metrics}");
    assert!(metrics["validation"]["loss"].is_number());
    assert!(ran.stdout.contains("test accuracy") && ran.stdout.contains("runs/bars-1"), "{}", ran.stdout);
    // One plain line an epoch, and nothing of it on standard output.
    for epoch in 1..=3 {
        let start = format!("epoch {epoch}/3: ");
        assert_eq!(ran.stderr.lines().filter(|line| line.starts_with(&start)).count(), 1, "{}", ran.stderr);
        assert!(!ran.stdout.contains(&start));
    }
    assert!(ran.stderr.contains("val_loss improved from"), "{}", ran.stderr);
    assert_eq!(bench.read("runs/bars-1/history.csv").lines().count(), 4);

    bench.ok(&["train", "--recipe", "bars.toml", "--fast-run"]);
    assert_eq!(json(&bench.read("runs/bars-2/metrics.json"))["epochs_run"], 1);
}

#[test]
fn a_run_repeats_from_its_run_toml_with_any_number_of_threads() {
    let bench = Bench::bars();
    bench.ok(&["train", "--recipe", "bars.toml", "--seed", "5", "--threads", "1", "--set", "train.epochs=2"]);
    bench.ok(&["train", "--recipe", "runs/bars-1/run.toml", "--threads", "2"]);
    let weights = |run: &str| std::fs::read(bench.path(run).join("predictions.safetensors")).unwrap();
    assert_eq!(weights("runs/bars-1"), weights("runs/bars-2"));
    bench.ok(&["train", "--recipe", "bars.toml", "--seed", "6", "--set", "train.epochs=2"]);
    assert_ne!(weights("runs/bars-1"), weights("runs/bars-3"));
}

#[test]
fn run_toml_notes_what_the_data_were_and_keeps_it() {
    let bench = trained();
    let facts = |run: &str| SavedRun::open(&bench.path(run)).unwrap().facts.unwrap();
    let first = facts("run");
    let splits: Vec<_> = first.splits.iter().map(|facts| (facts.split.as_str(), facts.images)).collect();
    assert_eq!(splits, [("train", 96), ("validation", 24), ("test", 30)]);
    assert_eq!(first.split("test").unwrap().per_class, Some(vec![10; 3]));
    assert_eq!((first.image.to_string(), first.classes.join(" ")), ("8 x 8 x 1".to_owned(), "0 1 2".to_owned()));
    bench.ok(&["train", "--resume", "run", "--epochs", "4"]);
    assert_eq!(facts("run"), first);
    bench.ok(&["train", "--recipe", "run/run.toml", "--out", "less", "--fast-run", "--set", "data.limit=60"]);
    assert_eq!(facts("less").split("train").unwrap().images, 48, "those of this run, not of the one that it repeats");
    // A run that an older version began.
    let text = bench.read("run/run.toml");
    let (older, _) = text.split_once("\n[provenance.data]").unwrap();
    bench.write("run/run.toml", older);
    assert_eq!(SavedRun::open(&bench.path("run")).unwrap().facts, None);
    bench.ok(&["train", "--resume", "run", "--epochs", "5"]);
    assert_eq!(facts("run"), first);
}

#[test]
fn without_a_labelled_test_it_is_said_aloud() {
    let bench = Bench::bars();
    bench.write("kaggle/train.csv", csv_bars(90, true));
    bench.write("kaggle/test.csv", csv_bars(12, false));
    let ran = bench.run(&["train", "--recipe", "bars.toml", "--data", "kaggle/train.csv", "--out", "run"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(json(&bench.read("run/metrics.json"))["test"].is_null());
    assert!(ran.stdout.contains("no labelled test"), "{}", ran.stdout);
    bench.ok(&["submit", "--model", "run", "kaggle/test.csv", "-o", "out.csv"]);
    let expected: String = (0..12).map(|i| format!("{},{}\n", i + 1, i % 3)).collect();
    assert_eq!(bench.read("out.csv"), format!("ImageId,Label\n{expected}"));
    let ran = bench.run(&["evaluate", "--model", "run"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stderr.contains("no labels"), "{}", ran.stderr);
}

#[test]
fn without_a_validation_split_the_last_epoch_is_the_model_and_that_is_said_once() {
    let bench = Bench::bars();
    let settings = ["--set", "data.validation=0", "--set", "early_stopping.monitor=val_loss"];
    let ran = bench.run(&[&["train", "--recipe", "bars.toml", "--out", "run"], &settings[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for note in [
        "no validation split: the last epoch will be the model",
        "early_stopping is off: there is no validation split to give val_loss",
    ] {
        assert_eq!(ran.stderr.matches(note).count(), 1, "{note}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("improve"), "{}", ran.stderr);
    let metrics = json(&bench.read("run/metrics.json"));
    assert!(metrics["validation"].is_null() && metrics["test"]["loss"].is_number(), "{metrics}");
    assert_eq!((&metrics["epochs_run"], &metrics["best_epoch"]), (&Value::from(3), &Value::from(3)));
    for line in bench.read("run/history.csv").lines().skip(1) {
        assert_eq!(line.split(',').skip(3).take(2).collect::<Vec<_>>(), ["", ""], "{line}");
    }
    assert!(!ran.stdout.contains("validation accuracy"), "{}", ran.stdout);
    // The last epoch is what the model file holds.
    let again = json(&bench.ok(&["evaluate", "--model", "run", "--json"]));
    assert_eq!(again["splits"][0]["loss"], metrics["test"]["loss"]);
}

#[test]
fn a_run_folder_is_never_overwritten() {
    let bench = Bench::bars();
    bench.write("taken/notes.txt", "mine");
    bench.fails(&["train", "--recipe", "bars.toml", "--out", "taken"], 1, &["taken", "not empty"]);
    assert_eq!(files_in(&bench.path("taken")), ["notes.txt"]);
    bench.fails(&["train", "--recipe", "bars.toml", "--out", "bars.toml"], 1, &["run folder: bars.toml", "--out"]);
    bench.fails(&["train", "--recipe", "bars.toml", "--out", "bars.toml/run"], 1, &["bars.toml/run", "--out"]);
    bench.write("runs", "a file in the way");
    bench.fails(&["train", "--recipe", "bars.toml"], 1, &["runs", "--out"]);
    std::fs::create_dir(bench.path("new")).unwrap();
    bench.ok(&["train", "--recipe", "bars.toml", "--out", "new", "--fast-run"]);
}

#[test]
fn evaluate_and_summary_of_a_run() {
    let bench = trained();
    let metrics = json(&bench.read("run/metrics.json"));
    let evaluated = json(&bench.ok(&["evaluate", "--model", "run", "--json"]));
    assert_eq!(evaluated["splits"][0]["split"], "test");
    assert_eq!(evaluated["splits"][0]["images"], 30);
    assert_eq!(evaluated["splits"][0]["loss"], metrics["test"]["loss"]);
    assert_eq!(evaluated["splits"][0]["accuracy"], metrics["test"]["accuracy"]);
    let text = bench.ok(&["evaluate", "--model", "run/model.safetensors", "--data", "bars", "--split", "train,test"]);
    assert!(text.contains("train") && text.contains("96") && text.contains("test"), "{text}");
    let summary = bench.ok(&["summary", "--model", "run"]);
    assert_eq!(summary, bench.ok(&["summary", "--recipe", "bars.toml"]));
}

#[test]
fn predictions_as_json() {
    let bench = trained();
    bench.write("one.png", png(8, 8, &bar_image(1, 3)));
    bench.write("more/a.png", png(8, 8, &bar_image(2, 5)));
    bench.write("more/b.png", png(16, 16, &double(&bar_image(0, 4))));
    bench.write("table.csv", csv_bars(2, false));
    let args = ["predict", "--model", "run", "one.png", "more", "table.csv", "--format", "json", "--top", "2"];
    let document = json(&bench.ok(&args));
    assert_eq!(document["model"], "run");
    let predictions = document["predictions"].as_array().unwrap();
    let found: Vec<(&str, Option<u64>, &str)> = predictions
        .iter()
        .map(|p| (p["input"].as_str().unwrap(), p["row"].as_u64(), p["class"].as_str().unwrap()))
        .collect();
    let expected = [
        ("one.png", None, "1"),
        ("more/a.png", None, "2"),
        ("more/b.png", None, "0"),
        ("table.csv", Some(1), "0"),
        ("table.csv", Some(2), "1"),
    ];
    assert_eq!(found, expected);
    for prediction in predictions {
        let keys: Vec<&String> = prediction.as_object().unwrap().keys().collect();
        for key in ["input", "row", "inverted", "class", "label", "probability", "top"] {
            assert!(keys.contains(&&key.to_owned()), "{key} is not among {keys:?}");
        }
        let top = prediction["top"].as_array().unwrap();
        assert_eq!(top.len(), 2);
        assert_eq!((&top[0]["class"], &top[0]["label"]), (&prediction["class"], &prediction["label"]));
        let probability = |choice: &Value| choice["probability"].as_f64().unwrap();
        assert!(probability(&top[0]) >= probability(&top[1]) && probability(&top[0]) <= 1.0);
    }
}

/// Each pixel as four.
fn double(image: &[u8]) -> Vec<u8> {
    (0..256).map(|i| image[i / 32 * 8 + i % 16 / 2]).collect()
}

#[test]
fn predictions_as_csv_and_table() {
    let bench = trained();
    bench.write("a, b.png", png(8, 8, &bar_image(1, 3)));
    let text = bench.ok(&["predict", "--model", "run", "a, b.png", "--format", "csv", "--top", "2"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "input,row,inverted,class,probability,class_2,probability_2");
    assert!(lines[1].starts_with("\"a, b.png\",,false,1,0."), "{text}");
    let table = bench.ok(&["predict", "--model", "run", "a, b.png"]);
    assert!(table.contains("a, b.png") && table.contains('%'), "{table}");
}

#[test]
fn dark_on_light_images_are_swapped_where_that_is_wanted() {
    let bench = trained();
    // Grey paper, dark ink: nothing like the light bars on black that the model has seen.
    let dark: Vec<u8> = bar_image(2, 1).iter().map(|v| 200 - v / 2).collect();
    bench.write("dark.png", png(8, 8, &dark));
    bench.write("light.png", png(8, 8, &bar_image(2, 1)));
    let predict = |invert: &str| {
        let args = ["predict", "--model", "run", "dark.png", "light.png", "--format", "json", "--invert", invert];
        let document = json(&bench.ok(&args));
        [0, 1].map(|i| document["predictions"][i].clone())
    };
    let [dark, light] = predict("auto");
    assert_eq!((&dark["inverted"], &dark["class"]), (&Value::Bool(true), &Value::from("2")));
    assert_eq!((&light["inverted"], &light["class"]), (&Value::Bool(false), &Value::from("2")));
    assert!(predict("no").iter().all(|p| p["inverted"] == false));
    assert!(predict("yes").iter().all(|p| p["inverted"] == true));
}

#[test]
fn inputs_that_cannot_be_read_are_named_and_the_others_predicted() {
    let bench = trained();
    bench.write("good.png", png(8, 8, &bar_image(1, 3)));
    bench.write("broken.png", "no picture");
    bench.write(
        "small.csv",
        csv_bars(2, false)
            .lines()
            .map(|l| l.split(',').take(49).collect::<Vec<_>>().join(",") + "\n")
            .collect::<String>(),
    );
    let ran = bench.run(&[
        "predict",
        "--model",
        "run",
        "missing.png",
        "broken.png",
        "small.csv",
        "good.png",
        "--format",
        "json",
    ]);
    assert_eq!(ran.code, Some(1));
    for word in ["missing.png", "broken.png", "small.csv", "7 x 7"] {
        assert!(ran.stderr.contains(word), "'{word}' is not in: {}", ran.stderr);
    }
    assert_eq!(json(&ran.stdout)["predictions"].as_array().unwrap().len(), 1);
    std::fs::create_dir(bench.path("empty")).unwrap();
    bench.fails(&["predict", "--model", "run", "empty"], 1, &["empty", "no image"]);
}

#[test]
fn a_closed_pipe_ends_predict_quietly() {
    let bench = trained();
    bench.write("table.csv", csv_bars(300, false));
    let ran = bench.run_into_closed_pipe(&["predict", "--model", "run", "table.csv", "--format", "csv"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn models_that_do_not_fit_or_are_damaged_are_refused() {
    let bench = trained();
    bench.fails(&["evaluate", "--model", "none"], 1, &["none"]);
    bench.fails(&["evaluate", "--model", "run", "--data", "mnist"], 1, &["28 x 28 x 1", "8 x 8 x 1"]);
    bench.write(
        "other.csv",
        csv_bars(2, false)
            .lines()
            .map(|l| l.split(',').take(49).collect::<Vec<_>>().join(",") + "\n")
            .collect::<String>(),
    );
    bench.fails(&["submit", "--model", "run", "other.csv"], 1, &["other.csv", "7 x 7", "8 x 8"]);
    assert!(!bench.path("submission.csv").exists());
    let model = std::fs::read(bench.path("run/model.safetensors")).unwrap();
    for (name, bytes) in [("short", &model[..model.len() / 2]), ("empty", &[][..]), ("text", b"no model at all")] {
        bench.write(&format!("{name}.safetensors"), bytes);
        bench.fails(&["summary", "--model", &format!("{name}.safetensors")], 1, &[name]);
    }
}

/// A signal stops training at the next step; what was learned is kept.
#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_its_model() {
    let bench = Bench::bars();
    let args = ["train", "--recipe", "bars.toml", "--out", "run", "--set", "train.epochs=100000"];
    let child = bench.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !bench.path("run/history.csv").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("interrupted") && !stderr.contains("panicked"), "{stderr}");
    let history = bench.read("run/history.csv");
    assert!(history.lines().count() > 1);
    bench.ok(&["evaluate", "--model", "run"]);
    assert!(!bench.path("run/predictions.safetensors").exists(), "there is no prediction to hold");
    let metrics = json(&bench.read("run/metrics.json"));
    let best = history.lines().nth(metrics["best_epoch"].as_u64().unwrap() as usize).unwrap();
    let loss: f64 = best.split(',').nth(3).unwrap().parse().unwrap();
    assert_eq!(metrics["validation"]["loss"].as_f64(), Some(loss), "the best epoch's own");
    assert!(metrics["test"].is_null(), "{metrics}");
}

/// No epoch of MNIST is over before the signal comes.
#[cfg(unix)]
#[test]
fn a_run_interrupted_in_its_first_epoch_says_what_it_saved() {
    let bench = Bench::new();
    let args = ["train", "--out", "run", "--threads", "1"];
    let mut child = bench.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("to train on") {
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("no epoch was finished; the half-trained network was saved in run"), "{said}");
    let metrics = json(&bench.read("run/metrics.json"));
    assert_eq!((&metrics["epochs_run"], &metrics["best_epoch"]), (&Value::from(0), &Value::from(0)));
    assert!(metrics["validation"].is_null() && metrics["images_per_second"].as_f64().unwrap() > 0.0, "{metrics}");
    assert!(bench.path("run/model.safetensors").exists() && !bench.path("run/predictions.safetensors").exists());
}

/// The real digits, a few of them.
#[test]
fn a_little_of_mnist() {
    let bench = Bench::new();
    let settings = [
        "data.limit=1000",
        "augment=none",
        "optimizer.kind=adam",
        "optimizer.learning_rate=0.003",
        "train.batch_size=16",
    ];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let args: Vec<&str> = ["train", "--fast-run", "--out", "run"].into_iter().chain(settings).collect();
    let ran = bench.run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let metrics = json(&bench.read("run/metrics.json"));
    assert!(metrics["test"]["accuracy"].as_f64().unwrap() > 0.7, "{metrics}");

    // Photographs of test digits: dark ink on grey paper in uneven light, three times the size.
    let digits = glyphnet_data::open("mnist", &Default::default()).unwrap().test.unwrap();
    let labels = digits.labels.unwrap();
    let images: Vec<String> = (0..40).map(|i| format!("photo{i:02}.png")).collect();
    for (i, name) in images.iter().enumerate() {
        bench.write(name, png(84, 84, &photograph(digits.images.get(i), i)));
    }
    let right = |invert: &str| {
        let options = ["predict", "--model", "run", "--format", "json", "--invert", invert];
        let args: Vec<&str> = options.into_iter().chain(images.iter().map(String::as_str)).collect();
        let document = json(&bench.ok(&args));
        let predictions = document["predictions"].as_array().unwrap();
        predictions.iter().zip(&labels).filter(|(p, label)| p["label"] == **label).count()
    };
    let (auto, no) = (right("auto"), right("no"));
    assert!(auto >= 28 && no < 20, "{auto} of 40 with auto, {no} with no");
}

/// 84 x 84 pixels of paper with a digit of 28 x 28 on it.
fn photograph(digit: &[u8], number: usize) -> Vec<u8> {
    let pixel = |i: usize| {
        let (y, x) = (i / 84, i % 84);
        let ink = usize::from(digit[y / 3 * 28 + x / 3]);
        let paper = 170 + x / 4 + (y * 13 + x * 7 + number) % 9;
        (paper - ink * (paper - 50) / 255) as u8
    };
    (0..84 * 84).map(pixel).collect()
}
