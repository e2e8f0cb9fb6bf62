use super::*;

#[test]
fn services_start_when_what_they_come_after_is_ready_and_not_before() {
    let (mut stage, said) = Stage::begin([
        service("app").after(&["db", "sshd"]),
        service("db").probed(None),
        service("sshd"),
        service("log").after(&["sshd"]),
    ]);
    assert_eq!(said, ["launch db", "launch sshd", "probe db", "launch log"]);
    assert_eq!(stage.is_ready("db"), ["launch app"]);
    assert!(matches!(stage.reports[..], [Report::Ready(1, _)]));
}

#[test]
fn a_service_that_ended_is_not_ready_for_those_that_come_after_it() {
    let mut stage = Stage::of([service("db"), service("first").probed(None), service("app").after(&["db", "first"])]);
    stage.exits("db", 1);
    assert!(stage.is_ready("first").is_empty(), "db backs off");
    assert_eq!(stage.pass(millis(250)), ["SIGKILL to group of db", "launch db", "launch app"]);
}

#[test]
fn a_service_that_is_ready_goes_on_when_what_it_came_after_ends() {
    let mut stage = Stage::of([service("db"), service("app").after(&["db"])]);
    assert!(stage.exits("db", 1).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Ready);
}

#[test]
fn a_oneshot_is_ready_for_others_once_it_has_succeeded() {
    let (mut stage, said) = Stage::begin([oneshot("hook"), service("app").after(&["hook"])]);
    assert_eq!(said, ["launch hook"]);
    assert_eq!(stage.exits("hook", 0), ["launch app"]);
    assert_eq!(stage.state("hook"), ServiceState::Done);
}

#[test]
fn what_comes_after_a_oneshot_that_failed_does_not_start() {
    let mut stage = Stage::of([oneshot("hook"), service("app").after(&["hook"])]);
    assert!(stage.exits("hook", 1).is_empty());
    assert_eq!((stage.state("hook"), stage.state("app")), (ServiceState::Failed, ServiceState::Waiting));
}

#[test]
fn a_oneshot_that_was_stopped_has_not_succeeded_even_if_it_ends_with_0() {
    let mut stage = Stage::of([oneshot("hook"), service("app").after(&["hook"])]);
    stage.stop("hook");
    assert!(stage.exits("hook", 0).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Waiting);
}

#[test]
fn a_oneshot_is_never_shown_as_ready_while_it_runs() {
    let mut stage = Stage::of([oneshot("plain"), oneshot("probed").probed(Some(seconds(3)))]);
    assert_eq!((stage.state("plain"), stage.state("probed")), (ServiceState::Starting, ServiceState::Starting));
    assert!(stage.pass(millis(2999)).is_empty(), "nothing is probed");
    assert_eq!(stage.pass(millis(1)), ["SIGTERM to probed"], "but its time is limited");
    stage.exits("plain", 0);
    let status = &stage.machine.snapshot(stage.now).services[0];
    assert_eq!((status.state, status.ready_after_ms), (ServiceState::Done, Some(3000)));
}

#[test]
fn settled_means_ended_or_ready_well_or_not() {
    let (mut stage, said) = Stage::begin([
        oneshot("good"),
        oneshot("bad"),
        service("db").probed(None),
        service("app").settled(&["good", "bad", "db"]),
    ]);
    assert_eq!(said, ["launch good", "launch bad", "launch db", "probe db"]);
    assert!(stage.exits("good", 0).is_empty());
    assert!(stage.exits("bad", 1).is_empty());
    assert_eq!(stage.is_ready("db"), ["launch app"]);
}

#[test]
fn what_will_be_tried_again_is_not_settled() {
    let flaky = Service { restart: Restart::OnFailure, backoff: given_up_after(2), ..oneshot("flaky") };
    let mut stage = Stage::of([flaky, service("app").settled(&["flaky"])]);
    assert!(stage.exits("flaky", 1).is_empty());
    assert_eq!(stage.pass(millis(250)), ["launch flaky"]);
    assert_eq!(stage.exits("flaky", 1), ["launch app"]);
}

#[test]
fn a_probe_that_dies_is_followed_by_another_one_a_second_later() {
    let mut stage = Stage::of([service("app").probed(None)]);
    assert!(stage.ends("probe of app", End::Signal(SIGKILL)).is_empty());
    assert!(stage.pass(millis(999)).is_empty());
    assert_eq!(stage.pass(millis(1)), ["probe app"]);
    stage.is_ready("app");
    assert_eq!(stage.state("app"), ServiceState::Ready);
    assert_eq!(stage.machine.next_deadline(), None);
}

