//! The supervisor as a pure state machine: no system call, no clock, no randomness.
//!
//! The shell around it ([`super::run`]) turns signals, exits and requests into [`Event`]s and carries out the
//! [`Action`]s. Every rule of starting, restarting and stopping is here, so all of them are tested by replaying events.
//!
//! A service goes through these states while it runs:
//!
//! ```text
//!            due                process made               it is up
//!  Waiting ───────▶ Launching ────────────────▶ Starting ────────────▶ Ready
//!     ▲                                            │                     │
//!     │ pause over                                 └──────────┬──────────┘
//!     │                                                       ▼ asked to end
//!  BackingOff                                              Stopping
//! ```
//!
//! and is in one of these after its end:
//!
//! ```text
//!  it was asked to end, and is to stay down                                Stopped
//!  it was asked to end, and is to come again (or: to stand in again)       Waiting
//!  it ended by itself with 0, and is not restarted after a success         Done
//!  it failed, or is restarted whatever its end  ┬─ and is tried again      BackingOff
//!                                               └─ once too often          Failed
//! ```
//!
//! A process that could not be made has failed; so has one that was asked to end because it was not ready in time.
//! Without a probe a service is Ready as soon as there is a process. A oneshot never is: it is Starting until it ends,
//! and others may count on it once it is Done.
//!
//! A request to stop takes Waiting and BackingOff to Stopped at once; while Launching, it is carried out as soon as
//! there is a process. A request to start takes BackingOff, Done, Stopped and Failed to Waiting. How all of it goes
//! down together is told in `shutdown.rs`.

mod messages;
mod shutdown;
mod slot;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use nix::libc::SIGKILL;

