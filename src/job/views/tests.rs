use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::wait::{End, watch};
use super::*;
use crate::cli::{Ansi, How, Retry, StopJob};
use crate::job::{Progress, Standing, Status, Time, instance};
use crate::status::table::Look;

const MINUTE: u64 = 60_000;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn folder() -> (tempfile::TempDir, Folder) {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::new(place.path().join("jobs"));
    folder.make().unwrap();
    (place, folder)
}

fn before(minutes: u64) -> Time {
    Time(Time::now().0 - minutes * MINUTE)
}

/// A job of this container that has run for 133 minutes.
fn build() -> Status {
    Status {
        job: "build".to_owned(),
        id: "20260131-235959".to_owned(),
        started: before(133),
        updated: Time::now(),
        duration: 133.0 * 60.0,
        lines: 12_045,
        last_line: Some("==> Installing gcc\u{1b}[2J".to_owned()),
        last_output: Some(Time::now()),
        progress: Some(Progress { percent: Some(42.9), done: Some(102), total: Some(240) }),
        attempt: 1,
        host: "box".to_owned(),
        instance: instance::here(),
        ..Status::default()
    }
}

fn seen(status: Status, standing: Standing) -> Seen {
    let last_seen = status.updated;
    Seen { status, standing, last_seen, owner: 0, is_open: false }
}

fn said(status: Status, standing: Standing) -> String {
    line::line(&name("build"), &seen(status, standing)).trim_end().to_owned()
}

#[test]
fn a_job_is_told_in_one_line() {
    assert_eq!(
        said(build(), Standing::Running),
        "build running 2h13m, 12045 lines, 42 % [102/240], printed 0s ago: ==> Installing gcc?[2J"
    );
    let failed = Status {
        state: State::Failed,
        exit_code: Some(2),
        finished: Some(before(5)),
        attempt: 3,
        last_line: Some("make: *** [all] Error 2".to_owned()),
        warnings: vec!["no space\nleft".to_owned()],
        ..build()
    };
    assert_eq!(
        said(failed.clone(), Standing::Ended),
        "build failed (exit code 2) after 2h13m, ended 5m ago, attempt 3, 12045 lines: make: *** [all] Error 2\n  \
         warning: no space left"
    );
    let killed = Status { exit_code: None, signal: Some("SIGKILL".to_owned()), warnings: vec![], ..failed.clone() };
    assert!(said(killed, Standing::Ended).starts_with("build failed (SIGKILL) after 2h13m"));
    let absent = Status { exit_code: Some(127), error: Some("`mak` is not there".to_owned()), lines: 1, ..failed };
    assert!(said(absent, Standing::Ended).contains("(exit code 127) after"));
    let stopped = Status { state: State::Stopped, signal: Some("SIGTERM".to_owned()), lines: 1, ..build() };
    assert_eq!(said(stopped, Standing::Ended), "build stopped (SIGTERM) after 2h13m, 1 line: ==> Installing gcc?[2J");
    let elsewhere = Status { state: State::Lost, updated: before(180), instance: "other".to_owned(), ..build() };
    let lost = said(elsewhere.clone(), Standing::Lost { last_seen: elsewhere.updated });
    assert!(lost.starts_with("build lost after 2h13m, last seen 3h ago, 12045 lines: ==>"), "{lost}");
    let remote = said(Status { instance: "other".to_owned(), ..build() }, Standing::Running);
    assert!(remote.starts_with("build running 2h13m, in box, 12045 lines"), "{remote}");
}

