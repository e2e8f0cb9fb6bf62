//! What all views say in the same words.

use std::fmt::Write;
use std::time::Duration;

use crate::first_run::progress::{Progress, State, TaskProgress, log_line};
use crate::note::LONGEST_NOTE;
use crate::words::{clean, span};

/// The longest name that is shown, in characters.
const LONGEST_NAME: usize = 100;
/// More tasks than these are only counted.
const MOST_NAMES: usize = 5;

pub(super) fn name(task: &TaskProgress) -> String {
    clean(&task.name, LONGEST_NAME)
}

pub(super) fn long(text: &str) -> String {
    clean(text, LONGEST_NOTE)
}

/// ` 0.12.5`, or nothing.
pub(super) fn version(task: &TaskProgress) -> String {
    task.version.as_deref().map(|version| format!(" {}", clean(version, LONGEST_NAME))).unwrap_or_default()
}

/// Why a task failed.
pub(super) fn error(task: &TaskProgress) -> String {
    long(task.error.as_deref().unwrap_or("for no reason that is known"))
}

/// `: bun failed`, or nothing if nobody knows.
pub(super) fn why_skipped(progress: &Progress, task: &TaskProgress) -> String {
    if let Some(culprit) = progress.culprit(task) {
        return format!(": {} failed", name(culprit));
    }
    if let Some(error) = &task.error {
        return format!(": {}", long(error));
    }
    let need = task.needs.iter().filter_map(|need| progress.task(need)).find(|need| need.state == State::Skipped);
    need.map(|need| format!(": {} was skipped", name(need))).unwrap_or_default()
}

/// For how long a task has run, all attempts and pauses together.
pub(super) fn time_of(progress: &Progress, task: &TaskProgress) -> String {
    let (begin, end) = task.span(progress.elapsed_ms).unwrap_or_default();
    took(end - begin)
}

/// A time that something took: `3.2s`, from a minute on `2m 10s`.
pub(in crate::first_run) fn took(millis: u64) -> String {
    let tenths = millis.saturating_add(50) / 100;
    if tenths < 600 { format!("{}.{}s", tenths / 10, tenths % 10) } else { span(Duration::from_millis(millis)) }
}

/// How far a download is, in percent: 100 only when it is all there.
pub(super) fn percent(bytes: u64, total: u64) -> u64 {
    let percent = u128::from(bytes) * 100 / u128::from(total.max(1));
    u64::try_from(percent.min(100)).unwrap_or(100)
}

/// How long it is until then: `4s`, never less than a second.
pub(super) fn until(progress: &Progress, at: Option<u64>) -> String {
    let left = at.unwrap_or(0).saturating_sub(progress.elapsed_ms);
    span(Duration::from_secs(left.div_ceil(1000).max(1)))
}

/// Each failed task with the reason, what to do, the last lines of its log, and the command that tries it again: lines
/// with a newline at the end of each, or nothing.
#[must_use]
pub fn failures(progress: &Progress) -> String {
    let mut text = String::new();
    for task in progress.tasks.iter().filter(|task| task.state == State::Failed) {
        let _ = writeln!(text, "{} failed: {}", name(task), error(task));
        if let Some(hint) = &task.hint {
            let _ = writeln!(text, "  hint: {}", long(hint));
        }
        for line in &task.tail {
            let _ = writeln!(text, "{}", format!("  | {}", log_line(line)).trim_end());
        }
        if let Some(log) = &task.log {
            let _ = writeln!(text, "  log: {}", long(log));
        }
        if let Some(command) = progress.command(task) {
            let _ = writeln!(text, "  try again: {command}");
        }
    }
    text
}

/// How it ended, on one line: `first run: 9 of 10 done in 2m 10s; codex failed`.
#[must_use]
pub fn summary(progress: &Progress) -> String {
    let (count, done) = (progress.tasks.len(), progress.done());
    let with = |state| progress.tasks.iter().filter(move |task| task.state == state);
    if with(State::Unchanged).count() == count {
        return match count {
            0 => "first run: nothing to do".to_owned(),
            1 => "first run: nothing to do, the only task was done before".to_owned(),
            _ => format!("first run: nothing to do, all {count} were done before"),
        };
    }
    let mut text = format!("first run: {done} of {count} done in {}", took(progress.elapsed_ms));
    let mut lacking = Vec::new();
    let failed: Vec<&TaskProgress> = with(State::Failed).collect();
    if !failed.is_empty() {
        let optional = |task: &TaskProgress| if task.optional { " (optional)" } else { "" };
        let mut names: Vec<String> =
            failed.iter().take(MOST_NAMES).map(|task| format!("{}{}", name(task), optional(task))).collect();
        let more = failed.len().saturating_sub(MOST_NAMES);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        lacking.push(format!("{} failed", listed(&names)));
    }
    let skipped = with(State::Skipped).count();
    if skipped > 0 {
        lacking.push(format!("{skipped} skipped"));
    }
    if !lacking.is_empty() {
        let _ = write!(text, "; {}", lacking.join(", "));
    }
    text
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
