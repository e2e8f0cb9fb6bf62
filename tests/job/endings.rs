//! How jobs end, and what is told of it.

use nix::sys::signal::Signal;

use super::world::{World, finish, is_alive, send, until};

#[test]
fn a_job_ends_with_the_commands_exit_code_and_its_files_tell() {
    for (script, code, state) in [("exit 0", 0, "succeeded"), ("exit 3", 3, "failed"), ("kill -9 $$", 137, "failed")] {
        let world = World::new();
        let said = world.job(&["run", "a", "--", "sh", "-c", &format!("echo out; echo err >&2; {script}")]).with(code);
        assert_eq!((said.out.as_str(), said.errors.as_str()), ("out\n", "err\n"));
        let status = world.status("a");
        assert_eq!(status["state"], state);
        if code == 137 {
            assert_eq!((&status["signal"], &status["exit_code"]), (&"SIGKILL".into(), &serde_json::Value::Null));
        } else {
            assert_eq!(status["exit_code"], code);
        }
        assert_eq!((status["lines"].as_u64(), status["bytes"].as_u64()), (Some(2), Some(8)));
        assert_eq!((&status["version"], &status["attempt"], &status["job"]), (&1.into(), &1.into(), &"a".into()));
        let kinds: Vec<_> =
            world.records("a").iter().map(|record| record["type"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["start", "line", "line", "exit"]);
        let mut texts = world.texts("a");
        texts.sort();
        assert_eq!(texts, ["err", "out"]);
        assert_eq!(world.records("a").last().unwrap()["state"], state);
        assert_eq!(status["log"], world.logs("a")[0].to_str().unwrap());
    }
}

#[test]
fn what_cannot_be_run_is_a_failure_with_the_codes_of_shells() {
    let world = World::new();
    let plain = world.path("plain");
    std::fs::write(&plain, "text").unwrap();
    for (command, code) in [("no-such-program", 127), ("/no/such/program", 127), (plain.to_str().unwrap(), 126)] {
        for detach in [&["--detach"][..], &[]] {
            let said = world.job(&[&["run", "a"], detach, &["--", command]].concat()).with(code);
            assert!(said.errors.contains(command) && said.errors.lines().count() == 1, "{}", said.errors);
            let status = world.status("a");
            assert_eq!((&status["state"], &status["exit_code"]), (&"failed".into(), &code.into()));
            assert!(status["error"].as_str().unwrap().contains(command));
        }
    }
    let said = world.job(&["run", "a", "--chdir", "/no/such/folder", "--", "true"]).with(125);
    assert!(said.errors.contains("/no/such/folder"), "{}", said.errors);
}

#[test]
fn in_the_background_it_returns_once_the_command_runs_and_keeps_nobody_waiting() {
    let world = World::new();
    // Reads to the end of both pipes, so it would wait for whoever holds them.
    let said = world.job(&["run", "a", "--detach", "--", "sh", "-c", "echo begun; sleep 1; echo done"]).with(0);
    assert!(said.out.contains("a-20") && said.errors.is_empty(), "{} {}", said.out, said.errors);
    assert_eq!(world.state("a"), "running");
    assert_eq!(world.ended("a")["state"], "succeeded");
    assert_eq!(world.texts("a"), ["begun", "done"]);
}

#[test]
fn what_is_left_in_the_background_keeps_no_job_from_ending_and_lives_on() {
    let world = World::new();
    world.job(&["run", "a", "--", "sh", "-c", "sleep 1000 & echo $!"]).with(0);
    let pid: i32 = world.texts("a")[0].parse().unwrap();
    assert!(is_alive(pid));
    send(&pid.into(), Signal::SIGKILL);
    assert_eq!(world.state("a"), "succeeded");
}

#[test]
fn a_term_ends_all_that_it_started_and_a_deaf_one_is_killed() {
    let world = World::new();
    let script =
        "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$; sleep 1000 & wait' & echo $$; wait; sleep 1000 & wait";
    let child = world.begin(&["run", "a", "--stop-timeout", "200ms", "--", "sh", "-c", script]);
    let status = world.runs("a");
    until("both to speak", || (world.try_status("a")?["lines"] == 2).then_some(()));
    send(&child.id().into(), Signal::SIGTERM);
    assert_eq!(world.ended("a")["state"], "stopped");
    assert_eq!(finish(child).status.code(), Some(137));
    assert_eq!(world.status("a")["signal"], "SIGKILL");
    for text in world.texts("a") {
        assert!(!is_alive(text.parse().unwrap()));
    }
    assert!(!is_alive(status["runner"].as_i64().unwrap().try_into().unwrap()));
}

#[test]
fn one_that_ends_in_order_when_it_is_asked_to_is_stopped_and_gives_its_own_code() {
    let world = World::new();
    let child =
        world.begin(&["run", "a", "--", "sh", "-c", "trap 'echo bye; exit 5' TERM; echo up; sleep 1000 & wait"]);
    until("it to be up", || (world.try_status("a")?["lines"] == 1).then_some(()));
    send(&child.id().into(), Signal::SIGTERM);
    assert_eq!(finish(child).status.code(), Some(5));
    let status = world.status("a");
    assert_eq!((&status["state"], &status["exit_code"]), (&"stopped".into(), &5.into()));
    assert_eq!(world.texts("a"), ["up", "bye"]);
}

#[test]
fn a_ctrl_c_is_the_commands_and_hanging_up_is_nobodys() {
    let world = World::new();
    let child =
        world.begin(&["run", "a", "--", "sh", "-c", "trap 'echo int' INT; echo up; while :; do sleep 0.05; done"]);
    until("it to be up", || (world.try_status("a")?["lines"] == 1).then_some(()));
    send(&child.id().into(), Signal::SIGHUP);
    send(&child.id().into(), Signal::SIGINT);
    until("it to hear of it", || (world.try_status("a")?["lines"] == 2).then_some(()));
    assert_eq!(world.state("a"), "running");
    send(&child.id().into(), Signal::SIGUSR2);
    assert_eq!(finish(child).status.code(), Some(137));
    assert_eq!(world.state("a"), "stopped");

    let child = world.begin(&["run", "b", "--", "sleep", "1000"]);
    world.runs("b");
    send(&child.id().into(), Signal::SIGINT);
    assert_eq!(finish(child).status.code(), Some(130));
    assert_eq!(world.state("b"), "stopped");
}

#[test]
fn a_job_can_be_suspended_and_goes_on() {
    let world = World::new();
    let child = world.begin(&["run", "a", "--", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"]);
    until("it to count", || (world.try_status("a")?["lines"].as_u64()? > 2).then_some(()));
    let worker = world.status("a")["runner"].clone();
    send(&worker, Signal::SIGTSTP);
    let pid = world.status("a")["pid"].clone();
    let stopped = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T");
    until("it to stop", || stopped().then_some(()));
    send(&worker, Signal::SIGCONT);
    until("it to go on", || (!stopped()).then_some(()));
    send(&child.id().into(), Signal::SIGTERM);
    assert_eq!(finish(child).status.code(), Some(143));
}
