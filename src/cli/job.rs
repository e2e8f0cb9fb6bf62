//! The command line of `devinit job`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::duration;

const RUN_EXAMPLES: &str = "\
Examples:
  devinit job run build --detach -- make -j8     begins and returns; then: devinit job status build
  devinit job run build -- make -j8              prints what the job prints; Ctrl-C is the job's, hanging up is not
  devinit job run next --queue=build -- ./test   waits until build has ended

The job goes on when the terminal or the SSH session is closed, and when this very process is killed.

Exit code: the job's, or 128+N if signal N ended it. 126, 127: it cannot be executed, is not there. 125: refused, for
instance because a job of this name runs. With --detach 0 once it runs.";
const LOGS_EXAMPLES: &str = "\
Examples:
  devinit job logs build --tail 20          the last lines
  devinit job logs build -f                 and what comes, until the job ends; also from another container
  devinit job logs build --errors           what looks like an error, with two lines around each
  devinit job logs build --errors --tail 40 the last of them: found from the end, so that a large log takes no time
  devinit job logs build --since 10m --grep 'undefined reference'

Escape sequences such as colours are shown on a terminal only; --json and --raw have them anywhere. With -f it is told on
standard error how the job ended.

Exit code 0; 1 if there is no such job or log.";

/// Arguments of `job`.
#[derive(Debug, Args)]
pub struct Job {
    /// Which one.
    #[command(subcommand)]
    pub command: JobCommand,
    /// The folder of jobs, instead of what `DEVINIT_JOBS` or the config's `jobs.directory` names
    #[arg(long, value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
}

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Run a command, and keep a status file and a log of it
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// How a job stands, in one line; without a name all of them
    ///
    /// Exit code 0; 1 if there is no such job.
    Status(JobStatus),
    /// All jobs as a table, the latest first
    List(List),
    /// What a job has printed, without a number of lines all of it
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(JobLogs),
    /// Wait until a job has ended
    ///
    /// Exit code: the job's, or 128+N if signal N ended it. 124: not in time. 125: no such job, or it is lost.
    Wait(Wait),
    /// End a job with all that it started: SIGTERM, then SIGKILL
    ///
    /// A job of another container on the same storage is asked by a file, and looks for it every few seconds. Exit code 0: it
    /// has ended; 1 if not.
    Stop(StopJob),
    /// Run the command of an earlier job again, in its folder and with its name
    ///
    /// Exit codes as of `job run`.
    Retry(Retry),
}

/// Arguments of `job run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The job's name: letters, digits, `-`, `_`, `.`, `+` and `@`
    pub name: String,
    /// How it is run.
    #[command(flatten)]
    pub how: How,
    /// The working folder of the command, instead of this one
    #[arg(long, value_name = "DIR")]
    pub chdir: Option<PathBuf>,
    /// The command
    #[arg(last = true, required = true, value_name = "CMD")]
    pub main: Vec<std::ffi::OsString>,
}

/// How a job is run.
#[derive(Clone, Debug, Args)]
pub struct How {
    /// Begin it in the background and return
    #[arg(short, long)]
    pub detach: bool,
    /// Wait for a job that runs, instead of refusing: for the one of this name, or with `=JOB` for another one
    #[arg(long, value_name = "JOB", num_args = 0..=1, require_equals = true)]
    pub queue: Option<Option<String>>,
    /// Print nothing of what the job prints
    #[arg(short, long)]
    pub quiet: bool,
    /// What becomes of escape sequences (colours) in the log
    #[arg(long, value_enum, default_value_t = Ansi::Keep)]
    pub ansi: Ansi,
    /// How long it may take to end after SIGTERM before SIGKILL, such as 30s
    #[arg(long, value_parser = duration::parse, default_value = "5s", value_name = "TIME")]
    pub stop_timeout: Duration,
}

/// What becomes of escape sequences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Ansi {
    /// They are kept.
    #[default]
    Keep,
    /// They are left out.
    Strip,
}

