//! Memory, processors and disks, as far as this container may use them.
//!
//! `/proc/meminfo` and the processors are the whole machine's; the container's limits are its control group's, of
//! version 1 or 2.

use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::{stat, statvfs};
use serde::Serialize;

use super::read;
use crate::words::bytes;

/// How long the file systems may take to answer. A network volume whose server is gone never does.
const PATIENCE: Duration = Duration::from_millis(20);

/// What there is of memory, processors and disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Resources {
    /// None if it cannot be told.
    pub memory: Option<Memory>,
    /// How many processors may be used; with a quota also a fraction. None if it cannot be told.
    pub cpus: Option<f64>,
    /// `/`, and `/workspace` where it is another file system.
    pub disks: Vec<Disk>,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The machine's, or the control group's limit if that is lower.
    pub total: u64,
    /// What can be had without swapping; page cache counts as free.
    pub available: u64,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Where it is mounted.
    pub path: PathBuf,
    /// Its size in bytes.
    pub total: u64,
    /// What is left for ordinary users, in bytes.
    pub available: u64,
}

impl Resources {
    /// Looks below `root`; takes at most 20 ms however the disks are.
    #[must_use]
    pub fn look(root: &Path) -> Self {
        let groups = Groups::look(root);
        Self { memory: memory(root, &groups), cpus: cpus(root, &groups), disks: disks(root) }
    }

    /// Memory and processors in words: `58.1 GiB free of 64.0 GiB, 16 CPUs`.
    #[must_use]
    pub fn compute(&self) -> Option<String> {
        let memory = self.memory.map(|memory| format!("{} free of {}", bytes(memory.available), bytes(memory.total)));
        let cpus = self.cpus.map(|cpus| match cpus {
            1.0 => "1 CPU".to_owned(),
            _ => format!("{} CPUs", (cpus * 10.0).round() / 10.0),
        });
        let words: Vec<String> = memory.into_iter().chain(cpus).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

impl std::fmt::Display for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} free of {}", self.path.display(), bytes(self.available), bytes(self.total))
    }
}

/// The folders of this process's control group and of those above it, nearest first.
struct Groups {
    v2: Vec<PathBuf>,
    v1_memory: Vec<PathBuf>,
    v1_cpu: Vec<PathBuf>,
}

impl Groups {
    fn look(root: &Path) -> Self {
        let own = read::text(&root.join("proc/self/cgroup")).unwrap_or_default();
        let mount = root.join("sys/fs/cgroup");
        // Lines are `ID:CONTROLLERS:PATH`; version 2 has no controllers in its only line.
        let path = |controller: &str| {
            own.lines().find_map(|line| {
                let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
                controllers.split(',').any(|name| name == controller).then_some(path)
            })
        };
        let folders = |mount: PathBuf, controller| lineage(&mount, path(controller).unwrap_or("/"));
        Self {
            v2: folders(mount.clone(), ""),
            v1_memory: folders(mount.join("memory"), "memory"),
            v1_cpu: folders(mount.join("cpu"), "cpu"),
        }
    }
}

/// A group's folder below `mount` and those above it, up to `mount` itself. In a container the path may be the
/// host's and not exist here; then what is found is `mount`, which is the container's own group.
fn lineage(mount: &Path, path: &str) -> Vec<PathBuf> {
    let names = Path::new(path).components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let mut folder = mount.to_owned();
    let mut folders = vec![folder.clone()];
    for name in names.take(64) {
        folder.push(name);
        folders.push(folder.clone());
    }
    folders.reverse();
    folders
}

