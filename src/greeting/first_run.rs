//! The first run in the greeting: how far it is, or what failed and how to try it again. One that is done is no news.

use super::Greeting;
use crate::engine::snapshot::ServiceState;
use crate::first_run::progress::TaskProgress;
use crate::outlook::first_run::{FirstRun, RunState, StepState, command, failed_steps, percent, plain, service};
use crate::words::clean;

/// The steps that are named, of those that run.
const SHOWN: usize = 3;
/// The longest reason, in characters.
const REASON: usize = 160;

/// A line for each first run that there is something to tell about.
pub(super) fn lines(greeting: &Greeting) -> Vec<String> {
    match greeting.first_runs.as_slice() {
        [] => unheard_of(greeting).into_iter().collect(),
        runs => runs.iter().filter_map(|run| line(run, &greeting.user)).collect(),
    }
}

/// What the engine knows of the boot's first run, which has left nothing to read.
fn unheard_of(greeting: &Greeting) -> Option<String> {
    let service = greeting.snapshot.as_ref().and_then(service)?;
    match service.state {
        ServiceState::Waiting => Some("waiting for hooks".to_owned()),
        ServiceState::Starting => Some("starting".to_owned()),
        ServiceState::Failed => {
            let end = service.last_end.as_deref().unwrap_or("it ended");
            Some(format!("failed ({end}); see the container's log, then try again: devinit first-run"))
        }
        _ => None,
    }
}

fn line(run: &FirstRun, reader: &str) -> Option<String> {
    let again = || command(&run.progress, reader);
    Some(match run.state {
        RunState::Done => return None,
        RunState::Running => {
            let busy: Vec<String> = run.progress.tasks.iter().filter_map(|task| busy(run, task)).collect();
            let more = if busy.len() > SHOWN { ", …" } else { "" };
            let busy: String = busy.iter().take(SHOWN).map(|step| format!(", {step}")).collect();
            format!("{}{busy}{more}", run.count())
        }
        RunState::Interrupted => format!("{}, then it was interrupted; to go on: {}", run.count(), again()),
        RunState::Failed => {
            let failed = failed_steps(&run.progress).unwrap_or_else(|| "some steps".to_owned());
            let reason = run.progress.missing().find_map(|task| task.error.as_deref());
            let reason = reason.map(|reason| format!(": {}", clean(reason, REASON))).unwrap_or_default();
            format!("{failed} failed{reason}; to try again: {}", again())
        }
    })
}

/// A step that something is done about now.
fn busy(run: &FirstRun, task: &TaskProgress) -> Option<String> {
    let name = plain(&task.name);
    match (run.step(task), percent(task)) {
        (StepState::Running, Some(percent)) => Some(format!("{name} {percent} %")),
        (StepState::Running, None) => Some(format!("{name} …")),
        (StepState::Retrying, _) => Some(format!("{name} is tried again")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{greeting, service};
    use super::*;
    use crate::first_run::progress::State;
    use crate::outlook::first_run::tests::run;
    use crate::plan::FIRST_RUN;

    fn lines_for(run: FirstRun, reader: &str) -> Vec<String> {
        let greeting = Greeting { first_runs: vec![run], user: reader.to_owned(), ..greeting(Vec::new()) };
        lines(&greeting)
    }

    #[test]
    fn one_that_goes_on_says_how_far_it_is() {
        let steps = [("uv", State::Done), ("node", State::Running), ("codex", State::Running), ("bun", State::Waiting)];
        let mut run = run("peid", RunState::Running, &steps);
        (run.progress.tasks[1].bytes, run.progress.tasks[1].total) = (45, Some(100));
        assert_eq!(lines_for(run, "peid"), ["1 of 4 done, node 45 %, codex …"]);
    }

    #[test]
    fn one_that_is_done_is_no_news() {
        assert!(lines_for(run("peid", RunState::Done, &[("uv", State::Done)]), "peid").is_empty());
    }

    #[test]
    fn one_that_failed_says_why_and_how_it_is_tried_again_by_who_reads_it() {
        let mut run = run("peid", RunState::Failed, &[("uv", State::Done), ("codex", State::Failed)]);
        run.progress.tasks[1].error = Some("404 Not\n\u{1b}[1mFound".to_owned());
        for (reader, command) in [
            ("peid", "devinit first-run --only codex"),
            ("root", "devinit first-run --user peid --only codex"),
            ("eve", "devinit first-run --only codex (as peid)"),
        ] {
            let expected = format!("codex failed: 404 Not ?[1mFound; to try again: {command}");
            assert_eq!(lines_for(run.clone(), reader), [expected]);
        }
    }

    #[test]
    fn what_left_nothing_to_read_is_told_from_the_engine_s_state() {
        let told = |state, end| lines(&greeting(vec![service(FIRST_RUN, state, end)]));
        assert_eq!(told(ServiceState::Starting, None), ["starting"]);
        assert!(told(ServiceState::Failed, Some("exit code 1"))[0].starts_with("failed (exit code 1); "));
        assert!(told(ServiceState::Done, None).is_empty());
    }
}
