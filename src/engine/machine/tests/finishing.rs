use super::*;
use crate::engine::spec::{FINISH_LIMIT, FINISHED_FOR_GOOD};

#[test]
fn the_finish_command_runs_after_each_end_and_before_anything_else_is_done() {
    let mut stage = Stage::of([service("db").finished(), service("app").after(&["db"])]);
    assert_eq!(stage.exits("db", 1), ["finish db (exit code 1)"]);
    assert_eq!((stage.state("db"), stage.status("db").pid), (ServiceState::Stopping, None));
    assert!(stage.pass(seconds(4)).is_empty(), "its pause is over, and it waits for the command");
    assert_eq!(stage.exits("finish of db", 0), ["SIGKILL to group of db", "launch db"]);
    assert_eq!(stage.reports, [Report::Ended(0, End::Code(1), Next::Restart(millis(250)))]);
    assert_eq!(stage.ends("db", End::Signal(SIGKILL)), ["finish db (killed by SIGKILL)"]);
}

#[test]
fn a_finish_command_is_not_run_after_what_never_ran() {
    let mut stage = Stage::of([service("app").finished()]);
    assert!(stage.ends("app", End::NotExecuted(127, "no such file".to_owned())).is_empty());
    assert_eq!(stage.state("app"), ServiceState::BackingOff);
    let mut stage = Stage::empty(false);
    stage.step(Event::Begin(Spec { services: vec![service("app").finished()], shutdown: seconds(9) }));
    assert!(stage.step(Event::NotLaunched(0, "no memory".to_owned())).is_empty());
    assert_eq!(stage.state("app"), ServiceState::BackingOff);
}

#[test]
fn a_finish_command_that_cannot_be_started_is_no_hindrance() {
    let mut stage = Stage::of([service("app").finished()]);
    let pid = stage.pid("app");
    assert_eq!(stage.step(Event::Ended(pid, End::Code(1))), ["finish app (exit code 1)"]);
    assert!(stage.step(Event::NotFinishing(0)).is_empty());
    assert_eq!(stage.state("app"), ServiceState::BackingOff);
}

#[test]
fn a_finish_command_that_takes_too_long_is_killed() {
    let mut stage = Stage::of([service("app").finished()]);
    stage.exits("app", 1);
    assert!(stage.pass(FINISH_LIMIT - millis(1)).is_empty());
    assert_eq!(stage.pass(millis(1)), ["SIGKILL to group of finish of app"]);
    assert_eq!(stage.reports, [Report::FinishTimeout(0)]);
    assert!(stage.pass(seconds(3600)).is_empty());
    assert_eq!(stage.ends("finish of app", End::Signal(SIGKILL)), ["SIGKILL to group of app", "launch app"]);
}

#[test]
fn its_process_is_known_but_is_not_the_service_s() {
    let mut stage = Stage::of([service("app").finished()]);
    assert!(stage.machine.knows(stage.pid("app")));
    stage.exits("app", 1);
    let finish = stage.pid("finish of app");
    assert!(stage.machine.knows(finish) && !stage.machine.knows(stage.pid("app")));
    assert!(stage.machine.service_of(finish).is_none());
}

#[test]
fn a_finish_command_can_give_its_service_up() {
    let mut stage = Stage::of([service("app").finished()]);
    stage.exits("app", 1);
    assert!(stage.exits("finish of app", FINISHED_FOR_GOOD).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Failed);
    assert_eq!(stage.reports, [Report::Ended(0, End::Code(1), Next::GivenUp)]);
    assert!(stage.pass(seconds(3600)).is_empty());
}

#[test]
fn a_critical_service_that_its_finish_command_gives_up_ends_the_container_with_its_own_code() {
    let app = Service { restart: Restart::Always, ..app() }.finished();
    let mut stage = Stage::of([app.clone()]);
    stage.exits("app", 3);
    assert_eq!(stage.exits("finish of app", FINISHED_FOR_GOOD), ["SIGTERM to everyone"]);
    assert_eq!(stage.play(Event::Alone), ["exit 3"]);
    let mut stage = Stage::of([app]);
    stage.exits("app", 0);
    assert_eq!(stage.exits("finish of app", FINISHED_FOR_GOOD), ["SIGTERM to everyone"]);
    assert_eq!(stage.play(Event::Alone), ["exit 0"]);
}

#[test]
fn a_success_that_is_not_repeated_anyway_stays_one() {
    let mut stage = Stage::of([oneshot("hook").finished(), service("app").after(&["hook"])]);
    assert_eq!(stage.exits("hook", 0), ["finish hook (exit code 0)"]);
    assert_eq!(stage.exits("finish of hook", FINISHED_FOR_GOOD), ["launch app"]);
    assert_eq!(stage.state("hook"), ServiceState::Done);
}

