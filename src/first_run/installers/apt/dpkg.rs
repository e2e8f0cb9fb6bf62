//! What dpkg knows to be installed: its file `status`, as deb-control(5) and dpkg(1) describe it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::sorted;

/// The packages that dpkg knows.
#[derive(Debug, Default)]
pub(super) struct Packages {
    installed: BTreeMap<String, Vec<Package>>,
    provided: BTreeSet<String>,
    /// Whether some are left over from a dpkg that was interrupted.
    pub(super) unsettled: bool,
}

#[derive(Debug)]
struct Package {
    architecture: String,
    version: String,
}

impl Packages {
    /// Those of a status file; none if it cannot be read.
    pub(super) fn read(status: &Path) -> Self {
        let text = std::fs::read(status).unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Self {
        let mut packages = Self::default();
        for paragraph in text.split("\n\n") {
            packages.add(paragraph);
        }
        packages
    }

    fn add(&mut self, paragraph: &str) {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map_or("", str::trim)
        };
        // What is wanted, whether it has to be installed again, and how far it is.
        let mut status = field("Status").split_whitespace().skip(1);
        match (status.next(), status.next()) {
            (Some("ok"), Some("installed")) => {}
            (_, None | Some("not-installed" | "config-files")) => return,
            _ => {
                self.unsettled = true;
                return;
            }
        }
        let package = Package { architecture: field("Architecture").to_owned(), version: field("Version").to_owned() };
        self.installed.entry(field("Package").to_owned()).or_default().push(package);
        let provided = field("Provides").split(',').filter_map(|one| one.split_whitespace().next());
        self.provided.extend(provided.map(|name| without_architecture(name).to_owned()));
    }

    /// The names of all that are installed, with the architecture where more than one can be.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let with_architectures = |(name, packages): (&String, &Vec<Package>)| -> Vec<String> {
            let mut names = vec![name.clone()];
            names.extend(packages.iter().map(|package| format!("{name}:{}", package.architecture)));
            names
        };
        sorted::set(self.installed.iter().flat_map(with_architectures))
    }

    /// Whether what is asked for is installed.
    pub(super) fn has(&self, wanted: &Wanted<'_>) -> bool {
        match wanted {
            Wanted::Unclear => true,
            Wanted::Package { name, architecture, version } => {
                match names(name).find_map(|name| self.installed.get(name)) {
                    Some(packages) => packages.iter().any(|package| {
                        architecture.is_none_or(|wanted| package.is_of(wanted))
                            && version.is_none_or(|wanted| wanted == package.version)
                    }),
                    None => version.is_none() && names(name).any(|name| self.provided.contains(name)),
                }
            }
        }
    }
}

impl Package {
    fn is_of(&self, architecture: &str) -> bool {
        ["any", "native"].contains(&architecture) || [architecture, "all"].contains(&self.architecture.as_str())
    }
}

fn without_architecture(name: &str) -> &str {
    name.split_once(':').map_or(name, |(name, _)| name)
}

/// What an argument of `apt-get install` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// One package: `NAME[:ARCHITECTURE][=VERSION]`.
    Package { name: &'a str, architecture: Option<&'a str>, version: Option<&'a str> },
    /// A file, a pattern or a task: only apt knows which packages that are.
    Unclear,
}

impl<'a> Wanted<'a> {
    pub(super) fn parse(argument: &'a str) -> Self {
        let (name, version) = match argument.split_once(['=', '/']) {
            Some((name, rest)) => (name, argument.contains('=').then_some(rest)),
            None => (argument, None),
        };
        let (name, architecture) = match name.split_once(':') {
            Some((name, architecture)) => (name, Some(architecture)),
            None => (name, None),
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !name.starts_with(plain) || !name.chars().all(|c| plain(c) || "+.-".contains(c)) {
            return Self::Unclear;
        }
        // apt-get takes patterns for versions as well.
        let version = version.filter(|version| !version.contains(['*', '?', '[']));
        Self::Package { name, architecture, version }
    }
}

/// The names that a name may mean: apt-get takes a `+` at the end for "install", unless there is such a package.
fn names(name: &str) -> impl Iterator<Item = &str> {
    [name, name.strip_suffix('+').unwrap_or(name)].into_iter()
}

#[cfg(test)]
pub(super) const STATUS: &str = "\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u10

Package: g++
Status: install ok installed
Architecture: amd64
Provides: c++-compiler, g++-x86-64-linux-gnu (= 4:12.2.0-3), c++abi2-dev
Version: 4:12.2.0-3
Description: GNU C++ compiler
 This is the GNU C++ compiler, a fairly portable optimizing compiler for C++.
 .
 Package: not-a-field

Package: jq
Status: hold ok installed
Architecture: amd64
Version: 1.6-2.1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2025b-0+deb12u1

Package: vim
Status: deinstall ok config-files
Architecture: amd64
Version: 2:9.0.1378-2
";

#[cfg(test)]
mod tests {
    use super::*;

    fn has(argument: &str) -> bool {
        Packages::parse(STATUS).has(&Wanted::parse(argument))
    }

    #[test]
    fn what_is_installed_is_found_by_all_that_apt_takes() {
        for name in [
            "jq",
            "g++",
            "g+++",
            "jq+",
            "libc6:amd64",
            "libc6:any",
            "tzdata:amd64",
            "jq=1.6-2.1",
            "jq=1.*",
            "jq/stable",
        ] {
            assert!(has(name), "{name}");
        }
        for name in ["vim", "curl", "not-a-field", "libc6:arm64", "jq=1.7-1", "g", ""] {
            assert!(!has(name) || name.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_virtual_package_is_there_with_what_provides_it_but_has_no_version() {
        assert!(has("c++-compiler") && has("g++-x86-64-linux-gnu") && !has("c++-compiler=1"));
    }

    #[test]
    fn files_patterns_and_tasks_are_apts_to_know() {
        for name in ["./a.deb", "/opt/a.deb", "lxde-task^", "^python3-.*", "Upper"] {
            assert_eq!(Wanted::parse(name), Wanted::Unclear, "{name}");
        }
    }

    #[test]
    fn leftovers_of_an_interrupted_dpkg_are_noticed() {
        assert!(!Packages::parse(STATUS).unsettled);
        for state in [
            "install ok unpacked",
            "install ok half-configured",
            "install reinstreq half-installed",
            "install ok triggers-pending",
            "install reinstreq installed",
        ] {
            let packages = Packages::parse(&STATUS.replace("hold ok installed", state));
            assert!(packages.unsettled && !packages.has(&Wanted::parse("jq")), "{state}");
        }
        assert!(Packages::parse("").names().is_empty());
    }
}
