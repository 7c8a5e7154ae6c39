//! `compare`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{BARS_RECIPE, Bench, write_idx_bars};
use serde_json::Value;

/// Runs `one`, `two` (other settings) and `three` (other data, nothing held out).
fn bench() -> Bench {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 120, 30);
    write_idx_bars(&bench, "more", 150, 30);
    bench.write("bars.toml", BARS_RECIPE);
    let train = |args: &[&str]| bench.ok(&[&["train", "--recipe", "bars.toml", "--threads", "2"], args].concat());
    train(&["--out", "one"]);
    train(&["--out", "two", "--set", "layer.0.filters=2", "--set", "optimizer.learning_rate=1e-5", "--epochs", "2"]);
    train(&["--out", "three", "--data", "more", "--set", "data.validation=0"]);
    bench
}

fn json(bench: &Bench, runs: &[&str]) -> Value {
    serde_json::from_str(&bench.ok(&[&["compare", "--json"], runs].concat())).unwrap()
}

/// Makes an unfinished run of a finished one, and an interrupted one where it keeps its metrics.
fn unfinished(bench: &Bench, from: &str, name: &str, metrics: bool) {
    let kept = ["run.toml", "history.csv", "metrics.json"];
    for file in kept.iter().take(if metrics { 3 } else { 2 }) {
        bench.write(&format!("{name}/{file}"), bench.read(&format!("{from}/{file}")));
    }
}

/// The line of the output that begins so.
fn line<'a>(text: &'a str, begins: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(begins)).unwrap_or_else(|| panic!("no line '{begins}' in:\n{text}"))
}

#[test]
fn runs_stand_beside_each_other_with_what_differs() {
    let bench = bench();
    let text = bench.ok(&["compare", "one", "two"]);
    let cells = |begins: &str| line(&text, begins).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    // 4 x (9 + 1) + (4 x 3 x 3 + 1) x 3 parameters, and half of that with 2 filters.
    assert_eq!(cells("*  one")[..5], ["*", "one", "bars", "151", "3/3"], "{text}");
    assert_eq!(cells("   two")[..4], ["two", "bars", "77", "2/2"], "{text}");
    assert_eq!(cells("layer.0.filters"), ["layer.0.filters", "4", "2"]);
    assert_eq!(cells("train.epochs"), ["train.epochs", "3", "2"]);
    assert_eq!(
        text.lines().filter(|line| line.starts_with("train.") || line.starts_with("data.")).count(),
        1,
        "{text}"
    );
    assert!(line(&text, "two  ").contains("validation"), "{text}");
    assert!(!text.contains("note:") && text.contains("curves written to compare.png"), "{text}");
    let picture = image::open(bench.path("compare.png")).unwrap();
    assert!(picture.width() > picture.height());
    assert!(bench.ok(&["compare", "one", "two", "--out", "both.png"]).contains("both.png"));
    assert!(bench.path("both.png").exists());
}

#[test]
fn figures_are_those_of_the_runs_and_the_best_is_chosen_on_validation() {
    let bench = bench();
    let found = json(&bench, &["two", "one"]);
    for (place, name) in ["two", "one"].into_iter().enumerate() {
        let metrics: Value = serde_json::from_str(&bench.read(&format!("{name}/metrics.json"))).unwrap();
        for key in ["best_epoch", "validation", "test", "images_per_second", "train_seconds", "epochs_run"] {
            assert_eq!(found["runs"][place][key], metrics[key], "{name}: {key}");
        }
        assert_eq!(found["runs"][place]["state"], "finished");
    }
    assert_eq!(found["best"], 1);
    assert_eq!(found["notes"], serde_json::json!([]));
    // Against scores: what only one of them is right on is the difference of their right answers.
    assert_eq!(found["pairs"].as_array().unwrap().len(), 2);
    for (pair, (split, images)) in found["pairs"].as_array().unwrap().iter().zip([("validation", 24.0), ("test", 30.0)])
    {
        assert_eq!((&pair["split"], &pair["reference"], &pair["run"]), (&split.into(), &1.into(), &0.into()));
        let right = |place: usize| (found["runs"][place][split]["accuracy"].as_f64().unwrap() * images).round() as i64;
        let only = |key: &str| pair[key].as_i64().unwrap();
        assert_eq!(only("only_first") - only("only_second"), right(1) - right(0), "{pair}");
        assert!(pair["p_value"].as_f64().unwrap() < 0.05, "{pair}");
    }
    let same = json(&bench, &["one", "./two"]);
    assert_eq!((&same["best"], &same["runs"][1]["name"]), (&0.into(), &"two".into()));
}

