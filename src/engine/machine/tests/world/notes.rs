//! What the world takes note of, so that it can tell what the machine may do, without asking it.

use super::*;
use crate::engine::spec::FINISHED_FOR_GOOD;

impl World {
    /// Takes note of what the machine is about to hear.
    pub(super) fn note(&mut self, event: &Event) {
        let now = self.now;
        self.concluded = None;
        match event {
            Event::Launched(id, pid) => {
                self.answered(*id, Some(*pid));
                let record = &mut self.records[*id];
                record.launching = false;
                if record.service.ready.is_none() && record.service.kind == Kind::Daemon {
                    (record.ready_since, record.heard) = (Some(now), Some(now));
                }
            }
            Event::NotLaunched(id, why) => {
                self.answered(*id, None);
                let record = &mut self.records[*id];
                record.launching = false;
                record.last_end = Some(End::NotExecuted(126, why.clone()));
                self.concluded = Some(*id);
                self.decide_code(*id, 126);
            }
            Event::Probing(id, pid) => self.answered(*id, Some(*pid)),
            Event::NotProbing(id) => self.answered(*id, None),
            Event::Finishing(id, pid) => self.answered(*id, Some(*pid)),
            Event::NotFinishing(id) => {
                self.answered(*id, None);
                self.records[*id].finishing = false;
                self.concluded = Some(*id);
            }
            Event::Scheduled(id, wait) => {
                self.answered(*id, None);
                let record = &mut self.records[*id];
                record.clock_asked = false;
                // It may still wait for others.
                record.called |= record.due.is_some_and(|due| due <= now);
                record.due = wait.map(|wait| later(now, wait));
            }
            Event::Ended(pid, end) => {
                let process = self.processes.remove(pid).unwrap();
                match process.role {
                    Role::Main(id) => self.main_ended(id, &process, end),
                    Role::Probe(id) if *end == End::Code(0) && !process.killed => {
                        let record = &mut self.records[id];
                        (record.ready_since, record.heard) = (Some(now), Some(now));
                    }
                    Role::Finish(id) => {
                        let record = &mut self.records[id];
                        record.finishing = false;
                        record.given_up = *end == End::Code(FINISHED_FOR_GOOD) && !record.called;
                        self.concluded = Some(id);
                    }
                    Role::Probe(_) | Role::Stray => {}
                }
            }
            Event::Request(request) => self.note_request(request),
            Event::Notified(id, notice) => self.note_notice(*id, notice),
            Event::Signal(signal) if is_stop(*signal) => {
                self.stop_signal.get_or_insert(*signal);
            }
            _ => {}
        }
    }

    fn answered(&mut self, id: Id, pid: Option<Pid>) {
        self.records[id].unanswered -= 1;
        if let Some(pid) = pid {
            self.processes.get_mut(&pid).unwrap().told = true;
        }
    }

    fn main_ended(&mut self, id: Id, process: &Process, end: &End) {
        let now = self.now;
        let killing = self.killing;
        let record = &mut self.records[id];
        record.last_end = Some(end.clone());
        record.succeeded = *end == End::Code(0) && !process.asked;
        if record.ready_since.take().is_some_and(|since| now - since >= record.backoff.stable) && !process.asked {
            record.last_pause = None;
        }
        record.finishing = record.service.finish.is_some() && !matches!(end, End::NotExecuted(..)) && !killing;
        record.finish_due = record.finishing;
        self.concluded = (!record.finishing).then_some(id);
        self.decide_code(id, end.code());
    }

    /// What an end in a shutdown says about the exit code.
    fn decide_code(&mut self, id: Id, code: i32) {
        let Service { critical, foreground, stop_signal, .. } = self.records[id].service;
        if self.shutdown_since.is_none() || !critical || self.code.is_some() {
            return;
        }
        let asked = [Some(stop_signal), Some(SIGTERM), self.stop_signal];
        let well = code == 0 || asked.into_iter().flatten().any(|signal| code == 128 + signal);
        if !well || self.command_mode && foreground {
            self.code = Some(code);
        }
    }

