//! What is asked over the control socket, and the config that is read again.

use std::time::Instant;

use tracing::warn;

use super::preparation::{Failure, Preparation, Purpose};
use super::{Engine, Wanted};
use crate::engine::control::{Answer, Query};
use crate::engine::machine::{self, Event, Request};
use crate::engine::snapshot::{Phase, Reload, ReloadState, Snapshot};
use crate::engine::spec::Spec;

impl Engine<'_> {
    pub(super) fn serve(&mut self) {
        let Some(mut control) = self.control.take() else { return };
        control.serve(|query, allowed| self.answer(query, allowed));
        self.control = Some(control);
    }

    fn answer(&mut self, query: Query, allowed: bool) -> Answer {
        let now = Instant::now();
        let name = match &query {
            Query::Status | Query::StatusFrom(_) => return Answer::Status(self.snapshot(now)),
            _ if !allowed => return Answer::Refused("only root may do this: try sudo".to_owned()),
            Query::Probe(name) => {
                return Answer::Probe(self.machine.find(name).and_then(|id| self.machine.service(id)?.probe()));
            }
            _ if self.machine.phase() != Phase::Running => {
                return Answer::Refused("the container is starting or stopping".to_owned());
            }
            Query::Reload { dry_run } => return self.begin_reload(*dry_run),
            Query::Start(name) | Query::Stop(name) | Query::Restart(name) => name,
        };
        let Some(id) = self.machine.find(name) else {
            let names: Vec<_> = self.machine.services().map(|service| service.name.as_str()).collect();
            return Answer::Refused(format!("no service is named {name}; there are: {}", names.join(", ")));
        };
        self.events.push_back(Event::Request(match query {
            Query::Stop(_) => Request::Stop(id),
            Query::Restart(_) => Request::Restart(id),
            _ => Request::Start(id),
        }));
        Answer::Accepted
    }

    /// Reads the config again. The answer is in the snapshot.
    fn begin_reload(&mut self, dry_run: bool) -> Answer {
        if self.preparation.is_some() {
            return Answer::Refused("another reload is under way".to_owned());
        }
        let number = self.reload.as_ref().map_or(0, |reload| reload.number).saturating_add(1);
        let mut reload = Reload { number, dry_run, state: ReloadState::Running, changes: Vec::new() };
        match Preparation::begin(&self.launcher, self.prepare, Purpose::Reload { dry_run }) {
            Ok(begun) => self.preparation = Some((begun, Wanted::Reload)),
            Err(error) => reload.state = ReloadState::Failed(format!("no process could be made: {error}")),
        }
        self.reload = Some(reload);
        Answer::Accepted
    }

    pub(super) fn reloaded(&mut self, result: Result<Spec, Failure>) {
        let Some(reload) = &mut self.reload else { return };
        reload.state = match result {
            Ok(mut spec) => {
                for service in spec.services.iter_mut().filter(|service| service.revision.is_empty()) {
                    // What it depends on could not be told without writing it.
                    let old = self.machine.services().find(|old| old.name == service.name);
                    service.revision = old.map_or_else(String::new, |old| old.revision.clone());
                }
                let services: Vec<_> = self.machine.services().collect();
                reload.changes = machine::changes(&services, &spec);
                if !reload.dry_run {
                    self.events.push_back(Event::Reload(spec));
                }
                ReloadState::Done
            }
            Err(Failure::Unusable) => {
                ReloadState::Failed("the config cannot be used: devinit check says why".to_owned())
            }
            Err(Failure::Failed(why)) => ReloadState::Failed(why),
        };
        if let ReloadState::Failed(why) = &reload.state {
            warn!("the config was not read again: {why}");
        }
    }

    /// What can be told to anyone.
    fn snapshot(&self, now: Instant) -> Snapshot {
        let mut snapshot = self.machine.snapshot(now);
        snapshot.reload.clone_from(&self.reload);
        for status in &mut snapshot.services {
            let service = self.machine.find(&status.name).and_then(|id| self.machine.service(id));
            status.log = service.and_then(|service| self.outputs.file(service));
        }
        snapshot
    }
}
