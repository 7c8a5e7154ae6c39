use super::*;
use crate::evaluate::Score;
use crate::recipe::Recipe;

fn seed() -> Recipe {
    Recipe::load("seed").unwrap()
}

fn space(searches: &[&str]) -> Space {
    Space::new(Entry::typed(searches).unwrap(), &seed()).unwrap()
}

/// What is said about a search that must be refused.
fn refusal(searches: &[&str]) -> String {
    let refused = Entry::typed(searches).and_then(|entries| Space::new(entries, &seed()));
    let error = refused.unwrap_err().to_string();
    assert!(searches.is_empty() || error.starts_with(&format!("--search {}", searches[searches.len() - 1])), "{error}");
    error
}

fn range(low: f64, high: f64, logarithmic: bool) -> Spec {
    Spec::Range { low, high, logarithmic }
}

#[test]
fn specs_are_ranges_or_values() {
    let spec = |text: &str| Entry::typed(&[format!("k={text}")]).unwrap().remove(0).spec;
    assert_eq!(spec("log:1e-4..1e-1"), range(1e-4, 0.1, true));
    assert_eq!(spec("0..0.2"), range(0.0, 0.2, false));
    assert_eq!(spec("-1 .. 2"), range(-1.0, 2.0, false));
    let choices = |text: &str| match spec(text) {
        Spec::Choices(values) => values.join("|"),
        Spec::Range { .. } => panic!("{text}"),
    };
    assert_eq!(choices("32,64, 128"), "32|64|128");
    assert_eq!(choices("[0.0,0.1],[0.1, 0.2]"), "[0.0,0.1]|[0.1, 0.2]");
    assert_eq!(choices("\"a,b\",c,{x=1,y=2}"), "\"a,b\"|c|{x=1,y=2}");
}

#[test]
fn a_file_says_the_same_as_arguments() {
    let text = "train.batch_size = [32, 64]\nlayer.0.filters = \"16..64\"\n[optimizer]\nkind = [\"adam\", \"sgd\"]\n\
                learning_rate = \"log:1e-4..1e-1\"\n";
    let mut file = Entry::from_toml(text, "s.toml").unwrap();
    let typed = ["layer.0.filters=16..64", "optimizer.kind=adam,sgd", "optimizer.learning_rate=log:1e-4..1e-1"];
    let mut typed = Entry::typed(&[&typed[..], &["train.batch_size=32,64"]].concat()).unwrap();
    for entries in [&mut file, &mut typed] {
        entries.sort_by(|a, b| a.key.cmp(&b.key));
    }
    assert_eq!(file[0].place, "s.toml: layer.0.filters");
    let told = |entries: &[Entry]| entries.iter().map(|e| (e.key.clone(), e.spec.clone())).collect::<Vec<_>>();
    assert_eq!(told(&file), told(&typed));
    let refused = |text: &str| Entry::from_toml(text, "s.toml").unwrap_err().to_string();
    assert!(refused("a = ").starts_with("s.toml: not valid TOML"));
    assert!(refused("train.batch_size = 32").starts_with("s.toml: train.batch_size: nothing to choose from"));
}

#[test]
fn what_the_recipe_does_not_take_is_refused_before_anything_is_trained() {
    let lr = "optimizer.learning_rate";
    for (search, words) in [
        ("train.batchsize=32,64", "unknown key `batchsize`; did you mean `train.batch_size=32`?"),
        ("train.batch_size=32,many", "wrong type: expected a whole number, at least 1, found the text \"many\""),
        ("train.batch_size=0..64", "out of range: expected a whole number, at least 1, found the whole number 0"),
        ("train.batch_size=16..64.5", "`train.batch_size` takes whole numbers alone"),
        ("train.label_smoothing=0..1", "out of range"),
        ("train.seed=1,2", "`train.seed` must be the same in all trials"),
        ("optimizer.momentm=0.1..0.9", "unknown key"),
        ("layer.9.filters=1..2", "no such place"),
        ("optimizer.kind=adam,adamax", "unknown word \"adamax\""),
        ("train.batch_size", "write it as KEY=SPEC"),
        ("train.batch_size=32", "nothing to choose from"),
        ("train.batch_size=32,", "nothing to choose from"),
        ("train.batch_size=32,32", "32 is named twice"),
    ] {
        let message = refusal(&[search]);
        assert!(message.contains(words), "{search}: {message}");
    }
    let message = |spec: &str| refusal(&[&format!("{lr}={spec}")]);
    assert!(message("1e-1..1e-4").contains("not above its beginning"));
    assert!(message("log:0..1").contains("must begin above 0"));
    assert!(message("low..1").contains("\"low\" is no number"));
    assert!(message("log:1,2").contains("\"1,2\" is no number"));
    assert!(refusal(&["train.batch_size=1,2", "train.batch_size=3,4"]).contains("is searched twice"));
    assert!(refusal(&[]).contains("no key to search"));
}

