//! The JSON Schema of the config, for editors.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::texts;

const FILE: &str = "config/schema.json";

/// The JSON Schema (draft 2020-12) of the config, made from the model and its comments.
#[must_use]
pub fn text() -> String {
    texts::text(FILE)
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

/// Text that may be a plain number.
pub(super) fn text_or_number(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "integer", "null"] })
}

/// A list of names, each of which may be a plain number.
pub(super) fn names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["array", "null"], "items": { "type": ["string", "integer"] } })
}

/// Limits by the name of their resource.
pub(super) fn limits(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "enum": super::limits::names() },
        "additionalProperties": { "type": ["string", "integer"] },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::Config;
    use super::*;

    fn schema() -> Value {
        let mut schema = schemars::schema_for!(Config);
        schema.insert("$id".to_owned(), "urn:devinit:config:1".into());
        schema.insert("title".to_owned(), "devinit config".into());
        schema.to_value()
    }

    #[test]
    fn the_files_say_what_the_model_says() {
        texts::hold(FILE, &format!("{:#}\n", schema()));
    }

    #[test]
    fn the_schema_says_what_it_is() {
        let schema = schema();
        assert_eq!(schema["$id"], "urn:devinit:config:1");
        assert_eq!(schema["title"], "devinit config");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false, "unknown keys are errors");
    }

    #[test]
    fn the_version_is_the_number_1() {
        let schema = schema();
        assert_eq!(schema["$defs"]["Version"]["const"], 1);
        assert_eq!(schema["properties"]["version"]["default"], 1);
    }

    #[test]
    fn bounds_are_in_the_schema() {
        let schema = schema();
        assert_eq!(schema["$defs"]["User"]["properties"]["uid"]["maximum"], 4_294_967_294_u32);
        assert_eq!(schema["$defs"]["Ssh"]["properties"]["port"]["minimum"], 1);
        assert_eq!(schema["$defs"]["AppPort"]["minimum"], 1);
    }

    /// Every key of every section, found in the `$defs` as well.
    fn keys(schema: &Value, found: &mut Vec<(String, bool)>) {
        match schema {
            Value::Object(object) => {
                if let Some(Value::Object(properties)) = object.get("properties") {
                    for (key, property) in properties {
                        // The forms of a choice are described around their one key.
                        let form = properties.len() == 1 && object.contains_key("description");
                        found.push((key.clone(), form || property.get("description").is_some()));
                    }
                }
                object.values().for_each(|value| keys(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }

    #[test]
    fn the_example_has_everything_that_a_config_can_have() {
        let example = include_str!("../../config/example.yaml");
        let mut found = Vec::new();
        keys(&schema(), &mut found);
        assert!(found.len() > 40, "{found:?}");
        for (key, _) in found {
            assert!(example.contains(&format!("{key}:")), "config/example.yaml lacks `{key}`");
        }
    }

    #[test]
    fn every_setting_is_described() {
        let mut found = Vec::new();
        keys(&schema(), &mut found);
        for (key, described) in found {
            assert!(described, "`{key}` has no description");
        }
    }
}
