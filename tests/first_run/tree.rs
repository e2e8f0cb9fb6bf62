//! What is in a folder: to compare what a killed run and an undisturbed one leave.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;

use super::published::sha256;

/// Where the records are, in a home.
pub const STATE: &str = ".local/state/devinit/first-run";

/// Everything below a folder: owner, mode, and what it is.
pub type Tree = BTreeMap<String, String>;

/// Everything below a folder, without logs, the lock, and times in records.
pub fn of(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    walk(folder, folder, &mut tree);
    tree
}

fn walk(folder: &Path, base: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten() {
        let path = entry.path();
        let name = path.strip_prefix(base).unwrap().display().to_string();
        if is_passed_over(&name) {
            continue;
        }
        let about = entry.metadata().unwrap();
        let what = if about.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else if about.is_dir() {
            walk(&path, base, tree);
            "folder".to_owned()
        } else if about.is_file() {
            content(&path)
        } else {
            format!("{:?}", about.file_type())
        };
        tree.insert(name, format!("{}:{} {:o} {what}", about.uid(), about.gid(), about.mode() & 0o7777));
    }
}

/// What tells of when, and not of what: logs, the lock, and what git notes about times.
fn is_passed_over(name: &str) -> bool {
    let state = name.strip_prefix(STATE).is_some_and(|rest| rest == "/lock" || rest.starts_with("/logs"));
    let git = name.contains(".git/") && (name.ends_with("/index") || name.contains("/logs"));
    state || git || name.starts_with("first-run/logs") || name == "first-run/lock"
}

fn content(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let is_record = path.parent().is_some_and(|folder| folder.ends_with("devinit/first-run"));
    let record = || serde_json::from_slice::<Value>(&bytes).ok().filter(|_| is_record);
    let Some(mut record) = record() else { return sha256(&bytes) };
    for time in ["finished", "took_ms"] {
        record[time] = Value::Null;
    }
    record.to_string()
}

/// The differences between two trees, for people.
pub fn differences(expected: &Tree, found: &Tree) -> Vec<String> {
    let side = |mark: &'static str, one: &Tree, other: &Tree| -> Vec<String> {
        let lacks = |(name, what): &(&String, &String)| other.get(*name) != Some(*what);
        one.iter().filter(lacks).map(|(name, what)| format!("{mark} {name}: {what}")).collect()
    };
    [side("-", expected, found), side("+", found, expected)].concat()
}

/// Removes everything in a folder.
pub fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let removed =
            if entry.file_type().unwrap().is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap();
    }
}
