//! The loop: epochs of steps, evaluation on validation, callbacks, the best network kept, one look at test.

use std::ops::ControlFlow;
use std::time::Instant;

use glyphnet_data::augment::Augmenter;
use glyphnet_data::{Dataset, Part, Polarity, Preprocess, Source, Subset, epoch_order};
use glyphnet_kernels::Isa;

use super::callbacks::{BestKeeper, EarlyStopping, ReduceLrOnPlateau};
use super::data::{EpochBatch, TrainingData};
use super::history::{EpochRecord, History};
use super::run_folder::RunFolder;
use super::schedule::Schedule;
use crate::evaluate::{Evaluation, Score, SplitPredictions, evaluate_with_progress, write_predictions};
use crate::model_file::{self, ModelParts};
use crate::nn::{Kernels, Network, Sequential, Threads, Trainer, TrainerOptions};
use crate::recipe::{Mode, Monitor, Recipe};
use crate::{Error, Model};

/// How a recipe is run on this machine.
#[derive(Debug, Clone)]
pub struct FitOptions {
    /// Threads to use.
    pub threads: Threads,
    /// Instruction set to use.
    pub isa: Isa,
    /// Where the best model, the history and the predictions are kept; nowhere if absent.
    pub folder: Option<RunFolder>,
    /// Which kernels train: the fast ones, unless they are to be compared with others.
    pub kernels: Kernels,
}

