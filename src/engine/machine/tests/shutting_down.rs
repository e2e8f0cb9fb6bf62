use nix::libc::{SIGQUIT, SIGSEGV, SIGUSR2};

use super::*;

/// The code that a container ends with if its app ends so after it was asked to.
fn code_of(mut stage: Stage, end: End) -> String {
    stage.signal(SIGTERM);
    assert_eq!(stage.ends("app", end), ["SIGTERM to everyone"]);
    stage.play(Event::Alone).concat()
}

#[test]
fn a_stop_of_a_service_container_is_0_if_the_app_ends_by_itself_or_by_the_stop_signal() {
    let sigusr2 = Service { stop_signal: SIGUSR2, ..app() };
    assert_eq!(code_of(Stage::of([app()]), End::Code(0)), "exit 0");
    assert_eq!(code_of(Stage::of([app()]), End::Signal(SIGINT)), "exit 0");
    assert_eq!(code_of(Stage::of([app()]), End::Code(130)), "exit 0", "as a shell tells it");
    assert_eq!(code_of(Stage::of([sigusr2.clone()]), End::Signal(SIGUSR2)), "exit 0");
    // Everyone in the container may have got the signal that devinit got, or the SIGTERM that is everyone's.
    for signal in [SIGQUIT, SIGTERM] {
        let mut stage = Stage::of([sigusr2.clone()]);
        stage.signal(SIGQUIT);
        stage.ends("app", End::Signal(signal));
        assert_eq!(stage.play(Event::Alone), ["exit 0"]);
    }
}

#[test]
fn a_stop_of_a_service_container_is_the_app_s_code_if_it_ends_in_another_way() {
    assert_eq!(code_of(Stage::of([app()]), End::Code(3)), "exit 3");
    assert_eq!(code_of(Stage::of([app()]), End::Signal(SIGSEGV)), "exit 139");
    assert_eq!(code_of(Stage::of([app()]), End::Signal(SIGKILL)), "exit 137");
}

#[test]
fn a_stop_of_a_container_without_an_app_is_0() {
    let mut stage = Stage::of([service("sshd")]);
    assert_eq!(stage.signal(SIGTERM), ["SIGTERM to sshd"]);
    stage.exits("sshd", 255);
    assert_eq!(stage.play(Event::Alone), ["exit 0"]);
}

#[test]
fn a_stop_in_command_mode_is_the_command_s_own_code() {
    for (end, code) in [(End::Code(0), 0), (End::Code(143), 143), (End::Signal(SIGTERM), 143), (End::Code(7), 7)] {
        assert_eq!(code_of(Stage::of_command([main_command()]), end), format!("exit {code}"));
    }
}

#[test]
fn the_first_critical_service_that_did_not_stop_well_decides() {
    let named = |name: &str| Service { name: name.to_owned(), ..app() };
    let mut stage = Stage::of([named("a"), named("b"), named("c")]);
    stage.signal(SIGTERM);
    stage.exits("a", 0);
    stage.exits("b", 4);
    stage.exits("c", 5);
    assert_eq!(stage.play(Event::Alone), ["exit 4"]);
}

#[test]
fn an_app_that_does_not_stop_in_time_is_killed_and_that_is_told() {
    let mut stage = Stage::of([app()]);
    stage.signal(SIGTERM);
    assert!(stage.pass(millis(4999)).is_empty());
    assert_eq!(stage.pass(millis(1)), ["SIGKILL to group of app", "SIGTERM to everyone"]);
    stage.ends("app", End::Signal(SIGKILL));
    assert_eq!(stage.play(Event::Alone), ["exit 137"]);
}

#[test]
fn services_stop_by_number_and_then_dependents_first() {
    let mut stage = Stage::of([
        service("sshd").order(2),
        service("db").order(1),
        service("cache").order(1).after(&["db"]),
        service("app").order(0).after(&["cache"]),
        service("worker").order(0).after(&["db"]),
    ]);
    assert_eq!(stage.signal(SIGTERM), ["SIGTERM to app", "SIGTERM to worker"]);
    assert!(stage.exits("app", 0).is_empty(), "worker is still there");
    assert_eq!(stage.exits("worker", 0), ["SIGTERM to cache"]);
    assert_eq!(stage.exits("cache", 0), ["SIGTERM to db"]);
    assert_eq!(stage.exits("db", 0), ["SIGTERM to sshd"]);
    assert_eq!(stage.exits("sshd", 0), ["SIGTERM to everyone"]);
}

#[test]
fn nobody_waits_for_a_service_that_hangs_after_sigkill() {
    let mut stage = Stage::of([service("app"), service("sshd").order(1)]);
    stage.signal(SIGTERM);
    assert_eq!(stage.pass(seconds(5)), ["SIGKILL to group of app", "SIGTERM to sshd"]);
    assert_eq!(stage.exits("sshd", 0), ["SIGTERM to everyone"]);
    assert_eq!(stage.pass(seconds(4)), ["SIGKILL to everyone"]);
    assert_eq!(stage.pass(millis(499)), [""; 0]);
    assert_eq!(stage.pass(millis(1)), ["exit 0"], "app hangs in the kernel");
}

