//! Config → tasks: which there are, as whom and where to, with which environment, and which need which.

mod account;
mod environment;
mod graph;
mod hands;
mod search_path;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::source::Sources;
use super::task::Part;
use super::{Owner, Place, Task, installers};
use crate::config::Config;
use crate::config::first_run::{RunAs, Step};
use crate::fetch::{Client, Settings};
use crate::note::Note;
use crate::prepare::accounts::{Account, Database};

/// How long one attempt at a task may take, unless the config says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// How often a task is tried again, unless the config says otherwise.
const RETRIES: u32 = 4;

/// What the config is resolved against.
#[derive(Clone, Default)]
pub struct Ground {
    /// The container's environment. It may be that of a service, with what the config adds to it already in it.
    pub environment: BTreeMap<String, String>,
    /// The accounts as they are, or will be once the boot has made them.
    pub database: Database,
    /// The effective uid. Other than 0: only what this user can do is possible.
    pub uid: u32,
    /// The effective gid: that of an account which is a number alone.
    pub gid: u32,
    /// The user that the command line names, by name or uid: goes over the config's.
    pub user: Option<String>,
    /// The bundle that the command line names: goes over the config's.
    pub bundle: Option<PathBuf>,
}

/// What a first run is to do.
pub struct Resolved {
    /// In the order of the config; what a task needs may stand after it.
    pub tasks: Vec<Task>,
    /// For whom.
    pub user: Account,
    /// Folders of programs that are this user's own: for the PATH of this user's sessions and of nobody else's.
    pub path: Vec<PathBuf>,
    /// Folders of programs that are there for everyone.
    pub system_path: Vec<PathBuf>,
    /// Where downloads come from, with the proxies settled.
    pub sources: Sources,
    /// What must not reach the disk or a screen, longest first: proxies, and the credentials of other URLs.
    pub secrets: Vec<String>,
    /// What is left out or worth knowing.
    pub notes: Vec<Note>,
}

/// Makes tasks of the config's steps. Pure but for a look at who can write to the folders of root's PATH.
///
/// # Errors
/// A user that there is not or that this process cannot become; tasks that wait for each other; in a config that has
/// not been checked, names that stand twice or name nothing. One line, with what to do.
pub fn resolve(config: &Config, ground: &Ground) -> Result<Resolved, String> {
    resolve_with(config, ground, &installers::parts)
}

/// [`resolve`] with other installers than the real ones.
fn resolve_with(
    config: &Config,
    ground: &Ground,
    parts: &dyn Fn(&Step, &Place) -> Vec<Part>,
) -> Result<Resolved, String> {
    let first_run = &config.first_run;
    let user = account::user(config, ground)?;
    let owners = Owners {
        user: Owner { place: Place::home(&user.home), account: user.clone() },
        root: Owner { account: account::root(ground), place: Place::system() },
    };
    let drafts: Vec<Draft<'_>> =
        first_run.steps.iter().enumerate().flat_map(|(step, wanted)| owners.drafts(step, wanted, parts)).collect();
    let needs = graph::needs(&first_run.steps, &drafts)?;

    let (path, system_path) = (folders(&drafts, false), folders(&drafts, true));
    let mut base = environment::base(config, ground);
    let proxies = environment::proxies(&config.proxy, &base);
    environment::set_proxies(&config.proxy, &mut base);
    let mut notes = Vec::new();
    let search = search_path::SearchPath::new(&base, &user, &path, &system_path);
    let (mut roots, mut taken) = (base.clone(), Vec::new());
    if drafts.iter().any(|draft| draft.owner.place.system) {
        notes.extend(search.note(&user));
        taken = environment::take_users(&mut roots, &user);
    }
    notes.extend(hands::note_of_variables(&taken, &user));
    notes.extend(drafts.iter().filter_map(|draft| hands::note_of_files(draft, &user)));
    let bundle = ground.bundle.clone().or_else(|| first_run.bundle.clone());
    notes.extend(bundle.as_deref().and_then(|bundle| hands::note_of_bundle(bundle, &drafts, &user)));

    let tasks: Vec<Task> = drafts
        .into_iter()
        .zip(needs)
        .map(|(draft, needs)| {
            let common = draft.wanted.common();
            let Owner { account, place } = &draft.owner;
            Task {
                name: draft.name,
                needs,
                installer: draft.part.installer,
                environment: environment::of_task(
                    if place.system { &roots } else { &base },
                    account,
                    search.of(place.system),
                    common.environment,
                ),
                own_environment: common.environment.clone(),
                creates: draft.creates,
                timeout: common.timeout.unwrap_or(TIMEOUT),
                retries: common.retries.unwrap_or(RETRIES),
                optional: common.optional,
                owner: draft.owner,
            }
        })
        .collect();
    notes.extend(secrets::note(config));
    let secrets = secrets::all(config, &proxies, &tasks);
    let settings = Settings { proxies, certificates: first_run.certificates.clone(), ..Settings::default() };
    let sources = Sources { client: Client { settings }, mirrors: first_run.mirrors.clone(), bundle };
    Ok(Resolved { tasks, user, path, system_path, sources, secrets, notes })
}

