//! Where downloads come from: upstream, a mirror, or a bundle.

use std::path::PathBuf;

use crate::config::first_run::Mirrors;
use crate::fetch::Client;

/// Where downloads come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// How the web is reached.
    pub client: Client,
    /// Mirrors of the config.
    pub mirrors: Mirrors,
    /// The folder of a bundle: nothing else is asked.
    pub bundle: Option<PathBuf>,
}

/// The processor, as releases name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// x86-64.
    X86,
    /// 64-bit ARM.
    Arm,
}

impl Arch {
    /// The processor that this program was built for.
    #[must_use]
    pub const fn own() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm } else { Self::X86 }
    }

    /// `x86_64`, `aarch64`.
    #[must_use]
    pub const fn uname(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    /// `amd64`, `arm64`: as Debian and Go have it.
    #[must_use]
    pub const fn debian(self) -> &'static str {
        match self {
            Self::X86 => "amd64",
            Self::Arm => "arm64",
        }
    }

    /// `x64`, `arm64`: as Node.js has it.
    #[must_use]
    pub const fn node(self) -> &'static str {
        match self {
            Self::X86 => "x64",
            Self::Arm => "arm64",
        }
    }
}
