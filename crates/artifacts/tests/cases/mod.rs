//! Small models that together have every kind of layer with every setting that prediction knows, and images for them:
//! what writes a model for other programs must be right for all of these.
#![allow(dead_code, reason = "each user takes its own part of this")]

mod drawn;

use glyphnet::model_file::ModelParts;
use glyphnet::nn::{
    Activation, ActivationLayer, BatchNorm, Conv2d, Dense, Dropout, Flatten, GlobalAvgPool2d, LayerSpec, Padding,
    Pool2d, Sequential,
};
use glyphnet::{ImageShape, Images, Networks, Preprocess};
use glyphnet_kernels::random::{Purpose, Stream};

/// One model.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) parts: ModelParts,
}

/// Every activation, by its name in recipes.
pub(crate) const ACTIVATIONS: [(&str, Activation); 9] = [
    ("linear", Activation::Linear),
    ("relu", Activation::Relu),
    ("leaky_relu", Activation::LeakyRelu),
    ("elu", Activation::Elu),
    ("gelu", Activation::Gelu),
    ("silu", Activation::Silu),
    ("sigmoid", Activation::Sigmoid),
    ("tanh", Activation::Tanh),
    ("softmax", Activation::Softmax),
];

/// All of them: those that are written down, and some that are drawn.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = [convolutions(), pools(), norms(), vectors(), tiny(), ends()].concat();
    cases.extend(ACTIVATIONS.map(|(name, activation)| activated(name, activation)));
    let written = cases.into_iter().map(|(name, shape, classes, layers)| case(&name, shape, classes, &layers));
    written.chain(drawn::cases()).chain(ensembles()).collect()
}

/// Several networks of the same layers, each with weights of its own.
fn ensembles() -> Vec<Case> {
    let named = |outlines: Vec<Outline>, name: &str| outlines.into_iter().find(|outline| outline.0 == name).unwrap();
    let of = |count: usize, (name, shape, classes, layers): Outline| {
        let member = |place: usize| case(&format!("{name}-{place}"), shape, classes, &layers).parts;
        let networks = (0..count).map(|place| member(place).network().clone()).collect();
        let parts = ModelParts { networks: Networks::new(networks).unwrap(), ..member(0) };
        Case { name: format!("ensemble-{count}-{name}"), parts }
    };
    vec![
        of(2, named(convolutions(), "reference")),
        of(3, named(ends(), "end-pooled")),
        of(5, activated("gelu", Activation::Gelu)),
    ]
}

/// A network before it has weights: name, images, classes, layers.
type Outline = (String, [usize; 3], usize, Sequential);

fn outline(name: &str, shape: [usize; 3], classes: usize, layers: Sequential) -> Outline {
    (name.to_owned(), shape, classes, layers)
}

fn convolutions() -> Vec<Outline> {
    let relu = Activation::Relu;
    let end = |layers: Sequential| layers.add(Flatten {}).add(Dense::new(4).activation(Activation::Softmax));
    let net = Sequential::new;
    vec![
        outline(
            "reference",
            [28, 28, 1],
            10,
            net()
                .add(Conv2d::new(16, 3).activation(relu))
                .add(Conv2d::new(8, 3).activation(relu))
                .add(LayerSpec::max_pool2d(2))
                .add(Flatten {})
                .add(Dense::new(10).activation(Activation::Softmax)),
        ),
        outline(
            "conv-same-odd",
            [13, 10, 3],
            4,
            end(net().add(Conv2d::new(5, (5, 3)).padding(Padding::SAME).activation(relu))),
        ),
        // An odd number of padded pixels: the last goes after.
        outline("conv-same-even", [9, 7, 3], 4, end(net().add(Conv2d::new(5, (2, 4)).padding(Padding::SAME)))),
        outline(
            "conv-same-strides",
            [11, 8, 1],
            4,
            end(net().add(Conv2d::new(6, 3).stride((2, 3)).padding(Padding::SAME))),
        ),
        outline(
            "conv-explicit",
            [8, 9, 3],
            4,
            end(net().add(Conv2d::new(3, (3, 5)).padding(Padding::Explicit((2, 1).into())).without_bias())),
        ),
        outline(
            "conv-padding-beyond-kernel",
            [4, 5, 1],
            4,
            end(net().add(Conv2d::new(3, 2).padding(Padding::Explicit(3.into())))),
        ),
        outline("conv-kernel-beyond-image", [2, 3, 3], 4, end(net().add(Conv2d::new(3, 5).padding(Padding::SAME)))),
        outline("conv-steps-over-pixels", [10, 11, 1], 4, end(net().add(Conv2d::new(3, 2).stride((4, 3))))),
        outline("conv-wide", [7, 6, 3], 4, end(net().add(Conv2d::new(33, 3).activation(relu)).add(Conv2d::new(17, 1)))),
        outline("conv-one-filter", [6, 6, 3], 4, end(net().add(Conv2d::new(1, 3)))),
        outline("conv-to-one-pixel", [5, 4, 3], 4, end(net().add(Conv2d::new(6, (5, 4))))),
    ]
}

