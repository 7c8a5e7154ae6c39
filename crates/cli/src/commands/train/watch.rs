//! What a person sees of a run while it goes on.

use std::time::Instant;

use glyphnet::train::history::EpochRecord;
use glyphnet::train::{Event, Observer};
use glyphnet_data::Part;
use indicatif::ProgressBar;

use crate::commands::text::{count, grouped};
use crate::interrupt::Interrupt;
use crate::output::say;
use crate::progress::{self, Unit};
use crate::terminal;

/// Watches a run: on a terminal a bar for each epoch with running loss, accuracy, speed and time left, a bar for
/// each evaluation, then the epoch's line and what the callbacks say; elsewhere one line an epoch that has it all.
pub(crate) struct Watch {
    interrupt: Interrupt,
    live: bool,
    epochs: u32,
    images: u64,
    bar: ProgressBar,
    /// The epoch of the bar.
    epoch: u32,
    /// When it began: as soon as the one before was over.
    began: Instant,
    /// The line of the last epoch, waiting for what the callbacks say to it.
    line: Option<String>,
}

impl Watch {
    pub(crate) fn new(interrupt: Interrupt) -> Watch {
        let (live, bar) = (terminal::is_live(), ProgressBar::hidden());
        Watch { interrupt, live, epochs: 0, images: 0, bar, epoch: 0, began: Instant::now(), line: None }
    }

    /// Says what is still unsaid.
    pub(crate) fn finish(&mut self) {
        self.bar.finish_and_clear();
        if let Some(line) = self.line.take() {
            say!("{}", terminal::folded(&line));
        }
    }

    fn step(&mut self, epoch: u32, images: usize, loss: f64, accuracy: f64) {
        if self.epoch != epoch {
            self.finish();
            self.epoch = epoch;
            let elapsed = self.began.elapsed();
            self.bar = progress::epoch_bar(format!("epoch {epoch}/{}", self.epochs), self.images, elapsed);
        }
        if self.live {
            self.bar.set_message(format!("loss {loss:.4}, acc {accuracy:.4}"));
            self.bar.set_position(images as u64);
        }
    }

    /// The bar of a split that is evaluated; nothing where no bar is drawn.
    fn evaluating(&mut self, split: Part, done: usize, total: usize) {
        if !self.live {
            return;
        }
        if done == 0 {
            self.finish();
            self.bar = progress::bar(format!("evaluating {split}"), total as u64, Unit::Images);
        }
        self.bar.set_position(done as u64);
        if done == total {
            self.finish();
        }
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.finish();
        self.began = Instant::now();
        self.line = Some(line(record, self.epochs));
        if self.live {
            self.finish();
        }
    }

    fn message(&mut self, text: &str) {
        match (&mut self.line, text.strip_prefix(&format!("epoch {}: ", self.epoch))) {
            (Some(line), Some(rest)) => *line += &format!("; {rest}"),
            _ => {
                self.finish();
                say!("{}", terminal::folded(text));
            }
        }
    }
}

impl Observer for Watch {
    fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Begin { epochs, train, validation, network } => {
                self.began = Instant::now();
                self.epochs = epochs;
                self.images = train as u64;
                let held_out = if validation > 0 {
                    format!(", {} for validation", grouped(validation as u64))
                } else {
                    String::new()
                };
                let parameters = count(network.parameters(), "parameter");
                say!("{parameters}, {} to train on{held_out}", count(train, "image"));
            }
            Event::Step { epoch, images, loss, accuracy } => self.step(epoch, images, loss, accuracy),
            Event::Evaluating { split, done, total } => self.evaluating(split, done, total),
            Event::Epoch(record) => self.epoch(record),
            Event::Message(text) => self.message(text),
        }
    }

    fn stop_requested(&self) -> bool {
        self.interrupt.requested()
    }
}

/// Fits into 80 columns, with validation and hundreds of epochs.
fn line(record: &EpochRecord, epochs: u32) -> String {
    let EpochRecord { epoch, train_loss, train_accuracy, seconds, .. } = record;
    let mut line = format!("epoch {epoch}/{epochs}: loss {train_loss:.4}, acc {train_accuracy:.4}");
    if let (Some(loss), Some(accuracy)) = (record.val_loss, record.val_accuracy) {
        line += &format!("; val loss {loss:.4}, acc {accuracy:.4}");
    }
    line + &format!("; {seconds:.1} s")
}
