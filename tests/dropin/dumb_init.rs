//! As dumb-init.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use devinit::sys;
use nix::unistd::geteuid;

use crate::support::{Link, Running, children, end, ending_signals, eventually, plain, program, stat};

fn dumb_init() -> Link {
    Link::new("dumb-init")
}

/// Called by its bare name, as messages have it.
fn bare(link: &Link) -> Command {
    let mut command = link.command();
    command.arg0("dumb-init");
    command
}

const HELP: &str = "\
dumb-init v1.2.5
Usage: dumb-init [option] command [[arg] ...]

dumb-init is a simple process supervisor that forwards signals to children.
It is designed to run as PID1 in minimal container environments.

Optional arguments:
   -c, --single-child   Run in single-child mode.
                        In this mode, signals are only proxied to the
                        direct child and not any of its descendants.
   -r, --rewrite s:r    Rewrite received signal s to new signal r before proxying.
                        To ignore (not proxy) a signal, rewrite it to 0.
                        This option can be specified multiple times.
   -v, --verbose        Print debugging information to stderr.
   -h, --help           Print this help message and exit.
   -V, --version        Print the current version and exit.

Full help is available online at https://github.com/Yelp/dumb-init
";

#[test]
fn what_it_says_of_itself_goes_to_standard_error() {
    let link = dumb_init();
    let said = |arguments: &[&str]| {
        let ended = end(bare(&link).args(arguments));
        assert_eq!(ended.out, "");
        (ended.code.unwrap(), ended.err)
    };
    for help in ["-h", "--help", "--h", "-vh"] {
        assert_eq!(said(&[help]), (0, HELP.to_owned()));
    }
    for version in ["-V", "--version", "--vers"] {
        assert_eq!(said(&[version]), (0, "dumb-init v1.2.5\n".to_owned()));
    }
    let usage = "Usage: dumb-init [option] program [args]\nTry dumb-init --help for full usage.\n";
    for none in [&[][..], &["--"], &["-c"]] {
        assert_eq!(said(none), (1, usage.to_owned()));
    }
    for (wrong, message) in [
        (&["--yolo", "/bin/true"][..], "unrecognized option '--yolo'"),
        (&["-x", "true"], "invalid option -- 'x'"),
        (&["-r"], "option requires an argument -- 'r'"),
        (&["--rewrite"], "option '--rewrite' requires an argument"),
        (&["--help=1"], "option '--help' doesn't allow an argument"),
        (&["--ver"], "option '--ver' is ambiguous; possibilities: '--verbose' '--version'"),
    ] {
        assert_eq!(said(wrong), (1, format!("dumb-init: {message}\n")));
    }
}

#[test]
fn a_rewrite_that_names_no_signals_is_refused() {
    let link = dumb_init();
    let usage = "Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.\n\
        This option can be specified multiple times.\nUse --help for full usage.\n";
    for wrong in ["", "herp", "herp:derp", "15", "15::12", "15:derp", "0:1", "1:32", "1:65", "-1:1"] {
        let ended = link.run(["-r", "15:12", "-r", wrong, "echo"]);
        assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(1), "", usage), "{wrong:?}");
    }
    for right in ["15:2", " 15:+2abc", "1:0", "37:15", "15:64"] {
        assert_eq!(link.run(["-r", right, "true"]).code, Some(0), "{right:?}");
        assert_eq!(link.run([&format!("--rewrite={right}"), "true"]).code, Some(0), "{right:?}");
    }
}

#[test]
fn the_childs_exit_code_is_its_own() {
    let link = dumb_init();
    for mode in ["0", "1"] {
        let run = |program: &str| end(link.command().args(["sh", "-c", program]).env("DUMB_INIT_SETSID", mode)).code;
        for code in [0, 1, 2, 127, 128, 255] {
            assert_eq!(run(&format!("exit {code}")), Some(code));
        }
        for signal in [1, 9, 15] {
            assert_eq!(run(&format!("kill -{signal} $$")), Some(128 + signal));
        }
    }
    for arguments in
        [&["/missing"][..], &["--", "/missing"], &["-c", "/missing"], &["--single-child", "--", "/missing"]]
    {
        let ended = link.run(arguments);
        assert_eq!((ended.code, ended.err.as_str()), (Some(2), "[dumb-init] /missing: No such file or directory\n"));
    }
}

