//! `devinit job retry`.

use std::ffi::OsString;

use nix::unistd::geteuid;

use super::{NAME, complain, find};
use crate::cli;
use crate::job::command::Request;
use crate::job::{Name, Place, Seen, runner};
use crate::words::clean;

/// The longest command that is repeated, in characters.
const COMMAND: usize = 1000;

/// Runs the command of an earlier job again. Returns the exit code: the job's, or 125.
#[must_use]
pub fn retry(place: Place, options: &cli::Retry) -> i32 {
    let found = find(&place.folder, &options.name);
    match found.and_then(|(name, seen)| request(name, &seen, options, geteuid().as_raw())) {
        Ok(request) => runner::run(place, request),
        Err(why) => {
            complain(&why);
            125
        }
    }
}

/// The same job once more; or why not.
pub(super) fn request(name: Name, seen: &Seen, options: &cli::Retry, caller: u32) -> Result<Request, String> {
    let status = &seen.status;
    if seen.runs() && options.how.queue.is_none() {
        return Err(format!("`{name}` runs: `devinit job stop {name}` ends it, --queue waits for its end"));
    }
    let by_hand = |why: &str| {
        let command = status.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let directory = quoted(&status.directory.to_string_lossy());
        let line = clean(&format!("devinit job run {name} --chdir {directory} -- {command}"), COMMAND);
        format!("{why}; look at it, and if it is what you want, run it by hand:\n  {line}")
    };
    if ![0, caller].contains(&seen.owner) || seen.is_open {
        return Err(by_hand(&format!(
            "the status of `{name}` was written by someone else, or can be, and its command with it"
        )));
    }
    // Who may rename files in the folder cannot write one of ours, and can put one in the place of another.
    if status.job != name.as_str() {
        return Err(by_hand(&format!("the status of `{name}` is that of another job, `{}`", clean(&status.job, NAME))));
    }
    if status.command.is_empty() {
        return Err(format!("the status of `{name}` names no command"));
    }
    let lossy = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
    if status.command.iter().any(|word| lossy(word)) || lossy(&status.directory.to_string_lossy()) {
        return Err(by_hand(&format!(
            "the command of `{name}` has bytes in it that are no UTF-8, or is very long, and its status cannot hold it"
        )));
    }
    Ok(Request {
        name,
        command: status.command.iter().map(OsString::from).collect(),
        directory: status.directory.clone(),
        how: options.how.clone(),
        attempt: status.attempt.saturating_add(1),
    })
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