fn pools() -> Vec<Outline> {
    let pool =
        |size: (usize, usize), stride: (usize, usize), padding| Pool2d::new(size).stride(stride).padding(padding);
    let pools = [
        ("plain", Pool2d::new(2)),
        ("same", pool((3, 2), (2, 2), Padding::SAME)),
        ("explicit", pool((3, 4), (2, 1), Padding::Explicit((1, 2).into()))),
        ("overlapping", pool((3, 3), (1, 2), Padding::VALID)),
        ("apart", pool((1, 2), (3, 4), Padding::VALID)),
    ];
    let kinds = [("max", LayerSpec::MaxPool2d as fn(Pool2d) -> LayerSpec), ("avg", LayerSpec::AvgPool2d)];
    let mut outlines = Vec::new();
    for (kind, layer) in kinds {
        for (name, pool) in &pools {
            // On the pixels themselves, whose values lie on both sides of zero, and behind a convolution.
            let layers = Sequential::new()
                .add(layer(pool.clone()))
                .add(Conv2d::new(5, 2).padding(Padding::SAME))
                .add(layer(pool.clone()))
                .add(Flatten {})
                .add(Dense::new(3));
            outlines.push(outline(&format!("{kind}-pool-{name}"), [11, 12, 3], 3, layers));
        }
    }
    let global = Sequential::new().add(Conv2d::new(7, 3)).add(GlobalAvgPool2d {}).add(Dense::new(3));
    outlines.push(outline("global-avg-pool", [9, 6, 1], 3, global));
    outlines.push(outline("global-avg-pool-of-pixels", [5, 7, 3], 3, Sequential::new().add(GlobalAvgPool2d {})));
    outlines
}

fn norms() -> Vec<Outline> {
    let norm = |epsilon| BatchNorm { epsilon, ..BatchNorm::default() };
    let everywhere = Sequential::new()
        .add(norm(1e-3))
        .add(Conv2d::new(6, 3).without_bias())
        .add(norm(1e-5))
        .add(ActivationLayer { activation: Activation::Relu })
        .add(LayerSpec::max_pool2d(2))
        .add(norm(0.1))
        .add(Dropout { rate: 0.25 })
        .add(Flatten {})
        .add(norm(1e-3))
        .add(Dense::new(5).without_bias())
        .add(norm(1e-3))
        .add(Dense::new(3))
        .add(norm(1e-3));
    let first = Sequential::new().add(norm(1e-3)).add(Flatten {}).add(Dense::new(3));
    vec![outline("norm-everywhere", [10, 9, 3], 3, everywhere), outline("norm-of-pixels", [3, 4, 1], 3, first)]
}

fn vectors() -> Vec<Outline> {
    let dense = Sequential::new()
        .add(Flatten {})
        .add(Flatten {})
        .add(Dense::new(9).without_bias().activation(Activation::Tanh))
        .add(Dropout { rate: 0.5 })
        .add(Dense::new(7).activation(Activation::Softmax))
        .add(Dense::new(2).without_bias().activation(Activation::Softmax));
    vec![outline("dense", [4, 3, 3], 2, dense)]
}

