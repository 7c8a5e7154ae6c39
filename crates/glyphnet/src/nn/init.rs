//! Initial weights: Keras's initializers, drawn from counter-based streams.

use glyphnet_kernels::random::{Purpose, Stream};

use super::Initializer;
use super::layer::Start;

/// The standard deviation of a standard normal cut at two deviations, by which Keras divides.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// Fills one tensor. `tensor` is its number in the network, so that each tensor has a stream of its own.
pub(super) fn fill(start: Start, seed: u64, tensor: u32, out: &mut [f32]) {
    match start {
        Start::Zeros => out.fill(0.0),
        Start::Ones => out.fill(1.0),
        Start::Random(initializer, fan_in, fan_out) => {
            let mut stream = Stream::new(seed, Purpose::Initialise, tensor, 0);
            let (fan_in, fan_out) = (fan_in.max(1) as f64, fan_out.max(1) as f64);
            match initializer {
                Initializer::GlorotUniform | Initializer::Whitening => {
                    uniform(&mut stream, (6.0 / (fan_in + fan_out)).sqrt(), out);
                }
                Initializer::HeUniform => uniform(&mut stream, (6.0 / fan_in).sqrt(), out),
                Initializer::GlorotNormal => normal(&mut stream, (2.0 / (fan_in + fan_out)).sqrt(), out),
                Initializer::HeNormal => normal(&mut stream, (2.0 / fan_in).sqrt(), out),
            }
        }
    }
}

fn uniform(stream: &mut Stream, limit: f64, out: &mut [f32]) {
    out.iter_mut().for_each(|w| *w = stream.uniform(-limit, limit) as f32);
}

/// Normal, redrawn where it lies beyond two deviations, with the deviation asked for after the cut.
fn normal(stream: &mut Stream, deviation: f64, out: &mut [f32]) {
    for w in out {
        let z = loop {
            // Box-Muller; `1 - unit` keeps the logarithm away from zero.
            let radius = (-2.0 * libm::log(1.0 - stream.unit())).sqrt();
            let z = radius * libm::cos(std::f64::consts::TAU * stream.unit());
            if z.abs() <= 2.0 {
                break z;
            }
        };
        *w = (z * deviation / TRUNCATED_DEVIATION) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(initializer: Initializer, fan_in: usize, fan_out: usize) -> (f64, f64, f64) {
        let mut w = vec![0.0; 40_000];
        fill(Start::Random(initializer, fan_in, fan_out), 3, 1, &mut w);
        let n = w.len() as f64;
        let mean = w.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = w.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        (mean, variance, w.iter().fold(0.0, |m, &v| f64::max(m, f64::from(v).abs())))
    }

    #[test]
    fn variances_and_limits_are_those_of_the_papers() {
        for (initializer, variance) in [
            (Initializer::GlorotUniform, 2.0_f64 / 400.0),
            (Initializer::GlorotNormal, 2.0 / 400.0),
            (Initializer::HeUniform, 2.0 / 100.0),
            (Initializer::HeNormal, 2.0 / 100.0),
        ] {
            let (mean, got, largest) = moments(initializer, 100, 300);
            let deviation = variance.sqrt();
            // Four standard errors of 40,000 draws.
            assert!(mean.abs() < 4.0 * deviation / 200.0, "{initializer:?}: mean {mean}");
            assert!((got / variance - 1.0).abs() < 0.03, "{initializer:?}: variance {got}, not {variance}");
            let limit = match initializer {
                Initializer::GlorotUniform | Initializer::HeUniform => 3.0_f64.sqrt(),
                _ => 2.0 / TRUNCATED_DEVIATION,
            };
            assert!(largest <= limit * deviation * (1.0 + 1e-6), "{initializer:?}: {largest} is beyond the cut");
        }
    }
}
