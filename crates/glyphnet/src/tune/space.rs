//! The settings that a search varies, checked against the recipe that it starts from.

use super::error::{SpaceError, SpaceProblem};
use super::spec::{Entry, Spec};
use crate::recipe::{Problem, Recipe, RecipeError};

/// A search is refused that combines kinds in more ways than this; each way is checked.
const MOST_KINDS: usize = 4096;
/// Keys that say which images a trial is judged on.
const IMAGES: [&str; 5] = ["data.source", "data.validation", "data.stratify", "data.limit", "train.seed"];
const SAME_IMAGES: &str = "trials are compared on the same validation images, which this decides on";

/// A setting and where its values come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its dotted path.
    pub key: String,
    /// Its values.
    pub spec: Spec,
    /// Whether it takes whole numbers alone.
    pub whole: bool,
}

/// Settings to vary, each of whose values the recipe takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    params: Vec<Param>,
}

impl Space {
    /// Checks every choice and both ends of every range against `recipe`, one key at a time; a key that only some of
    /// the kinds know that are searched too, such as `optimizer.momentum`, is checked with those. Two settings that
    /// exclude each other only together are found when a trial draws them.
    ///
    /// # Errors
    /// The first key that the recipe does not know, value that it does not take, or key that is named twice or must be
    /// the same in all trials.
    pub fn new(entries: Vec<Entry>, recipe: &Recipe) -> Result<Space, SpaceError> {
        if entries.is_empty() {
            return Err(SpaceError::new("search space", SpaceProblem::NoKeys));
        }
        let kinds = kinds(&entries, recipe)?;
        let mut params: Vec<Param> = Vec::with_capacity(entries.len());
        for entry in entries {
            let refuse = |problem| SpaceError::new(&entry.place, problem);
            if params.iter().any(|param| param.key == entry.key) {
                return Err(refuse(SpaceProblem::Repeated { key: entry.key.clone() }));
            }
            if IMAGES.contains(&entry.key.as_str()) {
                return Err(refuse(SpaceProblem::Fixed { key: entry.key.clone(), reason: SAME_IMAGES }));
            }
            let whole = check(&entry, &kinds).map_err(refuse)?;
            params.push(Param { key: entry.key, spec: entry.spec, whole });
        }
        Ok(Space { params })
    }

    /// The settings, in the order that they were named.
    pub fn params(&self) -> &[Param] {
        &self.params
    }
}

pub(super) fn is_kind(key: &str) -> bool {
    key.ends_with(".kind")
}

/// The recipe with every combination of the kinds that are searched; the recipe alone where none is.
fn kinds(entries: &[Entry], recipe: &Recipe) -> Result<Vec<Recipe>, SpaceError> {
    let mut combinations: Vec<Vec<String>> = vec![Vec::new()];
    for entry in entries.iter().filter(|entry| is_kind(&entry.key)) {
        let Spec::Choices(words) = &entry.spec else { continue };
        let longer = combinations.iter().flat_map(|combination| {
            words.iter().map(|word| [&combination[..], &[format!("{}={word}", entry.key)]].concat())
        });
        combinations = longer.collect();
        if combinations.len() > MOST_KINDS {
            let problem = format!("the kinds that are searched can be combined in more than {MOST_KINDS} ways");
            return Err(SpaceError::new(&entry.place, SpaceProblem::File(problem)));
        }
    }
    let mut recipes = Vec::new();
    for combination in &combinations {
        // A kind that needs other settings too (`schedule.kind=step`) is judged with the draw that brings them.
        recipes.push(recipe.with_overrides(combination).unwrap_or_else(|_| recipe.clone()));
    }
    Ok(recipes)
}

/// Whether the key takes whole numbers alone; checks all its values on the way.
fn check(entry: &Entry, recipes: &[Recipe]) -> Result<bool, SpaceProblem> {
    match &entry.spec {
        Spec::Choices(values) => {
            values.iter().try_for_each(|value| taken(&entry.key, value, recipes))?;
            Ok(false)
        }
        &Spec::Range { low, high, .. } => {
            let whole = is_whole(&entry.key, recipes);
            if whole && (low.fract() != 0.0 || high.fract() != 0.0 || high - low >= f64::from(u32::MAX)) {
                return Err(SpaceProblem::NotWhole { key: entry.key.clone() });
            }
            [low, high].iter().try_for_each(|end| taken(&entry.key, &end.to_string(), recipes))?;
            Ok(whole)
        }
    }
}

/// Whether one of the recipes takes the value, else what is wrong with it in the recipe that came closest: where the
/// key is known at all.
fn taken(key: &str, value: &str, recipes: &[Recipe]) -> Result<(), RecipeError> {
    let mut refused: Option<RecipeError> = None;
    for recipe in recipes {
        match recipe.with_overrides(&[format!("{key}={value}")]) {
            Ok(_) => return Ok(()),
            Err(error) if refused.as_ref().is_none_or(is_unknown) => refused = Some(error),
            Err(_) => {}
        }
    }
    refused.map_or(Ok(()), Err)
}

pub(super) fn is_unknown(error: &RecipeError) -> bool {
    matches!(*error.problem, Problem::UnknownKey { .. })
}

/// A key that refuses one and a half for its type takes whole numbers alone.
fn is_whole(key: &str, recipes: &[Recipe]) -> bool {
    let refused = taken(key, "1.5", recipes).err();
    refused.is_some_and(|error| matches!(*error.problem, Problem::WrongType { .. }))
}