#[test]
fn a_trial_is_a_function_of_seed_number_and_key() {
    let both = space(&["optimizer.learning_rate=log:1e-4..1e-1", "train.batch_size=32,64,128"]);
    let alone = space(&["train.batch_size=32,64,128"]);
    let values = |space: &Space, seed: u64, trial: u32| space.draw(seed, trial).apply(&self::seed()).unwrap().values;
    assert_eq!(values(&both, 0, 3), values(&both, 0, 3));
    for trial in 0..20 {
        assert_eq!(values(&both, 5, trial)[1], values(&alone, 5, trial)[0], "another key changed the draw");
    }
    let distinct = |seed: u64| (0..20).map(|trial| values(&both, seed, trial)[0].clone()).collect::<Vec<_>>();
    let first: std::collections::BTreeSet<_> = distinct(0).into_iter().collect();
    assert_eq!(first.len(), 20);
    assert_ne!(distinct(0), distinct(1));
    // Frozen: a search that is resumed after an update must go on as it began.
    assert_eq!(values(&both, 0, 0), FROZEN.map(|value| Some(value.to_owned())));
}

const FROZEN: [&str; 2] = ["0.0001048", "32"];

#[test]
fn draws_fill_their_ranges_evenly() {
    let keys = ["optimizer.learning_rate=log:1e-4..1e-1", "augment.rotation=0..20"];
    let space = space(&[keys[0], keys[1], "layer.0.filters=3..6", "layer.1.filters=log:1..64"]);
    let draws: Vec<Vec<f64>> = (0..4000)
        .map(|trial| {
            let values = space.draw(1, trial).apply(&seed()).unwrap().values;
            values.into_iter().map(|value| value.unwrap().parse().unwrap()).collect()
        })
        .collect();
    let share = |key: usize, within: &dyn Fn(f64) -> bool| {
        draws.iter().filter(|values| within(values[key])).count() as f64 / draws.len() as f64
    };
    // Four standard deviations of a share of 4,000 draws are 0.032 at most.
    let near = |share: f64, expected: f64| assert!((share - expected).abs() < 0.032, "{share} {expected}");
    for decade in [1e-4, 1e-3, 1e-2] {
        near(share(0, &|rate| (decade..decade * 10.0).contains(&rate)), 1.0 / 3.0);
    }
    near(share(1, &|angle| angle < 5.0), 0.25);
    for filters in [3.0, 4.0, 5.0, 6.0] {
        near(share(2, &|drawn| drawn == filters), 0.25);
    }
    near(share(3, &|drawn| drawn == 1.0), 3_f64.ln() / 129_f64.ln());
    near(share(3, &|drawn| drawn == 64.0), (129_f64 / 127.0).ln() / 129_f64.ln());
    assert_eq!(share(3, &|drawn| drawn.fract() == 0.0 && (1.0..=64.0).contains(&drawn)), 1.0);
    assert!(draws.iter().all(|values| format!("{:e}", values[0]).len() <= "1.234e-4".len()));
}

