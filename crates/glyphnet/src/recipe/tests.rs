//! Reading, writing and overriding recipes, and every way to get one wrong.

use super::*;
use crate::nn::{Activation, Units};
use glyphnet_data::Amount;

const FLATTEN: &str = "[[layer]]\nkind = \"flatten\"\n";

fn seed() -> Recipe {
    Recipe::load("seed").unwrap()
}

/// The message that refuses this text.
fn refusal(text: &str) -> String {
    Recipe::from_toml(text, "my.toml").unwrap_err().to_string()
}

/// Everything set to something other than its default.
fn everything() -> Recipe {
    let text = r#"
        [data]
        source = "kaggle/train.csv"
        validation = 6000
        stratify = true
        limit = 1234
        split_seed = 12
        image_size = [32, 24]
        channels = 3
        [preprocess]
        scale = 0.00392156862745098
        mean = [0.4914, 0.4822, 0.4465]
        std = [0.2470, 0.2435, 0.2616]
        resize = "lanczos3"
        polarity = "mixed"
        tta_below = 0.75
        drawn = { centred_by = "box", centre = [15.5, 12.0], size = 20, stroke = 2.5, edge = 1.5, ground = 0, ink = 255 }
        [augment]
        rotation = 7.3
        width_shift = 0.1
        height_shift = 2
        shear = 3.3
        zoom = 0.15
        horizontal_flip = true
        vertical_flip = true
        brightness = [0.8, 1.2]
        channel_shift = 9.9
        fill = "constant"
        fill_value = 17
        erase = 0.4
        erase_area = [0.1, 0.2]
        erase_aspect = [0.5, 2.0]
        erase_value = 9
        [train]
        batch_size = 48
        epochs = 7
        seed = 9223372036854775807
        ensemble = 3
        loss = "sparse_categorical_crossentropy"
        label_smoothing = 0.1
        class_weights = [1.0, 2.5]
        [optimizer]
        kind = "sgd"
        learning_rate = 0.05
        momentum = 0.9
        nesterov = true
        weight_decay = 0.0005
        global_clip_norm = 1.5
        [schedule]
        kind = "constant"
        warmup_epochs = 0.3
        warmup_from = 0.04
        [ema]
        decay = 0.9
        start = 0.2
        every = 3
        recalibrate_batch_norm = 100
        [early_stopping]
        monitor = "accuracy"
        min_delta = 0.001
        patience = 3
        mode = "max"
        baseline = 0.9
        start_from_epoch = 2
        [reduce_lr_on_plateau]
        monitor = "val_accuracy"
        factor = 0.3
        patience = 2
        min_delta = 0.002
        cooldown = 1
        min_lr = 1e-6
        mode = "max"
        [[layer]]
        kind = "conv2d"
        filters = 8
        kernel = [3, 5]
        padding = "same"
        activation = "gelu"
        [[layer]]
        kind = "dropout"
        rate = 0.3
        [[layer]]
        kind = "flatten"
        [[layer]]
        kind = "dense"
        units = "classes"
        [provenance]
        version = "0.1.0"
        seconds = 1.5
        [provenance.cpu]
        name = "some \"CPU\""
        features = ["avx2", "fma"]
    "#;
    Recipe::from_toml(text, "test").unwrap()
}

#[test]
fn the_seed_recipe_is_the_reference_job() {
    let recipe = seed();
    assert_eq!(recipe.data, DataConfig::default());
    assert_eq!(recipe.data.validation, Amount::Fraction(0.1));
    assert_eq!(recipe.preprocess, Preprocess::default());
    assert_eq!(recipe.train, TrainConfig::default());
    assert_eq!((recipe.train.batch_size, recipe.train.epochs, recipe.train.seed), (32, 100, 0));
    assert_eq!(recipe.optimizer, OptimizerConfig::default());
    let augment = recipe.augment.unwrap();
    let expected =
        AugmentConfig { rotation: 10.0, zoom: 0.1, width_shift: 0.1, height_shift: 0.1, ..Default::default() };
    assert_eq!(augment, expected);
    let early = EarlyStoppingConfig { patience: 10, ..EarlyStoppingConfig::default() };
    assert_eq!(recipe.early_stopping, Some(early));
    assert_eq!((recipe.schedule, recipe.reduce_lr_on_plateau, recipe.provenance), (None, None, None));
    assert_eq!(recipe.layer.len(), 5);
    assert!(
        matches!(&recipe.layer[0], LayerSpec::Conv2d(conv) if conv.filters == 64 && conv.activation == Activation::Relu)
    );
    assert!(matches!(&recipe.layer[1], LayerSpec::Conv2d(conv) if conv.filters == 32 && conv.kernel.get() == (3, 3)));
    assert!(matches!(&recipe.layer[2], LayerSpec::MaxPool2d(pool) if pool.size.get() == (2, 2)));
    assert!(matches!(&recipe.layer[3], LayerSpec::Flatten(_)));
    let LayerSpec::Dense(dense) = &recipe.layer[4] else { panic!("{:?}", recipe.layer[4]) };
    assert_eq!((dense.units, dense.activation), (Units::CLASSES, Activation::Softmax));
}

