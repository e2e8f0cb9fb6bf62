//! Reading the types that can be written in several forms. Derived (untagged), they could only say "did not match any
//! variant", and not where and why.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::first_run::{Proxies, Proxy};
use super::model::{Command, KeyPlace, KeySource, Log, LogSettings, LogTo, Version};

impl TryFrom<u32> for Version {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::V1),
            _ => Err("expected 1, which is the only version of this format"),
        }
    }
}

impl From<Version> for u32 {
    fn from(version: Version) -> Self {
        match version {
            Version::V1 => 1,
        }
    }
}

impl JsonSchema for Version {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "The version of the config format.", "const": 1 })
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Command;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list such as `[sleep, 1d]`, or text for /bin/sh")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Command, E> {
                Ok(Command::Shell(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Command, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(Command::Argv)
            }
        }

        deserializer.deserialize_any(Form)
    }
}

impl<'de> Deserialize<'de> for Log {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Log;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`inherit`, `prefix`, `file`, `both`, or a mapping such as `{to: file, format: json}`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Log, E> {
                let to = match text {
                    "inherit" => LogTo::Inherit,
                    "prefix" => LogTo::Prefix,
                    "file" => LogTo::File,
                    "both" => LogTo::Both,
                    _ => return Err(E::invalid_value(Unexpected::Str(text), &self)),
                };
                Ok(Log::To(to))
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Log, A::Error> {
                LogSettings::deserialize(MapAccessDeserializer::new(entries)).map(Log::Set)
            }
        }

        deserializer.deserialize_any(Form)
    }
}

impl<'de> Deserialize<'de> for KeySource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = KeySource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a public key, or one of `{env: NAME}`, `{file: PATH}`, `{directory: PATH}`, `{url: URL}` and \
                     `{github: NAME}`",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<KeySource, E> {
                Ok(KeySource::Key(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<KeySource, A::Error> {
                KeyPlace::deserialize(MapAccessDeserializer::new(entries)).map(KeySource::From)
            }
        }

        deserializer.deserialize_any(Form)
    }
}

impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Proxy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`inherit`, `none`, or `{http: URL, https: URL, all: URL, no_proxy: HOSTS}`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Proxy, E> {
                match text {
                    "inherit" => Ok(Proxy::Inherit),
                    "none" => Ok(Proxy::None),
                    _ => Err(E::invalid_value(Unexpected::Other("text"), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Proxy, A::Error> {
                Proxies::deserialize(MapAccessDeserializer::new(entries)).map(Proxy::Set)
            }
        }

        deserializer.deserialize_any(Form)
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Config;
    use super::*;

    #[test]
    fn every_form_survives_the_way_through_json() {
        let json = serde_json::json!({
            "version": 1,
            "users": { "a": { "password": { "env": "P" }, "authorized_keys": ["k", { "github": "g" }] } },
            "hooks": { "on_boot": ["exec x", ["sleep", "1"]] },
            "app": { "port": 1, "stop": { "timeout": "1m30s" } },
            "proxy": { "http": "p:1" },
            "first_run": { "steps": [{ "claude-code": { "as": "root", "timeout": "90s" } }, { "git": { "ref": "v1", "to": "x" } }] },
        });
        let config: Config = serde_json::from_value(json).unwrap();
        assert_eq!(config.hooks.on_boot[0], Command::Shell("exec x".to_owned()));
        let written = serde_json::to_value(&config).unwrap();
        assert_eq!(written["version"], 1);
        assert_eq!(serde_json::from_value::<Config>(written).unwrap(), config);
        for proxy in ["inherit", "none"] {
            let config: Config = serde_json::from_value(serde_json::json!({ "proxy": proxy })).unwrap();
            assert_eq!(serde_json::to_value(&config).unwrap()["proxy"], proxy);
        }
    }
}
