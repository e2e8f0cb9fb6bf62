//! How a first run stands: what bars, lines, `--json`, `status`, the greeting, the page and `analyze` show.
//!
//! The coordinator writes it to a file now and then. Readers take it as something that anyone may have written: bounded,
//! and cleaned before it is printed.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::record;
use crate::note::LONGEST_NOTE;
use crate::words::clean;

/// The longest file that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// The most tasks that are taken from a file.
const MOST_TASKS: usize = 1000;
/// The most lines of a log, and the most warnings, that are taken for a task.
const MOST_LINES: usize = 50;
/// The longest name, in characters.
const LONGEST_NAME: usize = 100;
/// The longest line of a log, and the longest text about what is going on, in characters.
const LONGEST_LINE: usize = 300;
/// What begins this long after the end of something, in milliseconds, began because of that.
const AT_ONCE: u64 = 100;

/// How a first run stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Version of this structure: 1.
    pub schema: u32,
    /// For whom it runs.
    pub user: String,
    /// The coordinator's process id, in its container.
    pub pid: i32,
    /// The host name of its container.
    pub host: String,
    /// When it began: seconds since 1970.
    pub started: i64,
    /// For how long it runs, or ran, in milliseconds.
    pub elapsed_ms: u64,
    /// Whether it has ended.
    pub ended: bool,
    /// The tasks, in the order of the config.
    pub tasks: Vec<TaskProgress>,
}

/// How one task stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskProgress {
    /// Its name.
    pub name: String,
    /// What it does: `uv latest`.
    pub summary: String,
    /// Where it stands.
    pub state: State,
    /// The names of the tasks that it needs.
    pub needs: Vec<String>,
    /// Whether the run counts as done without it.
    pub optional: bool,
    /// How often it was begun in this run.
    pub attempts: u32,
    /// What it is doing now.
    pub stage: String,
    /// Bytes of the download that are there.
    pub bytes: u64,
    /// Bytes that there will be, if that is known.
    pub total: Option<u64>,
    /// When it was first begun, in milliseconds since the run began.
    pub begun_ms: Option<u64>,
    /// When it came to an end (for this run), in milliseconds since the run began.
    pub ended_ms: Option<u64>,
    /// When it is tried again, in milliseconds since the run began.
    pub again_ms: Option<u64>,
    /// The version that is installed.
    pub version: Option<String>,
    /// Why it failed, last.
    pub error: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The last lines of its log, if it failed.
    pub tail: Vec<String>,
    /// Its log file.
    pub log: Option<String>,
    /// What people should see, though it went on.
    pub warnings: Vec<String>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for what it needs, or for its turn.
    #[default]
    Waiting,
    /// Runs.
    Running,
    /// Failed, and is tried again.
    BackingOff,
    /// Was done in this run.
    Done,
    /// Had been done before.
    Unchanged,
    /// Failed for good.
    Failed,
    /// Not begun: something that it needs failed, or the run was told to stop.
    Skipped,
}

/// Reads how a first run stands, from a file that anyone may have written: a regular file of at most 1 MiB. Texts are
/// cleaned and cut, and of more than 1000 tasks the first are taken.
#[must_use]
pub fn read(path: &Path) -> Option<Progress> {
    parse(&record::bounded(path, LONGEST)?)
}

/// As [`read`], from what was read already.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Progress> {
    let progress: Progress = serde_json::from_slice(bytes).ok()?;
    (progress.schema == 1).then(|| progress.cleaned())
}

/// The tasks that decided when the run ended, in the order in which they ran: each began when the one before it had
/// ended, because it needs it or because there was no room before.
#[must_use]
pub fn critical_path(progress: &Progress) -> Vec<&TaskProgress> {
    let ran: Vec<(&TaskProgress, u64, u64)> =
        progress.tasks.iter().filter_map(|task| task.span(progress.elapsed_ms).map(|(b, e)| (task, b, e))).collect();
    let mut path = Vec::new();
    let mut next = ran.iter().max_by_key(|(_, _, end)| *end);
    while let Some((task, begin, _)) = next {
        path.push(*task);
        // Strictly earlier, so that this comes to an end whatever the file says.
        let before = || ran.iter().filter(|(_, b, end)| b < begin && *end <= begin.saturating_add(AT_ONCE));
        let need = before().filter(|(other, ..)| task.needs.contains(&other.name)).max_by_key(|(_, _, end)| *end);
        let at_once = |(_, _, end): &&(_, u64, u64)| end.saturating_add(AT_ONCE) >= *begin;
        let room = || before().filter(at_once).max_by_key(|(_, _, end)| *end);
        next = need.filter(at_once).or_else(room).or(need);
    }
    path.reverse();
    path
}

