//! What has to hold between any two steps.

use super::*;

impl World {
    pub(super) fn check(&mut self) {
        assert_eq!(self.machine.stopping(), self.shutdown_since.is_some());
        let quiet = self.machine.next_deadline().is_none_or(|at| at > self.now);
        if self.exit.is_some() {
            return assert_eq!(self.machine.next_deadline(), None);
        }
        if quiet {
            assert_eq!(self.machine.step(Event::Tick, self.now), [], "done for no reason");
        }
        for (pid, process) in self.processes.iter().filter(|(_, process)| process.told) {
            match process.role {
                Role::Main(id) => {
                    let known = self.machine.service_of(*pid).map(|service| &service.name);
                    assert_eq!(known, Some(&self.records[id].service.name), "a process is lost");
                }
                Role::Probe(id) => {
                    assert!(process.killed || self.machine.slots[id].probe() == Some(*pid), "a probe is lost");
                }
                Role::Finish(id) => {
                    assert_eq!(self.machine.slots[id].finisher(), Some(*pid), "a finish command is lost");
                    assert!(self.machine.service_of(*pid).is_none(), "its process is not the service's");
                }
                Role::Stray => {}
            }
        }
        if self.machine.begun {
            assert_eq!(self.machine.slots.len(), self.records.len());
            for id in 0..self.records.len() {
                self.check_service(id);
            }
        }
    }

    fn check_service(&self, id: Id) {
        let (record, state) = (&self.records[id], self.state(id));
        let Record { service, wanted, .. } = record;
        let slot = &self.machine.slots[id];
        assert_eq!(state == ServiceState::Ready, record.ready_since.is_some(), "{slot:?}");
        assert!(!record.finish_due, "no finish command is run: {slot:?}");
        assert_eq!(slot.unanswered, record.unanswered, "{slot:?}");
        assert_eq!(slot.busy(), self.busy(id), "{slot:?}");
        assert_eq!(slot.removed, wanted.is_none(), "{slot:?}");
        if service.kind == Kind::Oneshot {
            assert_ne!(state, ServiceState::Ready, "a oneshot that merely runs");
        }
        if self.shutdown_since.is_some() {
            return;
        }
        assert_eq!(slot.service, *service);
        if record.held {
            let goes_on = [ServiceState::Waiting, ServiceState::BackingOff, ServiceState::Scheduled];
            assert!(!goes_on.contains(&state), "it is to stay down: {slot:?}");
        }
        if state == ServiceState::Scheduled {
            assert!(matches!(service.when, When::Every(_) | When::At(_)), "{slot:?}");
            assert!(matches!(service.when, When::At(_)) || slot.deadline().is_some(), "never due again: {slot:?}");
        }
        if let (ServiceState::Ready, Some(every)) = (state, record.alive_every) {
            assert!(slot.deadline().is_some_and(|at| at <= later(self.now, every)), "nobody looks: {slot:?}");
        }
        if state == ServiceState::Waiting {
            let status = self.machine.status(slot, self.now);
            assert_eq!(status.waits_for.is_empty(), self.prerequisites_met(service), "{status:?}");
            if status.waits_for.is_empty() {
                // Whom it stands in for is not down for good, or who stands in for it is not gone.
                assert!((0..self.records.len()).any(|other| self.are_rivals(id, other)), "{id} waits for nothing");
            }
        }
    }

    fn are_rivals(&self, id: Id, other: Id) -> bool {
        let (service, rival) = (&self.records[id].service, &self.records[other].service);
        let down = [ServiceState::Done, ServiceState::Failed, ServiceState::Stopped, ServiceState::Scheduled];
        service.stands_in_for.as_ref() == Some(&rival.name) && !down.contains(&self.state(other))
            || rival.stands_in_for.as_ref() == Some(&service.name) && self.runs(other)
    }
}
