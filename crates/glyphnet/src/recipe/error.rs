//! What can be wrong with a recipe, and where.

use std::fmt;
use thiserror::Error;

/// What is wrong with a recipe: the place, then the problem.
#[derive(Debug, Error)]
#[error("{place}: {problem}")]
pub struct RecipeError {
    /// Where.
    pub place: Place,
    /// What.
    #[source]
    pub problem: Box<Problem>,
}

impl RecipeError {
    pub(crate) fn new(place: Place, problem: Problem) -> RecipeError {
        RecipeError { place, problem: Box::new(problem) }
    }

    /// For text that nobody has seen, where line and column would mislead.
    pub(crate) fn without_position(mut self) -> RecipeError {
        self.place.position = None;
        self
    }
}

/// Where in which recipe. Displays as `seed.toml:12:1: train.batch_size`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, the shipped recipe or the override.
    pub origin: String,
    /// Line and column (in characters), both from 1, if the recipe came from text.
    pub position: Option<(usize, usize)>,
    /// The dotted path of the key, layers counted from 0; empty for the whole recipe.
    pub key: String,
}

impl Place {
    pub(crate) fn of(origin: &str) -> Place {
        Place { origin: origin.to_owned(), position: None, key: String::new() }
    }

    pub(crate) fn at(origin: &str, position: Option<(usize, usize)>, key: &str) -> Place {
        Place { origin: origin.to_owned(), position, key: key.to_owned() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        Ok(())
    }
}

/// What is wrong.
#[derive(Debug, Error)]
pub enum Problem {
    /// Not TOML.
    #[error("not valid TOML: {message}")]
    Syntax {
        /// What the TOML parser says.
        message: String,
    },
    /// A key that means nothing here.
    #[error("unknown key `{key}`; {}known here: {}", hint(.suggestion), list(.known))]
    UnknownKey {
        /// The key.
        key: String,
        /// What was probably meant.
        suggestion: Option<String>,
        /// All keys that mean something here.
        known: Vec<String>,
    },
    /// A key that must be there.
    #[error("`{key}` is missing; it is {expected}")]
    Missing {
        /// The key.
        key: String,
        /// What it should hold.
        expected: String,
    },
    /// A value of another type.
    #[error("wrong type: expected {expected}, found {found}")]
    WrongType {
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A value of the right type but out of bounds.
    #[error("out of range: expected {expected}, found {found}")]
    OutOfRange {
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A word that is none of the possible ones.
    #[error("unknown word \"{word}\"; {}possible: {}", hint(.suggestion), list(.words))]
    UnknownWord {
        /// The word.
        word: String,
        /// What was probably meant.
        suggestion: Option<String>,
        /// All possible words.
        words: Vec<String>,
    },
    /// Settings that exclude or need each other.
    #[error("{rule}")]
    Conflict {
        /// The rule that is broken, and what to do.
        rule: String,
    },
    /// An override that is not `dotted.path=value`.
    #[error("not an override; write it as dotted.path=value, for example train.batch_size=64")]
    NotAnOverride,
    /// An override whose path goes through something that holds no keys, or past the end of a list.
    #[error("no such place: {reason}")]
    NoSuchPlace {
        /// Why the path leads nowhere.
        reason: String,
    },
    /// Neither a shipped recipe nor a file.
    #[error("no such recipe: there is no file of this name, and the shipped recipes are: {}{}", list(.shipped),
            .suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    NoSuchRecipe {
        /// Names of the shipped recipes.
        shipped: Vec<String>,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// The file is there and cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file cannot be a recipe.
    #[error("not a recipe: {reason}")]
    NotARecipe {
        /// Why not.
        reason: String,
    },
    /// A recipe made in code that TOML cannot express.
    #[error("cannot be written as TOML: {reason}")]
    Unwritable {
        /// What the TOML writer says.
        reason: String,
    },
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|name| format!("did you mean `{name}`? ")).unwrap_or_default()
}

fn list(names: &[String]) -> String {
    names.join(", ")
}

/// The known name that `name` was probably meant to be: the nearest by spelling, case and underscores aside.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    let wanted = plain(name);
    let score = |candidate: &str| {
        let candidate = plain(candidate);
        if strsim::damerau_levenshtein(&wanted, &candidate) <= 1 + wanted.chars().count() / 6 {
            return 1.0 + strsim::normalized_damerau_levenshtein(&wanted, &candidate);
        }
        // Two letters are like too many words.
        if wanted.chars().count() < 3 { 0.0 } else { strsim::jaro_winkler(&wanted, &candidate) }
    };
    let scored = known.into_iter().map(|candidate| (score(candidate), candidate));
    scored.filter(|(score, _)| *score >= 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_what_a_person_would_say() {
        let keys = ["batch_size", "epochs", "seed", "loss", "label_smoothing", "class_weights"];
        assert_eq!(nearest("batchsize", keys), Some("batch_size"));
        assert_eq!(nearest("epoch", keys), Some("epochs"));
        assert_eq!(nearest("sed", keys), Some("seed"));
        assert_eq!(nearest("label_smoothness", keys), Some("label_smoothing"));
        assert_eq!(nearest("quux", keys), None);
        assert_eq!(nearest("lr", ["layer", "seed"]), None);
        let kinds = ["conv2d", "max_pool2d", "avg_pool2d", "global_avg_pool2d", "batch_norm", "flatten", "dense"];
        assert_eq!(nearest("Conv2D", kinds), Some("conv2d"));
        assert_eq!(nearest("MaxPooling2D", kinds), Some("max_pool2d"));
        assert_eq!(nearest("BatchNormalization", kinds), Some("batch_norm"));
        assert_eq!(nearest("flaten", kinds), Some("flatten"));
    }
}
