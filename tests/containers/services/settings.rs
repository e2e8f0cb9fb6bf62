//! Identity and resources: what a service is told is what the kernel says of it.

use super::{devinit, run, state, wait_for_state};

#[test]
fn a_service_has_the_identity_and_the_resources_that_it_was_given() {
    let container = run("  model:
    command: [sleep, 1d]
    user: games
    groups: [video, '4321']
    directory: /tmp
    environment: {A: '1', B: 'from the config'}
    umask: '027'
    nice: 15
    oom_score_adj: 300
    limits: {nofile: '512:1024', core: 0, memlock: 1MiB, stack: unlimited}
    no_new_privileges: true
");
    wait_for_state(&container, "model", "ready");
    let status = container.sh("cat /proc/$(pgrep -x sleep)/status");
    let has = |line: &str| {
        assert!(
            status.lines().any(|found| found.split_whitespace().collect::<Vec<_>>().join(" ") == line),
            "{line}: {status}"
        )
    };
    let video = container.sh("getent group video | cut -d: -f3");
    // With its own primary group, as setgroups(2) has it by custom.
    has(&format!("Groups: {video} 60 4321"));
    has("Uid: 5 5 5 5");
    has("Umask: 0027");
    has("NoNewPrivs: 1");
    assert_eq!(
        container.sh("cat /proc/$(pgrep -x sleep)/oom_score_adj; ps -o ni= -p $(pgrep -x sleep) | tr -d ' '"),
        "300\n15"
    );
    // Not even root sees this of another user's process without CAP_SYS_PTRACE.
    let folder = ["sh", "-c", "readlink /proc/$(pgrep -x sleep)/cwd"];
    assert_eq!(container.exec_as("games", folder).success(), "/tmp");
    let limits = container.sh("cat /proc/$(pgrep -x sleep)/limits");
    for limit in
        ["Max open files 512 1024 files", "Max core file size 0 0 bytes", "Max locked memory 1048576 1048576 bytes"]
    {
        assert!(
            limits.lines().any(|found| found.split_whitespace().collect::<Vec<_>>().join(" ") == limit),
            "{limit}: {limits}"
        );
    }
}

#[test]
fn a_root_service_without_capabilities_cannot_do_what_root_can() {
    let container = run("  plain: {command: 'touch /allowed; chown 5 /allowed && touch /changed; exec sleep 1d'}
  dropped:
    drop_capabilities: [ALL]
    command: 'touch /mine; chown 5 /mine || touch /refused; exec sleep 2d'
");
    wait_for_state(&container, "dropped", "ready");
    container.wait_for_file("/changed");
    container.wait_for_file("/refused");
    let status = container.sh("cat /proc/$(pgrep -x -f 'sleep 2d')/status");
    for set in ["CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000")), "{set}: {status}");
    }
}

#[test]
fn variables_come_from_a_file_that_is_read_as_the_service_at_each_start() {
    let container = run("  api:
    manual: true
    user: games
    environment: {TOKEN: 'from the config'}
    environment_files: [/env/api]
    command: 'echo \"$TOKEN $OTHER\" > /tmp/seen; exec sleep 1d'
  thief: {manual: true, user: games, restart: never, environment_files: [/env/link], command: 'env > /tmp/stolen'}
");
    container.sh("mkdir /env; printf '# keys\\nexport TOKEN=\"first\"\\nOTHER=a b\\r\\n' > /env/api; chown games /env/api; chmod 600 /env/api");
    devinit(&container, ["start", "api", "--wait"]).success();
    container.wait_for_file("/tmp/seen");
    assert_eq!(container.sh("cat /tmp/seen"), "first a b");
    container.sh("sed -i s/first/second/ /env/api; chown games /env/api");
    devinit(&container, ["restart", "api", "--wait"]).success();
    assert_eq!(container.sh("cat /tmp/seen"), "second a b");

    container.sh("printf 'SECRET=of-root\\n' > /env/secret; chmod 600 /env/secret; ln -s /env/secret /env/link");
    let refused = devinit(&container, ["start", "thief", "--wait"]);
    assert!(refused.code == 1 && refused.text().contains("/env/link"), "{refused:?}");
    assert_eq!(container.exec(["test", "-e", "/tmp/stolen"]).code, 1);
}

#[test]
fn what_cannot_be_set_is_a_clear_failure_and_nothing_runs_without_it() {
    let container = run("  greedy: {restart: never, oom_score_adj: -900, command: 'touch /ran; exec sleep 1d'}
  other: {command: [sleep, 1d]}
");
    wait_for_state(&container, "greedy", "failed");
    assert_eq!(state(&container, "other"), "ready");
    assert_eq!(container.exec(["test", "-e", "/ran"]).code, 1);
    let status = devinit(&container, ["status"]).success();
    assert!(status.contains("oom_score_adj"), "{status}");
}
