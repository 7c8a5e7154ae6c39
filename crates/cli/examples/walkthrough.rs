//! The reference job of `docs/walkthrough.md`, step by step. That page shows the lines between the `ANCHOR` comments and
//! what they print; `tests/walkthrough` sees to it that it does. The job reads `kaggle/train.csv` and `kaggle/test.csv`:
//!
//!     cargo run --release -- convert mnist kaggle --to kaggle --sizes 42000,28000
//!     cargo run --release --example walkthrough

// ANCHOR: imports
use std::path::Path;

use glyphnet::data::augment::{AugmentConfig, Augmenter};
use glyphnet::data::split::{Split, train_test_split};
use glyphnet::data::stats::{class_counts, pixel_statistics};
use glyphnet::data::{Amount, OpenOptions, open};
use glyphnet::evaluate::evaluate;
use glyphnet::nn::{Activation, Conv2d, Dense, Flatten, Kernels, LayerSpec, Sequential, Threads, Units};
use glyphnet::recipe::{EarlyStoppingConfig, Loss, Monitor, OptimizerConfig, Recipe, RmspropConfig};
use glyphnet::train::{Event, FitOptions, Observer, Outcome, RunFolder, fit};
use glyphnet::{Dataset, Isa, Model, Predictions, Source};
use glyphnet_artifacts::{SampleGrid, Tile, choose_samples, write_submission};

const FAST_RUN: bool = true; // one epoch instead of up to 100
// ANCHOR_END: imports

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub(crate) fn main() -> Result<()> {
    run(Isa::detect())
}

/// All steps, on the given instruction set: of all that is the machine's, the bits depend on nothing else.
pub(crate) fn run(isa: Isa) -> Result<()> {
    println!("1. Import and settings");
    let (mut recipe, threads) = settings()?;
    println!("2. Read the CSV");
    let source = read(&recipe)?;
    println!("3. Look at the columns");
    columns(&source);
    println!("4. Show samples");
    samples(&recipe, &source)?;
    println!("5. Reshape, one-hot, split");
    let split = reshape_and_split(&mut recipe, &source)?;
    println!("6. Augment");
    augment(&mut recipe, &source, &split, isa)?;
    println!("7. Sequential");
    sequential(&mut recipe, &source)?;
    println!("8. Compile");
    compile(&mut recipe);
    println!("9. Checkpoint and early stopping");
    let folder = callbacks(&mut recipe)?;
    println!("10. Fit");
    let outcome = fit_and_watch(&recipe, &source, &threads, isa, &folder)?;
    println!("11. Read the log");
    log(&outcome);
    println!("12. Evaluate");
    judge(&outcome, &source, &split, &threads)?;
    println!("13. Predict");
    let (model, predictions) = predict(&folder, &source, &threads)?;
    println!("14. Submit");
    submit(&model, &predictions)
}

fn settings() -> Result<(Recipe, Threads)> {
    // ANCHOR: 1
    let mut recipe = Recipe::new(Vec::new()); // the layers come in step 7
    recipe.data.source = "kaggle/train.csv".to_owned();
    recipe.train.batch_size = 32;
    recipe.train.epochs = if FAST_RUN { 1 } else { 100 };
    recipe.train.seed = 0;
    let threads = Threads::new(0)?; // one for each core
    println!("{} images a step, at most {} epochs", recipe.train.batch_size, recipe.train.epochs);
    // ANCHOR_END: 1
    Ok((recipe, threads))
}

fn read(recipe: &Recipe) -> Result<Source> {
    // ANCHOR: 2
    let source = open(&recipe.data.source, &OpenOptions::default())?; // and the test.csv beside it
    for (part, data) in source.parts() {
        println!("{part}: {} images of {}, labels: {}", data.len(), source.shape(), data.labels.is_some());
    }
    // ANCHOR_END: 2
    Ok(source)
}

fn columns(source: &Source) {
    // ANCHOR: 3
    let labels = source.train.labels.as_deref().unwrap_or_default();
    println!("images of each class: {:?}", class_counts(labels.iter().copied(), source.classes.len()));
    for pixels in pixel_statistics(&source.train.images) {
        println!("pixels: {} to {}, mean {:.3}, std {:.3}", pixels.min, pixels.max, pixels.mean, pixels.std);
    }
    // ANCHOR_END: 3
}

