//! What the engine is told to run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use crate::probe::{Context, Probe};

/// Everything that the engine runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The processes; those that wait for others name them in `after`.
    pub services: Vec<Service>,
    /// The ceiling of a shutdown, from the first signal to the last SIGKILL.
    pub shutdown: Duration,
}

/// One process that the engine starts and watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name in messages, in `status` and in other services' `after`.
    pub name: String,
    /// What its end means.
    pub kind: Kind,
    /// Whether the container ends with it: with its exit code, once it is given up, or ended where it is not restarted.
    /// A oneshot that succeeds does not count.
    pub critical: bool,
    /// The program and its arguments; a program without a slash is looked up in the PATH of `environment`.
    pub command: Vec<String>,
    /// Its whole environment, but for what `environment_files` add.
    pub environment: BTreeMap<String, String>,
    /// Files of `NAME=VALUE` lines that go over `environment`: read at each start, as the service's user.
    pub environment_files: Vec<PathBuf>,
    /// Working folder; the engine's own if there is none.
    pub directory: Option<PathBuf>,
    /// As whom it runs; as the engine itself if there is none.
    pub identity: Option<Identity>,
    /// What the kernel is told about it.
    pub settings: Settings,
    /// Whether signals that devinit gets and does not act on itself are passed on to it.
    pub gets_signals: bool,
    /// Whether it gets the terminal (and stays in the engine's session) rather than a session of its own.
    pub foreground: bool,
    /// When it is started, apart from what it waits for.
    pub when: When,
    /// What has to be ready (for a oneshot: to have succeeded) before it starts.
    pub after: Vec<String>,
    /// What has to have ended or to be ready, well or not, before it starts.
    pub settled: Vec<String>,
    /// It fills in for this other service, and runs only while that one does not.
    pub stands_in_for: Option<String>,
    /// How to tell that it is ready; ready at once if there is none.
    pub ready: Option<Readiness>,
    /// Once it is ready it has to say `WATCHDOG=1` over its notification socket at least this often; if there is none,
    /// or it says so itself (`WATCHDOG_USEC=…`), it need not.
    pub watchdog: Option<Duration>,
    /// When it is started again.
    pub restart: Restart,
    /// How it is started again.
    pub backoff: Backoff,
    /// How long a oneshot may run before it counts as failed and is stopped; for ever if there is none.
    pub run_limit: Option<Duration>,
    /// What is run after each end of its process, before anything else is done about it: with the exit code (256 if a
    /// signal ended it), the signal's number (0 if none did) and the service's name added as arguments. As the service
    /// is; for [`FINISH_LIMIT`] at most. If it exits with [`FINISHED_FOR_GOOD`], the service is not started again.
    pub finish: Option<Vec<String>>,
    /// At a shutdown it is asked to end once every service of a lower number has.
    pub stop_order: u8,
    /// The signal number that asks it to end.
    pub stop_signal: i32,
    /// How long it may take to end before SIGKILL.
    pub stop_timeout: Duration,
    /// Where its output goes; the engine's own output if there is none.
    pub log: Option<Log>,
    /// Something that changes with what it depends on besides this spec, such as its config file: a reload compares it.
    pub revision: String,
    /// What is sent to it, rather than to restart it, when nothing but `revision` changed.
    pub reload_signal: Option<i32>,
    /// Whether it has its place in a boot only: a reload neither runs it nor changes it.
    pub boot_only: bool,
}

/// How long the finish command of a service may take; s6 has the same limit.
pub const FINISH_LIMIT: Duration = Duration::from_secs(5);
/// The exit code of a finish command that means "do not start it again", as s6 has it.
pub const FINISHED_FOR_GOOD: i32 = 125;
/// How long a service may take to end after its stop signal, unless it says otherwise.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What the kernel is told about a process; what is none stays as it is for devinit itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Niceness, -20 to 19.
    pub nice: Option<i32>,
    /// How much the kernel prefers to kill it when memory runs out, -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// Limits: the resource's number (`RLIMIT_…`), the soft and the hard limit; `u64::MAX` is unlimited.
    pub limits: Vec<(u32, u64, u64)>,
    /// The numbers of the capabilities that it and what it starts can never have.
    pub dropped_capabilities: Vec<u32>,
    /// Whether nothing that it executes can gain rights (setuid programs, file capabilities).
    pub no_new_privileges: bool,
}

