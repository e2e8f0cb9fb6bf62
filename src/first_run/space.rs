//! Room on a disk, asked for before much is written to it.

use std::io::ErrorKind;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::fetch::Failure;
use crate::words::bytes;

/// What stays free for everything else, in bytes: a disk filled to the brim takes more than an install with it.
const RESERVE: u64 = 64 << 20;

/// How many bytes the user may still write below a folder; the folder need not be there yet.
///
/// None if the file system does not say.
#[must_use]
pub fn available(folder: &Path) -> Option<u64> {
    for ancestor in folder.ancestors() {
        // The last ancestor of a relative path is empty.
        let ancestor = if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor };
        match statvfs(ancestor) {
            // Some file systems in user space know nothing about their size.
            Ok(status) if status.blocks() == 0 => return None,
            Ok(status) => return Some(status.blocks_available().saturating_mul(status.fragment_size())),
            Err(errno) => match std::io::Error::from(errno).kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => {}
                _ => return None,
            },
        }
    }
    None
}

/// Checks that there is room for `needed` more bytes below a folder, and a reserve of 64 MiB on top.
///
/// # Errors
/// There is less. `what` is named as that which has no room.
pub fn check(folder: &Path, needed: u64, what: &str) -> Result<(), Failure> {
    match available(folder) {
        Some(free) if free < needed.saturating_add(RESERVE) => Err(too_little(folder, needed, free, what)),
        _ => Ok(()),
    }
}

fn too_little(folder: &Path, needed: u64, free: u64, what: &str) -> Failure {
    Failure::permanent(format!(
        "not enough room for {what} in {}: {} are needed, {} are free",
        folder.display(),
        bytes(needed),
        bytes(free)
    ))
    .hint(format!("make room there or mount a larger volume, and run it again; {} are to stay free", bytes(RESERVE)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Retry;

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_room_of_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [folder.path().to_owned(), folder.path().join("a/b/c"), file.join("x"), "no/such".into(), "".into()]
        {
            assert!(available(&path).is_some_and(|free| free > 0), "{path:?}");
        }
    }

    #[test]
    fn what_fits_passes() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), 1, "a byte").unwrap();
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_amounts() {
        let folder = tempfile::tempdir().unwrap();
        let failure = check(&folder.path().join("new"), u64::MAX, "codex").unwrap_err();
        let begin =
            format!("not enough room for codex in {}/new: 16.0 EiB are needed, ", folder.path().to_str().unwrap());
        assert!(failure.text.starts_with(&begin) && failure.text.ends_with(" are free"), "{failure}");
        assert_eq!(failure.retry, Retry::Never);
        assert!(failure.hint.unwrap().contains("64.0 MiB are to stay free"));
    }

    #[test]
    fn the_reserve_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let free = available(folder.path()).unwrap();
        assert!(check(folder.path(), free.saturating_sub(RESERVE / 2), "all but a little").is_err());
    }
}
