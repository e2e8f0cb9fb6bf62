use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::first_run::progress::{State, TaskProgress};

fn task(name: &str) -> TaskProgress {
    TaskProgress { name: name.to_owned(), summary: format!("{name} latest"), ..TaskProgress::default() }
}

fn progress(elapsed_ms: u64, tasks: Vec<TaskProgress>) -> Progress {
    Progress { schema: 1, user: "peid".to_owned(), elapsed_ms, tasks, ..Progress::default() }
}

fn running(mut task: TaskProgress, begun: u64) -> TaskProgress {
    task.state = State::Running;
    task.attempts += 1;
    task.begun_ms.get_or_insert(begun);
    task
}

fn downloading(mut task: TaskProgress, bytes: u64, total: Option<u64>) -> TaskProgress {
    task.stage = format!("downloading {}.tar.gz", task.name);
    (task.bytes, task.total) = (bytes, total);
    task
}

fn ended(mut task: TaskProgress, at: u64, state: State) -> TaskProgress {
    (task.state, task.ended_ms) = (state, Some(at));
    task
}

fn done(mut task: TaskProgress, at: u64, version: &str) -> TaskProgress {
    task.version = Some(version.to_owned());
    ended(task, at, State::Done)
}

/// A run with one of everything: uv is done, codex is tried twice and fails, bun.global needs bun, which fails.
fn story() -> Vec<Progress> {
    const MIB: u64 = 1 << 20;
    let bun_global = TaskProgress { needs: vec!["bun".to_owned()], ..task("bun.global") };
    let idle = [task("uv"), task("codex"), task("bun"), bun_global.clone()];
    let (uv, codex, bun) = (running(task("uv"), 0), running(task("codex"), 0), running(task("bun"), 0));

    let failing = TaskProgress {
        state: State::BackingOff,
        error: Some("no answer from example.com".to_owned()),
        again_ms: Some(12_000),
        ..codex.clone()
    };
    let again = running(failing.clone(), 0);
    let failed = TaskProgress {
        error: Some("wrong checksum of codex.tar.gz".to_owned()),
        hint: Some("run it again, or pin sha256".to_owned()),
        tail: vec!["fetching".to_owned(), "  expected 00\u{1b}[2J".to_owned(), String::new()],
        log: Some("/home/peid/codex.log".to_owned()),
        ..ended(again.clone(), 20_000, State::Failed)
    };
    let no_space = TaskProgress {
        error: Some("no space left on device".to_owned()),
        optional: true,
        ..ended(bun.clone(), 25_000, State::Failed)
    };
    let mut warned = downloading(uv.clone(), 5 * MIB, Some(20 * MIB));
    warned.warnings.push("no checksum is published".to_owned());
    let skipped = ended(bun_global.clone(), 25_000, State::Skipped);
    let fetched = downloading(bun.clone(), 40 * MIB, None);
    let uv_done = done(warned.clone(), 9_160, "0.12.5");
    vec![
        progress(0, idle.to_vec()),
        progress(10, vec![uv.clone(), codex.clone(), bun.clone(), bun_global.clone()]),
        progress(1_000, vec![downloading(uv, MIB, Some(20 * MIB)), codex, bun.clone(), bun_global.clone()]),
        progress(6_000, vec![warned.clone(), failing.clone(), bun.clone(), bun_global.clone()]),
        progress(9_200, vec![uv_done.clone(), failing, bun.clone(), bun_global.clone()]),
        progress(12_100, vec![uv_done.clone(), again, fetched.clone(), bun_global.clone()]),
        progress(20_000, vec![uv_done.clone(), failed.clone(), fetched, bun_global]),
        Progress { ended: true, ..progress(130_400, vec![uv_done, failed, no_space, skipped]) },
    ]
}

fn shown(mut view: View<Vec<u8>>, story: &[Progress]) -> String {
    for progress in story {
        view.update(progress);
    }
    view.end(story.last().unwrap());
    let (View::Bars(Bars { out, .. }) | View::Lines(Lines { out, .. }) | View::Json(Json { out, .. })) = view;
    String::from_utf8(out).unwrap()
}

const LOOK: Look = Look { columns: || 80, unicode: true, color: false };

