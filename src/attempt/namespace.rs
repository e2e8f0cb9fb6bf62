//! The container's first process: in namespaces of its own, on a root of its own, without the capabilities that could
//! change the machine, it becomes devinit.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{self, Pid as NixPid, sethostname};

use super::folder::Folder;
use super::root;
use super::settings::{KEY_VARIABLE, Settings};
use super::storage::Storage;
use crate::paths;
use crate::prepare::write::{Attributes, write};
use crate::sys::{self, Fork, Pid, Program};

/// The container's name.
const HOSTNAME: &str = "devinit-try";
/// Where devinit is in the container.
const PROGRAM: &str = "/usr/local/bin/devinit";
/// What is laid over the config.
const DROP_IN: &str = "/etc/devinit/conf.d/zz-try.yaml";

/// The capabilities that Docker gives to a container, but for mknod(2): there is no filter of devices here. Chown,
/// dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot, audit_write,
/// setfcap.
const CAPABILITIES: [u32; 13] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31];

/// Starts it, and returns when devinit runs in it.
///
/// # Errors
/// The namespaces cannot be had, or the container could not be set up.
pub fn start(settings: &Settings, storage: &Storage, folder: &Folder) -> Result<Pid> {
    let own = File::open("/proc/self/ns/pid").context("failed to open /proc/self/ns/pid")?;
    let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    match unshare(CloneFlags::CLONE_NEWPID) {
        Ok(()) => {}
        Err(Errno::EPERM) => {
            bail!("try needs CAP_SYS_ADMIN, which this root lacks: in a container, run that with --privileged")
        }
        Err(errno) => bail!("failed to make a PID namespace: {}", errno.desc()),
    }
    let pid = match sys::fork().context("failed to start a process")? {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            let Err(error) = become_devinit(settings, storage, folder);
            let _ = File::from(write).write_all(format!("{error:#}").as_bytes());
            sys::exit_now(1)
        }
    };
    // Only the first process was to go there.
    setns(own, CloneFlags::CLONE_NEWPID).context("failed to return to the own PID namespace")?;
    drop(write);
    // The pipe is closed by the execution of devinit.
    let mut failure = String::new();
    File::from(read).read_to_string(&mut failure).context("failed to hear of the container")?;
    if failure.is_empty() { Ok(pid) } else { bail!("{failure}") }
}

fn become_devinit(settings: &Settings, storage: &Storage, folder: &Folder) -> Result<Infallible> {
    folder.parent().die_with();
    let signals = sys::take_signals().context("failed to block signals")?;
    detach(!settings.foreground).context("failed to leave the process group")?;
    umask(Mode::empty());
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)
        .context("failed to make namespaces")?;
    sethostname(HOSTNAME).context("failed to set the host name")?;
    root::enter(&folder.path, storage)?;
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    begin_afresh(storage.fresh)?;
    install(settings)?;
    sys::keep_capabilities(&CAPABILITIES).context("failed to drop capabilities")?;
    let mut environment = settings.environment.clone();
    environment.insert(KEY_VARIABLE.to_owned(), folder.public_key.clone());
    let program = program(&settings.main, &environment)?;
    signals.give_back();
    Err(sys::execute(&program)).with_context(|| format!("failed to run {PROGRAM}"))
}

/// Leaves the process group, so that Ctrl-C reaches devinit once and not twice. Without a main command there is nothing
/// to type into the container, and its output is a log.
fn detach(log_only: bool) -> io::Result<()> {
    if !log_only {
        return Ok(unistd::setpgid(NixPid::from_raw(0), NixPid::from_raw(0))?);
    }
    unistd::setsid()?;
    sys::duplicate_onto(File::open("/dev/null")?.as_fd(), 0)?;
    sys::duplicate_onto(io::stderr().as_fd(), 1)
}

/// Takes away what the machine has of devinit, and how its sshd is set up: it is the machine's, and not the container's.
fn begin_afresh(fresh: bool) -> Result<()> {
    leave_out(Path::new("/etc/devinit"))?;
    if !fresh {
        return Ok(());
    }
    leave_out(Path::new("/var/lib/devinit"))?;
    for entry in fs::read_dir("/etc/ssh").into_iter().flatten().flatten() {
        let name = entry.file_name();
        if [&b"sshd_config"[..], b"ssh_host_"].iter().any(|start| name.as_encoded_bytes().starts_with(start)) {
            leave_out(&entry.path())?;
        }
    }
    Ok(())
}

fn leave_out(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.with_context(|| format!("failed to leave out {}", path.display()))
}

/// Puts devinit and its config where an image has them.
fn install(settings: &Settings) -> Result<()> {
    let _ = fs::remove_file(PROGRAM);
    fs::copy("/proc/self/exe", PROGRAM)
        .and_then(|_| fs::set_permissions(PROGRAM, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("failed to copy devinit to {PROGRAM}"))?;
    fs::create_dir_all(paths::DROP_INS).with_context(|| format!("failed to create {}", paths::DROP_INS))?;
    // Readable by root only: it may hold a password.
    write(Path::new(paths::CONFIG), settings.config.as_bytes(), Attributes::root(0o600))?;
    write(Path::new(DROP_IN), settings.drop_in.as_bytes(), Attributes::root(0o600))?;
    know_own_name();
    Ok(())
}

/// sudo and others look the host name up, and wait for a name server if it is not in /etc/hosts.
fn know_own_name() {
    let known = fs::read_to_string("/etc/hosts").unwrap_or_default();
    if !known.split_whitespace().any(|word| word == HOSTNAME)
        && let Ok(mut hosts) = OpenOptions::new().append(true).create(true).open("/etc/hosts")
    {
        let _ = hosts.write_all(format!("\n127.0.1.1 {HOSTNAME}\n").as_bytes());
    }
}

fn program(main: &[String], environment: &BTreeMap<String, String>) -> Result<Program> {
    let string = |text: &str| CString::new(text).context("a NUL byte in the arguments");
    let dashes = (!main.is_empty()).then_some("--");
    let arguments = ["devinit", "boot"].into_iter().chain(dashes).chain(main.iter().map(String::as_str));
    Ok(Program {
        candidates: vec![string(PROGRAM)?],
        arguments: arguments.map(string).collect::<Result<_>>()?,
        environment: environment
            .iter()
            .map(|(name, value)| string(&format!("{name}={value}")))
            .collect::<Result<_>>()?,
    })
}
