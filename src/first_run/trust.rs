//! What a user could change while root uses it.
//!
//! root may use what a user controls only as that user. Where root does something itself, no part of the way there may
//! be in the user's hands: a folder that can be replaced by a link leads root wherever the user wants.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::prepare::accounts::Account;

/// As many links are followed as Linux does.
const MOST_LINKS: usize = 40;

/// Whether this user could change what is at a path, or put something else there: by writing to it, or by replacing a
/// folder or a link on the way. A path that is not absolute leads anywhere. root can do all that anyhow, and is not
/// asked.
#[must_use]
pub fn can_change(user: &Account, path: &Path) -> bool {
    if user.uid == 0 {
        return false;
    }
    // The home may not be there yet.
    if !path.is_absolute() || path.starts_with(&user.home) {
        return true;
    }
    passed(path).is_none_or(|passed| passed.iter().any(|path| may_write(user, path)))
}

/// All that is passed on the way to a path, down to what is there, links followed. None if that has no end.
fn passed(path: &Path) -> Option<Vec<PathBuf>> {
    let mut left: VecDeque<OsString> = parts(path).collect();
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    let mut passed = vec![at.clone()];
    while let Some(part) = left.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(part);
        let Ok(target) = fs::read_link(&next) else {
            passed.push(next.clone());
            at = next;
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            return None;
        }
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        left = parts(&target).chain(left).collect();
    }
    Some(passed)
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().filter(named).map(|part| part.as_os_str().to_owned())
}

fn may_write(user: &Account, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| {
        let group = found.mode() & 0o020 != 0 && user.groups.contains(&found.gid());
        found.uid() == user.uid || group || found.mode() & 0o002 != 0
    })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    const UID: u32 = 3100;
    const GROUP: u32 = 44;

    fn user(uid: u32) -> Account {
        Account {
            name: "peid".to_owned(),
            uid,
            gid: 1100,
            home: "/home/peid".into(),
            shell: "/bin/sh".into(),
            groups: vec![1100, GROUP],
            created: false,
        }
    }

    /// A folder with none above it that others can write to, as /tmp is one.
    fn place() -> Option<tempfile::TempDir> {
        let place = tempfile::tempdir_in("/var/lib").ok()?;
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        Some(place)
    }

    #[test]
    fn a_path_is_the_users_if_any_folder_on_the_way_is() {
        let Some(place) = place() else { return };
        let deep = place.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        let user = user(UID);
        assert!(!can_change(&user, &deep) && !can_change(&user, &deep.join("not/there")));
        let middle = place.path().join("a");
        for (owner, group, mode, theirs) in [
            (UID, 0, 0o755, true),
            (0, GROUP, 0o775, true),
            (0, GROUP, 0o755, false),
            (0, 45, 0o775, false),
            (0, 0, 0o757, true),
        ] {
            chown(&middle, Some(owner), Some(group)).unwrap();
            fs::set_permissions(&middle, Permissions::from_mode(mode)).unwrap();
            for path in [&deep, &deep.join("not/there")] {
                assert_eq!(can_change(&user, path), theirs, "{owner} {group} {mode:o}");
            }
        }
        assert!(!can_change(&self::user(0), &deep));
    }

    #[test]
    fn a_link_of_the_users_on_the_way_counts_though_it_leads_to_what_is_roots() {
        let Some(place) = place() else { return };
        let (theirs, link) = (place.path().join("theirs"), place.path().join("link"));
        fs::create_dir(&theirs).unwrap();
        chown(&theirs, Some(UID), None).unwrap();
        symlink("/usr/bin", theirs.join("bin")).unwrap();
        symlink(theirs.join("bin"), &link).unwrap();
        assert!(can_change(&user(UID), &link));
        let plain = place.path().join("plain");
        symlink("../../../usr/bin", &plain).unwrap();
        assert!(!can_change(&user(UID), &plain));
    }

    #[test]
    fn what_is_in_the_home_relative_or_without_an_end_is_the_users() {
        for path in ["/home/peid/.local/bin", ".", "", "bin"] {
            assert!(can_change(&user(UID), Path::new(path)), "{path}");
        }
        let Some(place) = place() else { return };
        let round = place.path().join("round");
        symlink(&round, &round).unwrap();
        assert!(can_change(&user(UID), &round));
    }
}
