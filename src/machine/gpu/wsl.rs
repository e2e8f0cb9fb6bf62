//! WSL: the GPU of a Windows host, which has no node of its own and no kernel module here.

use std::path::Path;

use serde::Serialize;

/// Where Windows puts libcuda.so and nvidia-smi.
pub const FOLDER: &str = "/usr/lib/wsl/lib";

/// Folders that the loader looks into by itself.
const USUAL: [&str; 5] =
    ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib", "usr/local/lib"];

/// What there is of WSL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Wsl {
    /// Whether the loader finds libcuda.so.
    pub libcuda: bool,
}

/// Looks for `/dev/dxg`, through which the host's driver is reached.
pub(super) fn look(root: &Path, loader: &[std::path::PathBuf]) -> Option<Wsl> {
    if !root.join("dev/dxg").exists() {
        return None;
    }
    let has = |folder: &Path| folder.join("libcuda.so.1").exists();
    let below = |folder: &Path| root.join(folder.strip_prefix("/").unwrap_or(folder));
    let named = loader.iter().any(|folder| has(&below(folder)));
    Some(Wsl { libcuda: named || USUAL.iter().any(|folder| has(&root.join(folder))) })
}
