//! What a person sees while networks are trained fold by fold.

use std::time::{Duration, Instant};

use glyphnet::train::history::EpochRecord;
use glyphnet::train::{Event, Observer};
use indicatif::{HumanDuration, ProgressBar};

use crate::commands::text::count;
use crate::output::say;
use crate::progress::{self, Unit};
use crate::terminal;

/// Watches one run after another: on a terminal one bar over all, with the time left, and anywhere a line for each fold.
pub(super) struct Watch {
    folds: u64,
    /// The fold that is worked on, from 1.
    fold: u64,
    /// Of each run: epochs at most, and images an epoch.
    epochs: u64,
    images: u64,
    bar: ProgressBar,
    began: Instant,
    /// When the fold began.
    fold_began: Instant,
    last: Option<EpochRecord>,
    said: Vec<String>,
}

impl Watch {
    pub(super) fn new(folds: usize) -> Watch {
        let (now, bar) = (Instant::now(), ProgressBar::hidden());
        let folds = folds as u64;
        Watch { folds, fold: 0, epochs: 0, images: 0, bar, began: now, fold_began: now, last: None, said: Vec::new() }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn begin(&mut self, epochs: u32, images: usize) {
        (self.epochs, self.images) = (epochs.into(), images as u64);
        if self.fold == 0 {
            self.bar = progress::bar("", self.folds * self.epochs * self.images, Unit::Images);
        }
        self.fold += 1;
        self.fold_began = Instant::now();
        self.last = None;
        self.move_to(1, 0);
    }

    fn move_to(&self, epoch: u32, images: usize) {
        if terminal::is_live() {
            let (fold, folds, epochs) = (self.fold, self.folds, self.epochs);
            self.bar.set_prefix(format!("fold {fold}/{folds}, epoch {epoch}/{epochs}"));
            self.bar.set_position((self.fold_epochs() + u64::from(epoch) - 1) * self.images + images as u64);
        }
    }

    /// Epochs before this fold's, at most.
    fn fold_epochs(&self) -> u64 {
        (self.fold - 1) * self.epochs
    }

    /// The line of a fold that is over.
    fn end(&self) {
        let mut line = format!("fold {}/{}:", self.fold, self.folds);
        if let Some(last) = &self.last {
            line += &format!(
                " {}, loss {:.4}, acc {:.4}",
                count(last.epoch as usize, "epoch"),
                last.train_loss,
                last.train_accuracy
            );
            if let (Some(loss), Some(accuracy)) = (last.val_loss, last.val_accuracy) {
                line += &format!("; val loss {loss:.4}, acc {accuracy:.4}");
            }
        }
        line += &format!("; {:.1} s", self.fold_began.elapsed().as_secs_f64());
        if self.fold < self.folds {
            let left = self.began.elapsed().as_secs_f64() / self.fold as f64 * (self.folds - self.fold) as f64;
            line += &format!(", about {:#} left", HumanDuration(Duration::from_secs_f64(left.ceil())));
        }
        self.bar.suspend(|| say!("{line}"));
    }

    /// Says once what every fold would say; what its epochs do is in the fold's line.
    fn message(&mut self, text: &str) {
        let of_an_epoch = text.strip_prefix("epoch ").and_then(|rest| rest.split_once(": "));
        let of_an_epoch = of_an_epoch.is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        if !of_an_epoch && !self.said.iter().any(|said| said == text) {
            self.said.push(text.to_owned());
            self.bar.suspend(|| say!("{}", terminal::folded(text)));
        }
    }
}

impl Observer for Watch {
    fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Begin { epochs, train, .. } => self.begin(epochs, train),
            Event::Step { epoch, images, .. } => self.move_to(epoch, images),
            Event::Epoch(record) => self.last = Some(record.clone()),
            Event::Evaluating { split: glyphnet_data::Part::Test, done, total } if done == total => self.end(),
            Event::Evaluating { .. } => {}
            Event::Message(text) => self.message(text),
        }
    }
}
