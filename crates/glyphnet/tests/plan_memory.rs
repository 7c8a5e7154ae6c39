//! The memory that a plan's report names is the memory that a trainer takes: compared by an allocator that counts.
//!
//! One test alone, since the counts are of the whole process.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::alloc::System;

use glyphnet::nn::{
    Activation, BatchNorm, Conv2d, Dense, Flatten, Kernels, LayerSpec, PlanReport, Sequential, Threads, Trainer,
    TrainerOptions,
};
use glyphnet::recipe::{AdamConfig, OptimizerConfig};
use glyphnet::{ImageShape, Isa};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SHAPE: ImageShape = ImageShape { height: 28, width: 28, channels: 1 };
const CLASSES: usize = 10;

/// Bytes in use.
fn in_use() -> f64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}

fn networks() -> [(&'static str, Sequential); 3] {
    let conv = |filters| Conv2d::new(filters, 3).activation(Activation::Relu);
    let head = |layers: Sequential| layers.add(Flatten {}).add(Dense::new(CLASSES));
    [
        ("reference", head(Sequential::new().add(conv(64)).add(conv(32)).add(LayerSpec::max_pool2d(2)))),
        (
            "normalised",
            head(Sequential::new().add(conv(32)).add(BatchNorm::default()).add(Conv2d::new(32, 5).stride(2))),
        ),
        (
            "large",
            head(
                Sequential::new()
                    .add(Flatten {})
                    .add(Dense::new(500).activation(Activation::Gelu))
                    .add(Dense::new(300)),
            ),
        ),
    ]
}

#[test]
fn a_trainer_takes_the_memory_that_its_plan_names() {
    for (name, layers) in networks() {
        for (count, batch_size) in [(1, 32), (2, 100)] {
            let threads = Threads::new(count).unwrap();
            let options = TrainerOptions {
                isa: Isa::detect(),
                kernels: Kernels::default(),
                batch_size,
                seed: 0,
                label_smoothing: 0.0,
                class_weights: None,
                optimizer: OptimizerConfig::Adam(AdamConfig::default()),
                averaging: None,
            };
            let before = in_use();
            let network = layers.build(SHAPE, CLASSES, 1).unwrap();
            let report = PlanReport::training(&network, count, &options);
            let trainer = Trainer::new(network, threads, options).unwrap();
            let (found, named) = (in_use() - before, report.memory.total() as f64);
            drop(trainer);
            let share = named / found;
            assert!((0.98..=1.0).contains(&share), "{name}, {count} threads: {named} bytes named, {found} taken");
        }
    }
}
