//! Entrypoints: which one is chosen, as whom it runs on which terminal, and the shell that follows.

use crate::support::{BASE, Builder, Container, Key, NVIDIA, Terminal, seconds, wait_for};

const CONFIG: &str = r#"
version: 1
users:
  root: {authorized_keys: [{env: PUBLIC_KEY}]}
  kvothe: {uid: 3100, gid: 1100, groups: [video], shell: /bin/bash}
path: [/opt/tools/bin]
entrypoints:
  default: {command: [bash, -l], arguments: replace, user: kvothe, description: A shell}
  list: {command: [python3, -c, "import sys; print(sys.argv[1:])", first], description: Shows its arguments}
  text: {command: "python3 -c 'import sys; print(sys.argv[1:])' \"two words\""}
  own: {command: "for argument in \"$@\"; do echo \"<$argument>\"; done # all of them"}
  refuse: {command: [echo, ran], arguments: refuse}
  lines: {command: "cd /\necho ran\n"}
  who:
    command: 'id; echo $HOME $USER $LOGNAME $SHELL $PWD $GREETING ${DEVINIT_ENTRYPOINT-none}; echo $PATH'
    user: kvothe
    directory: /usr/lib
    environment: {GREETING: hello}
  fail: {command: [sh, -c, "exit 7"]}
  gone: {command: [/no/such/program], then: shell}
  nobody: {command: [id], user: nobody-there}
  build: {command: 'echo begun; trap "echo caught; exit 3" INT; sleep 1000 & wait', user: kvothe, directory: /tmp, then: shell}
  raw: {command: 'stty -echo -icanon; kill -INT $$$$', then: shell}
  quick: {command: [sh, -c, "exit 9"], then: shell}
  stubborn: {command: 'trap "" TERM HUP; echo begun; while :; do sleep 1; done', then: shell}
  long: {command: [sleep, "1000"], then: shell}
"#;

/// What nobody should have to quote.
const STRANGE: [&str; 11] = ["a b", "it's", "\"", "*", "$HOME", "$(id)", "", "two\nlines", "-n", "\\", "; id # ä"];

/// Without one there is a warning about that.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN0mZmKwFwVqPpcuHJlOMC2qCWy0TtOyYjYLkWM0p0bi nobody";

fn chosen(name: &str) -> Builder {
    let config = CONFIG.replace("${", "$${");
    Container::image(BASE).config(&config).env("PUBLIC_KEY", KEY).env("DEVINIT_ENTRYPOINT", name)
}

/// As Python prints a list of texts.
fn python(words: &[&str]) -> String {
    let quoted = words.iter().map(|word| match word.contains('\'') {
        true => format!("\"{word}\""),
        false => format!("'{}'", word.replace('\\', "\\\\").replace('\n', "\\n")),
    });
    format!("[{}]", quoted.collect::<Vec<_>>().join(", "))
}

#[test]
fn arguments_arrive_exactly_behind_a_list_and_behind_a_text() {
    for (name, first) in [("list", "first"), ("text", "two words")] {
        let words = [&[first], STRANGE.as_slice()].concat();
        assert_eq!(chosen(name).arguments(&STRANGE).output().success(), python(&words), "{name}");
        assert_eq!(chosen(name).output().success(), python(&[first]), "{name}");
    }
    assert_eq!(chosen("own").command(["a b", "*"]).output().success(), "<a b>\n<*>");
    assert_eq!(chosen("refuse").output().success(), "ran");
    assert_eq!(chosen("lines").output().success(), "ran");
}

#[test]
fn the_launcher_s_variable_chooses_too_and_arguments_alone_are_the_command() {
    let plain = || Container::image(BASE).config(&CONFIG.replace("${", "$${"));
    assert_eq!(plain().env("SYGALDRY_ENTRYPOINT", "list").command(["x"]).output().success(), "['first', 'x']");
    let both = plain().env("SYGALDRY_ENTRYPOINT", "refuse").env("DEVINIT_ENTRYPOINT", "list");
    assert_eq!(both.output().success(), "['first']");
    assert_eq!(plain().env("SYGALDRY_ENTRYPOINT", "").command(["echo", "x"]).output().success(), "x");
    assert_eq!(plain().command(["id", "-un"]).output().success(), "root");
    assert_eq!(chosen("default").command(["id", "-un"]).output().success(), "kvothe");
}

#[test]
fn default_is_taken_without_arguments_and_without_an_app() {
    let config = "entrypoints: {default: {command: [echo, taken]}, other: {command: [echo, other]}}\n";
    let config = |further: &str| format!("version: 1\n{config}{further}");
    let with = |further: &str| Container::image(BASE).config(&config(further)).env("PUBLIC_KEY", KEY);
    let output = with("").output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.code), ("taken\n", "", 0));
    let app = "app: {command: [sh, -c, 'echo the app; exit 5'], restart: never}\n";
    let output = with(app).output();
    assert!(output.code == 5 && output.text().contains("the app") && !output.text().contains("taken"), "{output:?}");
    assert_eq!(with(app).env("DEVINIT_ENTRYPOINT", "other").output().success(), "other");
}

