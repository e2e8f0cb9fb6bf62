//! Runs the programs of a task.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::fetch::Failure;

/// How much of a standard output is kept, in bytes from its end.
const KEPT: usize = 64 << 10;
/// A line longer than this is cut into several.
const LONGEST_LINE: usize = 64 << 10;
/// How long a program may take to end once it has been told to: shorter than the worker has, so that what it said last is
/// still shown.
const PATIENCE: Duration = Duration::from_millis(1700);
/// When the worker, and so its program, was told to end.
pub(in crate::first_run) static TOLD_TO_END: OnceLock<Instant> = OnceLock::new();
/// What is read of an output at a time: one that never ends, of a process left in the background, must not keep from
/// seeing that the program has.
const AT_A_TIME: usize = 1 << 20;
/// How often it is looked whether a program has ended that left its outputs to others, in milliseconds.
const LOOK_MS: u16 = 100;

/// A program that a task runs.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The program, looked up in the task's PATH, and its arguments.
    pub command: Vec<String>,
    /// Variables on top of the task's.
    pub environment: BTreeMap<String, String>,
    /// Working folder. Without one: the home of the task's user.
    pub directory: Option<PathBuf>,
}

impl Run {
    /// A program and its arguments.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self { command: command.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// With a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Its first two words: enough to tell it from others, and no argument that is nobody's business.
    fn name(&self) -> String {
        let program = self.command.first().map_or("", String::as_str);
        let program = Path::new(program).file_name().map_or(program.into(), |name| name.to_string_lossy());
        match self.command.get(1).filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())) {
            Some(word) => format!("{program} {word}"),
            None => program.into_owned(),
        }
    }

    fn start(&self, environment: &BTreeMap<String, String>, home: &Path) -> Result<Child, Failure> {
        let name = self.name();
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Failure::permanent("there is no command to run"));
        };
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .envs(&self.environment)
            .current_dir(self.directory.as_deref().unwrap_or(home))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                // The working folder may be what is missing, too.
                std::io::ErrorKind::NotFound if self.directory.as_ref().is_some_and(|folder| !folder.is_dir()) => {
                    let folder = self.directory.as_deref().unwrap_or(home).display();
                    Failure::permanent(format!("cannot run {name} in {folder}: there is no such folder"))
                }
                std::io::ErrorKind::NotFound => Failure::permanent(format!("there is no program {program}"))
                    .hint("install it in the image, or in a step that this one needs"),
                std::io::ErrorKind::PermissionDenied => {
                    Failure::permanent(format!("{program} may not be executed: {error}"))
                        .hint("is its file system mounted noexec? Docker's --tmpfs is: --tmpfs FOLDER:exec")
                }
                _ => Failure::passing(format!("failed to start {program}: {error}")),
            })
    }

    /// Runs it to its end. Each line of both outputs is given to `line`. Returns the last 64 KiB of its standard output.
    ///
    /// A process that it leaves in the background is not waited for.
    ///
    /// # Errors
    /// It cannot be started; it ends with an exit code other than 0 or by a signal.
    pub fn run(
        &self,
        environment: &BTreeMap<String, String>,
        home: &Path,
        line: &mut dyn FnMut(&str),
    ) -> Result<String, Failure> {
        let mut child = self.start(environment, home)?;
        let mut output = Stream::new(child.stdout.take());
        let mut errors = Stream::new(child.stderr.take());
        let mut kept = VecDeque::new();
        let status = loop {
            wait_for_output(&output, &errors);
            let ended = child.try_wait().unwrap_or_default();
            output.read(&mut |bytes| keep(&mut kept, bytes), line);
            errors.read(&mut |_| {}, line);
            if let Some(status) = ended {
                break status;
            }
            if TOLD_TO_END.get().is_some_and(|told| told.elapsed() > PATIENCE) {
                let _ = child.kill();
            }
            if output.pipe.is_none() && errors.pipe.is_none() {
                break child.wait().map_err(|error| Failure::passing(format!("{}: {error}", self.name())))?;
            }
        };
        output.finish(line);
        errors.finish(line);
        let kept: Vec<u8> = kept.into();
        self.judge(status).map(|()| String::from_utf8_lossy(&kept).into_owned())
    }

    fn judge(&self, status: ExitStatus) -> Result<(), Failure> {
        let name = self.name();
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            // What shells and env(1) end with if there is no such program, or none that can be executed.
            (Some(code @ (126 | 127)), _) => Err(Failure::permanent(format!(
                "{name} ended with exit code {code}: a program that it needs is not there"
            ))
            .hint("install it in the image, or in a step that this one needs")),
            (Some(code), _) => Err(Failure::passing(format!("{name} ended with exit code {code}"))),
            (None, Some(9)) => Err(Failure::passing(format!("{name} was killed by SIGKILL"))
                .hint("if nobody did that, the container's memory limit did")),
            (None, signal) => {
                Err(Failure::passing(format!("{name} was ended by signal {}", signal.unwrap_or_default())))
            }
        }
    }
}

fn wait_for_output(output: &Stream<impl AsFd>, errors: &Stream<impl AsFd>) {
    let of = |stream: Option<_>| stream.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    let watched = [of(output.pipe.as_ref().map(AsFd::as_fd)), of(errors.pipe.as_ref().map(AsFd::as_fd))];
    let mut watched: Vec<PollFd<'_>> = watched.into_iter().flatten().collect();
    let _ = poll(&mut watched, PollTimeout::from(LOOK_MS));
}

