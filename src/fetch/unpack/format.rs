//! Formats of archives, told apart by their first bytes.

use std::io::{BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

use super::frames::Frames;

/// How many of the first bytes are looked at: the size of a tar's header.
pub(super) const HEAD: u64 = 512;

/// The most memory that a dictionary of xz may take, in KiB. The largest preset, `xz -9`, takes 64 MiB.
const XZ_MEMORY: u32 = 256 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Tar(Compression),
    Zip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Xz,
    Zstandard,
}

impl Compression {
    /// What comes out of a compressed file.
    pub(super) fn decoder(self, file: impl Read + 'static) -> Box<dyn Read> {
        let file = BufReader::with_capacity(128 << 10, file);
        match self {
            Self::None => Box::new(file),
            Self::Gzip => Box::new(MultiGzDecoder::new(file)),
            Self::Xz => Box::new(XzReader::new_mem_limit(file, true, XZ_MEMORY)),
            Self::Zstandard => Box::new(Frames::new(file)),
        }
    }
}

/// Tells the format from the first bytes.
///
/// # Errors
/// What it is instead of an archive.
pub(super) fn identify(head: &[u8]) -> Result<Format, String> {
    match head {
        [0x1f, 0x8b, ..] => Ok(Format::Tar(Compression::Gzip)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Format::Tar(Compression::Xz)),
        // A frame, or one to be skipped, as pzstd has it in front: RFC 8878, 3.1.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Format::Tar(Compression::Zstandard)),
        // The second is how an empty one begins.
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Ok(Format::Zip),
        _ if is_tar(head) => Ok(Format::Tar(Compression::None)),
        [] => Err("empty".to_owned()),
        [0x7f, b'E', b'L', b'F', ..] => Err(format!("a program (ELF), {NOT_KNOWN}")),
        [b'B', b'Z', b'h', ..] => Err(format!("compressed with bzip2, {NOT_KNOWN}")),
        [b'7', b'z', 0xbc, 0xaf, ..] => Err(format!("a 7z archive, {NOT_KNOWN}")),
        _ if is_web_page(head) || head.starts_with(b"<?xml") => Err("a web page, not an archive".to_owned()),
        _ => Err(NOT_KNOWN.to_owned()),
    }
}

const NOT_KNOWN: &str = "not an archive that devinit knows (tar, tar.gz, tar.xz, tar.zst, zip)";

/// Whether a header of a tar begins here: of POSIX or of GNU. Those of before 1988 have nothing to tell them by.
pub(super) fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

/// Whether a file that begins like this is a web page, whatever its name.
#[must_use]
pub fn is_web_page(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let text = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|begin| text.starts_with(begin))
}
