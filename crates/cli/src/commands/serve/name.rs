//! What a model is called where nobody says.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use glyphnet::train::Metrics;

use crate::args::is_plain;

/// The recipe of the run that a model belongs to, else the name of its file or folder, as characters that need no
/// escaping.
pub(super) fn of(model: &Path) -> String {
    let folder = if model.is_dir() { Some(model) } else { model.parent() };
    let recipe = folder.and_then(|folder| {
        let whole = model.is_dir() || model.file_name() == Some(OsStr::new("model.safetensors"));
        let text = whole.then(|| fs::read(folder.join("metrics.json")).ok())??;
        Some(serde_json::from_slice::<Metrics>(&text).ok()?.recipe)
    });
    let name = recipe.or_else(|| Some(model.file_stem()?.to_string_lossy().into_owned())).unwrap_or_default();
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).take(128).collect();
    if plain.is_empty() { "model".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(of(&folder.path().join("my digits.safetensors")), "my-digits");
        assert_eq!(of(Path::new("..")), "model");
    }
}
