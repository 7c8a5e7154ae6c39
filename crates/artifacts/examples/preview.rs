//! Draws every kind of picture from made-up figures, to be looked at.
//!
//! ```text
//! cargo run --package glyphnet-artifacts --example preview -- DIR
//! ```

#![allow(clippy::unwrap_used, reason = "made-up figures can be drawn")]

use glyphnet::analysis::{Analysis, Calibration};
use glyphnet::train::history::EpochRecord;
use glyphnet_artifacts::pictures::*;
use glyphnet_data::ImageShape;
use glyphnet_data::augment::{AugmentConfig, Augmenter};
use std::time::Instant;

fn noise(n: u64) -> f64 {
    let mut x = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 31;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 29;
    (x % 10_000) as f64 / 10_000.0
}

fn history(n: u32, val: bool, seed: u64, step: bool) -> Vec<EpochRecord> {
    (1..=n)
        .map(|e| {
            let f = 1.0 / f64::from(e).powf(0.7);
            let j = |k: u64| (noise(u64::from(e) * 7 + k + seed * 1000) - 0.5) * 0.1;
            EpochRecord {
                epoch: e,
                train_loss: (0.02 + 0.32 * f) * (1.0 + j(1)),
                train_accuracy: 0.995 - 0.1 * f * (1.0 + j(2)),
                val_loss: val.then_some((0.035 + 0.05 * f) * (1.0 + 2.0 * j(3))),
                val_accuracy: val.then_some(0.99 - 0.017 * f * (1.0 + 2.0 * j(4))),
                learning_rate: if step { 0.001 * 0.1_f32.powi((e * 4 / (n + 1)) as i32) } else { 0.001 },
                seconds: 1.0,
            }
        })
        .collect()
}

fn confusion_of(n: usize, per: u64, wrong: f64) -> Vec<u64> {
    let mut c = vec![0; n * n];
    for t in 0..n {
        let mut left = per;
        for p in 0..n {
            let x = noise((t * n + p) as u64);
            if t != p && x < 0.25 {
                let k = ((x * 4.0).powi(3) * wrong * per as f64) as u64;
                let k = k.min(left);
                c[t * n + p] = k;
                left -= k;
            }
        }
        c[t * n + t] = left;
    }
    c
}

/// Of ten classes: for each group its images, how sure they are and how many of them are right.
fn calibration_of(groups: &[(usize, f32, f64)]) -> Calibration {
    let (mut labels, mut probabilities) = (Vec::new(), Vec::new());
    for &(images, sure, right) in groups {
        labels.extend((0..images).map(|image| u32::from(image as f64 >= right * images as f64)));
        probabilities.extend((0..images).flat_map(|_| (0..10).map(|c| if c == 0 { sure } else { (1.0 - sure) / 9.0 })));
    }
    Analysis::new(&labels, &probabilities, 10).unwrap().calibration
}

