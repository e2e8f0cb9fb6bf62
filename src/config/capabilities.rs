//! Capabilities by name, as capabilities(7) has them.

use std::ops::RangeInclusive;

/// Their names without `CAP_`, each at the place of its number: include/uapi/linux/capability.h of Linux.
pub const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// All that there can be: the kernel has 64 bits for them, and newer ones have more of them in use.
pub const ALL: RangeInclusive<u32> = 0..=63;

/// A name as [`NAMES`] would have it.
#[must_use]
pub fn plain(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower.strip_prefix("cap_").map(str::to_owned).unwrap_or(lower)
}

/// The numbers that a name stands for: `NET_RAW`, `cap_net_raw`, `ALL`. None if there is no such capability.
#[must_use]
pub fn numbers(name: &str) -> Option<RangeInclusive<u32>> {
    let name = plain(name);
    if name == "all" {
        return Some(ALL);
    }
    (0..).zip(NAMES).find(|(_, known)| *known == name).map(|(number, _)| number..=number)
}

/// How a capability is written, by its number.
#[must_use]
pub fn name(number: u32) -> String {
    let known = usize::try_from(number).ok().and_then(|number| NAMES.get(number));
    known.map_or_else(|| number.to_string(), |name| name.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_and_without_cap_in_either_case() {
        for (name, number) in
            [("CHOWN", 0), ("cap_net_raw", 13), ("Net_Admin", 12), ("SYS_ADMIN", 21), ("CAP_CHECKPOINT_RESTORE", 40)]
        {
            assert_eq!(numbers(name), Some(number..=number), "{name}");
            assert_eq!(super::name(number).to_ascii_lowercase(), plain(name));
        }
        assert_eq!((numbers("ALL"), numbers("all")), (Some(0..=63), Some(0..=63)));
        for name in ["", "CAP_", "NET", "21", "CAP_CAP_CHOWN"] {
            assert_eq!(numbers(name), None, "{name:?}");
        }
        assert_eq!(super::name(63), "63");
    }
}
