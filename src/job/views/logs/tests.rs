use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::Parser;

use super::*;
use crate::job::{State, Status};

const ID: &str = "20260131-235959";

/// A folder with a job named `build`.
struct World {
    directory: tempfile::TempDir,
    folder: Folder,
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    logs: cli::JobLogs,
}

fn options(arguments: &str) -> cli::JobLogs {
    Line::try_parse_from(["logs"].into_iter().chain(arguments.split(' '))).unwrap().logs
}

/// A writer that others can look at, and that may have no reader.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>, Option<io::ErrorKind>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(kind) = self.1 {
            return Err(kind.into());
        }
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(directory.path().to_owned());
        Self { directory, folder }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(format!("build-{ID}.jsonl"))
    }

    fn write(&self, text: &str) {
        let mut file = File::options().append(true).create(true).open(self.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn status(&self, change: impl Fn(&mut Status)) {
        let mut status = Status { id: ID.to_owned(), log: Some(self.path()), ..Status::default() };
        change(&mut status);
        self.folder.write_status(&Name::parse("build").unwrap(), &status).unwrap();
    }

    /// What is printed, and what is told beside it.
    fn shown(&self, arguments: &str) -> (String, Vec<String>) {
        let (mut out, mut told) = (Vec::new(), Vec::new());
        let patience = Duration::from_millis(300);
        let mut tell = |what: &str| told.push(what.to_owned());
        show(&self.folder, &options(arguments), patience, false, &mut out, &mut tell).unwrap();
        (String::from_utf8_lossy(&out).into_owned(), told)
    }

    fn printed(&self, arguments: &str) -> String {
        self.shown(arguments).0
    }

    fn problem(&self, arguments: &str) -> String {
        let patience = Duration::from_millis(300);
        show(&self.folder, &options(arguments), patience, false, &mut Vec::new(), &mut |_| {}).unwrap_err()
    }
}

/// A record of a line at this second of a day.
fn at(second: u64, stream: &str, text: &str, more: &str) -> String {
    let time = Time(1_769_817_600_000 + second * 1000);
    let text = serde_json::to_string(text).unwrap();
    format!("{{\"type\":\"line\",\"time\":\"{time}\",\"stream\":\"{stream}\",\"text\":{text}{more}}}\n")
}

fn out(text: &str) -> String {
    at(0, "stdout", text, "")
}

const START: &str = "{\"type\":\"start\",\"version\":1,\"time\":\"2026-01-31T00:00:00.000Z\",\"job\":\"build\"}\n";
const BEAT: &str = "{\"type\":\"heartbeat\",\"time\":\"2026-01-31T00:00:00.000Z\",\"duration\":20.0}\n";
const EXIT: &str = "{\"type\":\"exit\",\"time\":\"2026-01-31T00:00:00.000Z\",\"state\":\"failed\",\"exit_code\":2,\
                    \"duration\":7980.5,\"lines\":3,\"bytes\":99}\n";
const MISSING: &str = "{\"type\":\"missing\",\"time\":\"2026-01-31T00:00:00.000Z\",\"lines\":17,\"bytes\":9,\
                       \"reason\":\"No space left on device (os error 28)\"}\n";

#[test]
fn lines_are_printed_in_their_order_without_what_harms() {
    let world = World::new();
    world.write(START);
    world.write(&out("\u{1b}[31mred\u{1b}[0m \u{7}"));
    world.write(&at(1, "stderr", "oh", ",\"redrawn\":3"));
    world.write(BEAT);
    world.write(MISSING);
    world.write("{\"type\":\"line\",\"ti\n");
    world.write("{\"type\":\"weather\"}\n");
    world.write(&at(2, "stdout", "end", ",\"unended\":true"));
    world.write(EXIT);
    let gap = "… 17 lines could not be written: No space left on device (os error 28)";
    let (text, told) = world.shown("build");
    assert_eq!(text, format!("red ?\noh\n{gap}\nend\n"));
    assert!(told.len() == 1 && told[0].starts_with("devinit: 1 damaged line of "), "{told:?}");
    assert_eq!(world.printed("build --stream stderr"), format!("oh\n{gap}\n"));
    assert_eq!(world.printed("build --stream stdout --tail 1"), "end\n");
    assert_eq!(
        world.printed("build --time --tail 2"),
        format!("2026-01-31T00:00:00.000Z {gap}\n2026-01-31T00:00:02.000Z end\n")
    );
    let (text, told) = world.shown("build --raw");
    assert_eq!(text, "\u{1b}[31mred\u{1b}[0m \u{7}\noh\nend");
    assert!(told.iter().any(|told| told == "devinit: 17 lines are missing: they could not be written to the log"));
}

#[test]
fn parts_are_put_together_and_bytes_are_given_back() {
    let world = World::new();
    let part = ",\"part\":true";
    let records = [
        at(1, "stdout", "one ", part),
        at(2, "stderr", "two ", part),
        at(3, "stdout", "on\u{fffd}", ",\"part\":true,\"base64\":\"b27/\""),
        at(4, "stderr", "twos", ""),
        at(5, "stdout", "e", ""),
        at(6, "stdout", "a\u{fffd}b", ",\"base64\":\"Yf9i\""),
        at(7, "stdout", "begun", part),
    ];
    world.write(&records.concat());
    assert_eq!(world.printed("build"), "two twos\none on\u{fffd}e\na\u{fffd}b\nbegun\n");
    assert_eq!(world.printed("build --tail 3"), "one on\u{fffd}e\na\u{fffd}b\nbegun\n");
    assert_eq!(world.printed("build --grep twos --time"), "2026-01-31T00:00:02.000Z two twos\n");
    assert_eq!(world.printed("build --json --grep e --stream stdout"), {
        [&*records[0], &records[2], &records[4], &records[6]].concat()
    });
    let mut bytes = Vec::new();
    let raw = options("build --raw --stream stdout");
    show(&world.folder, &raw, Duration::ZERO, false, &mut bytes, &mut |_| {}).unwrap();
    assert_eq!(bytes, b"one on\xffe\na\xffb\nbegun");
}

#[test]
fn a_line_beyond_all_measure_comes_in_pieces_that_give_one_line() {
    let world = World::new();
    let part = at(0, "stdout", &"x".repeat(64 << 10), ",\"part\":true");
    world.write(&part.repeat(300));
    world.write(&out("end"));
    let text = world.printed("build");
    assert!(text.len() == 300 * (64 << 10) + 4 && text.ends_with("xend\n"), "{}", text.len());
}

#[test]
fn the_records_of_what_is_shown_are_printed_as_they_are() {
    let world = World::new();
    let lines = [out("a\u{1b}[0m"), at(0, "stderr", "b \u{9b}", ",\"new\":[1]"), MISSING.to_owned()];
    world.write(&format!("{START}{}{BEAT}{EXIT}", lines.concat()));
    assert_eq!(world.printed("build --json"), lines.concat());
    assert_eq!(world.printed("build --json --tail 2"), lines[1..].concat());
    assert_eq!(world.printed("build --json --tail 1 --follow"), format!("{MISSING}{EXIT}"));
}

#[test]
fn what_is_found_comes_with_its_neighbours_in_groups() {
    let world = World::new();
    for number in 0..30 {
        let text = match number {
            5 | 6 | 20 => format!("a.c:{number}: error: x"),
            _ => format!("line {number}"),
        };
        world.write(&out(&text));
    }
    let errors = "\
line 3
line 4
a.c:5: error: x
a.c:6: error: x
line 7
line 8
--
line 18
line 19
a.c:20: error: x
line 21
line 22
";
    assert_eq!(world.printed("build --errors"), errors);
    assert_eq!(world.printed("build --errors --context 0"), "a.c:5: error: x\na.c:6: error: x\na.c:20: error: x\n");
    assert_eq!(
        world.printed("build --errors --tail 7"),
        errors.lines().skip(4).map(|l| format!("{l}\n")).collect::<String>()
    );
    assert_eq!(world.printed("build --errors --tail 5"), errors.split("--\n").nth(1).unwrap());
    assert_eq!(world.printed("build --errors --grep 20 -C 0"), "a.c:20: error: x\n");
    assert_eq!(world.printed("build --grep ERROR"), "");
    assert_eq!(world.printed("build -i --grep ERROR --tail 1"), "a.c:20: error: x\n");
    // Touching groups are one.
    assert_eq!(world.printed("build --grep 1: -C 1"), "");
    let near = world.printed("build --grep 5 -C 2");
    assert_eq!(near.lines().filter(|line| *line == "--").count(), 2, "{near}");
    assert!(!world.printed("build --json --errors").contains("--"));
}

#[test]
fn the_last_lines_are_those_of_the_whole_log_however_long_it_is() {
    let world = World::new();
    let mut log = String::new();
    for number in 0..6000u64 {
        let stream = if number % 7 == 0 { "stderr" } else { "stdout" };
        let more = if number % 1000 == 1 { ",\"part\":true" } else { "" };
        let text =
            if number % 501 == 0 { format!("error: {number}") } else { format!("line {number} {}", "x".repeat(50)) };
        log.push_str(&at(number, stream, &text, more));
        if number % 2000 == 0 {
            log.push_str(&at(number, stream, &"long ".repeat(13_000), ""));
        }
    }
    world.write(&log);
    for how in ["", " --time", " --stream stderr", " --errors", " --grep 77", " --grep 77 -C 3", " --json", " --raw"] {
        let whole = world.printed(&format!("build{how}"));
        let lines: Vec<&str> = whole.lines().filter(|line| *line != "--").collect();
        for last in [0, 1, 20, 300, 4000, 9000] {
            let tail = world.printed(&format!("build{how} --tail {last}"));
            let tail: Vec<&str> = tail.lines().filter(|line| *line != "--").collect();
            let parts = how == " --json";
            let expected = lines.get(lines.len().saturating_sub(last)..).unwrap();
            // There a line in parts has several records.
            assert!(if parts { tail.ends_with(expected) } else { tail == expected }, "{how} {last}");
        }
    }
}

#[test]
fn more_than_can_be_kept_is_read_a_second_time() {
    let world = World::new();
    let long = "y".repeat(1000);
    let mut log = String::new();
    for number in 0..1300 {
        log.push_str(&at(number, "stdout", &format!("{number} {long}"), ""));
    }
    world.write(&log);
    let text = world.printed("build --tail 1250");
    assert_eq!((text.lines().count(), text.starts_with("50 y")), (1250, true));
    let found = world.printed("build --grep y --context 1 --tail 1250");
    assert_eq!(found, text);
}

#[test]
fn since_prints_what_came_then() {
    let world = World::new();
    let log: String = (0..5000).map(|second| at(second, "stdout", &format!("line {second}"), "")).collect();
    world.write(&log);
    assert_eq!(world.printed("build --since 2026-01-31T01:23:18Z"), "line 4998\nline 4999\n");
    assert_eq!(world.printed("build --since 2026-01-31T01:20:00Z --tail 1"), "line 4999\n");
    assert_eq!(world.printed("build --since 2026-01-31T01:23:10Z --tail 1000").lines().count(), 10);
    assert_eq!(world.printed("build --since 1s"), "");
    assert!(world.problem("build --since then").starts_with("--since `then`: expected 10m,"));
}

#[test]
fn nobody_who_reads_is_no_failure_and_a_full_disk_is() {
    let world = World::new();
    world.write(&out("a"));
    let run = |kind| {
        let mut out = Shared(Arc::default(), Some(kind));
        show(&world.folder, &options("build -f"), Duration::from_secs(60), false, &mut out, &mut |_| {})
    };
    assert_eq!(run(io::ErrorKind::BrokenPipe), Ok(()));
    assert!(run(io::ErrorKind::StorageFull).is_err_and(|told| told.starts_with("the output could not be written")));
}

#[test]
fn a_log_is_followed_until_its_job_ends() {
    let world = World::new();
    world.write(&(START.to_owned() + &out("one") + "{\"type\":\"line\",\"time\""));
    world.status(|_| {});
    let shared = Shared::default();
    let told = std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let (mut out, mut told) = (shared.clone(), Vec::new());
            let patience = Duration::from_secs(60);
            show(&world.folder, &options("build -f"), patience, false, &mut out, &mut |what| {
                told.push(what.to_owned())
            })
            .unwrap();
            told
        });
        let wait = |text: &str| {
            for _ in 0..500 {
                if shared.text() == text {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            panic!("{:?}, not {text:?}", shared.text());
        };
        wait("one\n");
        world.write(":\"2026-01-31T00:00:00.000Z\",\"stream\":\"stdout\",\"text\":\"two\"}\n");
        wait("one\ntwo\n");
        // It is removed, as it is when there are too many; what is followed stays.
        let mut open = File::options().append(true).open(world.path()).unwrap();
        std::fs::remove_file(world.path()).unwrap();
        world.write("something else\n");
        open.write_all((out("three") + EXIT).as_bytes()).unwrap();
        follower.join().unwrap()
    });
    assert_eq!(shared.text(), "one\ntwo\nthree\n");
    assert_eq!(told, ["build failed (exit code 2) after 2h 13m"]);
}

