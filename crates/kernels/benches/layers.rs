//! Everything but convolutions at the shapes of the recipes: dense layers, batch norm, pooling, softmax and loss,
//! optimizer updates. Throughput is in floating-point operations for dense layers, in values elsewhere.
//!
//!     cargo bench --package glyphnet-kernels --bench layers [-- FILTER]

mod common;

use std::time::Duration;

use common::{SAMPLES, values};
use criterion::{BenchmarkId, Criterion, Throughput};
use glyphnet_kernels::{
    Adam, Buffer, DenseShape, DenseWeights, Isa, LossOptions, Moments, Pad, PoolShape, RmsProp, Sgd, adam_update,
    avg_pool_backward, avg_pool_forward, batch_norm_backward, batch_norm_backward_sums, dense_forward,
    dense_input_gradient, dense_weight_gradient, max_pool_backward, max_pool_forward, rmsprop_update, scale_shift,
    sgd_update, softmax_cross_entropy, softmax_rows,
};

/// The dense layers of the reference and of the deep network, and a wide one.
fn dense(c: &mut Criterion, isa: Isa) {
    let mut group = c.benchmark_group("dense");
    for (inputs, units) in [(4608, 10), (1024, 128), (128, 10), (1568, 256)] {
        let shape = DenseShape { inputs, units };
        let name = format!("{inputs} -> {units}");
        let (weights, bias) = (values(1, inputs * units), values(2, units));
        let (x, dy) = (values(3, SAMPLES * inputs), values(4, SAMPLES * units));
        let (mut y, mut dx) = (Buffer::new(dy.len()), Buffer::new(x.len()));
        let (mut dw, mut db) = (Buffer::new(weights.len()), Buffer::new(units));
        let (mut forward, mut gradient) = (DenseWeights::forward(isa, &shape), DenseWeights::gradient(isa, &shape));
        forward.pack_forward(&weights);
        gradient.pack_gradient(&weights);
        group.throughput(Throughput::Elements((2 * SAMPLES * inputs * units) as u64));
        group.bench_function(BenchmarkId::new("forward", &name), |b| {
            b.iter(|| dense_forward(isa, &shape, &x, &forward, &bias, true, &mut y));
        });
        group.bench_function(BenchmarkId::new("input gradient", &name), |b| {
            b.iter(|| dense_input_gradient(isa, &shape, &dy, &gradient, &mut dx));
        });
        group.bench_function(BenchmarkId::new("weight gradient", &name), |b| {
            b.iter(|| dense_weight_gradient(isa, &shape, &x, &dy, &mut dw, &mut db));
        });
    }
    group.finish();
}

/// Batch norm in training, at the widest and the narrowest layer of the deep network.
fn batch_norm(c: &mut Criterion, isa: Isa) {
    let mut group = c.benchmark_group("batch norm");
    for (side, channels) in [(26, 32), (8, 64), (1, 128)] {
        let name = format!("{side}x{side}x{channels}");
        let (x, dy) = (values(1, SAMPLES * side * side * channels), values(2, SAMPLES * side * side * channels));
        let (mut y, mut dx) = (Buffer::new(x.len()), Buffer::new(x.len()));
        let [scale, shift, mean, inv_std] = [3, 4, 5, 6].map(|tag| values(tag, channels));
        let (mut dgamma, mut dbeta) = (Buffer::new(channels), Buffer::new(channels));
        let mut moments = Moments::new(channels);
        group.throughput(Throughput::Elements(x.len() as u64));
        group.bench_function(BenchmarkId::new("moments", &name), |b| b.iter(|| moments.accumulate(isa, &x)));
        group.bench_function(BenchmarkId::new("normalise", &name), |b| {
            b.iter(|| scale_shift(isa, channels, &x, &scale, &shift, &mut y));
        });
        group.bench_function(BenchmarkId::new("backward sums", &name), |b| {
            b.iter(|| batch_norm_backward_sums(isa, channels, &x, &dy, &mean, &inv_std, &mut dgamma, &mut dbeta));
        });
        let (count, totals) = ((SAMPLES * side * side) as f32, [values(7, channels), values(8, channels)]);
        group.bench_function(BenchmarkId::new("backward", &name), |b| {
            b.iter(|| {
                let [dgamma, dbeta] = &totals;
                batch_norm_backward(isa, channels, &x, &dy, &mean, &inv_std, &scale, dgamma, dbeta, count, &mut dx);
            });
        });
    }
    group.finish();
}

