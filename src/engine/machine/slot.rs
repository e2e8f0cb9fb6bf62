//! One service, as far as the machine has got with it.

use std::time::{Duration, Instant};

use super::later;
use super::messages::End;
use super::recurring::Due;
use crate::engine::snapshot::{ServiceState, ServiceStatus};
use crate::engine::spec::{Kind, Restart, Service, When};
use crate::sys::Pid;

#[derive(Clone, Debug)]
pub(super) enum State {
    /// For what it comes after; a stand-in: for being needed.
    Waiting,
    /// `Action::Launch` was given out and is not answered yet. If there is a `then`, the process has to go as soon as
    /// it is there.
    Launching { then: Option<Then> },
    /// Runs. A oneshot never gets further than this while it runs.
    Starting { pid: Pid, look: Look, deadline: Option<Instant> },
    /// Runs, and others may count on it; it has to say that it is alive before `alive_by`.
    Ready { pid: Pid, alive_by: Option<Instant> },
    /// Was asked to end. Once SIGKILL was sent, there is no `kill_at`.
    Stopping { pid: Pid, kill_at: Option<Instant>, then: Then },
    /// Ended in this way, and its finish command runs; there is no process of it until `Action::Finish` is answered.
    /// Without a `then` nobody had asked it to end. Once SIGKILL was sent, there is no `kill_at`.
    Finishing { pid: Option<Pid>, kill_at: Option<Instant>, end: End, then: Option<Then> },
    /// Ended, and waits to be started again.
    BackingOff { until: Instant },
    /// Waits for its next time.
    Scheduled,
    /// Ended by itself, as it should.
    Done,
    /// Down because someone wanted it to be, or because nobody has asked for it yet.
    Stopped,
    /// Ended as it should not, once too often.
    Failed,
}

/// How far the look is that tells whether a service is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nobody needs to know, or it says so itself.
    Unwanted,
    /// A process for it is wanted, from this moment on.
    Due(Instant),
    /// `Action::Probe` was given out and is not answered yet.
    Asked,
    /// This process looks.
    Runs(Pid),
}

impl Look {
    pub(super) fn is_due(self, now: Instant) -> bool {
        matches!(self, Self::Due(at) if at <= now)
    }
}

/// What follows a stop that the machine asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It stays down.
    Rest,
    /// It starts again once it is due.
    Again,
    /// It begins like a new one, after a reload.
    Anew,
    /// It counts as a failure: it was not ready in time, or did not live, or ran for too long.
    Fail,
}

/// What follows the end of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// What was asked for.
    Asked(Then),
    /// It succeeded and stays down.
    Done,
    /// It failed, or is restarted whatever its end, and is tried again.
    Retry,
    /// It waits for its next time.
    NextTime { succeeded: bool },
    /// It is given up.
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) service: Service,
    /// What it is from the end of its process on, after a reload.
    pub(super) successor: Option<Service>,
    /// It is not in the spec any more: nobody sees it, and its place is free once nothing of it is left.
    pub(super) removed: bool,
    pub(super) state: State,
    /// When it got into this state.
    pub(super) since: Instant,
    /// When it was started last.
    pub(super) started: Option<Instant>,
    /// How long after the machine's birth it was ready first.
    pub(super) ready_after: Option<Duration>,
    /// Failures in a row.
    pub(super) failures: u32,
    pub(super) restarts: u32,
    /// How it ended last, in words.
    pub(super) last_end: Option<String>,
    /// Why it is asked to end, where that makes its end a failure.
    pub(super) fault: Option<&'static str>,
    /// Whether its last run was a success, for those that come after a oneshot which runs again and again.
    pub(super) succeeded: bool,
    /// The process of an earlier run, whose group may not be empty yet.
    pub(super) stale_group: Option<Pid>,
    /// When it is started by the clock.
    pub(super) due: Due,
    /// How often it has to say that it is alive.
    pub(super) alive_every: Option<Duration>,
    /// Its silence was overlooked once, and it has said nothing since.
    pub(super) spared: bool,
    /// What it said of itself last.
    pub(super) text: Option<String>,
    /// Actions that are not answered yet.
    pub(super) unanswered: u32,
}

impl Slot {
    pub(super) fn new(service: Service, now: Instant) -> Self {
        Self {
            state: first_state(&service),
            service,
            successor: None,
            removed: false,
            since: now,
            started: None,
            ready_after: None,
            failures: 0,
            restarts: 0,
            last_end: None,
            fault: None,
            succeeded: false,
            stale_group: None,
            due: Due::Unknown,
            alive_every: None,
            spared: false,
            text: None,
            unanswered: 0,
        }
    }

