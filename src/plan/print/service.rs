//! A process of the plan, in one line or as JSON.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::config::duration::format as span;
use crate::config::{capabilities, limits};
use crate::engine::spec::{By, Form, Kind, Log, Restart, Service, Settings, When};
use crate::probe::{Http, Probe};
use crate::secret;
use crate::words::clean;

/// The longest line, in characters.
const LONGEST_LINE: usize = 4096;

pub(super) fn json(service: &Service) -> Value {
    let words = |command: &[String]| command.iter().map(|word| without_secrets(word, service)).collect::<Vec<_>>();
    json!({
        "name": service.name,
        "kind": service.kind,
        "when": when_json(&service.when),
        "critical": service.critical,
        "command": words(&service.command),
        "variables": service.environment.keys().collect::<Vec<_>>(),
        "environment_files": service.environment_files,
        "directory": service.directory,
        "uid": service.identity.as_ref().map(|identity| identity.uid),
        "groups": service.identity.as_ref().map(|identity| &identity.groups),
        "settings": settings(&service.settings).into_iter().map(|(key, value)| (key.into_owned(), value)).collect::<Map<_, _>>(),
        "after": service.after,
        "settled": service.settled,
        "stands_in_for": service.stands_in_for,
        "ready": service.ready.as_ref().map(|ready| ready_json(&ready.by, service)),
        "watchdog": service.watchdog.map(span),
        "restart": service.restart,
        "backoff": {
            "first": span(service.backoff.first),
            "longest": span(service.backoff.longest),
            "stable": span(service.backoff.stable),
            "give_up_after": service.backoff.give_up_after,
        },
        "timeout": service.run_limit.map(span),
        "finish": service.finish.as_deref().map(words),
        "stop": {"signal": service.stop_signal, "timeout": span(service.stop_timeout)},
        "log": service.log,
    })
}

fn when_json(when: &When) -> Value {
    match when {
        When::Boot | When::Asked => json!(when),
        When::Every(pause) => json!({"every": span(*pause)}),
        When::At(schedule) => json!({"at": schedule}),
    }
}

fn ready_json(by: &By, service: &Service) -> Value {
    let By::Probe(probe) = by else { return json!(by) };
    let clear = |text: &String| without_secrets(text, service);
    json!(match probe {
        Probe::Http(Http { url, status, body, host }) => Probe::Http(Http {
            url: clear(url),
            status: *status,
            body: body.as_ref().map(clear),
            host: host.as_ref().map(clear),
        }),
        Probe::Command(words) => Probe::Command(words.iter().map(clear).collect()),
        Probe::Tcp(_) | Probe::Path(_) => probe.clone(),
    })
}

fn without_secrets(text: &str, service: &Service) -> String {
    secret::without_values(text, &service.environment)
}

