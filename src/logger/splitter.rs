//! Whole lines out of what comes in pieces.

use super::form::whole;
use crate::sys::find;

/// A line that is longer, in bytes, is cut into pieces of at most this length.
pub const LONGEST: usize = 64 * 1024;
/// What may be kept for the next line when there is nothing in it.
const KEPT: usize = 4096;

/// Holds the beginning of a line until its end has come.
#[derive(Default)]
pub struct Splitter {
    begun: Vec<u8>,
}

impl Splitter {
    /// Takes bytes as they came and calls `emit` with blocks of whole lines, which end with a line feed, and with pieces of
    /// long ones, which do not: then the second argument says whether the line goes on.
    pub fn feed(&mut self, bytes: &[u8], emit: &mut dyn FnMut(&[u8], bool)) {
        let mut rest = bytes;
        if !self.begun.is_empty() {
            let end = find(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (first, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.begun.extend_from_slice(first);
            rest = after;
            self.cut(emit);
            if !self.begun.ends_with(b"\n") {
                return;
            }
            emit(&self.begun, false);
            self.clear();
        }
        let (block, begun) = rest.split_at_checked(whole(rest)).unwrap_or((rest, &[]));
        if !block.is_empty() {
            emit(block, false);
        }
        self.begun.extend_from_slice(begun);
        self.cut(emit);
    }

    /// Emits what is begun: nothing more comes. `goes_on` says whether it is known that the line does, elsewhere.
    pub fn finish(&mut self, goes_on: bool, emit: &mut dyn FnMut(&[u8], bool)) {
        if !self.begun.is_empty() {
            emit(&self.begun, goes_on);
            self.clear();
        }
    }

    /// Emits pieces of what is begun as long as it is too long.
    fn cut(&mut self, emit: &mut dyn FnMut(&[u8], bool)) {
        let length = |begun: &[u8]| begun.strip_suffix(b"\n").unwrap_or(begun).len();
        while length(&self.begun) > LONGEST {
            // Not within a character, if it is text.
            let inside = |at: &usize| self.begun.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
            let end = (LONGEST - 3..=LONGEST).rev().find(|at| !inside(at)).unwrap_or(LONGEST);
            emit(self.begun.get(..end).unwrap_or_default(), true);
            self.begun.drain(..end);
        }
    }

    fn clear(&mut self) {
        self.begun.clear();
        if self.begun.capacity() > KEPT {
            self.begun = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(pieces: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let mut splitter = Splitter::default();
        let mut blocks = Vec::new();
        let mut emit = |block: &[u8], partial| blocks.push((block.to_vec(), partial));
        pieces.iter().for_each(|piece| splitter.feed(piece, &mut emit));
        splitter.finish(false, &mut emit);
        blocks
    }

    #[test]
    fn lines_that_come_in_pieces_are_put_together() {
        let found = blocks(&[b"a", b"b\nc\nd\ne", b"", b"f"]);
        let known: [&[u8]; 3] = [b"ab\n", b"c\nd\n", b"ef"];
        assert_eq!(found, known.map(|block| (block.to_vec(), false)));
    }

    #[test]
    fn a_long_line_is_cut_but_not_within_a_character() {
        let line = format!("x{}\n", "ü".repeat(LONGEST));
        let found = blocks(&line.as_bytes().chunks(65536).collect::<Vec<_>>());
        assert_eq!(found.iter().map(|block| block.1).collect::<Vec<_>>(), [true, true, false]);
        assert!(found.iter().all(|block| std::str::from_utf8(&block.0).is_ok()));
        assert_eq!(found.into_iter().flat_map(|block| block.0).collect::<Vec<_>>(), line.as_bytes());
    }

    #[test]
    fn a_line_that_is_just_short_enough_is_not_cut() {
        let line = [vec![b'x'; LONGEST], b"\n".to_vec()].concat();
        assert_eq!(blocks(&[&line[..10], &line[10..]]), [(line, false)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_doubled(
            pieces in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'x')], 0..9), 0..20)
        ) {
            let found = blocks(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert!(found.iter().rev().skip(1).all(|block| block.0.ends_with(b"\n") && !block.1));
            prop_assert_eq!(found.into_iter().flat_map(|block| block.0).collect::<Vec<_>>(), pieces.concat());
        }
    }
}
