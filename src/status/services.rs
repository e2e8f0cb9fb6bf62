//! The services in `devinit status`: a table of all, the last lines of those in trouble, and one of them in detail.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::ago;
use super::table::{Cell, Look, Tone, table};
use crate::engine::snapshot::{ServiceState, ServiceStatus, Snapshot};
use crate::engine::spec::Kind;
use crate::logs;
use crate::outlook::{self, word};
use crate::plan::FIRST_RUN;
use crate::words::clean;

/// The longest remark, in characters.
const REMARK: usize = 240;
/// The longest line of a log that is shown, in characters.
const LINE: usize = 400;
/// How many last lines of a service in trouble are shown.
const LINES: usize = 5;
/// How many last lines of a service are shown that was asked for.
const LINES_IN_DETAIL: usize = 10;
/// A service that is not ready after this many milliseconds is in trouble.
const LONG: u64 = 60_000;
/// More services in trouble than these have no lines of theirs shown.
const TROUBLED: usize = 6;

/// How a state stands out.
#[must_use]
pub fn tone(service: &ServiceStatus, blocked: bool) -> Tone {
    match service.state {
        ServiceState::Waiting if blocked => Tone::Bad,
        ServiceState::Ready | ServiceState::Done => Tone::Good,
        ServiceState::Failed => Tone::Bad,
        ServiceState::Stopped | ServiceState::Scheduled => Tone::Dim,
        ServiceState::Waiting | ServiceState::Starting | ServiceState::Stopping | ServiceState::BackingOff => Tone::Odd,
    }
}

/// The last lines of a service, if this process may read them. Not cleaned: they may hold anything.
#[must_use]
pub fn last_lines(service: &ServiceStatus, count: usize) -> Vec<String> {
    service.log.as_deref().map(|log| logs::last_lines(log, count)).unwrap_or_default()
}

/// What a service printed, of a line of its log: without the time in front or the JSON around it, and without colours. Fit to
/// print on one line, of at most `limit` characters.
#[must_use]
pub fn bare(line: &str, limit: usize) -> String {
    let framed = || serde_json::from_str::<serde_json::Value>(line).ok()?.get("line")?.as_str().map(str::to_owned);
    let json = if line.starts_with("{\"time\":\"") { framed() } else { None };
    let text = json.as_deref().unwrap_or_else(|| match line.split_once(' ') {
        // As the logger has it: `2026-11-21T16:57:50.123Z`.
        Some((time, text)) if time.len() == 24 && time.ends_with('Z') && time.as_bytes().get(10) == Some(&b'T') => text,
        _ => line,
    });
    let mut plain = String::with_capacity(text.len().min(limit.saturating_mul(4)));
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let after = part.trim_start_matches(|character: char| matches!(character, '0'..='9' | ';' | ':'));
        match after.strip_prefix('m') {
            Some(rest) => plain.push_str(rest),
            None => plain.extend(["\u{1b}[", part]),
        }
    }
    clean(&plain, limit)
}

/// The last lines of the services that are in trouble, and of those that are asked for.
pub(super) fn lines(engine: &Snapshot, names: &[String]) -> BTreeMap<String, Vec<String>> {
    let shown: Vec<(&ServiceStatus, usize)> = if names.is_empty() {
        troubled(engine).map(|service| (service, LINES)).collect()
    } else {
        let asked = engine.services.iter().filter(|service| names.contains(&service.name));
        asked.map(|service| (service, LINES_IN_DETAIL)).collect()
    };
    let lines = shown.into_iter().map(|(service, count)| (service.name.clone(), last_lines(service, count)));
    lines.filter(|(_, lines)| !lines.is_empty()).collect()
}

/// The services whose last lines are of interest. The first run has a section of its own.
fn troubled(engine: &Snapshot) -> impl Iterator<Item = &ServiceStatus> {
    let troubled = |service: &&ServiceStatus| {
        !service.stand_in
            && service.name != FIRST_RUN
            && match service.state {
                ServiceState::Failed | ServiceState::BackingOff => true,
                ServiceState::Starting => service.kind == Kind::Daemon && service.since_ms > LONG,
                ServiceState::Scheduled => failed_last(service),
                _ => false,
            }
    };
    engine.services.iter().filter(troubled).take(TROUBLED)
}

fn failed_last(service: &ServiceStatus) -> bool {
    service.last_end.as_deref().is_some_and(|end| end != "exit code 0")
}

