//! Reads YAML into a [`Node`] tree. The only file that knows the YAML crate.
//!
//! It is built on the crate's events, and not on its deserializer: so plain scalars keep their text, every key keeps
//! its place, and nothing of a neighbouring line (a password, perhaps) can get into a message.

use std::collections::BTreeMap;
use std::collections::btree_map;

use serde_yaml::granit_parser::{
    ErrorKind, Event, Marker, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag,
};

use super::node::{Entry, Map, Mark, Node, Scalar, Value};
use super::problem::Finding;

/// The largest file that is read, in bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// How deep lists and mappings may be nested.
const MAX_DEPTH: usize = 32;
/// How many values there may be, those that aliases repeat included.
const MAX_VALUES: usize = 100_000;
/// How many bytes of text there may be, those that aliases repeat included.
const MAX_TEXT: usize = 4 * MAX_BYTES;

const TOO_DEEP: &str = "nested more than 32 levels deep";
const QUOTE: &str =
    "a value that begins with `*`, `&`, `!`, `@`, `%` or a backtick, or has `: ` or ` #` in it, has to be in quotes";

/// Reads one file. Without a tree at least one of the findings is an error; a tree may come with errors as well
/// (a key that stands twice).
pub(super) fn parse(bytes: &[u8], file: usize) -> (Option<Node>, Vec<Finding>) {
    let mut findings = Vec::new();
    let node = document(bytes, file, &mut findings).map_err(|fatal| findings.push(fatal)).ok();
    (node, findings)
}