fn memory(root: &Path, groups: &Groups) -> Option<Memory> {
    let meminfo = read::text(&root.join("proc/meminfo"))?;
    let kib = |key: &str| {
        let value = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        value.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    };
    let total = kib("MemTotal")?;
    let machine = Memory { total, available: kib("MemAvailable").or_else(|| kib("MemFree"))?.min(total) };
    let v2 = groups.v2.iter().map(|group| (group, ["memory.max", "memory.current", "inactive_file"]));
    let v1_files = ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"];
    let v1 = groups.v1_memory.iter().map(|group| (group, v1_files));
    // Each group above may be the one that is short of memory.
    Some(v2.chain(v1).filter_map(|(group, files)| group_memory(group, files)).fold(machine, |tightest, group| Memory {
        total: tightest.total.min(group.total),
        available: tightest.available.min(group.available),
    }))
}

/// A group's limit and what is left of it; page cache that is not in use is left, as in MemAvailable.
fn group_memory(group: &Path, [limit, usage, inactive]: [&str; 3]) -> Option<Memory> {
    let total = read::number(&group.join(limit))?;
    let used = read::number(&group.join(usage)).unwrap_or(0);
    let cache = read::text(&group.join("memory.stat"))
        .and_then(|stat| stat.lines().find_map(|line| line.strip_prefix(inactive)?.trim().parse::<u64>().ok()))
        .unwrap_or(0);
    Some(Memory { total, available: total.saturating_sub(used.saturating_sub(cache)) })
}

fn cpus(root: &Path, groups: &Groups) -> Option<f64> {
    let status = read::text(&root.join("proc/self/status"))?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let allowed = f64::from(count(list.trim())?);
    let v2 = groups.v2.iter().filter_map(|group| {
        let max = read::line(&group.join("cpu.max"))?;
        let (quota, period) = max.split_once(' ')?;
        quotient(quota.parse().ok()?, period.parse().ok()?)
    });
    let v1 = groups.v1_cpu.iter().filter_map(|group| {
        let quota = read::number(&group.join("cpu.cfs_quota_us"))?;
        quotient(u32::try_from(quota).ok()?, u32::try_from(read::number(&group.join("cpu.cfs_period_us"))?).ok()?)
    });
    Some(v2.chain(v1).fold(allowed, f64::min))
}

/// A quota of processor time per period, in processors.
fn quotient(quota: u32, period: u32) -> Option<f64> {
    (quota > 0 && period > 0).then(|| f64::from(quota) / f64::from(period))
}

