//! The container's time zone.

use nix::libc;

/// How far local time is ahead of UTC at this moment (seconds since 1970), in seconds: as `TZ` or /etc/localtime say; 0
/// where the zone is not known.
pub fn local_offset(moment: i64) -> i64 {
    // SAFETY: tm is plain data; all zeroes is a value of it.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // `time_t` has 64 bits on all that devinit is built for; the name itself is in flux in the libc crate.
    // SAFETY: both outlive the call, and localtime_r(3) keeps nothing of them.
    let answer = unsafe { libc::localtime_r((&raw const moment).cast(), &raw mut local) };
    if answer.is_null() { 0 } else { local.tm_gmtoff }
}

const _: () = assert!(size_of::<libc::c_long>() == size_of::<i64>());

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nix::unistd::{getegid, geteuid};

    use super::*;
    use crate::sys::as_user;

    /// The offsets in a time zone, asked for in a child of its own.
    fn offsets(zone: &str, moments: [i64; 2]) -> [i64; 2] {
        let own = (geteuid().as_raw(), getegid().as_raw());
        moments.map(|moment| {
            let code = as_user(own.0, own.1, &[], &mut || {
                // SAFETY: the child has one thread.
                unsafe { std::env::set_var("TZ", zone) };
                i32::try_from(local_offset(moment) / 900 + 100).unwrap()
            });
            i64::from(code.unwrap() - 100) * 900
        })
    }

    /// Noon of the first of January and of July 2026, UTC.
    const MOMENTS: [i64; 2] = [1_767_268_800, 1_782_907_200];

    #[test]
    fn a_time_zone_can_be_written_out() {
        assert_eq!(offsets("CET-1CEST,M3.5.0,M10.5.0/3", MOMENTS), [3600, 7200]);
        assert_eq!(offsets("<+0545>-5:45", MOMENTS), [20_700, 20_700]);
        assert_eq!(offsets("UTC0", MOMENTS), [0, 0]);
    }

    #[test]
    fn a_time_zone_can_be_named_where_the_image_knows_it() {
        if Path::new("/usr/share/zoneinfo/America/New_York").exists() {
            assert_eq!(offsets("America/New_York", MOMENTS), [-18_000, -14_400]);
        }
        assert_eq!(offsets("Nowhere/At_All", MOMENTS), [0, 0]);
    }
}