fn document(bytes: &[u8], file: usize, findings: &mut Vec<Finding>) -> Result<Node, Finding> {
    if bytes.len() > MAX_BYTES {
        return Err(Finding::error(Mark::file(file), "larger than 1 MiB, which no config is"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to(), file))?;
    // Some editors put a byte order mark there.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);

    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let events = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { events, file, anchors: BTreeMap::new(), values: 0, text: 0, findings };
    reader.stream()
}

fn not_utf8(bytes: &[u8], at: usize, file: usize) -> Finding {
    let before = String::from_utf8_lossy(bytes.get(..at).unwrap_or_default());
    let line = before.matches('\n').count() as u64 + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
    Finding::error(Mark { file, line, column }, "not UTF-8").hint("save the file as UTF-8")
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    file: usize,
    /// What `&name` named. None while it is still being read: it cannot contain itself.
    anchors: BTreeMap<usize, Option<Node>>,
    values: usize,
    text: usize,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn stream(&mut self) -> Result<Node, Finding> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(self
                        .error(span, "a second document begins here; a file holds one")
                        .hint("remove `---`"));
                }
                event if event.is_node() => root = Some((span, self.node(event, span, 0)?)),
                _ => {}
            }
        }
        let empty = || Node { mark: Mark { file: self.file, line: 1, column: 1 }, value: Value::Map(Map::new()) };
        match root {
            None => Ok(empty()),
            Some((_, Node { value: Value::Null, .. })) => Ok(empty()),
            Some((_, node @ Node { value: Value::Map(_), .. })) => Ok(node),
            Some((span, node)) => Err(self
                .error(span, format!("expected a mapping of sections, found {}", node.kind()))
                .hint("a config looks like `users:`, and below it, indented, `  root: {}`")),
        }
    }

    /// The next event; none after the last.
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Finding> {
        self.events.next_event().transpose().map_err(|error| self.syntax(&error))
    }

    /// The next event inside a list or mapping.
    fn inside(&mut self, start: Span) -> Result<(Event<'a>, Span), Finding> {
        self.next()?.ok_or_else(|| self.error(start, "this has no end"))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Finding> {
        if depth > MAX_DEPTH {
            return Err(self.error(span, TOO_DEEP));
        }
        self.spend(1, 0, span)?;
        let anchor = event.anchor_id().filter(|id| *id != 0);
        if let Some(id) = anchor {
            self.anchors.insert(id, None);
        }
        let text = self.tag(event.tag(), span)?;
        let value = match event {
            Event::Scalar(source, style, ..) => {
                self.spend(0, source.len(), span)?;
                scalar(source.into_owned(), style == ScalarStyle::Plain && !text)
            }
            Event::SequenceStart(..) => self.list(span, depth)?,
            Event::MappingStart(..) => self.map(span, depth)?,
            Event::Alias(id) => self.alias(id, span, depth)?,
            _ => return Err(self.error(span, "a value is missing here")),
        };
        let node = Node { mark: self.mark(span.start), value };
        if let Some(id) = anchor {
            self.anchors.insert(id, Some(node.clone()));
        }
        Ok(node)
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Value, Finding> {
        let mut items = Vec::new();
        loop {
            match self.inside(start)? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Value, Finding> {
        let mut map = Map::new();
        loop {
            let (event, span) = self.inside(start)?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(map));
            }
            let key = self.key(event, span, depth)?;
            let (event, value_span) = self.inside(start)?;
            let node = self.node(event, value_span, depth + 1)?;
            let mark = self.mark(span.start);
            match map.entry(key) {
                btree_map::Entry::Vacant(vacant) => _ = vacant.insert(Entry { key: mark, node }),
                btree_map::Entry::Occupied(first) => {
                    let message = format!("`{}` stands twice; first in line {}", first.key(), first.get().key.line);
                    self.findings.push(Finding::error(mark, message).hint("keep one of them"));
                }
            }
        }
    }

    fn key(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<String, Finding> {
        match self.node(event, span, depth + 1)?.value {
            Value::Scalar(Scalar { plain: true, text, .. }) if text == "<<" => {
                Err(self.error(span, "merge keys (`<<`) are not supported").hint("write the entries out"))
            }
            Value::Scalar(scalar) => Ok(scalar.text),
            Value::Null => Err(self.error(span, "a key is missing here")),
            _ => Err(self.error(span, "a key has to be text").hint("text in braces or brackets has to be in quotes")),
        }
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Result<Value, Finding> {
        let Some(size) = self.anchors.get(&id).and_then(Option::as_ref).map(Size::of) else {
            return Err(self.error(span, "this alias stands inside of what it refers to"));
        };
        if depth + size.depth > MAX_DEPTH {
            return Err(self.error(span, TOO_DEEP));
        }
        // Before the copy: eight short lines of aliases can stand for gigabytes.
        self.spend(size.values, size.text, span)?;
        Ok(self.anchors.get(&id).cloned().flatten().map_or(Value::Null, |node| node.value))
    }

    /// Whether a tag makes this text. Others mean nothing here; what they say is not shown, for it may be a password
    /// that begins with `!`.
    fn tag(&self, tag: Option<&Tag>, span: Span) -> Result<bool, Finding> {
        match tag {
            None => Ok(false),
            Some(tag) if tag.core_suffix() == Some("str") => Ok(true),
            Some(_) => Err(self.error(span, "a tag (`!…`) means nothing here").hint(QUOTE)),
        }
    }

    fn spend(&mut self, values: usize, text: usize, span: Span) -> Result<(), Finding> {
        self.values += values;
        self.text += text;
        if self.values > MAX_VALUES || self.text > MAX_TEXT {
            return Err(self.error(span, "too much from here on, counting what aliases (`*name`) repeat"));
        }
        Ok(())
    }

    fn mark(&self, marker: Marker) -> Mark {
        Mark { file: self.file, line: marker.line() as u64, column: marker.col() as u64 + 1 }
    }

    fn error(&self, span: Span, message: impl Into<String>) -> Finding {
        Finding::error(self.mark(span.start), message)
    }

    fn syntax(&self, error: &ScanError) -> Finding {
        let fault = |message: &str| Finding::error(self.mark(*error.marker()), message);
        match error.kind() {
            ErrorKind::UnknownAnchor => fault("`*` begins an alias, and no anchor has its name").hint(QUOTE),
            ErrorKind::RecursionLimitExceeded => fault(TOO_DEEP),
            ErrorKind::UndeclaredTagHandle => fault("a tag (`!…`) means nothing here").hint(QUOTE),
            ErrorKind::TabInIndentation
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInPlainScalar
            | ErrorKind::TabNotAllowed => fault("a tab, where YAML has spaces only").hint("indent with spaces"),
            kind @ (ErrorKind::MappingValueNotAllowed
            | ErrorKind::UnexpectedCharacter { .. }
            | ErrorKind::MissingAnchorOrAliasName) => fault(&format!("not valid YAML: {kind}")).hint(QUOTE),
            kind @ (ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator) => {
                fault(&format!("not valid YAML: {kind}"))
                    .hint("inside of braces or brackets, `${VAR}` and text with a comma or `: ` have to be in quotes")
            }
            kind => fault(&format!("not valid YAML: {kind}")),
        }
    }
}

fn scalar(text: String, plain: bool) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
        _ => Value::Scalar(Scalar { text, plain, expanded: false }),
    }
}

/// What a copy of a value costs.
#[derive(Clone, Copy, Default)]
struct Size {
    values: usize,
    text: usize,
    depth: usize,
}

impl Size {
    fn of(node: &Node) -> Self {
        match &node.value {
            Value::Null | Value::Pruned => Self { values: 1, ..Self::default() },
            Value::Scalar(scalar) => Self { values: 1, text: scalar.text.len(), depth: 0 },
            Value::List(items) => Self::around(items.iter().map(Self::of)),
            Value::Map(map) => Self::around(map.iter().map(|(key, entry)| {
                let size = Self::of(&entry.node);
                Self { values: size.values + 1, text: size.text + key.len(), ..size }
            })),
        }
    }

    fn around(children: impl Iterator<Item = Self>) -> Self {
        children.fold(Self { values: 1, text: 0, depth: 1 }, |sum, child| Self {
            values: sum.values + child.values,
            text: sum.text + child.text,
            depth: sum.depth.max(child.depth + 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::problem::Severity;
    use super::*;

    fn tree(text: &str) -> Node {
        let (node, findings) = parse(text.as_bytes(), 0);
        assert!(findings.is_empty(), "{findings:?}");
        node.unwrap()
    }

    /// The only error in `text`, as `LINE:COLUMN message`.
    fn error(text: impl AsRef<[u8]>) -> String {
        let (_, findings) = parse(text.as_ref(), 0);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.severity, Severity::Error);
        format!("{}:{} {}", finding.mark.line, finding.mark.column, finding.message)
    }

    fn at<'a>(node: &'a Node, keys: &[&str]) -> &'a Entry {
        let Value::Map(map) = &node.value else { panic!("{node:?}") };
        let entry = &map[keys[0]];
        if keys.len() == 1 { entry } else { at(&entry.node, &keys[1..]) }
    }

    fn text(node: &Node) -> (&str, bool) {
        let Value::Scalar(scalar) = &node.value else { panic!("{node:?}") };
        (&scalar.text, scalar.plain)
    }

    #[test]
    fn keys_and_values_know_where_they_stand() {
        let tree = tree("# comment\nssh:\n  port: 22\n  listen: [\"::\"]\n");
        let port = at(&tree, &["ssh", "port"]);
        assert_eq!((port.key.line, port.key.column), (3, 3));
        assert_eq!((port.node.mark.line, port.node.mark.column), (3, 9));
        let listen = &at(&tree, &["ssh", "listen"]).node;
        assert_eq!((listen.mark.line, listen.mark.column), (4, 11));
    }

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let tree = tree("ssh: {größe: 1, port: 22}");
        assert_eq!(at(&tree, &["ssh", "port"]).key.column, 17);
    }

    #[test]
    fn scalars_keep_what_was_written() {
        let tree = tree("{a: 1.10, b: '1.10', c: yes, d: 0x1F, e: !!str 5, f: \"x\\ty\"}");
        for (key, expected) in [
            ("a", ("1.10", true)),
            ("b", ("1.10", false)),
            ("c", ("yes", true)),
            ("d", ("0x1F", true)),
            ("e", ("5", false)),
            ("f", ("x\ty", false)),
        ] {
            assert_eq!(text(&at(&tree, &[key]).node), expected, "{key}");
        }
    }

    #[test]
    fn block_scalars_keep_their_lines() {
        let tree = tree("hooks:\n  on_boot:\n    - |\n      a\n      b\n");
        let Value::List(items) = &at(&tree, &["hooks", "on_boot"]).node.value else { panic!() };
        assert_eq!(text(&items[0]), ("a\nb\n", false));
    }

    #[test]
    fn nothing_is_written_in_several_ways() {
        let tree = tree("{a: , b: ~, c: null, d: \"\", e: 'null'}");
        for (key, nothing) in [("a", true), ("b", true), ("c", true), ("d", false), ("e", false)] {
            assert_eq!(matches!(at(&tree, &[key]).node.value, Value::Null), nothing, "{key}");
        }
    }

    #[test]
    fn an_empty_file_is_an_empty_mapping() {
        for text in ["", "\n\n", "# nothing\n", "---\n", "--- ~\n...\n", "\u{feff}", "{}"] {
            assert!(matches!(tree(text).value, Value::Map(map) if map.is_empty()), "{text:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_and_dos_line_ends_do_no_harm() {
        let tree = tree("\u{feff}ssh:\r\n  port: 22\r\n");
        assert_eq!(text(&at(&tree, &["ssh", "port"]).node), ("22", true));
        assert_eq!(at(&tree, &["ssh"]).key.column, 1);
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error_at_the_second_one() {
        assert_eq!(error("a: 1\nb: 2\na: 3\n"), "3:1 `a` stands twice; first in line 1");
        let (tree, findings) = parse(b"{a: 1, a: 2, b: 1, b: 2}", 0);
        assert!(tree.is_some());
        assert_eq!(findings.len(), 2, "both are named");
    }

    #[test]
    fn what_is_no_mapping_of_sections_is_refused() {
        assert_eq!(error("- a\n- b\n"), "1:1 expected a mapping of sections, found a list");
        assert_eq!(error("hello"), "1:1 expected a mapping of sections, found text");
        assert_eq!(error("a: 1\n---\nb: 2\n"), "2:1 a second document begins here; a file holds one");
        assert_eq!(error("{[a]: 1}"), "1:2 a key has to be text");
        assert_eq!(error("a: &x {b: 1}\nc:\n  <<: *x\n"), "3:3 merge keys (`<<`) are not supported");
    }

    #[test]
    fn syntax_errors_have_a_place_and_never_show_a_neighbouring_line() {
        for (text, place) in [
            ("password: hunter2\nkey: [a, b\n", "2:6"),
            ("password: hunter2\n\tkey: 1\n", "1:11 a tab"),
            ("ssh:\n\tport: 1\n", "2:2 a tab"),
            ("password: *hunter2\n", "1:11"),
            ("password: !hunter2 x\n", "1:"),
            ("password: !!hunter2 x\n", "1:"),
            ("password: !x!hunter2\n", "1:"),
            ("password: @hunter2\n", "1:11"),
            ("password: hunter2: x\n", "1:18"),
            ("password: \"hunter2\n", ""),
        ] {
            let error = error(text);
            assert!(error.starts_with(place), "{text:?} gave {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_variable_in_braces_without_quotes_gets_the_right_hint() {
        let (_, findings) = parse(b"ssh: {port: ${PORT}}", 0);
        assert!(findings[0].hint.as_ref().unwrap().contains("`${VAR}`"), "{findings:?}");
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_named_by_place() {
        assert_eq!(error(b"a: 1\nb: \xc3\xa4\xff\n"), "2:5 not UTF-8");
        assert_eq!(error(b"\xff\xfea\0"), "1:1 not UTF-8");
    }

    #[test]
    fn a_file_above_the_limit_is_refused() {
        let text = format!("# {}\n", "x".repeat(MAX_BYTES - 3));
        assert_eq!(text.len(), MAX_BYTES);
        assert!(parse(text.as_bytes(), 0).0.is_some());
        assert_eq!(error(format!("{text}\n")), "0:0 larger than 1 MiB, which no config is");
    }

    #[test]
    fn aliases_stand_for_their_anchor() {
        let tree = tree("services:\n  a: {environment: &e {X: 1}}\n  b: {environment: *e}\n");
        assert_eq!(text(&at(&tree, &["services", "b", "environment", "X"]).node).0, "1");
    }

    #[test]
    fn alias_bombs_do_not_go_off() {
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let row = vec![format!("*a{}", level - 1); 10].join(", ");
            laughs += &format!("a{level}: &a{level} [{row}]\n");
        }
        assert!(error(laughs).contains("too much from here on"));

        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(500_000), vec!["*a"; 1000].join(", "));
        assert!(error(long).starts_with("2:"));
        assert!(error("a: &a [*a]").contains("inside of what it refers to"));
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_stack_overflow() {
        assert_eq!(error(format!("a: {}", "[".repeat(100_000))), "1:36 nested more than 32 levels deep");
        assert!(error("a:\n- ".to_owned() + &"- ".repeat(50_000)).contains("nested"));

        let ladder: String = (1..200).map(|level| format!("a{level}: &a{level} [*a{}]\n", level - 1)).collect();
        assert!(error(format!("a0: &a0 x\n{ladder}")).contains("nested"));
    }

    #[test]
    fn debug_output_shows_no_value() {
        assert!(!format!("{:?}", tree("{password: hunter2}")).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (node, findings) = parse(&bytes, 0);
            prop_assert!(node.is_some() || !findings.is_empty());
        }

        #[test]
        fn no_yaml_like_text_makes_it_panic(text in r"([a-c&*!|>'\[\]{}:,#%\-?~ \n\t]|: |\$\{a\}){0,60}") {
            let (node, findings) = parse(text.as_bytes(), 0);
            prop_assert!(node.is_some() || !findings.is_empty());
        }
    }
}
