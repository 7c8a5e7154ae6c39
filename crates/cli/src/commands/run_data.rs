//! Runs that a model or a recipe comes from, and the data that they were trained on.

use std::path::Path;

use glyphnet::recipe::Recipe;
use glyphnet_data::{Source, SourceKind, fetch};

use crate::error::CliError;

/// The key of `[provenance]` for where the data were.
const DATA_PATH: &str = "data_path";

/// A run, as its `run.toml` tells it.
pub(crate) struct Run {
    pub(crate) recipe: Recipe,
    /// The `run.toml`.
    pub(crate) file: String,
}

impl Run {
    /// The run whose folder, or whose model file, `model` is; nothing if it lies elsewhere.
    pub(crate) fn of_model(model: &Path) -> Result<Option<Run>, CliError> {
        let folder = if model.is_dir() { model } else { model.parent().unwrap_or(Path::new("")) };
        let file = folder.join("run.toml");
        if !file.is_file() {
            return Ok(None);
        }
        let file = file.display().to_string();
        Ok(Some(Run { recipe: Recipe::load(&file)?, file }))
    }

    /// What [`Source::fingerprint`] gave for its data.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        noted(&self.recipe, "data_fingerprint")
    }
}

/// An entry of a recipe's `[provenance]`.
pub(crate) fn noted<'a>(recipe: &'a Recipe, key: &str) -> Option<&'a str> {
    recipe.provenance.as_ref()?.get(key)?.as_str()
}

/// The entry of `[provenance]` for data that are a file or a folder: the absolute path, by which they are found again
/// from any folder.
pub(crate) fn path_entry(source: &Source) -> Option<(&'static str, String)> {
    let path = Path::new(&source.name);
    if source.kind == SourceKind::Embedded || !path.exists() {
        return None;
    }
    Some((DATA_PATH, std::path::absolute(path).ok()?.to_str()?.to_owned()))
}

/// What to open for the data that the recipe in `file` names. In a `run.toml` that is what was typed, relative to where
/// the run was started; where nothing is there, the absolute path that the run noted is taken.
pub(crate) fn locate(recipe: &Recipe, file: &str) -> Result<String, CliError> {
    let name = &recipe.data.source;
    if recipe.provenance.is_none() || fetch::entry(name).is_ok() || Path::new(name).exists() {
        return Ok(name.clone());
    }
    let from =
        if Path::new(name).is_relative() { " and is relative to the folder where the run was started" } else { "" };
    let was = match noted(recipe, DATA_PATH) {
        Some(path) if Path::new(path).exists() => return Ok(path.to_owned()),
        Some(path) if path != name => format!("; it was {path} then, and is not there any more"),
        _ => String::new(),
    };
    let problem =
        format!("no data found at '{name}': the path comes from {file}{from}{was}; name the data with --data");
    Err(CliError::failed(problem))
}
