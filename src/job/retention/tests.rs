use std::fs::{File, FileTimes};

use super::*;
use crate::job::{State, Status, instance};

const DAY: Duration = Duration::from_secs(86_400);

struct World {
    _place: tempfile::TempDir,
    folder: Folder,
}

impl World {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().join("jobs"));
        folder.make().unwrap();
        Self { _place: place, folder }
    }

    /// A file of this age in days.
    fn file(&self, file: &str, age: u32) {
        let path = self.folder.path().join(file);
        if !path.exists() {
            fs::write(&path, "").unwrap();
        }
        let time = SystemTime::now() - DAY * age;
        File::open(&path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    /// A status of this age in days.
    fn status(&self, job: &str, id: &str, state: State, age: u32) {
        let own = i32::try_from(std::process::id()).unwrap();
        let time = Time(Time::now().0 - 86_400_000 * u64::from(age));
        let status = Status {
            id: id.to_owned(),
            state,
            updated: time,
            finished: state.is_final().then_some(time),
            instance: instance::here(),
            runner: own,
            runner_started: instance::started(own).unwrap(),
            ..Status::default()
        };
        self.folder.write_status(&name(job), &status).unwrap();
        self.file(&format!("{job}.status"), age);
    }

    fn clean(&self, job: &str, keep: u32, keep_for: Option<Duration>) {
        assert_eq!(clean(&self.folder, &name(job), keep, keep_for), [""; 0]);
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut files: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        files
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

#[test]
fn the_oldest_logs_beyond_the_number_go_and_those_of_others_stay() {
    let world = World::new();
    let ids = ["20260130-120000", "20260131-120000", "20260131-120000-2", "20260131-120000-10", "20260201-000000"];
    for id in ids {
        for job in ["a", "a-b"] {
            world.file(&format!("{job}-{id}.jsonl"), 1);
        }
    }
    world.status("a", "20260201-000000", State::Running, 0);
    world.clean("a", 2, None);
    let left: Vec<String> = world.files().into_iter().filter(|file| !file.starts_with("a-b")).collect();
    assert_eq!(left, ["a-20260131-120000-10.jsonl", "a-20260201-000000.jsonl", "a.status"]);
    assert_eq!(world.files().len(), 5 + 3);
}

#[test]
fn the_log_of_a_run_that_goes_on_is_never_removed() {
    let world = World::new();
    for id in ["20260101-000000", "20260102-000000", "20260103-000000"] {
        world.file(&format!("a-{id}.jsonl"), 400);
    }
    // The clock was put back before it was started.
    world.status("a", "20260101-000000", State::Running, 0);
    world.file("b-20260101-000000.jsonl", 400);
    world.status("b", "20260101-000000", State::Running, 0);
    world.clean("a", 1, None);
    assert_eq!(
        world.files(),
        ["a-20260101-000000.jsonl", "a-20260103-000000.jsonl", "a.status", "b-20260101-000000.jsonl", "b.status"]
    );
    world.clean("a", 1, Some(DAY));
    assert_eq!(world.files(), ["a-20260101-000000.jsonl", "a.status", "b-20260101-000000.jsonl", "b.status"]);
}

#[test]
fn what_ended_long_ago_goes_and_so_does_a_job_without_logs() {
    let world = World::new();
    world.file("old-20260101-000000.jsonl", 9);
    world.status("old", "20260101-000000", State::Failed, 9);
    world.file("mixed-20260101-000000.jsonl", 9);
    world.file("mixed-20260109-000000.jsonl", 1);
    world.status("mixed", "20260109-000000", State::Succeeded, 1);
    // Its log could not be written.
    world.status("bare", "20260109-000000", State::Failed, 1);
    let long = world.folder.status(&name("old")).unwrap().unwrap();
    let lost = Status { state: State::Running, runner: i32::MAX, ..long };
    world.folder.write_status(&name("lost"), &lost).unwrap();
    world.file("lost.status", 9);
    world.file("lost-20260101-000000.jsonl", 9);
    world.clean("other", 20, None);
    assert_eq!(world.files().len(), 8);
    world.clean("other", 20, Some(DAY * 7));
    assert_eq!(world.files(), ["bare.status", "mixed-20260109-000000.jsonl", "mixed.status"]);
}

#[test]
fn left_overs_go_after_an_hour_and_nothing_that_is_not_ours() {
    let world = World::new();
    let temporaries = [".a.status.12-00ff.tmp", ".a.stop.12-00ff.tmp"];
    let strange = [".a.tmp", ".a.txt.1.tmp", "notes.jsonl", "a.log", ".b.claim.x", ".status.1.tmp"];
    for file in temporaries.iter().chain(&strange) {
        world.file(file, 30);
    }
    world.file(".b.status.12-00ff.tmp", 0);
    world.file("gone.stop", 30);
    world.status("runs", "20260101-000000", State::Running, 0);
    world.file("runs.stop", 30);
    for claim in [".a.claim", ".a.claim.12-34-0", ".c.claim"] {
        let path = world.folder.path().join(claim);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("claim~x.1.2~1~2~1-0"), "").unwrap();
        world.file(claim, if claim == ".c.claim" { 0 } else { 30 });
    }
    world.clean("a", 1, Some(DAY));
    let mut left = vec![".b.status.12-00ff.tmp", ".c.claim", "runs.status", "runs.stop"];
    left.extend(strange);
    left.sort_unstable();
    assert_eq!(world.files(), left);
}

#[test]
fn no_link_is_followed_and_what_cannot_be_removed_is_told() {
    let world = World::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let kept = elsewhere.path().join("claim~x.1.2~1~2~1-0");
    fs::write(&kept, "").unwrap();
    let link = |to: &Path, file: &str| std::os::unix::fs::symlink(to, world.folder.path().join(file)).unwrap();
    link(&kept, "a-20260101-000000.jsonl");
    link(elsewhere.path(), ".a.claim");
    world.file("a-20260102-000000.jsonl", 9);
    File::open(&kept).unwrap().set_times(FileTimes::new().set_modified(SystemTime::now() - DAY * 9)).unwrap();
    world.clean("a", 1, Some(DAY));
    assert!(kept.exists());
    assert_eq!(world.files(), [".a.claim", "a-20260101-000000.jsonl"]);
    let nowhere = Folder::new(world.folder.path().join("nowhere"));
    assert_eq!(clean(&nowhere, &name("a"), 1, None).len(), 1);
}

#[test]
fn what_only_looks_like_a_left_over_stays_and_is_not_named() {
    let world = World::new();
    let strange = [".a.status.\u{1b}]0;x\u{7}.tmp", ".a.stop.b c.tmp"];
    for file in strange {
        world.file(file, 1);
    }
    world.file(".a.status.12-00ff.tmp", 1);
    world.clean("a", 1, None);
    assert_eq!(world.files(), strange);
}
