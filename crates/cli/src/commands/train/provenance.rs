//! `run.toml`: the recipe as it was run, with where it was run and on what.

use glyphnet::recipe::Recipe;
use glyphnet::saved_run::DataFacts;
use glyphnet::train::{RunFolder, TrainingData};
use glyphnet_data::Source;
use toml::{Table, Value};

use super::plan::Plan;
use crate::commands::run_data;
use crate::error::CliError;
use crate::output::say;

/// The key and its value in a run that leaves the test images alone.
const TEST_IMAGES: (&str, &str) = ("test_images", "left alone");

/// Whether the run whose `run.toml` was read as `recipe` leaves the test images alone.
pub(crate) fn leaves_test_alone(recipe: &Recipe) -> bool {
    run_data::noted(recipe, TEST_IMAGES.0) == Some(TEST_IMAGES.1)
}

/// Writes `run.toml`; `test` is whether the test images will be looked at. A recipe that comes from another run and meets other data is remarked on.
pub(crate) fn write(plan: &Plan, source: &Source, test: bool, folder: &RunFolder) -> Result<(), CliError> {
    let fingerprint = source.fingerprint();
    let earlier = plan.recipe.provenance.as_ref().and_then(|table| table.get("data_fingerprint")?.as_str());
    if earlier.is_some_and(|earlier| earlier != fingerprint) {
        say!("note: the data of the run that this recipe comes from were others: the result will differ");
    }
    let mut recipe = plan.recipe.clone();
    let mut table = provenance(plan, source, fingerprint)?;
    if !test {
        table.insert(TEST_IMAGES.0.to_owned(), Value::String(TEST_IMAGES.1.to_owned()));
    }
    recipe.provenance = Some(table);
    Ok(folder.write("run.toml", &recipe.to_toml()?)?)
}

/// Writes the `run.toml` of a run that goes on with other settings. Where it came from stays; `earlier` is the number
/// of epochs that it was to have until it was extended.
pub(crate) fn rewrite(plan: &Plan, source: &Source, earlier: Option<u32>, folder: &RunFolder) -> Result<(), CliError> {
    let mut recipe = plan.recipe.clone();
    let table = recipe.provenance.get_or_insert_with(Table::new);
    // Runs that an older version began have none.
    facts(plan, source)?.note(table)?;
    if let Some((key, path)) = run_data::path_entry(source) {
        table.insert(key.to_owned(), Value::String(path));
    }
    if let Some(earlier) = earlier {
        let lengths = table.entry("extended_from").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(lengths) = lengths {
            lengths.push(Value::Integer(earlier.into()));
        }
    }
    Ok(folder.write("run.toml", &recipe.to_toml()?)?)
}

fn provenance(plan: &Plan, source: &Source, fingerprint: String) -> Result<Table, CliError> {
    let command: Vec<String> = std::env::args().collect();
    let entries = [
        ("recipe", plan.name.clone()),
        ("data_format", source.kind.to_string()),
        ("data_fingerprint", fingerprint),
        ("glyphnet", env!("CARGO_PKG_VERSION").to_owned()),
        ("cpu", cpu_name()),
        ("simd", plan.isa.to_string()),
        ("command", command.join(" ")),
    ];
    let entries = entries.into_iter().chain(run_data::path_entry(source));
    let mut table: Table = entries.map(|(key, value)| (key.to_owned(), Value::String(value))).collect();
    facts(plan, source)?.note(&mut table)?;
    Ok(table)
}

fn facts(plan: &Plan, source: &Source) -> Result<DataFacts, CliError> {
    Ok(DataFacts::new(source, &TrainingData::new(&plan.recipe, source)?))
}

/// The processor's name where Linux tells it, else its architecture.
pub(crate) fn cpu_name() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    named.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}
