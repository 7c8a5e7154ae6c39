//! Searching for a better recipe: which settings are varied, what each trial has, and which trials go on.
//!
//! All of it is pure. What a trial has depends on the seed, its number and the key's name alone, so a search that is
//! repeated, resumed, or made longer draws the same, and one more key leaves the draws of the others as they are. The
//! trials themselves are trained elsewhere.
//!
//! ```
//! use glyphnet::recipe::Recipe;
//! use glyphnet::tune::{Entry, Space};
//! let recipe = Recipe::load("seed")?;
//! let entries = Entry::typed(&["optimizer.learning_rate=log:1e-4..1e-1", "train.batch_size=32,64,128"])?;
//! let space = Space::new(entries, &recipe)?;
//! let trial = space.draw(0, 7).apply(&recipe)?.recipe;
//! assert!([32, 64, 128].contains(&trial.train.batch_size));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod draw;
mod error;
mod halving;
mod space;
mod spec;

pub use draw::{Applied, Draw};
pub use error::{SpaceError, SpaceProblem};
pub use halving::{Objective, Rung, promoted, ranked, rungs, spans_epochs};
pub use space::{Param, Space};
pub use spec::{Entry, Spec};

#[cfg(test)]
mod tests;
