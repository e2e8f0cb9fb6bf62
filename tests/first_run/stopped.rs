//! A first run that is told to stop ends soon, and the next one goes on from there.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::published::{noise, sha256};
use super::world::World;
use super::{LIMIT, eventually};

const LENGTH: usize = 3_000_000;
/// Two seconds that a step has to end well, and time for a busy machine.
const SOON: Duration = Duration::from_millis(3500);

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_run_that_is_suspended_goes_on_when_it_is_continued() {
    let world = World::new();
    let step = "script: {run: 'echo >~/begun; sleep 0.3; echo done >~/done'}";
    let running = world.container.start(&world.config(&[step]), &[]);
    eventually("the step", LIMIT, || world.home.join("begun").exists().then_some(()));
    running.signal(Signal::SIGTSTP);
    let state = || {
        let about = std::fs::read_to_string(format!("/proc/{}/stat", running.pid())).unwrap_or_default();
        about.rsplit(") ").next().and_then(|rest| rest.chars().next())
    };
    eventually("a stop", LIMIT, || (state() == Some('T')).then_some(()));
    eventually("the end of the step", LIMIT, || world.home.join("done").exists().then_some(()));
    running.signal(Signal::SIGCONT);
    assert!(running.wait().expect(0).out.contains("1 of 1 done"));
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn what_a_failed_attempt_left_in_a_session_of_its_own_is_gone_and_what_a_good_one_left_stays() {
    let world = World::new();
    let left = |then: &str| format!("setsid -f sleep 1000 </dev/null >/dev/null 2>&1; sleep 0.2; {then}");
    let bad = format!("script: {{run: '{}', retries: 0}}", left("exit 1"));
    world.container.start(&world.config(&[&bad]), &[]).wait().expect(1);
    world.container.assert_gone(Duration::from_secs(1));

    let good = format!("script: {{run: '{}'}}", left("pgrep -nx sleep >~/server"));
    world.container.start(&world.config(&[&good]), &[]).wait().expect(0);
    let server: i32 = std::fs::read_to_string(world.home.join("server")).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(server), Signal::SIGKILL).unwrap();
}

/// A world with a slow download, a step that is done at once, and a further one; stopped by a signal while it downloads.
fn stop_halfway(signal: Signal, further: &str) -> (World, String) {
    let world = World::new();
    let url = world.server.put("/big", noise(LENGTH));
    world.server.slow("/big", Some(1_000_000));
    let sum = sha256(&noise(LENGTH));
    let config = world.config(&[
        &format!("download: {{name: big, url: '{url}', to: ~/big, sha256: {sum}}}"),
        "script: {name: once, run: 'echo once >>~/once'}",
        further,
    ]);
    let running = world.container.start(&config, &["--json"]);
    let partial = world.home.join(super::tree::STATE).join("work/big/big");
    eventually("a part of the download", LIMIT, || partial.metadata().ok().filter(|part| part.len() > 300_000));
    eventually("the record of the other step", LIMIT, || {
        world.home.join(super::tree::STATE).join("once.json").exists().then_some(())
    });
    let asked = std::time::Instant::now();
    running.signal(signal);
    let ended = running.wait().expect(128 + signal as i32);
    assert!(asked.elapsed() < SOON, "{:?}: {ended:?}", asked.elapsed());
    world.container.assert_gone(Duration::from_secs(1));
    assert!(!world.home.join("big").exists(), "a part of it is there under its name");
    (world, config)
}

/// The next run continues the download by range, and leaves alone what is done.
#[track_caller]
fn assert_continued(world: &World, config: &str) {
    world.server.slow("/big", None);
    let next = world.container.run(config, &["--json"]).expect(0);
    assert_eq!(next.tasks("unchanged"), ["once"]);
    let requests = world.server.requests("/big");
    let from: Vec<usize> = requests.iter().map(|request| request.from.unwrap_or_default()).collect();
    assert!(from.len() == 2 && from[0] == 0 && from[1] >= 300_000, "{requests:?}");
    assert_eq!(sha256(&std::fs::read(world.home.join("big")).unwrap()), sha256(&noise(LENGTH)));
    assert_eq!(world.text("once"), "once\n");
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_stop_ends_it_at_once_and_the_next_run_continues_by_range() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (world, config) = stop_halfway(signal, "script: {name: sleeper, run: 'sleep 300'}");
        assert_continued(&world, &config.replace("sleep 300", "true"));
    }
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_step_that_ignores_term_is_killed() {
    let deaf = "script: {name: deaf, run: 'trap \"\" TERM; echo $$ >~/deaf; while :; do sleep 0.05; done'}";
    let (world, config) = stop_halfway(Signal::SIGTERM, deaf);
    assert!(!world.text("deaf").is_empty(), "it has not even begun");
    assert_continued(&world, &config.replace("while :", "while false"));
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn what_a_step_said_last_is_shown_although_it_has_to_be_killed() {
    let world = World::new();
    let deaf =
        "script: {run: 'echo last words; trap \"\" TERM; while :; do sleep 0.05; done', timeout: 1s, retries: 0}";
    let ended = world.container.run(&world.config(&[deaf]), &[]).expect(1);
    assert!(ended.out.contains("time limit of 1s") && ended.out.contains("| last words"), "{ended:?}");
    world.container.assert_gone(Duration::from_secs(1));
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_second_signal_waits_for_nothing() {
    let world = World::new();
    let config =
        world.config(&["script: {name: deaf, run: 'trap \"\" TERM; echo >~/deaf; while :; do sleep 0.05; done'}"]);
    let running = world.container.start(&config, &[]);
    eventually("the step", LIMIT, || world.home.join("deaf").exists().then_some(()));
    let asked = std::time::Instant::now();
    running.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(100));
    running.signal(Signal::SIGTERM);
    running.wait().expect(143);
    assert!(asked.elapsed() < Duration::from_millis(1800), "{:?}", asked.elapsed());
    world.container.assert_gone(Duration::from_secs(1));
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn what_a_run_left_that_was_killed_behind_a_record_is_cleared_away() {
    let world = World::new();
    let config = world.config(&["script: {name: once, run: ':'}", "script: {name: other, as: root, run: ':'}"]);
    world.container.run(&config, &[]).expect(0);
    let work = [
        world.home.join(super::tree::STATE).join("work/once"),
        world.container.path("/var/lib/devinit/first-run/work/other"),
        // Nobody knows whose download that is.
        world.home.join(super::tree::STATE).join("work/unknown"),
    ];
    for folder in &work {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("download"), "large").unwrap();
    }
    let own = std::process::Command::new("chown").args(["-R", "3100:1100"]).arg(&world.home).status().unwrap();
    assert!(own.success());
    world.container.run(&config, &[]).expect(0);
    assert_eq!(work.each_ref().map(|folder| folder.exists()), [false, false, true]);
}