/// What happens while a run goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// Before the first step.
    Begin {
        /// Epochs at most.
        epochs: u32,
        /// Images trained an epoch.
        train: usize,
        /// Images evaluated after each epoch.
        validation: usize,
        /// The network as it starts.
        network: &'a Network,
    },
    /// After a step: running means of the epoch so far.
    Step {
        /// From 1.
        epoch: u32,
        /// Images trained in this epoch so far.
        images: usize,
        /// Mean loss.
        loss: f64,
        /// Share of right answers.
        accuracy: f64,
    },
    /// While a split is evaluated, after each epoch and at the end: with 0 done at first, with all done at last.
    Evaluating {
        /// Validation or test.
        split: Part,
        /// Images evaluated so far.
        done: usize,
        /// Images of the split.
        total: usize,
    },
    /// After an epoch.
    Epoch(&'a EpochRecord),
    /// Something to say aloud.
    Message(&'a str),
}

/// Whoever watches a run. It is called on a thread of the run's pool, one call after another.
pub trait Observer: Send {
    /// Called for everything that happens.
    fn event(&mut self, event: &Event<'_>);

    /// Asked after every step; true ends the run with what it has.
    fn stop_requested(&self) -> bool {
        false
    }
}

/// Nobody watches.
impl Observer for () {
    fn event(&mut self, _: &Event<'_>) {}
}

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    /// The best network, ready to predict.
    pub model: Model,
    /// What each epoch brought.
    pub history: History,
    /// The epoch whose network was kept, from 1; 0 where none was finished.
    pub best_epoch: u32,
    /// Seconds of training steps with their augmentation.
    pub train_seconds: f64,
    /// Seconds in which no step could run because the next batch was not there: the time to order an epoch and to
    /// put its batches together. Workers look up and vary their own images inside a step.
    pub data_wait_seconds: f64,
    /// Images trained.
    pub images: u64,
    /// The best network on validation, of an interrupted run as its epoch found it; `None` where there is no such
    /// split, or the run was interrupted before its first epoch was over.
    pub validation: Option<Score>,
    /// The best network on test, read once; `None` where there is no labelled one, or the run was interrupted.
    pub test: Option<Score>,
    /// Whether the observer asked to stop.
    pub interrupted: bool,
}

/// Trains the network of `recipe` on `source`.
///
/// # Errors
/// If recipe and data do not fit, a file cannot be written, or the loss becomes no number.
pub fn fit(
    recipe: &Recipe,
    source: &Source,
    options: &FitOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.threads.run(|| fit_in_pool(recipe, source, options, observer))
}

fn fit_in_pool(
    recipe: &Recipe,
    source: &Source,
    options: &FitOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let mut data = TrainingData::new(recipe, source)?;
    let mut run = Run::new(recipe, source, &data, options)?;
    data.notes.iter().chain(&run.notes).for_each(|note| observer.event(&Event::Message(note)));
    data.notes.clear();
    observer.event(&Event::Begin {
        epochs: recipe.train.epochs,
        train: data.train.len(),
        validation: data.validation.as_ref().map_or(0, Dataset::len),
        network: run.trainer.network(),
    });
    let mut interrupted = false;
    for epoch in 1..=recipe.train.epochs {
        let started = Instant::now();
        let Some((train_loss, train_accuracy)) = run.train_epoch(&data.train, epoch, observer)? else {
            interrupted = true;
            break;
        };
        let validation = run.validate(data.validation.as_ref(), observer)?;
        let record = EpochRecord {
            epoch,
            train_loss,
            train_accuracy,
            val_loss: validation.map(|v| v.loss),
            val_accuracy: validation.map(|v| v.accuracy),
            learning_rate: run.learning_rate() as f32,
            seconds: started.elapsed().as_secs_f64(),
        };
        observer.event(&Event::Epoch(&record));
        let flow = run.end_epoch(record, observer)?;
        interrupted = observer.stop_requested();
        if interrupted || flow.is_break() {
            break;
        }
    }
    run.finish(source, &data, interrupted, observer)
}

/// The state of a run between epochs.
struct Run<'a> {
    recipe: &'a Recipe,
    options: &'a FitOptions,
    classes: Vec<String>,
    preprocess: Preprocess,
    trainer: Trainer,
    schedule: Schedule,
    augmenter: Option<Augmenter>,
    best_keeper: Option<BestKeeper>,
    early_stopping: Option<EarlyStopping>,
    reduce_lr: Option<ReduceLrOnPlateau>,
    history: History,
    best: Option<(u32, Network)>,
    order: Vec<u32>,
    train_seconds: f64,
    data_wait_seconds: f64,
    images: u64,
    notes: Vec<String>,
}

impl<'a> Run<'a> {
    fn new(
        recipe: &'a Recipe,
        source: &Source,
        data: &TrainingData<'_>,
        options: &'a FitOptions,
    ) -> Result<Run<'a>, Error> {
        let (shape, seed) = (data.train.shape(), recipe.train.seed);
        if data.train.is_empty() {
            return Err(Error::Mismatch(format!("{}: no training images are left", source.name)));
        }
        recipe.preprocess.check(shape.channels).map_err(Error::Mismatch)?;
        let network = Sequential::from(recipe.layer.clone()).build(shape, source.classes.len(), seed)?;
        let trainer_options = trainer_options(recipe, &data.train, source.classes.len(), options)?;
        let steps = data.train.len().div_ceil(recipe.train.batch_size) as u64;
        let base = recipe.optimizer.learning_rate();
        let watch = Watch::new(recipe, data.validation.is_some());
        let mut preprocess = recipe.preprocess.clone();
        preprocess.polarity = Some(Polarity::estimate(data.train.images(), shape));
        Ok(Run {
            recipe,
            options,
            classes: source.classes.clone(),
            preprocess,
            trainer: Trainer::new(network, options.threads.clone(), trainer_options)?,
            schedule: Schedule::new(recipe.schedule.as_ref(), base, steps, recipe.train.epochs),
            augmenter: recipe.augment.as_ref().map(|a| Augmenter::new(a, shape, seed, options.isa)).transpose()?,
            best_keeper: watch.best,
            early_stopping: watch.stop,
            reduce_lr: watch.reduce,
            history: History::default(),
            best: None,
            order: Vec::new(),
            train_seconds: 0.0,
            data_wait_seconds: 0.0,
            images: 0,
            notes: watch.notes,
        })
    }

    /// The learning rate of the last step taken.
    fn learning_rate(&self) -> f64 {
        self.schedule.learning_rate(self.trainer.steps().saturating_sub(1))
    }

    /// One pass over the training images: mean loss and accuracy, or `None` where the observer asked to stop.
    fn train_epoch(
        &mut self,
        train: &Subset<'_>,
        epoch: u32,
        observer: &mut dyn Observer,
    ) -> Result<Option<(f64, f64)>, Error> {
        let mut waiting = Instant::now();
        let mut order = std::mem::take(&mut self.order);
        epoch_order(self.recipe.train.seed, epoch, train.len(), &mut order);
        let (mut loss, mut correct, mut images) = (0.0, 0, 0);
        for (step, rows) in order.chunks(self.recipe.train.batch_size).enumerate() {
            let (augmenter, preprocess) = (self.augmenter.as_ref(), &self.preprocess);
            let batch = EpochBatch { data: train, rows, augmenter, preprocess, epoch };
            let started = Instant::now();
            self.data_wait_seconds += started.duration_since(waiting).as_secs_f64();
            let learning_rate = self.schedule.learning_rate(self.trainer.steps());
            let sum = self.trainer.step(&batch, learning_rate);
            self.train_seconds += started.elapsed().as_secs_f64();
            if !sum.loss.is_finite() {
                return Err(Error::Diverged { epoch, step: step + 1, loss: sum.loss });
            }
            loss += sum.loss;
            correct += sum.correct;
            images += rows.len();
            self.images += rows.len() as u64;
            let (loss, accuracy) = (loss / images as f64, correct as f64 / images as f64);
            observer.event(&Event::Step { epoch, images, loss, accuracy });
            if observer.stop_requested() {
                return Ok(None);
            }
            waiting = Instant::now();
        }
        self.order = order;
        Ok(Some((loss / images as f64, correct as f64 / images as f64)))
    }

    fn parts(&self, network: Network) -> ModelParts {
        ModelParts { network, classes: self.classes.clone(), preprocess: self.preprocess.clone() }
    }

    fn model(&self, network: Network) -> Model {
        Model::with_isa(self.parts(network), self.options.isa)
    }

    fn validate(&self, validation: Option<&Dataset>, observer: &mut dyn Observer) -> Result<Option<Score>, Error> {
        let Some(validation) = validation else { return Ok(None) };
        let model = self.model(self.trainer.network().clone());
        Ok(self.evaluate(&model, validation, Part::Validation, observer)?.map(|e| e.score))
    }

    fn evaluate(
        &self,
        model: &Model,
        dataset: &Dataset,
        split: Part,
        observer: &mut dyn Observer,
    ) -> Result<Option<Evaluation>, Error> {
        let mut progress = |done, total| observer.event(&Event::Evaluating { split, done, total });
        evaluate_with_progress(model, dataset, &self.options.threads, &mut progress)
    }

    /// Lets the callbacks decide, and keeps what is worth keeping.
    fn end_epoch(&mut self, record: EpochRecord, observer: &mut dyn Observer) -> Result<ControlFlow<()>, Error> {
        let epoch = record.epoch;
        let mut say = |text: String| observer.event(&Event::Message(&text));
        let keep = match &mut self.best_keeper {
            None => true,
            Some(keeper) => {
                let verdict = keeper.on_epoch_end(epoch, record.value(keeper.monitor()).unwrap_or(f64::NAN));
                say(keeper.message(epoch, &verdict));
                verdict.improved()
            }
        };
        if keep || self.best.is_none() {
            self.keep(epoch)?;
        }
        if let (Some(reduce), Some(config)) = (&mut self.reduce_lr, &self.recipe.reduce_lr_on_plateau) {
            let from = self.schedule.base() as f32;
            let value = record.value(config.monitor).unwrap_or(f64::NAN);
            if let Some(to) = reduce.on_epoch_end(value, from) {
                say(reduce.message(epoch, from, to));
                self.schedule = self.schedule.with_base(f64::from(to));
            }
        }
        let mut flow = ControlFlow::Continue(());
        if let (Some(stopping), Some(config)) = (&mut self.early_stopping, &self.recipe.early_stopping) {
            let value = record.value(config.monitor).unwrap_or(f64::NAN);
            if stopping.on_epoch_end(epoch, value).stop {
                say(stopping.message(epoch));
                flow = ControlFlow::Break(());
            }
        }
        self.history.push(record);
        if let Some(folder) = &self.options.folder {
            self.history.write_csv(&folder.file("history.csv"))?;
        }
        Ok(flow)
    }

    /// Keeps the network as it is now, on disk too.
    fn keep(&mut self, epoch: u32) -> Result<(), Error> {
        let network = self.trainer.network().clone();
        if let Some(folder) = &self.options.folder {
            model_file::save(&self.parts(network.clone()), &folder.file("model.safetensors"))?;
        }
        self.best = Some((epoch, network));
        Ok(())
    }

    fn finish(
        mut self,
        source: &Source,
        data: &TrainingData<'_>,
        interrupted: bool,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        if self.best.is_none() {
            self.keep(0)?;
        }
        let (best_epoch, network) = self.best.take().unwrap_or_else(|| (0, self.trainer.network().clone()));
        let model = self.model(network);
        let mut on = |split: Part, dataset: Option<&Dataset>| match dataset {
            Some(dataset) if !interrupted => self.evaluate(&model, dataset, split, observer),
            _ => Ok(None),
        };
        let validation = on(Part::Validation, data.validation.as_ref())?;
        let test = on(Part::Test, source.test.as_ref())?;
        if !interrupted && test.is_none() {
            observer.event(&Event::Message(match source.test {
                Some(_) => "the test images have no labels: test is null in metrics.json",
                None => "there are no test images: test is null in metrics.json",
            }));
        }
        let predictions = predictions(source, data, validation.as_ref(), test.as_ref());
        if let (Some(folder), false) = (&self.options.folder, predictions.is_empty()) {
            write_predictions(&folder.file("predictions.safetensors"), &predictions)?;
        }
        let validation = validation.as_ref().map(|e| e.score).or_else(|| self.history.validation(best_epoch));
        Ok(Outcome {
            history: self.history,
            best_epoch,
            train_seconds: self.train_seconds,
            data_wait_seconds: self.data_wait_seconds,
            images: self.images,
            validation,
            test: test.map(|e| e.score),
            interrupted: interrupted || observer.stop_requested(),
            model,
        })
    }
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
    })
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

/// The callbacks of a run. What needs a validation split is off without one, and said aloud.
struct Watch {
    best: Option<BestKeeper>,
    stop: Option<EarlyStopping>,
    reduce: Option<ReduceLrOnPlateau>,
    notes: Vec<String>,
}

impl Watch {
    fn new(recipe: &Recipe, validation: bool) -> Watch {
        let mut notes = Vec::new();
        let mut usable = |table: &str, monitor: Monitor| {
            let usable = validation || !monitor.needs_validation();
            if !usable {
                notes.push(format!("{table} is off: there is no validation split to give {}", monitor.name()));
            }
            usable
        };
        let stop = recipe.early_stopping.as_ref().filter(|c| usable("early_stopping", c.monitor));
        let reduce = recipe.reduce_lr_on_plateau.as_ref().filter(|c| usable("reduce_lr_on_plateau", c.monitor));
        let (monitor, mode) = stop.map_or((Monitor::ValLoss, Mode::Auto), |c| (c.monitor, c.mode));
        Watch {
            best: validation.then(|| BestKeeper::new(monitor, mode)),
            stop: stop.map(EarlyStopping::new),
            reduce: reduce.map(ReduceLrOnPlateau::new),
            notes,
        }
    }
}
