//! The time as it stands in front of lines: RFC 3339 with milliseconds, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// How long a time is in bytes.
pub const TIME: usize = 24;

/// Writes times, and remembers the last one: in most batches only the milliseconds have changed.
pub struct Clock {
    second: Option<u64>,
    text: [u8; TIME],
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that has not written anything.
    #[must_use]
    pub fn new() -> Self {
        Self { second: None, text: *b"1970-01-01T00:00:00.000Z" }
    }

    /// A time in milliseconds since 1970, written down.
    pub fn text(&mut self, milliseconds: u64) -> &[u8; TIME] {
        let second = milliseconds / 1000;
        if self.second != Some(second) {
            self.second = Some(second);
            let (year, month, day) = date(second / 86_400);
            let of_day = second % 86_400;
            for (place, digits, number) in [
                (0, 4, year),
                (5, 2, month),
                (8, 2, day),
                (11, 2, of_day / 3600),
                (14, 2, of_day / 60 % 60),
                (17, 2, of_day % 60),
            ] {
                self.put(place, digits, number);
            }
        }
        self.put(20, 3, milliseconds % 1000);
        &self.text
    }

    fn put(&mut self, place: usize, digits: usize, mut number: u64) {
        for digit in self.text.iter_mut().skip(place).take(digits).rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Year, month and day of a day that is counted from 1970. Howard Hinnant's `civil_from_days`, for years that begin in
/// March, so that the leap day is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let mut clock = Clock::new();
        let mut milliseconds = 0u64;
        while milliseconds < 4_102_444_800_000 {
            let known = jiff::Timestamp::from_millisecond(i64::try_from(milliseconds).unwrap()).unwrap();
            let text = String::from_utf8(clock.text(milliseconds).to_vec()).unwrap();
            assert_eq!(text, format!("{known:.3}"));
            // Eleven hours and a bit, so that every hour, every day and many milliseconds have their turn.
            milliseconds += 39_876_543;
        }
        assert_eq!(clock.text(1_709_251_199_999), b"2024-02-29T23:59:59.999Z");
        assert_eq!(clock.text(1_709_251_199_001), b"2024-02-29T23:59:59.001Z");
    }
}
