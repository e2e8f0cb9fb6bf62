//! Jobs: whoever began one may go, a container beside it sees it, and the end of the container is told.

use std::thread;

use serde_json::Value;

use crate::support::{BASE, Builder, Container, Key, Output, Volume, seconds, wait_for};

const CONFIG: &str = r#"
version: 1
users:
  root: {}
  kvothe: {uid: 3100, shell: /bin/bash, authorized_keys: [{env: PUBLIC_KEY}]}
jobs: {directory: /shared/jobs}
hooks: {on_boot: [install -d -o kvothe /shared/jobs]}
entrypoints:
  run-job: {command: [devinit, job, run], user: kvothe}
  build: {command: "echo [1/4] cc $1; exit 3", user: kvothe, directory: /tmp, job: nightly-build}
"#;

/// Prints a line, waits for the file /shared/go, prints another one and ends with exit code 3.
const UNTIL_GO: &str = "bash -c 'echo one; until test -e /shared/go; do sleep 0.1; done; echo two; exit 3'";

fn with(shared: &Volume) -> Builder {
    Container::image(BASE).config(CONFIG).volume(shared, "/shared")
}

/// One that was booted.
fn beside(shared: &Volume) -> Container {
    let container = with(shared).env("PUBLIC_KEY", Key::new().public()).run();
    container.wait_for_ssh();
    container
}

fn job(container: &Container, line: &str) -> Output {
    container.exec(["bash", "-c", &format!("devinit job {line}")])
}

/// A value of a job's status, as this container sees it.
fn value(container: &Container, name: &str, key: &str) -> Value {
    let output = job(container, &format!("status {name} --json"));
    let mut status: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    status[key].take()
}

/// Makes a status look as if its runner had not been heard of since long ago: a minute is the least that a lost job needs.
fn set_back(container: &Container, name: &str) {
    let file = format!("/shared/jobs/{name}.status");
    let long_ago = "2026-01-01T00:00:00.000Z";
    container.sh(&format!(
        "sed -i 's/\"updated\":\"[^\"]*\"/\"updated\":\"{long_ago}\"/' {file} && touch -d {long_ago} {file}"
    ));
}

#[test]
fn a_job_goes_on_when_whoever_began_it_has_gone() {
    let (key, shared) = (Key::new(), Volume::new());
    let container = with(&shared).key(&key).run();
    container.wait_for_ssh();
    // None of these waits for the job; a session has neither a variable nor a config that it could read.
    job(&container, &format!("run by-exec --detach -- {UNTIL_GO}")).success();
    let ssh = container.ssh("kvothe");
    ssh.run(&format!("devinit job run by-ssh --detach -- {UNTIL_GO}")).success();
    let mut terminal = ssh.terminal();
    terminal.ask_until("echo rea''dy\n", "ready");
    terminal.send(&format!("devinit job run by-hand -- {UNTIL_GO}\n"));
    terminal.expect("\rone\r");
    drop(terminal);

    let list = ssh.run("devinit job list").success();
    for name in ["by-exec", "by-ssh", "by-hand"] {
        assert!(list.contains(name), "{list}");
        assert_eq!(value(&container, name, "state"), "running", "{name}");
    }
    assert_eq!(container.sh("stat -c %U /shared/jobs/by-*.status"), "root\nkvothe\nkvothe");
    wait_for("the session to end", seconds(20), || {
        (container.exec(["pgrep", "-f", "sshd: kvothe"]).code == 1).then_some(())
    });
    assert_eq!(value(&container, "by-hand", "state"), "running");

    container.sh("touch /shared/go");
    for name in ["by-exec", "by-ssh", "by-hand"] {
        assert_eq!(job(&container, &format!("wait {name}")).code, 3, "{name}");
        assert_eq!(job(&container, &format!("logs {name}")).success(), "one\ntwo", "{name}");
    }
    assert_eq!(container.stop().code, 0);
}

