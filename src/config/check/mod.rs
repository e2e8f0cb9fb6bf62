//! What types cannot say: names, ranges, paths, and what goes together.

mod entrypoints;
mod first_run;
mod gpu;
mod jobs;
mod processes;
mod ssh;
mod steps;
#[cfg(test)]
mod tests;
mod users;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::cycle::cycles;
use super::expand::is_variable_name;
use super::model::{Command, Config};
use super::node::{Node, Step, Value};
use super::problem::Finding;
use crate::sorted;
use users::Name;

/// `(uid_t) -1`, which means "leave it as it is" to the kernel.
const NO_ID: u32 = u32::MAX;
const NOT_A_VARIABLE: &str = "expected the name of a variable";

/// Adds to `findings` what is wrong with `config`. `tree` is what it was made from. If it is not `whole` (some of it
/// was wrong and left out), it is not said that something is missing.
pub(super) fn check(config: &Config, tree: &Node, whole: bool, findings: &mut Vec<Finding>) {
    let mut check = Check { config, tree, whole, findings };
    check.no_nul(tree, &Place::default());
    check.users();
    check.ssh(&config.ssh);
    check.environment(&config.environment, &Place::of(&["environment"]));
    check.search_path();
    check.hooks(&config.hooks);
    check.services();
    if let Some(app) = &config.app {
        check.app(app);
    }
    check.entrypoints();
    check.proxy();
    check.first_run();
    check.jobs(&config.jobs);
    check.gpu();
    check.shutdown();
}

/// The way to a setting: `users.peid.authorized_keys[2]`.
#[derive(Clone, Default)]
struct Place(Vec<Step>);

impl Place {
    fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if depth == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

struct Check<'a> {
    config: &'a Config,
    tree: &'a Node,
    whole: bool,
    findings: &'a mut Vec<Finding>,
}

/// What all checks are made of.
impl Check<'_> {
    fn error(&mut self, place: &Place, message: impl fmt::Display) -> &mut Self {
        self.findings.push(Finding::error(self.tree.locate(&place.0), format!("`{place}`: {message}")));
        self
    }

    /// An error in the key itself.
    fn misnamed(&mut self, place: &Place, message: impl fmt::Display) -> &mut Self {
        self.findings.push(Finding::error(self.tree.locate_key(&place.0), format!("`{place}`: {message}")));
        self
    }

    fn warning(&mut self, place: &Place, message: impl fmt::Display) -> &mut Self {
        self.findings.push(Finding::warning(self.tree.locate(&place.0), format!("`{place}`: {message}")));
        self
    }

    /// What to do about the last of these.
    fn hint(&mut self, hint: impl Into<String>) {
        if let Some(last) = self.findings.last_mut() {
            last.hint = Some(hint.into());
        }
    }

    /// C strings end there: cut short, a path or an argument would be another one.
    fn no_nul(&mut self, node: &Node, place: &Place) {
        match &node.value {
            Value::Scalar(scalar) if scalar.text.contains('\0') => _ = self.error(place, "has a NUL character in it"),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.no_nul(item, &place.index(index));
                }
            }
            Value::Map(map) => {
                for (key, entry) in map {
                    self.no_nul(&entry.node, &place.key(key));
                }
            }
            _ => {}
        }
    }

    fn absolute(&mut self, path: &Path, place: &Place) {
        if !path.is_absolute() {
            self.error(place, "expected an absolute path, which begins with `/`");
        }
    }

    fn absolute_if_any(&mut self, path: Option<&PathBuf>, place: &Place) {
        if let Some(path) = path {
            self.absolute(path, place);
        }
    }

    /// A path that goes into a line of /etc/passwd, or of another file of that kind.
    fn field(&mut self, path: &Path, place: &Place) {
        self.absolute(path, place);
        if path.to_string_lossy().contains(|character: char| character == ':' || character.is_control()) {
            self.error(place, "cannot have a colon or a control character in it");
        }
    }

    fn port(&mut self, port: u16, place: &Place) {
        if port == 0 {
            self.error(place, "port 0 does not exist");
        }
    }

    fn variable_name(&mut self, name: &str, place: &Place) {
        if !is_variable_name(name) {
            self.misnamed(place, "not a name for a variable: letters, digits and `_`, and no digit in front");
        }
    }

    fn environment(&mut self, environment: &BTreeMap<String, String>, place: &Place) {
        for name in environment.keys() {
            self.variable_name(name, &place.key(name));
        }
    }

    fn command(&mut self, command: &Command, place: &Place) {
        let empty = match command {
            Command::Shell(text) => text.trim().is_empty(),
            Command::Argv(argv) => argv.first().is_none_or(String::is_empty),
        };
        if empty && (self.whole || matches!(command, Command::Shell(_))) {
            self.error(place, "an empty command");
        }
    }

    /// A user by name or number, as whom something runs.
    fn account(&mut self, user: Option<&String>, place: &Place) {
        if user.is_some_and(|user| !is_name_or_id(user)) {
            self.error(place, "expected the name or the number of a user");
        }
    }

    /// Whether all that was written here fits, so that something can be said to be missing.
    fn is_complete(&self, place: &Place) -> bool {
        self.tree.get(&place.0).is_some_and(|node| !node.has_pruned())
    }

    /// An entry of a list, counted as it was written: what did not fit is no longer there.
    fn item(&self, list: &Place, index: usize) -> Place {
        let written = match self.tree.get(&list.0).map(|node| &node.value) {
            Some(Value::List(items)) => items.iter().enumerate().filter(|(_, item)| !item.is_pruned()).nth(index),
            _ => None,
        };
        list.index(written.map_or(index, |(written, _)| written))
    }

    fn search_path(&mut self) {
        let place = Place::of(&["path"]);
        for (index, folder) in self.config.path.iter().enumerate() {
            self.field(Path::new(folder), &self.item(&place, index));
        }
    }
}

/// Whether this can be a user or a group, by name or number.
fn is_name_or_id(text: &str) -> bool {
    let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if number { text.parse().is_ok_and(|id: u32| id != NO_ID) } else { Name::of(text) != Name::Bad }
}

/// The host (and port) of a URL with this scheme; none if it has another, or no host, or blanks.
fn host_of<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let rest = url.strip_prefix(scheme).filter(|rest| !rest.contains(|c: char| c.is_whitespace() || c.is_control()))?;
    rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())
}

/// Those who wait for each other, by name and in the order of waiting; the first one stands at the end again.
fn circles<'a>(names: &[&'a str], waits: impl Iterator<Item = &'a [String]>) -> Vec<Vec<&'a str>> {
    let numbers: BTreeMap<&str, usize> = sorted::map(names.iter().enumerate().map(|(number, name)| (*name, number)));
    let whom = |waits: &[String]| waits.iter().filter_map(|name| numbers.get(name.as_str()).copied()).collect();
    let waits: Vec<Vec<usize>> = waits.map(whom).collect();
    let named = |cycle: Vec<usize>| {
        cycle.iter().chain(cycle.first()).filter_map(|number| names.get(*number).copied()).collect()
    };
    cycles(&waits).into_iter().map(named).collect()
}
