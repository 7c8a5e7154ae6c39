//! All memory of a run is allocated before its first step: counted by an allocator that counts.
//!
//! One test alone, since the counts are of the whole process.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::alloc::System;

use glyphnet::nn::{
    Activation, ActivationLayer, AverageRule, Averaging, Batch, BatchNorm, Conv2d, Dense, Dropout, Flatten,
    GlobalAvgPool2d, Kernels, LayerSpec, Sequential, Threads, Trainer, TrainerOptions,
};
use glyphnet::recipe::{AdamwConfig, MuonConfig, OptimizerConfig, Recipe, SgdConfig};
use glyphnet::train::{Event, FitOptions, Observer, fit};
use glyphnet::{Images, Isa};
use glyphnet_data::{Dataset, ImageShape, Source, SourceKind};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SHAPE: ImageShape = ImageShape { height: 12, width: 12, channels: 1 };
const CLASSES: usize = 3;
/// Samples of a full batch: no multiple of the number of chunks.
const BATCH: usize = 21;
const WARM_UP: usize = 3;
const STEPS: usize = 50;

fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

/// So many samples of nothing in particular, with labels or soft targets.
struct Samples {
    count: usize,
    soft: bool,
}

impl Batch for Samples {
    fn len(&self) -> usize {
        self.count
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        input.iter_mut().enumerate().for_each(|(i, x)| *x = ((position * 31 + i * 17) % 23) as f32 / 23.0);
    }

    fn label(&self, position: usize) -> u32 {
        (position % CLASSES) as u32
    }

    fn has_targets(&self) -> bool {
        self.soft
    }

    fn target(&self, position: usize, target: &mut [f32]) {
        target.fill(0.25);
        target[position % CLASSES] = 0.5;
    }
}

fn reference() -> Sequential {
    Sequential::new()
        .add(Conv2d::new(64, 3).activation(Activation::Relu))
        .add(Conv2d::new(32, 3).activation(Activation::Relu))
        .add(LayerSpec::max_pool2d(2))
        .add(Flatten {})
        .add(Dense::new(CLASSES).activation(Activation::Softmax))
}

fn normalised() -> Sequential {
    Sequential::new()
        .add(Conv2d::new(8, 3).activation(Activation::Gelu))
        .add(BatchNorm::default())
        .add(LayerSpec::avg_pool2d(2))
        .add(Conv2d::new(8, 2).stride(2))
        .add(BatchNorm::default())
        .add(ActivationLayer { activation: Activation::Relu })
        .add(Dropout { rate: 0.2 })
        .add(Flatten {})
        .add(Dense::new(40).activation(Activation::Relu))
        .add(Dense::new(CLASSES))
}

fn averaged() -> Sequential {
    Sequential::new().add(Conv2d::new(CLASSES, 5).activation(Activation::Tanh)).add(GlobalAvgPool2d {})
}

/// Dense layers that run on the whole batch.
fn large() -> Sequential {
    Sequential::new()
        .add(Flatten {})
        .add(Dense::new(500).activation(Activation::Relu))
        .add(Dense::new(150).activation(Activation::Tanh))
        .add(Dense::new(CLASSES))
}

/// Allocations of [`STEPS`] steps, of full batches and partial ones, after a few that warm up.
fn of_steps(layers: &Sequential, threads: &Threads, options: &TrainerOptions, soft: bool) -> usize {
    let network = layers.build(SHAPE, CLASSES, 1).unwrap();
    let mut trainer = Trainer::new(network, threads.clone(), options.clone()).unwrap();
    threads.run(|| {
        let mut step = |number: usize| {
            let count = if number % 3 == 2 { 1 + number % BATCH } else { BATCH };
            assert!(trainer.step(&Samples { count, soft }, 1e-3).loss.is_finite());
        };
        (0..WARM_UP).for_each(&mut step);
        let before = allocations();
        (0..STEPS).for_each(&mut step);
        allocations() - before
    })
}