#[test]
fn all_shipped_recipes_can_be_read_and_are_the_files() {
    assert!(shipped().any(|name| name == "seed"));
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    // Folders hold what is no recipe, as the search spaces of `tune`.
    let paths = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.is_file()) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(shipped().any(|shipped| shipped == name), "{name} is not shipped");
        assert_eq!(Recipe::load(name).unwrap(), Recipe::load(path.to_str().unwrap()).unwrap());
    }
}

#[test]
fn a_written_recipe_reads_back_equal() {
    for recipe in [seed(), everything(), everything().fast_run()] {
        let text = recipe.to_toml().unwrap();
        let again = Recipe::from_toml(&text, "run.toml").unwrap();
        assert_eq!(again, recipe, "{text}");
        assert_eq!(again.to_toml().unwrap(), text);
    }
}

#[test]
fn numbers_print_as_a_person_would_write_them() {
    let text = everything().to_toml().unwrap();
    for line in [
        "scale = 0.003921569",
        "rotation = 7.3",
        "mean = [0.4914, 0.4822, 0.4465]",
        "learning_rate = 0.05",
        "min_lr = 0.000001",
        "validation = 6000",
        "rate = 0.3",
        "zoom = 0.15",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
    }
    let text = seed().to_toml().unwrap();
    for line in ["scale = 0.003921569", "epsilon = 0.0000001", "rho = 0.9", "validation = 0.1", "units = \"classes\""] {
        assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
    }
    assert_eq!(seed().preprocess.scale, 1.0 / 255.0);
}

