use glyphnet::recipe::Recipe;
use glyphnet::tune::{Entry, Space};

use super::*;

fn space(searches: &[&str]) -> Space {
    Space::new(Entry::typed(searches).unwrap(), &Recipe::load("seed").unwrap()).unwrap()
}

/// Trials whose results fall with their rank, and their values.
fn values(space: &Space, count: u32) -> Vec<Vec<Option<String>>> {
    let recipe = Recipe::load("seed").unwrap();
    (0..count).map(|trial| space.draw(0, trial).apply(&recipe).unwrap().values).collect()
}

fn trials<'a>(
    values: &'a [Vec<Option<String>>],
    curve: &'a [(f64, f64)],
    value: impl Fn(usize) -> f64,
) -> Vec<TunedTrial<'a>> {
    let trial = |(place, values): (usize, &'a Vec<Option<String>>)| TunedTrial {
        number: place as u32 + 1,
        rung: usize::from(place < 3),
        values,
        value: value(place),
        curve,
    };
    values.iter().enumerate().map(trial).collect()
}

#[test]
fn trials_lie_where_their_values_say() {
    let space = space(&["optimizer.learning_rate=log:1e-4..1e-1", "train.batch_size=32,64,128"]);
    let values = values(&space, 8);
    let trials = trials(&values, &[(1.0, 90.0), (2.0, 91.0)], |place| 92.0 - place as f64);
    let (canvas, panels) = draw("seed on mnist", space.params(), &trials, Objective::Accuracy).unwrap();
    canvas.check();
    let best = &trials[0];
    let rate: f64 = best.values[0].as_ref().unwrap().parse().unwrap();
    let size = ["32", "64", "128"].iter().position(|size| Some(*size) == best.values[1].as_deref()).unwrap();
    for (panel, x) in panels[1..].iter().zip([rate, (size + 1) as f64]) {
        let at = panel.pixel(x, best.value);
        assert_eq!(canvas.colour(at), colour(1, 2), "{}", panel.title);
        assert_eq!(canvas.colour((at.0, at.1 - 8.0)), INK, "the ring in {}", panel.title);
    }
    // Through the end of the best curve.
    assert_eq!(canvas.colour(panels[0].pixel(1.5, 90.5)), VERMILION);
    canvas.find("the best: trial 1");
}

#[test]
fn a_trial_far_below_the_others_does_not_flatten_them() {
    let space = space(&["train.batch_size=32,64"]);
    let values = values(&space, 9);
    let trials = trials(&values, &[], |place| if place == 8 { 10.0 } else { 92.0 - place as f64 / 10.0 });
    let results = Results::new(&trials, Objective::Accuracy);
    assert!(results.axis.from > 90.0 && results.beyond, "{:?}", results.axis);
    let (canvas, _) = draw("s", space.params(), &trials, Objective::Accuracy).unwrap();
    canvas.check();
    canvas
        .find("9 trials by validation accuracy, higher is better; what is worse than the axis shows lies on its edge");
}

#[test]
fn many_and_odd_searches_are_drawn_too() {
    let keys = ["layer.0.filters=1..64", "augment.rotation=0..20", "optimizer.kind=adam,sgd,rmsprop,muon,adamw"];
    let space = space(
        &[
            &keys[..],
            &["optimizer.momentum=0.1..0.9", "train.loss=categorical_crossentropy,sparse_categorical_crossentropy"],
        ]
        .concat(),
    );
    let values = values(&space, 40);
    for (objective, results) in [(Objective::Accuracy, [99.0, 99.0]), (Objective::Loss, [1e-9, 1e30])] {
        let curve = [(1.0, f64::NAN), (2.0, 1.0), (300.0, 0.5)];
        let all = trials(&values, &curve, |place| results[usize::from(place > 20)]);
        for count in [0, 1, 2, 40] {
            draw(&"long name ".repeat(40), space.params(), &all[..count], objective).unwrap().0.check();
        }
    }
}
