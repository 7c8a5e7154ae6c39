//! The torture test: runs on real digits are killed at random moments, go on, and must come to the very bytes of a run
//! that was left alone; what they leave is damaged, and must be refused.
//!
//! `cargo test --release --package glyphnet-cli --test torture` is the short form; `GLYPHNET_TORTURE=200` before it asks
//! for 200 rounds.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![cfg(all(unix, feature = "embedded-mnist"))]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::Bench;
use glyphnet::model_file;
use glyphnet::train::Checkpoint;
use glyphnet_kernels::random::{Purpose, Stream};

const RECIPE: &str = "[data]\nsource = \"mnist\"\nlimit = 600\nvalidation = 0.1\n[augment]\nrotation = 10.0\n\
    [train]\nepochs = 12\nbatch_size = 32\n[optimizer]\nkind = \"adam\"\n\
    [[layer]]\nkind = \"conv2d\"\nfilters = 8\nkernel = 3\nactivation = \"relu\"\n[[layer]]\nkind = \"batch_norm\"\n\
    [[layer]]\nkind = \"max_pool2d\"\n[[layer]]\nkind = \"dropout\"\nrate = 0.25\n[[layer]]\nkind = \"flatten\"\n\
    [[layer]]\nkind = \"dense\"\nunits = \"classes\"\nactivation = \"softmax\"\n";

fn rounds() -> u32 {
    std::env::var("GLYPHNET_TORTURE").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4)
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("digits.toml", RECIPE);
    bench
}

/// The run's checkpoints.
fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(run.join("checkpoint")).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Runs the command until it ends, or is killed after `life`; whether it ended by itself.
fn live(bench: &Bench, args: &[&str], life: Duration) -> bool {
    let mut child = bench.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while began.elapsed() < life {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{args:?}: {status}");
            return true;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

#[test]
fn killed_runs_come_to_the_same_model() {
    let bench = bench();
    let began = Instant::now();
    bench.ok(&["train", "--recipe", "digits.toml", "--out", "whole"]);
    let whole = began.elapsed();
    let model = std::fs::read(bench.path("whole/model.safetensors")).unwrap();
    let mut random = Stream::new(std::process::id().into(), Purpose::Sample, 0, 0);
    let (mut kills, mut restarts) = (0, 0);
    for round in 0..rounds() {
        let threads = ["1", "2", "3", "8"][round as usize % 4];
        let begin = ["train", "--recipe", "digits.toml", "--out", "run", "--threads", threads];
        let go_on = ["train", "--resume", "run", "--threads", threads];
        let run = bench.path("run");
        let mut ended = false;
        while !ended {
            // Before the first checkpoint there is nothing to lose, and not always a run to go on with.
            let begins = checkpoints(&run).is_empty();
            if begins && run.exists() {
                std::fs::remove_dir_all(&run).unwrap();
                restarts += 1;
            }
            let args = if begins { &begin[..] } else { &go_on[..] };
            ended = live(&bench, args, whole.mul_f64(random.uniform(0.0, 1.2)));
            kills += u32::from(!ended);
        }
        let found = std::fs::read(run.join("model.safetensors")).unwrap();
        assert!(found == model, "round {round}: another model after {kills} kills");
        std::fs::remove_dir_all(&run).unwrap();
    }
    println!("{} rounds, {kills} kills, {restarts} of them before a checkpoint: {whole:?} a run", rounds());
}

#[test]
fn damaged_files_are_refused() {
    let bench = bench();
    bench.ok(&["train", "--recipe", "digits.toml", "--epochs", "2", "--out", "run"]);
    let run = bench.path("run");
    let model = std::fs::read(run.join("model.safetensors")).unwrap();
    refuse_damage(&model, |bytes| model_file::from_bytes(bytes, "model").is_ok());
    let checkpoint = std::fs::read(checkpoints(&run).last().unwrap()).unwrap();
    refuse_damage(&checkpoint, |bytes| Checkpoint::from_bytes(bytes, Path::new("checkpoint")).is_ok());
}

/// Flips ten bits a round, 500 at least, and cuts the file; the long form cuts it to every length.
fn refuse_damage(file: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    assert!(accepts(file));
    let mut random = Stream::new(1, Purpose::Sample, 0, 0);
    for _ in 0..(10 * rounds()).max(500) {
        let (at, bit) = (random.below(file.len() as u32) as usize, random.below(8));
        let mut damaged = file.to_vec();
        damaged[at] ^= 1 << bit;
        assert!(!accepts(&damaged), "bit {bit} of byte {at} flipped");
    }
    let step = if rounds() >= 100 { 1 } else { 997 };
    for length in (0..file.len()).step_by(step) {
        assert!(!accepts(&file[..length]), "cut to {length} bytes");
    }
}

/// A limit on the size of files stands for a full disk: both end a write half-way.
#[test]
fn a_run_that_cannot_write_says_so_and_goes_on_later() {
    let bench = bench();
    bench.ok(&["train", "--recipe", "digits.toml", "--out", "whole"]);
    let largest = checkpoints(&bench.path("whole")).iter().map(|path| path.metadata().unwrap().len()).max().unwrap();
    // In blocks of 512 bytes. Without the trap the signal would end the process before the error does.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", largest / 1024);
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_glyphnet")]);
    command.args(["train", "--recipe", "digits.toml", "--out", "run"]).current_dir(bench.path("."));
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("checkpoint"), "{stderr}");
    bench.ok(&["train", "--resume", "run"]);
    let model = |run: &str| std::fs::read(bench.path(run).join("model.safetensors")).unwrap();
    assert!(model("run") == model("whole"));
}
