//! What is done again, and what is left alone; and what is said of a step that fails.

use std::fs;
use std::time::Duration;

use super::container::Ended;
use super::world::World;

/// Three steps that write down that they ran, and a download.
fn steps(world: &World) -> Vec<String> {
    let url = world.server.put("/file", "content\n");
    [
        &format!("download: {{name: file, url: '{url}', to: ~/file}}"),
        "script: {name: one, run: 'echo one >>~/log', creates: [~/log]}",
        "script: {name: two, needs: [one], run: 'echo two >>~/log'}",
        "script: {name: path, needs: [two], path: /opt/path.sh, args: [a]}",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn world() -> (World, Vec<String>) {
    let world = World::new();
    world.write("/opt/path.sh", "echo path $1 >>~/log\n");
    let steps = steps(&world);
    let first = world.container.run(&world.config(&steps), &["--json"]).expect(0);
    assert_eq!(first.tasks("done"), ["file", "one", "path", "two"]);
    assert_eq!(world.text("log"), "one\ntwo\npath a\n");
    (world, steps)
}

/// Runs it again and asserts that just this is done; a third run does nothing.
#[track_caller]
fn assert_redone(world: &World, config: &str, redone: &[&str]) -> Ended {
    world.server.forget();
    let ended = world.container.run(config, &["--json"]).expect(0);
    assert_eq!(ended.tasks("begin"), redone, "{}", ended.out);
    assert_eq!(world.server.requests("/file").len(), usize::from(redone.contains(&"file")));
    world.server.forget();
    let next = world.container.run(config, &["--json"]).expect(0);
    assert_eq!((next.tasks("begin"), world.server.all_requests()), (Vec::new(), Vec::new()));
    ended
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_changed_step_is_done_again_alone() {
    let (world, mut steps) = world();
    assert_redone(&world, &world.config(&steps), &[]);
    steps[1] = steps[1].replace("echo one", "echo changed");
    assert_redone(&world, &world.config(&steps), &["one"]);
    steps[3] = steps[3].replace("[a]", "[b]");
    assert_redone(&world, &world.config(&steps), &["path"]);
    steps[0] = steps[0].replace("to: ~/file", "to: ~/file, mode: '0755'");
    assert_redone(&world, &world.config(&steps), &["file"]);
    // Neither the order nor what steps wait for is what they do.
    steps.swap(0, 2);
    steps[0] = steps[0].replace("[one]", "[one, file]");
    assert_redone(&world, &world.config(&steps), &[]);
    assert_eq!(world.text("log"), "one\ntwo\npath a\nchanged\npath b\n");
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_script_that_has_changed_is_run_again() {
    let (world, steps) = world();
    world.write("/opt/path.sh", "echo new path $1 >>~/log\n");
    assert_redone(&world, &world.config(&steps), &["path"]);
    assert_eq!(world.text("log"), "one\ntwo\npath a\nnew path a\n");
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn what_is_missing_is_made_again() {
    let (world, steps) = world();
    let config = world.config(&steps);
    fs::remove_file(world.home.join("file")).unwrap();
    assert_redone(&world, &config, &["file"]);
    assert_eq!(world.text("file"), "content\n");
    fs::remove_file(world.home.join("log")).unwrap();
    assert_redone(&world, &config, &["one"]);
    // A record that is no record is none.
    let record = world.home.join(super::tree::STATE).join("two.json");
    fs::write(&record, "{").unwrap();
    assert_redone(&world, &config, &["two"]);
    fs::remove_file(record).unwrap();
    assert_redone(&world, &config, &["two"]);
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn force_does_all_again_and_only_does_a_step_with_what_it_needs() {
    let (world, steps) = world();
    let config = world.config(&steps);
    let run = |arguments: &[&str]| {
        let ended = world.container.run(&config, &[&["--json"], arguments].concat()).expect(0);
        (ended.tasks("begin"), ended.tasks("unchanged"))
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(run(&["--force"]), (names(&["file", "one", "path", "two"]), names(&[])));
    assert_eq!(run(&["--only", "two"]), (names(&[]), names(&["one", "two"])));
    assert_eq!(run(&["--only", "two", "--force"]), (names(&["two"]), names(&["one"])));
    fs::remove_file(world.home.join("log")).unwrap();
    assert_eq!(run(&["--only", "two", "--only", "file"]), (names(&["one"]), names(&["file", "two"])));
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn only_takes_a_step_with_its_parts_or_one_of_them() {
    let world = World::new();
    let config = world.all_steps();
    let done = |step: &str| world.container.run(&config, &["--json", "--only", step]).expect(0).tasks("done");
    assert_eq!(done("pixi"), ["pixi", "pixi.global"]);
    // Packages of bun wait for Node.js if there is a step for it.
    assert_eq!(done("bun.global"), ["bun", "bun.global", "node"]);
    assert_eq!(done("node"), ["node.global"]);
    let ended = world.container.run(&config, &["--only", "pixy"]).expect(1);
    assert!(ended.err.contains("there is no step pixy") && ended.err.contains("pixi, pixi.global, uv"), "{ended:?}");
    assert!(!world.home.join("project").exists());
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_step_that_fails_is_shown_with_its_last_words_and_what_needs_it_is_skipped() {
    let world = World::new();
    let failing = "script: {name: bad, run: 'echo the reason >&2; exit 7', retries: 0}";
    let rest = ["script: {name: behind, needs: [bad], run: ':'}", "script: {name: good, run: ':'}"];
    let config = world.config(&[&[failing][..], &rest].concat());
    let ended = world.container.run(&config, &[]).expect(1);
    let lines = [
        "bad failed: sh ended with exit code 7",
        "| the reason",
        "log: /home/peid/.local/state/devinit/first-run/logs/bad.log",
    ];
    for line in lines.into_iter().chain(["try again: devinit first-run", "--only bad", "1 of 3 done"]) {
        assert!(ended.out.contains(line), "no {line:?} in {}", ended.out);
    }
    let again = world.container.run(&config, &["--json"]).expect(1);
    assert_eq!((again.tasks("failed"), again.tasks("skipped"), again.tasks("unchanged")), {
        (vec!["bad".to_owned()], vec!["behind".to_owned()], vec!["good".to_owned()])
    });

    // Without what is optional, and what only waits for that, it counts as done.
    let optional = world.config(&[failing.replace("retries: 0", "retries: 0, optional: true"), rest[1].to_owned()]);
    let ended = world.container.run(&optional, &[]).expect(0);
    assert!(ended.out.contains("bad (optional) failed"), "{}", ended.out);
    world.container.run(&config.replace("exit 7", "exit 0"), &[]).expect(0);
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_failure_that_may_pass_is_tried_again() {
    let world = World::new();
    let config =
        world.config(&["script: {name: second, run: '[ -e ~/tried ] || { touch ~/tried; exit 1; }', retries: 1}"]);
    let ended = world.container.run(&config, &["--json"]).expect(0);
    assert_eq!((ended.tasks("begin").len(), ended.tasks("retry").len()), (2, 1));
    assert!(ended.took < Duration::from_secs(4), "{:?}", ended.took);
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_step_that_takes_too_long_is_ended_and_says_so() {
    let world = World::new();
    let url = world.server.put("/slow", vec![0; 1_000_000]);
    world.server.slow("/slow", Some(50_000));
    let config = world.config(&[
        "script: {name: asleep, run: 'echo dreaming; sleep 300', timeout: 500ms, retries: 0}",
        "script: {name: deaf, run: 'trap \"\" TERM; while :; do sleep 0.05; done', timeout: 500ms, retries: 0}",
        &format!("download: {{name: slow, url: '{url}', to: ~/slow, timeout: 500ms, retries: 0}}"),
    ]);
    let ended = world.container.run(&config, &[]).expect(1);
    for name in ["asleep", "deaf", "slow"] {
        let text = format!("{name} failed: it was not done within its time limit of 500ms");
        assert!(ended.out.contains(&text), "no {text:?} in {}", ended.out);
    }
    assert!(ended.out.contains("hint: if it needs longer, raise timeout: of the step"), "{}", ended.out);
    assert!(ended.out.contains("| dreaming"), "{}", ended.out);
    assert!(ended.took < Duration::from_secs(4), "{:?}", ended.took);
    world.container.assert_gone(Duration::from_secs(1));
}
