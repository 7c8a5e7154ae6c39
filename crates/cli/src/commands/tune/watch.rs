//! What a person sees of a search while it goes on: a table that grows by a row for every training that is over, as far
//! as a terminal is wide, and on a terminal a bar below it with the best so far and the time left.

use std::time::{Duration, Instant};

use glyphnet::evaluate::Score;
use glyphnet::tune::Objective;
use indicatif::{HumanDuration, ProgressBar};

use super::journal::{Journal, Line};
use super::print::{headings, told, value};
use super::search::Search;
use crate::commands::text::percent;
use crate::output::say;
use crate::progress;
use crate::terminal::{self, Style};

pub(super) struct Watch<'a> {
    search: &'a Search,
    objective: Objective,
    bar: ProgressBar,
    widths: Vec<usize>,
    /// The best of the rung that is being trained.
    best: Option<(u32, usize, Score)>,
    began: Instant,
    /// Epochs trained since then, and epochs that are left.
    trained: u64,
    left: u64,
}

impl<'a> Watch<'a> {
    /// Begins the table.
    pub(super) fn new(search: &'a Search, objective: Objective, journal: &Journal) -> Watch<'a> {
        let names = headings(search.space.params());
        let widths: Vec<usize> = names.iter().map(|name| name.chars().count().max(9)).collect();
        let all: u64 =
            (0..search.rungs.len()).map(|rung| cost(search, rung) * u64::from(search.rungs[rung].trials)).sum();
        let done: u64 = journal.lines().iter().map(|line| cost(search, line.rung)).sum();
        let bar = progress::trials_bar(all);
        bar.set_position(done);
        let left = all.saturating_sub(done);
        let mut watch = Watch { search, objective, bar, widths, best: None, began: Instant::now(), trained: 0, left };
        journal.lines().iter().for_each(|line| watch.improve(line));
        if left > 0 {
            watch.row(["trial", "epochs", "val accuracy", "val loss"], &names, "");
        }
        watch
    }

    /// A training is over.
    pub(super) fn line(&mut self, line: &Line) {
        let cost = cost(self.search, line.rung);
        (self.trained, self.left) = (self.trained + cost, self.left.saturating_sub(cost));
        let before = self.best;
        self.improve(line);
        let best = self.best != before;
        let values: Vec<String> = line.values.iter().map(|text| value(text.as_deref())).collect();
        let (trial, epochs) = (line.trial.to_string(), line.epochs.to_string());
        match (line.score, &line.failed) {
            (Some(score), _) => {
                let (accuracy, loss) = (percent(score.accuracy), format!("{:.4}", score.loss));
                self.row([&trial, &epochs, &accuracy, &loss], &values, if best { "best" } else { "" });
            }
            (None, reason) => {
                self.row([&trial, &epochs, "failed", ""], &values, "");
                self.say(&terminal::folded(&format!("  {}", reason.as_deref().unwrap_or_default())));
            }
        }
        self.bar.inc(cost);
        self.bar.set_message(self.message());
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn improve(&mut self, line: &Line) {
        let Some(score) = line.score else { return };
        let better = self.best.is_none_or(|(_, rung, best)| {
            line.rung > rung || line.rung == rung && self.objective.order(score, best).is_lt()
        });
        if better {
            self.best = Some((line.trial, line.rung, score));
        }
    }

    fn message(&self) -> String {
        let best = self.best.map_or_else(String::new, |(trial, _, score)| {
            format!("best {} (trial {trial}), ", told(self.objective, score))
        });
        let left = self.began.elapsed().as_secs_f64() / self.trained.max(1) as f64 * self.left as f64;
        let left = Duration::try_from_secs_f64(left.ceil()).unwrap_or_default();
        format!("{best}{:#} left", HumanDuration(left))
    }

    fn row(&self, figures: [&str; 4], values: &[String], note: &str) {
        let [trial, epochs, accuracy, loss] = figures;
        let mut rest = format!("  {epochs:>6}  {accuracy:>12}  {loss:>8}");
        for (text, width) in values.iter().zip(&self.widths) {
            rest += &format!("  {text:>width$}");
        }
        let first = format!("{note:4} {trial:>5}");
        let rest = terminal::cut(rest.trim_end(), first.len());
        let first = if note.is_empty() { first } else { first.replacen(note, &Style::stderr().green(note), 1) };
        self.say(&(first + &rest));
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| say!("{text}"));
    }
}

/// Epochs that a training in this rung takes.
fn cost(search: &Search, rung: usize) -> u64 {
    let earlier = match glyphnet::tune::spans_epochs(&search.plan.recipe) {
        None if rung > 0 => search.rungs[rung - 1].epochs,
        _ => 0,
    };
    search.rungs.get(rung).map_or(0, |rung| u64::from(rung.epochs - earlier))
}
