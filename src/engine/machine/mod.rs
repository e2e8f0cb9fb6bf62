//! The supervisor as a pure state machine: no system call, no clock, no randomness.
//!
//! The shell around it ([`super::run`]) turns signals, exits and requests into [`Event`]s and carries out the
//! [`Action`]s. Every rule of starting, restarting and stopping is here, so all of them are tested by replaying events.
//!
//! A service goes through these states while something of it runs:
//!
//! ```text
//!                due               process made             it is up
//!  Scheduled ─▶ Waiting ─▶ Launching ─────────▶ Starting ─────────────▶ Ready
//!     ▲           ▲                                │                     │
//!     │           │                   ┌────────────┼─────────────────────┤
//!     │           │                   │ ends       ▼ asked to end        │ ends
//!     │           │                   │         Stopping                 │
//!     │           │                   │            │ ends                │
//!     │           │ pause over        └────────────┼─────────────────────┘
//!     │           │                                ▼
//!     │      BackingOff                        Finishing      (only if it has a finish command: until that ends)
//!     │           ▲                                │
//!     └───────────┴────────────────────────────────┴─────▶ Stopped, Done, Failed
//! ```
//!
//! and comes out of its end in one of these:
//!
//! ```text
//!  it was asked to end, and is to stay down                                Stopped
//!  it was asked to end, and is to come again (or: to stand in again)       Waiting
//!  it ended by itself with 0, and is not restarted after a success  ┬─ it runs again and again     Scheduled
//!                                                                   └─ it does not                 Done
//!  it failed, or is restarted whatever its end  ┬─ and is tried again                              BackingOff
//!                                               └─ once too often   ┬─ it runs again and again     Scheduled
//!                                                                   └─ it does not                 Failed
//! ```
//!
//! It begins in Waiting; one that runs at set times in Scheduled, one that is started on request only in Stopped. A
//! finish command that exits with 125 leads to Done after a success that would have, or to Failed, unless somebody has
//! asked for something else. A service that is critical takes the container with it when it gets to Failed, and a daemon
//! also when it gets to Done.
//!
//! A process that could not be made has failed; so has one that was asked to end because it was not ready in time, ran
//! for too long or did not say that it is alive. If nothing tells whether it is ready, a service is Ready as soon as there
//! is a process. A oneshot never is: it is Starting until it ends, and others may count on it once it is Done, or Scheduled
//! after a success.
//!
//! A request to stop takes Waiting, BackingOff and Scheduled to Stopped at once; while Launching, it is carried out as
//! soon as there is a process. A request to start takes BackingOff, Scheduled, Done, Stopped and Failed to Waiting. While
//! Stopping or Finishing, either says what comes next. The rest is told where it is done: `starting.rs` (who may start),
//! `lifecycle.rs` (this diagram), `recurring.rs` (the clock), `notices.rs` (what services say, watchdogs), `requests.rs`,
//! `reload.rs` (a changed config), `shutdown.rs` (how all of it goes down together).

mod lifecycle;
mod messages;
mod notices;
mod recurring;
mod reload;
mod requests;
mod shutdown;
mod slot;
mod starting;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

pub use self::lifecycle::pause_after;
pub use self::messages::{Action, End, Event, Id, Next, Notice, Report, Request};
pub use self::reload::changes;
use self::shutdown::Shutdown;
use self::slot::{Slot, State, millis};
use super::snapshot::{Phase, ServiceStatus, Snapshot};
use super::spec::{Service, Spec};
use crate::sys::Pid;

