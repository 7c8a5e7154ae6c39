//! Whitening: a first convolution that starts as the principal components of the images' patches, so that its outputs are
//! about uncorrelated and of variance one. The idea is that of airbench (Jordan 2024), there for CIFAR-10.

use glyphnet_data::ImageShape;

use super::{Batch, Conv2d, Initializer, LayerError, LayerSpec, Network, Shape};

/// Added to the variance along each component, as a share of their mean: what hardly varies is not blown up to noise.
const EPSILON: f64 = 0.01;
/// The most values of a patch: the work grows with their third power.
const MOST_VALUES: usize = 512;
/// Rotations of all pairs; so many are never needed.
const MOST_SWEEPS: usize = 64;

/// Whether a layer that starts from images stands where there are some; `number` counts from 1.
pub(super) fn check(number: usize, spec: &LayerSpec, input: Shape) -> Result<(), LayerError> {
    let wrong = |key, needs, got: &dyn ToString| Err(LayerError::Setting { key, needs, got: got.to_string() });
    let first = |initializer| match initializer {
        Initializer::Whitening => {
            wrong("initializer", "a random one, but in a convolution right at the beginning", &"whitening")
        }
        _ => Ok(()),
    };
    let conv = match spec {
        LayerSpec::Conv2d(conv) if number == 1 && conv.initializer == Initializer::Whitening => conv,
        LayerSpec::Conv2d(conv) => return first(conv.initializer),
        LayerSpec::Dense(dense) => return first(dense.initializer),
        _ => return Ok(()),
    };
    let values = patch(conv, input);
    let window = conv.window(input)?;
    let fits = window.size.0 <= window.height && window.size.1 <= window.width;
    if !fits || values > MOST_VALUES {
        let (vertical, horizontal) = conv.kernel.get();
        return wrong(
            "kernel",
            "no larger than the image and of at most 512 values, to start as components of its patches",
            &format!("{vertical} x {horizontal}"),
        );
    }
    if conv.filters % 2 == 1 || conv.filters > 2 * values {
        return wrong(
            "filters",
            "even, and at most two for each value of a patch, to start as components",
            &conv.filters,
        );
    }
    Ok(())
}

/// Values of a patch.
fn patch(conv: &Conv2d, input: Shape) -> usize {
    let (vertical, horizontal) = conv.kernel.get();
    vertical.saturating_mul(horizontal).saturating_mul(input.channels())
}

impl Network {
    /// Lets a first convolution of [`Initializer::Whitening`] start from `images`; any other network stays as it is.
    ///
    /// Of all patches inside the images that the convolution sees, `M` is the mean of `p pᵀ`, `vᵢ` its eigenvectors and `λᵢ` its
    /// eigenvalues, the largest first. Filter `i` becomes `vᵢ / √(λᵢ + 0.01 mean(λ))`, and filter `filters / 2 + i` the same
    /// with the other sign: together with relu they lose nothing. Where all images are 0 throughout, nothing changes.
    pub fn whiten(&mut self, images: &dyn Batch) {
        let Some(first) = self.layers().first() else { return };
        let LayerSpec::Conv2d(conv) = &first.spec else { return };
        if conv.initializer != Initializer::Whitening {
            return;
        }
        let (values, half) = (patch(conv, first.input), conv.filters / 2);
        let (conv, kernel) = (conv.clone(), first.tensors[0].clone());
        let components = eigen(second_moments(&conv, self.input(), images), values);
        let mean = components.iter().map(|(value, _)| value).sum::<f64>() / values as f64;
        if mean <= 0.0 {
            return;
        }
        let weights = self.tensor_mut(&kernel);
        for (i, (value, vector)) in components.iter().take(half).enumerate() {
            let scale = 1.0 / (value.max(0.0) + EPSILON * mean).sqrt();
            for (row, v) in weights.chunks_exact_mut(conv.filters).zip(vector) {
                row[i] = (v * scale) as f32;
                row[half + i] = -row[i];
            }
        }
    }
}

