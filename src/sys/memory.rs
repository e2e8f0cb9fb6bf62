//! Searching memory.

use nix::libc;

/// Where the first of these bytes is: libc's memchr(3), which looks at a word at a time where iterating looks at bytes.
#[must_use]
pub fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    let begin = bytes.as_ptr();
    // SAFETY: reads at most `bytes.len()` bytes of a slice that is that long.
    let found = unsafe { libc::memchr(begin.cast(), byte.into(), bytes.len()) };
    (!found.is_null()).then(|| found.addr().wrapping_sub(begin.addr()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_is_found_wherever_it_is() {
        for length in 0..40 {
            for at in 0..length {
                let mut bytes = vec![b'x'; length];
                bytes[at..].fill(b'\n');
                assert_eq!(find(b'\n', &bytes), Some(at));
                assert_eq!(find(b'y', &bytes), None);
            }
        }
        assert_eq!(find(0, &[]), None);
    }
}
