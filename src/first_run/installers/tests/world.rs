//! A folder in place of the web, and one in place of a home.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use crate::config::first_run::{Mirrors, Step};
pub(super) use crate::digest::sha256;
use crate::fetch::Failure;
use crate::first_run::installers::parts;
use crate::first_run::job::Report;
use crate::first_run::source::Sources;
use crate::first_run::{Installed, Job, Owner, Place};
use crate::prepare::accounts::Account;

/// A program that says its version, as all of them do.
pub(super) const PROGRAM: &str = "#!/bin/sh\necho \"${0##*/} $*\"\n";
/// One that cannot run: as if it were for another processor.
pub(super) const FOREIGN: &str = "\x7fELF of another kind";

/// A folder that holds what is published, by host and path, and a home.
pub(super) struct World {
    folder: TempDir,
    pub(super) sources: Sources,
    pub(super) place: Place,
    pub(super) warnings: Vec<String>,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mirror = |host: &str| Some(format!("file://{}/mirror/{host}/", folder.path().display()));
        let mirrors = Mirrors {
            github: mirror("github.com"),
            node: mirror("nodejs.org/dist"),
            claude: mirror("downloads.claude.ai"),
            ..Mirrors::default()
        };
        let place = Place::home(&folder.path().join("home"));
        Self { sources: Sources { mirrors, ..Sources::default() }, place, folder, warnings: Vec::new() }
    }

    /// For everyone: as if /usr/local were in here.
    pub(super) fn system() -> Self {
        let mut world = Self::new();
        world.place = Place { base: world.folder.path().join("usr/local"), system: true };
        world
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(super) fn publish(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.path("mirror").join(path), content.as_ref());
    }

    /// Publishes a file of a release, and a list of checksums for it.
    pub(super) fn release(&self, folder: &str, asset: &str, list: &str, content: &[u8]) {
        self.publish(&format!("{folder}/{asset}"), content);
        self.publish(
            &format!("{folder}/{list}"),
            format!("{}  unrelated\n{}  {asset}\n", sha256(b""), sha256(content)),
        );
    }

    pub(super) fn redirect_latest(&self, repository: &str, tag: &str) {
        let page = format!("https://github.com/{repository}/releases/tag/{tag}");
        self.publish(&format!("github.com/{repository}/releases/latest.location"), page);
    }

    pub(super) fn owner(&self) -> Owner {
        let account = Account {
            name: "peid".to_owned(),
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
            home: self.path("home"),
            shell: "/bin/sh".into(),
            groups: Vec::new(),
            created: false,
        };
        Owner { account, place: self.place.clone() }
    }

    pub(super) fn with_job<T>(&mut self, bundle: Option<&Path>, act: impl FnOnce(&mut Job<'_>) -> T) -> T {
        let (owner, sources, work) = (self.owner(), self.sources.clone(), self.path("work"));
        fs::create_dir_all(&work).unwrap();
        fs::create_dir_all(&owner.account.home).unwrap();
        let environment = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let mut report = |report| {
            if let Report::Warning(text) = report {
                self.warnings.push(text);
            }
        };
        act(&mut Job {
            name: "test",
            owner: &owner,
            environment: &environment,
            sources: &sources,
            bundle,
            work,
            report: &mut report,
        })
    }

    /// Installs the step itself.
    pub(super) fn install(&mut self, step: &Step) -> Result<Installed, Failure> {
        let part = parts(step, &self.place).remove(0);
        let installed = self.with_job(None, |job| part.installer.install(job))?;
        assert!(part.installer.present(&installed), "{installed:?}");
        Ok(installed)
    }

    /// What `uv --version` prints, run where the step put it.
    pub(super) fn run(&self, program: &str) -> String {
        let output = std::process::Command::new(self.place.base.join(program)).arg("--version").output().unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What is left of the mirror are the lists and checksums.
    pub(super) fn remove_archives(&self) {
        let mut find = std::process::Command::new("find");
        assert!(find.arg(self.path("mirror")).args(["-name", "*.tar.gz", "-delete"]).status().unwrap().success());
    }

    /// Everything below the place, as paths.
    pub(super) fn tree(&self) -> Vec<String> {
        fn walk(folder: &Path, base: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), base, found);
                } else {
                    found.push(entry.path().strip_prefix(base).unwrap().display().to_string());
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.place.base, &self.place.base, &mut found);
        found.sort();
        found
    }
}

pub(super) fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A .tar.gz of these files; what begins with `->` is a symlink.
pub(super) fn tar_gz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        if let Some(target) = content.strip_prefix("->") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            archive.append_link(&mut header, name, target).unwrap();
        } else {
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
    }
    archive.into_inner().unwrap().finish().unwrap()
}

pub(super) fn zip(name: &str, content: &str) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(content.as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}
