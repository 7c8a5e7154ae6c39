//! Sound inputs to start from, small ones of every kind, and the words of each format.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use glyphnet::data::{CentredBy, Drawn, SourceKind};
use glyphnet::model_file::{self, ModelParts};
use glyphnet::nn::{Kernels, Sequential, Threads};
use glyphnet::recipe::Recipe;
use glyphnet::train::{Event, FitOptions, Observer, RunFolder, fit};
use glyphnet::{Dataset, ImageShape, Images, Isa, Networks, Preprocess, Source};

use crate::container::zip_of;

pub(crate) const CSV_WORDS: &[&str] = &[
    "label", "pixel0", "pixel1", "1x1", "2x2", ",", ",,", "\n", "\r\n", "\"", "\u{feff}", "0,0,0,0", "255", "65536",
    " ",
];
pub(crate) const NPZ_WORDS: &[&str] = &[
    "x_train",
    "y_train",
    "x_test",
    "y_test",
    "classes",
    "train_images",
    ".npy",
    "'descr': ",
    "'|u1'",
    "'<i8'",
    "'>u2'",
    "'<U3'",
    "'<f4'",
    "'shape': (",
    "(2,)",
    "(3, 2, 2)",
    "(3, 2, 2, 3)",
    "()",
    "True",
    "False",
    "\u{93}NUMPY",
    "PK\x03\x04",
];
pub(crate) const IMAGE_WORDS: &[&str] = &[
    "IHDR",
    "IDAT",
    "IEND",
    "PLTE",
    "tRNS",
    "iCCP",
    "eXIf",
    "acTL",
    "fcTL",
    "fdAT",
    "RIFF",
    "WEBP",
    "VP8 ",
    "VP8L",
    "VP8X",
    "ALPH",
    "ANIM",
    "ANMF",
    "GIF89a",
    "BM",
    "P1\n",
    "P2\n",
    "P3\n",
    "P4\n",
    "P5\n",
    "P6\n",
    "P7\nWIDTH 2\n",
    "ENDHDR\n",
    "Exif\0\0",
    "II*\0",
    "MM\0*",
    "JFIF\0",
    "Adobe\0",
];
pub(crate) const RECIPE_WORDS: &[&str] = &[
    "[[layer]]\n",
    "kind = ",
    "\"conv2d\"",
    "\"max_pool2d\"",
    "\"avg_pool2d\"",
    "\"global_avg_pool2d\"",
    "\"flatten\"",
    "\"dense\"",
    "\"batch_norm\"",
    "\"dropout\"",
    "\"activation\"",
    "[optimizer]\n",
    "\"adam\"",
    "\"sgd\"",
    "[train]\n",
    "[data]\n",
    "[augment]\n",
    "[schedule]\n",
    "[early_stopping]\n",
    "[preprocess]\n",
    "[provenance]\n",
    "units = ",
    "\"classes\"",
    "kernel = ",
    "[3, 3]",
    "padding = ",
    "\"same\"",
    "rate = ",
    " = ",
    "\n",
    "\"\"\"",
    "'''",
    "{",
    "}",
    "[",
    "]",
    "0x",
    "1979-05-27T07:32:00Z",
    "#",
    "\\u0000",
    "inf",
    "nan",
    "true",
    "\n---\n",
    "=none",
    "optimizer.kind=sgd",
];
pub(crate) const MODEL_WORDS: &[&str] = &[
    "\"__metadata__\":",
    "\"format\":",
    "\"version\":\"1\"",
    "\"layers\":",
    "\"classes\":",
    "\"input\":",
    "\"preprocess\":",
    "\"dtype\":\"F32\"",
    "\"F16\"",
    "\"shape\":[",
    "\"data_offsets\":[",
    "\\\"kind\\\":\\\"dense\\\"",
    "\\\"units\\\":",
    "\\\"kernel\\\":[3,3]",
    "\\\"padding\\\":\\\"same\\\"",
    "\\\"filters\\\":",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\\\"",
    "null",
    "1e999",
];

pub(crate) const CHECKPOINT_WORDS: &[&str] = &[
    "\"progress\":",
    "\"recipe\":",
    "\"data\":",
    "\"simd\":",
    "\"epochs\\\":",
    "\\\"planned\\\":",
    "\"network.",
    "\"optimizer.",
    "\"best.",
    "\"rollback.network.",
    "\"history\"",
    "\"dtype\":\"U8\"",
    "\"F32\"",
    "\"shape\":[",
    "\"data_offsets\":[",
    "null",
    "true",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\\\"",
    "\\n",
    "1e999",
    "-1",
];