#[test]
fn a_stop_takes_no_longer_than_the_shutdown_leaves_and_the_sweep_has_its_reserve() {
    let slow = |name| Service { stop_timeout: seconds(60), ..service(name) };
    let mut stage = Stage::of([slow("app"), slow("sshd").order(1)]);
    stage.signal(SIGTERM);
    assert!(stage.pass(millis(6999)).is_empty());
    assert_eq!(stage.pass(millis(1)), ["SIGKILL to group of app", "SIGTERM to sshd"], "2 s are kept free");
    assert!(stage.pass(millis(99)).is_empty());
    assert_eq!(stage.pass(millis(1)), ["SIGKILL to group of sshd", "SIGTERM to everyone"], "0.1 s is the least");
    assert_eq!(stage.pass(millis(1900)), ["SIGKILL to everyone"]);
    assert_eq!(stage.pass(millis(500)), ["exit 0"]);
}

#[test]
fn the_reserve_of_a_short_shutdown_is_a_quarter_of_it() {
    let mut stage = Stage::empty(false);
    stage.play(Event::Begin(Spec { services: vec![service("app")], shutdown: seconds(4) }));
    stage.signal(SIGTERM);
    assert_eq!(stage.pass(seconds(3)), ["SIGKILL to group of app", "SIGTERM to everyone"]);
    assert_eq!(stage.pass(seconds(1)), ["SIGKILL to everyone"]);
}

#[test]
fn a_shutdown_without_a_budget_kills_at_once() {
    let mut stage = Stage::empty(false);
    stage.play(Event::Begin(Spec { services: vec![service("app")], shutdown: Duration::ZERO }));
    assert_eq!(stage.signal(SIGTERM), ["SIGKILL to everyone"]);
    stage.ends("app", End::Signal(SIGKILL));
    assert_eq!(stage.play(Event::Alone), ["exit 0"]);
}

#[test]
fn a_shutdown_leaves_on_the_last_exit() {
    let mut stage = Stage::of([app()]);
    stage.signal(SIGTERM);
    assert_eq!(stage.exits("app", 0), ["SIGTERM to everyone"]);
    assert_eq!(stage.play(Event::Alone), ["exit 0"], "no time has passed");
}

#[test]
fn whoever_ignores_the_sweep_is_killed_at_the_end_of_the_budget() {
    let mut stage = Stage::of([app()]);
    stage.signal(SIGTERM);
    stage.pass(seconds(1));
    stage.exits("app", 0);
    assert!(stage.pass(millis(7999)).is_empty());
    assert_eq!(stage.pass(millis(1)), ["SIGKILL to everyone"]);
    let why = "some processes did not end within 9.00 s of the shutdown".to_owned();
    assert_eq!(stage.reports.last(), Some(&Report::Killing(why)));
    assert_eq!(stage.play(Event::Alone), ["exit 0"]);
}

#[test]
fn a_second_stop_signal_kills_everyone_at_once() {
    let mut stage = Stage::of([app(), service("sshd").order(1)]);
    stage.signal(SIGTERM);
    stage.pass(seconds(1));
    assert_eq!(stage.signal(SIGINT), ["SIGKILL to everyone"]);
    stage.ends("app", End::Signal(SIGKILL));
    assert!(stage.ends("sshd", End::Signal(SIGKILL)).is_empty());
    assert_eq!(stage.play(Event::Alone), ["exit 137"]);
}

#[test]
fn a_second_stop_signal_cuts_the_sweep_short() {
    let mut stage = Stage::of([app()]);
    stage.signal(SIGTERM);
    stage.exits("app", 0);
    assert_eq!(stage.signal(SIGTERM), ["SIGKILL to everyone"]);
}

#[test]
fn one_more_signal_does_not_put_the_end_off() {
    let mut stage = Stage::of([app()]);
    stage.signal(SIGTERM);
    stage.signal(SIGTERM);
    for _ in 0..4 {
        assert!(stage.pass(millis(100)).is_empty());
        assert!(stage.signal(SIGTERM).is_empty());
    }
    assert_eq!(stage.pass(millis(100)), ["exit 0"]);
}

#[test]
fn the_first_stop_signal_after_the_end_of_the_app_takes_nobody_s_time() {
    let mut stage = Stage::of([app(), service("sshd")]);
    assert_eq!(stage.exits("app", 3), ["SIGTERM to sshd"]);
    assert!(stage.signal(SIGTERM).is_empty());
    assert_eq!(stage.signal(SIGTERM), ["SIGKILL to everyone"]);
    stage.ends("sshd", End::Signal(SIGKILL));
    assert_eq!(stage.play(Event::Alone), ["exit 3"]);
}