/// Writes a table of the services, and the last lines of those in trouble.
pub(super) fn write(out: &mut String, engine: &Snapshot, lines: &BTreeMap<String, Vec<String>>, look: Look) {
    let blocked = outlook::blocked(engine);
    let shown = engine.services.iter().filter(|service| !(service.stand_in && service.pid.is_none()));
    let row = |service: &ServiceStatus| {
        let cause = blocked.get(service.name.as_str()).copied();
        vec![
            Cell::from(clean(&service.name, REMARK)),
            Cell::of(word(service.state), tone(service, cause.is_some())),
            Cell::from(service.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())),
            Cell::from(ago(service.since_ms)),
            Cell::from(service.restarts.to_string()),
            Cell::from(clean(&remark(service, cause), REMARK)),
        ]
    };
    let rows: Vec<Vec<Cell>> = shown.map(row).collect();
    if !rows.is_empty() {
        let head = ["SERVICE", "STATE", "PID", "SINCE", "RESTARTS", "NOTE"];
        out.push_str(&table(&head, &rows, &[4, 2, 3], look));
    }
    for service in troubled(engine) {
        let Some(lines) = lines.get(&service.name) else { continue };
        let path = service.log.as_ref().map(|path| format!(" of {}", path.display())).unwrap_or_default();
        let end = match (&service.last_end, service.state) {
            (_, ServiceState::Starting) => format!("is not ready after {}", ago(service.since_ms)),
            (Some(end), _) => format!("failed ({end})"),
            (None, _) => "failed".to_owned(),
        };
        let title = format!("{} {end}; the last lines{path}:", service.name);
        let _ = writeln!(out, "\n{}", clean(&title, LINE));
        quote(out, lines, look);
    }
}

/// Writes lines that may hold anything.
fn quote(out: &mut String, lines: &[String], look: Look) {
    for line in lines {
        let _ = writeln!(out, "    {}", look.paint(&look.fit(&bare(line, LINE), 4), Tone::Dim));
    }
}

/// What else is worth knowing of a service. `cause` is what [`outlook::blocked`] has for it.
fn remark(service: &ServiceStatus, cause: Option<&ServiceStatus>) -> String {
    let end = service.last_end.as_deref();
    let last = |label: &str| end.map(|end| format!("{label}{end}")).unwrap_or_default();
    let next = |word: &str| service.next_ms.map(|next| format!("{word} in {}", ago(next)));
    let joined = |first: Option<String>, second: String| {
        let parts = first.into_iter().chain([second]).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("; ")
    };
    match service.state {
        ServiceState::Waiting => outlook::waits(service, cause),
        ServiceState::Starting | ServiceState::Ready | ServiceState::Stopping => {
            service.text.clone().unwrap_or_else(|| last("last: "))
        }
        ServiceState::BackingOff => joined(next("again"), last("")),
        ServiceState::Scheduled if failed_last(service) => joined(next("next"), last("last: ")),
        ServiceState::Scheduled => next("next").unwrap_or_default(),
        ServiceState::Failed => joined(next("next"), last("")),
        ServiceState::Done if service.kind == Kind::Oneshot && !failed_last(service) => String::new(),
        ServiceState::Done => last(""),
        ServiceState::Stopped if service.manual && end.is_none() => "manual".to_owned(),
        ServiceState::Stopped if service.manual => joined(Some("manual".to_owned()), last("last: ")),
        ServiceState::Stopped => "on request".to_owned(),
    }
}

