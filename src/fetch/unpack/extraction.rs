//! Entries, whatever format they come from, made in a folder.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{Failure, Options, name};
use crate::fetch::failure;
use crate::words::{bytes, clean};

/// How many names are listed where the one that is looked for is not there.
const LISTED: usize = 5;

/// What an entry is.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    Folder,
    File {
        executable: bool,
    },
    /// With its target.
    Symlink(&'a [u8]),
    /// With the name of the other entry.
    HardLink(&'a [u8]),
}

/// An archive that is being unpacked.
pub(super) struct Extraction<'a> {
    archive: &'a Path,
    to: &'a Path,
    options: &'a Options,
    /// The parts of `options.only`.
    only: Option<Vec<&'a OsStr>>,
    /// The folders that are there, each seen not to be a link; relative to `to`.
    folders: HashSet<PathBuf>,
    /// Entries read.
    entries: u64,
    /// Bytes read from the entries: those that are written, and those that are left out.
    bytes: u64,
    /// The names of the first few files.
    listed: Vec<String>,
    files: usize,
    /// Whether anything was made.
    made: bool,
    buffer: Vec<u8>,
}

impl<'a> Extraction<'a> {
    pub(super) fn new(archive: &'a Path, to: &'a Path, options: &'a Options) -> Result<Self, Failure> {
        let only = options.only.as_deref().map(|only| name::parts(only.as_bytes())).transpose();
        Ok(Self {
            archive,
            to,
            options,
            only: only.map_err(|why| {
                let only = options.only.as_deref().unwrap_or_default();
                Failure::permanent(format!("{} cannot be in an archive: it {why}", clean(only, 200)))
            })?,
            folders: HashSet::new(),
            entries: 0,
            bytes: 0,
            listed: Vec::new(),
            files: 0,
            made: false,
            buffer: vec![0; 128 << 10],
        })
    }

    /// Makes an entry, or leaves it out if it is not wanted. All of its content is read in any case.
    pub(super) fn add(&mut self, name: &[u8], kind: Kind<'_>, content: &mut dyn Read) -> Result<(), Failure> {
        self.count_entry()?;
        let parts = name::parts(name).map_err(|why| self.refused(name, why))?;
        if parts.is_empty() && !matches!(kind, Kind::Folder) {
            return Err(self.refused(name, "has no name"));
        }
        self.list(name, kind);
        let place: PathBuf = parts.iter().skip(self.strip()).collect();
        let wanted = self.only.as_ref().is_none_or(|only| *only == parts && !matches!(kind, Kind::Folder));
        if wanted && !place.as_os_str().is_empty() {
            self.make(name, &place, kind, content)?;
            self.made = true;
        }
        self.read_to_end(content)
    }

    /// Passes over an entry that says something about the archive.
    pub(super) fn ignore(&mut self, content: &mut dyn Read) -> Result<(), Failure> {
        self.count_entry()?;
        self.read_to_end(content)
    }

    /// The last word: whether anything came out.
    pub(super) fn finish(self) -> Result<(), Failure> {
        if self.made {
            return Ok(());
        }
        let archive = self.name();
        let Some(only) = &self.options.only else {
            return Err(Failure::permanent(match self.options.strip {
                0 => format!("the archive {archive} is empty"),
                1 => format!("nothing is left of the archive {archive} without its first folder"),
                strip => format!("nothing is left of the archive {archive} without its first {strip} folders"),
            }));
        };
        let more = match self.files.saturating_sub(self.listed.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let failure = Failure::permanent(format!("there is no {} in the archive {archive}", clean(only, 200)));
        Err(match self.listed.as_slice() {
            [] => failure.hint("there are no files in it at all"),
            listed => failure.hint(format!("the files in it are {}{more}", listed.join(", "))),
        })
    }

    fn make(&mut self, name: &[u8], place: &Path, kind: Kind<'_>, content: &mut dyn Read) -> Result<(), Failure> {
        let parent = place.parent().unwrap_or(Path::new(""));
        match kind {
            Kind::Folder => self.folder(name, place),
            Kind::File { executable } => {
                self.folder(name, parent)?;
                self.file(name, place, executable, content)
            }
            Kind::Symlink(target) => {
                name::check_target(target, parent.iter().count()).map_err(|why| self.refused(name, why))?;
                self.check_linked(name, target)?;
                self.folder(name, parent)?;
                let path = self.to.join(place);
                self.replacing(name, &path, || symlink(OsStr::from_bytes(target), &path))
            }
            Kind::HardLink(other) => {
                self.check_linked(name, other)?;
                self.folder(name, parent)?;
                self.hard_link(name, place, other)
            }
        }
    }

    /// A lone file has to be one: what a link leads to is not unpacked with it.
    fn check_linked(&self, name: &[u8], target: &[u8]) -> Result<(), Failure> {
        match self.only {
            Some(_) => Err(Failure::permanent(format!(
                "{} in the archive {} is a link to {}",
                shown(name),
                self.name(),
                shown(target)
            ))
            .hint("name the file that it leads to")),
            None => Ok(()),
        }
    }

    /// Makes a folder and those above it.
    fn folder(&mut self, name: &[u8], place: &Path) -> Result<(), Failure> {
        if place.as_os_str().is_empty() || self.folders.contains(place) {
            return Ok(());
        }
        if let Some(parent) = place.parent() {
            self.folder(name, parent)?;
        }
        let path = self.to.join(place);
        match DirBuilder::new().mode(0o755).create(&path) {
            // Whatever the umask leaves.
            Ok(()) => fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(failed(&path))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists && is_folder(&path) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(self.refused(name, "has a folder where another entry has a file or a link"));
            }
            Err(error) => return Err(failed(&path)(error)),
        }
        self.folders.insert(place.to_owned());
        // A single entry may need many folders.
        self.check_count(self.folders.len() as u64)
    }