/// Arguments of `job status`.
#[derive(Debug, Args)]
pub struct JobStatus {
    /// The job
    pub name: Option<String>,
    /// As JSON: the status file, with what is known beyond it
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `job list`.
#[derive(Debug, Args)]
pub struct List {
    /// As a JSON array
    #[arg(long)]
    pub json: bool,
    /// Only those that run
    #[arg(long)]
    pub running: bool,
}

/// Arguments of `job logs`.
#[derive(Debug, Args)]
pub struct JobLogs {
    /// The job
    pub name: String,
    /// Go on with what is printed from now on, until the job ends
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last N lines, after all other selection
    #[arg(short = 'n', long, value_name = "N")]
    pub tail: Option<usize>,
    /// Only what was printed in the last 10m, or since 2026-01-31, 2026-01-31T12:00 or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only lines that contain this
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,
    /// --grep without regard to upper and lower case
    #[arg(short, long, requires = "grep")]
    pub ignore_case: bool,
    /// Only lines that look like errors
    #[arg(long)]
    pub errors: bool,
    /// How many lines around those of --errors and --grep; without it 2 with --errors, and 0 with --grep
    #[arg(short = 'C', long, value_name = "N")]
    pub context: Option<usize>,
    /// Only this stream: stdout or stderr
    #[arg(long, value_enum, hide_possible_values = true)]
    pub stream: Option<StreamName>,
    /// With the time in front, in UTC
    #[arg(short, long)]
    pub time: bool,
    /// The records of these lines as they are in the log; with -f also that of the job's end
    #[arg(long, conflicts_with = "raw")]
    pub json: bool,
    /// The very bytes that the job printed, as far as the log has them
    #[arg(long, conflicts_with_all = ["time", "grep", "errors", "context"])]
    pub raw: bool,
}

/// What to say to someone whose `job run` is not understood, given the words behind `devinit`: which slip it may have been.
#[must_use]
pub fn run_hint(words: &[String]) -> Option<&'static str> {
    let [job, run, ..] = words else { return None };
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    match job == "job" && run == "run" {
        true if !has("--") => Some("the command follows `--`: devinit job run NAME -- CMD…"),
        true if has("--queue") => Some("another job is named as in --queue=JOB"),
        _ => None,
    }
}

/// A stream of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StreamName {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// Arguments of `job wait`.
#[derive(Debug, Args)]
pub struct Wait {
    /// The job
    pub name: String,
    /// How long to wait, such as 90s or 2h; without it as long as it takes
    #[arg(long, value_parser = duration::parse, value_name = "TIME")]
    pub timeout: Option<Duration>,
    /// Print the job's status as JSON when it has ended
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `job stop`.
#[derive(Debug, Args)]
pub struct StopJob {
    /// The job
    pub name: String,
    /// SIGKILL at once
    #[arg(long)]
    pub kill: bool,
    /// How long to wait for its end, such as 90s
    #[arg(long, value_parser = duration::parse, default_value = "1m", value_name = "TIME")]
    pub timeout: Duration,
    /// Print the job's status as JSON when it has ended
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `job retry`.
#[derive(Debug, Args)]
pub struct Retry {
    /// The job
    pub name: String,
    /// How it is run.
    #[command(flatten)]
    pub how: How,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_left_out_the_dashes_or_an_equals_sign_is_told() {
        let told = |line: &str| run_hint(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for line in ["job run build make", "job run build", "job run build --detach make -j8", "job run"] {
            assert!(told(line).is_some_and(|hint| hint.contains(" -- ")), "{line}");
        }
        for line in ["job run build -- make", "job run -- make", "job status build", "job", "run build make"] {
            assert_eq!(told(line), None, "{line}");
        }
        assert!(told("job run b --queue a -- true").is_some_and(|hint| hint.contains("--queue=")));
    }
}