pub(crate) const PREDICTIONS_WORDS: &[&str] = &[
    "\"test/index\":",
    "\"test/label\":",
    "\"validation/label\":",
    "/probabilities\":",
    "\"dtype\":\"F32\"",
    "\"U32\"",
    "\"shape\":[",
    "\"data_offsets\":[",
    "[4,3]",
    "[0]",
    "\0\0\u{80}?",
    "{",
    "}",
    "[",
    "]",
    ",",
];

pub(crate) const THUMBNAILS_WORDS: &[&str] = &[
    "\"test/row\":",
    "\"validation/row\":",
    "/pixels\":",
    "\"dtype\":\"U8\"",
    "\"U32\"",
    "\"shape\":[",
    "\"data_offsets\":[",
    "[4,8,8,1]",
    "[2,2,3]",
    "[0]",
    "\u{1}\0\0\0",
    "{",
    "}",
    "[",
    "]",
    ",",
];

/// The path from the root of the repository.
fn file(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files in a folder of the repository whose names pass, in the order of their names.
fn files(folder: &str, passes: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|n| passes(n))
        .collect();
    names.sort();
    names.iter().map(|name| file(&format!("{folder}/{name}"))).collect()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory can be written")
}

pub(crate) fn idx() -> Vec<Vec<u8>> {
    let header = |magic: [u8; 4], sizes: &[u32]| {
        magic.into_iter().chain(sizes.iter().flat_map(|size| size.to_be_bytes())).collect::<Vec<u8>>()
    };
    let with = |mut header: Vec<u8>, body: usize| {
        header.extend((0..body).map(|i| (i * 37 % 251) as u8));
        header
    };
    let grey = with(header([0, 0, 8, 3], &[3, 4, 5]), 60);
    let colour = with(header([0, 0, 8, 4], &[2, 3, 3, 3]), 54);
    let labels = with(header([0, 0, 8, 1], &[9]), 9);
    let wide = [header([0, 0, 12, 1], &[2]), vec![0, 0, 0, 7, 0, 1, 0, 0]].concat();
    let packed = [gzipped(&grey), gzipped(&labels)];
    [grey, colour, labels, wide].into_iter().chain(packed).collect()
}

pub(crate) fn csv() -> Vec<Vec<u8>> {
    let small =
        ["label,pixel0,pixel1,pixel2,pixel3\n3,0,1,22,255\n9,0,0,0,0\n", "pixel1,pixel2,pixel3,pixel4\r\n1,2,3,4\r\n"];
    let other = ["\u{feff}\"1x1\",\"1x2\",\"2x1\",\"2x2\",\"label\"\n\"1\", 2 ,003,4,65535", "pixel0,label\n7,1\n"];
    let six = "label,pixel0,pixel1,pixel2,pixel3,pixel4,pixel5\n1,0,0,0,0,0,0\n0,9,8,7,6,5,4\n";
    let line = |row: usize| {
        let pixels = (0..784).map(|i| if (i + row) % 7 > 3 { "0".to_owned() } else { (i * row % 256).to_string() });
        std::iter::once((row % 10).to_string()).chain(pixels).collect::<Vec<_>>().join(",") + "\n"
    };
    let names: Vec<String> = (0..784).map(|i| format!("pixel{i}")).collect();
    let image = format!("label,{}\n{}{}", names.join(","), line(1), line(2));
    // More than a block, so that threads share it.
    let many = format!("label,pixel0,pixel1,pixel2,pixel3\n{}", "1,0,12,255,0\n8,0,0,0,0\n".repeat(12_000));
    let mut seeds: Vec<Vec<u8>> = small.iter().chain(&other).map(|text| text.as_bytes().to_vec()).collect();
    // Mutations of the large one are slow, so the others are there twice.
    seeds.extend(seeds.clone());
    seeds.extend([six.into(), image.into(), gzipped(small[0].as_bytes()), many.into()]);
    seeds
}

