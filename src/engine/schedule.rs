//! Times of day as cron(8) has them: minute, hour, day of the month, month, day of the week.
//!
//! They are times of the container's time zone: what `TZ` said when devinit was started, or else /etc/localtime. A `TZ` that
//! the config gives to services does not count. Where the clocks are put forward, what was to run in the hour that is left
//! out runs once, right after it. Where they are put back, what runs in every hour also runs in the one that comes again;
//! everything else does not run twice.

mod read;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sys;

/// A cron expression that has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    text: String,
    /// Bit N: at minute N.
    minutes: u64,
    /// Bit N: at hour N.
    hours: u32,
    /// Bit N: on day N of the month, from 1.
    days: u32,
    /// Bit N: in month N, from 1.
    months: u16,
    /// Bit N: on day N of the week; 0 is Sunday.
    weekdays: u8,
    /// Whether either of the day of the month and the day of the week is enough: neither begins with `*`.
    either_day: bool,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
const EVERY_HOUR: u32 = (1 << 24) - 1;
/// How far ahead is looked, in days: there may be eight years between two 29ths of February.
const HORIZON: i64 = 8 * 366;
/// How long after the clocks were put back some local times may still come again, in seconds.
const LONGEST_REPEAT: i64 = 3 * HOUR;
/// In which steps the time zone is looked at for changes, in seconds: none is undone within a week.
const STRIDE: i64 = 7 * DAY;
/// How many times are looked at: those of a repeated hour that are over, and two changes of the clocks a year.
const MOST_LOOKS: usize = 1_000;
/// The latest moment that is understood (in the year 36812), so that nothing overflows.
const LATEST: u64 = 1 << 40;

impl Schedule {
    /// How long it is from this moment (seconds since 1970) until the next time, in the container's time zone. None if there
    /// is no such time within the next years, as for the 30th of February.
    #[must_use]
    pub fn until_next(&self, now: i64) -> Option<Duration> {
        let next = self.next(now, &sys::local_offset)?;
        u64::try_from(next.checked_sub(now)?).ok().map(Duration::from_secs)
    }

    /// The first time after `now`, in a time zone that is ahead of UTC by this much at each moment.
    ///
    /// Between two changes of the clocks this is arithmetic: the time zone is asked only for where those are.
    fn next(&self, now: i64, offset: &dyn Fn(i64) -> i64) -> Option<i64> {
        if now.unsigned_abs() > LATEST {
            return None;
        }
        let before = now.saturating_sub(LONGEST_REPEAT);
        // Right after a change begin ahead of it, so as to know what was left out, or comes again.
        let mut from = if offset(before) == offset(now) { now.saturating_add(1) } else { before };
        for _ in 0..MOST_LOOKS {
            let ahead = offset(from);
            let local = self.at_or_after(from.saturating_add(ahead))?;
            let at = local.saturating_sub(ahead);
            let Some(change) = first_change(from, at, offset) else {
                if at > now {
                    return Some(at);
                }
                from = at.saturating_add(1);
                continue;
            };
            // Nothing is due before the change; after it the clocks show something else.
            let difference = offset(change).saturating_sub(ahead);
            let left_out = difference > 0 && local < change.saturating_add(ahead).saturating_add(difference);
            if left_out && change > now {
                return Some(change);
            }
            let comes_again = if self.hours == EVERY_HOUR { 0 } else { difference.min(0).saturating_neg() };
            from = change.saturating_add(comes_again);
        }
        None
    }

