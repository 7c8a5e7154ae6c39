//! The recipes that come with the program, and reading the others from files.

use super::Recipe;
use super::error::{Place, Problem, RecipeError, nearest};
use std::io::Read;
use std::path::Path;

/// Name and text of each file in `recipes/`.
const SHIPPED: &[(&str, &str)] = &[
    ("balanced", include_str!("../../../../recipes/balanced.toml")),
    ("fast", include_str!("../../../../recipes/fast.toml")),
    ("seed", include_str!("../../../../recipes/seed.toml")),
];

/// No recipe is longer; what is longer is some other file.
const LONGEST_BYTES: u64 = 1 << 20;

/// The names of the shipped recipes.
pub fn shipped() -> impl ExactSizeIterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

pub(super) fn load(name_or_path: &str) -> Result<Recipe, RecipeError> {
    if let Some((name, text)) = SHIPPED.iter().find(|(name, _)| *name == name_or_path) {
        return Recipe::from_toml(text, &format!("recipe {name}"));
    }
    let refuse = |problem| RecipeError::new(Place::of(name_or_path), problem);
    let path = Path::new(name_or_path);
    if !path.try_exists().map_err(|error| refuse(error.into()))? {
        return Err(refuse(Problem::NoSuchRecipe {
            shipped: shipped().map(str::to_owned).collect(),
            suggestion: nearest(name_or_path, shipped()).map(str::to_owned),
        }));
    }
    if path.is_dir() {
        let reason = "a folder; name the TOML file, for a run its run.toml".to_owned();
        return Err(refuse(Problem::NotARecipe { reason }));
    }
    let text = read(path).map_err(refuse)?;
    Recipe::from_toml(&text, name_or_path)
}

fn read(path: &Path) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LONGEST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_BYTES {
        return Err(Problem::NotARecipe { reason: format!("longer than {LONGEST_BYTES} bytes") });
    }
    String::from_utf8(bytes).map_err(|error| Problem::NotARecipe {
        reason: format!("not UTF-8 text from byte {}", error.utf8_error().valid_up_to()),
    })
}
