//! `docker run -it image bash` is a bare shell: Ctrl-C, Ctrl-Z, the window's size and the exit code.

use std::time::Duration;

use crate::support::{BASE, Container, seconds, wait_for};

fn state_of(container: &Container, program: &str) -> Option<char> {
    container.exec(["ps", "-C", program, "-o", "stat="]).stdout.trim().chars().next()
}

#[test]
fn a_shell_in_the_foreground_has_the_terminal_to_itself() {
    let (container, mut shell) = Container::image(BASE).command(["bash", "--norc"]).terminal();
    shell.ask_until("echo rea''dy\n", "ready");
    let screen = shell.screen();
    assert!(!screen.contains("no job control") && !screen.contains("cannot set terminal process group"), "{screen}");

    // Ctrl-C ends sleep, not the shell.
    shell.send("sleep 100\n");
    wait_for("sleep", seconds(10), || state_of(&container, "sleep"));
    shell.send("\x03");
    wait_for("sleep to be interrupted", seconds(10), || state_of(&container, "sleep").is_none().then_some(()));
    shell.send("echo sta''tus=$?\n");
    shell.expect("status=130");

    // Ctrl-Z stops it, fg goes on with it.
    shell.send("sleep 101\n");
    wait_for("sleep", seconds(10), || state_of(&container, "sleep"));
    shell.send("\x1a");
    shell.expect("Stopped");
    assert_eq!(state_of(&container, "sleep"), Some('T'));
    shell.send("fg\n");
    wait_for("sleep to go on", seconds(10), || (state_of(&container, "sleep")? != 'T').then_some(()));
    shell.send("\x03");
    wait_for("sleep to be interrupted", seconds(10), || state_of(&container, "sleep").is_none().then_some(()));

    // The window's size, at the start and after a change.
    shell.send("stty size; trap 'echo win''ch' WINCH\n");
    shell.expect("24 80");
    shell.resize(40, 132);
    shell.ask_until("\n", "winch");
    shell.send("stty size\n");
    shell.expect("40 132");

    shell.send("exit 7\n");
    assert_eq!(shell.wait(), Some(7));
}

#[test]
fn the_screen_is_the_commands_alone() {
    let (_container, mut terminal) = Container::image(BASE)
        .command(["sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo all three"])
        .terminal();
    assert_eq!(terminal.wait(), Some(0));
    std::thread::sleep(Duration::from_millis(200));
    assert!(terminal.screen().contains("all three"));
}

#[test]
fn the_command_gets_the_signal_mask_and_dispositions_that_devinit_was_given() {
    let masks = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"];
    let bare = Container::image(BASE)
        .option("--entrypoint=grep")
        .command(["-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"])
        .output();
    let under_devinit = Container::image(BASE).command(masks).output();
    assert_eq!(under_devinit.success(), bare.success());
}

#[test]
fn ctrl_c_ends_a_command_that_is_not_a_shell() {
    let (container, mut terminal) = Container::image(BASE).command(["sleep", "100"]).terminal();
    wait_for("sleep", seconds(20), || state_of(&container, "sleep"));
    terminal.send("\x03");
    assert_eq!(terminal.wait(), Some(130));
}

/// Under a shell with job control devinit is one job with its command.
#[test]
fn a_job_in_the_background_leaves_the_terminal_to_the_shell() {
    let (container, mut shell) =
        Container::image(BASE).option("--entrypoint=bash").command(["--norc", "-i"]).terminal();
    shell.ask_until("echo rea''dy\n", "ready");

    shell.send("devinit -- sleep 1003 &\n");
    wait_for("the job", seconds(10), || state_of(&container, "sleep"));
    shell.send("echo st''arted\n");
    shell.expect("started");
    shell.send("kill %1; wait; echo en''ded\n");
    shell.expect("ended");

    // Ctrl-Z stops both, bg goes on with both, fg gives them the terminal.
    shell.send("devinit -- sh -c 'sleep 1004; read line; echo got-$line'\n");
    wait_for("the command", seconds(10), || state_of(&container, "sleep"));
    shell.send("\x1a");
    shell.expect("Stopped");
    shell.send("bg; echo in-ba''ckground\n");
    shell.expect("in-background");
    wait_for("sleep to go on", seconds(10), || (state_of(&container, "sleep")? != 'T').then_some(()));
    shell.send("echo the-she''ll\n");
    shell.expect("the-shell");
    shell.send("fg\n");
    container.sh("pkill -x sleep");
    shell.ask_until("typed\n", "got-typed");
}