#[test]
fn a_probe_that_cannot_be_started_is_tried_again_a_second_later() {
    let mut stage = Stage::empty(false);
    stage.step(Event::Begin(Spec { services: vec![service("app").probed(None)], shutdown: seconds(9) }));
    assert_eq!(stage.step(Event::Launched(0, 7)), ["probe app"]);
    assert!(stage.step(Event::NotProbing(0)).is_empty());
    assert_eq!(stage.pass(seconds(1)), ["probe app"]);
}

#[test]
fn a_service_that_is_not_ready_in_time_is_stopped_and_counts_as_failed() {
    let mut stage = Stage::of([service("app").probed(Some(seconds(10)))]);
    assert_eq!(stage.pass(seconds(10)), ["end probe of app", "SIGTERM to app"]);
    assert!(matches!(stage.reports[..], [Report::NotReady(0, took)] if took == seconds(10)));
    assert_eq!(stage.state("app"), ServiceState::Stopping);
    assert_eq!(stage.exits("app", 0), ["SIGKILL to group of app", "launch app", "probe app"]);
    assert!(matches!(stage.reports.last(), Some(Report::Ended(0, _, Next::Restart(pause))) if *pause == millis(250)));
    assert_eq!(stage.status("app").last_end.as_deref(), Some("not ready in time, exit code 0"));
    stage.exits("app", 3);
    assert_eq!(stage.status("app").last_end.as_deref(), Some("exit code 3"), "nobody had asked it to");
}

#[test]
fn a_service_that_ends_while_it_is_looked_at_takes_the_probe_with_it() {
    let mut stage = Stage::of([service("app").probed(None)]);
    assert_eq!(stage.exits("app", 1), ["end probe of app"]);
    let probe = stage.pid("probe of app");
    assert!(stage.play(Event::Ended(probe, End::Code(0))).is_empty(), "what it found is of no use");
    assert_eq!(stage.state("app"), ServiceState::BackingOff);
}

#[test]
fn a_probe_that_is_started_too_late_is_ended() {
    let mut stage = Stage::empty(false);
    stage.step(Event::Begin(Spec { services: vec![service("app").probed(None)], shutdown: seconds(9) }));
    stage.step(Event::Launched(0, 7));
    stage.cast.extend([(7, "app".to_owned()), (8, "probe".to_owned())]);
    stage.step(Event::Ended(7, End::Code(1)));
    assert_eq!(stage.step(Event::Probing(0, 8)), ["end probe"]);
}

#[test]
fn a_process_that_cannot_be_made_counts_as_not_executed() {
    let mut stage = Stage::empty(false);
    stage.step(Event::Begin(Spec { services: vec![service("db"), app()], shutdown: seconds(9) }));
    stage.step(Event::NotLaunched(0, "no memory".to_owned()));
    assert_eq!(stage.state("db"), ServiceState::BackingOff);
    assert_eq!(stage.step(Event::NotLaunched(1, "no memory".to_owned())), ["SIGTERM to everyone"]);
    assert_eq!(stage.step(Event::Alone), ["exit 126"]);
}

#[test]
fn a_stand_in_goes_before_its_service_starts() {
    let app = service("app").after(&["hook"]);
    let (mut stage, said) = Stage::begin([page(), oneshot("hook"), app]);
    assert_eq!(said, ["launch page", "launch hook"]);
    assert_eq!(stage.exits("hook", 0), ["SIGTERM to page"]);
    assert!(stage.pass(seconds(1)).is_empty(), "the port is not free yet");
    assert_eq!(stage.exits("page", 0), ["launch app"]);
    assert_eq!(stage.state("page"), ServiceState::Waiting);
}

#[test]
fn a_stand_in_that_does_not_go_is_killed() {
    let mut stage = Stage::of([page(), oneshot("hook"), service("app").after(&["hook"])]);
    stage.exits("hook", 0);
    assert_eq!(stage.pass(seconds(5)), ["SIGKILL to group of page"]);
    assert_eq!(stage.ends("page", End::Signal(SIGKILL)), ["launch app"]);
}

#[test]
fn a_stand_in_that_is_just_being_started_goes_too() {
    let mut stage = Stage::empty(false);
    let services = vec![page(), oneshot("hook"), service("app").after(&["hook"])];
    assert_eq!(stage.step(Event::Begin(Spec { services, shutdown: seconds(9) })), ["launch page", "launch hook"]);
    stage.cast.insert(8, "page".to_owned());
    stage.step(Event::Launched(1, 9));
    assert!(stage.step(Event::Ended(9, End::Code(0))).is_empty());
    assert_eq!(stage.step(Event::Launched(0, 8)), ["SIGTERM to page"]);
    assert_eq!(stage.step(Event::Ended(8, End::Signal(SIGTERM))), ["launch app"]);
}

