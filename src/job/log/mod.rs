//! The log of a run: `NAME-TIMESTAMP.jsonl`, a JSON object in each line.
//!
//! ```json
//! {"type":"start","version":1,"time":"…","job":"build","id":"20260131-235959","command":["make"],"directory":"/src","user":"root","host":"box","runner":7,"pid":9,"attempt":1}
//! {"type":"line","time":"…","stream":"stdout","text":"cc -c a.c"}
//! {"type":"line","time":"…","stream":"stderr","text":"100 %","redrawn":37}
//! {"type":"line","time":"…","stream":"stdout","text":"64 KiB of a longer line","part":true}
//! {"type":"line","time":"…","stream":"stdout","text":"a\ufffdb","base64":"Yf9i"}
//! {"type":"line","time":"…","stream":"stdout","text":"no newline at the end","unended":true}
//! {"type":"missing","time":"…","lines":17,"bytes":1234,"reason":"No space left on device (os error 28)"}
//! {"type":"heartbeat","time":"…","duration":20.0,"lines":3,"bytes":99,"current":"57 %"}
//! {"type":"exit","time":"…","state":"failed","exit_code":2,"duration":21.5,"lines":3,"bytes":99}
//! ```
//!
//! - `time`: when it was read, RFC 3339 with milliseconds, in UTC.
//! - `redrawn`: a line with carriage returns, as progress bars draw it, is folded into what was left on the screen; this is
//!   how many earlier states were. A carriage return right before the line feed is part of the line's end.
//! - `part`: a line longer than 64 KiB is cut, never within a character; it goes on in the next line of its stream.
//! - `base64`: the very bytes, where they are not UTF-8; each wrong piece is U+FFFD in `text`.
//! - `missing`: lines that could not be written, when there was room again.
//! - `current`: what is on the line that has not ended yet.

pub mod entry;

pub use entry::Entry;
