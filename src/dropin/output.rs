//! What an init says: a line is put together on the stack and written at once, so that the lines of two processes do
//! not mix.

use std::ffi::CStr;
use std::fmt::{self, Write};

use crate::sys;

/// Standard output.
pub(super) const OUT: i32 = 1;
/// Standard error.
pub(super) const ERR: i32 = 2;

/// Writes a text.
pub(super) fn print(to: i32, text: fmt::Arguments<'_>) {
    let mut buffer = Buffer { to, bytes: [0; 1024], length: 0 };
    let _ = buffer.write_fmt(text);
    buffer.flush();
}

/// A text that is written when it is complete, or the space is full.
struct Buffer {
    to: i32,
    bytes: [u8; 1024],
    length: usize,
}

impl Buffer {
    fn flush(&mut self) {
        sys::write_all(self.to, self.bytes.get(..self.length).unwrap_or_default());
        self.length = 0;
    }
}

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.as_bytes().chunks(self.bytes.len()) {
            if self.length + part.len() > self.bytes.len() {
                self.flush();
            }
            if let Some(space) = self.bytes.get_mut(self.length..self.length + part.len()) {
                space.copy_from_slice(part);
                self.length += part.len();
            }
        }
        Ok(())
    }
}

/// A word that others wrote, fit for a terminal: what is no UTF-8 and what would control the terminal becomes `?`.
pub(super) struct Word<'a>(pub(super) &'a [u8]);

impl<'a> Word<'a> {
    /// A word as the kernel passes it.
    pub(super) fn of(text: &'a CStr) -> Self {
        Self(text.to_bytes())
    }
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                formatter.write_char(if character.is_control() { '?' } else { character })?;
            }
            if !chunk.invalid().is_empty() {
                formatter.write_char('?')?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_others_does_not_control_the_terminal() {
        assert_eq!(Word(b"/bin/a\x1b[2J\xff\xc2\x9bz").to_string(), "/bin/a?[2J??z");
    }
}
