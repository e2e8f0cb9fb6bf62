//! What services print: all of it arrives, in whichever place it is to.

use super::{devinit, run, wait_for_state};
use crate::support::{seconds, wait_for};

/// The numbers that a log holds, in its order, over all of its files.
const NUMBERS: &str = "cat $(ls -v -r /var/log/devinit/noisy.log*) | awk '{print $NF}'";

#[test]
fn nothing_is_lost_when_files_are_rotated() {
    let container = run("  noisy:
    oneshot: true
    log: {to: file, size: 64KiB, keep: 1000}
    command: [seq, '1', '200000']
");
    wait_for_state(&container, "noisy", "done");
    wait_for("the last line", seconds(20), || {
        (container.sh("tail -n 1 /var/log/devinit/noisy.log").ends_with(" 200000")).then_some(())
    });
    assert_eq!(container.sh(&format!("{NUMBERS} | cmp - <(seq 1 200000) && echo same")), "same");
    assert!(container.sh("ls /var/log/devinit | wc -l").parse::<u32>().unwrap() > 50);
    assert_eq!(container.sh("find /var/log/devinit -name 'noisy.log*' -size +68k"), "");
    assert!(!container.logs().contains("199999"), "it was to go to the file alone");
}

#[test]
fn what_a_service_prints_last_is_there_after_the_end() {
    let last = "trap 'seq 1 5000; printf \"last words\"; exit 0' TERM; while :; do sleep 0.05; done";
    let container = run(&format!(
        "  raw: {{command: \"{0}\"}}\n  both: {{log: both, command: \"{0}\"}}\n",
        last.replace('\\', "\\\\").replace('"', "\\\"")
    ));
    wait_for_state(&container, "both", "ready");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(container.stop().code, 0);
    let logs = container.logs();
    assert!(logs.contains("last words"), "{}", &logs[logs.len().saturating_sub(300)..]);
    assert!(logs.lines().any(|line| line == "5000"), "of raw");
    assert!(logs.lines().any(|line| line.starts_with("both") && line.ends_with(" 5000")), "of both");
    let file = container.file("/var/log/devinit/both.log").unwrap();
    assert!(file.trim_end().ends_with("last words") && file.contains(" 4999\n"), "{}", file.len());
}

#[test]
fn a_logger_that_is_killed_takes_no_service_along_and_loses_next_to_nothing() {
    let container = run("  noisy:
    log: {to: file, size: 1MiB, keep: 1000}
    command: 'for i in $(seq 1 60); do seq $((i * 1000 - 999)) $((i * 1000)); sleep 0.05; done; echo end 0; exec sleep 1d'
");
    wait_for_state(&container, "noisy", "ready");
    let pid = container.pid_of("^sh -c for i|^/bin/sh -c for i").unwrap();
    for _ in 0..5 {
        std::thread::sleep(std::time::Duration::from_millis(300));
        // There may be none for a moment: two are not started within a second.
        container.sh("until pid=$(pgrep -x 'devinit: logger'); do sleep 0.02; done; kill -9 $pid");
    }
    wait_for("the end", seconds(30), || {
        container.sh("tail -n 1 /var/log/devinit/noisy.log").ends_with("end 0").then_some(())
    });
    assert_eq!(container.pid_of("^sh -c for i|^/bin/sh -c for i").unwrap_or(pid), pid);
    let lines: u32 = container.sh(&format!("{NUMBERS} | sort -n -u | wc -l")).parse().unwrap();
    // At most what five of them had read and not written.
    assert!(lines > 55_000, "{lines}");
    assert_eq!(super::state(&container, "noisy"), "ready");
}

#[test]
fn lines_carry_the_name_or_are_json_and_errors_stay_on_standard_error() {
    let container = run("  raw: {command: 'echo to out; echo to err >&2; exec sleep 1d'}
  named: {log: prefix, command: 'echo one; printf \"\\033[31mtwo\\n\" >&2; exec sleep 1d'}
  json: {log: {to: inherit, format: json}, command: 'echo \"a \\\"b\\\"\"; exec sleep 1d'}
");
    container.wait_for_log("a \\\"b\\\"");
    container.wait_for_log("two");
    let logs = container.logs();
    let json = logs.lines().find(|line| line.starts_with("{\"time\"")).unwrap();
    assert!(json.contains("\"service\":\"json\"") && json.contains("\"line\":\"a \\\"b\\\"\""), "{json}");
    assert!(logs.lines().any(|line| line.contains("named") && line.ends_with("one")), "{logs}");
    assert!(logs.lines().any(|line| line == "to out") && logs.lines().any(|line| line == "to err"), "{logs}");
}

#[test]
fn logs_shows_and_follows_what_any_service_prints() {
    let container = run("  ticker: {command: 'i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done'}
  filed: {log: file, command: 'seq 1 100; exec sleep 1d'}
");
    wait_for("lines", seconds(20), || {
        devinit(&container, ["logs", "ticker", "-n", "5"]).stdout.contains("tick 5").then_some(())
    });
    let last = devinit(&container, ["logs", "filed", "-n", "3"]).success();
    assert_eq!(
        last.lines().filter_map(|line| line.rsplit(' ').next()).collect::<Vec<_>>(),
        ["98", "99", "100"],
        "{last}"
    );
    container.start("devinit logs ticker -f -n 0 > /followed");
    wait_for("followed lines", seconds(20), || {
        (container.exec(["cat", "/followed"]).stdout.lines().count() >= 5).then_some(())
    });
    let unknown = devinit(&container, ["logs", "tiker"]);
    assert!(unknown.code != 0 && unknown.text().contains("ticker"), "{unknown:?}");
    let others = container.exec_as("games", ["devinit", "logs", "ticker"]);
    assert!(others.code != 0 && others.text().contains("sudo"), "logs may hold secrets: {others:?}");
}
