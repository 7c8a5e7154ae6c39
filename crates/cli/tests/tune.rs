//! Searches over recipe keys, with the real binary.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use std::collections::BTreeMap;

use common::{BARS_RECIPE, Bench, write_idx_bars};

/// Bars that are not learned at once, and a recipe whose trials differ.
fn bench() -> Bench {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 120, 30);
    bench.write("bars.toml", BARS_RECIPE.replace("epochs = 3", "epochs = 4"));
    bench
}

const KEYS: [&str; 4] = ["--search", "optimizer.learning_rate=log:1e-4..3e-2", "--search", "train.batch_size=8,16,32"];

/// The arguments of a search in the folder `out`.
fn search<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["tune", "--recipe", "bars.toml", "--threads", "2", "--out", out], &KEYS[..], more].concat()
}

/// The rows of `trials.csv` by column.
fn rows(bench: &Bench, out: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(bench.path(out).join("trials.csv")).unwrap();
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_random_search_ranks_its_trials_and_writes_the_best_recipe() {
    let bench = bench();
    let text = bench.ok(&search("s", &["--trials", "5", "--jobs", "2"]));
    let rows = rows(&bench, "s");
    assert_eq!(rows.len(), 5);
    let accuracies: Vec<f64> = rows.iter().map(|row| row["val_accuracy"].parse().unwrap()).collect();
    assert!(accuracies.is_sorted_by(|a, b| a >= b) && accuracies[0] > accuracies[4], "{accuracies:?}");
    assert!(rows.iter().all(|row| row["state"] == "finished" && row["epochs"] == "4"));
    assert!(text.contains("best recipe  s/best.toml") || text.contains("best.toml"), "{text}");
    assert!(image::open(bench.path("s/tune.png")).unwrap().width() > 1000);
    // The best recipe, trained like any other, gives what the search says.
    bench.ok(&["train", "--recipe", "s/best.toml", "--threads", "1", "--out", "again"]);
    let metrics: serde_json::Value = serde_json::from_str(&bench.read("again/metrics.json")).unwrap();
    let accuracy = metrics["validation"]["accuracy"].as_f64().unwrap();
    assert_eq!(format!("{accuracy:.6}"), rows[0]["val_accuracy"]);
    assert!(metrics["test"]["accuracy"].is_number());
    let recipe = bench.read("again/run.toml");
    assert!(recipe.contains(&format!("batch_size = {}", rows[0]["train.batch_size"])), "{recipe}");
}

#[test]
fn no_trial_sees_the_test_images() {
    let bench = bench();
    bench.ok(&search("s", &["--trials", "2"]));
    // With test images that are none, nothing changes.
    for file in ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        std::fs::remove_file(bench.path("bars").join(file)).unwrap();
    }
    for trial in ["001", "002"] {
        let metrics: serde_json::Value =
            serde_json::from_str(&bench.read(&format!("s/trials/{trial}/run/metrics.json"))).unwrap();
        assert!(metrics["test"].is_null() && metrics["validation"]["accuracy"].is_number(), "{metrics}");
    }
}

#[test]
fn jobs_do_not_change_the_result() {
    let bench = bench();
    for method in ["random", "halving"] {
        let csv = ["1", "2", "3"].map(|jobs| {
            let out = format!("{method}-{jobs}");
            bench.ok(&search(&out, &["--trials", "6", "--eta", "2", "--method", method, "--jobs", jobs]));
            bench.read(&format!("{out}/trials.csv"))
        });
        assert_eq!(csv[0], csv[1], "{method}");
        assert_eq!(csv[0], csv[2], "{method}");
    }
    assert_ne!(bench.read("random-1/trials.csv"), bench.read("halving-1/trials.csv"));
}

