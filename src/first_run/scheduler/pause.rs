//! How long to wait before another try.

use std::time::Duration;

use super::millis;
use crate::fetch::Retry;

/// The pause after the first failure; it doubles with each further one.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that a number of failures leads to, before chance adds or takes a quarter.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause that a server can ask for.
pub const LONGEST_AFTER: Duration = Duration::from_secs(600);

/// The pause after this many failures in a row, in milliseconds: up to a quarter more or less than the rule says, so
/// that those who failed together do not come back together, and never less than the server asked for.
pub(super) fn after(failures: u32, retry: Retry, random: &mut Random) -> u64 {
    let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let usual = millis(FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE));
    let pause = usual - usual / 4 + random.below(usual / 2 + 1);
    match retry {
        Retry::After(wanted) => pause.max(millis(wanted.min(LONGEST_AFTER))),
        Retry::Soon | Retry::Never => pause,
    }
}

/// Chance from a seed: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 up to, and without, `limit`.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_chance_adds_or_takes_a_quarter() {
        let mut random = Random::new(7);
        for (failures, usual) in [(1, 1_000), (2, 2_000), (3, 4_000), (6, 32_000), (7, 60_000), (u32::MAX, 60_000)] {
            let pauses: Vec<u64> = (0..200).map(|_| after(failures, Retry::Soon, &mut random)).collect();
            let (least, most) = (*pauses.iter().min().unwrap(), *pauses.iter().max().unwrap());
            assert!(least >= usual * 3 / 4 && most <= usual * 5 / 4, "{failures}: {least}..{most}");
            assert!(most - least > usual / 4, "chance has its part: {least}..{most}");
        }
    }

    #[test]
    fn a_server_that_says_when_to_come_back_is_heard_up_to_ten_minutes() {
        let mut random = Random::new(7);
        let mut wait = |seconds| after(1, Retry::After(Duration::from_secs(seconds)), &mut random);
        assert_eq!(wait(30), 30_000);
        assert_eq!(wait(86_400), 600_000);
        assert!(wait(0) >= 750, "and no sooner than without it");
        assert_eq!(after(1, Retry::After(Duration::MAX), &mut random), 600_000);
    }
}
