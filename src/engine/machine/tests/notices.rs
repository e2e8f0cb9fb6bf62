use super::*;

fn ready_by(by: By, timeout: Option<Duration>) -> Service {
    Service { ready: Some(Readiness { by, timeout }), ..service("app") }
}

fn watched() -> Service {
    Service { watchdog: Some(seconds(10)), ..service("app") }
}

#[test]
fn a_service_that_says_so_itself_is_not_probed_and_is_ready_when_it_says_so() {
    for by in [By::Notify, By::Descriptor(3)] {
        let (mut stage, said) = Stage::begin([ready_by(by, Some(seconds(60))), service("next").after(&["app"])]);
        assert_eq!(said, ["launch app"]);
        assert!(stage.pass(seconds(30)).is_empty());
        assert_eq!(stage.says("app", Notice::Ready), ["launch next"]);
        assert_eq!(stage.reports, [Report::Ready(0, seconds(30))]);
        assert!(stage.says("app", Notice::Ready).is_empty(), "once is enough");
        assert!(stage.pass(seconds(60)).is_empty());
    }
}

#[test]
fn a_service_that_does_not_say_so_in_time_is_stopped() {
    let mut stage = Stage::of([ready_by(By::Notify, Some(seconds(10)))]);
    assert_eq!(stage.pass(seconds(10)), ["SIGTERM to app"]);
    assert_eq!(stage.reports, [Report::NotReady(0, seconds(10))]);
    stage.says("app", Notice::Ready);
    assert_eq!(stage.state("app"), ServiceState::Stopping, "it comes too late");
}

#[test]
fn what_is_probed_is_not_ready_because_it_says_so() {
    let mut stage = Stage::of([service("app").probed(None)]);
    assert!(stage.says("app", Notice::Ready).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Starting);
}

#[test]
fn a_oneshot_is_ready_when_it_ended_whatever_it_says() {
    let hook = Service { ready: ready_by(By::Notify, None).ready, ..oneshot("hook") };
    let mut stage = Stage::of([hook, service("app").after(&["hook"])]);
    assert!(stage.says("hook", Notice::Ready).is_empty());
    assert_eq!(stage.state("hook"), ServiceState::Starting);
    assert_eq!(stage.exits("hook", 0), ["launch app"]);
}

#[test]
fn what_a_service_says_of_itself_is_shown_until_it_is_launched_again() {
    let mut stage = Stage::of([service("app")]);
    stage.says("app", Notice::Status("12 users".to_owned()));
    assert_eq!(stage.status("app").text.as_deref(), Some("12 users"));
    stage.exits("app", 1);
    stage.says("app", Notice::Status("from the grave".to_owned()));
    assert_eq!(stage.status("app").text.as_deref(), Some("12 users"), "its last words");
    stage.pass(millis(250));
    assert_eq!(stage.status("app").text, None);
    stage.says("app", Notice::Status("3 users".to_owned()));
    stage.says("app", Notice::Status(String::new()));
    assert_eq!(stage.status("app").text, None);
}

#[test]
fn a_service_that_stops_to_say_that_it_is_alive_is_ended_and_started_again() {
    let mut stage = Stage::of([watched()]);
    for _ in 0..5 {
        assert!(stage.pass(millis(9999)).is_empty());
        assert!(stage.says("app", Notice::Alive).is_empty());
    }
    assert!(stage.pass(millis(10_999)).is_empty(), "the machine may have been frozen until just now");
    assert_eq!(stage.pass(millis(1)), ["SIGABRT to app"]);
    assert_eq!(stage.reports, [Report::NotAlive(0, seconds(10))]);
    assert_eq!(stage.pass(seconds(5)), ["SIGKILL to group of app"]);
    stage.exits("app", 0);
    assert_eq!(stage.reports.last(), Some(&Report::Ended(0, End::Code(0), Next::Restart(millis(250)))), "a failure");
    assert_eq!(stage.status("app").last_end.as_deref(), Some("not alive, exit code 0"));
}

#[test]
fn nothing_has_to_be_said_before_a_service_is_ready() {
    let mut stage = Stage::of([Service { watchdog: Some(seconds(10)), ..ready_by(By::Notify, None) }]);
    assert!(stage.pass(seconds(100)).is_empty());
    stage.says("app", Notice::Ready);
    assert_eq!(stage.pass(seconds(11)), ["SIGABRT to app"]);
}