/// The mean of `p pᵀ` over all patches `p` inside `images`, row-major.
fn second_moments(conv: &Conv2d, shape: ImageShape, images: &dyn Batch) -> Vec<f64> {
    let n = patch(conv, shape.into());
    let (mut total, mut patches) = (vec![0.0; n * n], 0_u64);
    let ((kernel_rows, kernel_columns), (down, right)) = (conv.kernel.get(), conv.stride.get());
    let mut image = vec![0.0; shape.len()];
    let (mut sums, mut values) = (vec![0.0_f32; n * n], vec![0.0_f32; n]);
    for position in 0..images.len() {
        images.fill(position, &mut image);
        sums.fill(0.0);
        for top in (0..=shape.height - kernel_rows).step_by(down) {
            for left in (0..=shape.width - kernel_columns).step_by(right) {
                let row = |y: usize| ((top + y) * shape.width + left) * shape.channels;
                let length = kernel_columns * shape.channels;
                for (y, part) in values.chunks_exact_mut(length).enumerate() {
                    part.copy_from_slice(&image[row(y)..row(y) + length]);
                }
                add_outer(&values, &mut sums);
                patches += 1;
            }
        }
        // In single precision within an image, in double across them.
        total.iter_mut().zip(&sums).for_each(|(total, &sum)| *total += f64::from(sum));
    }
    total.iter_mut().for_each(|sum| *sum /= patches.max(1) as f64);
    total
}

/// Adds `p pᵀ` to `sums`.
fn add_outer(p: &[f32], sums: &mut [f32]) {
    for (row, &value) in sums.chunks_exact_mut(p.len()).zip(p) {
        row.iter_mut().zip(p).for_each(|(sum, other)| *sum += value * other);
    }
}

/// Eigenvalues and eigenvectors of a symmetric matrix of `n` rows, the largest first, by Jacobi's rotations.
fn eigen(mut matrix: Vec<f64>, n: usize) -> Vec<(f64, Vec<f64>)> {
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    let size: f64 = matrix.iter().map(|v| v * v).sum();
    for _ in 0..MOST_SWEEPS {
        let pairs = || (0..n).flat_map(move |p| (p + 1..n).map(move |q| (p, q)));
        if pairs().map(|(p, q)| matrix[p * n + q].powi(2)).sum::<f64>() <= 1e-24 * size {
            break;
        }
        for (p, q) in pairs() {
            rotate(&mut matrix, &mut vectors, n, (p, q));
        }
    }
    let mut found: Vec<(f64, Vec<f64>)> =
        (0..n).map(|i| (matrix[i * n + i], vectors[i * n..(i + 1) * n].to_vec())).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found
}

/// One rotation, which makes the entry at `(p, q)` zero. The rows of `vectors` turn along.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], n: usize, (p, q): (usize, usize)) {
    let entry = matrix[p * n + q];
    if entry == 0.0 {
        return;
    }
    let theta = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * entry);
    let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    let turn = |values: &mut [f64], i: usize, j: usize| {
        (values[i], values[j]) = (cosine * values[i] - sine * values[j], sine * values[i] + cosine * values[j]);
    };
    for k in 0..n {
        turn(matrix, k * n + p, k * n + q);
    }
    for k in 0..n {
        turn(matrix, p * n + k, q * n + k);
        turn(vectors, p * n + k, q * n + k);
    }
}

#[cfg(test)]
mod tests {
    use glyphnet_kernels::random::{Purpose, Stream};

    use super::*;
    use crate::nn::{Dense, Flatten, Padding, Sequential};

    const SHAPE: ImageShape = ImageShape { height: 9, width: 8, channels: 2 };

    /// Images whose pixels resemble their neighbours.
    struct Images(usize);

    impl Batch for Images {
        fn len(&self) -> usize {
            self.0
        }

        fn fill(&self, position: usize, input: &mut [f32]) {
            let mut random = Stream::new(5, Purpose::Sample, position as u32, 0);
            let mut last = 0.0;
            for value in input {
                last = 0.8 * last + random.unit() - 0.3;
                *value = last as f32;
            }
        }

        fn label(&self, _: usize) -> u32 {
            0
        }
    }

    fn whitening(filters: usize) -> Conv2d {
        Conv2d { stride: 2.into(), initializer: Initializer::Whitening, ..Conv2d::new(filters, (3, 2)) }
    }

    fn built(layers: Sequential) -> Result<Network, String> {
        layers.add(Flatten {}).add(Dense::new(3)).build(SHAPE, 3, 1).map_err(|error| error.to_string())
    }

