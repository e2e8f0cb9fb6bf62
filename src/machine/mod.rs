//! Facts about the machine: each is cheap, read-only, and taken from files only.
//!
//! No process is started: `nvidia-smi` can hang and Python takes its time, while a greeting has to be there at once.
//! ([`gpu::smi`] alone does that, for who asks for it.)
//! Every function takes the root folder, `/` in life and a made-up one in tests. Files may be missing, truncated or
//! hostile (a volume, an image of somebody else): what cannot be read is left out, and what is read is bounded.

pub mod gpu;
pub mod os;
pub mod ports;
pub mod python;
mod read;
pub mod resources;

use std::path::Path;

use serde::Serialize;

pub use gpu::Gpu;
pub use os::Os;
pub use ports::Listeners;
pub use python::Python;
pub use resources::Resources;

/// What does not change from one moment to the next, and memory and disk as they are now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Machine {
    /// The host name, or `localhost` where it cannot be read.
    pub hostname: String,
    /// Distribution and kernel.
    pub os: Os,
    /// GPUs, their driver, and the image's CUDA.
    pub gpu: Gpu,
    /// Python, if there is one in the usual places.
    pub python: Option<Python>,
    /// Memory, processors and disks.
    pub resources: Resources,
}

impl Machine {
    /// Looks at the machine below `root`. `variable` answers for the environment.
    #[must_use]
    pub fn look(root: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            hostname: os::hostname(root),
            os: Os::look(root),
            gpu: Gpu::look(root, variable),
            python: Python::look(root),
            resources: Resources::look(root),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_root_gives_no_facts_and_no_fault() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::look(root.path(), &|_| None);
        assert_eq!(machine.hostname, "localhost");
        assert_eq!(machine.python, None);
        assert!(!machine.gpu.present());
        assert_eq!(machine.resources.memory, None);
    }
}