#[test]
fn jobs_are_a_table_without_anything_that_moves_the_cursor() {
    let ended = Status {
        state: State::Succeeded,
        finished: Some(before(60)),
        progress: None,
        last_line: None,
        lines: 0,
        duration: 7.5,
        ..build()
    };
    let jobs = [(name("build"), seen(build(), Standing::Running)), (name("a"), seen(ended, Standing::Ended))];
    insta::assert_snapshot!(list::text(&jobs, Look::default()).trim_start(), @r"
    JOB    STATE      SINCE  DURATION  LINES  PROGRESS        LAST LINE
    build  running    2h13m  2h13m     12045  42 % [102/240]  ==> Installing gcc?[2J
    a      succeeded  1h     7s        0
    ");
}

#[test]
fn json_tells_the_file_and_what_is_known_beyond_it() {
    let value = value(&name("other"), &seen(build(), Standing::Running));
    assert_eq!((value["job"].as_str(), value["state"].as_str()), (Some("other"), Some("running")));
    assert_eq!((value["here"].as_bool(), value["version"].as_u64()), (Some(true), Some(0)));
    assert_eq!(value["last_seen"].as_str().map(str::len), Some(24));
    assert!(!json(&value).contains('\u{1b}'));
}

#[test]
fn a_job_that_is_not_there_comes_with_the_nearest() {
    let (_place, folder) = folder();
    folder.write_status(&name("build"), &Status { state: State::Succeeded, ..build() }).unwrap();
    std::fs::write(folder.path().join("broken.status"), "{").unwrap();
    let path = folder.path().display();
    assert_eq!(find(&folder, "bild").unwrap_err(), format!("no job `bild` in {path}; did you mean `build`?"));
    assert_eq!(find(&folder, "zzz").unwrap_err(), format!("no job `zzz` in {path}"));
    assert!(find(&folder, "broken").unwrap_err().contains("broken.status is damaged"));
    assert!(find(&folder, "../etc").unwrap_err().contains("no name for a job"));
    assert!(find(&folder, "build").is_ok());
}

#[test]
fn the_exit_code_is_the_job_s() {
    let code = |state, exit_code, signal: Option<&str>| {
        let status = Status { state, exit_code, signal: signal.map(str::to_owned), ..build() };
        exit_code_of(status)
    };
    assert_eq!(code(State::Succeeded, Some(0), None), 0);
    assert_eq!(code(State::Failed, Some(7), None), 7);
    assert_eq!(code(State::Failed, None, Some("SIGKILL")), 137);
    assert_eq!(code(State::Stopped, None, Some("SIGTERM")), 143);
    assert_eq!(code(State::Failed, None, None), 1);
}

fn exit_code_of(status: Status) -> i32 {
    exit_code(&seen(status, Standing::Ended))
}

/// A process in a group of its own that stands for the runner, or the command, of a job.
struct Process(Child);

impl Process {
    fn start(script: &str) -> Self {
        use std::os::unix::process::CommandExt;
        Self(Command::new("sh").args(["-c", script]).process_group(0).spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    /// A job whose runner it is.
    fn job(&self) -> Status {
        Status { runner: self.pid(), runner_started: instance::started(self.pid()).unwrap(), ..build() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn waited(folder: &Folder, limit: Duration) -> End {
    let (name, seen) = find(folder, "build").unwrap();
    watch(folder, &name, seen, Some(limit), &mut |_| Ok(()))
}

#[test]
fn waiting_ends_with_the_job_or_when_the_time_is_over() {
    let (_place, folder) = folder();
    let runner = Process::start("sleep 60");
    let job = name("build");
    folder.write_status(&job, &runner.job()).unwrap();
    assert!(matches!(waited(&folder, Duration::from_millis(120)), End::Late(_)));
    let end = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waited(&folder, Duration::from_secs(30)));
        std::thread::sleep(Duration::from_millis(150));
        let ended = Status { state: State::Failed, exit_code: Some(3), ..runner.job() };
        folder.write_status(&job, &ended).unwrap();
        waiting.join().unwrap()
    });
    assert!(matches!(end, End::Ended(seen) if exit_code(&seen) == 3));
}

#[test]
fn a_job_whose_runner_dies_is_lost_after_a_moment_and_not_at_once() {
    let (_place, folder) = folder();
    let runner = Process::start("sleep 60");
    let status = runner.job();
    folder.write_status(&name("build"), &status).unwrap();
    let (job, seen) = find(&folder, "build").unwrap();
    drop(runner);
    let begun = Instant::now();
    let end = watch(&folder, &job, seen.clone(), Some(Duration::from_secs(30)), &mut |_| Ok(()));
    assert!(matches!(end, End::Lost(_)) && begun.elapsed() >= Duration::from_secs(2));
    // Its guard takes over.
    let guard = Process::start("sleep 60");
    let taken = Status { runner: guard.pid(), runner_started: instance::started(guard.pid()).unwrap(), ..status };
    let end = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| watch(&folder, &job, seen, Some(Duration::from_secs(3)), &mut |_| Ok(())));
        std::thread::sleep(Duration::from_millis(300));
        folder.write_status(&job, &taken).unwrap();
        waiting.join().unwrap()
    });
    assert!(matches!(end, End::Late(_)), "{end:?}");
}

#[test]
fn how_a_run_ended_is_told_although_the_next_one_runs() {
    let (_place, folder) = folder();
    let runner = Process::start("sleep 60");
    let job = name("build");
    folder.write_status(&job, &runner.job()).unwrap();
    let (_, seen) = find(&folder, "build").unwrap();
    let next = Status { id: "20260201-000000".to_owned(), ..runner.job() };
    folder.write_status(&job, &next).unwrap();
    let limit = Some(Duration::from_secs(30));
    assert!(matches!(watch(&folder, &job, seen.clone(), limit, &mut |_| Ok(())), End::Gone(_)));
    let log = "{\"type\":\"line\",\"text\":\"x\"}\n{\"type\":\"exit\",\"time\":\"2026-01-31T23:59:59.000Z\",\
               \"state\":\"failed\",\"exit_code\":5,\"duration\":21.5,\"lines\":3,\"bytes\":99}\n";
    std::fs::write(folder.path().join(job.log_file(&seen.status.id)), log).unwrap();
    let End::Ended(ended) = watch(&folder, &job, seen, limit, &mut |_| Ok(())) else { panic!("it has ended") };
    assert_eq!((exit_code(&ended), ended.status.lines, ended.status.state), (5, 3, State::Failed));
}

fn until_there(file: &std::path::Path) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !file.exists() && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn to_stop(kill: bool, timeout: Duration) -> StopJob {
    StopJob { name: "build".to_owned(), kill, timeout, json: false }
}

#[test]
fn stopping_tells_the_runner_and_waits_for_the_end() {
    for (kill, caught) in [(false, "TERM"), (true, "USR2")] {
        let (_place, folder) = folder();
        let ready = folder.path().join("ready");
        let file = folder.path().join("build.status");
        let wait = "while :; do sleep 0.01; done";
        // A runner that ends as real ones do: it replaces its status.
        let end = format!("mv '{0}.next' '{0}'; exit 0", file.display());
        let mut runner = Process::start(&format!("trap \"{end}\" {caught}; : > '{}'; {wait}", ready.display()));
        until_there(&ready);
        let stopped = Status { state: State::Stopped, signal: Some("SIGTERM".to_owned()), ..runner.job() };
        std::fs::write(folder.path().join("build.status.next"), serde_json::to_vec(&stopped).unwrap()).unwrap();
        folder.write_status(&name("build"), &runner.job()).unwrap();
        assert_eq!(stop::stop(&folder, &to_stop(kill, Duration::from_secs(30))), 0);
        assert_eq!(runner.0.wait().unwrap().code(), Some(0));
        // It has ended already.
        assert_eq!(stop::stop(&folder, &to_stop(kill, Duration::ZERO)), 0);
    }
}

#[test]
fn a_job_that_does_not_end_in_time_is_no_success() {
    let (_place, folder) = folder();
    let ready = folder.path().join("ready");
    let runner = Process::start(&format!("trap '' TERM; : > '{}'; while :; do sleep 0.01; done", ready.display()));
    until_there(&ready);
    folder.write_status(&name("build"), &runner.job()).unwrap();
    assert_eq!(stop::stop(&folder, &to_stop(false, Duration::from_millis(100))), 1);
    assert_eq!(stop::stop(&folder, &StopJob { name: "nothing".to_owned(), ..to_stop(false, Duration::ZERO) }), 1);
}

#[test]
fn a_job_of_another_container_is_asked_by_a_file() {
    use crate::job::folder::Wish;
    let (_place, folder) = folder();
    let job = name("build");
    let remote = Status { instance: "other".to_owned(), runner: 1, ..build() };
    folder.write_status(&job, &remote).unwrap();
    let code = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| stop::stop(&folder, &to_stop(true, Duration::from_secs(30))));
        let limit = Instant::now() + Duration::from_secs(20);
        while folder.wish(&job, &remote.id) != Some(Wish::Kill) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
        folder.write_status(&job, &Status { state: State::Stopped, ..remote.clone() }).unwrap();
        stopping.join().unwrap()
    });
    assert_eq!(code, 0);
    assert_eq!(folder.wish(&job, &remote.id), None);
    // One that nobody has heard of for long is not waited for.
    let lost = Status { updated: before(90), ..remote };
    folder.write_status(&job, &lost).unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    let file = std::fs::File::open(folder.path().join("build.status")).unwrap();
    file.set_times(std::fs::FileTimes::new().set_modified(old)).unwrap();
    assert_eq!(stop::stop(&folder, &to_stop(false, Duration::from_secs(30))), 1);
    assert_eq!(folder.wish(&job, &lost.id), None);
}

