use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::world::{World, all, output, until};
use crate::engine::spec::{Form, Log};
use crate::logger::recent;

/// More than the pipes and the logger can hold between them.
const MUCH: usize = 400;

fn much() -> Vec<u8> {
    (0..MUCH).flat_map(|number| format!("{number:0>1023}\n").into_bytes()).collect()
}

#[test]
fn raw_is_exact_whatever_the_output_is() {
    let bytes: Vec<u8> = (0..300_000u32).map(|number| (number * 7 % 256) as u8).collect();
    for kind in ["pipe", "file", "socket"] {
        let mut world = World::new();
        let one = world.service("a", output(Form::Raw));
        let path = world.path("out");
        let (from, to): (Box<dyn Read + Send>, OwnedFd) = match kind {
            "pipe" => {
                let (from, to) = std::io::pipe().unwrap();
                (Box::new(from), to.into())
            }
            "file" => {
                let to = File::create(&path).unwrap();
                (Box::new(File::open(&path).unwrap()), to.into())
            }
            _ => {
                let (from, to) = std::os::unix::net::UnixStream::pair().unwrap();
                (Box::new(from), to.into())
            }
        };
        world.start(&to, &to);
        drop(to);
        let mut write = world.services[one].write.take().unwrap();
        let copy = bytes.clone();
        let writer = std::thread::spawn(move || write.write_all(&copy).unwrap());
        if kind == "file" {
            writer.join().unwrap();
            assert_eq!(world.wait(), 0);
            assert!(all(from) == bytes, "{kind}");
        } else {
            assert!(all(from) == bytes, "{kind}");
            writer.join().unwrap();
            assert_eq!(world.wait(), 0);
        }
    }
}

#[test]
fn names_are_aligned_and_lines_whole() {
    let mut world = World::new();
    let (one, two) = (world.service("db", output(Form::Prefixed)), world.service("frontend", output(Form::Prefixed)));
    let three = world.service("api", output(Form::Json));
    let (read, write) = std::io::pipe().unwrap();
    world.start(&write, &write);
    drop(write);
    world.print(one, b"begun ");
    world.print(two, b"hello\n\n");
    world.print(three, b"\"x\"\n");
    until(|| crate::logs::last_lines(&recent(world.folder.path(), "frontend"), 9).len() == 2);
    world.print(one, b"and ended\nrest");
    world.end();
    assert_eq!(world.wait(), 0);
    let text = String::from_utf8(all(read)).unwrap();
    for line in ["db       | begun and ended", "db       | rest", "frontend | hello", "frontend | "] {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(text.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    assert_eq!((json["service"].as_str(), json["line"].as_str()), (Some("api"), Some("\"x\"")));
}

#[test]
fn a_slow_reader_makes_services_wait_and_loses_nothing() {
    let mut world = World::new();
    let one = world.service("a", output(Form::Raw));
    let (mut read, write) = std::io::pipe().unwrap();
    world.start(&write, &write);
    drop(write);
    let mut write = world.services[one].write.take().unwrap();
    let writer = std::thread::spawn(move || write.write_all(&much()).unwrap());
    let mut found = Vec::new();
    let begin = Instant::now();
    // Longer in all than a stuck reader gets, but never without taking something for that long.
    while begin.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(500));
        let mut piece = vec![0; 9000];
        let length = read.read(&mut piece).unwrap();
        found.extend_from_slice(&piece[..length]);
    }
    assert!(!writer.is_finished());
    found.append(&mut all(read));
    writer.join().unwrap();
    assert_eq!(world.wait(), 0);
    assert!(found == much());
}