    /// The first time at or after this one, both of a clock that is never changed, in seconds since its 1970.
    fn at_or_after(&self, local: i64) -> Option<i64> {
        let begin = local.checked_add(MINUTE - 1)?.div_euclid(MINUTE).checked_mul(MINUTE)?;
        let (first, time) = (begin.div_euclid(DAY), begin.rem_euclid(DAY));
        let (hour, minute) = (time / HOUR, time % HOUR / MINUTE);
        if self.is_day(first) {
            if has(self.hours.into(), hour)
                && let Some(minute) = next_bit(self.minutes, minute)
            {
                return Some(first * DAY + hour * HOUR + minute * MINUTE);
            }
            if let Some(hour) = next_bit(self.hours.into(), hour + 1) {
                return Some(first * DAY + hour * HOUR + next_bit(self.minutes, 0)? * MINUTE);
            }
        }
        let day = (1..=HORIZON).map(|ahead| first.saturating_add(ahead)).find(|day| self.is_day(*day))?;
        let (hour, minute) = (next_bit(self.hours.into(), 0)?, next_bit(self.minutes, 0)?);
        day.checked_mul(DAY)?.checked_add(hour * HOUR + minute * MINUTE)
    }

    /// Whether it is due on this day, counted from 1970-01-01.
    fn is_day(&self, day: i64) -> bool {
        let (month, of_month) = month_and_day(day);
        let by_month = has(self.days.into(), of_month);
        // 1970 began on a Thursday.
        let by_week = has(self.weekdays.into(), day.saturating_add(4).rem_euclid(7));
        has(self.months.into(), month) && if self.either_day { by_month || by_week } else { by_month && by_week }
    }
}

fn has(bits: u64, bit: i64) -> bool {
    u32::try_from(bit).is_ok_and(|bit| bits.checked_shr(bit).unwrap_or(0) & 1 == 1)
}

/// The first bit at or after this one.
fn next_bit(bits: u64, from: i64) -> Option<i64> {
    let from = u32::try_from(from).ok()?;
    let left = bits.checked_shr(from)?;
    (left != 0).then(|| i64::from(left.trailing_zeros().saturating_add(from)))
}

