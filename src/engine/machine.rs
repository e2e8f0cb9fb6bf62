//! The supervisor as a pure state machine: no system call, no clock, no randomness.
//!
//! The shell around it ([`super::run`]) turns signals, exits and requests into [`Event`]s and carries out the
//! [`Action`]s. Every rule of starting, restarting and stopping is here, so all of them are tested by replaying events.
//!
//! ```text
//!            ┌──────────────── stopped on request, oneshot done ──────────▶ Done
//!  Waiting ──▶ Launching ──▶ Starting ──▶ Ready                             ▲
//!     ▲                         │           │                               │
//!     │                         └─────┬─────┘── asked to end ──▶ Stopping ──┘
//!     │                               ▼ ended                       │
//!     └──────────── pause over ── BackingOff ── too often ──▶ Failed ◀
//! ```

use std::time::{Duration, Instant};

use super::snapshot::{Phase, ServiceState, ServiceStatus, Snapshot};
use super::spec::{Kind, Restart, Service, Spec};
use crate::sys::Pid;

/// The pause before the first restart; it doubles with each failure in a row.
pub const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause before a restart.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A service that was ready for this long has recovered: its failures are counted anew.
pub const STABLE: Duration = Duration::from_secs(30);
/// A stand-in does not bother to step in for a shorter pause than this.
const WORTH_STANDING_IN: Duration = Duration::from_secs(2);
/// The end of a shutdown is kept free for the processes that are nobody's service.
const LONGEST_RESERVE: Duration = Duration::from_secs(2);
/// How long the last SIGKILL may take to be felt (a process can hang in the kernel) before devinit leaves anyway.
const PATIENCE: Duration = Duration::from_millis(500);
/// The pause before a new look, where the process that looked is gone.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// What even a late stop gets between the signal and SIGKILL.
const LEAST_GRACE: Duration = Duration::from_millis(100);

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const SIGCHLD: i32 = 17;
const SIGCONT: i32 = 18;
const SIGPWR: i32 = 30;
/// systemd's "halt", which `docker stop` sends where an image's STOPSIGNAL says so.
const HALT: i32 = crate::sys::SIGRTMIN + 3;

/// A service by its place in the spec.
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
    /// A child ended, and was reaped.
    Ended(Pid, End),
    /// A signal arrived.
    Signal(i32),
    /// Nothing is left to wait for: no child, and nobody else whom [`Action::Sweep`] reaches.
    Alone,
    /// Someone asks for something.
    Request(Request),
    /// Time passed: [`Machine::next_deadline`] was reached.
    Tick,
}

/// What can be asked for over the control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Run this service, and forget its failures.
    Start(Id),
    /// End this service, and leave it so.
    Stop(Id),
    /// End this service and run it again.
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
    /// End a process that looks whether a service is ready, and whatever it started.
    EndProbe(Pid),
    /// Send a signal to a process.
    Signal(Pid, i32),
    /// Send a signal to a process and all others of its group.
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
    Ended(Id, String, Next),
    /// The service was not ready in time.
    NotReady(Id, Duration),
    /// The service was killed because it did not end in time.
    StopTimeout(Id, Duration),
    /// A shutdown begins, for this reason.
    Shutdown(String),
    /// These processes did not go in time.
    Killing(String),
}

/// What follows the end of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is started again after this pause.
    Restart(Duration),
    /// It stays down, as it should.
    Nothing,
    /// It failed and stays down.
    GivenUp,
}

#[derive(Clone, Debug)]
enum State {
    Waiting,
    Launching,
    Starting { pid: Pid, look: Look, deadline: Option<Instant> },
    Ready { pid: Pid },
    Stopping { pid: Pid, kill_at: Option<Instant>, killed: bool, then: Then },
    BackingOff { until: Instant },
    Done,
    Failed,
}

/// How far the look is that tells whether a service is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// A process for it is wanted, from this moment on.
    Due(Instant),
    /// [`Action::Probe`] was given out.
    Asked,
    /// This process looks.
    Runs(Pid),
}

impl Look {
    fn is_due(self, now: Instant) -> bool {
        matches!(self, Self::Due(at) if at <= now)
    }
}

/// What follows a stop that the machine asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It stays down.
    Rest,
    /// It starts again at once.
    Again,
    /// It counts as a failure: it was not ready in time.
    Fail,
}