impl Progress {
    /// How many tasks are done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.tasks.iter().filter(|task| matches!(task.state, State::Done | State::Unchanged)).count()
    }

    /// Tasks that failed, or could not be begun, and that the run does not count as done without.
    pub fn missing(&self) -> impl Iterator<Item = &TaskProgress> {
        self.tasks.iter().filter(|task| !task.optional && matches!(task.state, State::Failed | State::Skipped))
    }

    /// The task with this name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&TaskProgress> {
        self.tasks.iter().find(|task| task.name == name)
    }

    /// The task whose failure is why another one was skipped.
    #[must_use]
    pub fn culprit(&self, skipped: &TaskProgress) -> Option<&TaskProgress> {
        let mut behind = vec![skipped];
        let mut next = 0;
        while let Some(task) = behind.get(next).copied() {
            next += 1;
            for need in task.needs.iter().filter_map(|need| self.task(need)) {
                match need.state {
                    State::Failed => return Some(need),
                    State::Skipped if !behind.iter().any(|known| std::ptr::eq(*known, need)) => behind.push(need),
                    _ => {}
                }
            }
        }
        None
    }

    /// The command that tries a task again. None if a name in it means something to a shell.
    #[must_use]
    pub fn command(&self, task: &TaskProgress) -> Option<String> {
        let plain = |text: &String| {
            let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            !text.is_empty() && !text.starts_with('-') && text.bytes().all(harmless)
        };
        let (user, name) = (&self.user, &task.name);
        (plain(user) && plain(name)).then(|| format!("devinit first-run --user {user} --only {name}"))
    }

    fn cleaned(mut self) -> Self {
        shorten(&mut self.user, LONGEST_NAME);
        shorten(&mut self.host, LONGEST_NAME);
        self.tasks.truncate(MOST_TASKS);
        self.tasks.iter_mut().for_each(TaskProgress::clean);
        self
    }
}

impl TaskProgress {
    /// From when to when it ran, in milliseconds since the run began, if it was begun; `now` stands for an end that has
    /// not come.
    #[must_use]
    pub fn span(&self, now: u64) -> Option<(u64, u64)> {
        let begin = self.begun_ms?;
        Some((begin, self.ended_ms.unwrap_or(now).max(begin)))
    }

    fn clean(&mut self) {
        shorten(&mut self.name, LONGEST_NAME);
        self.needs.truncate(MOST_TASKS);
        self.needs.iter_mut().for_each(|need| shorten(need, LONGEST_NAME));
        shorten(&mut self.summary, LONGEST_LINE);
        shorten(&mut self.stage, LONGEST_LINE);
        for text in [&mut self.error, &mut self.hint, &mut self.log].into_iter().flatten() {
            shorten(text, LONGEST_NOTE);
        }
        self.version.iter_mut().for_each(|version| shorten(version, LONGEST_NAME));
        self.tail.truncate(MOST_LINES);
        self.tail.iter_mut().for_each(|line| *line = log_line(line));
        self.warnings.truncate(MOST_LINES);
        self.warnings.iter_mut().for_each(|warning| shorten(warning, LONGEST_NOTE));
    }
}

/// A line of a log, fit to print: [`clean`], with the space in front of it.
#[must_use]
pub fn log_line(line: &str) -> String {
    let indent = line.chars().take_while(|character| character.is_whitespace()).count();
    let text = clean(line, LONGEST_LINE);
    if text.is_empty() { text } else { format!("{:width$}{text}", "", width = indent.min(40)) }
}

