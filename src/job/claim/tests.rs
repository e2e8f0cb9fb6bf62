use std::process::{Child, Command};
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::job::State;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn folder() -> (tempfile::TempDir, Folder) {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::new(place.path().join("jobs"));
    (place, folder)
}

/// A status of a job that this process runs.
fn running(id: &str) -> Status {
    let own = i32::try_from(std::process::id()).unwrap();
    Status {
        id: id.to_owned(),
        instance: instance::here(),
        runner: own,
        runner_started: instance::started(own).unwrap(),
        updated: Time::now(),
        ..Status::default()
    }
}

fn files(folder: &Folder) -> Vec<String> {
    let mut files: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

/// A process that is no more, and what its claim would be called.
fn dead() -> String {
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let file = format!("{MARK}{}~{pid}~{}~{pid}-0", instance::here(), instance::started(pid).unwrap());
    assert!(is_ours(&file) && !is_dead(&file));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_dead(&file));
    file
}

fn leave(folder: &Folder, job: &Name, file: &str) {
    fs::create_dir_all(place(folder, job)).unwrap();
    fs::write(place(folder, job).join(file), "half a sta").unwrap();
}

/// How many of 20 that start this job at the same moment do.
fn race(folder: &Folder, job: &Name) -> usize {
    let (barrier, winners) = (Barrier::new(20), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..20 {
            let (barrier, winners) = (&barrier, &winners);
            scope.spawn(move || {
                barrier.wait();
                match begin(folder, job, &mut |_| running(&number.to_string())) {
                    Ok(status) => {
                        assert_eq!(folder.status(job).unwrap().unwrap().id, status.id);
                        winners.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(Refused::Runs(status)) => assert!(!status.id.is_empty()),
                    Err(Refused::Unwritable(error)) => panic!("{error}"),
                }
            });
        }
    });
    winners.into_inner()
}

#[test]
fn of_all_who_start_a_job_at_the_same_moment_one_does() {
    let (_place, folder) = folder();
    let job = name("a");
    for round in 0..100 {
        assert_eq!(race(&folder, &job), 1, "round {round}");
        assert_eq!(files(&folder), ["a.status"]);
        let ended = Status { state: State::Succeeded, ..folder.status(&job).unwrap().unwrap() };
        folder.write_status(&job, &ended).unwrap();
    }
}

#[test]
fn a_claim_of_the_dead_holds_nobody_up_and_lets_only_one_through() {
    let (_place, folder) = folder();
    folder.make().unwrap();
    let file = dead();
    for round in 0..50 {
        let job = name(&format!("a{round}"));
        leave(&folder, &job, &file);
        let begun = Instant::now();
        assert_eq!(race(&folder, &job), 1, "round {round}");
        assert!(begun.elapsed() < STALE);
    }
    assert!(files(&folder).iter().all(|file| file.ends_with(".status")));
}

#[test]
fn a_claim_of_another_container_is_broken_when_it_does_not_change() {
    let (_place, folder) = folder();
    folder.make().unwrap();
    let job = name("a");
    leave(&folder, &job, "claim~1234-5678.1.2~1~2~1-0");
    let begun = Instant::now();
    assert_eq!(race(&folder, &job), 1);
    assert!(begun.elapsed() >= STALE);
}

#[test]
fn who_lost_the_claim_while_it_slept_starts_nothing() {
    let (_place, folder) = folder();
    folder.make().unwrap();
    let job = name("a");
    let slow = Claim::take(&folder, &job, PATIENCE).unwrap();
    remove(&slow.place, &holder(&slow.place).unwrap()).unwrap();
    let fast = Claim::take(&folder, &job, PATIENCE).unwrap();
    assert!(!slow.commit(&running("slow")).unwrap());
    assert!(fast.commit(&running("fast")).unwrap());
    assert_eq!(folder.status(&job).unwrap().unwrap().id, "fast");
    assert_eq!(files(&folder), ["a.status"]);
}

