//! Ends: what is restarted, given up, told, and taken along by the container.

use super::{QUIET, devinit, of, run, state, wait_for_state};
use crate::support::{BASE, Container, seconds, wait_for};

#[test]
fn a_crash_loop_is_given_up_and_health_says_what_it_printed_last() {
    let container = run("  ui:
    backoff: {first: 20ms, longest: 40ms, give_up_after: 3}
    command: 'echo starting; echo \"ModuleNotFoundError: gradio\" >&2; exit 3'
  other: {command: [sleep, 1d]}
");
    wait_for_state(&container, "ui", "failed");
    assert_eq!((state(&container, "other").as_str(), of(&container, "ui", "restarts").as_str()), ("ready", "2"));
    let health = devinit(&container, ["health"]);
    assert_eq!(health.code, 1);
    for words in ["ui", "exit code 3", "ModuleNotFoundError: gradio"] {
        assert!(health.text().contains(words), "{health:?}");
    }
    let status = devinit(&container, ["status", "ui"]).success();
    assert!(status.contains("ModuleNotFoundError: gradio") && status.contains("exit code 3"), "{status}");
    assert_eq!(container.stop().code, 0);
}

#[test]
fn a_critical_service_takes_the_container_along_with_its_exit_code() {
    let container = run("  engine: {policy: critical, restart: never, command: 'sleep 0.3; exit 41'}
  other: {command: [sleep, 1d]}
");
    assert_eq!(container.wait().code, 41);
    let container = run("  migrate: {oneshot: true, policy: critical, restart: never, command: 'true'}
  other: {after: [migrate], command: [sleep, 1d]}
");
    wait_for_state(&container, "other", "ready");
    assert!(container.is_running(), "a oneshot that succeeded is no reason to end");
}

#[test]
fn the_finish_command_hears_how_it_ended_and_can_say_that_this_was_the_last_time() {
    let container = run("  job:
    restart: always
    backoff: {first: 20ms}
    command: 'echo run >> /runs; test $(wc -l < /runs) = 1 && kill -9 $$$$; exit 7'
    finish: [/bin/sh, -c, 'echo \"$1 $2 $3\" >> /ends; test $(wc -l < /ends) -lt 3 || exit 125', finish]
");
    wait_for_state(&container, "job", "failed");
    assert_eq!(container.sh("cat /ends"), "256 9 job\n7 0 job\n7 0 job");
    assert_eq!(container.sh("wc -l < /runs"), "3");
}

#[test]
fn at_the_end_of_the_container_finish_commands_run_within_its_time() {
    let container = run("  fine: {command: [sleep, 1d], finish: 'sleep 0.2; touch /finished'}
  hangs: {command: [sleep, 1d], finish: 'sleep 1d'}
");
    wait_for_state(&container, "fine", "ready");
    wait_for_state(&container, "hangs", "ready");
    let exit = container.stop();
    assert!(exit.code == 0 && exit.after < seconds(10), "{exit:?}");
    assert!(container.file("/finished").is_some());
}

#[test]
fn a_oneshot_that_hangs_is_ended_after_its_time() {
    let container = run("  stuck: {oneshot: true, restart: never, timeout: 300ms, command: [sleep, 1d]}\n");
    wait_for_state(&container, "stuck", "failed");
    assert_eq!(container.exec(["pgrep", "-x", "sleep"]).code, 1);
}

#[test]
fn a_hook_that_hangs_keeps_nobody_out() {
    let container = Container::image(BASE)
        .config(&format!("{QUIET}hooks: {{on_boot: [[sleep, 1d]]}}\nservices: {{other: {{command: [sleep, 1d]}}}}"))
        .run();
    wait_for("the hook", seconds(20), || container.pid_of("sleep 1d"));
    assert_eq!(state(&container, "other"), "waiting");
    let status = devinit(&container, ["status"]).success();
    assert!(status.contains("waits for on-boot-1"), "{status}");
    assert!(container.stop().after < seconds(9));
}

#[test]
fn a_service_that_leaves_processes_behind_takes_them_along_before_it_starts_again() {
    let container = run("  forks:
    restart: always
    backoff: {first: 100ms}
    command: 'echo >> /runs; (trap \"\" TERM; exec -a left-behind sleep 1d) & sleep 0.2; exit 1'
");
    wait_for("three runs", seconds(20), || {
        (container.exec(["cat", "/runs"]).stdout.lines().count() >= 3).then_some(())
    });
    let left = container.exec(["pgrep", "-c", "-f", "^left-behind"]).stdout;
    assert!(left.trim().parse::<u32>().unwrap() <= 2, "{left}");
}