#[test]
fn a_command_whose_runner_is_gone_is_ended_but_not_what_may_be_another_process() {
    let (_place, folder) = folder();
    let job = name("build");
    let mut command = Process::start("sleep 60");
    let orphan =
        Status { runner: i32::MAX, started: Time::now(), updated: before(1), pid: Some(command.pid()), ..build() };
    let other = Status { started: before(10), ..orphan.clone() };
    folder.write_status(&job, &other).unwrap();
    let old = || {
        let file = std::fs::File::open(folder.path().join("build.status")).unwrap();
        let time = std::time::SystemTime::now() - Duration::from_secs(60);
        file.set_times(std::fs::FileTimes::new().set_modified(time)).unwrap();
    };
    old();
    assert_eq!(stop::stop(&folder, &to_stop(true, Duration::from_secs(10))), 1);
    assert_eq!(command.0.try_wait().unwrap(), None);
    folder.write_status(&job, &orphan).unwrap();
    old();
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| stop::stop(&folder, &to_stop(true, Duration::from_secs(10))));
        assert!(!command.0.wait().unwrap().success());
        assert_eq!(stopping.join().unwrap(), 0);
    });
}

fn again() -> Retry {
    let how = How { detach: false, queue: None, quiet: false, ansi: Ansi::Keep, stop_timeout: Duration::from_secs(5) };
    Retry { name: "build".to_owned(), how }
}

