//! The table of keys against the types: serde is asked for the keys and words that each type knows, by offering it
//! one that none knows.

use super::keys::{Key, Kind, RECIPE, Rule};
use super::{Loss, Mode, Monitor, Recipe};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use toml::{Table, Value};

const NOBODY_KNOWS: &str = "nobody_knows";

/// A recipe that has every table, each in its shortest form, as a tree.
fn shortest() -> Table {
    let text = "[data]\n[preprocess]\n[augment]\n[train]\n[optimizer]\nkind = \"sgd\"\n[schedule]\nkind = \"constant\"\n\
                [ema]\n[swa]\n[early_stopping]\n[reduce_lr_on_plateau]\n[[layer]]\nkind = \"flatten\"\n[provenance]\n";
    text.parse().unwrap()
}

fn refusal<T: DeserializeOwned>(value: Value) -> String {
    value.try_into::<T>().err().map(|error| error.message().to_owned()).unwrap_or_default()
}

/// The names in backquotes after "expected", as serde lists them.
fn listed(message: &str) -> BTreeSet<String> {
    let (_, list) = message.split_once("expected").unwrap_or((message, ""));
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn names(keys: &[Key]) -> BTreeSet<String> {
    keys.iter().map(|key| key.name.to_owned()).collect()
}

/// What the types say about the recipe when `table` stands at `name`; `name` may be that of a table within a table.
fn with_table(name: &str, table: Table) -> String {
    if let Some((outer, inner)) = name.split_once('.') {
        return with_table(outer, Table::from_iter([(inner.to_owned(), table.into())]));
    }
    let mut recipe = shortest();
    let is_list = recipe[name].is_array();
    recipe.insert(name.to_owned(), if is_list { Value::Array(vec![table.into()]) } else { table.into() });
    refusal::<Recipe>(recipe.into())
}

/// A value that the rule allows.
fn sample(rule: Rule) -> Value {
    match rule {
        Rule::Flag => true.into(),
        Rule::Text => "text".into(),
        Rule::Word(words, _) => words[0].into(),
        Rule::Whole(least, _) => i64::try_from(least).unwrap().into(),
        Rule::Number(range) => [0.5, 0.0, 1.0, 2.0].into_iter().find(|x| range.contains(*x)).unwrap().into(),
        Rule::List(each, length) => vec![sample(*each); length.unwrap_or(2)].into(),
        Rule::Either(rules) => sample(rules[0]),
        Rule::Table(keys) => required(keys).into(),
        Rule::Kinds(_) | Rule::KindsList(_) | Rule::FreeTable => Table::new().into(),
    }
}

fn required(keys: &[Key]) -> Table {
    keys.iter().filter(|key| key.required).map(|key| (key.name.to_owned(), sample(key.rule))).collect()
}

/// The keys of one table of the recipe, and which of them are required.
fn check_keys(name: &str, kind: Option<&str>, keys: &[Key]) {
    let start = |mut table: Table| {
        if let Some(kind) = kind {
            table.insert("kind".to_owned(), kind.into());
        }
        table
    };
    let place = format!("[{name}] {}", kind.unwrap_or(""));

    assert_eq!(with_table(name, start(required(keys))), "", "{place} with what is required");
    let mut strange = start(required(keys));
    strange.insert(NOBODY_KNOWS.to_owned(), 1.into());
    let message = with_table(name, strange);
    assert!(message.contains(NOBODY_KNOWS), "{place}: an unknown key is not refused: {message}");
    assert_eq!(listed(&message), names(keys), "{place}: {message}");

    for key in keys {
        let mut table = start(required(keys));
        if table.remove(key.name).is_some() {
            let message = with_table(name, table);
            assert!(message.contains(&format!("missing field `{}`", key.name)), "{place} {}: {message}", key.name);
        }
        check_value(name, kind, keys, key);
        if let Rule::Table(keys) = key.rule {
            check_keys(&format!("{name}.{}", key.name), None, keys);
        }
    }
}

/// Each key takes what its rule allows: all the words, every alternative; and the words are all that there are.
fn check_value(name: &str, kind: Option<&str>, keys: &[Key], key: &Key) {
    let set = |value: Value| {
        let mut table = required(keys);
        table.extend(kind.map(|kind| ("kind".to_owned(), kind.into())));
        table.insert(key.name.to_owned(), value);
        with_table(name, table)
    };
    let rules = if let Rule::Either(rules) = &key.rule { rules } else { std::slice::from_ref(&key.rule) };
    for rule in rules {
        assert_eq!(set(sample(*rule)), "", "{name}.{}", key.name);
        if let Rule::Word(words, others) = rule {
            for word in words.iter().chain(*others) {
                assert_eq!(set((*word).into()), "", "{name}.{} = {word}", key.name);
            }
        }
    }
    if let Rule::Word(words, others) = key.rule {
        let known: BTreeSet<String> = words.iter().chain(others).map(|word| (*word).to_owned()).collect();
        let message = set(NOBODY_KNOWS.into());
        // Serde lists aliases or not, depending on its version; the words themselves it always lists.
        let listed = listed(&message);
        assert!(listed.is_subset(&known), "{name}.{}: {message}", key.name);
        assert!(words.iter().all(|word| listed.contains(*word)), "{name}.{}: {message}", key.name);
    }
    if !matches!(key.rule, Rule::Text) {
        assert_ne!(set(NOBODY_KNOWS.into()), "", "{name}.{} takes any text", key.name);
    }
}

fn check_kinds(name: &str, kinds: &[Kind]) {
    let strange = Table::from_iter([("kind".to_owned(), NOBODY_KNOWS.into())]);
    let words: BTreeSet<String> = kinds.iter().map(|kind| kind.word.to_owned()).collect();
    assert_eq!(listed(&with_table(name, strange)), words, "[{name}] kind");
    for kind in kinds {
        check_keys(name, Some(kind.word), kind.keys);
    }
}

#[test]
fn the_table_and_the_types_know_the_same_keys_and_words() {
    let mut recipe = shortest();
    recipe.insert(NOBODY_KNOWS.to_owned(), 1.into());
    assert_eq!(listed(&refusal::<Recipe>(recipe.into())), names(RECIPE));
    for key in RECIPE {
        match key.rule {
            Rule::Table(keys) => check_keys(key.name, None, keys),
            Rule::Kinds(kinds) | Rule::KindsList(kinds) => check_kinds(key.name, kinds),
            _ => assert_eq!(key.name, "provenance"),
        }
    }
}

#[test]
fn no_key_stands_twice() {
    for key in RECIPE {
        let tables: Vec<&[Key]> = match key.rule {
            Rule::Table(keys) => vec![keys],
            Rule::Kinds(kinds) | Rule::KindsList(kinds) => kinds.iter().map(|kind| kind.keys).collect(),
            _ => vec![],
        };
        assert!(tables.iter().all(|keys| names(keys).len() == keys.len()), "{}", key.name);
    }
}

#[test]
fn keras_names_of_the_training_monitors_are_understood() {
    for (word, monitor) in [("loss", Monitor::TrainLoss), ("accuracy", Monitor::TrainAccuracy)] {
        assert_eq!(Value::from(word).try_into::<Monitor>(), Ok(monitor));
    }
    assert_eq!(Monitor::TrainLoss.to_string(), "train_loss");
    for (monitor, name) in [Monitor::TrainLoss, Monitor::TrainAccuracy, Monitor::ValLoss, Monitor::ValAccuracy]
        .map(|monitor| (monitor, monitor.name()))
    {
        assert_eq!(Value::try_from(monitor).unwrap().as_str(), Some(name));
    }
    assert_eq!((Mode::default(), Loss::default()), (Mode::Auto, Loss::CategoricalCrossentropy));
}
