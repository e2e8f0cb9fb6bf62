//! How the container goes down: services in order, then every process that is left, then devinit.
//!
//! ```text
//!  first signal, or the end          services asked to end by stop_order,    nobody of them runs: SIGTERM to
//!  of a critical service  ──────────▶ dependents first; SIGKILL to each ────▶ every process that is left
//!                                     by its own timeout                      │
//!                                         │                                   ├─ nobody is left ──────▶ exit
//!                                         │ budget spent, or a second signal  │                          ▲
//!                                         └──────────────▶ SIGKILL to every process that is left ────────┘
//!                                                          (and leave 0.5 s later, whoever hangs in the kernel)
//! ```
//!
//! A service has ended once its finish command has: that one has until SIGKILL what a service has, and 5 s at most. After
//! the last SIGKILL none is begun.

use std::time::{Duration, Instant};

use nix::libc::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPWR, SIGQUIT, SIGTERM};

use super::messages::{Action, End, Id, Report};
use super::recurring::Due;
use super::slot::{Look, Slot, State, Then};
use super::{Machine, later};
use crate::engine::spec::Service;

/// The end of a shutdown is kept free for the processes that are nobody's service.
const LONGEST_RESERVE: Duration = Duration::from_secs(2);
/// How long the last SIGKILL may take to be felt (a process can hang in the kernel) before devinit leaves anyway.
const PATIENCE: Duration = Duration::from_millis(500);
/// What even a late stop gets between the signal and SIGKILL.
const LEAST_GRACE: Duration = Duration::from_millis(100);
/// systemd's "halt", which `docker stop` sends where an image's STOPSIGNAL says so.
const HALT: i32 = crate::sys::SIGRTMIN + 3;

/// How far a shutdown is.
#[derive(Clone, Debug)]
pub(super) struct Shutdown {
    /// The exit code, once a critical service has decided it.
    code: Option<i32>,
    /// The first signal that asked for it, to be passed on to a main command.
    signal: Option<i32>,
    since: Instant,
    /// When the services have to be gone.
    services_until: Instant,
    /// When everything has to be gone.
    until: Instant,
    /// The last signal that [`Action::Sweep`] sent.
    swept: Option<i32>,
}

impl Shutdown {
    pub(super) fn deadline(&self) -> Instant {
        if self.has_killed() { later(self.until, PATIENCE) } else { self.until }
    }

    /// Whether everyone who is left was sent SIGKILL.
    pub(super) fn has_killed(&self) -> bool {
        self.swept == Some(SIGKILL)
    }
}

impl Machine {
    /// A signal was sent to devinit.
    pub(super) fn signal(&mut self, signal: i32, now: Instant, actions: &mut Vec<Action>) {
        match signal {
            SIGCHLD => {}
            SIGTERM | SIGINT | SIGQUIT | SIGPWR | HALT => match &mut self.shutdown {
                None => {
                    let name = signal_hook::low_level::signal_name(signal)
                        .map_or_else(|| format!("signal {signal}"), ToOwned::to_owned);
                    self.begin_shutdown(format!("{name} received"), None, Some(signal), now, actions);
                }
                // It goes down already, because a critical service ended: no reason to take back anyone's time.
                Some(shutdown) if shutdown.signal.is_none() => shutdown.signal = Some(signal),
                // The second time: whoever asks does not want to wait.
                Some(shutdown) => shutdown.until = shutdown.until.min(now),
            },
            _ => {
                let main = self.slots.iter().find(|slot| slot.service.gets_signals);
                if let Some(pid) = main.and_then(Slot::pid) {
                    // A signal that would kill the app is not what someone meant who sent, say, SIGHUP or SIGUSR1 to
                    // the container; a bare PID 1 would not die of it either.
                    let caught = signal == SIGHUP || !self.command_mode;
                    actions.push(Action::Forward { pid, signal, caught });
                }
            }
        }
    }

    pub(super) fn begin_shutdown(
        &mut self,
        reason: String,
        code: Option<i32>,
        signal: Option<i32>,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let until = later(now, self.budget);
        let reserve = LONGEST_RESERVE.min(self.budget / 4);
        let services_until = until.checked_sub(reserve).unwrap_or(now);
        let mut code = code;
        actions.push(Action::Report(Report::Shutdown(reason)));
        for slot in &mut self.slots {
            actions.extend(slot.probe().map(Action::EndProbe));
            slot.due = Due::Never;
            if let State::Finishing { end, then, .. } = &slot.state
                && code.is_none()
                && slot.ends_container(slot.outcome(end, *then, false))
            {
                // The container would have ended with it as soon as its finish command has.
                code = Some(end.code());
            }
            match &mut slot.state {
                State::Waiting | State::BackingOff { .. } | State::Scheduled => slot.enter(State::Stopped, now),
                // Whether it gets ready, or is alive, is of no interest any more.
                State::Starting { look, deadline, .. } => (*look, *deadline) = (Look::Unwanted, None),
                State::Ready { alive_by, .. } => *alive_by = None,
                State::Stopping { kill_at: Some(kill_at), .. } | State::Finishing { kill_at: Some(kill_at), .. } => {
                    *kill_at = (*kill_at).min(services_until);
                }
                _ => {}
            }
        }
        self.shutdown = Some(Shutdown { code, signal, since: now, services_until, until, swept: None });
    }

