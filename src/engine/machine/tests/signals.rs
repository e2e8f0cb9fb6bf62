use nix::libc::{SIGCHLD, SIGHUP, SIGPWR, SIGQUIT, SIGUSR1, SIGWINCH};

use super::*;

#[test]
fn every_stop_signal_stops_a_service_container_with_the_app_s_own_signal() {
    for signal in [SIGTERM, SIGINT, SIGQUIT, SIGPWR, 37] {
        let mut stage = Stage::of([app()]);
        assert_eq!(stage.signal(signal), ["SIGINT to app"], "{signal}");
        assert!(stage.machine.stopping());
    }
}

#[test]
fn a_main_command_gets_term_int_and_quit_as_they_came_and_the_others_as_its_own_signal() {
    for (signal, passed) in
        [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGQUIT, "SIGQUIT"), (SIGPWR, "SIGINT"), (37, "SIGINT")]
    {
        let mut stage = Stage::of_command([main_command(), service("sshd").order(1)]);
        assert_eq!(stage.signal(signal), [format!("{passed} to app"), "hang up app".to_owned()]);
    }
}

#[test]
fn other_signals_reach_the_app_only_if_it_has_a_handler() {
    let mut stage = Stage::of([service("sshd"), app()]);
    for (signal, name) in [(SIGHUP, "SIGHUP"), (SIGUSR1, "SIGUSR1"), (SIGWINCH, "SIGWINCH")] {
        assert_eq!(stage.signal(signal), [format!("pass {name} on to app, if caught")]);
    }
    assert!(!stage.machine.stopping());
}

#[test]
fn other_signals_reach_a_main_command_as_they_are_but_a_hang_up_kills_nobody() {
    let mut stage = Stage::of_command([main_command()]);
    assert_eq!(stage.signal(SIGUSR1), ["pass SIGUSR1 on to app"]);
    assert_eq!(stage.signal(SIGWINCH), ["pass SIGWINCH on to app"]);
    assert_eq!(stage.signal(SIGHUP), ["pass SIGHUP on to app, if caught"]);
}

#[test]
fn other_signals_are_dropped_where_nobody_can_get_them() {
    let mut ssh_only = Stage::of([service("sshd")]);
    let mut preparing = Stage::empty(true);
    let mut down = Stage::of([app()]);
    down.stop("app");
    down.exits("app", 0);
    for stage in [&mut ssh_only, &mut preparing, &mut down] {
        for signal in [SIGHUP, SIGUSR1, SIGWINCH, SIGCHLD] {
            assert!(stage.signal(signal).is_empty());
        }
        assert!(!stage.machine.stopping());
    }
}

#[test]
fn a_child_s_end_is_never_passed_on() {
    assert!(Stage::of_command([main_command()]).signal(SIGCHLD).is_empty());
}

#[test]
fn other_signals_still_reach_the_app_while_it_stops() {
    let mut stage = Stage::of([app()]);
    stage.signal(SIGTERM);
    assert_eq!(stage.signal(SIGUSR1), ["pass SIGUSR1 on to app, if caught"]);
}

#[test]
fn a_stop_signal_that_comes_while_everything_is_prepared_ends_the_container() {
    for (command_mode, code) in [(false, 0), (true, 143)] {
        let mut stage = Stage::empty(command_mode);
        assert_eq!(stage.signal(SIGTERM), ["SIGTERM to everyone"], "who prepares is told to stop");
        assert_eq!(stage.pass(seconds(9)), ["SIGKILL to everyone"]);
        assert_eq!(stage.play(Event::Alone), [format!("exit {code}")]);
    }
}

#[test]
fn a_stop_signal_that_comes_before_the_main_command_started_stands_for_its_code() {
    let mut stage = Stage::of_command([main_command().after(&["hook"]), oneshot("hook")]);
    assert_eq!(stage.signal(SIGINT), ["SIGTERM to hook"]);
    assert_eq!(stage.exits("hook", 0), ["SIGTERM to everyone"], "the main command does not start any more");
    assert_eq!(stage.play(Event::Alone), ["exit 130"]);
}
