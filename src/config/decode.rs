//! Makes typed config out of a [`Node`] tree, and finds everything that does not fit.
//!
//! serde stops at the first error. So what is found wrong is noted and pruned from the tree, and what is left is read
//! again, until it fits. No message holds a value: it might be a password.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};

use super::node::{Entry, Map, Mark, Node, Scalar, Step, Value};
use super::problem::{Finding, nearest, quoted_list};

/// How many errors are looked for before giving up.
const MAX_ERRORS: usize = 100;

/// Reads `tree` as a `T`. What does not fit is added to `findings` and pruned from the tree. None if not even the rest
/// makes a `T`.
pub(super) fn decode<T: DeserializeOwned>(tree: &mut Node, findings: &mut Vec<Finding>) -> Option<T> {
    for _ in 0..MAX_ERRORS {
        let fault = match T::deserialize(Reader { node: tree, path: &Path::Root }) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        let place = fault.place.unwrap_or_default();
        if !place.follows {
            let finding = Finding::error(place.mark, fault.message);
            findings.push(match fault.hint {
                Some(hint) => finding.hint(hint),
                None => finding,
            });
        }
        if place.path.is_empty() || !tree.prune(&place.path) {
            return None;
        }
    }
    findings.push(Finding::error(tree.mark, "more errors, which are not shown"));
    None
}

/// Why a value does not fit.
#[derive(Debug)]
struct Fault {
    message: String,
    hint: Option<String>,
    /// Where; none until it gets out of what serde derived.
    place: Option<Place>,
}

#[derive(Debug, Default)]
struct Place {
    mark: Mark,
    path: Vec<Step>,
    /// Only a consequence of what was pruned before, and not worth telling.
    follows: bool,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, place: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says where, unless that is known more precisely.
    fn at(mut self, path: &Path<'_>, mark: Mark, node: &Node) -> Self {
        if self.place.is_none() {
            if !matches!(path, Path::Root) {
                self.message = format!("`{path}`: {}", self.message);
            }
            self.place = Some(Place { mark, path: path.steps(), follows: node.has_pruned() });
        }
        self
    }

    /// A word that is none of those that can stand there. The word is not shown, unless it is as good as one of them.
    fn not_one_of(word: &str, known: &[&str]) -> Self {
        let fault = Self::new(format!("expected one of {}", quoted_list(known)));
        match nearest(word, known) {
            Some(name) => fault.hint(format!("did you mean `{name}`?")),
            None => fault,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "true or false",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Unit | Unexpected::Option => "nothing",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a mapping",
            _ => "text",
        };
        Self::new(format!("expected {expected}, found {found}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}"))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::not_one_of(variant, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::not_one_of(field, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("`{field}` is missing"))
    }
}

/// The way from the root to a node.
enum Path<'a> {
    Root,
    Key { parent: &'a Path<'a>, name: &'a str, mark: Mark },
    Item { parent: &'a Path<'a>, index: usize },
}

impl Path<'_> {
    fn steps(&self) -> Vec<Step> {
        let (mut steps, step) = match self {
            Path::Root => return Vec::new(),
            Path::Key { parent, name, .. } => (parent.steps(), Step::Key((*name).to_owned())),
            Path::Item { parent, index } => (parent.steps(), Step::Index(*index)),
        };
        steps.push(step);
        steps
    }

    /// Where a value without a place of its own, such as a mapping, is pointed at.
    fn mark(&self, node: &Node) -> Mark {
        match self {
            Path::Key { mark, .. } => *mark,
            _ => node.mark,
        }
    }
}

/// `users.peid.authorized_keys[2]`
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key { parent: Path::Root, name, .. } => f.write_str(name),
            Path::Key { parent, name, .. } => write!(f, "{parent}.{name}"),
            Path::Item { parent, index } => write!(f, "{parent}[{index}]"),
        }
    }
}

/// serde's view of one node.
#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    path: &'a Path<'a>,
}

impl<'a> Reader<'a> {
    fn fault(&self, fault: Fault) -> Fault {
        fault.at(self.path, self.node.mark, self.node)
    }

    fn expected(&self, what: impl fmt::Display) -> Fault {
        self.fault(Fault::new(format!("expected {what}, found {}", self.node.kind())))
    }

