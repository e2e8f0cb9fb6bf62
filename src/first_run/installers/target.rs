//! What a build has to fit: this machine's processor and this image's C library.

use std::path::Path;

use crate::first_run::source::Arch;

/// What a build has to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The processor.
    pub arch: Arch,
    /// Whether the image's programs use musl, as Alpine's do, and not glibc.
    pub musl: bool,
    /// Whether builds with AVX2 run: what builds for x86-64 want if they are not `baseline`.
    pub avx2: bool,
}

impl Target {
    /// This machine, and this image.
    #[must_use]
    pub fn own() -> Self {
        let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self { arch: Arch::own(), musl: uses_musl(Path::new("/")), avx2: has_avx2(&flags) }
    }

    /// The C library, as the names of builds have it: `gnu`, `musl`.
    #[must_use]
    pub const fn libc(self) -> &'static str {
        if self.musl { "musl" } else { "gnu" }
    }

    /// As names of builds end that are for glibc without saying so.
    #[must_use]
    pub const fn musl_suffix(self) -> &'static str {
        if self.musl { "-musl" } else { "" }
    }
}

/// Whether the programs of the image below `root` use musl. Debian's package `musl` and Alpine's `gcompat` bring along
/// the other's loader: the shell tells which one is the image's own.
fn uses_musl(root: &Path) -> bool {
    let loader = |folder: &str| {
        let entries = std::fs::read_dir(root.join(folder)).ok();
        entries.is_some_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"ld-musl-"))
        })
    };
    loader("lib") && !names_glibc(&root.join("bin/sh"))
}

/// Whether a program's interpreter is glibc's loader. Its name stands right behind the headers.
fn names_glibc(program: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    let read = std::fs::File::open(program).and_then(|file| file.take(4096).read_to_end(&mut start));
    read.is_ok() && start.windows(8).any(|part| part == b"ld-linux")
}

/// Whether /proc/cpuinfo names the flag.
fn has_avx2(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find_map(|line| line.strip_prefix("flags")).unwrap_or_default();
    flags.split_whitespace().any(|flag| flag == "avx2")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn musl_is_told_by_its_loader_unless_the_shell_uses_glibc() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("lib")).unwrap();
        fs::create_dir_all(root.path().join("bin")).unwrap();
        assert!(!uses_musl(root.path()), "no loader");
        fs::write(root.path().join("lib/ld-musl-x86_64.so.1"), "").unwrap();
        assert!(uses_musl(root.path()), "a static shell");
        fs::write(root.path().join("bin/sh"), b"\x7fELF.../lib/ld-musl-x86_64.so.1\0").unwrap();
        assert!(uses_musl(root.path()), "Alpine");
        fs::write(root.path().join("bin/sh"), b"\x7fELF.../lib64/ld-linux-x86-64.so.2\0").unwrap();
        assert!(!uses_musl(root.path()), "Debian with the package musl");
    }

    #[test]
    fn avx2_is_a_flag_of_its_own() {
        assert!(has_avx2("processor\t: 0\nflags\t\t: fpu avx avx2 bmi2\n"));
        assert!(!has_avx2("processor\t: 0\nflags\t\t: fpu avx avx2_of_another_kind\n"));
        assert!(!has_avx2("processor\t: 0\nFeatures\t: fp asimd\n"));
        assert!(!has_avx2(""));
    }
}
