//! NVIDIA GPUs: which there are, what their driver can do, what the image wants.
//!
//! `nvidia-smi` is never asked: it hangs on a sick GPU. What the kernel module says in `/proc/driver/nvidia` does.

use std::path::Path;

use serde::Serialize;

use super::read;

/// More entries than these in `/dev` or of GPUs are not looked at.
const MANY: usize = 4096;

/// GPUs, their driver, and the image's CUDA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// The kernel module's version, as in `550.54.14`. Containers see it also where they were given no GPU.
    pub driver: Option<String>,
    /// How many device nodes (`/dev/nvidia0`, …) this container has.
    pub devices: usize,
    /// The models behind these nodes.
    pub names: Vec<String>,
    /// Whether there is WSL's `/dev/dxg`, through which the host's driver is reached.
    pub wsl: bool,
    /// The CUDA that the image was built with.
    pub image_cuda: Option<Cuda>,
    /// Whether the image brings CUDA's forward compatibility libraries, with which an older driver may do.
    pub compat: bool,
}

/// A CUDA version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cuda {
    /// 12 in 12.4.
    pub major: u32,
    /// 4 in 12.4.
    pub minor: u32,
}

/// The first driver branch that has each CUDA version, newest first. A branch keeps its CUDA version for all its
/// releases. From the tables "CUDA Toolkit and Corresponding Driver Versions" of NVIDIA's CUDA Toolkit release notes
/// (<https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/>); 12.7 had a driver and no toolkit.
const BRANCHES: [(u32, Cuda); 26] = [
    (595, Cuda::new(13, 2)),
    (590, Cuda::new(13, 1)),
    (580, Cuda::new(13, 0)),
    (575, Cuda::new(12, 9)),
    (570, Cuda::new(12, 8)),
    (565, Cuda::new(12, 7)),
    (560, Cuda::new(12, 6)),
    (555, Cuda::new(12, 5)),
    (550, Cuda::new(12, 4)),
    (545, Cuda::new(12, 3)),
    (535, Cuda::new(12, 2)),
    (530, Cuda::new(12, 1)),
    (525, Cuda::new(12, 0)),
    (520, Cuda::new(11, 8)),
    (515, Cuda::new(11, 7)),
    (510, Cuda::new(11, 6)),
    (495, Cuda::new(11, 5)),
    (470, Cuda::new(11, 4)),
    (465, Cuda::new(11, 3)),
    (460, Cuda::new(11, 2)),
    (455, Cuda::new(11, 1)),
    (450, Cuda::new(11, 0)),
    (440, Cuda::new(10, 2)),
    (418, Cuda::new(10, 1)),
    (410, Cuda::new(10, 0)),
    (390, Cuda::new(9, 1)),
];

/// The highest CUDA version that a driver supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supported {
    /// Up to this one.
    UpTo(Cuda),
    /// This one for certain; the driver is newer than the table.
    AtLeast(Cuda),
}

impl Gpu {
    /// Looks below `root`; `cuda_version` is the image's CUDA_VERSION, if it is set.
    #[must_use]
    pub fn look(root: &Path, cuda_version: Option<&str>) -> Self {
        let minors = device_minors(&root.join("dev"));
        let cuda = root.join("usr/local/cuda");
        Self {
            driver: read::text(&root.join("proc/driver/nvidia/version")).as_deref().and_then(driver_version),
            devices: minors.len(),
            names: models(&root.join("proc/driver/nvidia/gpus"), &minors),
            wsl: root.join("dev/dxg").exists(),
            image_cuda: cuda_version
                .and_then(Cuda::parse)
                .or_else(|| toolkit_version(&read::text(&cuda.join("version.json"))?)),
            compat: cuda.join("compat").is_dir(),
        }
    }

    /// Whether this container has a GPU.
    #[must_use]
    pub fn present(&self) -> bool {
        self.devices > 0 || self.wsl
    }

    /// The highest CUDA version that the driver supports; none if there is no driver or it is older than the table.
    #[must_use]
    pub fn supported_cuda(&self) -> Option<Supported> {
        let branch: u32 = self.driver.as_deref()?.split('.').next()?.parse().ok()?;
        let (first, cuda) = BRANCHES.iter().find(|(first, _)| branch >= *first)?;
        // A branch further than any step between two known ones is one that came after the table was written.
        let newest = BRANCHES.first().is_some_and(|(newest, _)| first == newest);
        Some(if newest && branch > *first { Supported::AtLeast(*cuda) } else { Supported::UpTo(*cuda) })
    }

