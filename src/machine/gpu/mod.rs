//! NVIDIA GPUs: which there are, what their driver can do, what the image wants.
//!
//! All of it but [`smi`] is files: `nvidia-smi` hangs on a sick GPU, and is asked by `devinit status` only.

mod compat;
mod device;
mod driver;
mod known;
mod loader;
mod mig;
mod need;
pub mod smi;
#[cfg(test)]
mod tests;
mod variables;
pub mod wsl;

use std::path::Path;

use serde::Serialize;

pub use compat::Compat;
pub use device::Device;
pub use driver::{Cuda, Driver, Supported};
pub use known::Known;
pub use need::Fit;
pub use variables::{VISIBLE, warnings};
pub use wsl::Wsl;

use super::read;

/// GPUs, their driver, and the image's CUDA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// The kernel module. Containers see it also where they were given no GPU.
    pub driver: Option<Driver>,
    /// The GPUs that this container has a node of.
    pub devices: Vec<Device>,
    /// WSL, where the host's driver is reached without any of these.
    pub wsl: Option<Wsl>,
    /// The CUDA that the image was built with.
    pub image_cuda: Option<Cuda>,
    /// Forward compatibility libraries of the image, with which an older driver may do.
    pub compat: Option<Compat>,
}

impl Gpu {
    /// Looks below `root`; `variable` answers for the environment.
    #[must_use]
    pub fn look(root: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let loader = loader::folders(root, variable("LD_LIBRARY_PATH").as_deref());
        Self {
            driver: read::text(&root.join("proc/driver/nvidia/version")).as_deref().and_then(Driver::parse),
            devices: device::look(root),
            wsl: wsl::look(root, &loader),
            image_cuda: need::of_image(root, variable),
            compat: compat::look(root, &loader),
        }
    }

    /// Whether this container has a GPU.
    #[must_use]
    pub fn present(&self) -> bool {
        !self.devices.is_empty() || self.wsl.is_some()
    }

    /// The highest CUDA version that the driver supports; none if there is no driver or it is older than the table.
    #[must_use]
    pub fn supported_cuda(&self) -> Option<Supported> {
        self.driver.as_ref()?.supported_cuda()
    }
}

impl std::fmt::Display for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.present(), &self.driver) {
            (false, None) => f.write_str("none")?,
            (false, Some(driver)) => {
                write!(f, "none given to this container (the host has driver {})", driver.version)?;
            }
            (true, driver) => {
                let words = if self.devices.is_empty() { "through WSL" } else { &device::models(&self.devices) };
                f.write_str(words)?;
                if let Some(driver) = driver {
                    write!(f, ", driver {}", driver.version)?;
                    if driver.open {
                        f.write_str(", open module")?;
                    }
                }
                match self.supported_cuda() {
                    Some(Supported::UpTo(cuda)) => write!(f, " (CUDA up to {cuda})")?,
                    Some(Supported::AtLeast(cuda)) => write!(f, " (CUDA {cuda} or later)")?,
                    None => {}
                }
            }
        }
        match self.image_cuda {
            Some(cuda) => write!(f, "; image: CUDA {cuda}"),
            None => Ok(()),
        }
    }
}
