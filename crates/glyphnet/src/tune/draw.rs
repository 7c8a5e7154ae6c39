//! What a trial has: drawn by counter, so that neither order nor interruptions change it.

use glyphnet_kernels::random::{Purpose, Stream};

use super::space::{Param, Space, is_kind, is_unknown};
use super::spec::Spec;
use crate::recipe::{Recipe, RecipeError};

/// Numbers are drawn to so many digits, so that a recipe can be read.
const DIGITS: usize = 4;

/// A value for every setting of a space.
#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    settings: Vec<(String, String)>,
}

/// A draw, laid over a recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The recipe of the trial.
    pub recipe: Recipe,
    /// The value of each setting of the space, as `--set` takes it; `None` where the kinds that were drawn do not know
    /// the setting.
    pub values: Vec<Option<String>>,
}

impl Space {
    /// The values of trial `trial` of the search with this seed.
    pub fn draw(&self, seed: u64, trial: u32) -> Draw {
        let settings = self.params().iter().map(|param| {
            let mut stream = Stream::new(seed, Purpose::Tune, trial, hash(&param.key));
            (param.key.clone(), value(param, &mut stream))
        });
        Draw { settings: settings.collect() }
    }
}

impl Draw {
    /// The values of all settings, those too that [`Draw::apply`] leaves out.
    pub fn values(&self) -> Vec<Option<String>> {
        self.settings.iter().map(|(_, value)| Some(value.clone())).collect()
    }

    /// Lays the values over `recipe`. What the drawn kinds do not know is left out.
    ///
    /// # Errors
    /// Values that exclude each other, or that `recipe` does not take.
    pub fn apply(&self, recipe: &Recipe) -> Result<Applied, RecipeError> {
        let mut kept: Vec<bool> = vec![true; self.settings.len()];
        loop {
            let chosen = self.settings.iter().zip(&kept).filter(|(_, kept)| **kept);
            let overrides: Vec<String> = chosen.map(|((key, value), _)| format!("{key}={value}")).collect();
            match recipe.with_overrides(&overrides) {
                Ok(recipe) => {
                    let values = self.settings.iter().zip(&kept).map(|((_, value), kept)| kept.then(|| value.clone()));
                    return Ok(Applied { recipe, values: values.collect() });
                }
                Err(error) => match self.unknown(&error, &kept) {
                    Some(place) => kept[place] = false,
                    None => return Err(error),
                },
            }
        }
    }

    /// The setting that is to be left out: one below a kind that was drawn, which does not know it.
    fn unknown(&self, error: &RecipeError, kept: &[bool]) -> Option<usize> {
        if !is_unknown(error) {
            return None;
        }
        let place = self.settings.iter().position(|(key, _)| *key == error.place.key).filter(|place| kept[*place])?;
        let (table, _) = self.settings[place].0.rsplit_once('.')?;
        let kind = format!("{table}.kind");
        self.settings.iter().any(|(key, _)| *key == kind && is_kind(key)).then_some(place)
    }
}

/// FNV-1a: a key's own place in the random numbers of a trial.
fn hash(key: &str) -> u32 {
    key.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn value(param: &Param, stream: &mut Stream) -> String {
    match &param.spec {
        Spec::Choices(values) => values[stream.below(values.len() as u32) as usize].clone(),
        &Spec::Range { low, high, logarithmic: false } if param.whole => {
            // Their distance is below 2^32 - 1: the space was checked.
            (low + f64::from(stream.below((high - low) as u32 + 1))).to_string()
        }
        &Spec::Range { low, high, logarithmic: true } if param.whole => {
            // Half a step more on both sides, so that the ends are as likely as their neighbours.
            factor(stream, low - 0.5, high + 0.5).round().clamp(low, high).to_string()
        }
        &Spec::Range { low, high, logarithmic } => {
            let drawn = if logarithmic { factor(stream, low, high) } else { stream.uniform(low, high) };
            let rounded: f64 = format!("{drawn:.*e}", DIGITS - 1).parse().unwrap_or(drawn);
            rounded.clamp(low, high).to_string()
        }
    }
}

/// Between `low` and `high`, every factor as likely.
fn factor(stream: &mut Stream, low: f64, high: f64) -> f64 {
    libm::exp(stream.uniform(libm::log(low), libm::log(high)))
}
