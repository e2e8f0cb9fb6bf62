//! What looks at jobs and steers them: `status`, `list`, `logs`, `wait`, `stop`, `retry`.

mod line;
mod list;
mod retry;
mod status;
mod stop;
mod wait;

use serde_json::Value;

use super::{Folder, Name, Seen, State};
pub(super) use crate::commands::complain;
use crate::words::{clean, harmless_json, nearest};

pub use list::list;
pub use retry::retry;
pub use status::status;
pub use stop::stop;
pub use wait::wait;

/// The longest name, path or message from outside that is repeated, in characters.
const NAME: usize = 300;

/// A job that is there; or what to say of one that is not.
pub(super) fn find(folder: &Folder, text: &str) -> Result<(Name, Seen), String> {
    let name = Name::parse(text)?;
    let path = clean(&folder.path().to_string_lossy(), NAME);
    match folder.settled(&name) {
        Ok(Some(seen)) => return Ok((name, seen)),
        Ok(None) => {}
        Err(error) => return Err(format!("{path}/{} cannot be read: {error}", name.status_file())),
    }
    let known = folder.jobs().map_err(|error| format!("{path} cannot be read: {error}"))?;
    if known.contains(&name) {
        return Err(format!("{path}/{} is damaged: remove it, or run the job anew", name.status_file()));
    }
    let hint = nearest(text, known.iter().map(Name::as_str)).map(|near| format!("; did you mean `{near}`?"));
    Err(format!("no job `{name}` in {path}{}", hint.unwrap_or_default()))
}

/// The status of a job with what is known beyond it.
fn value(name: &Name, seen: &Seen) -> Value {
    let mut value = serde_json::json!(seen.status);
    if let Value::Object(map) = &mut value {
        // The file may say anything; its name is what the job is called by.
        map.insert("job".to_owned(), name.as_str().into());
        map.insert("last_seen".to_owned(), seen.last_seen.to_string().into());
        map.insert("here".to_owned(), seen.is_here().into());
    }
    value
}

/// JSON for a terminal or a program.
fn json(value: &Value) -> String {
    let text = format!("{value:#}\n");
    // As good as always, and of a thousand jobs half of the time.
    let plain = text.bytes().all(|byte| byte == b'\n' || matches!(byte, b' '..=b'~'));
    if plain { text } else { harmless_json(&text) }
}

/// The exit code that stands for how a job ended: its own, or 128+N if signal N ended it.
fn exit_code(seen: &Seen) -> i32 {
    let status = &seen.status;
    let by_signal = || Some(128 + crate::config::signal_number(status.signal.as_deref()?)?);
    status.exit_code.or_else(by_signal).unwrap_or(i32::from(status.state != State::Succeeded))
}

/// Prints how a job ended, in one line or as JSON. Returns 1 if that is lost.
fn print_end(name: &Name, seen: &Seen, as_json: bool) -> i32 {
    crate::commands::print(&if as_json { json(&value(name, seen)) } else { line::line(name, seen) })
}

pub mod logs;
#[cfg(test)]
mod tests;
