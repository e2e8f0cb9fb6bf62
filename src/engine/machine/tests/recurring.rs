use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn every(period: Duration) -> Service {
    oneshot("task").when(When::Every(period))
}

fn at() -> Service {
    oneshot("task").when(When::At("30 3 * * *".to_owned().try_into().unwrap()))
}

/// A container with a task at a set time, which is so far away.
fn at_in(wait: Option<Duration>) -> (Stage, Vec<String>) {
    let mut stage = Stage::empty(false);
    stage.next_time = wait;
    let said = stage.play(Event::Begin(Spec { services: vec![at()], shutdown: seconds(9) }));
    (stage, said)
}

#[test]
fn a_task_runs_at_the_boot_and_again_so_long_after_each_start() {
    let (mut stage, said) = Stage::begin([every(seconds(60))]);
    assert_eq!(said, ["launch task"]);
    stage.pass(seconds(20));
    assert!(stage.exits("task", 0).is_empty());
    assert_eq!((stage.state("task"), stage.status("task").next_ms), (ServiceState::Scheduled, Some(40_000)));
    for _ in 0..3 {
        assert!(stage.pass(millis(39_999)).is_empty());
        assert_eq!(stage.pass(millis(1)), ["launch task"]);
        stage.pass(seconds(20));
        stage.exits("task", 0);
    }
    assert_eq!(stage.status("task").restarts, 0, "it was never restarted");
}

#[test]
fn a_task_that_still_runs_is_left_out_that_time() {
    let mut stage = Stage::of([every(seconds(60))]);
    assert!(stage.pass(seconds(130)).is_empty());
    assert_eq!(stage.reports, [Report::StillRuns(0), Report::StillRuns(0)]);
    assert!(stage.exits("task", 0).is_empty());
    assert!(stage.pass(millis(49_999)).is_empty());
    assert_eq!(stage.pass(millis(1)), ["launch task"]);
}

#[test]
fn times_that_nobody_noticed_are_left_out_together() {
    let mut stage = Stage::of([every(seconds(60))]);
    stage.now += seconds(60 * 100 + 20);
    assert!(stage.play(Event::Tick).is_empty());
    assert_eq!(stage.reports, [Report::StillRuns(0)]);
    stage.exits("task", 0);
    assert_eq!(stage.pass(seconds(40)), ["launch task"]);
}

#[test]
fn nothing_runs_again_and_again_without_any_pause() {
    let mut stage = Stage::of([every(Duration::ZERO)]);
    assert!(stage.exits("task", 0).is_empty());
    assert_eq!(stage.pass(seconds(1)), ["launch task"]);
    assert!(stage.pass(millis(2500)).is_empty());
    assert_eq!(stage.reports, [Report::StillRuns(0), Report::StillRuns(0)]);
}

#[test]
fn a_run_that_failed_waits_for_the_next_time_and_is_remembered() {
    let mut stage = Stage::of([every(seconds(60))]);
    assert!(stage.exits("task", 3).is_empty());
    assert_eq!(stage.reports, [Report::Ended(0, End::Code(3), Next::Later)]);
    let status = stage.status("task");
    assert_eq!((status.state, status.last_end.as_deref()), (ServiceState::Scheduled, Some("exit code 3")));
    assert_eq!(stage.pass(seconds(60)), ["launch task"]);
}

#[test]
fn a_run_that_failed_is_tried_again_first_if_its_service_says_so() {
    let task = Service { restart: Restart::OnFailure, backoff: given_up_after(3), ..every(seconds(60)) };
    let mut stage = Stage::of([task]);
    for _ in 0..2 {
        stage.exits("task", 1);
        stage.pass(seconds(1));
        assert_eq!(stage.state("task"), ServiceState::Starting, "and not only when it is due again");
    }
    assert_eq!(stage.status("task").restarts, 2);
    stage.exits("task", 1);
    assert_eq!(stage.reports.last(), Some(&Report::Ended(0, End::Code(1), Next::Later)));
    assert_eq!(stage.pass(seconds(60)), ["launch task"]);
    stage.exits("task", 1);
    let again = Report::Ended(0, End::Code(1), Next::Restart(millis(250)));
    assert_eq!(stage.reports.last(), Some(&again), "the failures of one run are not those of the next");
}

#[test]
fn a_task_that_is_due_while_it_is_tried_again_does_not_run_twice() {
    let backoff = Backoff { first: seconds(100), longest: seconds(100), ..given_up_after(9) };
    let mut stage = Stage::of([Service { restart: Restart::OnFailure, backoff, ..every(seconds(60)) }]);
    stage.exits("task", 1);
    assert!(stage.pass(seconds(99)).is_empty());
    assert_eq!(stage.pass(seconds(1)), ["launch task"]);
    stage.exits("task", 0);
    assert!(stage.pass(seconds(59)).is_empty());
    assert_eq!(stage.pass(seconds(1)), ["launch task"], "60 s after its last start");
}

#[test]
fn a_task_that_ran_for_too_long_has_failed_and_is_due_again() {
    let mut stage = Stage::of([Service { run_limit: Some(seconds(10)), ..every(seconds(60)) }]);
    assert_eq!(stage.pass(seconds(10)), ["SIGTERM to task"]);
    stage.exits("task", 0);
    assert_eq!(stage.reports.last(), Some(&Report::Ended(0, End::Code(0), Next::Later)));
    assert_eq!(stage.pass(seconds(50)), ["launch task"]);
}

