//! What services say of themselves, and what it means if they say nothing.

use std::time::{Duration, Instant};

use nix::libc::SIGABRT;

use super::messages::{Action, Id, Notice, Report};
use super::slot::{State, Then};
use super::{Machine, later};
use crate::engine::spec::{By, Kind};

/// A watchdog that is looked at so late was not looked at because nobody ran: the whole container was frozen, or the
/// machine was out of breath. That is no fault of the service's.
const STOOD_STILL: Duration = Duration::from_secs(1);
/// One that is looked at this late may have been frozen for most of its time, and gets it anew, but only once: on a machine
/// that is always out of breath a service that hangs has to be found, too.
const LATE: Duration = Duration::from_millis(50);
/// Nor can it be told whether a freeze ended right before a look in time, so everyone has a quarter of his time, and no more
/// than this, to say something after all.
const LAST_CHANCE: Duration = Duration::from_secs(1);

impl Machine {
    /// A service said something. Words of one that has no process are nobody's.
    pub(super) fn notified(&mut self, id: Id, notice: Notice, now: Instant, actions: &mut Vec<Action>) {
        let stopping = self.shutdown.is_some();
        let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.pid().is_some()) else { return };
        match notice {
            Notice::Status(text) => slot.text = Some(text).filter(|text| !text.is_empty()),
            // It is asked to end, or will be in its turn.
            _ if stopping || matches!(slot.state, State::Stopping { .. }) => {}
            Notice::Ready => {
                let by = slot.service.ready.as_ref().map(|ready| &ready.by);
                if matches!(by, Some(By::Notify | By::Descriptor(_))) && slot.service.kind == Kind::Daemon {
                    self.is_up(id, now, actions);
                }
            }
            Notice::Alive => self.heard_from(id, now),
            Notice::AliveEvery(every) => {
                slot.alive_every = (!every.is_zero()).then_some(every);
                self.heard_from(id, now);
            }
            Notice::Trigger => self.not_alive(id, Duration::ZERO, now, actions),
        }
    }

    fn heard_from(&mut self, id: Id, now: Instant) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.spared = false;
        let next = slot.alive_by(now);
        if let State::Ready { alive_by, .. } = &mut slot.state {
            *alive_by = next;
        }
    }

    /// Looks who has said nothing for too long.
    pub(super) fn keep_watch(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for id in 0..self.slots.len() {
            let Some(slot) = self.slots.get(id) else { continue };
            let State::Ready { alive_by: Some(alive_by), .. } = slot.state else { continue };
            let Some(late) = now.checked_duration_since(alive_by) else { continue };
            let Some(every) = slot.alive_every else { continue };
            if slot.spared && late < STOOD_STILL {
                self.not_alive(id, every, now, actions);
            } else {
                let chance = if late < LATE { LAST_CHANCE.min(every / 4) } else { every };
                if let Some(slot) = self.slots.get_mut(id)
                    && let State::Ready { alive_by, .. } = &mut slot.state
                {
                    *alive_by = Some(later(now, chance));
                    slot.spared = true;
                }
            }
        }
    }

    /// SIGABRT rather than its stop signal: it may not hear that one any more, and leaves a core where one is wanted.
    fn not_alive(&mut self, id: Id, silence: Duration, now: Instant, actions: &mut Vec<Action>) {
        actions.push(Action::Report(Report::NotAlive(id, silence)));
        if let Some(slot) = self.slots.get_mut(id) {
            slot.fault = Some("not alive");
        }
        self.end_by(id, Some(SIGABRT), Then::Fail, now, actions);
    }
}
