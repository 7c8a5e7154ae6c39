//! How long the augmentation of the recipe `seed` takes for an image, on one thread, for `benchmarks/run`.
//!
//!     cargo run --release --package glyphnet-data --example augment_speed -- FOLDER
//!
//! FOLDER holds MNIST as IDX files. Prints `{"seconds": ..., "images": ...}`, with the seconds of one image: the median
//! over blocks of a thousand.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use glyphnet_data::augment::{AugmentConfig, Augmenter};
use glyphnet_data::{OpenOptions, open};
use glyphnet_kernels::Isa;

const BLOCK: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("name the folder with MNIST's files")?;
    let images = open(&folder, &OpenOptions::default())?.train.images;
    let config = AugmentConfig { rotation: 10.0, zoom: 0.1, width_shift: 0.1, height_shift: 0.1, ..Default::default() };
    let augmenter = Augmenter::new(&config, images.shape(), 0, Isa::detect())?;
    let mut output = vec![0.0; images.shape().len()];
    let mut times = Vec::new();
    for first in (0..images.len() - BLOCK).step_by(BLOCK) {
        let start = Instant::now();
        for i in first..first + BLOCK {
            augmenter.apply(&augmenter.draw(0, i as u32), images.get(i), &mut output);
            black_box(&output);
        }
        times.push(start.elapsed().as_secs_f64() / BLOCK as f64);
    }
    times.sort_by(f64::total_cmp);
    let seconds = times[times.len() / 2];
    println!("{}", serde_json::json!({ "seconds": seconds, "images": times.len() * BLOCK }));
    Ok(())
}
