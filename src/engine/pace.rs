//! How often someone is listened to who may talk without end.

use std::time::{Duration, Instant};

/// In this time …
const SPAN: Duration = Duration::from_secs(1);
/// … someone is listened to this often at once …
const FREELY: u32 = 50;
/// … and then only after a rest: of this length, so that little of PID 1's time goes into it.
const REST: Duration = Duration::from_millis(20);

/// How often someone was listened to of late.
#[derive(Debug, Default)]
pub struct Pace {
    since: Option<Instant>,
    heard: u32,
    rests_until: Option<Instant>,
}

impl Pace {
    /// Takes note that someone was listened to.
    pub fn heard(&mut self, now: Instant) {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= SPAN) {
            (self.since, self.heard) = (Some(now), 0);
        }
        self.heard = self.heard.saturating_add(1);
        self.rests_until = now.checked_add(REST).filter(|_| self.heard > FREELY);
    }

    /// Until when nobody listens; none: it is listened to now.
    #[must_use]
    pub fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.rests_until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_something_now_and_then_is_heard_at_once() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        for tenth in 0..1000 {
            let now = begin + tenth * Duration::from_millis(100);
            assert_eq!(pace.rests_until(now), None);
            pace.heard(now);
        }
    }

    #[test]
    fn who_talks_without_end_is_heard_a_bounded_number_of_times_and_never_left_waiting_for_long() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        let (mut now, mut heard) = (begin, 0);
        while now < begin + 10 * SPAN {
            match pace.rests_until(now) {
                Some(until) => {
                    assert!(until <= now + REST);
                    now = until;
                }
                None => {
                    pace.heard(now);
                    heard += 1;
                    now += Duration::from_micros(10);
                }
            }
        }
        assert!((500..=1010).contains(&heard), "{heard}");
        assert_eq!(pace.rests_until(now + SPAN), None);
    }
}
