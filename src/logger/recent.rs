//! The last lines of a service that has no log file of its own, for `logs`, `status` and `health`.
//!
//! Two files of 64 KiB in the runtime folder, which is memory in most containers. What is printed at leisure is written
//! at once. In a burst only the end of what has come since the last write is kept, and it is written at most every 50 ms: so
//! the throughput of a noisy service does not depend on it. A line in the file tells how much is left out. The service's
//! user can read them and not write to them: it could fill that memory, which others need, otherwise.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::file::RotatedFile;
use super::form;
use crate::engine::spec::LogFile;
use crate::sys::find;
use crate::words;

/// The size of each of the two files, in bytes.
const SIZE: usize = 64 * 1024;
/// The shortest time between two writes.
const PAUSE: Duration = Duration::from_millis(50);
/// Room for the line that tells what is left out.
const MARK: usize = 256;
/// What of the memory for lines is kept when they are written.
const KEPT: usize = 4096;

/// The last lines of one service.
pub struct Recent {
    file: RotatedFile,
    /// What is to be written, in two parts: when the second is full, it becomes the first.
    parts: [Part; 2],
    /// How many bytes were left out.
    skipped: usize,
    written: Option<Instant>,
}

#[derive(Default)]
struct Part {
    lines: Vec<u8>,
    /// From where on lines have this time, in milliseconds since 1970.
    times: Vec<(usize, u64)>,
}

impl Part {
    fn clear(&mut self) {
        if self.lines.capacity() > KEPT {
            *self = Self::default();
        }
        self.lines.clear();
        self.times.clear();
    }
}

impl Recent {
    /// Those of this service, in the file at this path.
    pub fn new(path: PathBuf, service: &str, owner: Option<u32>) -> Self {
        let spec = LogFile { path, size: SIZE as u64, keep: 1, json: false };
        let file = RotatedFile::new(spec, service, owner).read_only();
        Self { file, parts: Default::default(), skipped: 0, written: None }
    }

    /// Takes a block of lines that came at this time.
    pub fn push(&mut self, block: &[u8], now: u64) {
        let [first, second] = &mut self.parts;
        if second.lines.len() + block.len() > SIZE {
            std::mem::swap(first, second);
            self.skipped += second.lines.len();
            second.lines.clear();
            second.times.clear();
        }
        if second.times.last().is_none_or(|last| last.1 != now) {
            second.times.push((second.lines.len(), now));
        }
        second.lines.extend_from_slice(block);
        if !block.ends_with(b"\n") {
            second.lines.push(b'\n');
        }
    }

    /// When it is to be written, if there is something to write.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let [_, second] = &self.parts;
        (!second.lines.is_empty()).then(|| self.written.map_or(now, |written| written + PAUSE))
    }

    /// Writes what there is. What cannot be written is lost, and nothing is said about it: these lines have another place.
    pub fn flush(&mut self, clock: &mut Clock, now: Instant) {
        let mut out = Vec::new();
        for part in &self.parts {
            let ends = part.times.iter().skip(1).map(|time| time.0).chain([part.lines.len()]);
            for ((begin, time), end) in part.times.iter().zip(ends) {
                let block = part.lines.get(*begin..end).unwrap_or_default();
                self.file.format(&mut out, clock, *time, block, false);
            }
        }
        self.parts.iter_mut().for_each(Part::clear);
        self.written = Some(now);
        let mut end = out.split_off(surplus(&out));
        let now = super::clock::now();
        let skipped = std::mem::take(&mut self.skipped) + out.len();
        if skipped > 0 {
            out.clear();
            let mark =
                format!("devinit: {} left out here: of a burst only the end is kept", words::bytes(skipped as u64));
            self.file.format(&mut out, clock, now, mark.as_bytes(), false);
            out.append(&mut end);
            end = out;
        }
        let _ = self.file.write(&end, clock, now);
    }
}

/// How much of these lines does not fit in one file, so that the lines before a burst stay in the other one. The last line
/// always does.
fn surplus(lines: &[u8]) -> usize {
    let Some(least) = lines.len().checked_sub(SIZE - MARK).filter(|least| *least > 0) else { return 0 };
    let tail = lines.get(least - 1..).unwrap_or_default();
    match find(b'\n', tail) {
        Some(at) if least + at < lines.len() => least + at,
        _ => form::whole(lines.strip_suffix(b"\n").unwrap_or(lines)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_burst_the_end_is_kept_and_what_was_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.log");
        let mut recent = Recent::new(path.clone(), "web", None);
        let mut clock = Clock::new();
        let now = Instant::now();
        recent.push(b"quiet\n", 0);
        assert_eq!(recent.due(now), Some(now));
        recent.flush(&mut clock, now);
        assert_eq!(recent.due(now), None);
        (0..20_000u64).for_each(|number| recent.push(format!("line {number}\n").as_bytes(), number));
        assert_eq!(recent.due(now), Some(now + PAUSE));
        recent.flush(&mut clock, now);
        let lines = crate::logs::last_lines(&path, usize::MAX);
        assert_eq!(lines[0], "1970-01-01T00:00:00.000Z quiet");
        assert!(lines[1].contains("left out here"), "{}", lines[1]);
        assert_eq!(lines.last().unwrap(), "1970-01-01T00:00:19.999Z line 19999");
        assert!(lines.len() > 1500);
        assert!(path.metadata().unwrap().len() <= SIZE as u64);
    }

    #[test]
    fn the_user_of_a_service_can_read_its_last_lines_and_not_make_them_more() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};

        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("web.log");
        let print = |owner: u32| {
            let mut recent = Recent::new(path.clone(), "web", Some(owner));
            recent.push(b"hello\n", 0);
            recent.flush(&mut Clock::new(), Instant::now());
        };
        print(3100);
        if !nix::unistd::geteuid().is_root() || path.metadata().unwrap().uid() != 0 {
            return;
        }
        let may = |uid: u32| {
            let write = || std::fs::File::options().append(true).open(&path).is_ok();
            let read = || std::fs::read(&path).is_ok();
            crate::sys::as_user(uid, uid, &[], &mut || i32::from(read()) + 2 * i32::from(write())).unwrap()
        };
        assert_eq!((may(3100), may(3200)), (1, 0));
        // The service has got another user.
        print(3200);
        assert_eq!((may(3100), may(3200)), (0, 1));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn the_last_line_is_there_however_long_it_is() {
        assert_eq!(surplus(&[b'x'; 10]), 0);
        let long = [b"one\n".to_vec(), vec![b'x'; SIZE], b"\n".to_vec()].concat();
        assert_eq!(surplus(&long), 4);
        let short = "one\n".repeat(SIZE);
        assert_eq!(surplus(short.as_bytes()) % 4, 0);
    }
}