#[test]
fn a_service_can_tell_itself_how_often_it_will_be_heard_from() {
    let mut stage = Stage::of([ready_by(By::Notify, None)]);
    stage.says("app", Notice::AliveEvery(seconds(3)));
    stage.says("app", Notice::Ready);
    assert!(stage.pass(millis(3749)).is_empty());
    stage.says("app", Notice::AliveEvery(seconds(20)));
    assert!(stage.pass(millis(19_999)).is_empty());
    stage.says("app", Notice::AliveEvery(Duration::ZERO));
    assert!(stage.pass(seconds(3600)).is_empty(), "never");
    stage.says("app", Notice::AliveEvery(seconds(1)));
    assert_eq!(stage.pass(millis(1250)), ["SIGABRT to app"]);
    stage.exits("app", 1);
    stage.pass(millis(250));
    stage.says("app", Notice::Ready);
    assert!(stage.pass(seconds(3600)).is_empty(), "the next process has said nothing of the kind");
}

#[test]
fn a_service_can_say_that_it_is_not_well() {
    for mut stage in [Stage::of([watched()]), Stage::of([ready_by(By::Notify, None)])] {
        assert_eq!(stage.says("app", Notice::Trigger), ["SIGABRT to app"]);
        assert_eq!(stage.reports, [Report::NotAlive(0, Duration::ZERO)]);
        stage.stop("app");
        assert!(stage.says("app", Notice::Trigger).is_empty(), "it is heard once");
        stage.exits("app", 0);
        assert_eq!(stage.state("app"), ServiceState::Stopped, "the last request counts");
    }
}

#[test]
fn who_was_heard_from_in_the_same_wake_up_is_alive() {
    let mut stage = Stage::of([watched()]);
    stage.now += seconds(10);
    assert!(stage.step(Event::Ended(31_000, End::Code(0))).is_empty());
    assert!(stage.step(Event::Notified(0, Notice::Alive)).is_empty());
    assert!(stage.step(Event::Tick).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Ready);
}

#[test]
fn nobody_is_blamed_for_the_time_in_which_the_whole_container_was_frozen() {
    let mut stage = Stage::of([watched()]);
    stage.now += seconds(3600);
    assert!(stage.play(Event::Tick).is_empty());
    assert!(stage.pass(millis(9999)).is_empty());
    assert_eq!(stage.pass(millis(1)), ["SIGABRT to app"], "but it is looked at again");
}

#[test]
fn a_freeze_that_ends_just_after_a_watchdog_was_due_is_not_held_against_the_service() {
    let mut stage = Stage::of([watched()]);
    for _ in 0..3 {
        stage.now += millis(10_400);
        assert!(stage.play(Event::Tick).is_empty());
        assert!(stage.pass(millis(5000)).is_empty());
        assert!(stage.says("app", Notice::Alive).is_empty());
    }
    for expected in [&[][..], &["SIGABRT to app"]] {
        stage.now += millis(10_400);
        assert_eq!(stage.play(Event::Tick), expected, "but where all is always late it is overlooked only once");
    }
}

#[test]
fn a_freeze_that_ends_just_before_a_watchdog_is_due_leaves_time_to_say_something() {
    let mut stage = Stage::of([watched()]);
    for _ in 0..3 {
        assert!(stage.pass(millis(10_900)).is_empty());
        assert!(stage.says("app", Notice::Alive).is_empty());
    }
}

#[test]
fn a_shutdown_asks_nobody_whether_it_is_alive() {
    let mut stage = Stage::of([Service { watchdog: Some(seconds(1)), ..service("db") }.order(1), app()]);
    stage.signal(SIGTERM);
    assert!(stage.says("db", Notice::Trigger).is_empty());
    assert!(stage.says("db", Notice::AliveEvery(millis(1))).is_empty());
    assert!(stage.pass(seconds(4)).is_empty());
    assert_eq!(stage.exits("app", 0), ["SIGTERM to db"]);
}

#[test]
fn words_about_what_is_not_there_are_nobody_s() {
    let mut stage = Stage::of([ready_by(By::Notify, None)]);
    stage.exits("app", 1);
    for notice in [Notice::Ready, Notice::Alive, Notice::Trigger, Notice::AliveEvery(seconds(1))] {
        assert!(stage.says("app", notice.clone()).is_empty());
        assert!(stage.play(Event::Notified(7, notice)).is_empty());
    }
    assert_eq!(stage.state("app"), ServiceState::BackingOff);
}
