//! Reading a recipe: TOML with positions, checked against the table of keys, then handed to serde.

use super::error::{Place, Problem, RecipeError, nearest};
use super::keys::{Key, Kind, RECIPE, Rule};
use super::{Recipe, rules};
use std::ops::Range as Span;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Text to recipe; of several things that are wrong, the first in the text is reported.
pub(super) fn parse(text: &str, origin: &str) -> Result<Recipe, RecipeError> {
    let fail = |span: Option<Span<usize>>, path: &str, problem| {
        let position = span.map(|span| position(text, span.start));
        RecipeError::new(Place::at(origin, position, path), problem)
    };
    let syntax = |error: toml::de::Error| {
        fail(error.span(), "", Problem::Syntax { message: error.message().trim_end().to_owned() })
    };
    let root = DeTable::parse(text).map_err(syntax)?;

    let mut walk = Walk::default();
    walk.table(root.get_ref(), RECIPE, 0..0, "");
    // What is there and wrong comes before what is missing: a key that is misspelt is both.
    let order = |found: &Finding| (matches!(found.problem, Problem::Missing { .. }), found.span.start);
    if let Some(Finding { span, path, problem }) = walk.findings.into_iter().min_by_key(order) {
        return Err(fail(Some(span), &path, problem));
    }

    let recipe: Recipe = toml::from_str(text).map_err(syntax)?;
    match rules::broken(&recipe) {
        Some((path, rule)) => Err(fail(locate(root.get_ref(), &path), &path, Problem::Conflict { rule })),
        None => Ok(recipe),
    }
}

/// The position of byte `offset`: line and column from 1, the column in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The span of the key at this dotted path, or of the last part of the path that exists.
fn locate(root: &DeTable<'_>, path: &str) -> Option<Span<usize>> {
    let mut parts = path.split('.');
    let (key, mut value) = root.get_key_value(parts.next()?)?;
    let mut span = key.span();
    for part in parts {
        let next = match value.get_ref() {
            DeValue::Table(table) => table.get_key_value(part).map(|(key, value)| (key.span(), value)),
            DeValue::Array(items) => part.parse::<usize>().ok().and_then(|i| items.get(i)).map(|v| (v.span(), v)),
            _ => None,
        };
        let Some((next_span, next_value)) = next else { break };
        (span, value) = (next_span, next_value);
    }
    Some(span)
}

/// Something wrong.
struct Finding {
    span: Span<usize>,
    path: String,
    problem: Problem,
}

/// Walks the tree and collects what is wrong.
#[derive(Default)]
struct Walk {
    findings: Vec<Finding>,
}

impl Walk {
    fn found(&mut self, span: Span<usize>, path: &str, problem: Problem) {
        self.findings.push(Finding { span, path: path.to_owned(), problem });
    }

    /// Checks a table (which stands at `span`) against its keys.
    fn table(&mut self, table: &DeTable<'_>, keys: &'static [Key], span: Span<usize>, path: &str) {
        self.keys(table, keys.iter().map(|key| (key.name, Some(key))), span, path);
    }

    /// Checks a table whose `kind` says which keys it has.
    fn kinds(&mut self, table: &DeTable<'_>, kinds: &'static [Kind], span: Span<usize>, path: &str) {
        let words = || kinds.iter().map(|kind| kind.word);
        let Some((key, value)) = table.get_key_value("kind") else {
            let expected = format!("one of {}", words().collect::<Vec<_>>().join(", "));
            return self.found(span, path, Problem::Missing { key: "kind".to_owned(), expected });
        };
        let DeValue::String(word) = value.get_ref() else {
            let expected = format!("one of {}", words().collect::<Vec<_>>().join(", "));
            let problem = Problem::WrongType { expected, found: describe(value.get_ref()) };
            return self.found(value.span(), &join(path, key.get_ref()), problem);
        };
        let Some(kind) = kinds.iter().find(|kind| kind.word == word) else {
            let problem = unknown_word(word, words());
            return self.found(value.span(), &join(path, key.get_ref()), problem);
        };
        let known = std::iter::once(("kind", None)).chain(kind.keys.iter().map(|key| (key.name, Some(key))));
        self.keys(table, known, span, path);
    }

