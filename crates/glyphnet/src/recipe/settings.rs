//! Recipes as flat lists of settings, to be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use toml::{Table, Value};

use super::Recipe;

/// A setting that is not the same in all of several recipes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedSetting {
    /// Its dotted path, as overrides name it: `optimizer.learning_rate`, `layer.0.filters`.
    pub name: String,
    /// What each recipe says, as TOML; `None` where it is not set.
    pub values: Vec<Option<String>>,
}

impl Recipe {
    /// Every setting by its dotted path, as TOML; `[provenance]` is none.
    ///
    /// # Errors
    /// If TOML cannot hold the recipe.
    pub fn settings(&self) -> Result<BTreeMap<String, String>, toml::ser::Error> {
        let table = Table::try_from(Recipe { provenance: None, ..self.clone() })?;
        let mut settings = BTreeMap::new();
        flatten("", &Value::Table(table), &mut settings);
        Ok(settings)
    }

    /// The settings in which `recipes` are not all the same, by path.
    ///
    /// # Errors
    /// If TOML cannot hold one of them.
    pub fn changed_settings(recipes: &[&Recipe]) -> Result<Vec<ChangedSetting>, toml::ser::Error> {
        let all = recipes.iter().map(|recipe| recipe.settings()).collect::<Result<Vec<_>, _>>()?;
        let paths: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
        let changed = paths.into_iter().filter_map(|path| {
            let values: Vec<Option<String>> = all.iter().map(|settings| settings.get(path).cloned()).collect();
            values.windows(2).any(|pair| pair[0] != pair[1]).then(|| ChangedSetting { name: path.clone(), values })
        });
        Ok(changed.collect())
    }
}

fn flatten(path: &str, value: &Value, settings: &mut BTreeMap<String, String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| flatten(&below(key), value, settings)),
        Value::Array(items) if items.iter().any(Value::is_table) => {
            items.iter().enumerate().for_each(|(i, item)| flatten(&below(&i.to_string()), item, settings));
        }
        value => {
            settings.insert(path.to_owned(), value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_listed_with_all_values() {
        let seed = Recipe::load("seed").unwrap();
        assert_eq!(Recipe::changed_settings(&[&seed, &seed]).unwrap(), []);
        assert_eq!(Recipe::changed_settings(&[]).unwrap(), []);
        let third = seed.with_overrides(&["layer.0.filters=8", "early_stopping=none"]).unwrap();
        let changed = Recipe::changed_settings(&[&seed, &seed, &third]).unwrap();
        let of = |name: &str| changed.iter().find(|setting| setting.name == name).unwrap().values.clone();
        let text = |value: &str| Some(value.to_owned());
        assert_eq!(of("layer.0.filters"), [text("64"), text("64"), text("8")]);
        assert_eq!(of("early_stopping.patience"), [text("10"), text("10"), None]);
        assert!(
            changed
                .iter()
                .all(|setting| setting.name.starts_with("early_stopping.") || setting.name == "layer.0.filters")
        );
    }
}
