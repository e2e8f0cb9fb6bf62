//! The log: one line for each event on standard error, as text or as JSON.
//!
//! Writing never blocks: a container whose output nobody reads (a stuck log driver, a terminal stopped with Ctrl-S)
//! must not stop PID 1. Lines that cannot be written are dropped.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Whether only what is wrong is said from now on.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on the output is a main command's: this process and its forks speak up only when something is wrong, unless
/// `DEVINIT_LOG` asks for more.
pub fn quieten() {
    QUIET.store(!is_told(), Ordering::Relaxed);
}

fn is_told() -> bool {
    std::env::var_os("DEVINIT_LOG").is_some_and(|level| !level.is_empty())
}

/// Sets the log up for this process and its forks. `DEVINIT_LOG` is the least level (`error`, `warn`, `info`,
/// `debug`, `trace`) in place of `usual`, `DEVINIT_LOG_FORMAT` is `text` or `json`.
pub fn init(usual: Level) {
    let level = std::env::var("DEVINIT_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(usual);
    let _ = tracing::subscriber::set_global_default(Log { level, json: is_json(), own: OnceLock::new() });
}

/// Standard error opened anew, so that O_NONBLOCK is ours alone: on the inherited description every child would get it,
/// too. Not for a file, which never blocks, and where whoever opens it anew writes at a place of its own.
fn open() -> Option<File> {
    let file = std::fs::metadata("/proc/self/fd/2").is_ok_and(|stderr| stderr.is_file());
    let own = OpenOptions::new()
        .write(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_APPEND | OFlag::O_NOCTTY).bits())
        .open("/proc/self/fd/2");
    own.ok().filter(|_| !file)
}

/// Whether `DEVINIT_LOG_FORMAT` asks for JSON.
#[must_use]
pub fn is_json() -> bool {
    std::env::var_os("DEVINIT_LOG_FORMAT").is_some_and(|format| format == "json")
}

struct Log {
    level: Level,
    json: bool,
    /// Opened for the first line: with a main command there often is none.
    own: OnceLock<Option<File>>,
}

impl Log {
    fn write(&self, line: &str) {
        if let Some(mut own) = self.own.get_or_init(open).as_ref() {
            let _ = own.write(line.as_bytes());
            return;
        }
        // A socket, or a pipe of another user's, cannot be opened anew. When poll says that there is room, there is
        // room for at least a page in a pipe.
        let stderr = std::io::stderr();
        let mut room = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut room, PollTimeout::ZERO) == Ok(1) {
            let end = line.floor_char_boundary(4095);
            let _ = stderr.lock().write(line.get(..end).unwrap_or_default().as_bytes());
        }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.others.push((field.name(), format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.others.push((field.name(), value.to_owned()));
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("devinit") && *metadata.level() <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        // Here, as `enabled` is asked only once for each place in the code.
        if level > Level::WARN && QUIET.load(Ordering::Relaxed) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.write(&if self.json { as_json(level, &fields) } else { as_text(level, &fields) });
    }

    // Events are all there is: nothing here opens a span.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn as_text(level: Level, fields: &Fields) -> String {
    let mut line = String::from("devinit: ");
    line.push_str(match level {
        Level::ERROR => "error: ",
        Level::WARN => "warning: ",
        _ => "",
    });
    // One event is one line, whatever was put into it.
    line.extend(fields.message.chars().map(|c| if c.is_control() { ' ' } else { c }));
    for (name, value) in &fields.others {
        let _ = write!(line, " {name}={}", value.escape_debug());
    }
    line.push('\n');
    line
}

fn as_json(level: Level, fields: &Fields) -> String {
    let mut object = serde_json::Map::new();
    object.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
    object.insert("level".to_owned(), level.to_string().to_lowercase().into());
    object.insert("message".to_owned(), fields.message.clone().into());
    for (name, value) in &fields.others {
        object.insert((*name).to_owned(), value.clone().into());
    }
    format!("{}\n", serde_json::Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_line_breaks_stays_one_line() {
        let fields = Fields { message: "one\ntwo\x1b[31m".to_owned(), others: vec![] };
        assert_eq!(as_text(Level::WARN, &fields), "devinit: warning: one two [31m\n");
    }

    #[test]
    fn json_lines_hold_the_message_and_the_level() {
        let fields = Fields { message: "a \"quoted\" word".to_owned(), others: vec![("service", "app".to_owned())] };
        let line = as_json(Level::ERROR, &fields);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "a \"quoted\" word");
        assert_eq!(value["level"], "error");
        assert_eq!(value["service"], "app");
        assert!(line.ends_with('\n'));
    }
}