#[test]
fn following_ends_with_the_status_where_the_log_has_no_end() {
    let world = World::new();
    world.write(&at(0, "stdout", "begun", ",\"part\":true"));
    let end = |change: &dyn Fn(&mut Status)| {
        world.status(change);
        let (text, told) = world.shown("build -f");
        assert_eq!(text, "begun\n");
        told.join("; ")
    };
    assert_eq!(
        end(&|status| (status.state, status.duration) = (State::Succeeded, 61.5)),
        "build succeeded after 1m 1s"
    );
    assert_eq!(
        end(&|status| (status.state, status.signal) = (State::Failed, Some("SIGKILL".to_owned()))),
        "build failed (SIGKILL) after 0s"
    );
    assert_eq!(end(&|status| status.state = State::Stopped), "build stopped after 0s");
    assert_eq!(
        end(&|status| (status.state, status.error) = (State::Failed, Some("no \u{1b}such file".to_owned()))),
        "build failed after 0s: no ?such file"
    );
    assert!(end(&|_| {}).starts_with("build is lost: neither its log nor its status was written for 0s."));
    let file = File::options().write(true).open(world.directory.path().join("build.status")).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(7205)).unwrap();
    assert_eq!(world.shown("build -f").1, ["build is lost, last seen 2h ago: nobody knows how it ended"]);
    let newer = end(&|status| status.id = "20260201-000000".to_owned());
    assert_eq!(newer, "build has a newer run: this one has ended, and its log does not say how");
    std::fs::remove_file(world.directory.path().join("build.status")).unwrap();
    assert!(world.shown("build -f").1[0].starts_with("build is lost"));
}