    /// Whether what the image was built with cannot run on the driver: it is of a later major version (within one,
    /// [minor version compatibility](https://docs.nvidia.com/deploy/cuda-compatibility/) holds), and the image
    /// has no compatibility libraries. False whenever something is not known.
    #[must_use]
    pub fn driver_too_old(&self) -> bool {
        match (self.image_cuda, self.supported_cuda()) {
            (Some(image), Some(Supported::UpTo(driver))) => {
                self.present() && !self.compat && image.major > driver.major
            }
            _ => false,
        }
    }

    /// The models, each once with its count: `2 x NVIDIA H100 80GB HBM3`.
    fn models(&self) -> String {
        let mut counted: Vec<(&str, usize)> = Vec::new();
        for name in &self.names {
            match counted.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => counted.push((name, 1)),
            }
        }
        let unnamed = self.devices.saturating_sub(self.names.len());
        if unnamed > 0 {
            counted.push(("NVIDIA GPU", unnamed));
        }
        let words = counted.iter().map(|(name, count)| match count {
            1 => (*name).to_owned(),
            _ => format!("{count} x {name}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Display for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.present(), &self.driver) {
            (false, None) => f.write_str("none")?,
            (false, Some(driver)) => write!(f, "none given to this container (the host has driver {driver})")?,
            (true, driver) => {
                f.write_str(&if self.devices > 0 { self.models() } else { "through WSL".to_owned() })?;
                if let Some(driver) = driver {
                    write!(f, ", driver {driver}")?;
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

impl Cuda {
    const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads `12.4`, `12.4.1`, `12`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next().map_or(Some(0), |minor| minor.parse().ok())?;
        Some(Self { major, minor })
    }
}

impl std::fmt::Display for Cuda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The version in the kernel module's line, for the proprietary and for the open module:
/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 …`,
/// `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build …`.
fn driver_version(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
    let is_version = |word: &&str| {
        let mut parts = word.split('.');
        let numeric = parts.clone().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        numeric && word.len() <= 20 && parts.nth(1).is_some()
    };
    line.split_whitespace().find(is_version).map(str::to_owned)
}

/// The toolkit's version in CUDA's version.json.
fn toolkit_version(text: &str) -> Option<Cuda> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    Cuda::parse(json.get("cuda")?.get("version")?.as_str()?)
}

/// The numbers of the nodes `/dev/nvidia0`, `/dev/nvidia1`, …; not of `/dev/nvidiactl` and its like.
fn device_minors(dev: &Path) -> Vec<u32> {
    read::names(dev, MANY).filter_map(|name| name.strip_prefix("nvidia")?.parse().ok()).collect()
}

/// The models of the GPUs whose device node is here: `/proc/driver/nvidia/gpus` may list all that the host has.
fn models(gpus: &Path, minors: &[u32]) -> Vec<String> {
    let mut folders: Vec<String> = read::names(gpus, MANY).collect();
    folders.sort();
    let models = folders.iter().filter_map(|folder| {
        let text = read::text(&gpus.join(folder).join("information"))?;
        let value = |key: &str| text.lines().find_map(|line| Some(line.strip_prefix(key)?.trim()));
        let here = match value("Device Minor:").and_then(|minor| minor.parse().ok()) {
            Some(minor) => minors.contains(&minor),
            None => true,
        };
        here.then(|| value("Model:"))?.filter(|model| !model.is_empty()).map(str::to_owned)
    });
    models.take(minors.len()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn with_driver(driver: &str) -> Gpu {
        Gpu { driver: Some(driver.to_owned()), devices: 1, ..Gpu::default() }
    }

    #[test]
    fn the_version_is_found_in_the_lines_of_all_kernel_modules() {
        for (line, version) in [
            ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024", "550.54.14"),
            ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  390.157  Wed Oct 12 09:19:07 UTC 2022", "390.157"),
            ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (x@U22)", "580.95.05"),
            ("NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  610.43.02  Release Build", "610.43.02"),
        ] {
            assert_eq!(driver_version(&format!("{line}\nGCC version:  gcc version 11.4.0\n")).unwrap(), version);
        }
        assert_eq!(driver_version("GCC version: 11.4.0"), None);
        assert_eq!(driver_version("NVRM version: 1"), None);
    }

    #[test]
    fn a_driver_supports_what_its_branch_supports() {
        for (driver, cuda) in [
            ("550.135", Cuda::new(12, 4)),
            ("535.54.03", Cuda::new(12, 2)),
            ("470.57.02", Cuda::new(11, 4)),
            ("580.65.06", Cuda::new(13, 0)),
            ("435.21", Cuda::new(10, 1)),
        ] {
            assert_eq!(with_driver(driver).supported_cuda(), Some(Supported::UpTo(cuda)), "{driver}");
        }
        assert_eq!(with_driver("610.43.02").supported_cuda(), Some(Supported::AtLeast(Cuda::new(13, 2))));
        assert_eq!(with_driver("340.108").supported_cuda(), None);
        assert_eq!(with_driver("x").supported_cuda(), None);
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(BRANCHES.windows(2).all(|pair| pair[0].0 > pair[1].0 && pair[0].1 > pair[1].1));
    }

    #[test]
    fn a_driver_is_too_old_only_across_a_major_version_and_without_compat() {
        let image = |driver: &str, cuda| Gpu { image_cuda: Some(cuda), ..with_driver(driver) };
        assert!(image("550.54.14", Cuda::new(13, 0)).driver_too_old());
        assert!(!image("550.54.14", Cuda::new(12, 9)).driver_too_old());
        assert!(!image("610.43.02", Cuda::new(14, 0)).driver_too_old());
        assert!(!Gpu { compat: true, ..image("550.54.14", Cuda::new(13, 0)) }.driver_too_old());
        assert!(!Gpu { devices: 0, ..image("550.54.14", Cuda::new(13, 0)) }.driver_too_old());
    }

    #[test]
    fn only_the_gpus_that_were_given_to_the_container_are_named() {
        let root = tempfile::tempdir().unwrap();
        let gpus = root.path().join("proc/driver/nvidia/gpus");
        for (bus, minor) in [("0000:0a:00.0", 0), ("0000:0b:00.0", 1), ("0000:0c:00.0", 2)] {
            fs::create_dir_all(gpus.join(bus)).unwrap();
            let text = format!("Model: \t\t NVIDIA A100-{minor}\nIRQ:   \t\t 35\nDevice Minor: \t {minor}\n");
            fs::write(gpus.join(bus).join("information"), text).unwrap();
        }
        fs::create_dir_all(root.path().join("dev")).unwrap();
        for node in ["nvidia1", "nvidiactl", "nvidia-uvm", "nvidia2"] {
            fs::write(root.path().join("dev").join(node), "").unwrap();
        }
        let gpu = Gpu::look(root.path(), None);
        assert_eq!((gpu.devices, gpu.names), (2, vec!["NVIDIA A100-1".to_owned(), "NVIDIA A100-2".to_owned()]));
    }

    #[test]
    fn the_image_s_cuda_comes_from_the_variable_or_the_toolkit() {
        let root = tempfile::tempdir().unwrap();
        let cuda = root.path().join("usr/local/cuda");
        fs::create_dir_all(&cuda).unwrap();
        fs::write(cuda.join("version.json"), r#"{"cuda":{"name":"CUDA SDK","version":"12.4.1"}}"#).unwrap();
        assert_eq!(Gpu::look(root.path(), Some("11.8.0")).image_cuda, Some(Cuda::new(11, 8)));
        assert_eq!(Gpu::look(root.path(), Some("nonsense")).image_cuda, Some(Cuda::new(12, 4)));
        fs::write(cuda.join("version.json"), r#"{"cuda":{"version":"#).unwrap();
        assert_eq!(Gpu::look(root.path(), None).image_cuda, None);
    }

    #[test]
    fn it_reads_as_a_sentence() {
        let two = Gpu {
            devices: 2,
            names: vec!["NVIDIA H100".to_owned(); 2],
            image_cuda: Some(Cuda::new(12, 9)),
            ..with_driver("550.54.14")
        };
        assert_eq!(two.to_string(), "2 x NVIDIA H100, driver 550.54.14 (CUDA up to 12.4); image: CUDA 12.9");
        assert_eq!(Gpu::default().to_string(), "none");
        let kept = Gpu { devices: 0, ..with_driver("550.54.14") };
        assert_eq!(kept.to_string(), "none given to this container (the host has driver 550.54.14)");
        assert_eq!(Gpu { wsl: true, ..Gpu::default() }.to_string(), "through WSL");
        assert_eq!(Gpu { devices: 3, ..Gpu::default() }.to_string(), "3 x NVIDIA GPU");
    }
}