#[test]
fn a_container_beside_it_follows_a_job_waits_for_it_and_stops_it() {
    let shared = Volume::new();
    let (there, here) = (beside(&shared), beside(&shared));
    job(&there, &format!("run a --detach -- {UNTIL_GO}")).success();
    let host = there.sh("hostname");
    wait_for("its first line", seconds(20), || {
        let status = job(&here, "status a").success();
        (status.starts_with("a running ") && status.contains(&format!("in {host}, 1 line"))).then_some(())
    });
    assert_eq!(job(&here, "run a -- true").code, 125, "it runs there");
    thread::scope(|scope| {
        let follows = scope.spawn(|| job(&here, "logs a -f"));
        let waits = scope.spawn(|| job(&here, "wait a"));
        // So that both have begun.
        wait_for("both", seconds(20), || {
            // None yet is exit code 1.
            (here.exec(["pgrep", "-fc", "^devinit job"]).stdout.trim() == "2").then_some(())
        });
        here.sh("touch /shared/go");
        assert_eq!(waits.join().unwrap().code, 3);
        let followed = follows.join().unwrap();
        assert_eq!(followed.stdout, "one\ntwo\n", "{followed:?}");
    });

    // What it has started is ended with it.
    job(&there, "run b --detach -- bash -c 'setsid sleep 1001 & sleep 1002'").success();
    wait_for("sleep", seconds(20), || there.pid_of("sleep 1001").and(there.pid_of("sleep 1002")));
    let stopped = job(&here, "stop b");
    assert_eq!((stopped.code, value(&there, "b", "state")), (0, "stopped".into()), "{stopped:?}");
    assert_eq!(there.exec(["pgrep", "-x", "sleep"]).code, 1);
    assert_eq!(here.sh("ls /shared/jobs/*.stop 2>/dev/null | wc -l"), "0");
}

#[test]
fn a_job_whose_container_was_killed_is_lost_and_its_name_is_free() {
    let shared = Volume::new();
    let (there, here) = (beside(&shared), beside(&shared));
    job(&there, "run a --detach -- sleep 1000").success();
    there.kill("KILL");
    there.wait();
    // It may be paused, for all that can be seen from here.
    assert_eq!(value(&here, "a", "state"), "running");
    set_back(&here, "a");
    let status = job(&here, "status a");
    assert!(status.text().starts_with("a lost after ") && status.text().contains("last seen "), "{status:?}");
    assert_eq!(
        (value(&here, "a", "state"), value(&here, "a", "last_seen")),
        ("lost".into(), "2026-01-01T00:00:00.000Z".into())
    );
    assert_eq!(job(&here, "wait a").code, 125);
    assert_eq!(job(&here, "run a -- sh -c 'exit 4'").code, 4);
    assert_eq!(value(&here, "a", "state"), "failed");
    assert_eq!(here.sh("ls /shared/jobs/a-*.jsonl | wc -l"), "2", "the log of the lost run is kept");
}

#[test]
fn a_container_that_was_paused_comes_back_with_its_jobs() {
    let shared = Volume::new();
    let (there, here) = (beside(&shared), beside(&shared));
    job(&there, &format!("run a --detach -- {UNTIL_GO}")).success();
    wait_for("a pause", seconds(20), || there.pause().then_some(()));
    set_back(&here, "a");
    assert_eq!(value(&here, "a", "state"), "lost");
    there.resume();
    wait_for("the job to be back", seconds(20), || (value(&here, "a", "state") == "running").then_some(()));
    here.sh("touch /shared/go");
    assert_eq!(job(&here, "wait a").code, 3);
    assert_eq!(job(&here, "logs a").success(), "one\ntwo");
}

#[test]
fn a_stop_of_the_container_gives_a_job_time_and_is_noted() {
    let shared = Volume::new();
    let there = beside(&shared);
    job(&there, "run saves --detach -- /test/save-on-term 2 /shared/saved").success();
    job(&there, "run sleeps --detach -- sleep 1000").success();
    there.wait_for_file("/shared/saved.ready");
    let exit = there.stop();
    assert!(exit.code == 0 && exit.after < seconds(9), "{exit:?}");
    let here = beside(&shared);
    for name in ["saves", "sleeps"] {
        assert_eq!(value(&here, name, "state"), "stopped", "{name}");
        assert!(here.sh(&format!("tail -n 1 /shared/jobs/{name}-*.jsonl")).starts_with("{\"type\":\"exit\""), "{name}");
    }
    assert_eq!(here.sh("cat /shared/saved"), "saved after TERM");
    assert_eq!((value(&here, "saves", "exit_code"), value(&here, "sleeps", "signal")), (0.into(), "SIGTERM".into()));
}

