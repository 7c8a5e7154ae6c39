//! What is typed: `KEY=SPEC`, or the same as lines of a TOML file.

use std::fmt;

use toml::{Table, Value};

use super::error::{SpaceError, SpaceProblem};

/// Where the values of a key come from, as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// One of these, each as `--set` takes it.
    Choices(Vec<String>),
    /// A number between these, both included.
    Range {
        /// The lowest.
        low: f64,
        /// The highest; above the lowest.
        high: f64,
        /// Whether every factor is as likely, rather than every difference.
        logarithmic: bool,
    },
}

/// A key with its spec, and where that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What messages name: the argument as typed, or the file with the key.
    pub place: String,
    /// The dotted path of a setting, as `--set` takes it.
    pub key: String,
    /// Its values.
    pub spec: Spec,
}

impl Entry {
    /// Reads arguments of the form `KEY=SPEC`. A spec is `low..high`, `log:low..high`, or values with commas between
    /// them; commas in brackets and quotes belong to a value.
    ///
    /// # Errors
    /// The first argument that is no such thing.
    pub fn typed<S: AsRef<str>>(arguments: &[S]) -> Result<Vec<Entry>, SpaceError> {
        arguments.iter().map(|argument| typed(argument.as_ref())).collect()
    }

    /// Reads a TOML file of lines `KEY = SPEC`, such as `train.batch_size = [32, 64]` and
    /// `optimizer.learning_rate = "log:1e-4..1e-1"`; tables are parts of keys. `origin` names the file in messages.
    ///
    /// # Errors
    /// No TOML, or the first key whose value is neither a spec in quotes nor a list of values.
    pub fn from_toml(text: &str, origin: &str) -> Result<Vec<Entry>, SpaceError> {
        let root: Table = text.parse().map_err(|error: toml::de::Error| {
            let problem = format!("not valid TOML: {}", error.to_string().trim_end());
            SpaceError::new(origin, SpaceProblem::File(problem))
        })?;
        let mut entries = Vec::new();
        flatten("", &root, origin, &mut entries)?;
        Ok(entries)
    }
}

fn typed(argument: &str) -> Result<Entry, SpaceError> {
    let place = format!("--search {argument}");
    let parts = argument.split_once('=').map(|(key, spec)| (key.trim(), spec.trim()));
    let Some((key, spec)) = parts.filter(|(key, _)| !key.is_empty()) else {
        return Err(SpaceError::new(place, SpaceProblem::NotASearch));
    };
    let spec = Spec::parse(spec).map_err(|problem| SpaceError::new(&place, problem))?;
    Ok(Entry { key: key.to_owned(), place, spec })
}

fn flatten(path: &str, table: &Table, origin: &str, entries: &mut Vec<Entry>) -> Result<(), SpaceError> {
    for (name, value) in table {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let place = format!("{origin}: {key}");
        let spec = match value {
            Value::Table(below) => {
                flatten(&key, below, origin, entries)?;
                continue;
            }
            Value::String(spec) => Spec::parse(spec),
            Value::Array(values) => Spec::choices(values.iter().map(written).collect()),
            _ => Err(SpaceProblem::NoChoice),
        };
        let spec = spec.map_err(|problem| SpaceError::new(&place, problem))?;
        entries.push(Entry { place, key, spec });
    }
    Ok(())
}

/// A value as `--set` takes it: a word without its quotes, so that `"none"` removes a setting here too.
fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// As it is typed.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spec::Choices(values) => f.write_str(&values.join(",")),
            Spec::Range { low, high, logarithmic } => {
                write!(f, "{}{low}..{high}", if *logarithmic { "log:" } else { "" })
            }
        }
    }
}

impl Spec {
    /// Reads what stands after the `=`.
    pub(super) fn parse(text: &str) -> Result<Spec, SpaceProblem> {
        let (range, logarithmic) = match text.strip_prefix("log:") {
            Some(range) => (range, true),
            None => (text, false),
        };
        match range.split_once("..") {
            Some((low, high)) => Spec::range(low, high, logarithmic),
            None if logarithmic => Err(SpaceProblem::NotANumber { end: range.to_owned() }),
            None => Spec::choices(split(text)),
        }
    }

    fn range(low: &str, high: &str, logarithmic: bool) -> Result<Spec, SpaceProblem> {
        let number = |end: &str| {
            let number = end.trim().parse().ok().filter(|number: &f64| number.is_finite());
            number.ok_or_else(|| SpaceProblem::NotANumber { end: end.trim().to_owned() })
        };
        let (low, high) = (number(low)?, number(high)?);
        if low >= high {
            return Err(SpaceProblem::Empty { low, high });
        }
        if logarithmic && low <= 0.0 {
            return Err(SpaceProblem::NoLogarithm { low });
        }
        Ok(Spec::Range { low, high, logarithmic })
    }

    fn choices(values: Vec<String>) -> Result<Spec, SpaceProblem> {
        if values.len() < 2 || values.iter().any(String::is_empty) {
            return Err(SpaceProblem::NoChoice);
        }
        match values.iter().enumerate().find(|(place, value)| values[..*place].contains(value)) {
            Some((_, value)) => Err(SpaceProblem::Twice { value: value.clone() }),
            None => Ok(Spec::Choices(values)),
        }
    }
}

/// The values between commas that stand in no brackets and no quotes.
fn split(text: &str) -> Vec<String> {
    let (mut depth, mut quote) = (0_i32, None);
    let mut values = vec![String::new()];
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => {
                values.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(value) = values.last_mut() {
            value.push(c);
        }
    }
    values.into_iter().map(|value| value.trim().to_owned()).collect()
}
