//! What is known about this boot from outside PID 1: the record that `prepare` leaves in `/run/devinit/boot.json`
//! (readable by everyone, without secrets) beside what the engine answers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::note::Note;

/// Where [`BootRecord`] lies.
pub const BOOT_RECORD: &str = "/run/devinit/boot.json";

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