#[test]
fn its_options_end_at_the_program() {
    let ended = dumb_init().run(["-c", "echo", "-v", "--", "x"]);
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("-v -- x\n", ""));
}

#[test]
fn told_to_talk_it_tells_each_step() {
    let link = dumb_init();
    let is_pid = |word: &str| word.trim_end_matches('.').parse().is_ok_and(|number: u32| number > 99);
    let words =
        |line: &str| line.split(' ').map(|word| if is_pid(word) { "N" } else { word }).collect::<Vec<_>>().join(" ");
    let without_pids = |text: &str| text.lines().map(words).collect::<Vec<_>>();
    let expected = [
        "[dumb-init] Child spawned with PID N",
        "[dumb-init] Received signal 17.",
        "[dumb-init] A child with PID N exited with exit status 0.",
        "[dumb-init] Forwarded signal 15 to children.",
        "[dumb-init] Child exited with status 0. Goodbye.",
    ];
    assert_eq!(without_pids(&link.run(["-v", "-c", "true"]).err), expected);
    let by_variable = end(link.command().arg("true").env("DUMB_INIT_DEBUG", "1").env("DUMB_INIT_SETSID", "0")).err;
    assert!(by_variable.starts_with("[dumb-init] Running in debug mode.\n[dumb-init] Not running in setsid mode.\n"));
    assert!(link.run(["-v", "true"]).err.contains("[dumb-init] setsid complete.\n"));
    assert!(end(link.command().arg("true").env("DUMB_INIT_DEBUG", "true")).err.is_empty());
}

#[test]
fn every_signal_is_passed_on_by_its_number() {
    let link = dumb_init();
    for signal in ending_signals().filter(|signal| *signal != 9) {
        let running = link.start(&["sleep", "1000"], "sleep");
        running.send(signal);
        assert_eq!(running.code(), Some(128 + signal), "signal {signal}");
    }
}

#[test]
fn signals_are_rewritten_and_dropped() {
    let link = dumb_init();
    let running = link.start(&["-r", "15:2", "-r", "2:0", "--rewrite", "37:10", "sleep", "1000"], "sleep");
    running.send(2);
    running.send(15);
    assert_eq!(running.code(), Some(130));
    let running = link.start(&["-r", "37:10", "-c", "sleep", "1000"], "sleep");
    running.send(37);
    assert_eq!(running.code(), Some(138));
}

/// Two processes in the child's session; the child ignores TERM.
const FAMILY: &str = "trap '' TERM; env --default-signal=TERM sleep 1000; sleep 1000";

#[test]
fn signals_go_to_the_session_or_with_c_to_the_child_alone() {
    let link = dumb_init();
    for (options, reached) in [(&[][..], true), (&["-c"], false)] {
        let running = link.start(&[options, &["sh", "-c", FAMILY]].concat(), "sh");
        eventually("the grandchild runs", || children(running.child()).iter().any(|pid| program(*pid) == "sleep"));
        let first = children(running.child())[0];
        assert_eq!(stat(running.child(), 6) == running.child().to_string(), reached);
        running.send(15);
        if reached {
            eventually("the grandchild ends", || children(running.child()).first().is_some_and(|pid| *pid != first));
        } else {
            std::thread::sleep(std::time::Duration::from_millis(200));
            assert_eq!(children(running.child()), [first]);
        }
    }
}

