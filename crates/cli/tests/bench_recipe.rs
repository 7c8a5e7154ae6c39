//! `bench-recipe`: what is killed goes on, and the figures are those of an undisturbed run.
//!
//! The short form of docs/records.md is here too: one network of the recipe `fast`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![cfg(unix)]

mod common;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{BARS_RECIPE, Bench};
use serde_json::Value;

const ASK: [&str; 6] = ["bench-recipe", "bars.toml", "--seeds", "2", "--threads", "1"];

/// The bars with a recipe of 60 epochs, a moment each.
fn bars() -> Bench {
    let bench = Bench::bars();
    bench.write("bars.toml", BARS_RECIPE.replace("epochs = 3", "epochs = 60").replace("0.01", "0.001"));
    bench
}

fn start(bench: &Bench, args: &[&str]) -> Child {
    bench.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until the run of a seed has had so many epochs.
fn wait_for_epochs(bench: &Bench, seed: u32, epochs: usize) {
    let (began, path) = (Instant::now(), bench.path(&format!("bench/bars/seed-{seed}/run/history.csv")));
    while std::fs::read_to_string(&path).map_or(0, |text| text.lines().count()) <= epochs {
        assert!(began.elapsed() < Duration::from_secs(60), "no epoch is over");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What was stored of the recipe, without times and memory.
fn results(bench: &Bench, out: &str) -> Vec<Value> {
    let stored: Value = serde_json::from_str(&bench.read(&format!("{out}/bars/bench.json"))).unwrap();
    let seeds = stored["seeds"].as_array().unwrap().iter().cloned();
    let of = |mut seed: Value| {
        for time in ["train_seconds", "wall_seconds", "peak_memory_bytes"] {
            assert!(seed.as_object_mut().unwrap().remove(time).is_some());
        }
        seed
    };
    seeds.map(of).collect()
}

#[test]
fn killed_and_interrupted_it_comes_to_the_same_figures() {
    let bench = bars();
    bench.ok(&[&ASK[..], &["--out", "whole"]].concat());
    let mut child = start(&bench, &ASK);
    wait_for_epochs(&bench, 0, 5);
    child.kill().unwrap();
    child.wait().unwrap();
    // The training that it had begun may still be saving; the second attempt waits for that.
    let child = start(&bench, &ASK);
    wait_for_epochs(&bench, 1, 5);
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    let ran = bench.run(&[&ASK[..], &["--mark", "0.2"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("bars: 1 of 2 networks are there already"), "{}", ran.stderr);
    assert!(results(&bench, "bench") == results(&bench, "whole"));
    let stored: Value = serde_json::from_str(&bench.read("bench/bars/bench.json")).unwrap();
    let (test, timed) = (&stored["test"], &stored["timed"]);
    assert_eq!(
        (&test["n"], timed, &stored["network"]),
        (&Value::from(2), &Value::from(0), &"best_on_validation".into())
    );
    assert!(stored["wall_seconds"].is_null(), "an interrupted training has no time");
    let whole: Value = serde_json::from_str(&bench.read("whole/bars/bench.json")).unwrap();
    assert_eq!(whole["timed"], 2);
    assert!(whole["wall_seconds"]["median"].as_f64() > whole["train_seconds"]["median"].as_f64());
    let mean = format!("{:.3} ± ", test["mean"].as_f64().unwrap() * 100.0);
    assert!(ran.stdout.contains(&mean) && ran.stdout.contains("reaches the mark 20.00 %"), "{}", ran.stdout);
    assert!(ran.stdout.contains("0 of 2 networks have a time"), "{}", ran.stdout);
}

#[test]
fn the_table_of_a_document_is_made_of_what_is_stored() {
    let bench = Bench::bars();
    let around = "# Records\n\n<!-- bench-recipe: begin -->\nold\n<!-- bench-recipe: end -->\n\nbehind\n";
    bench.write("records.md", around);
    bench.fails(&["bench-recipe", "--table", "records.md"], 1, &["bench"]);
    bench.ok(&[&ASK[..], &["--final", "last", "--jobs", "2", "--table", "records.md"]].concat());
    let text = bench.read("records.md");
    assert!(
        text.starts_with("# Records\n\n<!--") && text.ends_with("-->\n\nbehind\n") && !text.contains("old"),
        "{text}"
    );
    let row = text.lines().find(|line| line.starts_with("| bars |")).unwrap();
    // Beside another training no time is honest.
    assert!(row.contains("| 2 | last epoch |") && row.contains("| - | - |"), "{row}");
    bench.write("records.md", around);
    bench.ok(&["bench-recipe", "--table", "records.md"]);
    assert_eq!(bench.read("records.md"), text);
    bench.write("other.md", "no marks");
    bench.fails(&["bench-recipe", "--table", "other.md"], 1, &["other.md", "<!-- bench-recipe: begin -->"]);
}

#[test]
fn test_images_can_be_left_alone() {
    let bench = Bench::bars();
    let ask = [&ASK[..], &["--no-test", "--json"]].concat();
    let stored: Value = serde_json::from_str(&bench.ok(&ask)).unwrap();
    assert!(stored[0]["test"].is_null() && stored[0]["validation"]["n"] == 2, "{stored}");
    let run = bench.path("bench/bars/seed-0/run");
    let splits = glyphnet::evaluate::read_predictions(&run.join("predictions.safetensors")).unwrap();
    assert_eq!(splits.iter().map(|split| split.split.as_str()).collect::<Vec<_>>(), ["validation"]);
    let metrics: Value = serde_json::from_slice(&std::fs::read(run.join("metrics.json")).unwrap()).unwrap();
    assert!(metrics["test"].is_null() && metrics["flops"].as_u64() > Some(0), "{metrics}");
    bench.fails(&ASK, 1, &["left the test images alone"]);
    // A run that goes on remembers.
    bench.ok(&["train", "--resume", "bench/bars/seed-0/run", "--epochs", "4"]);
    let metrics: Value = serde_json::from_slice(&std::fs::read(run.join("metrics.json")).unwrap()).unwrap();
    assert!(metrics["test"].is_null() && metrics["epochs_run"] == 4, "{metrics}");
    bench.fails(&[&ASK[..], &["--no-test", "--final", "last"]].concat(), 2, &["nothing is measured"]);
}

#[test]
fn what_does_not_fit_is_refused_before_training() {
    let bench = Bench::bars();
    bench.ok(&ASK);
    bench.fails(&[&ASK[..], &["--set", "train.epochs=2"]].concat(), 1, &["seed-0", "train.epochs was 3 and is 2"]);
    bench.write("other/bars.toml", BARS_RECIPE);
    bench.fails(&[&ASK[..], &["other/bars.toml"]].concat(), 2, &["two recipes are called bars"]);
    bench.fails(&[&ASK[..], &["--final", "best", "--set", "data.validation=0"]].concat(), 2, &["holds no validation"]);
    bench.fails(&["bench-recipe"], 2, &["NAME|FILE"]);
    let nan = ["--out", "nan", "--set", "optimizer.learning_rate=1e30"];
    bench.fails(&[&ASK[..], &nan].concat(), 1, &["nan/bars/seed-0/train.log ends with", "learning rate"]);
}

#[test]
fn ensembles_are_drawn_from_a_pool_and_are_those_that_train_makes() {
    let bench = Bench::bars();
    // So little that the networks are of different opinions.
    let weak = BARS_RECIPE.replace("epochs = 3", "epochs = 1\nensemble = 2").replace("0.01", "0.005");
    bench.write("bars.toml", weak.replace("batch_size = 16", "batch_size = 8"));
    let stored: Value = serde_json::from_str(&bench.ok(&[&ASK[..], &["--pool", "3", "--json"]].concat())).unwrap();
    let found = &stored[0]["ensemble"];
    assert_eq!((&found["members"], &found["pool"]), (&Value::from(2), &Value::from(3)));
    let (seeds, accuracies) = (found["seeds"].as_array().unwrap(), found["accuracies"].as_array().unwrap());
    assert_eq!((seeds.len(), accuracies.len()), (10, 10));
    // The networks of seeds 1 and 2 with the images held out that the pool holds out.
    let two = ["train", "--recipe", "bars.toml", "--seed", "1", "--set", "data.split_seed=0", "--out", "two"];
    bench.ok(&two);
    let two: Value = serde_json::from_str(&bench.read("two/metrics.json")).unwrap();
    let place = seeds.iter().position(|draw| *draw == serde_json::json!([1, 2])).unwrap();
    assert_eq!(accuracies[place], two["test"]["accuracy"], "{found}");
    let text = bench.ok(&[&ASK[..], &["--pool", "3"]].concat());
    assert!(text.contains("10 ensembles of 2 networks, drawn from 3") && text.contains("share"), "{text}");
}

#[test]
fn one_pass_of_the_recipe_fast_is_enough_for_98_8_percent() {
    let bench = Bench::bars();
    bench.ok(&["bench-recipe", "fast", "--seeds", "1"]);
    let stored: Value = serde_json::from_str(&bench.read("bench/fast/bench.json")).unwrap();
    let accuracy = stored["seeds"][0]["test_accuracy"].as_f64().unwrap();
    assert!(accuracy >= 0.988, "{accuracy}");
}
