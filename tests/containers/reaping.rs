//! What is orphaned is reaped, in any number, and the rest goes on meanwhile.

use crate::support::{BASE, Container, Key, seconds, wait_for};

#[test]
fn ten_thousand_orphans_are_reaped_while_sshd_answers() {
    let key = Key::new();
    let container = Container::image(BASE).key(&key).run();
    container.wait_for_ssh();
    container.start("/test/make-orphans 10000; touch /made");

    let mut answered = 0;
    let made = || container.exec(["test", "-e", "/made"]).code == 0;
    let start = std::time::Instant::now();
    while !made() {
        assert_eq!(container.ssh("root").run("echo here").success(), "here");
        answered += 1;
        assert!(start.elapsed() < seconds(120), "10,000 processes were not made in two minutes");
    }
    assert!(answered > 0, "they were made before sshd was asked once");
    wait_for("zombies to be reaped", seconds(5), || no_zombies(&container));
}

#[test]
fn orphans_of_sessions_are_reaped_too() {
    let key = Key::new();
    let container = Container::image(BASE).key(&key).run();
    container.wait_for_ssh();
    container.ssh("root").run("for i in $(seq 50); do (setsid true &) ; done").success();
    wait_for("zombies to be reaped", seconds(5), || no_zombies(&container));
}

#[test]
fn all_who_end_at_the_same_moment_are_reaped() {
    let container = Container::image(BASE).options(["--entrypoint=sleep", "--no-healthcheck"]).command(["1000"]).run();
    // Not as the first process, so that it can be stopped: one SIGCHLD tells of all that end meanwhile.
    container
        .start("exec devinit -- bash -c '(for i in {1..3000}; do sleep 1001 & done); touch /made; exec sleep 1002'");
    container.wait_for_file("/made");
    container.sh("pkill -STOP -x devinit; pkill -x -f 'sleep 1001'");
    wait_for("all to have ended", seconds(20), || (zombies(&container) >= 3000).then_some(()));
    container.sh("pkill -CONT -x devinit");
    wait_for("zombies to be reaped", seconds(5), || no_zombies(&container));
}

fn no_zombies(container: &Container) -> Option<()> {
    (zombies(container) == 0).then_some(())
}

fn zombies(container: &Container) -> usize {
    let states = container.exec(["ps", "-A", "-o", "stat="]).success();
    states.lines().filter(|state| state.trim().starts_with('Z')).count()
}
