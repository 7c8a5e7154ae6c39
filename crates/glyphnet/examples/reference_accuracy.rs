//! How well the reference network learns here: ten seeds, three epochs, no augmentation. The other half of the
//! comparison with Keras is `parity/reference_accuracy.py`, with the same splits; docs/parity.md has the result.
//!
//!     cargo run --release --package glyphnet --example reference_accuracy > parity/golden/reference_accuracy_ours.jsonl
//!
//! With `direct` after `--` it trains by the kernels that sum directly instead of the fast ones.

use std::error::Error;
use std::path::Path;

use glyphnet::data::{OpenOptions, Source, open};
use glyphnet::nn::{Kernels, Threads};
use glyphnet::recipe::Recipe;
use glyphnet::train::history::EpochRecord;
use glyphnet::train::{FitOptions, fit};
use glyphnet::{Dataset, Isa};
use serde_json::json;

const SEEDS: u64 = 10;
const EPOCHS: u32 = 3;

/// Rows that are held out, and rows that are not, of one seed's bits.
fn split(bits: &[u8], images: usize) -> (Vec<u32>, Vec<u32>) {
    (0..images as u32).partition(|&i| bits[i as usize / 8] >> (i % 8) & 1 == 1)
}

fn run_seed(
    seed: u64,
    kernels: Kernels,
    data: &Dataset,
    bits: &[u8],
    mnist: &Source,
) -> Result<String, Box<dyn Error>> {
    let (held_out, train) = split(bits, data.len());
    let source = Source {
        train: data.select(&train),
        validation: Some(data.select(&held_out)),
        test: None, // the test images are not read
        ..mnist.clone()
    };
    let mut recipe = Recipe::load("seed")?;
    recipe.augment = None;
    recipe.early_stopping = None;
    recipe.train.epochs = EPOCHS;
    recipe.train.seed = seed;
    let options = FitOptions { threads: Threads::new(0)?, isa: Isa::detect(), folder: None, kernels };
    let outcome = fit(&recipe, &source, &options, &mut ())?;
    let column = |value: fn(&EpochRecord) -> f64| -> Vec<f64> {
        outcome.history.records().iter().map(|record| (value(record) * 1e6).round() / 1e6).collect()
    };
    let line = json!({
        "seed": seed,
        "val_accuracy": column(|r| r.val_accuracy.unwrap_or(f64::NAN)),
        "val_loss": column(|r| r.val_loss.unwrap_or(f64::NAN)),
        "train_accuracy": column(|r| r.train_accuracy),
        "train_loss": column(|r| r.train_loss),
        "seconds": (outcome.train_seconds * 10.0).round() / 10.0,
        "simd": Isa::detect().name(),
    });
    Ok(line.to_string())
}

fn main() -> Result<(), Box<dyn Error>> {
    let kernels = match std::env::args().nth(1).as_deref() {
        None => Kernels::Fast,
        Some("direct") => Kernels::Direct,
        Some(other) => return Err(format!("unknown kernels `{other}`: nothing or `direct`").into()),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let splits = std::fs::read(root.join("parity/golden/reference_accuracy_splits.bin"))?;
    let mnist = open(&root.join("data/mnist").to_string_lossy(), &OpenOptions::default())?;
    for (seed, bits) in (0..SEEDS).zip(splits.chunks_exact(mnist.train.len() / 8)) {
        println!("{}", run_seed(seed, kernels, &mnist.train, bits, &mnist)?);
    }
    Ok(())
}
