//! What a status means, and when to come back.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::super::{Failure, Retry};
use super::explain::PROXY_CREDENTIALS;

/// The longest time that is waited because a server says so.
const LONGEST: Duration = Duration::from_secs(600);

/// The failure that a status other than success stands for.
pub(super) fn failure<'a>(
    status: u16,
    header: impl Fn(&str) -> Option<&'a str>,
    host: &str,
    now: Timestamp,
) -> Failure {
    let wait = || after(&header, now);
    match status {
        404 | 410 => Failure::permanent(format!("the server has no such file (status {status})")),
        401 => Failure::permanent(format!("{host} wants to know who is there (status 401)"))
            .hint("the URL needs credentials, or is not a public one"),
        // GitHub's way to say that too much was asked for.
        403 if header("x-ratelimit-remaining") == Some("0") || header("retry-after").is_some() => {
            Failure { retry: wait(), ..Failure::passing(format!("{host} has been asked too often (status 403)")) }
        }
        403 => Failure::permanent(format!("{host} does not give this away (status 403)"))
            .hint("is it public, or does a proxy refuse it?"),
        407 => Failure::permanent("the proxy wants to know who is there (status 407)").hint(PROXY_CREDENTIALS),
        429 => Failure { retry: wait(), ..Failure::passing(format!("{host} has been asked too often (status 429)")) },
        503 => Failure { retry: wait(), ..Failure::passing(format!("{host} is busy (status 503)")) },
        408 | 425 | 500..=599 => Failure::passing(format!("{host} answers with status {status}")),
        _ => Failure::permanent(format!("{host} answers with status {status}")),
    }
}

/// When to come back (`Retry-After`, or what GitHub has for it).
fn after<'a>(header: impl Fn(&str) -> Option<&'a str>, now: Timestamp) -> Retry {
    let until = |second: i64| u64::try_from(second.saturating_sub(now.as_second())).unwrap_or(0);
    let asked = header("retry-after")
        .and_then(|value| value.parse().ok().or_else(|| time(value).map(|time| until(time.as_second()))));
    let seconds = asked.or_else(|| header("x-ratelimit-reset")?.parse().ok().map(until));
    match seconds {
        Some(seconds @ 1..) => Retry::After(Duration::from_secs(seconds).min(LONGEST)),
        _ => Retry::Soon,
    }
}

/// A date as headers have it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn time(value: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn retry(status: u16, headers: &[(&str, &str)]) -> Retry {
        let header = |name: &str| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
        let failure = failure(status, header, "host", time(NOW).unwrap());
        assert!(failure.text.contains(&status.to_string()), "{failure}");
        failure.retry
    }

    #[test]
    fn who_says_when_to_come_back_is_believed_within_reason() {
        let after = |seconds| Retry::After(Duration::from_secs(seconds));
        for (value, expected) in [
            ("7", after(7)),
            ("0", Retry::Soon),
            ("100000", after(600)),
            ("99999999999999999999999", Retry::Soon),
            ("-5", Retry::Soon),
            ("soon", Retry::Soon),
            ("Sun, 06 Nov 1994 08:50:00 GMT", after(23)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Retry::Soon),
            ("Sat, 06 Nov 2094 08:00:00 GMT", after(600)),
        ] {
            for status in [429, 503, 403] {
                assert_eq!(retry(status, &[("retry-after", value)]), expected, "{status} {value}");
            }
        }
        let reset = (time(NOW).unwrap().as_second() + 60).to_string();
        let limited = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &*reset)];
        assert_eq!(retry(403, &limited), after(60));
        assert_eq!(retry(403, &[("x-ratelimit-remaining", "0")]), Retry::Soon);
    }

    #[test]
    fn a_status_is_worth_another_try_or_is_not() {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(retry(status, &[]), Retry::Soon, "{status}");
        }
        for status in [204, 206, 300, 304, 400, 401, 403, 404, 405, 407, 410, 416, 418, 451] {
            assert_eq!(retry(status, &[]), Retry::Never, "{status}");
        }
        assert_eq!(retry(403, &[("x-ratelimit-remaining", "12")]), Retry::Never);
    }
}
