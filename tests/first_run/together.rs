//! One first run at a time for each home, whoever begins another one, wherever.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::world::World;
use super::{LIMIT, eventually, tree};

/// Takes a second and writes down that it ran.
const SLOW: &str = "script: {name: slow, run: 'echo begun >>~/slow; sleep 1; echo ended >>~/slow'}";

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_second_run_says_who_runs_follows_and_ends_well() {
    let world = World::new();
    let config = world.config(&[SLOW, "script: {name: after, needs: [slow], run: 'echo once >>~/after'}"]);
    let first = world.container.start(&config, &[]);
    eventually("the first run", LIMIT, || world.home.join("slow").exists().then_some(()));
    let second = world.container.run(&config, &[]).expect(0);
    assert!(second.err.contains(&format!("pid {}", first.pid())) && second.err.contains("going on"), "{second:?}");
    assert!(second.out.contains("slow") && second.out.contains("after"), "it shows nothing: {second:?}");
    first.wait().expect(0);
    assert_eq!((world.text("slow"), world.text("after")), ("begun\nended\n".to_owned(), "once\n".to_owned()));
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn one_that_follows_takes_over_where_the_other_is_killed() {
    let world = World::new();
    let config = world.config(&[SLOW]);
    let first = world.container.start(&config, &[]);
    eventually("the first run", LIMIT, || world.home.join("slow").exists().then_some(()));
    let second = world.container.start(&config, &[]);
    std::thread::sleep(Duration::from_millis(200));
    first.signal(Signal::SIGKILL);
    first.wait();
    second.wait().expect(0);
    assert_eq!(world.text("slow"), "begun\nbegun\nended\n");
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn one_that_follows_can_be_stopped() {
    let world = World::new();
    let config = world.config(&[SLOW.replace("sleep 1", "sleep 4")]);
    let first = world.container.start(&config, &[]);
    eventually("the first run", LIMIT, || world.home.join("slow").exists().then_some(()));
    let second = world.container.start(&config, &[]);
    std::thread::sleep(Duration::from_millis(200));
    second.signal(Signal::SIGTERM);
    let ended = second.wait();
    assert!(!ended.status.success() && ended.took < Duration::from_secs(2), "{ended:?}");
    first.wait().expect(0);
    assert_eq!(world.text("slow"), "begun\nended\n");
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn two_containers_with_one_home_do_no_harm_to_each_other() {
    let world = World::new();
    let mut steps = super::published::steps(&world.server);
    steps.push(SLOW.to_owned());
    let config = world.config(&steps);
    let other = world.beside();
    let both = [world.container.start(&config, &[]), other.start(&config, &[])];
    for running in both {
        running.wait().expect(0);
    }
    assert_eq!(world.text("slow"), "begun\nended\n");
    let mut asked: Vec<String> = world.server.all_requests().into_iter().map(|request| request.path).collect();
    let requests = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), requests, "something was downloaded twice");
    for container in [&world.container, &other] {
        assert!(container.path("/usr/local/bin/for-all").exists(), "what is for everyone is part of each container");
    }
    let together = tree::of(&world.home);
    world.clear();
    world.container.run(&config, &[]).expect(0);
    assert_eq!(tree::differences(&tree::of(&world.home), &together), [""; 0]);
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn what_is_for_everyone_is_done_once_although_two_users_have_a_first_run() {
    let world = World::new();
    let config = world.config(&["script: {name: all, as: root, run: 'echo begun >>/tmp/all; sleep 1'}"]);
    let first = world.container.start(&config, &["--user", "peid"]);
    eventually("the first run", LIMIT, || world.container.path("/tmp/all").exists().then_some(()));
    let second = world.container.run(&config, &["--user", "root"]).expect(0);
    assert!(second.err.contains(&format!("another first run for peid is going on (pid {}", first.pid())), "{second:?}");
    first.wait().expect(0);
    assert_eq!(fs::read_to_string(world.container.path("/tmp/all")).unwrap(), "begun\n");
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn how_it_stands_is_told_at_once_although_nothing_else_happens() {
    let world = World::new();
    let config = world.config(&[SLOW, "script: {name: next, needs: [slow], run: 'echo begun >~/next; sleep 300'}"]);
    let running = world.container.start(&config, &[]);
    let told =
        || fs::read_to_string(world.container.path("/run/devinit/first-run/peid/progress.json")).unwrap_or_default();
    let soon = Duration::from_secs(2);
    for (file, states) in [("slow", ["running", "waiting"]), ("next", ["done", "running"])] {
        eventually(file, LIMIT, || world.home.join(file).exists().then_some(()));
        eventually(&format!("{states:?} in {}", told()), soon, || {
            let told: serde_json::Value = serde_json::from_str(&told()).ok()?;
            let states_of = told["tasks"].as_array()?.iter().map(|task| task["state"].as_str());
            states_of.eq(states.map(Some)).then_some(())
        });
    }
    running.signal(Signal::SIGTERM);
    running.wait().expect(143);
}
