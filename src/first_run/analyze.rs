//! Where the time of a boot and of its first runs went, slowest first.

use std::cmp::Reverse;
use std::fmt::Write;

use serde_json::{Value, json};

use super::progress::{Progress, State, TaskProgress, critical_path};
use super::show::took;
use crate::engine::snapshot::{ServiceStatus, Snapshot};
use crate::sorted;
use crate::words::clean;

/// The longest name that is shown, in characters.
const LONGEST_NAME: usize = 100;

/// For people: a table of the services, then one for each first run, with the tasks that decided when it ended marked.
#[must_use]
pub fn text(engine: Option<&Snapshot>, runs: &[Progress], color: bool) -> String {
    let mut out = String::new();
    if let Some(engine) = engine {
        services(&mut out, engine, color);
    }
    for run in runs.iter().map(Analysis::of) {
        run.describe(&mut out, color);
    }
    if out.is_empty() {
        out.push_str("nothing is known about this boot: devinit does not answer, and no first run has left a trace\n");
    }
    out
}

/// For programs: `services` (null if the engine does not answer) and `first_runs`, with all times in milliseconds.
#[must_use]
pub fn json(engine: Option<&Snapshot>, runs: &[Progress]) -> Value {
    let service = |service: &ServiceStatus| {
        json!({
            "name": clean(&service.name, LONGEST_NAME),
            "state": service.state,
            "ready_after_ms": service.ready_after_ms,
        })
    };
    json!({
        "schema": 1,
        "services": engine.map(|engine| slowest_first(engine).into_iter().map(service).collect::<Vec<_>>()),
        "first_runs": runs.iter().map(|run| Analysis::of(run).json()).collect::<Vec<_>>(),
    })
}

fn slowest_first(engine: &Snapshot) -> Vec<&ServiceStatus> {
    let mut services: Vec<&ServiceStatus> =
        engine.services.iter().filter(|service| !service.stand_in || service.ready_after_ms.is_some()).collect();
    // What is not ready yet is slower than all the others.
    sorted::sort_by_key(&mut services, |service| Reverse(service.ready_after_ms.unwrap_or(u64::MAX)));
    services
}

fn services(out: &mut String, engine: &Snapshot, color: bool) {
    let rows: Vec<Row<2>> = slowest_first(engine)
        .into_iter()
        .map(|service| {
            let when = service.ready_after_ms.map_or_else(|| state(service), took);
            Row { cells: [clean(&service.name, LONGEST_NAME), when], marked: false }
        })
        .collect();
    heading(out, "this boot", color);
    table(out, ["SERVICE", "READY AFTER"], &rows, color);
}

fn state(service: &ServiceStatus) -> String {
    let name = json!(service.state);
    name.as_str().unwrap_or_default().replace('_', " ")
}

/// Where the time of one first run went.
struct Analysis<'a> {
    run: &'a Progress,
    /// What was begun, slowest first.
    tasks: Vec<Timed<'a>>,
    critical: Vec<&'a TaskProgress>,
}

/// One task that was begun. All times in milliseconds.
struct Timed<'a> {
    task: &'a TaskProgress,
    /// Since the run began.
    begin: u64,
    /// From the first attempt to the last, with the pauses between them.
    took: u64,
    /// How long it could have been begun and was not.
    waited: u64,
    critical: bool,
}

