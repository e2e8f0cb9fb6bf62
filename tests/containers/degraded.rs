//! Where rights are missing, devinit boots as far as it can, says on one line what it left out, and runs the command.

use std::time::Duration;

use crate::support::{BARE, BASE, Container, Key, ROOT_AND_PEID, UBUNTU, seconds, wait_for};

/// The line of the log that has all of these words.
#[track_caller]
fn says(container: &Container, words: &[&str]) {
    wait_for(&format!("a line with {words:?} in the log"), seconds(20), || {
        let log = container.logs().to_lowercase();
        log.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
    });
}

/// Each way of taking rights away, and the command mode under it.
#[test]
fn a_command_runs_under_each_restriction() {
    let restrictions: [&[&str]; 8] = [
        &["--user=12345"],
        &["--user=12345:0"],
        &["--read-only", "--tmpfs=/run", "--tmpfs=/tmp"],
        &["--read-only"],
        &["--cap-drop=ALL"],
        &["--security-opt=no-new-privileges"],
        &["--init"],
        &["--network=none"],
    ];
    for options in restrictions {
        let mut builder = Container::image(BASE).config(ROOT_AND_PEID).key(&Key::new());
        for option in options {
            builder = builder.option(*option);
        }
        let output = builder.command(["sh", "-c", "echo ran; exit 7"]).output();
        assert_eq!((output.stdout.as_str(), output.code), ("ran\n", 7), "{options:?}: {}", output.stderr);
    }
}

#[test]
fn an_arbitrary_uid_gets_the_command_and_is_told_what_is_missing() {
    let container = Container::image(BASE).config(ROOT_AND_PEID).key(&Key::new()).option("--user=12345").run();
    says(&container, &["root"]);
    std::thread::sleep(seconds(2));
    assert!(container.is_running(), "it gave up");
    let exit = container.stop();
    assert_eq!(exit.code, 0);
    assert!(exit.after < seconds(5), "{exit:?}");
    assert_eq!(Container::image(BASE).option("--user=12345").command(["id", "-u"]).output().success(), "12345");
}

#[test]
fn an_arbitrary_uid_runs_the_app() {
    let container = Container::image(BASE)
        .config("{version: 1, app: {command: 'id -u > /tmp/uid; exec sleep 1000'}}")
        .option("--user=12345")
        .run();
    wait_for("the app", seconds(20), || (container.exec(["cat", "/tmp/uid"]).stdout == "12345\n").then_some(()));
}

#[test]
fn a_read_only_root_is_named_and_root_can_still_log_in() {
    let key = Key::new();
    let container = Container::image(BASE)
        .config(ROOT_AND_PEID)
        .key(&key)
        .options(["--read-only", "--tmpfs=/run", "--tmpfs=/tmp"])
        .run();
    says(&container, &["read-only"]);
    container.wait_for_ssh();
    assert_eq!(container.ssh("root").run("id -u").success(), "0");
    assert_eq!(container.stop().code, 0);
}

#[test]
fn without_capabilities_it_stays_up_and_says_so() {
    let container = Container::image(BASE).config(ROOT_AND_PEID).key(&Key::new()).option("--cap-drop=ALL").run();
    says(&container, &["capabilit"]);
    assert!(container.is_running());
    assert_eq!(container.stop().code, 0);
}

#[test]
fn without_new_privileges_ssh_works_and_sudo_is_named() {
    let key = Key::new();
    let container =
        Container::image(BASE).config(ROOT_AND_PEID).key(&key).option("--security-opt=no-new-privileges").run();
    container.wait_for_ssh();
    assert_eq!(container.ssh("peid").run("id -u").success(), "3100");
    says(&container, &["sudo", "privileges"]);
}

#[test]
fn under_another_init_it_is_a_subreaper_and_stops_as_cleanly() {
    let key = Key::new();
    let container = Container::image(BASE)
        .config("{version: 1, app: {command: [/test/save-on-term, '1', /saved]}}")
        .key(&key)
        .option("--init")
        .run();
    container.wait_for_ssh();
    container.wait_for_file("/saved.ready");
    container.ssh("root").run("setsid -f sleep 1000 >/dev/null 2>&1 </dev/null").success();
    let parent = container.sh("ps -o comm= -p $(ps -C sleep -o ppid= | head -n 1)");
    assert_eq!(parent, "devinit", "the orphan went to another reaper");

    let exit = container.stop();
    assert_eq!(exit.code, 0);
    assert!(container.file("/saved").is_some(), "the app was not asked to save");
    assert!(exit.after < seconds(6), "{exit:?}");
}

#[test]
fn in_a_shared_process_namespace_it_ends_nobody_elses_processes() {
    let other = Container::image(BASE).option("--entrypoint=sleep").command(["4242"]).run();
    let container = Container::image(BASE)
        .config("{version: 1, app: {command: [/test/save-on-term, '0.2', /saved]}}")
        .option(format!("--pid=container:{}", other.name()))
        .run();
    container.wait_for_file("/saved.ready");
    other.start("exec sleep 4343");
    let exit = container.stop();
    assert_eq!(exit.code, 0);
    assert!(exit.after < seconds(5), "{exit:?}");
    assert!(container.file("/saved").is_some(), "its own app was not asked to save");
    assert!(other.is_running(), "the other container's first process was ended");
    assert!(other.pid_of("^sleep 4343").is_some(), "the other container's process was ended");
}

/// As `unshare --pid --fork` leaves it: the ids in /proc are those of others.
#[test]
fn with_the_proc_of_another_process_namespace_it_ends_all_the_same() {
    let container =
        Container::image(BASE).options(["--entrypoint=sleep", "--cap-add=SYS_ADMIN"]).command(["1000"]).run();
    let output =
        container.exec(["timeout", "-s", "KILL", "5", "unshare", "-pf", "devinit", "--", "sh", "-c", "exit 7"]);
    assert_eq!(output.code, 7, "{output:?}");
}

/// Four clients that say nothing have all the descriptors there are.
#[test]
fn without_descriptors_it_answers_and_ends_in_time() {
    let container = Container::image(BASE)
        .option("--ulimit=nofile=14:14")
        .command(["bash", "-c", "trap '' TERM; touch /ready; while :; do sleep 1; done"])
        .run();
    container.wait_for_file("/ready");
    let silent = "import socket, time
held = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(8)]
for client in held: client.connect('/run/devinit/control.sock')
open('/held', 'w').close()
time.sleep(100)";
    container.start(&format!("exec python3 -c \"{silent}\""));
    container.wait_for_file("/held");
    assert_eq!(container.exec(["devinit", "status"]).code, 0);
    let exit = container.stop();
    assert!(exit.after < Duration::from_millis(9600), "{exit:?}");
}

#[test]
fn an_image_without_sshd_says_so_and_runs_its_app() {
    let container = Container::image(BARE).config("{version: 1, app: {command: 'touch /up; exec sleep 1000'}}").run();
    container.wait_for_file("/up");
    says(&container, &["sshd"]);
    assert!(container.is_running());
    assert_eq!(container.stop().code, 0);
    assert_eq!(Container::image(BARE).command(["echo", "ran"]).output().stdout, "ran\n");
}

#[test]
fn an_ordinary_user_of_the_image_can_log_in_as_itself() {
    let key = Key::new();
    let container = Container::image(UBUNTU).key(&key).option("--user=1000").run();
    container.wait_for_ssh();
    assert_eq!(container.ssh("ubuntu").run("id -un").success(), "ubuntu");
    says(&container, &["ssh as uid 1000 only"]);
    assert_eq!(container.stop().code, 0);
}
