//! Whether a recipe and data are those of a checkpoint.

use std::collections::BTreeMap;

use super::checkpoint::Checkpoint;
use crate::Error;
use crate::recipe::Recipe;

/// Settings that may change while a run is interrupted: where the data lie, its length, and how it is looked after.
const FREE: [&str; 5] =
    ["data.source", "preprocess.polarity", "train.epochs", "train.checkpoint_minutes", "train.on_nan"];
/// A table of estimates, as the polarity is one.
const DRAWN: &str = "preprocess.drawn.";
/// So many differences are shown.
const SHOWN: usize = 8;

/// Refuses other data and other settings, with the differences.
pub(super) fn check(checkpoint: &Checkpoint, recipe: &Recipe, fingerprint: &str) -> Result<(), Error> {
    if checkpoint.data != fingerprint {
        return Err(Error::OtherRun(format!(
            "the data are others: their fingerprint is {fingerprint}, in the checkpoint {}",
            checkpoint.data
        )));
    }
    let differences = differences(&settings(&checkpoint.recipe)?, &settings(recipe)?);
    if differences.is_empty() {
        return Ok(());
    }
    let more = differences.len().saturating_sub(SHOWN);
    let mut shown = differences.into_iter().take(SHOWN).collect::<Vec<_>>().join("; ");
    if more > 0 {
        shown += &format!("; and {more} more");
    }
    Err(Error::OtherRun(format!("the settings are others: {shown}")))
}

/// Every setting that must be the same, by its dotted path.
fn settings(recipe: &Recipe) -> Result<BTreeMap<String, String>, Error> {
    let settings = recipe.settings();
    let mut settings = settings.map_err(|error| Error::Mismatch(format!("the recipe cannot be compared: {error}")))?;
    settings.retain(|path, _| !FREE.contains(&path.as_str()) && !path.starts_with(DRAWN));
    Ok(settings)
}

/// What differs, in words.
fn differences(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let paths: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let value = |settings: &BTreeMap<String, String>, path: &String| {
        settings.get(path).map_or_else(|| "not set".to_owned(), Clone::clone)
    };
    let differ = paths.into_iter().filter(|path| before.get(*path) != now.get(*path));
    differ.map(|path| format!("{path} was {} and is {}", value(before, path), value(now, path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differ(overrides: &[&str]) -> Vec<String> {
        let recipe = Recipe::load("seed").unwrap();
        let other = recipe.with_overrides(overrides).unwrap();
        differences(&settings(&recipe).unwrap(), &settings(&other).unwrap())
    }

    #[test]
    fn differences_are_named_with_both_values() {
        assert_eq!(differ(&[]), Vec::<String>::new());
        assert_eq!(differ(&["optimizer.learning_rate=0.01"]), ["optimizer.learning_rate was 0.001 and is 0.01"]);
        assert_eq!(differ(&["layer.0.filters=8"]), ["layer.0.filters was 64 and is 8"]);
        let removed = differ(&["early_stopping=none"]);
        assert!(removed.contains(&"early_stopping.patience was 10 and is not set".to_owned()), "{removed:?}");
        assert_eq!(differ(&["train.epochs=7", "data.source=elsewhere", "train.on_nan=rollback"]), Vec::<String>::new());
        let drawn = "preprocess.drawn={ centred_by = \"mass\", centre = [4, 4], size = 6, stroke = 1, edge = 1, ground = 0, ink = 255 }";
        assert_eq!(differ(&[drawn]), Vec::<String>::new());
    }
}
