//! Frozen layers: they keep their bits, and the others learn as if nothing had changed.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "common/rows.rs"]
mod rows;

use glyphnet::nn::{
    AverageRule, Averaging, BackwardReport, Batch, Kernels, LayerSpec, Network, PlanReport, Sequential, Threads,
    Trainer, TrainerOptions,
};
use glyphnet::recipe::{AdamwConfig, MuonConfig, OptimizerConfig, Recipe, SgdConfig};
use glyphnet::train::{FitOptions, fit};
use glyphnet::{Model, model_file};
use glyphnet_data::ImageShape;
use glyphnet_kernels::Isa;
use glyphnet_kernels::random::{Purpose, Stream};
use rows::source;

const SHAPE: ImageShape = ImageShape { height: 12, width: 10, channels: 2 };

/// Every layer that can be frozen, twice: behind others that are not, and with pools and activations around it. The dense
/// layer of 64 units is one that runs on the whole batch.
const LAYERS: &str = r#"
layer = [
    { kind = "conv2d", filters = 16, kernel = 3, activation = "relu" },
    { kind = "batch_norm" },
    { kind = "conv2d", filters = 16, kernel = 3, padding = 1 },
    { kind = "max_pool2d" },
    { kind = "batch_norm", torch_momentum = 0.1 },
    { kind = "activation", activation = "relu" },
    { kind = "dropout", rate = 0.1 },
    { kind = "flatten" },
    { kind = "dense", units = 220, activation = "tanh" },
    { kind = "dense", units = 300, activation = "relu" },
    { kind = "dense", units = 3 },
]"#;

/// The network with these layers frozen; weights and state do not depend on which.
fn network(frozen: &[usize]) -> Network {
    #[derive(serde::Deserialize)]
    struct Layers {
        layer: Vec<LayerSpec>,
    }
    let mut layers = toml::from_str::<Layers>(LAYERS).unwrap().layer;
    for &i in frozen {
        match &mut layers[i] {
            LayerSpec::Conv2d(layer) => layer.frozen = true,
            LayerSpec::Dense(layer) => layer.frozen = true,
            LayerSpec::BatchNorm(layer) => layer.frozen = true,
            other => panic!("{other:?}"),
        }
    }
    let mut network = Sequential::from(layers).build(SHAPE, 3, 5).unwrap();
    let mut random = Stream::new(2, Purpose::Initialise, 99, 0);
    for tensor in network.tensors().cloned().collect::<Vec<_>>() {
        network.tensor_mut(&tensor).iter_mut().for_each(|v| *v += 0.1 * random.unit() as f32);
    }
    network
}

struct Samples;

impl Batch for Samples {
    fn len(&self) -> usize {
        13
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        let mut random = Stream::new(7, Purpose::Sample, position as u32, 0);
        input.iter_mut().for_each(|v| *v = (random.unit() * 2.0 - 1.0) as f32);
    }

    fn label(&self, position: usize) -> u32 {
        position as u32 % 3
    }
}

fn options(isa: Isa, optimizer: OptimizerConfig) -> TrainerOptions {
    TrainerOptions {
        isa,
        kernels: Kernels::Fast,
        batch_size: 16,
        seed: 3,
        label_smoothing: 0.1,
        class_weights: None,
        optimizer,
        averaging: Some(Averaging { rule: AverageRule::Exponential { decay: 0.7 }, first: 2, every: 1, last: 9 }),
    }
}

fn trainer(isa: Isa, network: &Network, optimizer: OptimizerConfig) -> Trainer {
    Trainer::new(network.clone(), Threads::new(2).unwrap(), options(isa, optimizer)).unwrap()
}

#[test]
fn the_others_have_the_gradient_that_they_have_with_nothing_frozen() {
    for isa in Isa::available() {
        // Batch norm is left alone here: frozen, it is another function.
        for frozen in [&[0][..], &[2], &[8], &[9], &[0, 2, 8], &[2, 9]] {
            let (whole, part) = (network(&[]), network(frozen));
            let mut trainers = [&whole, &part].map(|network| trainer(isa, network, OptimizerConfig::default()));
            let losses = trainers.each_mut().map(|trainer| trainer.gradient_step(&Samples).loss);
            assert!((losses[0] - losses[1]).abs() < 1e-5 * losses[0], "{losses:?}");
            assert_eq!(part.weights().len(), whole.weights().len());
            assert_eq!(trainers[1].gradient().len(), part.trained_parameters());
            assert!(part.trained_parameters() < whole.trained_parameters());
            for (a, b) in whole.tensors().zip(part.tensors()).filter(|(_, b)| b.trained) {
                let (a, b) = (&trainers[0].gradient()[a.range.clone()], &trainers[1].gradient()[b.range.clone()]);
                let largest = a.iter().fold(1e-3, |m: f32, v| m.max(v.abs()));
                // Another kernel may have taken the way there and back: sums in another order.
                let close = a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4 * largest);
                assert!(close, "{isa}, {frozen:?} frozen: {a:?} {b:?}");
            }
        }
    }
}

