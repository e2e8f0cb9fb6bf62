//! `devinit job list`, and what `status` without a name is made of.

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::Value;

use super::{complain, json, line, value};
use crate::cli;
use crate::commands::print;
use crate::job::{Folder, Name, Seen};
use crate::sorted;
use crate::status::table::{Cell, Look, Tone, table};
use crate::words::clean;

/// The longest last line that is shown where lines may be as long as they are, in characters.
const LAST: usize = 200;
/// A guard takes over for its worker within this time.
const TAKEOVER: Duration = Duration::from_millis(200);

/// Prints all jobs as a table. Returns the exit code.
#[must_use]
pub fn list(folder: &Folder, options: &cli::List) -> i32 {
    let Some(mut jobs) = gather(folder, options.json) else { return 1 };
    if options.running {
        jobs.retain(|(_, seen)| seen.runs());
    }
    if options.json {
        return print(&json(&Value::Array(jobs.iter().map(|(name, seen)| value(name, seen)).collect())));
    }
    if jobs.is_empty() {
        return print(&none(folder, options.running));
    }
    print(text(&jobs, Look::of_stdout()).trim_start())
}

/// All jobs, the latest first, `whole` or without what no line tells of them; none if the folder cannot be read, which was said.
pub(super) fn gather(folder: &Folder, whole: bool) -> Option<Vec<(Name, Seen)>> {
    let names = match folder.jobs() {
        Ok(names) => names,
        Err(error) => {
            complain(&format!("{} cannot be read: {error}", clean(&folder.path().to_string_lossy(), LAST)));
            return None;
        }
    };
    let look = |name: &Name| folder.look(name).map(|seen| seen.map(|seen| if whole { seen } else { short(seen) }));
    let mut jobs = Vec::with_capacity(names.len());
    for name in names {
        match look(&name) {
            Ok(Some(seen)) => jobs.push((name, seen)),
            // It is damaged, or was removed meanwhile.
            Ok(None) => {}
            Err(error) => complain(&format!("the status of `{name}` cannot be read: {error}")),
        }
    }
    if jobs.iter().any(|(_, seen)| seen.is_in_doubt()) {
        std::thread::sleep(TAKEOVER);
        for (name, seen) in jobs.iter_mut().filter(|(_, seen)| seen.is_in_doubt()) {
            if let Ok(Some(now)) = look(name) {
                *seen = now;
            }
        }
    }
    sorted::sort_by_key(&mut jobs, |(_, seen)| Reverse(seen.status.started.0));
    Some(jobs)
}

/// A mebibyte of empty words, which anyone can write into a status, is eight of them in memory: too much in a list.
fn short(mut seen: Seen) -> Seen {
    seen.status.command = Vec::new();
    seen.status.warnings.truncate(line::WARNINGS);
    seen.status.warnings.shrink_to_fit();
    seen
}

/// What to say where there are no jobs.
pub(super) fn none(folder: &Folder, running: bool) -> String {
    let what = if running { "no job runs" } else { "no jobs" };
    format!("{what} in {}\n", clean(&folder.path().to_string_lossy(), LAST))
}

pub(super) fn text(jobs: &[(Name, Seen)], look: Look) -> String {
    let row = |(name, seen): &(Name, Seen)| {
        let status = &seen.status;
        let last = status.error.as_deref().or(status.last_line.as_deref()).unwrap_or_default();
        vec![
            Cell::from(name.as_str()),
            Cell::of(line::state(status), line::tone(status.state)),
            Cell::from(line::since(line::entered(seen))),
            Cell::from(line::ago(line::ran(seen))),
            Cell::from(status.lines.to_string()),
            Cell::from(status.progress.as_ref().map(line::progress).unwrap_or_default()),
            Cell::of(clean(last, LAST), Tone::Dim),
        ]
    };
    let rows: Vec<Vec<Cell>> = jobs.iter().map(row).collect();
    table(&["JOB", "STATE", "SINCE", "DURATION", "LINES", "PROGRESS", "LAST LINE"], &rows, &[4, 2, 5, 3], look)
}