/// All that is known of one service.
#[must_use]
pub fn detail(engine: &Snapshot, service: &ServiceStatus, lines: Option<&Vec<String>>, look: Look) -> String {
    let cause = outlook::blocked(engine).get(service.name.as_str()).copied();
    let state = look.paint(word(service.state), tone(service, cause.is_some()));
    let mut out = format!("{}: {state} for {}\n", clean(&service.name, REMARK), ago(service.since_ms));
    let mut fact = |label: &str, value: &str| {
        let _ = writeln!(out, "  {}{}", look.paint(&format!("{label:<12}"), Tone::Dim), clean(value, LINE));
    };
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let policy = match (service.critical, service.stand_in) {
        (true, _) => "critical: the container ends with it",
        (false, _) if service.state == ServiceState::Scheduled => {
            "none: its failures are shown here, and change nothing"
        }
        (false, true) => "stand-in: it runs only while what it stands in for does not",
        (false, false) => "degraded: the container goes on without it, and is unhealthy once it is given up",
    };
    if service.state == ServiceState::Waiting {
        fact("why", &outlook::waits(service, cause));
    }
    let kind = match (service.kind, service.manual) {
        (Kind::Daemon, false) => "runs all the time",
        (Kind::Oneshot, false) => "runs and ends",
        (Kind::Daemon, true) => "runs once someone starts it (manual)",
        (Kind::Oneshot, true) => "runs once someone starts it, and ends (manual)",
    };
    let facts = [
        ("says", optional(&service.text)),
        ("pid", service.pid.map(|pid| pid.to_string()).unwrap_or_default()),
        ("kind", kind.to_owned()),
        ("policy", policy.to_owned()),
        ("next start", service.next_ms.map(|next| format!("in {}", ago(next))).unwrap_or_default()),
        ("restarts", service.restarts.to_string()),
        (
            "first ready",
            service.ready_after_ms.map(|at| format!("{} after the start of devinit", exact(at))).unwrap_or_default(),
        ),
        ("last end", optional(&service.last_end)),
        ("log", service.log.as_ref().map(|path| path.display().to_string()).unwrap_or_default()),
    ];
    facts.iter().filter(|(_, value)| !value.is_empty()).for_each(|(label, value)| fact(label, value));
    match (lines, &service.log) {
        (Some(lines), _) => {
            out.push_str("  its last lines:\n");
            quote(&mut out, lines, look);
        }
        (None, Some(path)) if logs::is_forbidden(path) => {
            out.push_str("  its last lines are for root and for its own user\n");
        }
        (None, _) => {}
    }
    out
}

