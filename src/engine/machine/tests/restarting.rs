use nix::libc::SIGSEGV;

use super::*;

/// The pause that is reported for the last end.
fn pause(stage: &Stage) -> Duration {
    match stage.reports.last() {
        Some(Report::Ended(_, _, Next::Restart(pause))) => *pause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pauses_double_from_a_quarter_of_a_second_to_half_a_minute() {
    let mut stage = Stage::of([service("app")]);
    for expected in [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
        assert!(stage.exits("app", 1).is_empty());
        assert_eq!(pause(&stage), millis(expected));
        assert!(stage.pass(millis(expected - 1)).is_empty(), "not before {expected} ms are over");
        assert_eq!(stage.pass(millis(1)), ["SIGKILL to group of app", "launch app"]);
    }
}

#[test]
fn what_has_run_for_longer_than_the_pause_comes_again_at_once() {
    let mut stage = Stage::of([service("app")]);
    stage.pass(seconds(1));
    assert_eq!(stage.exits("app", 1), ["SIGKILL to group of app", "launch app"]);
    stage.pass(millis(100));
    stage.exits("app", 1);
    assert_eq!(stage.machine.pause_left(0, stage.now), Some(millis(400)), "500 ms from start to start");
}

#[test]
fn no_number_of_failures_breaks_the_pause() {
    let backoff = Backoff::default();
    assert_eq!(pause_after(0, &backoff), millis(250));
    for failures in [8, 32, 33, 34, 64, u32::MAX] {
        assert_eq!(pause_after(failures, &backoff), seconds(30));
    }
}

#[test]
fn pauses_never_shrink_and_are_never_nothing_whatever_was_asked_for() {
    let durations = [Duration::ZERO, Duration::from_nanos(1), millis(250), seconds(30), Duration::MAX];
    for (first, longest) in durations.iter().flat_map(|first| durations.map(|longest| (*first, longest))) {
        let backoff = Backoff { first, longest, ..Backoff::default() };
        let pauses: Vec<_> = (0..100).map(|failures| pause_after(failures, &backoff)).collect();
        assert!(pauses.is_sorted(), "{backoff:?}");
        assert!(pauses[0] >= millis(1) && pauses[99] <= longest.max(millis(1)), "{backoff:?}");
    }
}

#[test]
fn each_service_has_its_own_pauses() {
    let backoff = Backoff { first: seconds(1), longest: seconds(3), stable: seconds(5), give_up_after: None };
    let mut stage = Stage::of([Service { backoff, ..service("app") }, service("other")]);
    for expected in [1, 2, 3, 3] {
        stage.exits("app", 1);
        assert_eq!(pause(&stage), seconds(expected));
        stage.pass(seconds(expected));
    }
    stage.pass(seconds(5));
    stage.exits("app", 1);
    assert_eq!(pause(&stage), seconds(1), "5 s are stable enough");
    stage.exits("other", 1);
    assert_eq!(pause(&stage), millis(250));
}

#[test]
fn half_a_minute_of_being_ready_forgives_everything() {
    let mut stage = Stage::of([service("app")]);
    stage.exits("app", 1);
    stage.pass(millis(250) + seconds(30) - millis(1));
    stage.exits("app", 1);
    assert_eq!(pause(&stage), millis(500), "29.999 s are not enough");
    stage.pass(millis(500) + seconds(30));
    stage.exits("app", 1);
    assert_eq!(pause(&stage), millis(250));
}

#[test]
fn time_that_it_took_to_get_ready_forgives_nothing() {
    let mut stage = Stage::of([service("app").probed(None)]);
    stage.exits("app", 1);
    stage.pass(seconds(100));
    stage.is_ready("app");
    stage.exits("app", 1);
    assert_eq!(pause(&stage), millis(500));
}

#[test]
fn after_so_many_failures_in_a_row_a_daemon_is_given_up_and_the_others_go_on() {
    let mut stage = Stage::of([Service { backoff: given_up_after(3), ..service("db") }, service("sshd")]);
    for _ in 0..2 {
        stage.exits("db", 1);
        stage.pass(seconds(1));
    }
    assert!(stage.ends("db", End::Signal(SIGSEGV)).is_empty());
    assert_eq!(stage.reports.last(), Some(&Report::Ended(0, End::Signal(SIGSEGV), Next::GivenUp)));
    assert_eq!(stage.pass(seconds(3600)), [""; 0]);
    let status = &stage.machine.snapshot(stage.now).services[0];
    assert_eq!(
        (status.state, status.restarts, status.last_end.as_deref()),
        (ServiceState::Failed, 2, Some("killed by SIGSEGV"))
    );
    assert_eq!(stage.state("sshd"), ServiceState::Ready);
}

#[test]
fn what_restarts_on_failure_rests_after_a_success() {
    let mut stage = Stage::of([Service { restart: Restart::OnFailure, ..service("sync") }]);
    stage.exits("sync", 1);
    stage.pass(millis(250));
    assert!(stage.exits("sync", 0).is_empty());
    assert_eq!(stage.state("sync"), ServiceState::Done);
    assert_eq!(stage.machine.next_deadline(), None);
}

#[test]
fn what_restarts_always_does_so_after_a_success_too_but_a_oneshot_does_not() {
    let mut stage = Stage::of([service("app"), Service { restart: Restart::Always, ..oneshot("hook") }]);
    stage.exits("app", 0);
    stage.exits("hook", 0);
    assert_eq!((stage.state("app"), stage.state("hook")), (ServiceState::BackingOff, ServiceState::Done));
}

#[test]
fn what_never_restarts_is_done_or_failed_by_its_exit_code() {
    let never = |name| Service { restart: Restart::Never, ..service(name) };
    let mut stage = Stage::of([never("good"), never("bad")]);
    stage.exits("good", 0);
    stage.exits("bad", 1);
    assert_eq!((stage.state("good"), stage.state("bad")), (ServiceState::Done, ServiceState::Failed));
}

#[test]
fn what_an_earlier_run_left_in_its_group_is_killed_before_the_next() {
    let mut stage = Stage::of([service("app"), Service { restart: Restart::OnFailure, ..oneshot("hook") }]);
    stage.exits("app", 1);
    stage.exits("hook", 1);
    let said = stage.pass(millis(250));
    assert_eq!(said, ["SIGKILL to group of app", "launch app", "launch hook"], "a oneshot may leave something behind");
}

#[test]
fn a_group_is_not_killed_once_its_number_belongs_to_another_service() {
    let mut stage = Stage::of([service("old"), oneshot("hook"), service("new").after(&["hook"])]);
    let old = stage.pid("old");
    stage.exits("old", 1);
    stage.next_pid = old;
    assert_eq!(stage.exits("hook", 0), ["launch new"]);
    assert_eq!(stage.pid("new"), old);
    stage.next_pid = 1000;
    assert_eq!(stage.pass(millis(250)), ["launch old"]);
}

#[test]
fn the_end_of_an_orphan_touches_nobody() {
    let mut stage = Stage::of([service("app")]);
    assert!(stage.play(Event::Ended(31_000, End::Code(1))).is_empty(), "an orphan");
    assert_eq!(stage.state("app"), ServiceState::Ready);
}

#[test]
fn the_end_of_a_critical_service_ends_the_container_with_its_code() {
    let never_run = End::NotExecuted(127, "cannot run app: No such file or directory".to_owned());
    for (end, code) in [
        (End::Code(0), 0),
        (End::Code(3), 3),
        (End::Signal(SIGKILL), 137),
        (End::Signal(SIGTERM), 143),
        (never_run, 127),
    ] {
        let mut stage = Stage::of([app(), service("sshd")]);
        assert_eq!(stage.ends("app", end.clone()), ["SIGTERM to sshd"], "{end}");
        assert_eq!(stage.exits("sshd", 255), ["SIGTERM to everyone"]);
        assert_eq!(stage.play(Event::Alone), [format!("exit {code}")]);
    }
}

#[test]
fn a_critical_service_that_is_restarted_ends_the_container_once_it_is_given_up() {
    let app = Service { restart: Restart::OnFailure, backoff: given_up_after(2), ..app() };
    let mut stage = Stage::of([app.clone(), service("sshd")]);
    stage.exits("app", 1);
    assert_eq!(stage.pass(millis(250)), ["SIGKILL to group of app", "launch app"]);
    assert_eq!(stage.exits("app", 7), ["SIGTERM to sshd"]);
    stage.exits("sshd", 0);
    assert_eq!(stage.play(Event::Alone), ["exit 7"]);

    let mut stage = Stage::of([app]);
    assert_eq!(stage.exits("app", 0), ["SIGTERM to everyone"], "a success is no failure to be retried");
    assert_eq!(stage.play(Event::Alone), ["exit 0"]);
}

#[test]
fn the_code_of_the_service_that_ended_the_container_is_final() {
    let other = Service { name: "other".to_owned(), ..app() };
    let mut stage = Stage::of([app(), other]);
    assert_eq!(stage.exits("app", 3), ["SIGINT to other"]);
    stage.ends("other", End::Signal(SIGKILL));
    assert_eq!(stage.play(Event::Alone), ["exit 3"]);
}

#[test]
fn a_critical_oneshot_ends_the_container_only_if_it_fails_for_good() {
    let hook = Service { critical: true, ..oneshot("hook") };
    let mut stage = Stage::of([hook.clone(), service("sshd")]);
    assert!(stage.exits("hook", 0).is_empty(), "a success");
    assert!(!stage.machine.stopping());

    let retried = Service { restart: Restart::OnFailure, backoff: given_up_after(2), ..hook };
    let mut stage = Stage::of([retried, service("sshd")]);
    assert!(stage.exits("hook", 3).is_empty(), "it is tried again");
    stage.pass(millis(250));
    assert_eq!(stage.exits("hook", 4), ["SIGTERM to sshd"]);
    stage.exits("sshd", 0);
    assert_eq!(stage.play(Event::Alone), ["exit 4"]);
}

#[test]
fn a_daemon_is_critical_or_not_whatever_its_kind() {
    let degraded = Service { critical: false, ..app() };
    let mut stage = Stage::of([degraded, Service { critical: true, ..service("db") }]);
    assert!(stage.exits("app", 1).is_empty());
    assert!(!stage.machine.stopping());
}

#[test]
fn a_oneshot_that_runs_for_too_long_is_stopped_and_has_failed() {
    let hook = Service { run_limit: Some(seconds(10)), ..oneshot("hook") };
    let mut stage = Stage::of([hook, service("app").after(&["hook"])]);
    assert!(stage.pass(millis(9999)).is_empty());
    assert_eq!(stage.pass(millis(1)), ["SIGTERM to hook"]);
    assert_eq!(stage.reports, [Report::RunTimeout(0, seconds(10))]);
    assert_eq!(stage.pass(seconds(5)), ["SIGKILL to group of hook"]);
    assert!(stage.exits("hook", 0).is_empty(), "even if it says otherwise");
    assert_eq!(stage.status("hook").last_end.as_deref(), Some("ran for too long, exit code 0"));
    assert_eq!((stage.state("hook"), stage.state("app")), (ServiceState::Failed, ServiceState::Waiting));
}

#[test]
fn a_daemon_may_run_for_as_long_as_it_likes() {
    let mut stage = Stage::of([Service { run_limit: Some(seconds(1)), ..service("app").probed(None) }]);
    assert!(stage.pass(seconds(100)).is_empty());
}
