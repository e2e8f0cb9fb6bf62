//! Finds the config's files, reads them, lays them over each other, and makes a checked [`Config`] of them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::check::check;
use super::decode::decode;
use super::expand::expand;
use super::merge::merge;
use super::model::{Config, OnError};
use super::node::{Map, Mark, Node, Value};
use super::problem::{Finding, Problem, Severity};
use super::yaml;

/// The main file, if no other is named.
pub const DEFAULT_FILE: &str = "/etc/devinit/config.yaml";
/// The folder of the drop-ins.
pub const DROP_INS: &str = "/etc/devinit/conf.d";

/// Where a config comes from. Later ones are laid over earlier ones.
#[derive(Clone)]
pub struct Sources {
    /// The main file.
    pub main: PathBuf,
    /// Whether it is an error if the main file is missing.
    pub main_required: bool,
    /// A folder whose `*.yaml` and `*.yml` are laid over the main file, in the order of their names. It may be missing.
    pub drop_ins: Option<PathBuf>,
    /// YAML that is laid over everything else: what it is called in messages, and its text.
    pub extra: Vec<(String, String)>,
}

impl Sources {
    /// The usual files; `explicit`, or else `DEVINIT_CONFIG` in `env`, names another main file, which then has to be
    /// there.
    #[must_use]
    pub fn from_environment(explicit: Option<&Path>, env: &BTreeMap<String, String>) -> Self {
        let variable = env.get("DEVINIT_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let named = explicit.map(Path::to_path_buf).or(variable);
        Self {
            main_required: named.is_some(),
            main: named.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE)),
            drop_ins: Some(PathBuf::from(DROP_INS)),
            extra: Vec::new(),
        }
    }
}

/// A config that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the user wrote.
    pub config: Config,
    /// What looks wrong.
    pub warnings: Vec<Problem>,
    /// The files that were read, in the order of merging.
    pub files: Vec<PathBuf>,
}

/// A config that cannot be used.
#[derive(Clone, Debug)]
pub struct Broken {
    /// All that is wrong with it, warnings included, in the order of the files.
    pub problems: Vec<Problem>,
    /// What the user wants to happen now, as far as that can be told: `DEVINIT_ON_ERROR` in the environment, or else
    /// `on_error` in the config, or else rescue.
    pub on_error: OnError,
}

/// Reads, merges, expands and checks a config. `env` is what `${VAR}` stands for.
///
/// # Errors
/// Everything that is wrong with it, and not only the first thing. No message holds a secret.
pub fn load(sources: &Sources, env: &BTreeMap<String, String>) -> Result<Loaded, Broken> {
    let mut findings = Vec::new();
    let on_error = on_error_from(env, &mut findings);
    let (labels, files, mut tree) = read(sources, &mut findings);
    expand(&mut tree, env, &mut findings);
    let written_on_error = lenient_on_error(&tree);
    let config: Option<Config> = decode(&mut tree, &mut findings);
    if let Some(config) = &config {
        let whole = findings.iter().all(|finding| finding.severity < Severity::Error);
        check(config, &tree, whole, &mut findings);
    }

    findings.sort_by_key(|finding| finding.mark);
    let problems: Vec<Problem> = findings.into_iter().map(|finding| finding.into_problem(&labels)).collect();
    let broken = problems.iter().any(|problem| problem.severity == Severity::Error);
    match config {
        Some(config) if !broken => {
            let on_error = on_error.unwrap_or(config.on_error);
            Ok(Loaded { config: Config { on_error, ..config }, warnings: problems, files })
        }
        _ => Err(Broken { problems, on_error: on_error.or(written_on_error).unwrap_or_default() }),
    }
}

/// Reads and merges. Returns the names that [`Mark::file`] counts, the files that were read, and the tree.
fn read(sources: &Sources, findings: &mut Vec<Finding>) -> (Vec<PathBuf>, Vec<PathBuf>, Node) {
    let mut labels = Vec::new();
    let mut files = Vec::new();
    let mut merged = Map::new();
    let mut lay = |bytes: &[u8], file: usize, findings: &mut Vec<Finding>| {
        let (tree, found) = yaml::parse(bytes, file);
        findings.extend(found);
        match tree {
            Some(Node { value: Value::Map(map), .. }) if file == 0 => merged = map,
            Some(Node { value: Value::Map(map), .. }) => merge(&mut merged, map, findings),
            _ => {}
        }
    };

    let drop_ins = sources.drop_ins.as_deref().map(list).unwrap_or_default();
    for path in std::iter::once(Ok(sources.main.clone())).chain(drop_ins) {
        let file = labels.len();
        let (path, content) = match path {
            Ok(path) => (path.clone(), read_file(&path)),
            Err((path, error)) => (path, Err(error)),
        };
        match content {
            Ok(bytes) => {
                lay(&bytes, file, findings);
                files.push(path.clone());
            }
            Err(error) if file == 0 && !sources.main_required && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => findings.push(Finding::error(Mark::file(file), format!("cannot be read: {error}"))),
        }
        labels.push(path);
    }
    for (label, text) in &sources.extra {
        lay(text.as_bytes(), labels.len(), findings);
        labels.push(PathBuf::from(label));
    }
    (labels, files, Node { mark: Mark::file(0), value: Value::Map(merged) })
}

/// The drop-ins of a folder in the order of their names. Hidden files are left alone: editors and Kubernetes keep
/// things there.
fn list(folder: &Path) -> Vec<Result<PathBuf, (PathBuf, io::Error)>> {
    let entries = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>());
    match entries {
        Ok(mut paths) => {
            paths.retain(|path| is_drop_in(path));
            paths.sort();
            paths.into_iter().map(Ok).collect()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => vec![Err((folder.to_path_buf(), error))],
    }
}

fn is_drop_in(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Reads a regular file up to a little more than what is allowed, so that the parser can tell. Never waits: a FIFO
/// or a terminal in the place of a config must not hang the boot.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file: File = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(yaml::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn on_error_from(env: &BTreeMap<String, String>, findings: &mut Vec<Finding>) -> Option<OnError> {
    let word = env.get("DEVINIT_ON_ERROR").filter(|word| !word.is_empty())?;
    let on_error = on_error_named(word);
    if on_error.is_none() {
        let message = "the variable DEVINIT_ON_ERROR is neither `rescue` nor `exit`, and has no effect";
        findings.push(Finding::warning(Mark::NOWHERE, message));
    }
    on_error
}

/// Whatever else is wrong with the config.
fn lenient_on_error(tree: &Node) -> Option<OnError> {
    let Value::Map(map) = &tree.value else { return None };
    match &map.get("on_error")?.node.value {
        Value::Scalar(scalar) => on_error_named(&scalar.text),
        _ => None,
    }
}

fn on_error_named(word: &str) -> Option<OnError> {
    match word {
        "rescue" => Some(OnError::Rescue),
        "exit" => Some(OnError::Exit),
        _ => None,
    }
}
