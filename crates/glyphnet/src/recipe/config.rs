//! `[data]` and `[train]`: what is learned from, and for how long.

use glyphnet_data::Amount;
use serde::{Deserialize, Serialize};

/// `[data]`: which images, and how many are held out for validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// `mnist`, the name of a fetched dataset, a file or a folder. `train --data` replaces it.
    pub source: String,
    /// How much of the training images is held out: a fraction below 1 or a count; 0 = none, and then the last epoch
    /// is the model. Unused where the source brings its own validation split.
    pub validation: Amount,
    /// Hold out the same share of each class.
    pub stratify: bool,
    /// Use only so many training images; 0 = all.
    pub limit: usize,
    /// Seed of the validation split and of `limit`; absent = `train.seed`. Runs of several seeds can so hold out the same
    /// images. At most `i64::MAX`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
    /// `[height, width]` that images are resized to; absent = as the data has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<[usize; 2]>,
    /// 1 (grey) or 3 (RGB); absent = as the data has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
}

impl Default for DataConfig {
    fn default() -> DataConfig {
        DataConfig {
            source: "mnist".to_owned(),
            validation: Amount::Fraction(0.1),
            stratify: false,
            limit: 0,
            split_seed: None,
            image_size: None,
            channels: None,
        }
    }
}

/// `[train]`: the loop and the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Images per step.
    pub batch_size: usize,
    /// Passes over the training images, at most.
    pub epochs: u32,
    /// Seed of everything random: split, initial weights, shuffle, augmentation, dropout. At most `i64::MAX`, TOML's
    /// largest integer.
    pub seed: u64,
    /// How many networks are trained, with seeds that follow each other; their probabilities are averaged.
    pub ensemble: u32,
    /// What is minimised.
    pub loss: Loss,
    /// Moves this share of the target's probability evenly onto all classes; 0 = none.
    pub label_smoothing: f64,
    /// How much an image of each class counts; absent = all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Besides after each epoch, write a checkpoint whenever so many minutes have gone by; 0 = after epochs only.
    pub checkpoint_minutes: f64,
    /// What to do when the loss or the gradient is no number any more.
    pub on_nan: OnNan,
}

impl Default for TrainConfig {
    fn default() -> TrainConfig {
        TrainConfig {
            batch_size: 32,
            epochs: 100,
            seed: 0,
            ensemble: 1,
            loss: Loss::default(),
            label_smoothing: 0.0,
            class_weights: None,
            checkpoint_minutes: 10.0,
            on_nan: OnNan::default(),
        }
    }
}

/// `train.on_nan`: what to do when the loss or the gradient is no number any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNan {
    /// End the run; the best network so far is kept.
    #[default]
    Stop,
    /// Go back to the beginning of the epoch (or to where the run went on in it) and halve the learning rate; after
    /// three times, end the run.
    Rollback,
}

/// The loss. Both names of Keras mean softmax cross-entropy here: labels are class numbers and become one-hot rows
/// where the arithmetic wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Cross-entropy against one-hot rows.
    #[default]
    CategoricalCrossentropy,
    /// The same from class numbers.
    SparseCategoricalCrossentropy,
}

/// `train.class_weights`: one weight per class in the order of the classes, or `"balanced"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassWeights {
    /// Written `"balanced"`: `images / (classes * images of this class)`, as scikit-learn has it.
    Balanced(BalancedWord),
    /// One weight per class.
    PerClass(Vec<f64>),
}

impl ClassWeights {
    /// Every class counts as much as any other, however many images it has.
    pub const BALANCED: ClassWeights = ClassWeights::Balanced(BalancedWord::Balanced);

    /// The weight of each class.
    ///
    /// `counts[c]` is the number of training images of class `c`. A class without images weighs 0: it cannot occur.
    /// `None` if a list of weights has not one weight for each class.
    pub fn resolve(&self, counts: &[usize]) -> Option<Vec<f64>> {
        match self {
            ClassWeights::Balanced(_) => {
                let images: usize = counts.iter().sum();
                let weight = |&count: &usize| {
                    if count == 0 { 0.0 } else { images as f64 / (counts.len() as f64 * count as f64) }
                };
                Some(counts.iter().map(weight).collect())
            }
            ClassWeights::PerClass(weights) => (weights.len() == counts.len()).then(|| weights.clone()),
        }
    }
}

/// The word `"balanced"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BalancedWord {
    /// The only word.
    Balanced,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0] * 2 + [1] * 3 + [2] * 7)
        let weights = ClassWeights::BALANCED.resolve(&[2, 3, 7]).unwrap();
        for (got, expected) in weights.iter().zip([2.0, 1.3333333333333333, 0.5714285714285714]) {
            assert!((got - expected).abs() < 1e-15, "{got} {expected}");
        }
        assert_eq!(ClassWeights::BALANCED.resolve(&[4, 0]).unwrap(), [0.5, 0.0]);
    }

    #[test]
    fn a_list_needs_one_weight_per_class() {
        let weights = ClassWeights::PerClass(vec![1.0, 2.0]);
        assert_eq!(weights.resolve(&[5, 5]), Some(vec![1.0, 2.0]));
        assert_eq!(weights.resolve(&[5, 5, 5]), None);
    }
}
