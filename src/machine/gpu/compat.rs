//! CUDA's forward compatibility: a newer libcuda.so that the image brings along, for older drivers of data-centre GPUs
//! (<https://docs.nvidia.com/deploy/cuda-compatibility/>).

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::driver::{self, Cuda};
use crate::machine::read;

/// More entries than these of a folder are not looked at.
const MANY: usize = 1024;

/// The libraries, newest if there are several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compat {
    /// Their folder.
    pub folder: PathBuf,
    /// The CUDA version that they bring.
    pub cuda: Cuda,
    /// Whether the loader looks into their folder.
    pub in_use: bool,
}

/// Looks at `/usr/local/cuda/compat` and `/usr/local/cuda-*/compat`.
pub(super) fn look(root: &Path, loader: &[PathBuf]) -> Option<Compat> {
    let local = root.join("usr/local");
    let is_toolkit = |name: &String| name == "cuda" || name.starts_with("cuda-");
    let mut found: Option<Compat> = None;
    let mut names: Vec<String> = read::names(&local, MANY).filter(is_toolkit).collect();
    names.sort();
    for name in names {
        let folder = Path::new("/usr/local").join(name).join("compat");
        let here = root.join(folder.strip_prefix("/").unwrap_or(&folder));
        // NVIDIA's own images keep them in lib.real until their entrypoint makes the link `lib`.
        let Some(cuda) = brought(&here).max(brought(&here.join("lib.real"))).max(brought(&here.join("lib"))) else {
            continue;
        };
        let in_use = loader.iter().any(|wanted| wanted.starts_with(&folder) || same(root, wanted, &here));
        let better = found.as_ref().is_none_or(|best| (best.cuda, best.in_use) < (cuda, in_use));
        if better {
            found = Some(Compat { folder, cuda, in_use });
        }
    }
    found
}

/// Whether a folder of the loader's is this one by another name, as /usr/local/cuda is a link to /usr/local/cuda-12.9.
fn same(root: &Path, wanted: &Path, here: &Path) -> bool {
    let wanted = root.join(wanted.strip_prefix("/").unwrap_or(wanted));
    matches!((wanted.canonicalize(), here.canonicalize()), (Ok(wanted), Ok(here)) if wanted.starts_with(&here))
}

/// What the libraries in a folder bring: `libcuda.so.575.57.08` is of a driver of branch 575.
fn brought(folder: &Path) -> Option<Cuda> {
    let of_file = |name: String| driver::supported_cuda(name.strip_prefix("libcuda.so.")?);
    read::names(folder, MANY).filter_map(of_file).map(driver::Supported::cuda).max()
}