fn samples(recipe: &Recipe, source: &Source) -> Result<()> {
    // ANCHOR: 4
    let chosen = source.train.select(&choose_samples(source.train.len(), 18, recipe.train.seed));
    let names = chosen.labels.iter().flatten().map(|&label| source.classes[label as usize].as_str());
    let tiles: Vec<Tile<'_>> = chosen.images.iter().zip(names).map(|(pixels, label)| Tile { pixels, label }).collect();
    SampleGrid::draw(source.shape(), &tiles, 6).save_png(Path::new("samples.png"))?;
    // ANCHOR_END: 4
    Ok(())
}

fn reshape_and_split(recipe: &mut Recipe, source: &Source) -> Result<Split> {
    let labels = source.train.labels.as_deref().unwrap_or_default();
    // ANCHOR: 5
    let (image, label) = (source.train.images.get(0), labels[0]);
    let one_hot: Vec<u8> = (0..10).map(|class| u8::from(class == label)).collect(); // only to look at
    println!("image 0: {} bytes, label {label}, one-hot {one_hot:?}", image.len());

    recipe.data.validation = Amount::Fraction(0.1);
    let split = train_test_split(source.train.len(), None, recipe.data.validation, recipe.train.seed)?;
    println!("{} images to learn from, {} held out", split.train.len(), split.held_out.len());
    // ANCHOR_END: 5
    Ok(split)
}

fn augment(recipe: &mut Recipe, source: &Source, split: &Split, isa: Isa) -> Result<()> {
    // ANCHOR: 6
    let augment =
        AugmentConfig { rotation: 10.0, zoom: 0.1, width_shift: 0.1, height_shift: 0.1, ..AugmentConfig::default() };
    let augmenter = Augmenter::new(&augment, source.shape(), recipe.train.seed, isa)?;
    let original = source.train.images.get(split.train[0] as usize); // image 0 of those to learn from
    let mut varied = vec![vec![0.0; original.len()]; 8];
    for (epoch, image) in (1..).zip(&mut varied) {
        augmenter.apply(&augmenter.draw(epoch, 0), original, image);
    }
    recipe.augment = Some(augment);
    recipe.preprocess.scale = 1.0 / 255.0;
    // ANCHOR_END: 6
    draw_augmentation(source, original, &varied)
}

fn draw_augmentation(source: &Source, original: &[u8], varied: &[Vec<f32>]) -> Result<()> {
    let rounded = varied.iter().map(|image| image.iter().map(|value| value.round() as u8).collect());
    let images: Vec<Vec<u8>> = std::iter::once(original.to_vec()).chain(rounded).collect();
    let name = |epoch: usize| if epoch == 0 { "original".to_owned() } else { format!("epoch {epoch}") };
    let names: Vec<String> = (0..images.len()).map(name).collect();
    let tiles: Vec<Tile<'_>> = images.iter().zip(&names).map(|(pixels, label)| Tile { pixels, label }).collect();
    Ok(SampleGrid::draw(source.shape(), &tiles, 9).save_png(Path::new("augmentation.png"))?)
}

fn sequential(recipe: &mut Recipe, source: &Source) -> Result<()> {
    // ANCHOR: 7
    let model = Sequential::new()
        .add(Conv2d::new(64, 3).activation(Activation::Relu))
        .add(Conv2d::new(32, 3).activation(Activation::Relu))
        .add(LayerSpec::max_pool2d(2))
        .add(Flatten {})
        .add(Dense::new(Units::CLASSES).activation(Activation::Softmax));
    recipe.layer = model.layers().to_vec();

    let network = model.build(source.shape(), source.classes.len(), recipe.train.seed)?; // only to look at
    println!("{} parameters", network.parameters());
    // ANCHOR_END: 7
    Ok(())
}

