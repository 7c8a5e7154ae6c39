//! How close the convolutions come to what the CPU can do: floating-point operations per second of each kernel, in
//! operations of the direct sum, as a share of the peak of fused multiply-adds, on one thread.
//!
//!     cargo run --release --package glyphnet-kernels --example peak [-- --simd NAME] [--repeats N]
//!
//! The peak is measured by multiply-adds on registers alone, in turns with the kernels of each convolution; the largest
//! counts, and the least shows how steady the clock was. Every figure is a median. Above 100 % is possible: Winograd's algorithm needs fewer operations than
//! are counted.

#[path = "../benches/common/mod.rs"]
mod common;

use std::cell::RefCell;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use common::{Convolution, Kernel, convolutions, name};
use glyphnet_kernels::{ConvShape, Isa};
use pulp::{Simd, WithSimd};

/// Seconds that one timed span should take: long against the clock's resolution, short against a time slice.
const SPAN: f64 = 1e-3;
/// Independent chains of multiply-adds: more than latency times units of any CPU so far (4 x 2), and few enough for
/// the 16 registers of AVX2.
const CHAINS: usize = 12;

/// `rounds` multiply-adds on each of the chains.
struct MultiplyAdds {
    rounds: usize,
}

impl WithSimd for MultiplyAdds {
    type Output = f32;

    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "closures would not be compiled for the instruction set")]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (factor, term) = (simd.splat_f32s(black_box(0.999)), simd.splat_f32s(black_box(1e-3)));
        let mut chains = [simd.splat_f32s(1.0); CHAINS];
        for _ in 0..self.rounds {
            for i in 0..CHAINS {
                chains[i] = simd.mul_add_e_f32s(chains[i], factor, term);
            }
        }
        let mut sum = chains[0];
        for i in 1..CHAINS {
            sum = simd.add_f32s(sum, chains[i]);
        }
        simd.reduce_sum_f32s(sum)
    }
}

/// Runs the multiply-adds on `isa`.
fn multiply_adds(isa: Isa, rounds: usize) {
    let work = MultiplyAdds { rounds };
    #[cfg(target_arch = "x86_64")]
    let sum = match (isa.name(), pulp::x86::V4::try_new(), pulp::x86::V3::try_new()) {
        ("avx512", Some(simd), _) => Simd::vectorize(simd, work),
        ("avx2", _, Some(simd)) => Simd::vectorize(simd, work),
        _ => Simd::vectorize(pulp::Scalar, work),
    };
    #[cfg(target_arch = "aarch64")]
    let sum = match (isa.name(), pulp::aarch64::Neon::try_new()) {
        ("neon", Some(simd)) => Simd::vectorize(simd, work),
        _ => Simd::vectorize(pulp::Scalar, work),
    };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let sum = Simd::vectorize(pulp::Scalar, work);
    black_box(sum);
}

fn seconds(work: &mut dyn FnMut(), times: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        work();
    }
    start.elapsed().as_secs_f64() / times as f64
}

/// The medians of several kinds of work, timed in turns.
fn medians(mut works: Vec<Box<dyn FnMut() + '_>>, repeats: usize) -> Vec<f64> {
    let times: Vec<usize> = works
        .iter_mut()
        .map(|work| {
            seconds(work, 1);
            (SPAN / seconds(work, 3)).ceil() as usize
        })
        .collect();
    let mut spans = vec![Vec::new(); works.len()];
    for _ in 0..repeats {
        for ((work, &times), spans) in works.iter_mut().zip(&times).zip(&mut spans) {
            spans.push(seconds(work, times));
        }
    }
    spans.iter_mut().for_each(|spans| spans.sort_by(f64::total_cmp));
    spans.iter().map(|spans| spans[spans.len() / 2]).collect()
}

/// What one convolution was measured at: operations per second of each kernel that fits, and of the multiply-adds that
/// took turns with them.
struct Rates {
    shape: ConvShape,
    kernels: Vec<(Kernel, f64)>,
    peak: f64,
}

fn measure(isa: Isa, shape: ConvShape, repeats: usize) -> Rates {
    const ROUNDS: usize = 10_000;
    let convolution = RefCell::new(Convolution::new(isa, &shape));
    let kernels: Vec<Kernel> = Kernel::ALL.into_iter().filter(|kernel| kernel.fits(&shape)).collect();
    let mut works: Vec<Box<dyn FnMut()>> = vec![Box::new(|| multiply_adds(isa, ROUNDS))];
    for &kernel in &kernels {
        let convolution = &convolution;
        works.push(Box::new(move || convolution.borrow_mut().run(kernel)));
    }
    let times = medians(works, repeats);
    let peak = (2 * ROUNDS * CHAINS * isa.lanes()) as f64 / times[0];
    let flops = convolution.borrow().flops() as f64;
    Rates { shape, kernels: kernels.into_iter().zip(&times[1..]).map(|(k, time)| (k, flops / time)).collect(), peak }
}

/// `| convolution | GFLOP/s (share of the peak) | ... |`
fn row(rates: &Rates, peak: f64) -> String {
    let cells = Kernel::ALL.map(|kernel| {
        let rate = rates.kernels.iter().find(|(k, _)| *k == kernel);
        rate.map_or(String::new(), |(_, rate)| format!("{:.0} ({:.0} %)", rate / 1e9, 100.0 * rate / peak))
    });
    format!("| {} | {} |", name(&rates.shape), cells.join(" | "))
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut isa, mut repeats) = (Isa::detect(), 101);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--simd" => isa = value.parse()?,
            "--repeats" => repeats = value.parse::<usize>()?.max(1),
            _ => return Err(format!("unknown option {option}: there are --simd and --repeats").into()),
        }
    }
    let header = Kernel::ALL.map(Kernel::name);
    println!("| convolution | {} |", header.join(" | "));
    println!("|---|{}", "---|".repeat(header.len()));
    let all: Vec<Rates> = convolutions().into_iter().map(|shape| measure(isa, shape, repeats)).collect();
    let lowest = all.iter().map(|rates| rates.peak).fold(f64::INFINITY, f64::min);
    let peak = all.iter().map(|rates| rates.peak).fold(0.0, f64::max);
    all.iter().for_each(|rates| println!("{}", row(rates, peak)));
    println!();
    println!("GFLOP/s of one thread on {isa}, counted as direct sums; in brackets the share of the peak of fused");
    println!("multiply-adds, {:.0} GFLOP/s ({:.0} at the least, in turns with the kernels).", peak / 1e9, lowest / 1e9);
    Ok(())
}