#[test]
fn absent_tables_have_defaults_and_optional_ones_are_off() {
    let recipe = Recipe::from_toml(FLATTEN, "test").unwrap();
    assert_eq!(recipe, Recipe::new(recipe.layer.clone()));
    assert_eq!((&recipe.augment, &recipe.early_stopping), (&None, &None));
    recipe.validate().unwrap();
    // Line endings and byte order marks of other systems.
    assert_eq!(Recipe::from_toml(&format!("\u{feff}{}", FLATTEN.replace('\n', "\r\n")), "test").unwrap(), recipe);
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_key() {
    assert_eq!(
        refusal("[train]\nepochs = 3\n  batchsize = 64\n"),
        "my.toml:3:3: train.batchsize: unknown key `batchsize`; did you mean `batch_size`? \
         known here: batch_size, epochs, seed, ensemble, loss, label_smoothing, class_weights, checkpoint_minutes, on_nan"
    );
    let message = refusal(&format!("[optimiser]\nkind = \"sgd\"\n{FLATTEN}"));
    assert!(
        message.starts_with("my.toml:1:2: optimiser: unknown key `optimiser`; did you mean `optimizer`?"),
        "{message}"
    );
    let message =
        refusal("[[layer]]\nkind = \"conv2d\"\nfilters = 3\nkernel = 3\n[[layer]]\nkind = \"dense\"\nunit = 3\n");
    assert!(message.starts_with("my.toml:7:1: layer.1.unit: unknown key `unit`; did you mean `units`?"), "{message}");
    // Names that others give them.
    for (lines, meant) in [
        ("[optimizer]\nkind = \"sgd\"\nlr = 0.1", "learning_rate"),
        ("[optimizer]\nkind = \"adam\"\ndecay = 0.1", "weight_decay"),
        ("[train]\nlr = 0.1", "[optimizer] learning_rate"),
    ] {
        let message = refusal(&format!("{lines}\n{FLATTEN}"));
        assert!(message.contains(&format!("; did you mean `{meant}`? known here: ")), "{message}");
    }
    // A key of another table, and one of another kind of optimizer.
    let message = refusal(&format!("[train]\nlearning_rate = 1\n{FLATTEN}"));
    assert!(message.contains("did you mean `[optimizer] learning_rate`?"), "{message}");
    let message = refusal(&format!("[optimizer]\nkind = \"adam\"\nrho = 0.9\n{FLATTEN}"));
    assert!(message.starts_with("my.toml:3:1: optimizer.rho: unknown key `rho`; "), "{message}");
    // The misspelt table is what is said, not that `layer` is missing.
    let message = refusal("[[layers]]\nkind = \"flatten\"\n");
    assert!(message.starts_with("my.toml:1:3: layers: unknown key `layers`; did you mean `layer`?"), "{message}");
}

#[test]
fn a_wrong_type_says_what_was_expected_and_what_was_found() {
    for (line, message) in [
        (
            "[train]\nbatch_size = \"64\"",
            "2:14: train.batch_size: wrong type: expected a whole number, at least 1, found the text \"64\"",
        ),
        (
            "[train]\nepochs = 3.0",
            "2:10: train.epochs: wrong type: expected a whole number, at least 1, found the number 3.0",
        ),
        (
            "[train]\nclass_weights = true",
            "2:17: train.class_weights: wrong type: expected \"balanced\", or a list, each a number at least 0, found true",
        ),
        ("[data]\nstratify = 1", "2:12: data.stratify: wrong type: expected true or false, found the whole number 1"),
        ("[data]\nsource = 1979-05-27", "2:10: data.source: wrong type: expected text in quotes, found a date or time"),
        (
            "[preprocess]\nmean = 0.5",
            "2:8: preprocess.mean: wrong type: expected a list, each a finite number, found the number 0.5",
        ),
        (
            "[preprocess]\nmean = [0.5, \"é\", 1]",
            "2:14: preprocess.mean.1: wrong type: expected a finite number, found the text \"é\"",
        ),
        ("train = 3", "1:9: train: wrong type: expected a table, found the whole number 3"),
        (
            "[optimizer]\nkind = 3",
            "2:8: optimizer.kind: wrong type: expected one of sgd, rmsprop, adam, adamw, muon, found the whole number 3",
        ),
        (
            "[layer]\nkind = \"flatten\"",
            "1:1: layer: wrong type: expected one or more tables in double brackets, found a table",
        ),
    ] {
        assert_eq!(refusal(line), format!("my.toml:{message}"));
    }
    // Columns are characters, not bytes.
    let message = refusal("data = { source = \"é\", limit = \"x\" }");
    assert!(message.starts_with("my.toml:1:32: data.limit: wrong type"), "{message}");
    let layer = |line: &str| refusal(&format!("[[layer]]\nkind = \"conv2d\"\nfilters = 3\n{line}\n"));
    let message = "my.toml:4:10: layer.0.kernel: wrong type: expected a whole number, at least 1, or a list of 2, \
                   each a whole number, at least 1, found the text \"3x3\"";
    assert_eq!(layer("kernel = \"3x3\""), message);
    assert!(layer("kernel = [3]").contains("4:10: layer.0.kernel: out of range: expected a list of 2"));
    assert!(layer("kernel = [3, 0]").contains("layer.0.kernel.1: out of range: expected a whole number, at least 1"));
}

#[test]
fn an_unknown_word_lists_the_possible_ones() {
    for (lines, message) in [
        (
            "[optimizer]\nkind = \"RMSProp\"",
            "2:8: optimizer.kind: unknown word \"RMSProp\"; did you mean `rmsprop`? possible: sgd, rmsprop, adam, adamw, muon",
        ),
        (
            "[early_stopping]\nmonitor = \"val_acc\"",
            "2:11: early_stopping.monitor: unknown word \"val_acc\"; did you mean `val_accuracy`? possible: train_loss, train_accuracy, val_loss, val_accuracy",
        ),
        (
            "[augment]\nfill = \"zeros\"",
            "2:8: augment.fill: unknown word \"zeros\"; possible: nearest, constant, reflect, wrap",
        ),
        (
            "[train]\nclass_weights = \"balance\"",
            "2:17: train.class_weights: unknown word \"balance\"; did you mean `balanced`? possible: balanced",
        ),
    ] {
        assert_eq!(refusal(&format!("{lines}\n{FLATTEN}")), format!("my.toml:{message}"));
    }
    let message = refusal("[[layer]]\nkind = \"Conv2D\"\n");
    assert!(
        message.starts_with("my.toml:2:8: layer.0.kind: unknown word \"Conv2D\"; did you mean `conv2d`?"),
        "{message}"
    );
}

#[test]
fn what_is_missing_is_named_with_what_it_is() {
    assert_eq!(refusal(""), "my.toml:1:1: `layer` is missing; it is one or more tables in double brackets");
    let message = refusal("[train]\n[[layer]]\nkind = \"dense\"\n");
    assert!(message.starts_with("my.toml:2:1: layer.0: `units` is missing; it is a whole number"), "{message}");
    let message = refusal("[optimizer]\nlearning_rate = 0.1\n[[layer]]\nkind = \"flatten\"");
    assert_eq!(message, "my.toml:1:1: optimizer: `kind` is missing; it is one of sgd, rmsprop, adam, adamw, muon");
    assert!(refusal("layer = []").contains("expected one or more tables in double brackets, found an empty list"));
}

#[test]
fn numbers_out_of_range_are_refused_with_the_key() {
    for (table, line, expected) in [
        ("train", "batch_size = 0", "a whole number, at least 1"),
        ("train", "batch_size = 99999999999", "a whole number, at most 4294967295"),
        ("train", "epochs = -3", "a whole number, at least 1"),
        ("train", "seed = -1", "a whole number, at least 0"),
        ("train", "seed = 9223372036854775808", "a whole number, at most 9223372036854775807"),
        ("train", "label_smoothing = 1.0", "a number at least 0 and below 1"),
        ("train", "class_weights = [1.0, -1.0]", "a number at least 0"),
        ("data", "validation = 1.5", "a number at least 0 and below 1, found the number 1.5"),
        ("data", "validation = -1", "a whole number, at least 0, or a number at least 0 and below 1"),
        ("data", "channels = 2", "1, or 3, found the whole number 2"),
        ("data", "image_size = [28, 28, 1]", "a list of 2"),
        ("preprocess", "std = [0.0]", "a number above 0"),
        ("preprocess", "scale = nan", "a finite number"),
        ("preprocess", "mean = []", "a list, each a finite number"),
        ("augment", "zoom = 1.0", "a number at least 0 and below 1"),
        ("augment", "rotation = -10", "a number at least 0 and at most 180"),
        ("optimizer", "kind = \"sgd\"\nlearning_rate = 0", "a number above 0"),
        ("optimizer", "kind = \"sgd\"\nlearning_rate = inf", "a number above 0"),
        ("optimizer", "kind = \"sgd\"\nlearning_rate = 1e-60", "a number above 0 as a 32-bit number"),
        ("optimizer", "kind = \"sgd\"\nmomentum = 1.01", "a number at least 0 and at most 1"),
        ("optimizer", "kind = \"rmsprop\"\nrho = 1.0", "a number at least 0 and below 1"),
        ("optimizer", "kind = \"adam\"\nclip_norm = 0", "a number above 0"),
        ("optimizer", "kind = \"adamw\"\nweight_decay = -0.1", "a number at least 0"),
        ("schedule", "kind = \"step\"\nevery_epochs = 1\nfactor = 0", "a number above 0 and at most 1"),
        ("schedule", "kind = \"cosine\"\nwarmup_epochs = -1", "a number at least 0"),
        ("schedule", "kind = \"one_cycle\"\ndiv = 0.5", "a number at least 1"),
        ("schedule", "kind = \"one_cycle\"\nmomentum = [0.9, 1.0]", "a number above 0 and below 1"),
        ("ema", "decay = 1.0", "a number at least 0 and below 1"),
        ("ema", "every = 0", "a whole number, at least 1"),
        ("swa", "start = 1.5", "a number at least 0 and at most 1"),
        ("early_stopping", "patience = -1", "a whole number, at least 0"),
        ("reduce_lr_on_plateau", "factor = 1.0", "a number above 0 and below 1"),
    ] {
        let message = refusal(&format!("[{table}]\n{line}\n{FLATTEN}"));
        let key = line.lines().last().unwrap().split(' ').next().unwrap();
        assert!(message.contains(&format!(": {table}.{key}")), "{line}: {message}");
        assert!(message.contains(&format!("out of range: expected {expected}")), "{line}: {message}");
    }
}

#[test]
fn settings_that_exclude_each_other_are_refused_together() {
    let conflict = |lines: &str, place: &str| {
        let message = refusal(&format!("{lines}\n{FLATTEN}"));
        assert!(message.starts_with(&format!("my.toml:{place}: ")), "{message}");
    };
    conflict("[optimizer]\nkind = \"adam\"\nclip_norm = 1\nclip_value = 1", "4:1: optimizer.clip_value");
    conflict("[optimizer]\nkind = \"sgd\"\nnesterov = true", "3:1: optimizer.nesterov");
    conflict("[reduce_lr_on_plateau]\n[schedule]\nkind = \"cosine\"", "1:2: reduce_lr_on_plateau");
    conflict("[ema]\n[swa]\nstart = 0.5", "2:2: swa");
    let cycle = "[schedule]\nkind = \"one_cycle\"\nmomentum =";
    conflict(&format!("{cycle} [0.9, 0.8]"), "3:1: schedule.momentum");
    conflict(&format!("{cycle} [0.8, 0.9]\n[optimizer]\nkind = \"adam\""), "3:1: schedule.momentum");
    conflict("[reduce_lr_on_plateau]\nmin_lr = 0.5", "2:1: reduce_lr_on_plateau.min_lr");
}

#[test]
fn the_first_of_several_mistakes_is_reported() {
    let message = refusal("[train]\nepochs = 0\nbatchsize = 3\n[augment]\nzoom = 7\n");
    assert!(message.starts_with("my.toml:2:10: train.epochs"), "{message}");
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_place() {
    for (text, place) in
        [("[train]\nepochs = \n", "my.toml:2:"), ("[train\n", "my.toml:1:"), ("a = 1\na = 2\n", "my.toml:2:1")]
    {
        let message = refusal(text);
        assert!(message.starts_with(place) && message.contains("not valid TOML: "), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    let deep = format!("layer = {}", "[".repeat(100_000));
    assert!(refusal(&deep).contains("not valid TOML"));
    for text in ["layer.x = 1\n[[layer]]", "\"\" = 1", "é = 1", "[train]\n\"a\\nb\" = 1", "[[train]]\n", "layer = [1]"]
    {
        assert!(!refusal(text).contains('\n'), "{text}");
    }
}

#[test]
fn a_recipe_made_in_code_is_checked_by_the_same_rules() {
    let mut recipe = seed();
    recipe.train.batch_size = 0;
    let message = recipe.validate().unwrap_err().to_string();
    assert_eq!(
        message,
        "recipe: train.batch_size: out of range: expected a whole number, at least 1, found the whole number 0"
    );
    recipe.train = TrainConfig { seed: u64::MAX, ..TrainConfig::default() };
    assert!(recipe.validate().unwrap_err().to_string().contains("recipe: train.seed: out of range"));
    recipe.train.seed = 0;
    recipe.preprocess.scale = f32::NAN;
    assert!(recipe.validate().unwrap_err().to_string().contains("preprocess.scale"));
}

#[test]
fn a_recipe_that_is_nowhere_names_those_that_are_shipped() {
    let message = Recipe::load("sed").unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "sed: no such recipe: there is no file of this name, and the shipped recipes are: {}; did you mean `seed`?",
            shipped().collect::<Vec<_>>().join(", ")
        )
    );
    let folder = tempfile::tempdir().unwrap();
    let message = Recipe::load(folder.path().to_str().unwrap()).unwrap_err().to_string();
    assert!(message.contains("a folder"), "{message}");
}

#[test]
fn a_file_that_cannot_be_a_recipe_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.toml");
    let name = path.to_str().unwrap();
    let refusal = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Recipe::load(name).unwrap_err().to_string()
    };
    assert_eq!(refusal(b"[train]\n\xff"), format!("{name}: not a recipe: not UTF-8 text from byte 8"));
    assert!(refusal(&vec![b'#'; (1 << 20) + 1]).contains("longer than 1048576 bytes"));
    assert!(refusal(b"").starts_with(&format!("{name}:1:1: `layer` is missing")));
    std::fs::write(&path, FLATTEN).unwrap();
    assert_eq!(Recipe::load(name).unwrap().layer.len(), 1);
}

/// Whatever stands in a file, the answer is a recipe or a message of one line with a place.
#[test]
fn no_text_makes_the_reader_panic() {
    let text = everything().to_toml().unwrap();
    let check = |text: &str| {
        if let Err(error) = Recipe::from_toml(text, "my.toml") {
            let message = error.to_string();
            assert!(message.starts_with("my.toml:") && !message.contains('\n'), "{message}\n{text}");
        }
    };
    for (at, _) in text.char_indices() {
        check(&text[..at]);
        for other in ["", "\"", "[", "\n", "=", "9", "-", ".", "é", "\0"] {
            check(&format!("{}{other}{}", &text[..at], &text[at + 1..]));
        }
    }
}
