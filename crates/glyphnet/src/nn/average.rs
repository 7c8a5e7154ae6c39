//! Averages of the weights over the steps, with the running averages of batch norm.

use glyphnet_kernels::{Isa, average_update};
use rayon::prelude::*;

use super::Network;
use super::optimizer::SHARD;

/// Which steps' weights are averaged, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Averaging {
    /// How.
    pub rule: AverageRule,
    /// The first step that may count, from 1.
    pub first: u64,
    /// Each so many steps, counted back from `last`.
    pub every: u64,
    /// The last step of training, which counts.
    pub last: u64,
}

/// How weights are averaged. The first that count are taken as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AverageRule {
    /// `average = decay * average + (1 - decay) * weights`.
    Exponential {
        /// How much of the average stays.
        decay: f64,
    },
    /// The mean of all that count.
    Mean,
}

impl Averaging {
    /// Whether the weights after step `step`, counted from 1, count.
    fn takes(&self, step: u64) -> bool {
        step >= self.first && step.abs_diff(self.last).is_multiple_of(self.every)
    }
}

/// An average as it is saved.
#[derive(Debug, Clone, PartialEq)]
pub struct AverageState {
    /// How many steps are in it; at least one.
    pub count: u64,
    /// The averaged weights, in the order of [`Network::weights`].
    pub weights: Vec<f32>,
    /// The averaged running averages, in the order of [`Network::state`].
    pub state: Vec<f32>,
}

/// The average of a network in training.
pub(super) struct WeightAverage {
    averaging: Averaging,
    /// The arrays mean nothing while its count is 0.
    average: AverageState,
}

impl WeightAverage {
    pub(super) fn new(averaging: Averaging, network: &Network) -> WeightAverage {
        let zeros = |like: &[f32]| vec![0.0; like.len()];
        let average = AverageState { count: 0, weights: zeros(network.weights()), state: zeros(network.state()) };
        WeightAverage { averaging, average }
    }

    /// Takes in the network after step `step`, if it counts. Runs on the current thread pool.
    pub(super) fn after_step(&mut self, isa: Isa, step: u64, network: &Network) {
        if !self.averaging.takes(step) {
            return;
        }
        let AverageState { count, weights, state } = &mut self.average;
        *count += 1;
        let rate = match self.averaging.rule {
            _ if *count == 1 => None,
            AverageRule::Exponential { decay } => Some(1.0 - decay),
            AverageRule::Mean => Some(1.0 / *count as f64),
        };
        let blend = |average: &mut [f32], values: &[f32]| match rate {
            None => average.copy_from_slice(values),
            Some(rate) => average_update(isa, average, values, rate),
        };
        // Frozen weights are what they were when the first were taken.
        let moving = if rate.is_some() { network.trained_parameters() } else { weights.len() };
        let shards = weights[..moving].par_chunks_mut(SHARD).zip(network.weights()[..moving].par_chunks(SHARD));
        shards.for_each(|(average, values)| blend(average, values));
        blend(state, network.state());
    }

    /// The average, once a step has counted.
    pub(super) fn current(&self) -> Option<&AverageState> {
        Some(&self.average).filter(|average| average.count > 0)
    }

    /// Goes on from `state` after `step` steps. An average that has begun before its first step, as where a run was given
    /// another length, is forgotten.
    pub(super) fn restore(&mut self, step: u64, state: Option<&AverageState>) {
        match state.filter(|_| step >= self.averaging.first) {
            Some(state) => self.average.clone_from(state),
            None => self.average.count = 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{BatchNorm, Dense, Flatten, Sequential};
    use glyphnet_data::ImageShape;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        sequence: Vec<Vec<f32>>,
        averages: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        decay: Option<f64>,
        after: Vec<Vec<f32>>,
    }

    /// Sixteen weights; the state of batch norm has four values.
    fn network() -> Network {
        let layers = Sequential::new().add(Flatten {}).add(Dense::new(2)).add(BatchNorm::default());
        layers.build(ImageShape::new(5, 1, 1), 2, 3).unwrap()
    }

    fn averaging(rule: AverageRule, first: u64, every: u64, last: u64) -> Averaging {
        Averaging { rule, first, every, last }
    }

    #[test]
    fn averages_are_those_of_pytorch_for_weights_and_state() {
        let text = include_str!("../../../../parity/golden/averaging.json");
        let golden: Golden = serde_json::from_str(text).unwrap();
        assert_eq!(golden.averages.len(), 4);
        let mut network = network();
        let cases = || golden.averages.iter();
        for (isa, case) in Isa::available().into_iter().flat_map(|isa| cases().map(move |case| (isa, case))) {
            let rule = case.decay.map_or(AverageRule::Mean, |decay| AverageRule::Exponential { decay });
            let mut average = WeightAverage::new(averaging(rule, 1, 1, 7), &network);
            for (step, (values, expected)) in (1..).zip(golden.sequence.iter().zip(&case.after)) {
                network.weights_mut()[..9].copy_from_slice(values);
                network.state_mut().copy_from_slice(&values[..4]);
                average.after_step(isa, step, &network);
                let AverageState { count, weights, state } = average.current().unwrap();
                assert_eq!(*count, step);
                for (got, want) in weights[..9].iter().chain(state).zip(expected.iter().chain(&expected[..4])) {
                    // Seven roundings, of values up to 6.
                    assert!((got - want).abs() < 3e-6, "{isa} {:?} step {step}: {got}, PyTorch {want}", case.decay);
                }
            }
        }
    }

    #[test]
    fn steps_count_from_the_first_on_and_back_from_the_last() {
        let counted = |first, every, last| {
            let averaging = averaging(AverageRule::Mean, first, every, last);
            (1..=last + 3).filter(|&step| averaging.takes(step)).collect::<Vec<u64>>()
        };
        assert_eq!(counted(4, 1, 6), [4, 5, 6, 7, 8, 9]);
        assert_eq!(counted(4, 3, 10), [4, 7, 10, 13]);
        assert_eq!(counted(5, 3, 10), [7, 10, 13]);
        assert_eq!(counted(1, 100, 6), [6], "the last step always counts");
    }

    #[test]
    fn it_goes_on_from_what_was_saved() {
        let mut network = network();
        let rule = AverageRule::Exponential { decay: 0.9 };
        let mut average = WeightAverage::new(averaging(rule, 2, 1, 4), &network);
        let mut step = |average: &mut WeightAverage, step: u64| {
            network.weights_mut().iter_mut().for_each(|w| *w += step as f32);
            average.after_step(Isa::SCALAR, step, &network);
        };
        step(&mut average, 1);
        assert_eq!(average.current(), None);
        step(&mut average, 2);
        let saved = average.current().cloned().unwrap();
        step(&mut average, 3);
        let mut again = WeightAverage::new(averaging(rule, 2, 1, 4), &self::network());
        again.restore(2, Some(&saved));
        assert_eq!(again.current(), Some(&saved));
        again.restore(3, average.current());
        assert_eq!(again.current(), average.current());
        again.restore(1, Some(&saved));
        assert_eq!(again.current(), None, "before its first step");
    }
}
