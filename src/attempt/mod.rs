//! `devinit try`: a boot in namespaces of this machine, over a throw-away copy of its files.
//!
//! No process of the machine is touched, nothing of it is written to, and nothing outlives the end: the kernel takes
//! processes and mounts down with the container's first process, which dies with this one.

mod devices;
mod folder;
mod layers;
mod mounts;
mod namespace;
mod ports;
mod root;
mod settings;
mod storage;
mod watch;

use anyhow::{Result, bail};

use crate::cli;
use crate::engine::run::UNUSABLE;
use crate::prepare::sshd;
use folder::Folder;
use settings::Settings;
use storage::Storage;

/// Runs it until the container ends, and returns the container's exit code; 1 if it could not be started, 78 if the
/// config cannot be used.
#[must_use]
pub fn run(options: &cli::Try) -> i32 {
    attempt(options).unwrap_or_else(|error| {
        eprintln!("devinit: {error:#}");
        1
    })
}

fn attempt(options: &cli::Try) -> Result<i32> {
    if !nix::unistd::geteuid().is_root() {
        bail!("try makes namespaces and mounts, which needs root: run it with sudo");
    }
    let settings = match Settings::load(options) {
        Ok(settings) => settings,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            return Ok(UNUSABLE);
        }
    };
    if settings.ssh && sshd::find_sshd().is_none() {
        bail!("there is no sshd on this machine: apt-get install --no-install-recommends openssh-server");
    }
    ports::check_free(&settings.ports())?;
    let storage = Storage::new(options.keep.as_deref())?;
    let folder = Folder::make(&settings)?;
    let container = namespace::start(&settings, &storage, &folder)?;
    watch::until_the_end(container, &settings, &storage, &folder)
}