/// The budget of a shutdown as long as no [`Spec`] has told it.
const DEFAULT_BUDGET: Duration = Duration::from_secs(9);
/// A year is as good as forever, and unlike some durations that can be written it can be added to every instant.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The supervisor's state.
#[derive(Clone, Debug)]
pub struct Machine {
    born: Instant,
    /// Whether a main command runs in the foreground, whose exit code is the container's.
    command_mode: bool,
    /// How long a shutdown may take.
    budget: Duration,
    begun: bool,
    slots: Vec<Slot>,
    /// The services that are in the spec, in its order.
    order: Vec<Id>,
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
            budget: DEFAULT_BUDGET,
            begun: false,
            slots: Vec::new(),
            order: Vec::new(),
            shutdown: None,
            exited: false,
        }
    }

    /// Whether there is a main command, as far as is known.
    #[must_use]
    pub fn command_mode(&self) -> bool {
        self.command_mode
    }

    /// Takes in whether there is a main command, which only the config may say.
    pub fn set_command_mode(&mut self, command_mode: bool) {
        self.command_mode = command_mode;
    }

    /// Takes in an event and says what is to be done, in this order.
    ///
    /// The answers to the actions have to come in the order in which the actions were given out.
    pub fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.exited {
            return actions;
        }
        self.answered(&event);
        match event {
            Event::Begin(spec) => self.begin(spec, now),
            Event::Launched(id, pid) => self.launched(id, pid, now, &mut actions),
            Event::NotLaunched(id, why) => self.ended(id, End::NotExecuted(126, why), now, &mut actions),
            Event::Probing(id, pid) => self.probing(id, pid, &mut actions),
            Event::NotProbing(id) => self.not_probing(id, now),
            Event::Finishing(id, pid) => self.finishing(id, pid, now),
            Event::NotFinishing(id) => self.not_finishing(id, now, &mut actions),
            Event::Notified(id, notice) => self.notified(id, notice, now, &mut actions),
            Event::Scheduled(id, wait) => self.scheduled(id, wait, now),
            Event::Reload(spec) => self.reload(spec, now, &mut actions),
            Event::Ended(pid, end) => self.process_ended(pid, end, now, &mut actions),
            Event::Signal(signal) => self.signal(signal, now, &mut actions),
            Event::Alone => self.alone(&mut actions),
            Event::Request(request) => self.request(&request, now, &mut actions),
            // Only now: what else has happened until now may have been told in the events before.
            Event::Tick => self.keep_watch(now, &mut actions),
        }
        if !self.exited {
            self.settle(now, &mut actions);
        }
        actions
    }

    /// When [`Event::Tick`] is due, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.exited {
            return None;
        }
        let shutdown = self.shutdown.as_ref().map(Shutdown::deadline);
        self.slots.iter().filter_map(Slot::deadline).chain(shutdown).min()
    }

    /// Whether this is the main process of a service, or one that the machine has asked for on a service's behalf: a
    /// probe, a finish command. It has not been told of its end.
    #[must_use]
    pub fn knows(&self, pid: Pid) -> bool {
        self.owner_of(pid).is_some()
    }

    /// The service that this process belongs to, if [`Machine::knows`] it.
    #[must_use]
    pub fn owner_of(&self, pid: Pid) -> Option<&Service> {
        let of = |slot: &&Slot| [slot.pid(), slot.finisher(), slot.probe()].contains(&Some(pid));
        self.slots.iter().find(of).map(|slot| &slot.service)
    }

    /// The service that this process is the main process of; one that is removed has a name still.
    #[must_use]
    pub fn service_of(&self, pid: Pid) -> Option<&Service> {
        self.service(self.place_of(pid)?)
    }

    /// The place of the service that this process is the main process of.
    #[must_use]
    pub fn place_of(&self, pid: Pid) -> Option<Id> {
        self.slots.iter().position(|slot| slot.pid() == Some(pid))
    }

    /// A service by its place: as it runs, or is to be launched.
    #[must_use]
    pub fn service(&self, id: Id) -> Option<&Service> {
        self.slots.get(id).map(|slot| &slot.service)
    }

    /// All services, in the order of the spec and as it has them. One that a reload has changed may still run as it was.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.visible().map(Slot::wanted)
    }

    fn visible(&self) -> impl Iterator<Item = &Slot> {
        self.order.iter().filter_map(|id| self.slots.get(*id))
    }

    /// How long it is until a service that backs off is started again.
    #[must_use]
    pub fn pause_left(&self, id: Id, now: Instant) -> Option<Duration> {
        match self.slots.get(id)?.state {
            State::BackingOff { until } => Some(until.saturating_duration_since(now)),
            _ => None,
        }
    }

    /// A service's place by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Id> {
        self.slots.iter().position(|slot| !slot.removed && slot.service.name == name)
    }

    /// Whether the container is going down.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.shutdown.is_some()
    }

    /// How far the boot is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match (self.begun, &self.shutdown) {
            (_, Some(_)) => Phase::Stopping,
            (true, None) => Phase::Running,
            (false, None) => Phase::Preparing,
        }
    }

    /// What can be told to anyone. Of a reload and of log files the machine knows nothing.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            schema: 1,
            phase: self.phase(),
            pid: i32::try_from(std::process::id()).unwrap_or_default(),
            uptime_ms: millis(now.saturating_duration_since(self.born)),
            services: self.visible().map(|slot| self.status(slot, now)).collect(),
            more: 0,
            reload: None,
        }
    }

    fn begin(&mut self, spec: Spec, now: Instant) {
        // A plan that comes when everything goes down already, or a second one, comes too late.
        if self.begun || self.shutdown.is_some() {
            return;
        }
        self.begun = true;
        self.budget = spec.shutdown;
        self.slots = spec.services.into_iter().map(|service| Slot::new(service, now)).collect();
        self.order = (0..self.slots.len()).collect();
    }

    fn status(&self, slot: &Slot, now: Instant) -> ServiceStatus {
        let waits = matches!(slot.state, State::Waiting);
        let waits_for = if waits { self.waits_for(slot).cloned().collect() } else { Vec::new() };
        ServiceStatus { waits_for, ..slot.status(now) }
    }

    /// Takes note of an answer.
    fn answered(&mut self, event: &Event) {
        let (Event::Launched(id, _)
        | Event::NotLaunched(id, _)
        | Event::Probing(id, _)
        | Event::NotProbing(id)
        | Event::Finishing(id, _)
        | Event::NotFinishing(id)
        | Event::Scheduled(id, _)) = event
        else {
            return;
        };
        if let Some(slot) = self.slots.get_mut(*id) {
            slot.unanswered = slot.unanswered.saturating_sub(1);
        }
    }

    /// Does all that has become possible or due.
    fn settle(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for id in 0..self.slots.len() {
            self.keep_deadline(id, now, actions);
        }
        if self.shutdown.is_some() {
            return self.settle_shutdown(now, actions);
        }
        for id in 0..self.slots.len() {
            self.keep_schedule(id, now, actions);
        }
        for id in 0..self.slots.len() {
            self.launch_if_due(id, now, actions);
        }
    }
}

/// The instant after this pause, a year at most.
fn later(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause.min(FOREVER)).unwrap_or(now)
}