    /// The text of a scalar that may be a number or a truth value: without quotes, or made from variables, which a
    /// flow mapping wants in quotes.
    fn plain(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(Scalar { text, plain, expanded }) if *plain || *expanded => Some(text),
            _ => None,
        }
    }

    fn number<'de, V: Visitor<'de>>(self, max: u64, visitor: V) -> Result<V::Value, Fault> {
        let expected = || {
            let fault = self.expected(format_args!("a whole number from 0 to {max}"));
            match &self.node.value {
                Value::Scalar(Scalar { text, plain: false, expanded: false }) if decimal(text).is_some() => {
                    fault.hint("remove the quotes")
                }
                _ => fault,
            }
        };
        let number = self.plain().and_then(decimal).filter(|number| *number <= max).ok_or_else(expected)?;
        visitor.visit_u64(number).map_err(|fault: Fault| self.fault(fault))
    }

    fn mapping(&self) -> Result<Option<&'a Map>, Fault> {
        match &self.node.value {
            Value::Map(map) => Ok(Some(map)),
            _ if self.node.is_unset() => Ok(None),
            _ => Err(self.expected("a mapping")),
        }
    }

    /// `entries` are those that `visitor` shall see. A fault in the mapping itself is pointed at by its key.
    fn entries<'de, V: Visitor<'de>>(self, entries: Vec<(&'a str, &'a Entry)>, visitor: V) -> Result<V::Value, Fault> {
        let mut entries = Entries { node: self.node, path: self.path, rest: entries.into_iter(), current: None };
        let value = visitor
            .visit_map(&mut entries)
            .map_err(|fault| fault.at(self.path, self.path.mark(self.node), self.node))?;
        match entries.rest.next() {
            None => Ok(value),
            Some((name, entry)) => Err(self.one_too_many(name, entry)),
        }
    }

    fn one_too_many(&self, name: &str, entry: &Entry) -> Fault {
        let path = Path::Key { parent: self.path, name, mark: entry.key };
        Fault::new("only one of these can be given").at(&path, entry.key, &entry.node)
    }

    /// An unknown key, with the nearest known one.
    fn unknown_key(&self, name: &str, entry: &Entry, known: &[&str]) -> Fault {
        let path = Path::Key { parent: self.path, name, mark: entry.key };
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", quoted_list(known)),
        };
        let name: String = name.chars().take(60).collect();
        let message = match self.path {
            Path::Root => format!("unknown key `{name}`"),
            inside => format!("unknown key `{name}` in {inside}"),
        };
        let place = Place { mark: entry.key, path: path.steps(), follows: false };
        Fault { message, hint: Some(hint), place: Some(place) }
    }
}

/// Whole decimal numbers; a leading zero means octal to some, so to nobody here.
fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}

/// YAML 1.1 has more words for it than 1.2, and users of sshd write `yes`. Where a truth value is asked for, they can
/// mean nothing else.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

