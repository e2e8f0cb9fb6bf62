//! What Docker's health check sees.

use crate::support::{BASE, Container, Key, ROOT_AND_PEID, seconds, wait_for};

#[test]
fn it_goes_from_starting_to_healthy_with_the_app() {
    let container = Container::image(BASE)
        .key(&Key::new())
        .config("{version: 1, app: {command: 'sleep 3; exec python3 -m http.server 27015', ready: {http: 'http://127.0.0.1:27015/'}}}")
        .run();
    container.wait_for_ssh();
    let early = container.exec(["devinit", "health"]);
    assert_eq!(early.code, 1, "{early:?}");
    assert!(early.text().contains("app"), "{early:?}");
    assert_ne!(container.health(), "healthy");
    container.wait_for_health("healthy");
    let late = container.exec(["devinit", "health"]);
    assert_eq!(late.code, 0, "{late:?}");
    assert_eq!(container.exec(["devinit", "health", "--live"]).code, 0);
    let json = container.exec(["devinit", "health", "--json"]).success();
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
}

#[test]
fn an_ssh_only_container_becomes_healthy() {
    let container = Container::image(BASE).key(&Key::new()).config(ROOT_AND_PEID).run();
    container.wait_for_health("healthy");
}

#[test]
fn it_is_unhealthy_when_sshd_is_lost_for_good() {
    let container = Container::image(BASE).key(&Key::new()).config(ROOT_AND_PEID).run();
    container.wait_for_health("healthy");
    container.sh("mv /usr/sbin/sshd /usr/sbin/sshd.gone; pkill -KILL -x sshd");
    container.wait_for_health("unhealthy");
    let health = container.exec(["devinit", "health"]);
    assert!(health.text().contains("ssh"), "{health:?}");
    assert!(container.is_running());
}

#[test]
fn it_is_not_healthy_while_the_app_crashes() {
    let container =
        Container::image(BASE).config("{version: 1, app: {command: 'sleep 0.3; exit 3', restart: on-failure}}").run();
    wait_for("a restart", seconds(20), || container.logs().contains("exit code 3").then_some(()));
    let health = container.exec(["devinit", "health"]);
    assert_eq!(health.code, 1, "{health:?}");
}

#[test]
fn outside_a_container_that_devinit_started_it_cannot_tell() {
    let output = Container::image(BASE).option("--entrypoint=devinit").command(["health"]).output();
    assert_eq!(output.code, 2, "{output:?}");
}
