//! A home volume that was made to do harm: nothing is written outside it, nothing hangs, its user still gets in.

use crate::support::{BASE, Container, Key, ROOT_AND_PEID, seconds};

/// Everything in the folders that a home must not lead to, with owner, mode, size and content; but for what Docker
/// writes for each container.
const OUTSIDE: &str = "
    cd / && find etc root var/lib usr/local -xdev \\( -path etc/hosts -o -path etc/hostname -o -path etc/resolv.conf \
        -o -path var/lib/devinit \\) -prune -o -printf '%p %u %g %m %y %l\n' | sort
    find etc root -xdev -type f ! -path etc/hosts ! -path etc/hostname ! -path etc/resolv.conf -exec sha256sum {} + | sort -k 2
    stat -c '%n %u %g %a' / /etc /etc/passwd /etc/shadow /root";

/// A container that boots over a home volume which this shell script (as root, in peid's home) has laid out; the
/// volume goes with the second of the two.
fn boot_with_home(key: &Key, script: &str) -> [Container; 2] {
    let script = format!("set -e; mkdir -p /home/peid; cd /home/peid; {script}");
    let laid_out =
        Container::image(BASE).options(["--volume=/home", "--entrypoint=bash"]).command(["-c", &script]).run();
    assert_eq!(laid_out.wait().code, 0, "{}", laid_out.logs());
    let container = Container::image(BASE)
        .key(key)
        .config(ROOT_AND_PEID)
        .options([&format!("--volumes-from={}", laid_out.name()), "--hostname=box"])
        .run();
    container.wait_for_ssh();
    [container, laid_out]
}

#[test]
fn nothing_outside_a_hostile_home_is_touched_and_its_user_gets_in() {
    let key = Key::new();
    let outside = {
        let [benign, _volume] = boot_with_home(&key, "chown 3100:1100 .");
        benign.sh(OUTSIDE)
    };

    let hostile = [
        ("~/.ssh is a symlink to /etc", "chown 3100:1100 .; ln -s /etc .ssh"),
        (
            "~/.ssh/authorized_keys is a symlink to /etc/shadow",
            "mkdir .ssh; ln -s /etc/shadow .ssh/authorized_keys; chown -Rh 3100:1100 .",
        ),
        ("authorized_keys is a FIFO", "mkdir .ssh; mkfifo .ssh/authorized_keys; chown -R 3100:1100 ."),
        (
            "dotfiles are FIFOs and symlinks",
            "mkfifo .profile; ln -s /etc/passwd .bashrc; ln -s /etc .config; chown -Rh 3100:1100 .",
        ),
        ("the home is someone else's", "chown 4321:4321 .; chmod 0755 ."),
        (
            "the home is open to all",
            "mkdir -m 0777 .ssh; touch .ssh/authorized_keys; chmod 0666 .ssh/authorized_keys; chmod 0777 .; chown -R 4321:4321 .",
        ),
        ("the home is a symlink to /etc", "cd ..; rmdir peid; ln -s /etc peid"),
        ("the home is a file", "cd ..; rmdir peid; echo boo > peid"),
    ];
    for (what, script) in hostile {
        let start = std::time::Instant::now();
        let [container, _volume] = boot_with_home(&key, script);
        assert!(start.elapsed() < seconds(20), "{what}: the boot took {:?}", start.elapsed());
        // A home that is no folder of the user's is a cwd that fails, not a refused login.
        let login = container.ssh("peid").run("id -u");
        assert_eq!(login.stdout.trim(), "3100", "{what}: {login:?}\n{}", container.logs());
        assert_same(what, &outside, &container.sh(OUTSIDE));
        assert_eq!(container.ssh("root").run("id -u").success(), "0", "{what}");
    }
}

#[track_caller]
fn assert_same(what: &str, benign: &str, hostile: &str) {
    let changed: Vec<_> = hostile.lines().filter(|line| !benign.lines().any(|other| other == *line)).collect();
    let missing: Vec<_> = benign.lines().filter(|line| !hostile.lines().any(|other| other == *line)).collect();
    assert!(changed.is_empty() && missing.is_empty(), "{what}: changed: {changed:#?} missing: {missing:#?}");
}

#[test]
fn what_an_ordinary_user_puts_into_the_path_is_never_run_as_root_by_a_probe() {
    let container = Container::image(BASE)
        .env("PATH", "/home/peid/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("USER_PASSWORD", "correct horse battery")
        .config(
            "{version: 1, users: {root: {}, peid: {uid: 3100, gid: 1100}}, \
             app: {command: 'exec sleep 1000', user: peid, ready: {command: [is-it-up]}}}",
        )
        .run();
    container.sh("until [ -d /home/peid ]; do sleep 0.1; done");
    container.sh("mkdir /home/peid/bin; cd /home/peid/bin
         printf '#!/bin/sh\\n{ id -u; env; } >> /tmp/looked\\n' > is-it-up; chmod 0755 is-it-up");
    container.wait_for_health("healthy");
    container.exec(["devinit", "health"]).success();
    let looked = container.file("/tmp/looked").unwrap();
    let ids: Vec<_> = looked.lines().filter(|line| line.bytes().all(|byte| byte.is_ascii_digit())).collect();
    assert!(ids.len() >= 2 && ids.iter().all(|id| *id == "3100"), "{looked}");
    assert!(!looked.contains("battery"), "{looked}");
}

#[test]
fn a_user_that_is_named_like_everybody_does_not_make_everybody_root() {
    let container = Container::image(BASE)
        .config("{version: 1, users: {root: {}, ALL: {uid: 3200, sudo: true}, peid: {uid: 3100, gid: 1100}}}")
        .run();
    container.wait_for_file("/etc/sudoers.d/devinit");
    container.sh("visudo -c");
    assert_eq!(container.sh("setpriv --reuid=3200 --regid=3200 --clear-groups sudo -n id -u").trim(), "0");
    let peid = container.exec(["setpriv", "--reuid=3100", "--regid=1100", "--clear-groups", "sudo", "-n", "id"]);
    assert_ne!(peid.code, 0, "{peid:?}");
}
