//! devinit in the place of another init: called by its name, it takes that init's options, environment variables and
//! exit codes, and behaves as it does. See `docs/pid1.md`.
//!
//! All of this happens before `main` (see [`crate::sys::Arguments`]), with one child, no allocation on the usual path
//! and no more system calls than the job needs: what such an init costs is added to the start of every container.

mod dumb_init;
mod options;
mod output;
mod tini;

use crate::sys::{self, Arguments};

/// An init whose name devinit answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Tini,
    DumbInit,
}

/// Which init a program is called as: by the names under which they are installed and published, and those under which
/// `docker run --init` and `podman run --init` put them into a container (which call them as one calls tini).
fn role(path: &[u8]) -> Option<Role> {
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    match name {
        b"tini" | b"docker-init" | b"podman-init" => Some(Role::Tini),
        b"dumb-init" => Some(Role::DumbInit),
        _ if name.starts_with(b"tini-") => Some(Role::Tini),
        _ if name.starts_with(b"dumb-init_") => Some(Role::DumbInit),
        _ => None,
    }
}

/// Runs as the init that the process is called as and ends with its exit code; returns if it is called as devinit.
pub(crate) fn take_over(arguments: Arguments) {
    let code = match arguments.get(0).and_then(|name| role(name.to_bytes())) {
        None => return,
        Some(Role::Tini) => tini::run(arguments),
        Some(Role::DumbInit) => dumb_init::run(arguments),
    };
    sys::exit_now(code)
}

/// The mask of all signals.
const ALL: sys::Mask = sys::Mask::MAX;

/// The mask of one signal.
const fn mask(signal: i32) -> sys::Mask {
    1 << (signal - 1)
}

/// An error's number, 0 if it has none.
fn number(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_init_is_known_by_its_name_wherever_it_lies() {
        for name in ["tini", "/sbin/tini", "./tini-static", "/sbin/docker-init", "/run/podman-init", "tini-amd64"] {
            assert_eq!(role(name.as_bytes()), Some(Role::Tini), "{name}");
        }
        for name in ["dumb-init", "/usr/bin/dumb-init", "dumb-init_1.2.5_x86_64"] {
            assert_eq!(role(name.as_bytes()), Some(Role::DumbInit), "{name}");
        }
        for name in ["", "/", "devinit", "/usr/local/bin/devinit", "tini/", "mytini", "tinier", "dumb-init-x", "-tini"]
        {
            assert_eq!(role(name.as_bytes()), None, "{name}");
        }
    }
}
