//! Who may start: what a service waits for, and who stands in for whom.

use std::time::{Duration, Instant};

use nix::libc::SIGKILL;

use super::messages::{Action, Id};
use super::slot::{Slot, State, Then};
use super::{Machine, recurring};

/// A stand-in does not bother to step in for a shorter pause than this.
const WORTH_STANDING_IN: Duration = Duration::from_secs(2);

impl Machine {
    pub(super) fn launch_if_due(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        if !self.slots.get(id).is_some_and(|slot| self.may_start(slot, now)) || !self.clear_stand_ins(id, now, actions)
        {
            return;
        }
        let Some(slot) = self.slots.get_mut(id) else { return };
        if let Some(group) = slot.stale_group.take() {
            actions.push(Action::SignalGroup(group, SIGKILL));
        }
        // A run whose time has come is no restart.
        if slot.last_end.is_some() && (!slot.recurring() || slot.failures > 0) {
            slot.restarts = slot.restarts.saturating_add(1);
        }
        slot.text = None;
        slot.alive_every = slot.service.watchdog;
        slot.spared = false;
        if let Some(due) = recurring::after_start(&slot.service.when, now) {
            slot.due = due;
        }
        slot.unanswered = slot.unanswered.saturating_add(1);
        slot.enter(State::Launching { then: None }, now);
        slot.started = Some(now);
        actions.push(Action::Launch(id));
    }

    fn may_start(&self, slot: &Slot, now: Instant) -> bool {
        matches!(slot.state, State::Waiting)
            && self.waits_for(slot).next().is_none()
            && slot.service.stands_in_for.as_ref().is_none_or(|name| self.is_missing(name, now))
    }

    fn slot_named(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| !slot.removed && slot.service.name == name)
    }

    /// What has to be ready, or settled, before this service can start, and is not.
    pub(super) fn waits_for<'a>(&'a self, slot: &'a Slot) -> impl Iterator<Item = &'a String> {
        let met = |name: &str, how: fn(&Slot) -> bool| self.slot_named(name).is_none_or(how);
        let after = &slot.service.after;
        let settled =
            slot.service.settled.iter().filter(move |name| !after.contains(name) && !met(name, Slot::settled));
        after.iter().filter(move |name| !met(name, Slot::ready)).chain(settled)
    }

    /// Whether the place of this service is empty, so that others can stand in for it.
    fn is_missing(&self, name: &str, now: Instant) -> bool {
        let missing = |slot: &Slot| match slot.state {
            State::Waiting => self.waits_for(slot).next().is_some(),
            State::BackingOff { until } => until.saturating_duration_since(now) >= WORTH_STANDING_IN,
            State::Scheduled | State::Done | State::Stopped | State::Failed => true,
            _ => false,
        };
        self.slots.iter().filter(|slot| slot.service.name == name).all(missing)
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
