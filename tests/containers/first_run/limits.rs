//! Where something is missing that a first run would like to have: room, a disk to write to, root, the right words.

use super::{BY_HAND, ByHand, config, container, finished, first_run, task, users};
use crate::support::{Container, FIRST_RUN, Key, Mirror, seconds};

#[test]
fn a_full_disk_is_a_clear_error_and_leaves_the_system_intact() {
    let (mirror, key) = (Mirror::start(), Key::new());
    let url = mirror.put("/big", vec![7; 30_000_000]);
    let download = format!("download: {{url: '{url}', to: ~/big}}");
    let container = container(&config(&mirror, &[&download]))
        .key(&key)
        .option("--tmpfs=/home/peid:size=20m,uid=3100,gid=1100,mode=755")
        .run();
    let ended = finished(&container, seconds(60));
    let failed = task(&ended, "download");
    let error =
        format!("{} | {}", failed.error.as_deref().unwrap_or_default(), failed.hint.as_deref().unwrap_or_default());
    assert!(error.contains("room") && error.contains("/home/peid"), "{error}");
    assert_ne!(container.exec(["test", "-e", "/home/peid/big"]).code, 0);
    container.wait_for_ssh();
    assert_eq!(container.ssh("peid").run("echo room >~/room; cat ~/room").success(), "room");
}

#[test]
fn a_disk_that_fills_up_on_the_way_is_an_error_too() {
    let mirror = Mirror::start();
    let fill = "script: {run: 'head -c 100M /dev/zero >~/big', retries: 0}";
    let container =
        container(&config(&mirror, &[fill])).option("--tmpfs=/home/peid:size=20m,uid=3100,gid=1100,mode=755").run();
    let ended = finished(&container, seconds(60));
    let failed = task(&ended, "script");
    assert!(failed.error.is_some() && failed.tail.iter().any(|line| line.contains("No space left")), "{failed:#?}");
    let again = container.exec(["devinit", "first-run"]);
    assert_eq!(again.code, 1, "{again:?}");
}

#[test]
fn a_read_only_root_is_said_and_a_home_that_can_be_written_to_is_enough() {
    let text =
        "{version: 1, users: {root: {}}, first_run: {user: root, steps: [{script: {run: 'echo made >~/made'}}]}}";
    let options = ["--read-only", "--tmpfs=/run", "--tmpfs=/tmp"];
    let without = Container::image(FIRST_RUN).config(text).options(options).run();
    let run = without.exec(["devinit", "first-run", "--user", "root"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.text().to_lowercase().contains("read-only"), "{run:?}");
    assert!(without.is_running());

    let with = Container::image(FIRST_RUN).config(text).options(options).option("--tmpfs=/root").run();
    let run = with.exec(["devinit", "first-run", "--user", "root"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(with.sh("cat /root/made"), "made");
}

#[test]
fn without_root_what_needs_no_root_is_done() {
    let mirror = Mirror::start();
    let url = mirror.put("/tool", "tool");
    let steps = [
        &*format!("download: {{url: '{url}', to: ~/tool}}"),
        "script: {name: system, run: 'touch /usr/local/system', as: root, optional: true}",
    ];
    let section = first_run("parallel: 2", &steps).replace("  user: peid\n", "");
    let container = Container::image(FIRST_RUN)
        .config(&format!("version: 1\n{section}"))
        .options(["--user=3100", "--tmpfs=/scratch:mode=1777"])
        .env("HOME", "/scratch")
        .run();
    container.wait_for_file("/scratch/tool");
    let run = container.exec(["devinit", "first-run"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_ne!(container.exec(["test", "-e", "/usr/local/system"]).code, 0);
    assert_eq!(mirror.requests("/tool").len(), 1, "the boot's run had done it");
}

#[test]
fn an_unknown_step_is_named_with_those_that_there_are() {
    let mirror = Mirror::start();
    let container = container(&users("")).run();
    container.wait_for_ssh();
    let run = ByHand::run(&container, &config(&mirror, &["uv: {}", "codex: {}"]), "--only codexx");
    assert_eq!(run.output.code, 1, "{:?}", run.output);
    let text = run.output.text();
    assert!(text.contains("codexx") && text.contains("uv, codex"), "{text}");
    assert_eq!(mirror.all_requests(), []);

    let kind = ByHand::run(&container, &config(&mirror, &["codexx: {}"]), "");
    assert_eq!(kind.output.code, 78, "{:?}", kind.output);
    let text = kind.output.text();
    assert!(text.contains("did you mean `codex`") && text.contains(BY_HAND), "{text}");
}

#[test]
fn only_and_force_do_what_they_say() {
    let mirror = Mirror::start();
    let steps = [
        "script: {name: a, run: 'echo a >>~/a'}",
        "script: {name: b, run: 'echo b >>~/b', needs: [a]}",
        "script: {name: c, run: 'echo c >>~/c'}",
    ];
    let config = config(&mirror, &steps);
    let container = container(&users("")).run();
    container.wait_for_ssh();
    let has = || container.sh("cd /home/peid; cat a b c 2>/dev/null | tr -d '\\n'; true");
    assert_eq!(ByHand::run(&container, &config, "--only b").output.code, 0);
    assert_eq!(has(), "ab", "b, and what it needs");
    assert_eq!(ByHand::run(&container, &config, "").output.code, 0);
    assert_eq!(has(), "abc", "what was left");
    assert_eq!(ByHand::run(&container, &config, "--only b --force").output.code, 0);
    assert_eq!(has(), "abbc", "b again, without what it needs");
    let changed = config.replace("echo c", "echo d");
    assert_eq!(ByHand::run(&container, &changed, "").output.code, 0);
    assert_eq!(has(), "abbcd", "what has changed, and nothing else");
}
