//! A config that cannot be used, and a prepare that dies: people still get in to mend it.

use crate::support::{BASE, Container, Key, ROOT_AND_PEID};

const MISSPELT: &str = "version: 1\nuserz:\n  peid: {uid: 3100}\n";

#[test]
fn a_broken_config_leaves_ssh_open_and_health_says_why() {
    for (config, word) in [(MISSPELT, "userz"), ("users: [\n", "config.yaml"), ("version: 2\n", "version")] {
        let key = Key::new();
        let container = Container::image(BASE).key(&key).config(config).run();
        container.wait_for_ssh();
        assert_eq!(container.ssh("root").run("id -u").success(), "0", "{config:?}");

        let health = container.exec(["devinit", "health"]);
        assert_eq!(health.code, 1, "{config:?}: {health:?}");
        assert!(health.text().contains(word), "{config:?}: health does not say why: {health:?}");
        assert_eq!(health.text().trim().lines().count(), 1, "{config:?}: {health:?}");
        assert!(container.logs().contains(word), "{config:?}");
        container.wait_for_health("unhealthy");
        assert!(container.inspect("{{range .State.Health.Log}}{{.Output}}{{end}}").contains(word), "{config:?}");
        assert_eq!(container.stop().code, 0);
    }
}

#[test]
fn the_position_of_the_mistake_and_the_known_name_are_given() {
    let container = Container::image(BASE).config(MISSPELT).run();
    container.wait_for_log("userz");
    let log = container.logs();
    assert!(log.contains("config.yaml:2:1"), "{log}");
    assert!(log.contains("users"), "{log}");
}

#[test]
fn a_mended_config_is_taken_at_the_next_boot() {
    let key = Key::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, MISSPELT).unwrap();
    let mount = format!("{}:/etc/devinit/config.yaml", file.display());
    let container = Container::image(BASE).key(&key).options(["--volume", &mount]).run();
    container.wait_for_ssh();
    assert_eq!(container.exec(["devinit", "check"]).code, 1);
    std::fs::write(&file, ROOT_AND_PEID).unwrap();
    assert_eq!(container.exec(["devinit", "check"]).code, 0);
    container.restart();
    container.wait_for_ssh();
    assert_eq!(container.ssh("peid").run("id -u").success(), "3100");
    container.wait_for_health("healthy");
}

#[test]
fn on_error_exit_ends_with_78_and_says_why() {
    let output = Container::image(BASE).config("version: 1\non_error: exit\nuserz: {}\n").output();
    assert_eq!(output.code, 78, "{output:?}");
    assert!(output.text().contains("userz"), "{output:?}");
}

#[test]
fn a_prepare_that_is_killed_leaves_whole_files_and_a_boot_that_goes_on() {
    let key = Key::new();
    // From its first moment to about its last.
    for delay in ["0", "1", "2", "4", "8", "16"] {
        let container = Container::image(BASE)
            .key(&key)
            .config(ROOT_AND_PEID)
            .options(["--entrypoint=/test/kill-prepare"])
            .command(["1", delay, "--", "/usr/local/bin/devinit", "--"])
            .run();
        container.wait_for_ssh();
        assert_eq!(container.ssh("root").run("id -u").success(), "0", "killed after {delay} ms");
        assert_files_are_whole(&container);

        container.restart();
        container.wait_for_ssh();
        assert_eq!(container.ssh("root").run("id -u").success(), "0", "killed after {delay} ms, restarted");
    }
}

#[test]
fn a_prepare_that_is_killed_every_time_still_lets_the_main_command_run() {
    let output = Container::image(BASE)
        .key(&Key::new())
        .config(ROOT_AND_PEID)
        .options(["--entrypoint=/test/kill-prepare"])
        .command(["9", "1", "--", "/usr/local/bin/devinit", "--", "sh", "-c", "cat /run/prepare-kills; exit 7"])
        .output();
    assert_eq!(output.code, 7, "{output:?}");
    assert_ne!(output.stdout, "", "nothing was killed");
}

/// No entry that pwck and grpck call invalid (a missing home is not one), no lock and no temporary file left.
#[track_caller]
fn assert_files_are_whole(container: &Container) {
    for check in ["pwck -qr", "grpck -r"] {
        let checked = container.exec(["sh", "-c", check]);
        assert!(!checked.text().contains("invalid"), "{check}: {checked:?}");
    }
    assert!(container.sh("getent passwd root").starts_with("root:x:0:0:"));
    let left =
        container.sh("ls -d /etc/*.lock /etc/.*.lock /etc/.pwd.lock.* 2>/dev/null | grep -v '^/etc/.pwd.lock$'; true");
    assert_eq!(left, "", "lock files were left");
    assert_eq!(container.sh("find /etc /home /root -xdev -name '*.tmp*'"), "", "temporary files were left");
}

#[test]
fn an_app_that_cannot_be_started_is_named() {
    let container = Container::image(BASE).config("{version: 1, app: {command: [/no/such/app], restart: never}}").run();
    let exit = container.wait();
    assert_eq!(exit.code, 127);
    assert!(container.logs().contains("/no/such/app"), "{}", container.logs());
}
