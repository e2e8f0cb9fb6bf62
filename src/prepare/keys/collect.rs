//! Where keys come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::{Key, MAX_KEYS, MAX_TEXT, parse};
use crate::config::model::{KeyPlace, KeySource};
use crate::note::Note;
use crate::sorted;

/// The most files of one folder that are read.
const MAX_FILES: usize = 1000;

/// Variables with keys in them that people already set; each also as `NAME_FILE`.
const CONVENTIONAL: [&str; 4] = ["PUBLIC_KEY", "SSH_PUBLIC_KEY", "SSH_PUBKEY", "AUTHORIZED_KEYS"];

/// The variables with key material and passwords that devinit itself uses up: nothing that it starts gets them.
pub const CONSUMED: &[&str] = &[
    "PUBLIC_KEY",
    "PUBLIC_KEY_FILE",
    "PUBLIC_KEY_DIR",
    "PUBLIC_KEY_URL",
    "SSH_PUBLIC_KEY",
    "SSH_PUBLIC_KEY_FILE",
    "SSH_PUBKEY",
    "SSH_PUBKEY_FILE",
    "AUTHORIZED_KEYS",
    "AUTHORIZED_KEYS_FILE",
    "USER_PASSWORD",
    "USER_PASSWORD_FILE",
];

/// What the sources held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The keys in the order of the sources, each once.
    pub keys: Vec<Key>,
    /// What could not be read or is not a key.
    pub notes: Vec<Note>,
    /// The URLs that are still to be fetched (see [`crate::fetch`]), once sshd is up.
    pub remote: Vec<String>,
}

/// The sources for a user without a list of its own: the usual variables, as far as they are set.
pub fn conventional(env: &BTreeMap<String, String>) -> Vec<KeySource> {
    let set = |name: &str| env.get(name).is_some_and(|value| !value.trim().is_empty());
    let value = |name: &str| env.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let mut places = Vec::new();
    for name in CONVENTIONAL {
        if set(name) || set(&format!("{name}_FILE")) {
            places.push(KeyPlace::Env(name.to_owned()));
        }
    }
    places.extend(value("PUBLIC_KEY_DIR").map(|path| KeyPlace::Directory(PathBuf::from(path))));
    places.extend(value("PUBLIC_KEY_URL").map(|url| KeyPlace::Url(url.to_owned())));
    places.into_iter().map(KeySource::From).collect()
}

/// Reads all sources but those on the network.
pub fn collect(sources: &[KeySource], env: &BTreeMap<String, String>) -> Collected {
    let mut collected = Collected::default();
    let mut seen = BTreeSet::new();
    for (index, source) in sources.iter().enumerate() {
        match source {
            KeySource::Key(text) => {
                collected.add(&mut seen, text, &format!("authorized_keys, entry {}", index + 1));
            }
            KeySource::From(KeyPlace::Env(name)) => collected.add_variable(&mut seen, name, env),
            KeySource::From(KeyPlace::File(path)) => collected.add_file(&mut seen, path),
            KeySource::From(KeyPlace::Directory(path)) => collected.add_directory(&mut seen, path),
            KeySource::From(KeyPlace::Url(url)) => collected.add_url(url),
            KeySource::From(KeyPlace::Github(name)) => collected.add_github(name),
        }
    }
    collected
}

type Seen = BTreeSet<(String, bool)>;

impl Collected {
    fn add(&mut self, seen: &mut Seen, text: &str, origin: &str) {
        let parsed = parse(text, origin);
        self.notes.extend(parsed.notes);
        for key in parsed.keys {
            if self.keys.len() < MAX_KEYS && seen.insert(key.identity()) {
                self.keys.push(key);
            }
        }
    }

    fn add_variable(&mut self, seen: &mut Seen, name: &str, env: &BTreeMap<String, String>) {
        let value = env.get(name).filter(|value| !value.trim().is_empty());
        let file = env.get(&format!("{name}_FILE")).filter(|path| !path.trim().is_empty());
        if let Some(text) = value {
            self.add(seen, text, name);
        }
        if let Some(path) = file {
            self.add_file(seen, Path::new(path.trim()));
        }
        if value.is_none() && file.is_none() {
            self.notes.push(Note::info(format!("{name} is not set: no keys from it")));
        }
    }

    fn add_file(&mut self, seen: &mut Seen, path: &Path) {
        match read(path) {
            Ok(text) => self.add(seen, &text, &path.display().to_string()),
            Err(error) => self.notes.push(Note::warning(format!("no keys from {}: {error}", path.display()))),
        }
    }

    /// Files in name order. Names with a dot in front are left out: editors' leftovers, and the folders behind a
    /// Kubernetes mount, whose files are links to `..data/NAME`.
    fn add_directory(&mut self, seen: &mut Seen, path: &Path) {
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                self.notes.push(Note::warning(format!("no keys from {}: {error}", path.display())));
                return;
            }
        };
        let mut names: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .filter(|name| !name.to_string_lossy().starts_with('.'))
            .collect();
        sorted::sort(&mut names);
        if names.len() > MAX_FILES {
            self.notes.push(Note::warning(format!(
                "{} has more than {MAX_FILES} files: the rest was not read",
                path.display()
            )));
            names.truncate(MAX_FILES);
        }
        for name in names {
            let file = path.join(name);
            if !file.is_dir() {
                self.add_file(seen, &file);
            }
        }
    }

    fn add_url(&mut self, url: &str) {
        let url = url.trim();
        if url.starts_with("https://") || url.starts_with("http://") {
            self.remote.push(url.to_owned());
        } else {
            self.notes.push(Note::warning("a key URL does not begin with https:// or http://: it was left out"));
        }
    }

    fn add_github(&mut self, name: &str) {
        let name = name.trim().trim_start_matches('@');
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if (1..=39).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-') {
            self.remote.push(format!("https://github.com/{name}.keys"));
        } else {
            self.notes.push(Note::warning(format!("{name:?} is not a GitHub account's name: its keys were left out")));
        }
    }
}

