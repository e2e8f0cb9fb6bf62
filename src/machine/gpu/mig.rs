//! MIG: parts of a GPU that a container gets in place of a whole one.
//!
//! Each compute instance has a file in `/proc/driver/nvidia/capabilities/gpuN/mig/giM/ciK/access`, N being the number of
//! the GPU's node, and that file names the node in `/dev/nvidia-caps` that opens it
//! (<https://docs.nvidia.com/datacenter/tesla/mig-user-guide/device-nodes-and-capabilities.html>).

use std::path::Path;

use super::device::MANY;
use crate::machine::read;

/// How many instances of the GPU with this node the container has: those whose own node is here, since the folder may
/// list all that the host has.
pub(super) fn instances(root: &Path, minor: u32) -> usize {
    let parts = root.join(format!("proc/driver/nvidia/capabilities/gpu{minor}/mig"));
    let numbered = |folder: &Path, kind: &str| -> Vec<String> {
        let is_one = |name: &String| name.strip_prefix(kind).is_some_and(|number| number.parse::<u32>().is_ok());
        read::names(folder, MANY).filter(is_one).collect()
    };
    let mut count = 0;
    for instance in numbered(&parts, "gi") {
        let instance = parts.join(instance);
        let of_compute = numbered(&instance, "ci");
        count += of_compute.iter().filter(|name| is_here(root, &instance.join(name).join("access"))).count();
    }
    count
}

fn is_here(root: &Path, access: &Path) -> bool {
    let text = read::text(access).unwrap_or_default();
    let minor = text.lines().find_map(|line| line.strip_prefix("DeviceFileMinor:")?.trim().parse::<u32>().ok());
    minor.is_some_and(|minor| root.join(format!("dev/nvidia-caps/nvidia-cap{minor}")).exists())
}
