//! What the config has in `services` and `app`. The check has seen to it that every text in it can be read.

use super::log::log;
use super::{APP, Ground, STOP_APP, argv, chained, service};
use crate::config::model::{self, Policy, Process};
use crate::config::signal::signal_number;
use crate::config::{capabilities, limits, texts};
use crate::engine::spec::{Backoff, By, Kind, Readiness, Restart, Service, Settings, When};
use crate::note::Note;
use crate::probe::{Http, Probe};

impl Ground<'_> {
    pub(super) fn service(&self, name: &str, wanted: &model::Service, notes: &mut Vec<Note>) -> Option<Service> {
        let process = wanted.process();
        let every = wanted.every.as_deref().and_then(|every| texts::every(every).ok());
        let kind = if wanted.oneshot || every.is_some() { Kind::Oneshot } else { Kind::Daemon };
        let base = self.process(name, kind, argv(process.command?), &process, notes)?;
        Some(Service {
            when: every.unwrap_or(if wanted.manual { When::Asked } else { When::Boot }),
            run_limit: wanted.timeout,
            critical: process.policy == Some(Policy::Critical),
            ..base
        })
    }

    pub(super) fn app(&self, notes: &mut Vec<Note>) -> Option<Service> {
        let app = self.config.app.as_ref()?;
        let process = app.process();
        let command = chained(argv(process.command?), self.config.base_entrypoint);
        let policy = process.policy.unwrap_or(if app.page { Policy::Degraded } else { Policy::Critical });
        let usual = Readiness { by: By::Probe(Probe::Tcp(app.port.0)), timeout: None };
        let base = self.process(APP, Kind::Daemon, command, &process, notes)?;
        Some(Service {
            ready: Some(base.ready.unwrap_or(usual)),
            gets_signals: true,
            stop_order: STOP_APP,
            critical: policy == Policy::Critical,
            ..base
        })
    }

    /// What every process can be told.
    fn process(
        &self,
        name: &str,
        kind: Kind,
        command: Vec<String>,
        process: &Process<'_>,
        notes: &mut Vec<Note>,
    ) -> Option<Service> {
        let usual = service(name, kind, command, self.environment);
        let base = Service {
            environment_files: process.environment_files.clone(),
            directory: process.directory.clone(),
            settings: self.settings_of(process),
            after: process.after.clone(),
            ready: process.ready.as_ref().and_then(readiness),
            watchdog: *process.watchdog,
            restart: restart(*process.restart),
            backoff: backoff(process.backoff),
            finish: process.finish.as_ref().map(finish),
            stop_signal: process.stop.signal.as_deref().and_then(signal_number).unwrap_or(usual.stop_signal),
            stop_timeout: process.stop.timeout.unwrap_or(usual.stop_timeout),
            log: Some(log(name, process.log)),
            ..usual
        };
        self.as_user(base, process, notes)
    }

    fn settings_of(&self, process: &Process<'_>) -> Settings {
        let limit = |(name, text): (&String, &String)| limits::limit(name, text)?.ok();
        let mut dropped: Vec<u32> =
            process.drop_capabilities.iter().filter_map(|name| capabilities::numbers(name)).flatten().collect();
        dropped.sort_unstable();
        dropped.dedup();
        Settings {
            umask: process.umask.as_deref().and_then(texts::umask).or(self.facts.umask),
            nice: *process.nice,
            oom_score_adj: *process.oom_score_adj,
            limits: process.limits.iter().filter_map(limit).collect(),
            dropped_capabilities: dropped,
            no_new_privileges: *process.no_new_privileges,
        }
    }
}

/// In a line of shell the first of the further arguments is to be `$1`, so something stands for `$0`.
fn finish(command: &model::Command) -> Vec<String> {
    let name = matches!(command, model::Command::Shell(_)).then(|| "finish".to_owned());
    argv(command).into_iter().chain(name).collect()
}

fn restart(wanted: model::Restart) -> Restart {
    match wanted {
        model::Restart::Never => Restart::Never,
        model::Restart::OnFailure => Restart::OnFailure,
        model::Restart::Always => Restart::Always,
    }
}

fn backoff(wanted: &model::Backoff) -> Backoff {
    let usual = Backoff::default();
    Backoff {
        first: wanted.first.unwrap_or(usual.first),
        longest: wanted.longest.unwrap_or(usual.longest),
        stable: wanted.stable.unwrap_or(usual.stable),
        give_up_after: wanted.give_up_after.map_or(usual.give_up_after, |failures| (failures > 0).then_some(failures)),
    }
}

/// The check has seen to it that there is exactly one.
fn readiness(ready: &model::Ready) -> Option<Readiness> {
    let by = match ready {
        model::Ready { http: Some(url), status, body, host, .. } => By::Probe(Probe::Http(Http {
            url: url.clone(),
            status: status.as_deref().and_then(texts::status_range),
            body: body.clone(),
            host: host.clone(),
        })),
        model::Ready { tcp: Some(port), .. } => By::Probe(Probe::Tcp(*port)),
        model::Ready { path: Some(path), .. } => By::Probe(Probe::Path(path.clone())),
        model::Ready { command: Some(command), .. } => By::Probe(Probe::Command(argv(command))),
        model::Ready { notify: Some(true), .. } => By::Notify,
        model::Ready { fd: Some(fd), .. } => By::Descriptor(*fd),
        _ => return None,
    };
    Some(Readiness { by, timeout: ready.timeout })
}
