//! Executing programs.

use std::ffi::CString;
use std::io;

use nix::libc;

/// A program that is ready to be executed: everything is allocated before the fork.
pub struct Program {
    /// The paths that are tried in turn, as execvp(3) would.
    pub candidates: Vec<CString>,
    /// Its arguments, the name of the program first.
    pub arguments: Vec<CString>,
    /// Its environment, `NAME=value` each.
    pub environment: Vec<CString>,
}

impl Program {
    /// The program that the first of these words names, looked up in the folders of `path` if it has no slash.
    ///
    /// # Errors
    /// EINVAL: a word has a NUL in it.
    pub fn new(words: &[&[u8]], environment: Vec<CString>, path: &[u8]) -> io::Result<Self> {
        let string = |bytes: &[u8]| CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL));
        let name = words.first().copied().unwrap_or_default();
        let mut candidates = Vec::new();
        if name.contains(&b'/') {
            candidates.push(string(name)?);
        } else if !name.is_empty() {
            for folder in path.split(|byte| *byte == b':') {
                let folder = if folder.is_empty() { b"." } else { folder };
                candidates.push(string(&[folder, b"/", name].concat())?);
            }
        }
        let arguments = words.iter().map(|word| string(word)).collect::<io::Result<_>>()?;
        Ok(Self { candidates, arguments, environment })
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Replaces the program of this process. Returns only if that failed, with the most telling error.
pub fn execute(program: &Program) -> io::Error {
    let (arguments, environment) = (pointers(&program.arguments), pointers(&program.environment));
    let mut failure = io::Error::from_raw_os_error(libc::ENOENT);
    for path in &program.candidates {
        // SAFETY: the path and every string that the two arrays point to outlive the call; both end with a null.
        unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // A script without `#!` is one for sh, as execvp(3) and every shell have it.
            Some(libc::ENOEXEC) => {
                let mut script = vec![c"/bin/sh".as_ptr(), path.as_ptr()];
                script.extend(arguments.iter().skip(1));
                // SAFETY: as above; `arguments` ends with a null, so `script` does.
                unsafe { libc::execve(c"/bin/sh".as_ptr(), script.as_ptr(), environment.as_ptr()) };
                return error;
            }
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            // Another folder of PATH may have it with the right to execute it, so go on, but remember.
            Some(libc::EACCES) => failure = error,
            _ => return error,
        }
    }
    failure
}
