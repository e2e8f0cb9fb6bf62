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

fn no_zombies(container: &Container) -> Option<()> {
    let states = container.exec(["ps", "-A", "-o", "stat="]).success();
    (!states.lines().any(|state| state.trim().starts_with('Z'))).then_some(())
}