#[test]
fn a_job_is_run_again_as_it_was_with_one_more_attempt() {
    let status = Status {
        state: State::Failed,
        command: vec!["make".to_owned(), "-j8".to_owned()],
        directory: PathBuf::from("/src"),
        attempt: 2,
        ..build()
    };
    let ended = seen(status, Standing::Ended);
    let request = retry::request(name("build"), &ended, &again(), 1000).unwrap();
    assert_eq!(request.command, ["make", "-j8"]);
    assert_eq!((request.directory.to_str(), request.attempt), (Some("/src"), 3));
    let runs = Seen { standing: Standing::Running, ..ended };
    assert!(retry::request(name("build"), &runs, &again(), 1000).unwrap_err().contains("--queue"));
}

#[test]
fn a_command_that_someone_else_may_have_written_is_shown_and_not_run() {
    let status = Status {
        state: State::Failed,
        command: vec!["sh".to_owned(), "-c".to_owned(), "it's\u{1b}[2J".to_owned()],
        directory: PathBuf::from("/a b"),
        ..build()
    };
    let ended = seen(status.clone(), Standing::Ended);
    let refused = |seen: &Seen, caller| retry::request(name("build"), seen, &again(), caller).unwrap_err();
    let by_hand = "devinit job run build --chdir '/a b' -- sh -c 'it'\\''s?[2J'";
    let others = Seen { owner: 1000, ..ended.clone() };
    assert!(refused(&others, 0).contains(by_hand), "{}", refused(&others, 0));
    assert!(refused(&others, 1001).contains(by_hand));
    assert!(retry::request(name("build"), &others, &again(), 1000).is_ok());
    assert!(refused(&Seen { is_open: true, ..ended }, 0).contains(by_hand));
    let renamed = Status { job: "rescue".to_owned(), ..status.clone() };
    assert!(refused(&seen(renamed, Standing::Ended), 0).contains("of another job, `rescue`"));
    let lossy = Status { command: vec!["cat".to_owned(), "a\u{fffd}".to_owned()], ..status };
    assert!(refused(&seen(lossy, Standing::Ended), 0).contains("no UTF-8"));
    let nothing = Status { command: Vec::new(), ..build() };
    assert!(refused(&seen(nothing, Standing::Ended), 0).contains("no command"));
}
