//! What a service finds in its environment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

use super::Attachments;
use crate::engine::spec::Service;
use crate::sorted;

/// The path of the socket over which a service says how it is: sd_notify(3).
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
/// How often it has to say that it is alive, in microseconds.
const WATCHDOG_USEC: &str = "WATCHDOG_USEC";
/// The process that has to say it.
pub(super) const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// The largest environment file, in bytes: about as much as a program can be given.
pub(super) const LARGEST_FILE: u64 = 1 << 20;

/// Variables by their names.
pub type Variables<'a> = BTreeMap<&'a [u8], &'a [u8]>;

/// A name and its value.
pub(super) type Pair<'a> = (&'a [u8], &'a [u8]);

/// What a service is told by its environment about how to notify.
pub(super) struct Attached {
    values: Vec<(&'static str, Vec<u8>)>,
    /// Whether [`WATCHDOG_PID`] is to be added once the pid is known.
    pub watchdog: bool,
}

pub(super) fn attached(service: &Service, attachments: Attachments<'_>) -> Attached {
    let Some(socket) = attachments.notify_socket else { return Attached { values: Vec::new(), watchdog: false } };
    let mut values = vec![(NOTIFY_SOCKET, socket.as_os_str().as_bytes().to_vec())];
    if let Some(watchdog) = service.watchdog {
        values.push((WATCHDOG_USEC, watchdog.as_micros().to_string().into_bytes()));
    }
    Attached { values, watchdog: service.watchdog.is_some() }
}

/// All of a service's variables: its own, over them those of its files, over all what is attached.
pub(super) fn variables<'a>(service: &'a Service, added: &[Pair<'a>], attached: &'a Attached) -> Variables<'a> {
    let mut variables: Variables<'a> =
        sorted::map(service.environment.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    variables.extend(added.iter().copied());
    for name in [NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID] {
        variables.remove(name.as_bytes());
    }
    variables.extend(attached.values.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())));
    variables
}

/// Reads an environment file.
///
/// # Errors
/// Those of opening and reading it; EFBIG if it is larger than [`LARGEST_FILE`]; EINVAL if it is not a regular file.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A FIFO that nobody writes to must not keep us waiting.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut content = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST_FILE {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(content)
}

/// The variables of an environment file: `NAME=VALUE` lines, with `export` in front if need be. Blank lines and those that
/// begin with `#` count for nothing. Blanks around a value, and then one pair of quotes, do not belong to it; nothing in it is
/// replaced.
///
/// # Errors
/// The number of the first line that is none of these, from 1.
pub(super) fn parse(content: &[u8]) -> Result<Vec<Pair<'_>>, u32> {
    // Some editors put a byte order mark in front.
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut variables = Vec::new();
    for (line, number) in content.split(|byte| *byte == b'\n').zip(1u32..) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        variables.push(assignment(line).ok_or(number)?);
    }
    Ok(variables)
}

fn assignment(line: &[u8]) -> Option<Pair<'_>> {
    let exported = line.strip_prefix(b"export").filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace));
    let line = exported.unwrap_or(line).trim_ascii_start();
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (line.get(..equals)?, line.get(equals.checked_add(1)?..)?.trim_ascii());
    // More than a shell takes: programs have names such as `spring.datasource.url`.
    let fits = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'#');
    if name.is_empty() || name.first()?.is_ascii_digit() || !name.iter().all(fits) || value.contains(&0) {
        return None;
    }
    let unquoted = match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        value => value,
    };
    Some((name, unquoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(content: &str) -> Result<Vec<(String, String)>, u32> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok(parse(content.as_bytes())?.into_iter().map(|(name, value)| (text(name), text(value))).collect())
    }

    #[test]
    fn lines_are_names_and_values_with_or_without_export_and_quotes() {
        for (line, value) in [
            ("A=1", "1"),
            ("A=", ""),
            ("  A=1  ", "1"),
            ("export A=1", "1"),
            ("export\tA=1", "1"),
            ("A=1\r", "1"),
            ("A=\"1 2\"", "1 2"),
            ("A='1 2'\r", "1 2"),
            ("A=\"", "\""),
            ("A=\"\"", ""),
            ("A=\"1'", "\"1'"),
            ("A= 1 # no comment ", "1 # no comment"),
            ("A=$HOME `x` \\n ${B}", "$HOME `x` \\n ${B}"),
            ("A=b=c==", "b=c=="),
            ("A=größer", "größer"),
            ("\u{feff}A=1", "1"),
        ] {
            assert_eq!(parsed(line), Ok(vec![("A".to_owned(), value.to_owned())]), "{line:?}");
        }
        assert_eq!(parsed("export=1").unwrap()[0].0, "export");
        assert_eq!(parsed("spring.datasource.url=x").unwrap()[0].0, "spring.datasource.url");
    }

    #[test]
    fn comments_and_blank_lines_count_for_nothing() {
        let content = "# A=0\n\n   \n  # B\r\nA=1\n\r\nB=2";
        assert_eq!(parsed(content).unwrap().len(), 2);
        assert_eq!(parsed(""), Ok(vec![]));
    }

    #[test]
    fn a_line_that_is_no_assignment_is_told_by_its_number() {
        for line in ["A", "=1", "A B=1", "1A=1", "export A", "\"A\"=1", "A =1", "A=1\u{0}", "é=1", "A\u{1b}=1"] {
            assert_eq!(parsed(&format!("# one\nB=1\r\n{line}\nC=1")), Err(3), "{line:?}");
        }
    }

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let error = |path: &Path| read(path).unwrap_err().raw_os_error();
        assert_eq!(error(&path), Some(libc::ENOENT));
        std::fs::write(&path, vec![b'\n'; LARGEST_FILE as usize]).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, LARGEST_FILE);
        std::fs::write(&path, vec![b'\n'; LARGEST_FILE as usize + 1]).unwrap();
        assert_eq!(error(&path), Some(libc::EFBIG));
        assert_eq!(error(folder.path()), Some(libc::EINVAL));
        assert_eq!(error(Path::new("/dev/zero")), Some(libc::EINVAL));
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(error(&fifo), Some(libc::EINVAL));
    }
}
