//! The first run's part of the plan: for whom it installs, and who has its tools on PATH.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Facts, User};
use crate::config::Config;
use crate::engine::spawn::DEFAULT_PATH;
use crate::first_run::resolve::{Ground, Resolved};
use crate::first_run::{self, Task};
use crate::note::Note;
use crate::prepare::accounts::{Database, Entry, lookup};
use crate::prepare::environment::{Environment, HomeTools, in_front};
use crate::sorted;

/// Folders of tools in users' homes, by login name.
///
/// They go on the PATH of that user only. On root's, a folder that somebody else can write to would be a way to become
/// root.
pub type Tools = BTreeMap<String, Vec<PathBuf>>;

/// The first run.
#[derive(Clone, Debug)]
pub struct FirstRun {
    /// For whom it installs.
    pub user: String,
    /// Who may leave there how it stands: each has a folder for that in the runtime folder.
    pub accounts: Vec<Entry>,
    /// A line for each step.
    pub steps: Vec<String>,
}

impl FirstRun {
    /// Who can leave there how a first run stands: everyone who may run one.
    pub(super) fn new(resolved: &Resolved, facts: &Facts, database: &Database, users: &[User]) -> Self {
        let passwd = database.passwd.as_deref().unwrap_or_default();
        let user = &resolved.user.name;
        let known = users.iter().map(|user| user.account.name.as_str());
        let names: BTreeSet<&str> = known.chain(["root", user]).collect();
        let reachable = |entry: &Entry| is_file_name(&entry.name) && (facts.root || entry.uid == facts.uid);
        let accounts = names.into_iter().filter_map(|name| lookup(passwd, name)).filter(reachable).collect();
        let line = |task: &Task| format!("{}: {}", task.name, task.installer.summary());
        Self { user: user.clone(), accounts, steps: resolved.tasks.iter().map(line).collect() }
    }
}

/// What the first run will do, if the config has steps. That it cannot be done is a note.
pub(super) fn resolve(
    config: &Config,
    facts: &Facts,
    environment: &Environment,
    database: &Database,
    notes: &mut Vec<Note>,
) -> Option<Resolved> {
    if config.first_run.steps.is_empty() {
        return None;
    }
    let ground = Ground {
        environment: environment.clone(),
        database: database.clone(),
        uid: facts.uid,
        gid: nix::unistd::getegid().as_raw(),
        ..Ground::default()
    };
    match first_run::resolve::resolve(config, &ground) {
        Ok(mut resolved) => {
            notes.append(&mut resolved.notes);
            Some(resolved)
        }
        Err(why) => {
            notes.push(Note::error(format!("there is no first run: {why}")));
            None
        }
    }
}

/// The folders of the tools that the first run installs into a home.
pub(super) fn tools(resolved: &Resolved) -> Tools {
    let folders: Vec<PathBuf> = resolved.path.iter().filter(|folder| is_in_path(folder)).cloned().collect();
    if folders.is_empty() { Tools::new() } else { Tools::from([(resolved.user.name.clone(), folders)]) }
}

/// The folders of programs for everyone that PATH lacks: only root can write to them, so they are fit for all.
pub(super) fn shared(resolved: &Resolved, environment: &Environment) -> Vec<String> {
    let path = environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    let lacking = resolved.system_path.iter().filter_map(|folder| folder.to_str());
    lacking.filter(|folder| !path.split(':').any(|there| there == *folder)).map(str::to_owned).collect()
}

/// PATH with tools in front.
pub(super) fn path(tools: &[PathBuf], environment: &Environment) -> String {
    let path = environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    in_front(&texts(tools), path)
}

/// PATH in the sessions of each user that has tools.
pub(super) fn paths(tools: &Tools, environment: &Environment) -> BTreeMap<String, String> {
    sorted::map(tools.iter().map(|(user, folders)| (user.clone(), path(folders, environment))))
}

/// What login shells put in front of PATH.
pub(super) fn home_tools(tools: &Tools, database: &Database) -> Vec<HomeTools> {
    let passwd = database.passwd.as_deref().unwrap_or_default();
    let entries = tools.iter().filter_map(|(user, folders)| Some((lookup(passwd, user)?, folders)));
    entries
        .map(|(entry, folders)| HomeTools {
            path: in_front(&texts(folders), ""),
            root: entry.uid == 0,
            home: entry.home,
        })
        .collect()
}

fn texts(folders: &[PathBuf]) -> Vec<&str> {
    folders.iter().filter_map(|folder| folder.to_str()).collect()
}

/// Whether a folder can stand in PATH as one and the same everywhere.
fn is_in_path(folder: &Path) -> bool {
    folder.is_absolute()
        && folder
            .to_str()
            .is_some_and(|text| !text.contains(|character: char| character == ':' || character.is_control()))
}

/// An image's passwd may hold any name.
fn is_file_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|file| file == name)
}
