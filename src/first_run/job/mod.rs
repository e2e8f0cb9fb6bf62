//! What an installer works with: the worker's side of one attempt at one task.

pub mod log;
mod run;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use self::log::Log;
pub use self::run::Run;
pub(super) use self::run::TOLD_TO_END;
use super::source::Sources;
use super::{Owner, place, space};
use crate::fetch::{Failure, Retry, checksum, failure, redacted, unpack};
use crate::prepare::write::{self, Attributes};

/// The longest text that is fetched, in bytes.
const LONGEST_TEXT: usize = 4 << 20;
/// How often the line that a program printed last is shown at most.
const BETWEEN_STAGES: Duration = Duration::from_millis(250);

/// Whether the worker waits for a program, which hears of signals itself.
pub(super) static IN_COMMAND: AtomicBool = AtomicBool::new(false);

/// One attempt at one task.
pub struct Job<'a> {
    /// The task's name.
    pub name: &'a str,
    /// As whom it runs, and where its things go.
    pub owner: &'a Owner,
    /// The environment of the programs that it runs.
    pub environment: &'a BTreeMap<String, String>,
    /// Where downloads come from.
    pub sources: &'a Sources,
    /// The folder of the bundle that is being filled, if one is.
    pub bundle: Option<&'a Path>,
    /// A folder for this task alone, kept between attempts: downloads on their way.
    pub work: PathBuf,
    /// Takes what there is to tell.
    pub report: &'a mut dyn FnMut(Report),
}

/// What a worker tells while it works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// What it is doing now: `downloading node-v24.19.0-linux-x64.tar.xz`.
    Stage(String),
    /// How far the download is.
    Bytes {
        /// Bytes that are there.
        done: u64,
        /// Bytes that there will be, if that is known.
        total: Option<u64>,
    },
    /// A line for the task's log.
    Line(String),
    /// Something that people should see, though it went on.
    Warning(String),
}

/// What a download has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asset {
    /// Where it is.
    pub url: String,
    /// Its SHA-256, if that is known.
    pub sha256: Option<String>,
    /// Its size in bytes, if that is known beforehand.
    pub size: Option<u64>,
    /// How many bytes it takes up once it is unpacked, in times of its size: for the check of the disk's space.
    pub grows: u32,
}

