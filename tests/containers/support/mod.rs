//! What the container tests share.

mod command;
mod container;
mod http;
mod key;
pub mod mirror;
mod ssh;
mod terminal;

pub use command::{Output, bounded};
pub use container::{Builder, Container, Exit, Volume};
pub use http::{Response, request};
pub use key::Key;
pub use mirror::Mirror;
pub use terminal::Terminal;

use std::time::{Duration, Instant};

/// Debian with devinit, sshd, Python and procps; no config.
pub const BASE: &str = "devinit-test/base";
/// Debian with devinit and nothing else.
pub const BARE: &str = "devinit-test/bare";
/// BASE with a user `ubuntu` who has uid 1000.
pub const UBUNTU: &str = "devinit-test/ubuntu";
/// BASE with the entrypoint of NVIDIA's images.
pub const NVIDIA: &str = "devinit-test/nvidia";
/// `docker/pytorch` over the stand-in.
pub const PYTORCH: &str = "devinit-test/pytorch";
/// `docker/jupyter-ready` over the stand-in, with JupyterLab from PyPI.
pub const JUPYTER: &str = "devinit-test/jupyter-ready";

/// BASE with git and pip.
pub const FIRST_RUN: &str = "devinit-test/first-run";
/// Debian with devinit, uv, `datasets` and a stand-in for Spack: what config/spack.yaml is for.
pub const SPACK: &str = "devinit-test/spack";

/// root and peid, as people write them down.
pub const ROOT_AND_PEID: &str = "
version: 1
users:
  root:
    authorized_keys: [{env: PUBLIC_KEY}]
  peid:
    uid: 3100
    gid: 1100
    shell: /bin/bash
    sudo: true
    authorized_keys:
      - env: PUBLIC_KEY
path: [/opt/tools/bin]
";

/// Asks `found` again and again until it finds something.
///
/// # Panics
/// After `limit`, with `what` was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `seconds(3)` reads better in tests.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
