//! What training costs, counted rather than timed: the same number on every machine and with every kernel.

use glyphnet_kernels::MuonRoom;

use super::{Network, matrices};
use crate::recipe::OptimizerConfig;

/// Floating-point operations of training `network` on so many images in so many steps.
///
/// Counted are the products of convolutions and dense layers as a direct sum has them, two operations for each
/// multiply-accumulate: forward, for the gradient of a layer's own weights where it trains any, and for the gradient of
/// its input where a layer before it trains weights. With Muon its Newton-Schulz steps come on top. Biases, activations,
/// pooling, normalisation, augmentation and the updates themselves are small beside that and left out; so are evaluation
/// and the recalibration of batch norm.
pub fn training_flops(network: &Network, optimizer: &OptimizerConfig, images: u64, steps: u64) -> u64 {
    let matrices = matrices::shapes(optimizer, network);
    let update = matrices.iter().map(|&(_, rows, columns)| MuonRoom::flops(rows, columns)).fold(0, u64::saturating_add);
    let passes = training_macs(network).saturating_mul(2).saturating_mul(images);
    passes.saturating_add(update.saturating_mul(steps))
}

/// Multiply-accumulates of one image's way forward and back.
fn training_macs(network: &Network) -> u64 {
    let (mut macs, mut trains_below) = (0_u64, false);
    for layer in network.layers() {
        let trains = layer.tensors.iter().any(|tensor| tensor.trained);
        let passes = 1 + u64::from(trains) + u64::from(trains_below);
        macs = macs.saturating_add(layer.macs.saturating_mul(passes));
        trains_below |= trains;
    }
    macs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;
    use crate::nn::{BatchNorm, Conv2d, Dense, Flatten, LayerSpec, Sequential};
    use crate::recipe::MuonConfig;

    fn network(layers: Sequential) -> Network {
        layers.build(ImageShape { height: 4, width: 5, channels: 2 }, 3, 0).unwrap()
    }

    fn sgd() -> OptimizerConfig {
        OptimizerConfig::Sgd(Default::default())
    }

    #[test]
    fn a_dense_layer_alone_needs_no_gradient_of_its_input() {
        let network = network(Sequential::new().add(Flatten {}).add(Dense::new(3)));
        // 40 inputs, 3 units: 120 products forward, 120 for the weights' gradient.
        assert_eq!(training_flops(&network, &sgd(), 1, 1), 2 * (120 + 120));
        assert_eq!(training_flops(&network, &sgd(), 7, 2), 7 * 2 * (120 + 120));
    }

    fn convolution() -> Sequential {
        let conv = Conv2d::new(6, (3, 2));
        Sequential::new().add(conv).add(LayerSpec::max_pool2d(2)).add(Flatten {}).add(Dense::new(3))
    }

    #[test]
    fn later_layers_have_three_products() {
        // 2 x 4 pixels of 6 filters of 3 x 2 x 2 = 576; pooled to 1 x 2 x 6 = 12 inputs of 3 units = 36.
        let flops = training_flops(&network(convolution()), &sgd(), 1, 1);
        assert_eq!(flops, 2 * (2 * 576 + 3 * 36));
    }

    #[test]
    fn whatever_trains_below_asks_for_a_gradient() {
        let network = network(Sequential::new().add(BatchNorm::default()).add(Flatten {}).add(Dense::new(3)));
        assert_eq!(training_flops(&network, &sgd(), 1, 1), 2 * 3 * 120);
    }

    #[test]
    fn muon_adds_its_matrix_products_in_each_step() {
        let network = network(convolution());
        let muon = OptimizerConfig::Muon(MuonConfig::default());
        let without = training_flops(&network, &sgd(), 10, 4);
        // The kernel is a matrix of 12 x 6, in each of five iterations: X^T X, its square, and X times the polynomial.
        let iteration = 2 * (6 * 12 * 6) + 2 * (6 * 6 * 6) + 2 * (12 * 6 * 6);
        assert_eq!(training_flops(&network, &muon, 10, 4), without + 4 * 5 * iteration);
    }
}