impl Job<'_> {
    /// Says what it is doing now.
    pub fn stage(&mut self, text: impl Into<String>) {
        (self.report)(Report::Stage(text.into()));
    }

    /// Says something that people should see, though it goes on.
    pub fn warn(&mut self, text: impl Into<String>) {
        (self.report)(Report::Warning(text.into()));
    }

    /// Fetches a text of at most 4 MiB.
    ///
    /// While a bundle is filled, the text goes there as well.
    ///
    /// # Errors
    /// As [`crate::fetch::Client::text`].
    pub fn text(&mut self, url: &str) -> Result<String, Failure> {
        self.log(&format!("GET {}", redacted(url)));
        let text = self.sources.client.text(url, LONGEST_TEXT).map_err(|f| self.missing(f))?;
        self.add_to_bundle(url, "", text.as_bytes())?;
        Ok(text)
    }

    /// Where a URL redirects to; the URL itself if it does not.
    ///
    /// While a bundle is filled, the answer goes there as well.
    ///
    /// # Errors
    /// As [`crate::fetch::Client::redirect`].
    pub fn redirect(&mut self, url: &str) -> Result<String, Failure> {
        self.log(&format!("GET {}", redacted(url)));
        let location = self.sources.client.redirect(url).map_err(|f| self.missing(f))?;
        // As upstream would say it: a mirror is not there where the bundle is used, and its URL may hold a password.
        self.add_to_bundle(url, ".location", self.sources.published(&location).as_bytes())?;
        Ok(location)
    }

    /// Downloads a file, continues what an earlier attempt began, and checks it. Returns where it is: in [`Job::work`],
    /// under the last part of the URL.
    ///
    /// While a bundle is filled, the file goes there instead, if it is not there already.
    ///
    /// # Errors
    /// As [`crate::fetch::Client::download`]; too little room on the disk; a wrong checksum, after which what came is
    /// removed.
    pub fn download(&mut self, asset: &Asset) -> Result<PathBuf, Failure> {
        let shown = redacted(&asset.url);
        let name =
            shown.rsplit('/').next().filter(|name| !name.is_empty() && !name.starts_with('.')).unwrap_or("download");
        let kept = self.in_bundle(&asset.url);
        if let Some(kept) = kept.as_ref().filter(|kept| is_whole(kept, asset)) {
            self.log(&format!("{} is there already", kept.display()));
            return Ok(kept.clone());
        }
        let to = self.work.join(name);
        self.make_work_folder()?;
        self.stage(format!("downloading {name}"));
        self.log(&format!("GET {shown}"));
        // What is there may be whole already: the attempt that fetched it failed later, or was killed.
        if !is_whole(&to, asset) {
            self.fetch(asset, name, &to)?;
        }
        let Some(place) = kept else { return Ok(to) };
        place::file(&to, &place, 0o644)?;
        Ok(place)
    }

    fn fetch(&mut self, asset: &Asset, name: &str, to: &Path) -> Result<(), Failure> {
        let begun = to.metadata().is_ok_and(|there| there.len() > 0);
        let (work, grows) = (self.work.clone(), u64::from(asset.grows.max(1)));
        let room =
            |total: u64, there: u64| space::check(&work, total.saturating_mul(grows).saturating_sub(there), name);
        if let Some(size) = asset.size {
            room(size, to.metadata().map_or(0, |there| there.len()))?;
        }
        let mut asked = asset.size.is_some();
        let report = &mut self.report;
        let client = &self.sources.client;
        client
            .download(&asset.url, to, &mut |done, total| {
                report(Report::Bytes { done, total });
                match total {
                    Some(total) if !std::mem::replace(&mut asked, true) => room(total, done),
                    Some(_) => Ok(()),
                    None => room(0, 0),
                }
            })
            .map_err(|failure| self.missing(failure))?;
        let Some(wanted) = &asset.sha256 else { return refuse_web_page(to, name) };
        self.stage(format!("checking {name}"));
        let found = checksum::of_file(to)?;
        if found == *wanted {
            return Ok(());
        }
        let _ = std::fs::remove_file(to);
        let text = format!("wrong checksum of {name}: expected {wanted}, got {found}");
        // Of two halves that do not fit the whole may come out right.
        Err(if begun {
            Failure::passing(text)
        } else {
            Failure::permanent(text)
                .hint("if a new release was meant, correct sha256: in the config; else do not trust the source")
        })
    }

    /// Unpacks an archive into a new folder in [`Job::work`] and returns that.
    ///
    /// # Errors
    /// As [`unpack::unpack`].
    pub fn unpack(&mut self, archive: &Path, options: &unpack::Options) -> Result<PathBuf, Failure> {
        let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.stage(format!("unpacking {name}"));
        let folder = self.staging()?;
        unpack::unpack(archive, &folder, options)?;
        Ok(folder)
    }

    /// A new empty folder in [`Job::work`]; the one of an earlier attempt is removed.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn staging(&mut self) -> Result<PathBuf, Failure> {
        let folder = self.work.join("staging");
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failure::io(format_args!("failed to remove {}", folder.display()))(error));
            }
            _ => {}
        }
        make_folder(&folder)?;
        Ok(folder)
    }

    /// Runs a program to its end; what it prints, on both of its outputs, goes to the task's log. Returns what it
    /// printed on its standard output, at most the last 64 KiB.
    ///
    /// # Errors
    /// It cannot be started; it ends with an exit code other than 0 or by a signal. Worth another try, unless it cannot
    /// be started.
    pub fn run(&mut self, run: &Run) -> Result<String, Failure> {
        self.log(&format!("$ {}", run.command.join(" ")));
        IN_COMMAND.store(true, Ordering::SeqCst);
        let mut told = Instant::now();
        let report = &mut self.report;
        let result = run.run(self.environment, &self.owner.account.home, &mut |line| {
            report(Report::Line(line.to_owned()));
            if told.elapsed() > BETWEEN_STAGES {
                told = Instant::now();
                report(Report::Stage(line.to_owned()));
            }
        });
        IN_COMMAND.store(false, Ordering::SeqCst);
        result
    }

    /// Writes a line to the task's log.
    pub fn log(&mut self, line: &str) {
        (self.report)(Report::Line(line.to_owned()));
    }

    fn make_work_folder(&self) -> Result<(), Failure> {
        make_folder(&self.work)
    }

    fn add_to_bundle(&self, url: &str, suffix: &str, bytes: &[u8]) -> Result<(), Failure> {
        let Some(place) = self.in_bundle(url) else { return Ok(()) };
        let mut place = place.into_os_string();
        place.push(suffix);
        let place = PathBuf::from(place);
        make_folder(place.parent().unwrap_or(&place))?;
        write::write(&place, bytes, Attributes::own(0o644)).map_err(|error| Failure::permanent(error.to_string()))
    }

    /// Where what comes from a URL goes in the bundle that is being filled.
    fn in_bundle(&self, url: &str) -> Option<PathBuf> {
        Some(self.bundle?.join(self.sources.bundled(url)?))
    }

    /// What failed where a bundle is installed from, by a program that looked for a network in vain. Another try would
    /// end in the same way.
    #[must_use]
    pub fn not_in_bundle(&self, failure: Failure) -> Failure {
        match &self.sources.bundle {
            Some(bundle) if failure.retry != Retry::Never => {
                Failure::permanent(format!("not in the bundle; needs a network: {}", failure.text)).hint(refill(bundle))
            }
            _ => failure,
        }
    }

    /// What failed with nothing but the bundle, which has something for it: not all, or it fails for another reason.
    #[must_use]
    pub fn from_bundle(&self, failure: Failure) -> Failure {
        match &self.sources.bundle {
            Some(bundle) if failure.retry != Retry::Never => {
                Failure::permanent(format!("{} with nothing but the bundle", failure.text))
                    .hint(format!("if the log says that something is not there, {}", refill(bundle)))
            }
            _ => failure,
        }
    }

    /// What is missing in a bundle was not there when it was filled, or is asked for since.
    fn missing(&self, failure: Failure) -> Failure {
        match &self.sources.bundle {
            Some(bundle) if failure.hint.is_none() => failure.hint(refill(bundle)),
            _ => failure,
        }
    }
}

