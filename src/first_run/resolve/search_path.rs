//! PATH of the tasks: the user's, and root's, on which nothing stands that the user could put a program into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::first_run::trust::can_change;
use crate::note::Note;
use crate::prepare::accounts::Account;

/// PATH of the tasks.
pub(super) struct SearchPath {
    user: String,
    root: String,
    /// Folders that are not on root's because the user can write to them, though the container or the config has them.
    left_out: Vec<String>,
}

impl SearchPath {
    /// `own` are the folders of the user's programs, `system` those for everyone.
    pub(super) fn new(
        environment: &BTreeMap<String, String>,
        user: &Account,
        own: &[PathBuf],
        system: &[PathBuf],
    ) -> Self {
        let inherited = environment.get("PATH").map_or("", String::as_str);
        let inherited = || inherited.split(':').map(Path::new);
        let (kept, left_out): (Vec<&Path>, Vec<&Path>) = inherited().partition(|folder| !can_change(user, folder));
        // What root's own steps install is needed by others of them. Where an image has given that folder to its user, at
        // least nothing in it goes before the image's own programs.
        let (first, last): (Vec<&Path>, Vec<&Path>) =
            system.iter().map(PathBuf::as_path).partition(|folder| !can_change(user, folder));
        Self {
            user: joined(own.iter().chain(system).map(PathBuf::as_path).chain(inherited())),
            root: joined(first.into_iter().chain(kept).chain(last)),
            left_out: left_out.into_iter().map(|folder| folder.display().to_string()).collect(),
        }
    }

    /// PATH of a task that is for everyone, or for the user.
    pub(super) fn of(&self, system: bool) -> &str {
        if system { &self.root } else { &self.user }
    }

    /// What is left out.
    pub(super) fn note(&self, user: &Account) -> Option<Note> {
        let folders = self.left_out.join(", ");
        let text = || format!("steps that run as root do without {folders} on PATH: {} can write there", user.name);
        (!self.left_out.is_empty()).then(|| Note::info(text()))
    }
}

fn joined<'a>(folders: impl Iterator<Item = &'a Path>) -> String {
    let mut path: Vec<String> = Vec::new();
    for folder in folders.map(|folder| folder.to_string_lossy().into_owned()) {
        if !folder.is_empty() && !path.contains(&folder) {
            path.push(folder);
        }
    }
    path.join(":")
}