    /// Checks each key of a table against the known ones (`None`: nothing more to check), then whether one is missing.
    fn keys(
        &mut self,
        table: &DeTable<'_>,
        known: impl Iterator<Item = (&'static str, Option<&'static Key>)> + Clone,
        span: Span<usize>,
        path: &str,
    ) {
        for (name, value) in table {
            match known.clone().find(|(known, _)| *known == name.get_ref()) {
                Some((_, Some(key))) => self.value(value, key.rule, &join(path, name.get_ref())),
                Some((_, None)) => {}
                None => {
                    let problem = unknown_key(name.get_ref(), known.clone().map(|(name, _)| name), path);
                    self.found(name.span(), &join(path, name.get_ref()), problem);
                }
            }
        }
        for (name, key) in known {
            if let Some(key) = key.filter(|key| key.required && !table.contains_key(name)) {
                let expected = expected(key.rule);
                self.found(span.clone(), path, Problem::Missing { key: name.to_owned(), expected });
            }
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, rule: Rule, path: &str) {
        let span = value.span();
        match (rule, value.get_ref()) {
            (Rule::Table(keys), DeValue::Table(table)) => self.table(table, keys, span, path),
            (Rule::Kinds(kinds), DeValue::Table(table)) => self.kinds(table, kinds, span, path),
            (Rule::KindsList(_), DeValue::Array(items)) if items.is_empty() => {
                let problem = Problem::OutOfRange { expected: expected(rule), found: "an empty list".to_owned() };
                self.found(span, path, problem);
            }
            (Rule::KindsList(kinds), DeValue::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    self.value(item, Rule::Kinds(kinds), &format!("{path}.{i}"));
                }
            }
            (Rule::List(each, length), DeValue::Array(items)) => {
                if length.map_or(items.is_empty(), |length| items.len() != length) {
                    let found = format!("a list of {}", items.len());
                    return self.found(span, path, Problem::OutOfRange { expected: expected(rule), found });
                }
                for (i, item) in items.iter().enumerate() {
                    self.value(item, *each, &format!("{path}.{i}"));
                }
            }
            (Rule::Either(rules), _) => self.either(value, rules, rule, path),
            (_, found) => {
                if let Err(problem) = scalar(found, rule) {
                    self.found(span, path, problem);
                }
            }
        }
    }

    /// Any of several rules. If none holds, what is said is about the one whose type fits, if it is one, or else about
    /// all of them.
    fn either(&mut self, value: &Spanned<DeValue<'_>>, rules: &[Rule], whole: Rule, path: &str) {
        let mut of_right_type = Vec::new();
        for rule in rules {
            let mut attempt = Walk::default();
            attempt.value(value, *rule, path);
            if attempt.findings.is_empty() {
                return;
            }
            let wrong_type = |found: &Finding| found.path == path && matches!(found.problem, Problem::WrongType { .. });
            if !attempt.findings.iter().any(wrong_type) {
                of_right_type.push(attempt.findings);
            }
        }
        let (expected, found) = (expected(whole), describe(value.get_ref()));
        match of_right_type.len() {
            0 => self.found(value.span(), path, Problem::WrongType { expected, found }),
            1 => self.findings.extend(of_right_type.remove(0)),
            _ => self.found(value.span(), path, Problem::OutOfRange { expected, found }),
        }
    }
}

/// Checks a value that is no list and no known table.
fn scalar(value: &DeValue<'_>, rule: Rule) -> Result<(), Problem> {
    let expected = || expected(rule);
    let out_of_range = || Err(Problem::OutOfRange { expected: expected(), found: describe(value) });
    match (rule, value) {
        (Rule::Flag, DeValue::Boolean(_)) | (Rule::Text, DeValue::String(_)) | (Rule::FreeTable, DeValue::Table(_)) => {
            Ok(())
        }
        (Rule::Word(words, others), DeValue::String(word)) => {
            let known = words.iter().chain(others).any(|known| known == word);
            if known { Ok(()) } else { Err(unknown_word(word, words.iter().copied())) }
        }
        (Rule::Whole(least, most), DeValue::Integer(number)) => {
            match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) if number < i128::from(least) => out_of_range(),
                Ok(number) if number <= i128::from(most) => Ok(()),
                // Too large for a bound that is so large that `expected` does not mention it.
                _ if most >= MENTIONED_BELOW => Err(Problem::OutOfRange {
                    expected: format!("a whole number, at most {most}"),
                    found: describe(value),
                }),
                _ => out_of_range(),
            }
        }
        (Rule::Number(range), DeValue::Integer(_) | DeValue::Float(_)) => match number(value) {
            // The arithmetic has 32 bits, and the range must still hold there: 1e-60 becomes 0.
            Some(x) if [x, f64::from(x as f32)].into_iter().all(|x| x.is_finite() && range.contains(x)) => Ok(()),
            Some(x) if x.is_finite() && range.contains(x) => {
                Err(Problem::OutOfRange { expected: expected() + " as a 32-bit number", found: describe(value) })
            }
            _ => out_of_range(),
        },
        _ => Err(Problem::WrongType { expected: expected(), found: describe(value) }),
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n as f64),
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