/// What of the settings is set, as the config has it.
fn settings(settings: &Settings) -> Vec<(Cow<'static, str>, Value)> {
    let Settings { umask, nice, oom_score_adj, limits, dropped_capabilities: dropped, no_new_privileges } = settings;
    let mut set: Vec<(Cow<'static, str>, Value)> = Vec::new();
    set.extend(umask.map(|umask| ("umask".into(), json!(format!("{umask:03o}")))));
    set.extend(nice.map(|nice| ("nice".into(), json!(nice))));
    set.extend(oom_score_adj.map(|score| ("oom_score_adj".into(), json!(score))));
    set.extend(limits.iter().map(|(number, soft, hard)| {
        let amount = |amount: &u64| match *amount {
            limits::UNLIMITED => "unlimited".to_owned(),
            amount => amount.to_string(),
        };
        let value = if soft == hard { amount(soft) } else { format!("{}:{}", amount(soft), amount(hard)) };
        (format!("limits.{}", limits::name(*number).unwrap_or("?")).into(), json!(value))
    }));
    if dropped.len() == capabilities::ALL.count() {
        set.push(("drop_capabilities".into(), json!("ALL")));
    } else if !dropped.is_empty() {
        let names: Vec<String> = dropped.iter().map(|number| capabilities::name(*number)).collect();
        set.push(("drop_capabilities".into(), json!(names.join(" "))));
    }
    set.extend(no_new_privileges.then(|| ("no_new_privileges".into(), json!(true))));
    set
}

pub(super) fn line(service: &Service) -> String {
    let command = |words: &[String]| without_secrets(&words.join(" "), service);
    let mut line = format!("{}: {}", service.name, command(&service.command));
    if let Some(identity) = &service.identity {
        line.push_str(&format!(" (uid {})", identity.uid));
    }
    let mut parts: Vec<String> = Vec::new();
    let waits: Vec<_> = service.after.iter().chain(&service.settled).map(String::as_str).collect();
    if !waits.is_empty() {
        parts.push(format!("after {}", waits.join(", ")));
    }
    parts.extend(service.stands_in_for.iter().map(|other| format!("while {other} does not run")));
    parts.extend(match &service.when {
        When::Boot if service.kind == Kind::Oneshot => Some("once".to_owned()),
        When::Boot => None,
        When::Asked if service.kind == Kind::Oneshot => Some("once whenever asked for".to_owned()),
        When::Asked => Some("when asked for".to_owned()),
        When::Every(pause) => Some(format!("every {}", span(*pause))),
        When::At(schedule) => Some(format!("at {:?}", String::from(schedule.clone()))),
    });
    parts.extend(service.run_limit.map(|limit| format!("for {} at most", span(limit))));
    parts.extend(service.ready.as_ref().map(|ready| format!("ready by {}", ready_kind(&ready.by))));
    parts.extend(service.watchdog.map(|watchdog| format!("watchdog {}", span(watchdog))));
    parts.extend(match (service.kind, service.restart) {
        (Kind::Daemon, Restart::OnFailure) | (Kind::Oneshot, Restart::Never) => None,
        (_, Restart::Always) => Some("restarted always".to_owned()),
        (_, Restart::OnFailure) => Some("again if it fails".to_owned()),
        (_, Restart::Never) => Some("never restarted".to_owned()),
    });
    parts.extend(service.finish.as_deref().map(|finish| format!("then {}", command(finish))));
    parts.extend(service.environment_files.iter().map(|file| format!("variables from {}", file.display())));
    parts.extend(settings(&service.settings).into_iter().map(|(key, value)| match value {
        Value::Bool(_) => key.into_owned(),
        Value::String(text) => format!("{key} {text}"),
        value => format!("{key} {value}"),
    }));
    parts.extend(service.log.as_ref().and_then(log));
    if service.critical {
        let when = if service.kind == Kind::Oneshot {
            "and the container ends if it fails"
        } else {
            "and the container ends with it"
        };
        parts.push(when.to_owned());
    }
    for part in parts {
        line.push_str(", ");
        line.push_str(&part);
    }
    clean(&line, LONGEST_LINE)
}

fn ready_kind(by: &By) -> String {
    match by {
        By::Probe(Probe::Http(_)) => "http".to_owned(),
        By::Probe(Probe::Tcp(port)) => format!("tcp {port}"),
        By::Probe(Probe::Path(path)) => format!("path {}", path.display()),
        By::Probe(Probe::Command(_)) => "command".to_owned(),
        By::Notify => "notify".to_owned(),
        By::Descriptor(number) => format!("fd {number}"),
    }
}

/// Where its output goes, unless it is the container's as it is.
fn log(log: &Log) -> Option<String> {
    let file = log.file.as_ref().map(|file| file.path.display());
    match (log.output, file) {
        (Some(Form::Raw) | None, None) => None,
        (Some(Form::Prefixed), None) => Some("log with its name".to_owned()),
        (Some(Form::Json), None) => Some("log as JSON".to_owned()),
        (None, Some(file)) => Some(format!("log {file}")),
        (Some(_), Some(file)) => Some(format!("log {file} and the container's")),
    }
}
