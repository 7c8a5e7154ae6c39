//! `report`, and the reports that `train` writes.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Bench, colour_png};
use serde_json::Value;

const REPORT: [&str; 2] = ["report", "run"];
const PAGE: &str = "run/report.html";
/// No page is larger, in bytes.
const MOST: usize = 2_000_000;

/// The bars, and a run in `run/` that has learned next to nothing, so that there are errors.
fn trained() -> Bench {
    let bench = Bench::bars();
    bench.ok(&["train", "--recipe", "bars.toml", "--out", "run", "--set", "optimizer.learning_rate=1e-6"]);
    bench
}

/// Starts the recipe with so many epochs, and waits until some are over.
fn training(bench: &Bench, epochs: &str) -> Child {
    let args = ["train", "--recipe", "bars.toml", "--out", "run", "--epochs", epochs];
    let child = bench.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while fs::read_to_string(bench.path("run/history.csv")).map_or(0, |text| text.lines().count()) < 3 {
        assert!(began.elapsed() < Duration::from_secs(60), "no epoch is over");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn the_report_is_that_of_training_and_needs_nothing_else() {
    let bench = trained();
    let names = ["report.html", "curves.png", "confusion.png", "reliability.png", "errors.png"];
    let files = || names.map(|name| fs::read(bench.path("run").join(name)).unwrap());
    let before = files();
    for name in names {
        fs::remove_file(bench.path("run").join(name)).unwrap();
    }
    fs::remove_dir_all(bench.path("bars")).unwrap();
    fs::remove_dir_all(bench.path("run/checkpoint")).unwrap();
    fs::remove_file(bench.path("run/model.safetensors")).unwrap();
    // With the slash of a shell.
    let ran = bench.run(&["report", "run/"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "run/report.html\n", ""));
    for (name, (before, now)) in names.iter().zip(before.iter().zip(files())) {
        assert!(*before == now, "{name} is not as training left it");
    }
    assert!(before[0].len() < MOST);
}

#[test]
fn runs_of_older_versions_have_a_report_without_images() {
    let bench = trained();
    let whole = bench.read(PAGE).len();
    fs::remove_file(bench.path("run/thumbnails.safetensors")).unwrap();
    let text = bench.read("run/run.toml");
    bench.write("run/run.toml", text.split_once("\n[provenance.data]").unwrap().0);
    let errors = fs::read(bench.path("run/errors.png")).unwrap();
    bench.ok(&REPORT);
    assert!(bench.read(PAGE).len() < whole);
    assert_eq!(fs::read(bench.path("run/errors.png")).unwrap(), errors, "nothing better can be drawn");
}

#[test]
fn a_run_that_trains_has_a_report() {
    let bench = Bench::bars();
    let mut child = training(&bench, "100000");
    assert!(bench.path(PAGE).exists(), "training wrote none");
    fs::remove_file(bench.path(PAGE)).unwrap();
    let ran = bench.run(&REPORT);
    let page = fs::read_to_string(bench.path(PAGE));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(page.unwrap().contains("</html>"));
    // And when it was killed.
    bench.ok(&REPORT);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_has_a_report() {
    let bench = Bench::bars();
    let mut child = training(&bench, "100000");
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let page = bench.read(PAGE);
    bench.ok(&REPORT);
    assert!(page == bench.read(PAGE), "it is not as training left it");
    assert!(bench.path("run/curves.png").exists() && !bench.path("run/confusion.png").exists());
}

/// Makes the first probability of a split no number, and its loss, as they are where a network diverged.
fn diverge(bench: &Bench, split: &str) {
    let (mut bytes, mut metrics): (Vec<u8>, Value) = (
        fs::read(bench.path("run/predictions.safetensors")).unwrap(),
        serde_json::from_slice(&fs::read(bench.path("run/metrics.json")).unwrap()).unwrap(),
    );
    let begin = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..begin]).unwrap();
    let offset = header[format!("{split}/probabilities")]["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[begin + offset..begin + offset + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    metrics[split]["loss"] = Value::Null;
    bench.write("run/predictions.safetensors", bytes);
    bench.write("run/metrics.json", metrics.to_string());
}

#[test]
fn a_diverged_run_has_a_report_and_curves() {
    let bench = trained();
    diverge(&bench, "validation");
    for picture in ["curves.png", "confusion.png"] {
        fs::remove_file(bench.path(&format!("run/{picture}"))).unwrap();
    }
    let output = bench.command(&REPORT).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("no pictures of the validation images"), "{said}");
    assert!(bench.path("run/curves.png").exists() && !bench.path("run/confusion.png").exists());
    assert!(bench.read(PAGE).contains("loss NaN"));
}

#[test]
fn damaged_files_are_named_and_the_report_stays() {
    let bench = trained();
    let page = bench.read(PAGE);
    for name in ["run.toml", "history.csv", "metrics.json", "predictions.safetensors", "thumbnails.safetensors"] {
        let path = format!("run/{name}");
        let sound = fs::read(bench.path(&path)).unwrap();
        bench.write(&path, [&sound[..], b"\xff{"].concat());
        bench.fails(&REPORT, 1, &[&path]);
        bench.write(&path, sound);
    }
    assert_eq!(bench.read(PAGE), page);
    bench.fails(&["report", "bars"], 1, &["bars: no run: there is no run.toml, it holds t10k-images-idx3-ubyte"]);
    bench.fails(&["report", "bars.toml"], 1, &["bars.toml: no run, but a file"]);
    bench.fails(&["report", "none"], 1, &["none: "]);
}

#[test]
fn a_report_that_cannot_be_written_fails_no_run() {
    let bench = trained();
    fs::remove_file(bench.path(PAGE)).unwrap();
    bench.write("run/report.html/in the way", "");
    let ran = bench.run(&["train", "--resume", "run", "--epochs", "5"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("note: report.html was not written: ").count(), 2, "{}", ran.stderr);
    assert!(bench.read("run/metrics.json").contains("\"epochs_run\": 5"));
    bench.fails(&REPORT, 1, &["cannot write run/report.html"]);
}

#[test]
fn a_hundred_epochs_fit_into_a_page() {
    let bench = trained();
    let page = bench.read(PAGE).len();
    let history = bench.read("run/history.csv");
    let last = history.lines().last().unwrap().split_once(',').unwrap().1.to_owned();
    let rows = (4..=100).map(|epoch| format!("{epoch},{last}\n"));
    bench.write("run/history.csv", history + &rows.collect::<String>());
    let mut metrics: Value = serde_json::from_str(&bench.read("run/metrics.json")).unwrap();
    metrics["epochs_run"] = 100.into();
    bench.write("run/metrics.json", metrics.to_string());
    bench.ok(&REPORT);
    let longer = bench.read(PAGE).len();
    assert!(page < longer && longer < MOST, "{page} and {longer} bytes");
}

/// A number that has nothing to do with the next one's.
fn mixed(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[test]
fn colour_images_that_are_noise_and_long_names_fit_into_a_page() {
    let bench = Bench::bars();
    let names = ["Ankle boots & sandals <of all sizes>, \"with\" laces", "日本語のとても長いクラス名、もっと長い", "c"];
    // 64 x 64, so that they are stored smaller.
    let noise = |seed: u32| (0..64 * 64 * 3).map(move |i| mixed(i + seed * 12_289) as u8);
    for (part, count) in [("train", 60), ("test", 40)] {
        for i in 0..3 * count {
            let pixels: Vec<u8> = noise(2 * i + u32::from(part == "test")).collect();
            bench.write(&format!("noise/{part}/{}/{i}.png", names[i as usize % 3]), colour_png(64, 64, &pixels));
        }
    }
    bench.ok(&["train", "--recipe", "bars.toml", "--data", "noise", "--out", "run", "--fast-run"]);
    let page = bench.read(PAGE);
    assert!(page.len() < MOST && page.len() > MOST / 4, "{} bytes", page.len());
    assert!(page.contains("Ankle boots &amp; sandals &lt;of") && page.contains(names[1]), "a name is not there");
    assert!(!page.contains("<of all"), "a name is markup");
    let drawn = fs::read(bench.path("run/errors.png")).unwrap();
    bench.ok(&REPORT);
    assert!(page == bench.read(PAGE), "it is not as training left it");
    assert_eq!(fs::read(bench.path("run/errors.png")).unwrap(), drawn, "smaller images are not put in their place");
}
