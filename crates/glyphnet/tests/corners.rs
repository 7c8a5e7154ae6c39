//! Corners that once went wrong: single-sample batches, softmax in odd places, sizes that overflow, hostile models.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::model_file::{ModelParts, from_bytes, to_bytes};
use glyphnet::nn::{
    Activation, ActivationLayer, Batch, BatchNorm, Conv2d, Dense, Dropout, Flatten, GlobalAvgPool2d, Kernels,
    LayerSpec, Network, NetworkError, Padding, Pair, Pool2d, Sequential, Threads, Trainer, TrainerError,
    TrainerOptions,
};
use glyphnet::recipe::OptimizerConfig;
use glyphnet::{Images, Isa, Model, Preprocess};
use glyphnet_data::ImageShape;

const SHAPE: ImageShape = ImageShape { height: 4, width: 4, channels: 1 };

/// So many samples whose pixels are their position.
struct Ramp(usize);

impl Batch for Ramp {
    fn len(&self) -> usize {
        self.0
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        input.iter_mut().zip(0_u8..).for_each(|(x, i)| *x = (position as f32 + f32::from(i)) / 16.0);
    }

    fn label(&self, position: usize) -> u32 {
        position as u32 % 2
    }
}

/// So many samples without any order in their pixels.
struct Speckled(usize);

impl Batch for Speckled {
    fn len(&self) -> usize {
        self.0
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        input.iter_mut().enumerate().for_each(|(i, x)| *x = ((position * 97 + i * i * 31 + i * 7) % 17) as f32 / 17.0);
    }

    fn label(&self, position: usize) -> u32 {
        position as u32 % 2
    }
}

fn try_trainer(network: Network, batch_size: usize, isa: Isa) -> Result<Trainer, TrainerError> {
    let options = TrainerOptions {
        isa,
        kernels: Kernels::default(),
        batch_size,
        seed: 0,
        label_smoothing: 0.0,
        class_weights: None,
        optimizer: OptimizerConfig::default(),
        averaging: None,
    };
    Trainer::new(network, Threads::new(1).unwrap(), options)
}

fn trainer(network: Network, batch_size: usize, isa: Isa) -> Trainer {
    try_trainer(network, batch_size, isa).unwrap()
}

#[test]
fn a_pool_whose_windows_are_wider_than_its_image_learns_alike_on_every_instruction_set() {
    let losses = |isa: Isa| {
        let pool = Pool2d { size: Pair::Both(3), stride: Some(Pair::Both(2)), padding: Padding::SAME };
        let model = Sequential::new()
            .add(Conv2d::new(20, 3).activation(Activation::Relu))
            .add(LayerSpec::MaxPool2d(pool))
            .add(Flatten {})
            .add(Dense::new(2));
        let mut trainer = trainer(model.build(SHAPE, 2, 0).unwrap(), 6, isa);
        [0.0; 4].map(|_| trainer.step(&Speckled(6), 0.01).loss)
    };
    let plain = losses(Isa::SCALAR);
    assert!(plain[3] < plain[0], "{plain:?}");
    for isa in Isa::available() {
        for (loss, plain) in losses(isa).iter().zip(plain) {
            assert!((loss - plain).abs() < 1e-4 * plain, "{isa}: {loss} instead of {plain}");
        }
    }
}

#[test]
fn batch_norm_survives_a_last_batch_of_one_image() {
    let norm = BatchNorm { torch_momentum: Some(0.1), ..BatchNorm::default() };
    let network = Sequential::new().add(Flatten {}).add(Dense::new(3)).add(norm).add(Dense::new(2));
    let mut trainer = trainer(network.build(SHAPE, 2, 1).unwrap(), 4, Isa::detect());
    trainer.step(&Ramp(4), 1e-3);
    trainer.step(&Ramp(1), 1e-3);
    let (weights, state) = (trainer.network().weights(), trainer.network().state());
    assert!(weights.iter().chain(state).all(|v| v.is_finite()), "{state:?}");
}

#[test]
fn a_batch_that_fits_no_memory_is_an_error() {
    let normalised = Sequential::new().add(Flatten {}).add(Dense::new(3)).add(BatchNorm::default()).add(Dense::new(2));
    let large = Sequential::new().add(Flatten {}).add(Dense::new(40_000)).add(Dense::new(2));
    for layers in [normalised, large] {
        for batch_size in [1 << 40, usize::MAX] {
            let network = layers.build(SHAPE, 2, 1).unwrap();
            let error = try_trainer(network, batch_size, Isa::detect()).err().unwrap();
            assert_eq!(error, TrainerError::TooLarge { batch_size });
        }
    }
}

/// A model file of it would not be read.
#[test]
fn a_network_too_wide_to_predict_with_is_not_trained() {
    let layers = Sequential::new().add(Conv2d::new(16, 1)).add(GlobalAvgPool2d {});
    let network = layers.add(Dense::new(2)).build(ImageShape::new(4096, 4096, 1), 2, 1).unwrap();
    for isa in Isa::available() {
        let error = try_trainer(network.clone(), 1, isa).err().unwrap();
        assert_eq!(error, TrainerError::TooWide);
    }
}

/// The same samples with their labels as one-hot rows.
struct OneHot(Ramp);

