//! What the image's own sshd_config sets beyond devinit's.
//!
//! To `Include` it whole does not work: sshd ends with "Subsystem 'sftp' already defined", and Port, ListenAddress and
//! HostKey add up, so that sshd would listen on the image's port as well and offer the keys that came with it. So it is
//! read, those directives are left out, and the rest goes to the end of devinit's file, where a directive that devinit
//! sets is not effective any more.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::note::Note;
use crate::prepare::environment::matches_glob;
use crate::sorted;

/// sshd's own limit for files that include each other.
const MAX_DEPTH: usize = 16;
/// The most files that are read, and the most bytes of each.
const MAX_FILES: usize = 256;
const MAX_SIZE: u64 = 1 << 20;

/// What devinit alone decides; `Subsystem sftp` besides.
const LEFT_OUT: [&str; 8] =
    ["addressfamily", "hostcertificate", "hostkey", "hostkeyagent", "listenaddress", "pidfile", "port", "setenv"];

/// What is left of the image's sshd_config and the files that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// Directives for all connections, one a line.
    pub(super) global: Vec<String>,
    /// `Match` blocks: all of them behind the others, since there is no end to a block but the next one.
    pub(super) blocks: Vec<String>,
    /// What was left out and may be missed.
    pub notes: Vec<Note>,
    files: usize,
}

/// Reads the image's sshd_config (`/etc/ssh/sshd_config`); without one there is nothing to add.
pub fn read_image_config(path: &Path) -> ImageConfig {
    let mut config = ImageConfig::default();
    config.read(path, path.parent().unwrap_or(Path::new("/")), 0);
    config
}

impl ImageConfig {
    fn read(&mut self, path: &Path, folder: &Path, depth: usize) {
        self.files += 1;
        if depth > MAX_DEPTH || self.files > MAX_FILES {
            self.notes.push(Note::warning(format!("{} was left out: too many sshd configs", path.display())));
            return;
        }
        let text = match read_bounded(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                self.notes.push(Note::warning(format!("{} was left out: {error}", path.display())));
                return;
            }
        };
        let mut in_block = false;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (keyword, argument) = keyword(line);
            in_block |= keyword == "match";
            if in_block {
                self.blocks.push(line.to_owned());
            } else if keyword == "include" {
                for file in argument.split_whitespace().flat_map(|pattern| files(pattern, folder)) {
                    self.read(&file, folder, depth + 1);
                }
            } else if keyword == "subsystem" && self::keyword(argument).0 == "sftp" {
                // devinit's stands already.
            } else if LEFT_OUT.contains(&keyword.as_str()) {
                if matches!(keyword.as_str(), "port" | "listenaddress") {
                    self.notes.push(Note::info(format!(
                        "{keyword} in {} is not effective: set ssh.port or ssh.listen in devinit's config",
                        path.display()
                    )));
                }
            } else {
                self.global.push(line.to_owned());
            }
        }
    }
}

/// A directive's name in lower case, and the rest of the line.
fn keyword(line: &str) -> (String, &str) {
    let line = line.trim_start_matches('"');
    let end = line.find([' ', '\t', '=', '"']).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    (name.to_ascii_lowercase(), rest.trim_matches([' ', '\t', '=', '"']))
}

/// The files that an Include means, in name order; a pattern's folder is taken as it stands.
fn files(pattern: &str, folder: &Path) -> Vec<PathBuf> {
    let pattern = folder.join(pattern.trim_matches('"'));
    let (Some(parent), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    if !name.contains(['*', '?']) {
        return vec![pattern];
    }
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| {
            let file = entry.file_name();
            let file = file.to_string_lossy();
            !file.starts_with('.') && matches_glob(name, &file)
        })
        .map(|entry| entry.path())
        .collect();
    sorted::sort(&mut files);
    files
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    if !path.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_SIZE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes these files, and reads the first as the image's config.
    fn read(files: &[(&str, &str)]) -> ImageConfig {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
        }
        read_image_config(&folder.path().join(files[0].0))
    }

    fn text(config: &ImageConfig) -> String {
        config.global.iter().chain(&config.blocks).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn of_debians_own_config_what_does_not_conflict_is_left() {
        let config = read(&[(
            "sshd_config",
            "# comment\nInclude FOLDER/sshd_config.d/*.conf\nUsePAM yes\n\nAcceptEnv LANG LC_*\nSubsystem\tsftp\t/usr/lib/openssh/sftp-server\n",
        )]);
        assert_eq!(text(&config), "UsePAM yes\nAcceptEnv LANG LC_*\n");
        assert_eq!(config.notes, []);
    }

    #[test]
    fn what_would_open_another_port_or_offer_another_key_is_left_out_however_it_is_written() {
        let config = read(&[(
            "sshd_config",
            "Port 2222\nport=2223\n\"ListenAddress\" 0.0.0.0\n  HOSTKEY /etc/x\nSetEnv A=1\nSubsystem sftp x\nSubsystem netconf /n\nBanner /b\n",
        )]);
        assert_eq!(text(&config), "Subsystem netconf /n\nBanner /b\n");
        assert_eq!(config.notes.len(), 3);
    }

    #[test]
    fn included_files_are_read_in_name_order_and_blocks_come_last() {
        let config = read(&[
            ("sshd_config", "Include sshd_config.d/*.conf\nMaxAuthTries 3\nMatch User bob\n  ForceCommand x\n"),
            ("sshd_config.d/20-b.conf", "Banner /b\n"),
            ("sshd_config.d/10-a.conf", "Banner /a\nMatch Group sftp\n  ChrootDirectory /srv\n  Port 1\n"),
            ("sshd_config.d/.hidden.conf", "Banner /hidden\n"),
            ("sshd_config.d/readme.txt", "Banner /readme\n"),
        ]);
        assert_eq!(
            text(&config),
            "Banner /a\nBanner /b\nMaxAuthTries 3\nMatch Group sftp\nChrootDirectory /srv\nPort 1\nMatch User bob\nForceCommand x\n"
        );
    }

    #[test]
    fn files_that_include_each_other_come_to_an_end() {
        let config = read(&[("sshd_config", "Include FOLDER/sshd_config FOLDER/sshd_config\nBanner /b\n")]);
        assert!(config.notes.iter().any(|note| note.text.contains("too many")), "{:?}", config.notes);
    }

    #[test]
    fn without_a_config_there_is_nothing_to_add() {
        assert_eq!(text(&read_image_config(Path::new("/nonexistent/sshd_config"))), "");
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_image_config(folder.path()).notes.len(), 1);
    }
}