/// How many processors a list such as `0-3,8` names.
fn count(list: &str) -> Option<u32> {
    list.split(',').try_fold(0_u32, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

/// The disks, asked for in a thread: one that does not come back is left to itself, and no second one is sent after it.
fn disks(root: &Path) -> Vec<Disk> {
    static ASKING: AtomicBool = AtomicBool::new(false);
    if ASKING.swap(true, Ordering::AcqRel) {
        return Vec::new();
    }
    let (sender, answer) = mpsc::channel();
    let root = root.to_owned();
    let asked = thread::Builder::new().spawn(move || {
        for path in ["", "workspace"] {
            let _ = sender.send(disk(&root, path));
        }
        ASKING.store(false, Ordering::Release);
    });
    if asked.is_err() {
        ASKING.store(false, Ordering::Release);
    }
    let mut disks: Vec<(u64, Disk)> = Vec::new();
    while let Ok(found) = answer.recv_timeout(PATIENCE) {
        disks.extend(found.filter(|(device, _)| disks.iter().all(|(known, _)| known != device)));
    }
    disks.into_iter().map(|(_, disk)| disk).collect()
}

/// A file system and its device number, which tells it from others.
fn disk(root: &Path, path: &str) -> Option<(u64, Disk)> {
    let place = root.join(path);
    let device = stat::stat(&place).ok()?.st_dev;
    let figures = statvfs::statvfs(&place).ok()?;
    let size = |blocks: u64| blocks.saturating_mul(figures.fragment_size());
    let (total, available) = (size(figures.blocks()), size(figures.blocks_available()));
    (total > 0).then(|| (device, Disk { path: Path::new("/").join(path), total, available }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const GIB: u64 = 1024 * 1024 * 1024;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let meminfo = "MemTotal:       67108864 kB\nMemFree: 1 kB\nMemAvailable:   33554432 kB\n";
        let base = [("proc/meminfo", meminfo), ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-15\n")];
        for (path, text) in base.iter().chain(files) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn look(files: &[(&str, &str)]) -> (Memory, f64) {
        let resources = Resources::look(machine(files).path());
        (resources.memory.unwrap(), resources.cpus.unwrap())
    }

    #[test]
    fn without_limits_it_is_the_machine() {
        let (memory, cpus) = look(&[
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "max\n"),
            ("sys/fs/cgroup/cpu.max", "max 100000\n"),
        ]);
        assert_eq!((memory, cpus), (Memory { total: 64 * GIB, available: 32 * GIB }, 16.0));
    }

    #[test]
    fn version_2_limits_count_and_cache_is_free() {
        let (memory, cpus) = look(&[
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "8589934592\n"),
            ("sys/fs/cgroup/memory.current", "6442450944\n"),
            ("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 2147483648\nactive_file 1\n"),
            ("sys/fs/cgroup/cpu.max", "250000 100000\n"),
        ]);
        assert_eq!((memory, cpus), (Memory { total: 8 * GIB, available: 4 * GIB }, 2.5));
    }

    #[test]
    fn the_tightest_group_above_counts() {
        let (memory, _) = look(&[
            ("proc/self/cgroup", "0::/kubepods/pod1/../box\n"),
            ("sys/fs/cgroup/kubepods/memory.max", "17179869184\n"),
            ("sys/fs/cgroup/kubepods/pod1/memory.max", "4294967296\n"),
            ("sys/fs/cgroup/kubepods/pod1/box/memory.max", "max\n"),
        ]);
        assert_eq!(memory, Memory { total: 4 * GIB, available: 4 * GIB });
    }

    #[test]
    fn version_1_limits_count_where_the_path_is_the_host_s() {
        let (memory, cpus) = look(&[
            ("proc/self/cgroup", "5:memory:/docker/0123\n4:cpu,cpuacct:/docker/0123\n1:name=systemd:/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1073741824\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!((memory, cpus), (Memory { total: 2 * GIB, available: GIB }, 0.5));
    }

    #[test]
    fn version_1_without_limits_is_the_machine() {
        let (memory, cpus) = look(&[
            ("proc/self/cgroup", "5:memory:/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1073741824\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!((memory, cpus), (Memory { total: 64 * GIB, available: 32 * GIB }, 16.0));
    }

    #[test]
    fn nonsense_is_left_out() {
        let root = machine(&[("proc/meminfo", "MemTotal: -1 kB"), ("proc/self/status", "Cpus_allowed_list:\t3-1")]);
        let resources = Resources::look(root.path());
        assert_eq!((resources.memory, resources.cpus), (None, None));
        assert_eq!(count("0-3,8"), Some(5));
        assert_eq!(count("0-4294967295"), None);
        assert_eq!(count(""), None);
        assert_eq!(quotient(1, 0), None);
    }

    #[test]
    fn one_file_system_is_one_disk() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("workspace")).unwrap();
        let (device, disk) = disk(root.path(), "").unwrap();
        assert_eq!(disk.path, Path::new("/"));
        assert!(disk.total >= disk.available);
        assert_eq!(super::disk(root.path(), "workspace").unwrap().0, device);
    }

    #[test]
    fn it_reads_as_a_sentence() {
        let memory = Some(Memory { total: 64 * GIB, available: 32 * GIB });
        let resources = |cpus| Resources { memory, cpus: Some(cpus), disks: Vec::new() };
        assert_eq!(resources(1.0).compute().unwrap(), "32.0 GiB free of 64.0 GiB, 1 CPU");
        assert_eq!(resources(2.5).compute().unwrap(), "32.0 GiB free of 64.0 GiB, 2.5 CPUs");
        assert_eq!(Resources::default().compute(), None);
    }
}