/// As few pixels, channels and layers as there can be.
fn tiny() -> Vec<Outline> {
    let pixel = Sequential::new().add(Conv2d::new(2, 1)).add(GlobalAvgPool2d {});
    let padded = Sequential::new().add(Conv2d::new(3, 3).padding(Padding::SAME)).add(LayerSpec::max_pool2d(1));
    vec![
        outline("one-pixel", [1, 1, 1], 2, pixel.clone()),
        outline("one-pixel-colour", [1, 1, 3], 2, pixel),
        outline("one-pixel-padded", [1, 1, 1], 2, padded.add(Flatten {}).add(Dense::new(2))),
        outline("pixels-are-logits", [1, 2, 1], 2, Sequential::new().add(Flatten {})),
        outline("colours-are-logits", [1, 1, 3], 3, Sequential::new().add(Dropout { rate: 0.1 }).add(Flatten {})),
        outline(
            "one-row",
            [1, 9, 1],
            2,
            Sequential::new().add(Conv2d::new(3, (1, 4))).add(Flatten {}).add(Dense::new(2)),
        ),
        outline(
            "one-column",
            [9, 1, 3],
            2,
            Sequential::new().add(Conv2d::new(3, (4, 1))).add(Flatten {}).add(Dense::new(2)),
        ),
    ]
}

/// What a network may end with.
fn ends() -> Vec<Outline> {
    let own = |activation| ActivationLayer { activation };
    let convolved = || Sequential::new().add(Conv2d::new(3, 3));
    vec![
        outline(
            "end-softmax-layer",
            [4, 4, 1],
            3,
            convolved().add(Flatten {}).add(Dense::new(3)).add(own(Activation::Softmax)).add(own(Activation::Linear)),
        ),
        outline(
            "end-two-softmaxes",
            [4, 4, 1],
            3,
            convolved()
                .add(Flatten {})
                .add(Dense::new(3).activation(Activation::Softmax))
                .add(own(Activation::Softmax)),
        ),
        outline("end-flattened", [3, 3, 1], 3, convolved().add(Flatten {})),
        outline("end-flattened-image", [3, 4, 3], 6, convolved().add(Flatten {}).add(Dropout { rate: 0.1 })),
        outline("end-pooled", [5, 5, 3], 3, convolved().add(GlobalAvgPool2d {}).add(own(Activation::Softmax))),
    ]
}

/// An activation on pixels, behind a convolution and a dense layer, and as a layer of its own.
fn activated(name: &str, activation: Activation) -> Outline {
    let own = || ActivationLayer { activation };
    let layers = Sequential::new()
        .add(own())
        .add(Conv2d::new(5, 2).activation(activation))
        .add(own())
        .add(Flatten {})
        .add(own())
        .add(Dense::new(6).activation(activation))
        .add(own())
        .add(Dense::new(3));
    outline(&format!("activation-{name}"), [5, 4, 3], 3, layers)
}

/// The model of these layers: nothing in it is 0 or 1 where that could hide a mistake.
fn case(name: &str, [height, width, channels]: [usize; 3], classes: usize, layers: &Sequential) -> Case {
    let seed = name.bytes().fold(7, |seed: u64, byte| seed * 31 % 1_000_003 + u64::from(byte));
    let mut network = layers.build(ImageShape::new(height, width, channels), classes, seed).unwrap();
    let mut draw = Stream::new(seed, Purpose::Initialise, 1, 1);
    for tensor in network.tensors().cloned().collect::<Vec<_>>() {
        let range = match tensor.name.rsplit('/').next().unwrap() {
            "kernel" => continue,
            "gamma" | "moving_variance" => (0.3, 2.0),
            _ => (-0.7, 0.7),
        };
        network.tensor_mut(&tensor).iter_mut().for_each(|value| *value = draw.uniform(range.0, range.1) as f32);
    }
    let preprocess = match channels {
        1 => Preprocess { mean: vec![0.45], std: vec![0.31], ..Preprocess::default() },
        _ => Preprocess {
            scale: 1.0 / 128.0,
            mean: (0..channels).map(|c| 0.9 + 0.1 * c as f32).collect(),
            std: (0..channels).map(|c| 0.5 + 0.2 * c as f32).collect(),
            ..Preprocess::default()
        },
    };
    let classes = (0..classes).map(|label| format!("class \"{label}\" ä")).collect();
    Case { name: name.to_owned(), parts: ModelParts { networks: network.into(), classes, preprocess } }
}

/// So many images of noise, each of its own brightness and contrast.
pub(crate) fn images(shape: ImageShape, count: usize) -> Images {
    let mut draw = Stream::new(11, Purpose::Sample, 0, 0);
    let mut pixels = Vec::with_capacity(count * shape.len());
    for _ in 0..count {
        let (a, b) = (draw.uniform(0.0, 256.0), draw.uniform(0.0, 256.0));
        pixels.extend((0..shape.len()).map(|_| draw.uniform(a.min(b), a.max(b)) as u8));
    }
    Images::new(shape, pixels).unwrap()
}
