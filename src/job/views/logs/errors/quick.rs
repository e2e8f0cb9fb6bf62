//! A quick look at a line, which is all that most of a large log gets.

use super::phrases::PHRASES;
use super::words::BEFORE_WORDS;

/// What words that may be errors begin with, besides phrases.
const WORDS: [&str; 20] = [
    "error",
    "failed",
    "failure",
    "fatal",
    "critical",
    "killed",
    "terminated",
    "aborted",
    "level",
    "lvl=",
    "severity",
    "not found",
    "not ok",
    "exit",
    "goroutine",
    "cudnn_status",
    "cublas_status",
    "traceback",
    "e   ",
    "e: ",
];
/// For each letter that such a word begins with, which letters come at the three places behind it: bit by bit, and one for all
/// that is no letter.
const NEXT: [[u32; 3]; 26] = next();
const OTHER: u32 = 1 << 26;

const fn letter(byte: u8) -> u32 {
    match byte.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => 1 << (letter - b'a'),
        _ => OTHER,
    }
}

const fn add(next: &mut [[u32; 3]; 26], word: &str) {
    let word = word.as_bytes();
    let first = (word[0] - b'a') as usize;
    let mut place = 0;
    while place < 3 {
        next[first][place] |= if place + 1 < word.len() { letter(word[place + 1]) } else { OTHER };
        place += 1;
    }
}

const fn next() -> [[u32; 3]; 26] {
    let mut next = [[0; 3]; 26];
    let mut at = 0;
    while at < WORDS.len() {
        add(&mut next, WORDS[at]);
        at += 1;
    }
    let mut of = 0;
    while of < PHRASES.len() {
        let phrases = PHRASES[of].1;
        let mut at = 0;
        while at < phrases.len() {
            add(&mut next, phrases[at]);
            at += 1;
        }
        of += 1;
    }
    next
}

/// Whether a line is worth a closer look. False: it is no error.
pub fn may_be_error(line: &str) -> bool {
    let mut rest = line.as_bytes();
    let mut first = true;
    while let Some(begin) = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t')) {
        let word = rest.get(begin..).unwrap_or_default();
        let end = word.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(word.len());
        let (word, behind) = word.split_at_checked(end).unwrap_or((word, &[]));
        if begins_like_one(word) || ends_like_one(word) || first && is_linker_or_alone(word, behind) {
            return true;
        }
        (first, rest) = (false, behind);
    }
    // CTest, make.
    line.contains('*') && line.contains("***")
}

fn begins_like_one(word: &[u8]) -> bool {
    // Quotes beyond ASCII as well.
    let skipped = word.iter().take_while(|byte| **byte >= 0x80 || BEFORE_WORDS.contains(&char::from(**byte))).count();
    let at = |place: usize| word.get(skipped + place).copied().unwrap_or_default();
    let next = NEXT.get(usize::from(at(0).to_ascii_lowercase().wrapping_sub(b'a')));
    next.is_some_and(|next| {
        next[0] & letter(at(1)) != 0 && next[1] & letter(at(2)) != 0 && next[2] & letter(at(3)) != 0
    })
}

/// `ValueError:`
fn ends_like_one(word: &[u8]) -> bool {
    word.ends_with(b":") && (word.ends_with(b"rror:") || word.ends_with(b"tion:"))
}

/// `/usr/bin/ld:`, or a single `AssertionError`.
fn is_linker_or_alone(word: &[u8], behind: &[u8]) -> bool {
    let linker = [b"ld:".as_slice(), b".gold:", b".bfd:"].iter().any(|end| word.ends_with(end));
    linker || behind.trim_ascii().is_empty() && (word.ends_with(b"Error") || word.ends_with(b"Exception"))
}
