//! A log, line by line, from any place in it.

use std::fs::File;
use std::io::{self, BufRead};
use std::os::unix::fs::FileExt;

/// How much is read at first, in bytes, and at most at a time: a look at one place is short, and all of a file is long.
const FIRST: usize = 16 << 10;
const BLOCK: usize = 1 << 20;
/// No line is longer, in bytes with its line feed: a record has at most 64 KiB of text, six times as much in JSON, and the same in base64.
const LONGEST: usize = 1 << 20;

/// Reads whole lines.
pub struct Reader {
    file: File,
    /// Where the line stands in the file that is read next.
    offset: u64,
    /// What is behind this is not read.
    limit: u64,
    buffer: Vec<u8>,
    /// Which part of the buffer is not read yet.
    begin: usize,
    end: usize,
    /// A line that is too long is under way.
    skips: bool,
    /// How many lines were too long.
    pub too_long: u64,
}

impl Reader {
    /// From a place on where a line begins.
    pub fn new(file: File, offset: u64) -> Self {
        Self { file, offset, limit: u64::MAX, buffer: Vec::new(), begin: 0, end: 0, skips: false, too_long: 0 }
    }

    /// From the first line on that begins at this place or behind it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn behind(file: &File, at: u64) -> io::Result<Self> {
        let mut reader = Self::new(file.try_clone()?, at.saturating_sub(1));
        if at > 0 {
            // Behind a line feed this is the empty rest of the line before. A rest of any length is not a line.
            while !reader.skip()? {}
        }
        Ok(reader)
    }

    /// Reads only up to this place.
    pub fn until(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// Reads all that comes.
    pub fn unlimited(&mut self) {
        self.limit = u64::MAX;
    }

    /// Goes on with another handle of the same file.
    pub fn renew(&mut self, file: File) {
        self.file = file;
    }

    /// Where the next line begins, or will.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The next whole line, without its line feed; none if there is none yet.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let mut searched = 0;
        let length = loop {
            let unread = self.buffer.get(self.begin + searched..self.end).unwrap_or_default();
            let taken = through_line(unread);
            if let Some(length) = taken {
                let length = searched + length;
                self.too_long += u64::from(!self.skips && length > LONGEST);
                if !std::mem::take(&mut self.skips) && length <= LONGEST {
                    break length;
                }
                self.consume(length);
                searched = 0;
                continue;
            }
            searched = self.end - self.begin;
            if searched >= LONGEST {
                self.too_long += u64::from(!self.skips);
                self.skips = true;
            }
            if self.skips {
                self.consume(searched);
                searched = 0;
            }
            if !self.fill()? {
                return Ok(None);
            }
        };
        let begin = self.begin;
        self.consume(length);
        Ok(self.buffer.get(begin..begin + length - 1))
    }

    /// Goes on to the next line; false: there is more of this one.
    fn skip(&mut self) -> io::Result<bool> {
        if self.begin == self.end && !self.fill()? {
            return Ok(true);
        }
        let found = through_line(self.buffer.get(self.begin..self.end).unwrap_or_default());
        self.consume(found.unwrap_or(self.end - self.begin));
        Ok(found.is_some())
    }

    fn consume(&mut self, length: usize) {
        self.begin += length;
        self.offset += length as u64;
    }

    /// Reads more behind what is in the buffer; false: there is no more.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        let at = self.offset + self.end as u64;
        let room = usize::try_from(self.limit.saturating_sub(at)).unwrap_or(usize::MAX);
        if room == 0 {
            return Ok(false);
        }
        let size = self.end + (self.buffer.len() * 2).clamp(FIRST, BLOCK).min(room);
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        let read = self.file.read_at(self.buffer.get_mut(self.end..size).unwrap_or_default(), at)?;
        self.end += read;
        Ok(read > 0)
    }
}

/// How long the first line is with its line feed; none: it has none.
fn through_line(bytes: &[u8]) -> Option<usize> {
    // The standard library's own memchr(3).
    let length = { bytes }.skip_until(b'\n').unwrap_or(0);
    length.checked_sub(1).and_then(|last| bytes.get(last)).is_some_and(|last| *last == b'\n').then_some(length)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn rest(reader: &mut Reader) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = reader.next().unwrap() {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
        }
        lines
    }

    #[test]
    fn whole_lines_are_read_from_any_place_and_more_when_there_is_more() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"one\n\nthree\nfo").unwrap();
        let mut reader = Reader::new(file.try_clone().unwrap(), 0);
        assert_eq!(rest(&mut reader), ["one", "", "three"]);
        file.write_all(b"ur\n").unwrap();
        assert_eq!(rest(&mut reader), ["four"]);
        assert_eq!(reader.offset(), 16);
        for (at, expected) in
            [(0, 4), (1, 3), (3, 3), (4, 3), (5, 2), (6, 1), (10, 1), (11, 1), (12, 0), (16, 0), (99, 0)]
        {
            assert_eq!(rest(&mut Reader::behind(&file, at).unwrap()).len(), expected, "{at}");
        }
        assert_eq!(rest(&mut Reader::new(file.try_clone().unwrap(), 0).until(10)), ["one", ""]);
        assert_eq!(rest(&mut Reader::new(file, 0).until(11)), ["one", "", "three"]);
    }

    #[test]
    fn lines_of_any_length_are_read_and_monsters_are_skipped() {
        let mut file = tempfile::tempfile().unwrap();
        let lengths = [10, FIRST - 1, FIRST, 3 * FIRST, LONGEST - 1, 5, 3 * LONGEST, 7, LONGEST + 1, 0];
        for length in lengths {
            file.write_all(&b"x".repeat(length)).unwrap();
            file.write_all(b"\n").unwrap();
        }
        let mut reader = Reader::new(file, 0);
        let found: Vec<usize> = rest(&mut reader).iter().map(String::len).collect();
        assert_eq!(found, [10, FIRST - 1, FIRST, 3 * FIRST, LONGEST - 1, 5, 7, 0]);
        assert_eq!(reader.too_long, 2);
    }
}
