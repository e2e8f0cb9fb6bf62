//! How far a job is, read from what it prints: progress bars and counters of the usual tools.

use super::Progress;

/// So much of a line is looked at, in bytes: counters stand at its beginning, bars are as wide as a terminal.
const LOOKED_AT: usize = 1000;
/// Where a line has a percentage and a counter that differ by more (in hundredths of a percent), they are about different
/// things, and the outer one stands first: `[3/17] Downloading 42%`.
const SAME: u64 = 150;

/// How far a job is by this line, which is without escape sequences; none if the line does not tell. Percentages and
/// counters are known (`42%`, `[3/17]`, `3/17`, `(3 of 17)`); dates, versions, paths and what is beyond 100 % are not taken
/// for them. The percentage is computed where there is only a counter.
#[must_use]
pub fn find(line: &str) -> Option<Progress> {
    let bytes = line.as_bytes();
    let bytes = bytes.get(..LOOKED_AT).unwrap_or(bytes);
    let (mut percent, mut ratio) = (None, None);
    let mut at = 0;
    while at < bytes.len() && (percent.is_none() || ratio.is_none()) {
        let Some(number) = Number::read(bytes, at) else {
            at += 1;
            continue;
        };
        if begins(bytes, at) {
            if percent.is_none() {
                percent =
                    is_percent(bytes, &number).then(|| (number.hundredths(), at)).filter(|found| found.0 <= 10_000);
            }
            if ratio.is_none() {
                ratio = Ratio::read(bytes, at, &number).map(|ratio| (ratio, at));
            }
        }
        at = number.end;
    }
    let percent = percent.or_else(|| curl(line).map(|percent| (percent * 100, 0)));
    let (percent, counter) = match (percent, ratio) {
        (None, None) => return None,
        (Some((percent, _)), None) => (percent, None),
        (None, Some((ratio, _))) => (ratio.percent, ratio.counter),
        (Some((percent, at)), Some((ratio, place))) => match (percent.abs_diff(ratio.percent) <= SAME, place < at) {
            (true, _) => (percent, ratio.counter),
            (false, true) => (ratio.percent, ratio.counter),
            (false, false) => (percent, None),
        },
    };
    let hundredths = u32::try_from(percent).unwrap_or(10_000);
    let (done, total) = counter.unzip();
    Some(Progress { percent: Some(f64::from(hundredths) / 100.0), done, total })
}

/// A number, as counters have it: `17`, `1,234`, `12.5`.
struct Number {
    whole: u64,
    /// The first two decimals; none: there are no decimals.
    decimals: Option<u64>,
    /// `01`: part of a date.
    padded: bool,
    /// Behind its last character.
    end: usize,
}

impl Number {
    fn read(bytes: &[u8], from: usize) -> Option<Self> {
        let digit = |at: usize| bytes.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| u64::from(byte - b'0'));
        let mut number = Self { whole: digit(from)?, decimals: None, padded: false, end: from + 1 };
        number.padded = number.whole == 0 && digit(from + 1).is_some();
        loop {
            if let Some(next) = digit(number.end) {
                number.whole = number.whole.saturating_mul(10).saturating_add(next);
                number.end += 1;
            } else if bytes.get(number.end) == Some(&b',')
                && (1..=3).all(|ahead| digit(number.end + ahead).is_some())
                && digit(number.end + 4).is_none()
            {
                number.end += 1;
            } else {
                break;
            }
        }
        if bytes.get(number.end) == Some(&b'.')
            && let Some(tenths) = digit(number.end + 1)
        {
            number.decimals = Some(tenths * 10 + digit(number.end + 2).unwrap_or(0));
            number.end += 2;
            while digit(number.end).is_some() {
                number.end += 1;
            }
        }
        Some(number)
    }

    fn hundredths(&self) -> u64 {
        self.whole.saturating_mul(100).saturating_add(self.decimals.unwrap_or(0))
    }
}

/// Whether a number may begin here: not within a word, a path, a version, a time, or below zero.
fn begins(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| bytes.get(at));
    match before(1) {
        None => true,
        Some(b':' | b',') => !before(2).is_some_and(u8::is_ascii_digit),
        Some(b'.' | b'-' | b'/' | b'+' | b'%' | b'_' | b'#' | b'$' | b'@' | b'~' | b'\\') => false,
        Some(byte) => !byte.is_ascii_alphanumeric(),
    }
}

fn is_percent(bytes: &[u8], number: &Number) -> bool {
    let end = number.end + usize::from(bytes.get(number.end) == Some(&b' '));
    // `%20` is a space in a URL.
    bytes.get(end) == Some(&b'%')
        && !bytes.get(end + 1).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'%')
}