fn unknown_word(word: &str, words: impl Iterator<Item = &'static str> + Clone) -> Problem {
    Problem::UnknownWord {
        word: shorten(word),
        suggestion: nearest(word, words.clone()).map(str::to_owned),
        words: words.map(str::to_owned).collect(),
    }
}

/// Names that keys have in other programs, too far from ours for [`nearest`].
const ALIASES: [(&str, &str); 2] = [("lr", "learning_rate"), ("decay", "weight_decay")];

/// A key that means nothing in the table at `path`.
fn unknown_key(name: &str, known: impl Iterator<Item = &'static str> + Clone, path: &str) -> Problem {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, ours)| *ours);
    let here = alias.filter(|ours| known.clone().any(|known| known == *ours)).map(str::to_owned);
    let suggestion = here
        .or_else(|| elsewhere(name, path))
        .or_else(|| nearest(name, known.clone()).map(str::to_owned))
        .or_else(|| elsewhere(alias?, path));
    Problem::UnknownKey { key: shorten(name), suggestion, known: known.map(str::to_owned).collect() }
}

/// Where a key that means nothing at `path` does belong.
fn elsewhere(name: &str, path: &str) -> Option<String> {
    let tables = RECIPE.iter().filter(|table| table.name != path).find(|table| match table.rule {
        Rule::Table(keys) => keys.iter().any(|key| key.name == name),
        Rule::Kinds(kinds) => kinds.iter().any(|kind| kind.keys.iter().any(|key| key.name == name)),
        _ => false,
    });
    tables.map(|table| format!("[{}] {name}", table.name))
}

/// An upper bound from here on is too far away to mention before somebody hits it.
const MENTIONED_BELOW: u64 = u32::MAX as u64;

/// What belongs here, in words.
fn expected(rule: Rule) -> String {
    match rule {
        Rule::Flag => "true or false".to_owned(),
        Rule::Text => "text in quotes".to_owned(),
        Rule::Word([word], _) => format!("\"{word}\""),
        Rule::Word(words, _) => format!("one of {}", words.join(", ")),
        Rule::Whole(least, most) if least == most => least.to_string(),
        Rule::Whole(least, most) if most >= MENTIONED_BELOW => format!("a whole number, at least {least}"),
        Rule::Whole(least, most) => format!("a whole number from {least} to {most}"),
        Rule::Number(range) => range.to_string(),
        Rule::List(each, Some(length)) => format!("a list of {length}, each {}", expected(*each)),
        Rule::List(each, None) => format!("a list, each {}", expected(*each)),
        Rule::Either(rules) => rules.iter().map(|rule| expected(*rule)).collect::<Vec<_>>().join(", or "),
        Rule::Table(_) | Rule::Kinds(_) | Rule::FreeTable => "a table".to_owned(),
        Rule::KindsList(_) => "one or more tables in double brackets".to_owned(),
    }
}

/// A value as a person would name it.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{}\"", shorten(text)),
        DeValue::Integer(number) => format!("the whole number {}", shorten(&number.to_string())),
        DeValue::Float(number) => format!("the number {}", shorten(number.as_str())),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date or time".to_owned(),
        DeValue::Array(items) => format!("a list of {}", items.len()),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The beginning of something that somebody wrote, fit for one line.
fn shorten(text: &str) -> String {
    let short: String = text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(40).is_some() { short + "..." } else { short }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { shorten(key) } else { format!("{path}.{}", shorten(key)) }
}
