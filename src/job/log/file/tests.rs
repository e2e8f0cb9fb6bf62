use std::os::unix::fs::symlink;
use std::process::Command;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::sys;

const NOW: &[u8; TIME] = b"2026-01-02T03:04:05.678Z";
const START: &[u8] = b"{\"type\":\"start\"}\n";
/// Says that the test is to be carried out in this process, in a folder.
const WITHIN: &str = "DEVINIT_TEST_LOG_FOLDER";

fn name() -> Name {
    Name::parse("build").unwrap()
}

fn line(number: u64) -> Vec<u8> {
    format!("{{\"type\":\"line\",\"text\":\"{number:04}\"}}\n").into_bytes()
}

fn records(log: &LogFile) -> Vec<Value> {
    let text = fs::read_to_string(log.path()).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    assert_eq!(text.len() as u64, log.length());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn types(log: &LogFile) -> Vec<String> {
    records(log).iter().map(|record| record["type"].as_str().unwrap().to_owned()).collect()
}

/// The next call tries it again at once.
fn wait(log: &mut LogFile) {
    if let Some(lost) = &mut log.lost {
        lost.until = None;
    }
    log.looked = log.looked.checked_sub(AGAIN).unwrap();
}

#[test]
fn a_log_is_made_with_its_folder_and_never_over_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = folder.path().join("a/b");
    let (mut log, id) = LogFile::create(&jobs, &name(), "20260131-235959").unwrap();
    assert_eq!((id.as_str(), log.path()), ("20260131-235959", &*jobs.join("build-20260131-235959.jsonl")));
    assert_eq!(log.write(&line(1), 1, 5, NOW), None);
    log.sync().unwrap();
    symlink("/nowhere", jobs.join("build-20260131-235959-2.jsonl")).unwrap();
    let (other, id) = LogFile::create(&jobs, &name(), "20260131-235959").unwrap();
    assert_eq!((id.as_str(), other.length(), types(&log).len()), ("20260131-235959-3", 0, 1));
    let error = LogFile::create(&jobs.join("build-20260131-235959.jsonl"), &name(), "20260131-235959");
    assert!(error.is_err());
}

#[test]
fn a_full_disk_loses_lines_and_says_so_once_and_the_log_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = LogFile::create(folder.path(), &name(), "20260131-235959").unwrap();
    let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
    let good = std::mem::replace(&mut log.file, full);
    let message = log.write(START, 0, 0, NOW).unwrap();
    assert!(message.contains("No space left") && message.contains("make room"), "{message}");
    // Not even tried before a second is over.
    log.file = good.try_clone().unwrap();
    assert_eq!(log.write(&line(1), 1, 5, NOW), None);
    assert_eq!(log.length(), 0);
    log.file = OpenOptions::new().append(true).open("/dev/full").unwrap();
    wait(&mut log);
    assert_eq!(log.write(&line(2), 1, 5, NOW), None);
    wait(&mut log);
    log.file = good;
    assert_eq!(log.write(&line(3), 1, 5, NOW), None);
    assert_eq!(types(&log), ["start", "missing", "line"]);
    let missing = &records(&log)[1];
    assert_eq!((&missing["lines"], &missing["bytes"]), (&2.into(), &10.into()));
    assert_eq!(missing["reason"], "No space left on device (os error 28)");
    // It was well in between.
    let good = std::mem::replace(&mut log.file, OpenOptions::new().append(true).open("/dev/full").unwrap());
    assert!(log.write(&line(4), 1, 5, NOW).is_some());
    log.file = good;
    log.flush_missing(NOW);
    log.flush_missing(NOW);
    assert_eq!(log.write(b"{\"type\":\"exit\"}\n", 0, 0, NOW), None);
    assert_eq!(types(&log), ["start", "missing", "line", "missing", "exit"]);
}

#[test]
fn a_log_that_was_removed_with_its_folder_goes_on_in_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = folder.path().join("jobs");
    let (mut log, _) = LogFile::create(&jobs, &name(), "20260131-235959").unwrap();
    assert_eq!(log.write(&[START, &line(1)].concat(), 1, 5, NOW), None);
    fs::remove_dir_all(&jobs).unwrap();
    wait(&mut log);
    let message = log.write(&line(2), 1, 5, NOW).unwrap();
    assert!(message.contains("was removed") && message.contains("1 lines"), "{message}");
    assert_eq!(types(&log), ["start", "missing", "line"]);
    // It cannot be made again, and later it can.
    fs::remove_dir_all(&jobs).unwrap();
    fs::write(&jobs, "").unwrap();
    wait(&mut log);
    let message = log.write(&line(3), 1, 5, NOW).unwrap();
    assert!(message.contains("cannot write"), "{message}");
    assert_eq!(log.write(&line(4), 1, 5, NOW), None);
    fs::remove_file(&jobs).unwrap();
    log.flush_missing(NOW);
    assert_eq!(types(&log), ["start", "missing"]);
    assert_eq!(records(&log)[1]["lines"], 4);
}

