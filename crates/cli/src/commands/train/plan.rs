//! What `train` was asked for: the recipe with what was typed laid over it.

use std::path::Path;

use glyphnet::recipe::Recipe;
use glyphnet_kernels::Isa;

use crate::args::RecipeArgs;
use crate::commands::{isa, run_data};
use crate::error::CliError;

/// Every setting of the run to come.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) recipe: Recipe,
    /// What the run is called after: its folder is `runs/<name>-<n>` unless another is named.
    pub(crate) name: String,
    pub(crate) isa: Isa,
    /// 0 = all cores.
    pub(crate) threads: usize,
}

impl Plan {
    /// The recipe, then `--set`, then the flags with names of their own.
    pub(crate) fn new(args: &RecipeArgs, epochs: Option<u32>) -> Result<Plan, CliError> {
        let isa = isa(&args.simd)?;
        let recipe = laid_over(args, epochs, &Recipe::load(&args.recipe)?, &args.recipe)?;
        Ok(Plan { recipe, name: run_name(&args.recipe), isa, threads: threads(args) })
    }

    /// The same for the run whose `run.toml` is `file` and was read as `loaded`. It stays on its instruction set `simd`,
    /// if this CPU has it and no other is named.
    pub(crate) fn resumed(
        args: &RecipeArgs,
        epochs: Option<u32>,
        file: &str,
        loaded: &Recipe,
        simd: Option<&str>,
    ) -> Result<Plan, CliError> {
        let own = simd.filter(|_| args.simd == "auto").and_then(|simd| simd.parse().ok());
        let isa = own.map_or_else(|| isa(&args.simd), Ok)?;
        let name = run_data::noted(loaded, "recipe").map_or_else(|| run_name(file), str::to_owned);
        Ok(Plan { recipe: laid_over(args, epochs, loaded, file)?, name, isa, threads: threads(args) })
    }
}

/// 0 = all cores.
fn threads(args: &RecipeArgs) -> usize {
    args.threads.map_or(0, usize::from)
}

/// The recipe from `file` with what was typed laid over it.
fn laid_over(args: &RecipeArgs, epochs: Option<u32>, loaded: &Recipe, file: &str) -> Result<Recipe, CliError> {
    let typed = [
        epochs.map(|n| format!("train.epochs={n}")),
        args.batch_size.map(|n| format!("train.batch_size={n}")),
        args.seed.map(|n| format!("train.seed={n}")),
    ];
    let overrides: Vec<String> = args.set.iter().cloned().chain(typed.into_iter().flatten()).collect();
    let mut recipe = loaded.with_overrides(&overrides).map_err(|error| CliError::Usage(error.to_string()))?;
    if let Some(data) = &args.data {
        // Not as an override: a path may look like a number.
        recipe.data.source.clone_from(data);
    } else if recipe.data.source == loaded.data.source {
        recipe.data.source = run_data::locate(&recipe, file)?;
    }
    Ok(recipe)
}

/// `seed` for the recipe `seed`, `mine` for `recipes/mine.toml`, `seed` for `runs/seed-3/run.toml`.
fn run_name(recipe: &str) -> String {
    let path = Path::new(recipe);
    let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
    let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy());
    match folder {
        Some(run) if stem == "run" => match run.rsplit_once('-') {
            Some((name, number)) if !name.is_empty() && number.chars().all(|c| c.is_ascii_digit()) => name.to_owned(),
            _ => run.into_owned(),
        },
        _ => stem.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_called_after_their_recipe() {
        let names = ["seed", "recipes/mine.toml", "runs/seed-3/run.toml", "/data/first try/run.toml", "run.toml"];
        assert_eq!(names.map(run_name), ["seed", "mine", "seed", "first try", "run"]);
    }
}
