//! A config as a tree in which every value knows where it stands.

use std::collections::BTreeMap;
use std::fmt;

/// A place in one of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// Which file, counted from 0 in the order of merging.
    pub(super) file: usize,
    /// Line, from 1; 0 stands for the file as a whole.
    pub(super) line: u64,
    /// Column in characters, from 1; 0 stands for the file as a whole.
    pub(super) column: u64,
}

impl Mark {
    /// In no file at all.
    pub(super) const NOWHERE: Self = Self { file: usize::MAX, line: 0, column: 0 };

    /// A file as a whole.
    pub(super) fn file(file: usize) -> Self {
        Self { file, line: 0, column: 0 }
    }
}

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) value: Value,
}

/// A value that is not yet of any type: `1.10` is still text, so that it can become a version as well as a number.
#[derive(Clone)]
pub(super) enum Value {
    /// Nothing: `~`, `null`, or no value at all.
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Map),
    /// What has been found wrong, and is not looked at again.
    Pruned,
}

/// Text as it was written.
#[derive(Clone)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Written without quotes, so it may be a number or a truth value.
    pub(super) plain: bool,
    /// Made from variables: its text must not be shown.
    pub(super) expanded: bool,
}

pub(super) type Map = BTreeMap<String, Entry>;

/// The value of a key, and where the key begins.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Mark,
    pub(super) node: Node,
}

/// One step into the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Node {
    /// Whether a setting counts as not written: it is null, or was made from variables that hold nothing.
    pub(super) fn is_unset(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Scalar(scalar) => scalar.expanded && scalar.text.is_empty(),
            _ => false,
        }
    }

    /// Whether it was made from variables.
    pub(super) fn is_expanded(&self) -> bool {
        matches!(&self.value, Value::Scalar(Scalar { expanded: true, .. }))
    }

    pub(super) fn is_pruned(&self) -> bool {
        matches!(self.value, Value::Pruned)
    }

    /// What this is, in words that give nothing away of what it holds.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(Scalar { plain: false, .. }) => "text in quotes",
            Value::Scalar(Scalar { text, .. }) if text.parse::<f64>().is_ok() => "a number",
            Value::Scalar(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Pruned => "an error",
        }
    }

    /// Where the key at the end of `path` stands; if it is not written, where the nearest thing around it is.
    pub(super) fn locate_key(&self, path: &[Step]) -> Mark {
        self.follow(path).0
    }

    /// Where the value at the end of `path` stands. A mapping is pointed at by its key: its own beginning is that of
    /// its first entry.
    pub(super) fn locate(&self, path: &[Step]) -> Mark {
        let (key, node) = self.follow(path);
        if matches!(node.value, Value::Scalar(_)) { node.mark } else { key }
    }

    /// The value at the end of `path`, if it is written.
    pub(super) fn get(&self, path: &[Step]) -> Option<&Self> {
        path.iter().try_fold(self, |node, step| Some(node.child(step)?.1))
    }

    /// As far as there is something.
    fn follow(&self, path: &[Step]) -> (Mark, &Self) {
        let mut reached = (self.mark, self);
        for step in path {
            match reached.1.child(step) {
                Some(child) => reached = child,
                None => break,
            }
        }
        reached
    }

    fn child(&self, step: &Step) -> Option<(Mark, &Self)> {
        match (&self.value, step) {
            (Value::Map(map), Step::Key(key)) => map.get(key).map(|entry| (entry.key, &entry.node)),
            (Value::List(items), Step::Index(index)) => items.get(*index).map(|node| (node.mark, node)),
            _ => None,
        }
    }

    /// Takes the value at the end of `path` out of further consideration. False if there is none, or no longer.
    pub(super) fn prune(&mut self, path: &[Step]) -> bool {
        let Some((step, rest)) = path.split_first() else {
            return !matches!(std::mem::replace(&mut self.value, Value::Pruned), Value::Pruned);
        };
        let child = match (&mut self.value, step) {
            (Value::Map(map), Step::Key(key)) => map.get_mut(key).map(|entry| &mut entry.node),
            (Value::List(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        };
        child.is_some_and(|child| child.prune(rest))
    }

    /// Whether something directly in this value was pruned.
    pub(super) fn has_pruned(&self) -> bool {
        match &self.value {
            Value::Map(map) => map.values().any(|entry| entry.node.is_pruned()),
            Value::List(items) => items.iter().any(Self::is_pruned),
            _ => false,
        }
    }
}

/// The shape alone: what is written may be a secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Scalar(_) => f.write_str("Scalar(…)"),
            Self::List(items) => f.debug_list().entries(items).finish(),
            Self::Map(map) => f.debug_map().entries(map).finish(),
            Self::Pruned => f.write_str("Pruned"),
        }
    }
}
