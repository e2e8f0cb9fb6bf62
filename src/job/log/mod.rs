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
//! - `redrawn`: a line with carriage returns, as progress bars draw it, is folded into its last state that showed anything;
//!   this is how many such states were before it. Blanks and sequences that erase show nothing. A shorter state is
//!   told as it was drawn, without what a terminal would still show of a longer one behind it. A carriage return right before
//!   the line feed is part of the line's end.
//! - `part`: a line longer than 64 KiB is cut, never within a character; it goes on in the next line of its stream.
//! - `base64`: the very bytes, where they are not UTF-8; each wrong piece is U+FFFD in `text`.
//! - `unended`: the command ended, or closed its output, without a line feed. It counts as a line.
//! - `missing`: lines that could not be written, when that worked again, and why: what the system said, or that the log was
//!   removed. How many bytes they were may be an estimate.
//! - `current`: what can be seen of the line that has not ended yet, as text without escape sequences; left out if nothing.
//! - An `exit` may have `signal` or `error` instead of `exit_code`.
//!
//! `text`, `base64`, `redrawn`, `part` and `unended` come in this order.

pub mod entry;
mod escapes;
pub mod file;
mod line;
pub mod lines;
pub mod record;

pub use entry::Entry;
pub use escapes::visible;
pub use file::LogFile;
pub use lines::{Lines, Stream};

/// The version of the format. Keys and types of records may be added to it; one that changes its meaning or goes makes a
/// new version.
pub const VERSION: u32 = 1;
