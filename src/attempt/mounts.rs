//! What is mounted on the machine, and what of it the container sees.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;

use crate::sorted;

/// A file system of the machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: PathBuf,
    /// nosuid, nodev and noexec, as far as it has them.
    pub flags: MsFlags,
}

/// The container has its own of these, or begins without them.
const OWN: [&str; 7] = ["/dev", "/etc/devinit", "/proc", "/run", "/sys", "/tmp", "/var/lib/devinit"];

/// File systems that are windows into the kernel and hold no files, wherever they are mounted.
const PSEUDO: [&str; 17] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "rpc_pipefs",
    "securityfs",
    "sysfs",
];

/// A line of `/proc/self/mountinfo`.
struct Line {
    id: u32,
    parent: u32,
    pseudo: bool,
    mount: Mount,
}

/// The file systems that the container gets its own view of, each after the one that it is mounted in.
///
/// `table` is `/proc/self/mountinfo`. What something else is mounted over cannot be seen and is left out.
pub fn wanted(table: &[u8]) -> Vec<Mount> {
    let lines: Vec<Line> = table.split(|byte| *byte == b'\n').filter_map(parse).collect();
    let own = |point: &Path| OWN.iter().any(|own| point.starts_with(own));
    let seen: Vec<u32> = lines.iter().filter_map(|line| seen_at(&lines, &line.mount.point)).collect();
    let mut wanted: Vec<Mount> = lines
        .into_iter()
        .filter(|line| seen.contains(&line.id) && !line.pseudo && !own(&line.mount.point))
        .map(|line| line.mount)
        .collect();
    sorted::sort_by(&mut wanted, |a, b| a.point.cmp(&b.point));
    wanted
}

/// The mount that a path leads to, found as the kernel does: from the root, and at each step into what is mounted
/// there. The order of the lines tells nothing: a root that an initramfs has moved comes after what is mounted in it.
fn seen_at(lines: &[Line], path: &Path) -> Option<u32> {
    let is_root = |line: &&Line| {
        line.mount.point == Path::new("/") && !lines.iter().any(|other| other.id == line.parent && other.id != line.id)
    };
    let mut current = lines.iter().find(is_root)?.id;
    let steps: Vec<&Path> = path.ancestors().collect();
    for step in steps.into_iter().rev() {
        let over = |id| lines.iter().find(|line| line.parent == id && line.id != id && line.mount.point == step);
        while let Some(next) = over(current) {
            current = next.id;
        }
    }
    Some(current)
}

/// `36 35 98:0 /subfolder /where rw,nosuid shared:1 - ext4 /dev/vda rw`, as proc_pid_mountinfo(5) has it.
fn parse(line: &[u8]) -> Option<Line> {
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse().ok();
    let mut fields = line.split(|byte| *byte == b' ');
    let (id, parent) = (number(fields.next()?)?, number(fields.next()?)?);
    let point = unescape(fields.nth(2)?);
    let options = fields.next()?;
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let pseudo = PSEUDO.iter().any(|pseudo| pseudo.as_bytes() == kind);
    let known = [("nosuid", MsFlags::MS_NOSUID), ("nodev", MsFlags::MS_NODEV), ("noexec", MsFlags::MS_NOEXEC)];
    let flags = options
        .split(|byte| *byte == b',')
        .filter_map(|option| known.iter().find(|(name, _)| name.as_bytes() == option))
        .fold(MsFlags::empty(), |flags, (_, flag)| flags | *flag);
    Some(Line { id, parent, pseudo, mount: Mount { point, flags } })
}

