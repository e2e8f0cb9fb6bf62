//! A changed config is taken over while the container runs: what changed is touched, and nothing else.

use super::{QUIET, config, devinit, of, run, state, wait_for_state};
use crate::support::{BASE, Container, Key, ROOT_AND_PEID, seconds, wait_for};

#[test]
fn a_reload_touches_what_changed_and_says_what_that_was() {
    let container = Container::image(BASE).env("DEVINIT_CONFIG", "/config.yaml").command([]).run();
    // Without a config it boots all the same.
    let put = |services: &str| container.put("/config.yaml", &config(services));
    put("  kept: {command: [sleep, 1d]}\n  changed: {command: [sleep, 2d]}\n  gone: {command: [sleep, 3d]}\n");
    wait_for("the first reload", seconds(30), || (devinit(&container, ["reload"]).code == 0).then_some(()));
    wait_for_state(&container, "gone", "ready");
    let (kept, changed) = (of(&container, "kept", "pid"), of(&container, "changed", "pid"));

    put("  kept: {command: [sleep, 1d]}\n  changed: {command: [sleep, 4d]}\n  new: {command: [sleep, 5d]}\n");
    let told = devinit(&container, ["reload", "--dry-run"]).success();
    for words in ["changed", "command", "gone", "new"] {
        assert!(told.contains(words), "{told}");
    }
    assert!(!told.contains("kept"), "{told}");
    assert_eq!(of(&container, "changed", "pid"), changed, "it was only to be told");
    assert_eq!(devinit(&container, ["reload"]).success(), told);
    wait_for_state(&container, "new", "ready");
    wait_for("the old processes to go", seconds(10), || {
        (container.exec(["pgrep", "-f", "^sleep [23]d"]).code == 1).then_some(())
    });
    wait_for_state(&container, "changed", "ready");
    assert_eq!(of(&container, "kept", "pid"), kept);
    assert_ne!(of(&container, "changed", "pid"), changed);
    assert_eq!(state(&container, "gone"), "None");
    assert!(devinit(&container, ["reload"]).success().contains("nothing changed"));
    assert_eq!(container.stop().code, 0);
}

#[test]
fn a_config_that_cannot_be_used_changes_nothing() {
    let container = Container::image(BASE).run();
    container.wait_for_ssh();
    let sshd = of(&container, "sshd", "pid");
    container.sh("mkdir -p /etc/devinit");
    container.put("/etc/devinit/config.yaml", "version: 1\nservices: {x: {comand: [sleep, 1d]}}\n");
    let refused = devinit(&container, ["reload"]);
    assert_eq!(refused.code, 1);
    assert!(refused.text().contains("did you mean `command`?") && refused.text().contains(":2:"), "{refused:?}");
    assert_eq!((of(&container, "sshd", "pid"), state(&container, "x")), (sshd, "None".to_owned()));
    let other = container.exec_as("games", ["devinit", "reload"]);
    assert!(other.code == 1 && other.text().contains("sudo"), "{other:?}");
}

#[test]
fn new_users_and_keys_come_in_by_a_reload_and_sessions_stay() {
    let key = Key::new();
    let container = Container::image(BASE).key(&key).run();
    container.wait_for_ssh();
    let mut session = container.ssh("root").terminal();
    session.ask_until("echo rea''dy\n", "ready");
    container.sh("mkdir -p /etc/devinit");
    container.put("/etc/devinit/config.yaml", &format!("{ROOT_AND_PEID}\nenvironment: {{NEW_ONE: here}}\n"));
    devinit(&container, ["reload"]).success();
    wait_for("the new user", seconds(20), || {
        (container.ssh("peid").run("echo $NEW_ONE").stdout.trim() == "here").then_some(())
    });
    session.ask_until("echo still''here\n", "stillhere");
}

#[test]
fn a_container_in_rescue_is_mended_without_a_restart() {
    let container = Container::image(BASE).env("DEVINIT_CONFIG", "/config.yaml").run();
    container.put("/config.yaml", "version: 1\nservices: [oops]\n");
    container.restart();
    container.wait_for_ssh();
    assert!(devinit(&container, ["health"]).text().contains("rescue"));
    container.put("/config.yaml", &format!("{QUIET}services: {{web: {{command: [sleep, 1d]}}}}\n"));
    devinit(&container, ["reload"]).success();
    wait_for_state(&container, "web", "ready");
    assert_eq!(devinit(&container, ["health"]).code, 0);
}

#[test]
fn what_reload_needs_is_only_there_while_devinit_is() {
    let container = run("  web: {command: [sleep, 1d]}\n");
    wait_for_state(&container, "web", "ready");
    for arguments in [["stop", "webb"], ["restart", "webb"], ["start", "webb"]] {
        let unknown = devinit(&container, arguments);
        assert!(unknown.code == 1 && unknown.text().contains("did you mean `web`?"), "{unknown:?}");
    }
}
