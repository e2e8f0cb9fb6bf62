//! A config that changed: what is touched, and how.
//!
//! ```text
//!                      runs                              is down
//!  new                                                   begins as at the boot
//!  removed             stopped, then forgotten           forgotten
//!  changed             stopped, and started anew         started anew; but one that was stopped on request, or is
//!                      once its process is gone          started on request only, stays as it is
//!  only what it reads  gets its reload signal, if it     as if it had changed
//!  has changed         has one; else as if changed
//! ```
//!
//! Ids are what actions and their answers name services by, so nobody is given another one. Those that were removed keep
//! their place, unseen, until nothing of them is left; those that are new take such a place, or come last. In which order
//! they are shown is another matter: as the spec has them.

use std::time::Instant;

use super::Machine;
use super::messages::{Action, Id};
use super::slot::{Slot, State, Then};
use crate::engine::snapshot::{Change, ChangeKind};
use crate::engine::spec::{Service, Spec, When};

impl Machine {
    /// Has run from now on what this spec says. Ignored before the first spec, and once everything goes down.
    ///
    /// Those that come after a service that changed go on: they have got over it before if it was ever restarted.
    pub(super) fn reload(&mut self, spec: Spec, now: Instant, actions: &mut Vec<Action>) {
        if !self.begun || self.shutdown.is_some() {
            return;
        }
        self.budget = spec.shutdown;
        // Not those that become free by this very reload: someone may have asked for them a moment ago.
        let mut free: Vec<Id> = (0..self.slots.len()).rev().filter(|id| self.is_vacant(*id)).collect();
        let before = self.order.clone();
        for id in &before {
            let Some(slot) = self.slots.get_mut(*id) else { continue };
            let stays = |service: &Service| service.name == slot.service.name;
            if !slot.service.boot_only && !spec.services.iter().any(stays) {
                slot.removed = true;
                slot.successor = None;
                self.rest(*id, now, actions);
            }
        }
        self.order.clear();
        for service in spec.services {
            let of_its_name = |slot: &Slot| slot.service.name == service.name && !slot.vacant();
            let known = self.slots.iter().position(of_its_name);
            if service.boot_only && known.is_none_or(|id| self.slots.get(id).is_none_or(|slot| slot.removed)) {
                continue;
            }
            let id = match known {
                Some(id) => {
                    self.replace(id, service, now, actions);
                    id
                }
                None => self.add(service, free.pop(), now),
            };
            if !self.order.contains(&id) {
                self.order.push(id);
            }
        }
        // Those of the boot that the new spec does not name stay where they were.
        for (index, id) in before.into_iter().enumerate() {
            if !self.order.contains(&id) && self.slots.get(id).is_some_and(|slot| !slot.removed) {
                self.order.insert(index.min(self.order.len()), id);
            }
        }
    }

    fn is_vacant(&self, id: Id) -> bool {
        self.slots.get(id).is_some_and(Slot::vacant)
    }

    fn add(&mut self, service: Service, place: Option<Id>, now: Instant) -> Id {
        let slot = Slot::new(service, now);
        if let Some((id, free)) = place.and_then(|id| Some((id, self.slots.get_mut(id)?))) {
            *free = slot;
            return id;
        }
        self.slots.push(slot);
        self.slots.len().saturating_sub(1)
    }

    /// Gives a service a new definition, if it is one.
    fn replace(&mut self, id: Id, service: Service, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.removed {
            slot.removed = false;
            slot.failures = 0;
            return match &mut slot.state {
                State::Launching { then } => (*then, slot.successor) = (Some(Then::Anew), Some(service)),
                State::Stopping { then, .. } => (*then, slot.successor) = (Then::Anew, Some(service)),
                State::Finishing { then, .. } => {
                    *then = Some(Then::Anew);
                    slot.define(service);
                }
                // Only an answer is outstanding.
                _ => {
                    slot.due.forget();
                    let Slot { due, unanswered, stale_group, .. } = *slot;
                    *slot = Slot { due, unanswered, stale_group, ..Slot::new(service, now) };
                }
            };
        }
        let Some((what, _)) = compare(slot.wanted(), &service) else { return };
        // What follows an end that nobody has asked for, or a failure.
        let next = match (slot.wanted().when == When::Asked, service.when == When::Asked) {
            (_, false) => Some(Then::Anew),
            (false, true) => Some(Then::Rest),
            (true, true) => None,
        };
        match &mut slot.state {
            State::Launching { then: None } | State::Starting { .. } | State::Ready { .. }
                if what == ChangeKind::Signalled =>
            {
                // One that is just being made will read what is new.
                actions.extend(slot.pid().zip(service.reload_signal).map(|(pid, signal)| Action::Signal(pid, signal)));
                slot.service = service;
                return;
            }
            State::Starting { .. } | State::Ready { .. } => {
                slot.successor = Some(service);
                self.stop(id, Then::Again, now, actions);
            }
            State::Launching { then } => {
                then.get_or_insert(Then::Again);
                slot.successor = Some(service);
            }
            State::Stopping { then, .. } => {
                if *then == Then::Fail {
                    *then = next.unwrap_or(Then::Fail);
                }
                slot.successor = Some(service);
            }
            State::Finishing { then, .. } => {
                if matches!(then, None | Some(Then::Fail)) {
                    *then = next.or(*then);
                }
                slot.define(service);
            }
            _ => slot.turn_into(service, now),
        }
        if let Some(slot) = self.slots.get_mut(id) {
            slot.failures = 0;
        }
    }
}

