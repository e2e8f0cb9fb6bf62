//! Where the dynamic loader looks for libraries besides its usual folders.

use std::path::{Path, PathBuf};

use crate::machine::read;

/// More files than these in `/etc/ld.so.conf.d` are not looked at.
const MANY: usize = 256;

/// The folders that LD_LIBRARY_PATH and `/etc/ld.so.conf.d` name. The loader's cache may lack the latter; `ldconfig`
/// puts them there.
pub(super) fn folders(root: &Path, library_path: Option<&str>) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(library_path.unwrap_or_default().split(':').filter(|part| part.starts_with('/')).map(PathBuf::from));
    let drop_ins = root.join("etc/ld.so.conf.d");
    let mut files: Vec<PathBuf> = vec![root.join("etc/ld.so.conf")];
    files.extend(read::names(&drop_ins, MANY).filter(|name| name.ends_with(".conf")).map(|name| drop_ins.join(name)));
    for file in files {
        let text = read::text(&file).unwrap_or_default();
        folders.extend(text.lines().map(str::trim).filter(|line| line.starts_with('/')).map(PathBuf::from));
    }
    folders
}