impl Batch for OneHot {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        self.0.fill(position, input);
    }

    fn label(&self, _: usize) -> u32 {
        unreachable!("a batch with targets is not asked for labels")
    }

    fn has_targets(&self) -> bool {
        true
    }

    fn target(&self, position: usize, target: &mut [f32]) {
        target.fill(0.0);
        target[self.0.label(position) as usize] = 1.0;
    }
}

#[test]
fn one_hot_rows_and_labels_train_alike() {
    let network = Sequential::new().add(Flatten {}).add(Dense::new(2)).build(SHAPE, 2, 1).unwrap();
    let mut by_label = trainer(network.clone(), 5, Isa::detect());
    let mut by_row = trainer(network, 5, Isa::detect());
    for _ in 0..3 {
        let (a, b) = (by_label.step(&Ramp(5), 1e-2), by_row.step(&OneHot(Ramp(5)), 1e-2));
        assert!((a.loss - b.loss).abs() < 1e-6 && a.correct == b.correct, "{a:?} and {b:?}");
    }
    let pairs = by_label.network().weights().iter().zip(by_row.network().weights());
    assert!(pairs.clone().count() > 0 && pairs.clone().all(|(a, b)| (a - b).abs() < 1e-6));
}

#[test]
fn a_broken_kernel_shows_in_the_loss_on_every_instruction_set() {
    for isa in Isa::available() {
        let conv = Conv2d::new(5, 3).activation(Activation::Relu);
        let network = Sequential::new().add(conv).add(Flatten {}).add(Dense::new(2)).build(SHAPE, 2, 1).unwrap();
        let mut weights = network.weights().to_vec();
        weights[0] = f32::NAN;
        let state = network.state().to_vec();
        let mut trainer = trainer(network, 2, isa);
        trainer.set_weights(&weights, &state);
        assert!(trainer.step(&Ramp(2), 1e-3).loss.is_nan(), "{isa}: a relu hides NaN");
    }
}

#[test]
fn softmax_is_applied_once_wherever_it_stands_at_the_end() {
    let logits = |network: Sequential| {
        let network = network.build(SHAPE, 3, 5).unwrap();
        let parts = ModelParts {
            networks: network.into(),
            classes: ["a", "b", "c"].map(str::to_owned).to_vec(),
            preprocess: Preprocess::default(),
        };
        let images = Images::new(SHAPE, (0..16).map(|i| i * 16).collect()).unwrap();
        Model::new(parts).predict(&images).unwrap().row(0).to_vec()
    };
    let dense = || Sequential::new().add(Flatten {}).add(Dense::new(3));
    let plain = logits(dense());
    let softmax = || ActivationLayer { activation: Activation::Softmax };
    let linear = ActivationLayer { activation: Activation::Linear };
    let with_softmax = Sequential::new().add(Flatten {}).add(Dense::new(3).activation(Activation::Softmax));
    assert_eq!(plain, logits(dense().add(softmax())));
    assert_eq!(plain, logits(with_softmax.clone().add(linear)));
    assert_eq!(plain, logits(with_softmax.clone().add(Flatten {})));
    let dropped = with_softmax.add(Dropout { rate: 0.5 }).build(SHAPE, 3, 5);
    assert!(matches!(dropped, Err(NetworkError::OutputActivation(_))), "{dropped:?}");
}

#[test]
fn sizes_that_overflow_are_refused() {
    let huge = [1 << 24, 1 << 40, usize::MAX / 2 + 1, usize::MAX];
    for filters in huge {
        let network = Sequential::new().add(Conv2d::new(filters, 1)).add(Flatten {}).add(Dense::new(2));
        assert!(network.build(SHAPE, 2, 0).is_err(), "{filters} filters");
        assert!(Sequential::new().add(Flatten {}).add(Dense::new(filters)).build(SHAPE, filters, 0).is_err());
    }
    let wide = ImageShape { height: 1, width: 1, channels: 1024 };
    let padded = Conv2d::new(1, 1).padding(Padding::Explicit(Pair::Both(1024))).stride(1024);
    assert!(Sequential::new().add(padded).add(Flatten {}).add(Dense::new(2)).build(wide, 2, 0).is_err());
}

#[test]
fn model_files_with_impossible_values_are_refused() {
    let norm = BatchNorm::default();
    let network = Sequential::new().add(Flatten {}).add(Dense::new(2)).add(norm).build(SHAPE, 2, 0).unwrap();
    let classes = vec!["a".to_owned(), "b".to_owned()];
    let good = ModelParts { networks: network.into(), classes, preprocess: Preprocess::default() };
    let bytes = to_bytes(&good).unwrap();
    assert_eq!(from_bytes(&bytes, "good").unwrap(), good);
    assert_eq!(to_bytes(&good).unwrap(), bytes);
    let refused = |spoil: fn(&mut Network), name: &str| {
        let mut network = good.network().clone();
        spoil(&mut network);
        let parts = ModelParts { networks: network.into(), ..good.clone() };
        let error = from_bytes(&to_bytes(&parts).unwrap(), "bad").unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    };
    refused(|network| network.weights_mut()[3] = f32::NAN, "dense/kernel");
    refused(|network| network.weights_mut()[0] = f32::INFINITY, "dense/kernel");
    refused(|network| network.state_mut()[2] = -1.0, "batch_norm/moving_variance");
    for end in (0..bytes.len()).step_by(7) {
        assert!(from_bytes(&bytes[..end], "cut").is_err(), "cut at {end}");
    }
}
