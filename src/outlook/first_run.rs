//! How first runs stand, seen from outside: what they left in the runtime folder, beside what the engine says.
//!
//! The files are written by the users themselves. Whatever stands in them is bounded here, and cleaned where it is shown.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::Serialize;

use crate::engine::snapshot::{ServiceState, ServiceStatus, Snapshot};
use crate::first_run::Progress;
use crate::first_run::progress::{self, State, TaskProgress};
use crate::plan::FIRST_RUN;
use crate::{paths, sorted};

/// More users than these are not looked at.
const USERS: usize = 16;
/// More steps than these are not looked at.
const STEPS: usize = 256;
/// After what time without a sign of life a first run is taken for dead: it writes at least every few seconds.
const SILENT: Duration = Duration::from_secs(30);
/// More names than these are only counted.
const NAMES: usize = 6;

/// How a first run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstRun {
    /// As a whole.
    pub state: RunState,
    /// Step by step.
    #[serde(flatten)]
    pub progress: Progress,
}

/// How a first run stands as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It goes on.
    Running,
    /// It ended, and nothing is missing.
    Done,
    /// It ended, and something is missing.
    Failed,
    /// It was killed.
    Interrupted,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Waits for others.
    Waiting,
    /// Runs.
    Running,
    /// Failed, and is tried again.
    Retrying,
    /// Is done.
    Done,
    /// Failed for good.
    Failed,
    /// Was not begun.
    Skipped,
    /// Was being done when the run was killed.
    Interrupted,
}

impl StepState {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
        }
    }
}

impl FirstRun {
    /// How a step of it stands: a run that is dead has none that run.
    #[must_use]
    pub fn step(&self, task: &TaskProgress) -> StepState {
        let dead = self.state != RunState::Running;
        match task.state {
            State::Running | State::BackingOff if dead => StepState::Interrupted,
            State::Waiting if dead => StepState::Skipped,
            State::Waiting => StepState::Waiting,
            State::Running => StepState::Running,
            State::BackingOff => StepState::Retrying,
            State::Done | State::Unchanged => StepState::Done,
            State::Failed => StepState::Failed,
            State::Skipped => StepState::Skipped,
        }
    }

    /// `3 of 9 done`.
    #[must_use]
    pub fn count(&self) -> String {
        format!("{} of {} done", self.progress.done(), self.progress.tasks.len())
    }
}

/// How much of the download that a step is busy with is there, in percent.
#[must_use]
pub fn percent(task: &TaskProgress) -> Option<u8> {
    let total = task.total.filter(|total| *total > 0 && task.state == State::Running)?;
    u8::try_from(u128::from(task.bytes) * 100 / u128::from(total)).ok().map(|percent| percent.min(100)).or(Some(100))
}

/// The first runs of this boot, by their user's name.
#[must_use]
pub fn look(runtime: &Path, snapshot: Option<&Snapshot>) -> Vec<FirstRun> {
    let folders = fs::read_dir(runtime.join(paths::FIRST_RUNS)).into_iter().flatten().flatten();
    // Only devinit makes these, so their names can be trusted, unlike what is in them.
    let mut users: Vec<String> = folders.filter_map(|folder| folder.file_name().into_string().ok()).collect();
    sorted::sort(&mut users);
    let own = snapshot.and_then(service).and_then(|service| service.pid);
    users.into_iter().take(USERS).filter_map(|user| look_at(runtime, user, own)).collect()
}

fn look_at(runtime: &Path, user: String, boot_s: Option<i32>) -> Option<FirstRun> {
    let path = paths::first_run_progress(runtime, &user);
    let mut progress = progress::read(&path)?;
    progress.tasks.truncate(STEPS);
    progress.user = user;
    let runs = || boot_s == Some(progress.pid) || is_fresh(&path) && is_alive(progress.pid);
    let state = match progress.ended {
        true if progress.missing().next().is_some() => RunState::Failed,
        true => RunState::Done,
        false if runs() => RunState::Running,
        false => RunState::Interrupted,
    };
    Some(FirstRun { state, progress })
}

/// Whether a file was written lately. One from the future is as good as new.
fn is_fresh(path: &Path) -> bool {
    let written = path.symlink_metadata().and_then(|found| found.modified());
    written.is_ok_and(|written| written.elapsed().unwrap_or_default() < SILENT)
}

/// Whether there is a process of this number; a killed coordinator is known as such at once.
fn is_alive(pid: i32) -> bool {
    pid > 0 && matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
}

/// The boot's own first run, if there is one.
#[must_use]
pub fn service(snapshot: &Snapshot) -> Option<&ServiceStatus> {
    snapshot.services.iter().find(|service| service.name == FIRST_RUN)
}

/// Whether a service counts as failed. The first run does not once a later run made up for what it left undone, nor does
/// what is started by the clock again.
#[must_use]
pub fn has_failed(service: &ServiceStatus, runs: &[FirstRun]) -> bool {
    let made_up = || !runs.is_empty() && runs.iter().all(|run| run.state == RunState::Done);
    let again = super::comes_again(service) || service.name == FIRST_RUN && made_up();
    service.state == ServiceState::Failed && !again
}

