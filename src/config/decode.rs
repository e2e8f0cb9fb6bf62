//! Makes typed config out of a [`Node`] tree, and finds everything that does not fit.
//!
//! serde stops at the first error. So what is found wrong is noted and pruned from the tree, and what is left is read
//! again, until it fits. No message holds a value: it might be a password.

mod choice;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Expected, MapAccess, SeqAccess, Unexpected, Visitor};

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
    #[cold]
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

    /// The entries of a struct that are set.
    fn fields(&self, known: &[&str]) -> Result<Vec<(&'a str, &'a Entry)>, Fault> {
        let mut entries = live(self.mapping()?);
        if let Some((name, entry)) = entries.iter().find(|(name, _)| !known.contains(name)) {
            return Err(self.unknown_key(name, entry, known));
        }
        entries.retain(|(_, entry)| !entry.node.is_unset());
        Ok(entries)
    }

    /// `entries` are those that `visitor` shall see. A fault in the mapping itself is pointed at by its key.
    fn entries<'de, V: Visitor<'de>>(self, entries: Vec<(&'a str, &'a Entry)>, visitor: V) -> Result<V::Value, Fault> {
        let mut entries = Entries { reader: self, rest: entries.into_iter(), current: None };
        let value = visitor.visit_map(&mut entries).map_err(|fault| self.fault_in_mapping(fault))?;
        entries.end().map(|()| value)
    }

    fn fault_in_mapping(&self, fault: Fault) -> Fault {
        fault.at(self.path, self.path.mark(self.node), self.node)
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

    /// The types that may be negative: whether a number is in range is the check's to say.
    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.plain().and_then(|text| {
            let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
            i64::try_from(decimal(digits)?).ok()?.checked_mul(sign)
        });
        match number.and_then(|number| i32::try_from(number).ok()) {
            Some(number) => visitor.visit_i32(number).map_err(|fault: Fault| self.fault(fault)),
            None => Err(self.expected("a whole number")),
        }
    }

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
        self.entries(self.fields(fields)?, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.choice(variants, visitor)
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
        i8 i16 i64 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
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
    reader: Reader<'a>,
    rest: std::vec::IntoIter<(&'a str, &'a Entry)>,
    current: Option<(&'a str, &'a Entry)>,
}

/// What is the same for all types stands in functions of its own, so that it is in the binary once.
impl<'a> Entries<'a> {
    fn next(&mut self) -> Option<(&'a str, &'a Entry)> {
        self.current = self.rest.next();
        self.current
    }

    /// A key that does not fit makes the whole mapping unfit.
    fn fault_in_key(&self, entry: &Entry, fault: Fault) -> Fault {
        fault.at(self.reader.path, entry.key, self.reader.node)
    }

    fn value(&mut self) -> Result<(Path<'a>, &'a Entry), Fault> {
        let Some((name, entry)) = self.current.take() else { return Err(Fault::new("a value without a key")) };
        Ok((Path::Key { parent: self.reader.path, name, mark: entry.key }, entry))
    }

    /// Whether everything was taken.
    fn end(mut self) -> Result<(), Fault> {
        self.rest.next().map_or(Ok(()), |(name, entry)| Err(self.reader.one_too_many(name, entry)))
    }
}

impl<'de> MapAccess<'de> for &mut Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, entry)) = self.next() else { return Ok(None) };
        let key = seed.deserialize(StrDeserializer::new(name));
        key.map(Some).map_err(|fault: Fault| self.fault_in_key(entry, fault))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (path, entry) = self.value()?;
        let reader = Reader { node: &entry.node, path: &path };
        seed.deserialize(reader).map_err(|fault| reader.fault(fault))
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
        let reader = Reader { node, path: &path };
        seed.deserialize(reader).map(Some).map_err(|fault| reader.fault(fault))
    }
}
