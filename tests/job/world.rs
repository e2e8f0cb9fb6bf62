//! A folder of jobs, and the program to run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// What must not take longer does not hang.
const LONG: Duration = Duration::from_secs(60);

pub struct World {
    folder: TempDir,
}

impl World {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Where the jobs' files are.
    pub fn jobs(&self) -> PathBuf {
        self.folder.path().join("jobs")
    }

    /// Room for the test's own files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_devinit"));
        command
            .arg("job")
            .args(words)
            .env("DEVINIT_JOBS", self.jobs())
            .env_remove("PYTHONUNBUFFERED")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs `devinit job …` to its end.
    pub fn job(&self, words: &[&str]) -> Said {
        Said::of(self.command(words).output().unwrap())
    }

    /// Begins it, with pipes.
    pub fn begin(&self, words: &[&str]) -> Child {
        self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn try_status(&self, name: &str) -> Option<Value> {
        let text = fs::read_to_string(self.jobs().join(format!("{name}.status"))).ok()?;
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}")))
    }

    pub fn status(&self, name: &str) -> Value {
        self.try_status(name).unwrap_or_else(|| panic!("no status of {name}"))
    }

    pub fn state(&self, name: &str) -> String {
        self.status(name)["state"].as_str().unwrap().to_owned()
    }

    /// Waits until a job of this name has ended. Returns its status.
    pub fn ended(&self, name: &str) -> Value {
        let ended = || {
            let status = self.try_status(name)?;
            (!["running", "stopping"].contains(&status["state"].as_str().unwrap())).then_some(status)
        };
        until(&format!("{name} to end"), ended)
    }

    /// Waits until the command of a job of this name runs. Returns its status.
    pub fn runs(&self, name: &str) -> Value {
        until(&format!("{name} to run"), || self.try_status(name).filter(|status| status["pid"].is_number()))
    }

    /// The paths of a job's logs, the oldest first.
    pub fn logs(&self, name: &str) -> Vec<PathBuf> {
        let begin = format!("{name}-2");
        let is_log = |path: &PathBuf| {
            let file = path.file_name().unwrap().to_str().unwrap();
            file.starts_with(&begin) && path.extension().is_some_and(|end| end == "jsonl")
        };
        let mut logs: Vec<_> =
            fs::read_dir(self.jobs()).unwrap().map(|entry| entry.unwrap().path()).filter(is_log).collect();
        logs.sort();
        logs
    }

    /// All records of a job's only log; each has to be whole.
    pub fn records(&self, name: &str) -> Vec<Value> {
        let [log] = self.logs(name).try_into().unwrap();
        records(&log)
    }

    /// The texts of a job's lines.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let records = self.records(name);
        let lines = records.iter().filter(|record| record["type"] == "line");
        lines.map(|record| record["text"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for World {
    /// Whatever a failed test left running.
    fn drop(&mut self) {
        for entry in fs::read_dir(self.jobs()).into_iter().flatten().flatten() {
            let Some(name) =
                entry.file_name().to_str().and_then(|file| file.strip_suffix(".status")).map(str::to_owned)
            else {
                continue;
            };
            let Some(status) = self.try_status(&name) else { continue };
            for (key, group) in [("runner", false), ("pid", true)] {
                let Some(pid) = status[key].as_i64().and_then(|pid| i32::try_from(pid).ok()) else { continue };
                let ours = || {
                    fs::read_to_string(format!("/proc/{pid}/environ"))
                        .is_ok_and(|text| text.contains(self.folder.path().to_str().unwrap()))
                };
                if status["finished"].is_null() && pid > 1 && ours() {
                    let _ = kill(Pid::from_raw(if group { -pid } else { pid }), Signal::SIGKILL);
                }
            }
        }
    }
}

/// The records of a log.
pub fn records(log: &Path) -> Vec<Value> {
    let text = fs::read_to_string(log).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last record is torn: {:?}", text.lines().last());
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// What a command said, and how it ended.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub errors: String,
}

impl Said {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), errors: text(&output.stderr) }
    }

    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{} {}", self.out, self.errors);
        self
    }
}

/// Waits for the end of a process that prints little, and ends it if it does not come.
#[track_caller]
pub fn finish(mut child: Child) -> Output {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > LONG {
            child.kill().unwrap();
            panic!("it does not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

/// Waits until there is an answer.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LONG, "waited {LONG:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn send(pid: &Value, signal: Signal) {
    let pid = i32::try_from(pid.as_i64().unwrap()).unwrap();
    assert!(pid > 1);
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Whether there is such a process, and not only its remains.
pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// The parent of a process.
pub fn parent(pid: &Value) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap()
}
