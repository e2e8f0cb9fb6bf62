//! Resource limits by name, as setrlimit(2) knows them.

use super::texts;

/// Without limit.
pub const UNLIMITED: u64 = u64::MAX;

/// A resource that can be limited.
struct Resource {
    name: &'static str,
    /// `RLIMIT_…`: include/uapi/asm-generic/resource.h of Linux, the same on x86 and arm.
    number: u32,
    /// Whether it is measured in bytes.
    bytes: bool,
}

const RESOURCES: [Resource; 13] = [
    in_bytes("as", 9),
    in_bytes("core", 4),
    counted("cpu", 0),
    in_bytes("data", 2),
    in_bytes("fsize", 1),
    in_bytes("memlock", 8),
    in_bytes("msgqueue", 12),
    counted("nice", 13),
    counted("nofile", NOFILE),
    counted("nproc", 6),
    counted("rtprio", 14),
    counted("sigpending", 11),
    in_bytes("stack", 3),
];
const NOFILE: u32 = 7;

const fn in_bytes(name: &'static str, number: u32) -> Resource {
    Resource { name, number, bytes: true }
}

const fn counted(name: &'static str, number: u32) -> Resource {
    Resource { name, number, bytes: false }
}

/// The names of all resources.
#[must_use]
pub fn names() -> [&'static str; 13] {
    RESOURCES.map(|resource| resource.name)
}

/// The name of a resource by its number.
#[must_use]
pub fn name(number: u32) -> Option<&'static str> {
    RESOURCES.iter().find(|resource| resource.number == number).map(|resource| resource.name)
}

/// Reads a limit, `N`, `unlimited` or `SOFT:HARD`: the resource's number, the soft and the hard limit. None if there is no
/// such resource.
///
/// # Errors
/// What is wrong with the value.
#[must_use]
pub fn limit(name: &str, text: &str) -> Option<Result<(u32, u64, u64), &'static str>> {
    let resource = RESOURCES.iter().find(|resource| resource.name == name)?;
    let value = |text: &str| match text.trim() {
        "unlimited" => Some(UNLIMITED),
        text if resource.bytes => texts::bytes(text),
        text => text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten(),
    };
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    Some(match (value(soft), value(hard)) {
        (Some(soft), Some(hard)) if soft > hard => Err("the soft limit, which stands first, is above the hard one"),
        (Some(_), Some(UNLIMITED)) if resource.number == NOFILE => {
            Err("the kernel refuses an unlimited number of files: write a number, such as 1048576")
        }
        (Some(soft), Some(hard)) => Ok((resource.number, soft, hard)),
        _ if resource.bytes => Err("expected bytes as in `64MiB`, `unlimited`, or two of these as `SOFT:HARD`"),
        _ => Err("expected a number, `unlimited`, or two of these as `SOFT:HARD`"),
    })
}

#[cfg(test)]
mod tests {
    use nix::libc;

    use super::*;

    #[test]
    fn limits_are_one_number_or_two() {
        assert_eq!(limit("nofile", "1024"), Some(Ok((7, 1024, 1024))));
        assert_eq!(limit("nofile", "1024:4096"), Some(Ok((7, 1024, 4096))));
        assert_eq!(limit("core", "0:unlimited"), Some(Ok((4, 0, UNLIMITED))));
        assert_eq!(limit("memlock", "unlimited"), Some(Ok((8, UNLIMITED, UNLIMITED))));
        assert_eq!(limit("stack", "8MiB:1G"), Some(Ok((3, 8 << 20, 1 << 30))));
        for (name, text) in [
            ("nofile", "1K"),
            ("nofile", ""),
            ("nofile", "-1"),
            ("nofile", "2:1"),
            ("nofile", "1:2:3"),
            ("nofile", "unlimited"),
            ("nofile", "1024:unlimited"),
            ("core", "unlimited:0"),
            ("core", "much"),
            ("core", ":"),
        ] {
            assert!(limit(name, text).unwrap().is_err(), "{name} {text:?}");
        }
        assert_eq!(limit("files", "1"), None);
    }

    #[test]
    fn the_numbers_are_those_of_the_kernel() {
        for (name, number) in [
            ("as", libc::RLIMIT_AS),
            ("core", libc::RLIMIT_CORE),
            ("cpu", libc::RLIMIT_CPU),
            ("data", libc::RLIMIT_DATA),
            ("fsize", libc::RLIMIT_FSIZE),
            ("memlock", libc::RLIMIT_MEMLOCK),
            ("msgqueue", libc::RLIMIT_MSGQUEUE),
            ("nice", libc::RLIMIT_NICE),
            ("nofile", libc::RLIMIT_NOFILE),
            ("nproc", libc::RLIMIT_NPROC),
            ("rtprio", libc::RLIMIT_RTPRIO),
            ("sigpending", libc::RLIMIT_SIGPENDING),
            ("stack", libc::RLIMIT_STACK),
        ] {
            let number = u32::try_from(number).unwrap();
            assert_eq!(limit(name, "1").unwrap().unwrap().0, number, "{name}");
            assert_eq!(super::name(number), Some(name));
        }
    }
}
