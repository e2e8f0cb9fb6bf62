//! What nobody but root can change.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::geteuid;

/// Whether nobody but root, or who devinit runs as, decides what this path leads to, and what is there: neither it nor a
/// folder on the way belongs to someone else or can be written to by others. What is mounted read-only nobody can change.
#[must_use]
pub fn is_ours_alone(path: &Path) -> bool {
    let Ok(real) = path.canonicalize() else { return false };
    path.ancestors().chain(real.ancestors()).filter(|part| !part.as_os_str().is_empty()).all(|part| {
        part.symlink_metadata().is_ok_and(|there| is_safe(&there))
            || statvfs(part).is_ok_and(|mounted| mounted.flags().contains(FsFlags::ST_RDONLY))
    })
}

fn is_safe(there: &Metadata) -> bool {
    let sticky = there.is_dir() && there.mode() & 0o1000 != 0;
    let open = there.mode() & 0o022 != 0 && !there.is_symlink() && !sticky;
    [0, geteuid().as_raw()].contains(&there.uid()) && !open
}