impl<'a> Analysis<'a> {
    fn of(run: &'a Progress) -> Self {
        let critical = critical_path(run);
        let timed = |task: &'a TaskProgress| {
            let (begin, end) = task.span(run.elapsed_ms)?;
            let needs = task.needs.iter().filter_map(|need| run.task(need)?.span(run.elapsed_ms));
            let could_begin = needs.map(|(_, end)| end).max().unwrap_or(0);
            let waited = begin.saturating_sub(could_begin);
            let critical = critical.iter().any(|other| std::ptr::eq(*other, task));
            Some(Timed { task, begin, took: end - begin, waited, critical })
        };
        let mut tasks: Vec<Timed<'_>> = run.tasks.iter().filter_map(timed).collect();
        sorted::sort_by_key(&mut tasks, |timed| Reverse(timed.took));
        Self { run, tasks, critical }
    }

    fn critical_ms(&self) -> u64 {
        self.tasks.iter().filter(|timed| timed.critical).fold(0, |sum, timed| sum.saturating_add(timed.took))
    }

    fn describe(&self, out: &mut String, color: bool) {
        let (run, count) = (self.run, self.run.tasks.len());
        let (user, time) = (clean(&run.user, LONGEST_NAME), took(run.elapsed_ms));
        let verb = if run.ended { "done in" } else { "done, and it goes on since" };
        heading(out, &format!("first run of {user}: {} of {count} {verb} {time}", run.done()), color);
        let rows: Vec<Row<5>> = self
            .tasks
            .iter()
            .map(|timed| Row {
                cells: [
                    clean(&timed.task.name, LONGEST_NAME),
                    took(timed.took),
                    took(timed.waited),
                    timed.task.attempts.saturating_sub(1).to_string(),
                    remark(timed.task.state).to_owned(),
                ],
                marked: timed.critical,
            })
            .collect();
        if !rows.is_empty() {
            table(out, ["TASK", "TIME", "WAITED", "RETRIES", ""], &rows, color);
        }
        let unchanged = run.tasks.iter().filter(|task| task.state == State::Unchanged).count();
        if unchanged > 0 {
            let _ = writeln!(out, "  {unchanged} had been done before");
        }
        if !self.critical.is_empty() {
            let names: Vec<String> = self.critical.iter().map(|task| clean(&task.name, LONGEST_NAME)).collect();
            let (part, names) = (took(self.critical_ms()), names.join(" → "));
            let _ = writeln!(out, "  * the critical path takes {part} of {time}: {names}");
        }
    }

    fn json(&self) -> Value {
        let name = |task: &TaskProgress| clean(&task.name, LONGEST_NAME);
        let task = |timed: &Timed<'_>| {
            json!({
                "name": name(timed.task),
                "state": timed.task.state,
                "begin_ms": timed.begin,
                "took_ms": timed.took,
                "waited_ms": timed.waited,
                "retries": timed.task.attempts.saturating_sub(1),
                "critical": timed.critical,
            })
        };
        json!({
            "user": clean(&self.run.user, LONGEST_NAME),
            "started": self.run.started,
            "ended": self.run.ended,
            "elapsed_ms": self.run.elapsed_ms,
            "done": self.run.done(),
            "count": self.run.tasks.len(),
            "tasks": self.tasks.iter().map(task).collect::<Vec<_>>(),
            "critical_path": {
                "tasks": self.critical.iter().map(|task| name(task)).collect::<Vec<_>>(),
                "took_ms": self.critical_ms(),
            },
        })
    }
}

/// What is not as usual about a task that was begun.
fn remark(state: State) -> &'static str {
    match state {
        State::Failed => "failed",
        State::Running => "still runs",
        State::BackingOff => "to be tried again",
        _ => "",
    }
}

/// A line of a table.
struct Row<const N: usize> {
    cells: [String; N],
    marked: bool,
}

fn heading(out: &mut String, text: &str, color: bool) {
    if !out.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{}", bold(text, color));
}

/// The first column begins at the left, the others end at the right, but for one without a heading.
fn table<const N: usize>(out: &mut String, head: [&str; N], rows: &[Row<N>], color: bool) {
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|title| title.len())).max().unwrap_or(0)
    });
    let line = |cells: [&str; N]| -> String {
        let padded = cells.iter().zip(head).zip(widths).enumerate().map(|(column, ((cell, title), width))| {
            let left = column == 0 || title.is_empty();
            if left { format!("{cell:width$}  ") } else { format!("{cell:>width$}  ") }
        });
        padded.collect::<String>().trim_end().to_owned()
    };
    let _ = writeln!(out, "    {}", line(head));
    for row in rows {
        let cells = std::array::from_fn(|column| row.cells.get(column).map_or("", String::as_str));
        let (mark, text) = (if row.marked { "*" } else { " " }, line(cells));
        let _ = writeln!(out, "  {mark} {}", bold(&text, color && row.marked));
    }
}