#[derive(Clone, Debug)]
struct Slot {
    service: Service,
    state: State,
    since: Instant,
    ready_after: Option<Duration>,
    failures: u32,
    restarts: u32,
    last_end: Option<End>,
    /// A process of an earlier run whose group may not be empty yet.
    stale_group: Option<Pid>,
}

impl Slot {
    fn pid(&self) -> Option<Pid> {
        match self.state {
            State::Starting { pid, .. } | State::Ready { pid } | State::Stopping { pid, .. } => Some(pid),
            _ => None,
        }
    }

    fn runs(&self) -> bool {
        self.pid().is_some() || matches!(self.state, State::Launching)
    }

    fn ready(&self) -> bool {
        match self.service.kind {
            Kind::Oneshot => matches!(self.state, State::Done) && self.last_end == Some(End::Code(0)),
            Kind::Daemon | Kind::Critical => matches!(self.state, State::Ready { .. }),
        }
    }

    fn settled(&self) -> bool {
        self.ready() || matches!(self.state, State::Done | State::Failed)
    }
}

/// How far a shutdown is.
#[derive(Clone, Debug)]
struct Shutdown {
    /// The exit code, once it is known; 0 until something says otherwise.
    code: i32,
    /// The signal that asked for it, to be passed on to a main command.
    signal: Option<i32>,
    /// When the services have to be gone.
    services_until: Instant,
    /// When everything has to be gone.
    until: Instant,
    /// The last signal that [`Action::Sweep`] sent.
    swept: Option<i32>,
}

/// The supervisor's state.
#[derive(Clone, Debug)]
pub struct Machine {
    born: Instant,
    /// Whether a main command runs in the foreground, whose exit code is the container's.
    command_mode: bool,
    budget: Duration,
    begun: bool,
    slots: Vec<Slot>,
    shutdown: Option<Shutdown>,
    exited: bool,
}

impl Machine {
    /// A machine that waits for [`Event::Begin`].
    #[must_use]
    pub fn new(command_mode: bool, now: Instant) -> Self {
        Self {
            born: now,
            command_mode,
            budget: Duration::from_secs(9),
            begun: false,
            slots: Vec::new(),
            shutdown: None,
            exited: false,
        }
    }

