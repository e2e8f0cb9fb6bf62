//! Signals and the end: everybody gets TERM and time, nothing takes longer than it must, and the exit code is right.

use std::time::Duration;

use crate::support::{BASE, Container, Exit, Key, seconds, wait_for};

#[test]
fn a_busy_container_ends_when_all_have_saved() {
    let key = Key::new();
    let container = Container::image(BASE)
        .key(&key)
        .config("{version: 1, app: {command: [/test/save-on-term, '2', /saved/app]}}")
        .run();
    container.wait_for_ssh();
    let leave = "setsid -f /test/save-on-term 0.3 /saved/job </dev/null >/dev/null 2>&1";
    container.ssh("root").run(leave).success();
    container.wait_for_file("/saved/app.ready");
    container.wait_for_file("/saved/job.ready");

    let exit = container.stop();

    assert_eq!(container.file("/saved/app").as_deref(), Some("saved after TERM\n"), "the app was killed");
    assert_eq!(container.file("/saved/job").as_deref(), Some("saved after TERM\n"), "the background job was killed");
    assert_eq!(exit.code, 0);
    assert!(exit.after > seconds(2) && exit.after < seconds(9), "{exit:?}");
}

#[test]
fn an_idle_container_ends_at_once() {
    let container = Container::image(BASE).key(&Key::new()).run();
    container.wait_for_ssh();
    let exit = container.stop();
    assert_eq!(exit.code, 0);
    assert!(exit.after < seconds(2), "{exit:?}");
}

#[test]
fn open_sessions_do_not_hold_up_the_end() {
    let key = Key::new();
    let container = Container::image(BASE).key(&key).run();
    container.wait_for_ssh();
    let mut client = container.ssh("root").background(&["-N"]);
    let mut terminal = container.ssh("root").terminal();
    terminal.ask_until("echo rea''dy\n", "ready");

    let exit = container.stop();

    assert_eq!(exit.code, 0);
    assert!(exit.after < seconds(5), "{exit:?}");
    assert_ne!(terminal.wait(), None);
    wait_for("the client to end", seconds(10), || client.ended());
}

#[test]
fn a_stubborn_app_is_killed_within_dockers_ten_seconds() {
    let container = Container::image(BASE)
        .config("{version: 1, app: {command: \"trap '' TERM; touch /ready; while :; do sleep 1; done\"}}")
        .run();
    container.wait_for_file("/ready");
    let exit = container.stop();
    assert!(exit.after > seconds(4) && exit.after < Duration::from_millis(9600), "{exit:?}");
    // Had Docker lost its patience, devinit could not have logged the end.
    assert!(container.logs().contains("app did not end"), "the log does not say who was killed");
}

#[test]
fn a_second_signal_makes_the_end_immediate() {
    let container = Container::image(BASE)
        .config("{version: 1, app: {command: \"trap '' TERM; touch /ready; while :; do sleep 1; done\"}}")
        .run();
    container.wait_for_file("/ready");
    container.kill("TERM");
    std::thread::sleep(Duration::from_millis(500));
    assert!(container.is_running(), "the first TERM did not wait for the app");
    container.kill("TERM");
    let exit = container.wait();
    assert!(exit.after < seconds(2), "{exit:?}");
}

#[test]
fn the_apps_own_stop_signal_is_used() {
    let container = Container::image(BASE)
        .config("{version: 1, app: {command: [/test/note-signals, /signals, INT, TERM], stop: {signal: SIGINT, timeout: 1s}}}")
        .run();
    container.wait_for_file("/signals");
    container.stop();
    let signals = container.file("/signals").unwrap();
    assert!(signals.starts_with("INT\n"), "{signals}");
}

#[test]
fn each_stop_signal_ends_a_service_container_with_zero() {
    for signal in ["TERM", "INT", "QUIT", "PWR", "RTMIN+3"] {
        let container =
            Container::image(BASE).config("{version: 1, app: {command: [/test/save-on-term, '0.2', /saved]}}").run();
        container.wait_for_file("/saved.ready");
        container.kill(signal);
        let Exit { code, after } = container.wait();
        assert_eq!(code, 0, "{signal}");
        assert!(after < seconds(4), "{signal}: {after:?}");
        assert!(container.file("/saved").is_some(), "{signal}: the app was not asked to save");
    }
}

#[test]
fn other_signals_reach_an_app_that_waits_for_them() {
    let container = Container::image(BASE)
        .config("{version: 1, app: {command: [/test/note-signals, /signals, HUP, USR1, USR2]}}")
        .run();
    container.wait_for_file("/signals");
    for signal in ["HUP", "USR1", "USR2"] {
        container.kill(signal);
        wait_for(&format!("the app to get {signal}"), seconds(10), || {
            container.sh("cat /signals").contains(signal).then_some(())
        });
    }
    assert!(container.is_running());
}

#[test]
fn signals_that_nobody_waits_for_kill_nothing() {
    let container = Container::image(BASE)
        .key(&Key::new())
        .config("{version: 1, app: {command: [sleep, '1000'], ready: {path: /}}}")
        .run();
    container.wait_for_ssh();
    let app = wait_for("the app", seconds(10), || container.pid_of("^sleep 1000"));
    let sshd = container.pid_of("sshd");
    for signal in ["HUP", "USR1", "USR2", "WINCH", "CHLD", "CONT", "PIPE", "ALRM", "TSTP", "TTIN"] {
        container.kill(signal);
    }
    std::thread::sleep(seconds(1));
    assert!(container.is_running());
    assert_eq!(container.pid_of("^sleep 1000"), Some(app), "the app was restarted");
    assert_eq!(container.pid_of("sshd"), sshd, "sshd was restarted");
}

#[test]
fn a_main_command_that_is_stopped_gives_its_own_exit_code() {
    let by_signal = Container::image(BASE).command(["sh", "-c", "touch /ready; exec sleep 1000"]).run();
    by_signal.wait_for_file("/ready");
    assert_eq!(by_signal.stop().code, 143);

    let by_choice = Container::image(BASE)
        .command(["bash", "-c", "trap 'exit 9' TERM; touch /ready; while :; do sleep 0.1; done"])
        .run();
    by_choice.wait_for_file("/ready");
    let exit = by_choice.stop();
    assert_eq!(exit.code, 9);
    assert!(exit.after < seconds(3), "{exit:?}");
}
