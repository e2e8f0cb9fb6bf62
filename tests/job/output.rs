//! What jobs print.

use std::io::Write;
use std::process::Stdio;

use nix::sys::signal::Signal;

use super::world::{Said, World, finish, send, until};

#[test]
fn lines_of_any_kind_survive() {
    let world = World::new();
    let script = r"printf 'plain\n\nno \377 text\n'; printf '10%%\r50%%\r100%%\ndone\r\n'; printf 'no newline'";
    let said = world.job(&["run", "a", "--", "sh", "-c", script]).with(0);
    assert!(said.out.ends_with("done\r\nno newline"), "{:?}", said.out);
    assert_eq!(world.texts("a"), ["plain", "", "no \u{fffd} text", "100%", "done", "no newline"]);
    let records = world.records("a");
    let of = |text: &str| records.iter().find(|record| record["text"] == text).unwrap();
    assert_eq!(of("100%")["redrawn"], 2);
    assert_eq!(of("no newline")["unended"], true);
    assert_eq!(of("no \u{fffd} text")["base64"], "bm8g/yB0ZXh0");
    assert_eq!(world.status("a")["lines"], 6);
}

#[test]
fn ten_megabytes_without_a_newline_are_kept_in_parts() {
    let world = World::new();
    world
        .job(&["run", "a", "--quiet", "--", "sh", "-c", "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo end"])
        .with(0);
    let texts = world.texts("a");
    let (end, parts) = texts.split_last().unwrap();
    assert_eq!(end, "end");
    assert_eq!(parts.concat(), "x".repeat(10_000_000));
    assert!(parts.iter().all(|part| part.len() <= 65536));
    assert_eq!(world.status("a")["lines"], 2);
}

#[test]
fn both_streams_are_told_apart_and_one_is_in_order() {
    let world = World::new();
    world.job(&["run", "a", "--quiet", "--", "sh", "-c", "seq 1 5000; seq 5001 5100 >&2"]).with(0);
    let records = world.records("a");
    for (stream, range) in [("stdout", 1..=5000), ("stderr", 5001..=5100)] {
        let found = records.iter().filter(|record| record["stream"] == stream);
        let texts: Vec<_> = found.map(|record| record["text"].as_str().unwrap().parse::<u32>().unwrap()).collect();
        assert_eq!(texts, range.collect::<Vec<_>>());
    }
}

#[test]
fn a_job_reads_what_its_runner_is_given() {
    let world = World::new();
    let mut child =
        world.command(&["run", "a", "--", "sort"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"b\na\n").unwrap();
    assert_eq!(Said::of(finish(child)).with(0).out, "a\nb\n");
}

#[test]
fn nobody_who_reads_holds_a_job_up() {
    let world = World::new();
    // Its output is a pipe that nobody reads and that is full soon.
    let child = world.begin(&["run", "a", "--", "sh", "-c", "seq 1 300000"]);
    assert_eq!(world.ended("a")["state"], "succeeded");
    assert_eq!(world.status("a")["lines"], 300_000);
    send(&child.id().into(), Signal::SIGKILL);
    finish(child);
    assert_eq!(world.texts("a").len(), 300_000);

    // And one whose other end is closed.
    let mut child = world.begin(&["run", "b", "--", "sh", "-c", "seq 1 100000; exit 4"]);
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert_eq!(world.status("b")["lines"], 100_000);
}

#[test]
fn escape_sequences_are_left_out_if_that_is_wanted() {
    for (ansi, text) in [("keep", "\u{1b}[31mred\u{1b}[0m"), ("strip", "red")] {
        let world = World::new();
        world.job(&["run", "a", "--quiet", "--ansi", ansi, "--", "printf", "\\033[31mred\\033[0m\\n"]).with(0);
        assert_eq!(world.texts("a"), [text]);
        assert_eq!(world.status("a")["last_line"], "red");
    }
}

#[test]
fn the_status_tells_how_far_it_is_while_it_runs() {
    let world = World::new();
    let child = world.begin(&["run", "a", "--quiet", "--", "sh", "-c", "echo '[102/240] Building gcc'; sleep 1000"]);
    let status = until("the line", || world.try_status("a").filter(|status| status["last_line"].is_string()));
    assert_eq!(status["last_line"], "[102/240] Building gcc");
    assert_eq!((&status["progress"]["done"], &status["progress"]["total"]), (&102.into(), &240.into()));
    assert_eq!(status["progress"]["percent"], 42.5);
    send(&child.id().into(), Signal::SIGTERM);
    finish(child);
}

#[test]
fn a_status_is_whole_whenever_it_is_read() {
    let world = World::new();
    let child = world.begin(&["run", "a", "--quiet", "--", "sh", "-c", "while :; do echo x; done"]);
    world.runs("a");
    // Written by many at once, which it never is, it has to be whole all the same.
    let others: Vec<_> = (0..3)
        .map(|number| {
            world.job(&["run", &format!("b{number}"), "--detach", "--", "sh", "-c", "while :; do echo y; done"]).with(0)
        })
        .collect();
    let mut looks = 0;
    let mut updates = std::collections::BTreeSet::new();
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(4) {
        // Panics if it is not whole.
        updates.insert(world.status("a")["updated"].as_str().unwrap().to_owned());
        looks += 1;
    }
    assert!(looks > 1000 && updates.len() > 1, "{looks} looks, {} updates", updates.len());
    for number in 0..others.len() {
        send(&world.status(&format!("b{number}"))["runner"], Signal::SIGTERM);
        world.ended(&format!("b{number}"));
    }
    send(&child.id().into(), Signal::SIGTERM);
    finish(child);
}

#[test]
fn what_a_command_has_printed_before_its_end_is_in_the_log_whoever_reads_it() {
    let world = World::new();
    // More than is read at once and than the reader's pipe holds, less than the command has to wait for: it has ended
    // long before somebody reads.
    let mut child = world.begin(&["run", "a", "--", "seq", "100000"]);
    let status = world.ended("a");
    assert_eq!((&status["state"], &status["lines"]), (&"succeeded".into(), &100_000.into()));
    assert_eq!(world.texts("a").len(), 100_000);
    drop(child.stdout.take());
    finish(child);
}

#[test]
fn a_warning_that_nobody_takes_holds_no_job_up() {
    let world = World::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut full = writer.try_clone().unwrap();
    full.write_all(&[b'x'; 65536]).unwrap();
    let gone = format!("rm -r {}; sleep 1.5; exit 4", world.jobs().display());
    let mut command = world.command(&["run", "a", "--quiet", "--", "sh", "-c", &gone]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::from(std::os::fd::OwnedFd::from(writer))).spawn().unwrap();
    assert_eq!(finish(child).status.code(), Some(4));
    drop(reader);
}

#[test]
fn a_very_long_command_has_a_status_and_is_not_run_again_by_halves() {
    let world = World::new();
    let long = "x".repeat(100_000);
    let script = ["run", "a", "--detach", "--", "sh", "-c", "sleep 1000"];
    world.job(&[&script[..], &[long.as_str(); 12]].concat()).with(0);
    assert!(world.status("a")["command"].as_array().unwrap().len() < 12);
    assert!(world.job(&["run", "a", "--", "true"]).with(125).errors.contains("runs already"));
    world.job(&["stop", "a", "--kill"]).with(0);
    assert!(world.job(&["retry", "a"]).with(125).errors.contains("very long"));
    world.job(&["run", "b", "--quiet", "--", "true", &long, ""]).with(0);
    assert_eq!(world.status("b")["command"].as_array().unwrap().len(), 3);
    world.job(&["retry", "b", "--quiet"]).with(0);
}