#[test]
fn whoever_is_killed_while_it_starts_a_job_leaves_it_to_the_next() {
    // Processes of their own, which do nothing else than to take this claim, and are killed at any moment.
    let (place, folder) = folder();
    folder.make().unwrap();
    let job = name("a");
    let program = std::env::current_exe().unwrap();
    let start = || -> Child {
        Command::new(&program)
            .args(["--exact", "--ignored", "job::claim::tests::takes_claims_for_ever"])
            .env("DEVINIT_TEST_FOLDER", folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    for round in 0..15u64 {
        let mut children: Vec<Child> = (0..3).map(|_| start()).collect();
        sleep(Duration::from_millis(40 + round * 7));
        for child in &mut children {
            child.kill().unwrap();
        }
        for child in &mut children {
            child.wait().unwrap();
        }
        assert_eq!(race(&folder, &job), 1, "round {round}");
        let ended = Status { state: State::Failed, ..folder.status(&job).unwrap().unwrap() };
        folder.write_status(&job, &ended).unwrap();
    }
    for file in files(&folder).iter().filter(|file| *file != "a.status") {
        assert!(is_claim(file) || file.ends_with(folder::TEMPORARY), "{file}");
        if is_claim(file) {
            clear(&folder.path().join(file)).unwrap();
        }
    }
    drop(place);
}

#[test]
#[ignore = "is started by another test"]
fn takes_claims_for_ever() {
    let Some(path) = std::env::var_os("DEVINIT_TEST_FOLDER") else { return };
    let (folder, job) = (Folder::new(path.into()), name("a"));
    // A bound, should nobody be there any more to end it.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        let ended = || Status { state: State::Succeeded, ..running("x") };
        match begin(&folder, &job, &mut |_| ended()) {
            Ok(_) | Err(Refused::Runs(_)) => {}
            Err(Refused::Unwritable(error)) => panic!("{error}"),
        }
    }
}

#[test]
fn two_names_do_not_disturb_each_other() {
    let (_place, folder) = folder();
    folder.make().unwrap();
    let (one, other) = (name("a"), name("a.claim"));
    let claim = Claim::take(&folder, &one, PATIENCE).unwrap();
    let begun = Instant::now();
    begin(&folder, &other, &mut |_| running("1")).unwrap();
    assert!(begun.elapsed() < STALE);
    drop(claim);
    begin(&folder, &one, &mut |last| {
        assert_eq!(last, None);
        running("2")
    })
    .unwrap();
    let refused = begin(&folder, &one, &mut |_| panic!("it runs")).unwrap_err();
    assert!(matches!(refused, Refused::Runs(status) if status.id == "2"));
}

#[test]
fn the_new_status_is_made_of_the_last_one() {
    let (_place, folder) = folder();
    let job = name("a");
    begin(&folder, &job, &mut |_| Status { attempt: 4, state: State::Failed, ..running("1") }).unwrap();
    let status = begin(&folder, &job, &mut |last| Status { attempt: last.unwrap().attempt + 1, ..running("2") });
    assert_eq!(status.unwrap().attempt, 5);
    assert_eq!(folder.status(&job).unwrap().unwrap().id, "2");
}

#[test]
fn what_stands_in_the_way_is_neither_removed_nor_followed() {
    let (place, folder) = folder();
    folder.make().unwrap();
    let elsewhere = place.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("passwd"), "root").unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.path().join(".a.claim")).unwrap();
    fs::write(folder.path().join(".b.claim"), "").unwrap();
    for job in ["a", "b"] {
        let refused = begin(&folder, &name(job), &mut |_| running("1")).unwrap_err();
        assert!(matches!(refused, Refused::Unwritable(_)), "{refused}");
    }
    assert!(elsewhere.join("passwd").exists());
    assert_eq!(files(&folder), [".a.claim", ".b.claim"]);
    // A folder in the folder's place.
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = begin(&Folder::new(file), &name("a"), &mut |_| running("1")).unwrap_err();
    assert!(matches!(refused, Refused::Unwritable(_)));
}

#[test]
fn claims_are_told_by_their_names() {
    for claim in [".a.claim", ".a.claim.12-34-0", ".a.b.claim"] {
        assert!(is_claim(claim), "{claim}");
    }
    for other in ["a.claim", ".claim", "..claim", ".a.claims", ".a/b.claim", ".a.status", ""] {
        assert!(!is_claim(other), "{other}");
    }
}

#[test]
fn a_link_in_a_claim_s_place_gives_nobody_rights_elsewhere() {
    let (place, folder) = folder();
    folder.make().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let elsewhere = place.path().join("elsewhere");
    DirBuilder::new().mode(0o700).create(&elsewhere).unwrap();
    let private = folder.path().join(".a.claim.1");
    std::os::unix::fs::symlink(&elsewhere, &private).unwrap();
    assert!(prepare(folder.path(), &private, "claim~1~2~3~4").is_err());
    assert_eq!(fs::metadata(&elsewhere).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn only_names_that_a_claim_can_have_are_claims() {
    for claim in [".a.claim", ".a.claim.12-00ff-0", ".a.claim.x.claim"] {
        assert!(is_claim(claim), "{claim}");
    }
    for other in ["a.claim", ".a.claim.\u{1b}]0;x\u{7}", ".a.claim.b c", ".a b.claim", ".claim"] {
        assert!(!is_claim(other), "{other:?}");
    }
}

#[test]
fn whatever_a_status_says_it_is_told_by_the_name_that_was_asked_for() {
    let (_place, folder) = folder();
    folder.make().unwrap();
    folder.write_status(&name("a"), &Status { job: "b".to_owned(), ..running("1") }).unwrap();
    let refused = begin(&folder, &name("a"), &mut |_| Status::default()).unwrap_err().to_string();
    assert!(refused.starts_with("`a` runs already"), "{refused}");
}