/// Milliseconds as people measure a start: `0.4s`, `2m05s`.
fn exact(millis: u64) -> String {
    if millis < 60_000 { format!("{}.{}s", millis / 1000, millis / 100 % 10) } else { ago(millis) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, state: ServiceState) -> ServiceStatus {
        let pid = matches!(state, ServiceState::Ready | ServiceState::Starting).then_some(42);
        ServiceStatus { pid, since_ms: 125_000, ..ServiceStatus::new(name, Kind::Daemon, state) }
    }

    fn ended(name: &str, state: ServiceState, end: &str) -> ServiceStatus {
        ServiceStatus { last_end: Some(end.to_owned()), restarts: 3, ..service(name, state) }
    }

    fn engine() -> Snapshot {
        let text = |text: &str| Some(text.to_owned());
        let waits = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Snapshot::running(
            0,
            vec![
                ServiceStatus { critical: true, text: text("loading, 40 %"), ..service("app", ServiceState::Starting) },
                ServiceStatus { log: Some("/log/db.log".into()), ..ended("db", ServiceState::Failed, "exit code 1") },
                ServiceStatus { waits_for: waits(&["db"]), ..service("web", ServiceState::Waiting) },
                ServiceStatus {
                    next_ms: Some(4_000),
                    ..ended("tunnel", ServiceState::BackingOff, "killed by SIGSEGV")
                },
                ServiceStatus { next_ms: Some(240_000), ..ended("backup", ServiceState::Scheduled, "exit code 0") },
                ServiceStatus { next_ms: Some(240_000), ..ended("sync", ServiceState::Scheduled, "exit code 2") },
                ServiceStatus { manual: true, ..service("bench", ServiceState::Stopped) },
                service("xvfb", ServiceState::Ready),
                ServiceStatus { stand_in: true, ..service("page", ServiceState::Waiting) },
            ],
        )
    }

    fn text(lines: &BTreeMap<String, Vec<String>>, look: Look) -> String {
        let mut out = String::new();
        write(&mut out, &engine(), lines, look);
        out
    }

    fn lines_of_db(lines: &[&str]) -> BTreeMap<String, Vec<String>> {
        [("db".to_owned(), lines.iter().map(|line| (*line).to_owned()).collect())].into()
    }

    #[test]
    fn each_service_has_a_row_with_what_is_worth_knowing_and_who_failed_its_last_lines() {
        let lines = lines_of_db(&["Traceback", "No module named 'x'"]);
        insta::assert_snapshot!(text(&lines, Look::default()).trim_start(), @r"
        SERVICE  STATE       PID  SINCE  RESTARTS  NOTE
        app      starting    42   2m05s  0         loading, 40 %
        db       failed      -    2m05s  3         exit code 1
        web      waiting     -    2m05s  0         waits for db, which failed
        tunnel   restarting  -    2m05s  3         again in 4s; killed by SIGSEGV
        backup   scheduled   -    2m05s  3         next in 4m00s
        sync     scheduled   -    2m05s  3         next in 4m00s; last: exit code 2
        bench    stopped     -    2m05s  0         manual
        xvfb     ready       42   2m05s  0

        db failed (exit code 1); the last lines of /log/db.log:
            Traceback
            No module named 'x'
        ");
    }

    #[test]
    fn colours_are_on_top_of_words() {
        let colored = text(&BTreeMap::new(), Look { columns: None, color: true });
        assert!(colored.contains("\x1b[1;31mfailed\x1b[0m") && colored.contains("\x1b[32mready\x1b[0m"), "{colored:?}");
    }

    #[test]
    fn nothing_that_a_service_prints_or_says_moves_the_cursor_or_makes_lines_of_its_own() {
        let ugly = "\u{1b}[2J\nerror: x\u{202e}";
        let mut engine = engine();
        for service in &mut engine.services {
            (service.text, service.last_end) = (Some(ugly.to_owned()), Some(ugly.to_owned()));
            service.name.push_str(ugly);
            service.waits_for.push(ugly.to_owned());
        }
        let name = engine.services[1].name.clone();
        let lines = [(name, vec![ugly.to_owned()])].into();
        let mut out = String::new();
        write(&mut out, &engine, &lines, Look::default());
        for service in &engine.services {
            out.push_str(&detail(&engine, service, lines.get(&service.name), Look::default()));
        }
        assert!(!out.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{out:?}");
        assert!(!out.lines().any(|line| line.starts_with("error: ")), "{out}");
    }

    #[test]
    fn on_a_narrow_terminal_no_line_is_broken_and_name_and_state_stay() {
        let lines = lines_of_db(&[&"x".repeat(300)]);
        let text = text(&lines, Look { columns: Some(46), color: false });
        for line in text.lines().filter(|line| !line.contains("last lines")) {
            assert!(crate::words::columns(line) <= 46, "{line}");
        }
        assert!(text.contains("web      waiting     waits for db, which fail…"), "{text}");
    }

    #[test]
    fn one_service_in_detail_says_what_its_end_means() {
        let engine = engine();
        let db = ServiceStatus { ready_after_ms: Some(1_250), ..engine.services[1].clone() };
        let lines = vec!["No module named 'x'".to_owned()];
        insta::assert_snapshot!(detail(&engine, &db, Some(&lines), Look::default()), @r"
        db: failed for 2m05s
          kind        runs all the time
          policy      degraded: the container goes on without it, and is unhealthy once it is given up
          restarts    3
          first ready 1.2s after the start of devinit
          last end    exit code 1
          log         /log/db.log
          its last lines:
            No module named 'x'
        ");
        let web = detail(&engine, &engine.services[2], None, Look::default());
        assert!(web.contains("why         waits for db, which failed"), "{web}");
    }

    #[test]
    fn of_a_line_of_the_log_only_what_the_service_printed_is_shown() {
        for (line, shown) in [
            ("2026-11-21T16:57:50.123Z No module", "No module"),
            ("2026-11-21T16:57:50.123Z", "2026-11-21T16:57:50.123Z"),
            (r#"{"time":"2026-11-21T16:57:50.123Z","service":"db","line":"a \"b\""}"#, "a \"b\""),
            ("{\"time\":\"cut off", "{\"time\":\"cut off"),
            ("\u{1b}[1;31mred\u{1b}[0m \u{1b}[2Jgone", "red ?[2Jgone"),
            ("plain text", "plain text"),
        ] {
            assert_eq!(bare(line, 100), shown);
        }
    }

    #[test]
    fn lines_are_read_for_those_in_trouble_or_for_those_that_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        std::fs::write(&log, (0..20).map(|number| format!("line {number}\n")).collect::<String>()).unwrap();
        let mut engine = engine();
        for service in &mut engine.services {
            service.log = Some(log.clone());
        }
        let all = lines(&engine, &[]);
        assert_eq!(all.keys().collect::<Vec<_>>(), ["app", "db", "sync", "tunnel"]);
        assert_eq!((all["db"].len(), all["db"].last().map(String::as_str)), (LINES, Some("line 19")));
        let named = lines(&engine, &["xvfb".to_owned()]);
        assert_eq!((named.len(), named["xvfb"].len()), (1, LINES_IN_DETAIL));
    }
}