#[test]
fn a_stand_in_comes_when_its_service_is_given_up_or_is_down_on_request() {
    let mut stage = Stage::of([page(), Service { backoff: given_up_after(1), ..service("app") }]);
    assert_eq!(stage.exits("app", 1), ["launch page"]);
    assert_eq!(stage.start("app"), ["SIGTERM to page"]);
    assert_eq!(stage.exits("page", 0), ["SIGKILL to group of app", "launch app"]);
    assert_eq!(stage.stop("app"), ["SIGTERM to app"]);
    assert_eq!(stage.exits("app", 0), ["SIGKILL to group of page", "launch page"]);
}

#[test]
fn a_stand_in_comes_in_a_long_pause_only() {
    let mut stage = Stage::of([page(), service("app")]);
    for pause in [250, 500, 1000] {
        assert!(stage.exits("app", 1).is_empty());
        assert_eq!(stage.pass(millis(pause)), ["SIGKILL to group of app", "launch app"]);
    }
    assert_eq!(stage.exits("app", 1), ["launch page"], "two seconds are worth it");
    assert_eq!(stage.pass(seconds(2)), ["SIGTERM to page"]);
    assert_eq!(stage.exits("page", 0), ["SIGKILL to group of app", "launch app"]);
}

#[test]
fn a_stand_in_that_was_stopped_on_request_stays_away() {
    let mut stage = Stage::of([page(), oneshot("hook"), service("app").after(&["hook"])]);
    assert_eq!(stage.stop("page"), ["SIGTERM to page"]);
    assert!(stage.exits("hook", 0).is_empty(), "it goes already");
    assert_eq!(stage.exits("page", 0), ["launch app"]);
    stage.stop("app");
    assert!(stage.exits("app", 0).is_empty());
    assert_eq!(stage.state("page"), ServiceState::Stopped);
}

#[test]
fn everyone_who_stands_in_goes() {
    let other = Service { name: "other".to_owned(), ..page() };
    let mut stage = Stage::of([page(), other, oneshot("hook"), service("app").after(&["hook"])]);
    assert_eq!(stage.exits("hook", 0), ["SIGTERM to page", "SIGTERM to other"]);
    assert!(stage.exits("other", 0).is_empty());
    assert_eq!(stage.exits("page", 0), ["launch app"]);
}

#[test]
fn a_second_plan_or_one_that_comes_too_late_is_ignored() {
    let spec = || Spec { services: vec![service("other")], shutdown: seconds(1) };
    let mut stage = Stage::of([service("app")]);
    assert!(stage.play(Event::Begin(spec())).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Ready);

    let mut stage = Stage::empty(false);
    assert_eq!(stage.signal(SIGTERM), ["SIGTERM to everyone"]);
    assert!(stage.play(Event::Begin(spec())).is_empty());
    assert_eq!(stage.machine.find("other"), None);
}

#[test]
fn durations_that_cannot_be_added_to_any_instant_are_as_good_as_forever() {
    let forever = Service { stop_timeout: Duration::MAX, ..service("app").probed(Some(Duration::MAX)) };
    let mut stage = Stage::empty(false);
    stage.play(Event::Begin(Spec { services: vec![forever], shutdown: Duration::MAX }));
    assert!(stage.pass(seconds(300 * 24 * 60 * 60)).is_empty());
    assert_eq!(stage.stop("app"), ["end probe of app", "SIGTERM to app"]);
    assert!(stage.signal(SIGTERM).is_empty(), "it was asked already");
    assert!(stage.machine.next_deadline().is_some_and(|at| at > stage.now + seconds(300 * 24 * 60 * 60)));
}

#[test]
fn a_snapshot_tells_how_far_the_boot_is() {
    let mut stage = Stage::empty(false);
    assert_eq!(stage.machine.snapshot(stage.now).phase, Phase::Preparing);
    stage.now += seconds(2);
    stage.play(Event::Begin(Spec { services: vec![service("sshd").probed(None), page()], shutdown: seconds(9) }));
    stage.now += seconds(1);
    stage.is_ready("sshd");
    stage.now += seconds(4);
    let snapshot = stage.machine.snapshot(stage.now);
    assert_eq!((snapshot.phase, snapshot.uptime_ms), (Phase::Running, 7000));
    let sshd = &snapshot.services[0];
    assert_eq!((sshd.pid, sshd.since_ms, sshd.ready_after_ms), (Some(100), 4000, Some(3000)));
    assert!(snapshot.services[1].stand_in && !sshd.stand_in);
    stage.signal(SIGTERM);
    assert_eq!(stage.machine.snapshot(stage.now).phase, Phase::Stopping);
}

#[test]
fn an_end_is_told_in_words_and_as_a_shell_would_number_it() {
    for (end, words, code) in [
        (End::Code(3), "exit code 3", 3),
        (End::Signal(SIGTERM), "killed by SIGTERM", 143),
        (End::Signal(64), "killed by signal 64", 192),
        (End::NotExecuted(127, "no such file".to_owned()), "could not be started: no such file", 127),
    ] {
        assert_eq!((end.to_string().as_str(), end.code()), (words, code));
    }
}
