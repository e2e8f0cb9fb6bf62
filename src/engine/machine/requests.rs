//! What can be asked for: a service runs, ends, or runs anew.

use std::time::Instant;

use super::Machine;
use super::messages::{Action, Id, Request};
use super::slot::{State, Then};

impl Machine {
    pub(super) fn request(&mut self, request: &Request, now: Instant, actions: &mut Vec<Action>) {
        let (Request::Start(id) | Request::Stop(id) | Request::Restart(id)) = *request;
        if self.shutdown.is_some() || self.slots.get(id).is_none_or(|slot| slot.removed) {
            return;
        }
        match request {
            Request::Stop(_) => return self.rest(id, now, actions),
            Request::Start(_) => self.run_again(id, now),
            Request::Restart(_) => {
                self.run_again(id, now);
                if self
                    .slots
                    .get(id)
                    .is_some_and(|slot| matches!(slot.state, State::Starting { .. } | State::Ready { .. }))
                {
                    self.stop(id, Then::Again, now, actions);
                }
            }
        }
        self.start_prerequisites(id, now);
    }

    /// Has it end and stay down.
    pub(super) fn rest(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        match &mut slot.state {
            State::Waiting | State::BackingOff { .. } | State::Scheduled => slot.enter(State::Stopped, now),
            State::Done | State::Stopped | State::Failed => {}
            State::Launching { then } | State::Finishing { then, .. } => *then = Some(Then::Rest),
            State::Starting { .. } | State::Ready { .. } | State::Stopping { .. } => {
                self.stop(id, Then::Rest, now, actions);
            }
        }
    }

    /// Has it run, if it does not, as soon as it can.
    fn run_again(&mut self, id: Id, now: Instant) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.failures = 0;
        match &mut slot.state {
            State::BackingOff { .. } | State::Scheduled | State::Done | State::Stopped | State::Failed => {
                slot.enter(State::Waiting, now);
            }
            State::Waiting | State::Starting { .. } | State::Ready { .. } => {}
            // What is being made is of the old kind.
            State::Launching { then } => *then = slot.successor.as_ref().map(|_| Then::Again),
            State::Stopping { then, .. } => *then = Then::Again,
            State::Finishing { then, .. } => *then = Some(Then::Again),
        }
    }

    /// Starts what a service comes after, and what that comes after, where it is down and would stay so.
    fn start_prerequisites(&mut self, id: Id, now: Instant) {
        let mut found = vec![id];
        let mut at = 0;
        while let Some(slot) = found.get(at).and_then(|id| self.slots.get(*id)) {
            at += 1;
            let names = slot.wanted().after.iter();
            let more: Vec<Id> = names.filter_map(|name| self.find(name)).filter(|id| !found.contains(id)).collect();
            found.extend(more);
        }
        for id in found.into_iter().skip(1) {
            let Some(slot) = self.slots.get(id) else { continue };
            let rests = match slot.state {
                State::Scheduled | State::Done | State::Stopped | State::Failed => !slot.ready(),
                State::Launching { then } | State::Finishing { then, .. } => then == Some(Then::Rest),
                State::Stopping { then, .. } => then == Then::Rest,
                State::Waiting | State::Starting { .. } | State::Ready { .. } | State::BackingOff { .. } => false,
            };
            if rests {
                self.run_again(id, now);
            }
        }
    }
}