    fn note_request(&mut self, request: &Request) {
        let (Request::Start(id) | Request::Stop(id) | Request::Restart(id)) = *request;
        if !self.on() || self.records.get(id).is_none_or(|record| record.wanted.is_none()) {
            return;
        }
        if !matches!(request, Request::Stop(_)) {
            self.call(id);
            return self.call_prerequisites(id);
        }
        let state = self.state(id);
        let record = &mut self.records[id];
        if !matches!(state, ServiceState::Done | ServiceState::Failed) {
            (record.held, record.succeeded, record.asked_for) = (true, false, false);
        }
    }

    /// Somebody wants it to run.
    fn call(&mut self, id: Id) {
        let runs = self.runs(id);
        let record = &mut self.records[id];
        (record.held, record.asked_for, record.called, record.given_up) = (false, true, true, false);
        (record.last_pause, record.not_before) = (None, None);
        record.succeeded &= runs;
    }

    fn call_prerequisites(&mut self, id: Id) {
        let Some(service) = self.records[id].wanted.clone() else { return };
        for name in &service.after {
            let Some(other) = self.id_of(name) else { continue };
            // Whoever it comes after has a smaller number, so this ends.
            let rests = match self.state(other) {
                ServiceState::Done | ServiceState::Failed | ServiceState::Stopped | ServiceState::Scheduled => {
                    !self.is_ready(other)
                }
                ServiceState::Starting | ServiceState::Stopping => self.records[other].held,
                _ => false,
            };
            if rests {
                self.call(other);
            }
            self.call_prerequisites(other);
        }
    }

    fn note_notice(&mut self, id: Id, notice: &Notice) {
        let (now, on) = (self.now, self.on());
        if id >= self.records.len() || !on || self.main_of(id).is_none_or(|main| !main.told || main.asked) {
            return;
        }
        let record = &mut self.records[id];
        let says_so =
            matches!(record.service.ready.as_ref().map(|ready| &ready.by), Some(By::Notify | By::Descriptor(_)));
        match notice {
            Notice::Ready if says_so && record.service.kind == Kind::Daemon && record.ready_since.is_none() => {
                (record.ready_since, record.heard) = (Some(now), Some(now));
            }
            Notice::Alive => record.heard = Some(now),
            Notice::AliveEvery(every) => {
                record.heard = Some(now);
                record.alive_every = Some(*every).filter(|every| !every.is_zero());
            }
            Notice::Ready | Notice::Status(_) | Notice::Trigger => {}
        }
    }

    /// Takes note of what the machine has heard, before its actions are carried out.
    pub(super) fn learn(&mut self, event: &Event) {
        if let Event::Reload(spec) = event
            && self.on()
        {
            self.learn_spec(spec.clone());
        }
        if !self.machine.begun {
            return;
        }
        for id in 0..self.records.len() {
            let succeeded = self.concluded == Some(id) && self.records[id].succeeded;
            let over = succeeded && self.records[id].service.kind == Kind::Oneshot
                || matches!(self.state(id), ServiceState::Done | ServiceState::Scheduled);
            let (runs, busy) = (self.runs(id), self.busy(id));
            let record = &mut self.records[id];
            if !busy && over {
                // The failures of one run are not those of the next.
                record.last_pause = None;
            }
            if !runs {
                record.service = record.wanted.clone().unwrap_or(record.service.clone());
                record.backoff = record.service.backoff;
            }
        }
    }

