//! From a process that was made to what follows its end.

use std::time::{Duration, Instant};

use nix::libc::SIGKILL;

use super::messages::{Action, End, Id, Next, Report};
use super::slot::{Look, Outcome, Slot, State, Then};
use super::{Machine, later};
use crate::engine::spec::{Backoff, By, FINISH_LIMIT, FINISHED_FOR_GOOD, Kind};
use crate::sys::Pid;

/// The pause before a new look, where the process that looked is gone.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Not even who asks for no pause at all is restarted without one.
const LEAST_PAUSE: Duration = Duration::from_millis(1);

impl Machine {
    pub(super) fn launched(&mut self, id: Id, pid: Pid, now: Instant, actions: &mut Vec<Action>) {
        self.forget_stale_group(pid);
        let stopping = self.shutdown.is_some();
        let uptime = now.saturating_duration_since(self.born);
        let Some(slot) = self.slots.get_mut(id) else { return };
        let State::Launching { then } = slot.state else { return };
        let oneshot = slot.service.kind == Kind::Oneshot;
        let ready = slot.service.ready.as_ref();
        if ready.is_none() && !oneshot {
            slot.ready_after.get_or_insert(uptime);
            let alive_by = slot.alive_by(now).filter(|_| !stopping);
            slot.enter(State::Ready { pid, alive_by }, now);
        } else {
            let looks = matches!(ready.map(|ready| &ready.by), Some(By::Probe(_))) && !oneshot && !stopping;
            let look = if looks { Look::Due(now) } else { Look::Unwanted };
            let limits = [ready.and_then(|ready| ready.timeout), slot.service.run_limit.filter(|_| oneshot)];
            let limit = limits.into_iter().flatten().min().filter(|_| !stopping);
            slot.enter(State::Starting { pid, look, deadline: limit.map(|limit| later(now, limit)) }, now);
        }
        // A shutdown has its own order.
        if let Some(then) = then
            && !stopping
        {
            self.stop(id, then, now, actions);
        }
    }

    /// The number of a group that has members is not given to anyone, so a group of old is gone once it is.
    fn forget_stale_group(&mut self, pid: Pid) {
        for slot in self.slots.iter_mut().filter(|slot| slot.stale_group == Some(pid)) {
            slot.stale_group = None;
        }
    }

    pub(super) fn probing(&mut self, id: Id, pid: Pid, actions: &mut Vec<Action>) {
        self.forget_stale_group(pid);
        match self.slots.get_mut(id).map(|slot| &mut slot.state) {
            Some(State::Starting { look: look @ Look::Asked, .. }) => *look = Look::Runs(pid),
            _ => actions.push(Action::EndProbe(pid)),
        }
    }

    pub(super) fn not_probing(&mut self, id: Id, now: Instant) {
        if let Some(State::Starting { look: look @ Look::Asked, .. }) =
            self.slots.get_mut(id).map(|slot| &mut slot.state)
        {
            *look = Look::Due(later(now, LOOK_AGAIN));
        }
    }

    /// There is a process of the finish command.
    pub(super) fn finishing(&mut self, id: Id, finisher: Pid, now: Instant) {
        self.forget_stale_group(finisher);
        let limit = self.in_shutdown(later(now, FINISH_LIMIT), now);
        if let Some(State::Finishing { pid, kill_at, .. }) = self.slots.get_mut(id).map(|slot| &mut slot.state) {
            (*pid, *kill_at) = (Some(finisher), Some(limit));
        }
    }

    pub(super) fn not_finishing(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        self.finished(id, None, now, actions);
    }

    /// The finish command has ended, or there never was one.
    fn finished(&mut self, id: Id, how: Option<&End>, now: Instant, actions: &mut Vec<Action>) {
        let Some(State::Finishing { end, then, .. }) = self.slots.get(id).map(|slot| &slot.state) else { return };
        let (end, then) = (end.clone(), *then);
        self.conclude(id, &end, then, how == Some(&End::Code(FINISHED_FOR_GOOD)), now, actions);
    }

    pub(super) fn process_ended(&mut self, pid: Pid, end: End, now: Instant, actions: &mut Vec<Action>) {
        let place = |of: fn(&Slot) -> Option<Pid>| self.slots.iter().position(|slot| of(slot) == Some(pid));
        if let Some(id) = place(Slot::pid) {
            self.ended(id, end, now, actions);
        } else if let Some(id) = place(Slot::finisher) {
            self.finished(id, Some(&end), now, actions);
        } else if let Some(id) = place(Slot::probe) {
            self.probe_ended(id, &end, now, actions);
        }
    }

    fn probe_ended(&mut self, id: Id, end: &End, now: Instant, actions: &mut Vec<Action>) {
        if *end == End::Code(0) {
            return self.is_up(id, now, actions);
        }
        if let Some(State::Starting { look, .. }) = self.slots.get_mut(id).map(|slot| &mut slot.state) {
            // It looks until it is up, so someone killed it.
            *look = Look::Due(later(now, LOOK_AGAIN));
        }
    }

    /// Something has told that a service is ready.
    pub(super) fn is_up(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        let uptime = now.saturating_duration_since(self.born);
        let Some(slot) = self.slots.get_mut(id) else { return };
        let State::Starting { pid, .. } = slot.state else { return };
        actions.push(Action::Report(Report::Ready(id, now.saturating_duration_since(slot.since))));
        slot.ready_after.get_or_insert(uptime);
        let alive_by = slot.alive_by(now);
        slot.enter(State::Ready { pid, alive_by }, now);
    }

