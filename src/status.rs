//! What is known about this boot from outside PID 1: the record that `prepare` leaves in `/run/devinit/boot.json`
//! (readable by everyone, without secrets) beside what the engine answers.

mod first_run;
mod gpu;
mod services;
pub mod table;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::model::Jobs;
use crate::engine::control;
use crate::engine::snapshot::{Phase, ServiceState, ServiceStatus, Snapshot};
use crate::machine::Listeners;
use crate::machine::gpu::Known;
use crate::note::{LONGEST_NOTE, Level, Note};
use crate::outlook;
use crate::outlook::first_run::{self as runs, FirstRun};
use crate::paths;
use crate::plan::APP;
use crate::prepare::accounts::lookup;
use crate::prepare::write::{self, Attributes, WriteError};
use crate::words::clean;
use table::{Cell, Look, Tone, table};

pub use services::{bare, detail, last_lines, tone};

/// The name of the [`BootRecord`] in the runtime folder.
pub const BOOT_RECORD: &str = "boot.json";

/// What the boot did, for `status`, `health`, the greeting and the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootRecord {
    /// Why the boot went into rescue, if it did.
    pub rescue: Option<String>,
    /// The config files that were read.
    pub config: Vec<PathBuf>,
    /// The users that may log in.
    pub users: Vec<UserRecord>,
    /// sshd, if it was asked for and can run.
    pub ssh: Option<SshRecord>,
    /// The app's port.
    pub app_port: u16,
    /// Whether there is an app (or main command).
    pub app: bool,
    /// Own text of the greeting; none: the usual one.
    pub greeting: Option<String>,
    /// Whether the greeting is switched on.
    pub greeting_enabled: bool,
    /// Where jobs have their files, for those who cannot read the config.
    #[serde(default)]
    pub jobs: Jobs,
    /// The entrypoint that the main command is.
    #[serde(default)]
    pub entrypoint: Option<String>,
    /// The GPUs that there were.
    #[serde(default)]
    pub gpu: Known,
    /// What was left out, what looks wrong.
    pub notes: Vec<Note>,
}

/// One user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home folder.
    pub home: PathBuf,
    /// `SHA256:… comment` of each key that opens this account.
    pub keys: Vec<String>,
}

/// sshd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshRecord {
    /// The port that it listens on.
    pub port: u16,
    /// `SHA256:… (ED25519)` of each host key.
    pub host_keys: Vec<String>,
}

/// How long devinit may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// The record of this boot, if there is one that can be read.
#[must_use]
pub fn record(runtime: &Path) -> Option<BootRecord> {
    serde_json::from_slice(&std::fs::read(runtime.join(BOOT_RECORD)).ok()?).ok()
}

/// Writes the record of this boot, for everyone to read.
///
/// # Errors
/// Those of writing the file.
pub fn write_record(runtime: &Path, record: &BootRecord) -> Result<(), WriteError> {
    let bytes = serde_json::to_vec(record).unwrap_or_default();
    write::write_for_this_boot(&runtime.join(BOOT_RECORD), &bytes, Attributes::own(0o644))
}

/// What the engine says about itself, if it answers.
#[must_use]
pub fn snapshot(runtime: &Path) -> Option<Snapshot> {
    control::status(runtime, ANSWER_LIMIT).ok()
}

/// Everything that `devinit status` shows.
#[derive(Debug, Default, Serialize)]
pub struct Status {
    /// What the engine says; none: it does not answer.
    pub engine: Option<Snapshot>,
    /// What the boot did.
    pub boot: BootRecord,
    /// How the first runs stand.
    pub first_run: Vec<FirstRun>,
    /// GPUs, their driver, and how they are now.
    pub gpu: gpu::GpuStatus,
    /// What of the ports deserves a look.
    pub ports: Vec<Note>,
    /// The last lines of the services that are in trouble or asked for, by name, as far as they may be read.
    pub last_lines: BTreeMap<String, Vec<String>>,
}

/// Whether something of these services (of all, if none is named) that was started has not come to an end of it yet.
#[must_use]
pub fn pending(engine: &Snapshot, names: &[String]) -> bool {
    engine.phase == Phase::Preparing || outlook::pending(engine).any(|service| is_among(service, names))
}

/// Whether one of these services (of all, if none is named) failed for good, or waits for one that did or is stopped.
#[must_use]
pub fn failed(engine: &Snapshot, names: &[String], runs: &[FirstRun]) -> bool {
    let blocked = outlook::blocked(engine);
    let services = engine.services.iter().filter(|service| is_among(service, names));
    services.into_iter().any(|service| runs::has_failed(service, runs) || blocked.contains_key(service.name.as_str()))
}

fn is_among(service: &ServiceStatus, names: &[String]) -> bool {
    names.is_empty() || names.contains(&service.name)
}

