//! Puts variables into values: `${VAR}`, `${VAR:-default}`, and `$$` for a dollar sign.
//!
//! A `$` before anything else stays as it is, so that `$HOME` in a shell command is the shell's, and a password hash
//! needs no escaping. What a variable holds is never read as YAML, and is not expanded again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::node::{Node, Step, Value};
use super::problem::Finding;

/// Expands every value of `tree` (not the keys). A value that cannot be is reported and pruned.
pub(super) fn expand(tree: &mut Node, env: &BTreeMap<String, String>, findings: &mut Vec<Finding>) {
    let mark = tree.mark;
    match &mut tree.value {
        Value::Scalar(scalar) => match text(&scalar.text, env) {
            Ok(Cow::Borrowed(_)) => {}
            Ok(Cow::Owned(expanded)) => (scalar.text, scalar.expanded) = (expanded, true),
            Err(fault) => {
                findings.push(fault.into_finding(mark));
                tree.prune(&[] as &[Step]);
            }
        },
        Value::List(items) => items.iter_mut().for_each(|item| expand(item, env, findings)),
        Value::Map(map) => map.values_mut().for_each(|entry| expand(&mut entry.node, env, findings)),
        Value::Null | Value::Pruned => {}
    }
}

/// Why a text cannot be expanded. The text itself is not shown.
#[derive(Debug, PartialEq, Eq)]
enum Fault<'a> {
    Unset(&'a str),
    Malformed,
    Unclosed,
    Nested,
}

impl Fault<'_> {
    fn into_finding(self, mark: super::node::Mark) -> Finding {
        match self {
            Self::Unset(name) => Finding::error(mark, format!("the variable {name} is not set"))
                .hint(format!("write `${{{name}:-}}` if it may be missing, or `$${{{name}}}` to leave it to a shell")),
            Self::Malformed => {
                Finding::error(mark, "`${` is followed by something other than `VAR}` or `VAR:-default}`")
                    .hint("write `$${` to leave it to a shell")
            }
            Self::Unclosed => Finding::error(mark, "`${` without its `}`").hint("write `$${` for these two characters"),
            Self::Nested => {
                Finding::error(mark, "a default cannot have a variable in it").hint("write the default out")
            }
        }
    }
}

/// Expands `source`; borrowed if there was nothing to do.
fn text<'a>(source: &'a str, env: &BTreeMap<String, String>) -> Result<Cow<'a, str>, Fault<'a>> {
    if !source.contains("$$") && !source.contains("${") {
        return Ok(Cow::Borrowed(source));
    }
    let (mut expanded, mut rest) = (String::with_capacity(source.len()), source);
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (reference, after) = after.split_once('}').ok_or(Fault::Unclosed)?;
            expanded.push_str(&variable(reference, env)?);
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    Ok(Cow::Owned(expanded))
}

/// What stands for `VAR` or `VAR:-default`. The default is taken for an empty variable, too.
fn variable<'s, 'e>(reference: &'s str, env: &'e BTreeMap<String, String>) -> Result<Cow<'e, str>, Fault<'s>> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !is_variable_name(name) {
        return Err(Fault::Malformed);
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(Fault::Nested);
    }
    match (env.get(name), default) {
        (Some(value), None) => Ok(Cow::Borrowed(value)),
        (Some(value), Some(_)) if !value.is_empty() => Ok(Cow::Borrowed(value)),
        (_, Some(default)) => Ok(Cow::Owned(default.replace("$$", "$"))),
        (None, None) => Err(Fault::Unset(name)),
    }
}

/// Whether `name` can be the name of a variable: letters, digits and `_`, not beginning with a digit.
pub(super) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn env() -> BTreeMap<String, String> {
        [("A", "apple"), ("EMPTY", ""), ("DOLLAR", "${A} $$"), ("_x1", "y")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn ok(source: &str) -> String {
        text(source, &env()).unwrap().into_owned()
    }

    #[test]
    fn variables_and_defaults() {
        assert_eq!(ok("<${A}>"), "<apple>");
        assert_eq!(ok("${A}${_x1}"), "appley");
        assert_eq!(ok("${A:-b}"), "apple");
        assert_eq!(ok("${EMPTY}"), "");
        assert_eq!(ok("${EMPTY:-b}"), "b");
        assert_eq!(ok("${NOPE:-b c}"), "b c");
        assert_eq!(ok("${NOPE:-}"), "");
        assert_eq!(ok("${NOPE:-a:-b}"), "a:-b");
    }

    #[test]
    fn a_default_ends_at_the_first_brace() {
        assert_eq!(ok("${NOPE:-b}}"), "b}");
        assert_eq!(ok("{${NOPE:-{b}}"), "{{b}");
        assert_eq!(ok("}${A}{"), "}apple{");
    }

    #[test]
    fn two_dollars_are_one() {
        assert_eq!(ok("$$"), "$");
        assert_eq!(ok("$${A}"), "${A}");
        assert_eq!(ok("$$$$A"), "$$A");
        assert_eq!(ok("$$${A}"), "$apple");
        assert_eq!(ok("${NOPE:-$$5}"), "$5");
    }

    #[test]
    fn other_dollars_are_left_to_the_shell_and_to_hashes() {
        for source in ["$HOME", "$(id)", "a$", "$6$salt$hash", "$y$j9T$x/.$z", "cost: 5$ each"] {
            assert_eq!(text(source, &env()), Ok(Cow::Borrowed(source)));
        }
        assert_eq!(ok("$HOME/${A}$"), "$HOME/apple$");
    }

    #[test]
    fn what_a_variable_holds_is_not_expanded_again() {
        assert_eq!(ok("${DOLLAR}"), "${A} $$");
    }

    #[test]
    fn what_cannot_be_expanded_is_an_error() {
        let env = env();
        assert_eq!(text("${NOPE}", &env), Err(Fault::Unset("NOPE")));
        for source in ["${}", "${A-b}", "${A:?x}", "${#A}", "${ A}", "${1}", "${A%b}", "${:-x}", "${Ä}", "${A:b}"] {
            assert_eq!(text(source, &env), Err(Fault::Malformed), "{source}");
        }
        assert_eq!(text("${A", &env), Err(Fault::Unclosed));
        assert_eq!(text("${", &env), Err(Fault::Unclosed));
        assert_eq!(text("${NOPE:-${A}}", &env), Err(Fault::Nested));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(source in r"([${}:A\-]|\PC){0,40}") {
            let _ = text(&source, &env());
        }

        #[test]
        fn without_a_dollar_it_changes_nothing(source in "[^$]*") {
            prop_assert_eq!(text(&source, &BTreeMap::new()), Ok(Cow::Borrowed(source.as_str())));
        }

        #[test]
        fn doubled_dollars_bring_any_text_through(source in "\\PC*") {
            let escaped = source.replace('$', "$$");
            prop_assert_eq!(text(&escaped, &BTreeMap::new()).unwrap(), source);
        }
    }
}
