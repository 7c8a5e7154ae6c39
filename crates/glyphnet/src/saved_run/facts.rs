//! What the data of a run were, as its `run.toml` notes them.

use glyphnet_data::stats::class_counts;
use glyphnet_data::{ImageShape, Part, Source};
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::evaluate::SavedSplit;
use crate::recipe::Recipe;
use crate::train::TrainingData;

/// With more classes neither their names nor their counts are noted.
const MOST_CLASSES: usize = 1000;
/// Nor are names that are longer than this together, in bytes: a recipe has at most 1 MiB.
const LONGEST_NAMES: usize = 256 << 10;
/// More values than a network takes for one image.
const LARGEST_IMAGE: usize = 1 << 28;
/// The key of `[provenance]`.
const KEY: &str = "data";

/// What the data of a run were: the table `[provenance.data]` of its `run.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Class names, by label; none where there are more than 1000, or more than 256 KiB of names.
    pub classes: Vec<String>,
    /// The shape of every image, as the network was shown it.
    pub image: ImageShape,
    /// The splits that there are, in the order train, validation, test.
    pub splits: Vec<SplitFacts>,
}

/// What a split holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitFacts {
    /// `train` (what is learned from, after limit and split), `validation` or `test`.
    pub split: String,
    /// Number of images.
    pub images: usize,
    /// How many of each class, by label; `None` where there are no labels or more than 1000 classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<Vec<u64>>,
}

impl DataFacts {
    /// The facts of a run on `source`, of which `data` is what it makes.
    pub fn new(source: &Source, data: &TrainingData<'_>) -> DataFacts {
        let classes = source.classes.len();
        let facts = |part: Part, images: usize, labels: Option<Vec<u32>>| {
            let labels = labels.filter(|_| classes <= MOST_CLASSES);
            let per_class = labels.map(|labels| counted(labels, classes));
            SplitFacts { split: part.to_string(), images, per_class }
        };
        let train = facts(Part::Train, data.train.len(), Some(data.train.labels().collect()));
        let held_out = [(Part::Validation, data.validation.as_ref()), (Part::Test, source.test.as_ref())];
        let held_out = held_out
            .into_iter()
            .filter_map(|(part, dataset)| dataset.map(|dataset| facts(part, dataset.len(), dataset.labels.clone())));
        let short = classes <= MOST_CLASSES && source.classes.iter().map(String::len).sum::<usize>() <= LONGEST_NAMES;
        DataFacts {
            classes: if short { source.classes.clone() } else { Vec::new() },
            image: source.shape(),
            splits: std::iter::once(train).chain(held_out).collect(),
        }
    }

    /// The facts that a recipe's `[provenance]` notes; runs of older versions have none.
    ///
    /// # Errors
    /// A sentence on what is wrong with them.
    pub(super) fn noted(recipe: &Recipe) -> Result<Option<DataFacts>, String> {
        let Some(table) = recipe.provenance.as_ref().and_then(|provenance| provenance.get(KEY)) else {
            return Ok(None);
        };
        let facts: DataFacts = table
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| format!("provenance.{KEY}: {}", error.message()))?;
        facts.check().map_err(|reason| format!("provenance.{KEY}: {reason}"))?;
        Ok(Some(facts))
    }

    /// Notes them in a recipe's `[provenance]`.
    ///
    /// # Errors
    /// If TOML cannot hold them.
    pub fn note(&self, provenance: &mut toml::Table) -> Result<(), toml::ser::Error> {
        provenance.insert(KEY.to_owned(), Value::try_from(self)?);
        Ok(())
    }

    /// Whether the numbers fit together.
    fn check(&self) -> Result<(), String> {
        let ImageShape { height, width, channels } = self.image;
        match height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels)) {
            Some(0) => return Err(format!("images of {} hold nothing", self.image)),
            Some(values) if values <= LARGEST_IMAGE => {}
            _ => return Err(format!("images of {} are too large", self.image)),
        }
        for SplitFacts { split, images, per_class } in &self.splits {
            let Some(counts) = per_class else { continue };
            if !self.classes.is_empty() && counts.len() != self.classes.len() {
                return Err(format!("{split} counts {} classes of {}", counts.len(), self.classes.len()));
            }
            let sum = counts.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count));
            if sum != Some(*images as u64) {
                return Err(format!("the counts of {split} do not add up to its {images} images"));
            }
        }
        Ok(())
    }

    /// The facts of one split.
    pub fn split(&self, name: &str) -> Option<&SplitFacts> {
        self.splits.iter().find(|facts| facts.split == name)
    }

    /// Refuses predictions of other images.
    pub(super) fn check_predictions(&self, saved: &SavedSplit) -> Result<(), String> {
        let (split, classes) = (&saved.split, saved.classes);
        if !self.classes.is_empty() && classes != self.classes.len() {
            return Err(format!("{split} has {classes} classes, but run.toml names {}", self.classes.len()));
        }
        let Some(SplitFacts { images, per_class, .. }) = self.split(split) else {
            return Err(format!("it has a split {split}, but run.toml has none"));
        };
        if saved.labels.len() != *images {
            return Err(format!("{split} has {} images, but {images} in run.toml", saved.labels.len()));
        }
        match per_class {
            Some(counts) if *counts != counted(saved.labels.iter().copied(), classes) => {
                Err(format!("the labels of {split} are others than run.toml counts"))
            }
            _ => Ok(()),
        }
    }
}

fn counted(labels: impl IntoIterator<Item = u32>, classes: usize) -> Vec<u64> {
    class_counts(labels, classes).into_iter().map(|count| count as u64).collect()
}
