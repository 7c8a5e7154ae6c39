//! Convolutions at the shapes of the recipes: each kernel, the packing of weights, and the backward pass behind relu
//! and max-pooling. Throughput is in floating-point operations of the direct sum.
//!
//!     cargo bench --package glyphnet-kernels --bench convolution [-- FILTER]

mod common;

use std::time::Duration;

use common::{Convolution, Kernel, convolutions, name, values};
use criterion::{BenchmarkId, Criterion, Throughput};
use glyphnet_kernels::{
    Buffer, ConvPool, ConvShape, ForwardWeights, GradientWeights, Isa, PoolShape, Pooled, PooledGradients,
    PooledWeights, WinogradWeights, add_filter_major, conv_forward, max_pool_forward, pooled_gradients, winograd_fits,
};

/// Each kernel of each convolution, on a chunk of samples.
fn kernels(c: &mut Criterion, isa: Isa) {
    for kernel in Kernel::ALL {
        let mut group = c.benchmark_group(kernel.name());
        for shape in convolutions().iter().filter(|shape| kernel.fits(shape)) {
            let mut convolution = Convolution::new(isa, shape);
            group.throughput(Throughput::Elements(convolution.flops()));
            group.bench_function(BenchmarkId::from_parameter(name(shape)), |b| b.iter(|| convolution.run(kernel)));
        }
        group.finish();
    }
}

/// What every step does with changed weights before it can use them, and with a gradient that was gathered by filter.
fn packing(c: &mut Criterion, isa: Isa) {
    let mut group = c.benchmark_group("pack");
    for shape in &convolutions() {
        let weights = values(1, shape.weights_len());
        let (mut forward, mut gradient) = (ForwardWeights::new(isa, shape), GradientWeights::new(isa, shape));
        group.bench_function(BenchmarkId::new("forward", name(shape)), |b| b.iter(|| forward.pack(&weights)));
        group.bench_function(BenchmarkId::new("gradient", name(shape)), |b| b.iter(|| gradient.pack(&weights)));
        if winograd_fits(shape) {
            let mut winograd = WinogradWeights::new(isa, shape);
            group.bench_function(BenchmarkId::new("winograd", name(shape)), |b| b.iter(|| winograd.pack(&weights)));
            let mut turned = WinogradWeights::for_input_gradient(isa, shape);
            group.bench_function(BenchmarkId::new("winograd gradient", name(shape)), |b| {
                b.iter(|| turned.pack(&weights))
            });
        }
    }
    let shape = convolutions()[1];
    let (gathered, mut gradient) = (values(2, shape.weights_len()), Buffer::new(shape.weights_len()));
    group.bench_function(BenchmarkId::new("add filter-major", name(&shape)), |b| {
        b.iter(|| add_filter_major(&shape, &gathered, &mut gradient));
    });
    group.finish();
}

/// One sample behind convolution, relu and 2x2 max-pooling.
struct Sample {
    shape: ConvPool,
    x: Buffer,
    y: Buffer,
    dy: Buffer,
    argmax: Vec<u32>,
}

impl Sample {
    /// `live` is the share of windows that have a gradient; training keeps 14 to 23 in a hundred.
    fn new(isa: Isa, shape: &ConvShape, live: f64) -> Sample {
        let (height, width) = (shape.out_height(), shape.out_width());
        let pool = PoolShape { height, width, channels: shape.filters, window: (2, 2), stride: (2, 2), pad: shape.pad };
        let (x, mut z) = (values(1, shape.input_len()), Buffer::new(shape.output_len()));
        let (mut forward, mut scratch) = (ForwardWeights::new(isa, shape), Buffer::new(shape.forward_scratch_len()));
        forward.pack(&values(2, shape.weights_len()));
        conv_forward(isa, shape, &x, &forward, &[], true, &mut z, &mut scratch);
        let (mut y, mut argmax) = (Buffer::new(pool.output_len()), vec![0; pool.output_len()]);
        max_pool_forward(isa, &pool, &z, &mut y, &mut argmax);
        for (y, draw) in y.iter_mut().zip(&*values(3, pool.output_len())) {
            *y = if f64::from(*draw) < 2.0 * live - 1.0 { 1.0 } else { 0.0 };
        }
        Sample { shape: ConvPool { conv: *shape, pool, relu: true }, dy: values(4, y.len()), x, y, argmax }
    }
}

/// The gradients that follow only the pixels that won, at the one place of the recipes that has them.
fn behind_a_pool(c: &mut Criterion, isa: Isa) {
    let shape = convolutions()[1];
    let mut group = c.benchmark_group("behind relu and max-pool");
    group.throughput(Throughput::Elements(2 * shape.macs()));
    for live in [0.14, 0.23, 1.0] {
        let sample = Sample::new(isa, &shape, live);
        let pooled = Pooled { y: &sample.y, dy: &sample.dy, argmax: &sample.argmax };
        let both = &sample.shape;
        let (mut scratch, mut indices) = (Buffer::new(both.scratch_len()), vec![0; both.indices_len()]);
        let (mut gathered, mut db) = (Buffer::new(shape.weights_len()), Buffer::new(shape.filters));
        let (mut weights, mut dx) = (PooledWeights::new(isa, both), Buffer::new(shape.input_len()));
        weights.pack(&values(2, shape.weights_len()));
        for (name, with_input) in [("weight gradient", false), ("both gradients", true)] {
            group.bench_function(BenchmarkId::new(name, live), |b| {
                b.iter(|| {
                    let dx = with_input.then_some((&weights, &mut dx[..]));
                    let gradients = PooledGradients { gathered: &mut gathered, db: &mut db, dx };
                    pooled_gradients(isa, both, &sample.x, pooled, gradients, &mut scratch, &mut indices);
                });
            });
        }
    }
    group.finish();
}

fn main() {
    let mut criterion =
        Criterion::default().measurement_time(Duration::from_secs(2)).sample_size(50).configure_from_args();
    let isa = Isa::detect();
    kernels(&mut criterion, isa);
    packing(&mut criterion, isa);
    behind_a_pool(&mut criterion, isa);
    criterion.final_summary();
}
