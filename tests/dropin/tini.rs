//! As tini.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

use crate::support::{Link, Running, children, end, ending_signals, eventually, plain, program, stat};

fn tini() -> Link {
    Link::new("tini")
}

/// Signals that tini does not pass on: of its own faults, and of a terminal to its background.
const KEPT: [i32; 9] = [4, 5, 6, 7, 8, 11, 21, 22, 31];

#[test]
fn the_childs_exit_code_is_tinis_unless_it_is_remapped() {
    let tini = tini();
    for code in [0, 1, 2, 77, 126, 127, 128, 143, 254, 255] {
        let exit = format!("exit {code}");
        assert_eq!(tini.run(["-s", "--", "sh", "-c", &exit]).code, Some(code));
        assert_eq!(tini.run(["-s", "-e", &code.to_string(), "--", "sh", "-c", &exit]).code, Some(0));
        let other = (code ^ 1).to_string();
        assert_eq!(tini.run(["-se", &other, "-e", "3", "--", "sh", "-c", &exit]).code, Some(code));
    }
}

#[test]
fn a_child_that_a_signal_ends_is_told_as_a_shell_does() {
    let tini = tini();
    for signal in [1, 9, 15] {
        let kill = format!("kill -{signal} $$");
        assert_eq!(tini.run(["-s", "--", "sh", "-c", &kill]).code, Some(128 + signal));
        let code = (128 + signal).to_string();
        assert_eq!(tini.run(["-s", "-e", &code, "--", "sh", "-c", &kill]).code, Some(0));
    }
}

#[test]
fn what_cannot_be_executed_has_the_codes_of_a_shell() {
    let tini = tini();
    let missing = tini.run(["-s", "no-such-program"]);
    assert_eq!((missing.code, missing.out.as_str()), (Some(127), ""));
    assert!(
        missing.err.starts_with("[FATAL tini (")
            && missing.err.ends_with(")] exec no-such-program failed: No such file or directory\n"),
        "{}",
        missing.err
    );
    let folder = tini.run(["-s", "/etc"]);
    assert_eq!(folder.code, Some(126));
    assert!(folder.err.ends_with("exec /etc failed: Permission denied\n"), "{}", folder.err);
    assert_eq!(tini.run(["-s", "--", "--", "true"]).code, Some(127));
    assert_eq!(tini.run(["-s", "-e", "127", "no-such-program"]).code, Some(0));
    assert!(tini.run(["-s", "\x1b[2Jx"]).err.contains("exec ?[2Jx failed"));
}

#[test]
fn a_script_without_an_interpreter_is_run_by_sh_and_found_as_a_shell_finds_it() {
    let tini = tini();
    for (folder, mode) in [("first", 0o644), ("second", 0o755)] {
        let path = tini.folder.path().join(folder);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("script"), "echo \"$# $1\"\nexit 9\n").unwrap();
        fs::set_permissions(path.join("script"), fs::Permissions::from_mode(mode)).unwrap();
    }
    let run = |path: &str| {
        end(tini.command().args(["-s", "--", "script", "a b", ""]).env("PATH", path).current_dir(tini.folder.path()))
    };
    let ended = run("missing:first:second");
    assert_eq!((ended.code, ended.out.as_str()), (Some(9), "2 a b\n"));
    assert_eq!(run("missing:first").code, Some(126));
    assert_eq!(run("first/script:missing").code, Some(127));
    let mut without = tini.command();
    assert_eq!(end(without.args(["-s", "--", "sh", "-c", "exit 3"]).env_remove("PATH")).code, Some(3));
}

#[test]
fn what_tini_does_not_understand_ends_it_with_1_and_the_usage() {
    let tini = tini();
    for wrong in [&[][..], &["-x", "true"], &["-p"], &["-s"], &["--"], &["--version", "x"]] {
        let ended = tini.run(wrong);
        assert_eq!(ended.code, Some(1), "{wrong:?}");
        assert!(ended.err.contains("supervision of a valid init process"), "{wrong:?}: {}", ended.err);
        assert!(ended.err.contains("more verbose"));
    }
    let name = tini.path().display();
    assert!(tini.run(["-x"]).err.starts_with(&format!("{name}: invalid option -- 'x'\n")));
    assert!(tini.run(["-e"]).err.starts_with(&format!("{name}: option requires an argument -- 'e'\n")));
    for (option, value) in [("-e", "256"), ("-e", "x"), ("-p", "TERM"), ("-p", "SIGRTMIN")] {
        let ended = tini.run([option, value, "true"]);
        assert_eq!(ended.code, Some(1));
        assert!(ended.err.ends_with(&format!("Not a valid option for {option}: {value}\n")), "{}", ended.err);
    }
}