#[test]
fn it_runs_as_its_user_with_all_that_this_one_has() {
    let output = chosen("who").output().success();
    let [ids, variables, path] = output.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(ids.starts_with("uid=3100(kvothe) gid=1100(kvothe) groups=1100(kvothe),44(video)"), "{ids}");
    assert_eq!(variables, "/home/kvothe kvothe kvothe /bin/bash /usr/lib hello none");
    assert!(path.starts_with("/opt/tools/bin:"), "{path}");
    // Its output can be opened anew.
    let output = chosen("default").command(["bash", "-c", "echo again > /dev/stdout; echo wrong >&2"]).output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.code), ("again\n", "wrong\n", 0));
}

#[test]
fn its_exit_code_is_the_container_s() {
    assert_eq!(chosen("fail").output().code, 7);
    // Without a terminal there is no shell.
    let output = chosen("quick").output();
    assert_eq!((output.code, output.text().as_str()), (9, ""));
    let output = chosen("gone").output();
    assert!(output.code == 127 && output.stderr.contains("/no/such/program"), "{output:?}");
}

#[test]
fn nvidia_s_entrypoint_stands_before_it() {
    let config = "{version: 1, entrypoints: {x: {command: [env]}}}";
    let output = Container::image(NVIDIA).config(config).env("DEVINIT_ENTRYPOINT", "x").output();
    let bare = Container::image(NVIDIA).command(["env"]).output().success();
    let lines = |text: &str| {
        let own = |line: &&str| !line.starts_with("HOSTNAME=") && !line.starts_with("DEVINIT_");
        text.lines().filter(own).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&output.success()), lines(&bare));
}

#[test]
fn an_unknown_one_is_told_with_those_that_there_are_and_its_arguments_are_no_command() {
    // Nobody could get in without sshd: it ends.
    let without_ssh = format!("{}ssh: {{enabled: false}}\n", CONFIG.replace("${", "$${"));
    let output =
        Container::image(BASE).config(&without_ssh).env("DEVINIT_ENTRYPOINT", "lits").command(["echo", "ran"]).output();
    assert_eq!(output.code, 78, "{output:?}");
    for words in ["did you mean `list`?", "entrypoint list: Shows its arguments", "entrypoint default: A shell"] {
        assert!(output.stderr.contains(words), "{words}: {output:?}");
    }
    assert!(!output.text().contains("ran\n"), "{output:?}");
    // Who sits at a terminal sees it at once.
    let (_container, mut terminal) = chosen("lits").terminal();
    assert_eq!(terminal.wait(), Some(78));
    assert!(terminal.screen().contains("did you mean `list`?"), "{}", terminal.screen());
    // The same goes for one that cannot be run.
    for (name, why) in [("nobody", "no user nobody-there"), ("refuse", "takes no arguments"), ("lines", "write \"$@\"")]
    {
        let config = &without_ssh;
        let output = Container::image(BASE).config(config).env("DEVINIT_ENTRYPOINT", name).command(["x"]).output();
        assert!(output.code == 78 && output.stderr.contains(why), "{output:?}");
    }
}

#[test]
fn in_the_background_an_unknown_one_leaves_a_way_in() {
    let key = Key::new();
    let container = chosen("lits").key(&key).command(["touch", "/ran"]).run();
    container.wait_for_ssh();
    assert_eq!(container.ssh("root").run("id -u").success(), "0");
    let health = container.exec(["devinit", "health"]);
    assert!(health.code == 1 && health.text().contains("did you mean `list`?"), "{health:?}");
    assert!(container.logs().contains("entrypoint list: Shows its arguments"));
    assert_eq!(container.exec(["test", "-e", "/ran"]).code, 1);
    assert_eq!(container.stop().code, 0);
    let output = chosen("lits").env("DEVINIT_ON_ERROR", "exit").key(&key).output();
    assert!(output.code == 78 && output.stderr.contains("did you mean `list`?"), "{output:?}");
}

#[test]
fn the_terminal_is_the_user_s() {
    let (container, mut shell) = chosen("default").terminal();
    shell.ask_until("echo rea''dy\n", "ready");
    shell.send("echo again-$((40+2)) > $(tty) && echo more-$((40+3)) > /dev/stdout; stat -c %U-owns $(tty)\n");
    shell.expect("again-42");
    shell.expect("more-43");
    shell.expect("kvothe-owns");
    shell.send("echo $0 in-$PWD $-\n");
    shell.expect("bash in-/app");
    assert!(!shell.screen().contains("no job control"), "{}", shell.screen());
    let marked = container.exec(["devinit", "entrypoints"]).success();
    let default = marked.lines().find(|line| line.starts_with("default")).unwrap();
    assert!(default.contains("this container's"), "{marked}");
    shell.send("exit 5\n");
    assert_eq!(shell.wait(), Some(5));
}

