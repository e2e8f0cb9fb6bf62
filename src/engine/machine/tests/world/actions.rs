//! What the machine wants to be done, held against what it may want.

use nix::libc::{SIGABRT, SIGCONT, SIGHUP};

use super::processes::Manners;
use super::*;
use crate::engine::spec::{FINISH_LIMIT, FINISHED_FOR_GOOD};

/// No pause is shorter.
const LEAST_PAUSE: Duration = Duration::from_millis(1);

impl World {
    pub(super) fn act(&mut self, action: Action, event: &Event) {
        assert!(self.exit.is_none(), "{action:?} after the end");
        match action {
            Action::Launch(id) => self.launch(id),
            Action::Probe(id) => self.probe(id),
            Action::Finish(id, end) => self.run_finish(id, &end),
            Action::Schedule(id) => self.ask_the_clock(id),
            Action::EndProbe(pid) => {
                let process = self.processes.get_mut(&pid).expect("a probe that is there");
                assert!(matches!(process.role, Role::Probe(_)) && !process.killed);
                process.killed = true;
                self.deliver_to_all(SIGKILL, |process| process.group == pid);
            }
            Action::Signal(pid, signal) => self.signal(pid, signal, event),
            Action::SignalGroup(pid, signal) => self.signal_group(pid, signal),
            Action::Forward { pid, signal, .. } => {
                let process = self.processes.get(&pid).expect("a process to pass the signal on to");
                let Role::Main(id) = process.role else { panic!("passed on to {process:?}") };
                assert!(self.records[id].service.gets_signals);
                if self.any(2) == 0 {
                    self.deliver(pid, signal);
                }
            }
            Action::HangUp(pid) => {
                let process = &self.processes[&pid];
                assert!(matches!(process.role, Role::Main(id) if self.records[id].service.foreground));
                self.deliver(pid, SIGHUP);
            }
            Action::Sweep(signal) => {
                assert!(self.machine.stopping() && !self.killing);
                self.killing = signal == SIGKILL;
                if signal == SIGTERM {
                    let has_time = |p: &&Process| matches!(p.role, Role::Main(_) | Role::Finish(_)) && !p.killed;
                    let running = self.processes.values().find(has_time);
                    assert!(running.is_none(), "swept before {running:?} had its time");
                }
                self.sweep = Some(signal);
            }
            Action::Report(report) => self.hear(report, event),
            Action::Exit(code) => self.leave(code),
        }
    }

    fn asks(&mut self, id: Id) {
        self.records[id].unanswered += 1;
    }

    fn launch(&mut self, id: Id) {
        let now = self.now;
        let record = &self.records[id];
        let wanted = record.wanted.clone().expect("one that was not removed");
        assert!(self.on(), "launched in a shutdown");
        assert!(!self.busy(id), "{id} is launched twice, or before its finish command has ended");
        assert_eq!(self.machine.service(id), Some(&wanted), "launched as it was");
        assert!(self.prerequisites_met(&wanted), "{id} is launched before what it needs: {:?}", self.machine.slots);
        assert!(!record.held, "{id} is launched though it is to stay down");
        assert!(!record.given_up, "{id} is launched though its finish command has given it up");
        assert!(record.not_before.is_none_or(|at| at <= now), "{id} is launched before its pause is over");
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        assert!(
            match wanted.when {
                When::Boot => true,
                When::Asked => record.asked_for,
                When::Every(period) =>
                    record.called
                        || record.last_start.is_none()
                        || passed(record.last_start.map(|at| later(at, period.max(Duration::from_secs(1))))),
                When::At(_) => record.called || passed(record.due),
            },
            "{id} is launched though nobody has called for it: {record:?}"
        );
        for (other, rival) in self.records.iter().enumerate() {
            let together = rival.service.stands_in_for.as_ref() == Some(&wanted.name)
                || wanted.stands_in_for.as_ref() == Some(&rival.service.name);
            assert!(!(together && self.runs(other)), "{id} runs beside {other}");
        }
        self.asks(id);
        let record = &mut self.records[id];
        (record.succeeded, record.launching, record.called, record.asked_for) = (false, true, false, true);
        (record.alive_every, record.last_start) = (wanted.watchdog, Some(now));
        if self.any(12) == 0 {
            return self.inbox.push_back(Event::NotLaunched(id, "no memory".into()));
        }
        let ends = match (wanted.kind, self.any(10)) {
            (Kind::Oneshot, 0..=6) => Some((self.any_delay(), End::Code(0))),
            (_, 0..=4) => Some((self.any_delay(), self.any_end())),
            _ => None,
        };
        let pid = self.spawn(Role::Main(id), None, ends);
        if self.any(5) == 0 {
            self.spawn(Role::Stray, Some(pid), None);
        }
        self.inbox.push_back(Event::Launched(id, pid));
    }

