//! The search for people.

use std::io::Write as _;

use glyphnet::evaluate::Score;
use glyphnet::train::RunFolder;
use glyphnet::tune::{Objective, Param};
use glyphnet_artifacts::quoted;

use super::results::{BEST, PICTURE, Results, State, TABLE};
use crate::commands::text::{count, percent};
use crate::error::CliError;
use crate::output::Out;
use crate::table::{Align, Table};
use crate::terminal::Style;

/// So many trials are listed.
const MOST_TRIALS: usize = 20;

/// What trials were compared by.
pub(super) fn told(objective: Objective, score: Score) -> String {
    match objective {
        Objective::Accuracy => percent(score.accuracy),
        Objective::Loss => format!("{:.4}", score.loss),
    }
}

/// A value as it stands in a table.
pub(super) fn value(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

/// The shortest ends of the keys that tell them apart: `learning_rate`, but `0.filters` and `1.filters`.
pub(super) fn headings(params: &[Param]) -> Vec<String> {
    let end = |key: &str, parts: usize| {
        let all: Vec<&str> = key.split('.').collect();
        all[all.len().saturating_sub(parts)..].join(".")
    };
    let unique =
        |key: &str, parts: usize| params.iter().filter(|param| end(&param.key, parts) == end(key, parts)).count() == 1;
    let shortest = |key: &str| (1..key.split('.').count()).find(|parts| unique(key, *parts));
    params.iter().map(|param| shortest(&param.key).map_or(param.key.clone(), |parts| end(&param.key, parts))).collect()
}

pub(super) fn text(results: &Results<'_>, folder: &RunFolder, out: &mut Out) -> Result<(), CliError> {
    let (left, right) = (Align::Left, Align::Right);
    let names = headings(results.search.space.params());
    let columns = [("rank", right), ("trial", right), ("epochs", right), ("val accuracy", right), ("val loss", right)];
    let columns = columns.into_iter().chain(names.iter().map(|name| (name.as_str(), right))).chain([("state", left)]);
    let mut table = Table::new(columns);
    let shown = results.standings.iter().filter(|(state, _)| *state != State::Failed);
    for (place, (state, line)) in shown.enumerate().take(MOST_TRIALS) {
        let figure = |text: fn(Score) -> String| line.score.map_or_else(String::new, text);
        let figures = [
            (place + 1).to_string(),
            line.trial.to_string(),
            line.epochs.to_string(),
            figure(|score| percent(score.accuracy)),
            figure(|score| format!("{:.4}", score.loss)),
        ];
        let values = line.values.iter().map(|text| value(text.as_deref()));
        table.row(figures.into_iter().chain(values).chain([state.name().to_owned()]));
    }
    table.write(out)?;
    let failed = results.count(State::Failed);
    let listed = results.standings.len() - failed;
    if listed > MOST_TRIALS {
        writeln!(out, "... {} more", count(listed - MOST_TRIALS, "trial"))?;
    }
    if failed > 0 {
        writeln!(out, "{} failed; {TABLE} says why", count(failed, "trial"))?;
    }
    let place = |name: &str| folder.file(name).display().to_string();
    writeln!(out, "\nbest recipe  {}", place(BEST))?;
    writeln!(out, "all trials   {}", place(TABLE))?;
    writeln!(out, "picture      {}", place(PICTURE))?;
    let command = format!("glyphnet train --recipe {}", quoted(&place(BEST)));
    writeln!(out, "\nnext:\n  {}", Style::stdout().green(&command))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use glyphnet::tune::Spec;

    use super::*;

    #[test]
    fn headings_are_as_short_as_they_can_be() {
        let keys = ["optimizer.learning_rate", "layer.0.filters", "layer.1.filters", "a.rate", "b.rate", "rate"];
        let param = |key: &&str| Param { key: (*key).to_owned(), spec: Spec::Choices(Vec::new()), whole: false };
        let params: Vec<Param> = keys.iter().map(param).collect();
        assert_eq!(headings(&params), ["learning_rate", "0.filters", "1.filters", "a.rate", "b.rate", "rate"]);
    }
}
