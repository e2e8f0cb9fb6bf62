use super::*;

/// A container with one service in each state, and the state's name.
fn in_each_state() -> Vec<(Stage, ServiceState)> {
    let waiting = Stage::of([service("app").after(&["hook"]), oneshot("hook")]);
    let starting = Stage::of([service("app").probed(None)]);
    let ready = Stage::of([service("app")]);
    let mut stopping = Stage::of([service("app")]);
    stopping.stop("app");
    let mut backing_off = Stage::of([service("app")]);
    backing_off.exits("app", 1);
    let mut done = Stage::of([Service { restart: Restart::OnFailure, ..service("app") }]);
    done.exits("app", 0);
    let mut stopped = Stage::of([service("app")]);
    stopped.stop("app");
    stopped.exits("app", 0);
    let mut failed = Stage::of([Service { backoff: given_up_after(1), ..service("app") }]);
    failed.exits("app", 1);
    let stages = [
        (waiting, ServiceState::Waiting),
        (starting, ServiceState::Starting),
        (ready, ServiceState::Ready),
        (stopping, ServiceState::Stopping),
        (backing_off, ServiceState::BackingOff),
        (done, ServiceState::Done),
        (stopped, ServiceState::Done),
        (failed, ServiceState::Failed),
    ];
    for (stage, state) in &stages {
        assert_eq!(stage.state("app"), *state);
    }
    stages.into()
}

#[test]
fn a_service_that_is_started_on_request_runs_in_the_end_whatever_state_it_was_in() {
    for (mut stage, state) in in_each_state() {
        let said = stage.start("app");
        let expected: &[&str] = match state {
            ServiceState::BackingOff | ServiceState::Done | ServiceState::Failed => {
                &["SIGKILL to group of app", "launch app"]
            }
            _ => &[],
        };
        assert_eq!(said, expected, "{state:?}");
        match state {
            ServiceState::Waiting => assert_eq!(stage.exits("hook", 0), ["launch app"]),
            ServiceState::Stopping => assert_eq!(stage.exits("app", 0), ["SIGKILL to group of app", "launch app"]),
            _ => {}
        }
        assert!(matches!(stage.state("app"), ServiceState::Starting | ServiceState::Ready), "{state:?}");
    }
}

#[test]
fn a_service_that_is_stopped_on_request_stays_down_whatever_state_it_was_in() {
    for (mut stage, state) in in_each_state() {
        let said = stage.stop("app");
        match state {
            ServiceState::Starting => assert_eq!(said, ["end probe of app", "SIGTERM to app"]),
            ServiceState::Ready => assert_eq!(said, ["SIGTERM to app"]),
            _ => assert!(said.is_empty(), "{state:?}"),
        }
        if stage.state("app") == ServiceState::Stopping {
            assert!(stage.exits("app", 1).is_empty());
        }
        assert!(stage.pass(seconds(3600)).is_empty(), "{state:?}");
        let down = if state == ServiceState::Failed { ServiceState::Failed } else { ServiceState::Done };
        assert_eq!(stage.state("app"), down, "{state:?}");
        assert!(!stage.machine.stopping());
    }
}

#[test]
fn a_service_that_is_restarted_on_request_runs_anew_whatever_state_it_was_in() {
    for (mut stage, state) in in_each_state() {
        let said = stage.restart("app");
        match state {
            ServiceState::Starting => assert_eq!(said, ["end probe of app", "SIGTERM to app"]),
            ServiceState::Ready => assert_eq!(said, ["SIGTERM to app"]),
            ServiceState::Waiting | ServiceState::Stopping => assert!(said.is_empty(), "{state:?}"),
            _ => assert_eq!(said, ["SIGKILL to group of app", "launch app"], "{state:?}"),
        }
        if stage.state("app") == ServiceState::Stopping {
            assert_eq!(stage.exits("app", 1)[..2], ["SIGKILL to group of app", "launch app"], "{state:?}");
        }
        if state == ServiceState::Waiting {
            assert_eq!(stage.exits("hook", 0), ["launch app"]);
        }
        assert!(matches!(stage.state("app"), ServiceState::Starting | ServiceState::Ready), "{state:?}");
    }
}

