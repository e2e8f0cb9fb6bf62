//! Signals by name.

use nix::sys::signal::Signal;

/// glibc's first real-time signal. Those who send `RTMIN+3` mean this one; musl's own differs.
const RTMIN: i32 = 34;
/// The last signal that Linux has.
const RTMAX: i32 = 64;

/// The number of a signal: `SIGTERM`, `TERM`, `RTMIN+3`, `RTMAX-1` or a number from 1 to 64; upper and lower case are
/// the same. None if there is no such signal.
#[must_use]
pub fn signal_number(name: &str) -> Option<i32> {
    let upper = name.to_ascii_uppercase();
    if upper.bytes().all(|byte| byte.is_ascii_digit()) {
        return upper.parse().ok().filter(|number| (1..=RTMAX).contains(number));
    }
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i32>().ok()).flatten();
    let real_time = match (short.split_once('+'), short.split_once('-')) {
        (None, None) if short == "RTMIN" => Some(RTMIN),
        (None, None) if short == "RTMAX" => Some(RTMAX),
        (Some(("RTMIN", plus)), None) => offset(plus).and_then(|plus| RTMIN.checked_add(plus)),
        (None, Some(("RTMAX", minus))) => offset(minus).and_then(|minus| RTMAX.checked_sub(minus)),
        _ => None,
    };
    real_time
        .filter(|number| (RTMIN..=RTMAX).contains(number))
        .or_else(|| format!("SIG{short}").parse::<Signal>().ok().map(|signal| signal as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_and_without_sig_in_either_case() {
        for (name, number) in [("SIGTERM", 15), ("TERM", 15), ("sigint", 2), ("Quit", 3), ("PWR", 30), ("USR1", 10)] {
            assert_eq!(signal_number(name), Some(number), "{name}");
        }
    }

    #[test]
    fn real_time_signals_count_as_senders_do() {
        for (name, number) in [("RTMIN", 34), ("SIGRTMIN+3", 37), ("rtmin+30", 64), ("RTMAX", 64), ("SIGRTMAX-1", 63)] {
            assert_eq!(signal_number(name), Some(number), "{name}");
        }
        for name in
            ["RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMAX-31", "RTMIN+", "RTMIN++3", "RTMIN+99999999999", "RTMIN+-3"]
        {
            assert_eq!(signal_number(name), None, "{name}");
        }
    }

    #[test]
    fn numbers_have_their_bounds() {
        assert_eq!((signal_number("1"), signal_number("64")), (Some(1), Some(64)));
        for name in ["0", "65", "-1", "+9", "", "99999999999", "15 ", "SIG15", "SIG", "SIGSIGTERM", "TREM"] {
            assert_eq!(signal_number(name), None, "{name:?}");
        }
    }
}
