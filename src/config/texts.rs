//! Texts that stand for a value, read in one place: the check asks whether they can be, the plan what they mean.
//! No error shows what was written: it may come from a variable.

use std::time::Duration;

use crate::engine::schedule::Schedule;
use crate::engine::spec::When;

use super::duration;

/// The shortest time between two starts by `every`.
const SHORTEST_EVERY: Duration = Duration::from_secs(1);

/// An amount of bytes: `1048576`, `64MiB`. `K`, `M`, `G` and `T` mean the same as `KiB` and so on, as for `docker run`.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (amount, unit) = text.split_at(digits);
    let shift = match unit.trim_start() {
        "" | "B" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        "T" | "TiB" => 40,
        _ => return None,
    };
    amount.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// A status of http, or a range of them: `200`, `200-299`.
#[must_use]
pub fn status_range(text: &str) -> Option<(u16, u16)> {
    let code = |text: &str| {
        let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().filter(|code| (100..=599).contains(code))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((code(first)?, code(last)?)).filter(|(first, last)| first <= last)
}

/// A file mode creation mask in octal: `022`, `0027`.
#[must_use]
pub fn umask(text: &str) -> Option<u32> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    digits.then(|| u32::from_str_radix(text, 8).ok()).flatten().filter(|mask| *mask <= 0o777)
}

/// What `every` says: a duration, a cron expression, or `@hourly` and its like.
///
/// # Errors
/// Why it is none of these.
pub fn every(text: &str) -> Result<When, String> {
    match duration::parse(text) {
        Ok(pause) if pause < SHORTEST_EVERY => Err("at least a second has to lie between two starts".to_owned()),
        Ok(pause) => Ok(When::Every(pause)),
        Err(_) if text.trim().contains([' ', '\t']) || text.trim().starts_with('@') => {
            Schedule::try_from(text.trim().to_owned()).map(When::At)
        }
        Err(_) => Err("expected a duration such as `10m`, a cron expression such as `30 3 * * mon`, or `@hourly`, \
                       `@daily`, `@weekly` or `@monthly`"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units_of_1024() {
        for (text, amount) in [
            ("0", 0),
            ("4096", 4096),
            ("4KiB", 4096),
            ("4 K", 4096),
            ("10MiB", 10 << 20),
            ("2G", 2 << 30),
            ("1TiB", 1 << 40),
            ("7B", 7),
        ] {
            assert_eq!(bytes(text), Some(amount), "{text}");
        }
        for text in ["", "KiB", "-1", "1.5MiB", "1MB", "1kib", "1 000", "99999999999999999999", "18446744073709551615K"]
        {
            assert_eq!(bytes(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_status_is_one_or_a_range() {
        assert_eq!(status_range("200"), Some((200, 200)));
        assert_eq!(status_range("200-299"), Some((200, 299)));
        assert_eq!(status_range("100-599"), Some((100, 599)));
        for text in ["", "2xx", "99", "600", "299-200", "200-", "-200", "200-299-300", "+20", "0200", "200 - 299"] {
            assert_eq!(status_range(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_umask_is_octal() {
        for (text, mask) in [("022", 0o22), ("22", 0o22), ("0027", 0o27), ("0", 0), ("777", 0o777)] {
            assert_eq!(umask(text), Some(mask), "{text}");
        }
        for text in ["", "8", "0o22", "1777", "00022", "-1", "u=rwx"] {
            assert_eq!(umask(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_is_a_duration_or_times_of_day() {
        assert_eq!(every("10m"), Ok(When::Every(Duration::from_secs(600))));
        assert_eq!(every("1h 30m"), Ok(When::Every(Duration::from_secs(5400))));
        for text in ["30 3 * * mon", "*/5 * * * *", "@hourly"] {
            let Ok(When::At(schedule)) = every(text) else { panic!("{text}") };
            assert_eq!(String::from(schedule), text);
        }
        for text in ["", "10", "soon", "0s", "999ms", "hourly"] {
            every(text).unwrap_err();
        }
    }
}
