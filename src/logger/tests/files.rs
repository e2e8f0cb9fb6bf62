use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::geteuid;

use super::world::{World, all, until};
use crate::engine::spec::{Form, Log, LogFile};
use crate::logger::{TIME, older, recent};

#[test]
fn lines_get_their_time_and_the_last_one_its_end() {
    let mut world = World::new();
    let log = world.file("deep/er/a.log", 1 << 20, 2);
    let one = world.service("a", log.clone());
    let path = log.file.unwrap().path;
    world.start_quiet();
    world.print(one, b"whole\npie");
    until(|| world.lines(&path).len() == 1);
    world.print(one, b"ces\nend");
    world.end();
    assert_eq!(world.wait(), 0);
    assert_eq!(world.lines(&path), ["whole", "pieces", "end"]);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn rotations_lose_and_double_nothing() {
    let mut world = World::new();
    let log = world.file("a.log", 10_000, 90);
    let one = world.service("a", log);
    world.start_quiet();
    let text: String = (0..10_000).map(|number| format!("line {number}\n")).collect();
    world.print(one, text.as_bytes());
    world.end();
    assert_eq!(world.wait(), 0);
    let path = world.path("a.log");
    assert_eq!(world.lines(&path), (0..10_000).map(|number| format!("line {number}")).collect::<Vec<_>>());
    assert!((1..30).all(|number| older(&path, number).metadata().unwrap().len() <= 10_000));
}

#[test]
fn as_many_older_files_are_kept_as_are_wanted() {
    for keep in [0, 1, 3] {
        let mut world = World::new();
        let path = world.path("a.log");
        (1..9).for_each(|number| fs::write(older(&path, number), "old\n").unwrap());
        let log = world.file("a.log", 1000, keep);
        let one = world.service("a", log);
        world.start_quiet();
        world.print(one, "a line of some length\n".repeat(1000).as_bytes());
        world.end();
        assert_eq!(world.wait(), 0);
        let kept = (1..20).filter(|number| older(&path, *number).exists()).collect::<Vec<_>>();
        assert_eq!(kept, (1..=keep).collect::<Vec<_>>());
    }
}

/// What a killed logger had read and not written may be missing: each time at most what one read takes in.
#[test]
fn a_logger_that_is_killed_again_and_again_doubles_nothing_and_loses_little() {
    const LINES: u32 = 300_000;
    let mut world = World::new();
    let log = world.file("a.log", 100_000, 1_000);
    let one = world.service("a", log);
    let mut write = world.services[one].write.take().unwrap();
    let writer = std::thread::spawn(move || {
        for number in 0..LINES {
            std::io::Write::write_all(&mut write, format!("line {number}\n").as_bytes()).unwrap();
        }
    });
    let mut kills = 0;
    while !writer.is_finished() {
        world.start_quiet();
        // Another moment each time.
        std::thread::sleep(Duration::from_micros(500 + kills * 7_919 % 30_000));
        world.kill(libc::SIGKILL);
        kills += 1;
    }
    writer.join().unwrap();
    world.start_quiet();
    assert_eq!(world.wait(), 0);
    let path = world.path("a.log");
    let files = (1..1_000).filter(|number| older(&path, *number).exists()).count();
    let (mut seen, mut last, mut broken) = (BTreeSet::new(), None, 0);
    let mut text = String::new();
    for number in (0..=files as u32).rev() {
        let path = if number == 0 { path.clone() } else { older(&path, number) };
        File::open(path).unwrap().read_to_string(&mut text).unwrap();
    }
    for line in text.lines() {
        // One that was cut off, or whose beginning was lost.
        let Some(number) = line.get(TIME + 6..).and_then(|number| number.parse::<u32>().ok()) else {
            broken += 1;
            continue;
        };
        if seen.insert(number) && last.is_none_or(|last| last < number) {
            last = Some(number);
        } else {
            // The end of a number whose beginning was lost may look like another one.
            broken += 1;
        }
    }
    let lost = LINES - seen.len() as u32;
    eprintln!("{kills} kills, {files} rotations, {lost} of {LINES} lines lost, {broken} broken");
    assert!(broken <= 2 * kills, "{broken} broken");
    assert!(u64::from(lost) <= kills * (65_536 / 10 + 2), "{lost} lost in {kills} kills");
}

#[test]
fn a_file_that_was_moved_or_removed_is_made_again() {
    let mut world = World::new();
    let log = world.file("a.log", 1 << 20, 2);
    let one = world.service("a", log);
    let path = world.path("a.log");
    world.start_quiet();
    for round in 0..3 {
        world.print(one, b"before\n");
        until(|| world.lines(&path).iter().any(|line| line == "before"));
        if round == 0 {
            fs::rename(&path, world.path("elsewhere")).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    world.print(one, b"after\n");
    world.end();
    assert_eq!(world.wait(), 0);
    assert_eq!(world.lines(&path), ["after"]);
}

#[test]
fn a_link_or_a_file_with_other_names_is_not_written_to_and_one_message_says_so() {
    for hard in [false, true] {
        let mut world = World::new();
        let (path, other) = (world.path("a.log"), world.path("other"));
        fs::write(&other, "precious\n").unwrap();
        if hard { fs::hard_link(&other, &path) } else { symlink(&other, &path) }.unwrap();
        let log = world.file("a.log", 1 << 20, 2);
        let one = world.service("a", log);
        let (read, write) = std::io::pipe().unwrap();
        world.start(&write, &write);
        drop(write);
        world.print(one, b"one\n");
        until(|| nothing_to_read(&world, one));
        world.print(one, b"two\n");
        until(|| nothing_to_read(&world, one));
        std::thread::sleep(Duration::from_millis(50));
        fs::remove_file(&path).unwrap();
        world.print(one, b"three\n");
        world.end();
        assert_eq!(world.wait(), 0);
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious\n");
        let lines = world.lines(&path);
        assert!(lines[0].starts_with("devinit: 2 lines are missing here"), "{lines:?}");
        assert_eq!(lines[1], "three");
        let said = String::from_utf8(all(read)).unwrap();
        assert_eq!(said.matches("cannot write to").count(), 1, "{said}");
        assert_eq!(said.matches("can be written again; 2 lines are missing in it").count(), 1, "{said}");
    }
}

fn nothing_to_read(world: &World, service: usize) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let mut polled = [PollFd::new(world.services[service].read.as_fd(), PollFlags::POLLIN)];
    poll(&mut polled, PollTimeout::ZERO).unwrap() == 0
}

#[test]
fn a_full_disk_costs_lines_but_not_their_wholeness() {
    if !geteuid().is_root() {
        return;
    }
    let mut world = World::new();
    let disk = world.path("disk");
    fs::create_dir(&disk).unwrap();
    if mount(Some("none"), &disk, Some("tmpfs"), MsFlags::empty(), Some("size=256k")).is_err() {
        return;
    }
    struct Mounted(std::path::PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = umount2(&self.0, MntFlags::MNT_DETACH);
        }
    }
    let mounted = Mounted(disk.clone());
    fs::write(disk.join("ballast"), vec![0; 100 * 1024]).unwrap();
    let log = world.file("disk/a.log", 10 << 20, 2);
    let one = world.service("a", log);
    let (read, write) = std::io::pipe().unwrap();
    world.start(&write, &write);
    drop(write);
    let path = disk.join("a.log");
    let text: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
    world.print(one, text.as_bytes());
    until(|| nothing_to_read(&world, one));
    std::thread::sleep(Duration::from_millis(50));
    let before = world.lines(&path);
    assert!(before.len() > 1000 && before.len() < 20_000);
    assert!(before.iter().enumerate().all(|(number, line)| *line == format!("line {number}")));
    fs::remove_file(disk.join("ballast")).unwrap();
    world.print(one, b"again\n");
    world.end();
    assert_eq!(world.wait(), 0);
    let after = world.lines(&path);
    let lost = 20_000 - before.len();
    assert_eq!(after.len(), before.len() + 2);
    assert!(after[before.len()].starts_with(&format!("devinit: {lost} lines are missing here: No space")));
    assert_eq!(after.last().unwrap(), "again");
    let said = String::from_utf8(all(read)).unwrap();
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("make room on that disk"), "{said}");
    drop(mounted);
}

