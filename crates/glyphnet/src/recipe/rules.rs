//! Rules between settings, which no single key can break.

use super::{OptimizerConfig, Recipe, RmspropConfig, ScheduleConfig, SgdConfig};

/// The first rule that the recipe breaks: the path of a setting involved, and the rule.
pub(super) fn broken(recipe: &Recipe) -> Option<(String, String)> {
    clipping(recipe)
        .or_else(|| nesterov(recipe))
        .or_else(|| cycled(recipe))
        .or_else(|| averages(recipe))
        .or_else(|| plateau(recipe))
}

fn at(path: impl Into<String>, rule: impl Into<String>) -> Option<(String, String)> {
    Some((path.into(), rule.into()))
}

fn clipping(recipe: &Recipe) -> Option<(String, String)> {
    let table = toml::Table::try_from(&recipe.optimizer).ok()?;
    let set: Vec<&str> =
        ["clip_norm", "global_clip_norm", "clip_value"].into_iter().filter(|key| table.contains_key(*key)).collect();
    if let [_, second, ..] = set[..] {
        let rule = format!("only one way of clipping can be set, and here are {}; keep one", set.join(" and "));
        return at(format!("optimizer.{second}"), rule);
    }
    None
}

fn nesterov(recipe: &Recipe) -> Option<(String, String)> {
    match &recipe.optimizer {
        OptimizerConfig::Sgd(sgd) if sgd.nesterov && sgd.momentum == 0.0 => {
            at("optimizer.nesterov", "nesterov does nothing without momentum; set momentum, for example 0.9")
        }
        _ => None,
    }
}

/// What `schedule.momentum` moves must be there, and goes down before it goes up.
fn cycled(recipe: &Recipe) -> Option<(String, String)> {
    let [high, low] = recipe.schedule.as_ref()?.momentum()?;
    if high < low {
        return at("schedule.momentum", format!("written [high, low], and {high} is below {low}; swap them"));
    }
    match recipe.optimizer {
        OptimizerConfig::Sgd(SgdConfig { momentum: 0.0, .. })
        | OptimizerConfig::Rmsprop(RmspropConfig { momentum: 0.0, .. }) => at(
            "schedule.momentum",
            "there is no momentum to move; set optimizer.momentum above 0, or remove schedule.momentum",
        ),
        _ => None,
    }
}

fn averages(recipe: &Recipe) -> Option<(String, String)> {
    recipe.ema.as_ref().and(recipe.swa.as_ref())?;
    at("swa", "ema and swa are two averages of the weights, and one is kept; remove one")
}

/// As in Keras, where the combination is refused too: two masters of one learning rate.
fn plateau(recipe: &Recipe) -> Option<(String, String)> {
    let plateau = recipe.reduce_lr_on_plateau.as_ref()?;
    match recipe.schedule {
        None | Some(ScheduleConfig::Constant { .. }) => {}
        Some(_) => {
            return at(
                "reduce_lr_on_plateau",
                "a schedule and reduce_lr_on_plateau cannot both set the learning rate; remove one, or use a schedule \
                 of kind \"constant\"",
            );
        }
    }
    if plateau.min_lr > recipe.optimizer.learning_rate() {
        let rate = recipe.optimizer.learning_rate();
        return at(
            "reduce_lr_on_plateau.min_lr",
            format!("above the learning rate {rate}, so it could never be reached"),
        );
    }
    None
}