/// When a service is started, apart from what it waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At the boot.
    #[default]
    Boot,
    /// When someone asks for it.
    Asked,
    /// At the boot, and again this long after it was started last, unless it still runs then. For oneshots.
    Every(Duration),
    /// At these times. For oneshots.
    At(Schedule),
}

/// How a service that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The pause before the first restart, from start to start; it doubles with each failure in a row.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// A service that was ready for this long has recovered: its failures are counted anew.
    pub stable: Duration,
    /// After how many failures in a row it is given up; never if there is none.
    pub give_up_after: Option<u32>,
}

impl Backoff {
    /// What holds unless the config says otherwise.
    pub const USUAL: Self = Self {
        first: Duration::from_millis(250),
        longest: Duration::from_secs(30),
        stable: Duration::from_secs(30),
        give_up_after: Some(5),
    };
}

impl Default for Backoff {
    fn default() -> Self {
        Self::USUAL
    }
}

/// Where a service's output goes, by way of the logger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// How it goes to the container's output; none: it does not.
    pub output: Option<Form>,
    /// The file that it goes to, rotated by size; none: to no file but a short one of its last lines for `logs` and
    /// `status`, in the runtime folder.
    pub file: Option<LogFile>,
}

/// How a line is written to the container's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Byte by byte as it comes, what is written to standard error to standard error.
    #[default]
    Raw,
    /// Line by line, with the service's name in front.
    Prefixed,
    /// As lines of JSON: `{"time": …, "service": …, "line": …}`.
    Json,
}

/// A rotated log file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// Its path; older ones have `.1`, `.2` … added.
    pub path: PathBuf,
    /// How large it may get, in bytes.
    pub size: u64,
    /// How many older ones are kept.
    pub keep: u32,
    /// Whether its lines are JSON, as in [`Form::Json`], rather than `TIME LINE`.
    pub json: bool,
}

impl Service {
    /// A service with nothing special about it.
    #[must_use]
    pub fn new(name: &str, kind: Kind, command: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            critical: false,
            command,
            environment: BTreeMap::new(),
            environment_files: Vec::new(),
            directory: None,
            identity: None,
            settings: Settings::default(),
            gets_signals: false,
            foreground: false,
            when: When::Boot,
            after: Vec::new(),
            settled: Vec::new(),
            stands_in_for: None,
            ready: None,
            watchdog: None,
            restart: Restart::Never,
            backoff: Backoff::default(),
            run_limit: None,
            finish: None,
            stop_order: 0,
            stop_signal: nix::libc::SIGTERM,
            stop_timeout: STOP_TIMEOUT,
            log: None,
            revision: String::new(),
            reload_signal: None,
            boot_only: false,
        }
    }

    /// Whether it is told where its notification socket is.
    #[must_use]
    pub fn notifies(&self) -> bool {
        self.watchdog.is_some() || self.ready.as_ref().is_some_and(|ready| ready.by == By::Notify)
    }
    /// What tells whether it is ready, and with what a command that does is run.
    #[must_use]
    pub fn probe(&self) -> Option<(Probe, Context)> {
        let By::Probe(probe) = self.ready.as_ref()?.by.clone() else { return None };
        let context = match probe {
            Probe::Command(_) => Context {
                identity: self.identity.clone(),
                directory: self.directory.clone(),
                environment: self.environment.clone(),
            },
            Probe::Http(_) | Probe::Tcp(_) | Probe::Path(_) => Context::default(),
        };
        Some((probe, context))
    }
}

/// What the end of a service means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Runs all the time.
    Daemon,
    /// Runs once and ends.
    Oneshot,
}

/// As whom a process runs: numbers only, nothing is looked up when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
}

/// How to tell that a service is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Readiness {
    /// What tells it.
    pub by: By,
    /// After how long it counts as failed, and is stopped; if there is none it may take forever.
    pub timeout: Option<Duration>,
}

/// What tells that a service is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Something that is looked at from outside.
    Probe(Probe),
    /// It says `READY=1` over the socket that `NOTIFY_SOCKET` names: sd_notify(3).
    Notify,
    /// It writes a newline to this descriptor, as s6 has it. From 3 on.
    Descriptor(i32),
}

/// When a service that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Not at all.
    Never,
    /// After a non-zero exit code or a signal.
    OnFailure,
    /// Whenever it ends.
    Always,
}
