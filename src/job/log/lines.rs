//! From what a command prints to the records of its lines.
//!
//! What comes is looked at a word at a time, once, for what JSON escapes, the line feed among it: a line in which there is
//! nothing else is copied as it is. Only what is left over at the end of a block, and lines with carriage returns, go
//! through a buffer.

use super::escapes::{Escapes, shows, split, unfinished, visible};
use super::line::{Marks, Writer};
use crate::cli::Ansi;
use crate::logger::TIME;
use crate::sys::find;

/// A line that is longer, in bytes, is cut into parts of at most this length.
pub const LONGEST: usize = 64 * 1024;
/// How much is worked on at a time, in bytes: what the processor's cache holds together with what is written for it.
const BLOCK: usize = 32 * 1024;
/// A line that is longer, in bytes, is better copied at once.
const LONG: usize = 4096;
/// How much of the last line is kept, in bytes: enough for [`LAST`] characters, most often.
const KEPT: usize = 4096;
/// The longest last line, in characters.
const LAST: usize = 500;

/// Where a line was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

/// Makes records of what is printed to one stream.
pub struct Lines {
    writer: Writer,
    /// For what is to be stripped.
    escapes: Option<Escapes>,
    stripped: Vec<u8>,
    fold: Fold,
}

impl Lines {
    /// For a stream that nothing was printed to.
    #[must_use]
    pub fn new(stream: Stream, ansi: Ansi) -> Self {
        let escapes = match ansi {
            Ansi::Keep => None,
            Ansi::Strip => Some(Escapes::default()),
        };
        Self { writer: Writer::new(stream), escapes, stripped: Vec::new(), fold: Fold::default() }
    }

    /// Takes bytes as they were read at this time, and appends the records of the lines that ended: each whole, with its
    /// line feed. An empty line of one byte makes a record of 80: feed no more at once than `out` may grow by.
    pub fn feed(&mut self, bytes: &[u8], time: &[u8; TIME], out: &mut Vec<u8>) {
        self.writer.set_time(time);
        for block in bytes.chunks(BLOCK) {
            match &mut self.escapes {
                Some(escapes) if escapes.concern(block) => {
                    self.stripped.clear();
                    escapes.strip(block, &mut self.stripped);
                    self.fold.block(&mut self.writer, &self.stripped, out);
                }
                _ => self.fold.block(&mut self.writer, block, out),
            }
        }
    }

    /// Appends the record of what has not ended: nothing more comes. It counts as a line.
    pub fn finish(&mut self, time: &[u8; TIME], out: &mut Vec<u8>) {
        self.writer.set_time(time);
        self.escapes = self.escapes.map(|_| Escapes::default());
        if !self.fold.line.is_empty() || !self.fold.left.is_empty() {
            self.fold.end(&mut self.writer, true, out);
        }
        self.fold.fresh();
    }

    /// How many lines have ended. One in parts counts once, and so does one that was redrawn.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.fold.lines
    }

    /// The line that has not ended: what is on it since the last carriage return, or before that if nothing is. Of a line
    /// in parts, what comes after them.
    #[must_use]
    pub fn current(&self) -> &[u8] {
        self.fold.state().0
    }

    /// The last line that is not blank, without escape sequences and control characters, at most 500 characters: the one
    /// that is being redrawn, or else the last that ended, of whose parts the first.
    #[must_use]
    pub fn last(&self) -> Option<String> {
        let (current, _) = self.fold.state();
        let drawn = self.fold.returned && shows(current);
        let raw = if drawn { split(current, KEPT).0 } else { self.fold.last.as_slice() };
        Some(visible(raw, LAST)).filter(|text| !text.is_empty())
    }
}

/// Folds lines. After a carriage return what was drawn stays until something else is: then it is an earlier state. What
/// shows nothing, as the blanks and sequences that erase a bar, is none.
#[derive(Default)]
struct Fold {
    /// What has come of the line since the last carriage return, or since the last part.
    line: Vec<u8>,
    /// What was drawn before that.
    left: Vec<u8>,
    /// Whether a carriage return has come in this line.
    returned: bool,
    /// How many earlier states there were, before `left`.
    redrawn: u64,
    /// Whether a part of the line is written.
    parts: bool,
    lines: u64,
    /// The beginning of the last line that showed something.
    last: Vec<u8>,
}