fn compile(recipe: &mut Recipe) {
    // ANCHOR: 8
    recipe.optimizer = OptimizerConfig::Rmsprop(RmspropConfig::default());
    recipe.train.loss = Loss::CategoricalCrossentropy;
    println!("{} with learning rate {}", recipe.optimizer.kind(), recipe.optimizer.learning_rate());
    // ANCHOR_END: 8
}

fn callbacks(recipe: &mut Recipe) -> Result<RunFolder> {
    // ANCHOR: 9
    let monitor = Monitor::ValLoss;
    recipe.early_stopping = Some(EarlyStoppingConfig { monitor, patience: 10, ..EarlyStoppingConfig::default() });
    let folder = RunFolder::next(Path::new("runs"), "rust")?; // best model, log, checkpoints
    // ANCHOR_END: 9
    Ok(folder)
}

fn fit_and_watch(recipe: &Recipe, source: &Source, threads: &Threads, isa: Isa, folder: &RunFolder) -> Result<Outcome> {
    // ANCHOR: 10
    let command = Recipe::load("seed")?.with_overrides(&["data.source=kaggle/train.csv", "train.epochs=1"])?;
    assert_eq!(recipe, &command, "steps 1 to 9 have built the recipe of the command");

    let (threads, folder) = (threads.clone(), Some(folder.clone()));
    let options = FitOptions { threads, isa, folder, kernels: Kernels::default() };
    let outcome = fit(recipe, source, &options, &mut Print)?;
    // ANCHOR_END: 10
    Ok(outcome)
}

// ANCHOR: watch
struct Print;

impl Observer for Print {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Begin { train, validation, .. } => println!("{train} to train on, {validation} for validation"),
            Event::Message(text) => println!("{text}"),
            _ => {} // steps, epochs, how far an evaluation is
        }
    }
}
// ANCHOR_END: watch

fn log(outcome: &Outcome) {
    // ANCHOR: 11
    for epoch in outcome.history.records() {
        println!("epoch {}: loss {:.4}, accuracy {:.4}", epoch.epoch, epoch.train_loss, epoch.train_accuracy);
    }
    println!("best epoch: {}", outcome.best_epoch);
    // ANCHOR_END: 11
}

fn judge(outcome: &Outcome, source: &Source, split: &Split, threads: &Threads) -> Result<()> {
    // ANCHOR: 12
    let validation = source.train.select(&split.held_out);
    if let Some(evaluation) = evaluate(&outcome.model, &validation, threads)? {
        println!("loss {:.4}, accuracy {:.4}", evaluation.score.loss, evaluation.score.accuracy);
    }
    // ANCHOR_END: 12
    Ok(())
}

fn predict(folder: &RunFolder, source: &Source, threads: &Threads) -> Result<(Model, Predictions)> {
    // ANCHOR: 13
    let model = Model::load(folder.path())?;
    let test = source.test.as_ref().ok_or("there is no test.csv")?;
    let predictions = model.predict_on(threads, &test.images)?;
    for i in 0..6 {
        let best = predictions.ranked(i)[0] as usize;
        println!("row {}: {} with {:.2} %", i + 1, model.classes()[best], 100.0 * predictions.row(i)[best]);
    }
    // ANCHOR_END: 13
    draw_predictions(&model, test, &predictions)?;
    Ok((model, predictions))
}

fn draw_predictions(model: &Model, test: &Dataset, predictions: &Predictions) -> Result<()> {
    let answer = |label: u32| format!("{}?", model.classes()[label as usize]);
    let answers: Vec<String> = predictions.labels().into_iter().take(6).map(answer).collect();
    let tiles: Vec<Tile<'_>> = test.images.iter().zip(&answers).map(|(pixels, label)| Tile { pixels, label }).collect();
    Ok(SampleGrid::draw(model.input(), &tiles, 6).save_png(Path::new("predictions.png"))?)
}

fn submit(model: &Model, predictions: &Predictions) -> Result<()> {
    // ANCHOR: 14
    let labels = predictions.labels();
    let names = labels.iter().map(|&label| model.classes()[label as usize].as_str());
    write_submission(Path::new("submission.csv"), names)?;
    println!("{} rows", labels.len());
    // ANCHOR_END: 14
    Ok(())
}
