//! The distribution, the kernel, the host name.

use std::path::Path;

use serde::Serialize;

use super::read;

/// Distribution and kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Os {
    /// What the distribution calls itself: `Ubuntu 24.04.1 LTS`.
    pub name: Option<String>,
    /// The kernel's release: `6.8.0-45-generic`.
    pub kernel: Option<String>,
}

impl Os {
    /// Reads os-release and the kernel's release below `root`.
    #[must_use]
    pub fn look(root: &Path) -> Self {
        let name = ["etc/os-release", "usr/lib/os-release"]
            .iter()
            .find_map(|path| pretty_name(&read::text(&root.join(path))?));
        Self { name, kernel: read::line(&root.join("proc/sys/kernel/osrelease")) }
    }
}

impl std::fmt::Display for Os {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("Linux"))?;
        match &self.kernel {
            Some(kernel) => write!(f, ", kernel {kernel}"),
            None => Ok(()),
        }
    }
}

/// The host name as the kernel has it, or `localhost`.
#[must_use]
pub fn hostname(root: &Path) -> String {
    read::line(&root.join("proc/sys/kernel/hostname")).unwrap_or_else(|| "localhost".to_owned())
}

/// PRETTY_NAME, else NAME and VERSION, of an os-release file.
fn pretty_name(text: &str) -> Option<String> {
    let value =
        |key: &str| text.lines().find_map(|line| Some(unquote(line.trim().strip_prefix(key)?.strip_prefix('=')?)));
    let name = value("PRETTY_NAME").filter(|name| !name.is_empty());
    name.or_else(|| match (value("NAME")?, value("VERSION")) {
        (name, Some(version)) => Some(format!("{name} {version}")),
        (name, None) => Some(name),
    })
}

/// A value as os-release(5) quotes it: in single or double quotes, or bare, with backslashes.
fn unquote(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(value);
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pretty_name_is_found_however_it_is_quoted() {
        for (text, name) in [
            ("NAME=Ubuntu\nPRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\n", "Ubuntu 24.04.1 LTS"),
            ("PRETTY_NAME='Alpine Linux v3.20'", "Alpine Linux v3.20"),
            ("PRETTY_NAME=Arch\\ Linux", "Arch Linux"),
            ("PRETTY_NAME=\"the \\\"best\\\"\"", "the \"best\""),
            ("PRETTY_NAME=\"\"\nNAME=\"Void\"", "Void"),
            ("NAME=Fedora\nVERSION=\"40 (Container Image)\"", "Fedora 40 (Container Image)"),
        ] {
            assert_eq!(pretty_name(text).as_deref(), Some(name), "{text}");
        }
    }

    #[test]
    fn a_truncated_file_gives_what_is_there() {
        assert_eq!(pretty_name("PRETTY_NAME=\"Debian GNU/Li").as_deref(), Some("\"Debian GNU/Li"));
        assert_eq!(pretty_name("PRETTY_NA"), None);
        assert_eq!(pretty_name("NAME=\"a\\"), Some("\"a".to_owned()));
    }

    #[test]
    fn usr_lib_serves_where_etc_has_no_os_release() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("usr/lib")).unwrap();
        std::fs::write(root.path().join("usr/lib/os-release"), "PRETTY_NAME=Wolfi\n").unwrap();
        assert_eq!(Os::look(root.path()).to_string(), "Wolfi");
    }
}
