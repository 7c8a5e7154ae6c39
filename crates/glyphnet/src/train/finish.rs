//! The end of a run: the best network on validation and test, and what is written of it.

use glyphnet_data::{Dataset, Part, Source};

use super::checkpoint::RunResult;
use super::data::TrainingData;
use super::events::{Event, Observer, Outcome};
use super::run::Run;
use super::run_folder::{Extension, RunFolder};
use crate::Error;
use crate::evaluate::{Evaluation, SplitPredictions, write_predictions};
use crate::nn::training_flops;
use crate::saved_run::{Thumbnails, choose_thumbnails, write_thumbnails};

impl Run<'_> {
    pub(super) fn finish(
        mut self,
        source: &Source,
        data: &TrainingData<'_>,
        interrupted: bool,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        if self.best.is_none() {
            let network = self.judged_network(&data.train);
            self.keep(0, network)?;
        }
        let best_epoch = self.best_epoch();
        let network = self.best.as_ref().map_or_else(|| self.trainer.network().clone(), |(_, best)| best.clone());
        let model = self.model(network);
        let test_wanted = observer.test_wanted();
        let mut on = |split: Part, dataset: Option<&Dataset>| match dataset {
            Some(dataset) if !interrupted => self.evaluate(&model, dataset, split, observer),
            _ => Ok(None),
        };
        let validation = on(Part::Validation, data.validation.as_ref())?;
        let test = on(Part::Test, source.test.as_ref().filter(|_| test_wanted))?;
        if !interrupted && test_wanted && test.is_none() && self.options.folder.is_some() {
            observer.event(&Event::Message(match source.test {
                Some(_) => "the test images have no labels: test is null in metrics.json",
                None => "there are no test images: test is null in metrics.json",
            }));
        }
        if let Some(folder) = &self.options.folder {
            keep_predictions(folder, source, data, validation.as_ref(), test.as_ref())?;
        }
        let test = test.map(|e| e.score);
        let validation = validation.as_ref().map(|e| e.score).or_else(|| self.history.validation(best_epoch));
        if !interrupted {
            self.result = Some(RunResult::new(validation, test));
            self.save()?;
        }
        let extended = self.extended.iter().map(Extension::from).collect();
        Ok(Outcome {
            history: self.history,
            best_epoch,
            train_seconds: self.totals.train_seconds.0,
            data_wait_seconds: self.totals.data_wait_seconds.0,
            images: self.totals.images,
            flops: training_flops(
                self.trainer.network(),
                &self.recipe.optimizer,
                self.totals.images,
                self.trainer.steps(),
            ),
            validation,
            test,
            interrupted,
            extended,
            model,
        })
    }
}

/// Writes what a model said to the images of both splits, as far as it was asked, with the images that a report shows.
pub(super) fn keep_predictions(
    folder: &RunFolder,
    source: &Source,
    data: &TrainingData<'_>,
    validation: Option<&Evaluation>,
    test: Option<&Evaluation>,
) -> Result<(), Error> {
    let predictions = predictions(source, data, validation, test);
    if predictions.is_empty() {
        return Ok(());
    }
    write_predictions(&folder.file("predictions.safetensors"), &predictions).map_err(Error::not_saved)?;
    let thumbnails = thumbnails(source, data, &predictions);
    if thumbnails.is_empty() {
        return Ok(());
    }
    write_thumbnails(&folder.file("thumbnails.safetensors"), &thumbnails).map_err(Error::not_saved)
}

/// Images that a report shows, of those that the predictions are of.
fn thumbnails(source: &Source, data: &TrainingData<'_>, predictions: &[SplitPredictions<'_>]) -> Vec<Thumbnails> {
    let images = |split: &str| match split {
        "test" => source.test.as_ref(),
        _ => data.validation.as_ref(),
    };
    let of = predictions.iter().filter_map(|split| Some((split, &images(split.split)?.images)));
    choose_thumbnails(&of.collect::<Vec<_>>())
}

fn predictions<'a>(
    source: &'a Source,
    data: &'a TrainingData<'_>,
    validation: Option<&'a Evaluation>,
    test: Option<&'a Evaluation>,
) -> Vec<SplitPredictions<'a>> {
    let mut splits = Vec::new();
    if let (Some(dataset), Some(evaluation)) = (&data.validation, validation) {
        let labels = dataset.labels.as_deref().unwrap_or_default();
        let indices = data.validation_indices.clone();
        splits.push(SplitPredictions { split: "validation", indices, labels, predictions: &evaluation.predictions });
    }
    if let (Some(dataset), Some(evaluation)) = (&source.test, test) {
        let labels = dataset.labels.as_deref().unwrap_or_default();
        let indices = (0..dataset.len() as u32).collect();
        splits.push(SplitPredictions { split: "test", indices, labels, predictions: &evaluation.predictions });
    }
    splits
}
