//! Golden tensors of `parity/golden/*.safetensors`; the scripts in `parity/` say what they hold.

use std::collections::HashMap;
use std::path::Path;

use glyphnet_data::ImageShape;
use safetensors::SafeTensors;
use serde::de::DeserializeOwned;

/// What `max|a - b| / max|b|` may be.
pub(crate) const TOLERANCE: f64 = 1e-4;

/// A file of golden tensors.
pub(crate) struct Golden {
    /// JSON.
    cases: String,
    tensors: HashMap<String, GoldenTensor>,
}

/// One tensor.
#[derive(Clone)]
pub(crate) struct GoldenTensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Golden {
    pub(crate) fn open(file: &str) -> Golden {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../parity/golden").join(file);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let cases = header.metadata().as_ref().unwrap()["cases"].clone();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
            (name.to_owned(), GoldenTensor { shape: view.shape().to_vec(), values })
        });
        Golden { cases, tensors: tensors.collect() }
    }

    /// The descriptions of the cases, from the header's metadata.
    pub(crate) fn cases<T: DeserializeOwned>(&self) -> Vec<T> {
        serde_json::from_str(&self.cases).unwrap()
    }

    /// A tensor of a case, if the case has it.
    pub(crate) fn find(&self, case: &str, name: &str) -> Option<GoldenTensor> {
        self.tensors.get(&format!("{case}/{name}")).cloned()
    }

    /// A tensor that the case must have.
    pub(crate) fn get(&self, case: &str, name: &str) -> GoldenTensor {
        self.find(case, name).unwrap_or_else(|| panic!("there is no golden tensor {case}/{name}"))
    }
}

impl GoldenTensor {
    /// The shape of the images in a tensor `N x H x W x C`.
    pub(crate) fn image_shape(&self) -> ImageShape {
        let [_, height, width, channels] = self.shape[..] else { panic!("not images: {:?}", self.shape) };
        ImageShape { height, width, channels }
    }
}

/// Collects what differs, so that one run shows all of it.
#[derive(Default)]
pub(crate) struct Differences {
    compared: usize,
    found: Vec<String>,
}

impl Differences {
    /// Compares by `max|a - b| / max|b| <= TOLERANCE`.
    pub(crate) fn compare(&mut self, what: impl FnOnce() -> String, found: &[f32], golden: &[f32]) {
        self.compared += 1;
        if found.len() != golden.len() {
            self.found.push(format!("{}: {} values instead of {}", what(), found.len(), golden.len()));
            return;
        }
        let largest = golden.iter().fold(0.0, |m: f64, v| m.max(f64::from(*v).abs()));
        let distances = found.iter().zip(golden).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
        // `max` drops NaN, so NaN is counted as infinitely far.
        let distance = distances.fold(0.0, |m: f64, d| m.max(if d.is_nan() { f64::INFINITY } else { d }));
        if distance > TOLERANCE * largest.max(f64::from(f32::MIN_POSITIVE)) {
            self.found.push(format!("{}: off by {distance:.3e}, the largest value is {largest:.3e}", what()));
        }
    }

    /// Notes a difference of another kind.
    pub(crate) fn note(&mut self, what: String) {
        self.found.push(what);
    }

    /// # Panics
    /// If anything differed, or fewer than `least` tensors were compared.
    pub(crate) fn check(self, least: usize) {
        assert!(self.found.is_empty(), "{} differences:\n{}", self.found.len(), self.found.join("\n"));
        assert!(self.compared >= least, "only {} tensors were compared", self.compared);
    }
}