#[test]
fn a_log_that_was_emptied_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = LogFile::create(folder.path(), &name(), "20260131-235959").unwrap();
    log.write(&line(1), 1, 5, NOW);
    fs::write(log.path(), "").unwrap();
    wait(&mut log);
    assert_eq!(log.write(&line(2), 1, 5, NOW), None);
    assert_eq!(records(&log).len(), 1);
}

#[test]
fn what_got_in_of_a_record_is_cut_off() {
    const TEST: &str = "job::log::file::tests::what_got_in_of_a_record_is_cut_off";
    let Some(folder) = std::env::var_os(WITHIN) else {
        // A limit holds for a whole process, and its signal would end it.
        let folder = tempfile::tempdir().unwrap();
        let mut test = Command::new("sh");
        test.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
        let done = test.args(["--exact", TEST]).env(WITHIN, folder.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
        return;
    };
    let limit = |bytes: u64| sys::set_limit(libc::RLIMIT_FSIZE as u32, bytes, u64::MAX).unwrap();
    let (mut log, _) = LogFile::create(Path::new(&folder), &name(), "20260131-235959").unwrap();
    assert_eq!(log.write(START, 0, 0, NOW), None);
    let one = line(0).len() as u64;
    limit(log.length() + 3 * one + 7);
    let ten: Vec<u8> = (0..10).flat_map(line).collect();
    let message = log.write(&ten, 10, 100, NOW).unwrap();
    assert!(message.contains("File too large"), "{message}");
    assert_eq!(types(&log), ["start", "line", "line", "line"]);
    // There was some progress, so it is tried again at once; a `missing` alone is cut off again, too.
    let missing = 115;
    for room in [0, 10, missing + 10] {
        limit(log.length() + room);
        wait(&mut log);
        assert_eq!(log.write(&line(20), 1, 10, NOW), None, "{room}");
        assert_eq!(types(&log).len(), 4, "{room}");
    }
    limit(log.length() + missing + 3 * one);
    wait(&mut log);
    assert_eq!(log.write(&ten, 10, 100, NOW), None);
    let found = records(&log);
    assert_eq!((&found[4]["lines"], &found[4]["bytes"]), (&10.into(), &100.into()));
    let lines = found.len() as u64 - 5;
    limit(u64::MAX);
    assert_eq!(log.write(&line(30), 1, 10, NOW), None);
    let found = records(&log);
    let missing = &found[found.len() - 2];
    assert_eq!((&missing["lines"], &missing["bytes"]), (&(10 - lines).into(), &(10 * (10 - lines)).into()));
}

#[test]
fn only_a_file_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    assert!(LogFile::resume(folder.path(), 0).is_err());
    assert!(LogFile::resume(&folder.path().join("none"), 0).is_err());
    fs::write(folder.path().join("file"), "").unwrap();
    symlink("file", folder.path().join("link")).unwrap();
    assert!(LogFile::resume(&folder.path().join("link"), 0).is_err());
    let precious = folder.path().join("precious");
    fs::write(&precious, "one\ntwo").unwrap();
    fs::hard_link(&precious, folder.path().join("log")).unwrap();
    assert!(LogFile::resume(&folder.path().join("log"), 0).is_err(), "it has another name: it may be someone else's");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "one\ntwo");
}

proptest! {
    #[test]
    fn whoever_takes_over_cuts_off_what_is_not_whole(
        lines in 0..9u64, long in any::<bool>(), known in any::<prop::sample::Index>(), torn in any::<prop::sample::Index>()
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut whole: Vec<u8> = (0..lines).flat_map(line).collect();
        if long {
            whole.extend_from_slice(&[b"{\"text\":\"".to_vec(), vec![b'x'; 200_000], b"\"}\n".to_vec()].concat());
        }
        let end = torn.index(whole.len() + 1);
        let before = |at: usize| whole[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        fs::write(&path, &whole[..end]).unwrap();
        let known = before(known.index(end + 1));
        let mut log = LogFile::resume(&path, known as u64).unwrap();
        prop_assert_eq!(log.length(), before(end) as u64);
        prop_assert_eq!(log.write(&line(9), 1, 5, NOW), None);
        prop_assert!(records(&log).len() as u64 <= lines + 2);
        // A file that is shorter than it should be.
        prop_assert_eq!(LogFile::resume(&path, log.length() + 5).unwrap().length(), log.length());
    }
}