fn bold(text: &str, color: bool) -> String {
    if color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::snapshot::ServiceState;
    use crate::engine::spec::Kind;

    fn service(name: &str, ready_after_ms: Option<u64>, state: ServiceState) -> ServiceStatus {
        ServiceStatus { ready_after_ms, ..ServiceStatus::new(name, Kind::Daemon, state) }
    }

    fn engine() -> Snapshot {
        let services = vec![
            service("sshd", Some(124), ServiceState::Ready),
            service("tunnel", None, ServiceState::BackingOff),
            service("app", Some(72_500), ServiceState::Ready),
        ];
        Snapshot::running(100_000, services)
    }

    fn task(name: &str, needs: &[&str], times: Option<(u64, u64)>, state: State) -> TaskProgress {
        TaskProgress {
            name: name.to_owned(),
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
            state,
            attempts: u32::from(times.is_some()),
            begun_ms: times.map(|(begin, _)| begin),
            ended_ms: times.map(|(_, end)| end),
            ..TaskProgress::default()
        }
    }

    fn run() -> Progress {
        let mut codex = task("codex", &[], Some((3_000, 20_500)), State::Failed);
        codex.attempts = 5;
        Progress {
            user: "peid".to_owned(),
            elapsed_ms: 43_000,
            ended: true,
            tasks: vec![
                task("uv", &[], Some((0, 3_000)), State::Done),
                codex,
                task("node", &[], Some((0, 20_100)), State::Done),
                task("bun", &["node"], Some((20_150, 29_900)), State::Done),
                task("bun.global", &["bun"], Some((29_950, 41_100)), State::Done),
                task("pixi", &[], None, State::Unchanged),
            ],
            ..Progress::default()
        }
    }

    #[test]
    fn the_slowest_comes_first_and_the_critical_path_is_marked() {
        let expected = "\
this boot
    SERVICE  READY AFTER
    tunnel   backing off
    app           1m 12s
    sshd            0.1s

first run of peid: 5 of 6 done in 43.0s
    TASK         TIME  WAITED  RETRIES
  * node        20.1s    0.0s        0
    codex       17.5s    3.0s        4  failed
  * bun.global  11.2s    0.1s        0
  * bun          9.8s    0.1s        0
    uv           3.0s    0.0s        0
  1 had been done before
  * the critical path takes 41.0s of 43.0s: node → bun → bun.global
";
        assert_eq!(text(Some(&engine()), &[run()], false), expected);
    }

    #[test]
    fn colour_changes_nothing_but_the_colour() {
        let plain = text(Some(&engine()), &[run()], false);
        let colourful = text(Some(&engine()), &[run()], true);
        assert!(colourful.contains("\u{1b}[1mnode "));
        assert_eq!(colourful.replace("\u{1b}[1m", "").replace("\u{1b}[0m", ""), plain);
    }

    #[test]
    fn without_anything_known_it_says_so() {
        assert!(text(None, &[], true).starts_with("nothing is known about this boot"));
        assert_eq!(json(None, &[]), json!({"schema": 1, "services": null, "first_runs": []}));
    }

    #[test]
    fn programs_get_the_same_in_milliseconds() {
        let json = json(Some(&engine()), &[run()]);
        assert_eq!(json["services"][0], json!({"name": "tunnel", "state": "backing_off", "ready_after_ms": null}));
        assert_eq!(
            json["first_runs"][0]["tasks"][1],
            json!({
                "name": "codex", "state": "failed", "begin_ms": 3_000, "took_ms": 17_500, "waited_ms": 3_000,
                "retries": 4, "critical": false,
            })
        );
        let critical = json!({"tasks": ["node", "bun", "bun.global"], "took_ms": 41_000});
        assert_eq!(json["first_runs"][0]["critical_path"], critical);
    }

    #[test]
    fn names_and_times_that_anyone_may_have_written_do_no_harm() {
        let hostile = Progress {
            user: "\u{1b}[2J".to_owned(),
            elapsed_ms: u64::MAX,
            tasks: vec![
                task("a\u{1b}[31m\n", &["b"], Some((0, u64::MAX)), State::Done),
                task("b", &["a"], Some((u64::MAX, 0)), State::Running),
                task("c", &[], Some((1, u64::MAX)), State::Running),
            ],
            ..Progress::default()
        };
        let text = text(None, &[hostile], false);
        assert!(!text.contains(|character: char| character.is_control() && character != '\n'), "{text:?}");
        assert!(text.contains("a?[31m"));
    }
}