#[test]
fn what_is_neither_text_nor_lines_is_no_obstacle() {
    let mut world = World::new();
    let path = world.path("a.log");
    let spec = LogFile { path: path.clone(), size: 100 << 20, keep: 2, json: true };
    let one = world.service("a", Log { output: None, file: Some(spec) });
    world.start_quiet();
    world.print(one, b"nul \0 bad \xff\xfe end\n");
    let ten = vec![b'x'; 10 << 20];
    world.print(one, &ten);
    world.print(one, b"\nlast");
    world.end();
    assert_eq!(world.wait(), 0);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["line"], "nul \0 bad \u{fffd}\u{fffd} end");
    let pieces = &lines[1..lines.len() - 1];
    let length: usize = pieces.iter().map(|piece| piece["line"].as_str().unwrap().len()).sum();
    assert_eq!(length, ten.len());
    let (end, begin) = pieces.split_last().unwrap();
    assert!(begin.iter().all(|piece| piece["partial"] == true) && end.get("partial").is_none());
    assert_eq!(lines.last().unwrap()["line"], "last");
}

#[test]
fn what_a_logger_that_is_told_to_go_leaves_the_next_one_goes_on_with() {
    let mut world = World::new();
    let log = world.file("a.log", 1 << 20, 2);
    let one = world.service("a", log);
    let two = world.service("b", Log::default());
    let (path, last) = (world.path("a.log"), recent(world.folder.path(), "b"));
    world.start_quiet();
    world.print(one, b"one\n");
    world.print(two, b"first\nbegun");
    until(|| world.lines(&path).len() == 1 && world.lines(&last).len() == 1);
    assert_eq!(world.kill(crate::logger::MAKE_WAY), 0);
    assert_eq!(world.lines(&last), ["first", "begun"]);
    world.print(one, b"two\n");
    world.start_quiet();
    until(|| world.lines(&path).len() == 2);
    // Other signals mean nothing to it.
    let _ = crate::sys::kill(world.logger.unwrap(), libc::SIGINT);
    let _ = crate::sys::kill(world.logger.unwrap(), libc::SIGHUP);
    world.print(two, b"second\n");
    world.end();
    assert_eq!(world.wait(), 0);
    assert_eq!(world.lines(&path), ["one", "two"]);
    assert_eq!(world.lines(&last), ["first", "begun", "second"]);
    assert_eq!(last.metadata().unwrap().mode() & 0o777, 0o600);
}