impl Fold {
    fn block(&mut self, writer: &mut Writer, block: &[u8], out: &mut Vec<u8>) {
        let mut rest = block;
        if self.returned || !self.line.is_empty() {
            let Some(end) = find(b'\n', rest) else { return self.take(writer, rest, out) };
            self.take(writer, split(rest, end).0, out);
            self.end(writer, false, out);
            rest = split(rest, end + 1).1;
        }
        let mut last: &[u8] = &[];
        // How much of the rest is known to be text.
        let mut valid = 0;
        while let Some(mut end) = find(b'\n', rest) {
            if valid <= end {
                valid = match std::str::from_utf8(rest) {
                    Ok(_) => rest.len(),
                    Err(error) => error.valid_up_to(),
                };
            }
            if end < valid && end < LONG {
                let mut each = |line| {
                    self.lines += 1;
                    if shows(line) {
                        last = line;
                    }
                };
                let plain = writer.plain(out, split(rest, valid).0, &mut each);
                valid -= plain;
                rest = split(rest, plain).1;
                let Some(next) = find(b'\n', rest) else { break };
                end = next;
            }
            // One that is not plain.
            let line = split(rest, end).0;
            let ends = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |at| at + 1);
            let text = split(line, ends).0;
            if find(b'\r', text).is_none() {
                writer.record(out, text, Marks::default());
                self.lines += 1;
                if shows(text) {
                    last = text;
                }
            } else {
                self.take(writer, line, out);
                self.end(writer, false, out);
                last = &[];
            }
            rest = split(rest, end + 1).1;
            valid = valid.saturating_sub(end + 1);
        }
        if !last.is_empty() {
            self.keep(last);
        }
        self.take(writer, rest, out);
    }

    /// Takes a piece of a line, without a line feed.
    fn take(&mut self, writer: &mut Writer, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some(at) = find(b'\r', bytes) {
            self.push(writer, split(bytes, at).0, out);
            self.carriage_return();
            bytes = split(bytes, at + 1).1;
        }
        self.push(writer, bytes, out);
    }

    fn push(&mut self, writer: &mut Writer, bytes: &[u8], out: &mut Vec<u8>) {
        self.line.extend_from_slice(bytes);
        while self.line.len() > LONGEST {
            let end = cut(&self.line);
            let part = split(&self.line, end).0;
            let redrawn = self.redrawn + u64::from(shows(&self.left));
            writer.record(out, part, Marks { redrawn, part: true, unended: false });
            if !self.parts {
                self.last.clear();
                self.last.extend_from_slice(split(part, KEPT).0);
            }
            self.parts = true;
            self.line.drain(..end);
            self.left.clear();
            self.redrawn = 0;
        }
    }

    /// What is on the line, and how many earlier states there were.
    fn state(&self) -> (&[u8], u64) {
        let before = shows(&self.left);
        match shows(&self.line) {
            true => (&self.line, self.redrawn + u64::from(before)),
            false if before || self.line.is_empty() => (&self.left, self.redrawn),
            false => (&self.line, self.redrawn),
        }
    }

    fn carriage_return(&mut self) {
        let before = shows(&self.left);
        if shows(&self.line) {
            self.redrawn += u64::from(before);
            std::mem::swap(&mut self.left, &mut self.line);
        } else if !before && !self.line.is_empty() {
            std::mem::swap(&mut self.left, &mut self.line);
        }
        self.line.clear();
        self.returned = true;
    }

    /// Writes the record of the line, and begins another.
    fn end(&mut self, writer: &mut Writer, unended: bool, out: &mut Vec<u8>) {
        let (text, redrawn) = self.state();
        writer.record(out, text, Marks { redrawn, part: false, unended });
        let seen = !self.parts && shows(text);
        let line = if std::ptr::eq(text, self.line.as_slice()) { &mut self.line } else { &mut self.left };
        if seen {
            std::mem::swap(line, &mut self.last);
            self.last.truncate(KEPT);
        }
        self.lines += 1;
        self.fresh();
    }

    fn fresh(&mut self) {
        self.line.clear();
        self.left.clear();
        (self.returned, self.redrawn, self.parts) = (false, 0, false);
    }

    fn keep(&mut self, line: &[u8]) {
        self.last.clear();
        self.last.extend_from_slice(split(line, KEPT).0);
    }
}

/// Where to cut a line that is too long: not within a character, if it is text, nor within an escape sequence.
fn cut(line: &[u8]) -> usize {
    let inside = |at: &usize| line.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = (LONGEST - 3..=LONGEST).rev().find(|at| !inside(at)).unwrap_or(LONGEST);
    unfinished(split(line, end).0).filter(|at| *at > 0).unwrap_or(end)
}

#[cfg(test)]
mod tests;