#[test]
fn others_can_count_on_a_task_whose_last_run_was_a_success() {
    let mut stage = Stage::of([every(seconds(60)), service("a").after(&["task"]), service("b").settled(&["task"])]);
    assert_eq!(stage.exits("task", 1), ["launch b"], "it has run");
    assert_eq!(stage.status("a").waits_for, ["task"]);
    stage.pass(seconds(60));
    assert_eq!(stage.exits("task", 0), ["launch a"]);
    stage.exits("a", 1);
    assert_eq!(stage.pass(millis(250)), ["SIGKILL to group of a", "launch a"]);
    stage.pass(seconds(60));
    stage.exits("task", 1);
    stage.exits("a", 1);
    assert!(stage.pass(seconds(1)).is_empty(), "the last run, not any run");
}

#[test]
fn a_task_that_was_stopped_on_request_is_not_due_any_more_and_one_that_is_started_is_at_once() {
    let mut stage = Stage::of([every(seconds(60))]);
    stage.exits("task", 0);
    assert!(stage.stop("task").is_empty());
    assert_eq!(stage.state("task"), ServiceState::Stopped);
    assert!(stage.pass(seconds(300)).is_empty());
    assert_eq!(stage.machine.next_deadline(), None);
    assert_eq!(stage.start("task"), ["launch task"]);
    stage.exits("task", 0);
    stage.pass(seconds(10));
    assert_eq!(stage.start("task"), ["launch task"], "between two times too");
    stage.exits("task", 0);
    assert!(stage.pass(seconds(59)).is_empty());
    assert_eq!(stage.pass(seconds(1)), ["launch task"]);
}

#[test]
fn a_finish_command_can_end_a_task_for_good() {
    use crate::engine::spec::FINISHED_FOR_GOOD;
    for (code, state) in [(0, ServiceState::Done), (1, ServiceState::Failed)] {
        let mut stage = Stage::of([every(seconds(60)).finished()]);
        stage.exits("task", code);
        stage.exits("finish of task", FINISHED_FOR_GOOD);
        assert_eq!(stage.state("task"), state);
        assert!(stage.pass(seconds(300)).is_empty());
    }
}

#[test]
fn a_task_at_a_set_time_does_not_run_before() {
    let (mut stage, said) = at_in(Some(seconds(600)));
    assert_eq!(said, ["schedule task"]);
    assert_eq!((stage.state("task"), stage.status("task").next_ms), (ServiceState::Scheduled, Some(600_000)));
    stage.next_time = Some(HOUR);
    assert!(stage.pass(millis(599_999)).is_empty());
    assert_eq!(stage.pass(millis(1)), ["schedule task", "launch task"]);
    stage.pass(seconds(600));
    assert!(stage.exits("task", 0).is_empty());
    assert_eq!((stage.state("task"), stage.status("task").next_ms), (ServiceState::Scheduled, Some(3_000_000)));
}

#[test]
fn a_long_wait_is_asked_for_anew_each_hour_because_the_clock_can_be_set() {
    let (mut stage, _) = at_in(Some(5 * HOUR));
    assert_eq!(stage.status("task").next_ms, Some(5 * 3_600_000));
    stage.next_time = Some(4 * HOUR);
    assert_eq!(stage.pass(HOUR), ["schedule task"]);
    stage.next_time = Some(seconds(60));
    assert_eq!(stage.pass(HOUR), ["schedule task"], "someone has set the clock");
    stage.next_time = Some(24 * HOUR);
    assert_eq!(stage.pass(seconds(60)), ["schedule task", "launch task"]);
}

#[test]
fn a_time_that_never_comes_needs_no_timer() {
    let (mut stage, _) = at_in(None);
    assert_eq!((stage.machine.next_deadline(), stage.status("task").next_ms), (None, None));
    assert_eq!(stage.start("task"), ["launch task"], "but it can be asked for");
    stage.exits("task", 0);
    assert_eq!(stage.state("task"), ServiceState::Scheduled);
}

#[test]
fn a_clock_that_is_slowed_down_a_little_does_not_make_a_task_run_twice() {
    let (mut stage, _) = at_in(Some(HOUR));
    // Woken two seconds too early, by the wall clock.
    stage.next_time = Some(seconds(2));
    assert_eq!(stage.pass(HOUR), ["schedule task", "launch task"]);
    stage.exits("task", 0);
    stage.next_time = Some(24 * HOUR);
    assert_eq!(stage.pass(seconds(3)), ["schedule task"]);
    assert!(stage.pass(seconds(60)).is_empty());
}

#[test]
fn a_task_at_a_set_time_that_still_runs_is_left_out_that_time() {
    let (mut stage, _) = at_in(Some(seconds(60)));
    assert_eq!(stage.pass(seconds(60)), ["schedule task", "launch task"]);
    assert_eq!(stage.pass(seconds(60)), ["schedule task"]);
    assert_eq!(stage.reports, [Report::StillRuns(0)]);
}

#[test]
fn a_task_that_was_stopped_on_request_does_not_ask_for_the_time() {
    let (mut stage, _) = at_in(Some(5 * HOUR));
    stage.stop("task");
    assert_eq!(stage.machine.next_deadline(), None);
    assert_eq!(stage.start("task"), ["schedule task", "launch task"]);
}

#[test]
fn nothing_is_due_in_a_shutdown() {
    let (mut stage, _) = at_in(Some(seconds(1)));
    stage.play(Event::Signal(SIGTERM));
    assert_eq!(stage.state("task"), ServiceState::Stopped);
    assert!(stage.step(Event::Scheduled(0, Some(Duration::ZERO))).is_empty());
    assert_eq!(stage.pass(seconds(9)), ["SIGKILL to everyone"]);

    let mut stage = Stage::of([every(seconds(1)), app()]);
    stage.signal(SIGTERM);
    assert!(stage.pass(seconds(4)).is_empty());
    assert_eq!(stage.reports.len(), 1, "nor is it told that something still runs: {:?}", stage.reports);
}