pub(crate) fn npz() -> Vec<Vec<u8>> {
    let array = |kind: &str, shape: &str, data: &[u8]| {
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        while (header.len() + 11) % 64 > 0 {
            header.push(' ');
        }
        header.push('\n');
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
    };
    let archive = |members: &[(&str, Vec<u8>)]| {
        let members: Vec<_> = members.iter().map(|(n, data)| (format!("{n}.npy").into_bytes(), data.clone())).collect();
        zip_of(&members)
    };
    let images = array("|u1", "(3, 2, 2)", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let labels = array("<i8", "(3,)", &[[1, 0, 0, 0, 0, 0, 0, 0], [0; 8], [2, 0, 0, 0, 0, 0, 0, 0]].concat());
    let colour = array("|u1", "(1, 1, 2, 3)", &[9; 6]);
    let tall = array(">u2", "(1, 1)", &[0, 1]);
    let names = array("<U1", "(3,)", b"a\0\0\0b\0\0\0c\0\0\0");
    let plain = archive(&[("x_train", images.clone()), ("y_train", labels.clone())]);
    let all = archive(&[
        ("x_train", images.clone()),
        ("y_train", labels.clone()),
        ("x_val", images.clone()),
        ("y_val", labels.clone()),
        ("x_test", images),
        ("y_test", labels),
        ("classes", names),
    ]);
    let med = archive(&[("train_images", colour), ("train_labels", tall)]);
    [plain, all, med].into_iter().chain(files("crates/data/tests/fixtures", |name| name.ends_with(".npz"))).collect()
}

pub(crate) fn image() -> Vec<Vec<u8>> {
    let is_image = |name: &str| ![".npz", ".json"].iter().any(|end| name.ends_with(end));
    let mut seeds = files("crates/data/tests/fixtures", is_image);
    seeds.extend(files("fuzz/seeds/image", |_| true));
    seeds
}

/// Layers of every kind.
const LAYERS: [&str; 3] = [
    "[[layer]]\nkind = \"flatten\"\n[[layer]]\nkind = \"dense\"\nunits = \"classes\"\nactivation = \"softmax\"\n",
    "[[layer]]\nkind = \"conv2d\"\nfilters = 4\nkernel = [3, 3]\npadding = \"same\"\nactivation = \"relu\"\n\
     [[layer]]\nkind = \"batch_norm\"\nkeras_momentum = 0.9\n[[layer]]\nkind = \"max_pool2d\"\nsize = 2\n\
     [[layer]]\nkind = \"dropout\"\nrate = 0.25\n[[layer]]\nkind = \"global_avg_pool2d\"\n\
     [[layer]]\nkind = \"dense\"\nunits = 3\nuse_bias = false\n[[layer]]\nkind = \"activation\"\nactivation = \"softmax\"\n",
    "[[layer]]\nkind = \"conv2d\"\nfilters = 2\nkernel = 5\nstride = 2\npadding = [2, 2]\nuse_bias = false\n\
     initializer = \"he_normal\"\n[[layer]]\nkind = \"batch_norm\"\n[[layer]]\nkind = \"activation\"\nactivation = \"gelu\"\n\
     [[layer]]\nkind = \"avg_pool2d\"\nsize = [2, 1]\nstride = 1\n[[layer]]\nkind = \"flatten\"\n\
     [[layer]]\nkind = \"dense\"\nunits = \"classes\"\nactivation = \"softmax\"\n",
];

/// Settings of every table.
const SETTINGS: &str = "[data]\nsource = \"mnist\"\nvalidation = 0.1\nstratify = true\nlimit = 100\nimage_size = [8, 8]\n\
    channels = 3\n[preprocess]\nscale = 0.5\nmean = [0.1, 0.2, 0.3]\nstd = [1.0, 2.0, 3.0]\nresize = \"lanczos3\"\n\
    drawn = { centred_by = \"box\", centre = [4.0, 4.0], size = 6, stroke = 1.5, edge = 1, ground = 0, ink = 255 }\n\
    [augment]\nrotation = 10.0\nwidth_shift = 2\nheight_shift = 0.1\nshear = 1.0\nzoom = 0.1\nhorizontal_flip = true\n\
    brightness = [0.5, 1.5]\nchannel_shift = 3\nfill = \"constant\"\nfill_value = 7\n\
    [train]\nbatch_size = 8\nepochs = 3\nseed = 1\nlabel_smoothing = 0.1\nclass_weights = \"balanced\"\n\
    [optimizer]\nkind = \"adam\"\nlearning_rate = 1e-3\nclip_norm = 1.0\n\
    [early_stopping]\nmonitor = \"val_accuracy\"\npatience = 3\nmode = \"max\"\n\
    [reduce_lr_on_plateau]\nfactor = 0.5\npatience = 2\n[provenance]\nanything = [1, { a = 2 }]\n";

pub(crate) fn recipe() -> Vec<Vec<u8>> {
    let mut seeds: Vec<String> = LAYERS.iter().map(|layers| (*layers).to_owned()).collect();
    seeds.push(format!("{SETTINGS}{}", LAYERS[1]));
    seeds.push(format!(
        "{}\n---\noptimizer.kind=sgd\noptimizer.momentum=0.9\naugment=none\ntrain.epochs=2\n",
        LAYERS[0]
    ));
    for settings in [
        "\"cosine\"\nwarmup_epochs = 1",
        "\"step\"\nfactor = 0.5\nevery_epochs = 2",
        "\"exponential\"\ndecay_rate = 0.9\ndecay_epochs = 1\nstaircase = true",
    ] {
        seeds.push(format!("[schedule]\nkind = {settings}\n{}", LAYERS[0]));
    }
    seeds.into_iter().map(String::into_bytes).chain(files("recipes", |_| true)).collect()
}

const DRAWN: Drawn = Drawn {
    centred_by: CentredBy::Mass,
    centre: [1.0, 1.5],
    size: 2.0,
    stroke: 1.0,
    edge: 1.5,
    ground: 0.0,
    ink: 255.0,
};

pub(crate) fn model() -> Vec<Vec<u8>> {
    let parts = |layers: &str, input: ImageShape| {
        let recipe = Recipe::from_toml(layers, "seed").expect("a recipe");
        let network = Sequential::from(recipe.layer).build(input, 3, 7).expect("layers that fit");
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        let drawn = (input.channels == 1).then_some(DRAWN);
        ModelParts { networks: network.into(), classes, preprocess: Preprocess { drawn, ..Preprocess::default() } }
    };
    let inputs = [ImageShape::new(2, 3, 1), ImageShape::new(8, 8, 3), ImageShape::new(9, 7, 1)];
    let models = LAYERS.iter().zip(inputs).map(|(layers, input)| parts(layers, input));
    let several = {
        let one = parts(LAYERS[0], inputs[0]);
        let networks = Networks::new(vec![one.network().clone(); 2]).expect("equal layers");
        ModelParts { networks, ..one }
    };
    models.chain([several]).map(|parts| model_file::to_bytes(&parts).expect("a model")).collect()
}

/// Asks to stop after so many steps.
struct StopAfter(usize);

impl Observer for StopAfter {
    fn event(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Step { .. }) {
            self.0 = self.0.saturating_sub(1);
        }
    }

    fn stop_requested(&self) -> bool {
        self.0 == 0
    }
}

