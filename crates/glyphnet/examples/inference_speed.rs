//! How long the reference network takes to classify a batch, for `benchmarks/run`. The images are `f32` in memory, the
//! answers are logits; the weights are those that training starts from, which take as long as any others.
//!
//!     cargo run --release --package glyphnet --example inference_speed -- [--batch N] [--threads N] [--simd NAME] [--seconds S]
//!
//! Prints `{"seconds": ..., "calls": ..., "simd": ...}`, with the median seconds of a call. With one thread everything
//! runs on the calling thread.

use std::error::Error;
use std::time::{Duration, Instant};

use glyphnet::nn::{Predictor, Sequential, Threads};
use glyphnet::recipe::Recipe;
use glyphnet::{ImageShape, Isa};

const SHAPE: ImageShape = ImageShape { height: 28, width: 28, channels: 1 };
const CLASSES: usize = 10;

struct Options {
    batch: usize,
    threads: usize,
    isa: Isa,
    seconds: f64,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options { batch: 1, threads: 1, isa: Isa::detect(), seconds: 2.0 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--batch" => options.batch = value.parse()?,
            "--threads" => options.threads = value.parse()?,
            "--simd" => options.isa = value.parse()?,
            "--seconds" => options.seconds = value.parse()?,
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(options)
}

/// The seconds of each call, sorted, over so long a time; the first calls, which warm everything up, do not count.
fn time_calls(seconds: f64, mut call: impl FnMut()) -> Vec<f64> {
    (0..3).for_each(|_| call());
    let (start, limit) = (Instant::now(), Duration::from_secs_f64(seconds));
    let mut times = Vec::new();
    while times.is_empty() || start.elapsed() < limit {
        let call_start = Instant::now();
        call();
        times.push(call_start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times
}

fn main() -> Result<(), Box<dyn Error>> {
    let Options { batch, threads, isa, seconds } = options()?;
    let network = Sequential::from(Recipe::load("seed")?.layer).build(SHAPE, CLASSES, 0)?;
    let predictor = Predictor::new(&network, isa);
    let images: Vec<f32> = (0..batch * SHAPE.len()).map(|i| (i * 7919 % 256) as f32 / 255.0).collect();
    let fill = |i: usize, input: &mut [f32]| input.copy_from_slice(&images[i * SHAPE.len()..][..SHAPE.len()]);
    let pool = Threads::new(threads)?;
    let times = time_calls(seconds, || {
        let logits = if threads == 1 { predictor.logits(batch, fill) } else { predictor.logits_on(&pool, batch, fill) };
        assert!(logits.iter().all(|logit| logit.is_finite()), "the network gives no numbers");
    });
    let report = serde_json::json!({ "seconds": times[times.len() / 2], "calls": times.len(), "simd": isa.name() });
    println!("{report}");
    Ok(())
}
