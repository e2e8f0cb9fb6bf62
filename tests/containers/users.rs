//! Users against the accounts that an image already has.

use crate::support::{BASE, Container, Key, UBUNTU};

fn boot(policy: &str, key: &Key) -> Container {
    let config = format!(
        "
version: 1
users:
  root: {{authorized_keys: [{{env: PUBLIC_KEY}}]}}
  me: {{uid: 1000, gid: 1000, on_collision: {policy}, authorized_keys: [{{env: PUBLIC_KEY}}]}}
"
    );
    let container = Container::image(UBUNTU).key(key).config(&config).run();
    container.wait_for_ssh();
    container
}

fn uid(container: &Container, user: &str) -> Option<String> {
    let id = container.exec(["id", "-u", user]);
    (id.code == 0).then(|| id.success())
}

#[test]
fn error_leaves_both_as_they_are_and_says_so() {
    let key = Key::new();
    let container = boot("error", &key);
    assert_eq!(uid(&container, "ubuntu").as_deref(), Some("1000"));
    assert_eq!(uid(&container, "me"), None);
    assert_eq!(container.ssh("root").run("id -u").success(), "0");
    assert!(
        container.logs().lines().any(|line| line.contains("me") && line.contains("ubuntu") && line.contains("1000")),
        "{}",
        container.logs()
    );
}

#[test]
fn reuse_shares_the_id() {
    let key = Key::new();
    let container = boot("reuse", &key);
    assert_eq!(uid(&container, "ubuntu").as_deref(), Some("1000"));
    assert_eq!(uid(&container, "me").as_deref(), Some("1000"));
    assert_eq!(container.ssh("me").run("id -u").success(), "1000");
}

#[test]
fn rename_gives_the_account_the_wanted_name() {
    let key = Key::new();
    let container = boot("rename", &key);
    assert_eq!(uid(&container, "ubuntu"), None);
    assert_eq!(container.ssh("me").run("id -un; id -u; id -g").success(), "me\n1000\n1000");
}

#[test]
fn move_gives_the_account_another_id() {
    let key = Key::new();
    let container = boot("move", &key);
    assert_eq!(container.ssh("me").run("id -u").success(), "1000");
    let moved = uid(&container, "ubuntu").expect("ubuntu is still there");
    assert_ne!(moved, "1000");
    assert!(container.logs().contains("files of ubuntu"), "nobody is told whose the files are");
}

#[test]
fn uid_from_takes_the_owner_of_a_mounted_folder() {
    let key = Key::new();
    let container = Container::image(BASE)
        .key(&key)
        .config("{version: 1, users: {me: {uid_from: /workspace, authorized_keys: [{env: PUBLIC_KEY}]}}}")
        .option("--tmpfs=/workspace:uid=4711,gid=4712")
        .run();
    container.wait_for_ssh();
    assert_eq!(container.ssh("me").run("id -u; id -g; touch /workspace/mine").success(), "4711\n4712");
}

#[test]
fn a_password_is_hashed_so_that_the_image_can_check_it_and_never_printed() {
    let container = Container::image(BASE)
        .key(&Key::new())
        .env("THE_PASSWORD", "correct horse")
        .config("{version: 1, users: {me: {password: {env: THE_PASSWORD}}}, ssh: {password_authentication: true}}")
        .run();
    container.wait_for_ssh();
    let check = "python3 -W ignore -c 'import crypt, sys; stored = sys.argv[1]; sys.exit(crypt.crypt(\"correct horse\", stored) != stored)' \
                 \"$(getent shadow me | cut -d: -f2)\"";
    container.sh(check);
    assert!(!container.logs().contains("correct horse"));
}
