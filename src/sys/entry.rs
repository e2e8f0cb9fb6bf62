//! The very first moments of the process, before Rust's runtime: what the kernel passed, as it passed it.
//!
//! In the role of another init, devinit never gets to `main`: Rust's runtime would first change signal dispositions,
//! probe the stack page by page and set up a second one, which costs more than all that such an init does, and would
//! have to be undone for the child.

use std::ffi::CStr;
use std::io;
use std::ptr;

use nix::libc::{self, c_char};

unsafe extern "C" {
    /// The C library's list of the environment's variables; it ends with a null.
    static mut environ: *mut *mut c_char;
}

extern "C" fn before_main() {
    // SAFETY: the C library has set `environ` to what the kernel passed, and nothing has changed it yet.
    if let Some(arguments) = unsafe { Arguments::find() } {
        crate::dropin::take_over(arguments);
    }
}

// SAFETY: functions listed in .init_array are called once, before main, on the only thread, when the C library is set
// up; this one uses nothing of Rust's runtime. The number puts it before those that only note something.
#[unsafe(link_section = ".init_array.00100")]
#[used]
static BEFORE_MAIN: extern "C" fn() = before_main;

/// The words that the process was called with, the name of the program first, in the kernel's own list.
pub struct Arguments {
    /// `length` pointers to strings, and a null.
    first: *mut *const c_char,
    length: usize,
}

impl Arguments {
    /// The kernel puts the count, that many pointers and a null right before the environment's list; musl does not
    /// pass any of it to functions that run before `main`.
    ///
    /// # Safety
    /// `environ` has to be as the C library set it at the start.
    unsafe fn find() -> Option<Self> {
        // SAFETY: nobody else runs yet.
        let environment: *mut *const c_char = unsafe { environ }.cast();
        if environment.is_null() {
            return None;
        }
        let mut length = 0;
        // SAFETY: the loop reads downwards from the null between the two lists and stops at the count, before which it
        // meets only pointers: into the stack, and so never as small as a count.
        unsafe {
            while *environment.sub(2 + length) as usize != length {
                length += 1;
            }
            Some(Self { first: environment.sub(1 + length), length })
        }
    }

    /// How many words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is not even a name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn words(&mut self) -> &mut [*const c_char] {
        // SAFETY: the list has `length` elements, lives as long as the process, and only this value refers to it.
        unsafe { std::slice::from_raw_parts_mut(self.first, self.length) }
    }

    /// The word at this place, counted from 0, where the name is.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&'static CStr> {
        // SAFETY: within the list, where each pointer is to a string that lives as long as the process.
        (place < self.length).then(|| unsafe { CStr::from_ptr(*self.first.add(place)) })
    }

    /// Moves the last `words` of those in `from..to` in front of the others.
    pub fn bring_forward(&mut self, from: usize, to: usize, words: usize) {
        if let Some(part) = self.words().get_mut(from..to).filter(|part| words <= part.len()) {
            part.rotate_right(words);
        }
    }

    /// Replaces the program of this process by that which the words from `from` on name, found as glibc's execvp(3)
    /// does, with the environment that the process was started with. Returns only if that failed.
    #[must_use]
    pub fn execute(&self, from: usize) -> io::Error {
        let not_found = io::Error::from_raw_os_error(libc::ENOENT);
        let Some(file) = self.get(from).map(CStr::to_bytes).filter(|file| !file.is_empty()) else { return not_found };
        if file.contains(&b'/') {
            return self.execute_at(from, [b"", file]);
        }
        let path = variable(c"PATH").map_or(DEFAULT_PATH, CStr::to_bytes);
        let mut failure = not_found;
        for folder in path.split(|byte| *byte == b':') {
            let error = self.execute_at(from, [folder, file]);
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT) => {}
                // A later folder may have it with the right to execute it; otherwise this is what to tell.
                Some(libc::EACCES) => failure = error,
                _ => return error,
            }
        }
        failure
    }

    fn execute_at(&self, from: usize, [folder, file]: [&[u8]; 2]) -> io::Error {
        let mut path = [0u8; libc::PATH_MAX as usize];
        let parts: [&[u8]; 3] = [folder, if folder.is_empty() { b"" } else { b"/" }, file];
        let mut end = 0;
        for part in parts {
            // The last byte stays 0.
            match path.get_mut(end..end + part.len()).filter(|_| end + part.len() < libc::PATH_MAX as usize) {
                Some(place) => place.copy_from_slice(part),
                None => return io::Error::from_raw_os_error(libc::ENAMETOOLONG),
            }
            end += part.len();
        }
        // SAFETY: `from` is a place in the list (the caller has read it), so what starts there is a list of strings
        // that ends with a null, as the environment's does; the path ends with a 0.
        unsafe { libc::execve(path.as_ptr().cast(), self.first.add(from), environ.cast()) };
        let error = io::Error::last_os_error();
        // A script without `#!` is one for sh.
        if error.raw_os_error() == Some(libc::ENOEXEC) {
            let rest = (from + 1..self.length).filter_map(|place| self.get(place)).map(CStr::as_ptr);
            let script = [c"/bin/sh".as_ptr(), path.as_ptr().cast()].into_iter();
            let words: Vec<_> = script.chain(rest).chain([ptr::null()]).collect();
            // SAFETY: as above.
            unsafe { libc::execve(c"/bin/sh".as_ptr(), words.as_ptr(), environ.cast()) };
        }
        error
    }
}

/// Where programs are looked for without a PATH.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/bin:/usr/bin";

/// A variable's value, as the environment has it.
#[must_use]
pub fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: the name is a string; what is returned is in the environment that the kernel passed, and only a program
    // that changes its environment (which this one does in no role that asks here) could make it invalid.
    unsafe {
        let value = libc::getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}
