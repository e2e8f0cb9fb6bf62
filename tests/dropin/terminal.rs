//! On a terminal: who leads what, and who has the foreground.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use nix::pty::{OpenptyResult, openpty};

use crate::support::{Link, plain};

/// Runs it as the leader of a session with a terminal, types a line, and gives all that appears there.
fn on_terminal(link: &Link, arguments: &[&str], typed: &str) -> String {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    let mut setsid = plain(Command::new("setsid"));
    setsid.arg("--ctty").arg(link.path()).args(arguments).stdin(Stdio::from(slave.try_clone().unwrap()));
    setsid.stdout(Stdio::from(slave.try_clone().unwrap())).stderr(Stdio::from(slave));
    let mut program = setsid.spawn().unwrap();
    drop(setsid);
    let mut master = File::from(master);
    master.write_all(typed.as_bytes()).unwrap();
    let mut screen = Vec::new();
    // The end of a terminal that everyone has closed is an error.
    let _ = master.read_to_end(&mut screen);
    program.wait().unwrap();
    String::from_utf8_lossy(&screen).replace("\r\n", "\n")
}

/// Process, group, session and the terminal's foreground, of the init and of the child.
const LOOK: &str = "set -- $(sed 's/.*) //' /proc/$PPID/stat) ; echo init $PPID $3 $4 $6; \
    set -- $(sed 's/.*) //' /proc/$$/stat); echo child $$ $3 $4 $6";

fn numbers(screen: &str, who: &str) -> [i32; 4] {
    let line = screen.lines().find_map(|line| line.strip_prefix(who)).unwrap_or_else(|| panic!("{screen}"));
    let numbers: Vec<i32> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

#[test]
fn tinis_child_has_a_group_of_its_own_in_the_foreground() {
    let screen = on_terminal(&Link::new("tini"), &["-s", "--", "sh", "-c", LOOK], "");
    let [init, init_group, session, _] = numbers(&screen, "init");
    let [child, group, childs_session, foreground] = numbers(&screen, "child");
    assert_eq!((init_group, session, childs_session), (init, init, init), "{screen}");
    assert_eq!((group, foreground), (child, child), "{screen}");
}

#[test]
fn dumb_inits_child_has_the_terminal_in_a_session_of_its_own() {
    let screen = on_terminal(&Link::new("dumb-init"), &["sh", "-c", LOOK], "");
    let [init, _, session, foreground] = numbers(&screen, "init");
    assert_eq!((session, foreground), (init, -1), "{screen}");
    let [child, group, session, foreground] = numbers(&screen, "child");
    assert_eq!((group, session, foreground), (child, child, child), "{screen}");
}

#[test]
fn with_c_dumb_inits_child_stays_where_it_is() {
    let screen = on_terminal(&Link::new("dumb-init"), &["-c", "sh", "-c", LOOK], "");
    let [init, ..] = numbers(&screen, "init");
    let [_, group, session, foreground] = numbers(&screen, "child");
    assert_eq!((group, session, foreground), (init, init, init), "{screen}");
}

#[test]
fn the_hang_up_that_handing_over_the_terminal_brings_is_not_for_the_child() {
    let screen = on_terminal(&Link::new("dumb-init"), &["-v", "sleep", "0.5"], "");
    for signal in [1, 18] {
        assert!(screen.contains(&format!("[dumb-init] Ignoring tty hand-off signal {signal}.\n")), "{screen}");
        assert!(!screen.contains(&format!("Forwarded signal {signal} ")), "{screen}");
    }
    assert!(screen.contains("exited with exit status 0"), "{screen}");
}

#[test]
fn what_is_typed_reaches_the_child_and_interrupts_it() {
    for (name, arguments) in
        [("tini", &["-s", "--"][..]), ("dumb-init", &[]), ("dumb-init", &["-c"]), ("tini", &["-sg", "--"])]
    {
        let link = Link::new(name);
        let program = "read -r line; echo got $line; kill -INT $$; echo not here";
        let screen = on_terminal(&link, &[arguments, &["sh", "-c", program]].concat(), "this\n");
        assert!(screen.contains("got this\n") && !screen.contains("not here\n"), "{name} {arguments:?}: {screen}");
    }
}
