//! From which place on a log is new enough.

use std::fs::File;
use std::io;

use super::reader::Reader;
use crate::config::duration;
use crate::job::Time;
use crate::job::log::Entry;
use crate::sys::local_offset;

/// How far from its end a log is looked at first, in bytes: mostly the last minutes are asked for.
const FIRST: u64 = 64 << 10;
/// What is shorter is read through, in bytes.
const SHORT: u64 = 16 << 10;

/// What `--since` says: `10m` before now, a time, or a day; times without a zone are those of the container.
///
/// # Errors
/// What is expected.
pub fn parse(text: &str, now: Time) -> Result<Time, String> {
    let text = text.trim();
    if let Ok(back) = duration::parse(text) {
        return Ok(Time(now.0.saturating_sub(u64::try_from(back.as_millis()).unwrap_or(u64::MAX))));
    }
    let moment = |text: &str| text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond());
    let local = || {
        let as_utc = moment(&format!("{text}Z")).or_else(|| moment(&format!("{text}T00:00Z")))?;
        Some(as_utc - local_offset(as_utc / 1000) * 1000)
    };
    let found = moment(text).or_else(local);
    found.and_then(|time| u64::try_from(time).ok()).map(Time).ok_or_else(|| {
        let shown = crate::words::clean(text, 40);
        format!("--since `{shown}`: expected 10m, 2026-01-31, 2026-01-31T12:00 or 2026-01-31T12:00:00Z")
    })
}

/// The place in a log of `end` bytes where the record stands that follows the last one that is too old. It is found from the
/// end, in ever larger steps, and then by halves: times grow, and where a clock was set there is still a place with old
/// records before and new ones behind.
///
/// # Errors
/// The file cannot be read.
pub fn place(file: &File, end: u64, since: Time) -> io::Result<u64> {
    let (mut from, mut to, mut step) = (end, end, FIRST);
    loop {
        if from == 0 {
            return Ok(0);
        }
        from = from.saturating_sub(step);
        step *= 2;
        match next_moment(file, from, to)? {
            Some(moment) if moment < since => break,
            _ => to = from,
        }
    }
    while to - from > SHORT {
        let middle = from + (to - from) / 2;
        match next_moment(file, middle, to)? {
            Some(moment) if moment < since => from = middle,
            _ => to = middle,
        }
    }
    let mut reader = Reader::behind(file, from)?.until(end);
    loop {
        let offset = reader.offset();
        match reader.next()? {
            Some(line) if moment(line).is_some_and(|moment| moment >= since) => return Ok(offset),
            Some(_) => {}
            None => return Ok(end),
        }
    }
}

/// The time of the first record behind a place that has one.
fn next_moment(file: &File, from: u64, to: u64) -> io::Result<Option<Time>> {
    let mut reader = Reader::behind(file, from)?;
    while reader.offset() < to
        && let Some(line) = reader.next()?
    {
        if let Some(moment) = moment(line) {
            return Ok(Some(moment));
        }
    }
    Ok(None)
}

fn moment(line: &[u8]) -> Option<Time> {
    Entry::read(line).ok()??.moment()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A log with a line at each of these seconds.
    fn log(seconds: impl Iterator<Item = u64>) -> (File, Vec<u64>, u64) {
        let mut file = tempfile::tempfile().unwrap();
        let (mut offsets, mut text) = (Vec::new(), String::new());
        for second in seconds {
            offsets.push(text.len() as u64);
            let time = Time(second * 1000);
            let words = "x".repeat(usize::try_from(second % 97).unwrap());
            text.push_str(&format!(
                "{{\"type\":\"line\",\"time\":\"{time}\",\"stream\":\"stdout\",\"text\":\"{words}\"}}\n"
            ));
            if second % 10 == 0 {
                text.push_str("torn\n");
            }
        }
        file.write_all(text.as_bytes()).unwrap();
        (file, offsets, text.len() as u64)
    }

    #[test]
    fn the_first_line_that_is_new_enough_is_found() {
        for count in [1, 2, 30, 20_000] {
            let (file, offsets, end) = log(1000..1000 + count);
            for back in [1, 2, 7, 500, 1500, 19_999, 20_000] {
                let Some(at) = count.checked_sub(back) else { continue };
                let expected = offsets[usize::try_from(at).unwrap()];
                let found = place(&file, end, Time((1000 + at) * 1000)).unwrap();
                // Behind the line before there may be a torn one.
                assert!(found == expected, "{count} {back}: {found}, not {expected}");
            }
            assert_eq!(place(&file, end, Time(0)).unwrap(), 0);
            assert_eq!(place(&file, end, Time(1 << 40)).unwrap(), end);
        }
    }

    #[test]
    fn a_clock_that_was_set_does_not_hide_what_is_new() {
        // A day ahead at first; then right.
        let (file, offsets, end) = log((100_000..101_000).chain(13_600..23_600));
        assert_eq!(place(&file, end, Time(23_500_000)).unwrap(), offsets[10_900]);
        // Set back by an hour in the middle.
        let (file, offsets, end) = log((10_000..20_000).chain(16_400..26_400));
        assert_eq!(place(&file, end, Time(26_300_000)).unwrap(), offsets[19_900]);
        assert_eq!(place(&file, end, Time(10_000_000)).unwrap(), 0);
    }

    #[test]
    fn a_log_without_times_is_new() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"torn\ntorn\n").unwrap();
        assert_eq!(place(&file, 10, Time(1)).unwrap(), 0);
        assert_eq!(place(&file, 0, Time(1)).unwrap(), 0);
    }

    #[test]
    fn since_is_a_span_a_time_or_a_day() {
        let now = Time(1_769_900_400_000);
        assert_eq!(parse("10m", now), Ok(Time(1_769_899_800_000)));
        assert_eq!(parse("2026-01-31T22:59:59Z", now), Ok(Time(1_769_900_399_000)));
        assert_eq!(parse("2026-01-31T23:59:59+01:00", now), Ok(Time(1_769_900_399_000)));
        for (local, utc) in
            [("2026-01-31", 1_769_817_600), ("2026-01-31T12:00", 1_769_860_800), ("2026-01-31 12:00:00", 1_769_860_800)]
        {
            assert_eq!(
                parse(local, now),
                Ok(Time(u64::try_from((utc - local_offset(utc)) * 1000).unwrap())),
                "{local}"
            );
        }
        for wrong in ["", "10", "soon", "\u{1b}[2J"] {
            assert!(parse(wrong, now).is_err_and(|error| !error.contains('\u{1b}')), "{wrong:?}");
        }
    }
}
