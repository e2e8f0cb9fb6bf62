//! The worker: a fork of the coordinator for one attempt at one task. It becomes the task's user, does the work, writes
//! the record, and tells how it went.

use std::fs::{self, File};
use std::io::{PipeReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, geteuid, setsid};
use serde::{Deserialize, Serialize};

use super::job::{IN_COMMAND, Job, Log, Report, TOLD_TO_END};
use super::source::Sources;
use super::{Installed, Record, Task, certificates, record, trust};
use crate::engine::processes;
use crate::fetch::{Failure, failure};
use crate::prepare::accounts::Account;
use crate::prepare::write::{self, Attributes};
use crate::sys;

/// The folder of a bundle with what is still on its way.
pub const PARTIAL: &str = ".partial";
/// The warning of a task that a bundle cannot hold.
pub const NOT_BROUGHT_ALONG: &str = "nothing can be brought along for it: what it fetches, it fetches when it runs";

/// How long a worker that was told to end goes on, if it waits for no program.
const LAST_WORDS: Duration = Duration::from_millis(150);

/// What a worker tells the coordinator: a line of JSON each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// While it works.
    Report(Report),
    /// Its last word.
    Ended(Outcome),
}

/// How an attempt went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Why it failed; none: it is done.
    pub failure: Option<Failure>,
    /// The version that is installed.
    pub version: Option<String>,
    /// The last lines of the log, if it failed.
    pub tail: Vec<String>,
}

/// What all workers of a run have in common.
pub struct Ground {
    /// Where downloads come from.
    pub sources: Sources,
    /// What must not be written anywhere.
    pub secrets: Vec<String>,
    /// Downloads go into this folder, and nothing is installed.
    pub bundle: Option<PathBuf>,
    /// Whose first run it is: what root does for everyone must not be in this user's hands.
    pub user: Account,
}

/// The life of a worker, in the forked child. `lifeline` is readable once the coordinator is gone.
pub fn work(task: &Task, ground: &Ground, mut messages: File, lifeline: PipeReader) -> ! {
    // A session of its own: it can be ended with all that it started, and no terminal is asked for anything.
    let _ = setsid();
    // What leaves that session stays its descendant all the same.
    let _ = sys::become_subreaper();
    let outcome = match prepare(task, lifeline) {
        Ok(()) => attempt(task, ground, &mut messages),
        Err(failure) => Outcome { failure: Some(failure), ..Outcome::default() },
    };
    if outcome.failure.is_some() {
        // What a failed attempt has left running would be in the way of the next. A step that is done may leave servers.
        processes::sweep(libc::SIGKILL);
    }
    send(&mut messages, &Message::Ended(outcome));
    sys::exit_now(0)
}

fn send(to: &mut File, message: &Message) {
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    let _ = to.write_all(&line);
}

fn prepare(task: &Task, lifeline: PipeReader) -> Result<(), Failure> {
    let account = &task.owner.account;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    if geteuid().as_raw() != account.uid {
        sys::become_user(account.uid, account.gid, &account.groups)
            .map_err(failure::io(format_args!("failed to become {}", account.name)))?;
    }
    // Nothing of what it is about to run shall find the coordinator's terminal.
    let nowhere =
        File::options().read(true).write(true).open("/dev/null").map_err(failure::io("failed to open /dev/null"))?;
    for descriptor in 0..3 {
        sys::duplicate_onto(nowhere.as_fd(), descriptor).map_err(failure::io("failed to leave the terminal"))?;
    }
    sys::keep_to_itself().map_err(failure::io("failed to close what is the coordinator's"))?;
    let home = if account.home.is_dir() { account.home.as_path() } else { Path::new("/") };
    let _ = std::env::set_current_dir(home);
    let signals = sys::signal_descriptor().map_err(failure::io("failed to wait for signals"))?;
    let watched = std::thread::Builder::new().spawn(move || watch(&lifeline, &signals));
    watched.map(drop).map_err(|error| {
        Failure::passing(format!("no thread could be made for it: {error}"))
            .hint("is there a limit of processes or of memory?")
    })
}