    pub(super) fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.since = now;
    }

    /// Begins like a service that is new.
    pub(super) fn begin(&mut self, now: Instant) {
        self.succeeded = false;
        self.enter(first_state(&self.service), now);
    }

    /// Gives it another definition, while it does not run.
    pub(super) fn define(&mut self, service: Service) {
        self.service = service;
        self.due.forget();
    }

    /// What it is, or will be as soon as its process is gone.
    pub(super) fn wanted(&self) -> &Service {
        self.successor.as_ref().unwrap_or(&self.service)
    }

    /// Its main process.
    pub(super) fn pid(&self) -> Option<Pid> {
        match self.state {
            State::Starting { pid, .. } | State::Ready { pid, .. } | State::Stopping { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// The process that looks whether it is ready.
    pub(super) fn probe(&self) -> Option<Pid> {
        match self.state {
            State::Starting { look: Look::Runs(pid), .. } => Some(pid),
            _ => None,
        }
    }

    /// The process of its finish command.
    pub(super) fn finisher(&self) -> Option<Pid> {
        match self.state {
            State::Finishing { pid, .. } => pid,
            _ => None,
        }
    }

    pub(super) fn runs(&self) -> bool {
        self.pid().is_some() || matches!(self.state, State::Launching { .. })
    }

    /// Whether something of it goes on: its process, or what follows its end.
    pub(super) fn busy(&self) -> bool {
        self.runs() || matches!(self.state, State::Finishing { .. })
    }

    /// Whether its place may be given to another one.
    pub(super) fn vacant(&self) -> bool {
        self.removed && !self.busy() && self.unanswered == 0
    }

    /// Whether a shutdown has to wait for its end. It does not wait for what SIGKILL was sent to: that ends at once, or
    /// it hangs in the kernel and nobody knows for how long.
    pub(super) fn holds_up_shutdown(&self) -> bool {
        let killed = matches!(
            self.state,
            State::Stopping { kill_at: None, .. } | State::Finishing { pid: Some(_), kill_at: None, .. }
        );
        self.busy() && !killed
    }

    pub(super) fn ready(&self) -> bool {
        match self.service.kind {
            Kind::Oneshot => match self.state {
                State::Done => true,
                State::Scheduled => self.succeeded,
                _ => false,
            },
            Kind::Daemon => matches!(self.state, State::Ready { .. }),
        }
    }

    pub(super) fn settled(&self) -> bool {
        match self.state {
            State::Done | State::Stopped | State::Failed => true,
            State::Scheduled => self.last_end.is_some(),
            _ => self.ready(),
        }
    }

    pub(super) fn recurring(&self) -> bool {
        matches!(self.service.when, When::Every(_) | When::At(_))
    }

    /// What follows this end of it, where its finish command has (or would have) nothing to say but `for_good`.
    pub(super) fn outcome(&self, end: &End, then: Option<Then>, for_good: bool) -> Outcome {
        match then {
            _ if self.removed => return Outcome::Asked(Then::Rest),
            Some(then @ (Then::Rest | Then::Again | Then::Anew)) => return Outcome::Asked(then),
            Some(Then::Fail) | None => {}
        }
        let succeeded = *end == End::Code(0) && then.is_none();
        let again = match self.service.restart {
            Restart::Never => false,
            Restart::OnFailure => !succeeded,
            Restart::Always => !(self.service.kind == Kind::Oneshot && succeeded),
        };
        let failures = self.failures.saturating_add(1);
        let retried = again && self.service.backoff.give_up_after.is_none_or(|limit| failures < limit);
        match (succeeded && !again, for_good) {
            (true, false) if self.recurring() => Outcome::NextTime { succeeded },
            (true, _) => Outcome::Done,
            (false, true) => Outcome::Failed,
            (false, false) if retried => Outcome::Retry,
            (false, false) if self.recurring() => Outcome::NextTime { succeeded: false },
            (false, false) => Outcome::Failed,
        }
    }

    /// Whether the container ends with it, if this follows its end.
    pub(super) fn ends_container(&self, outcome: Outcome) -> bool {
        self.service.critical
            && match outcome {
                Outcome::Failed => true,
                Outcome::Done => self.service.kind == Kind::Daemon,
                Outcome::Asked(_) | Outcome::Retry | Outcome::NextTime { .. } => false,
            }
    }

    /// When it has to say again that it is alive.
    pub(super) fn alive_by(&self, now: Instant) -> Option<Instant> {
        self.alive_every.map(|every| later(now, every))
    }

    /// When something has to be done about it, if nothing happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = match self.state {
            State::Starting { look: Look::Due(at), deadline, .. } => Some(deadline.map_or(at, |other| other.min(at))),
            State::Starting { deadline, .. } => deadline,
            State::Ready { alive_by, .. } => alive_by,
            State::Stopping { kill_at, .. } | State::Finishing { kill_at, .. } => kill_at,
            State::BackingOff { until } => Some(until),
            _ => None,
        };
        state.into_iter().chain(self.due.wakes_at()).min()
    }

    /// The state as others are told it.
    pub(super) fn shown(&self) -> ServiceState {
        match self.state {
            State::Waiting => ServiceState::Waiting,
            State::Launching { .. } | State::Starting { .. } => ServiceState::Starting,
            State::Ready { .. } => ServiceState::Ready,
            State::Stopping { .. } | State::Finishing { .. } => ServiceState::Stopping,
            State::BackingOff { .. } => ServiceState::BackingOff,
            State::Scheduled => ServiceState::Scheduled,
            State::Done => ServiceState::Done,
            State::Stopped => ServiceState::Stopped,
            State::Failed => ServiceState::Failed,
        }
    }

    /// What others are told, but for whom it waits for.
    pub(super) fn status(&self, now: Instant) -> ServiceStatus {
        let next = match self.state {
            State::BackingOff { until } => Some(until),
            State::Scheduled => self.due.at(),
            _ => None,
        };
        ServiceStatus {
            name: self.service.name.clone(),
            kind: self.service.kind,
            critical: self.service.critical,
            state: self.shown(),
            pid: self.pid(),
            since_ms: millis(now.saturating_duration_since(self.since)),
            ready_after_ms: self.ready_after.map(millis),
            restarts: self.restarts,
            last_end: self.last_end.clone(),
            stand_in: self.service.stands_in_for.is_some(),
            manual: self.service.when == When::Asked,
            waits_for: Vec::new(),
            next_ms: next.map(|at| millis(at.saturating_duration_since(now))),
            text: self.text.clone(),
            log: None,
        }
    }
}

fn first_state(service: &Service) -> State {
    match service.when {
        When::Boot | When::Every(_) => State::Waiting,
        When::Asked => State::Stopped,
        When::At(_) => State::Scheduled,
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
