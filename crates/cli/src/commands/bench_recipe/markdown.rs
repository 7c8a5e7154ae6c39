//! The table in a Markdown file, between two marks.

use std::path::Path;

use glyphnet_data::write_atomic;

use super::ensembles::Ensembles;
use super::print::{NONE, figures, or_none, spread, teraflop};
use super::results::Results;
use crate::error::CliError;

/// The line before the table.
const BEGIN: &str = "<!-- bench-recipe: begin -->";
/// The line behind it.
const END: &str = "<!-- bench-recipe: end -->";

/// Puts the table of `all` between the two marks in `file`. What stands around them stays as it is.
pub(super) fn rewrite(file: &Path, all: &[Results]) -> Result<(), CliError> {
    let problem = |reason: String| CliError::failed(format!("{}: {reason}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| problem(error.to_string()))?;
    let whole = replaced(&text, &table(all))
        .ok_or_else(|| problem(format!("the lines {BEGIN} and {END} are not there, the first before the second")))?;
    write_atomic(file, whole.as_bytes()).map_err(|error| problem(error.to_string()))
}

fn replaced(text: &str, table: &str) -> Option<String> {
    let begin = text.find(BEGIN)? + BEGIN.len();
    let end = begin + text[begin..].find(END)?;
    Some(format!("{}\n{table}{}", &text[..begin], &text[end..]))
}

fn table(all: &[Results]) -> String {
    let mut text = "\
| recipe | data | n | network | test accuracy | 95 % of the mean | validation accuracy | epochs | training, s | whole process, s | TFLOP |
|---|---|---|---|---|---|---|---|---|---|---|
"
    .to_owned();
    for results in all {
        let row: Vec<String> = names(results).into_iter().chain(figures(results)).collect();
        text += &format!("| {} |\n", row.join(" | "));
        if let Some(ensemble) = &results.ensemble {
            text += &format!("| {} |\n", ensemble_row(results, ensemble));
        }
    }
    for results in all.iter().filter(|results| results.ensemble.is_some()) {
        text += &ensemble_note(results);
    }
    text + &machines(all)
}

fn names(results: &Results) -> [String; 2] {
    [escaped(&results.recipe), escaped(&results.data)]
}

/// The row of a recipe's ensembles, under that of its single networks.
fn ensemble_row(results: &Results, ensemble: &Ensembles) -> String {
    let [recipe, data] = names(results);
    let members = ensemble.members as f64;
    let [_, network, _, _, _, epochs, ..] = figures(results);
    let row = [
        format!("{recipe}, {} together", ensemble.members),
        data,
        format!("{} draws", ensemble.accuracies.len()),
        network,
        spread(&ensemble.test),
        NONE.to_owned(),
        NONE.to_owned(),
        epochs,
        or_none(results.train_seconds.map(|train| format!("{:.2}", train.median * members))),
        NONE.to_owned(),
        or_none(results.flops.map(|flops| teraflop(flops * members))),
    ];
    row.join(" | ")
}

fn ensemble_note(results: &Results) -> String {
    let Some(ensemble) = &results.ensemble else { return String::new() };
    let shared = ensemble.shared.map_or(String::new(), |shared| {
        format!(
            "; two draws have {shared:.1} networks in common on average, so the spread is that of draws, not of pools"
        )
    });
    let (recipe, members, pool) = (escaped(&results.recipe), ensemble.members, ensemble.pool);
    format!("\nThe ensembles of {members} of `{recipe}` are drawn from one pool of {pool} networks{shared}.\n")
}

/// What was measured on, a line for each machine and version.
fn machines(all: &[Results]) -> String {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for results in all {
        let threads = results.threads.map_or_else(|| "various threads".to_owned(), |n| format!("threads: {n}"));
        let simd = results.simd.as_deref().unwrap_or("various instruction sets");
        let machine = format!("{}, {threads}, {}, glyphnet {}", escaped(&results.cpu), escaped(simd), results.glyphnet);
        match lines.iter_mut().find(|(known, _)| *known == machine) {
            Some((_, recipes)) => recipes.push(escaped(&results.recipe)),
            None => lines.push((machine, vec![escaped(&results.recipe)])),
        }
    }
    lines.iter().map(|(machine, recipes)| format!("\nMeasured on {machine}: {}.\n", recipes.join(", "))).collect()
}

/// Text of which nothing ends a cell or a line.
fn escaped(text: &str) -> String {
    crate::commands::text::printable(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(replaced(&text, "new\n"), Some(format!("before\n{BEGIN}\nnew\n{END}\nafter\n")));
        assert_eq!(replaced(&format!("{END}\n{BEGIN}\n"), "new\n"), None);
        assert_eq!(replaced("nothing", "new\n"), None);
    }
}