fn main() {
    let out = std::env::args().nth(1).unwrap();
    let save = |name: &str, f: &dyn Fn() -> Vec<u8>| {
        let t = Instant::now();
        let b = f();
        println!("{name}: {:.1} ms, {} bytes", t.elapsed().as_secs_f64() * 1e3, b.len());
        std::fs::write(format!("{out}/{name}.png"), b).unwrap();
    };
    save("curves-1", &|| curves("seed-1", &history(1, true, 0, false), 1).unwrap());
    save("curves-1-noval", &|| curves("seed-1", &history(1, false, 0, false), 1).unwrap());
    save("curves-12", &|| curves("seed-1", &history(12, true, 0, false), 9).unwrap());
    save("curves-500", &|| curves("seed-7", &history(500, true, 0, true), 431).unwrap());
    for (count, length, plain) in
        [(2, 12, false), (2, 1, false), (5, 12, false), (5, 100, false), (8, 100, true), (9, 30, false)]
    {
        let all: Vec<Vec<EpochRecord>> = (0..count)
            .map(|k| history(length - (k as u32 * length / 40), !(plain && k == 2), 17 * k + 3, false))
            .collect();
        let names: Vec<String> = (1..=count).map(|k| format!("seed-{k}")).collect();
        let runs: Vec<ComparedRun<'_>> = names
            .iter()
            .zip(&all)
            .map(|(name, epochs)| ComparedRun { name, epochs, best_epoch: (epochs.len() as u32 * 4 / 5).max(1) })
            .collect();
        save(&format!("compare-{count}-{length}"), &|| {
            compare(&runs, count as usize, "those with the highest validation accuracy").unwrap()
        });
    }
    let s = Subject { split: "validation", run: "seed-1" };
    let digits: Vec<String> = (0..10).map(|d| d.to_string()).collect();
    save("confusion-10", &|| confusion(&s, &digits, &confusion_of(10, 600, 0.02)).unwrap());
    let fashion: Vec<String> =
        ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
            .map(String::from)
            .to_vec();
    save("confusion-fashion", &|| confusion(&s, &fashion, &confusion_of(10, 1000, 0.2)).unwrap());
    let three: Vec<String> = ["cat", "dog", "owl"].map(String::from).to_vec();
    save("confusion-3", &|| confusion(&s, &three, &confusion_of(3, 100, 0.2)).unwrap());
    save("confusion-2", &|| {
        confusion(&s, &["a class name that is forty letters long!".to_owned(), "no".to_owned()], &[900, 3, 0, 33])
            .unwrap()
    });
    let many: Vec<String> = (0..47)
        .map(|c| match c {
            0..=9 => c.to_string(),
            c => format!("letter {} with a long name", (b'A' + (c - 10) as u8) as char)
                .chars()
                .take(8 + (c * 7 % 32))
                .collect(),
        })
        .collect();
    save("confusion-47", &|| confusion(&s, &many, &confusion_of(47, 400, 0.05)).unwrap());
    let mnist: Vec<(usize, f32, f64)> = (0..13)
        .map(|k| ([3, 1, 4, 6, 9, 12, 15, 18, 25, 31, 48, 92, 5740][k], 0.23 + k as f32 / 15.6, 0.2 + k as f64 / 15.1))
        .collect();
    save("reliability-mnist", &|| reliability(&s, &calibration_of(&mnist)).unwrap());
    let fashion_like: Vec<(usize, f32, f64)> =
        (0..12).map(|k| (90 + 41 * k * k * k / 12, 0.3 + k as f32 / 16.0, 0.2 + k as f64 / 16.0)).collect();
    save("reliability-fashion", &|| reliability(&s, &calibration_of(&fashion_like)).unwrap());
    let few = calibration_of(&[(1, 0.4, 1.0), (2, 0.7, 0.5), (4, 0.95, 1.0)]);
    save("reliability-few", &|| reliability(&s, &few).unwrap());
    save("reliability-sure", &|| reliability(&s, &calibration_of(&[(10_000, 1.0, 0.97)])).unwrap());
    let shape = ImageShape::new(64, 64, 3);
    let px: Vec<Vec<u8>> = (0..24)
        .map(|k| (0..64 * 64 * 3).map(|i| ((i / 192 * (k + 1) + i % 192 * 2 + i % 3 * 60) % 256) as u8).collect())
        .collect();
    let wrong: Vec<WrongImage<'_>> = px
        .iter()
        .enumerate()
        .map(|(k, p)| WrongImage {
            pixels: p,
            label: k as u32 % 10,
            predicted: (k as u32 + 3) % 10,
            probability: 0.99999 - k as f32 * 0.02,
        })
        .collect();
    save("errors", &|| errors(&s, &fashion, shape, &wrong, (160, 6000)).unwrap());
    let longn = vec!["a class name that is forty letters long!".to_owned(); 10];
    save("errors-long", &|| errors(&s, &longn, shape, &wrong[..3], (3, 6000)).unwrap());
    save("errors-none", &|| errors(&s, &longn, shape, &[], (0, 6000)).unwrap());
    let aug = Augmenter::new(
        &AugmentConfig { rotation: 10.0, zoom: 0.1, width_shift: 0.1, height_shift: 0.1, ..Default::default() },
        shape,
        0,
        glyphnet_kernels::Isa::detect(),
    )
    .unwrap();
    let orig: Vec<Original<'_>> =
        px.iter().take(6).enumerate().map(|(k, p)| Original { row: k as u32, pixels: p, label: &fashion[k] }).collect();
    save("augmentation", &|| augmentation("seed-1", &aug, &orig).unwrap());
}
