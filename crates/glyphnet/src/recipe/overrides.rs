//! `--set dotted.path=value`: a recipe with some settings replaced.

use super::Recipe;
use super::error::{Place, Problem, RecipeError};
use super::keys::{Key, RECIPE, Rule};
use toml::{Table, Value};

/// One override, taken apart.
struct Override<'a> {
    text: &'a str,
    path: Vec<&'a str>,
    value: &'a str,
}

impl Override<'_> {
    fn refuse(&self, problem: Problem) -> RecipeError {
        RecipeError::new(self.place(&self.path.join(".")), problem)
    }

    fn place(&self, key: &str) -> Place {
        Place::at(&format!("--set {}", self.text), None, key)
    }

    /// What should have been typed: this override with `name` where the unknown key is, or in another table if `name`
    /// is written `[table] key`.
    fn corrected(&self, unknown: &[&str], name: &str) -> String {
        let Some((_, before)) = unknown.split_last() else { return name.to_owned() };
        let Some(after) = self.path.get(unknown.len()..) else { return name.to_owned() };
        let path = match name.strip_prefix('[').and_then(|name| name.split_once("] ")) {
            Some((table, key)) => [&[table, key], after].concat(),
            None => [before, &[name], after].concat(),
        };
        format!("{}={}", path.join("."), self.value)
    }

    fn sets_kind(&self) -> bool {
        self.path.last() == Some(&"kind")
    }
}

pub(super) fn apply<S: AsRef<str>>(recipe: &Recipe, overrides: &[S]) -> Result<Recipe, RecipeError> {
    let mut parsed = overrides.iter().map(|text| split(text.as_ref())).collect::<Result<Vec<_>, _>>()?;
    // Kinds first, in whatever order they were given: they decide which other keys there are.
    parsed.sort_by_key(|one| !one.sets_kind());

    let written = recipe.to_toml()?;
    let mut root: Table = written.parse().map_err(|error: toml::de::Error| unwritable(&error))?;
    for one in &parsed {
        set(&mut root, one).map_err(|problem| one.refuse(problem))?;
    }
    let text = toml::to_string(&root).map_err(|error| unwritable(&error))?;
    Recipe::from_toml(&text, "recipe").map_err(|error| blame(error, &parsed))
}

fn split(text: &str) -> Result<Override<'_>, RecipeError> {
    let place = || Place::of(&format!("--set {text}"));
    let (path, value) = text.split_once('=').ok_or_else(|| RecipeError::new(place(), Problem::NotAnOverride))?;
    let path: Vec<&str> = path.split('.').map(str::trim).collect();
    if path.iter().any(|part| part.is_empty()) {
        return Err(RecipeError::new(place(), Problem::NotAnOverride));
    }
    Ok(Override { text, path, value: value.trim() })
}

fn unwritable(error: &dyn std::error::Error) -> RecipeError {
    RecipeError::new(Place::of("recipe"), Problem::Unwritable { reason: error.to_string() })
}

/// Says which override brought the error in, if it was one: the last whose path meets the error's.
fn blame(error: RecipeError, overrides: &[Override<'_>]) -> RecipeError {
    let key: Vec<&str> = error.place.key.split('.').filter(|part| !part.is_empty()).collect();
    // What is missing was removed, or else it is the table around it that was added.
    let missing = match &*error.problem {
        Problem::Missing { key: missing, .. } => Some([&key[..], &[missing]].concat()),
        _ => None,
    };
    let meeting = |key: &Vec<&str>| {
        let meets = |one: &&Override<'_>| one.path.iter().zip(key).all(|(ours, theirs)| ours == theirs);
        overrides.iter().rev().find(meets)
    };
    match missing.as_ref().and_then(meeting).or_else(|| meeting(&key)) {
        Some(one) => {
            let mut problem = error.problem;
            if let Problem::UnknownKey { suggestion: Some(name), .. } = &mut *problem {
                *name = one.corrected(&key, name);
            }
            RecipeError { place: one.place(&error.place.key), problem }
        }
        None => error.without_position(),
    }
}

/// Replaces, adds or removes the value at the override's path.
fn set(root: &mut Table, one: &Override<'_>) -> Result<(), Problem> {
    let Some((last, parents)) = one.path.split_last() else { return Err(Problem::NotAnOverride) };
    let mut place = Node::Table(root);
    for (depth, part) in parents.iter().enumerate() {
        place = place.descend(part, &one.path[..depth])?;
    }
    let rule = rule_at(&one.path);
    let is_text = matches!(rule, Some(Rule::Text));
    match place {
        Node::Table(table) if one.value == "none" && !is_text => {
            table.remove(*last);
        }
        Node::Table(table) => {
            table.insert((*last).to_owned(), read(one.value, is_text));
            if one.sets_kind() {
                keep_known(table, &one.path);
            }
        }
        Node::List(items) => *item(items, last, parents)? = read(one.value, is_text),
    }
    Ok(())
}

/// Something that a path can go through.
enum Node<'t> {
    Table(&'t mut Table),
    List(&'t mut Vec<Value>),
}

impl<'t> Node<'t> {
    /// One step down; a table that is absent is made. `so_far` is the path to here.
    fn descend(self, part: &str, so_far: &[&str]) -> Result<Node<'t>, Problem> {
        let value = match self {
            Node::Table(table) => table.entry(part.to_owned()).or_insert_with(|| Value::Table(Table::new())),
            Node::List(items) => item(items, part, so_far)?,
        };
        match value {
            Value::Table(table) => Ok(Node::Table(table)),
            Value::Array(items) => Ok(Node::List(items)),
            _ => {
                let here = [so_far, &[part]].concat().join(".");
                Err(Problem::NoSuchPlace { reason: format!("{here} is a single value, nothing is below it") })
            }
        }
    }
}

fn item<'t>(items: &'t mut [Value], part: &str, so_far: &[&str]) -> Result<&'t mut Value, Problem> {
    let (name, count) = (so_far.join("."), items.len());
    let index = part.parse::<usize>().ok();
    index.and_then(|index| items.get_mut(index)).ok_or_else(|| Problem::NoSuchPlace {
        reason: format!("{name} has {count} entries, numbered from 0, and \"{part}\" is none of them"),
    })
}

/// A value as typed: TOML, or else text.
fn read(typed: &str, is_text: bool) -> Value {
    match typed.parse::<Value>() {
        Ok(value) if value.is_str() || !is_text => value,
        _ => Value::String(typed.to_owned()),
    }
}

/// What belongs at this path, as far as that is known without looking at kinds.
fn rule_at(path: &[&str]) -> Option<Rule> {
    let mut keys: &[Key] = RECIPE;
    let mut rule = None;
    for part in path {
        let found = keys.iter().find(|key| key.name == *part)?.rule;
        keys = if let Rule::Table(below) = found { below } else { &[] };
        rule = Some(found);
    }
    rule
}

/// After a change of `kind`: drops what the new kind does not know. An unknown kind is refused later, with its words.
fn keep_known(table: &mut Table, path: &[&str]) {
    let Some(Rule::Kinds(kinds) | Rule::KindsList(kinds)) = rule_at(&path[..1]) else { return };
    let Some(kind) = kinds.iter().find(|kind| table.get("kind").and_then(Value::as_str) == Some(kind.word)) else {
        return;
    };
    table.retain(|name, _| name == "kind" || kind.keys.iter().any(|key| key.name == name));
}