/// The month (from 1) and the day of the month of a day counted from 1970-01-01, by the Gregorian calendar: the algorithm
/// `civil_from_days` of <https://howardhinnant.github.io/date_algorithms.html>, whose years begin in March.
fn month_and_day(day: i64) -> (i64, i64) {
    let of_era = day.saturating_add(719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    (if month < 10 { month + 3 } else { month - 9 }, of_year - (153 * month + 2) / 5 + 1)
}

/// The first second after `from`, up to `to`, in which the clocks show something else than those of `from` would.
fn first_change(from: i64, to: i64, offset: &dyn Fn(i64) -> i64) -> Option<i64> {
    let ahead = offset(from);
    let mut same = from;
    while same < to {
        let mut other = same.saturating_add(STRIDE).min(to);
        if offset(other) == ahead {
            same = other;
            continue;
        }
        while other.saturating_sub(same) > 1 {
            let middle = same.saturating_add(other.saturating_sub(same) / 2);
            if offset(middle) == ahead {
                same = middle;
            } else {
                other = middle;
            }
        }
        return Some(other);
    }
    None
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// UTC.
    const UTC: &dyn Fn(i64) -> i64 = &|_| 0;

    /// Seconds since 1970 of a date and time.
    fn moment(text: &str) -> i64 {
        let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
        let day =
            (0..60_000).find(|day| year(*day) == number(0..4) && month_and_day(*day) == (number(5..7), number(8..10)));
        day.unwrap() * DAY + number(11..13) * HOUR + number(14..16) * MINUTE
    }

    fn year(day: i64) -> i64 {
        // By counting: the tests should not lean on what they test.
        let mut left = day;
        let mut year = 1970;
        loop {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = if leap { 366 } else { 365 };
            if left < length {
                return year;
            }
            (left, year) = (left - length, year + 1);
        }
    }

    fn shown(moment: i64) -> String {
        let (day, time) = (moment.div_euclid(DAY), moment.rem_euclid(DAY));
        let (month, of_month) = month_and_day(day);
        format!("{}-{month:02}-{of_month:02} {:02}:{:02}", year(day), time / HOUR, time % HOUR / MINUTE)
    }

    fn schedule(text: &str) -> Schedule {
        Schedule::try_from(text.to_owned()).unwrap()
    }

    /// The next times in UTC.
    fn times(text: &str, now: &str, offset: &dyn Fn(i64) -> i64, count: usize) -> Vec<String> {
        let schedule = schedule(text);
        let mut now = moment(now);
        let next = std::iter::from_fn(|| {
            now = schedule.next(now, offset)?;
            Some(shown(now))
        });
        next.take(count).collect()
    }

    #[test]
    fn the_next_time_is_the_first_that_all_fields_allow() {
        for (text, now, next) in [
            ("* * * * *", "2026-01-01 00:00", "2026-01-01 00:01"),
            ("*/15 * * * *", "2026-01-01 00:45", "2026-01-01 01:00"),
            ("0 0 * * *", "2026-12-31 23:59", "2027-01-01 00:00"),
            ("30 3 * * mon", "2026-11-21 12:00", "2026-11-23 03:30"),
            ("10-20/2 5 * * *", "2026-01-01 05:10", "2026-01-01 05:12"),
            ("10-20/2 5 * * *", "2026-01-01 05:20", "2026-01-02 05:10"),
            ("5,50 22-23 * * *", "2026-01-01 23:50", "2026-01-02 22:05"),
            ("0 12 31 * *", "2026-01-31 12:00", "2026-03-31 12:00"),
            ("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"),
            ("0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00"),
            ("0 0 * * 0", "2026-11-21 00:00", "2026-11-22 00:00"),
            ("0 0 * * 7", "2026-11-21 00:00", "2026-11-22 00:00"),
            ("0 0 * * fri-sun", "2026-11-23 00:00", "2026-11-27 00:00"),
            ("@hourly", "2026-01-01 00:00", "2026-01-01 01:00"),
            ("@daily", "2026-01-01 00:00", "2026-01-02 00:00"),
            ("@weekly", "2026-11-21 00:00", "2026-11-22 00:00"),
            ("@monthly", "2026-01-31 00:00", "2026-02-01 00:00"),
            ("@yearly", "2026-01-01 00:00", "2027-01-01 00:00"),
        ] {
            assert_eq!(times(text, now, UTC, 1), [next], "{text} from {now}");
        }
        assert_eq!(schedule("0 0 30 2 *").next(moment("2026-01-01 00:00"), UTC), None);
    }

    #[test]
    fn either_day_is_enough_if_both_are_restricted() {
        // The 13th of November 2026 is a Friday.
        assert_eq!(
            times("0 0 13 * fri", "2026-11-07 00:00", UTC, 3),
            ["2026-11-13 00:00", "2026-11-20 00:00", "2026-11-27 00:00"]
        );
        assert_eq!(times("0 0 13 * *", "2026-11-07 00:00", UTC, 2), ["2026-11-13 00:00", "2026-12-13 00:00"]);
        // As with cron, `*/2` is no restriction: both have to hold.
        assert_eq!(times("0 0 */2 * sun", "2026-11-07 00:00", UTC, 2), ["2026-11-15 00:00", "2026-11-29 00:00"]);
    }

    /// As in Berlin: in 2026 summer time is from the 29th of March to the 25th of October, 01:00 UTC.
    fn berlin(at: i64) -> i64 {
        let summer = 1_774_746_000..1_792_890_000;
        if summer.contains(&at) { 7_200 } else { 3_600 }
    }

    #[test]
    fn times_are_those_of_the_time_zone() {
        assert_eq!(
            times("0 12 * * *", "2026-03-27 12:00", &berlin, 3),
            ["2026-03-28 11:00", "2026-03-29 10:00", "2026-03-30 10:00"]
        );
        assert_eq!(
            times("0 12 1 7,12 *", "2026-01-01 12:00", &berlin, 3),
            ["2026-07-01 10:00", "2026-12-01 11:00", "2027-07-01 11:00"]
        );
    }

    #[test]
    fn what_was_to_run_in_the_hour_that_is_left_out_runs_once_right_after_it() {
        let next = times("30 2 * * *", "2026-03-28 00:00", &berlin, 3);
        assert_eq!(next, ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]);
        let next = times("*/20 * * * *", "2026-03-29 00:30", &berlin, 3);
        assert_eq!(next, ["2026-03-29 00:40", "2026-03-29 01:00", "2026-03-29 01:20"]);
        let next = times("0 2,3 * * *", "2026-03-28 12:00", &berlin, 2);
        assert_eq!(next, ["2026-03-29 01:00", "2026-03-30 00:00"]);
    }

    #[test]
    fn what_runs_in_every_hour_runs_in_the_one_that_comes_again_and_nothing_else_does() {
        let next = times("30 2 * * *", "2026-10-24 12:00", &berlin, 2);
        assert_eq!(next, ["2026-10-25 00:30", "2026-10-26 01:30"]);
        let next = times("0 1-4 * * *", "2026-10-24 22:30", &berlin, 4);
        assert_eq!(next, ["2026-10-24 23:00", "2026-10-25 00:00", "2026-10-25 02:00", "2026-10-25 03:00"]);
        let next = times("0 * * * *", "2026-10-24 22:30", &berlin, 4);
        assert_eq!(next, ["2026-10-24 23:00", "2026-10-25 00:00", "2026-10-25 01:00", "2026-10-25 02:00"]);
        let next = times("*/30 * * * *", "2026-10-25 00:10", &berlin, 4);
        assert_eq!(next, ["2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30", "2026-10-25 02:00"]);
    }

    #[test]
    fn a_day_that_a_time_zone_left_out_is_made_up_for() {
        // As in Samoa at the end of 2011, which went from the 29th to the 31st of December.
        let samoa = |at: i64| if at < 1_325_239_200 { -10 * HOUR } else { 14 * HOUR };
        assert_eq!(times("0 12 30 12 *", "2011-12-29 00:00", &samoa, 1), ["2011-12-30 10:00"]);
    }

    #[test]
    fn a_time_is_never_now_and_nothing_breaks_at_the_ends_of_time() {
        let every = schedule("* * * * *");
        let now = moment("2026-01-01 00:00");
        for (ahead, left) in [(0, 60), (1, 59), (59, 1)] {
            assert_eq!(every.next(now + ahead, UTC), Some(now + ahead + left));
        }
        assert_eq!(every.next(-1, UTC), Some(0));
        for now in [i64::MIN, i64::MAX, i64::MAX - 100, i64::MIN + 100] {
            for text in ["* * * * *", "0 0 29 2 *", "0 0 30 2 *"] {
                let _ = schedule(text).until_next(now);
            }
        }
        assert!(every.until_next(now).unwrap() <= Duration::from_secs(60));
    }

    /// By looking at every minute of two years.
    #[test]
    fn the_next_time_is_what_a_slow_search_finds() {
        for text in ["7 3 * * *", "*/25 5,17 1-10/3 * *", "0 0 13 * fri", "59 23 28-31 feb,oct *", "5 * * 3 1-5"] {
            let schedule = schedule(text);
            let begin = moment("2027-02-20 00:00");
            let minutes = (1..=2 * 366 * 24 * 60).map(|minute| begin + minute * MINUTE);
            let due = |at: &i64| {
                let time = at.rem_euclid(DAY);
                has(schedule.minutes, time % HOUR / MINUTE)
                    && has(schedule.hours.into(), time / HOUR)
                    && schedule.is_day(at.div_euclid(DAY))
            };
            let mut now = begin;
            for at in minutes.filter(due) {
                assert_eq!(schedule.next(now, UTC), Some(at), "{text} after {}", shown(now));
                now = at;
            }
        }
    }

    #[test]
    fn days_have_the_dates_of_the_calendar() {
        assert_eq!(month_and_day(0), (1, 1));
        assert_eq!(month_and_day(-1), (12, 31));
        assert_eq!(month_and_day(59), (3, 1));
        assert_eq!(month_and_day(11_016), (2, 29)); // 2000
        assert_eq!(month_and_day(20_778), (11, 21)); // 2026
    }
}
