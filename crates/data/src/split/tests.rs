use super::*;
use serde_json::Value;

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../parity/golden/split.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn amount(value: &Value) -> Amount {
    value.as_u64().map_or_else(|| Amount::Fraction(value.as_f64().unwrap()), |count| Amount::Count(count as usize))
}

fn counts_of(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|count| count.as_u64().unwrap() as usize).collect()
}

fn labels_with(counts: &[usize]) -> Vec<u32> {
    let mut labels: Vec<u32> = (0..).zip(counts).flat_map(|(class, &count)| vec![class; count]).collect();
    Stream::new(1, Purpose::Sample, 0, 0).shuffle(&mut labels);
    labels
}

/// Both parts together hold each of `0..n` once.
fn assert_partition(split: &Split, n: usize) {
    let mut all: Vec<u32> = split.train.iter().chain(&split.held_out).copied().collect();
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..n as u32));
}

/// The start of scikit-learn's message for the same mistake.
fn scikit_learn_says(error: &SplitError) -> &'static [&'static str] {
    match error {
        SplitError::NothingLeft { .. } => &["test_size=", "With n_samples="],
        SplitError::LonelyClass { .. } => &["The least populated classes in y"],
        SplitError::FewerThanClasses { side: "training", .. } => &["The train_size = "],
        SplitError::FewerThanClasses { .. } => &["The test_size = "],
        _ => &[],
    }
}

fn assert_same_error(error: &SplitError, expected: &Value, case: &Value) {
    let expected = expected["error"].as_str().unwrap_or_else(|| panic!("{case}: refused with `{error}`"));
    let matches = scikit_learn_says(error).iter().any(|start| expected.starts_with(start));
    assert!(matches, "{case}: `{error}` where scikit-learn says `{expected}`");
}

#[test]
fn counts_are_those_of_scikit_learn() {
    let golden = golden();
    let cases = golden["plain"].as_array().unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        let n = case[0].as_u64().unwrap() as usize;
        match train_test_split(n, None, amount(&case[1]), 3) {
            Ok(split) => {
                assert_eq!(Some(split.held_out.len() as u64), case[2].as_u64(), "{case}");
                assert_partition(&split, n);
            }
            Err(error) => assert_same_error(&error, &case[2], case),
        }
    }
}

#[test]
fn stratified_counts_are_those_of_scikit_learn() {
    let golden = golden();
    let cases = golden["stratified"].as_array().unwrap();
    assert!(cases.len() > 500);
    let mut exact = 0;
    for case in cases {
        let counts = counts_of(&case[0]);
        let labels = labels_with(&counts);
        let split = match train_test_split(labels.len(), Some(&labels), amount(&case[1]), 3) {
            Ok(split) => split,
            Err(error) => {
                assert_same_error(&error, &case[2], case);
                continue;
            }
        };
        assert_partition(&split, labels.len());
        let mut held = vec![0; counts.len()];
        split.held_out.iter().for_each(|&image| held[labels[image as usize] as usize] += 1);
        if case[2].is_array() {
            assert_eq!(held, counts_of(&case[2]), "{case}");
            exact += 1;
        } else {
            let (low, high) = (counts_of(&case[2]["ties"][0]), counts_of(&case[2]["ties"][1]));
            let inside = held.iter().zip(low.iter().zip(&high)).all(|(held, (low, high))| (low..=high).contains(&held));
            assert!(inside, "{case}: {held:?}");
        }
    }
    assert!(exact > 250, "only {exact} cases were compared exactly");
}

#[test]
fn equal_remainders_are_shared_out_at_random() {
    let labels = labels_with(&[3, 3, 3]);
    let mut extra = [0; 3];
    for seed in 0..300 {
        let split = train_test_split(9, Some(&labels), Amount::Count(4), seed).unwrap();
        let mut held = [0; 3];
        split.held_out.iter().for_each(|&image| held[labels[image as usize] as usize] += 1);
        extra[held.iter().position(|&held| held == 2).unwrap()] += 1;
    }
    assert!(extra.iter().all(|&times| (70..130).contains(&times)), "{extra:?}");
}

#[test]
fn a_split_depends_on_the_seed_alone_and_grows_at_its_tail() {
    let small = train_test_split(500, None, Amount::Count(50), 9).unwrap();
    let large = train_test_split(500, None, Amount::Fraction(0.2), 9).unwrap();
    assert_eq!(small, train_test_split(500, None, Amount::Fraction(0.1), 9).unwrap());
    assert_eq!(small.held_out, large.held_out[..50]);
    assert_ne!(small, train_test_split(500, None, Amount::Count(50), 10).unwrap());
}

#[test]
fn every_image_is_held_out_equally_often() {
    let labels = labels_with(&[8, 12]);
    let mut times = [[0_u32; 20]; 2];
    for seed in 0..2000 {
        for (times, labels) in times.iter_mut().zip([None, Some(&labels[..])]) {
            let split = train_test_split(20, labels, Amount::Count(5), seed).unwrap();
            split.held_out.iter().for_each(|&image| times[image as usize] += 1);
        }
    }
    // Binomial(2000, 1/4): mean 500, standard deviation 19.4.
    assert!(times.iter().flatten().all(|times| (415..585).contains(times)), "{times:?}");
}

#[test]
fn zero_holds_nothing_out_even_where_a_stratified_split_could_not_be_made() {
    for amount in [Amount::Count(0), Amount::Fraction(0.0)] {
        let split = train_test_split(3, Some(&[0, 1, 1]), amount, 0).unwrap();
        assert!(split.held_out.is_empty());
        assert_partition(&split, 3);
    }
    assert_eq!(train_test_split(0, None, Amount::Count(0), 0).unwrap(), Split { train: vec![], held_out: vec![] });
}

#[test]
fn mistakes_are_named() {
    let message = |labels: &[u32], amount| train_test_split(4, Some(labels), amount, 0).unwrap_err().to_string();
    assert!(message(&[7, 7, 9, 7], Amount::Count(2)).starts_with("class 9 has one image only"));
    assert!(message(&[7, 7, 9], Amount::Count(2)).contains("3 labels for 4 images"));
    assert!(message(&[7, 7, 9, 9], Amount::Count(1)).starts_with("the held-out part would have 1 images for 2"));
    assert!(message(&[7, 7, 9, 9], Amount::Count(3)).starts_with("the training part would have 1 images for 2"));
    assert!(message(&[7, 7, 9, 9], Amount::Count(4)).starts_with("4 images cannot be held out of 4"));
    for fraction in [-0.1, 1.0, 6000.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(train_test_split(4, None, Amount::Fraction(fraction), 0), Err(SplitError::Fraction { .. })));
    }
}