/// So many of so many.
struct Ratio {
    /// In hundredths of a percent.
    percent: u64,
    /// Done and total, if they count something; none with amounts such as `1.5/3.2 MB`.
    counter: Option<(u64, u64)>,
}

impl Ratio {
    fn read(bytes: &[u8], at: usize, done: &Number) -> Option<Self> {
        let before = bytes.get(..at).unwrap_or_default();
        let opened = before.trim_ascii_end().ends_with(b"[") || before.trim_ascii_end().ends_with(b"(");
        let rest = bytes.get(done.end..)?;
        let (between, words) = match rest {
            [b'/', ..] => (1, false),
            [b' ', b'/', b' ', ..] if opened => (3, false),
            [b' ', b'o', b'f', b' ', ..] => (4, true),
            _ => return None,
        };
        let total = Number::read(bytes, done.end + between)?;
        let after = bytes.get(total.end..).unwrap_or_default();
        let closed = opened && matches!(after.trim_ascii_start().first(), Some(b']' | b')'));
        let ends = match after {
            [b'.', next, ..] => next.is_ascii_whitespace(),
            [] | [b'.' | b' ' | b'\t' | b'\r' | b']' | b')' | b',' | b':' | b';' | b'|', ..] => true,
            _ => false,
        };
        let counts = match (done.decimals, total.decimals) {
            (None, None) => true,
            // Versions look like this, too, but have no unit.
            _ if is_amount(after) => false,
            _ => return None,
        };
        let fits = closed || ends && !done.padded && !total.padded && !before.ends_with(b"=");
        // Anything may be "3 of 17" in a sentence.
        let fits = fits && (!words || opened || is_step(before));
        let (part, all) = (done.hundredths(), total.hundredths());
        if !fits || part > all || all == 0 {
            return None;
        }
        let percent = u64::try_from(u128::from(part) * 10_000 / u128::from(all)).unwrap_or(10_000);
        Some(Self { percent, counter: counts.then_some((done.whole, total.whole)) })
    }
}

/// Whether a unit of bytes follows.
fn is_amount(after: &[u8]) -> bool {
    let after = after.trim_ascii_start();
    [b"B".as_slice(), b"kB", b"KB", b"KiB", b"MB", b"MiB", b"GB", b"GiB", b"TB", b"TiB", b"bytes"]
        .iter()
        .any(|unit| after.strip_prefix(*unit).is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphanumeric)))
}

/// Whether the last word is one that is counted.
fn is_step(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let from = before.iter().rposition(|byte| *byte == b' ').map_or(0, |space| space + 1);
    let word = before.get(from..).unwrap_or_default();
    [
        b"step".as_slice(),
        b"stage",
        b"part",
        b"file",
        b"test",
        b"package",
        b"chunk",
        b"batch",
        b"epoch",
        b"task",
        b"shard",
    ]
    .iter()
    .any(|known| word.eq_ignore_ascii_case(known))
}

