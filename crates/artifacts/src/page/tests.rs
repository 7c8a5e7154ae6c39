use glyphnet::nn::{Dense, Dropout, Flatten, LayerSpec, Sequential};
use glyphnet_data::{Drawn, ImageShape, Polarity, Preprocess};

use super::*;

pub(super) fn model(names: &[&str]) -> ModelParts {
    let network = Sequential::new().add(Flatten {}).add(Dense::new(names.len()));
    let network = network.build(ImageShape::new(8, 6, 1), names.len(), 0).unwrap();
    let classes = names.iter().map(|&name| name.to_owned()).collect();
    ModelParts { networks: network.into(), classes, preprocess: Preprocess::default() }
}

/// The same, learned from upright strokes.
pub(super) fn drawn_model(names: &[&str]) -> ModelParts {
    let mut parts = model(names);
    let shape = parts.network().input();
    let stroke = [0, 0, 255, 0, 0, 0].repeat(6);
    let image = [[0; 6], [0; 6]].concat().into_iter().chain(stroke).collect::<Vec<u8>>();
    parts.preprocess.polarity = Some(Polarity::LightOnDark);
    parts.preprocess.drawn = Drawn::estimate([&image[..]; 3].into_iter(), shape, Polarity::LightOnDark);
    assert!(can_draw(&parts));
    parts
}

fn json(page: &str) -> serde_json::Value {
    let json = page.split_once("id=\"model\">").unwrap().1.split_once("</script>").unwrap().0;
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_page_asks_for_nothing_and_is_the_same_again() {
    for parts in [model(&["cat", "dog"]), drawn_model(&["0", "1"])] {
        let page = to_html(&parts).unwrap();
        crate::html::assert_asks_for_nothing(&page);
        assert_eq!(to_html(&parts.clone()).unwrap(), page);
        assert_eq!(page.contains("id=\"board\""), can_draw(&parts));
        assert_eq!(page.contains("id=\"drop\""), !can_draw(&parts));
    }
}

#[test]
fn no_class_name_breaks_out() {
    let hostile = ["</script><script>alert(1)</script>", "<!--<script", "\"'&amp;<b>", "\u{0}\u{2028}"];
    let page = to_html(&model(&hostile)).unwrap();
    assert_eq!(json(&page)["classes"], serde_json::json!(hostile));
    assert!(!page.contains("alert(1)</script>") && !page.contains("<!--") && !page.contains("<b>"));
    crate::html::assert_asks_for_nothing(&page);
}

#[test]
fn the_engine_is_told_everything_and_all_values() {
    let layers = [
        r#"{"kind":"conv2d","filters":3,"kernel":[2,3],"stride":[1,2],"padding":"same","activation":"leaky_relu","use_bias":false}"#,
        r#"{"kind":"batch_norm"}"#,
        r#"{"kind":"max_pool2d","size":2,"padding":1}"#,
        r#"{"kind":"flatten"}"#,
        r#"{"kind":"dense","units":"classes","activation":"softmax"}"#,
    ];
    let layers: Vec<LayerSpec> = layers.iter().map(|layer| serde_json::from_str(layer).unwrap()).collect();
    let network = layers.into_iter().fold(Sequential::new(), Sequential::add).build(ImageShape::new(5, 6, 1), 2, 7);
    let parts = ModelParts { networks: network.unwrap().into(), ..model(&["a", "b"]) };
    let page = to_html(&parts).unwrap();
    let told = &json(&page)["layers"];
    let expected = serde_json::json!([
        { "kind": "conv2d", "input": [5, 6, 1], "output": [5, 3, 3], "tensors": { "kernel": [0, 18] },
          "activation": "leaky_relu", "slope": f64::from(0.2_f32), "window": [2, 3], "stride": [1, 2], "pad": [0, 1, 0, 1] },
        { "kind": "batch_norm", "input": [5, 3, 3], "output": [5, 3, 3], "epsilon": f64::from(0.001_f32),
          "tensors": { "gamma": [18, 21], "beta": [21, 24], "moving_mean": [62, 65], "moving_variance": [65, 68] } },
        { "kind": "max_pool2d", "input": [5, 3, 3], "output": [3, 2, 3], "tensors": {}, "window": [2, 2], "stride": [2, 2],
          "pad": [1, 1, 1, 1] },
        { "kind": "flatten", "input": [3, 2, 3], "output": [18], "tensors": {} },
        { "kind": "dense", "input": [18], "output": [2], "tensors": { "kernel": [24, 60], "bias": [60, 62] },
          "activation": "linear" },
    ]);
    assert_eq!(told.as_array().unwrap().len(), 5);
    for (told, expected) in told.as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
        assert_eq!(told, expected);
    }
    let values = page.split_once("id=\"weights\">").unwrap().1.split_once("</script>").unwrap().0;
    let values = STANDARD.decode(values).unwrap();
    let values: Vec<f32> = values.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert_eq!(values, [parts.network().weights(), parts.network().state()].concat());
}

#[test]
fn what_no_browser_shows_is_refused_by_name() {
    let refused = |network: Sequential, shape: ImageShape| {
        let network = network.add(Dense::new(2)).build(shape, 2, 0).unwrap();
        to_html(&ModelParts { networks: network.into(), ..model(&["a", "b"]) }).unwrap_err().to_string()
    };
    let four = refused(Sequential::new().add(Flatten {}), ImageShape::new(4, 4, 4));
    assert_eq!(four, "the network takes images of 4 channels: a page shows images of 1 (grey) or 3 (RGB)");
    let wide = Sequential::new().add(Flatten {}).add(Dense::new(1 << 15)).add(Dropout { rate: 0.0 });
    let large = refused(wide, ImageShape::new(32, 32, 1));
    assert!(large.contains("33,652,738 parameters: a page holds at most 33,554,432"), "{large}");
}

#[test]
fn several_networks_are_told_one_after_another() {
    let (one, other) = (model(&["a", "b"]), 3);
    let another = Sequential::new().add(Flatten {}).add(Dense::new(2)).build(one.network().input(), 2, other).unwrap();
    let networks = glyphnet::Networks::new(vec![one.network().clone(), another.clone()]).unwrap();
    let parts = ModelParts { networks, ..one.clone() };
    let page = to_html(&parts).unwrap();
    assert_eq!(json(&page)["networks"], 2);
    assert_eq!(json(&page)["layers"], json(&to_html(&one).unwrap())["layers"]);
    let values = page.split_once("id=\"weights\">").unwrap().1.split_once("</script>").unwrap().0;
    let expected = [one.network().weights(), another.weights()].concat();
    assert_eq!(STANDARD.decode(values).unwrap(), expected.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    assert!(page.contains("2, averaged") && page.contains("196"), "all parameters are counted");
}
