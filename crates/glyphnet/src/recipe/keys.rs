//! The one table of every key that a recipe knows: its type, its range, whether it must be there.
//!
//! The types in this crate and below say the same once more, as Rust; a test in `keys_tests.rs` asks serde for the
//! keys and words of each type and compares both ways, so neither can drift.

use std::fmt;

use crate::networks::MOST_NETWORKS;

/// A key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) rule: Rule,
    /// Without it the table means nothing: there is no default.
    pub(super) required: bool,
}

/// What a value must be.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// `true` or `false`.
    Flag,
    /// Any text.
    Text,
    /// One of these words; the second list holds other spellings that are understood but not advertised.
    Word(&'static [&'static str], &'static [&'static str]),
    /// A whole number between these, both included.
    Whole(u64, u64),
    /// A finite number in the range; a whole number will do.
    Number(Range),
    /// A list of so many values (`None`: one or more), each following the rule.
    List(&'static Rule, Option<usize>),
    /// Any of these.
    Either(&'static [Rule]),
    /// A table with these keys.
    Table(&'static [Key]),
    /// A table whose `kind` says which keys it has.
    Kinds(&'static [Kind]),
    /// One or more such tables, `[[like this]]`.
    KindsList(&'static [Kind]),
    /// A table that is kept as it is.
    FreeTable,
}

/// A kind of layer, optimizer or schedule: its word and its keys besides `kind`.
pub(super) struct Kind {
    pub(super) word: &'static str,
    pub(super) keys: &'static [Key],
}

/// An interval of numbers.
#[derive(Clone, Copy)]
pub(super) struct Range {
    low: f64,
    low_included: bool,
    high: f64,
    high_included: bool,
}

impl Range {
    pub(super) fn contains(self, x: f64) -> bool {
        (x > self.low || (self.low_included && x == self.low))
            && (x < self.high || (self.high_included && x == self.high))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low = (self.low > f64::NEG_INFINITY)
            .then(|| format!("{} {}", if self.low_included { "at least" } else { "above" }, self.low));
        let high = (self.high < f64::INFINITY)
            .then(|| format!("{} {}", if self.high_included { "at most" } else { "below" }, self.high));
        match (low, high) {
            (Some(low), Some(high)) => write!(f, "a number {low} and {high}"),
            (Some(bound), None) | (None, Some(bound)) => write!(f, "a number {bound}"),
            (None, None) => f.write_str("a finite number"),
        }
    }
}

const fn range(low: f64, low_included: bool, high: f64, high_included: bool) -> Rule {
    Rule::Number(Range { low, low_included, high, high_included })
}

const ANY: Rule = range(f64::NEG_INFINITY, false, f64::INFINITY, false);
const POSITIVE: Rule = range(0.0, false, f64::INFINITY, false);
const NOT_NEGATIVE: Rule = range(0.0, true, f64::INFINITY, false);
const AT_LEAST_ONE: Rule = range(1.0, true, f64::INFINITY, false);
const BELOW_ONE: Rule = range(0.0, true, 1.0, false);
const ZERO_TO_ONE: Rule = range(0.0, true, 1.0, true);
/// Above 0, below 1.
const SHRINKING: Rule = range(0.0, false, 1.0, false);
/// In raw pixel units.
const GREY: Rule = range(0.0, true, 255.0, true);
/// Above 0, at most 1.
const SHARE: Rule = range(0.0, false, 1.0, true);

/// No size, count or number of epochs is larger.
const MOST: u64 = u32::MAX as u64;
const COUNT: Rule = Rule::Whole(1, MOST);
const COUNT_OR_ZERO: Rule = Rule::Whole(0, MOST);
const SEED: Rule = Rule::Whole(0, i64::MAX as u64);
const PAIR: Rule = Rule::Either(&[COUNT, Rule::List(&COUNT, Some(2))]);
const PADDING: Rule =
    Rule::Either(&[Rule::Word(&["valid", "same"], &[]), COUNT_OR_ZERO, Rule::List(&COUNT_OR_ZERO, Some(2))]);
const UNITS: Rule = Rule::Either(&[COUNT, Rule::Word(&["classes"], &[])]);
const AMOUNT: Rule = Rule::Either(&[COUNT_OR_ZERO, BELOW_ONE]);
const CHANNELS: Rule = Rule::Either(&[Rule::Whole(1, 1), Rule::Whole(3, 3)]);
const CLASS_WEIGHTS: Rule = Rule::Either(&[Rule::Word(&["balanced"], &[]), Rule::List(&NOT_NEGATIVE, None)]);

const RESIZE: Rule = Rule::Word(&["nearest", "triangle", "catmull_rom", "lanczos3"], &[]);
const POLARITY: Rule = Rule::Word(&["light_on_dark", "dark_on_light", "mixed"], &[]);
const FILL: Rule = Rule::Word(&["nearest", "constant", "reflect", "wrap"], &[]);
const LOSS: Rule = Rule::Word(&["categorical_crossentropy", "sparse_categorical_crossentropy"], &[]);
const ON_NAN: Rule = Rule::Word(&["stop", "rollback"], &[]);
const MONITOR: Rule = Rule::Word(&["train_loss", "train_accuracy", "val_loss", "val_accuracy"], &["loss", "accuracy"]);
const MODE: Rule = Rule::Word(&["auto", "min", "max"], &[]);
const INITIALIZER: Rule = Rule::Word(&["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "whitening"], &[]);
const ACTIVATION: Rule =
    Rule::Word(&["linear", "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "softmax"], &[]);

const fn key(name: &'static str, rule: Rule) -> Key {
    Key { name, rule, required: false }
}

const fn required(name: &'static str, rule: Rule) -> Key {
    Key { name, rule, required: true }
}

/// The whole recipe.
pub(super) const RECIPE: &[Key] = &[
    key("data", Rule::Table(DATA)),
    key("preprocess", Rule::Table(PREPROCESS)),
    key("augment", Rule::Table(AUGMENT)),
    key("train", Rule::Table(TRAIN)),
    key("optimizer", Rule::Kinds(OPTIMIZERS)),
    key("schedule", Rule::Kinds(SCHEDULES)),
    key("ema", Rule::Table(EMA)),
    key("swa", Rule::Table(SWA)),
    key("early_stopping", Rule::Table(EARLY_STOPPING)),
    key("reduce_lr_on_plateau", Rule::Table(REDUCE_LR)),
    required("layer", Rule::KindsList(LAYERS)),
    key("provenance", Rule::FreeTable),
];

const DATA: &[Key] = &[
    key("source", Rule::Text),
    key("validation", AMOUNT),
    key("stratify", Rule::Flag),
    key("limit", COUNT_OR_ZERO),
    key("split_seed", SEED),
    key("image_size", Rule::List(&COUNT, Some(2))),
    key("channels", CHANNELS),
];

const PREPROCESS: &[Key] = &[
    key("scale", ANY),
    key("mean", Rule::List(&ANY, None)),
    key("std", Rule::List(&POSITIVE, None)),
    key("resize", RESIZE),
    key("polarity", POLARITY),
    key("tta_below", SHARE),
    key("drawn", Rule::Table(DRAWN)),
];

const DRAWN: &[Key] = &[
    required("centred_by", Rule::Word(&["mass", "box"], &[])),
    required("centre", Rule::List(&NOT_NEGATIVE, Some(2))),
    required("size", POSITIVE),
    required("stroke", POSITIVE),
    required("edge", POSITIVE),
    required("ground", GREY),
    required("ink", GREY),
];

const AUGMENT: &[Key] = &[
    key("rotation", range(0.0, true, 180.0, true)),
    key("width_shift", NOT_NEGATIVE),
    key("height_shift", NOT_NEGATIVE),
    key("shear", range(0.0, true, 90.0, false)),
    key("zoom", BELOW_ONE),
    key("horizontal_flip", Rule::Flag),
    key("vertical_flip", Rule::Flag),
    key("brightness", Rule::List(&NOT_NEGATIVE, Some(2))),
    key("channel_shift", GREY),
    key("fill", FILL),
    key("fill_value", GREY),
    key("erase", ZERO_TO_ONE),
    key("erase_area", Rule::List(&ZERO_TO_ONE, Some(2))),
    key("erase_aspect", Rule::List(&POSITIVE, Some(2))),
    key("erase_value", GREY),
];

const TRAIN: &[Key] = &[
    key("batch_size", COUNT),
    key("epochs", COUNT),
    key("seed", SEED),
    key("ensemble", Rule::Whole(1, MOST_NETWORKS as u64)),
    key("loss", LOSS),
    key("label_smoothing", BELOW_ONE),
    key("class_weights", CLASS_WEIGHTS),
    key("checkpoint_minutes", NOT_NEGATIVE),
    key("on_nan", ON_NAN),
];

const LEARNING_RATE: Key = key("learning_rate", POSITIVE);
const WEIGHT_DECAY: Key = key("weight_decay", NOT_NEGATIVE);
const CLIP_NORM: Key = key("clip_norm", POSITIVE);
const GLOBAL_CLIP_NORM: Key = key("global_clip_norm", POSITIVE);
const CLIP_VALUE: Key = key("clip_value", POSITIVE);

const OPTIMIZERS: &[Kind] = &[
    Kind {
        word: "sgd",
        keys: &[
            LEARNING_RATE,
            key("momentum", ZERO_TO_ONE),
            key("nesterov", Rule::Flag),
            WEIGHT_DECAY,
            CLIP_NORM,
            GLOBAL_CLIP_NORM,
            CLIP_VALUE,
        ],
    },
    Kind {
        word: "rmsprop",
        keys: &[
            LEARNING_RATE,
            key("rho", BELOW_ONE),
            key("momentum", ZERO_TO_ONE),
            key("epsilon", POSITIVE),
            key("centered", Rule::Flag),
            WEIGHT_DECAY,
            CLIP_NORM,
            GLOBAL_CLIP_NORM,
            CLIP_VALUE,
        ],
    },
    Kind { word: "adam", keys: ADAM },
    Kind { word: "adamw", keys: ADAM },
    Kind {
        word: "muon",
        keys: &[
            LEARNING_RATE,
            key("momentum", BELOW_ONE),
            key("adam_learning_rate", POSITIVE),
            WEIGHT_DECAY,
            key("beta_1", BELOW_ONE),
            key("beta_2", BELOW_ONE),
            key("epsilon", POSITIVE),
            CLIP_NORM,
            GLOBAL_CLIP_NORM,
            CLIP_VALUE,
        ],
    },
];

const ADAM: &[Key] = &[
    LEARNING_RATE,
    WEIGHT_DECAY,
    key("beta_1", BELOW_ONE),
    key("beta_2", BELOW_ONE),
    key("epsilon", POSITIVE),
    CLIP_NORM,
    GLOBAL_CLIP_NORM,
    CLIP_VALUE,
];

const WARMUP_EPOCHS: Key = key("warmup_epochs", NOT_NEGATIVE);
const WARMUP_FROM: Key = key("warmup_from", ZERO_TO_ONE);

const SCHEDULES: &[Kind] = &[
    Kind { word: "constant", keys: &[WARMUP_EPOCHS, WARMUP_FROM] },
    Kind {
        word: "step",
        keys: &[required("factor", SHARE), required("every_epochs", POSITIVE), WARMUP_EPOCHS, WARMUP_FROM],
    },
    Kind {
        word: "exponential",
        keys: &[
            required("decay_rate", SHARE),
            required("decay_epochs", POSITIVE),
            key("staircase", Rule::Flag),
            WARMUP_EPOCHS,
            WARMUP_FROM,
        ],
    },
    Kind {
        word: "cosine",
        keys: &[key("alpha", ZERO_TO_ONE), key("decay_epochs", POSITIVE), WARMUP_EPOCHS, WARMUP_FROM],
    },
    Kind {
        word: "one_cycle",
        keys: &[
            key("warm_fraction", ZERO_TO_ONE),
            key("div", AT_LEAST_ONE),
            key("final_div", AT_LEAST_ONE),
            key("momentum", Rule::List(&SHRINKING, Some(2))),
        ],
    },
];

const EMA: &[Key] = &[
    key("decay", BELOW_ONE),
    key("start", ZERO_TO_ONE),
    key("every", COUNT),
    key("recalibrate_batch_norm", COUNT_OR_ZERO),
];

const SWA: &[Key] = &[key("start", ZERO_TO_ONE), key("every", COUNT), key("recalibrate_batch_norm", COUNT_OR_ZERO)];

const EARLY_STOPPING: &[Key] = &[
    key("monitor", MONITOR),
    key("min_delta", ANY),
    key("patience", COUNT_OR_ZERO),
    key("mode", MODE),
    key("baseline", ANY),
    key("start_from_epoch", COUNT_OR_ZERO),
];

const REDUCE_LR: &[Key] = &[
    key("monitor", MONITOR),
    key("factor", SHRINKING),
    key("patience", COUNT_OR_ZERO),
    key("min_delta", ANY),
    key("cooldown", COUNT_OR_ZERO),
    key("min_lr", NOT_NEGATIVE),
    key("mode", MODE),
];

const FROZEN: Key = key("frozen", Rule::Flag);

const LAYERS: &[Kind] = &[
    Kind {
        word: "conv2d",
        keys: &[
            required("filters", COUNT),
            required("kernel", PAIR),
            key("stride", PAIR),
            key("padding", PADDING),
            key("activation", ACTIVATION),
            key("use_bias", Rule::Flag),
            key("initializer", INITIALIZER),
            FROZEN,
        ],
    },
    Kind { word: "max_pool2d", keys: POOL },
    Kind { word: "avg_pool2d", keys: POOL },
    Kind { word: "global_avg_pool2d", keys: &[] },
    Kind {
        word: "batch_norm",
        keys: &[
            key("keras_momentum", ZERO_TO_ONE),
            key("torch_momentum", ZERO_TO_ONE),
            key("epsilon", POSITIVE),
            FROZEN,
        ],
    },
    Kind { word: "dropout", keys: &[required("rate", BELOW_ONE)] },
    Kind { word: "flatten", keys: &[] },
    Kind {
        word: "dense",
        keys: &[
            required("units", UNITS),
            key("activation", ACTIVATION),
            key("use_bias", Rule::Flag),
            key("initializer", INITIALIZER),
            FROZEN,
        ],
    },
    Kind { word: "activation", keys: &[required("activation", ACTIVATION)] },
];

const POOL: &[Key] = &[key("size", PAIR), key("stride", PAIR), key("padding", PADDING)];
