//! What a range test found, for people and as JSON.

use std::io::Write as _;
use std::path::Path;

use glyphnet::recipe::{OptimizerConfig, Recipe, ScheduleConfig};
use glyphnet::train::{RangeEnd, RangeTest, RatePoint, SUGGESTION_RULE};
use glyphnet_artifacts::quoted;
use glyphnet_data::Source;
use serde::Serialize;

use crate::args::{LrFindArgs, RecipeArgs};
use crate::commands::text::rate;
use crate::commands::train::plan::Plan;
use crate::error::CliError;
use crate::output::Out;
use crate::terminal::Style;

/// What `--json` prints; docs/lr-find.md describes it.
#[derive(Serialize)]
struct Document<'a> {
    recipe: &'a str,
    data: &'a str,
    seed: u64,
    batch_size: usize,
    optimizer: &'static str,
    recipe_learning_rate: f64,
    schedule: Option<&'static str>,
    rule: &'static str,
    set: Option<String>,
    lowest: Option<&'a RatePoint>,
    #[serde(flatten)]
    test: &'a RangeTest,
    picture: &'a Path,
}

pub(super) fn json(
    args: &LrFindArgs,
    plan: &Plan,
    source: &Source,
    test: &RangeTest,
    out: &mut Out,
) -> Result<(), CliError> {
    let recipe = &plan.recipe;
    out.json(&Document {
        recipe: &plan.name,
        data: &source.name,
        seed: recipe.train.seed,
        batch_size: recipe.train.batch_size,
        optimizer: recipe.optimizer.kind(),
        recipe_learning_rate: recipe.optimizer.learning_rate(),
        schedule: schedule(recipe),
        rule: SUGGESTION_RULE,
        set: test.suggestion.map(setting),
        lowest: test.lowest(),
        test,
        picture: &args.out,
    })
}

pub(super) fn text(args: &LrFindArgs, plan: &Plan, test: &RangeTest, out: &mut Out) -> Result<(), CliError> {
    let style = Style::stdout();
    let too_low = falling(test);
    match test.suggestion {
        Some(suggestion) => {
            writeln!(out, "suggested learning rate  {}", style.bold(&rate(suggestion)))?;
            writeln!(out, "                         {SUGGESTION_RULE}")?;
            if too_low {
                writeln!(out, "                         too low: the loss was still falling at the highest rate")?;
            }
        }
        None => writeln!(out, "suggested learning rate  none: the loss fell by less than 2 %")?,
    }
    if let Some(lowest) = test.lowest() {
        writeln!(out, "lowest smoothed loss     {:.4} at {}", lowest.smoothed_loss, rate(lowest.learning_rate))?;
    }
    writeln!(out, "end of the test          {}", end(test, args))?;
    let optimizer = &plan.recipe.optimizer;
    writeln!(out, "{:<24} {} ({})", "the recipe has", rate(optimizer.learning_rate()), optimizer.kind())?;
    writeln!(out, "picture                  {}", args.out.display())?;
    if let Some(name) = schedule(&plan.recipe) {
        writeln!(
            out,
            "\nThe schedule ({name}) had no part in the test. The suggestion is for optimizer.learning_rate, the rate that\n\
             the schedule has after its warm-up, if any, and comes down from."
        )?;
    }
    if let Some(suggestion) = test.suggestion.filter(|_| !too_low) {
        if has_momentum(optimizer) {
            writeln!(out, "\nWith momentum the suggestion tends to be too high: try a third of it as well.")?;
        }
        writeln!(out, "\nnext:\n  {}", style.green(&train_command(&args.settings, suggestion)))?;
    }
    Ok(())
}

/// Whether the loss was still falling at the highest rate, and by more than noise may.
fn falling(test: &RangeTest) -> bool {
    let ends = [test.lowest(), test.points.last()].map(|point| point.map(|point| point.learning_rate));
    test.end == RangeEnd::Highest && test.suggestion.is_some() && ends[0] == ends[1]
}

/// Whether the optimizer goes on in the direction of past gradients.
fn has_momentum(optimizer: &OptimizerConfig) -> bool {
    match optimizer {
        OptimizerConfig::Sgd(config) => config.momentum > 0.0,
        OptimizerConfig::Rmsprop(config) => config.momentum > 0.0,
        OptimizerConfig::Adam(_) | OptimizerConfig::Adamw(_) | OptimizerConfig::Muon(_) => true,
    }
}

/// How the test ended, and what to do where that leaves a question.
fn end(test: &RangeTest, args: &LrFindArgs) -> String {
    let last = test.points.last().map_or(args.from, |point| point.learning_rate);
    match test.end {
        RangeEnd::Highest if falling(test) => {
            format!("at {}, where the loss was still falling: try a higher --to", rate(last))
        }
        RangeEnd::Highest => format!("at {}, the highest rate", rate(last)),
        RangeEnd::Diverged => format!("at {}, where the loss had grown too much", rate(last)),
        RangeEnd::NotANumber => format!("after {}, where the loss was no number any more", rate(last)),
    }
}

/// The kind of the schedule, if it changes the rate.
fn schedule(recipe: &Recipe) -> Option<&'static str> {
    let schedule = recipe.schedule.as_ref()?;
    match schedule {
        ScheduleConfig::Constant { .. } if schedule.warmup().0 == 0.0 => None,
        ScheduleConfig::Constant { .. } => Some("constant"),
        ScheduleConfig::Step { .. } => Some("step"),
        ScheduleConfig::Exponential { .. } => Some("exponential"),
        ScheduleConfig::Cosine { .. } => Some("cosine"),
        ScheduleConfig::OneCycle { .. } => Some("one_cycle"),
    }
}

/// The recipe's setting for the suggestion.
fn setting(suggestion: f64) -> String {
    format!("{RATE_KEY}={}", rate(suggestion))
}

const RATE_KEY: &str = "optimizer.learning_rate";

/// Training with all that was typed, but for the rate.
fn train_command(typed: &RecipeArgs, suggestion: f64) -> String {
    let flag = |name: &str, value: String| format!(" --{name} {}", quoted(&value));
    let mut command = format!("glyphnet train{}", flag("recipe", typed.recipe.clone()));
    command.extend(typed.data.iter().map(|data| flag("data", data.clone())));
    command.extend(typed.batch_size.map(|size| flag("batch-size", size.to_string())));
    command.extend(typed.seed.map(|seed| flag("seed", seed.to_string())));
    let others = typed.set.iter().filter(|set| !set.starts_with(&format!("{RATE_KEY}=")));
    command.extend(others.map(|set| flag("set", set.clone())));
    command + &flag("set", setting(suggestion))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_repeats_what_was_typed_but_for_the_rate() {
        let mut typed = RecipeArgs {
            recipe: "my own.toml".to_owned(),
            data: Some("train.csv".to_owned()),
            batch_size: Some(64),
            seed: Some(3),
            threads: None,
            simd: "auto".to_owned(),
            set: ["optimizer.learning_rate=0.5", "augment=none"].map(str::to_owned).to_vec(),
        };
        let expected = "glyphnet train --recipe 'my own.toml' --data train.csv --batch-size 64 --seed 3 --set \
                        augment=none --set optimizer.learning_rate=0.00123";
        assert_eq!(train_command(&typed, 0.001_234), expected);
        typed = RecipeArgs {
            recipe: "seed".to_owned(),
            data: None,
            batch_size: None,
            seed: None,
            set: Vec::new(),
            ..typed
        };
        assert_eq!(train_command(&typed, 0.1), "glyphnet train --recipe seed --set optimizer.learning_rate=0.1");
    }
}
