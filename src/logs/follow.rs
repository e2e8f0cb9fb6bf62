//! Following a log across rotations.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::tail::{LONGEST, Tail, identity, open};
use crate::logger::older;

/// How much is read at a time.
const BLOCK: usize = 64 * 1024;
/// How many rotations between two looks are followed.
const ROTATIONS: u32 = 64;

/// One log.
pub struct Follower {
    path: PathBuf,
    file: Option<File>,
    /// Up to where `file` is read.
    offset: u64,
    /// The beginning of a line.
    begun: Vec<u8>,
}

impl Follower {
    /// From where the tail ends; or, without one, from the beginning of what will be there.
    pub fn new(path: &Path, tail: Option<Tail>) -> Self {
        let (file, offset) = tail.map_or((None, 0), |tail| (tail.newest, tail.end));
        Self { path: path.to_owned(), file, offset, begun: Vec::new() }
    }

    /// Emits what is new, line by line, without line feeds.
    pub fn look(&mut self, emit: &mut dyn FnMut(&[u8])) {
        self.read(emit);
        let known = self.file.as_ref().and_then(identity);
        let found = self.path.symlink_metadata().ok().map(|found| (found.dev(), found.ino()));
        if found == known || found.is_none() {
            return;
        }
        if let Some(known) = known {
            // What was written to it before it was renamed, and the files that came and went since.
            self.read(emit);
            let of = |number| older(&self.path, number).symlink_metadata().ok();
            let is = |number: &u32| of(*number).is_some_and(|found| (found.dev(), found.ino()) == known);
            match (1..=ROTATIONS).find(is) {
                Some(number) => {
                    for number in (1..number).rev() {
                        self.file = open(&older(&self.path, number)).ok();
                        self.offset = 0;
                        self.read(emit);
                    }
                }
                None => emit(b"(lines may be missing here: the log was removed, or rotated faster than it is read)"),
            }
        }
        self.file = open(&self.path).ok();
        self.offset = 0;
        self.read(emit);
    }

    fn read(&mut self, emit: &mut dyn FnMut(&[u8])) {
        let Some(file) = &self.file else { return };
        if file.metadata().is_ok_and(|now| now.len() < self.offset) {
            // Cut off by someone.
            self.offset = 0;
            self.begun.clear();
        }
        let mut block = vec![0; BLOCK];
        while let Ok(read) = file.read_at(&mut block, self.offset)
            && read > 0
        {
            self.offset += read as u64;
            let bytes = block.get(..read).unwrap_or_default();
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                self.begun.extend_from_slice(piece);
                let line = self.begun.strip_suffix(b"\n");
                if line.is_some() || self.begun.len() > LONGEST {
                    emit(line.unwrap_or(&self.begun));
                    self.begun.clear();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::rename;
    use std::io::Write;

    use super::*;
    use crate::logs::tail::tail;

    struct World {
        folder: tempfile::TempDir,
        seen: Vec<String>,
    }

    impl World {
        fn path(&self) -> PathBuf {
            self.folder.path().join("a.log")
        }
        fn write(&self, text: &str) {
            let mut file = File::options().append(true).create(true).open(self.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
        fn rotate(&self) {
            let _ = rename(older(&self.path(), 1), older(&self.path(), 2));
            rename(self.path(), older(&self.path(), 1)).unwrap();
        }
        fn look(&mut self, follower: &mut Follower) -> Vec<String> {
            follower.look(&mut |line| self.seen.push(String::from_utf8(line.to_vec()).unwrap()));
            std::mem::take(&mut self.seen)
        }
    }

    #[test]
    fn nothing_is_missed_or_seen_twice_over_rotations() {
        let mut world = World { folder: tempfile::tempdir().unwrap(), seen: Vec::new() };
        let mut follower = Follower::new(&world.path(), None);
        assert!(world.look(&mut follower).is_empty());
        world.write("one\ntw");
        let mut late = Follower::new(&world.path(), Some(tail(&world.path(), 1).unwrap()));
        assert_eq!(world.look(&mut follower), ["one"]);
        world.write("o\n");
        assert_eq!(world.look(&mut late), ["two"]);
        world.write("three\n");
        world.rotate();
        assert_eq!(world.look(&mut follower), ["two", "three"]);
        world.write("four\n");
        assert_eq!(world.look(&mut follower), ["four"]);
        world.write("five\n");
        world.rotate();
        world.write("six\n");
        world.rotate();
        world.write("seven\n");
        assert_eq!(world.look(&mut follower), ["five", "six", "seven"]);
        world.write("eight\n");
        for look in [["eight"].as_slice(), &[]] {
            assert_eq!(world.look(&mut follower), look);
        }
        std::fs::remove_file(world.path()).unwrap();
        world.write("nine\n");
        let seen = world.look(&mut follower);
        assert!(seen[0].contains("may be missing") && seen[1] == "nine", "{seen:?}");
    }
}