#[test]
fn halving_goes_on_with_the_best_from_where_they_stopped() {
    let bench = bench();
    bench.ok(&search("s", &["--trials", "4", "--method", "halving", "--eta", "2"]));
    let rows = rows(&bench, "s");
    let states: Vec<(&str, &str)> = rows.iter().map(|row| (row["state"].as_str(), row["epochs"].as_str())).collect();
    assert_eq!(states, [("finished", "4"), ("stopped", "2"), ("stopped", "1"), ("stopped", "1")]);
    // Each trial is one run, and that of the best is the one that trains at once.
    assert!(!bench.path("s/trials/001-rung-2").exists());
    let best = &rows[0]["trial"];
    bench.ok(&["train", "--recipe", "s/best.toml", "--threads", "2", "--out", "whole"]);
    let history = |run: &str| {
        let text = bench.read(&format!("{run}/history.csv"));
        text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(history(&format!("s/trials/{best:0>3}/run")), history("whole"));
    let journal = bench.read("s/journal.jsonl");
    assert_eq!(journal.lines().count(), 4 + 2 + 1);
}

#[test]
fn what_spans_all_epochs_is_trained_anew() {
    let bench = bench();
    let ran = bench
        .run(&search("s", &["--trials", "2", "--method", "halving", "--eta", "2", "--set", "schedule.kind=one_cycle"]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("one_cycle\" is not the beginning of a longer one"), "{}", ran.stderr);
    let best = &rows(&bench, "s")[0]["trial"];
    let history = bench.read(&format!("s/trials/{best:0>3}-rung-2/run/history.csv"));
    assert_eq!(history.lines().count(), 1 + 4);
}

#[test]
fn trials_may_be_ensembles() {
    let bench = bench();
    bench.ok(&search("s", &["--trials", "2", "--method", "halving", "--eta", "2", "--set", "train.ensemble=2"]));
    let rows = rows(&bench, "s");
    assert_eq!((rows[0]["state"].as_str(), rows[0]["epochs"].as_str()), ("finished", "4"));
    assert!(bench.path(&format!("s/trials/{:0>3}-rung-2/run/members/2", rows[0]["trial"])).is_dir());
}

#[test]
fn failed_trials_are_put_on_record_and_do_not_end_the_search() {
    let bench = bench();
    let ran = bench.run(
        &[
            &search("s", &["--trials", "8", "--search", "layer.0.kernel=3,50"])[..],
            &["--search", "train.label_smoothing=0..0.2"],
        ]
        .concat(),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let rows = rows(&bench, "s");
    for row in &rows {
        let failed = row["layer.0.kernel"] == "50";
        assert_eq!(
            (row["state"] == "failed", row["reason"].contains("needs at least 50 x 50 pixels")),
            (failed, failed),
            "{row:?}"
        );
    }
    let failed = rows.iter().filter(|row| row["state"] == "failed").count();
    assert!(failed > 0 && failed < 8 && rows[8 - failed..].iter().all(|row| row["state"] == "failed"), "{rows:?}");
    assert!(ran.stdout.contains("failed; trials.csv says why"), "{}", ran.stdout);
    let none = ["--search", "layer.0.kernel=50,60", "--trials", "2"];
    bench.fails(&search("none", &none), 1, &["all 2 trials failed"]);
}

#[test]
fn another_search_in_the_same_folder_is_refused_and_a_longer_one_goes_on() {
    let bench = bench();
    bench.ok(&search("s", &["--trials", "2"]));
    let first = bench.read("s/journal.jsonl");
    bench.fails(&search("s", &["--trials", "2", "--seed", "1"]), 2, &["s holds another search: seed differ"]);
    bench.fails(&search("s", &["--trials", "2", "--epochs", "2"]), 2, &["recipe.train.epochs"]);
    bench.ok(&search("s", &["--trials", "3"]));
    let longer = bench.read("s/journal.jsonl");
    assert!(longer.starts_with(&first) && longer.lines().count() == 3);
    bench.fails(&search("bars", &[]), 1, &["is not empty"]);
}

#[test]
fn what_makes_no_search_is_refused_before_anything_is_trained() {
    let bench = bench();
    let refused = |more: &[&str], code: i32, words: &[&str]| {
        let args = [&["tune", "--recipe", "bars.toml", "--out", "s"], more].concat();
        bench.fails(&args, code, words);
        assert!(!bench.path("s").exists(), "{more:?}");
    };
    refused(&[], 2, &["--search <KEY=SPEC>"]);
    refused(&["--search", "train.batchsize=1,2"], 2, &["--search train.batchsize=1,2", "train.batch_size"]);
    refused(&["--search", "train.batch_size=0..8"], 2, &["out of range"]);
    refused(&["--search", "train.seed=1,2"], 2, &["must be the same in all trials"]);
    refused(&["--search", "train.epochs=1,2", "--method", "halving"], 2, &["cannot be searched by halving"]);
    refused(&["--search", "train.batch_size=8,16", "--set", "data.validation=0"], 2, &["no validation images"]);
    refused(&["--space", "none.toml"], 1, &["none.toml", "cannot be read"]);
    bench.write("space.toml", "train.batch_size = 8\n");
    refused(&["--space", "space.toml"], 2, &["space.toml: train.batch_size: nothing to choose from"]);
}

#[cfg(unix)]
mod signals {
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    const MORE: [&str; 8] = ["--trials", "6", "--method", "halving", "--eta", "2", "--epochs", "40"];

    fn start(bench: &Bench, out: &str) -> Child {
        let args = search(out, &[&MORE[..], &["--jobs", "2"]].concat());
        bench.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn lines(bench: &Bench, out: &str) -> usize {
        std::fs::read_to_string(bench.path(out).join("journal.jsonl")).map_or(0, |text| text.lines().count())
    }

    /// Waits until the journal has so many lines.
    fn wait_for(bench: &Bench, out: &str, count: usize) {
        let began = Instant::now();
        while lines(bench, out) < count {
            assert!(began.elapsed() < Duration::from_secs(120), "{} of {count} lines", lines(bench, out));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(child: &Child, name: &str) {
        assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
    }

    #[test]
    fn killed_and_interrupted_a_search_goes_on_to_the_same_table() {
        let bench = bench();
        bench.ok(&search("whole", &MORE));
        let mut killed = start(&bench, "s");
        wait_for(&bench, "s", 1);
        killed.kill().unwrap();
        killed.wait().unwrap();
        let found = lines(&bench, "s");
        let interrupted = start(&bench, "s");
        wait_for(&bench, "s", found + 2);
        signal(&interrupted, "-TERM");
        let output = interrupted.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() != Some(0) {
            assert_eq!(output.status.code(), Some(130), "{stderr}");
            assert!(stderr.contains("the same command goes on with the search in s"), "{stderr}");
        }
        bench.ok(&search("s", &MORE));
        assert_eq!(bench.read("s/trials.csv"), bench.read("whole/trials.csv"));
        assert_eq!(lines(&bench, "s"), lines(&bench, "whole"), "a training was done twice");
    }
}
