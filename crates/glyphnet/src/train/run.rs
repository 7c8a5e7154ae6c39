//! The state of a run between its steps, and one epoch of it.

use std::ops::ControlFlow;
use std::time::Instant;

use glyphnet_data::augment::Augmenter;
use glyphnet_data::{Dataset, Drawn, Part, Polarity, Preprocess, Source, Subset, epoch_order};

use super::checkpoint::{EpochProgress, Extended, RunResult, Store, Totals};
use super::data::{EpochBatch, TrainingData};
use super::epoch::Pass;
use super::events::{Event, FitOptions, Observer};
use super::history::{EpochRecord, History};
use super::schedule::Schedule;
use super::watchers::Watchers;
use crate::evaluate::{Evaluation, Score, evaluate_with_progress};
use crate::model_file::ModelParts;
use crate::nn::{Network, Sequential, Trainer, TrainerOptions, TrainerState};
use crate::recipe::Recipe;
use crate::{Error, Model};

/// Images that a first convolution is whitened by.
const WHITENED_BY: usize = 1000;

/// A run. Everything that its next step depends on goes into a checkpoint and comes back from one.
pub(super) struct Run<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) options: &'a FitOptions,
    pub(super) classes: Vec<String>,
    pub(super) preprocess: Preprocess,
    /// The data's fingerprint; empty where nothing is saved.
    pub(super) fingerprint: String,
    /// Steps of a whole epoch.
    pub(super) steps_per_epoch: u64,
    pub(super) trainer: Trainer,
    pub(super) schedule: Schedule,
    pub(super) augmenter: Option<Augmenter>,
    pub(super) watchers: Watchers,
    pub(super) history: History,
    pub(super) best: Option<(u32, Network)>,
    /// The sums of the epoch that has begun.
    pub(super) current: EpochProgress,
    /// Where the run goes back to when numbers go wrong: the epoch's beginning, or where the run went on in it.
    pub(super) back: Option<(TrainerState, EpochProgress)>,
    pub(super) rollbacks: u32,
    /// Whether early stopping has ended the run.
    pub(super) stopped: bool,
    pub(super) totals: Totals,
    pub(super) result: Option<RunResult>,
    pub(super) extended: Vec<Extended>,
    pub(super) order: Vec<u32>,
    pub(super) store: Option<Store>,
    /// When the last checkpoint was written, and when the folder was last seen.
    pub(super) saved: Instant,
    pub(super) seen: Instant,
    pub(super) notes: Vec<String>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        recipe: &'a Recipe,
        source: &Source,
        data: &TrainingData<'_>,
        options: &'a FitOptions,
    ) -> Result<Run<'a>, Error> {
        let (shape, seed) = (data.train.shape(), recipe.train.seed);
        if data.train.is_empty() {
            return Err(Error::Mismatch(format!("{}: no training images are left", source.name)));
        }
        recipe.preprocess.check(shape).map_err(Error::Mismatch)?;
        let mut network = Sequential::from(recipe.layer.clone()).build(shape, source.classes.len(), seed)?;
        let began = Instant::now();
        network.whiten(&sample(&data.train, &recipe.preprocess, seed, WHITENED_BY, &mut Vec::new()));
        let mut totals = Totals::default();
        totals.train_seconds.0 += began.elapsed().as_secs_f64();
        let trainer_options = trainer_options(recipe, &data.train, source.classes.len(), options)?;
        let steps_per_epoch = data.train.len().div_ceil(recipe.train.batch_size) as u64;
        let base = recipe.optimizer.learning_rate();
        let (watchers, notes) = Watchers::new(recipe, data.validation.is_some());
        let mut preprocess = recipe.preprocess.clone();
        let polarity = Polarity::estimate(data.train.images(), shape);
        preprocess.polarity = Some(polarity);
        preprocess.drawn = Drawn::estimate(data.train.images(), shape, polarity);
        Ok(Run {
            recipe,
            options,
            classes: source.classes.clone(),
            preprocess,
            fingerprint: options.folder.as_ref().map(|_| source.fingerprint()).unwrap_or_default(),
            steps_per_epoch,
            trainer: Trainer::new(network, options.threads.clone(), trainer_options)?,
            schedule: Schedule::new(recipe.schedule.as_ref(), base, steps_per_epoch, recipe.train.epochs),
            augmenter: recipe.augment.as_ref().map(|a| Augmenter::new(a, shape, seed, options.isa)).transpose()?,
            watchers,
            history: History::default(),
            best: None,
            current: EpochProgress::default(),
            back: None,
            rollbacks: 0,
            stopped: false,
            totals,
            result: None,
            extended: Vec::new(),
            order: Vec::new(),
            store: None,
            saved: Instant::now(),
            seen: Instant::now(),
            notes,
        })
    }

    /// Epochs that are over.
    pub(super) fn epochs(&self) -> u32 {
        self.history.records().len() as u32
    }

    /// Whether no epoch is left.
    pub(super) fn is_over(&self) -> bool {
        self.stopped || self.epochs() >= self.recipe.train.epochs
    }

    /// The epoch whose network is the best so far; 0 = none yet.
    pub(super) fn best_epoch(&self) -> u32 {
        self.best.as_ref().map_or(0, |&(epoch, _)| epoch)
    }

    /// The next epoch, or what is left of it; `Break` where the observer asked to stop in its middle.
    pub(super) fn epoch(
        &mut self,
        data: &TrainingData<'_>,
        observer: &mut dyn Observer,
    ) -> Result<ControlFlow<()>, Error> {
        let epoch = self.epochs() + 1;
        let (train_loss, train_accuracy) = loop {
            match self.train_epoch(&data.train, epoch, observer)? {
                Pass::Done { loss, accuracy } => break (loss, accuracy),
                Pass::WentWrong(wrong) => self.go_back(&wrong, observer)?,
                Pass::Interrupted => {
                    self.save()?;
                    return Ok(ControlFlow::Break(()));
                }
            }
        };
        let network = self.judged_network(&data.train);
        let evaluated = Instant::now();
        let validation = self.validate(&network, data.validation.as_ref(), observer)?;
        let record = EpochRecord {
            epoch,
            train_loss,
            train_accuracy,
            val_loss: validation.map(|v| v.loss),
            val_accuracy: validation.map(|v| v.accuracy),
            learning_rate: self.schedule.learning_rate(self.trainer.steps().saturating_sub(1)) as f32,
            seconds: self.current.seconds.0 + evaluated.elapsed().as_secs_f64(),
        };
        observer.event(&Event::Epoch(&record));
        self.end_epoch(record, network, observer)?;
        Ok(ControlFlow::Continue(()))
    }

    /// Lets the callbacks decide, and keeps what is worth keeping.
    fn end_epoch(&mut self, record: EpochRecord, network: Network, observer: &mut dyn Observer) -> Result<(), Error> {
        let mut say = |text: String| observer.event(&Event::Message(&text));
        let verdict = self.watchers.on_epoch_end(self.recipe, &record, self.schedule.base(), &mut say);
        if verdict.keep || self.best.is_none() {
            self.keep(record.epoch, network)?;
        }
        if let Some(base) = verdict.learning_rate {
            self.schedule = self.schedule.with_base(base);
        }
        self.stopped = verdict.stop;
        self.history.push(record);
        self.current = EpochProgress::default();
        self.back = None;
        self.write_history()?;
        self.save()
    }

    /// Keeps `network`, on disk too.
    pub(super) fn keep(&mut self, epoch: u32, network: Network) -> Result<(), Error> {
        self.best = Some((epoch, network));
        self.write_model()
    }

    /// The network that is judged and kept: as it is now or, once the average of the weights has begun, that, with batch
    /// norm recalibrated as the recipe says. The time this takes is time of training.
    pub(super) fn judged_network(&mut self, train: &Subset<'_>) -> Network {
        let began = Instant::now();
        let mut network = self.trainer.averaged();
        let images = self.recipe.recalibration().min(train.len());
        if images > 0 && self.trainer.average().is_some() {
            let mut order = Vec::new();
            let all = sample(train, &self.preprocess, self.recipe.train.seed, images, &mut order);
            let batches = all.rows.chunks(self.recipe.train.batch_size);
            self.trainer.recalibrate(&mut network, batches.map(|rows| EpochBatch { rows, ..all }));
        }
        self.totals.train_seconds.0 += began.elapsed().as_secs_f64();
        network
    }

    pub(super) fn parts(&self, network: Network) -> ModelParts {
        ModelParts { networks: network.into(), classes: self.classes.clone(), preprocess: self.preprocess.clone() }
    }

    pub(super) fn model(&self, network: Network) -> Model {
        Model::with_isa(self.parts(network), self.options.isa)
    }

    fn validate(
        &self,
        network: &Network,
        validation: Option<&Dataset>,
        observer: &mut dyn Observer,
    ) -> Result<Option<Score>, Error> {
        let Some(validation) = validation else { return Ok(None) };
        let model = self.model(network.clone());
        Ok(self.evaluate(&model, validation, Part::Validation, observer)?.map(|e| e.score))
    }

    pub(super) fn evaluate(
        &self,
        model: &Model,
        dataset: &Dataset,
        split: Part,
        observer: &mut dyn Observer,
    ) -> Result<Option<Evaluation>, Error> {
        let mut progress = |done, total| observer.event(&Event::Evaluating { split, done, total });
        evaluate_with_progress(model, dataset, &self.options.threads, &mut progress)
    }
}

