//! What root would take from the user's hands.

use std::path::{Path, PathBuf};

use super::{Draft, in_home};
use crate::config::first_run::Step;
use crate::first_run::trust::can_change;
use crate::note::Note;
use crate::prepare::accounts::Account;

/// What is said of the variables that were taken from root's environment.
pub(super) fn note_of_variables(taken: &[String], user: &Account) -> Option<Note> {
    let names = taken.join(", ");
    let text = || format!("steps that run as root do without {names}: {} can change what is there", user.name);
    (!taken.is_empty()).then(|| Note::info(text()))
}

/// What is said of a step that has root run what the user can change: the config wants it, and may not mean it.
pub(super) fn note_of_files(draft: &Draft<'_>, user: &Account) -> Option<Note> {
    if !draft.owner.place.system || !draft.part.suffix.is_empty() {
        return None;
    }
    let home = &draft.owner.account.home;
    let file = files(draft.wanted).into_iter().map(|file| in_home(file, home)).find(|file| can_change(user, file))?;
    let (name, user, file) = (&draft.name, &user.name, file.display());
    Some(Note::warning(format!(
        "{name} runs as root with {file}, which {user} can change, and so become root: move it to where only root can \
         write, or leave out `as: root`"
    )))
}

/// What is said of a bundle from which root installs what the user can change.
pub(super) fn note_of_bundle(bundle: &Path, drafts: &[Draft<'_>], user: &Account) -> Option<Note> {
    let is_open = drafts.iter().any(|draft| draft.owner.place.system) && can_change(user, bundle);
    let (user, bundle) = (&user.name, bundle.display());
    let text = || format!("root installs from {bundle}, which {user} can change, and so become root: give it to root");
    is_open.then(|| Note::warning(text()))
}

/// The files that a step runs, or installs from what they name.
fn files(step: &Step) -> Vec<&Path> {
    let files: Vec<&PathBuf> = match step {
        Step::Script(script) => script.path.iter().collect(),
        Step::Download(download) => {
            return download.url.iter().filter_map(|url| url.strip_prefix("file://")).map(Path::new).collect();
        }
        Step::Pip(pip) => pip.requirements.iter().chain(&pip.python).collect(),
        _ => Vec::new(),
    };
    files.into_iter().map(PathBuf::as_path).filter(|path| path.is_absolute() || path.starts_with("~")).collect()
}