/// What failed, by name: `codex, bun and 3 more`. None if that is not known.
#[must_use]
pub fn failed_steps(progress: &Progress) -> Option<String> {
    let failed = progress.missing().filter(|task| task.state == State::Failed);
    let names: Vec<String> = failed.map(|task| plain(&task.name)).collect();
    let shown = names.get(..NAMES).unwrap_or(&names).join(", ");
    match names.len() {
        0 => None,
        1..=NAMES => Some(shown),
        all => Some(format!("{shown} and {} more", all - NAMES)),
    }
}

/// The name of a step, which is a word of few characters: nothing else gets through.
#[must_use]
pub fn plain(name: &str) -> String {
    const LONGEST: usize = 40;
    let fits = |character: char| character.is_ascii_alphanumeric() || "._-@+".contains(character);
    let plain: String =
        name.chars().take(LONGEST).map(|character| if fits(character) { character } else { '?' }).collect();
    if plain.is_empty() { "?".to_owned() } else { plain }
}

/// What to type to do again what failed: by its user, or by root.
#[must_use]
pub fn command(progress: &Progress, reader: &str) -> String {
    let mut command = "devinit first-run".to_owned();
    let user = &progress.user;
    if reader == "root" && user != "root" {
        command.push_str(&format!(" --user {user}"));
    }
    let mut failed = progress.missing().filter(|task| task.state == State::Failed);
    if let (Some(only), None) = (failed.next(), failed.next()) {
        // What a file says must not become a command of its own.
        let name = plain(&only.name);
        if name == only.name && !name.starts_with('-') {
            command.push_str(&format!(" --only {name}"));
        }
    }
    if reader == "root" || reader == user { command } else { format!("{command} (as {user})") }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::symlink;
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::engine::spec::Kind;

    /// A first run with these steps.
    pub fn run(user: &str, state: RunState, steps: &[(&str, State)]) -> FirstRun {
        let task = |(name, state): &(&str, State)| TaskProgress {
            name: (*name).to_owned(),
            state: *state,
            ..TaskProgress::default()
        };
        let ended = matches!(state, RunState::Done | RunState::Failed);
        let tasks = steps.iter().map(task).collect();
        FirstRun { state, progress: Progress { schema: 1, user: user.to_owned(), ended, tasks, ..Progress::default() } }
    }

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    /// A process id that nobody has.
    fn dead_pid() -> i32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        i32::try_from(child.id()).unwrap()
    }

    /// A runtime folder with what peid's first run wrote.
    fn written(progress: &Progress) -> tempfile::TempDir {
        let runtime = tempfile::tempdir().unwrap();
        let path = paths::first_run_progress(runtime.path(), "peid");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, serde_json::to_vec(progress).unwrap()).unwrap();
        runtime
    }

    fn going_on(pid: i32) -> Progress {
        Progress { pid, ended: false, ..run("root", RunState::Running, &[("uv", State::Running)]).progress }
    }

    fn engine(pid: Option<i32>, state: ServiceState) -> Snapshot {
        let service = ServiceStatus { pid, ..ServiceStatus::new(FIRST_RUN, Kind::Oneshot, state) };
        Snapshot::running(0, vec![service])
    }

    fn age(runtime: &Path, by: Duration) {
        let file = std::fs::File::options().write(true).open(paths::first_run_progress(runtime, "peid")).unwrap();
        file.set_modified(SystemTime::now() - by).unwrap();
    }

    #[test]
    fn whose_first_run_it_is_says_the_folder_and_not_the_file() {
        let runtime = written(&going_on(own_pid()));
        let runs = look(runtime.path(), None);
        assert_eq!((runs.len(), runs[0].progress.user.as_str(), runs[0].state), (1, "peid", RunState::Running));
    }

    #[test]
    fn a_killed_one_is_known_at_once_and_a_silent_one_after_a_while() {
        let state = |runtime: &Path, engine: Option<&Snapshot>| look(runtime, engine)[0].state;
        assert_eq!(state(written(&going_on(dead_pid())).path(), None), RunState::Interrupted);
        assert_eq!(state(written(&going_on(0)).path(), None), RunState::Interrupted);
        assert_eq!(state(written(&going_on(-1)).path(), None), RunState::Interrupted);

        let runtime = written(&going_on(own_pid()));
        age(runtime.path(), Duration::from_secs(60));
        assert_eq!(state(runtime.path(), None), RunState::Interrupted);
        // The boot's own one may be busy with a slow disk: as long as the engine has it, it goes on.
        let running = engine(Some(own_pid()), ServiceState::Starting);
        assert_eq!(state(runtime.path(), Some(&running)), RunState::Running);
        assert_eq!(state(runtime.path(), Some(&engine(None, ServiceState::Failed))), RunState::Interrupted);
    }

    #[test]
    fn one_that_ended_is_done_unless_something_is_missing_that_is_not_optional() {
        let state = |steps: &[(&str, State)], optional| {
            let mut progress = run("peid", RunState::Done, steps).progress;
            progress.tasks.iter_mut().for_each(|task| task.optional = optional);
            look(written(&progress).path(), None)[0].state
        };
        assert_eq!(state(&[("uv", State::Done), ("bun", State::Unchanged)], false), RunState::Done);
        assert_eq!(state(&[("uv", State::Done), ("bun", State::Failed)], false), RunState::Failed);
        assert_eq!(state(&[("uv", State::Done), ("bun", State::Failed)], true), RunState::Done);
    }

    #[test]
    fn what_is_no_progress_is_passed_over_and_nothing_waits_for_it() {
        let valid = going_on(own_pid());
        let other = written(&valid);
        let place = |make: &dyn Fn(&Path)| {
            let runtime = tempfile::tempdir().unwrap();
            let path = paths::first_run_progress(runtime.path(), "peid");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            make(&path);
            look(runtime.path(), None)
        };
        assert_eq!(place(&|_| ()), []);
        assert_eq!(place(&|path| fs::create_dir(path).unwrap()), []);
        assert_eq!(place(&|path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap()), []);
        assert_eq!(place(&|path| symlink(paths::first_run_progress(other.path(), "peid"), path).unwrap()), []);
        assert_eq!(place(&|path| symlink("/dev/zero", path).unwrap()), []);
        assert_eq!(place(&|path| fs::write(path, "{").unwrap()), []);
        assert_eq!(place(&|path| fs::write(path, "[".repeat(100_000)).unwrap()), []);
        let later = Progress { schema: 2, ..valid.clone() };
        assert_eq!(place(&|path| fs::write(path, serde_json::to_vec(&later).unwrap()).unwrap()), []);
        let huge = Progress { host: "x".repeat(1 << 20), ..valid.clone() };
        assert_eq!(place(&|path| fs::write(path, serde_json::to_vec(&huge).unwrap()).unwrap()), []);
        assert_eq!(look(other.path(), None).len(), 1);
        assert_eq!(look(Path::new("/nonexistent"), None), []);
    }

    #[test]
    fn a_run_that_is_dead_has_no_step_that_runs() {
        let steps = [("a", State::Running), ("b", State::BackingOff), ("c", State::Waiting), ("d", State::Done)];
        let states = |state| {
            let run = run("peid", state, &steps);
            run.progress.tasks.iter().map(|task| run.step(task).word()).collect::<Vec<_>>()
        };
        assert_eq!(states(RunState::Running), ["running", "retrying", "waiting", "done"]);
        assert_eq!(states(RunState::Interrupted), ["interrupted", "interrupted", "skipped", "done"]);
    }

    #[test]
    fn a_later_run_makes_up_for_the_boot_s_failed_one() {
        let failed = engine(None, ServiceState::Failed).services.remove(0);
        let done = || run("peid", RunState::Done, &[]);
        assert!(has_failed(&failed, &[]));
        assert!(has_failed(&failed, &[done(), run("root", RunState::Failed, &[("x", State::Failed)])]));
        assert!(has_failed(&failed, &[run("peid", RunState::Interrupted, &[])]));
        assert!(!has_failed(&failed, &[done()]));
        let other = ServiceStatus { name: "xvfb".to_owned(), ..failed };
        assert!(has_failed(&other, &[done()]));
    }

    #[test]
    fn only_one_failed_step_is_named_in_the_command_and_no_ugly_one() {
        let command = |steps: &[&str]| {
            let steps: Vec<_> = steps.iter().map(|name| (*name, State::Failed)).collect();
            command(&run("peid", RunState::Failed, &steps).progress, "peid")
        };
        assert_eq!(command(&["codex"]), "devinit first-run --only codex");
        for steps in [&["codex", "bun"][..], &["x; rm -rf ~"], &["--force"], &["$(id)"], &[""]] {
            assert_eq!(command(steps), "devinit first-run", "{steps:?}");
        }
    }

    #[test]
    fn of_many_failed_steps_the_rest_is_counted() {
        let names: Vec<String> = (0..8).map(|number| format!("s{number}")).collect();
        let steps: Vec<_> = names.iter().map(|name| (name.as_str(), State::Failed)).collect();
        let failed = |count: usize| failed_steps(&run("peid", RunState::Failed, &steps[..count]).progress);
        assert_eq!(failed(0), None);
        assert_eq!(failed(2).unwrap(), "s0, s1");
        assert_eq!(failed(8).unwrap(), "s0, s1, s2, s3, s4, s5 and 2 more");
    }

    proptest! {
        #[test]
        fn a_percentage_is_one(bytes in any::<u64>(), total in any::<Option<u64>>()) {
            let task = TaskProgress { state: State::Running, bytes, total, ..TaskProgress::default() };
            prop_assert!(percent(&task).is_none_or(|percent| percent <= 100));
        }

        #[test]
        fn a_name_is_plain_whatever_it_was(name in any::<String>()) {
            prop_assert!(plain(&name).chars().all(|character| character.is_ascii_graphic() && !"<>&\"'/;$`".contains(character)));
        }
    }
}
