//! NVIDIA's driver: its version, and the CUDA that it supports.

use serde::Serialize;

/// The kernel module of the driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Driver {
    /// As in `550.54.14`.
    pub version: String,
    /// Whether it is the open kernel module, and not the proprietary one.
    pub open: bool,
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
const BRANCHES: [(u32, Cuda); 28] = [
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
    (396, Cuda::new(9, 2)),
    (390, Cuda::new(9, 1)),
    (384, Cuda::new(9, 0)),
];

/// The highest CUDA version that a driver supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supported {
    /// Up to this one.
    UpTo(Cuda),
    /// This one for certain; the driver is newer than the table.
    AtLeast(Cuda),
}

impl Supported {
    /// The highest version that is known to be supported.
    #[must_use]
    pub fn cuda(self) -> Cuda {
        let (Self::UpTo(cuda) | Self::AtLeast(cuda)) = self;
        cuda
    }
}

impl Driver {
    /// Reads `/proc/driver/nvidia/version`, as the proprietary and the open module write it:
    /// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 …`,
    /// `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build …`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
        let is_version = |word: &&str| {
            let mut parts = word.split('.');
            let numeric = parts.clone().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
            numeric && word.len() <= 20 && parts.nth(1).is_some()
        };
        let version = line.split_whitespace().find(is_version)?.to_owned();
        Some(Self { version, open: line.contains(" Open Kernel Module") })
    }

    /// The highest CUDA version that it supports; none if it is older than the table.
    #[must_use]
    pub fn supported_cuda(&self) -> Option<Supported> {
        supported_cuda(&self.version)
    }
}

/// The highest CUDA version that a driver of this version supports; none if it is older than the table.
pub(super) fn supported_cuda(version: &str) -> Option<Supported> {
    let branch: u32 = version.split('.').next()?.parse().ok()?;
    let (first, cuda) = BRANCHES.iter().find(|(first, _)| branch >= *first)?;
    // A branch further than any step between two known ones is one that came after the table was written.
    let newest = BRANCHES.first().is_some_and(|(newest, _)| first == newest);
    Some(if newest && branch > *first { Supported::AtLeast(*cuda) } else { Supported::UpTo(*cuda) })
}

/// The oldest branch that supports this version; none if that is newer than the table.
pub(super) fn first_branch(cuda: Cuda) -> Option<u32> {
    BRANCHES.iter().rev().find(|(_, supported)| *supported >= cuda).map(|(branch, _)| *branch)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_the_lines_of_all_kernel_modules() {
        for (line, version, open) in [
            (
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024",
                "550.54.14",
                false,
            ),
            ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  390.157  Wed Oct 12 09:19:07 UTC 2022", "390.157", false),
            (
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (x@U22)",
                "580.95.05",
                true,
            ),
            ("NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  610.43.02  Release Build", "610.43.02", true),
        ] {
            let driver = Driver { version: version.to_owned(), open };
            assert_eq!(Driver::parse(&format!("{line}\nGCC version:  gcc version 11.4.0\n")), Some(driver));
        }
        assert_eq!(Driver::parse("GCC version: 11.4.0"), None);
        assert_eq!(Driver::parse("NVRM version: 1"), None);
    }

    #[test]
    fn a_driver_supports_what_its_branch_supports() {
        for (driver, cuda) in [
            ("550.135", Cuda::new(12, 4)),
            ("535.54.03", Cuda::new(12, 2)),
            ("470.57.02", Cuda::new(11, 4)),
            ("580.65.06", Cuda::new(13, 0)),
            ("435.21", Cuda::new(10, 1)),
            ("387.26", Cuda::new(9, 0)),
        ] {
            assert_eq!(supported_cuda(driver), Some(Supported::UpTo(cuda)), "{driver}");
        }
        assert_eq!(supported_cuda("610.43.02"), Some(Supported::AtLeast(Cuda::new(13, 2))));
        assert_eq!(supported_cuda("340.108"), None);
        assert_eq!(supported_cuda("x"), None);
    }

    #[test]
    fn a_version_has_a_branch_that_is_the_first_to_support_it() {
        for (cuda, branch) in [("12.9", Some(575)), ("13.0", Some(580)), ("12.0", Some(525)), ("11.0", Some(450))] {
            assert_eq!(first_branch(Cuda::parse(cuda).unwrap()), branch, "{cuda}");
        }
        assert_eq!(first_branch(Cuda::new(12, 99)), Some(580));
        assert_eq!(first_branch(Cuda::new(14, 0)), None);
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(BRANCHES.windows(2).all(|pair| pair[0].0 > pair[1].0 && pair[0].1 > pair[1].1));
    }
}