const REPORT: &str = "\
codex failed: wrong checksum of codex.tar.gz
  hint: run it again, or pin sha256
  | fetching
  |   expected 00?[2J
  |
  log: /home/peid/codex.log
  try again: devinit first-run --user peid --only codex
bun failed: no space left on device
  try again: devinit first-run --user peid --only bun
first run: 1 of 4 done in 2m 10s; codex and bun (optional) failed, 1 skipped
";

#[test]
fn a_log_gets_a_line_for_each_beginning_and_each_end() {
    let expected = "\
first run: uv begins: uv latest
first run: codex begins: codex latest
first run: bun begins: bun latest
first run: warning: uv: no checksum is published
first run: uv downloads: 25 %, 5.0 MiB of 20.0 MiB
first run: codex failed, will try again in 6s: no answer from example.com
first run: uv 0.12.5 done in 9.2s
first run: codex begins again, attempt 2
first run: codex failed: wrong checksum of codex.tar.gz
first run: bun failed: no space left on device
first run: bun.global skipped: bun failed
";
    let shown = shown(View::Lines(Lines::new(Vec::new())), &story());
    assert_eq!(shown, format!("{expected}{REPORT}"));
}

#[test]
fn a_log_hears_of_a_long_download_each_quarter_or_half_minute_and_of_a_short_one_not_at_all() {
    let percents = |millis_each: u64| {
        let step = |percent| {
            let task = downloading(running(task("uv"), 0), percent, Some(100));
            progress(percent * millis_each, vec![task])
        };
        let story: Vec<Progress> = (0..=100).map(step).collect();
        let shown = shown(View::Lines(Lines::new(Vec::new())), &story);
        shown
            .lines()
            .filter_map(|line| line.split_once("downloads: ")?.1.split_once(" %"))
            .map(|(n, _)| n.parse().unwrap())
            .collect::<Vec<u64>>()
    };
    assert!(percents(49).is_empty());
    assert_eq!(percents(1_000), [25, 50, 75]);
    assert_eq!(percents(2_000), [15, 25, 40, 50, 65, 75, 90], "a line at each quarter and after 30 s of silence");
}

#[test]
fn a_summary_says_what_is_lacking_and_nothing_else() {
    let of = |tasks: Vec<TaskProgress>| summary(&progress(43_210, tasks));
    let with = |name: &str, state| TaskProgress { state, ..task(name) };
    let all = |state| vec![with("uv", state), with("bun", state)];
    assert_eq!(of(vec![]), "first run: nothing to do");
    assert_eq!(of(all(State::Unchanged)), "first run: nothing to do, all 2 were done before");
    assert_eq!(of(all(State::Done)), "first run: 2 of 2 done in 43.2s");
    assert_eq!(of(all(State::Skipped)), "first run: 0 of 2 done in 43.2s; 2 skipped");
    let many = (0..8).map(|number| with(&format!("t{number}"), State::Failed)).collect();
    assert_eq!(of(many), "first run: 0 of 8 done in 43.2s; t0, t1, t2, t3, t4 and 3 more failed");
}

#[test]
fn programs_get_an_object_for_each_event() {
    let shown = shown(View::Json(Json::new(Vec::new())), &story());
    let events: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let expected = "begin begin begin stage progress warning progress retry done begin stage progress \
                    failed failed skipped end";
    assert_eq!(names.join(" "), expected);
    assert_eq!(events[0], json!({"event": "begin", "time": 10, "task": "uv", "attempt": 1, "summary": "uv latest"}));
    assert_eq!(events[3]["stage"], "downloading uv.tar.gz");
    assert_eq!(
        events[4],
        json!({"event": "progress", "time": 1_000, "task": "uv", "bytes": 1_048_576, "total": 20_971_520})
    );
    let retry = json!({
        "event": "retry", "time": 6_000, "task": "codex", "attempt": 1, "error": "no answer from example.com",
        "again": 12_000,
    });
    assert_eq!(events[7], retry);
    assert_eq!(events[8], json!({"event": "done", "time": 9_200, "task": "uv", "version": "0.12.5", "took": 9_160}));
    let failed = json!({
        "event": "failed", "time": 20_000, "task": "codex", "error": "wrong checksum of codex.tar.gz",
        "hint": "run it again, or pin sha256", "log": "/home/peid/codex.log",
        "tail": ["fetching", "  expected 00?[2J", ""], "optional": false,
        "command": "devinit first-run --user peid --only codex",
    });
    assert_eq!(events[12], failed);
    assert_eq!(events[14]["because"], "bun");
    let end = json!({
        "event": "end", "time": 130_400, "tasks": 4, "done": 1, "unchanged": 0, "failed": ["codex", "bun"],
        "skipped": ["bun.global"], "missing": true,
    });
    assert_eq!(events[15], end);
}

#[test]
fn programs_hear_of_a_download_twice_a_second_at_most() {
    let step = |at: u64| progress(at, vec![downloading(running(task("uv"), 0), at + 1, None)]);
    let story: Vec<Progress> = (0..=3_000).step_by(10).map(step).collect();
    let shown = shown(View::Json(Json::new(Vec::new())), &story);
    assert_eq!(shown.matches("\"progress\"").count(), 7);
}

/// A terminal that understands what [`Bars`] says, and nothing else.
struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    columns: usize,
}