    fn probe(&mut self, id: Id) {
        let service = &self.records[id].service;
        assert!(self.shutdown_since.is_none(), "probed in a shutdown");
        assert!(service.probe().is_some() && service.kind != Kind::Oneshot);
        assert!(self.main_of(id).is_some_and(|process| process.told && !process.asked), "nothing to probe");
        let looks = |process: &Process| process.role == Role::Probe(id) && !process.killed;
        assert!(!self.processes.values().any(looks), "probed twice");
        self.asks(id);
        if self.any(12) == 0 {
            return self.inbox.push_back(Event::NotProbing(id));
        }
        let ends = match self.any(8) {
            0 => None,
            1 => Some((self.any_delay(), End::Signal(SIGKILL))),
            _ => Some((self.any_delay(), End::Code(0))),
        };
        let pid = self.spawn(Role::Probe(id), None, ends);
        self.processes.get_mut(&pid).unwrap().manners = Manners::Deaf;
        self.inbox.push_back(Event::Probing(id, pid));
    }

    fn run_finish(&mut self, id: Id, end: &End) {
        let record = &mut self.records[id];
        assert!(record.finish_due, "the finish command of {id} is run without need");
        assert_eq!(record.last_end.as_ref(), Some(end));
        record.finish_due = false;
        self.asks(id);
        if self.any(12) == 0 {
            return self.inbox.push_back(Event::NotFinishing(id));
        }
        let code = self.any_of(&[0, 0, 0, 1, FINISHED_FOR_GOOD]);
        let ends = if self.any(4) == 0 { None } else { Some((self.any_delay(), End::Code(code))) };
        let pid = self.spawn(Role::Finish(id), None, ends);
        self.inbox.push_back(Event::Finishing(id, pid));
    }

    fn ask_the_clock(&mut self, id: Id) {
        let record = &self.records[id];
        assert!(self.on(), "the clock is asked in a shutdown");
        assert!(matches!(record.wanted.as_ref().map(|service| &service.when), Some(When::At(_))), "{record:?}");
        assert!(!record.clock_asked, "the clock is asked twice");
        self.asks(id);
        self.records[id].clock_asked = true;
        let seconds = self.any_of(&[None, Some(0), Some(1), Some(29), Some(100), Some(5000), Some(100_000)]);
        self.inbox.push_back(Event::Scheduled(id, seconds.map(Duration::from_secs)));
    }

    fn signal(&mut self, pid: Pid, signal: i32, event: &Event) {
        let now = self.now;
        let process = self.processes.get_mut(&pid).unwrap_or_else(|| panic!("signal {signal} to nobody"));
        assert!(process.told, "{process:?} is not known to the machine");
        let Role::Main(id) = process.role else { panic!("signal {signal} to {process:?}") };
        if signal == RELOAD {
            assert!(matches!(event, Event::Reload(_)) && !process.asked, "{process:?}");
            let dies = self.any(4) == 0;
            return if dies {
                self.deliver(pid, signal)
            };
        }
        if signal != SIGCONT {
            assert!(!process.asked, "asked twice");
            process.asked = true;
            let record = &mut self.records[id];
            if signal == SIGABRT {
                let silent = record.ready_since.and(record.heard).zip(record.alive_every);
                let too_long = silent.is_some_and(|(heard, every)| later(heard, every) <= now);
                let said_so = matches!(event, Event::Notified(of, Notice::Trigger) if *of == id);
                assert!(self.shutdown_since.is_none() && (said_so || too_long), "{record:?} is alive");
            }
            record.ready_since = None;
            // It may have to go for the one that it stands in for, and will be wanted again.
            record.called |= record.service.stands_in_for.is_some();
            if self.shutdown_since.is_some() {
                self.check_order(id);
            }
        }
        self.deliver(pid, signal);
    }