    /// Until when something may take that has time until then, if a shutdown leaves it that.
    pub(super) fn in_shutdown(&self, until: Instant, now: Instant) -> Instant {
        let Some(shutdown) = &self.shutdown else { return until };
        until.min(shutdown.services_until).max(later(now, LEAST_GRACE))
    }

    /// Asks a service to end.
    pub(super) fn stop(&mut self, id: Id, next: Then, now: Instant, actions: &mut Vec<Action>) {
        self.end_by(id, None, next, now, actions);
    }

    /// Asks a service to end, by this signal if not by its own.
    pub(super) fn end_by(&mut self, id: Id, signal: Option<i32>, next: Then, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if let State::Stopping { then, .. } = &mut slot.state {
            *then = next;
            return;
        }
        let Some(pid) = slot.pid() else { return };
        actions.extend(slot.probe().map(Action::EndProbe));
        let main_command = self.command_mode && slot.service.foreground;
        let signal = match self.shutdown.as_ref().and_then(|shutdown| shutdown.signal) {
            Some(signal @ (SIGTERM | SIGINT | SIGQUIT)) if main_command => signal,
            _ => signal.unwrap_or(slot.service.stop_signal),
        };
        actions.push(Action::Signal(pid, signal));
        // A stopped process would see the signal only when someone continues it.
        actions.push(Action::Signal(pid, SIGCONT));
        if main_command {
            actions.push(Action::HangUp(pid));
        }
        let kill_at = later(now, slot.service.stop_timeout);
        let kill_at = Some(self.in_shutdown(kill_at, now));
        if let Some(slot) = self.slots.get_mut(id) {
            slot.enter(State::Stopping { pid, kill_at, then: next }, now);
        }
    }

    /// What the end of a service during a shutdown says about the exit code.
    pub(super) fn decide_code(&mut self, id: Id, end: &End) {
        let (Some(slot), Some(shutdown)) = (self.slots.get(id), self.shutdown.as_mut()) else { return };
        let Service { critical, foreground, stop_signal, .. } = slot.service;
        if !critical || shutdown.code.is_some() {
            return;
        }
        let code = end.code();
        // What was asked to stop, and stopped, is well; a shell that runs the app passes the signal on as 128+N.
        let stops = [Some(stop_signal), Some(SIGTERM), shutdown.signal];
        let went_well = code == 0 || stops.into_iter().flatten().any(|signal| code == signal.saturating_add(128));
        if (self.command_mode && foreground) || !went_well {
            shutdown.code = Some(code);
        }
    }

    /// Nothing is left to wait for.
    pub(super) fn alone(&mut self, actions: &mut Vec<Action>) {
        if self.shutdown.as_ref().is_some_and(|shutdown| shutdown.swept.is_some()) {
            self.exit(actions);
        }
    }

    fn exit(&mut self, actions: &mut Vec<Action>) {
        let Some(shutdown) = &self.shutdown else { return };
        let code = match (shutdown.code, shutdown.signal) {
            (Some(code), _) => code,
            // The main command had no chance to end in its own way.
            (None, Some(signal)) if self.command_mode => signal.saturating_add(128),
            // Nothing went wrong, as far as anyone has said.
            (None, _) => 0,
        };
        self.exited = true;
        actions.push(Action::Exit(code));
    }

    /// Does all that a shutdown makes possible or due.
    pub(super) fn settle_shutdown(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let Some(Shutdown { swept, until, since, .. }) = self.shutdown.clone() else { return };
        let sweep = if swept == Some(SIGKILL) {
            if now >= later(until, PATIENCE) {
                self.exit(actions);
            }
            return;
        } else if now >= until {
            let took = now.saturating_duration_since(since).as_secs_f64();
            let why = format!("some processes did not end within {took:.2} s of the shutdown");
            actions.push(Action::Report(Report::Killing(why)));
            SIGKILL
        } else {
            for id in 0..self.slots.len() {
                self.stop_if_due(id, now, actions);
            }
            if swept.is_some() || self.slots.iter().any(Slot::holds_up_shutdown) {
                return;
            }
            SIGTERM
        };
        actions.push(Action::Sweep(sweep));
        if let Some(shutdown) = &mut self.shutdown {
            shutdown.swept = Some(sweep);
            if sweep == SIGKILL {
                // However late this was noticed: patience begins now.
                shutdown.until = now;
            }
        }
    }

    /// Asks a service to end once nothing that is to be stopped before it still runs.
    fn stop_if_due(&mut self, id: Id, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get(id) else { return };
        if !matches!(slot.state, State::Starting { .. } | State::Ready { .. }) {
            return;
        }
        let Service { name, stop_order, .. } = &slot.service;
        let goes_first = |other: &Slot| {
            let other_order = other.service.stop_order;
            other.holds_up_shutdown()
                && (other_order < *stop_order || other_order == *stop_order && other.service.after.contains(name))
        };
        if !self.slots.iter().any(goes_first) {
            self.stop(id, Then::Rest, now, actions);
        }
    }
}