#[test]
fn a_stuck_reader_holds_nobody_up_and_is_told_later_what_it_missed() {
    let mut world = World::new();
    let log = Log { output: Some(Form::Raw), ..world.file("a.log", 10 << 20, 1) };
    let (one, two) = (world.service("one", log), world.service("two", output(Form::Prefixed)));
    let quiet_log = world.file("quiet.log", 1 << 20, 1);
    let quiet = world.service("quiet", quiet_log);
    let (mut read, write) = std::io::pipe().unwrap();
    world.start(&write, &write);
    drop(write);
    let mut write = world.services[one].write.take().unwrap();
    let writer = std::thread::spawn(move || {
        write.write_all(&much()).unwrap();
        write
    });
    // Fills the output.
    let begin = Instant::now();
    until(|| fs::metadata(world.path("a.log")).is_ok_and(|file| file.len() > 60_000));
    world.print(quiet, b"not held up\n");
    until(|| world.lines(&world.path("quiet.log")).len() == 1);
    let write = writer.join().unwrap();
    assert!(begin.elapsed() > Duration::from_millis(1500));
    world.services[one].write = Some(write);
    world.print(two, b"two\n");
    until(|| crate::logs::last_lines(&recent(world.folder.path(), "two"), 1).len() == 1);
    until(|| world.lines(&world.path("a.log")).len() == MUCH);
    // It reads again.
    let mut found = Vec::new();
    while !String::from_utf8_lossy(&found).contains("were not shown") {
        let mut piece = vec![0; 9000];
        let length = read.read(&mut piece).unwrap();
        found.extend_from_slice(&piece[..length]);
    }
    world.print(one, b"after\n");
    world.end();
    found.append(&mut all(read));
    assert_eq!(world.wait(), 0);
    let text = String::from_utf8(found).unwrap();
    let notice = text.lines().find(|line| line.contains("were not shown")).unwrap();
    assert!(notice.starts_with("devinit: ") && notice.contains("of one, two were not shown"), "{notice}");
    let missed: usize = notice.split(' ').nth(1).unwrap().parse().unwrap();
    let shown = text.lines().filter(|line| line.len() == 1023).count();
    // A line may be shown in part.
    assert!((MUCH - 1..=MUCH + 1).contains(&(missed + shown)), "{missed} {shown}");
    assert!(text.ends_with("after\n"), "{text:?}");
}

#[test]
fn a_stuck_reader_does_not_keep_a_logger_from_going() {
    let mut world = World::new();
    let one = world.service("a", output(Form::Raw));
    let (read, write) = std::io::pipe().unwrap();
    world.start(&write, &write);
    let mut write = world.services[one].write.take().unwrap();
    let writer = std::thread::spawn(move || write.write_all(&much()));
    std::thread::sleep(Duration::from_millis(300));
    let begin = Instant::now();
    assert_eq!(world.kill(crate::logger::MAKE_WAY), 0);
    assert!(begin.elapsed() < Duration::from_secs(10));
    drop(read);
    world.start_quiet();
    writer.join().unwrap().unwrap();
    assert_eq!(world.wait(), 0);
}

#[test]
fn a_reader_that_is_gone_may_come_back() {
    let mut world = World::new();
    let path = world.path("fifo");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let one = world.service("a", output(Form::Prefixed));
    let open = || File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
    let mut reader = open();
    let write = File::options().write(true).open(&path).unwrap();
    world.start(&write, &write);
    drop(write);
    let last = recent(world.folder.path(), "a");
    let mut count = 0;
    let mut print = |world: &mut World| {
        count += 1;
        world.print(one, format!("line {count}\n").as_bytes());
        until(|| crate::logs::last_lines(&last, 99).len() == count);
    };
    print(&mut world);
    assert_eq!(reader.read(&mut [0; 99]).unwrap(), "a | line 1\n".len());
    drop(reader);
    print(&mut world);
    print(&mut world);
    let mut reader = open();
    print(&mut world);
    world.end();
    assert_eq!(world.wait(), 0);
    let text = String::from_utf8(all(&mut reader)).unwrap();
    let (notice, rest) = text.split_once('\n').unwrap();
    assert!(notice.starts_with("devinit: 2 lines (22 B) of a were not shown"), "{text}");
    assert_eq!(rest, "a | line 4\n");
}

#[test]
fn services_that_print_together_all_get_their_turn() {
    let mut world = World::new();
    let all_of_them: Vec<usize> =
        (0..100).map(|number| world.service(&format!("s{number}"), output(Form::Prefixed))).collect();
    let (read, write) = std::io::pipe().unwrap();
    world.start(write.as_fd(), write.as_fd());
    drop(write);
    let writers: Vec<_> = all_of_them
        .iter()
        .map(|one| {
            let mut write = world.services[*one].write.take().unwrap();
            std::thread::spawn(move || {
                (0..200).for_each(|number| write.write_all(format!("line {number}\n").as_bytes()).unwrap());
            })
        })
        .collect();
    let text = String::from_utf8(all(read)).unwrap();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(world.wait(), 0);
    for one in 0..100 {
        let begin = format!("{:4}| ", format!("s{one}"));
        let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(&begin)).collect();
        assert!(lines.iter().enumerate().all(|(number, line)| *line == format!("line {number}")));
        assert_eq!(lines.len(), 200);
    }
}