#[test]
fn what_is_left_of_the_session_is_ended_with_the_child() {
    let link = dumb_init();
    let program = "sleep 1000 & echo $!; exit 3";
    for (options, alive) in [(&[][..], false), (&["-c"], true), (&["-r", "15:0"], true)] {
        let mut command = link.command();
        // Into a file: what is left holds on to a pipe.
        let told = tempfile::NamedTempFile::new().unwrap();
        command.args(options).args(["sh", "-c", program]).stdout(told.reopen().unwrap());
        assert_eq!(command.status().unwrap().code(), Some(3));
        let left = fs::read_to_string(told.path()).unwrap().trim().parse().unwrap();
        let lives = || !matches!(stat(left, 3).as_str(), "" | "Z");
        if alive {
            assert!(lives(), "{options:?}");
            sys::kill(left, 9).unwrap();
        } else {
            eventually("the rest is ended", || !lives());
        }
    }
}

#[test]
fn it_stops_and_goes_on_with_its_child() {
    let link = dumb_init();
    for signal in [20, 21, 22] {
        let running = link.start(&["sleep", "1000"], "sleep");
        running.send(signal);
        eventually("both are stopped", || stat(running.pid(), 3) == "T" && stat(running.child(), 3) == "T");
        running.send(18);
        eventually("both go on", || stat(running.pid(), 3) == "S" && stat(running.child(), 3) == "S");
        running.send(15);
        assert_eq!(running.code(), Some(143));
    }
    // A rule of one's own comes before the default, but it stops all the same.
    let running = link.start(&["-r", "20:28", "sleep", "1000"], "sleep");
    running.send(20);
    eventually("it is stopped", || stat(running.pid(), 3) == "T");
    assert_eq!(stat(running.child(), 3), "S");
}

#[test]
fn the_child_starts_with_every_signal_as_usual() {
    let mut command = plain(Command::new("env"));
    command.args(["--default-signal", "--ignore-signal=HUP,TTOU,CHLD", "--block-signal=TERM,CHLD,ILL"]);
    let ended = end(command.arg(dumb_init().path()).args(["cat", "/proc/self/status"]));
    let state: Vec<_> = ended.out.lines().filter(|line| line.starts_with("Sig") && !line.starts_with("SigQ")).collect();
    // As in the original, real-time signals stay as they are.
    let classic = |line: &&str| u64::from_str_radix(&line[8..], 16).unwrap() & 0x7fff_ffff;
    assert_eq!(state.iter().map(classic).collect::<Vec<_>>(), [0; 4], "{state:?}");
}

#[test]
fn it_leaves_the_folder_and_the_child_stays() {
    let link = dumb_init();
    let mut command = link.command();
    command.args(["sh", "-c", "readlink /proc/$PPID/cwd; pwd -P; ls -l /proc/$PPID/fd | grep -c \"$PWD\""]);
    let folder = fs::canonicalize(link.folder.path()).unwrap();
    let ended = end(command.current_dir(&folder).stderr(Stdio::null()));
    assert_eq!(ended.out, format!("/\n{}\n0\n", folder.display()));
}

#[test]
fn as_pid_1_it_reaps() {
    if !geteuid().is_root() {
        return;
    }
    let link = dumb_init();
    let mut unshare = plain(Command::new("unshare"));
    let look =
        "(sh -c 'exit 3' &); sleep 0.5; echo $PPID; grep -l '^State:.Z' /proc/[0-9]*/status; kill -USR1 1; sleep 60";
    let ended = end(unshare.args(["--pid", "--fork", "--mount-proc"]).arg(link.path()).args(["sh", "-c", look]));
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(138), "1\n", ""));
}

#[test]
fn an_ignored_child_signal_loses_no_exit_code() {
    let link = dumb_init();
    let mut command = plain(Command::new("env"));
    command.arg("--ignore-signal=CHLD").arg(link.path()).args(["sh", "-c", "exit 6"]);
    let running = Running { init: command.spawn().unwrap() };
    assert_eq!(running.code(), Some(6));
}
