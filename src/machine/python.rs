//! Python and torch, without starting Python: from the names of folders.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::read;

/// Where Python is found in images, in the order in which their PATH has it.
const PREFIXES: [&str; 4] = ["opt/venv", "opt/conda", "usr/local", "usr"];

/// More packages than these in one folder are not looked at.
const MANY: usize = 8192;

/// A Python.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Python {
    /// Its version: `3.12`.
    pub version: String,
    /// The version of torch among its packages: `2.5.1+cu124`.
    pub torch: Option<String>,
}

impl Python {
    /// The Python below `root` that has torch; if none has, the first one in PATH's usual order.
    #[must_use]
    pub fn look(root: &Path) -> Option<Self> {
        let mut first = None;
        for prefix in PREFIXES {
            let Some(version) = version(root, prefix) else { continue };
            let torch = package_folders(root, prefix, &version).iter().find_map(|folder| torch(folder));
            let python = Self { version, torch };
            if python.torch.is_some() {
                return Some(python);
            }
            first.get_or_insert(python);
        }
        first
    }
}

impl std::fmt::Display for Python {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.version)?;
        match &self.torch {
            Some(torch) => write!(f, ", torch {torch}"),
            None => Ok(()),
        }
    }
}

/// The version of a prefix's `python3`: what that links to, else the newest one whose program is there.
fn version(root: &Path, prefix: &str) -> Option<String> {
    let bin = root.join(prefix).join("bin");
    if let Some(target) = bin.join("python3").read_link().ok().as_deref().and_then(Path::file_name)
        && let Some(version) = target.to_str().and_then(numbered)
    {
        return Some(version.to_owned());
    }
    if bin.join("python3").symlink_metadata().is_err() {
        return None;
    }
    let folders = read::names(&root.join(prefix).join("lib"), MANY);
    let versions = folders.filter_map(|folder| Some((minor(numbered(&folder)?)?, numbered(&folder)?.to_owned())));
    versions.max().map(|(_, version)| version)
}

/// `3.12` of `python3.12`.
fn numbered(name: &str) -> Option<&str> {
    name.strip_prefix("python").filter(|version| minor(version).is_some())
}

/// 12 of `3.12`.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("3.")?.parse().ok()
}

/// Where a Python's packages are. Debian and Ubuntu spread those of `/usr` over three folders.
fn package_folders(root: &Path, prefix: &str, version: &str) -> Vec<PathBuf> {
    let of = |prefix: &str| {
        let lib = root.join(prefix).join("lib").join(format!("python{version}"));
        [lib.join("site-packages"), lib.join("dist-packages")]
    };
    let mut folders = of(prefix).to_vec();
    if prefix == "usr" {
        folders.extend(of("usr/local"));
        folders.push(root.join("usr/lib/python3/dist-packages"));
    }
    folders
}

/// The version of torch in a folder of packages. The folder is listed only where there is a `torch` in it: a
/// well-filled one has a thousand entries.
fn torch(packages: &Path) -> Option<String> {
    if !packages.join("torch").is_dir() {
        return None;
    }
    read::names(packages, MANY).find_map(|name| {
        let rest = name.strip_prefix("torch-")?;
        let version = rest.strip_suffix(".dist-info").or_else(|| rest.strip_suffix(".egg-info")?.split('-').next())?;
        version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn machine(folders: &[&str], links: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in folders {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for (link, target) in links {
            fs::create_dir_all(root.path().join(link).parent().unwrap()).unwrap();
            symlink(target, root.path().join(link)).unwrap();
        }
        root
    }

    #[test]
    fn torch_of_a_wheel_is_found_where_ubuntu_s_pip_puts_it() {
        let packages = "usr/local/lib/python3.12/dist-packages";
        let root = machine(
            &[
                &format!("{packages}/torch"),
                &format!("{packages}/torch-2.5.1+cu124.dist-info"),
                &format!("{packages}/torch_geometric-2.6.dist-info"),
                &format!("{packages}/torch-tb-profiler.dist-info"),
            ],
            &[("usr/bin/python3", "python3.12")],
        );
        assert_eq!(Python::look(root.path()).unwrap().to_string(), "3.12, torch 2.5.1+cu124");
    }

    #[test]
    fn the_python_with_torch_comes_before_the_first_one() {
        let conda = "opt/conda/lib/python3.11/site-packages";
        let root = machine(
            &[
                &format!("{conda}/torch"),
                &format!("{conda}/torch-2.3.0-py3.11.egg-info"),
                "opt/venv/lib/python3.13/site-packages",
            ],
            &[("opt/venv/bin/python3", "/usr/bin/python3.13"), ("opt/conda/bin/python3", "python3.11")],
        );
        let python = Python::look(root.path()).unwrap();
        assert_eq!((python.version.as_str(), python.torch.as_deref()), ("3.11", Some("2.3.0")));
    }

    #[test]
    fn the_default_python_counts_and_not_the_newest_one() {
        let root = machine(
            &["usr/lib/python3.12", "usr/lib/python3.13"],
            &[("usr/bin/python3", "python3.12"), ("usr/bin/python3.13", "x")],
        );
        assert_eq!(Python::look(root.path()).unwrap().version, "3.12");
    }

    #[test]
    fn versions_are_compared_as_numbers_and_other_folders_ignored() {
        let root = machine(
            &["opt/venv/lib/python3.9", "opt/venv/lib/python3.10", "opt/venv/lib/python3.x", "opt/venv/lib/python2.7"],
            &[("opt/venv/bin/python3", "python")],
        );
        assert_eq!(Python::look(root.path()).unwrap().version, "3.10");
    }

    #[test]
    fn libraries_without_a_program_are_no_python() {
        let root = machine(&["usr/lib/python3.11/dist-packages", "usr/lib/python3/dist-packages"], &[]);
        assert_eq!(Python::look(root.path()), None);
    }
}
