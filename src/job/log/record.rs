//! The records that are not lines.

use serde::Serialize;

use super::{VERSION, visible};
use crate::job::{State, Status, Time};
use crate::logger::TIME;

/// The longest current line of a heartbeat, in characters.
const CURRENT: usize = 500;

/// What all these records begin with is their type, and when it was.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Record<'a> {
    Start {
        version: u32,
        time: Time,
        job: &'a str,
        id: &'a str,
        command: &'a [String],
        directory: &'a str,
        user: &'a str,
        host: &'a str,
        runner: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<i32>,
        attempt: u32,
    },
    Heartbeat {
        time: Time,
        duration: f64,
        lines: u64,
        bytes: u64,
        #[serde(skip_serializing_if = "str::is_empty")]
        current: &'a str,
    },
    Exit {
        time: Time,
        state: State,
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
        duration: f64,
        lines: u64,
        bytes: u64,
    },
    Missing {
        time: &'a str,
        lines: u64,
        bytes: u64,
        reason: &'a str,
    },
}

fn write(out: &mut Vec<u8>, record: &Record<'_>) {
    // Into memory it cannot fail.
    if serde_json::to_writer(&mut *out, record).is_ok() {
        out.push(b'\n');
    }
}

/// Writes that the command was started: at `started`.
pub fn start(out: &mut Vec<u8>, status: &Status) {
    let record = Record::Start {
        version: VERSION,
        time: status.started,
        job: &status.job,
        id: &status.id,
        command: &status.command,
        directory: &status.directory.to_string_lossy(),
        user: &status.user,
        host: &status.host,
        runner: status.runner,
        pid: status.pid,
        attempt: status.attempt,
    };
    write(out, &record);
}

/// Writes that it still runs: at `updated`. Of the line that has not ended it says what can be seen.
pub fn heartbeat(out: &mut Vec<u8>, status: &Status, current: &[u8]) {
    let current = visible(current, CURRENT);
    let (time, duration) = (status.updated, status.duration);
    write(out, &Record::Heartbeat { time, duration, lines: status.lines, bytes: status.bytes, current: &current });
}

/// Writes how it ended: at `finished`, or at `updated` if that is not known.
pub fn exit(out: &mut Vec<u8>, status: &Status) {
    let record = Record::Exit {
        time: status.finished.unwrap_or(status.updated),
        state: status.state,
        exit_code: status.exit_code,
        signal: status.signal.as_deref(),
        error: status.error.as_deref(),
        duration: status.duration,
        lines: status.lines,
        bytes: status.bytes,
    };
    write(out, &record);
}

/// Writes that lines are missing here, and why.
pub fn missing(out: &mut Vec<u8>, time: &[u8; TIME], lines: u64, bytes: u64, reason: &str) {
    let time = std::str::from_utf8(time).unwrap_or_default();
    write(out, &Record::Missing { time, lines, bytes, reason });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_are_those_of_the_format() {
        let status = Status {
            job: "build".to_owned(),
            id: "20260131-235959".to_owned(),
            command: vec!["make".to_owned(), "a \"b\"".to_owned()],
            directory: "/src".into(),
            user: "root".to_owned(),
            host: "box".to_owned(),
            runner: 7,
            pid: Some(9),
            attempt: 1,
            started: Time(1_769_900_399_123),
            updated: Time(1_769_900_419_123),
            finished: Some(Time(1_769_900_420_623)),
            duration: 21.5,
            lines: 3,
            bytes: 99,
            state: State::Failed,
            exit_code: Some(2),
            ..Status::default()
        };
        let mut out = Vec::new();
        start(&mut out, &status);
        missing(&mut out, b"2026-01-31T23:00:00.000Z", 17, 1234, "No space left on device (os error 28)");
        heartbeat(&mut out, &status, b"\x1b[1m57 %\x1b[0m");
        exit(&mut out, &status);
        exit(&mut out, &Status { exit_code: None, signal: Some("SIGKILL".to_owned()), finished: None, ..status });
        let text = String::from_utf8(out).unwrap();
        let expected = [
            r#"{"type":"start","version":1,"time":"2026-01-31T22:59:59.123Z","job":"build","id":"20260131-235959","command":["make","a \"b\""],"directory":"/src","user":"root","host":"box","runner":7,"pid":9,"attempt":1}"#,
            r#"{"type":"missing","time":"2026-01-31T23:00:00.000Z","lines":17,"bytes":1234,"reason":"No space left on device (os error 28)"}"#,
            r#"{"type":"heartbeat","time":"2026-01-31T23:00:19.123Z","duration":21.5,"lines":3,"bytes":99,"current":"57 %"}"#,
            r#"{"type":"exit","time":"2026-01-31T23:00:20.623Z","state":"failed","exit_code":2,"duration":21.5,"lines":3,"bytes":99}"#,
            r#"{"type":"exit","time":"2026-01-31T23:00:19.123Z","state":"failed","signal":"SIGKILL","duration":21.5,"lines":3,"bytes":99}"#,
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