    /// The main process of a service is gone, or there never was one.
    pub(super) fn ended(&mut self, id: Id, end: End, now: Instant, actions: &mut Vec<Action>) {
        // After the last SIGKILL nothing is begun any more.
        let over = self.shutdown.as_ref().is_some_and(super::Shutdown::has_killed);
        let Some(slot) = self.slots.get_mut(id) else { return };
        actions.extend(slot.probe().map(Action::EndProbe));
        if slot.service.kind == Kind::Daemon {
            slot.stale_group = slot.pid();
        }
        if matches!(slot.state, State::Ready { .. })
            && now.saturating_duration_since(slot.since) >= slot.service.backoff.stable
        {
            slot.failures = 0;
        }
        let then = match slot.state {
            State::Stopping { then, .. } => Some(then),
            State::Launching { then } => then,
            _ => None,
        };
        // "Killed by SIGTERM" alone would leave people wondering by whom.
        slot.last_end = Some(match slot.fault.take().filter(|_| then == Some(Then::Fail)) {
            Some(fault) => format!("{fault}, {end}"),
            None => end.to_string(),
        });
        slot.succeeded = false;
        let finish = slot.service.finish.is_some() && !matches!(end, End::NotExecuted(..)) && !over;
        if finish {
            slot.unanswered = slot.unanswered.saturating_add(1);
            slot.enter(State::Finishing { pid: None, kill_at: None, end: end.clone(), then }, now);
            actions.push(Action::Finish(id, end.clone()));
        }
        if self.shutdown.is_some() {
            self.decide_code(id, &end);
        }
        if let Some(slot) = self.slots.get_mut(id)
            && let Some(successor) = slot.successor.take()
        {
            slot.define(successor);
        }
        if !finish {
            self.conclude(id, &end, then, false, now, actions);
        }
    }

    /// Nothing of this run is left; here is decided what follows.
    fn conclude(
        &mut self,
        id: Id,
        end: &End,
        then: Option<Then>,
        for_good: bool,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let uptime = now.saturating_duration_since(self.born);
        let Some(slot) = self.slots.get_mut(id) else { return };
        if self.shutdown.is_some() {
            return slot.enter(State::Stopped, now);
        }
        let outcome = slot.outcome(end, then, for_good);
        let ends_container = slot.ends_container(outcome);
        let oneshot = slot.service.kind == Kind::Oneshot;
        let next = match outcome {
            Outcome::Asked(then) => {
                slot.enter(if then == Then::Rest { State::Stopped } else { State::Waiting }, now);
                None
            }
            Outcome::Done | Outcome::NextTime { succeeded: true } => {
                slot.failures = 0;
                slot.succeeded = true;
                slot.enter(if outcome == Outcome::Done { State::Done } else { State::Scheduled }, now);
                if oneshot {
                    slot.ready_after.get_or_insert(uptime);
                }
                (!oneshot).then_some(Next::Nothing)
            }
            Outcome::Retry => {
                slot.failures = slot.failures.saturating_add(1);
                let pause = pause_after(slot.failures, &slot.service.backoff);
                // Who has run for longer than the pause is missed, and hurts nobody by coming again at once.
                let until = later(slot.started.unwrap_or(now), pause);
                slot.enter(if until <= now { State::Waiting } else { State::BackingOff { until } }, now);
                Some(Next::Restart(pause))
            }
            Outcome::NextTime { succeeded: false } => {
                slot.failures = 0;
                slot.enter(State::Scheduled, now);
                Some(Next::Later)
            }
            Outcome::Failed => {
                slot.failures = slot.failures.saturating_add(1);
                slot.enter(State::Failed, now);
                Some(Next::GivenUp)
            }
        };
        actions.extend(next.map(|next| Action::Report(Report::Ended(id, end.clone(), next))));
        if ends_container {
            let reason = format!("{} ended ({end})", slot.service.name);
            return self.begin_shutdown(reason, Some(end.code()), None, now, actions);
        }
        if outcome == Outcome::Asked(Then::Anew) {
            slot.begin(now);
        }
    }

    /// Does what is due about a service that runs, or did.
    pub(super) fn keep_deadline(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let took = now.saturating_duration_since(slot.since);
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        match &mut slot.state {
            State::Stopping { pid, kill_at, .. } if is_due(*kill_at) => {
                *kill_at = None;
                actions.push(Action::Report(Report::StopTimeout(id, took)));
                actions.push(Action::SignalGroup(*pid, SIGKILL));
            }
            State::Finishing { pid: Some(pid), kill_at, .. } if is_due(*kill_at) => {
                *kill_at = None;
                actions.push(Action::Report(Report::FinishTimeout(id)));
                actions.push(Action::SignalGroup(*pid, SIGKILL));
            }
            State::Starting { deadline, .. } if is_due(*deadline) => {
                let oneshot = slot.service.kind == Kind::Oneshot;
                let why = if oneshot { Report::RunTimeout(id, took) } else { Report::NotReady(id, took) };
                actions.push(Action::Report(why));
                slot.fault = Some(if oneshot { "ran for too long" } else { "not ready in time" });
                self.stop(id, Then::Fail, now, actions);
            }
            State::Starting { look, .. } if look.is_due(now) => {
                *look = Look::Asked;
                slot.unanswered = slot.unanswered.saturating_add(1);
                actions.push(Action::Probe(id));
            }
            State::BackingOff { until } if *until <= now => slot.enter(State::Waiting, now),
            _ => {}
        }
    }
}

/// The pause after this many failures in a row: from one start to the next.
#[must_use]
pub fn pause_after(failures: u32, backoff: &Backoff) -> Duration {
    let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let first = backoff.first.max(LEAST_PAUSE);
    first.saturating_mul(factor).min(backoff.longest.max(LEAST_PAUSE))
}
