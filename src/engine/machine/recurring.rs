//! Services that are started by the clock: so long after their last start, or at set times of day.
//!
//! A service that is due while it still runs is left out that time. One that is due while it is tried again, or waits
//! for others, runs soon anyway. Times of day are the wall clock's, and that can be set; so a long wait for one is
//! asked for anew each hour. That is the only timer that devinit keeps without knowing of something to do then.

use std::time::{Duration, Instant};

use super::messages::{Action, Id, Report};
use super::slot::State;
use super::{Machine, later};
use crate::engine::spec::When;

/// How long an answer of the wall clock is believed.
const BELIEVED: Duration = Duration::from_secs(60 * 60);
/// Times of day are at least a minute apart. Who is due again sooner than this was woken before the time: the wall
/// clock was slowed down a little to set it right.
const SAME_TIME: Duration = Duration::from_secs(30);
/// Nothing is started by the clock more often than this.
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);

/// When a service is started by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nobody has found out.
    Unknown,
    /// `Action::Schedule` was given out and is not answered yet. `just_was`: because it was due right then; `outdated`:
    /// the answer will be about something else.
    Asked { just_was: bool, outdated: bool },
    /// Then.
    At(Instant),
    /// Then, but it is asked again before.
    Later { at: Instant, ask_at: Instant },
    /// At no time.
    Never,
}

impl Due {
    /// When it is due, as far as is known.
    pub(super) fn at(self) -> Option<Instant> {
        match self {
            Self::At(at) | Self::Later { at, .. } => Some(at),
            Self::Unknown | Self::Asked { .. } | Self::Never => None,
        }
    }

    pub(super) fn wakes_at(self) -> Option<Instant> {
        match self {
            Self::At(at) | Self::Later { ask_at: at, .. } => Some(at),
            Self::Unknown | Self::Asked { .. } | Self::Never => None,
        }
    }

    /// What was found out is of no use any more.
    pub(super) fn forget(&mut self) {
        *self = match self {
            Self::Asked { .. } => Self::Asked { just_was: false, outdated: true },
            _ => Self::Unknown,
        };
    }
}

impl Machine {
    /// The wall clock was asked.
    pub(super) fn scheduled(&mut self, id: Id, wait: Option<Duration>, now: Instant) {
        let stopping = self.shutdown.is_some();
        let Some(slot) = self.slots.get_mut(id) else { return };
        let Due::Asked { just_was, outdated } = slot.due else { return };
        slot.due = match wait {
            _ if stopping => Due::Never,
            _ if outdated => Due::Unknown,
            None => Due::Never,
            Some(wait) if just_was && wait < SAME_TIME => {
                let at = later(now, wait.saturating_add(SHORTEST_PERIOD));
                Due::Later { at, ask_at: at }
            }
            Some(wait) if wait > BELIEVED => Due::Later { at: later(now, wait), ask_at: later(now, BELIEVED) },
            Some(wait) => Due::At(later(now, wait)),
        };
    }

    /// Has a service be due when it is, and finds out when that is.
    pub(super) fn keep_schedule(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let period = match slot.service.when {
            When::Boot | When::Asked => return,
            When::Every(period) => Some(period),
            When::At(_) => None,
        };
        let rests = matches!(slot.state, State::Done | State::Stopped | State::Failed);
        if slot.removed || slot.successor.is_some() || rests {
            // Nobody wants it to run, or not as it is. Once someone does, it is asked anew.
            if !matches!(slot.due, Due::Asked { .. }) {
                slot.due = Due::Unknown;
            }
            return;
        }
        let mut just_was = false;
        if let Due::At(at) = slot.due
            && at <= now
        {
            just_was = true;
            slot.due = Due::Unknown;
            if slot.busy() {
                actions.push(Action::Report(Report::StillRuns(id)));
                slot.due = period.map_or(Due::Unknown, |period| Due::At(next(at, period, now)));
            } else if matches!(slot.state, State::Scheduled) {
                slot.failures = 0;
                slot.enter(State::Waiting, now);
            }
        }
        if period.is_some() {
            if matches!(slot.state, State::Scheduled) && slot.due == Due::Unknown {
                slot.enter(State::Waiting, now);
            }
            return;
        }
        if slot.due == Due::Unknown || matches!(slot.due, Due::Later { ask_at, .. } if ask_at <= now) {
            slot.due = Due::Asked { just_was, outdated: false };
            slot.unanswered = slot.unanswered.saturating_add(1);
            actions.push(Action::Schedule(id));
        }
    }
}

/// When a service that is started now is due again.
pub(super) fn after_start(when: &When, now: Instant) -> Option<Due> {
    match when {
        When::Every(period) => Some(Due::At(later(now, (*period).max(SHORTEST_PERIOD)))),
        When::Boot | When::Asked | When::At(_) => None,
    }
}

/// The first time after now, where it was due at `at` and is so again and again. It may have been noticed late.
fn next(at: Instant, period: Duration, now: Instant) -> Instant {
    let period = period.max(SHORTEST_PERIOD);
    let late = now.saturating_duration_since(at);
    let passed = late.as_nanos().checked_rem(period.as_nanos()).and_then(|nanos| u64::try_from(nanos).ok());
    later(now, period.saturating_sub(Duration::from_nanos(passed.unwrap_or(0))))
}