/// Reads a regular file of bounded size. What is opened may be anything (a FIFO nobody writes to): it is opened so that
/// it cannot hang.
fn read(path: &Path) -> io::Result<String> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let limit = MAX_TEXT as u64 + 1;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(decode(&bytes))
}

/// UTF-8, or UTF-16 by its BOM: what `>` of Windows PowerShell writes.
fn decode(bytes: &[u8]) -> String {
    let swap = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return String::from_utf8_lossy(bytes).into_owned(),
    };
    let (pairs, _) = bytes.as_chunks::<2>();
    char::decode_utf16(pairs.iter().map(|pair| swap(*pair))).map(|c| c.unwrap_or('\u{fffd}')).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::fs::symlink;

    use super::*;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti a@b";
    const C: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJMrsk4Lnbhbvm4jMRbsPgNZdGxdfKqxP1ic3VgHWUqz c@d";

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn directory(path: &Path) -> KeySource {
        KeySource::From(KeyPlace::Directory(path.to_owned()))
    }

    fn file(path: &Path) -> KeySource {
        KeySource::From(KeyPlace::File(path.to_owned()))
    }

    #[test]
    fn without_any_variable_there_are_no_conventional_sources() {
        assert_eq!(conventional(&env(&[("PUBLIC_KEY", "  "), ("HOME", "/root")])), []);
    }

    #[test]
    fn every_conventional_variable_leads_to_its_key_and_a_key_given_twice_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pub");
        std::fs::write(&path, C).unwrap();
        let env = env(&[
            ("AUTHORIZED_KEYS", A),
            ("PUBLIC_KEY", A),
            ("SSH_PUBKEY_FILE", path.to_str().unwrap()),
            ("PUBLIC_KEY_URL", " https://example.org/k.pub\n"),
        ]);
        let collected = collect(&conventional(&env), &env);
        assert_eq!(collected.keys.iter().map(|k| k.comment.as_str()).collect::<Vec<_>>(), ["a@b", "c@d"]);
        assert_eq!(collected.remote, ["https://example.org/k.pub"]);
        assert_eq!(collected.notes, []);
    }

    #[test]
    fn a_fifo_is_refused_instead_of_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authorized_keys");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let collected = collect(&[file(&path), file(folder.path())], &BTreeMap::new());
        assert_eq!(collected.notes.len(), 2);
        assert!(collected.notes.iter().all(|note| note.text.contains("not a regular file")), "{:?}", collected.notes);
    }

    #[test]
    fn a_kubernetes_mount_is_read_through_its_links_and_each_file_once() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("..2026_01_01");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("z.pub"), A).unwrap();
        std::fs::write(data.join("b.pub"), C).unwrap();
        std::fs::write(folder.path().join(".b.pub.swp"), "junk").unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        symlink("..2026_01_01", folder.path().join("..data")).unwrap();
        for name in ["z.pub", "b.pub"] {
            symlink(Path::new("..data").join(OsStr::new(name)), folder.path().join(name)).unwrap();
        }
        let collected = collect(&[directory(folder.path())], &BTreeMap::new());
        assert_eq!(collected.keys.iter().map(|k| k.comment.as_str()).collect::<Vec<_>>(), ["c@d", "a@b"]);
        assert_eq!(collected.notes, []);
    }

    #[test]
    fn a_file_written_by_powershell_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pub");
        let utf16: Vec<u8> = format!("\u{feff}{A}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
        std::fs::write(&path, utf16).unwrap();
        assert_eq!(collect(&[file(&path)], &BTreeMap::new()).keys.len(), 1);
    }

    #[test]
    fn what_is_missing_is_said_with_its_name() {
        let missing = Path::new("/nonexistent/peid.pub");
        let sources = [file(missing), directory(missing), KeySource::From(KeyPlace::Env("MY_KEY".into()))];
        let notes = collect(&sources, &BTreeMap::new()).notes;
        assert_eq!(notes.len(), 3);
        assert!(notes[0].text.contains("/nonexistent/peid.pub"));
        assert!(notes[2].text.contains("MY_KEY is not set"));
    }

    #[test]
    fn a_github_name_cannot_lead_elsewhere() {
        let github = |name: &str| collect(&[KeySource::From(KeyPlace::Github(name.into()))], &BTreeMap::new());
        assert_eq!(github("octo-cat").remote, ["https://github.com/octo-cat.keys"]);
        for bad in ["", "a/b", "a.b", "../x", "a?b", "-a", "a b", &"a".repeat(40)] {
            assert_eq!(github(bad).remote, [] as [&str; 0], "{bad}");
            assert_eq!(github(bad).notes.len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_url_of_another_scheme_is_left_out() {
        let collected = collect(&[KeySource::From(KeyPlace::Url("file:///etc/shadow".into()))], &BTreeMap::new());
        assert_eq!((collected.remote.len(), collected.notes.len()), (0, 1));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        std::fs::write(&path, format!("{A}\n{}", "#".repeat(MAX_TEXT))).unwrap();
        let collected = collect(&[file(&path)], &BTreeMap::new());
        assert_eq!((collected.keys.len(), collected.notes.len()), (0, 1));
    }
}
