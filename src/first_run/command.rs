//! `devinit first-run`: from the command line to a run.

mod bundle;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Stdout, Write, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use tracing::{debug, error, warn};

use super::lock::Lock;
use super::progress::{self, Progress, State};
use super::resolve::{Ground, Resolved, resolve};
use super::runner::{self, Run, describe};
use super::scheduler::Node;
use super::show::{self, Lines, View};
use super::{Owner, Place, Task, record, worker};
use crate::config::{Config, Severity};
use crate::engine::run::UNUSABLE;
use crate::fetch::Failure;
use crate::note::Level;
use crate::prepare::accounts::{self, Account};
use crate::prepare::environment::is_proxy;
use crate::prepare::home;
use crate::{boot, cli, config, log, paths, plan, sorted};
use bundle::Bundle;

/// How often one who waits for another run looks how it stands.
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// Runs what is still to do of the first run. Returns the exit code: 0 if all is there that has to be, 1 if not, 78 if
/// the config cannot be used, 128+N if signal N stopped it.
#[must_use]
pub fn first_run(options: &cli::FirstRun) -> i32 {
    log::init(tracing::Level::WARN);
    let environment = environment();
    let Some(config) = load(options, &environment) else { return UNUSABLE };
    match prepare(options, &config, environment).and_then(|prepared| prepared.carry_out(options, &config)) {
        Ok(code) => code,
        Err(failure) => {
            error!("first run: {failure}{}", hint(failure.hint.as_deref()));
            1
        }
    }
}

fn hint(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!("; hint: {hint}"))
}

fn load(options: &cli::FirstRun, environment: &BTreeMap<String, String>) -> Option<Config> {
    let sources = config::Sources::from_environment(options.config.config.as_deref(), environment);
    match config::load(&sources, environment) {
        Ok(loaded) => Some(plan::with_gpu_off(loaded.config, environment)),
        Err(broken) => {
            for problem in broken.problems.iter().filter(|problem| problem.severity == Severity::Error) {
                error!("{}", problem.one_line());
            }
            None
        }
    }
}

/// A run that is about to begin.
struct Prepared {
    tasks: Vec<Task>,
    ground: worker::Ground,
}

fn prepare(
    options: &cli::FirstRun,
    config: &Config,
    environment: BTreeMap<String, String>,
) -> Result<Prepared, Failure> {
    let ground = Ground {
        environment,
        database: accounts::read_public(Path::new("/etc")),
        uid: geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
        // Downloads are nobody's: whoever fills a bundle need not have the users of the image.
        user: options.user.clone().or_else(|| options.download_only.as_ref().map(|_| geteuid().to_string())),
        // Workers are somewhere else.
        bundle: options.bundle.as_deref().map(absolute).transpose()?,
    };
    let Resolved { mut tasks, user, mut sources, secrets, notes, .. } =
        resolve(config, &ground).map_err(Failure::permanent)?;
    for note in notes.iter().filter(|note| note.level > Level::Info) {
        warn!("{}", note.text);
    }
    if options.download_only.is_some() {
        // The same config may say where the bundle is to be found later.
        sources.bundle = None;
        for task in &mut tasks {
            task.owner.account.clone_from(&user);
            if !task.installer.collects_with_a_tool() {
                task.needs.clear();
            }
        }
    }
    select(&mut tasks, &options.only)?;
    let bundle = options.download_only.as_deref().map(absolute).transpose()?;
    Ok(Prepared { tasks, ground: worker::Ground { sources, secrets, bundle, user } })
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(crate::fetch::failure::io(format_args!("{}", path.display())))
}

/// The variables of this process. Over SSH sessions lack the proxies, which a config may take from its variables, too, and
/// the config's place: root gets those of the container from PID 1.
fn environment() -> BTreeMap<String, String> {
    const CONFIG: &str = "DEVINIT_CONFIG";
    let mut own = boot::environment();
    if !geteuid().is_root() {
        return own;
    }
    let (proxies, config) = (!own.keys().any(|name| is_proxy(name)), !own.contains_key(CONFIG));
    let first = std::fs::read("/proc/1/environ").unwrap_or_default();
    let pairs = first.split(|byte| *byte == 0).filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='));
    let lacking = pairs.filter(|(name, _)| proxies && is_proxy(name) || config && *name == CONFIG);
    own.extend(lacking.map(|(name, value)| (name.to_owned(), value.to_owned())));
    own
}

