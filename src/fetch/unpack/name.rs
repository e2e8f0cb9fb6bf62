//! What names and targets of links may be.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The longest name and the longest target, in bytes: below what the kernel takes (4096), with room for the folder.
pub(super) const MAX_LENGTH: usize = 2048;

/// The most folders that lie within each other. Trees of npm have come to about 50.
const MAX_DEPTH: usize = 128;

/// The longest part of a name, in bytes: what file systems of Linux take.
const MAX_PART: usize = 255;

/// The parts of a name in an archive, without those that mean nothing (`.`, `//`). None are left of `./`.
///
/// # Errors
/// What is wrong with it: absolute, with `..`, with control characters, too long, too deep.
pub(super) fn parts(name: &[u8]) -> Result<Vec<&OsStr>, &'static str> {
    check_text(name)?;
    let parts: Vec<&OsStr> = meaningful(name).map(OsStr::from_bytes).collect();
    if parts.iter().any(|part| part.as_bytes() == b"..") {
        return Err("leads out of the archive's folder");
    }
    if parts.len() > MAX_DEPTH {
        return Err("lies in too many folders within each other");
    }
    Ok(parts)
}

/// Checks the target of a symlink that lies `depth` folders deep.
///
/// It may climb (`..`) only at its beginning, and not above the archive's folder. Climbing starts from the real folder
/// that the link is in, so counting is enough there. What follows only descends: through real folders, or through
/// links of the same kind, which lead to a place inside in turn. So wherever a path through any number of such links
/// leads, it is inside. With `..` in the middle that would not hold: after `a/b -> ..`, `c -> a/b/../..` is outside,
/// though it does not look like it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_target(target: &[u8], depth: usize) -> Result<(), &'static str> {
    check_text(target).map_err(|why| match why {
        ABSOLUTE => "is a link to an absolute path",
        EMPTY => "is a link to nothing",
        _ => "is a link to an impossible path",
    })?;
    let climbs = meaningful(target).take_while(|part| part == b"..").count();
    if climbs > depth {
        return Err("is a link that leads out of the archive's folder");
    }
    if meaningful(target).skip(climbs).any(|part| part == b"..") {
        return Err("is a link with '..' in the middle of its target");
    }
    Ok(())
}

const ABSOLUTE: &str = "is an absolute path";
const EMPTY: &str = "has no name";

fn check_text(text: &[u8]) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err(EMPTY);
    }
    if text.first() == Some(&b'/') {
        return Err(ABSOLUTE);
    }
    if text.iter().any(u8::is_ascii_control) {
        return Err("has control characters in its name");
    }
    if text.len() > MAX_LENGTH || text.split(|&byte| byte == b'/').any(|part| part.len() > MAX_PART) {
        return Err("has too long a name");
    }
    Ok(())
}

fn meaningful(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_only_what_means_nothing() {
        for (name, expected) in [
            ("bin/node", vec!["bin", "node"]),
            ("./bin//./node/", vec!["bin", "node"]),
            ("./", vec![]),
            ("..a/b../...", vec!["..a", "b..", "..."]),
            ("a\\..\\b", vec!["a\\..\\b"]),
        ] {
            assert_eq!(parts(name.as_bytes()).unwrap(), expected, "{name}");
        }
        assert_eq!(parts(b"Gr\xfc\xdfe").unwrap()[0].as_bytes(), b"Gr\xfc\xdfe");
    }

    #[test]
    fn names_that_lead_elsewhere_or_cannot_be_are_refused() {
        let deep = "a/".repeat(MAX_DEPTH + 1);
        let long = "abc/".repeat(MAX_LENGTH / 4) + "x";
        let part = "a".repeat(MAX_PART + 1);
        for name in
            ["", "/", "/etc/passwd", "//x", "..", "../x", "a/../b", "a/..", "a\0b", "a\nb", "\u{1b}[2J", "a\u{7f}"]
                .into_iter()
                .chain([&*deep, &*long, &*part])
        {
            assert!(parts(name.as_bytes()).is_err(), "{name:?}");
        }
        assert!(parts("a/".repeat(MAX_DEPTH).as_bytes()).is_ok());
    }

    #[test]
    fn links_may_climb_as_far_as_the_folder_and_no_further() {
        for (target, depth) in
            [("x", 0), ("./x/y", 0), (".", 0), ("../lib/node_modules/npm/bin/npm-cli.js", 1), ("../..", 2), ("..x", 0)]
        {
            check_target(target.as_bytes(), depth).unwrap();
        }
        for (target, depth) in
            [("", 5), ("/", 5), ("/etc", 5), ("..", 0), ("../../x", 1), ("a/..", 5), ("../a/../b", 5), ("a\0b", 5)]
        {
            assert!(check_target(target.as_bytes(), depth).is_err(), "{target:?}");
        }
    }
}
