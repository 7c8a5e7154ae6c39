//! Ensembles: networks of one recipe that differ by their seeds, and the model that averages their probabilities.
//!
//! All hold out the same validation images, so that what the average is worth on them is as honest as it is of one network.

use glyphnet_data::{Dataset, Part, Source};

use super::data::TrainingData;
use super::events::{Event, FitOptions, Observer};
use super::finish::keep_predictions;
use crate::evaluate::{Evaluation, Score, evaluate_with_progress};
use crate::model_file::{self, ModelParts};
use crate::networks::Networks;
use crate::recipe::Recipe;
use crate::{Error, Model};

/// The recipe of network `member`, counted from 0, of the ensemble that `recipe` is of: the seeds follow each other, and the
/// split is that of the first.
pub fn member_recipe(recipe: &Recipe, member: u32) -> Recipe {
    let mut own = recipe.clone();
    own.data.split_seed = Some(recipe.data.split_seed.unwrap_or(recipe.train.seed));
    // Seeds go up to TOML's largest integer, and on from 0.
    own.train.seed = recipe.train.seed.wrapping_add(member.into()) & i64::MAX as u64;
    own.train.ensemble = 1;
    own
}

/// The average of some networks, and what it is worth.
#[derive(Debug)]
pub struct Averaged {
    /// All networks.
    pub model: Model,
    /// On the validation split; `None` where there is none.
    pub validation: Option<Score>,
    /// On test, read once; `None` where there is no labelled one or the observer did not want it.
    pub test: Option<Score>,
}

/// Averages trained networks and measures the average on what `recipe` holds out of `source`, then on test. With a folder
/// `model.safetensors`, `predictions.safetensors` and `thumbnails.safetensors` are written there.
///
/// # Errors
/// If the networks make no model together, `source` does not fit the recipe or them, or a file cannot be written.
pub fn average(
    members: Vec<ModelParts>,
    recipe: &Recipe,
    source: &Source,
    options: &FitOptions,
    observer: &mut dyn Observer,
) -> Result<Averaged, Error> {
    options.threads.run(|| {
        let data = TrainingData::new(recipe, source)?;
        let model = Model::with_isa(together(members)?, options.isa);
        if let Some(folder) = &options.folder {
            model_file::save(model.parts(), &folder.file("model.safetensors")).map_err(Error::not_saved)?;
        }
        let wanted = observer.test_wanted();
        let mut on = |split: Part, dataset: Option<&Dataset>| -> Result<Option<Evaluation>, Error> {
            let Some(dataset) = dataset else { return Ok(None) };
            let mut progress = |done, total| observer.event(&Event::Evaluating { split, done, total });
            evaluate_with_progress(&model, dataset, &options.threads, &mut progress)
        };
        let validation = on(Part::Validation, data.validation.as_ref())?;
        let test = on(Part::Test, source.test.as_ref().filter(|_| wanted))?;
        if let Some(folder) = &options.folder {
            keep_predictions(folder, source, &data, validation.as_ref(), test.as_ref())?;
        }
        Ok(Averaged { model, validation: validation.map(|e| e.score), test: test.map(|e| e.score) })
    })
}

/// One model of many.
fn together(members: Vec<ModelParts>) -> Result<ModelParts, Error> {
    let mut networks = Vec::new();
    let mut shared: Option<ModelParts> = None;
    for (place, member) in members.into_iter().enumerate() {
        networks.extend(member.networks.iter().cloned());
        let first = shared.get_or_insert_with(|| member.clone());
        if (&first.classes, &first.preprocess) != (&member.classes, &member.preprocess) {
            let member = place + 1;
            return Err(Error::Mismatch(format!("network {member} has other classes or preprocessing than the first")));
        }
    }
    let networks = Networks::new(networks).map_err(|error| Error::Mismatch(error.to_string()))?;
    match shared {
        Some(shared) => Ok(ModelParts { networks, ..shared }),
        None => Err(Error::Mismatch("there are no networks to average".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_share_the_split_and_nothing_else_that_is_random() {
        let recipe = Recipe::load("seed").unwrap().with_overrides(&["train.seed=7", "train.ensemble=3"]).unwrap();
        let [first, third] = [0, 2].map(|member| member_recipe(&recipe, member));
        assert_eq!((first.train.seed, first.data.split_seed, first.train.ensemble), (7, Some(7), 1));
        assert_eq!((third.train.seed, third.data.split_seed, third.train.ensemble), (9, Some(7), 1));
        let own = recipe.with_overrides(&["data.split_seed=3", "train.seed=9223372036854775807"]).unwrap();
        let second = member_recipe(&own, 1);
        assert_eq!((second.train.seed, second.data.split_seed), (0, Some(3)));
    }
}