/// Leaves only the steps that were asked for, with all that they need.
fn select(tasks: &mut Vec<Task>, only: &[String]) -> Result<(), Failure> {
    if only.is_empty() {
        return Ok(());
    }
    for wanted in only {
        if !tasks.iter().any(|task| is_part(&task.name, wanted)) {
            let mut names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
            names.dedup();
            return Err(Failure::permanent(format!("there is no step {wanted}"))
                .hint(format!("the config has: {}", names.join(", "))));
        }
    }
    let wanted = |task: &Task| only.iter().any(|wanted| is_part(&task.name, wanted));
    let mut kept = BTreeSet::new();
    let mut wanted: Vec<usize> = (0..tasks.len()).filter(|index| tasks.get(*index).is_some_and(wanted)).collect();
    while let Some(index) = wanted.pop() {
        if kept.insert(index) {
            wanted.extend(tasks.get(index).iter().flat_map(|task| &task.needs));
        }
    }
    // Where each of them stands once the others are gone.
    let places: BTreeMap<usize, usize> = sorted::map(kept.into_iter().zip(0..));
    let all = std::mem::take(tasks).into_iter().enumerate();
    tasks.extend(all.filter(|(index, _)| places.contains_key(index)).map(|(_, task)| task));
    for need in tasks.iter_mut().flat_map(|task| &mut task.needs) {
        *need = places.get(need).copied().unwrap_or_default();
    }
    Ok(())
}

/// Whether a task is a step, or a part of it: `bun.global` of `bun`.
fn is_part(task: &str, step: &str) -> bool {
    task.strip_prefix(step).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Prepared {
    fn carry_out(self, options: &cli::FirstRun, config: &Config) -> Result<i32, Failure> {
        let tasks = &self.tasks;
        if options.plan {
            return Ok(self.print_plan(options, &done(tasks)?));
        }
        if tasks.is_empty() {
            warn!("the config has no first_run.steps: there is nothing to do");
            return Ok(0);
        }
        let bundle = self.ground.bundle.as_deref().map(Bundle::open).transpose()?;
        let installs = bundle.is_none();
        let locks = if installs { self.locks(options)? } else { Vec::new() };
        let done = if installs { done(tasks)? } else { vec![None; tasks.len()] };
        if installs {
            provide_folders(tasks, &done);
        }
        let published = installs.then(|| self.published()).flatten();
        let end = runner::run(Run {
            tasks,
            nodes: self.nodes(options, &done),
            versions: done.into_iter().map(|done| done.and_then(|done| done.version)).collect(),
            ground: &self.ground,
            parallel: usize::try_from(config.first_run.parallel).unwrap_or(1),
            progress: self.progress(),
            view: Self::view(options),
            locks: &locks,
            earlier: published.as_deref().filter(|_| !options.only.is_empty()).and_then(progress::read),
            published,
        })
        .map_err(crate::fetch::failure::io("it cannot begin"))?;
        if installs {
            settle(tasks);
        }
        if let Some(bundle) = bundle {
            bundle.close(&end.progress);
        }
        Ok(match end.stopped_by {
            Some(signal) => 128 + signal,
            None => i32::from(end.progress.missing().next().is_some()),
        })
    }

    fn view(options: &cli::FirstRun) -> View<Stdout> {
        // In a container's log bars are of no use, even where it is a terminal.
        match options.boot {
            true if log::is_json() => View::of_stdout(true),
            true => View::Lines(Lines::new(stdout())),
            false => View::of_stdout(options.json),
        }
    }

    fn home(&self) -> Owner {
        let user = &self.ground.user;
        Owner { account: user.clone(), place: Place::home(&user.home) }
    }

    /// Takes the lock of the home, then that of what is for everyone if a task is: always in this order, so that two runs
    /// cannot wait for each other. Where one cannot be had (a home on a read-only volume), its tasks will fail and say
    /// why; the others can be done.
    fn locks(&self, options: &cli::FirstRun) -> Result<Vec<Lock>, Failure> {
        let tasks = &self.tasks;
        let system = tasks.iter().map(|task| &task.owner).find(|owner| owner.place.system && geteuid().is_root());
        let mut locks = Vec::new();
        for owner in [Some(&self.home()), system].into_iter().flatten() {
            match Lock::open(owner) {
                Ok(lock) => locks.push(Self::wait_for(lock, options)?),
                Err(failure) if system.is_none() || tasks.iter().all(|task| task.owner.place == owner.place) => {
                    return Err(failure);
                }
                Err(failure) => warn!("{failure}{}", hint(failure.hint.as_deref())),
            }
        }
        Ok(locks)
    }

    /// Takes a lock, and shows how the run stands that has it until then.
    fn wait_for(lock: Lock, options: &cli::FirstRun) -> Result<Lock, Failure> {
        let mut view = Self::view(options);
        let mut told = false;
        while !lock.take()? {
            if let Some(other) = lock.hear() {
                if !std::mem::replace(&mut told, true) {
                    warn!(
                        "another first run for {} is going on (pid {} on {}): following it",
                        other.user, other.pid, other.host
                    );
                }
                view.update(&other);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        if told {
            view.end(&lock.hear().unwrap_or_default());
        }
        Ok(lock)
    }

    fn nodes(&self, options: &cli::FirstRun, done: &[Option<Done>]) -> Vec<Node> {
        let root = geteuid().is_root();
        let forced = |task: &Task| {
            options.force && (options.only.is_empty() || options.only.iter().any(|step| is_part(&task.name, step)))
        };
        let node = |(task, done): (&Task, &Option<Done>)| Node {
            needs: task.needs.clone(),
            timeout: task.timeout,
            retries: task.retries,
            done: done.is_some() && !forced(task),
            excluded: !root && task.owner.account.uid != geteuid().as_raw(),
        };
        self.tasks.iter().zip(done).map(node).collect()
    }

    fn progress(&self) -> Progress {
        Progress {
            schema: 1,
            // A bundle is nobody's: without a user no command is offered that would install something.
            user: if self.ground.bundle.is_none() { self.ground.user.name.clone() } else { String::new() },
            pid: i32::try_from(std::process::id()).unwrap_or_default(),
            host: nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned(),
            started: jiff::Timestamp::now().as_second(),
            ..Progress::default()
        }
    }

    /// Where `status` looks, if this process may write there.
    fn published(&self) -> Option<PathBuf> {
        let path = paths::first_run_progress(&paths::runtime(), &self.ground.user.name);
        let folder = path.parent()?;
        nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK).is_ok().then_some(path)
    }

    fn print_plan(&self, options: &cli::FirstRun, done: &[Option<Done>]) -> i32 {
        let mut progress = self.progress();
        let tasks = &self.tasks;
        progress.tasks = tasks.iter().map(|task| describe(tasks, task, &self.ground.secrets)).collect();
        for (told, done) in progress.tasks.iter_mut().zip(done) {
            if let Some(done) = done {
                (told.state, told.version) = (State::Unchanged, done.version.clone());
            }
        }
        let text = if options.json { format!("{:#}\n", serde_json::json!(progress)) } else { show::plan(&progress) };
        let _ = stdout().write_all(text.as_bytes());
        0
    }
}

/// What is known of a task that is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    version: Option<String>,
}

/// For each task what is known of it if it is done. Looked at as its owner.
fn done(tasks: &[Task]) -> Result<Vec<Option<Done>>, Failure> {
    let own = geteuid();
    let mut found = vec![None; tasks.len()];
    let mut others: Vec<&Account> = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        let account = &task.owner.account;
        if !own.is_root() || account.uid == own.as_raw() {
            if let Some(found) = found.get_mut(index) {
                *found = look(task);
            }
        } else if !others.contains(&account) {
            others.push(account);
        }
    }
    for account in others {
        let theirs = home::run_as(account, || {
            let of_theirs = tasks.iter().map(|task| (task.owner.account == *account).then(|| look(task)).flatten());
            Ok(of_theirs.collect::<Vec<_>>())
        })
        .map_err(|error| Failure::permanent(format!("{error:#}")))?;
        for (found, theirs) in found.iter_mut().zip(theirs) {
            *found = found.take().or(theirs);
        }
    }
    Ok(found)
}

