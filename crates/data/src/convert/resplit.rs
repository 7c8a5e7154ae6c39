//! All images of a source, shuffled and split anew.

use glyphnet_kernels::random::{Purpose, Stream};

use crate::error::DataError;
use crate::source::{Part, Source};
use crate::types::{Dataset, Images};

/// Asks for all labelled images to be shuffled and split anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resplit {
    /// How many images each split gets: train; train and test; or train, validation and test.
    pub sizes: Vec<usize>,
    /// Which shuffle; the same seed gives the same splits.
    pub seed: u64,
}

impl Resplit {
    /// The source with new splits; notes what is left over.
    pub(super) fn apply(&self, source: &Source, notes: &mut Vec<String>) -> Result<Source, DataError> {
        let mut pixels = Vec::new();
        let mut labels = Vec::new();
        for (part, data) in source.parts() {
            let Some(known) = &data.labels else {
                let problem = format!("cannot split '{}' anew: its {part} images have no labels", source.name);
                return Err(DataError::Setting(problem));
            };
            pixels.extend_from_slice(data.images.pixels());
            labels.extend_from_slice(known);
        }
        let pool = Dataset { images: Images::new(source.shape(), pixels)?, labels: Some(labels) };
        self.check(pool.len())?;
        let mut order: Vec<u32> = (0..pool.len() as u32).collect();
        Stream::new(self.seed, Purpose::Split, u32::MAX, u32::MAX).shuffle(&mut order);
        let mut rest = order.as_slice();
        let mut parts: Vec<Dataset> = Vec::new();
        for &size in &self.sizes {
            let (own, tail) = rest.split_at(size);
            parts.push(pool.select(own));
            rest = tail;
        }
        if !rest.is_empty() {
            notes.push(format!("left out {} of {} images, as the sizes ask", rest.len(), pool.len()));
        }
        let test = if parts.len() > 1 { parts.pop() } else { None };
        let validation = if parts.len() > 1 { parts.pop() } else { None };
        let train = parts.swap_remove(0);
        Ok(Source { train, validation, test, ..source.clone() })
    }

    fn check(&self, available: usize) -> Result<(), DataError> {
        let text: Vec<String> = self.sizes.iter().map(|s| s.to_string()).collect();
        let refuse = |problem: String| Err(DataError::Setting(format!("sizes {}: {problem}", text.join(","))));
        if self.sizes.is_empty() || self.sizes.len() > 3 || self.sizes.contains(&0) {
            return refuse(format!(
                "give one to three counts above zero: {}; {0} and {test}; or {0}, {} and {test}",
                Part::Train,
                Part::Validation,
                test = Part::Test
            ));
        }
        let sum = self.sizes.iter().try_fold(0_usize, |sum, &s| sum.checked_add(s));
        match sum.filter(|&s| s <= available && u32::try_from(available).is_ok()) {
            Some(_) => Ok(()),
            None => refuse(format!("there are only {available} images")),
        }
    }
}
