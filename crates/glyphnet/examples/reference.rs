//! The reference network in the library's own API, on the embedded MNIST: build, compile, fit, evaluate.
//!
//!     cargo run --release --package glyphnet --example reference --features embedded-mnist

use glyphnet::Isa;
use glyphnet::data::{OpenOptions, open};
use glyphnet::nn::{Activation, Conv2d, Dense, Flatten, Kernels, LayerSpec, Sequential, Threads, Units};
use glyphnet::recipe::Recipe;
use glyphnet::train::{Event, FitOptions, Observer, fit};

struct Print;

impl Observer for Print {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Epoch(record) => println!(
                "epoch {}: loss {:.4}, accuracy {:.4}, val_loss {:.4}, val_accuracy {:.4}",
                record.epoch,
                record.train_loss,
                record.train_accuracy,
                record.val_loss.unwrap_or(f64::NAN),
                record.val_accuracy.unwrap_or(f64::NAN),
            ),
            Event::Message(text) => println!("{text}"),
            _ => {}
        }
    }
}

fn main() -> Result<(), glyphnet::Error> {
    let model = Sequential::new()
        .add(Conv2d::new(64, 3).activation(Activation::Relu))
        .add(Conv2d::new(32, 3).activation(Activation::Relu))
        .add(LayerSpec::max_pool2d(2))
        .add(Flatten {})
        .add(Dense::new(Units::CLASSES).activation(Activation::Softmax));

    let mut recipe = Recipe::new(model.layers().to_vec());
    recipe.train.epochs = 1;
    let source = open(&recipe.data.source, &OpenOptions::default())?;
    let options =
        FitOptions { threads: Threads::new(0)?, isa: Isa::detect(), folder: None, kernels: Kernels::default() };
    let outcome = fit(&recipe, &source, &options, &mut Print)?;
    println!("{:.0} images/s", outcome.images as f64 / outcome.train_seconds);
    if let Some(test) = outcome.test {
        println!("test: loss {:.4}, accuracy {:.4}", test.loss, test.accuracy);
    }
    Ok(())
}