    fn file(&mut self, name: &[u8], place: &Path, executable: bool, content: &mut dyn Read) -> Result<(), Failure> {
        let path = self.to.join(place);
        let mode = if executable { 0o755 } else { 0o644 };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let mut file = self.replacing(name, &path, || options.open(&path))?;
        loop {
            let length = self.read(content)?;
            if length == 0 {
                break;
            }
            file.write_all(&self.buffer[..length]).map_err(failed(&path))?;
        }
        // Whatever the umask leaves.
        file.set_permissions(Permissions::from_mode(mode)).map_err(failed(&path))
    }

    fn hard_link(&self, name: &[u8], place: &Path, other: &[u8]) -> Result<(), Failure> {
        let parts = name::parts(other).map_err(|_| self.refused(name, "is a link that leads out of the archive"))?;
        let other: PathBuf = parts.iter().skip(self.strip()).collect();
        let parent = other.parent().unwrap_or(Path::new(""));
        let known = parent.as_os_str().is_empty() || self.folders.contains(parent);
        let (path, other_path) = (self.to.join(place), self.to.join(&other));
        if other == place || !known || !fs::symlink_metadata(&other_path).is_ok_and(|other| other.is_file()) {
            return Err(self.refused(name, "is a hard link to what is not a file that came before it"));
        }
        self.replacing(name, &path, || fs::hard_link(&other_path, &path))
    }

    /// Makes something with a call that replaces nothing; a file or a link that is in the way is removed first.
    fn replacing<T>(&self, name: &[u8], path: &Path, make: impl Fn() -> io::Result<T>) -> Result<T, Failure> {
        match make() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if is_folder(path) {
                    return Err(self.refused(name, "is a file or a link where another entry has a folder"));
                }
                fs::remove_file(path).and_then(|()| make()).map_err(failed(path))
            }
            answer => answer.map_err(failed(path)),
        }
    }

    /// Reads what is left of an entry's content, for it counts as well.
    fn read_to_end(&mut self, content: &mut dyn Read) -> Result<(), Failure> {
        while self.read(content)? > 0 {}
        Ok(())
    }

    /// Fills the buffer as far as the content goes, so that most files take a single write.
    fn read(&mut self, content: &mut dyn Read) -> Result<usize, Failure> {
        let mut length = 0;
        while let Some(rest) = self.buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match content.read(rest) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.damaged(error)),
            }
        }
        self.bytes = self.bytes.saturating_add(length as u64);
        if self.bytes > self.options.max_bytes {
            return Err(self.too_much(&bytes(self.options.max_bytes)));
        }
        Ok(length)
    }

    fn count_entry(&mut self) -> Result<(), Failure> {
        self.entries += 1;
        self.check_count(self.entries)
    }

    fn check_count(&self, entries: u64) -> Result<(), Failure> {
        if entries > self.options.max_entries {
            return Err(self.too_much(&format!("{} entries", self.options.max_entries)));
        }
        Ok(())
    }

    fn list(&mut self, name: &[u8], kind: Kind<'_>) {
        if matches!(kind, Kind::File { .. }) {
            self.files += 1;
            if self.listed.len() < LISTED {
                self.listed.push(shown(name));
            }
        }
    }

    fn strip(&self) -> usize {
        usize::try_from(self.options.strip).unwrap_or(usize::MAX)
    }

    fn name(&self) -> String {
        shown(self.archive.file_name().unwrap_or(self.archive.as_os_str()).as_bytes())
    }

    /// For what no honest archive holds.
    pub(super) fn refused(&self, name: &[u8], why: impl Display) -> Failure {
        Failure::permanent(format!("the archive {} is refused: its entry {} {why}", self.name(), shown(name)))
            .hint("nothing of it is used; check where it comes from")
    }

    fn too_much(&self, limit: &str) -> Failure {
        Failure::permanent(format!("the archive {} is refused: there is more than {limit} in it", self.name()))
            .hint("nothing of it is used; check where it comes from")
    }

    /// For what cannot be read.
    pub(super) fn damaged(&self, why: impl Display) -> Failure {
        let why = clean(&why.to_string(), 200);
        Failure::permanent(format!("the archive {} is truncated or damaged: {why}", self.name()))
            .hint(format!("remove {} and run it again", self.archive.display()))
    }

    /// For what is none.
    pub(super) fn not_an_archive(&self, what: &str) -> Failure {
        Failure::permanent(format!("{} is {what}", self.name()))
            .hint("check the URL, and whether a proxy or a login page answers in its place")
    }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    failure::io(format!("failed to unpack {}", path.display()))
}

/// A name of an archive, fit for a message.
fn shown(name: &[u8]) -> String {
    clean(&String::from_utf8_lossy(name), 200)
}
