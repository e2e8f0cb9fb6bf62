//! Everything that people put into such images, installed at boot for peid with upstream's real binaries, and used.

use devinit::first_run::progress::State;

use super::{assert_all_done, config, container, finished, progress, task};
use crate::support::{Container, Key, Mirror, Output, Volume, seconds};

const STEPS: [&str; 14] = [
    "pixi: {global: [jq]}",
    "uv: {}",
    "node: {version: lts}",
    "bun: {global: ['@devinit-test/greeter@latest']}",
    "claude-code: {}",
    "codex: {}",
    "download: {name: clash-rs, github: Watfaq/clash-rs, asset: 'clash-rs-{arch}-unknown-linux-gnu', \
     to: /soft/app/clash/clash, mode: '0755'}",
    "script: {name: workspace, path: /opt/setup-workspace.sh, args: ['--name=My Project']}",
    "npm: {packages: [devinit-parrot]}",
    // Of plain http, pip asks whether it is meant.
    "pip: {packages: [devinit-abacus], break_system_packages: true}",
    "micromamba: {}",
    "code-server: {}",
    "ollama: {}",
    // SSH answers before this has ended.
    "script: {name: slow, run: 'sleep 10'}",
];

/// What is typed, and what is in the answer.
const TOOLS: [(&str, &str); 15] = [
    ("uv --version", "uv 0.12.5"),
    ("uvx --version", "0.12.5"),
    ("node --version", "v24.19.0"),
    ("npm --version", "."),
    ("bun --version", "1.4.5"),
    ("greeter from bun", "hello from greeter from bun"),
    ("parrot from npm", "parrot says from npm"),
    ("claude --version", "2.1.330"),
    ("codex --version", "0.169.0"),
    ("pixi --version", "pixi 0.77.0"),
    ("jq", "jq, as pixi 0.77.0 installed it"),
    ("abacus", "abacus counts"),
    ("micromamba --version", "2.3.2"),
    ("code-server --version", "4.139.1"),
    ("/soft/app/clash/clash -v", "clash-rs 0.10.8"),
];

const SETUP: &str =
    "#!/bin/bash\nset -eu\nmkdir -p ~/workspace\nprintf '%s|' \"$(id -un)\" \"$HOME\" \"$@\" >~/workspace/told\n";

fn boot(mirror: &Mirror, home: &Volume, key: &Key) -> Container {
    container(&config(mirror, &STEPS))
        .key(key)
        .mounted_program("/opt/setup-workspace.sh", SETUP)
        .volume(home, "/home/peid")
        .run()
}

#[track_caller]
fn assert_works(how: &str, (line, answer): (&str, &str), output: &Output) {
    assert!(output.code == 0 && output.stdout.contains(answer), "{how}: {line}: {output:?}");
}

#[test]
fn everything_is_installed_for_peid_and_a_fresh_container_finds_it() {
    let (mirror, home, key) = (Mirror::start(), Volume::new(), Key::new());
    let container = boot(&mirror, &home, &key);
    container.wait_for_ssh();
    container.ssh("peid").run("true").success();
    assert!(progress(&container).is_none_or(|progress| !progress.ended), "SSH waited for the first run");

    let ended = finished(&container, seconds(400));
    assert_all_done(&ended);
    assert_eq!(task(&ended, "uv").version.as_deref(), Some("0.12.5"));
    let waited = container.exec(["devinit", "status", "--wait", "--timeout", "30s"]);
    assert_eq!(waited.code, 0, "{waited:?}");

    tools_are_found_in_every_kind_of_session(&container);
    homes_are_left_in_order(&container);
    assert_eq!(container.sh("cat /home/peid/workspace/told"), "peid|/home/peid|--name=My Project|");
    by_hand_there_is_nothing_to_do(&container, &mirror);
    assert_eq!(container.stop().code, 0);
    drop(container);

    mirror.forget();
    let container = boot(&mirror, &home, &key);
    let ended = finished(&container, seconds(120));
    assert_all_done(&ended);
    let redone: Vec<_> = ended.tasks.iter().filter(|task| task.state == State::Done).map(|task| &task.name).collect();
    assert_eq!(redone, ["clash-rs"], "what is outside of the home is redone, and nothing else");
    let asked: Vec<_> = mirror.all_requests().into_iter().map(|request| request.path).collect();
    assert!(asked.iter().all(|path| path.contains("/Watfaq/clash-rs/")), "{asked:?}");
    container.wait_for_ssh();
    assert_works("after the second boot", TOOLS[0], &container.ssh("peid").run(TOOLS[0].0));
}

fn tools_are_found_in_every_kind_of_session(container: &Container) {
    for tool in TOOLS {
        assert_works("ssh", tool, &container.ssh("peid").run(tool.0));
    }
    let all: String = TOOLS.iter().map(|(line, _)| format!("{line} </dev/null || echo failed: {line}\n")).collect();
    let login = container.ssh("peid").shell(&all);
    let exec = container.exec_as("peid", ["bash", "-lc", &all]);
    for (line, answer) in TOOLS {
        for (how, output) in [("a login shell", &login), ("docker exec bash -l", &exec)] {
            assert!(output.stdout.contains(answer) && !output.text().contains("failed:"), "{how}: {line}: {output:?}");
        }
    }
    let mut terminal = container.ssh("peid").terminal();
    terminal.ask_until("uv --version\n", "uv 0.12.5");
    terminal.send("exit\n");
}

fn homes_are_left_in_order(container: &Container) {
    assert_eq!(
        container.sh("find /home/peid /soft/app/clash ! '(' -user peid -group 1100 ')' | head"),
        "",
        "not peid's"
    );
    for file in [".bashrc", ".profile", ".bash_logout"] {
        container.exec(["cmp", &format!("/etc/skel/{file}"), &format!("/home/peid/{file}")]).success();
    }
    for path in [
        container.ssh("root").run("echo $PATH").success(),
        container.ssh("root").shell("echo $PATH\n").success(),
        container.exec(["bash", "-lc", "echo $PATH"]).success(),
    ] {
        assert!(!path.contains("/home/peid"), "root would run what peid can change: {path}");
    }
    assert_eq!(container.sh("find /root /usr/local /opt -newer /etc/devinit -user root -name '.*.new' | head"), "");
}

fn by_hand_there_is_nothing_to_do(container: &Container, mirror: &Mirror) {
    mirror.forget();
    let output = container.exec(["devinit", "first-run", "--user", "peid"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(mirror.all_requests(), []);
    let plan = container.exec(["devinit", "first-run", "--plan"]).success();
    assert!(plan.contains("uv") && plan.contains("0.12.5"), "{plan}");
}
