//! Where things are: the contract with images, tests and users.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access, geteuid};

/// The config.
pub const CONFIG: &str = "/etc/devinit/config.yaml";
/// What is merged over the config, in name order.
pub const DROP_INS: &str = "/etc/devinit/conf.d";
/// Authorized keys, a file for each user.
pub const KEYS: &str = "/etc/devinit/keys";
/// What login shells read.
pub const PROFILE: &str = "/etc/profile.d/devinit.sh";
/// Who may use sudo.
pub const SUDOERS: &str = "/etc/sudoers.d/devinit";
/// This boot: control socket, sshd's config, the boot record.
pub const RUNTIME: &str = "/run/devinit";
/// The environment for root's login shells, in the runtime folder.
pub const ENVIRONMENT: &str = "environment.sh";
/// Logs of what does not write to the container's output.
pub const LOGS: &str = "/var/log/devinit";
/// The entrypoint of NVIDIA's base images.
pub const NVIDIA_ENTRYPOINT: &str = "/opt/nvidia/nvidia_entrypoint.sh";

/// The runtime folder of this boot, made if need be: [`RUNTIME`], or one in /tmp where that cannot be written to (an
/// arbitrary uid, a read-only root).
#[must_use]
pub fn make_runtime() -> Option<PathBuf> {
    let usual = PathBuf::from(RUNTIME);
    let _ = DirBuilder::new().recursive(true).mode(0o755).create(&usual);
    if access(&usual, AccessFlags::W_OK).is_ok() {
        return Some(usual);
    }
    let private = private_runtime();
    let _ = DirBuilder::new().mode(0o700).create(&private);
    is_ours(&private).then_some(private)
}

/// The runtime folder of the devinit that runs in this container.
#[must_use]
pub fn runtime() -> PathBuf {
    let private = private_runtime();
    if !Path::new(RUNTIME).join("control.sock").exists() && is_ours(&private) {
        return private;
    }
    PathBuf::from(RUNTIME)
}

/// Where a first run for a user leaves how it stands, below the runtime folder. Its folder is the user's own.
#[must_use]
pub fn first_run_progress(runtime: &Path, user: &str) -> PathBuf {
    runtime.join("first-run").join(user).join("progress.json")
}

fn private_runtime() -> PathBuf {
    PathBuf::from(format!("/tmp/.devinit-{}", geteuid()))
}

/// /tmp is everyone's: a folder or link that someone else put there is not to be trusted, nor is a folder of ours that
/// someone else can write to and has moved there.
fn is_ours(folder: &Path) -> bool {
    fs::symlink_metadata(folder)
        .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_that_others_can_write_to_or_a_link_is_not_taken_for_ours() {
        let place = tempfile::tempdir().unwrap();
        let (folder, link) = (place.path().join("folder"), place.path().join("link"));
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        symlink(&folder, &link).unwrap();
        assert!(is_ours(&folder) && !is_ours(&link) && !is_ours(&place.path().join("missing")));
        for mode in [0o720, 0o702, 0o777, 0o1777] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            assert!(!is_ours(&folder), "{mode:o}");
        }
    }
}