fn shorten(text: &mut String, limit: usize) {
    *text = clean(text, limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(name: &str, needs: &[&str], begin: u64, end: u64) -> TaskProgress {
        TaskProgress {
            name: name.to_owned(),
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
            state: State::Done,
            begun_ms: Some(begin),
            ended_ms: Some(end),
            ..TaskProgress::default()
        }
    }

    fn path(tasks: Vec<TaskProgress>) -> Vec<String> {
        let progress = Progress { elapsed_ms: 60_000, tasks, ..Progress::default() };
        critical_path(&progress).into_iter().map(|task| task.name.clone()).collect()
    }

    #[test]
    fn the_critical_path_goes_back_through_the_need_that_ended_last() {
        let tasks = vec![
            ran("uv", &[], 0, 3_000),
            ran("node", &[], 0, 20_000),
            ran("bun", &["uv", "node"], 20_005, 30_000),
            ran("bun.global", &["bun"], 30_010, 41_000),
            ran("codex", &[], 0, 40_000),
        ];
        assert_eq!(path(tasks), ["node", "bun", "bun.global"]);
    }

    #[test]
    fn where_no_need_explains_the_wait_it_goes_through_the_task_that_made_room() {
        let tasks =
            vec![ran("uv", &[], 0, 3_000), ran("codex", &[], 0, 25_000), ran("uv.tools", &["uv"], 25_002, 40_000)];
        assert_eq!(path(tasks), ["codex", "uv.tools"]);
        let unexplained = vec![ran("uv", &[], 0, 3_000), ran("uv.tools", &["uv"], 25_002, 40_000)];
        assert_eq!(path(unexplained), ["uv", "uv.tools"]);
    }

    #[test]
    fn a_task_that_still_runs_ends_now_and_one_that_was_never_begun_is_no_part_of_it() {
        let mut running = ran("codex", &[], 5, 0);
        running.ended_ms = None;
        let skipped = TaskProgress { ended_ms: Some(70_000), ..TaskProgress::default() };
        assert_eq!(path(vec![ran("uv", &[], 0, 3_000), running, skipped]), ["codex"]);
        assert!(path(Vec::new()).is_empty());
    }

    #[test]
    fn a_file_full_of_nonsense_does_not_send_it_round_in_circles() {
        let tasks = vec![
            ran("a", &["b", "a"], 10, 10),
            ran("b", &["a"], 10, 5),
            ran("c", &["a", "b"], u64::MAX, 0),
            ran("c", &["c"], u64::MAX, u64::MAX),
        ];
        assert!(path(tasks).len() <= 4);
    }

    #[test]
    fn the_culprit_is_found_however_far_away_and_circles_end() {
        let task = |name: &str, needs: &[&str], state| TaskProgress { state, ..ran(name, needs, 0, 0) };
        let progress = Progress {
            tasks: vec![
                task("bun", &[], State::Failed),
                task("bun.global", &["bun"], State::Skipped),
                task("setup", &["bun.global", "setup"], State::Skipped),
                task("alone", &["alone"], State::Skipped),
            ],
            ..Progress::default()
        };
        assert_eq!(progress.culprit(&progress.tasks[2]).unwrap().name, "bun");
        assert!(progress.culprit(&progress.tasks[3]).is_none());
    }

    #[test]
    fn a_command_is_only_offered_if_a_shell_would_run_just_that() {
        let progress = |user: &str| Progress { user: user.to_owned(), ..Progress::default() };
        let codex = ran("codex", &[], 0, 0);
        assert_eq!(progress("peid").command(&codex).unwrap(), "devinit first-run --user peid --only codex");
        assert_eq!(progress("peid; reboot").command(&codex), None);
        assert_eq!(progress("--all").command(&codex), None);
        assert_eq!(progress("peid").command(&ran("$(reboot)", &[], 0, 0)), None);
    }

    #[test]
    fn what_is_read_is_fit_to_print() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress.json");
        let mut task = ran("co\u{1b}[2Jdex", &["\u{7}"], 0, 1);
        task.error = Some("\u{1b}]0;x\u{7}".repeat(5_000));
        task.tail = vec!["    File \"x\"\u{1b}".to_owned(); 200];
        let progress = Progress { schema: 1, user: "pe\nid".to_owned(), tasks: vec![task; 9], ..Progress::default() };
        std::fs::write(&file, serde_json::to_vec(&progress).unwrap()).unwrap();
        let read = read(&file).unwrap();
        assert_eq!((read.user.as_str(), read.tasks[0].name.as_str()), ("pe id", "co?[2Jdex"));
        assert_eq!(read.tasks[0].error.as_ref().unwrap().chars().count(), LONGEST_NOTE);
        assert_eq!(read.tasks[0].tail, vec!["    File \"x\"?"; MOST_LINES]);
        assert!(!serde_json::to_string(&read).unwrap().contains("\\u00"));
    }

    #[test]
    fn a_file_that_is_too_long_or_of_another_version_is_not_read_and_too_many_tasks_are_cut() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress.json");
        let write = |progress: &Progress| std::fs::write(&file, serde_json::to_vec(progress).unwrap()).unwrap();
        assert_eq!(read(&file), None);
        write(&Progress { schema: 2, ..Progress::default() });
        assert_eq!(read(&file), None);
        write(&Progress { schema: 1, tasks: vec![TaskProgress::default(); 1_001], ..Progress::default() });
        assert_eq!(read(&file).unwrap().tasks.len(), 1_000);
        write(&Progress { schema: 1, tasks: vec![TaskProgress::default(); 9_999], ..Progress::default() });
        assert_eq!(read(&file), None);
    }
}
