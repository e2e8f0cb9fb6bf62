//! Dependencies are on ready, not on started.

use super::{devinit, run, state, wait_for_state};
use crate::support::{seconds, wait_for};

#[test]
fn a_chain_goes_on_when_each_one_is_ready_and_not_when_it_runs() {
    let container = run("  migrate: {oneshot: true, command: 'sleep 0.5; touch /migrated'}
  db:
    after: [migrate]
    command: 'test -e /migrated || exit 1; sleep 0.5; touch /db-ready; echo >&3; exec sleep 1d'
    ready: {fd: 3}
  web: {after: [db], command: 'test -e /db-ready && touch /right || touch /wrong; exec sleep 1d'}
");
    wait_for_state(&container, "web", "ready");
    container.wait_for_file("/right");
    assert_eq!(state(&container, "migrate"), "done");
    assert_eq!(devinit(&container, ["health", "--ready"]).code, 0);
}

#[test]
fn what_waits_for_a_failed_oneshot_says_so_and_goes_on_once_it_is_mended() {
    let container = run("  migrate: {oneshot: true, restart: never, command: 'echo no table here; test -e /mended'}
  web: {after: [migrate], command: [sleep, 1d]}
");
    wait_for_state(&container, "migrate", "failed");
    assert_eq!(state(&container, "web"), "waiting");
    let status = devinit(&container, ["status"]).success();
    assert!(status.contains("waits for migrate"), "{status}");
    assert!(status.contains("no table here"), "its last line is not there: {status}");
    let health = devinit(&container, ["health"]);
    assert!(health.code == 1 && health.text().contains("no table here"), "{health:?}");
    // It would wait for ever.
    let waited = devinit(&container, ["status", "--wait", "--timeout", "20s"]);
    assert_eq!(waited.code, 1, "{waited:?}");

    container.sh("touch /mended");
    devinit(&container, ["start", "migrate"]).success();
    wait_for_state(&container, "web", "ready");
    assert_eq!(devinit(&container, ["health", "--ready"]).code, 0);
}

#[test]
fn a_manual_service_waits_until_it_is_asked_for_and_brings_what_it_needs() {
    let container = run("  model: {manual: true, command: [sleep, 1d]}
  ui: {manual: true, after: [model], command: [sleep, 1d]}
  other: {command: [sleep, 1d]}
");
    wait_for_state(&container, "other", "ready");
    assert_eq!(state(&container, "ui"), "stopped");
    assert_eq!(devinit(&container, ["health", "--ready"]).code, 0, "what nobody asked for is no trouble");

    devinit(&container, ["start", "ui", "--wait"]).success();
    assert_eq!((state(&container, "ui"), state(&container, "model")), ("ready".to_owned(), "ready".to_owned()));
    devinit(&container, ["stop", "ui", "model", "--wait"]).success();
    assert_eq!((state(&container, "ui"), state(&container, "model")), ("stopped".to_owned(), "stopped".to_owned()));
    assert!(container.stop().after < seconds(5));
}

#[test]
fn a_recurring_task_runs_again_and_again() {
    let container = run("  tick: {every: 1s, command: 'echo >> /ticks'}
  nightly: {every: '30 3 * * *', command: 'touch /nightly'}
");
    wait_for("three runs", seconds(20), || {
        let ticks = container.exec(["cat", "/ticks"]).stdout.lines().count();
        (ticks >= 3).then_some(())
    });
    assert_eq!(state(&container, "nightly"), "scheduled");
    assert_eq!(container.exec(["test", "-e", "/nightly"]).code, 1);
    assert_eq!(devinit(&container, ["health", "--ready"]).code, 0);
    devinit(&container, ["start", "nightly"]).success();
    container.wait_for_file("/nightly");
}
