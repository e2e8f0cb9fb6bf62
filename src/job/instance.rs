//! Which boot of which container this is, and whether the runner of a job is alive.
//!
//! Process numbers mean something within a PID namespace only, and a container that is started anew counts from 1 again. So a
//! status tells where its numbers belong ([`here`]), and when its runner was started ([`started`]). Where they belong elsewhere,
//! all there is to go by is how long ago the status was renewed.

use std::fs;
use std::sync::OnceLock;

use super::{LOST_AFTER, Status, Time};

/// A status of this container that is older, in milliseconds, is not one that the guard is about to take over.
const TAKEOVER: u64 = 3_000;
/// What stands for a part that cannot be told.
const UNKNOWN: &str = "x";
/// Clock ticks in a second, as /proc counts them: the kernel's `USER_HZ`, which is 100 on all that devinit is built for.
const TICKS: u64 = 100;

/// How a job stands, as seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has ended, and its status tells how.
    Ended,
    /// It runs.
    Running,
    /// Its runner is gone, and nobody knows how it ended.
    Lost {
        /// When it was there for the last time.
        last_seen: Time,
    },
}

/// Which boot of which container this is: the machine's boot, the PID namespace, and the start of its first process. `x` stands
/// for a part that cannot be told, for instance where /proc is not mounted or hides the processes of others.
#[must_use]
pub fn here() -> String {
    own().to_owned()
}

fn own() -> &'static str {
    static OWN: OnceLock<String> = OnceLock::new();
    OWN.get_or_init(|| {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        // `pid:[4026531836]`
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let namespace = namespace.to_string_lossy();
        let first = started(1).map(|ticks| ticks.to_string()).unwrap_or_default();
        let part = |text: &str, fits: fn(char) -> bool| {
            let kept: String = text.chars().filter(|character| fits(*character)).collect();
            if kept.is_empty() { UNKNOWN.to_owned() } else { kept }
        };
        let (digits, hex) = (|c: char| c.is_ascii_digit(), |c: char| c.is_ascii_hexdigit() || c == '-');
        format!("{}.{}.{}", part(&boot, hex), part(&namespace, digits), part(&first, digits))
    })
}

/// Whether process numbers that were written down in `instance` are those of this process' own container. Where a part is not
/// known they are not taken for it: two containers without /proc look the same.
#[must_use]
pub fn is_here(instance: &str) -> bool {
    instance == own() && !instance.contains(UNKNOWN)
}

/// When a process was started, in the kernel's clock ticks since the boot; none if there is no such process, or only what is
/// left of it until its parent has noticed.
#[must_use]
pub fn started(pid: i32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    started_of(&String::from_utf8_lossy(&stat))
}

