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
        (stopped, ServiceState::Stopped),
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
            ServiceState::BackingOff | ServiceState::Done | ServiceState::Stopped | ServiceState::Failed => {
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
        let down = match state {
            ServiceState::Done | ServiceState::Failed => state,
            _ => ServiceState::Stopped,
        };
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
    assert_eq!(stage.state("app"), ServiceState::Stopped);
}

#[test]
fn a_stop_that_meets_a_launch_that_fails_has_what_it_wants() {
    let mut stage = while_launching(&[Request::Stop(0)]);
    assert!(stage.step(Event::NotLaunched(0, "no memory".to_owned())).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Stopped);
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
    assert_eq!(stage.state("app"), ServiceState::Stopped);
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
    assert_eq!(stage.reports.last(), Some(&Report::Ended(0, End::Code(1), Next::Restart(millis(250)))));
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

#[test]
fn a_service_that_is_started_on_request_only_waits_for_it() {
    let (mut stage, said) = Stage::begin([service("tool").when(When::Asked), service("app").settled(&["tool"])]);
    assert_eq!(said, ["launch app"], "nobody waits for what nobody has asked for");
    let status = stage.status("tool");
    assert_eq!((status.state, status.manual), (ServiceState::Stopped, true));
    assert_eq!(stage.start("tool"), ["launch tool"]);
    stage.exits("tool", 1);
    assert_eq!(stage.pass(millis(250)), ["SIGKILL to group of tool", "launch tool"], "it is restarted as others are");
    stage.stop("tool");
    stage.exits("tool", 0);
    assert_eq!(stage.state("tool"), ServiceState::Stopped);
}

#[test]
fn a_service_that_is_started_has_what_it_comes_after_started_too() {
    let manual = |service: Service| service.when(When::Asked);
    let services = || {
        [
            manual(service("db").probed(None)),
            manual(oneshot("schema").after(&["db"])),
            manual(service("app").after(&["schema"])),
            manual(service("other")),
        ]
    };
    for ask in [Stage::start, Stage::restart] {
        let mut stage = Stage::of(services());
        assert_eq!(ask(&mut stage, "app"), ["launch db", "probe db"]);
        assert_eq!(stage.status("app").waits_for, ["schema"]);
        assert_eq!(stage.is_ready("db"), ["launch schema"]);
        assert_eq!(stage.exits("schema", 0), ["launch app"]);
        stage.stop("app");
        stage.exits("app", 0);
        assert_eq!(ask(&mut stage, "app"), ["SIGKILL to group of app", "launch app"], "what is there is left alone");
        assert_eq!(stage.state("other"), ServiceState::Stopped);
    }
}

#[test]
fn a_service_that_is_started_brings_back_what_failed_or_is_being_stopped() {
    let db = Service { backoff: given_up_after(1), ..service("db") };
    let mut stage = Stage::of([db, service("app").after(&["db"])]);
    stage.exits("db", 1);
    stage.exits("app", 1);
    assert_eq!(stage.start("app"), ["SIGKILL to group of db", "launch db", "SIGKILL to group of app", "launch app"]);
    stage.stop("app");
    stage.exits("app", 0);
    stage.stop("db");
    assert!(stage.start("app").is_empty(), "db still ends");
    assert_eq!(stage.exits("db", 0), ["SIGKILL to group of db", "launch db", "SIGKILL to group of app", "launch app"]);
}

#[test]
fn services_that_come_after_each_other_do_not_keep_a_request_going_for_ever() {
    let manual = |name: &str, after: &str| service(name).after(&[after]).when(When::Asked);
    let mut stage = Stage::of([manual("a", "b"), manual("b", "a")]);
    assert!(stage.start("a").is_empty());
    assert_eq!((stage.state("a"), stage.state("b")), (ServiceState::Waiting, ServiceState::Waiting));
}

#[test]
fn a_service_that_waits_tells_for_whom() {
    let mut stage = Stage::of([
        oneshot("hook"),
        service("db").probed(None),
        service("app").after(&["db"]).settled(&["db", "hook", "nobody"]),
    ]);
    assert_eq!(stage.status("app").waits_for, ["db", "hook"]);
    stage.exits("hook", 1);
    assert_eq!(stage.status("app").waits_for, ["db"]);
    stage.is_ready("db");
    assert!(stage.status("app").waits_for.is_empty());
    stage.exits("db", 1);
    assert!(stage.status("app").waits_for.is_empty(), "it runs, and waits for nobody");
    assert_eq!(stage.status("db").next_ms, Some(250));
}
