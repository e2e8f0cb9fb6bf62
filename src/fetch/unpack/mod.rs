//! Archives, unpacked so that nothing lands outside of the folder that it is meant for.
//!
//! # Why nothing does
//! 1. The folder is empty at the start, and only this process fills it. So all that is in it was made here.
//! 2. Names have no `..`, and every folder on the way to an entry was made or looked at here and is a real folder, never
//!    a symlink. Files are made with `O_EXCL`. So writing follows no link.
//! 3. A folder, once made, is never replaced. So what was looked at stays true.
//! 4. A symlink's target climbs (`..`) only at its beginning and not above the folder: see `name::check_target`.
//!
//! Owners, times, extended attributes and all permissions but "executable" are not taken over.

mod extraction;
mod format;
mod frames;
mod name;
mod tarball;
#[cfg(test)]
mod tests;
mod zipped;

pub use format::is_web_page;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use super::Failure;
use super::failure::io;
use extraction::Extraction;
use format::Format;

/// What of an archive is unpacked, and how much at most.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many leading folders of the names are left out.
    pub strip: u32,
    /// Only this file, by its name in the archive (before `strip`).
    pub only: Option<String>,
    /// The most bytes that all files may have together.
    pub max_bytes: u64,
    /// The most entries.
    pub max_entries: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { strip: 0, only: None, max_bytes: 20 << 30, max_entries: 500_000 }
    }
}

/// Unpacks a tar (plain, gz, xz, zst) or zip archive, told apart by its first bytes, into the empty folder `to`.
///
/// Folders get the mode 0755, files 0755 or 0644. What has no name left after `strip` is left out.
///
/// # Errors
/// What is no archive (an HTML page is named as such), a truncated one, one with a path or a link that leads out, with
/// special files, with too much in it; the disk. What was unpacked until then is the caller's to remove.
pub fn unpack(archive: &Path, to: &Path, options: &Options) -> Result<(), Failure> {
    check_empty(to)?;
    let mut file = File::open(archive).map_err(io(format_args!("failed to open {}", archive.display())))?;
    let head = head(&mut file).map_err(io(format_args!("failed to read {}", archive.display())))?;
    let mut extraction = Extraction::new(archive, to, options)?;
    match format::identify(&head).map_err(|what| extraction.not_an_archive(&what))? {
        Format::Zip => zipped::unpack(file, &mut extraction)?,
        Format::Tar(compression) => tarball::unpack(file, compression, &mut extraction)?,
    }
    extraction.finish()
}

fn check_empty(folder: &Path) -> Result<(), Failure> {
    let mut entries =
        folder.read_dir().map_err(io(format_args!("failed to unpack into the folder {}", folder.display())))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => {
            Err(Failure::permanent(format!("failed to unpack into {}: the folder is not empty", folder.display())))
        }
    }
}

/// The first bytes of a file, by which its format is told; the file is at its beginning again.
fn head(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(format::HEAD).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head)
}
