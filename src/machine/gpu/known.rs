//! What was there at boot, and whether it still is.
//!
//! A GPU can vanish from a running container: it falls off the bus, or the host takes the right to its nodes away
//! (`systemctl daemon-reload` with cgroup v2 does). Programs then fail with errors that tell nothing.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::libc;
use serde::{Deserialize, Serialize};

use super::{Device, Gpu};

/// GPUs as a boot found them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Those that there were nodes of.
    pub devices: Vec<Device>,
    /// Whether `/dev/nvidiactl`, through which every program reaches the driver, could be opened.
    pub control: bool,
}

impl Known {
    /// What is to be looked for from now on.
    #[must_use]
    pub fn of(gpu: &Gpu, root: &Path) -> Self {
        Self { devices: gpu.devices.clone(), control: !gpu.devices.is_empty() && open(root).is_ok() }
    }

    /// What is gone since, and what to do about it; one line. The GPUs' own nodes are not opened: on a sick GPU that
    /// takes for ever. Nor is what the kernel module says of them read.
    #[must_use]
    pub fn gone(&self, root: &Path) -> Option<String> {
        let lost = self.devices.iter().find_map(|device| {
            let node = format!("dev/nvidia{}", device.minor);
            let bus = device.bus.as_ref().map(|bus| format!("proc/driver/nvidia/gpus/{bus}"));
            let missing = [Some(node), bus].into_iter().flatten().find(|path| is_missing(&root.join(path)))?;
            Some(format!("{} is gone: /{missing} is missing; restart the container", device.name()))
        });
        lost.or_else(|| {
            let error = open(root).err().filter(|error| self.control && is_lost(error))?;
            Some(format!(
                "the GPUs are gone: /dev/nvidiactl cannot be opened any more ({error}); restart the container (on the \
                 host, `systemctl daemon-reload` takes GPUs away from containers)"
            ))
        })
    }
}

/// Nothing is started by this: it is the node of the driver, and of no GPU.
fn open(root: &Path) -> io::Result<()> {
    let path = root.join("dev/nvidiactl");
    OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).map(drop)
}

fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Whether this error means that what was there is not any more. Who looks may have fewer rights than who booted, so
/// EACCES means nothing.
fn is_lost(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOENT | libc::EIO | libc::ENODEV | libc::ENXIO))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A container with two GPUs.
    fn boot() -> (tempfile::TempDir, Known) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("dev")).unwrap();
        for node in ["nvidia0", "nvidia1", "nvidiactl"] {
            fs::write(root.path().join("dev").join(node), "").unwrap();
        }
        for (minor, bus) in ["0000:07:00.0", "0000:0b:00.0"].iter().enumerate() {
            let folder = root.path().join("proc/driver/nvidia/gpus").join(bus);
            fs::create_dir_all(&folder).unwrap();
            let text = format!("Model: \t\t NVIDIA A100\nDevice Minor: \t {minor}\n");
            fs::write(folder.join("information"), text).unwrap();
        }
        let known = Known::of(&Gpu::look(root.path(), &|_| None), root.path());
        assert!(known.control && known.devices.len() == 2);
        (root, known)
    }

    #[test]
    fn while_all_is_there_nothing_is_said() {
        let (root, known) = boot();
        assert_eq!(known.gone(root.path()), None);
        assert_eq!(Known::default().gone(Path::new("/nonexistent")), None);
    }

    #[test]
    fn a_gpu_whose_node_or_whose_folder_is_missing_is_named() {
        let (root, known) = boot();
        fs::remove_file(root.path().join("dev/nvidia1")).unwrap();
        let text = "GPU 1 (NVIDIA A100) is gone: /dev/nvidia1 is missing; restart the container";
        assert_eq!(known.gone(root.path()).unwrap(), text);
        let (root, known) = boot();
        fs::remove_dir_all(root.path().join("proc/driver/nvidia/gpus/0000:0b:00.0")).unwrap();
        let text = known.gone(root.path()).unwrap();
        assert!(text.starts_with("GPU 1 (NVIDIA A100) is gone: /proc/driver/nvidia/gpus/0000:0b:00.0 is"), "{text}");
    }

    #[test]
    fn the_driver_s_node_matters_only_if_it_could_be_opened_at_boot() {
        let (root, known) = boot();
        fs::remove_file(root.path().join("dev/nvidiactl")).unwrap();
        assert!(known.gone(root.path()).unwrap().contains("systemctl daemon-reload"));
        assert_eq!(Known { control: false, ..known }.gone(root.path()), None);
    }

    #[test]
    fn a_right_that_only_who_looks_lacks_is_no_loss() {
        for (error, lost) in [(libc::EPERM, true), (libc::EIO, true), (libc::EACCES, false), (libc::EMFILE, false)] {
            assert_eq!(is_lost(&io::Error::from_raw_os_error(error)), lost, "{error}");
        }
    }
}
