//! Reading small files that somebody else wrote.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

/// The most that is read of a file that should be short, in bytes.
const SHORT: u64 = 64 * 1024;

/// The text of a file that should be short; none if it is missing, no regular file, or not readable.
pub fn text(path: &Path) -> Option<String> {
    text_up_to(path, SHORT)
}

/// At most the first `limit` bytes of a file; what is not UTF-8 is replaced.
pub fn text_up_to(path: &Path, limit: u64) -> Option<String> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first line of a file, without the space around it; none if that is empty.
pub fn line(path: &Path) -> Option<String> {
    let text = text(path)?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// The number that a file holds.
pub fn number(path: &Path) -> Option<u64> {
    line(path)?.parse().ok()
}

/// The names in a folder, at most `limit` of them, in no order.
pub fn names(folder: &Path, limit: usize) -> impl Iterator<Item = String> + use<> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .take(limit)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

/// A regular file, opened without waiting: a FIFO in its place would block for ever.
pub fn open(path: &Path) -> Option<File> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifo_and_a_folder_are_no_files() {
        let root = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&root.path().join("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(text(&root.path().join("fifo")), None);
        assert_eq!(text(root.path()), None);
    }

    #[test]
    fn a_file_is_read_up_to_the_limit_even_within_a_character() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "aé").unwrap();
        assert_eq!(text_up_to(&path, 2).unwrap(), "a\u{fffd}");
    }
}