#[test]
fn the_last_line_of_a_quiet_service_is_there_at_once_whatever_others_print() {
    let mut world = World::new();
    let names: Vec<String> = (0..100).map(|number| format!("service-{number}")).collect();
    let log = world.file("noise.log", 1 << 20, 1);
    let noisy = world.service("noisy", log);
    let all: Vec<usize> = names.iter().map(|name| world.service(name, Log::default())).collect();
    let mut noise = world.services[noisy].write.take().unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let writer = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            std::io::Write::write_all(&mut noise, &[b"noise\n".repeat(100).as_slice(), &[]].concat()).unwrap();
        }
    });
    world.start_quiet();
    for (number, service) in all.iter().enumerate() {
        world.print(*service, format!("I am {number}\n").as_bytes());
    }
    for (number, name) in names.iter().enumerate() {
        let path = recent(world.folder.path(), name);
        until(|| {
            crate::logs::last_lines(&path, 1).first().is_some_and(|line| line.ends_with(&format!("I am {number}")))
        });
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
    world.end();
    assert_eq!(world.wait(), 0);
}

#[test]
fn both_streams_of_a_service_go_to_one_file() {
    let mut world = World::new();
    let log = Log { output: Some(Form::Raw), ..world.file("a.log", 1 << 20, 2) };
    let (out, err) = (world.stream("a", log.clone(), false), world.stream("a", log, true));
    let (stdout, to_stdout) = std::io::pipe().unwrap();
    let (stderr, to_stderr) = std::io::pipe().unwrap();
    world.start(&to_stdout, &to_stderr);
    drop((to_stdout, to_stderr));
    world.print(out, b"to out\n");
    until(|| world.lines(&world.path("a.log")).len() == 1);
    world.print(err, b"to err");
    world.end();
    assert_eq!(world.wait(), 0);
    assert_eq!(world.lines(&world.path("a.log")), ["to out", "to err"]);
    assert_eq!((all(stdout), all(stderr)), (b"to out\n".to_vec(), b"to err".to_vec()));
    assert!(!recent(world.folder.path(), "a").exists());
}