pub use self::messages::{Action, End, Event, Id, Next, Notice, Report, Request};
use self::shutdown::Shutdown;
use self::slot::{Look, Slot, State, Then, millis};
use super::snapshot::{Phase, Snapshot};
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
/// The pause before a new look, where the process that looked is gone.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
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
            shutdown: None,
            exited: false,
        }
    }

    /// Takes in an event and says what is to be done, in this order.
    ///
    /// The answers to the actions have to come in the order in which the actions were given out.
    pub fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.exited {
            return actions;
        }
        match event {
            Event::Begin(spec) => self.begin(spec, now),
            Event::Launched(id, pid) => self.launched(id, pid, now, &mut actions),
            Event::NotLaunched(id, why) => self.ended(id, End::NotExecuted(126, why), now, &mut actions),
            Event::Probing(id, pid) => self.probing(id, pid, &mut actions),
            Event::NotProbing(id) => self.not_probing(id, now),
            Event::Ended(pid, end) => self.process_ended(pid, end, now, &mut actions),
            Event::Signal(signal) => self.signal(signal, now, &mut actions),
            Event::Alone => self.alone(&mut actions),
            Event::Request(request) => self.request(&request, now, &mut actions),
            Event::Finishing(..)
            | Event::NotFinishing(_)
            | Event::Notified(..)
            | Event::Scheduled(..)
            | Event::Reload(_)
            | Event::Tick => {}
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
        Snapshot {
            schema: 1,
            phase: match (self.begun, &self.shutdown) {
                (_, Some(_)) => Phase::Stopping,
                (true, None) => Phase::Running,
                (false, None) => Phase::Preparing,
            },
            pid: i32::try_from(std::process::id()).unwrap_or_default(),
            uptime_ms: millis(now.saturating_duration_since(self.born)),
            services: self.slots.iter().map(|slot| slot.status(now)).collect(),
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
    }

    fn launched(&mut self, id: Id, pid: Pid, now: Instant, actions: &mut Vec<Action>) {
        // The number of a group that has members is not given to anyone, so the group of old is gone.
        for slot in self.slots.iter_mut().filter(|slot| slot.stale_group == Some(pid)) {
            slot.stale_group = None;
        }
        let stopping = self.shutdown.is_some();
        let uptime = now.saturating_duration_since(self.born);
        let Some(slot) = self.slots.get_mut(id) else { return };
        let State::Launching { stop } = slot.state else { return };
        let oneshot = slot.service.kind == Kind::Oneshot;
        match &slot.service.ready {
            None if !oneshot => {
                slot.ready_after.get_or_insert(uptime);
                slot.enter(State::Ready { pid }, now);
            }
            readiness => {
                let look = if oneshot || stopping { Look::Unwanted } else { Look::Due(now) };
                let timeout = readiness.as_ref().and_then(|readiness| readiness.timeout);
                let deadline = timeout.filter(|_| !stopping).map(|timeout| later(now, timeout));
                slot.enter(State::Starting { pid, look, deadline }, now);
            }
        }
        // A shutdown has its own order.
        if stop && !stopping {
            self.stop(id, Then::Rest, now, actions);
        }
    }

    fn probing(&mut self, id: Id, pid: Pid, actions: &mut Vec<Action>) {
        match self.slots.get_mut(id).map(|slot| &mut slot.state) {
            Some(State::Starting { look: look @ Look::Asked, .. }) => *look = Look::Runs(pid),
            _ => actions.push(Action::EndProbe(pid)),
        }
    }

    fn not_probing(&mut self, id: Id, now: Instant) {
        if let Some(State::Starting { look: look @ Look::Asked, .. }) =
            self.slots.get_mut(id).map(|slot| &mut slot.state)
        {
            *look = Look::Due(later(now, LOOK_AGAIN));
        }
    }

    fn process_ended(&mut self, pid: Pid, end: End, now: Instant, actions: &mut Vec<Action>) {
        if let Some(id) = self.slots.iter().position(|slot| slot.pid() == Some(pid)) {
            self.ended(id, end, now, actions);
        } else if let Some(id) = self.slots.iter().position(|slot| slot.probe() == Some(pid)) {
            self.probe_ended(id, &end, now, actions);
        }
    }

    fn probe_ended(&mut self, id: Id, end: &End, now: Instant, actions: &mut Vec<Action>) {
        let uptime = now.saturating_duration_since(self.born);
        let Some(slot) = self.slots.get_mut(id) else { return };
        let State::Starting { pid, look, .. } = &mut slot.state else { return };
        if *end != End::Code(0) {
            // It looks until it is up, so someone killed it.
            *look = Look::Due(later(now, LOOK_AGAIN));
            return;
        }
        actions.push(Action::Report(Report::Ready(id, now.saturating_duration_since(slot.since))));
        slot.ready_after.get_or_insert(uptime);
        let pid = *pid;
        slot.enter(State::Ready { pid }, now);
    }

    /// The main process of a service is gone, or there never was one.
    fn ended(&mut self, id: Id, end: End, now: Instant, actions: &mut Vec<Action>) {
        let uptime = now.saturating_duration_since(self.born);
        let Some(slot) = self.slots.get_mut(id) else { return };
        actions.extend(slot.probe().map(Action::EndProbe));
        let oneshot = slot.service.kind == Kind::Oneshot;
        if !oneshot {
            slot.stale_group = slot.pid();
        }
        if matches!(slot.state, State::Ready { .. }) && now.saturating_duration_since(slot.since) >= STABLE {
            slot.failures = 0;
        }
        let then = match slot.state {
            State::Stopping { then, .. } => Some(then),
            State::Launching { stop: true } => Some(Then::Rest),
            _ => None,
        };
        slot.last_end = Some(end.clone());

        if self.shutdown.is_some() {
            slot.enter(State::Stopped, now);
            return self.decide_code(id, &end);
        }
        match then {
            Some(Then::Rest) => return slot.enter(State::Stopped, now),
            Some(Then::Again) => return slot.enter(State::Waiting, now),
            Some(Then::Fail) | None => {}
        }
        let succeeded = end == End::Code(0) && then.is_none();
        let again = match slot.service.restart {
            Restart::Never => false,
            Restart::OnFailure => !succeeded,
            Restart::Always => !(oneshot && succeeded),
        };
        if succeeded && !again {
            slot.enter(State::Done, now);
            if oneshot {
                slot.ready_after.get_or_insert(uptime);
                return;
            }
            actions.push(Action::Report(Report::Ended(id, end.clone(), Next::Nothing)));
        } else {
            slot.failures = slot.failures.saturating_add(1);
            if again && slot.service.backoff.give_up_after.is_none_or(|limit| slot.failures < limit) {
                let pause = pause_after(slot.failures);
                slot.enter(State::BackingOff { until: later(now, pause) }, now);
                return actions.push(Action::Report(Report::Ended(id, end.clone(), Next::Restart(pause))));
            }
            slot.enter(State::Failed, now);
            actions.push(Action::Report(Report::Ended(id, end.clone(), Next::GivenUp)));
        }
        if slot.service.critical {
            let reason = format!("{} ended ({end})", slot.service.name);
            self.begin_shutdown(reason, Some(end.code()), None, now, actions);
        }
    }

    fn request(&mut self, request: &Request, now: Instant, actions: &mut Vec<Action>) {
        if self.shutdown.is_some() {
            return;
        }
        let (Request::Start(id) | Request::Stop(id) | Request::Restart(id)) = *request;
        let Some(slot) = self.slots.get_mut(id) else { return };
        if !matches!(request, Request::Stop(_)) {
            slot.failures = 0;
        }
        match (request, &mut slot.state) {
            (Request::Stop(_), State::Waiting | State::BackingOff { .. }) => slot.enter(State::Stopped, now),
            (Request::Stop(_), State::Done | State::Stopped | State::Failed) => {}
            (Request::Stop(_), State::Launching { stop }) => *stop = true,
            (Request::Stop(_), _) => self.stop(id, Then::Rest, now, actions),

            (_, State::BackingOff { .. } | State::Done | State::Stopped | State::Failed) => {
                slot.enter(State::Waiting, now);
            }
            (_, State::Waiting) => {}
            (_, State::Launching { stop }) => *stop = false,
            (_, State::Stopping { then, .. }) => *then = Then::Again,
            (Request::Start(_), State::Starting { .. } | State::Ready { .. }) => {}
            (Request::Restart(_), State::Starting { .. } | State::Ready { .. }) => {
                self.stop(id, Then::Again, now, actions);
            }
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
            self.launch_if_due(id, now, actions);
        }
    }

    fn keep_deadline(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let took = now.saturating_duration_since(slot.since);
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        match &mut slot.state {
            State::Stopping { pid, kill_at, .. } if is_due(*kill_at) => {
                *kill_at = None;
                actions.push(Action::Report(Report::StopTimeout(id, took)));
                actions.push(Action::SignalGroup(*pid, SIGKILL));
            }
            State::Starting { deadline, .. } if is_due(*deadline) => {
                actions.push(Action::Report(Report::NotReady(id, took)));
                self.stop(id, Then::Fail, now, actions);
            }
            State::Starting { look, .. } if look.is_due(now) => {
                *look = Look::Asked;
                actions.push(Action::Probe(id));
            }
            State::BackingOff { until } if *until <= now => slot.enter(State::Waiting, now),
            _ => {}
        }
    }

    fn launch_if_due(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        if !self.slots.get(id).is_some_and(|slot| self.due(slot, now)) || !self.clear_stand_ins(id, now, actions) {
            return;
        }
        let Some(slot) = self.slots.get_mut(id) else { return };
        if let Some(group) = slot.stale_group.take() {
            actions.push(Action::SignalGroup(group, SIGKILL));
        }
        if slot.last_end.is_some() {
            slot.restarts = slot.restarts.saturating_add(1);
        }
        slot.enter(State::Launching { stop: false }, now);
        actions.push(Action::Launch(id));
    }

    fn due(&self, slot: &Slot, now: Instant) -> bool {
        let wanted = |other: &String| self.slot_named(other).is_none_or(|other| self.wants_stand_in(other, now));
        matches!(slot.state, State::Waiting)
            && self.prerequisites_met(slot)
            && slot.service.stands_in_for.as_ref().is_none_or(wanted)
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
            State::Done | State::Stopped | State::Failed => true,
            _ => false,
        }
    }

    /// Asks everyone who stands in for this service to go. True once nobody does.
    fn clear_stand_ins(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) -> bool {
        let Some(name) = self.service(id).map(|service| service.name.clone()) else { return false };
        let mut clear = true;
        for other in 0..self.slots.len() {
            let stands_in = |slot: &&Slot| slot.service.stands_in_for.as_deref() == Some(name.as_str()) && slot.runs();
            let Some(slot) = self.slots.get(other).filter(stands_in) else { continue };
            clear = false;
            // One that is being stopped already may have been told to stay away.
            if matches!(slot.state, State::Starting { .. } | State::Ready { .. }) {
                self.stop(other, Then::Again, now, actions);
            }
        }
        clear
    }
}

/// The pause after this many failures in a row.
#[must_use]
pub fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

/// The instant after this pause, a year at most.
fn later(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause.min(FOREVER)).unwrap_or(now)
}
