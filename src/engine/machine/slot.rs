//! One service, as far as the machine has got with it.

use std::time::{Duration, Instant};

use super::messages::End;
use crate::engine::snapshot::{ServiceState, ServiceStatus};
use crate::engine::spec::{Kind, Service, When};
use crate::sys::Pid;

#[derive(Clone, Debug)]
pub(super) enum State {
    /// For what it comes after; a stand-in: for being needed.
    Waiting,
    /// `Action::Launch` was given out and is not answered yet. If `stop`, the process has to go as soon as it is there.
    Launching { stop: bool },
    /// Runs. A oneshot never gets further than this while it runs.
    Starting { pid: Pid, look: Look, deadline: Option<Instant> },
    /// Runs, and others may count on it.
    Ready { pid: Pid },
    /// Was asked to end. Once SIGKILL was sent, there is no `kill_at`.
    Stopping { pid: Pid, kill_at: Option<Instant>, then: Then },
    /// Ended, and waits to be started again.
    BackingOff { until: Instant },
    /// Ended by itself, as it should.
    Done,
    /// Down because someone wanted it to be.
    Stopped,
    /// Ended as it should not, once too often.
    Failed,
}

/// How far the look is that tells whether a service is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nobody needs to know.
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
    /// It counts as a failure: it was not ready in time.
    Fail,
}

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) service: Service,
    pub(super) state: State,
    /// When it got into this state.
    pub(super) since: Instant,
    /// How long after the machine's birth it was ready first.
    pub(super) ready_after: Option<Duration>,
    /// Failures in a row.
    pub(super) failures: u32,
    pub(super) restarts: u32,
    pub(super) last_end: Option<End>,
    /// The process of an earlier run, whose group may not be empty yet.
    pub(super) stale_group: Option<Pid>,
}

impl Slot {
    pub(super) fn new(service: Service, now: Instant) -> Self {
        Self {
            service,
            state: State::Waiting,
            since: now,
            ready_after: None,
            failures: 0,
            restarts: 0,
            last_end: None,
            stale_group: None,
        }
    }

    pub(super) fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.since = now;
    }

    /// Its main process.
    pub(super) fn pid(&self) -> Option<Pid> {
        match self.state {
            State::Starting { pid, .. } | State::Ready { pid } | State::Stopping { pid, .. } => Some(pid),
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

    pub(super) fn runs(&self) -> bool {
        self.pid().is_some() || matches!(self.state, State::Launching { .. })
    }

    /// Whether a shutdown has to wait for its end. It does not wait for what SIGKILL was sent to: that ends at once, or
    /// it hangs in the kernel and nobody knows for how long.
    pub(super) fn holds_up_shutdown(&self) -> bool {
        self.runs() && !matches!(self.state, State::Stopping { kill_at: None, .. })
    }

    pub(super) fn ready(&self) -> bool {
        match self.service.kind {
            Kind::Oneshot => matches!(self.state, State::Done),
            Kind::Daemon => matches!(self.state, State::Ready { .. }),
        }
    }

    pub(super) fn settled(&self) -> bool {
        self.ready() || matches!(self.state, State::Done | State::Stopped | State::Failed)
    }

    /// When something has to be done about it, if nothing happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Starting { look: Look::Due(at), deadline, .. } => Some(deadline.map_or(at, |other| other.min(at))),
            State::Starting { deadline, .. } => deadline,
            State::Stopping { kill_at, .. } => kill_at,
            State::BackingOff { until } => Some(until),
            _ => None,
        }
    }

    /// The state as others are told it.
    pub(super) fn shown(&self) -> ServiceState {
        match self.state {
            State::Waiting => ServiceState::Waiting,
            State::Launching { .. } | State::Starting { .. } => ServiceState::Starting,
            State::Ready { .. } => ServiceState::Ready,
            State::Stopping { .. } => ServiceState::Stopping,
            State::BackingOff { .. } => ServiceState::BackingOff,
            State::Done => ServiceState::Done,
            State::Stopped => ServiceState::Stopped,
            State::Failed => ServiceState::Failed,
        }
    }

    pub(super) fn status(&self, now: Instant) -> ServiceStatus {
        ServiceStatus {
            name: self.service.name.clone(),
            kind: self.service.kind,
            critical: self.service.critical,
            state: self.shown(),
            pid: self.pid(),
            since_ms: millis(now.saturating_duration_since(self.since)),
            ready_after_ms: self.ready_after.map(millis),
            restarts: self.restarts,
            last_end: self.last_end.as_ref().map(ToString::to_string),
            stand_in: self.service.stands_in_for.is_some(),
            manual: self.service.when == When::Asked,
            waits_for: Vec::new(),
            next_ms: None,
            text: None,
            log: None,
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
