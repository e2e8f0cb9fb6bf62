//! A container that is restarted, or made anew over a kept state volume, is the same one to its users.

use crate::support::{BASE, Container, Key, Output, ROOT_AND_PEID, bounded};

const STATE: &str = "sha256sum /etc/passwd /etc/shadow /etc/group /etc/gshadow /etc/subuid /etc/devinit/keys/* /home/peid/.profile \
                     /var/lib/devinit/ssh/* 2>/dev/null; ls -lan /etc/devinit/keys /home/peid";

/// The host keys that the server shows, one line each.
fn host_keys(container: &Container) -> Vec<String> {
    let port = container.published(22).unwrap().port().to_string();
    let scanned = Output::of(bounded(20, "ssh-keyscan").args(["-T", "10", "-p", &port, "127.0.0.1"])).success();
    let mut keys: Vec<_> =
        scanned.lines().filter_map(|line| line.split_once(' ')).map(|(_, key)| key.to_owned()).collect();
    keys.sort();
    assert!(!keys.is_empty(), "ssh-keyscan saw no key");
    keys
}

#[test]
fn two_restarts_change_neither_host_key_nor_users_nor_keys() {
    let key = Key::new();
    let container = Container::image(BASE).key(&key).config(ROOT_AND_PEID).run();
    container.wait_for_ssh();
    let (keys, state) = (host_keys(&container), container.sh(STATE));
    assert!(keys.iter().any(|key| key.contains("ssh-ed25519")), "{keys:?}");

    for _ in 0..2 {
        container.restart();
        container.wait_for_ssh();
        // ssh itself refuses another host key for the same alias.
        assert_eq!(container.ssh("peid").run("id -u").success(), "3100");
        assert_eq!(host_keys(&container), keys);
        assert_eq!(container.sh(STATE), state);
    }
    assert_eq!(container.sh("grep -c ssh-ed25519 /etc/devinit/keys/peid"), "1");
    assert_eq!(container.sh("grep -c ^peid: /etc/passwd"), "1");
}

#[test]
fn a_kept_state_volume_keeps_the_host_key_of_a_new_container() {
    let key = Key::new();
    let run = |volume: &str| {
        let container = Container::image(BASE).key(&key).config(ROOT_AND_PEID).option(volume).run();
        container.wait_for_ssh();
        container
    };
    let first = run("--volume=/var/lib/devinit");
    let keys = host_keys(&first);
    first.stop();
    let second = run(&format!("--volumes-from={}", first.name()));
    assert_eq!(host_keys(&second), keys);
}

#[test]
fn two_containers_of_one_image_have_different_host_keys() {
    let key = Key::new();
    let run = || {
        let container = Container::image(BASE).key(&key).run();
        container.wait_for_ssh();
        host_keys(&container)
    };
    assert_ne!(run(), run());
}