macro_rules! numbers {
    ($($method:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.number(<$type>::MAX.into(), visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    numbers! { deserialize_u8 u8, deserialize_u16 u16, deserialize_u32 u32, deserialize_u64 u64, }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.plain().and_then(truth) {
            Some(truth) => visitor.visit_bool(truth),
            None => Err(self.expected("true or false")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Scalar(scalar) => visitor.visit_str(&scalar.text).map_err(|fault: Fault| self.fault(fault)),
            Value::Null => Err(self.expected("text").hint("write `\"\"` for empty text")),
            _ => Err(self.expected("text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.node.is_unset() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::List(items) => visitor
                .visit_seq(Items { path: self.path, rest: items.iter().enumerate() })
                .map_err(|fault| self.fault(fault)),
            Value::Scalar(_) => Err(self.expected("a list").hint("write a list of one in brackets: `[…]`")),
            _ => Err(self.expected("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.entries(live(self.mapping()?), visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let mut entries = live(self.mapping()?);
        if let Some((name, entry)) = entries.iter().find(|(name, _)| !fields.contains(name)) {
            return Err(self.unknown_key(name, entry, fields));
        }
        entries.retain(|(_, entry)| !entry.node.is_unset());
        self.entries(entries, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Scalar(scalar) if variants.contains(&scalar.text.as_str()) => {
                visitor.visit_enum(Word(&scalar.text)).map_err(|fault| self.fault(fault))
            }
            // The enums that are mappings say so in their `expecting`; the others are words.
            Value::Scalar(scalar) => Err(match (&visitor as &dyn Expected).to_string() {
                text if text.starts_with("enum ") => self.fault(Fault::not_one_of(&scalar.text, variants)),
                text => self.expected(text),
            }),
            Value::Map(map) => {
                let mut entries = live(Some(map)).into_iter();
                let Some((name, entry)) = entries.next() else {
                    return Err(self.expected(format_args!("one of {}", quoted_list(variants))));
                };
                if let Some((name, entry)) = entries.next() {
                    return Err(self.one_too_many(name, entry));
                }
                let path = Path::Key { parent: self.path, name, mark: entry.key };
                visitor
                    .visit_enum(Choice { name, value: Reader { node: &entry.node, path: &path } })
                    .map_err(|fault| fault.at(self.path, entry.key, self.node))
            }
            _ => Err(self.expected(format_args!("one of {}", quoted_list(variants)))),
        }
    }

    /// For types that take several forms. A scalar is always text to them.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null | Value::Pruned => visitor.visit_unit().map_err(|fault: Fault| self.fault(fault)),
            Value::Scalar(_) => self.deserialize_str(visitor),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(map) => self.entries(live(Some(map)), visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// The entries of a mapping that have not been pruned.
fn live(map: Option<&Map>) -> Vec<(&str, &Entry)> {
    map.into_iter()
        .flatten()
        .filter(|(_, entry)| !entry.node.is_pruned())
        .map(|(name, entry)| (&**name, entry))
        .collect()
}

struct Entries<'a> {
    node: &'a Node,
    path: &'a Path<'a>,
    rest: std::vec::IntoIter<(&'a str, &'a Entry)>,
    current: Option<(&'a str, &'a Entry)>,
}

impl<'de> MapAccess<'de> for &mut Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.current = self.rest.next();
        let Some((name, entry)) = self.current else { return Ok(None) };
        // A key that does not fit makes the whole mapping unfit.
        let key = seed
            .deserialize(StrDeserializer::new(name))
            .map_err(|fault: Fault| fault.at(self.path, entry.key, self.node));
        key.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((name, entry)) = self.current.take() else { return Err(Fault::new("a value without a key")) };
        let path = Path::Key { parent: self.path, name, mark: entry.key };
        seed.deserialize(Reader { node: &entry.node, path: &path })
            .map_err(|fault| fault.at(&path, entry.node.mark, &entry.node))
    }
}

struct Items<'a> {
    path: &'a Path<'a>,
    rest: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, node)) = self.rest.find(|(_, node)| !node.is_pruned()) else { return Ok(None) };
        let path = Path::Item { parent: self.path, index };
        seed.deserialize(Reader { node, path: &path }).map(Some).map_err(|fault| fault.at(&path, node.mark, node))
    }
}

/// An enum that is written as a word.
struct Word<'a>(&'a str);

impl<'de> EnumAccess<'de> for Word<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        Ok((seed.deserialize(StrDeserializer::<Fault>::new(self.0))?, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Fault> {
        Err(Fault::new(format!("expected a mapping with `{}` in it, found that word alone", self.0)))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        Err(de::Error::invalid_type(Unexpected::Str(""), &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        Err(de::Error::invalid_type(Unexpected::Str(""), &visitor))
    }
}

/// An enum that is written as a mapping of one entry.
struct Choice<'a> {
    name: &'a str,
    value: Reader<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Choice<'a> {
    type Error = Fault;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'a>), Fault> {
        Ok((seed.deserialize(StrDeserializer::<Fault>::new(self.name))?, self.value))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Err(self.fault(Fault::new("expected a word and not a mapping")))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self).map_err(|fault| self.fault(fault))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_seq(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::model::{Command, Config, KeyPlace, KeySource, Password, PermitRootLogin, Version};
    use super::super::yaml;
    use super::*;

    fn read(text: &str) -> (Option<Config>, Vec<String>) {
        let (tree, mut findings) = yaml::parse(text.as_bytes(), 0);
        let config = decode(&mut tree.unwrap(), &mut findings);
        findings.sort_by_key(|finding| finding.mark);
        let shown = findings.into_iter().map(|finding| {
            let hint = finding.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}:{} {}{hint}", finding.mark.line, finding.mark.column, finding.message)
        });
        (config, shown.collect())
    }

    fn config(text: &str) -> Config {
        let (config, errors) = read(text);
        assert!(errors.is_empty(), "{errors:?}");
        config.unwrap()
    }

    fn error(text: &str) -> String {
        let (_, errors) = read(text);
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        error.clone()
    }

    #[test]
    fn an_empty_config_is_the_default() {
        assert_eq!(config("{}"), Config::default());
        assert_eq!(config("{users: ~, ssh: ~, app: ~, path: ~, greeting: {enabled: ~}}"), Config::default());
    }

    #[test]
    fn text_stays_as_it_was_written() {
        let environment =
            config("environment: {A: 1.10, B: yes, C: 0x1F, D: 007, E: '', F: 1e3, G: null-ish}").environment;
        let values: Vec<&str> = environment.values().map(String::as_str).collect();
        assert_eq!(values, ["1.10", "yes", "0x1F", "007", "", "1e3", "null-ish"]);
        let app = config("app: {command: [sleep, 1.0, true]}").app.unwrap();
        assert_eq!(app.command, Some(Command::Argv(vec!["sleep".into(), "1.0".into(), "true".into()])));
    }

    #[test]
    fn every_kind_of_setting_is_read() {
        let config = config(
            "version: 1\n\
             users: {a: {uid: 0, sudo: Yes, password: {env: P}, authorized_keys: [k, {github: g}, {url: u}]}, b: }\n\
             ssh: {permit_root_login: no, x11_forwarding: off}\n\
             app: {command: exec x, port: 8080, ready: {timeout: 1m}}\n\
             shutdown: {timeout: 250ms}\n",
        );
        assert_eq!(config.version, Version::V1);
        let user = &config.users["a"];
        assert_eq!((user.uid, user.sudo), (Some(0), true));
        assert_eq!(user.password, Some(Password::Env("P".into())));
        let [key, github, url] = user.authorized_keys.as_deref().unwrap() else { panic!() };
        assert_eq!(key, &KeySource::Key("k".into()));
        assert_eq!(github, &KeySource::From(KeyPlace::Github("g".into())));
        assert_eq!(url, &KeySource::From(KeyPlace::Url("u".into())));
        assert!(config.users.contains_key("b"), "a user with nothing said about it");
        assert_eq!(config.ssh.permit_root_login, PermitRootLogin::No);
        assert!(!config.ssh.x11_forwarding);
        let app = config.app.unwrap();
        assert_eq!((app.command, app.port.0), (Some(Command::Shell("exec x".into())), 8080));
        assert_eq!(app.ready.unwrap().timeout, Some(Duration::from_secs(60)));
        assert_eq!(config.shutdown.timeout, Duration::from_millis(250));
    }

    #[test]
    fn unknown_keys_are_named_with_the_nearest_known_one() {
        assert_eq!(
            error("users:\n  peid:\n    authorized_key: []\n"),
            "3:5 unknown key `authorized_key` in users.peid (did you mean `authorized_keys`?)"
        );
        assert_eq!(error("user: {}"), "1:1 unknown key `user` (did you mean `users`?)");
        assert_eq!(
            error("greeting: {colour: red}"),
            "1:12 unknown key `colour` in greeting (known here: `enabled`, `text`)"
        );
    }

    #[test]
    fn type_errors_say_what_was_expected_and_found() {
        for (text, expected) in [
            ("ssh: {port: ssh}", "1:13 `ssh.port`: expected a whole number from 0 to 65535, found text"),
            ("ssh: {port: 65536}", "1:13 `ssh.port`: expected a whole number from 0 to 65535, found a number"),
            ("ssh: {port: -1}", "1:13 `ssh.port`: expected a whole number from 0 to 65535, found a number"),
            ("ssh: {port: 022}", "1:13 `ssh.port`: expected a whole number from 0 to 65535, found a number"),
            (
                "ssh: {port: '22'}",
                "1:13 `ssh.port`: expected a whole number from 0 to 65535, found text in quotes (remove the quotes)",
            ),
            ("ssh: {port: [22]}", "1:13 `ssh.port`: expected a whole number from 0 to 65535, found a list"),
            ("ssh: 22", "1:6 `ssh`: expected a mapping, found a number"),
            ("ssh: {enabled: maybe}", "1:16 `ssh.enabled`: expected true or false, found text"),
            ("users: [root]", "1:8 `users`: expected a mapping, found a list"),
            (
                "users: {a: {groups: video}}",
                "1:21 `users.a.groups`: expected a list, found text (write a list of one in brackets: `[…]`)",
            ),
            ("users: {a: {home: {}}}", "1:19 `users.a.home`: expected text, found a mapping"),
            ("environment: {A: [1]}", "1:18 `environment.A`: expected text, found a list"),
            ("environment: {A: }", "1:16 `environment.A`: expected text, found nothing (write `\"\"` for empty text)"),
            ("version: 2", "1:10 `version`: expected 1, which is the only version of this format"),
            (
                "app: {command: {a: b}}",
                "1:7 `app.command`: expected a list such as `[sleep, 1d]`, or text for /bin/sh, found a mapping",
            ),
            ("app: {command: [a, [b]]}", "1:20 `app.command[1]`: expected text, found a list"),
            (
                "app: {stop: {timeout: 5}}",
                "1:23 `app.stop.timeout`: expected a duration with its unit, such as `90s`, `10m` or `1h30m`",
            ),
            (
                "app: {restart: on_failure}",
                "1:16 `app.restart`: expected one of `never`, `on-failure`, `always` (did you mean `on-failure`?)",
            ),
            ("app: {restart: true}", "1:16 `app.restart`: expected one of `never`, `on-failure`, `always`"),
            ("app: {restart: {never: 1}}", "1:24 `app.restart.never`: expected a word and not a mapping"),
            ("services: {x: {user: a}}", "1:12 `services.x`: `command` is missing"),
            ("services: {x: }", "1:12 `services.x`: `command` is missing"),
        ] {
            assert_eq!(error(text), expected, "{text}");
        }
    }

    #[test]
    fn a_choice_is_exactly_one() {
        let one_of = "`users.a.password`: expected one of `file`, `env`, `hash`, `text`";
        assert_eq!(error("users: {a: {password: {}}}"), format!("1:23 {one_of}, found a mapping"));
        assert_eq!(error("users: {a: {password: {pile: x}}}"), format!("1:24 {one_of} (did you mean `file`?)"));
        assert_eq!(
            error("users: {a: {password: {env: X, file: /y}}}"),
            "1:32 `users.a.password.file`: only one of these can be given"
        );
        assert_eq!(
            error("users: {a: {authorized_keys: [{env: X, file: /y}]}}"),
            "1:40 `users.a.authorized_keys[0].file`: only one of these can be given"
        );
        assert_eq!(
            error("users: {a: {authorized_keys: [{githob: X}]}}"),
            "1:32 `users.a.authorized_keys[0]`: expected one of `env`, `file`, `directory`, `url`, `github` \
             (did you mean `github`?)"
        );
        assert!(
            error("users: {a: {authorized_keys: [[]]}}")
                .contains("`users.a.authorized_keys[0]`: expected a public key, or")
        );
        assert!(
            error("users: {a: {authorized_keys: [{env: [1]}]}}")
                .starts_with("1:37 `users.a.authorized_keys[0].env`: expected text")
        );
    }

    #[test]
    fn everything_that_is_wrong_is_reported_once_in_order_and_the_rest_is_read() {
        let (config, errors) = read(
            "verison: 1\n\
             users:\n  \
               a: {uid: x, gid: y, home: /h}\n\
             services:\n  \
               s: {comand: [x], restart: no}\n\
             app:\n  \
               command: [a, {}, [], b]\n",
        );
        let places: Vec<&str> = errors.iter().map(|error| error.split(' ').next().unwrap()).collect();
        assert_eq!(places, ["1:1", "3:12", "3:20", "5:7", "5:29", "7:16", "7:20"], "{errors:#?}");
        let config = config.unwrap();
        assert_eq!(config.users["a"].home.as_deref(), Some(std::path::Path::new("/h")));
        assert!(config.services.is_empty());
    }

    #[test]
    fn the_number_of_errors_has_a_bound() {
        let text: String = (0..500).map(|number| format!("x{number}: 1\n")).collect();
        let (config, errors) = read(&text);
        assert!(config.is_none());
        assert_eq!(errors.len(), MAX_ERRORS + 1);
    }

    #[test]
    fn no_value_is_shown() {
        for text in [
            "users: {a: {password: s3cret}}",
            "users: {a: {password: {s3cret}}}",
            "users: {a: {password: {text: [s3cret]}}}",
            "users: {a: {password: [s3cret]}}",
            "users: {a: {uid: s3cret}}",
            "users: {a: {authorized_keys: s3cret}}",
            "users: {a: {authorized_keys: [{s3cret}]}}",
            "users: {a: {authorized_keys: [{s3cret: x}]}}",
            "environment: s3cret",
            "environment: {A: {B: s3cret}}",
            "app: {stop: {timeout: s3cret}}",
            "app: {restart: s3cret}",
            "ssh: s3cret",
            "version: s3cret",
        ] {
            let (_, errors) = read(text);
            assert!(!errors.is_empty(), "{text}");
            assert!(!errors.join(" ").contains("s3cret"), "{errors:?}");
        }
    }
}
