//! What the machine hears, and what it wants to be done.

use std::time::Duration;

use crate::engine::spec::Spec;
use crate::sys::Pid;

/// A service by its place. It keeps its place for as long as it is there, through every reload; the place of one that was
/// removed is given to another only when its processes are gone and no answer about it is outstanding.
pub type Id = usize;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this code.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// It never ran its program: the exit code that stands for it (126, 127) and why.
    NotExecuted(i32, String),
}

impl End {
    /// The exit code that a shell would give it.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::Code(code) | Self::NotExecuted(code, _) => *code,
            Self::Signal(signal) => signal.saturating_add(128),
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => match signal_hook::low_level::signal_name(*signal) {
                Some(name) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {signal}"),
            },
            Self::NotExecuted(_, why) => write!(f, "could not be started: {why}"),
        }
    }
}

/// What happens to the machine.
#[derive(Clone, Debug)]
pub enum Event {
    /// The container is prepared; this is what runs.
    Begin(Spec),
    /// [`Action::Launch`] has made this process.
    Launched(Id, Pid),
    /// [`Action::Launch`] could not make a process.
    NotLaunched(Id, String),
    /// [`Action::Probe`] has made this process.
    Probing(Id, Pid),
    /// [`Action::Probe`] could not make a process.
    NotProbing(Id),
    /// [`Action::Finish`] has made this process.
    Finishing(Id, Pid),
    /// [`Action::Finish`] could not make a process.
    NotFinishing(Id),
    /// A service said something over its notification socket or descriptor. Before the [`Event::Tick`] of the same
    /// wake-up, so that who was heard from in time is not taken for dead.
    Notified(Id, Notice),
    /// The answer to [`Action::Schedule`]: how long until it is due; none: never.
    Scheduled(Id, Option<Duration>),
    /// The config was read again; this is what runs from now on.
    Reload(Spec),
    /// A child ended. Until this is taken in it must not be reaped: its number may still be signalled.
    Ended(Pid, End),
    /// A signal arrived.
    Signal(i32),
    /// Nothing is left to wait for: no child, and nobody else whom [`Action::Sweep`] reaches.
    Alone,
    /// Someone asks for something.
    Request(Request),
    /// Time passed: [`next_deadline`](super::Machine::next_deadline) was reached.
    Tick,
}

/// What a service says of itself: sd_notify(3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `READY=1`, or the newline on its notification descriptor.
    Ready,
    /// `STATUS=…`: at most 200 characters.
    Status(String),
    /// `WATCHDOG=1`: it is alive.
    Alive,
    /// `WATCHDOG=trigger`: it has found out by itself that it is not well.
    Trigger,
    /// `WATCHDOG_USEC=…`: from now on it says so at least this often; never if it is zero.
    AliveEvery(Duration),
}

/// What can be asked for over the control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Run this service, and forget its failures. So it is done, first, with each that it comes after (and those that
    /// these come after) that is down and would stay so: it would be waited for in vain.
    Start(Id),
    /// End this service, and leave it so.
    Stop(Id),
    /// End this service and run it again, as with [`Request::Start`].
    Restart(Id),
}

/// What the machine wants to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the service's process; answered by [`Event::Launched`] or [`Event::NotLaunched`].
    Launch(Id),
    /// Start to look whether the service is ready: a process that exits with 0 once it is; answered by
    /// [`Event::Probing`] or [`Event::NotProbing`].
    Probe(Id),
    /// Run the service's finish command after this end, as the leader of a process group of its own; answered by
    /// [`Event::Finishing`] or [`Event::NotFinishing`].
    Finish(Id, End),
    /// Ask the wall clock when the service is due; answered by [`Event::Scheduled`].
    Schedule(Id),
    /// End a process that looks whether a service is ready, and whatever it started.
    EndProbe(Pid),
    /// Send a signal to a process.
    Signal(Pid, i32),
    /// Send a signal to a process (a main process, or a finish command) and all others of its group. The process may be
    /// gone; if its number was given since then to one that [`Machine::knows`](super::Machine::knows) nothing of, nobody
    /// is signalled.
    SignalGroup(Pid, i32),
    /// Pass a signal on to the main process; if `caught`, only if it does not kill by default.
    Forward {
        /// The main process.
        pid: Pid,
        /// The signal's number.
        signal: i32,
        /// Send it only to a process that has a handler for it.
        caught: bool,
    },
    /// Tell the main process that its terminal is gone, if it has one: interactive shells ignore SIGTERM.
    HangUp(Pid),
    /// Send a signal to every process that is left; answered by [`Event::Alone`] once there is none.
    Sweep(i32),
    /// Something that the log should have.
    Report(Report),
    /// Leave, with this exit code.
    Exit(i32),
}

/// What the machine has to tell the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The service is ready; how long it took.
    Ready(Id, Duration),
    /// The service ended; what follows.
    Ended(Id, End, Next),
    /// The service was not ready in time.
    NotReady(Id, Duration),
    /// The service was killed because it did not end in time.
    StopTimeout(Id, Duration),
    /// The service has not said for this long that it is alive; zero: it has said that it is not well. It is stopped, by
    /// SIGABRT.
    NotAlive(Id, Duration),
    /// Its finish command took too long and was killed.
    FinishTimeout(Id),
    /// A oneshot ran for longer than it may.
    RunTimeout(Id, Duration),
    /// A service was still running when it was due again: this time is left out.
    StillRuns(Id),
    /// A shutdown begins, for this reason.
    Shutdown(String),
    /// These processes did not go in time.
    Killing(String),
}

/// What follows the end of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is started again, this long after its last start; at once, if that is over.
    Restart(Duration),
    /// It failed, and is started again when it is due the next time.
    Later,
    /// It stays down, as it should.
    Nothing,
    /// It failed and stays down.
    GivenUp,
}
