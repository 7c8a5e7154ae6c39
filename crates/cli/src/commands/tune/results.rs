//! What a search came to: the trials by result, `trials.csv`, the picture and `best.toml`.

use glyphnet::recipe::Recipe;
use glyphnet::train::RunFolder;
use glyphnet::train::history::History;
use glyphnet::tune::Objective;
use glyphnet_artifacts::pictures::{self, TunedTrial};
use glyphnet_data::write_atomic;

use super::journal::{Journal, Line};
use super::search::Search;
use super::work::TRIALS;
use crate::commands::text::percent;
use crate::error::CliError;

/// Names of what is written.
pub(super) const TABLE: &str = "trials.csv";
pub(super) const BEST: &str = "best.toml";
pub(super) const PICTURE: &str = "tune.png";

/// How far a trial came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// To the last rung.
    Finished,
    /// Others went on in its place.
    Stopped,
    Failed,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            State::Finished => "finished",
            State::Stopped => "stopped",
            State::Failed => "failed",
        }
    }
}

/// Trials by result, the best first.
pub(super) struct Results<'a> {
    pub(super) search: &'a Search,
    pub(super) objective: Objective,
    pub(super) standings: Vec<(State, &'a Line)>,
}

impl<'a> Results<'a> {
    /// Whoever came to a later rung is before those who did not, and what failed comes last.
    pub(super) fn new(search: &'a Search, journal: &'a Journal, objective: Objective) -> Results<'a> {
        let last = search.rungs.len() - 1;
        let lines = (1..=search.rungs[0].trials).filter_map(|number| {
            journal.lines().iter().filter(|line| line.trial == number && line.rung <= last).max_by_key(|line| line.rung)
        });
        let state = |line: &Line| match line.score {
            None => State::Failed,
            Some(_) if line.rung == last => State::Finished,
            Some(_) => State::Stopped,
        };
        let mut standings: Vec<(State, &Line)> = lines.map(|line| (state(line), line)).collect();
        standings.sort_by(|(a, one), (b, other)| {
            let score = match (one.score, other.score) {
                (Some(one), Some(other)) => objective.order(one, other),
                _ => std::cmp::Ordering::Equal,
            };
            (*a == State::Failed)
                .cmp(&(*b == State::Failed))
                .then(other.rung.cmp(&one.rung))
                .then(score)
                .then(one.trial.cmp(&other.trial))
        });
        Results { search, objective, standings }
    }

    /// The best trial, if one has not failed.
    pub(super) fn best(&self) -> Option<&'a Line> {
        self.standings.first().filter(|(state, _)| *state != State::Failed).map(|(_, line)| *line)
    }

    pub(super) fn count(&self, state: State) -> usize {
        self.standings.iter().filter(|(found, _)| *found == state).count()
    }

    /// Writes the files.
    pub(super) fn write(&self, folder: &RunFolder, subject: &str) -> Result<(), CliError> {
        folder.write(TABLE, &self.csv()?)?;
        let Some(best) = self.best() else {
            let (trials, table) = (self.standings.len(), folder.file(TABLE));
            let reason = self.standings.first().and_then(|(_, line)| line.failed.clone()).unwrap_or_default();
            let problem = format!("all {trials} trials failed ({}); the first: {reason}", table.display());
            return Err(CliError::failed(problem));
        };
        folder.write(BEST, &self.best_recipe(best, subject)?)?;
        let curves: Vec<(&Line, Vec<(f64, f64)>)> =
            self.scored().map(|line| (line, self.curve(line, folder))).collect();
        let trials = curves.iter().filter_map(|(line, curve)| {
            let value = self.shown(line.score?.accuracy, line.score?.loss);
            Some(TunedTrial { number: line.trial, rung: line.rung, values: &line.values, value, curve })
        });
        let params = self.search.space.params();
        let png = pictures::tune(subject, params, &trials.collect::<Vec<_>>(), self.objective)?;
        let path = folder.file(PICTURE);
        write_atomic(&path, &png)
            .map_err(|error| CliError::failed(format!("cannot write '{}': {error}", path.display())))
    }

    fn scored(&self) -> impl Iterator<Item = &'a Line> {
        self.standings.iter().filter(|(state, _)| *state != State::Failed).map(|(_, line)| *line)
    }

    /// What the picture shows: accuracies in per cent, or losses.
    fn shown(&self, accuracy: f64, loss: f64) -> f64 {
        match self.objective {
            Objective::Accuracy => accuracy * 100.0,
            Objective::Loss => loss,
        }
    }

    /// On validation after each epoch; empty where the run's folder was cleared away.
    fn curve(&self, line: &Line, folder: &RunFolder) -> Vec<(f64, f64)> {
        let Ok(recipe) = self.search.trial(line.trial).recipe else { return Vec::new() };
        let name = self.search.folder_name(line.trial, &recipe, line.rung);
        let history = History::read_csv(&folder.path().join(TRIALS).join(name).join("run/history.csv"));
        let epochs = history.unwrap_or_default();
        let values = epochs.records().iter().filter_map(|epoch| {
            let score = epoch.validation()?;
            Some((f64::from(epoch.epoch), self.shown(score.accuracy, score.loss)))
        });
        values.collect()
    }

    /// `trials.csv`. It has no times, so that searches that found the same are the same files.
    fn csv(&self) -> Result<String, CliError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let keys = self.search.space.params().iter().map(|param| param.key.as_str());
        let first = ["rank", "trial", "state", "epochs", "val_accuracy", "val_loss", "best_epoch"];
        writer.write_record(first.into_iter().chain(keys).chain(["reason"]))?;
        for (place, (state, line)) in self.standings.iter().enumerate() {
            let figure = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
            let best = if line.best_epoch > 0 { line.best_epoch.to_string() } else { String::new() };
            let figures = [
                (place + 1).to_string(),
                line.trial.to_string(),
                state.name().to_owned(),
                line.epochs.to_string(),
                figure(line.score.map(|score| score.accuracy)),
                figure(line.score.map(|score| score.loss)),
                best,
            ];
            let values = line.values.iter().map(|value| value.clone().unwrap_or_default());
            writer.write_record(figures.into_iter().chain(values).chain([line.failed.clone().unwrap_or_default()]))?;
        }
        Ok(String::from_utf8_lossy(&writer.into_inner().map_err(|error| error.into_error())?).into_owned())
    }

    /// `best.toml`: the recipe, whole, with all the epochs of the search.
    fn best_recipe(&self, best: &Line, subject: &str) -> Result<String, CliError> {
        let recipe = self.search.trial(best.trial).recipe.map_err(CliError::failed)?;
        let recipe = self.search.in_rung(&recipe, self.search.rungs.len() - 1);
        let Some(score) = best.score else { return Ok(recipe.to_toml()?) };
        let (accuracy, loss) = (percent(score.accuracy), score.loss);
        let found = self.search.space.params().iter().zip(&best.values);
        let found = found.filter_map(|(param, value)| Some(format!("#   {} = {}\n", param.key, value.as_ref()?)));
        // A name may hold anything, and a comment ends with its line.
        let subject = crate::commands::text::printable(subject);
        Ok(format!(
            "# Found by a search from {subject}: trial {} of {}, after {} epochs.\n# On the validation images: {accuracy}, \
             loss {loss:.4}. It was chosen for that, so fresh seeds and the\n# test images will show somewhat less.\n#\n{}\n{}",
            best.trial,
            self.standings.len(),
            best.epochs,
            found.collect::<String>(),
            Recipe { provenance: None, ..recipe }.to_toml()?,
        ))
    }
}