impl Slot {
    /// Gives it another definition, while it is down, and has it begin anew if it is to.
    pub(super) fn turn_into(&mut self, service: Service, now: Instant) {
        let was_manual = self.service.when == When::Asked;
        let manual = service.when == When::Asked;
        self.define(service);
        match self.state {
            State::Stopped if manual || !was_manual => {}
            State::Done | State::Failed if manual => {}
            // Someone has asked for it.
            State::Waiting | State::BackingOff { .. } if manual && was_manual => {}
            _ => self.begin(now),
        }
    }
}

/// What a reload of this spec would do about each of these services, in the order of the spec; those that are removed
/// come last. Services that have their place in a boot only are left out.
#[must_use]
pub fn changes(old: &[&Service], new: &Spec) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut tell = |service: &Service, what, keys: Vec<&str>| {
        let keys = keys.into_iter().map(ToOwned::to_owned).collect();
        changes.push(Change { service: service.name.clone(), what, keys });
    };
    for service in &new.services {
        match old.iter().find(|other| other.name == service.name) {
            Some(old) => {
                if let Some((what, keys)) = compare(old, service) {
                    tell(service, what, keys);
                }
            }
            None if service.boot_only => {}
            None => tell(service, ChangeKind::Added, Vec::new()),
        }
    }
    for service in old {
        if !service.boot_only && !new.services.iter().any(|other| other.name == service.name) {
            tell(service, ChangeKind::Removed, Vec::new());
        }
    }
    changes
}

/// What is done about a service that is to become another one, and what differs, by the names of the config's keys as
/// far as they have some. None if nothing does.
fn compare(old: &Service, new: &Service) -> Option<(ChangeKind, Vec<&'static str>)> {
    if old.boot_only || new.boot_only || old == new {
        return None;
    }
    if new.reload_signal.is_some() && *new == (Service { revision: new.revision.clone(), ..old.clone() }) {
        return Some((ChangeKind::Signalled, vec![FILES]));
    }
    let user = |service: &Service| service.identity.as_ref().map(|identity| (identity.uid, identity.gid));
    let groups = |service: &Service| service.identity.as_ref().map(|identity| identity.groups.clone());
    let stop = |service: &Service| (service.stop_signal, service.stop_timeout, service.stop_order);
    let (ours, theirs) = (&old.settings, &new.settings);
    let differs = [
        ("command", old.command != new.command || old.foreground != new.foreground),
        ("oneshot", old.kind != new.kind),
        ("timeout", old.run_limit != new.run_limit),
        ("when", old.when != new.when),
        ("policy", old.critical != new.critical),
        ("user", user(old) != user(new)),
        // Another user has other groups; that goes without saying.
        ("groups", user(old) == user(new) && groups(old) != groups(new)),
        ("directory", old.directory != new.directory),
        ("environment", old.environment != new.environment),
        ("environment_files", old.environment_files != new.environment_files),
        ("after", old.after != new.after || old.settled != new.settled || old.stands_in_for != new.stands_in_for),
        ("restart", old.restart != new.restart),
        ("backoff", old.backoff != new.backoff),
        ("ready", old.ready != new.ready),
        ("watchdog", old.watchdog != new.watchdog),
        ("stop", stop(old) != stop(new)),
        ("finish", old.finish != new.finish),
        ("log", old.log != new.log),
        ("umask", ours.umask != theirs.umask),
        ("nice", ours.nice != theirs.nice),
        ("oom_score_adj", ours.oom_score_adj != theirs.oom_score_adj),
        ("limits", ours.limits != theirs.limits),
        ("drop_capabilities", ours.dropped_capabilities != theirs.dropped_capabilities),
        ("no_new_privileges", ours.no_new_privileges != theirs.no_new_privileges),
        (FILES, old.revision != new.revision),
        ("signals", old.gets_signals != new.gets_signals || old.reload_signal != new.reload_signal),
    ];
    let keys = differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect();
    Some((ChangeKind::Changed, keys))
}

/// What [`Service::revision`] stands for.
const FILES: &str = "files";