/// At most so many of the training images without augmentation, drawn by the seed. `rows` is room for their numbers.
fn sample<'a>(
    train: &'a Subset<'a>,
    preprocess: &'a Preprocess,
    seed: u64,
    images: usize,
    rows: &'a mut Vec<u32>,
) -> EpochBatch<'a> {
    // No epoch has the number 0, so none has this order.
    epoch_order(seed, 0, train.len(), rows);
    rows.truncate(images);
    EpochBatch { data: train, rows, augmenter: None, preprocess, epoch: 0 }
}

fn trainer_options(
    recipe: &Recipe,
    train: &Subset<'_>,
    classes: usize,
    options: &FitOptions,
) -> Result<TrainerOptions, Error> {
    let counts = glyphnet_data::stats::class_counts(train.labels(), classes);
    let class_weights = match &recipe.train.class_weights {
        None => None,
        Some(weights) => Some(weights.resolve(&counts).ok_or_else(|| {
            Error::Mismatch(format!("train.class_weights must have one weight for each of the {classes} classes"))
        })?),
    };
    Ok(TrainerOptions {
        isa: options.isa,
        kernels: options.kernels,
        batch_size: recipe.train.batch_size.min(train.len()),
        seed: recipe.train.seed,
        label_smoothing: recipe.train.label_smoothing as f32,
        class_weights: class_weights.map(|w| w.iter().map(|&w| w as f32).collect()),
        optimizer: recipe.optimizer.clone(),
        averaging: recipe.averaging(train.len().div_ceil(recipe.train.batch_size) as u64),
    })
}
