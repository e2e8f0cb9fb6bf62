//! Reading zip.

use std::fs::File;
use std::io::{BufReader, Read};

use zip::read::ZipFile;
use zip::{CompressionMethod, ZipArchive};

use super::extraction::{Extraction, Kind};
use super::{Failure, name};

/// The bits of a mode that say what kind of file it is, and their values: inode(7).
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const SYMLINK: u32 = 0o120_000;

pub(super) fn unpack(file: File, to: &mut Extraction<'_>) -> Result<(), Failure> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| to.damaged(error))?;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|error| to.damaged(error))?;
        if entry.encrypted() {
            return Err(to.refused(entry.name_raw(), "is encrypted"));
        }
        if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(to.refused(entry.name_raw(), "is compressed in a way that devinit cannot read"));
        }
        add(archive.by_index(index).map_err(|error| to.damaged(error))?, to)?;
    }
    Ok(())
}

fn add<R: Read>(mut entry: ZipFile<'_, R>, to: &mut Extraction<'_>) -> Result<(), Failure> {
    let name = entry.name_raw().to_owned();
    let mode = entry.unix_mode().unwrap_or(0);
    let mut target = Vec::new();
    let kind = match mode & KIND {
        _ if entry.is_dir() => Kind::Folder,
        FOLDER => Kind::Folder,
        0 | REGULAR => Kind::File { executable: mode & 0o111 != 0 },
        SYMLINK => {
            // One more than may be, so that what is too long is seen to be.
            let limit = name::MAX_LENGTH as u64 + 1;
            entry.by_ref().take(limit).read_to_end(&mut target).map_err(|error| to.damaged(error))?;
            Kind::Symlink(&target)
        }
        _ => return Err(to.refused(&name, "is neither a file nor a folder nor a link")),
    };
    to.add(&name, kind, &mut entry)
}
