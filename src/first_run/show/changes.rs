//! What is new from one progress to the next.

use crate::first_run::progress::{Progress, State, TaskProgress};

/// What is new about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    /// An attempt has begun.
    Begin,
    /// There is something that people should see.
    Warning(&'a str),
    /// It does something else now.
    Stage,
    /// The download has got further, or begun anew.
    Bytes,
    /// It failed and is tried again.
    Retry,
    /// It came to this end.
    End(State),
}

/// Remembers what was known.
#[derive(Default)]
pub(super) struct Changes {
    seen: Vec<Seen>,
}

#[derive(Clone, Default)]
struct Seen {
    state: State,
    attempts: u32,
    stage: String,
    bytes: u64,
    warnings: usize,
}

impl Changes {
    /// What is new, with the place of the task in the list; of what happened to a task in the meantime, only the last
    /// beginning and what came after it.
    pub(super) fn of<'a>(&mut self, progress: &'a Progress) -> Vec<(usize, &'a TaskProgress, Change<'a>)> {
        let count = progress.tasks.len().max(self.seen.len());
        self.seen.resize(count, Seen::default());
        let tasks = progress.tasks.iter().zip(&mut self.seen).enumerate();
        tasks.flat_map(|(at, (task, seen))| seen.changes(task).into_iter().map(move |c| (at, task, c))).collect()
    }
}

impl Seen {
    /// Whether nothing is new: with hundreds of tasks that is so for nearly all of them, each time.
    fn is_up_to_date(&self, task: &TaskProgress) -> bool {
        let same = (self.state, self.attempts, self.warnings) == (task.state, task.attempts, task.warnings.len());
        same && task.state != State::Running
    }

    fn changes<'a>(&mut self, task: &'a TaskProgress) -> Vec<Change<'a>> {
        if self.is_up_to_date(task) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        let begun = task.attempts > self.attempts;
        if begun {
            self.attempts = task.attempts;
            self.stage.clear();
            self.bytes = 0;
            changes.push(Change::Begin);
        }
        changes.extend(task.warnings.iter().skip(self.warnings).map(|warning| Change::Warning(warning)));
        self.warnings = task.warnings.len();
        if task.state == State::Running {
            if self.stage != task.stage {
                self.stage.clone_from(&task.stage);
                changes.push(Change::Stage);
            }
            if self.bytes != task.bytes {
                self.bytes = task.bytes;
                changes.push(Change::Bytes);
            }
        }
        if self.state != task.state || begun {
            match task.state {
                State::Waiting | State::Running => {}
                State::BackingOff => changes.push(Change::Retry),
                end => changes.push(Change::End(end)),
            }
        }
        self.state = task.state;
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(task: TaskProgress) -> Progress {
        Progress { tasks: vec![task], ..Progress::default() }
    }

    #[test]
    fn nothing_new_is_nothing_and_what_was_missed_is_made_up_for() {
        let mut changes = Changes::default();
        let mut of = |task: &TaskProgress| -> Vec<Change<'static>> {
            let progress = progress(task.clone());
            changes
                .of(&progress)
                .into_iter()
                .map(|(_, _, change)| match change {
                    Change::Warning(_) => Change::Warning("…"),
                    Change::Begin => Change::Begin,
                    Change::Stage => Change::Stage,
                    Change::Bytes => Change::Bytes,
                    Change::Retry => Change::Retry,
                    Change::End(state) => Change::End(state),
                })
                .collect()
        };
        let mut task = TaskProgress::default();
        assert_eq!(of(&task), []);
        task = TaskProgress { state: State::BackingOff, attempts: 1, ..task };
        assert_eq!(of(&task), [Change::Begin, Change::Retry]);
        assert_eq!(of(&task), []);
        task.attempts = 3;
        assert_eq!(of(&task), [Change::Begin, Change::Retry]);
        task = TaskProgress { state: State::Running, attempts: 4, stage: "x".into(), bytes: 7, ..task };
        task.warnings = vec!["one".into(), "two".into()];
        let warning = Change::Warning("…");
        assert_eq!(of(&task), [Change::Begin, warning, warning, Change::Stage, Change::Bytes]);
        task.bytes = 8;
        assert_eq!(of(&task), [Change::Bytes]);
        task.state = State::Done;
        assert_eq!(of(&task), [Change::End(State::Done)]);
        assert_eq!(of(&task), []);
    }
}