    fn learn_spec(&mut self, spec: Spec) {
        self.budget = spec.shutdown;
        let before: Vec<_> = self.records.iter().map(|record| record.wanted.clone()).collect();
        for record in &mut self.records {
            let stays = spec.services.iter().any(|service| service.name == record.service.name);
            if !stays && !record.service.boot_only {
                (record.wanted, record.held) = (None, true);
            }
        }
        for service in &spec.services {
            let found = self.machine.find(&service.name);
            let Some(id) = found else {
                assert!(service.boot_only, "{} was not added", service.name);
                continue;
            };
            let old = before.iter().position(|old| old.as_ref().is_some_and(|old| old.name == service.name));
            if let Some(old) = old {
                assert_eq!(old, id, "{} was given another place", service.name);
                self.learn_change(id, service);
                continue;
            }
            assert!(!service.boot_only, "{} was added after the boot", service.name);
            if id == self.records.len() {
                self.records.push(Record::new(service));
                continue;
            }
            assert!(before[id].is_none(), "the place of {:?} was given away", before[id]);
            if self.busy(id) {
                assert_eq!(self.records[id].service.name, service.name, "the place of one that is not gone");
                let record = &mut self.records[id];
                (record.wanted, record.held, record.asked_for) = (Some(service.clone()), false, false);
                (record.succeeded, record.called) = (false, true);
                (record.last_pause, record.not_before) = (None, None);
            } else if self.records[id].unanswered > 0 {
                assert_eq!(self.records[id].service.name, service.name, "answers are outstanding");
                let (unanswered, clock_asked) = (self.records[id].unanswered, self.records[id].clock_asked);
                self.records[id] = Record { unanswered, clock_asked, ..Record::new(service) };
            } else {
                self.records[id] = Record::new(service);
            }
        }
        let shown: Vec<_> =
            self.machine.services().filter(|shown| spec.services.iter().any(|s| s.name == shown.name)).collect();
        let meant = spec.services.iter().filter(|service| self.machine.find(&service.name).is_some());
        assert!(shown.iter().map(|s| &s.name).eq(meant.map(|s| &s.name)), "they are shown in another order");
        self.spec = spec;
    }

    fn learn_change(&mut self, id: Id, new: &Service) {
        let busy = self.busy(id);
        let asked = self.main_of(id).is_some_and(|main| main.asked);
        let runs = self.runs(id);
        let record = &mut self.records[id];
        let old = record.wanted.clone().unwrap();
        if old == *new || old.boot_only || new.boot_only {
            return;
        }
        let only_revision = Service { revision: new.revision.clone(), ..old.clone() } == *new;
        let stays = runs && !asked && !(record.launching && record.held) && record.service == old;
        record.wanted = Some(new.clone());
        if only_revision && new.reload_signal.is_some() && stays {
            record.service = new.clone();
            return;
        }
        (record.last_pause, record.called, record.given_up) = (None, true, false);
        if new.when != When::Asked {
            (record.succeeded, record.not_before) = (false, None);
            record.held &= old.when != When::Asked;
        } else if old.when != When::Asked {
            record.asked_for = busy;
        }
    }

    /// What a config that is read again says.
    pub(super) fn changed_spec(&mut self, fates: &[(Fate, Service)], shutdown: Duration) -> Spec {
        self.revisions += 1;
        let revision = self.revisions.to_string();
        let old = |name: &str| self.spec.services.iter().find(|service| service.name == name).cloned();
        let become_what = |(fate, new): &(Fate, Service)| match fate {
            Fate::Stays => old(&new.name),
            Fate::Goes => None,
            Fate::Becomes => Some(new.clone()),
            Fate::ReadsAnother => Some(Service { revision: revision.clone(), ..old(&new.name)? }),
        };
        let mut services: Vec<_> = fates.iter().filter_map(become_what).collect();
        if services.len() > 1 && self.revisions.is_multiple_of(2) {
            services.reverse();
        }
        Spec { services, shutdown }
    }
}

pub(super) fn is_stop(signal: i32) -> bool {
    use nix::libc::{SIGINT, SIGPWR, SIGQUIT};
    [SIGTERM, SIGINT, SIGQUIT, SIGPWR, 37].contains(&signal)
}
