//! The description of the API, as an OpenAPI 3.1 document with the model's shape and classes filled in.

use axum::body::Bytes;
use glyphnet::Model;
use serde_json::{Value, json};

/// The document but for what depends on the model.
const TEMPLATE: &str = include_str!("openapi.json");

/// The document for a model that is served as `name`.
pub(crate) fn document(name: &str, model: &Model) -> Bytes {
    let mut document: Value = serde_json::from_str(TEMPLATE).unwrap_or_default();
    let (input, classes) = (model.input(), model.classes());
    let mut set = |pointer: &str, value: Value| {
        if let Some(place) = document.pointer_mut(pointer) {
            *place = value;
        }
    };
    set("/info/version", json!(env!("CARGO_PKG_VERSION")));
    set(
        "/info/x-model",
        json!({ "name": name, "input": [input.height, input.width, input.channels], "classes": classes }),
    );
    set("/components/schemas/Class/enum", json!(classes));
    set("/components/schemas/Label/maximum", json!(classes.len() - 1));
    set("/components/schemas/Probabilities/minItems", json!(classes.len()));
    set("/components/schemas/Probabilities/maxItems", json!(classes.len()));
    set("/components/parameters/Model/schema/enum", json!([name]));
    if let Some(paths) = document.pointer_mut("/paths").and_then(Value::as_object_mut) {
        let of_versions: Vec<_> = paths.iter().filter_map(|(path, item)| of_version(path, item)).collect();
        paths.extend(of_versions);
    }
    Bytes::from(document.to_string())
}

/// The same path with the model's version in it, if it is one of a model.
fn of_version(path: &str, item: &Value) -> Option<(String, Value)> {
    let end = path.strip_prefix("/v2/models/{name}")?;
    let mut item = item.clone();
    for operation in item.as_object_mut()?.values_mut() {
        let id = format!("{}OfVersion", operation["operationId"].as_str()?);
        operation["operationId"] = Value::from(id);
        operation["parameters"].as_array_mut()?.push(json!({ "$ref": "#/components/parameters/Version" }));
    }
    Some((format!("/v2/models/{{name}}/versions/{{version}}{end}"), item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_a_place_for_all_that_is_filled_in() {
        let document: Value = serde_json::from_str(TEMPLATE).unwrap();
        for pointer in [
            "/info/version",
            "/info/x-model",
            "/components/schemas/Class/enum",
            "/components/schemas/Label/maximum",
            "/components/schemas/Probabilities/minItems",
            "/components/parameters/Model/schema/enum",
        ] {
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