/// Runs that were stopped: in the first epoch, between two epochs with everything that a recipe can ask for, at the end.
pub(crate) fn checkpoint() -> Vec<Vec<u8>> {
    let all = "[train]\nbatch_size = 4\nepochs = 3\n[optimizer]\nkind = \"adam\"\n[early_stopping]\npatience = 2\n\
        [reduce_lr_on_plateau]\npatience = 1\n[data]\nvalidation = 0.25\n";
    let few = "[train]\nbatch_size = 8\nepochs = 2\n[data]\nvalidation = 0\n";
    let runs = [(few, LAYERS[0], 1), (all, LAYERS[1], 5), (few, LAYERS[2], usize::MAX)];
    let newest = |path: &Path| {
        let mut files: Vec<_> = fs::read_dir(path.join("checkpoint"))
            .expect("checkpoints")
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_file())
            .collect();
        files.sort();
        fs::read(files.last().expect("a checkpoint")).expect("a checkpoint")
    };
    runs.into_iter()
        .map(|(settings, layers, steps)| stopped_run(&format!("{settings}{layers}"), steps, newest))
        .collect()
}

/// What runs say to the images that they held out.
pub(crate) fn predictions() -> Vec<Vec<u8>> {
    finished_runs("predictions.safetensors")
}

/// Some of these images.
pub(crate) fn thumbnails() -> Vec<Vec<u8>> {
    finished_runs("thumbnails.safetensors")
}

/// A file of runs that are finished.
fn finished_runs(name: &str) -> Vec<Vec<u8>> {
    let runs = [("validation = 0.25", LAYERS[0]), ("validation = 1", LAYERS[1])];
    let read = |path: &Path| fs::read(path.join(name)).expect(name);
    let settings = |validation| format!("[train]\nbatch_size = 4\nepochs = 1\n[data]\n{validation}\n");
    runs.map(|(validation, layers)| stopped_run(&(settings(validation) + layers), usize::MAX, read)).into()
}

/// What `read` finds in the folder of a run that was stopped after so many steps.
fn stopped_run(recipe: &str, steps: usize, read: impl Fn(&Path) -> Vec<u8>) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("run");
    let shape = ImageShape::new(8, 8, 1);
    let pixels: Vec<u8> = (0..16 * shape.len()).map(|i| (i * i % 251) as u8).collect();
    let train = Dataset {
        images: Images::new(shape, pixels).expect("pixels of this shape"),
        labels: Some((0..16).map(|i| i % 3).collect()),
    };
    let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
    let kind = SourceKind::Idx;
    let source = Source { name: "seed".to_owned(), kind, classes, train, validation: None, test: None, notes: vec![] };
    let options = FitOptions {
        threads: Threads::new(1).expect("a thread"),
        isa: Isa::SCALAR,
        folder: Some(RunFolder::create(&path).expect("a new folder")),
        kernels: Kernels::default(),
    };
    let recipe = Recipe::from_toml(recipe, "seed").expect("a recipe");
    fit(&recipe, &source, &options, &mut StopAfter(steps)).expect("a run");
    read(&path)
}
