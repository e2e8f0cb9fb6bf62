//! Commands on the test machine: each has an upper bound.

use std::fmt;
use std::process::Command;

/// A command that is killed after so many seconds (exit code 124 or 137).
pub fn bounded(seconds: u32, program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--foreground", "-k", "2", &seconds.to_string(), program]);
    command
}

/// What a command left.
pub struct Output {
    /// What was run, for messages.
    pub command: String,
    /// Exit code; 128+N if it died of signal N.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Runs the command to its end.
    pub fn of(command: &mut Command) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let output = command.output().unwrap_or_else(|error| panic!("could not run {command:?}: {error}"));
        let status = output.status;
        Self {
            command: format!("{command:?}"),
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output without the final newlines, if the exit code is 0.
    ///
    /// # Panics
    /// With all that the command left if it failed.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout.trim_end().to_owned()
    }

    /// Everything that it printed.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "{command}: exit code {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
