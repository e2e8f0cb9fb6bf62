//! What is known of a run before its command runs.

use std::ffi::OsString;

use super::Job;
use crate::job::status::VERSION;
use crate::job::{Status, Time, instance};

/// The longest command that stands in a status, in bytes of JSON: a longer status is not read.
const LONGEST_COMMAND: usize = 512 << 10;

impl Job {
    /// What is known before the command runs.
    pub(super) fn first_status(&self) -> Status {
        let now = Time::now();
        let (runner, runner_started) = runner();
        let id = now.to_string().chars().take(19).filter(char::is_ascii_digit).collect::<String>();
        let (day, second) = id.split_at_checked(8).unwrap_or_default();
        Status {
            version: VERSION,
            job: self.request.name.to_string(),
            id: format!("{day}-{second}"),
            started: now,
            updated: now,
            command: as_written(&self.request.command),
            directory: self.request.directory.clone(),
            user: crate::status::own_name(),
            host: nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned(),
            instance: instance::here(),
            runner,
            runner_started,
            attempt: self.request.attempt,
            ..Status::default()
        }
    }
}

/// A command, as the status has it: of one that is too long for a status the beginning, and a word that tells so, which
/// is not to be run again.
fn as_written(command: &[OsString]) -> Vec<String> {
    let (mut words, mut room) = (Vec::new(), LONGEST_COMMAND);
    for (number, word) in command.iter().enumerate() {
        let word = word.to_string_lossy().into_owned();
        // As JSON: the two quotation marks and the comma, and what is escaped.
        let length =
            word.chars().map(|letter| if letter.is_control() { 6 } else { letter.len_utf8() + 1 }).sum::<usize>();
        let Some(left) = room.checked_sub(length + 3) else {
            words.push(format!("{} {} words too many", char::REPLACEMENT_CHARACTER, command.len() - number));
            break;
        };
        room = left;
        words.push(word);
    }
    words
}

/// This process, as the status names it: its number, and when it was started.
pub(super) fn runner() -> (i32, u64) {
    let pid = nix::unistd::getpid().as_raw();
    (pid, instance::started(pid).unwrap_or(0))
}
