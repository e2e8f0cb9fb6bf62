//! The same calls to the originals, where they are installed: exit code and output have to be the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ended, Link, end, plain};

fn original(name: &str) -> Option<PathBuf> {
    let path = Path::new("/usr/bin").join(name);
    path.exists().then_some(path)
}

/// What is not the same twice: process ids, and how the program was called and names its version.
fn comparable(ended: Ended, path: &Path) -> Ended {
    let text = |text: &str| {
        let text = text.replace(path.to_str().unwrap(), "INIT");
        let text =
            text.replace(concat!(" - devinit ", env!("CARGO_PKG_VERSION")), "").replace(" (can be repeated)", "");
        // glibc's and musl's words.
        let text = text.replace("Not a tty", "Inappropriate ioctl for device");
        // Written by two processes, or lost in a buffer of the one that executes another program.
        let mut lines: Vec<_> =
            text.lines().filter(|line| !line.contains("tcsetpgrp failed: no tty")).map(without_pids).collect();
        lines.sort();
        lines.concat()
    };
    Ended { code: ended.code, out: text(&ended.out), err: text(&ended.err) }
}

fn without_pids(line: &str) -> String {
    let long = |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_digit());
    let words = line.split_inclusive(|character: char| !character.is_ascii_digit());
    words
        .map(|word| if long(word.trim_end_matches(|last: char| !last.is_ascii_digit())) { "N " } else { word })
        .collect::<String>()
        + "\n"
}

#[track_caller]
fn same(name: &str, calls: &[&[&str]], variables: &[&[(&str, &str)]]) {
    let Some(original) = original(name) else { return };
    let link = Link::new(name);
    for arguments in calls {
        for variables in variables {
            let run = |path: &Path| {
                let mut command = plain(Command::new(path));
                comparable(end(command.args(*arguments).envs(variables.iter().copied())), path)
            };
            assert_eq!(run(link.path()), run(&original), "{name} {arguments:?} {variables:?}");
        }
    }
}

#[test]
fn tini_behaves_as_the_original() {
    let calls: &[&[&str]] = &[
        &[],
        &["-h"],
        &["-x", "true"],
        &["-e"],
        &["-e", "256", "true"],
        &["-e", "", "true"],
        &["-p", "SIGPWR", "true"],
        &["--version", "x"],
        &["-s", "-e", "7", "--", "sh", "-c", "exit 7"],
        &["-sgwe1", "--", "sh", "-c", "exit 1"],
        &["sh", "-c", "exit 3"],
        &["-s", "echo", "a", "-v", "b", "--", "-v"],
        &["-s", "echo", "-", "--", "--"],
        &["--", "--", "true"],
        &["-s", "/etc"],
        &["-s", "missing"],
        &["-s", ""],
        &["-vvv", "-s", "true"],
        &["-vv", "-s", "--", "sh", "-c", "kill -TERM $$"],
        &["true"],
    ];
    same("tini", calls, &[&[], &[("POSIXLY_CORRECT", "1")], &[("TINI_VERBOSITY", "3")], &[("TINI_SUBREAPER", "")]]);
}

#[test]
fn dumb_init_behaves_as_the_original() {
    let calls: &[&[&str]] = &[
        &[],
        &["-h"],
        &["-V"],
        &["--ver"],
        &["--verb", "true"],
        &["--rewrite"],
        &["--rew=15:2", "true"],
        &["-r", "1:32", "true"],
        &["-r15:2x", "-v", "true"],
        &["-v", "-r", "15:0", "sh", "-c", "exit 3"],
        &["-xv", "true"],
        &["--single-child=1", "true"],
        &["--yolo=1"],
        &["-vc", "sh", "-c", "kill -9 $$"],
        &["echo", "-v", "--", "x"],
        &["/etc"],
        &["missing"],
        &[""],
    ];
    same("dumb-init", calls, &[&[], &[("DUMB_INIT_DEBUG", "1")], &[("DUMB_INIT_SETSID", "0")]]);
}
