//! Enums: a word, or a mapping of one entry.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, EnumAccess, Expected, Unexpected, VariantAccess, Visitor};

use super::super::node::{Entry, Mark, Node, Value};
use super::super::problem::{nearest, quoted_list};
use super::{Fault, Path, Reader, live};

impl<'a> Reader<'a> {
    /// One of these, as a word or as the key of a mapping.
    pub(super) fn choice<'de, V: Visitor<'de>>(self, variants: &[&str], visitor: V) -> Result<V::Value, Fault> {
        match self.chosen(variants, &visitor)? {
            Chosen::Word(word) => visitor.visit_enum(Word(word)).map_err(|fault| self.fault(fault)),
            Chosen::Entry(name, entry) => {
                let path = Path::Key { parent: self.path, name, mark: entry.key };
                visitor
                    .visit_enum(Choice { name, value: Reader { node: &entry.node, path: &path } })
                    .map_err(|fault| fault.at(self.path, entry.key, self.node))
            }
        }
    }

    fn chosen(&self, variants: &[&str], visitor: &dyn Expected) -> Result<Chosen<'a>, Fault> {
        match &self.node.value {
            Value::Scalar(scalar) if variants.contains(&scalar.text.as_str()) => Ok(Chosen::Word(&scalar.text)),
            // The enums that are mappings say so in their `expecting`; the others are words.
            Value::Scalar(scalar) => Err(match visitor.to_string() {
                text if text.starts_with("enum ") => self.fault(Fault::not_one_of(&scalar.text, variants)),
                text => match nearest(&scalar.text, variants) {
                    Some(name) => self.expected(text).hint(format!("did you mean `{name}: …`?")),
                    None => self.expected(text),
                },
            }),
            Value::Map(map) => {
                let entries = live(Some(map));
                match entries.as_slice() {
                    [] => Err(self.expected(format_args!("one of {}", quoted_list(variants)))),
                    [(name, entry)] => Ok(Chosen::Entry(name, entry)),
                    [_, second, ..] => Err(self.too_many(&entries, *second, variants)),
                }
            }
            _ => Err(self.expected(format_args!("one of {}", quoted_list(variants)))),
        }
    }

    /// More than one entry. Where just one of them is known, and can hold the others, these are indented too little.
    fn too_many(&self, entries: &[(&str, &Entry)], second: (&str, &Entry), variants: &[&str]) -> Fault {
        let (known, others): (Vec<_>, Vec<_>) = entries.iter().copied().partition(|(name, _)| variants.contains(name));
        match (known.as_slice(), others.first()) {
            ([(outer, holds)], Some((name, entry))) if matches!(holds.node.value, Value::Map(_) | Value::Null) => {
                let path = Path::Key { parent: self.path, name, mark: entry.key };
                Fault::new(format!("stands beside `{outer}` and not in it"))
                    .hint(format!("indent it further than `{outer}:`"))
                    .at(&path, entry.key, &entry.node)
            }
            _ => self.one_too_many(second.0, second.1),
        }
    }
}

/// What stands where an enum is wanted.
enum Chosen<'a> {
    Word(&'a str),
    Entry(&'a str, &'a Entry),
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

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let Self(word) = self;
        let fault = Fault::new(format!("expected a mapping with `{word}` in it, found that word alone"));
        let nothing = Node { mark: Mark::NOWHERE, value: Value::Null };
        let enough = seed.deserialize(Reader { node: &nothing, path: &Path::Root }).is_ok();
        Err(fault.hint(if enough { format!("write `{word}: {{}}`") } else { format!("write `{word}: …`") }))
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