#[test]
fn version_help_and_license_go_to_standard_output() {
    let tini = tini();
    let version = tini.run(["--version"]);
    assert_eq!(version.code, Some(0));
    assert_eq!(version.out, concat!("tini version 0.19.0 - devinit ", env!("CARGO_PKG_VERSION"), "\n"));
    for (option, holds) in [("-h", "-e EXIT_CODE"), ("-hx", "TINI_VERBOSITY"), ("-l", "Apache License")] {
        let ended = tini.run([option]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        assert!(ended.out.contains(holds), "{}", ended.out);
    }
}

#[test]
fn options_behind_the_program_are_tinis_unless_posix_is_asked_for() {
    if fs::exists("/etc/alpine-release").unwrap() {
        return;
    }
    let tini = tini();
    let words = ["-s", "echo", "a", "-e", "1", "b", "-w", "--", "-v"];
    assert_eq!(tini.run(words).out, "a b -v\n");
    assert_eq!(end(tini.command().args(words).env("POSIXLY_CORRECT", "")).out, "a -e 1 b -w -- -v\n");
    assert_eq!(tini.run(["sh", "-c", "true"]).code, Some(1));
}

#[test]
fn arguments_that_are_no_text_pass_through_as_they_are() {
    let odd = OsStr::from_bytes(b"\xff\xfe\n\x01");
    let arguments = [OsStr::new("-s"), OsStr::new("--"), OsStr::new("printf"), OsStr::new("%s"), odd];
    let output = tini().command().args(arguments).output().unwrap();
    assert_eq!(output.stdout, odd.as_bytes());
}

#[test]
fn it_talks_as_much_as_it_is_told_to() {
    let tini = tini();
    let at = |verbosity: &str| {
        let ended = end(tini.command().arg("true").env("TINI_VERBOSITY", verbosity));
        assert_eq!(ended.code, Some(0));
        ended
    };
    assert_eq!((at("0").out, at("0").err), (String::new(), String::new()));
    assert_eq!((at("").err, at("1").out), (String::new(), String::new()));
    assert!(at("1").err.contains("zombie reaping won't work"));
    assert!(at("2").out.contains("Spawned child process 'true' with pid '"));
    assert!(at("2").out.contains("Main child exited normally (with status '0')"));
    assert!(!at("2").out.contains("SIGCHLD"));
    assert!(at("3").out.contains("[DEBUG tini (") && at("3").out.contains("Received SIGCHLD"));
    assert!(at("4").out.contains("[TRACE tini ("));
    assert!(tini.run(["-vv", "-s", "true"]).out.contains("Received SIGCHLD"));
    assert!(end(tini.command().args(["-vvv", "true"]).env("TINI_VERBOSITY", "1")).out.is_empty());
}

#[test]
fn every_signal_is_passed_on_by_its_number() {
    let tini = tini();
    for signal in ending_signals().filter(|signal| !KEPT.contains(signal) && *signal != 9) {
        let running = tini.start(&["-s", "--", "sleep", "1000"], "sleep");
        running.send(signal);
        assert_eq!(running.code(), Some(128 + signal), "signal {signal}");
    }
}

#[test]
fn a_stopped_child_does_not_stop_tini_and_background_signals_are_its_own() {
    let running = tini().start(&["-s", "--", "sleep", "1000"], "sleep");
    for signal in [17, 21, 22, 23, 28] {
        running.send(signal);
    }
    running.send(20);
    eventually("the child is stopped", || stat(running.child(), 3) == "T");
    assert_eq!(stat(running.pid(), 3), "S");
    running.send(18);
    eventually("the child goes on", || stat(running.child(), 3) == "S");
    running.send(15);
    assert_eq!(running.code(), Some(143));
}

/// The child ignores the signal, and its own child does not.
const DEAF_PARENT: &str = "trap '' USR1; env --default-signal=USR1 sleep 1000; exit 5";

#[test]
fn with_g_signals_go_to_the_group() {
    let tini = tini();
    let by_variable = |command: &mut Command| Running::start(command.env("TINI_KILL_PROCESS_GROUP", ""), "sh");
    let words = ["-s", "--", "sh", "-c", DEAF_PARENT];
    for running in
        [tini.start(&["-g", "-s", "--", "sh", "-c", DEAF_PARENT], "sh"), by_variable(tini.command().args(words))]
    {
        eventually("the grandchild runs", || children(running.child()).iter().any(|pid| program(*pid) == "sleep"));
        running.send(10);
        assert_eq!(running.code(), Some(5));
    }
}

#[test]
fn with_p_the_end_of_the_parent_reaches_the_child() {
    let tini = tini();
    let told = tini.folder.path().join("told");
    // The parent ends at once when its standard input does.
    let program = "\"$0\" -s -p SIGUSR1 -- sh -c 'trap \"echo told >\\\"$0\\\"; exit\" USR1; echo ready; while :; do sleep 0.05; done' \"$1\" & read -r _; kill -9 $$";
    let mut shell = plain(Command::new("sh"));
    shell.args(["-c", program]).arg(tini.path()).arg(&told).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut parent = shell.spawn().unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(parent.stdout.as_mut().unwrap(), &mut ready).unwrap();
    drop(parent.stdin.take());
    parent.wait().unwrap();
    eventually("the child is told", || fs::read_to_string(&told).is_ok_and(|text| text == "told\n"));
}

#[test]
fn as_a_subreaper_it_reaps_what_is_left_to_it_and_tells_if_asked() {
    let tini = tini();
    // Five orphans; the shell waits until they have become tini's children and are gone.
    let orphans = "for i in 1 2 3 4 5; do (sh -c 'kill -9 $$' & ) ; done; for try in $(seq 500); do \
        [ \"$(cat /proc/$PPID/task/$PPID/children)\" = \"$$ \" ] && exit 7; sleep 0.02; done";
    for options in [&["-s"][..], &["-s", "-w"]] {
        let ended = tini.run(options.iter().chain(&["--", "sh", "-c", orphans]));
        assert_eq!(ended.code, Some(7), "{}", ended.err);
        assert_eq!(ended.err.matches("[WARN  tini (").count(), if options.len() == 2 { 5 } else { 0 }, "{}", ended.err);
        assert_eq!(
            ended.err.matches("Reaped zombie process with pid=").count(),
            if options.len() == 2 { 5 } else { 0 }
        );
    }
    let by_variable = end(tini.command().args(["--", "sh", "-c", orphans]).env("TINI_SUBREAPER", ""));
    assert_eq!((by_variable.code, by_variable.err.as_str()), (Some(7), ""));
}

#[test]
fn the_child_gets_the_signal_state_that_tini_was_started_with() {
    let state = |init: &[&str]| {
        let mut command = plain(Command::new("env"));
        command.args(["--default-signal", "--ignore-signal=TTOU,INT,CHLD,SEGV", "--block-signal=TTIN,TERM,ILL,CHLD"]);
        let ended = end(command.args(init).args(["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]));
        assert_eq!(ended.code, Some(0));
        ended.out
    };
    let tini = tini();
    assert_eq!(state(&[tini.path().to_str().unwrap(), "-s", "--"]), state(&[]));
}

#[test]
fn nothing_else_of_the_process_changes() {
    let look =
        "umask; ulimit -a; ls -l /proc/self/fd | sed 's/.* 0 //' | grep -v '/proc/'; env; pwd; cat /proc/self/cgroup";
    let look = format!("unset _; {look}");
    let with = tini().run(["-s", "--", "sh", "-c", &look]);
    let without = end(plain(Command::new("sh")).args(["-c", &look]));
    let relevant = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("pipe:"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(relevant(&with.out), relevant(&without.out));
}

#[test]
fn under_the_names_of_docker_and_podman_it_is_tini_as_well() {
    for name in ["docker-init", "podman-init", "tini-static", "tini-amd64"] {
        let ended = Link::new(name).run(["-s", "-e", "3", "--", "sh", "-c", "exit 3"]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{name}");
    }
    assert_ne!(Link::new("devinit").run(["-s", "--", "true"]).code, Some(0));
}

#[test]
fn as_pid_1_it_needs_no_subreaper_and_reaps() {
    if !geteuid().is_root() {
        return;
    }
    let tini = tini();
    let mut unshare = plain(Command::new("unshare"));
    let look =
        "(sh -c 'exit 3' &); sleep 0.5; echo $PPID; grep -l '^State:.Z' /proc/[0-9]*/status; kill -TERM 1; sleep 60";
    let ended =
        end(unshare.args(["--pid", "--fork", "--mount-proc"]).arg(tini.path()).args(["-w", "--", "sh", "-c", look]));
    assert_eq!((ended.code, ended.out.as_str()), (Some(143), "1\n"));
    assert_eq!(ended.err.matches("[WARN  tini (1)] Reaped zombie process").count(), 1, "{}", ended.err);
}

#[test]
fn without_standard_input_it_fails_as_ever() {
    let mut shell = plain(Command::new("sh"));
    let ended = end(shell.args(["-c", "exec \"$0\" -s true <&-"]).arg(tini().path()));
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.ends_with("tcsetpgrp failed: Bad file descriptor\n"), "{}", ended.err);
}
