//! What a search is: written when it begins, and compared when it goes on.

use std::fs;

use glyphnet::recipe::Recipe;
use glyphnet::train::RunFolder;
use glyphnet::tune::{Rung, Space, rungs, spans_epochs};
use glyphnet_data::Source;
use toml::{Table, Value};

use crate::args::{Method, TuneArgs};
use crate::commands::train::plan::Plan;
use crate::error::CliError;

/// The file in the folder of a search.
const FILE: &str = "search.toml";

/// Everything that decides what the trials are.
pub(super) struct Search {
    pub(super) plan: Plan,
    pub(super) space: Space,
    pub(super) method: Method,
    pub(super) rungs: Vec<Rung>,
    pub(super) seed: u64,
}

/// A trial that is to be trained.
pub(super) struct Candidate {
    pub(super) number: u32,
    pub(super) values: Vec<Option<String>>,
    /// Its recipe, or why there is none.
    pub(super) recipe: Result<Recipe, String>,
}

impl Search {
    pub(super) fn new(args: &TuneArgs, plan: Plan, space: Space) -> Result<Search, CliError> {
        let epochs = plan.recipe.train.epochs;
        let rungs = match args.method {
            Method::Random => vec![Rung { epochs, trials: args.trials }],
            Method::Halving => {
                if space.params().iter().any(|param| param.key == "train.epochs") {
                    let problem =
                        "train.epochs cannot be searched by halving, which decides on it; use --method random";
                    return Err(CliError::Usage(problem.to_owned()));
                }
                rungs(args.trials, epochs, args.min_epochs, args.eta)
            }
        };
        Ok(Search { plan, space, method: args.method, rungs, seed: args.seed })
    }

    /// Trial `number`, from 0.
    pub(super) fn trial(&self, number: u32) -> Candidate {
        let draw = self.space.draw(self.seed, number);
        let applied = draw.apply(&self.plan.recipe);
        match applied {
            Ok(applied) => Candidate { number, values: applied.values, recipe: Ok(applied.recipe) },
            Err(error) => Candidate { number, values: draw.values(), recipe: Err(error.to_string()) },
        }
    }

    /// The recipe of a trial in this rung.
    pub(super) fn in_rung(&self, recipe: &Recipe, rung: usize) -> Recipe {
        let mut recipe = Recipe { provenance: None, ..recipe.clone() };
        if self.method == Method::Halving {
            recipe.train.epochs = self.rungs[rung].epochs;
        }
        recipe
    }

    /// The name of the run folder: one for all rungs where a run goes on from rung to rung.
    pub(super) fn folder_name(&self, number: u32, recipe: &Recipe, rung: usize) -> String {
        match spans_epochs(recipe) {
            Some(_) if rung > 0 => format!("{number:03}-rung-{}", rung + 1),
            _ => format!("{number:03}"),
        }
    }

    /// Writes what the search is, or compares it with what was written when it began. More trials of a random search
    /// are the same search: the first ones are those of before.
    pub(super) fn settle(&self, folder: &RunFolder, source: &Source) -> Result<(), CliError> {
        let described = self.describe(source)?;
        let path = folder.file(FILE);
        if path.exists() {
            let cannot = |why: String| CliError::failed(format!("{}: {why}", path.display()));
            let text = fs::read_to_string(&path).map_err(|error| cannot(error.to_string()))?;
            let earlier: Table =
                text.parse().map_err(|_| cannot("damaged, or no search of this program".to_owned()))?;
            let mut differences = Vec::new();
            differ("", &earlier, &described, &mut differences);
            if self.method == Method::Random {
                differences.retain(|key| key != "trials");
            }
            if !differences.is_empty() {
                let place = folder.path().display();
                let listed = differences.join(", ");
                let problem = format!("{place} holds another search: {listed} differ; --out names another folder");
                return Err(CliError::Usage(problem));
            }
        }
        Ok(folder.write(FILE, &toml::to_string(&described)?)?)
    }

    fn describe(&self, source: &Source) -> Result<Table, CliError> {
        let whole = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let rungs =
            self.rungs.iter().map(|rung| Value::Array([rung.epochs, rung.trials].map(|n| whole(n.into())).into()));
        let space = self.space.params().iter().map(|param| (param.key.clone(), Value::String(param.spec.to_string())));
        let mut table = Table::new();
        table.insert("seed".to_owned(), Value::String(self.seed.to_string()));
        table.insert("trials".to_owned(), whole(self.rungs[0].trials.into()));
        if self.method == Method::Halving {
            table.insert("rungs".to_owned(), Value::Array(rungs.collect()));
        }
        table.insert("simd".to_owned(), Value::String(self.plan.isa.to_string()));
        table.insert("data_fingerprint".to_owned(), Value::String(source.fingerprint()));
        table.insert("space".to_owned(), Value::Table(space.collect()));
        let recipe = Recipe { provenance: None, ..self.plan.recipe.clone() };
        table.insert("recipe".to_owned(), Value::Table(Table::try_from(recipe)?));
        Ok(table)
    }
}

/// The paths at which two tables are not the same.
fn differ(path: &str, one: &Table, other: &Table, found: &mut Vec<String>) {
    let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (one.get(key), other.get(key)) {
            (Some(Value::Table(one)), Some(Value::Table(other))) => differ(&path, one, other, found),
            (one, other) if one != other => found.push(path),
            _ => {}
        }
    }
}
