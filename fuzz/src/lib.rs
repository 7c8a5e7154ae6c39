//! Hostile input for everything that reads files: IDX, CSV, NPZ, images, recipes, model files, checkpoints.
//!
//! A [`Target`] takes any bytes, checks what must always hold, and says in words what came of them. [`campaign`] feeds
//! it with mutations of its seeds: bytes are damaged at random, and containers are taken apart, damaged inside and put
//! together again with their lengths, checksums and compression right, so that the parser within is reached. An input
//! that leads to words not heard before joins the seeds. A seed number gives the same inputs again.
//!
//! `cargo run --release --package glyphnet-fuzz -- idx --inputs 1000000` runs one; `cargo test` runs each for a moment.

mod container;
mod mutate;
mod run;
mod seeds;
mod target;

pub use mutate::Mutator;
pub use run::{Campaign, Finding, Limits, Memory, Report, campaign, check_one};
pub use target::{TARGETS, Target, by_name};
