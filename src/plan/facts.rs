//! What the plan has to know about the machine. Looked at once, so that the plan itself is a pure function.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::machine::Gpu;
use crate::machine::gpu::Known;
use crate::paths;
use crate::prepare::accounts::{self, Database};
use crate::prepare::sshd;

/// The machine as a boot finds it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether devinit may change users and files: the effective uid is 0.
    pub root: bool,
    /// The effective uid.
    pub uid: u32,
    /// Effective capabilities, a bit each.
    pub capabilities: u64,
    /// The main command of the command line.
    pub main: Vec<String>,
    /// The config that the command line names.
    pub config: Option<PathBuf>,
    /// The container's environment.
    pub environment: BTreeMap<String, String>,
    /// The file mode creation mask that UMASK asks for.
    pub umask: Option<u32>,
    /// Where this boot's state goes, if there is such a place.
    pub runtime: Option<PathBuf>,
    /// This very program.
    pub program: PathBuf,
    /// The accounts.
    pub database: Database,
    /// sshd, if the image has it.
    pub sshd: Option<PathBuf>,
    /// Whether there is IPv6, on the loopback at least.
    pub ipv6: bool,
    /// Whether the image has sudo.
    pub sudo: bool,
    /// Whether the kernel refuses set-user-id programs such as sudo (`--security-opt no-new-privileges`).
    pub no_new_privileges: bool,
    /// Whether /etc can be written to.
    pub etc_writable: bool,
    /// GPUs and their driver.
    pub gpu: Gpu,
    /// What of them is looked for later.
    pub known_gpus: Known,
}

impl Facts {
    /// Looks.
    #[must_use]
    pub fn gather(
        main: Vec<String>,
        config: Option<PathBuf>,
        environment: BTreeMap<String, String>,
        runtime: Option<PathBuf>,
    ) -> Self {
        let uid = users::get_effective_uid();
        let etc = Path::new("/etc");
        let gpu = gpu(&environment);
        let writable = |path: &str| nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok();
        Self {
            root: uid == 0,
            uid,
            capabilities: own_status("CapEff:")
                .and_then(|mask| u64::from_str_radix(&mask, 16).ok())
                .unwrap_or(u64::MAX),
            no_new_privileges: own_status("NoNewPrivs:").is_some_and(|set| set == "1"),
            main,
            config,
            umask: environment
                .get("UMASK")
                .and_then(|mask| u32::from_str_radix(mask, 8).ok())
                .filter(|mask| *mask <= 0o777),
            environment,
            runtime,
            program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/usr/local/bin/devinit")),
            database: accounts::read(etc).unwrap_or_else(|_| accounts::read_public(etc)),
            sshd: sshd::find_sshd(),
            ipv6: std::fs::read_to_string("/proc/net/if_inet6")
                .is_ok_and(|addresses| addresses.contains("00000000000000000000000000000001 ")),
            sudo: which::which_in("sudo", Some("/usr/bin:/usr/local/bin:/bin"), "/").is_ok(),
            etc_writable: writable("/etc"),
            known_gpus: Known::of(&gpu, Path::new("/")),
            gpu,
        }
    }

    /// Whether users can be made and changed.
    #[must_use]
    pub fn accounts_writable(&self) -> bool {
        self.root && self.etc_writable
    }

    /// The folder that authorized keys go to.
    #[must_use]
    pub fn keys_folder(&self) -> Option<PathBuf> {
        if self.etc_writable { Some(PathBuf::from(paths::KEYS)) } else { Some(self.runtime.as_ref()?.join("keys")) }
    }
}

/// GPUs and their driver. `environment` is that of the container.
pub(super) fn gpu(environment: &BTreeMap<String, String>) -> Gpu {
    Gpu::look(Path::new("/"), &|name| environment.get(name).cloned())
}

/// A field of what the kernel says about this process.
fn own_status(field: &str) -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(field)).map(|value| value.trim().to_owned())
}
