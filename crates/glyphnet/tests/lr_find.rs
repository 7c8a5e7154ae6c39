//! The learning-rate range test: it leaves no trace, works for every optimizer, and says what is wrong.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::Isa;
use glyphnet::nn::{Batch, Kernels, Sequential, Threads, Trainer, TrainerOptions, TrainerState};
use glyphnet::recipe::Recipe;
use glyphnet::train::{
    Event, FitOptions, Observer, RangeEnd, RangeTest, RateRange, find_learning_rate, fit, range_test,
};

#[path = "common/rows.rs"]
mod rows;

use rows::{dataset, source};

const RECIPE: &str = r#"
data.validation = 40
train = { batch_size = 24, epochs = 1 }
[augment]
width_shift = 0.1
[[layer]]
kind = "conv2d"
filters = 3
kernel = 3
padding = "same"
[[layer]]
kind = "batch_norm"
[[layer]]
kind = "activation"
activation = "relu"
[[layer]]
kind = "flatten"
[[layer]]
kind = "dropout"
rate = 0.3
[[layer]]
kind = "dense"
units = "classes"
activation = "softmax"
"#;

/// Every kind, with everything that it can remember.
const OPTIMIZERS: [&[&str]; 6] = [
    &["optimizer.kind=sgd"],
    &["optimizer.kind=sgd", "optimizer.momentum=0.9", "optimizer.nesterov=true"],
    &["optimizer.kind=rmsprop"],
    &["optimizer.kind=rmsprop", "optimizer.momentum=0.5", "optimizer.centered=true"],
    &["optimizer.kind=adam", "optimizer.global_clip_norm=1.0"],
    &["optimizer.kind=adamw"],
];

fn recipe(overrides: &[&str]) -> Recipe {
    Recipe::from_toml(RECIPE, "test").unwrap().with_overrides(overrides).unwrap()
}

fn options(threads: usize) -> FitOptions {
    FitOptions {
        threads: Threads::new(threads).unwrap(),
        isa: Isa::detect(),
        folder: None,
        kernels: Kernels::default(),
    }
}

fn find(recipe: &Recipe, range: &RateRange, threads: usize) -> Result<RangeTest, glyphnet::Error> {
    find_learning_rate(recipe, &source(), &options(threads), range, &mut |_, _| {})
}

/// Some rows of the data, the pixels as they are.
struct Rows(std::ops::Range<u32>);

impl Batch for Rows {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        let data = dataset(200);
        let image = data.images.iter().nth(self.0.start as usize + position).unwrap();
        input.iter_mut().zip(image).for_each(|(input, &pixel)| *input = f32::from(pixel) / 255.0);
    }

    fn label(&self, position: usize) -> u32 {
        (self.0.start + position as u32) % 4
    }
}

fn trainer(recipe: &Recipe) -> Trainer {
    let network = Sequential::from(recipe.layer.clone()).build(source().shape(), 4, 5).unwrap();
    let options = TrainerOptions {
        isa: Isa::detect(),
        kernels: Kernels::default(),
        batch_size: 16,
        seed: 5,
        label_smoothing: 0.1,
        class_weights: None,
        optimizer: recipe.optimizer.clone(),
        averaging: None,
    };
    Trainer::new(network, Threads::new(2).unwrap(), options).unwrap()
}

/// The bits of all that a trainer goes on from; NaN is equal to itself here.
fn bits(state: &TrainerState) -> (u64, Vec<Vec<u32>>) {
    let arrays = [&state.weights, &state.state].into_iter().chain(state.optimizer.iter().map(|(_, array)| array));
    (state.steps, arrays.map(|array| array.iter().map(|value| value.to_bits()).collect()).collect())
}