impl Status {
    /// Looks at the container that this process is in; more closely at the services that are named.
    #[must_use]
    pub fn gather(names: &[String]) -> Self {
        let runtime = paths::runtime();
        let boot = record(&runtime).unwrap_or_default();
        let engine = snapshot(&runtime);
        let app_is_up = engine.as_ref().is_some_and(|engine| {
            let up = |service: &ServiceStatus| service.name == APP && service.state == ServiceState::Ready;
            engine.services.iter().any(up)
        });
        let ports = ports(&boot, app_is_up, &Listeners::look(Path::new("/")));
        let first_run = runs::look(&runtime, engine.as_ref());
        let last_lines = engine.as_ref().map(|engine| services::lines(engine, names)).unwrap_or_default();
        // Who asks for a service does not wait for nvidia-smi.
        let gpu = gpu::GpuStatus::look(&boot.gpu, names.is_empty());
        Self { engine, boot, first_run, gpu, ports, last_lines }
    }

    /// For people.
    #[must_use]
    pub fn text(&self, look: Look) -> String {
        let mut out = String::new();
        match &self.engine {
            Some(engine) => {
                let phase = match engine.phase {
                    Phase::Preparing => "preparing",
                    Phase::Running => "running",
                    Phase::Stopping => "stopping",
                };
                let _ = writeln!(out, "devinit is {phase}, up {}, pid {}", ago(engine.uptime_ms), engine.pid);
            }
            None => {
                let _ = writeln!(out, "devinit does not answer in {}", paths::runtime().display());
            }
        }
        if self.engine.is_none() && self.boot == BootRecord::default() {
            return out; // No container of devinit's: what else there is to see here is not its business.
        }
        if let Some(why) = &self.boot.rescue {
            let _ = writeln!(out, "{}", look.paint(&format!("RESCUE: {}", clean(why, LONGEST_NOTE)), Tone::Bad));
        }
        if let Some(engine) = &self.engine {
            services::write(&mut out, engine, &self.last_lines, look);
        }
        for run in &self.first_run {
            first_run::write(&mut out, run, &own_name(), look);
        }
        self.users(&mut out, look);
        self.gpu.write(&mut out, look);
        let gpu = self.gpu.notes();
        let notes = self.boot.notes.iter().chain(&self.ports).chain(&gpu).filter(|note| note.level > Level::Info);
        for (index, note) in notes.enumerate() {
            let title = if index == 0 { "\n" } else { "" };
            let mark = match note.level {
                Level::Error => look.paint("error", Tone::Bad),
                Level::Info | Level::Warning => look.paint("warning", Tone::Odd),
            };
            let _ = writeln!(out, "{title}{mark}: {}", clean(&note.text, LONGEST_NOTE));
        }
        out
    }

    fn users(&self, out: &mut String, look: Look) {
        let row = |user: &UserRecord| -> Vec<Cell> {
            let ids = format!("{}:{}", user.uid, user.gid);
            let home = clean(&user.home.to_string_lossy(), LONGEST_NOTE);
            vec![user.name.clone().into(), ids.into(), user.keys.len().to_string().into(), home.into()]
        };
        let rows: Vec<Vec<Cell>> = self.boot.users.iter().map(row).collect();
        if !rows.is_empty() {
            out.push_str(&table(&["USER", "IDS", "KEYS", "HOME"], &rows, &[], look));
        }
        for (user, key) in self.boot.users.iter().flat_map(|user| user.keys.iter().map(move |key| (user, key))) {
            let _ = writeln!(out, "  {}: {key}", user.name);
        }
        if self.boot.app {
            let _ = writeln!(out, "\napp on port {}", self.boot.app_port);
        }
        if let Some(ssh) = &self.boot.ssh {
            let _ = writeln!(out, "\nSSH on port {}", ssh.port);
            for key in &ssh.host_keys {
                let _ = writeln!(out, "  host key {key}");
            }
        }
    }
}

/// The login name of who asks; a number, if there is none.
#[must_use]
pub fn own_name() -> String {
    let uid = nix::unistd::geteuid().to_string();
    let entry = std::fs::read("/etc/passwd").ok().and_then(|passwd| lookup(&passwd, &uid));
    entry.map_or(uid, |entry| entry.name)
}

/// What of the listening ports deserves a look: an app that nobody outside can reach, and what else can be reached.
fn ports(boot: &BootRecord, app_is_up: bool, listeners: &Listeners) -> Vec<Note> {
    let mut notes = Vec::new();
    let port = boot.app_port;
    if app_is_up && listeners.loopback_only(port) {
        notes.push(Note::warning(format!(
            "the app listens on 127.0.0.1:{port} only and cannot be reached from outside; have it listen on 0.0.0.0"
        )));
    }
    let ssh = boot.ssh.as_ref().map_or(22, |ssh| ssh.port);
    for address in listeners.exposed_besides(&[ssh, port]) {
        notes.push(Note::warning(format!(
            "something listens on {address}, besides SSH and the app; have it listen on 127.0.0.1 if it is not meant to"
        )));
    }
    notes
}

fn ago(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_name_in_a_note_cannot_bring_escapes_or_lines_of_its_own() {
        let notes = vec![Note::warning("no keys from /keys/\u{1b}]0;x\u{7}\nerror: all is lost: not found")];
        let boot = BootRecord { rescue: Some("\u{1b}[2J".to_owned()), notes, ..BootRecord::default() };
        let status = Status { engine: None, boot, ..Status::default() };
        let text = status.text(Look::default());
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("error: ")), "{text}");
    }
}