    /// Whether all have ended who are to end before this one.
    fn check_order(&self, id: Id) {
        let service = &self.records[id].service;
        for (other, record) in self.records.iter().enumerate().filter(|(other, _)| *other != id) {
            let first = &record.service;
            let goes_first = first.stop_order < service.stop_order
                || first.stop_order == service.stop_order && first.after.contains(&service.name);
            let of_other = |p: &&Process| matches!(p.role, Role::Main(id) | Role::Finish(id) if id == other);
            let there = record.launching || self.processes.values().filter(of_other).any(|p| !p.killed);
            assert!(!(goes_first && there), "{id} is stopped before {other}");
        }
    }

    fn signal_group(&mut self, pid: Pid, signal: i32) {
        let now = self.now;
        let stopping = self.shutdown_since.is_some();
        match self.processes.get_mut(&pid) {
            Some(process) if self.machine.knows(pid) => {
                let due = match process.role {
                    Role::Main(_) => process.asked,
                    Role::Finish(_) => stopping || now >= process.since + FINISH_LIMIT,
                    Role::Probe(_) | Role::Stray => false,
                };
                assert!(due && !process.killed, "killed without need: {process:?}");
                process.killed = true;
            }
            // The number was given to someone else, and the action says what then.
            Some(_) => return,
            None => {}
        }
        self.deliver_to_all(signal, |process| process.group == pid);
    }

    fn hear(&mut self, report: Report, event: &Event) {
        let now = self.now;
        match report {
            Report::Ended(id, _, Next::Restart(pause)) => {
                let record = &mut self.records[id];
                let Backoff { first, longest, .. } = record.backoff;
                let longest = longest.max(LEAST_PAUSE);
                let expected = record.last_pause.map_or(first.max(LEAST_PAUSE), |last| last.saturating_mul(2));
                assert_eq!(pause, expected.min(longest), "{id} is not restarted with growing pauses");
                assert!(record.last_pause.is_none_or(|last| last <= pause) && pause <= longest);
                record.last_pause = Some(pause);
                record.not_before = Some(later(record.last_start.unwrap_or(now), pause).max(now));
                record.called = true;
            }
            Report::Ended(id, _, Next::Later) => self.records[id].last_pause = None,
            Report::StillRuns(id) => {
                assert!(self.busy(id), "{id} does not run");
            }
            Report::FinishTimeout(id) => assert!(self.records[id].finishing),
            Report::RunTimeout(id, _) => assert_eq!(self.records[id].service.kind, Kind::Oneshot),
            Report::Shutdown(_) => self.begin_shutdown(event),
            _ => {}
        }
    }

    fn begin_shutdown(&mut self, event: &Event) {
        assert!(self.shutdown_since.is_none(), "two shutdowns");
        self.shutdown_since = Some(self.now);
        let finishing_critical = |record: &Record| record.finishing && record.service.critical;
        if matches!(event, Event::Signal(_)) {
            // Whether it would have ended the container is another rule's business.
            self.code_known = !self.records.iter().any(finishing_critical);
            return;
        }
        // A critical service has ended for good; whichever just did.
        let id = self.concluded.expect("a service that ended");
        assert!(self.records[id].service.critical);
        self.code = self.records[id].last_end.as_ref().map(End::code);
    }

    fn leave(&mut self, code: i32) {
        assert!((0..=255).contains(&code));
        self.exit = Some(code);
        for process in self.processes.values().filter(|process| process.role != Role::Stray) {
            assert!(process.killed || process.swept, "left behind: {process:?}");
        }
        let expected = match (self.code, self.stop_signal) {
            (Some(code), _) => code,
            (None, Some(signal)) if self.command_mode => 128 + signal,
            _ => 0,
        };
        assert!(!self.code_known || code == expected, "{code} instead of {expected}");
    }
}