#[test]
fn a_trainer_is_put_back_to_the_very_bits() {
    let batches = || (0..100).map(|i| Rows(16 * (i % 12)..16 * (i % 12) + 16));
    // To the end, and until the numbers run out.
    let ranges = [RateRange::new(1e-6, 1e-2, 20).unwrap(), RateRange::new(1e-3, 1e30, 40).unwrap()];
    for optimizer in OPTIMIZERS {
        let recipe = recipe(optimizer);
        let (mut tested, mut untested) = (trainer(&recipe), trainer(&recipe));
        for (range, rate) in ranges.iter().zip([0.01, 0.003]) {
            for batch in batches().take(3) {
                tested.step(&batch, rate);
                untested.step(&batch, rate);
            }
            let test = range_test(&mut tested, range, batches(), &mut |_, _| {});
            assert!(test.points.len() > 3, "{optimizer:?}: {test:?}");
            assert_eq!(bits(&tested.state()), bits(&untested.state()), "{optimizer:?}");
        }
        for batch in batches().take(3) {
            let [a, b] = [&mut tested, &mut untested].map(|trainer| trainer.step(&batch, 0.01));
            assert_eq!(
                (a.loss.to_bits(), a.correct),
                (b.loss.to_bits(), b.correct),
                "{optimizer:?}: another next step"
            );
        }
        assert_eq!(bits(&tested.state()), bits(&untested.state()), "{optimizer:?}");
    }
}

#[test]
fn every_optimizer_gets_a_suggestion_whatever_the_number_of_threads() {
    for optimizer in OPTIMIZERS {
        let (recipe, range) = (recipe(optimizer), RateRange::default());
        let test = find(&recipe, &range, 1).unwrap();
        let suggestion = test.suggestion.unwrap_or_else(|| panic!("{optimizer:?}: {test:?}"));
        let lowest = test.lowest().unwrap();
        let share = suggestion / lowest.learning_rate;
        assert!((0.63..0.71).contains(&share), "{optimizer:?}: two thirds, to two digits, not {share}");
        assert!(lowest.smoothed_loss < 0.9 * test.points[0].smoothed_loss, "{optimizer:?}: it learns something");
        assert!(test.points.is_sorted_by(|a, b| a.learning_rate < b.learning_rate));
        assert!(test.points.iter().all(|point| point.loss.is_finite() && point.smoothed_loss.is_finite()));
        assert_eq!(find(&recipe, &range, 3).unwrap(), test, "{optimizer:?}");
    }
}

/// The loss of the first step of a run.
#[derive(Default)]
struct FirstLoss(Option<f64>);

impl Observer for FirstLoss {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Step { loss, .. } = *event {
            self.0.get_or_insert(loss);
        }
    }
}

#[test]
fn the_first_batch_is_that_of_training() {
    let recipe = recipe(&["train.seed=3"]);
    let test = find(&recipe, &RateRange::default(), 2).unwrap();
    let mut first = FirstLoss::default();
    fit(&recipe, &source(), &options(2), &mut first).unwrap();
    assert_eq!(first.0, Some(test.points[0].loss));
}

#[test]
fn progress_is_told_from_nothing_to_the_last_step() {
    let range = RateRange::new(1e-6, 1e-3, 15).unwrap();
    let mut heard = Vec::new();
    let mut progress = |done, total| heard.push((done, total));
    let test = find_learning_rate(&recipe(&[]), &source(), &options(2), &range, &mut progress).unwrap();
    assert_eq!((test.points.len(), test.end), (15, RangeEnd::Highest));
    assert!(heard.into_iter().eq((0..=15).map(|done| (done, 15))));
}

#[test]
fn fewer_images_than_a_batch_are_enough() {
    let recipe = recipe(&["data.limit=13", "data.validation=3", "train.batch_size=64"]);
    let test = find(&recipe, &RateRange::new(1e-6, 1e-2, 30).unwrap(), 2).unwrap();
    assert_eq!(test.points.len(), 30);
    assert!(test.points[29].smoothed_loss < test.points[0].smoothed_loss, "{test:?}");
}

#[test]
fn rates_that_ruin_the_network_end_the_test() {
    let sgd = recipe(&["optimizer.kind=sgd"]);
    let test = find(&sgd, &RateRange::new(1e-4, 1e38, 60).unwrap(), 2).unwrap();
    assert_ne!(test.end, RangeEnd::Highest);
    assert!(test.points.len() < 60 && test.suggestion.is_some(), "{test:?}");
    // Nothing but ruin: there is a point, of the loss before the first update, and no suggestion.
    let test = find(&sgd, &RateRange::new(1e37, 1e38, 10).unwrap(), 2).unwrap();
    assert_eq!((test.suggestion, test.points.len()), (None, 1), "{test:?}");
}

#[test]
fn a_first_step_without_numbers_is_explained() {
    let blown_up = recipe(&["preprocess.scale=1e37"]);
    let error = find(&blown_up, &RateRange::default(), 2).unwrap_err().to_string();
    assert!(error.contains("first step") && error.contains("[preprocess]"), "{error}");
}
