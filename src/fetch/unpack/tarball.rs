//! Reading tar, compressed or not.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

use tar::{Archive, Entry, EntryType};

use super::Failure;
use super::extraction::{Extraction, Kind};
use super::format::{self, Compression};

/// The most bytes that the headers of one entry may have: long names and extended attributes are kept in memory.
const MAX_HEADERS: u64 = 1 << 20;

/// The most bytes after the end of the archive: blocks are padded with zeros.
const MAX_TRAILER: u64 = 16 << 20;

pub(super) fn unpack(file: File, compression: Compression, to: &mut Extraction<'_>) -> Result<(), Failure> {
    let stream = begin(compression.decoder(file), to)?;
    let limit = Limit::default();
    let mut archive = Archive::new(Limited { stream, limit: limit.clone() });
    let mut entries = archive.entries().map_err(|error| to.damaged(error))?;
    loop {
        limit.set(MAX_HEADERS);
        let Some(entry) = entries.next() else { break };
        limit.set(u64::MAX);
        add(entry.map_err(|error| to.damaged(error))?, to)?;
    }
    // Compressed ones have an end of their own.
    if limit.at_end() && compression == Compression::None {
        return Err(to.damaged("its end is missing"));
    }
    // The checksum of what is compressed comes last.
    limit.set(MAX_TRAILER);
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop).map_err(|error| to.damaged(error))
}

/// Checks that it is a tar that comes out of the decoder.
fn begin(mut stream: Box<dyn Read>, to: &Extraction<'_>) -> Result<impl Read + use<>, Failure> {
    let mut head = Vec::new();
    stream.by_ref().take(format::HEAD).read_to_end(&mut head).map_err(|error| to.damaged(error))?;
    // Zeros are the end of an archive: of an empty one.
    if head.iter().any(|&byte| byte != 0) && !format::is_tar(&head) {
        return Err(to.not_an_archive("compressed, but there is no tar in it"));
    }
    Ok(Cursor::new(head).chain(stream))
}

fn add<R: Read>(mut entry: Entry<'_, R>, to: &mut Extraction<'_>) -> Result<(), Failure> {
    let name = entry.path_bytes().into_owned();
    let target = entry.link_name_bytes().unwrap_or_default().into_owned();
    let kind = match entry.header().entry_type() {
        // Comments, for the most part, and nothing that has to be known.
        EntryType::XGlobalHeader => return to.ignore(&mut entry),
        EntryType::Directory => Kind::Folder,
        // As archives of before POSIX name folders.
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Kind::Folder,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            if is_sparse_pax(&mut entry) {
                return Err(to.refused(&name, "is a sparse file of a kind that devinit cannot unpack"));
            }
            Kind::File { executable: entry.header().mode().map_err(|error| to.damaged(error))? & 0o111 != 0 }
        }
        EntryType::Symlink => Kind::Symlink(&target),
        EntryType::Link => Kind::HardLink(&target),
        EntryType::Block | EntryType::Char => return Err(to.refused(&name, "is a device")),
        EntryType::Fifo => return Err(to.refused(&name, "is a named pipe")),
        _ => return Err(to.refused(&name, "is neither a file nor a folder nor a link")),
    };
    to.add(&name, kind, &mut entry)
}

/// Whether the content is not the file's but a map of it and pieces (GNU tar's `--sparse --format=posix`).
fn is_sparse_pax<R: Read>(entry: &mut Entry<'_, R>) -> bool {
    entry.pax_extensions().ok().flatten().is_some_and(|mut extensions| {
        extensions.any(|extension| extension.is_ok_and(|extension| extension.key_bytes().starts_with(b"GNU.sparse.")))
    })
}

/// How much may still be read, shared with the reader that it limits.
#[derive(Clone, Default)]
struct Limit(Rc<(Cell<u64>, Cell<bool>)>);

impl Limit {
    fn set(&self, bytes: u64) {
        self.0.0.set(bytes);
    }

    fn at_end(&self) -> bool {
        self.0.1.get()
    }
}

struct Limited<R> {
    stream: R,
    limit: Limit,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (left, end) = &*self.limit.0;
        let most = usize::try_from(left.get()).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return Err(io::Error::other("too much between two entries or after the last one"));
        }
        let length = self.stream.read(&mut buffer[..most])?;
        left.set(left.get() - length as u64);
        end.set(length == 0 && !buffer.is_empty());
        Ok(length)
    }
}
