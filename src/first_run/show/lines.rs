//! The view for a log: quiet lines without escapes.

use std::io::Write;

use super::changes::{Change, Changes};
use super::{text, write};
use crate::first_run::progress::{Progress, State, TaskProgress};
use crate::words::bytes;

/// The least time between two lines about a download, in milliseconds: those that are quick need none.
const SELDOM: u64 = 5_000;
/// The most time between two lines about a download that goes on, in milliseconds.
const OFTEN: u64 = 30_000;

/// The view for a log: a line when a task begins, when it ends, and now and then while it downloads.
pub struct Lines<W> {
    pub(super) out: W,
    changes: Changes,
    /// For each task, when it was last spoken of, and the quarter of the download that it was in.
    spoken: Vec<(u64, u64)>,
}

impl<W: Write> Lines<W> {
    /// Writes to this.
    pub fn new(out: W) -> Self {
        Self { out, changes: Changes::default(), spoken: Vec::new() }
    }

    /// See [`View::update`](super::View::update).
    pub fn update(&mut self, progress: &Progress) {
        let changes = self.changes.of(progress);
        self.spoken.resize(self.spoken.len().max(progress.tasks.len()), (0, 0));
        let mut lines = String::new();
        for (at, task, change) in changes {
            if let Some(line) = self.line(progress, at, task, change) {
                lines.push_str("first run: ");
                lines.push_str(&line);
                lines.push('\n');
            }
        }
        if !lines.is_empty() {
            write(&mut self.out, &lines);
        }
    }

    /// See [`View::end`](super::View::end).
    pub fn end(&mut self, progress: &Progress) {
        self.update(progress);
        write(&mut self.out, &format!("{}{}\n", text::failures(progress), text::summary(progress)));
    }

    fn line(&mut self, progress: &Progress, at: usize, task: &TaskProgress, change: Change<'_>) -> Option<String> {
        let name = text::name(task);
        Some(match change {
            Change::Begin => {
                if let Some(spoken) = self.spoken.get_mut(at) {
                    *spoken = (progress.elapsed_ms, 0);
                }
                match task.attempts {
                    1 => format!("{name} begins: {}", text::long(&task.summary)),
                    attempt => format!("{name} begins again, attempt {attempt}"),
                }
            }
            Change::Warning(warning) => format!("warning: {name}: {}", text::long(warning)),
            Change::Bytes => return self.download(progress, at, task),
            Change::Retry => {
                let pause = text::until(progress, task.again_ms);
                format!("{name} failed, will try again in {pause}: {}", text::error(task))
            }
            Change::End(State::Done) => {
                format!("{name}{} done in {}", text::version(task), text::time_of(progress, task))
            }
            Change::End(State::Failed) => format!("{name} failed: {}", text::error(task)),
            Change::End(State::Skipped) => format!("{name} skipped{}", text::why_skipped(progress, task)),
            Change::Stage | Change::End(_) => return None,
        })
    }

    fn download(&mut self, progress: &Progress, at: usize, task: &TaskProgress) -> Option<String> {
        let (spoken, quarter) = self.spoken.get_mut(at)?;
        let total = task.total.filter(|total| *total > 0);
        let percent = total.map(|total| text::percent(task.bytes, total));
        let now_in = percent.unwrap_or(0) / 25;
        let silence = progress.elapsed_ms.saturating_sub(*spoken);
        if silence < SELDOM || task.total == Some(task.bytes) || (now_in <= *quarter && silence < OFTEN) {
            return None;
        }
        (*spoken, *quarter) = (progress.elapsed_ms, now_in);
        let (name, done) = (text::name(task), bytes(task.bytes));
        Some(match (percent, total) {
            (Some(percent), Some(total)) => format!("{name} downloads: {percent} %, {done} of {}", bytes(total)),
            _ => format!("{name} downloads: {done}"),
        })
    }
}
