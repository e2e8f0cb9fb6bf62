//! What a first run would do, without doing it.

use std::fmt::Write;

use super::Progress;
use crate::first_run::progress::State;
use crate::words::clean;

/// The longest description of a task, in characters.
const LONGEST: usize = 100;

/// A table of the tasks: for each whether it is done and what it does.
#[must_use]
pub fn plan(progress: &Progress) -> String {
    let width = progress.tasks.iter().map(|task| task.name.chars().count()).max().unwrap_or(0).max(4);
    let mut text =
        format!("first run for {}\n{:width$}  {:6}  WHAT\n", clean(&progress.user, LONGEST), "STEP", "STATE");
    for task in &progress.tasks {
        let state = if task.state == State::Unchanged { "done" } else { "to do" };
        let what = match &task.version {
            Some(version) => format!("{} ({version})", task.summary),
            None => task.summary.clone(),
        };
        let needs = if task.needs.is_empty() { String::new() } else { format!("  after {}", task.needs.join(", ")) };
        let line = format!("{:width$}  {state:6}  {}{needs}", clean(&task.name, LONGEST), clean(&what, LONGEST));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first_run::progress::TaskProgress;

    #[test]
    fn each_task_has_a_line() {
        let task = |name: &str, state, version: Option<&str>, needs: &[&str]| TaskProgress {
            name: name.to_owned(),
            summary: format!("{name} latest"),
            state,
            version: version.map(str::to_owned),
            needs: needs.iter().map(ToString::to_string).collect(),
            ..TaskProgress::default()
        };
        let tasks = vec![
            task("node", State::Unchanged, Some("24.19.0"), &[]),
            task("bun.global", State::Waiting, None, &["bun", "node"]),
        ];
        let progress = Progress { user: "peid".to_owned(), tasks, ..Progress::default() };
        assert_eq!(
            plan(&progress),
            "first run for peid\n\
             STEP        STATE   WHAT\n\
             node        done    node latest (24.19.0)\n\
             bun.global  to do   bun.global latest  after bun, node\n"
        );
    }
}
