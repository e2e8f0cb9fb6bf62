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
fn no_number_of_failures_breaks_the_pause() {
    assert_eq!(pause_after(0), FIRST_PAUSE);
    for failures in [8, 32, 33, 34, 64, u32::MAX] {
        assert_eq!(pause_after(failures), LONGEST_PAUSE);
    }
}

#[test]
fn half_a_minute_of_being_ready_forgives_everything() {
    let mut stage = Stage::of([service("app")]);
    stage.exits("app", 1);
    stage.pass(millis(250) + STABLE - millis(1));
    stage.exits("app", 1);
    assert_eq!(pause(&stage), millis(500), "29.999 s are not enough");
    stage.pass(millis(500) + STABLE);
    stage.exits("app", 1);
    assert_eq!(pause(&stage), FIRST_PAUSE);
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