fn running(container: &Container, program: &str) {
    wait_for(program, seconds(20), || (container.exec(["pgrep", "-x", program]).code == 0).then_some(()));
}

#[test]
fn ctrl_c_ends_the_command_and_a_login_shell_follows() {
    let (container, mut terminal) = chosen("build").terminal();
    terminal.expect("begun");
    running(&container, "sleep");
    terminal.send("\x1a");
    terminal.send("\x03");
    terminal.expect("caught");
    terminal.expect("devinit: build ended with exit code 3 after");
    terminal.expect("this is a shell in its place");
    terminal.ask_until("echo rea''dy\n", "ready");
    terminal.send("shopt -q login_shell && echo $0 in-$PWD as-$(id -un) pid-$PPID\n");
    terminal.expect("-bash in-/tmp as-kvothe pid-1");
    assert!(!terminal.screen().contains("no job control"), "{}", terminal.screen());

    // With job control, and Ctrl-C for what it runs.
    terminal.send("sleep 2000\n");
    wait_for("sleep", seconds(10), || (container.exec(["pgrep", "-f", "sleep 2000"]).code == 0).then_some(()));
    terminal.send("\x1a");
    terminal.expect("Stopped");
    terminal.send("kill %1; sh -c 'exit 4'\n");
    terminal.send("exit\n");
    assert_eq!(terminal.wait(), Some(4));
}

#[test]
fn a_command_that_failed_or_is_not_there_is_followed_by_the_shell_too() {
    let ends = |name: &str, words: &[&str]| {
        let (container, mut terminal) = chosen(name).terminal();
        words.iter().for_each(|words| terminal.expect(words));
        (container, terminal)
    };
    let leave = |(_container, mut terminal): (Container, Terminal)| {
        terminal.ask_until("echo rea''dy\n", "ready");
        terminal.send("exit 6\n");
        assert_eq!(terminal.wait(), Some(6));
    };
    leave(ends("quick", &["quick ended with exit code 9 after 0s"]));
    leave(ends("gone", &["/no/such/program cannot be executed", "gone ended with exit code 127"]));
    // What is typed is shown again, whatever the command did to the terminal.
    let (_container, mut terminal) = ends("raw", &["raw was interrupted after"]);
    terminal.ask_until("echo rea''dy\n", "ready");
    terminal.send("stty -a\n");
    terminal.expect(" icanon");
    terminal.expect(" echo ");
    terminal.send("exit 6\n");
    assert_eq!(terminal.wait(), Some(6));
}

#[test]
fn a_stop_ends_the_command_and_no_shell_follows() {
    let (container, terminal) = chosen("long").terminal();
    running(&container, "sleep");
    let exit = container.stop();
    assert!(exit.code == 143 && exit.after < seconds(5), "{exit:?}");
    assert!(!terminal.screen().contains("a shell in its place"), "{}", terminal.screen());

    // One that is killed in the end is not followed by one either.
    let (container, mut terminal) = chosen("stubborn").env("DEVINIT_LOG", "error").terminal();
    terminal.expect("begun");
    let exit = container.stop();
    assert_eq!(exit.code, 137, "{exit:?}");
    assert!(!terminal.screen().contains("a shell in its place"), "{}", terminal.screen());
}

#[test]
fn a_stop_during_the_shell_that_follows_ends_it() {
    let (container, mut terminal) = chosen("quick").terminal();
    terminal.ask_until("echo rea''dy\n", "ready");
    let exit = container.stop();
    assert!(exit.code != 0 && exit.after < seconds(5), "{exit:?}");
}

#[test]
fn a_reload_leaves_the_entrypoint_alone() {
    let config = "{version: 1, environment: {A: b}, entrypoints: {x: {command: [sleep, '1000']}}}";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, config).unwrap();
    let mount = format!("{}:/etc/devinit/config.yaml", file.display());
    let container = Container::image(BASE).options(["--volume", &mount]).env("DEVINIT_ENTRYPOINT", "x").run();
    running(&container, "sleep");
    let pid = container.pid_of("sleep 1000");
    std::fs::write(&file, "{version: 1, services: {s: {command: [tail, -f, /dev/null]}}}").unwrap();
    assert_eq!(container.exec(["devinit", "reload"]).code, 0);
    running(&container, "tail");
    assert_eq!(container.pid_of("sleep 1000"), pid);
    assert_eq!(container.stop().code, 143);
}