#[test]
fn an_entrypoint_is_a_job() {
    let shared = Volume::new();
    let chosen = |name: &str| with(&shared).env("SYGALDRY_ENTRYPOINT", name).env("PUBLIC_KEY", Key::new().public());
    let output = chosen("run-job").command(["nightly", "--", "sh", "-c", "id -un; echo wrong >&2; exit 7"]).output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.code), ("kvothe\n", "wrong\n", 7));
    let output = chosen("build").command(["a b.c"]).output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.code), ("[1/4] cc a b.c\n", "", 3));
    let refused = chosen("run-job").command(["nightly"]).output();
    assert!(refused.code == 2 && refused.stderr.contains("devinit job run"), "{refused:?}");
    let stopped = chosen("run-job").command(["long", "--", "sleep", "1000"]).run();
    wait_for("sleep", seconds(20), || stopped.pid_of("sleep 1000"));
    let exit = stopped.stop();
    assert!(exit.code == 143 && exit.after < seconds(5), "{exit:?}");

    let here = beside(&shared);
    let status = job(&here, "status nightly").text();
    assert!(status.starts_with("nightly failed (exit code 7) after ") && status.contains("2 lines"), "{status}");
    assert_eq!(value(&here, "nightly", "user"), "kvothe");
    assert_eq!(
        (value(&here, "nightly-build", "directory"), value(&here, "nightly-build", "exit_code")),
        ("/tmp".into(), 3.into())
    );
    assert_eq!(value(&here, "nightly-build", "progress")["total"], 4);
    assert_eq!((value(&here, "long", "state"), value(&here, "long", "signal")), ("stopped".into(), "SIGTERM".into()));
}

#[test]
fn a_full_disk_takes_no_job_along_and_the_log_tells_what_is_missing() {
    const LINES: u64 = 2000;
    let container = Container::image(BASE)
        .config(CONFIG)
        .options(["--tmpfs=/shared/jobs:size=96k", "--volume=/shared"])
        .env("PUBLIC_KEY", Key::new().public())
        .run();
    container.wait_for_ssh();
    container.sh("head -c 48k /dev/zero >/shared/jobs/other");
    let lines =
        format!("seq {LINES}; touch /shared/printed; until test -e /shared/go; do sleep 0.1; done; echo after; exit 3");
    container
        .start(&format!("devinit job run full --quiet -- bash -c '{lines}' 2>/shared/errors; echo $? >/shared/code"));
    container.wait_for_file("/shared/printed");
    wait_for("a warning", seconds(20), || {
        container.sh("cat /shared/errors").contains("No space left on device").then_some(())
    });
    assert!(container.sh("cat /shared/errors").contains("the job runs on"));
    assert_eq!(value(&container, "full", "state"), "running");

    // The log tries again after a second.
    container.sh("rm /shared/jobs/other; sleep 1.5; touch /shared/go");
    container.wait_for_file("/shared/code");
    assert_eq!(container.sh("cat /shared/code"), "3");
    assert_eq!(
        (value(&container, "full", "state"), value(&container, "full", "lines")),
        ("failed".into(), (LINES + 1).into())
    );
    let log = container.sh("cat /shared/jobs/full-*.jsonl");
    let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &'static str| records.iter().filter(move |record| record["type"] == kind);
    let missing: u64 = of("missing").map(|record| record["lines"].as_u64().unwrap()).sum();
    assert!(
        missing > 0 && of("missing").all(|record| record["reason"].as_str().unwrap().contains("No space left")),
        "{log}"
    );
    assert_eq!(of("line").count() as u64 + missing, LINES + 1);
    assert_eq!(of("line").next_back().unwrap()["text"], "after");
    let shown = job(&container, "logs full --tail 5");
    assert!(shown.text().contains(&missing.to_string()), "nobody is told that lines are missing: {shown:?}");
}
