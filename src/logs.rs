//! The last lines that a service printed.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

/// How much of a file's end is looked at, in bytes.
const TAIL: u64 = 64 << 10;

/// The last `n` lines of a file, the oldest first; none, if it cannot be read.
#[must_use]
pub fn last_lines(path: &Path, n: usize) -> Vec<String> {
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let Ok(mut file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else { return Vec::new() };
    let Ok(length) = file.metadata().map(|found| if found.is_file() { found.len() } else { 0 }) else {
        return Vec::new();
    };
    let mut bytes = Vec::new();
    let from = length.saturating_sub(TAIL);
    if file.seek(SeekFrom::Start(from)).and_then(|_| file.take(TAIL).read_to_end(&mut bytes)).is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().collect();
    if from > 0 && lines.len() > 1 {
        lines.remove(0);
    }
    lines.drain(..lines.len().saturating_sub(n));
    lines.into_iter().map(str::to_owned).collect()
}
