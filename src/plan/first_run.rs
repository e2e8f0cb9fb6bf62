//! The first run's part of the plan: for whom it installs, and who has its tools on PATH.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Facts, User};
use crate::config::Config;
use crate::config::first_run::{RunAs, Step};
use crate::engine::spawn::DEFAULT_PATH;
use crate::prepare::accounts::{Database, Entry, lookup};
use crate::prepare::environment::{Environment, HomeTools, in_front};

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
    /// The first run of a config, if it has steps.
    pub(super) fn resolve(config: &Config, facts: &Facts, database: &Database, users: &[User]) -> Option<Self> {
        let wanted = &config.first_run;
        if wanted.steps.is_empty() {
            return None;
        }
        let passwd = database.passwd.as_deref().unwrap_or_default();
        let known = users.iter().map(|user| user.account.name.as_str());
        let names: BTreeSet<&str> = known.chain(["root", user(config)]).collect();
        let reachable = |entry: &Entry| is_file_name(&entry.name) && (facts.root || entry.uid == facts.uid);
        let accounts = names.into_iter().filter_map(|name| lookup(passwd, name)).filter(reachable).collect();
        let line = |step: &Step| step.common().name.unwrap_or_else(|| step.kind()).to_owned();
        Some(Self { user: user(config).to_owned(), accounts, steps: wanted.steps.iter().map(line).collect() })
    }
}

/// For whom the first run installs.
fn user(config: &Config) -> &str {
    let mut others = config.users.keys().filter(|name| *name != "root");
    match (&config.first_run.user, others.next(), others.next()) {
        (Some(user), _, _) => user,
        (None, Some(only), None) => only,
        _ => "root",
    }
}

/// The folders of the tools that the first run installs into a home.
#[must_use]
pub fn tools(config: &Config, database: &Database) -> Tools {
    let steps = &config.first_run.steps;
    let passwd = database.passwd.as_deref().unwrap_or_default();
    let Some(entry) = lookup(passwd, user(config)).filter(|_| !steps.is_empty()) else { return Tools::new() };
    let has = |kind: &str| steps.iter().any(|step| step.kind() == kind && step.common().run_as != Some(RunAs::Root));
    let folders = [(".local/bin", true), (".pixi/bin", has("pixi")), (".bun/bin", has("bun"))];
    let folders = folders.into_iter().filter(|(_, wanted)| *wanted).map(|(folder, _)| entry.home.join(folder));
    let folders: Vec<PathBuf> = folders.filter(|folder| is_in_path(folder)).collect();
    if folders.is_empty() { Tools::new() } else { Tools::from([(entry.name, folders)]) }
}

/// PATH with tools in front.
pub(super) fn path(tools: &[PathBuf], environment: &Environment) -> String {
    let path = environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    in_front(&texts(tools), path)
}

/// PATH in the sessions of each user that has tools.
pub(super) fn paths(tools: &Tools, environment: &Environment) -> BTreeMap<String, String> {
    tools.iter().map(|(user, folders)| (user.clone(), path(folders, environment))).collect()
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
