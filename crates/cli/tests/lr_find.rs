//! `lr-find`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{BARS_RECIPE, Bench, files_in, write_idx_bars};
use serde_json::{Value, json};

fn bars() -> Bench {
    let bench = Bench::new();
    write_idx_bars(&bench, "bars", 240, 30);
    bench.write("bars.toml", BARS_RECIPE);
    bench
}

/// The command with the bars' recipe.
fn asked<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["lr-find", "--recipe", "bars.toml"], more].concat()
}

fn json(bench: &Bench, more: &[&str]) -> Value {
    serde_json::from_str(&bench.ok(&asked(&[more, &["--json"]].concat()))).unwrap()
}

#[test]
fn a_rate_is_suggested_with_its_rule_and_the_setting_to_use() {
    let bench = bars();
    let ran = bench.run(&asked(&["--threads", "2", "--to", "1e6"]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let number = |before: &str| -> f64 {
        let line = ran.stdout.lines().find_map(|line| line.strip_prefix(before)).unwrap_or_else(|| panic!("{before}"));
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let suggestion = number("suggested learning rate ");
    assert!((1e-4..=1e5).contains(&suggestion), "{}", ran.stdout);
    assert!(ran.stdout.contains(glyphnet::train::SUGGESTION_RULE), "{}", ran.stdout);
    assert_eq!(number("the recipe has "), 0.01);
    let setting = format!("glyphnet train --recipe bars.toml --set optimizer.learning_rate={suggestion}");
    assert!(ran.stdout.contains(&setting), "{}", ran.stdout);
    assert!(!ran.stdout.contains("schedule"), "there is none: {}", ran.stdout);
    assert_eq!(ran.stderr, "bars on bars, 200 steps of 16 images, learning rates from 1e-7 to 1e6\n");
    // What it says to type works.
    let typed: Vec<&str> = setting.split(' ').skip(1).collect();
    bench.ok(&[&typed[..], &["--fast-run", "--out", "run"]].concat());
    let history = bench.read("run/history.csv");
    let trained: f32 = history.lines().nth(1).unwrap().split(',').nth(5).unwrap().parse().unwrap();
    assert_eq!(trained, suggestion as f32, "{history}");
}

#[test]
fn the_picture_is_all_that_is_written() {
    let bench = bars();
    bench.write("there/it", "is");
    let before = files_in(&bench.path(""));
    bench.ok(&asked(&[]));
    bench.ok(&asked(&["--out", "there/other.PNG"]));
    let mut expected = [before, vec!["lr-find.png".to_owned(), "there/other.PNG".to_owned()]].concat();
    expected.sort();
    assert_eq!(files_in(&bench.path("")), expected);
    let [first, second] = ["lr-find.png", "there/other.PNG"].map(|name| image::open(bench.path(name)).unwrap());
    assert!(first == second && first.width() > first.height());
}

#[test]
fn json_has_all_that_was_found_whatever_the_number_of_threads() {
    let bench = bars();
    let found = json(&bench, &["--seed", "3", "--from", "1e-6", "--to", "1", "--steps", "60", "--threads", "1"]);
    let keys: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "recipe",
        "data",
        "seed",
        "batch_size",
        "optimizer",
        "recipe_learning_rate",
        "schedule",
        "rule",
        "suggestion",
        "set",
        "lowest",
        "end",
        "points",
        "picture",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let plain = json!({"recipe": "bars", "data": "bars", "seed": 3, "batch_size": 16, "optimizer": "adam",
        "recipe_learning_rate": 0.01, "schedule": null, "rule": glyphnet::train::SUGGESTION_RULE,
        "picture": "lr-find.png"});
    for (key, value) in plain.as_object().unwrap() {
        assert_eq!(&found[key], value, "{key}");
    }
    let suggestion = found["suggestion"].as_f64().unwrap();
    assert_eq!(found["set"], format!("optimizer.learning_rate={suggestion}"));
    let points = found["points"].as_array().unwrap();
    assert!(points.len() <= 60 && points.len() > 30);
    assert_eq!(points[0]["learning_rate"], 1e-6);
    assert!(points.iter().all(|point| point["loss"].is_f64() && point["smoothed_loss"].is_f64()));
    assert!(points.contains(&found["lowest"]));
    assert!(["highest", "diverged", "not_a_number"].contains(&found["end"].as_str().unwrap()));
    let again = json(&bench, &["--seed", "3", "--from", "1e-6", "--to", "1", "--steps", "60", "--threads", "3"]);
    assert_eq!(again, found);
    assert_ne!(json(&bench, &["--seed", "4"])["points"], found["points"]);
}

#[test]
fn a_recipe_with_a_schedule_is_told_what_the_suggestion_is_for() {
    let bench = bars();
    let plain = json(&bench, &[]);
    for (kind, more) in [
        ("cosine", &["--set", "schedule.warmup_epochs=1"][..]),
        ("step", &["--set", "schedule.factor=0.5", "--set", "schedule.every_epochs=1"]),
        ("exponential", &["--set", "schedule.decay_rate=0.5", "--set", "schedule.decay_epochs=1"]),
        ("constant", &["--set", "schedule.warmup_epochs=2"]),
    ] {
        let kind_is = format!("schedule.kind={kind}");
        let args = [&["--set", &kind_is][..], more].concat();
        let said = bench.ok(&asked(&args));
        for word in [&format!("schedule ({kind})"), "no part", "after its warm-up"] {
            assert!(said.contains(word), "{kind}: {said}");
        }
        let found = json(&bench, &args);
        assert_eq!((&found["schedule"], &found["points"]), (&json!(kind), &plain["points"]));
    }
    let flat = bench.ok(&asked(&["--set", "schedule.kind=constant"]));
    assert!(!flat.contains("schedule ("), "{flat}");
}

#[test]
fn where_no_rate_helps_there_is_no_suggestion() {
    let bench = bars();
    let ruin = ["--set", "optimizer.kind=sgd", "--from", "1e37", "--to", "1e38"];
    let said = bench.ok(&asked(&ruin));
    assert!(said.contains("none: the loss fell by less than 2 %") && !said.contains("glyphnet train"), "{said}");
    let found = json(&bench, &ruin);
    assert_eq!((&found["suggestion"], &found["set"]), (&Value::Null, &Value::Null));
    // Too low to see the end: it says so.
    let said = bench.ok(&asked(&["--from", "1e-5", "--to", "1e-3"]));
    assert!(said.contains("still falling") && said.contains("higher --to"), "{said}");
    assert!(said.contains("too low") && !said.contains("glyphnet train"), "{said}");
    let said = bench.ok(&asked(&["--from", "1e-9", "--to", "1e-7"]));
    assert!(said.contains("less than 2 %") && !said.contains("still falling"), "{said}");
}

#[test]
fn with_momentum_a_third_is_to_be_tried_as_well() {
    let bench = bars();
    for (set, hint) in [
        (&["optimizer.kind=adam"][..], true),
        (&["optimizer.kind=rmsprop"], false),
        (&["optimizer.kind=rmsprop", "optimizer.momentum=0.5"], true),
    ] {
        let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        let said = bench.ok(&asked(&[&["--to", "1e6"], &set[..]].concat()));
        assert_eq!(said.contains("try a third"), hint, "{set:?}: {said}");
        assert!(said.contains("glyphnet train"), "{said}");
    }
}

#[test]
fn wrong_ranges_and_names_are_wrong_usage_and_nothing_is_written() {
    let bench = bars();
    let before = files_in(&bench.path(""));
    for (range, words) in [
        (&["--from", "1e-2", "--to", "1e-3"][..], &["--from", "higher than the first"][..]),
        (&["--from", "0"], &["positive"]),
        (&["--from", "-1e-3"], &["-0.001", "positive"]),
        (&["--to", "inf"], &["positive"]),
        (&["--to", "NaN"], &["positive"]),
        (&["--from", "low"], &["--from", "low"]),
        (&["--steps", "9"], &["9 steps", "10 to 100000"]),
        (&["--out", "picture.svg"], &["--out", ".png"]),
        (&["--set", "optimizer.learning_rate=-1"], &["optimizer.learning_rate"]),
    ] {
        bench.fails(&asked(range), 2, words);
    }
    bench.fails(&asked(&["--out", "not/there.png"]), 1, &["not/there.png", "no folder 'not'"]);
    bench.fails(&asked(&["--data", "nowhere"]), 1, &["nowhere"]);
    bench.fails(&asked(&["--set", "preprocess.scale=1e37"]), 1, &["first step", "[preprocess]"]);
    assert_eq!(files_in(&bench.path("")), before);
}

#[cfg(unix)]
#[test]
fn an_interrupted_test_ends_at_once_and_leaves_nothing() {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::process::Stdio;

    let bench = bars();
    let before = files_in(&bench.path(""));
    let args = asked(&["--steps", "100000", "--to", "1e-6", "--threads", "1"]);
    let mut child = bench.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It says that it begins.
    let mut said = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("100,000 steps"), "{said}");
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "");
    assert_eq!(files_in(&bench.path("")), before);
}
