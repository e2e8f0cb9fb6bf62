//! What the installers that run commands have in common.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc;

use crate::digest::sha256;
use crate::fetch::{self, Failure};
use crate::first_run::{Job, Place};

/// The most of a file that decides what a step does: a script, a list of requirements.
const MAX_CONTENT: u64 = 16 << 20;

/// Where a program is in the task's PATH.
///
/// # Errors
/// It is nowhere: `hint` says how it gets there.
pub fn require(job: &Job<'_>, program: &str, hint: &str) -> Result<PathBuf, Failure> {
    let path = job.environment.get("PATH");
    which::which_in(program, path, &job.owner.account.home).map_err(|_| {
        let path = path.map_or("", String::as_str);
        Failure::permanent(format!("{program} is not found in PATH ({path})")).hint(hint)
    })
}

/// Refuses what a program would take for an option, or for nothing.
///
/// # Errors
/// Names the first such entry.
pub fn refuse_options<'a>(entries: impl IntoIterator<Item = &'a String>) -> Result<(), Failure> {
    match entries.into_iter().find(|entry| entry.is_empty() || entry.starts_with('-')) {
        Some(entry) => Err(Failure::permanent(format!("{entry:?} is not a name, but an option or nothing"))
            .hint("name what is to be installed; options cannot be given")),
        None => Ok(()),
    }
}

/// The home that `~` stands for.
#[must_use]
pub fn home(place: &Place) -> PathBuf {
    if place.system { PathBuf::from("/root") } else { place.base.clone() }
}

/// A path of the config with `~` filled in.
#[must_use]
pub fn expand(path: &Path, home: &Path) -> PathBuf {
    path.strip_prefix("~").map_or_else(|_| path.to_owned(), |rest| home.join(rest))
}

/// The content of a file, if it is a regular one of at most 16 MiB that can be read.
#[must_use]
pub fn content(path: &Path) -> Option<Vec<u8>> {
    // The path may be a user's, and its reader root: a FIFO must not make it wait.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() || about.len() > MAX_CONTENT {
        return None;
    }
    let mut content = Vec::new();
    file.take(MAX_CONTENT).read_to_end(&mut content).ok()?;
    Some(content)
}

/// The SHA-256 of what is in a file, for a task's key: none for what cannot be read, or not yet.
#[must_use]
pub fn digest(path: &Path) -> Option<String> {
    content(path).map(|content| sha256(&content))
}

/// A command as people would type it, without the credentials of URLs in it.
#[must_use]
pub fn shown<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

fn word(word: &str) -> String {
    let part = |part: &str| if part.contains("://") { fetch::redacted(part) } else { part.to_owned() };
    let word = word.split(' ').map(part).collect::<Vec<_>>().join(" ");
    let plain = |c: char| c.is_alphanumeric() || "@%+=:,./_-~^".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A URL without the slashes that it ends with.
#[must_use]
pub fn trimmed(url: &str) -> &str {
    url.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_types_it_and_without_credentials() {
        assert_eq!(shown(["bun", "add", "@tavily/mcp@latest"]), "bun add @tavily/mcp@latest");
        assert_eq!(shown(["pip", "numpy<2", "it's", ""]), r"pip 'numpy<2' 'it'\''s' ''");
        let shown = shown(["git+https://me:secret@host.example/a/b@v1?token=secret#egg=b"]);
        assert_eq!(shown, "git+https://host.example/a/b@v1");
        assert_eq!(
            super::shown(["sh", "-c", "curl https://me:secret@a.example/b?c | sh"]),
            "sh -c 'curl https://a.example/b | sh'"
        );
    }

    #[test]
    fn options_and_empty_names_are_refused() {
        let check = |name: &str| refuse_options(&[String::from("jq"), name.to_owned()]);
        assert!(check("--index-url=http://elsewhere").unwrap_err().text.contains("--index-url"));
        assert!(check("").is_err() && check("-y").is_err() && check("g++").is_ok());
    }

    #[test]
    fn a_tilde_is_the_home_only_where_it_stands_alone() {
        let home = Path::new("/home/me");
        assert_eq!(expand(Path::new("~/a/b"), home), Path::new("/home/me/a/b"));
        assert_eq!(expand(Path::new("~"), home), Path::new("/home/me"));
        assert_eq!(expand(Path::new("~other/a"), home), Path::new("~other/a"));
        assert_eq!(expand(Path::new("/a/~"), home), Path::new("/a/~"));
    }

    #[test]
    fn what_is_no_file_has_no_content_and_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(content(&fifo), None);
        assert_eq!(content(folder.path()), None);
        assert_eq!(digest(&folder.path().join("missing")), None);
        let file = folder.path().join("file");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(digest(&file).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