#[test]
fn a_setting_that_the_drawn_kind_does_not_know_is_left_out() {
    let space = space(&["optimizer.kind=adam,sgd", "optimizer.momentum=0.5..0.95", "optimizer.beta_1=0.8..0.95"]);
    let mut seen = std::collections::BTreeSet::new();
    for trial in 0..20 {
        let values = space.draw(0, trial).apply(&seed()).unwrap().values;
        let kind = values[0].clone().unwrap();
        assert_eq!((values[1].is_some(), values[2].is_some()), (kind == "sgd", kind == "adam"), "{values:?}");
        seen.insert(kind);
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn settings_that_exclude_each_other_are_refused_with_the_trial() {
    let space = space(&["optimizer.clip_norm=1..2", "optimizer.clip_value=1..2"]);
    let error = space.draw(0, 0).apply(&seed()).unwrap_err().to_string();
    assert!(error.contains("only one way of clipping"), "{error}");
}

#[test]
fn rungs_end_at_all_epochs_with_a_trial_left() {
    let told = |trials, epochs, least, eta| {
        rungs(trials, epochs, least, eta).iter().map(|rung| (rung.epochs, rung.trials)).collect::<Vec<_>>()
    };
    assert_eq!(told(27, 27, 1, 3), [(1, 27), (3, 9), (9, 3), (27, 1)]);
    assert_eq!(told(32, 100, 1, 3), [(4, 32), (11, 10), (33, 3), (100, 1)]);
    assert_eq!(told(32, 100, 10, 3), [(11, 32), (33, 10), (100, 3)]);
    assert_eq!(told(16, 8, 1, 2), [(1, 16), (2, 8), (4, 4), (8, 2)]);
    assert_eq!(told(1, 100, 1, 3), [(100, 1)]);
    assert_eq!(told(9, 1, 1, 3), [(1, 9)]);
    assert_eq!(told(9, 5, 7, 3), [(5, 9)]);
    for trials in 1..80 {
        for epochs in 1..40 {
            for eta in 2..5 {
                let rungs = rungs(trials, epochs, 1, eta);
                assert_eq!((rungs[0].trials, rungs[rungs.len() - 1].epochs), (trials, epochs));
                assert!(rungs.iter().all(|rung| rung.trials >= 1 && rung.epochs >= 1));
                assert!(rungs.windows(2).all(|two| two[0].epochs < two[1].epochs && two[0].trials > two[1].trials));
            }
        }
    }
}

#[test]
fn the_best_go_on_and_what_is_no_number_does_not() {
    let score = |accuracy, loss| Score { accuracy, loss };
    let results = vec![
        (4, score(0.9, 0.3)),
        (1, score(0.9, 0.3)),
        (2, score(0.9, 0.2)),
        (3, score(0.8, 0.1)),
        (0, score(0.95, f64::NAN)),
    ];
    assert_eq!(ranked(results.clone(), Objective::Accuracy), [2, 1, 4, 3, 0]);
    assert_eq!(ranked(results.clone(), Objective::Loss), [3, 2, 1, 4, 0]);
    assert_eq!(promoted(results.clone(), Objective::Accuracy, 3), [1, 2, 4]);
    assert_eq!(promoted(results[..2].to_vec(), Objective::Loss, 3), [1, 4], "some have failed");
}

#[test]
fn a_run_is_the_beginning_of_a_longer_one_unless_a_setting_spans_all_epochs() {
    let spans = |overrides: &[&str]| spans_epochs(&seed().with_overrides(overrides).unwrap());
    assert_eq!(spans(&[]), None);
    assert_eq!(spans(&["schedule.kind=one_cycle"]), Some("schedule.kind = \"one_cycle\""));
    assert!(spans(&["schedule.kind=cosine"]).is_some());
    assert_eq!(spans(&["schedule.kind=cosine", "schedule.decay_epochs=5"]), None);
    assert_eq!(spans(&["ema.decay=0.9"]), Some("ema.start"));
    assert_eq!(spans(&["ema.decay=0.9", "ema.start=0"]), None);
    assert_eq!(spans(&["swa.start=0.5"]), Some("swa.start"));
    assert_eq!(spans(&["train.ensemble=2"]), Some("train.ensemble"));
}

#[test]
fn the_shipped_space_fits_the_recipe_that_it_is_for() {
    let text = include_str!("../../../../recipes/spaces/fashion.toml");
    let space = Space::new(Entry::from_toml(text, "fashion.toml").unwrap(), &seed()).unwrap();
    assert_eq!(space.params().len(), 11);
    for trial in 1..=200 {
        space.draw(0, trial).apply(&seed()).unwrap();
    }
}
