//! The JSON Schema of the config, for editors.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::Config;

/// The JSON Schema (draft 2020-12) of the config, made from the model and its comments.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Config);
    schema.insert("$id".to_owned(), "urn:devinit:config:1".into());
    schema.insert("title".to_owned(), "devinit config".into());
    schema.to_value()
}

/// Values of variables: plain numbers and truth values are taken as they are written, null removes.
pub(super) fn environment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
        "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
    })
}

/// The words of a command: plain numbers and truth values are taken as they are written.
pub(super) fn argv(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "type": ["string", "number", "boolean"] },
        "minItems": 1,
    })
}