#[test]
fn frozen_weights_and_running_averages_keep_their_bits_and_the_others_do_not() {
    let decay = Some(0.1);
    let optimizers = [
        OptimizerConfig::Sgd(SgdConfig { momentum: 0.9, weight_decay: decay, ..SgdConfig::default() }),
        OptimizerConfig::Adamw(AdamwConfig { weight_decay: 0.1, ..AdamwConfig::default() }),
        OptimizerConfig::Muon(MuonConfig { weight_decay: decay, ..MuonConfig::default() }),
    ];
    for optimizer in optimizers {
        for frozen in [&[0, 1][..], &[1, 2, 8], &[0, 1, 2, 4, 9], &[0, 1, 2, 4, 8, 9, 10]] {
            let start = network(frozen);
            let mut trainer = trainer(Isa::detect(), &start, optimizer.clone());
            (0..5).for_each(|_| assert!(trainer.step(&Samples, 0.01).loss.is_finite()));
            for after in [trainer.network(), &trainer.averaged()] {
                for (i, layer) in start.layers().iter().enumerate() {
                    for tensor in &layer.tensors {
                        let same = start.tensor(tensor) == after.tensor(tensor);
                        assert_eq!(same, frozen.contains(&i), "{frozen:?} frozen: {}", tensor.name);
                    }
                }
            }
        }
    }
}

#[test]
fn no_way_leads_back_through_frozen_layers_at_the_beginning() {
    let options = options(Isa::detect(), OptimizerConfig::default());
    let ways = |frozen: &[usize]| {
        let report = PlanReport::training(&network(frozen), 1, &options);
        let stages: Vec<_> = report.segments.into_iter().flat_map(|segment| segment.stages).collect();
        stages.into_iter().map(|stage| (stage.layers.join(" "), stage.backward)).collect::<Vec<_>>()
    };
    let named = |ways: &[(String, BackwardReport)], which| {
        let found = ways.iter().filter(|(_, way)| *way == which).map(|(layers, _)| layers.clone());
        found.collect::<Vec<_>>()
    };
    let first = ways(&[0, 1, 2, 8]);
    // As in inference, batch norm and the pool are part of the convolutions before them.
    assert_eq!(named(&first, BackwardReport::Nothing), ["conv2d batch_norm", "conv2d_1 max_pool2d"]);
    assert_eq!(named(&first, BackwardReport::Input), ["dense"]);
    assert_eq!(named(&ways(&[2, 4]), BackwardReport::Nothing), [""; 0]);
    assert_eq!(named(&ways(&[2, 4]), BackwardReport::Input), ["conv2d_1", "batch_norm_1"]);
}

#[test]
fn a_model_file_does_not_say_what_was_frozen() {
    let recipe = "data.validation = 40\ntrain = { batch_size = 24, epochs = 2 }\n\
                  layer = [{ kind = \"conv2d\", filters = 4, kernel = 2, frozen = true }, { kind = \"flatten\" },\n\
                  { kind = \"dense\", units = \"classes\" }]";
    let recipe = Recipe::from_toml(recipe, "test").unwrap();
    let (isa, kernels) = (Isa::detect(), Kernels::default());
    let options = FitOptions { threads: Threads::new(1).unwrap(), isa, folder: None, kernels };
    let model = fit(&recipe, &source(), &options, &mut ()).unwrap().model;
    let bytes = model_file::to_bytes(model.parts()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("frozen"));
    let read = Model::from_bytes(&bytes).unwrap();
    let (before, after) = (model.network(), read.network());
    for (a, b) in before.tensors().zip(after.tensors()) {
        assert_eq!((before.tensor(a), &a.name), (after.tensor(b), &b.name));
    }
    assert_eq!(after.trained_parameters(), after.parameters());
}
