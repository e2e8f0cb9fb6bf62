//! SIGKILL at any moment.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::world::{World, finish, is_alive, parent, send, until};

/// Prints lines with numbers for a while, and ends with 7.
const COUNTS: &str = "i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; sleep 0.02; done; exit 7";

#[test]
fn a_killed_worker_is_replaced_and_the_job_ends_with_its_own_code() {
    for detach in [false, true] {
        let world = World::new();
        let words = ["run", "a", if detach { "--detach" } else { "--quiet" }, "--", "sh", "-c", COUNTS];
        let child = world.begin(&words);
        until("some lines", || (world.try_status("a")?["lines"].as_u64()? > 0).then_some(()));
        let before = world.status("a");
        send(&before["runner"], Signal::SIGKILL);
        let status = world.ended("a");
        assert_eq!(
            (&status["state"], &status["exit_code"], &status["lines"]),
            (&"failed".into(), &7.into(), &100.into())
        );
        assert_ne!(status["runner"], before["runner"]);
        assert_eq!((&status["pid"], &status["id"]), (&before["pid"], &before["id"]));
        assert!(status["warnings"][0].as_str().unwrap().contains("was killed"), "{status}");
        let texts = world.texts("a");
        assert_eq!(texts, (1..=100).map(|number| format!("line {number}")).collect::<Vec<_>>());
        assert!(world.records("a").iter().any(|record| record["type"] == "missing"));
        assert_eq!(finish(child).status.code(), Some(if detach { 0 } else { 7 }));
    }
}

#[test]
fn whoever_takes_over_goes_on_with_ending_a_deaf_command() {
    let world = World::new();
    let script = "trap '' TERM; echo up; while :; do sleep 0.05; done";
    let child = world.begin(&["run", "a", "--quiet", "--stop-timeout", "1s", "--", "sh", "-c", script]);
    until("it to be up", || (world.try_status("a")?["lines"] == 1).then_some(()));
    let worker = world.status("a")["runner"].clone();
    send(&worker, Signal::SIGTERM);
    until("it to be asked", || (world.state("a") == "stopping").then_some(()));
    send(&worker, Signal::SIGKILL);
    assert_eq!(finish(child).status.code(), Some(137));
    assert_eq!(world.state("a"), "stopped");
}

#[test]
fn a_killed_guard_is_not_missed() {
    let world = World::new();
    let child = world.begin(&["run", "a", "--quiet", "--", "sh", "-c", COUNTS]);
    let status = world.runs("a");
    assert_eq!(parent(&status["runner"]), i32::try_from(child.id()).unwrap());
    send(&child.id().into(), Signal::SIGKILL);
    let status = world.ended("a");
    assert_eq!((&status["state"], &status["exit_code"]), (&"failed".into(), &7.into()));
    assert_eq!(world.texts("a").len(), 100);
    assert_eq!(status["warnings"], serde_json::json!([]));
    finish(child);
}

#[test]
fn whoever_is_killed_at_whatever_moment_the_job_ends_as_it_would() {
    // From before anything was written to after the end.
    for step in 0..40u64 {
        let world = World::new();
        let mut child =
            world.begin(&["run", "a", "--quiet", "--", "sh", "-c", "echo one; sleep 0.02; echo two; exit 7"]);
        std::thread::sleep(Duration::from_micros(step * 1000));
        let guard = child.id();
        // The worker is the guard's only child of its own name.
        let children = std::fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).unwrap_or_default();
        let Some(worker) = children.split_whitespace().next() else {
            let _ = child.wait();
            continue;
        };
        let worker: i32 = worker.parse().unwrap();
        let is_worker =
            std::fs::read_to_string(format!("/proc/{worker}/comm")).is_ok_and(|name| name.contains("worker"));
        if is_worker {
            send(&worker.into(), Signal::SIGKILL);
        }
        let code = finish(child).status.code();
        assert_eq!(code, Some(7), "after {step} ms");
        let status = world.status("a");
        assert_eq!(
            (&status["state"], &status["exit_code"]),
            (&"failed".into(), &7.into()),
            "after {step} ms: {status}"
        );
        let runs: Vec<_> = world.logs("a").iter().flat_map(|log| super::world::records(log)).collect();
        let texts: Vec<_> =
            runs.iter().filter(|record| record["type"] == "line").map(|record| record["text"].clone()).collect();
        // Once each, but for what the killed one had read and not written.
        assert!(texts.len() <= 2, "after {step} ms: {texts:?}");
        assert_eq!(texts.last().map(|text| text.as_str().unwrap()), Some("two"), "after {step} ms: {runs:?} {status}");
        assert_eq!(runs.last().unwrap()["type"], "exit", "after {step} ms");
    }
}

#[test]
fn a_job_without_any_of_its_processes_is_lost_and_can_be_run_again() {
    let world = World::new();
    let mut child = world.begin(&["run", "a", "--quiet", "--", "sleep", "1000"]);
    let status = world.runs("a");
    child.kill().unwrap();
    child.wait().unwrap();
    send(&status["runner"], Signal::SIGKILL);
    until("the runner to be gone", || {
        (!is_alive(status["runner"].as_i64().unwrap().try_into().unwrap())).then_some(())
    });
    // The command would be told apart by nobody: it is stopped by hand.
    send(&status["pid"], Signal::SIGKILL);
    until("it to be lost", || world.job(&["status", "a"]).out.contains("lost").then_some(()));
    let json: serde_json::Value = serde_json::from_str(&world.job(&["status", "a", "--json"]).with(0).out).unwrap();
    assert_eq!(json["state"], "lost");
    world.job(&["wait", "a"]).with(125);
    world.job(&["run", "a", "--", "true"]).with(0);
    assert_eq!(world.state("a"), "succeeded");
}
