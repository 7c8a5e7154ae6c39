//! Real signals: a run that was ended by SIGTERM or `kill -9` goes on to the files of one that was not.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![cfg(unix)]

mod common;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{BARS_RECIPE, Bench, Ran, files_in, write_idx_bars};
use serde_json::Value;

/// A folder with the bars and a recipe for them: 40 epochs, a moment each.
fn bench() -> Bench {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 120, 30);
    let extras = "[augment]\nwidth_shift = 0.1\n[early_stopping]\npatience = 50\n";
    bench.write(
        "bars.toml",
        BARS_RECIPE.replace("epochs = 3", "epochs = 40").replace("[optimizer]", &format!("{extras}[optimizer]")),
    );
    bench
}

const TRAIN: [&str; 5] = ["train", "--recipe", "bars.toml", "--out", "run"];
const RESUME: [&str; 3] = ["train", "--resume", "run"];

fn start(bench: &Bench, args: &[&str]) -> Child {
    bench.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Waits until the history has so many epochs.
fn wait_for_epochs(bench: &Bench, epochs: usize) {
    let began = Instant::now();
    let path = bench.path("run/history.csv");
    while std::fs::read_to_string(&path).map_or(0, |text| text.lines().count()) <= epochs {
        assert!(began.elapsed() < Duration::from_secs(60), "no epoch is over");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// All that a run leaves, but for times.
fn result(bench: &Bench, run: &str) -> (Vec<u8>, Vec<u8>, Vec<String>, Value) {
    let file = |name: &str| std::fs::read(bench.path(run).join(name)).unwrap();
    let history = bench.read(&format!("{run}/history.csv"));
    let rows = history.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect();
    let mut metrics: Value = serde_json::from_slice(&file("metrics.json")).unwrap();
    for time in ["train_seconds", "images_per_second", "data_wait_seconds", "threads"] {
        assert!(metrics.as_object_mut().unwrap().remove(time).is_some());
    }
    (file("model.safetensors"), file("predictions.safetensors"), rows, metrics)
}

fn uninterrupted(bench: &Bench) -> (Vec<u8>, Vec<u8>, Vec<String>, Value) {
    bench.ok(&["train", "--recipe", "bars.toml", "--out", "whole/bars"]);
    result(bench, "whole/bars")
}

#[test]
fn sigterm_saves_and_says_how_to_go_on() {
    let bench = bench();
    let whole = uninterrupted(&bench);
    let child = start(&bench, &TRAIN);
    wait_for_epochs(&bench, 3);
    signal(&child, "-TERM");
    let ran = ended(child);
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert!(ran.stderr.contains("go on with: glyphnet train --resume run\n"), "{}", ran.stderr);
    let ran = bench.run(&[&RESUME[..], &["--threads", "3"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("going on "), "{}", ran.stderr);
    assert!(result(&bench, "run") == whole, "{} {}", result(&bench, "run").3, whole.3);
    assert_eq!(files_in(&bench.path("run/checkpoint")).len(), 2);
    // Nothing is left to do, and nothing is done.
    let before = std::fs::metadata(bench.path("run/metrics.json")).unwrap().modified().unwrap();
    let ran = bench.run(&RESUME);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert!(ran.stderr.contains("finished after 40 epochs") && ran.stderr.contains("--epochs N"), "{}", ran.stderr);
    assert_eq!(std::fs::metadata(bench.path("run/metrics.json")).unwrap().modified().unwrap(), before);
    // Killed between the last checkpoint and the metrics, it makes up for them.
    std::fs::remove_file(bench.path("run/metrics.json")).unwrap();
    std::fs::remove_file(bench.path("run/samples.png")).unwrap();
    bench.ok(&RESUME);
    assert!(bench.path("run/samples.png").exists());
    assert!(result(&bench, "run") == whole);
}

#[test]
fn killed_again_and_again_a_run_comes_to_the_same_files() {
    let bench = bench();
    let whole = uninterrupted(&bench);
    let mut child = start(&bench, &[&TRAIN[..], &["--set", "train.checkpoint_minutes=0.00001"]].concat());
    while !bench.path("run/run.toml").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut killed = 0;
    for round in 0..12_u64 {
        std::thread::sleep(Duration::from_millis(5 + round * 7 % 40));
        signal_hard(&mut child);
        killed += 1;
        child = start(&bench, &[&RESUME[..], &["--threads", ["1", "2", "3"][round as usize % 3]]].concat());
    }
    let ran = ended(child);
    assert_eq!(ran.code, Some(0), "after {killed} kills: {}", ran.stderr);
    bench.ok(&RESUME);
    assert!(result(&bench, "run") == whole, "{} {}", result(&bench, "run").3, whole.3);
    let left: Vec<String> = files_in(&bench.path("run")).into_iter().filter(|f| f.contains("partial")).collect();
    assert_eq!(left, Vec::<String>::new(), "nothing half-written is left");
}

fn signal_hard(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_second_process_in_the_folder_is_refused_until_the_first_is_dead() {
    let bench = bench();
    let mut child = start(&bench, &[&TRAIN[..], &["--epochs", "100000"]].concat());
    wait_for_epochs(&bench, 1);
    bench.fails(&RESUME, 1, &["run: another process is working in this run folder"]);
    signal_hard(&mut child);
    let child = start(&bench, &RESUME);
    let epochs = bench.read("run/history.csv").lines().count();
    wait_for_epochs(&bench, epochs + 2);
    signal(&child, "-HUP");
    assert_eq!(ended(child).code, Some(130));
}

#[test]
fn a_finished_run_is_extended() {
    let bench = bench();
    bench.ok(&[&TRAIN[..], &["--epochs", "4"]].concat());
    let first: Value = serde_json::from_str(&bench.read("run/metrics.json")).unwrap();
    let ran = bench.run(&[&RESUME[..], &["--epochs", "40"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the run is extended to 40 epochs"), "{}", ran.stderr);
    let (model, _, rows, metrics) = result(&bench, "run");
    let whole = uninterrupted(&bench);
    assert!(model == whole.0 && rows == whole.2, "this recipe's rates do not depend on the length");
    let extended = &metrics["extended"][0];
    assert_eq!((&extended["epochs"], &extended["test"]), (&Value::from(4), &first["test"]));
    let toml = bench.read("run/run.toml");
    assert!(toml.contains("epochs = 40") && toml.contains("extended_from = [4]"), "{toml}");
    bench.fails(&[&RESUME[..], &["--epochs", "40"]].concat(), 1, &["40 epochs already"]);
    bench.fails(&[&RESUME[..], &["--epochs", "7"]].concat(), 1, &["40 epochs already", "not 7"]);
}

#[test]
fn what_cannot_go_on_is_refused() {
    let bench = bench();
    write_idx_bars(&bench, "others", 90, 30);
    bench.ok(&[&TRAIN[..], &["--epochs", "2"]].concat());
    let longer = |more: &[&'static str]| [&RESUME[..], &["--epochs", "5"], more].concat();
    let before = (files_in(&bench.path("run/checkpoint")), bench.read("run/run.toml"));
    bench.fails(&longer(&["--data", "others"]), 1, &["the data are others"]);
    bench.fails(&longer(&["--set", "layer.0.filters=5"]), 1, &["layer.0.filters was 4 and is 5"]);
    bench.fails(&longer(&["--set", "optimizer.kind=sgd"]), 1, &["optimizer.kind was \"adam\" and is \"sgd\""]);
    bench.fails(&["train", "--resume", "bars"], 1, &["bars", "no run.toml"]);
    bench.fails(&["train", "--resume", "nowhere"], 1, &["nowhere"]);
    bench.fails(&[&RESUME[..], &["--recipe", "bars.toml"]].concat(), 2, &["--recipe"]);
    bench.fails(&[&RESUME[..], &["--seed", "1"]].concat(), 2, &["--seed"]);
    assert_eq!((files_in(&bench.path("run/checkpoint")), bench.read("run/run.toml")), before);
    for file in files_in(&bench.path("run/checkpoint")) {
        bench.write(&format!("run/checkpoint/{file}"), "damaged");
    }
    bench.fails(&longer(&[]), 1, &["no checkpoint is intact"]);
}

#[test]
fn a_damaged_newest_checkpoint_is_named_and_the_one_before_it_used() {
    let bench = bench();
    let whole = uninterrupted(&bench);
    let child = start(&bench, &TRAIN);
    wait_for_epochs(&bench, 3);
    signal(&child, "-INT");
    assert_eq!(ended(child).code, Some(130));
    let newest = files_in(&bench.path("run/checkpoint")).pop().unwrap();
    let newest = format!("run/checkpoint/{newest}");
    let mut bytes = std::fs::read(bench.path(&newest)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bench.write(&newest, bytes);
    let ran = bench.run(&RESUME);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said = ran.stderr.replace("\n  ", " ").replace('\n', " ");
    assert!(said.contains(&newest) && said.contains("the one before it is taken"), "{}", ran.stderr);
    assert!(result(&bench, "run") == whole);
}

#[test]
fn numbers_gone_wrong_end_the_run_with_advice() {
    let bench = bench();
    let settings = ["--set", "optimizer.kind=sgd", "--set", "optimizer.learning_rate=3e38"];
    let args = [&TRAIN[..], &settings].concat();
    bench.fails(
        &args,
        1,
        &["epoch 1, step ", "learning rate", "glyphnet train --resume run --set train.on_nan=rollback"],
    );
}

#[test]
fn a_folder_deleted_while_training_ends_the_run() {
    let bench = bench();
    let child = start(&bench, &[&TRAIN[..], &["--epochs", "100000"]].concat());
    wait_for_epochs(&bench, 2);
    // Gone at once: while a folder is being emptied, nobody can say whether anything will be left to go on from.
    std::fs::rename(bench.path("run"), bench.path("gone")).unwrap();
    std::fs::remove_dir_all(bench.path("gone")).unwrap();
    let ran = ended(child);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot be saved") && !ran.stderr.contains("--resume"), "{}", ran.stderr);
}
