//! The first run in `devinit status`: a table of its steps, and what to do about those that failed.

use std::fmt::Write;

use super::ago;
use super::table::{Cell, Look, Tone, table};
use crate::first_run::progress::{State, TaskProgress};
use crate::outlook::first_run::{FirstRun, RunState, StepState, command, percent, plain};
use crate::words::clean;

/// The longest detail, in characters.
const DETAIL: usize = 160;
/// More warnings of a step than these are not shown.
const WARNINGS: usize = 4;

/// Writes how a first run stands; `reader` is who reads it.
pub(super) fn write(out: &mut String, run: &FirstRun, reader: &str, look: Look) {
    let progress = &run.progress;
    let (state, tone) = match run.state {
        RunState::Running => ("running for ", Tone::Odd),
        RunState::Done => ("done in ", Tone::Good),
        RunState::Failed => ("failed after ", Tone::Bad),
        RunState::Interrupted => ("interrupted after ", Tone::Bad),
    };
    let state = look.paint(state, tone);
    let (user, count, time) = (&progress.user, run.count(), ago(progress.elapsed_ms));
    let _ = writeln!(out, "\nfirst run for {user}: {count}, {state}{time}");
    let rows: Vec<Vec<Cell>> = progress.tasks.iter().map(|task| row(run, task)).collect();
    if !rows.is_empty() {
        out.push_str(&table(&["STEP", "STATE", "TIME", "DETAIL"], &rows, &[2], look));
    }
    progress.tasks.iter().for_each(|task| remarks(out, task));
    if matches!(run.state, RunState::Failed | RunState::Interrupted) {
        let _ = writeln!(out, "  to go on: {}", command(progress, reader));
    }
}

fn row(run: &FirstRun, task: &TaskProgress) -> Vec<Cell> {
    let state = run.step(task);
    let tone = match state {
        StepState::Done => Tone::Good,
        StepState::Running | StepState::Retrying => Tone::Odd,
        StepState::Failed if task.optional => Tone::Odd,
        StepState::Failed | StepState::Interrupted => Tone::Bad,
        StepState::Waiting | StepState::Skipped => Tone::Dim,
    };
    let end = task.ended_ms.unwrap_or(run.progress.elapsed_ms);
    let time = task.begun_ms.map_or_else(|| "-".to_owned(), |begun| ago(end.saturating_sub(begun)));
    let detail = clean(&detail(run, task), DETAIL);
    vec![plain(&task.name).into(), Cell::of(state.word(), tone), time.into(), detail.into()]
}

fn detail(run: &FirstRun, task: &TaskProgress) -> String {
    let summary = || task.version.as_ref().unwrap_or(&task.summary).clone();
    let error = || task.error.clone().unwrap_or_default();
    match run.step(task) {
        StepState::Done if task.state == State::Unchanged => format!("{}, as before", summary()),
        StepState::Done => summary(),
        StepState::Running => match percent(task) {
            Some(percent) => format!("{percent} %, {}", task.stage),
            None if task.stage.is_empty() => summary(),
            None => task.stage.clone(),
        },
        StepState::Retrying => {
            let wait = task.again_ms.map(|again| again.saturating_sub(run.progress.elapsed_ms));
            let again = wait.map(|wait| format!("again in {}: ", ago(wait))).unwrap_or_default();
            format!("{again}{}", error())
        }
        StepState::Failed if task.optional => format!("optional: {}", error()),
        StepState::Failed => error(),
        StepState::Waiting if !task.needs.is_empty() => format!("for {}", task.needs.join(", ")),
        StepState::Waiting | StepState::Skipped | StepState::Interrupted => summary(),
    }
}

/// What else there is to know about a step that failed or has warnings.
fn remarks(out: &mut String, task: &TaskProgress) {
    let mut remark = |label: &str, text: &str| {
        let _ = writeln!(out, "  {}: {label}{}", plain(&task.name), clean(text, DETAIL));
    };
    if task.state == State::Failed {
        task.hint.iter().for_each(|hint| remark("hint: ", hint));
        task.log.iter().for_each(|log| remark("log: ", log));
    }
    task.warnings.iter().take(WARNINGS).for_each(|warning| remark("warning: ", warning));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outlook::first_run::tests::run;

    fn text(run: &FirstRun, reader: &str) -> String {
        let mut out = String::new();
        write(&mut out, run, reader, Look::default());
        out
    }

    #[test]
    fn each_step_has_a_row_and_what_failed_says_what_to_do() {
        let mut run = run(
            "peid",
            RunState::Failed,
            &[("uv", State::Unchanged), ("node", State::Done), ("codex", State::Failed), ("codex.x", State::Skipped)],
        );
        run.progress.elapsed_ms = 125_000;
        let [uv, node, codex, _] = run.progress.tasks.as_mut_slice() else { panic!() };
        uv.version = Some("0.12.5".to_owned());
        node.summary = "node lts".to_owned();
        (node.begun_ms, node.ended_ms) = (Some(1_000), Some(14_500));
        codex.begun_ms = Some(5_000);
        codex.error = Some("the checksum is wrong".to_owned());
        codex.hint = Some("see whether the mirror is up to date".to_owned());
        codex.log = Some("/home/peid/codex.log".to_owned());
        insta::assert_snapshot!(text(&run, "root").trim_start(), @r"
        first run for peid: 2 of 4 done, failed after 2m05s

        STEP     STATE    TIME   DETAIL
        uv       done     -      0.12.5, as before
        node     done     13s    node lts
        codex    failed   2m00s  the checksum is wrong
        codex.x  skipped  -
          codex: hint: see whether the mirror is up to date
          codex: log: /home/peid/codex.log
          to go on: devinit first-run --user peid --only codex
        ");
        assert!(text(&run, "peid").ends_with("to go on: devinit first-run --only codex\n"));
    }

    #[test]
    fn what_runs_shows_how_far_it_is() {
        let mut run = run("root", RunState::Running, &[("node", State::Running), ("bun", State::BackingOff)]);
        run.progress.elapsed_ms = 10_000;
        let [node, bun] = run.progress.tasks.as_mut_slice() else { panic!() };
        node.stage = "downloading node.tar.xz".to_owned();
        (node.bytes, node.total) = (45, Some(100));
        bun.again_ms = Some(14_000);
        bun.error = Some("502".to_owned());
        let text = text(&run, "root");
        assert!(text.contains("45 %, downloading node.tar.xz") && text.contains("again in 4s: 502"), "{text}");
        assert!(!text.contains("to go on"));
    }

    #[test]
    fn nothing_that_a_user_writes_there_brings_escapes_lines_or_commands() {
        let ugly = "\u{1b}[2J; rm -rf ~\nerror: x".to_owned();
        let mut run = run("peid", RunState::Failed, &[(&ugly, State::Failed)]);
        for task in &mut run.progress.tasks {
            (task.error, task.hint, task.log) = (Some(ugly.clone()), Some(ugly.clone()), Some(ugly.clone()));
            task.warnings = vec![ugly.clone(); 100];
        }
        let text = text(&run, "root");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("error: ")) && text.lines().count() < 16, "{text}");
        assert!(text.ends_with("to go on: devinit first-run --user peid\n"), "{text}");
    }
}
