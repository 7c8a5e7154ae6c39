//! Ensembles: networks of seeds that follow each other, trained as runs of their own, interrupted and averaged.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use std::process::{Child, Stdio};
use std::time::Duration;

use common::{BARS_RECIPE, Bench, files_in, write_idx_bars};
use serde_json::Value;

const TRAIN: [&str; 7] = ["train", "--recipe", "bars.toml", "--ensemble", "3", "--out", "run"];
const RESUME: [&str; 3] = ["train", "--resume", "run"];

/// A folder with the bars and a recipe for them that does not learn all there is.
fn bench() -> Bench {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 120, 30);
    let recipe = BARS_RECIPE.replace("epochs = 3", "epochs = 6\nseed = 4").replace("0.01", "0.0005");
    bench.write("bars.toml", recipe.replace("[optimizer]", "[augment]\nwidth_shift = 0.2\n[optimizer]"));
    bench
}

fn json(bench: &Bench, file: &str) -> Value {
    serde_json::from_str(&bench.read(file)).unwrap()
}

/// All that a run leaves, but for times and for what the recipe was called.
fn result(bench: &Bench, run: &str) -> (Vec<u8>, Vec<u8>, Value) {
    let file = |name: &str| std::fs::read(bench.path(run).join(name)).unwrap();
    let mut metrics = json(bench, &format!("{run}/metrics.json"));
    let remove = |value: &mut Value, key: &str| drop(value.as_object_mut().unwrap().remove(key));
    for key in ["recipe", "train_seconds", "images_per_second", "data_wait_seconds", "threads"] {
        remove(&mut metrics, key);
    }
    metrics["members"].as_array_mut().unwrap().iter_mut().for_each(|member| remove(member, "train_seconds"));
    (file("model.safetensors"), file("predictions.safetensors"), metrics)
}

#[test]
fn an_ensemble_is_trained_averaged_and_used_as_any_run() {
    let bench = bench();
    let ran = bench.run(&TRAIN);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for said in ["network 1 of 3, seed 4", "network 2 of 3, seed 5; about ", "network 3 of 3, seed 6; about "] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    assert!(ran.stdout.contains("networks             3, averaged; each alone "), "{}", ran.stdout);
    let metrics = json(&bench, "run/metrics.json");
    let members = metrics["members"].as_array().unwrap();
    assert_eq!((members.len(), &metrics["epochs_run"], &metrics["seed"]), (3, &18.into(), &4.into()));
    for (place, member) in members.iter().enumerate() {
        let own = json(&bench, &format!("run/members/{}/metrics.json", place + 1));
        assert_eq!(own["seed"], 4 + place);
        for key in ["seed", "validation", "test", "epochs_run", "best_epoch"] {
            assert_eq!(member[key], own[key], "{key}");
        }
    }
    // All hold out the same images.
    let recipes = [1, 2, 3].map(|place| bench.read(&format!("run/members/{place}/run.toml")));
    assert!(recipes.iter().all(|recipe| recipe.contains("split_seed = 4") && recipe.contains("ensemble = 1")));
    let evaluated = json_of(&bench.ok(&["evaluate", "--model", "run", "--split", "validation", "--json"]));
    assert_eq!(evaluated["splits"][0]["accuracy"], metrics["validation"]["accuracy"]);
    for place in ["1", "2", "3"] {
        let own = format!("run/members/{place}");
        let evaluated = json_of(&bench.ok(&["evaluate", "--model", &own, "--split", "validation", "--json"]));
        assert_eq!(
            evaluated["splits"][0]["accuracy"],
            json(&bench, &format!("{own}/metrics.json"))["validation"]["accuracy"]
        );
    }
    // Every command takes it as it takes any run.
    assert!(bench.ok(&["summary", "--model", "run"]).starts_with("3 networks, averaged"));
    bench.ok(&["report", "run"]);
    assert!(bench.read("run/report.html").contains("The average of 3 networks of"));
    bench.ok(&["export", "--model", "run", "--format", "html", "-o", "page.html"]);
    bench.ok(&["export", "--model", "run", "--format", "onnx", "-o", "model.onnx"]);
    bench.ok(&["compare", "run", "run/members/1"]);
    // `run.toml` repeats the whole.
    let before = result(&bench, "run");
    bench.ok(&["train", "--recipe", "run/run.toml", "--out", "again", "--threads", "3", "--no-report"]);
    let again = result(&bench, "again");
    assert!(again == before, "{} {}", again.2, before.2);
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn killed_again_and_again_an_ensemble_comes_to_the_same_files() {
    let bench = bench();
    bench.ok(&["train", "--recipe", "bars.toml", "--ensemble", "3", "--out", "whole/bars"]);
    let whole = result(&bench, "whole/bars");
    let start =
        |args: &[&str]| -> Child { bench.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap() };
    let mut child = start(&TRAIN);
    while !bench.path("run/run.toml").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    for round in 0..12_u64 {
        std::thread::sleep(Duration::from_millis(10 + round * 17 % 90));
        child.kill().unwrap();
        child.wait().unwrap();
        child = start(&[&RESUME[..], &["--threads", ["1", "2", "3"][round as usize % 3]]].concat());
    }
    assert!(child.wait().unwrap().success());
    bench.ok(&RESUME);
    let run = result(&bench, "run");
    assert!(run == whole, "{} {}", run.2, whole.2);
    for folder in ["run", "run/members/1", "run/members/2", "run/members/3"] {
        assert!(files_in(&bench.path(folder)).iter().all(|file| !file.contains("partial")), "{folder}");
    }
}

#[test]
fn networks_are_added_and_none_is_trained_again() {
    let bench = bench();
    bench.ok(&TRAIN);
    let times = || {
        let file = |place| bench.path(&format!("run/members/{place}/model.safetensors"));
        [1, 2, 3].map(|place| std::fs::metadata(file(place)).unwrap().modified().unwrap())
    };
    let before = times();
    let ran = bench.run(&RESUME);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing to do"), "{}", ran.stderr);
    bench.fails(&[&RESUME[..], &["--epochs", "9"]].concat(), 2, &["are not extended"]);
    bench.fails(&[&RESUME[..], &["--ensemble", "2"]].concat(), 2, &["has 3 networks"]);
    let toml = bench.read("run/run.toml");
    let other = ["--ensemble", "4", "--set", "layer.0.filters=5"];
    bench.fails(&[&RESUME[..], &other].concat(), 1, &["layer.0.filters was 4 and is 5"]);
    assert_eq!(bench.read("run/run.toml"), toml);
    bench.ok(&[&RESUME[..], &["--ensemble", "4"]].concat());
    assert_eq!(times(), before);
    let added = result(&bench, "run");
    assert_eq!(added.2["members"].as_array().unwrap().len(), 4);
    // The files of the average are written last: whatever is missing is made again.
    std::fs::remove_file(bench.path("run/metrics.json")).unwrap();
    bench.ok(&RESUME);
    assert!(result(&bench, "run") == added);
    bench.ok(&["train", "--recipe", "bars.toml", "--ensemble", "4", "--out", "four/run"]);
    assert!(result(&bench, "four/run") == added, "as if there had been four from the beginning");
}