#[test]
fn other_data_and_unfinished_runs_are_said() {
    let bench = bench();
    unfinished(&bench, "one", "going", false);
    unfinished(&bench, "two", "stopped", true);
    let text = bench.ok(&["compare", "one", "going", "stopped"]);
    assert!(line(&text, "   going").ends_with("not finished"), "{text}");
    assert!(line(&text, "   stopped").ends_with("interrupted"), "{text}");
    assert!(text.contains("note: going is not finished") && text.contains("note: stopped was interrupted"), "{text}");
    let found = json(&bench, &["going", "stopped"]);
    assert_eq!((&found["best"], &found["runs"][0]["train_seconds"]), (&0.into(), &Value::Null));
    assert_eq!(found["pairs"], serde_json::json!([]));
    let history =
        "epoch,train_loss,train_accuracy,val_loss,val_accuracy,learning_rate,seconds\n1,1,0.5,NaN,NaN,0.01,1\n";
    bench.write("going/history.csv", history);
    assert_eq!(json(&bench, &["going", "stopped"])["best"], 1, "no number is never the best");
    let others = json(&bench, &["one", "three"]);
    assert_eq!((&others["best"], &others["pairs"]), (&Value::Null, &serde_json::json!([])));
    let notes = others["notes"].to_string();
    assert!(notes.contains("three held out no images") && notes.contains("different data"), "{notes}");
    bench.ok(&["train", "--recipe", "bars.toml", "--threads", "2", "--seed", "9", "--out", "elsewhere/one"]);
    let seeds = bench.ok(&["compare", "one", "elsewhere/one"]);
    assert!(seeds.contains("held out different images") && seeds.contains("elsewhere/one"), "{seeds}");
    assert!(seeds.contains("no p on validation images for"), "{seeds}");
    // On test, which is the same for both, they are compared all the same.
    assert!(seeds.lines().any(|line| line.contains(" test ") && line.contains(" 30 ")), "{seeds}");
}

#[test]
fn of_several_runs_p_is_that_of_all_pairs() {
    let bench = bench();
    bench.ok(&["train", "--recipe", "bars.toml", "--threads", "2", "--seed", "9", "--out", "four"]);
    let found = json(&bench, &["one", "two"]);
    for pair in found["pairs"].as_array().unwrap() {
        assert_eq!(pair["p_adjusted"], pair["p_value"]);
    }
    let found = json(&bench, &["one", "two", "four"]);
    for pair in found["pairs"].as_array().unwrap() {
        let [raw, adjusted] = ["p_value", "p_adjusted"].map(|key| pair[key].as_f64().unwrap());
        assert_eq!(adjusted, (3.0 * raw).min(1.0), "{pair}");
    }
    assert!(found["notes"].to_string().contains("no p on validation images for"), "{found}");
    let text = bench.ok(&["compare", "one", "two", "four"]);
    assert!(text.contains("multiplied by 3, the number of pairs among 3 runs"), "{text}");
}

#[test]
fn folders_that_are_no_runs_are_passed_over_while_two_are_left() {
    let bench = bench();
    let ran = bench.run(&["compare", "one", "bars", "two"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("note: bars is left out") && !ran.stdout.contains("bars is"), "{}", ran.stderr);
}

#[test]
fn control_characters_in_foreign_files_are_not_printed() {
    let bench = bench();
    for file in ["run.toml", "metrics.json"] {
        let text = bench.read(&format!("two/{file}"));
        let foreign = text.replace("\"bars\"", "\"bars\\u001b[31m\"");
        assert!(file != "metrics.json" || foreign != text, "{text}");
        bench.write(&format!("two/{file}"), foreign);
    }
    let text = bench.ok(&["compare", "one", "two"]);
    assert!(!text.contains('\u{1b}') && text.contains("bars\u{fffd}[31m"), "{text}");
}

#[test]
fn what_is_no_run_is_refused() {
    let bench = bench();
    bench.fails(&["compare", "one", "bars"], 1, &["bars: no run: there is no run.toml"]);
    bench.fails(&["compare", "one", "none"], 1, &["none"]);
    bench.fails(&["compare", "one", "./one"], 2, &["./one: the run is named twice"]);
    bench.fails(&["compare", "one", "two", "--out", "no/such/folder.png"], 1, &["cannot write 'no/such/folder.png'"]);
}
