//! Keys from where people keep them; what was removed stops working.

use crate::support::{BASE, Container, Key};

#[test]
fn a_key_that_is_removed_from_its_file_stops_working_at_the_next_boot() {
    let (stays, goes) = (Key::new(), Key::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, format!("{}\n{}\n", stays.public(), goes.public())).unwrap();
    let container = Container::image(BASE)
        .client_key(&stays)
        .config("{version: 1, users: {root: {authorized_keys: [{file: /run/keys/all}]}}}")
        .options(["--volume", &format!("{}:/run/keys/all", file.display())])
        .run();
    container.wait_for_ssh();
    container.ssh("root").run("true").success();
    container.ssh("root").key(&goes).run("true").success();

    // In place: a mounted file is this inode and no other.
    std::fs::write(&file, format!("{}\n", stays.public())).unwrap();
    container.restart();
    container.wait_for_ssh();
    container.ssh("root").run("true").success();
    let refused = container.ssh("root").key(&goes).run("true");
    assert_eq!(refused.code, 255, "the removed key still opens the door");
}

#[test]
fn several_keys_with_bad_ones_between_them_all_work_and_the_bad_are_named() {
    let keys = [Key::new(), Key::new(), Key::new()];
    let all = format!(
        "\u{feff}\"{}\"\r\n404: Not Found\r\n{},{}",
        keys[0].public(),
        keys[1].public().replace(" test key", ""),
        keys[2].public()
    );
    let container = Container::image(BASE).env("PUBLIC_KEY", &all).client_key(&keys[0]).run();
    container.wait_for_ssh();
    for key in &keys {
        assert_eq!(container.ssh("root").key(key).run("id -u").success(), "0");
    }
    assert!(container.logs().contains("PUBLIC_KEY, line 2"), "the bad line is not named");
}

#[test]
fn a_users_own_authorized_keys_are_respected() {
    let (given, own) = (Key::new(), Key::new());
    let container = Container::image(BASE)
        .key(&given)
        .config("{version: 1, users: {peid: {uid: 3100, gid: 1100, authorized_keys: [{env: PUBLIC_KEY}]}}}")
        .run();
    container.wait_for_ssh();
    let append = format!("mkdir -p -m 700 ~/.ssh && echo '{}' >> ~/.ssh/authorized_keys", own.public());
    container.ssh("peid").run(&append).success();
    assert_eq!(container.ssh("peid").key(&own).run("id -un").success(), "peid");
    container.restart();
    container.wait_for_ssh();
    assert_eq!(container.ssh("peid").key(&own).run("id -un").success(), "peid");
}

#[test]
fn a_container_without_any_key_says_so_and_stays_up() {
    let container = Container::image(BASE).run();
    container.wait_for_ssh();
    container.wait_for_log("PUBLIC_KEY");
}

#[test]
fn keys_from_a_url_are_added_to_those_that_are_there_and_shown() {
    let (given, fetched) = (Key::new(), Key::new());
    let container = Container::image(BASE)
        .key(&given)
        .mounted("/srv/keys/all", &format!("{}\n", fetched.public()))
        .config(
            "{version: 1, users: {root: {authorized_keys: [{env: PUBLIC_KEY}, {url: 'http://127.0.0.1:9000/all'}]}}, \
             services: {keys: {command: [python3, -m, http.server, '9000', --bind, 127.0.0.1, -d, /srv/keys]}}}",
        )
        .run();
    container.wait_for_log("1 keys for root from http://127.0.0.1:9000/all");
    container.wait_for_ssh();
    for key in [&given, &fetched] {
        assert_eq!(container.ssh("root").key(key).run("id -u").success(), "0");
    }
    assert_eq!(container.exec(["devinit", "status"]).success().matches("  root: SHA256:").count(), 2);
}
