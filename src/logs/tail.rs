//! The end of a log.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;

use crate::logger::older;

/// How much is read at first, from the end of a file.
const BLOCK: u64 = 64 * 1024;
/// No line is longer, in bytes: what the logger writes is at most 64 KiB, six times as much as JSON. A service that may write
/// to its own log could make it one of terabytes otherwise.
pub const LONGEST: usize = 1 << 20;

/// The end of a log.
pub struct Tail {
    /// The lines, without their line feeds, the oldest first.
    pub lines: Vec<Vec<u8>>,
    /// The newest file, unless it is away for the moment.
    pub newest: Option<File>,
    /// Where the last of its whole lines ends.
    pub end: u64,
}

/// Opens a log. Not a link or anything else that someone may have put there.
///
/// # Errors
/// Those of open(2); it is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Which file it is.
pub fn identity(file: &File) -> Option<(u64, u64)> {
    file.metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// The last `n` lines of the log at this path, over as many of its older files as it takes.
///
/// # Errors
/// The newest file cannot be read; there is none at all.
pub fn tail(path: &Path, n: usize) -> io::Result<Tail> {
    let newest = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        answer => Some(answer?),
    };
    let mut tail = Tail { lines: Vec::new(), newest: None, end: 0 };
    let mut seen = Vec::new();
    if let Some(file) = &newest {
        (tail.lines, tail.end) = last_of(file, n)?;
        seen.extend(identity(file));
    }
    let mut missing = 0;
    for number in 1.. {
        // One may be missing, where a rotation is under way.
        if tail.lines.len() >= n || missing > 1 {
            break;
        }
        match open(&older(path, number)) {
            Ok(file) => {
                // It was the one before when we looked at that, and was renamed since.
                if identity(&file).is_some_and(|identity| seen.contains(&identity)) {
                    continue;
                }
                seen.extend(identity(&file));
                let (mut lines, _) = last_of(&file, n.saturating_sub(tail.lines.len()))?;
                lines.append(&mut tail.lines);
                tail.lines = lines;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing += 1,
            Err(error) => return Err(error),
        }
    }
    if seen.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    tail.newest = newest;
    Ok(tail)
}

/// The last lines of a file that are whole, and where they end.
fn last_of(file: &File, n: usize) -> io::Result<(Vec<Vec<u8>>, u64)> {
    let length = file.metadata()?.len();
    let (mut begin, mut bytes) = (length, Vec::new());
    let begins_long = |bytes: &[u8]| bytes.iter().take(LONGEST + 1).all(|byte| *byte != b'\n') && bytes.len() > LONGEST;
    while begin > 0 && bytes.iter().filter(|byte| **byte == b'\n').count() <= n && !begins_long(&bytes) {
        // As much again each time, so that reading all of a large file does not move it again and again.
        let step = begin.min(BLOCK.max(bytes.len() as u64));
        begin -= step;
        let mut block = vec![0; usize::try_from(step).map_err(io::Error::other)?];
        file.read_exact_at(&mut block, begin)?;
        block.append(&mut bytes);
        bytes = block;
    }
    let Some(last) = bytes.iter().rposition(|byte| *byte == b'\n') else { return Ok((Vec::new(), 0)) };
    let end = begin + last as u64 + 1;
    bytes.truncate(last);
    let whole = |line: &&[u8]| line.len() <= LONGEST;
    let lines = bytes.rsplit(|byte| *byte == b'\n').take(n).take_while(whole);
    let mut lines: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
    lines.reverse();
    Ok((lines, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tail: &Tail) -> Vec<&str> {
        tail.lines.iter().map(|line| std::str::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn the_older_files_help_out_where_the_newest_is_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        assert!(tail(&path, 3).is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
        std::fs::write(&path, "five\nsix\nbegun").unwrap();
        std::fs::write(older(&path, 1), "three\nfour\n").unwrap();
        std::fs::write(older(&path, 3), "one\n\n").unwrap();
        assert_eq!(text(&tail(&path, 1).unwrap()), ["six"]);
        assert_eq!(text(&tail(&path, 3).unwrap()), ["four", "five", "six"]);
        assert_eq!(text(&tail(&path, 99).unwrap()), ["one", "", "three", "four", "five", "six"]);
        assert_eq!(tail(&path, 0).unwrap().end, 9);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text(&tail(&path, 1).unwrap()), ["four"]);
    }

    #[test]
    fn long_lines_are_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let lines: Vec<String> = (0..50).map(|number| format!("{number}").repeat(20_000)).collect();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        for n in [1, 2, 20, 50, 99] {
            assert!(text(&tail(&path, n).unwrap()) == lines[lines.len().saturating_sub(n)..], "{n}");
        }
    }

    #[test]
    fn a_file_that_someone_has_blown_up_costs_little_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let file = File::create(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        file.write_all_at(b"\nlast\n", 1 << 40).unwrap();
        assert_eq!(text(&tail(&path, 5).unwrap()), ["last"]);
        file.set_len(1 << 41).unwrap();
        assert!(tail(&path, 5).unwrap().lines.is_empty());
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(tail(&path, 1).is_err());
    }
}