impl Screen {
    fn new(columns: usize) -> Self {
        Self { lines: vec![Vec::new()], row: 0, column: 0, columns }
    }

    fn print(&mut self, text: &str) {
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '\n' => {
                    (self.row, self.column) = (self.row + 1, 0);
                    if self.row == self.lines.len() {
                        self.lines.push(Vec::new());
                    }
                }
                '\r' => self.column = 0,
                '\u{1b}' => {
                    assert_eq!(characters.next(), Some('['));
                    let mut number = String::new();
                    let code = loop {
                        match characters.next().unwrap() {
                            digit if digit.is_ascii_digit() => number.push(digit),
                            code => break code,
                        }
                    };
                    self.escape(code, number.parse().unwrap_or(0));
                }
                character => {
                    assert!(!character.is_control(), "{character:?}");
                    let line = &mut self.lines[self.row];
                    line.resize(line.len().max(self.column + 1), ' ');
                    line[self.column] = character;
                    self.column += 1;
                    assert!(self.column < self.columns, "the terminal breaks the line: {line:?}");
                }
            }
        }
    }

    fn escape(&mut self, code: char, number: usize) {
        match code {
            'A' => self.row = self.row.checked_sub(number).expect("it goes beyond the top"),
            'K' => self.lines[self.row].truncate(self.column),
            'J' => {
                self.lines[self.row].truncate(self.column);
                self.lines.truncate(self.row + 1);
            }
            'm' => {}
            code => panic!("ESC [ {code}"),
        }
    }

    fn text(&self) -> String {
        self.lines.iter().map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join("\n")
    }
}

fn output(view: &mut View<Vec<u8>>) -> String {
    let View::Bars(Bars { out, .. }) = view else { panic!("no bars") };
    String::from_utf8(std::mem::take(out)).unwrap()
}

const LASTING: &str = "\
! uv  no checksum is published
✓ uv 0.12.5  9.2s
✗ codex  wrong checksum of codex.tar.gz
✗ bun  no space left on device
– bun.global  skipped: bun failed
";

#[test]
fn of_a_session_with_bars_nothing_stays_but_the_lasting_lines_and_the_report() {
    let mut screen = Screen::new(80);
    screen.print("$ devinit first-run\n");
    screen.print(&shown(View::Bars(Bars::new(Vec::new(), LOOK)), &story()));
    assert_eq!(screen.text(), format!("$ devinit first-run\n{LASTING}{REPORT}"));
}

#[test]
fn while_it_goes_on_there_is_a_line_for_each_running_task_below_what_has_ended() {
    let mut view = View::Bars(Bars::new(Vec::new(), LOOK));
    let mut screen = Screen::new(80);
    let pictures: Vec<String> = story()
        .iter()
        .map(|progress| {
            view.update(progress);
            screen.print(&output(&mut view));
            screen.text()
        })
        .collect();
    assert_eq!(pictures[0], "first run: 0 of 4 done, 4 waiting  0s\n");
    let second = "  uv     uv latest\n  codex  codex latest\n  bun    bun latest\n\
                  first run: 0 of 4 done, 3 running, 1 waiting  0s\n";
    assert_eq!(pictures[1], second);
    let fourth = "\
! uv  no checksum is published
  uv     █████░░░░░░░░░░░░░░░  25 %  5.0 MiB of 20.0 MiB  819.2 KiB/s  19s left
  codex  again in 6s: no answer from example.com
  bun    bun latest
first run: 0 of 4 done, 2 running, 1 to be tried again, 1 waiting  6s
";
    assert_eq!(pictures[3], fourth);
    assert!(pictures[5].contains("\n  bun    downloading bun.tar.gz  40.0 MiB\n"), "{}", pictures[5]);
}