/// Ends the worker when it is told to, and the worker with all its processes when the coordinator is gone: the next run
/// must not meet them.
fn watch(lifeline: &PipeReader, signals: &OwnedFd) {
    loop {
        let mut watched =
            [PollFd::new(lifeline.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut watched, PollTimeout::NONE);
        if watched[0].any() == Some(true) {
            processes::sweep(libc::SIGKILL);
            let _ = sys::kill(-Pid::this().as_raw(), libc::SIGKILL);
        }
        while let Some(signal) = sys::next_signal(signals) {
            if signal == libc::SIGTERM {
                let _ = TOLD_TO_END.set(Instant::now());
                // A program that it waits for has got the same signal, and may want to end well. One that has ended of it
                // already is about to be told of.
                std::thread::sleep(LAST_WORDS);
                if !IN_COMMAND.load(Ordering::SeqCst) {
                    sys::exit_now(128 + libc::SIGTERM);
                }
            }
        }
    }
}

fn attempt(task: &Task, ground: &Ground, messages: &mut File) -> Outcome {
    let state = task.owner.place.state();
    let opened = match &ground.bundle {
        Some(_) => Ok(Log::none(ground.secrets.clone())),
        None => Log::open(&state, &task.name, ground.secrets.clone()),
    };
    let mut log = match opened {
        Ok(log) => log,
        Err(failure) => return Outcome { failure: Some(failure), ..Outcome::default() },
    };
    log.line(&format!(
        "--- {} at {}",
        task.installer.summary(),
        jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default()
    ));
    match install(task, ground, &state, &mut log, messages) {
        Ok(installed) => {
            log.line("--- done");
            Outcome { version: installed.version, ..Outcome::default() }
        }
        Err(failure) => {
            let tail = log.tail();
            log.line(&format!("--- failed: {failure}"));
            let text = log.redacted(&failure.text);
            let hint = failure.hint.as_deref().map(|hint| log.redacted(hint));
            Outcome { failure: Some(Failure { text, hint, ..failure }), tail, version: None }
        }
    }
}

fn install(
    task: &Task,
    ground: &Ground,
    state: &Path,
    log: &mut Log,
    messages: &mut File,
) -> Result<Installed, Failure> {
    let begin = Instant::now();
    let work = match &ground.bundle {
        Some(bundle) => bundle.join(PARTIAL).join(&task.name),
        None => state.join("work").join(&task.name),
    };
    let extra = certificates::variables(&ground.sources.client.settings.certificates, state)?;
    let mut environment = task.environment.clone();
    environment.extend(extra);
    let mut report = |report: Report| match report {
        Report::Line(line) => log.line(&line),
        Report::Stage(stage) => send(messages, &Message::Report(Report::Stage(log.redacted(&stage)))),
        Report::Warning(warning) => {
            log.line(&format!("warning: {warning}"));
            send(messages, &Message::Report(Report::Warning(log.redacted(&warning))));
        }
        Report::Bytes { .. } => send(messages, &Message::Report(report)),
    };
    let mut job = Job {
        name: &task.name,
        owner: &task.owner,
        environment: &environment,
        sources: &ground.sources,
        bundle: ground.bundle.as_deref(),
        work: work.clone(),
        report: &mut report,
    };
    if ground.bundle.is_some() {
        if !task.installer.collect(&mut job)? {
            job.warn(NOT_BROUGHT_ALONG);
        }
        let _ = fs::remove_dir_all(&work);
        return Ok(Installed::default());
    }
    refuse_place_of_user(task, &ground.user)?;
    // Should it be done again, nothing shall say that it is done until it is.
    record::remove(state, &task.name)?;
    let mut installed = task.installer.install(&mut job)?;
    installed.files.extend(mark(task)?);
    for path in task.creates.iter().chain(&installed.files) {
        if path.symlink_metadata().is_err() {
            return Err(Failure::permanent(format!("{} is not there, though the step ended well", path.display()))
                .hint("correct creates: in the config, or what the step does"));
        }
    }
    record::write(state, &Record::new(task, begin.elapsed(), installed.clone()))?;
    let _ = fs::remove_dir_all(&work);
    Ok(installed)
}

/// root does not put things where the user could turn the way around meanwhile, and have it write to /etc. There is no
/// need to: the user can do it.
fn refuse_place_of_user(task: &Task, user: &Account) -> Result<(), Failure> {
    let Some(target) = task.installer.target().filter(|_| task.owner.place.system) else { return Ok(()) };
    if !trust::can_change(user, target) {
        return Ok(());
    }
    let (shown, name) = (target.display(), &user.name);
    Err(Failure::permanent(format!("root puts nothing at {shown}: {name} can change that path while root writes"))
        .hint(format!("leave out `as: root`, then {name} puts it there; or name a path that is root's alone")))
}

/// Records of what is for everyone may lie on a volume that outlives the container, unlike what they tell of. This mark
/// does not: where it is missing, the task is done again.
fn mark(task: &Task) -> Result<Option<PathBuf>, Failure> {
    if !task.owner.place.system {
        return Ok(None);
    }
    let folder = task.owner.place.share().join("devinit/first-run");
    let mark = folder.join(&task.name);
    fs::create_dir_all(&folder).map_err(failure::io(format_args!("failed to make {}", folder.display())))?;
    // An image may have given this folder to its user: what a link there leads to is not emptied.
    write::write_for_this_boot(&mark, b"", Attributes::own(0o644))
        .map_err(|error| Failure::permanent(error.to_string()))?;
    Ok(Some(mark))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::{Installer, Owner, Place};
    use super::*;

    struct Puts(PathBuf);

    impl Installer for Puts {
        fn key(&self) -> Value {
            json!(self.0)
        }

        fn summary(&self) -> String {
            "put".to_owned()
        }

        fn install(&self, _: &mut Job<'_>) -> Result<Installed, Failure> {
            Ok(Installed::default())
        }

        fn target(&self) -> Option<&Path> {
            Some(&self.0)
        }
    }

    fn account(name: &str, uid: u32, home: &Path) -> Account {
        let shell = "/bin/sh".into();
        Account {
            name: name.to_owned(),
            uid,
            gid: uid,
            home: home.to_owned(),
            shell,
            groups: vec![uid],
            created: false,
        }
    }

    #[test]
    fn root_puts_nothing_where_the_user_could_turn_the_way_around() {
        let home = Path::new("/home/peid");
        let (root, user) = (account("root", 0, Path::new("/root")), account("peid", 3100, home));
        let refused = |target: &str, account: &Account, place: Place, user: &Account| {
            let task = Task {
                name: "put".to_owned(),
                needs: Vec::new(),
                installer: Box::new(Puts(target.into())),
                owner: Owner { account: account.clone(), place },
                environment: BTreeMap::new(),
                own_environment: BTreeMap::new(),
                creates: Vec::new(),
                timeout: std::time::Duration::ZERO,
                retries: 0,
                optional: false,
            };
            refuse_place_of_user(&task, user).err()
        };
        let failure = refused("/home/peid/app/tool", &root, Place::system(), &user).unwrap();
        assert!(failure.text.contains("peid can change") && failure.hint.unwrap().contains("as: root"));
        assert_eq!(refused("/usr/local/bin/tool", &root, Place::system(), &user), None);
        assert_eq!(refused("/home/peid/app/tool", &user, Place::home(home), &user), None, "as the user");
        assert_eq!(refused("/home/peid/app/tool", &root, Place::system(), &root), None, "there is nobody but root");
    }
}