/// Whether a file is there and what it has to be, which only a checksum tells.
fn is_whole(file: &Path, asset: &Asset) -> bool {
    asset.sha256.as_ref().is_some_and(|wanted| checksum::of_file(file).is_ok_and(|found| found == *wanted))
}

fn refill(bundle: &Path) -> String {
    format!("fill the bundle again where there is a network: devinit first-run --download-only {}", bundle.display())
}

/// Without a checksum nothing else tells a login page from what was asked for, if the server does not say what it is.
fn refuse_web_page(file: &Path, name: &str) -> Result<(), Failure> {
    let mut head = Vec::new();
    let _ = std::fs::File::open(file).map(|file| file.take(512).read_to_end(&mut head));
    let is_meant = name.ends_with(".html") || name.ends_with(".htm");
    if is_meant || !unpack::is_web_page(&head) {
        return Ok(());
    }
    let _ = std::fs::remove_file(file);
    Err(Failure::permanent(format!("the server sent a web page instead of {name}"))
        .hint("a proxy or a login page may stand between, or the address is wrong"))
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(failure::io(format_args!("failed to make {}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_page_is_not_taken_for_a_program_and_does_not_stay() {
        let folder = tempfile::tempdir().unwrap();
        for page in ["<!DOCTYPE html>\n<title>Sign in</title>", "\u{feff}\r\n <HTML><body>"] {
            let file = folder.path().join("clash");
            std::fs::write(&file, page).unwrap();
            let failure = refuse_web_page(&file, "clash").unwrap_err();
            assert_eq!(failure.text, "the server sent a web page instead of clash");
            assert!(!file.exists());
        }
        for (name, content) in [("index.html", "<!doctype html>"), ("clash", "\x7fELF"), ("logo.svg", "<?xml?>")] {
            let file = folder.path().join(name);
            std::fs::write(&file, content).unwrap();
            refuse_web_page(&file, name).unwrap();
        }
    }
}