#[test]
fn a_shutdown_that_is_noticed_late_still_gives_the_last_sigkill_its_time() {
    let mut stage = Stage::of([app()]);
    stage.signal(SIGTERM);
    stage.now += seconds(3600);
    assert_eq!(stage.step(Event::Tick), ["SIGKILL to group of app", "SIGKILL to everyone"]);
    assert!(stage.step(Event::Tick).is_empty());
    assert_eq!(stage.pass(millis(500)), ["exit 0"]);
}

#[test]
fn a_stop_that_was_asked_for_before_has_no_more_time_than_the_others() {
    let mut stage = Stage::of([Service { stop_timeout: seconds(60), ..service("app") }, service("sshd").order(1)]);
    stage.stop("app");
    stage.pass(seconds(1));
    assert!(stage.signal(SIGTERM).is_empty());
    assert_eq!(stage.pass(seconds(7)), ["SIGKILL to group of app", "SIGTERM to sshd"]);
}

#[test]
fn nothing_is_started_or_looked_at_any_more() {
    let services = [
        service("waiting").after(&["slow"]),
        service("backing off"),
        service("slow").probed(Some(seconds(1))),
        oneshot("hook").order(1),
    ];
    let mut stage = Stage::of(services);
    stage.exits("backing off", 1);
    assert_eq!(stage.signal(SIGTERM), ["end probe of slow", "SIGTERM to slow"]);
    for name in ["waiting", "backing off"] {
        assert_eq!(stage.state(name), ServiceState::Stopped);
    }
    assert!(stage.pass(seconds(4)).is_empty());
    assert_eq!(stage.exits("slow", 0), ["SIGTERM to hook"]);
}

#[test]
fn a_process_that_is_made_while_the_shutdown_begins_is_stopped_in_its_turn() {
    let mut stage = Stage::empty(false);
    let services = vec![service("app").probed(None), service("sshd").probed(Some(seconds(1))).order(1)];
    stage.step(Event::Begin(Spec { services, shutdown: seconds(9) }));
    stage.step(Event::Request(Request::Stop(1)));
    stage.cast.extend([(7, "app".to_owned()), (8, "sshd".to_owned())]);
    assert!(stage.step(Event::Signal(SIGTERM)).is_empty());
    assert!(stage.step(Event::Launched(1, 8)).is_empty());
    assert_eq!(stage.step(Event::Launched(0, 7)), ["SIGTERM to app"]);
    assert!(stage.pass(seconds(2)).is_empty(), "whether sshd is ready is of no interest any more");
    assert_eq!(stage.exits("app", 0), ["SIGTERM to sshd"]);
}

#[test]
fn a_process_that_cannot_be_made_while_the_shutdown_begins_is_not_waited_for() {
    let mut stage = Stage::empty(false);
    stage.step(Event::Begin(Spec { services: vec![app()], shutdown: seconds(9) }));
    stage.step(Event::Signal(SIGTERM));
    assert_eq!(stage.step(Event::NotLaunched(0, "no memory".to_owned())), ["SIGTERM to everyone"]);
    assert_eq!(stage.play(Event::Alone), ["exit 126"]);
}

#[test]
fn a_failure_that_is_being_stopped_is_not_restarted() {
    let mut stage = Stage::of([service("app").probed(Some(seconds(1)))]);
    stage.pass(seconds(1));
    stage.signal(SIGTERM);
    assert_eq!(stage.exits("app", 1), ["SIGTERM to everyone"]);
}

#[test]
fn being_alone_is_no_news_before_the_sweep() {
    let mut stage = Stage::of([app()]);
    assert!(stage.play(Event::Alone).is_empty());
    stage.signal(SIGTERM);
    assert!(stage.play(Event::Alone).is_empty());
}

#[test]
fn nothing_happens_after_the_end() {
    let mut stage = Stage::of([app()]);
    stage.signal(SIGTERM);
    stage.exits("app", 0);
    // As late as it gets: the end is due in the same step in which everyone is gone.
    stage.now += seconds(9);
    assert_eq!(stage.play(Event::Alone), ["exit 0"]);
    assert!(stage.signal(SIGTERM).is_empty());
    assert_eq!(stage.machine.next_deadline(), None);
}

#[test]
fn a_probe_that_is_made_while_the_shutdown_begins_is_ended_at_once() {
    let mut stage = Stage::empty(false);
    let services = vec![service("app"), service("sshd").probed(None).order(1)];
    stage.step(Event::Begin(Spec { services, shutdown: seconds(9) }));
    stage.cast.extend([(7, "app".to_owned()), (8, "sshd".to_owned()), (9, "probe of sshd".to_owned())]);
    stage.step(Event::Launched(0, 7));
    assert_eq!(stage.step(Event::Launched(1, 8)), ["probe sshd"]);
    assert_eq!(stage.step(Event::Signal(SIGTERM)), ["SIGTERM to app"]);
    assert_eq!(stage.step(Event::Probing(1, 9)), ["end probe of sshd"]);
    assert!(stage.step(Event::Ended(9, End::Signal(SIGKILL))).is_empty());
}