/// Undoes the octal escapes (`\040`) of blanks, newlines and backslashes.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = |digit: u8| digit.checked_sub(b'0').filter(|value| *value < 8).map(u32::from);
        let code = match rest {
            [b'\\', a, b, c, ..] => octal(*a).zip(octal(*b)).zip(octal(*c)),
            _ => None,
        };
        match code.and_then(|((a, b), c)| u8::try_from(a * 64 + b * 8 + c).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = rest.get(4..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(table: &str) -> Vec<String> {
        wanted(table.as_bytes()).iter().map(|mount| mount.point.display().to_string()).collect()
    }

    /// Each mount: its id, its parent's, where it is, its file system.
    fn table(mounts: &[(u32, u32, &str, &str)]) -> String {
        let line = |(id, parent, point, kind): &(u32, u32, &str, &str)| {
            format!("{id} {parent} 0:25 / {point} rw,relatime shared:7 master:2 - {kind} source rw\n")
        };
        mounts.iter().map(line).collect()
    }

    #[test]
    fn what_the_kernel_shows_and_what_the_container_has_of_its_own_is_left_out() {
        let table = table(&[
            (3, 2, "/sys", "sysfs"),
            (2, 1, "/", "ext4"),
            (4, 2, "/proc", "proc"),
            (5, 4, "/proc/sys/fs/binfmt_misc", "autofs"),
            (6, 2, "/run/user/1000", "tmpfs"),
            (7, 2, "/tmp/mnt", "ext4"),
            (8, 2, "/srv/debug", "debugfs"),
            (9, 2, "/var/lib/devinit/ssh", "ext4"),
            (10, 2, "/home", "btrfs"),
            (11, 2, "/running", "xfs"),
        ]);
        assert_eq!(points(&table), ["/", "/home", "/running"]);
    }

    #[test]
    fn what_something_else_is_mounted_over_is_left_out() {
        let stacked = table(&[(2, 1, "/", "ext4"), (3, 2, "/a", "xfs"), (4, 3, "/a", "proc"), (5, 2, "/ab", "xfs")]);
        assert_eq!(points(&stacked), ["/", "/ab"]);
        let below_a_younger_one =
            table(&[(2, 1, "/", "ext4"), (3, 2, "/a/b", "xfs"), (4, 3, "/a/b/x", "xfs"), (5, 2, "/a", "nfs")]);
        assert_eq!(points(&below_a_younger_one), ["/", "/a"]);
        let and_mounted_there_again = below_a_younger_one + &table(&[(6, 5, "/a/b", "zfs")]);
        assert_eq!(points(&and_mounted_there_again), ["/", "/a", "/a/b"]);
        let root_over_root = table(&[(2, 1, "/", "ext4"), (3, 2, "/a", "xfs"), (4, 2, "/", "overlay")]);
        assert_eq!(points(&root_over_root), ["/"]);
    }

    #[test]
    fn a_mount_comes_after_the_one_that_it_is_mounted_in_whatever_their_order() {
        let table = table(&[(9, 8, "/z/y/x", "xfs"), (8, 7, "/z/y", "xfs"), (7, 6, "/z", "xfs"), (6, 1, "/", "ext4")]);
        assert_eq!(points(&table), ["/", "/z", "/z/y", "/z/y/x"]);
    }

    #[test]
    fn names_with_blanks_backslashes_and_broken_escapes_are_read_as_they_are() {
        for (written, read) in [(r"/my\040disk\134x", r"/my disk\x"), (r"/a\9\04", r"/a\9\04"), (r"/a\777", r"/a\777")]
        {
            assert_eq!(points(&table(&[(2, 1, "/", "ext4"), (3, 2, written, "vfat")])), ["/", read]);
        }
    }

    #[test]
    fn the_flags_that_protect_a_mount_are_kept() {
        let table = b"36 27 0:25 / / ro,nosuid,nodev,relatime - vfat /dev/sdb rw,noexec\n";
        assert_eq!(wanted(table)[0].flags, MsFlags::MS_NOSUID | MsFlags::MS_NODEV);
    }

    #[test]
    fn this_machine_has_a_root() {
        let table = std::fs::read("/proc/self/mountinfo").unwrap();
        assert_eq!(wanted(&table)[0].point, Path::new("/"));
    }

    #[test]
    fn lines_that_make_no_sense_are_skipped() {
        assert!(wanted(b"\n36 27 0:25 /\n36 27 0:25 / / rw\nx y 0:25 / / rw - ext4 source rw\nnonsense").is_empty());
    }
}