/// A process was asked for, and before it is there something else is asked for.
fn while_launching(requests: &[Request]) -> Stage {
    let mut stage = Stage::empty(false);
    stage.step(Event::Begin(Spec { services: vec![service("app").probed(None)], shutdown: seconds(9) }));
    for request in requests {
        assert!(stage.step(Event::Request(request.clone())).is_empty());
        assert_eq!(stage.state("app"), ServiceState::Starting);
    }
    stage.cast.insert(7, "app".to_owned());
    stage
}

#[test]
fn a_stop_that_meets_a_launch_ends_the_process_as_soon_as_it_is_there() {
    let mut stage = while_launching(&[Request::Stop(0)]);
    assert_eq!(stage.step(Event::Launched(0, 7)), ["SIGTERM to app"]);
    assert!(stage.exits("app", 0).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Done);
}

#[test]
fn a_stop_that_meets_a_launch_that_fails_has_what_it_wants() {
    let mut stage = while_launching(&[Request::Stop(0)]);
    assert!(stage.step(Event::NotLaunched(0, "no memory".to_owned())).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Done);
    assert_eq!(stage.machine.next_deadline(), None);
}

#[test]
fn the_last_request_that_meets_a_launch_counts() {
    for last in [Request::Start(0), Request::Restart(0)] {
        let mut stage = while_launching(&[Request::Stop(0), last]);
        assert_eq!(stage.step(Event::Launched(0, 7)), ["probe app"]);
    }
}

#[test]
fn the_last_request_that_meets_a_stop_counts() {
    let mut stage = Stage::of([service("app")]);
    stage.restart("app");
    stage.stop("app");
    assert!(stage.exits("app", 0).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Done);
}

#[test]
fn a_start_forgets_failures() {
    let mut stage = Stage::of([Service { backoff: given_up_after(2), ..service("app") }]);
    stage.exits("app", 1);
    stage.start("app");
    stage.exits("app", 1);
    assert_eq!(stage.state("app"), ServiceState::BackingOff);
    stage.restart("app");
    stage.exits("app", 1);
    assert_eq!(stage.reports.last(), Some(&Report::Ended(0, End::Code(1), Next::Restart(FIRST_PAUSE))));
}

#[test]
fn a_critical_service_can_be_stopped_and_started_and_the_container_stays() {
    let mut stage = Stage::of([app()]);
    stage.stop("app");
    assert!(stage.ends("app", End::Signal(SIGKILL)).is_empty());
    assert!(!stage.machine.stopping());
    assert_eq!(stage.start("app"), ["SIGKILL to group of app", "launch app"]);
}

#[test]
fn a_process_that_hangs_in_the_kernel_is_not_given_a_rival() {
    let mut stage = Stage::of([service("app")]);
    stage.restart("app");
    assert_eq!(stage.pass(seconds(5)), ["SIGKILL to group of app"]);
    assert!(matches!(stage.reports[..], [Report::StopTimeout(0, took)] if took == seconds(5)));
    assert!(stage.pass(seconds(3600)).is_empty());
    assert_eq!(stage.machine.next_deadline(), None);
    assert_eq!(stage.ends("app", End::Signal(SIGKILL)), ["SIGKILL to group of app", "launch app"]);
}

#[test]
fn restarts_are_counted_when_they_happen() {
    let mut stage = Stage::of([service("app")]);
    stage.exits("app", 1);
    assert_eq!(stage.machine.snapshot(stage.now).services[0].restarts, 0, "it may still be stopped");
    stage.pass(millis(250));
    assert_eq!(stage.machine.snapshot(stage.now).services[0].restarts, 1);
}

#[test]
fn requests_for_what_is_not_there_or_too_late_do_nothing() {
    let mut stage = Stage::of([service("app")]);
    assert!(stage.play(Event::Request(Request::Stop(7))).is_empty());
    stage.signal(SIGTERM);
    for request in [Request::Start(0), Request::Stop(0), Request::Restart(0)] {
        assert!(stage.play(Event::Request(request)).is_empty());
    }
    assert_eq!(stage.exits("app", 0), ["SIGTERM to everyone"]);
    assert!(Stage::empty(false).play(Event::Request(Request::Start(0))).is_empty());
}