fn keep(kept: &mut VecDeque<u8>, bytes: &[u8]) {
    kept.extend(bytes);
    let surplus = kept.len().saturating_sub(KEPT);
    kept.drain(..surplus);
}

/// One output of a program, cut into lines.
struct Stream<R> {
    pipe: Option<R>,
    begun: Vec<u8>,
}

impl<R: Read + AsFd> Stream<R> {
    fn new(pipe: Option<R>) -> Self {
        if let Some(pipe) = &pipe {
            let _ = fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        }
        Self { pipe, begun: Vec::new() }
    }

    /// Reads what is there, or much of it.
    fn read(&mut self, bytes: &mut dyn FnMut(&[u8]), line: &mut dyn FnMut(&str)) {
        let mut part = [0; 16 << 10];
        let mut left = AT_A_TIME;
        while let Some(pipe) = self.pipe.as_mut().filter(|_| left > 0) {
            match pipe.read(&mut part) {
                Ok(0) => self.pipe = None,
                Ok(length) => {
                    left = left.saturating_sub(length);
                    let part = part.get(..length).unwrap_or_default();
                    bytes(part);
                    self.cut(part, line);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    /// Of what a progress bar draws over itself with carriage returns, only the last state of a line is one.
    fn cut(&mut self, bytes: &[u8], line: &mut dyn FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") || self.begun.len() > LONGEST_LINE {
                self.finish(line);
            }
        }
    }

    /// What is left is a line, too.
    fn finish(&mut self, line: &mut dyn FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.begun);
        let text = text.trim_end();
        let text = text.rsplit('\r').find(|state| !state.is_empty()).unwrap_or_default();
        if !text.is_empty() {
            line(text);
        }
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> (Result<String, Failure>, Vec<String>) {
        let environment = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let mut lines = Vec::new();
        let result =
            Run::new(["sh", "-c", line]).run(&environment, Path::new("/"), &mut |line| lines.push(line.to_owned()));
        (result, lines)
    }

    #[test]
    fn the_output_is_returned_and_both_outputs_are_lines() {
        let (result, mut lines) = shell("echo out; echo err >&2; printf tail");
        assert_eq!(result.unwrap(), "out\ntail");
        lines.sort();
        assert_eq!(lines, ["err", "out", "tail"]);
    }

    #[test]
    fn a_progress_bar_is_its_last_state() {
        assert_eq!(shell(r"printf '10%%\r50%%\r100%%\n'; printf 'a\r\n'").1, ["100%", "a"]);
    }

    #[test]
    fn failures_say_how_it_ended() {
        let (result, lines) = shell("echo why >&2; exit 3");
        let failure = result.unwrap_err();
        assert_eq!(failure.text, "sh ended with exit code 3");
        assert_eq!(lines, ["why"]);
        let failure = shell("kill -9 $$").0.unwrap_err();
        assert_eq!(failure.text, "sh was killed by SIGKILL");
        assert!(failure.hint.unwrap().contains("memory"));
    }

    #[test]
    fn a_program_that_may_not_be_executed_is_told_with_what_is_most_often_why() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, "").unwrap();
        let failure =
            Run::new([program.to_str().unwrap()]).run(&BTreeMap::new(), Path::new("/"), &mut |_| {}).unwrap_err();
        assert!(failure.hint.unwrap().contains("noexec"));
    }

    #[test]
    fn what_cannot_be_started_is_not_tried_again() {
        let failure = Run::new(["/no/such/program"]).run(&BTreeMap::new(), Path::new("/"), &mut |_| {}).unwrap_err();
        assert_eq!(
            (failure.retry, failure.text.as_str()),
            (crate::fetch::Retry::Never, "there is no program /no/such/program")
        );
        let mut run = Run::new(["true"]);
        run.directory = Some("/no/such/folder".into());
        let environment = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let failure = run.run(&environment, Path::new("/"), &mut |_| {}).unwrap_err();
        assert_eq!(failure.text, "cannot run true in /no/such/folder: there is no such folder");
    }

    #[test]
    fn a_process_left_in_the_background_holds_nothing_up() {
        let begin = Instant::now();
        let (result, _) = shell("sleep 20 & echo done; echo $!");
        let output = result.unwrap();
        let (word, pid) = output.trim().split_once('\n').unwrap();
        let _ = crate::sys::kill(pid.parse().unwrap(), 9);
        assert_eq!(word, "done");
        assert!(begin.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_process_left_in_the_background_that_never_stops_talking_holds_nothing_up() {
        let begin = Instant::now();
        let output = shell("exec 3>&1; (timeout 20 yes >&3 & echo $! >&2); exit 0");
        assert!(output.0.is_ok());
        let pid = output.1.iter().find_map(|line| line.parse().ok()).unwrap();
        let _ = crate::sys::kill(pid, 15);
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    }

    #[test]
    fn a_flood_of_output_is_kept_within_bounds() {
        let (result, lines) = shell("yes 0123456789 | head -c 3000000; echo end");
        let output = result.unwrap();
        assert!(output.len() <= KEPT && output.ends_with("end\n"));
        assert!(lines.iter().all(|line| line.len() <= LONGEST_LINE + 20));
        let (_, lines) = shell("head -c 1000000 /dev/zero | tr '\\0' x");
        assert!(lines.len() > 10 && lines.iter().all(|line| line.len() <= 2 * LONGEST_LINE));
    }
}
