//! Options as getopt(3) and getopt_long(3) of the GNU C library read them, with its messages: single letters, alone or
//! together (`-vvg`), with a value that follows at once or as the next word; long names, which may be shortened as
//! long as they are clear; `--` ends them.

use super::output::{ERR, Word, print};
use crate::sys::Arguments;

/// A long option: its name, whether it takes a value, and the letter that it stands for.
pub(super) type Long = (&'static str, bool, u8);

/// Which options there are.
pub(super) struct Syntax {
    /// The letters; a `:` after a letter says that it takes a value.
    pub(super) letters: &'static [u8],
    pub(super) long: &'static [Long],
    /// Whether options count that stand behind other words, too.
    pub(super) anywhere: bool,
}

/// What is found next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An option and, if it takes one, its value.
    Option(u8, &'static [u8]),
    /// Something wrong, which has been told.
    Wrong,
    /// The other words begin at this place, and go up to the end.
    Words(usize),
}

/// The reading of a command line.
pub(super) struct Options<'a> {
    arguments: &'a mut Arguments,
    syntax: Syntax,
    /// The place of the word that is read.
    place: usize,
    /// Letters of that word that are still to be read.
    letters: &'static [u8],
    /// How many other words stand right before that place.
    passed: usize,
}

impl<'a> Options<'a> {
    pub(super) fn new(arguments: &'a mut Arguments, syntax: Syntax) -> Self {
        Self { arguments, syntax, place: 1, letters: b"", passed: 0 }
    }

    pub(super) fn next(&mut self) -> Found {
        if let [letter, rest @ ..] = self.letters {
            return self.letter(*letter, rest);
        }
        while let Some(word) = self.arguments.get(self.place) {
            match word.to_bytes() {
                b"--" => {
                    self.done_with(1);
                    break;
                }
                [b'-', b'-', name @ ..] if !self.syntax.long.is_empty() => return self.long(name),
                [b'-', letter, rest @ ..] => return self.letter(*letter, rest),
                _ if self.syntax.anywhere => {
                    self.place += 1;
                    self.passed += 1;
                }
                _ => break,
            }
        }
        Found::Words(self.place - self.passed)
    }

    /// Goes on behind an option, which took this many words, and leaves it before the other words.
    fn done_with(&mut self, words: usize) {
        self.arguments.bring_forward(self.place - self.passed, self.place + words, words);
        self.place += words;
    }

    fn letter(&mut self, letter: u8, rest: &'static [u8]) -> Found {
        self.letters = rest;
        let known = self.syntax.letters.iter().position(|known| *known == letter && letter != b':');
        let Some(known) = known else {
            if rest.is_empty() {
                self.done_with(1);
            }
            self.complain(format_args!("invalid option -- '{}'", Word(&[letter])));
            return Found::Wrong;
        };
        if self.syntax.letters.get(known + 1) != Some(&b':') {
            if rest.is_empty() {
                self.done_with(1);
            }
            return Found::Option(letter, b"");
        }
        self.letters = b"";
        let (words, value) = match self.arguments.get(self.place + 1) {
            _ if !rest.is_empty() => (1, rest),
            Some(value) => (2, value.to_bytes()),
            None => {
                self.complain(format_args!("option requires an argument -- '{}'", Word(&[letter])));
                return Found::Wrong;
            }
        };
        self.done_with(words);
        Found::Option(letter, value)
    }

    fn long(&mut self, word: &'static [u8]) -> Found {
        let equals = word.iter().position(|byte| *byte == b'=');
        let (given, value) = match equals {
            Some(equals) => (word.get(..equals).unwrap_or_default(), word.get(equals + 1..)),
            None => (word, None),
        };
        let known = self.syntax.long;
        let is = |option: &&Long| option.0.as_bytes() == given;
        let begins = |option: &&Long| option.0.as_bytes().starts_with(given);
        let mut candidates = known.iter().filter(begins);
        let only = match (candidates.next(), candidates.next()) {
            (Some(only), None) => Some(only),
            _ => known.iter().find(is),
        };
        let Some(&(name, takes_value, letter)) = only else {
            self.unclear(word, known.iter().filter(begins));
            return Found::Wrong;
        };
        let (words, value) = match (takes_value, value) {
            (false, None) => (1, b"".as_slice()),
            (true, Some(value)) => (1, value),
            (false, Some(_)) => {
                self.complain(format_args!("option '--{name}' doesn't allow an argument"));
                return Found::Wrong;
            }
            (true, None) => match self.arguments.get(self.place + 1) {
                Some(value) => (2, value.to_bytes()),
                None => {
                    self.complain(format_args!("option '--{name}' requires an argument"));
                    return Found::Wrong;
                }
            },
        };
        self.done_with(words);
        Found::Option(letter, value)
    }

    fn unclear(&self, word: &[u8], candidates: impl Iterator<Item = &'static Long> + Clone) {
        let word = Word(word);
        if candidates.clone().next().is_none() {
            return self.complain(format_args!("unrecognized option '--{word}'"));
        }
        let names: String = candidates.map(|option| format!(" '--{}'", option.0)).collect();
        self.complain(format_args!("option '--{word}' is ambiguous; possibilities:{names}"));
    }

    fn complain(&self, what: std::fmt::Arguments<'_>) {
        let name = self.arguments.get(0).unwrap_or_default();
        print(ERR, format_args!("{}: {what}\n", Word::of(name)));
    }
}

/// The number that a text begins with, as `%d` of scanf(3) and strtol(3) read it, and the rest of the text.
pub(super) fn integer(text: &[u8]) -> Option<(i32, &[u8])> {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    let value = digits.iter().fold(0i32, |value, digit| value.saturating_mul(10).saturating_add((digit - b'0').into()));
    (!digits.is_empty()).then_some((if negative { -value } else { value }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_c_reads_it() {
        assert_eq!(integer(b"15"), Some((15, b"".as_slice())));
        assert_eq!(integer(b" \t+15:x"), Some((15, b":x".as_slice())));
        assert_eq!(integer(b"-1 "), Some((-1, b" ".as_slice())));
        assert_eq!(integer(b"99999999999999999999"), Some((i32::MAX, b"".as_slice())));
        for none in ["", " ", "x", "-", "+-1"] {
            assert_eq!(integer(none.as_bytes()), None, "{none}");
        }
    }
}