#[test]
fn what_comes_after_a_finish_command_can_be_changed_while_it_runs() {
    let finishing = || {
        let mut stage = Stage::of([Service { backoff: given_up_after(1), ..service("app") }.finished()]);
        stage.exits("app", 1);
        stage
    };
    for ask in [Stage::start, Stage::restart] {
        let mut stage = finishing();
        assert!(ask(&mut stage, "app").is_empty());
        assert_eq!(stage.exits("finish of app", FINISHED_FOR_GOOD), ["SIGKILL to group of app", "launch app"]);
    }
    let mut stage = finishing();
    assert!(stage.stop("app").is_empty());
    assert!(stage.exits("finish of app", 0).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Stopped);

    let mut stage = finishing();
    stage.start("app");
    stage.stop("app");
    assert!(stage.exits("finish of app", 0).is_empty(), "the last request counts");
    assert_eq!(stage.state("app"), ServiceState::Stopped);
}

#[test]
fn a_service_that_is_stopped_or_restarted_has_its_finish_command_run_too() {
    let mut stage = Stage::of([service("app").finished()]);
    assert_eq!(stage.restart("app"), ["SIGTERM to app"]);
    assert_eq!(stage.ends("app", End::Signal(SIGTERM)), ["finish app (killed by SIGTERM)"]);
    assert_eq!(stage.exits("finish of app", 0), ["SIGKILL to group of app", "launch app"]);
    stage.stop("app");
    assert_eq!(stage.exits("app", 0), ["finish app (exit code 0)"]);
    assert!(stage.exits("finish of app", 0).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Stopped);
}

#[test]
fn a_stand_in_does_not_come_before_the_finish_command_has_ended() {
    let mut stage = Stage::of([page(), Service { backoff: given_up_after(1), ..service("app") }.finished()]);
    assert_eq!(stage.exits("app", 1), ["finish app (exit code 1)"]);
    assert_eq!(stage.exits("finish of app", 0), ["launch page"]);
}

#[test]
fn a_shutdown_waits_for_finish_commands_before_it_goes_on() {
    let mut stage = Stage::of([app().finished(), service("db").order(1)]);
    assert_eq!(stage.signal(SIGTERM), ["SIGINT to app"]);
    assert_eq!(stage.exits("app", 4), ["finish app (exit code 4)"]);
    assert!(stage.pass(seconds(1)).is_empty());
    assert_eq!(stage.exits("finish of app", 0), ["SIGTERM to db"]);
    stage.exits("db", 0);
    assert_eq!(stage.play(Event::Alone), ["exit 4"]);
}

#[test]
fn a_finish_command_holds_up_a_shutdown_for_its_own_time_at_most() {
    let mut stage = Stage::of([app().finished(), service("db").order(1)]);
    stage.signal(SIGTERM);
    stage.exits("app", 0);
    assert_eq!(stage.pass(seconds(5)), ["SIGKILL to group of finish of app", "SIGTERM to db"]);

    let mut stage = Stage::of([app().finished()]);
    stage.signal(SIGTERM);
    stage.pass(seconds(4));
    stage.exits("app", 0);
    assert_eq!(stage.pass(seconds(3)), ["SIGKILL to group of finish of app", "SIGTERM to everyone"], "2 s are kept");
    stage.ends("finish of app", End::Signal(SIGKILL));
    assert_eq!(stage.play(Event::Alone), ["exit 0"]);
}

#[test]
fn a_finish_command_that_already_runs_has_no_more_time_than_the_shutdown() {
    let mut stage = Stage::empty(false);
    stage.play(Event::Begin(Spec { services: vec![service("app").finished()], shutdown: seconds(4) }));
    stage.exits("app", 1);
    assert!(stage.signal(SIGTERM).is_empty());
    assert_eq!(stage.pass(seconds(3)), ["SIGKILL to group of finish of app", "SIGTERM to everyone"]);
}

#[test]
fn no_finish_command_is_begun_after_the_last_sigkill() {
    let mut stage = Stage::of([app().finished()]);
    stage.signal(SIGTERM);
    assert_eq!(stage.signal(SIGTERM), ["SIGKILL to everyone"]);
    assert!(stage.ends("app", End::Signal(SIGKILL)).is_empty());
    assert_eq!(stage.play(Event::Alone), ["exit 137"]);
}

#[test]
fn a_code_that_the_container_would_have_ended_with_is_not_lost_in_a_shutdown() {
    for (restart, code) in [(Restart::Never, 3), (Restart::Always, 0)] {
        let mut stage = Stage::of([Service { restart, ..app() }.finished()]);
        stage.exits("app", 3);
        assert!(stage.signal(SIGTERM).is_empty());
        assert_eq!(stage.exits("finish of app", 0), ["SIGTERM to everyone"]);
        assert_eq!(stage.play(Event::Alone), [format!("exit {code}")]);
    }
}
