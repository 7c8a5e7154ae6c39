//! What can be wrong with a search space, and where.

use crate::recipe::RecipeError;

/// What is wrong with a search space: the place, then the problem.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SpaceError {
    /// The argument as typed, or the file with the key.
    pub place: String,
    /// What.
    #[source]
    pub problem: Box<SpaceProblem>,
}

impl SpaceError {
    pub(super) fn new(place: impl Into<String>, problem: SpaceProblem) -> SpaceError {
        SpaceError { place: place.into(), problem: Box::new(problem) }
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum SpaceProblem {
    /// No `KEY=SPEC`.
    #[error(
        "not a search; write it as KEY=SPEC, for example optimizer.learning_rate=log:1e-4..1e-1 or \
         train.batch_size=32,64,128"
    )]
    NotASearch,
    /// One value, or none.
    #[error("nothing to choose from; write a range as low..high or log:low..high, or values with commas between them")]
    NoChoice,
    /// The same value twice.
    #[error("{value} is named twice")]
    Twice {
        /// The value.
        value: String,
    },
    /// A range whose end is no finite number.
    #[error("\"{end}\" is no number; a range is low..high or log:low..high")]
    NotANumber {
        /// What stands where a number should be.
        end: String,
    },
    /// A range that ends before it begins, or at once.
    #[error("the range ends at {high}, which is not above its beginning, {low}")]
    Empty {
        /// Its beginning.
        low: f64,
        /// Its end.
        high: f64,
    },
    /// A logarithmic range that begins at 0 or below.
    #[error("a logarithmic range must begin above 0, not at {low}")]
    NoLogarithm {
        /// Its beginning.
        low: f64,
    },
    /// A range of whole numbers that ends in fractions, or is too long.
    #[error(
        "`{key}` takes whole numbers alone, so the range must begin and end at such, at most {} apart",
        u32::MAX - 1
    )]
    NotWhole {
        /// The key.
        key: String,
    },
    /// A key that is searched twice.
    #[error("`{key}` is searched twice")]
    Repeated {
        /// The key.
        key: String,
    },
    /// A key that must be the same in all trials.
    #[error("`{key}` must be the same in all trials: {reason}")]
    Fixed {
        /// The key.
        key: String,
        /// Why.
        reason: &'static str,
    },
    /// A value that the recipe does not take.
    #[error("{0}")]
    Recipe(#[from] RecipeError),
    /// No key at all.
    #[error("there is no key to search")]
    NoKeys,
    /// Not TOML, or no search space.
    #[error("{0}")]
    File(String),
}
