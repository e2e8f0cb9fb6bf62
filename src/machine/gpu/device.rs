//! The GPUs that were given to this container, by their device nodes and what the kernel module says of them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::mig;
use crate::machine::read;

/// More entries than these in `/dev` or of GPUs are not looked at.
pub(super) const MANY: usize = 4096;

/// A GPU whose device node is in this container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The number of its node: 0 for `/dev/nvidia0`. Not always its index in CUDA.
    pub minor: u32,
    /// Its model.
    pub model: Option<String>,
    /// `GPU-…`; none before the driver has started it.
    pub uuid: Option<String>,
    /// Where it is plugged in, as in `0000:07:00.0`: its folder in `/proc/driver/nvidia/gpus`.
    pub bus: Option<String>,
    /// How many MIG instances of it this container has. If there are any, the rest of the GPU is not for this container.
    pub mig: usize,
}

impl Device {
    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.model {
            Some(model) => format!("GPU {} ({model})", self.minor),
            None => format!("GPU {}", self.minor),
        }
    }
}

/// The GPUs of this container in the order of their nodes; `/proc/driver/nvidia/gpus` may list all that the host has.
pub(super) fn look(root: &Path) -> Vec<Device> {
    let mut minors: Vec<u32> = read::names(&root.join("dev"), MANY)
        // Not /dev/nvidiactl and its like.
        .filter_map(|name| name.strip_prefix("nvidia")?.parse().ok())
        .collect();
    minors.sort_unstable();
    let mut devices: Vec<Device> = minors
        .into_iter()
        .map(|minor| Device { minor, mig: mig::instances(root, minor), ..Device::default() })
        .collect();
    let gpus = root.join("proc/driver/nvidia/gpus");
    let mut folders: Vec<String> = read::names(&gpus, MANY).collect();
    folders.sort();
    for bus in folders {
        let Some(text) = read::text(&gpus.join(&bus).join("information")) else { continue };
        let minor: Option<u32> = value(&text, "Device Minor:").and_then(|minor| minor.parse().ok());
        // A very old module names no node: then they are taken in the order of their bus.
        let device = match minor {
            Some(minor) => devices.iter_mut().find(|device| device.minor == minor),
            None => devices.iter_mut().find(|device| device.bus.is_none()),
        };
        if let Some(device) = device {
            device.model = value(&text, "Model:").map(str::to_owned);
            device.uuid = value(&text, "GPU UUID:").filter(|uuid| !uuid.contains('?')).map(str::to_owned);
            device.bus = Some(bus);
        }
    }
    devices
}

/// What stands behind a key of `information`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.strip_prefix(key)?.trim())).filter(|value| !value.is_empty())
}

/// The models, each once with its count: `2 x NVIDIA H100 80GB HBM3`, `1 MIG instance of NVIDIA H100`.
pub(super) fn models(devices: &[Device]) -> String {
    let mut counted: Vec<(&str, bool, usize)> = Vec::new();
    for device in devices {
        let (name, parts) = (device.model.as_deref().unwrap_or("NVIDIA GPU"), device.mig > 0);
        let more = device.mig.max(1);
        match counted.iter_mut().find(|(known, of_parts, _)| (*known, *of_parts) == (name, parts)) {
            Some((_, _, count)) => *count += more,
            None => counted.push((name, parts, more)),
        }
    }
    let mut words = String::new();
    for (name, parts, count) in counted {
        if !words.is_empty() {
            words.push_str(", ");
        }
        words.push_str(&match (parts, count) {
            (true, 1) => format!("1 MIG instance of {name}"),
            (true, _) => format!("{count} MIG instances of {name}"),
            (false, 1) => name.to_owned(),
            (false, _) => format!("{count} x {name}"),
        });
    }
    words
}