    /// Takes in an event and says what is to be done, in this order.
    pub fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.exited {
            return actions;
        }
        match event {
            Event::Begin(spec) => self.begin(spec, now),
            Event::Launched(id, pid) => self.launched(id, pid, now),
            Event::NotLaunched(id, why) => self.ended(id, End::NotExecuted(126, why), now, &mut actions),
            Event::Probing(id, pid) => self.probing(id, pid, &mut actions),
            Event::NotProbing(id) => self.look_again(id, now),
            Event::Ended(pid, end) => self.process_ended(pid, end, now, &mut actions),
            Event::Signal(signal) => self.signal(signal, now, &mut actions),
            Event::Alone => self.alone(&mut actions),
            Event::Request(request) => self.request(&request, now, &mut actions),
            Event::Tick => {}
        }
        self.settle(now, &mut actions);
        actions
    }

    /// When [`Event::Tick`] is due, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let services = self.slots.iter().filter_map(|slot| match slot.state {
            State::Starting { look: Look::Due(at), deadline, .. } => {
                Some(deadline.map_or(at, |deadline| deadline.min(at)))
            }
            State::Starting { deadline, .. } => deadline,
            State::Stopping { kill_at, .. } => kill_at,
            State::BackingOff { until } => Some(until),
            _ => None,
        });
        let shutdown = self.shutdown.as_ref().and_then(|shutdown| match shutdown.swept {
            None => None,
            Some(SIGKILL) => Some(shutdown.until + PATIENCE),
            Some(_) => Some(shutdown.until),
        });
        services.chain(shutdown).min()
    }

    /// The service that this process is the main process of.
    #[must_use]
    pub fn service_of(&self, pid: Pid) -> Option<&Service> {
        self.slots.iter().find(|slot| slot.pid() == Some(pid)).map(|slot| &slot.service)
    }

    /// A service by its place.
    #[must_use]
    pub fn service(&self, id: Id) -> Option<&Service> {
        self.slots.get(id).map(|slot| &slot.service)
    }

    /// All services, in the order of the plan.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.slots.iter().map(|slot| &slot.service)
    }

    /// A service's place by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Id> {
        self.slots.iter().position(|slot| slot.service.name == name)
    }

    /// Whether the container is going down.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.shutdown.is_some()
    }

    /// What can be told to anyone.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Snapshot {
            schema: 1,
            phase: match (self.begun, &self.shutdown) {
                (_, Some(_)) => Phase::Stopping,
                (true, None) => Phase::Running,
                (false, None) => Phase::Preparing,
            },
            pid: i32::try_from(std::process::id()).unwrap_or_default(),
            uptime_ms: millis(now.saturating_duration_since(self.born)),
            services: self
                .slots
                .iter()
                .map(|slot| ServiceStatus {
                    name: slot.service.name.clone(),
                    kind: slot.service.kind,
                    state: match slot.state {
                        State::Waiting => ServiceState::Waiting,
                        State::Launching | State::Starting { .. } => ServiceState::Starting,
                        State::Ready { .. } => ServiceState::Ready,
                        State::Stopping { .. } => ServiceState::Stopping,
                        State::BackingOff { .. } => ServiceState::BackingOff,
                        State::Done => ServiceState::Done,
                        State::Failed => ServiceState::Failed,
                    },
                    pid: slot.pid(),
                    since_ms: millis(now.saturating_duration_since(slot.since)),
                    ready_after_ms: slot.ready_after.map(millis),
                    restarts: slot.restarts,
                    last_end: slot.last_end.as_ref().map(ToString::to_string),
                    stand_in: slot.service.stands_in_for.is_some(),
                })
                .collect(),
        }
    }

    fn begin(&mut self, spec: Spec, now: Instant) {
        self.begun = true;
        self.budget = spec.shutdown;
        self.slots = spec
            .services
            .into_iter()
            .map(|service| Slot {
                service,
                state: State::Waiting,
                since: now,
                ready_after: None,
                failures: 0,
                restarts: 0,
                last_end: None,
                stale_group: None,
            })
            .collect();
    }

    fn enter(&mut self, id: Id, state: State, now: Instant) {
        if let Some(slot) = self.slots.get_mut(id) {
            slot.state = state;
            slot.since = now;
        }
    }

    fn launched(&mut self, id: Id, pid: Pid, now: Instant) {
        let born = self.born;
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.since = now;
        match &slot.service.ready {
            Some(readiness) => {
                let deadline = readiness.timeout.map(|timeout| now + timeout);
                slot.state = State::Starting { pid, look: Look::Due(now), deadline };
            }
            None => {
                slot.state = State::Ready { pid };
                if slot.service.kind != Kind::Oneshot {
                    slot.ready_after.get_or_insert(now.saturating_duration_since(born));
                }
            }
        }
    }

    fn probing(&mut self, id: Id, pid: Pid, actions: &mut Vec<Action>) {
        match self.slots.get_mut(id).map(|slot| &mut slot.state) {
            Some(State::Starting { look, .. }) => *look = Look::Runs(pid),
            _ => actions.push(Action::EndProbe(pid)),
        }
    }

    /// There is no process that looks any more: no memory for it, or someone killed it.
    fn look_again(&mut self, id: Id, now: Instant) {
        if let Some(State::Starting { look, .. }) = self.slots.get_mut(id).map(|slot| &mut slot.state) {
            *look = Look::Due(now + LOOK_AGAIN);
        }
    }

    fn process_ended(&mut self, pid: Pid, end: End, now: Instant, actions: &mut Vec<Action>) {
        if let Some(id) = self.slots.iter().position(|slot| slot.pid() == Some(pid)) {
            return self.ended(id, end, now, actions);
        }
        let probed =
            |slot: &Slot| matches!(slot.state, State::Starting { look: Look::Runs(probe), .. } if probe == pid);
        let Some(id) = self.slots.iter().position(probed) else { return };
        let born = self.born;
        let Some(slot) = self.slots.get(id) else { return };
        let State::Starting { pid, .. } = slot.state else { return };
        if end != End::Code(0) {
            return self.look_again(id, now);
        }
        let took = now.saturating_duration_since(slot.since);
        self.enter(id, State::Ready { pid }, now);
        if let Some(slot) = self.slots.get_mut(id) {
            slot.ready_after.get_or_insert(now.saturating_duration_since(born));
        }
        actions.push(Action::Report(Report::Ready(id, took)));
    }

    /// The main process of a service is gone.
    fn ended(&mut self, id: Id, end: End, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if let State::Starting { look: Look::Runs(probe), .. } = slot.state {
            actions.push(Action::EndProbe(probe));
        }
        if slot.service.kind != Kind::Oneshot {
            slot.stale_group = slot.pid();
        }
        let was_stable =
            matches!(slot.state, State::Ready { .. }) && now.saturating_duration_since(slot.since) >= STABLE;
        let then = match slot.state {
            State::Stopping { then, .. } => Some(then),
            _ => None,
        };
        slot.last_end = Some(end.clone());

        if self.shutdown.is_some() {
            return self.ended_in_shutdown(id, &end, now);
        }
        match then {
            Some(Then::Rest) => return self.enter(id, State::Done, now),
            Some(Then::Again) => {
                slot.restarts = slot.restarts.saturating_add(1);
                return self.enter(id, State::Waiting, now);
            }
            Some(Then::Fail) | None => {}
        }
        let succeeded = end == End::Code(0) && then.is_none();
        let again = match slot.service.restart {
            Restart::Never => false,
            Restart::OnFailure => !succeeded,
            Restart::Always => slot.service.kind != Kind::Oneshot || !succeeded,
        };
        if was_stable {
            slot.failures = 0;
        }
        if !succeeded || again {
            slot.failures = slot.failures.saturating_add(1);
        }
        let given_up = slot.service.give_up_after.is_some_and(|limit| slot.failures >= limit);
        let kind = slot.service.kind;
        let next = if again && !given_up {
            let pause = pause_after(slot.failures);
            slot.restarts = slot.restarts.saturating_add(1);
            self.enter(id, State::BackingOff { until: now + pause }, now);
            Next::Restart(pause)
        } else if succeeded && !again {
            self.enter(id, State::Done, now);
            Next::Nothing
        } else {
            self.enter(id, State::Failed, now);
            Next::GivenUp
        };
        let over = kind == Kind::Critical && !matches!(next, Next::Restart(_));
        if !(succeeded && kind == Kind::Oneshot) {
            actions.push(Action::Report(Report::Ended(id, end.to_string(), next)));
        }
        if over {
            let name = self.service(id).map_or("", |service| service.name.as_str());
            let reason = format!("{name} ended ({end})");
            self.begin_shutdown(reason, end.code(), None, now, actions);
        }
    }

    /// What the end of a critical service says about the exit code of a shutdown that was asked for.
    fn ended_in_shutdown(&mut self, id: Id, end: &End, now: Instant) {
        let command_mode = self.command_mode;
        if let (Some(slot), Some(shutdown)) = (self.slots.get(id), self.shutdown.as_mut()) {
            let asked = match slot.state {
                State::Stopping { killed, .. } => !killed,
                _ => false,
            };
            let by_signal = end.code() == slot.service.stop_signal.saturating_add(128)
                || Some(end.code()) == shutdown.signal.map(|signal| signal.saturating_add(128))
                || end.code() == SIGTERM.saturating_add(128);
            if slot.service.kind == Kind::Critical && shutdown.signal.is_some() {
                let went_well = asked && by_signal && !command_mode;
                shutdown.code = if went_well { 0 } else { end.code() };
            }
        }
        self.enter(id, State::Done, now);
    }

    fn signal(&mut self, signal: i32, now: Instant, actions: &mut Vec<Action>) {
        match signal {
            SIGCHLD => {}
            SIGTERM | SIGINT | SIGQUIT | SIGPWR | HALT => match &mut self.shutdown {
                None => {
                    let name = signal_hook::low_level::signal_name(signal)
                        .map_or_else(|| format!("signal {signal}"), ToOwned::to_owned);
                    let code = if self.command_mode { signal.saturating_add(128) } else { 0 };
                    self.begin_shutdown(format!("{name} received"), code, Some(signal), now, actions);
                }
                Some(shutdown) => {
                    // The second time: whoever asks does not want to wait.
                    shutdown.services_until = now;
                    shutdown.until = now;
                    for slot in &mut self.slots {
                        if let State::Stopping { kill_at: Some(kill_at), .. } = &mut slot.state {
                            *kill_at = now;
                        }
                    }
                }
            },
            _ => {
                let main = self.slots.iter().find(|slot| slot.service.kind == Kind::Critical);
                if let Some(pid) = main.and_then(Slot::pid) {
                    // A signal that would kill the app is not what someone meant who sent, say, SIGHUP or SIGUSR1 to
                    // the container; a bare PID 1 would not die of it either.
                    let caught = signal == SIGHUP || !self.command_mode;
                    actions.push(Action::Forward { pid, signal, caught });
                }
            }
        }
    }

    fn request(&mut self, request: &Request, now: Instant, actions: &mut Vec<Action>) {
        if self.shutdown.is_some() {
            return;
        }
        let (Request::Start(id) | Request::Stop(id) | Request::Restart(id)) = *request;
        let Some(slot) = self.slots.get_mut(id) else { return };
        match request {
            Request::Start(_) | Request::Restart(_) if !slot.runs() => {
                slot.failures = 0;
                self.enter(id, State::Waiting, now);
            }
            Request::Start(_) => {
                if let State::Stopping { then, .. } = &mut slot.state {
                    *then = Then::Again;
                }
            }
            Request::Restart(_) => self.stop(id, Then::Again, now, actions),
            Request::Stop(_) if slot.pid().is_some() => self.stop(id, Then::Rest, now, actions),
            Request::Stop(_) => self.enter(id, State::Done, now),
        }
    }

    /// Asks a service to end.
    fn stop(&mut self, id: Id, next: Then, now: Instant, actions: &mut Vec<Action>) {
        let (command_mode, asked_by, until) = match &self.shutdown {
            Some(shutdown) => (self.command_mode, shutdown.signal, Some(shutdown.services_until)),
            None => (false, None, None),
        };
        let Some(slot) = self.slots.get_mut(id) else { return };
        if let State::Stopping { then, .. } = &mut slot.state {
            *then = next;
            return;
        }
        let Some(pid) = slot.pid() else { return };
        if let State::Starting { look: Look::Runs(probe), .. } = slot.state {
            actions.push(Action::EndProbe(probe));
        }
        let main_command = command_mode && slot.service.foreground;
        let signal = match asked_by {
            Some(signal @ (SIGTERM | SIGINT | SIGQUIT)) if main_command => signal,
            _ => slot.service.stop_signal,
        };
        actions.push(Action::Signal(pid, signal));
        // A stopped process would see the signal only when someone continues it.
        actions.push(Action::Signal(pid, SIGCONT));
        if main_command {
            actions.push(Action::HangUp(pid));
        }
        let patient = now + slot.service.stop_timeout;
        let kill_at = until.map_or(patient, |until| patient.min(until).max(now + LEAST_GRACE));
        self.enter(id, State::Stopping { pid, kill_at: Some(kill_at), killed: false, then: next }, now);
    }

    fn begin_shutdown(
        &mut self,
        reason: String,
        code: i32,
        signal: Option<i32>,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        if self.shutdown.is_some() {
            return;
        }
        let reserve = LONGEST_RESERVE.min(self.budget / 4);
        let until = now + self.budget;
        let services_until = until.checked_sub(reserve).unwrap_or(now);
        // Once the app is not there to answer for it, an asked-for stop of an SSH-only container went well.
        self.shutdown = Some(Shutdown { code, signal, services_until, until, swept: None });
        actions.push(Action::Report(Report::Shutdown(reason)));
    }

    fn alone(&mut self, actions: &mut Vec<Action>) {
        if let Some(Shutdown { code, swept: Some(_), .. }) = self.shutdown {
            self.exit(code, actions);
        }
    }

    fn exit(&mut self, code: i32, actions: &mut Vec<Action>) {
        self.exited = true;
        actions.push(Action::Exit(code));
    }

    /// Does all that has become possible or due.
    fn settle(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for id in 0..self.slots.len() {
            self.deadlines(id, now, actions);
        }
        if self.shutdown.is_some() {
            return self.settle_shutdown(now, actions);
        }
        for id in 0..self.slots.len() {
            self.launch_if_due(id, now, actions);
        }
    }

    fn deadlines(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        match &mut slot.state {
            State::Stopping { pid, kill_at, killed, .. } if kill_at.is_some_and(|kill_at| kill_at <= now) => {
                actions.push(Action::SignalGroup(*pid, SIGKILL));
                *kill_at = None;
                *killed = true;
                let took = now.saturating_duration_since(slot.since);
                actions.push(Action::Report(Report::StopTimeout(id, took)));
            }
            State::Starting { deadline: Some(deadline), .. } if *deadline <= now => {
                let took = now.saturating_duration_since(slot.since);
                actions.push(Action::Report(Report::NotReady(id, took)));
                self.stop(id, Then::Fail, now, actions);
            }
            State::Starting { look, .. } if look.is_due(now) => {
                *look = Look::Asked;
                actions.push(Action::Probe(id));
            }
            State::BackingOff { until } if *until <= now => self.enter(id, State::Waiting, now),
            _ => {}
        }
    }

    fn launch_if_due(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get(id) else { return };
        if !matches!(slot.state, State::Waiting) {
            return;
        }
        let due = match &slot.service.stands_in_for {
            Some(other) => self.slot_named(other).is_none_or(|other| self.wants_stand_in(other, now)),
            None => self.prerequisites_met(slot),
        };
        if !due {
            return;
        }
        if slot.service.stands_in_for.is_none() && !self.clear_stand_in(id, now, actions) {
            return;
        }
        let Some(slot) = self.slots.get_mut(id) else { return };
        if let Some(group) = slot.stale_group.take() {
            actions.push(Action::SignalGroup(group, SIGKILL));
        }
        actions.push(Action::Launch(id));
        self.enter(id, State::Launching, now);
    }

    fn slot_named(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.service.name == name)
    }

    fn prerequisites_met(&self, slot: &Slot) -> bool {
        slot.service.after.iter().all(|name| self.slot_named(name).is_none_or(Slot::ready))
            && slot.service.settled.iter().all(|name| self.slot_named(name).is_none_or(Slot::settled))
    }

    fn wants_stand_in(&self, slot: &Slot, now: Instant) -> bool {
        match slot.state {
            State::Waiting => !self.prerequisites_met(slot),
            State::BackingOff { until } => until.saturating_duration_since(now) >= WORTH_STANDING_IN,
            State::Done | State::Failed => true,
            _ => false,
        }
    }

    /// Asks whoever stands in for this service to go. True once nobody does.
    fn clear_stand_in(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) -> bool {
        let Some(name) = self.service(id).map(|service| service.name.clone()) else { return true };
        let stand_in = |slot: &Slot| slot.service.stands_in_for.as_ref() == Some(&name) && slot.runs();
        let Some(other) = self.slots.iter().position(stand_in) else { return true };
        self.stop(other, Then::Again, now, actions);
        false
    }

    fn settle_shutdown(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for id in 0..self.slots.len() {
            self.stop_if_due(id, now, actions);
        }
        let running = self.slots.iter().any(Slot::runs);
        let Some(shutdown) = self.shutdown.as_mut() else { return };
        let step = match shutdown.swept {
            None if !running => SIGTERM,
            Some(SIGKILL) if now >= shutdown.until + PATIENCE => {
                let code = shutdown.code;
                return self.exit(code, actions);
            }
            Some(SIGKILL) => return,
            Some(_) if now >= shutdown.until => SIGKILL,
            _ => return,
        };
        if step == SIGKILL {
            let budget = self.budget.as_secs_f32();
            let why = format!("some processes did not end within {budget} s of the shutdown");
            actions.push(Action::Report(Report::Killing(why)));
            // The deadline may have been brought forward to this very moment.
            shutdown.until = now;
        }
        shutdown.swept = Some(step);
        actions.push(Action::Sweep(step));
    }

    /// Asks a service to end once nothing that is to be stopped before it still runs.
    fn stop_if_due(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get(id) else { return };
        match slot.state {
            State::Waiting | State::BackingOff { .. } => return self.enter(id, State::Done, now),
            State::Starting { .. } | State::Ready { .. } => {}
            _ => return,
        }
        let (name, order) = (&slot.service.name, slot.service.stop_order);
        let goes_first = |other: &Slot| {
            other.runs()
                && (other.service.stop_order < order
                    || other.service.stop_order == order && other.service.after.contains(name))
        };
        if !self.slots.iter().any(goes_first) {
            self.stop(id, Then::Rest, now, actions);
        }
    }
}

/// The pause after this many failures in a row.
#[must_use]
pub fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}
