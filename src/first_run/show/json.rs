//! The view for programs: a JSON object on each line.

use std::io::Write;

use serde_json::{Value, json};

use super::changes::{Change, Changes};
use super::{text, write};
use crate::first_run::progress::{Progress, State, TaskProgress, log_line};

/// The least time between two `progress` events of a task, in milliseconds.
const SELDOM: u64 = 500;

/// The view for programs: a JSON object on each line. Each has `event` and `time` (milliseconds since the run began),
/// and all but `end` have `task` (its name); members whose value is not known are null.
///
/// | event | what happened | more members |
/// | --- | --- | --- |
/// | `begin` | an attempt begins | `attempt` (from 1), `summary` |
/// | `stage` | it does something else now | `stage` |
/// | `progress` | a download got further; at most twice a second | `bytes`, `total` |
/// | `warning` | people should see this; it goes on | `text` |
/// | `retry` | an attempt failed, and there will be another one | `attempt`, `error`, `again` (when, as `time`) |
/// | `done` | it was done in this run | `version`, `took` (milliseconds) |
/// | `unchanged` | it had been done before | `version` |
/// | `failed` | it failed for good | `error`, `hint`, `log` (a path), `tail` (lines of it), `command` (tries again), `optional` |
/// | `skipped` | it was not begun | `because` (the task that failed), `error`, `optional` |
/// | `end` | the run has ended; the last line | `done`, `unchanged`, `tasks` (numbers), `failed`, `skipped` (names), `missing` (whether it lacks something that is not optional) |
///
/// New events and members may be added.
pub struct Json<W> {
    pub(super) out: W,
    changes: Changes,
    /// When each task last had a `progress` event.
    told: Vec<Option<u64>>,
}

impl<W: Write> Json<W> {
    /// Writes to this.
    pub fn new(out: W) -> Self {
        Self { out, changes: Changes::default(), told: Vec::new() }
    }

    /// See [`View::update`](super::View::update).
    pub fn update(&mut self, progress: &Progress) {
        let changes = self.changes.of(progress);
        self.told.resize(self.told.len().max(progress.tasks.len()), None);
        let mut lines = String::new();
        for (at, task, change) in changes {
            if change == Change::Bytes && !self.is_time(at, progress.elapsed_ms) {
                continue;
            }
            let (event, members) = describe(progress, task, change);
            let mut line = json!({"event": event, "time": progress.elapsed_ms, "task": text::name(task)});
            merge(&mut line, members);
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        if !lines.is_empty() {
            write(&mut self.out, &lines);
        }
    }

    /// See [`View::end`](super::View::end).
    pub fn end(&mut self, progress: &Progress) {
        self.update(progress);
        let with = |state| progress.tasks.iter().filter(move |task| task.state == state);
        let line = json!({
            "event": "end",
            "time": progress.elapsed_ms,
            "tasks": progress.tasks.len(),
            "done": progress.done(),
            "unchanged": with(State::Unchanged).count(),
            "failed": with(State::Failed).map(text::name).collect::<Vec<_>>(),
            "skipped": with(State::Skipped).map(text::name).collect::<Vec<_>>(),
            "missing": progress.missing().next().is_some(),
        });
        write(&mut self.out, &format!("{line}\n"));
    }

    fn is_time(&mut self, at: usize, now: u64) -> bool {
        let Some(told) = self.told.get_mut(at) else { return false };
        let due = told.is_none_or(|told| now >= told.saturating_add(SELDOM));
        if due {
            *told = Some(now);
        }
        due
    }
}

fn describe(progress: &Progress, task: &TaskProgress, change: Change<'_>) -> (&'static str, Value) {
    let long = |text: &Option<String>| text.as_deref().map(text::long);
    let took = task.span(progress.elapsed_ms).map(|(begin, end)| end - begin);
    match change {
        Change::Begin => ("begin", json!({"attempt": task.attempts, "summary": text::long(&task.summary)})),
        Change::Warning(warning) => ("warning", json!({"text": text::long(warning)})),
        Change::Stage => ("stage", json!({"stage": text::long(&task.stage)})),
        Change::Bytes => ("progress", json!({"bytes": task.bytes, "total": task.total})),
        Change::Retry => {
            ("retry", json!({"attempt": task.attempts, "error": long(&task.error), "again": task.again_ms}))
        }
        Change::End(State::Unchanged) => ("unchanged", json!({"version": long(&task.version)})),
        Change::End(State::Failed) => (
            "failed",
            json!({
                "error": long(&task.error),
                "hint": long(&task.hint),
                "log": long(&task.log),
                "tail": task.tail.iter().map(|line| log_line(line)).collect::<Vec<_>>(),
                "command": progress.command(task),
                "optional": task.optional,
            }),
        ),
        Change::End(State::Skipped) => {
            let because = progress.culprit(task).map(text::name);
            ("skipped", json!({"because": because, "error": long(&task.error), "optional": task.optional}))
        }
        Change::End(_) => ("done", json!({"version": long(&task.version), "took": took})),
    }
}

fn merge(line: &mut Value, members: Value) {
    if let (Value::Object(line), Value::Object(members)) = (line, members) {
        line.extend(members);
    }
}