/// proc(5): the name in parentheses may hold anything; the third field is the state, the 22nd the start.
fn started_of(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// When a process was started by the wall clock as it stands now; none if there is no such process.
#[must_use]
pub fn started_at(pid: i32) -> Option<Time> {
    let ticks = started(pid)?;
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(Time(boot.saturating_mul(1000).saturating_add(ticks.saturating_mul(1000 / TICKS))))
}

/// When a job was there for the last time: when its status was written by its own clock, or by that of the file's server,
/// whichever is later. The clocks of two machines differ; what they have in the future is now.
#[must_use]
pub fn last_seen(status: &Status, modified: Time, now: Time) -> Time {
    status.updated.max(modified).min(now)
}

/// How the job of a status stands, whose file was modified at that time.
#[must_use]
pub fn standing(status: &Status, modified: Time, now: Time) -> Standing {
    judge(status, modified, now, is_here(&status.instance), &started)
}

fn judge(status: &Status, modified: Time, now: Time, is_here: bool, started: &dyn Fn(i32) -> Option<u64>) -> Standing {
    if status.state.is_final() {
        return Standing::Ended;
    }
    let last_seen = last_seen(status, modified, now);
    let age = last_seen.until(now);
    let runs = if is_here {
        // The guard may be about to take over for a worker that was killed.
        let taken_over = || age <= TAKEOVER && status.pid.is_some_and(|pid| started(pid).is_some());
        started(status.runner) == Some(status.runner_started) || taken_over()
    } else {
        u128::from(age) < LOST_AFTER.as_millis()
    };
    if runs { Standing::Running } else { Standing::Lost { last_seen } }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::job::State;

    const NOW: Time = Time(1_000_000_000);

    fn status(age: u64) -> Status {
        Status { runner: 7, runner_started: 70, pid: Some(9), updated: Time(NOW.0 - age), ..Status::default() }
    }

    fn here_with(status: &Status, alive: &[(i32, u64)]) -> Standing {
        let started = |pid: i32| alive.iter().find(|(known, _)| *known == pid).map(|(_, ticks)| *ticks);
        judge(status, Time(0), NOW, true, &started)
    }

    fn elsewhere(status: &Status, modified: Time) -> Standing {
        judge(status, modified, NOW, false, &|_| panic!("its numbers mean nothing here"))
    }

    #[test]
    fn this_container_is_known_and_stays_the_same() {
        assert_eq!(here(), here());
        assert!(is_here(&here()), "{}", here());
        assert_eq!(here().split('.').count(), 3);
        assert!(!is_here("") && !is_here("x.x.x"));
    }

    #[test]
    fn a_process_is_told_from_a_later_one_and_from_what_is_left_of_it() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(started(pid) >= started(i32::try_from(std::process::id()).unwrap()));
        assert!(started_at(pid).unwrap().0.abs_diff(Time::now().0) < 60_000);
        child.kill().unwrap();
        // A zombie, until it is waited for.
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while started(pid).is_some() && std::time::Instant::now() < limit {
            std::thread::yield_now();
        }
        assert_eq!(started(pid), None);
        child.wait().unwrap();
        assert_eq!((started(pid), started(0), started(-1)), (None, None, None));
    }

    #[test]
    fn a_name_may_hold_what_looks_like_the_fields_behind_it() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(started_of(&format!("12 (a) Z 1) {fields}")), Some(4711));
        assert_eq!(started_of(&format!("12 (a) {}", fields.replacen('S', "Z", 1))), None);
        assert_eq!((started_of(""), started_of("12 (a) S 1")), (None, None));
    }

    #[test]
    fn what_has_ended_has_ended_wherever_it_was() {
        for state in [State::Succeeded, State::Failed, State::Stopped] {
            let status = Status { state, ..status(0) };
            assert_eq!(here_with(&status, &[]), Standing::Ended);
            assert_eq!(elsewhere(&status, Time(0)), Standing::Ended);
        }
    }

    #[test]
    fn in_the_same_container_the_runner_tells_and_not_the_clock() {
        let old = status(3_600_000);
        assert_eq!(here_with(&old, &[(7, 70)]), Standing::Running);
        let lost = Standing::Lost { last_seen: old.updated };
        // Its number is someone else's by now.
        assert_eq!(here_with(&old, &[(7, 71)]), lost);
        assert_eq!(here_with(&old, &[(9, 90)]), lost);
    }

    #[test]
    fn while_the_guard_takes_over_the_job_is_not_lost() {
        assert_eq!(here_with(&status(2_999), &[(9, 90)]), Standing::Running);
        assert!(matches!(here_with(&status(3_001), &[(9, 90)]), Standing::Lost { .. }));
        assert!(matches!(here_with(&status(0), &[]), Standing::Lost { .. }));
        assert!(matches!(here_with(&Status { pid: None, ..status(0) }, &[]), Standing::Lost { .. }));
    }

    #[test]
    fn in_another_container_what_was_renewed_lately_runs() {
        assert_eq!(elsewhere(&status(59_000), Time(0)), Standing::Running);
        assert_eq!(elsewhere(&status(60_000), Time(0)), Standing::Lost { last_seen: Time(NOW.0 - 60_000) });
        // Its clock is late, and the server's is not.
        assert_eq!(elsewhere(&status(600_000), Time(NOW.0 - 5_000)), Standing::Running);
        let lost = elsewhere(&status(600_000), Time(NOW.0 - 90_000));
        assert_eq!(lost, Standing::Lost { last_seen: Time(NOW.0 - 90_000) });
    }

    #[test]
    fn a_clock_that_is_ahead_counts_as_now() {
        let ahead = Status { updated: Time(NOW.0 + 3_600_000), ..status(0) };
        assert_eq!(elsewhere(&ahead, Time(NOW.0 + 7_200_000)), Standing::Running);
        assert_eq!(last_seen(&ahead, Time(0), NOW), NOW);
        assert_eq!(elsewhere(&status(0), Time(NOW.0 + 7_200_000)), Standing::Running);
    }
}