/// The percentage of curl's table, which has no percent sign: ` 42  100M   42 42.0M    0     0  1.5M      0  0:01:06 …`.
fn curl(line: &str) -> Option<u64> {
    let mut columns = [""; 12];
    let mut count = 0;
    for column in line.split_ascii_whitespace() {
        *columns.get_mut(count)? = column;
        count += 1;
    }
    let times =
        columns.get(8..11)?.iter().all(|time| time.contains(':') && !time.contains(|c: char| c.is_alphabetic()));
    (count == 12 && times).then(|| columns.first()?.parse().ok())?.filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Percent, done and total.
    type Expected = (f64, Option<(u64, u64)>);

    #[test]
    fn bars_and_counters_of_the_usual_tools_are_read() {
        let lines: &[(&str, Expected)] = &[
            ("42%", (42.0, None)),
            ("42.5 %", (42.5, None)),
            ("100%", (100.0, None)),
            ("0%", (0.0, None)),
            ("99.999% done", (99.99, None)),
            ("[3/17]", (17.64, Some((3, 17)))),
            ("3/17", (17.64, Some((3, 17)))),
            ("(3 of 17)", (17.64, Some((3, 17)))),
            ("Step 3/17 : RUN make", (17.64, Some((3, 17)))),
            ("Step 3 of 17: unpacking", (17.64, Some((3, 17)))),
            ("[3/17] Building CXX object src/a.cc.o", (17.64, Some((3, 17)))),
            ("[03/17] cc a.c", (17.64, Some((3, 17)))),
            ("[ 42%] Building C object CMakeFiles/a.dir/a.c.o", (42.0, None)),
            ("[100%] Built target a", (100.0, None)),
            (" 42%|████▏     | 42/100 [00:10<00:14,  4.00it/s]", (42.0, Some((42, 100)))),
            ("Epoch 3:  42%|████▏     | 420/1000 [10:00<13:48,  1.43s/it]", (42.0, Some((420, 1000)))),
            ("Epoch 3/10", (30.0, Some((3, 10)))),
            ("42/100 [===========>..................] - ETA: 10s", (42.0, Some((42, 100)))),
            ("==> [12/240] Installing zlib-1.3.1-abcdef", (5.0, Some((12, 240)))),
            ("    Building [===>          ] 12/240: serde, syn(build)", (5.0, Some((12, 240)))),
            ("[1,234 / 5,678] Compiling src/main.cc; 3s linux-sandbox", (21.73, Some((1234, 5678)))),
            ("#8 [3/17] RUN make", (17.64, Some((3, 17)))),
            ("Receiving objects:  42% (420/1000), 1.20 MiB | 3.00 MiB/s", (42.0, Some((420, 1000)))),
            ("linux.tar.xz         42%[=======>            ]  55.10M  10.1MB/s    eta 8s", (42.0, None)),
            ("  1050K .......... .......... .......... 42% 1.20M 3s", (42.0, None)),
            (" 42 1024M   42  430M    0     0  10.1M      0  0:01:41  0:00:42  0:00:59 10.1M", (42.0, None)),
            ("######################                    42.0%", (42.0, None)),
            ("     ━━━━━━━━━━━━━━ 12.5/50.0 MB 1.2 MB/s eta 0:00:10", (25.0, None)),
            ("     ━━━━━━━━━━━━━━ 12/50 kB 1.2 MB/s eta 0:00:10", (24.0, Some((12, 50)))),
            ("model.safetensors:  42%|████▏     | 2.10G/5.00G [00:10<00:14, 200MB/s]", (42.0, None)),
            ("Fetching 12 files:  42%|████▏     | 5/12 [00:10<00:14]", (42.0, Some((5, 12)))),
            ("  1,234,567  42%    1.18MB/s    0:00:10 (xfr#3, to-chk=17/20)", (42.0, None)),
            (" 3/17 Test  #3: parser ..........   Passed    0.01 sec", (17.64, Some((3, 17)))),
            ("Progress: [ 42%] [####......]", (42.0, None)),
            ("progress=42%", (42.0, None)),
            ("pytorch-2.1 | 1.2 GB | ####3     |  42%", (42.0, None)),
            ("Epoch [3/10], Step [100/600], Loss: 0.1234", (30.0, Some((3, 10)))),
            // The percentage is that of a file, the counter that of all.
            ("[3/17] Downloading zlib-1.3.tar.gz 80%", (17.64, Some((3, 17)))),
            ("80% of (3/17)", (80.0, None)),
            ("Copied 3/17.", (17.64, Some((3, 17)))),
            ("0/8 done", (0.0, Some((0, 8)))),
        ];
        for (line, (percent, counter)) in lines {
            let (done, total) = counter.unzip();
            assert_eq!(find(line), Some(Progress { percent: Some(*percent), done, total }), "{line}");
        }
    }

    #[test]
    fn dates_versions_paths_and_nonsense_are_not_progress() {
        for line in [
            "",
            "hello",
            "2026/01/31 12:00:00 started",
            "31/01/2026",
            "01/31 12:00:00 started",
            "1/31/26",
            "a/3/17",
            "/3/17",
            "3/17/c",
            "src/3/17.c",
            "v3/17",
            "17/3",
            "open 24/7",
            "10.0.0.0/16",
            "192.168.1.1/24",
            "3.11/3.12 supported",
            "142%",
            "100.01%",
            "-5%",
            "https://a.b/c%20d",
            "a42%20b 42%20",
            "printf 42%d 42%%",
            "3/0",
            "0/0",
            "1.2.3%",
            "HTTP/1.1 200 OK",
            "took 12:30/5",
            "3 of 17 dogs",
            "99999999999999999999999999/3",
            "to-chk=3/17",
            " 42 1024M   42  430M    0     0  10.1M      0  a b c d",
            "%",
            "/",
            "[/]",
            "[3/]",
        ] {
            assert_eq!(find(line), None, "{line}");
        }
    }

    #[test]
    fn no_line_is_too_strange() {
        for text in ["9", "9,", "9.", "9/", "[9 /", "9 of", "9 of ", "█9%█", "\0", "9,999,", "[ 9 / 9 ]"] {
            for count in [1, 2, 500, 3000] {
                let _ = find(&text.repeat(count));
            }
        }
    }
}
