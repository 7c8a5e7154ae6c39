//! How long a CSV file of images takes to read into memory, for `benchmarks/run`.
//!
//!     cargo run --release --package glyphnet-data --example csv_speed -- FILE
//!
//! Prints `{"seconds": ..., "images": ...}`.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use glyphnet_data::formats::kaggle::read_csv;
use glyphnet_kernels::Isa;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("name the CSV file to read")?;
    let start = Instant::now();
    let data = read_csv(Path::new(&file), None, Isa::detect())?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "seconds": seconds, "images": data.len() }));
    Ok(())
}