#[test]
fn the_log_is_that_of_the_last_run_in_this_folder() {
    let world = World::new();
    let write = |id: &str| {
        std::fs::write(world.directory.path().join(format!("build-{id}.jsonl")), out(id)).unwrap();
    };
    for id in ["20260131-235958-9", ID, "20260131-235958-10", "20260131-235957"] {
        write(id);
    }
    std::fs::write(world.directory.path().join("build-2-20270131-235959.jsonl"), out("another")).unwrap();
    assert_eq!(world.printed("build"), format!("{ID}\n"));
    // Elsewhere the folder has another path.
    world.status(|status| status.log = Some("/elsewhere/build-20260131-235957.jsonl".into()));
    assert_eq!(world.printed("build"), "20260131-235957\n");
    for bad in ["/etc/passwd", "../x", "", "build-2-20270131-235959.jsonl", "/", "build.status"] {
        world.status(|status| status.log = Some(bad.into()));
        assert_eq!(world.printed("build"), format!("{ID}\n"), "{bad}");
    }
    std::fs::remove_file(world.path()).unwrap();
    world.status(|_| {});
    let (text, told) = world.shown("build");
    assert_eq!(text, "20260131-235958-10\n");
    assert!(told[0].contains("the last run of build, 20260131-235959, has no log here"), "{told:?}");
}