/// 2x2 pooling behind the reference network's second convolution.
fn pool(c: &mut Criterion, isa: Isa) {
    let shape = PoolShape { height: 24, width: 24, channels: 32, window: (2, 2), stride: (2, 2), pad: Pad::NONE };
    let (x, dy) = (values(1, SAMPLES * shape.input_len()), values(2, SAMPLES * shape.output_len()));
    let (mut y, mut dx, mut argmax) = (Buffer::new(dy.len()), Buffer::new(x.len()), vec![0; dy.len()]);
    let mut group = c.benchmark_group("pool 24x24x32, 2x2");
    group.throughput(Throughput::Elements(x.len() as u64));
    group.bench_function("max forward", |b| b.iter(|| max_pool_forward(isa, &shape, &x, &mut y, &mut argmax)));
    group.bench_function("max backward", |b| b.iter(|| max_pool_backward(isa, &shape, &dy, &argmax, &mut dx)));
    group.bench_function("average forward", |b| b.iter(|| avg_pool_forward(isa, &shape, &x, &mut y)));
    group.bench_function("average backward", |b| b.iter(|| avg_pool_backward(isa, &shape, &dy, &mut dx)));
    group.finish();
}

/// The end of a step: 32 samples, 10 classes.
fn softmax(c: &mut Criterion, isa: Isa) {
    let (samples, classes) = (32, 10);
    let mut logits = values(1, samples * classes);
    let mut gradient = Buffer::new(logits.len());
    let labels: Vec<u32> = (0..samples as u32).map(|i| i % classes as u32).collect();
    let options = LossOptions::default();
    let mut group = c.benchmark_group("32 samples of 10 classes");
    group.throughput(Throughput::Elements(logits.len() as u64));
    group.bench_function("cross-entropy", |b| {
        b.iter(|| softmax_cross_entropy(isa, classes, &logits, &labels, &options, 1.0 / 32.0, &mut gradient, None));
    });
    group.bench_function("softmax", |b| b.iter(|| softmax_rows(isa, classes, &mut logits)));
    group.finish();
}

/// One update of all weights of the reference network. The gradient is tiny, so that the weights stay finite.
fn optimizers(c: &mut Criterion, isa: Isa) {
    const WEIGHTS: usize = 65_194;
    let mut weights = values(1, WEIGHTS);
    let mut gradient = values(2, WEIGHTS);
    gradient.iter_mut().for_each(|g| *g *= 1e-3);
    let (mut first, mut second) = (Buffer::new(WEIGHTS), Buffer::new(WEIGHTS));
    let mut group = c.benchmark_group("update of 65,194 weights");
    group.throughput(Throughput::Elements(WEIGHTS as u64));
    let sgd = Sgd { learning_rate: 1e-6, momentum: 0.9, nesterov: true, weight_decay: 0.0 };
    group.bench_function("sgd, nesterov", |b| b.iter(|| sgd_update(isa, &sgd, &mut weights, &gradient, &mut first)));
    let rmsprop = RmsProp { learning_rate: 1e-6, rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: false };
    group.bench_function("rmsprop", |b| {
        b.iter(|| rmsprop_update(isa, &rmsprop, &mut weights, &gradient, &mut second, &mut [], &mut []));
    });
    let adam = Adam { learning_rate: 1e-6, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0, step: 1000 };
    first.fill(0.0);
    group.bench_function("adam", |b| {
        b.iter(|| adam_update(isa, &adam, &mut weights, &gradient, &mut first, &mut second));
    });
    group.finish();
}

fn main() {
    let mut criterion =
        Criterion::default().measurement_time(Duration::from_secs(2)).sample_size(50).configure_from_args();
    let isa = Isa::detect();
    dense(&mut criterion, isa);
    batch_norm(&mut criterion, isa);
    pool(&mut criterion, isa);
    softmax(&mut criterion, isa);
    optimizers(&mut criterion, isa);
    criterion.final_summary();
}
