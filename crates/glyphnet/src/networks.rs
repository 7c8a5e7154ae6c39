//! What a model is made of: one network, or several that agree by the mean of their probabilities.

use std::slice;

use glyphnet_kernels::Isa;

use crate::nn::{Network, Predictor, Threads};

/// More networks than this make no model.
pub(crate) const MOST_NETWORKS: usize = 1000;

/// One network or more, all of the same layers, input and classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Networks(Vec<Network>);

/// Networks that make no model together.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NetworksError {
    /// There are none, or too many.
    #[error("a model is made of 1 to {MOST_NETWORKS} networks, not of {0}")]
    Count(usize),
    /// One of them is of other layers or takes another input.
    #[error("network {0} has other layers or another input than the first")]
    Differs(usize),
}

impl Networks {
    /// Networks whose probabilities are averaged, in this order.
    ///
    /// # Errors
    /// If there are none or more than 1000, or if they differ in layers, input or number of classes.
    pub fn new(networks: Vec<Network>) -> Result<Networks, NetworksError> {
        if !(1..=MOST_NETWORKS).contains(&networks.len()) {
            return Err(NetworksError::Count(networks.len()));
        }
        let same = |a: &Network, b: &Network| a.layers() == b.layers() && a.input() == b.input();
        match networks.iter().position(|network| !same(network, &networks[0])) {
            None => Ok(Networks(networks)),
            Some(other) => Err(NetworksError::Differs(other + 1)),
        }
    }

    /// The first of them: its layers and its input are those of all.
    pub fn first(&self) -> &Network {
        &self.0[0]
    }

    /// How many there are; never 0.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Values that all of them own, trained or not.
    pub fn parameters(&self) -> usize {
        self.first().parameters() * self.count()
    }

    /// All of them, in their order.
    pub fn iter(&self) -> slice::Iter<'_, Network> {
        self.0.iter()
    }
}

impl From<Network> for Networks {
    fn from(network: Network) -> Networks {
        Networks(vec![network])
    }
}

impl<'a> IntoIterator for &'a Networks {
    type Item = &'a Network;
    type IntoIter = slice::Iter<'a, Network>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Networks at work: what a [`Predictor`] is of one.
#[derive(Debug)]
pub(crate) struct Predictors {
    first: Predictor,
    others: Vec<Predictor>,
}

impl Predictors {
    pub(crate) fn new(networks: &Networks, isa: Isa) -> Predictors {
        let first = Predictor::new(networks.first(), isa);
        let others = networks.iter().skip(1).map(|network| first.beside(network)).collect();
        Predictors { first, others }
    }

    pub(crate) fn isa(&self) -> Isa {
        self.first.isa()
    }

    /// Turns rows of logits into probabilities, in place.
    pub(crate) fn softmax(&self, logits: &mut [f32]) {
        self.first.softmax(logits);
    }

    /// Logits of `n` samples on the calling thread, `n x classes`, row-major: of one network what it says; of several the
    /// logarithms of the mean of their probabilities, which softmax turns into that mean.
    pub(crate) fn logits(&self, n: usize, fill: impl Fn(usize, &mut [f32])) -> Vec<f32> {
        self.mean(|predictor| predictor.logits(n, &fill))
    }

    /// The same on a pool of threads, with the same bits.
    pub(crate) fn logits_on(&self, threads: &Threads, n: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
        self.mean(|predictor| predictor.logits_on(threads, n, &fill))
    }

    /// The sum goes from the first network to the last, value by value, so its bits are the same wherever it is taken.
    fn mean(&self, logits: impl Fn(&Predictor) -> Vec<f32>) -> Vec<f32> {
        let mut sums = logits(&self.first);
        if self.others.is_empty() {
            return sums;
        }
        self.softmax(&mut sums);
        for predictor in &self.others {
            let mut probabilities = logits(predictor);
            self.softmax(&mut probabilities);
            sums.iter_mut().zip(probabilities).for_each(|(sum, probability)| *sum += probability);
        }
        let count = (1 + self.others.len()) as f32;
        sums.iter_mut().for_each(|sum| *sum = logit_of(*sum / count));
        sums
    }
}

/// The logarithm of a probability, which softmax turns back into it. A probability of 0 would be an infinite loss; one
/// that is no number stays none.
pub(crate) fn logit_of(probability: f32) -> f32 {
    let above_zero = if probability < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { probability };
    libm::log(f64::from(above_zero)) as f32
}
