//! The app and the first run: one waits for the other only if the config says so.

use super::{container, finished, first_run, users};
use crate::support::seconds;

const STEP: &str = "script: {run: 'sleep 3; touch ~/made'}";

fn config(blocks: bool) -> String {
    let app = "app: {command: 'test -e /home/peid/made && echo app waited || echo app went ahead; exec sleep 1000'}";
    users(&format!("{}{app}\n", first_run(&format!("blocks_app: {blocks}"), &[STEP])))
}

#[test]
fn the_app_does_not_wait_for_the_first_run() {
    let container = container(&config(false)).run();
    container.wait_for_log("app went ahead");
    finished(&container, seconds(30));
    assert_eq!(container.stop().code, 0);
}

#[test]
fn the_app_waits_if_the_config_says_so() {
    let container = container(&config(true)).run();
    container.wait_for_log("app waited");
    assert!(!container.logs().contains("app went ahead"));
    finished(&container, seconds(5));
}

#[test]
fn a_first_run_that_fails_does_not_keep_the_app_away() {
    let steps = ["script: {run: 'exit 3', retries: 0}"];
    let app = "app: {command: 'echo app runs; exec sleep 1000'}";
    let config = users(&format!("{}{app}\n", first_run("blocks_app: true", &steps)));
    let container = container(&config).run();
    container.wait_for_log("app runs");
    let logs = container.logs();
    assert!(logs.contains("script") && logs.contains("exit code 3"), "{logs}");
    assert!(logs.contains("devinit first-run"), "nobody is told how to go on: {logs}");
}
