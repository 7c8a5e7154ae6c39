//! Whoever waits for an evaluation hears how far it is, and gets the bits that others get.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::Model;
use glyphnet::evaluate::{evaluate, evaluate_with_progress};
use glyphnet::nn::{Kernels, Threads};
use glyphnet::recipe::Recipe;
use glyphnet::train::{Event, FitOptions, Observer, fit};
use glyphnet_data::{Dataset, Part};
use glyphnet_kernels::Isa;

#[path = "common/rows.rs"]
mod rows;

use rows::{dataset, source};

const RECIPE: &str = r#"
data.validation = 40
train.epochs = 2
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = "classes"
activation = "softmax"
"#;

/// What was said while a split was evaluated.
#[derive(Default)]
struct Heard(Vec<(Part, usize, usize)>);

impl Observer for Heard {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Evaluating { split, done, total } = *event {
            self.0.push((split, done, total));
        }
    }
}

/// A model that has seen the rows, and what was heard meanwhile.
fn trained() -> (Model, Heard) {
    let recipe = Recipe::from_toml(RECIPE, "test").unwrap();
    let options =
        FitOptions { threads: Threads::new(2).unwrap(), isa: Isa::detect(), folder: None, kernels: Kernels::default() };
    let mut heard = Heard::default();
    let outcome = fit(&recipe, &source(), &options, &mut heard).unwrap();
    (outcome.model, heard)
}

#[test]
fn a_run_says_which_split_it_evaluates() {
    let validation = [(Part::Validation, 0, 40), (Part::Validation, 40, 40)];
    let test = [(Part::Test, 0, 30), (Part::Test, 30, 30)];
    // After each of two epochs, then the best network on both.
    assert_eq!(trained().1.0, [&validation[..], &validation[..], &validation[..], &test[..]].concat());
}

#[test]
fn evaluation_counts_up_to_its_end_without_changing_a_bit() {
    let (model, _) = trained();
    let data = dataset(2_500);
    let expected = evaluate(&model, &data, &Threads::new(1).unwrap()).unwrap().unwrap();
    for threads in 1..=3 {
        let mut heard = Vec::new();
        let mut progress = |done, total| heard.push((done, total));
        let threads = Threads::new(threads).unwrap();
        let evaluation = evaluate_with_progress(&model, &data, &threads, &mut progress).unwrap().unwrap();
        assert_eq!(evaluation, expected);
        let whole = model.predict(&data.images).unwrap();
        assert_eq!(evaluation.predictions, whole, "in rounds and in one go");
        assert_eq!((heard[0], heard[heard.len() - 1]), ((0, 2_500), (2_500, 2_500)));
        assert!(heard.len() > 2 && heard.is_sorted_by(|a, b| a.0 < b.0), "{heard:?}");
    }
    let unlabelled = Dataset { labels: None, ..data };
    let mut progress = |_, _| panic!("there is nothing to evaluate");
    let nothing = evaluate_with_progress(&model, &unlabelled, &Threads::new(1).unwrap(), &mut progress).unwrap();
    assert_eq!(nothing, None);
}