fn steps_allocate_nothing(pools: &[Threads]) {
    let plain = TrainerOptions {
        isa: Isa::detect(),
        kernels: Kernels::default(),
        batch_size: BATCH,
        seed: 0,
        label_smoothing: 0.0,
        class_weights: None,
        optimizer: OptimizerConfig::default(),
        averaging: None,
    };
    let clipped = SgdConfig { momentum: 0.9, clip_norm: Some(0.1), ..SgdConfig::default() };
    let weighted = TrainerOptions {
        class_weights: Some(vec![1.0, 2.0, 0.5]),
        label_smoothing: 0.1,
        optimizer: OptimizerConfig::Sgd(clipped),
        ..plain.clone()
    };
    let clipped = AdamwConfig { global_clip_norm: Some(0.1), ..AdamwConfig::default() };
    let rule = AverageRule::Exponential { decay: 0.9 };
    let averaging = Some(Averaging { rule, first: 1, every: 2, last: 100 });
    let decayed = TrainerOptions { optimizer: OptimizerConfig::Adamw(clipped), averaging, ..plain.clone() };
    let muon = TrainerOptions { optimizer: OptimizerConfig::Muon(MuonConfig::default()), ..plain.clone() };
    for threads in pools {
        let count = threads.count();
        for (name, layers) in
            [("reference", reference()), ("normalised", normalised()), ("averaged", averaged()), ("large", large())]
        {
            for (i, options) in [&plain, &weighted, &decayed, &muon].into_iter().enumerate() {
                for soft in [false, true] {
                    let found = of_steps(&layers, threads, options, soft);
                    assert_eq!(found, 0, "{name}, {count} threads, options {i}, soft targets {soft}");
                }
            }
        }
    }
}

/// Notes how much was allocated by the end of each step.
struct Noted {
    epoch: u32,
    noted: Vec<usize>,
}

impl Observer for Noted {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Step { epoch, .. } = event
            && *epoch == self.epoch
        {
            self.noted.push(allocations());
        }
    }
}

fn a_run_allocates_nothing_between_its_steps(pools: &[Threads]) {
    const RECIPE: &str = r#"
        data.validation = 20
        augment = { rotation = 10.0, zoom = 0.1, width_shift = 0.1 }
        train = { batch_size = 16, epochs = 2 }
        [[layer]]
        kind = "flatten"
        [[layer]]
        kind = "dense"
        units = "classes"
    "#;
    let images = 20 + 16 * 100 + 5;
    let pixels = (0..images * SHAPE.len()).map(|i| (i * 37 % 251) as u8).collect();
    let labels = Some((0..images as u32).map(|i| i % 3).collect());
    let source = Source {
        name: "dots".to_owned(),
        kind: SourceKind::Idx,
        classes: (0..CLASSES).map(|class| class.to_string()).collect(),
        train: Dataset { images: Images::new(SHAPE, pixels).unwrap(), labels },
        validation: None,
        test: None,
        notes: Vec::new(),
    };
    let recipe = Recipe::from_toml(RECIPE, "test").unwrap();
    for threads in pools {
        let options =
            FitOptions { threads: threads.clone(), isa: Isa::detect(), folder: None, kernels: Kernels::default() };
        let mut noted = Noted { epoch: 2, noted: Vec::with_capacity(200) };
        fit(&recipe, &source, &options, &mut noted).unwrap();
        assert_eq!(noted.noted.len(), 101);
        assert_eq!(noted.noted.first(), noted.noted.last(), "{} threads", threads.count());
    }
}

#[test]
fn nothing_is_allocated_while_training() {
    let before = allocations();
    drop(vec![0_u8; 100]);
    assert!(allocations() > before, "the allocator counts");
    // Made once, since the threads of a pool that is given up may allocate while they end.
    let pools = [1, 2].map(|count| Threads::new(count).unwrap());
    steps_allocate_nothing(&pools);
    a_run_allocates_nothing_between_its_steps(&pools);
}