#[test]
fn a_log_that_is_none_is_not_read() {
    let world = World::new();
    std::os::unix::fs::symlink("/etc/passwd", world.path()).unwrap();
    assert!(world.problem("build").starts_with("cannot read "));
}

#[test]
fn who_asks_for_what_is_not_there_is_told_what_is() {
    let world = World::new();
    assert!(world.problem("build").starts_with("no job has run here: there is none in "));
    world.status(|status| status.warnings = vec!["the log cannot be written: \u{1b}Read-only".to_owned()]);
    let told = world.problem("build");
    assert!(
        told.starts_with("build has no log in ") && told.ends_with(": the log cannot be written: ?Read-only"),
        "{told}"
    );
    std::fs::write(world.directory.path().join("test-20260131-235959.jsonl"), "").unwrap();
    let told = world.problem("biuld");
    assert!(told.contains("there is no job `biuld` in "), "{told}");
    assert!(told.ends_with("\n  hint: did you mean `build`?\n  there are: build, test"), "{told}");
    assert!(world.problem("../x").contains("is no name for a job"));
    let nowhere = World { folder: Folder::new(world.directory.path().join("x")), ..world };
    assert!(nowhere.problem("build").starts_with("no job has run here: there is none in "));
}

/// Not a test: figures for the log of a large build. `cargo test --release --lib -- --ignored --nocapture gigabyte`
#[test]
#[ignore = "writes a gigabyte"]
fn a_gigabyte_is_read_at_this_speed() {
    let world = World::new();
    let mut block = String::new();
    for number in 0..8000 {
        let text =
            format!("[{number}/8000] Building CXX object src/lib/CMakeFiles/thing.dir/part_{number}.cc.o -Werror");
        block.push_str(&at(number, "stdout", &text, ""));
        if number % 100 == 0 {
            block.push_str(&at(number, "stderr", &format!("\u{1b}[1msrc/a.c:{number}:5: warning: \"x\"\u{1b}[0m"), ""));
        }
    }
    let size = 1_000_000_000 / block.len();
    for _ in 0..size {
        world.write(&block);
    }
    world.write(&at(9000, "stderr", "a.c:1:1: error: the only one", ""));
    let bytes = world.path().metadata().unwrap().len();
    for how in [
        "--tail 20",
        "--tail 100000",
        "--errors",
        "--errors --tail 5",
        "--grep only",
        "-i --grep ONLY",
        "--since 2026-01-31T02:30:00Z",
        "--json",
        "",
        "--raw",
    ] {
        let started = std::time::Instant::now();
        let arguments = format!("build {how}");
        show(&world.folder, &options(arguments.trim()), Duration::ZERO, false, &mut io::sink(), &mut |_| {}).unwrap();
        let took = started.elapsed();
        println!("{how:32} {took:>10.1?} {:>6.0} MB/s", bytes as f64 / 1e6 / took.as_secs_f64());
    }
}

#[test]
fn parts_that_say_nothing_are_not_kept_without_end() {
    let mut join = join::Join::new(true, true);
    let line =
        |base64| crate::job::log::entry::Line { stderr: false, text: "".into(), base64, part: true, unended: false };
    let mut given = 0;
    let record = vec![b'x'; 1 << 20];
    for _ in 0..200 {
        join.line("", &line(None), &record, &mut |_| given += 1);
    }
    assert!(given > 0, "records");
    let bytes = "AAAA".repeat(250_000);
    given = 0;
    for _ in 0..60 {
        join.line("", &line(Some(&bytes)), b"", &mut |_| given += 1);
    }
    assert!(given > 0, "bytes");
}

#[test]
fn numbers_beyond_all_measure_are_no_trouble() {
    let world = World::new();
    let missing = format!("{{\"type\":\"missing\",\"time\":\"x\",\"lines\":{},\"reason\":\"\"}}\n", u64::MAX);
    world.write(&missing.repeat(2));
    world
        .write("{\"type\":\"exit\",\"time\":\"\",\"state\":\"failed\",\"duration\":1e308,\"exit_code\":-2147483648}\n");
    assert!(world.shown("build --raw").1.iter().any(|told| told.contains("lines are missing")));
}
