//! The part of Muon that sees whole matrices: the kernels of convolutions.

use std::ops::Range;

use glyphnet_kernels::{Isa, Muon, MuonRoom};
use rayon::prelude::*;

use super::Network;
use crate::recipe::{MuonConfig, OptimizerConfig};

/// The kernel of a convolution, `height x width x channels` rows and a column for each filter.
pub(super) struct Matrix {
    /// Where it lies among the weights.
    pub(super) range: Range<usize>,
    /// The mean of its gradients: Muon's momentum.
    pub(super) mean: Vec<f32>,
    room: MuonRoom,
}

/// Rows and columns of those tensors of `network` that `config` updates as matrices.
pub(super) fn shapes(config: &OptimizerConfig, network: &Network) -> Vec<(Range<usize>, usize, usize)> {
    let OptimizerConfig::Muon(_) = config else { return Vec::new() };
    let tensors = network.tensors().filter(|tensor| tensor.trained);
    let kernels = tensors.filter_map(|tensor| match tensor.shape[..] {
        [height, width, channels, filters] => Some((tensor.range.clone(), height * width * channels, filters)),
        _ => None,
    });
    kernels.collect()
}

/// Values that these matrices take besides what other weights take.
pub(super) fn words(shapes: &[(Range<usize>, usize, usize)]) -> u64 {
    let of = |&(_, rows, columns): &(_, usize, usize)| (rows * columns) as u64 + MuonRoom::floats(rows, columns);
    shapes.iter().map(of).fold(0, u64::saturating_add)
}

/// The matrices, and the room to work on them.
pub(super) struct Matrices(Vec<Matrix>);

impl Matrices {
    pub(super) fn new(isa: Isa, shapes: Vec<(Range<usize>, usize, usize)>) -> Matrices {
        let matrix = |(range, rows, columns): (Range<usize>, usize, usize)| {
            let mean = vec![0.0; range.len()];
            Matrix { range, mean, room: MuonRoom::new(isa, rows, columns) }
        };
        Matrices(shapes.into_iter().map(matrix).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Matrix> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Matrix> {
        self.0.iter_mut()
    }

    /// The parts of `range` that are in no matrix.
    pub(super) fn gaps(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let (mut gaps, mut start) = (Vec::new(), range.start);
        for Matrix { range: taken, .. } in &self.0 {
            gaps.push(start..taken.start.min(range.end));
            start = start.max(taken.end);
        }
        gaps.push(start..range.end);
        gaps.retain(|gap| gap.start < gap.end);
        gaps
    }

    /// One update of all matrices; `gradient` is whole. Each matrix is one thread's work on the current thread pool.
    pub(super) fn update(
        &mut self,
        isa: Isa,
        config: &MuonConfig,
        learning_rate: f64,
        weights: &mut [f32],
        gradient: &[f32],
    ) {
        let weight_decay = config.weight_decay.unwrap_or(0.0);
        let muon = Muon { learning_rate, momentum: config.momentum, weight_decay };
        self.0.par_iter_mut().with_max_len(1).for_each(|Matrix { range, mean, room }| {
            room.direct(isa, &muon, &gradient[range.clone()], mean);
        });
        for Matrix { range, room, .. } in &self.0 {
            room.apply(isa, &muon, &mut weights[range.clone()]);
        }
    }
}