    #[test]
    fn eigenvectors_are_what_they_are_called() {
        let n = 9;
        let mut random = Stream::new(1, Purpose::Sample, 0, 0);
        let mut matrix = vec![0.0; n * n];
        for (i, j) in (0..n).flat_map(|i| (0..=i).map(move |j| (i, j))) {
            matrix[i * n + j] = random.unit() - 0.5;
            matrix[j * n + i] = matrix[i * n + j];
        }
        let found = eigen(matrix.clone(), n);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for (i, (value, vector)) in found.iter().enumerate() {
            for (row, v) in matrix.chunks(n).zip(vector) {
                assert!((dot(row, vector) - value * v).abs() < 1e-12);
            }
            for (j, (_, other)) in found.iter().enumerate() {
                assert!((dot(vector, other) - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
        assert!(found.windows(2).all(|pair| pair[0].0 >= pair[1].0));
    }

    #[test]
    fn outputs_are_uncorrelated_and_of_variance_one() {
        let (images, filters) = (Images(40), 16);
        let mut network = built(Sequential::new().add(whitening(filters))).unwrap();
        let biases = network.tensor(&network.layers()[0].tensors[1].clone()).to_vec();
        network.whiten(&images);
        let kernel = network.tensor(&network.layers()[0].tensors[0].clone()).to_vec();
        let (mut image, mut products, mut patches) = (vec![0.0_f32; SHAPE.len()], vec![0.0; filters * filters], 0.0);
        for position in 0..images.len() {
            images.fill(position, &mut image);
            for (top, left) in [0, 2, 4, 6].into_iter().flat_map(|top| [0, 2, 4, 6].map(|left| (top, left))) {
                let at = |y: usize, x: usize, c: usize| f64::from(image[((top + y) * 8 + left + x) * 2 + c]);
                let weight = |i: usize, f: usize| f64::from(kernel[i * filters + f]);
                let output = |f| (0..12).map(|i| at(i / 4, i / 2 % 2, i % 2) * weight(i, f)).sum::<f64>();
                let outputs: Vec<f64> = (0..filters).map(output).collect();
                for (product, i) in products.iter_mut().zip(0..) {
                    *product += outputs[i / filters] * outputs[i % filters];
                }
                patches += 1.0;
            }
        }
        let half = filters / 2;
        let mean = |i: usize, j: usize| products[i * filters + j] / patches;
        for (i, j) in (0..half).flat_map(|i| (0..half).map(move |j| (i, j))) {
            // A component of a variance near the mean one loses a hundredth of it; those behind it lose more.
            let expected = if i == j { 0.7..1.0 } else { -1e-4..1e-4 };
            assert!(expected.contains(&mean(i, j)), "{i}, {j}: {}", mean(i, j));
            assert!((mean(i, j + half) + mean(i, j)).abs() < 1e-6);
        }
        assert!(mean(0, 0) > 0.99);
        assert_eq!(network.tensor(&network.layers()[0].tensors[1].clone()), biases);
    }

    #[test]
    fn black_images_change_nothing() {
        struct Black;
        impl Batch for Black {
            fn len(&self) -> usize {
                3
            }
            fn fill(&self, _: usize, input: &mut [f32]) {
                input.fill(0.0);
            }
            fn label(&self, _: usize) -> u32 {
                0
            }
        }
        let mut network = built(Sequential::new().add(whitening(4))).unwrap();
        let before = network.clone();
        network.whiten(&Black);
        assert_eq!(network, before);
    }

    #[test]
    fn only_a_first_convolution_can_start_from_images() {
        let refused = |layers: Sequential, says: &str| {
            let error = built(layers).unwrap_err();
            assert!(error.contains(says), "{error}");
        };
        let first = || Sequential::new().add(Conv2d::new(4, 3));
        refused(first().add(whitening(4)), "layer 2 (conv2d) initializer must be");
        let dense = Dense { initializer: Initializer::Whitening, ..Dense::new(4) };
        refused(Sequential::new().add(Flatten {}).add(dense), "layer 2 (dense) initializer must be");
        refused(Sequential::new().add(whitening(5)), "layer 1 (conv2d) filters must be even");
        refused(Sequential::new().add(whitening(26)), "layer 1 (conv2d) filters must be even");
        let large = Conv2d { kernel: (10, 2).into(), ..whitening(4) }.padding(Padding::Explicit((1, 0).into()));
        refused(Sequential::new().add(large), "layer 1 (conv2d) kernel must be no larger than the image");
        assert!(built(Sequential::new().add(whitening(24))).is_ok());
    }
}