fn look(task: &Task) -> Option<Done> {
    let record = record::read(&task.owner.place.state(), &task.name)?;
    task.is_done(Some(&record)).then_some(Done { version: record.installed.version })
}

/// What a step of the user's puts outside of the home needs a folder there, which the user cannot make. A folder that is
/// there already stays as it is.
fn provide_folders(tasks: &[Task], done: &[Option<Done>]) {
    if !geteuid().is_root() {
        return;
    }
    let to_do = tasks.iter().zip(done).filter(|(_, done)| done.is_none()).map(|(task, _)| task);
    for (task, target) in to_do.filter_map(|task| Some((task, task.installer.target()?))) {
        let Owner { account, place } = &task.owner;
        let Some(folder) = target.parent().filter(|folder| !place.system && !folder.starts_with(&place.base)) else {
            continue;
        };
        // Where it cannot be made, the step itself says what is in its way.
        if let Err(error) = home::provide(account, folder) {
            debug!("{} is not made for {}: {error:#}", folder.display(), account.name);
        }
    }
}

/// Brings to the disk what was installed, and clears away what is not needed any more. It is no failure if that cannot
/// be: the records hold until the machine goes down, and the next run tries again.
fn settle(tasks: &[Task]) {
    let mut owners: Vec<&Owner> = Vec::new();
    for owner in tasks.iter().map(|task| &task.owner) {
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    let own = geteuid();
    for owner in owners {
        let state = owner.place.state();
        let account = &owner.account;
        let settle = || {
            clear_work(&state);
            record::settle(&state)
        };
        let settled = if account.uid == own.as_raw() {
            settle()
        } else if own.is_root() {
            home::run_as(account, || Ok(settle().err()))
                .map_or_else(|error| Err(Failure::passing(format!("{error:#}"))), |failure| failure.map_or(Ok(()), Err))
        } else {
            Ok(())
        };
        if let Err(failure) = settled {
            warn!("{failure}");
        }
    }
}

/// Removes the downloads of tasks that are done: a run that was killed right after it had written a record left them.
fn clear_work(state: &Path) {
    for folder in std::fs::read_dir(state.join("work")).into_iter().flatten().flatten() {
        if folder.file_name().to_str().is_some_and(|task| record::read(state, task).is_some()) {
            let _ = std::fs::remove_dir_all(folder.path());
        }
    }
}
