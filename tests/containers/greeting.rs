//! The greeting is for people at a terminal, and for nobody else.

use crate::support::{BASE, Container, Key};

const TEXT: &str = "{version: 1, greeting: {text: 'Hello from {hostname}'}}";

#[test]
fn only_interactive_logins_are_greeted() {
    let key = Key::new();
    let container = Container::image(BASE).key(&key).config(TEXT).option("--hostname=box").run();
    container.wait_for_ssh();
    let ssh = container.ssh("root");

    for silent in [ssh.run("true"), ssh.run("bash -lc true"), ssh.shell("true\n"), ssh.sftp("pwd\n")] {
        assert_eq!(silent.code, 0, "{silent:?}");
        assert!(!silent.text().contains("Hello from"), "{silent:?}");
    }
    let command = ssh.run("true");
    assert_eq!((command.stdout.as_str(), command.stderr.as_str()), ("", ""));

    let mut terminal = ssh.terminal();
    terminal.expect("Hello from box");
    terminal.ask_until("echo rea''dy\n", "ready");
    assert_eq!(terminal.screen().matches("Hello from box").count(), 1);
    terminal.send("bash\n");
    terminal.ask_until("echo inner''most\n", "innermost");
    assert_eq!(terminal.screen().matches("Hello from box").count(), 1, "a shell that is not a login was greeted");
}

#[test]
fn hushlogin_and_the_variable_switch_it_off() {
    let key = Key::new();
    let container = Container::image(BASE).key(&key).config(TEXT).run();
    container.wait_for_ssh();
    container.sh("touch /root/.hushlogin");
    let mut terminal = container.ssh("root").terminal();
    terminal.ask_until("echo rea''dy\n", "ready");
    assert!(!terminal.screen().contains("Hello from"));

    let off = Container::image(BASE).key(&key).config(TEXT).env("DEVINIT_GREETING", "0").run();
    off.wait_for_ssh();
    let mut terminal = off.ssh("root").terminal();
    terminal.ask_until("echo rea''dy\n", "ready");
    assert!(!terminal.screen().contains("Hello from"));
    assert!(!off.logs().contains("Hello from"));
}