#[test]
fn a_download_has_a_speed_and_a_time_that_is_left() {
    const MIB: u64 = 1 << 20;
    let mut view = View::Bars(Bars::new(Vec::new(), LOOK));
    let mut last = String::new();
    for second in 1..=10 {
        let task = downloading(running(task("uv"), 0), second * 2 * MIB, Some(80 * MIB));
        view.update(&progress(second * 1_000, vec![task]));
        last = output(&mut view);
    }
    assert!(last.contains(" 25 %  20.0 MiB of 80.0 MiB  2.0 MiB/s  30s left\u{1b}[K\n"), "{last:?}");
    for second in 11..=17 {
        let task = downloading(running(task("uv"), 0), 20 * MIB, Some(80 * MIB));
        view.update(&progress(second * 1_000, vec![task]));
        last = output(&mut view);
    }
    assert!(last.contains("of 80.0 MiB  0 B/s\u{1b}[K\n"), "a stall is seen: {last:?}");
}

#[test]
fn the_same_lines_are_not_drawn_more_than_ten_times_a_second() {
    let mut view = View::Bars(Bars::new(Vec::new(), LOOK));
    let at = |elapsed: u64| progress(elapsed, vec![downloading(running(task("uv"), 0), elapsed, Some(5_000))]);
    let drawn = (0..1_000).filter(|elapsed| {
        view.update(&at(*elapsed));
        !output(&mut view).is_empty()
    });
    assert_eq!(drawn.count(), 10);
}

#[test]
fn no_line_is_ever_broken_however_narrow_the_terminal_and_whatever_the_texts() {
    static COLUMNS: AtomicUsize = AtomicUsize::new(0);
    for columns in [1, 2, 7, 20, 49, 50, 79, 200] {
        COLUMNS.store(columns, Ordering::Relaxed);
        let look = Look { columns: || COLUMNS.load(Ordering::Relaxed), ..LOOK };
        let mut view = View::Bars(Bars::new(Vec::new(), look));
        let mut screen = Screen::new(columns.max(2) + 1);
        for mut progress in story() {
            for task in &mut progress.tasks {
                task.stage = format!("\u{1b}[999A世界{}", "x".repeat(500));
                task.error = task.error.take().map(|error| error.repeat(20));
            }
            view.update(&progress);
            screen.print(&output(&mut view));
        }
    }
}

#[test]
fn more_running_tasks_than_fit_are_counted() {
    let tasks = (0..40).map(|number| running(task(&format!("t{number}")), 0)).collect();
    let mut view = View::Bars(Bars::new(Vec::new(), LOOK));
    view.update(&progress(0, tasks));
    let output = output(&mut view);
    assert_eq!(output.lines().count(), 12);
    assert!(output.contains("  and 30 more\u{1b}[K\n"), "{output}");
}

#[test]
fn without_utf_8_all_is_ascii_and_with_colour_only_the_marks_have_it() {
    let ascii = shown(View::Bars(Bars::new(Vec::new(), Look { unicode: false, ..LOOK })), &story());
    assert!(ascii.is_ascii());
    assert!(ascii.contains("  uv     #####---------------  25 %"), "{ascii}");
    assert!(ascii.contains("x codex  wrong") && ascii.contains("+ uv 0.12.5  9.2s"), "{ascii}");
    let colourful = shown(View::Bars(Bars::new(Vec::new(), Look { color: true, ..LOOK })), &story());
    assert!(colourful.contains("\u{1b}[32m✓\u{1b}[0m uv 0.12.5  9.2s"));
    assert!(colourful.contains("\u{1b}[31m✗\u{1b}[0m codex  wrong"));
}

#[test]
fn the_terminal_and_the_locale_decide_how_it_is_drawn() {
    assert!(draws(Some("xterm-256color")) && !draws(Some("dumb")) && !draws(None));
    let utf8 = |set: &[(&str, &str)]| {
        is_utf8(&|name| set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned()))
    };
    assert!(utf8(&[("LANG", "C.UTF-8")]) && utf8(&[("LC_ALL", "de_DE.utf8"), ("LANG", "C")]));
    assert!(!utf8(&[]) && !utf8(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")]));
}

#[test]
fn an_output_that_is_gone_holds_nothing_up() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }
    for mut view in [View::Bars(Bars::new(Gone, LOOK)), View::Lines(Lines::new(Gone)), View::Json(Json::new(Gone))] {
        for progress in story() {
            view.update(&progress);
            view.end(&progress);
        }
    }
}