/// A task before it is known what it needs.
struct Draft<'a> {
    name: String,
    /// Which of the config's steps it belongs to.
    step: usize,
    wanted: &'a Step,
    part: Part,
    owner: Owner,
    creates: Vec<PathBuf>,
}

struct Owners {
    user: Owner,
    root: Owner,
}

impl Owners {
    fn drafts<'a>(&self, step: usize, wanted: &'a Step, parts: &dyn Fn(&Step, &Place) -> Vec<Part>) -> Vec<Draft<'a>> {
        let made = |owner: &Owner| {
            let parts = parts(&expanded(wanted, &owner.account.home), &owner.place);
            parts.into_iter().map(|part| (part, owner.clone())).collect::<Vec<_>>()
        };
        let as_root = wanted.common().run_as == Some(RunAs::Root);
        let mut all = made(if as_root { &self.root } else { &self.user });
        if !as_root && all.iter().any(|(part, _)| part.root) {
            // Made for a home: those that only root can do are made anew, for everyone.
            let for_everyone = made(&self.root);
            for (part, anew) in all.iter_mut().zip(for_everyone).filter(|(_, (anew, _))| anew.root) {
                *part = anew;
            }
        }
        // What a step creates is there once its last part is done.
        let last = all.len().saturating_sub(1);
        let draft = |(number, (part, owner)): (usize, (Part, Owner))| Draft {
            name: match part.suffix.as_str() {
                "" => wanted.called().to_owned(),
                suffix => format!("{}.{suffix}", wanted.called()),
            },
            step,
            wanted,
            creates: match wanted.common().creates {
                paths if number == last => paths.iter().map(|path| in_home(path, &owner.account.home)).collect(),
                _ => Vec::new(),
            },
            part,
            owner,
        };
        all.into_iter().enumerate().map(draft).collect()
    }
}

/// The step with `~` replaced in where its things go. Those that only read files replace it themselves: what they do is
/// the same in whichever home.
fn expanded(step: &Step, home: &Path) -> Step {
    let mut step = step.clone();
    match &mut step {
        Step::Download(download) => download.to = in_home(&download.to, home),
        Step::Git(git) => git.to = in_home(&git.to, home),
        _ => {}
    }
    step
}

/// `~` and `~/…` as a path in this home; others as they are.
fn in_home(path: &Path, home: &Path) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(rest) if rest == Path::new("") => home.to_owned(),
        Ok(rest) => home.join(rest),
        Err(_) => path.to_owned(),
    }
}

/// The folders of programs of all tasks, for one user or for everyone, each once.
fn folders(drafts: &[Draft<'_>], system: bool) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for draft in drafts.iter().filter(|draft| draft.owner.place.system == system) {
        for folder in std::iter::once(draft.owner.place.bin()).chain(draft.part.path.iter().cloned()) {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    folders
}
