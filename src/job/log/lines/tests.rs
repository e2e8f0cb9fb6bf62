use proptest::prelude::*;
use serde_json::Value;

use super::*;

const NOW: &[u8; TIME] = b"2026-01-02T03:04:05.678Z";

fn records(out: &[u8]) -> Vec<Value> {
    assert!(out.is_empty() || out.ends_with(b"\n"));
    let text = std::str::from_utf8(out).unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in &records {
        assert_eq!(
            (&record["type"], &record["time"], &record["stream"]),
            (&"line".into(), &"2026-01-02T03:04:05.678Z".into(), &"stdout".into())
        );
    }
    records
}

/// The records of all that was fed, those of the end apart, and the number of lines.
fn fed(ansi: Ansi, pieces: &[&[u8]]) -> (Vec<Value>, Vec<Value>, u64) {
    let (mut lines, mut out, mut end) = (Lines::new(Stream::Stdout, ansi), Vec::new(), Vec::new());
    pieces.iter().for_each(|piece| lines.feed(piece, NOW, &mut out));
    lines.finish(NOW, &mut end);
    (records(&out), records(&end), lines.lines())
}

/// The texts of all lines, with what else is said of them.
fn told(ansi: Ansi, input: &[u8]) -> Vec<String> {
    let (mut all, end, _) = fed(ansi, &[input]);
    all.extend(end);
    let tell = |record: &Value| {
        let marks = ["base64", "redrawn", "part", "unended"];
        let marks = marks.iter().filter_map(|mark| record.get(*mark).map(|value| format!(" {mark}={value}")));
        format!("{}{}", record["text"].as_str().unwrap(), marks.collect::<String>())
    };
    all.iter().map(tell).collect()
}

#[test]
fn lines_of_any_kind_survive() {
    assert_eq!(told(Ansi::Keep, b"a\n\nb\t\"c\\\0\n\x1b[1md"), ["a", "", "b\t\"c\\\0", "\u{1b}[1md unended=true"]);
    assert_eq!(told(Ansi::Keep, b"a\xffb\nplain\n"), ["a\u{fffd}b base64=\"Yf9i\"", "plain"]);
    assert_eq!(told(Ansi::Keep, "Größe 世\n".as_bytes()), ["Größe 世"]);
    assert_eq!(told(Ansi::Keep, b""), [""; 0]);
}

#[test]
fn a_bar_is_folded_into_what_was_left_on_the_screen() {
    for (raw, text) in [
        ("10%\r20%\r30%\n", "30% redrawn=2"),
        ("\r10%\r20%\n", "20% redrawn=1"),
        ("10%\r20%\r\n", "20% redrawn=1"),
        ("10%\r20%\r", "20% redrawn=1 unended=true"),
        ("10%\r", "10% unended=true"),
        ("a\r\n", "a"),
        ("a\r\r\n", "a"),
        ("\r\n", ""),
        ("  \r\n", "  "),
        ("\ra\n", "a"),
        ("long line\rshort\n", "short redrawn=1"),
        // Erased at its end: with the sequence for it, with blanks.
        ("10%\r\x1b[K\r20%\r\x1b[K\n", "20% redrawn=1"),
        ("10%\r20%\r      \r\n", "20% redrawn=1"),
        ("10%\r\x1b[?25h\n", "10%"),
    ] {
        for ansi in [Ansi::Keep, Ansi::Strip] {
            assert_eq!(told(ansi, raw.as_bytes()), [text], "{raw:?}");
            let then = [raw.trim_end_matches('\n'), "\nnext\n"].concat();
            assert_eq!(told(ansi, then.as_bytes()).last().unwrap(), "next", "{raw:?}");
        }
    }
    assert_eq!(told(Ansi::Keep, b"10%\r\x1b[KDone\n"), ["\u{1b}[KDone redrawn=1"]);
    assert_eq!(told(Ansi::Strip, b"10%\r\x1b[KDone\n"), ["Done redrawn=1"]);
    assert_eq!(told(Ansi::Strip, b"\x1b[3\r1mred\x1b]8;;u\x07 link\x1b]8;;\x1b\\\n"), ["red link"]);
}

#[test]
fn a_bar_that_is_redrawn_for_hours_takes_no_memory() {
    let mut lines = Lines::new(Stream::Stdout, Ansi::Keep);
    let mut out = Vec::new();
    for _ in 0..100 {
        lines.feed(&b" 57%|####     | 570/1000 [00:57<00:43]\r\x1b[?25l\r".repeat(1000), NOW, &mut out);
    }
    assert!(out.is_empty());
    assert!(lines.fold.line.capacity() + lines.fold.left.capacity() < 1000);
    assert_eq!(lines.current(), b" 57%|####     | 570/1000 [00:57<00:43]");
    assert_eq!(lines.last().as_deref(), Some("57%|####     | 570/1000 [00:57<00:43]"));
    lines.feed(b"\n", NOW, &mut out);
    assert_eq!(records(&out)[0]["redrawn"], 99_999);
    assert_eq!(lines.lines(), 1);
}

#[test]
fn a_long_line_is_cut_into_parts_that_are_text() {
    let line = format!("x{}\x1b[31mred\x1b[0m\n", "ü".repeat(LONGEST));
    let (all, end, lines) = fed(Ansi::Keep, &line.as_bytes().chunks(1 << 20).collect::<Vec<_>>());
    let texts: Vec<&str> = all.iter().map(|record| record["text"].as_str().unwrap()).collect();
    assert_eq!(texts.concat(), line.trim_end());
    assert!(texts.iter().all(|text| text.len() <= LONGEST));
    assert!(all.iter().all(|record| record.get("base64").is_none()));
    assert_eq!(all.iter().map(|record| record["part"] == true).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!((end.len(), lines), (0, 1));
}

#[test]
fn a_long_line_is_not_cut_within_an_escape_sequence() {
    for before in LONGEST - 12..LONGEST + 2 {
        let line = [&vec![b'x'; before][..], b"\x1b]8;;u\x1b\\y\n"].concat();
        let (all, _, _) = fed(Ansi::Keep, &[&line]);
        let first = all[0]["text"].as_str().unwrap();
        assert!(first.ends_with('x') || first.ends_with("\x1b\\") || first.ends_with('y'), "{before}");
    }
}

#[test]
fn a_line_that_is_just_short_enough_is_not_cut() {
    let line = [vec![b'x'; LONGEST], b"\r\n".to_vec()].concat();
    assert_eq!(fed(Ansi::Keep, &[&line[..10], &line[10..]]).0.len(), 1);
    assert_eq!(fed(Ansi::Keep, &[&[b"y", &line[..]].concat()]).0.len(), 2);
}

#[test]
fn ten_megabytes_without_a_newline_take_no_memory() {
    let mut lines = Lines::new(Stream::Stdout, Ansi::Strip);
    let (mut out, mut length) = (Vec::new(), 0);
    for _ in 0..160 {
        out.clear();
        lines.feed(&[b'x'; 65_000], NOW, &mut out);
        length += records(&out).iter().map(|record| record["text"].as_str().unwrap().len()).sum::<usize>();
    }
    assert_eq!(length + lines.current().len(), 160 * 65_000);
    assert!(lines.fold.line.capacity() <= 4 * LONGEST && lines.lines() == 0);
    assert_eq!(lines.last().unwrap().chars().count(), 500);
}

#[test]
fn a_sequence_without_an_end_takes_no_memory_and_only_its_line() {
    let mut lines = Lines::new(Stream::Stdout, Ansi::Strip);
    let mut out = Vec::new();
    lines.feed(b"a\x1b]0;", NOW, &mut out);
    for _ in 0..100 {
        lines.feed(&[b'x'; 65_000], NOW, &mut out);
    }
    lines.feed(b"\nb\n", NOW, &mut out);
    let texts: Vec<Value> = records(&out).iter().map(|record| record["text"].clone()).collect();
    assert_eq!(texts, ["a", "b"]);
}

#[test]
fn the_last_line_is_the_last_that_showed_something() {
    let last = |input: &[u8]| {
        let mut lines = Lines::new(Stream::Stderr, Ansi::Keep);
        lines.feed(input, NOW, &mut Vec::new());
        lines.last()
    };
    assert_eq!(last(b""), None);
    assert_eq!(last(b"\n  \n"), None);
    assert_eq!(last(b"a\nb\n \n\x1b[0m\n").as_deref(), Some("b"));
    assert_eq!(last(b"\x1b[31m red\x07\xff\x1b[0m \nbegun").as_deref(), Some("red?\u{fffd}"));
    assert_eq!(last(b"a\n1%\r2%\n").as_deref(), Some("2%"));
    assert_eq!(last(b"a\n1%\r2%").as_deref(), Some("2%"));
    assert_eq!(last(b"1%\r2%\nb\n").as_deref(), Some("b"));
    let mut lines = Lines::new(Stream::Stdout, Ansi::Keep);
    lines.feed(b"a\nprompt? ", NOW, &mut Vec::new());
    assert_eq!(lines.current(), b"prompt? ");
    lines.finish(NOW, &mut Vec::new());
    assert_eq!((lines.last().as_deref(), lines.lines(), lines.current()), (Some("prompt?"), 2, &b""[..]));
}

/// Bytes of which many mean something here.
fn input(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            &b"\n"[..], b"\r", b"\r\n", b" ", b"\x1b", b"\x1b[K", b"\x1b[31mred", b"\x1b]8;;u\x1b\\", b"\x07", b"\"", b"\\", b"\0",
            "ü".as_bytes(), "世界".as_bytes(), b"\xff", b"\xc3", b"some longer plain text, more than four words of it",
        ]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..5),
    ];
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

fn bytes_of(record: &Value) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = record["text"].as_str().unwrap();
    let Some(base64) = record.get("base64") else { return text.as_bytes().to_vec() };
    let base64 = base64.as_str().unwrap().trim_end_matches('=');
    let (mut bytes, mut bits, mut have) = (Vec::new(), 0u32, 0);
    for digit in base64.bytes() {
        bits = bits << 6 | DIGITS.iter().position(|known| *known == digit).unwrap() as u32;
        have += 6;
        if have >= 8 {
            have -= 8;
            bytes.push((bits >> have) as u8);
        }
    }
    assert_eq!(text, String::from_utf8_lossy(&bytes));
    bytes
}

proptest! {
    #[test]
    fn however_it_is_split_the_records_are_the_same(
        input in input(60), at in prop::collection::vec(any::<prop::sample::Index>(), 0..6), strip in any::<bool>()
    ) {
        let ansi = if strip { Ansi::Strip } else { Ansi::Keep };
        let mut at: Vec<usize> = at.iter().map(|at| at.index(input.len() + 1)).collect();
        at.extend([0, input.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect();
        prop_assert_eq!(fed(ansi, &pieces), fed(ansi, &[&input]));
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        prop_assert_eq!(fed(ansi, &bytes), fed(ansi, &[&input]));
    }

    #[test]
    fn put_together_the_records_are_the_input(input in input(60), long in 0..3usize) {
        let mut input: Vec<u8> = input.into_iter().filter(|byte| *byte != b'\r').collect();
        // Some around the places where lines are cut, and where blocks end.
        input.splice(0..0, vec![b'x'; long * (BLOCK - 20)]);
        let (all, end, lines) = fed(Ansi::Keep, &[&input]);
        let mut found = Vec::new();
        for record in &all {
            found.extend(bytes_of(record));
            if record.get("part").is_none() {
                found.push(b'\n');
            }
        }
        end.iter().for_each(|record| found.extend(bytes_of(record)));
        prop_assert_eq!(&found, &input);
        prop_assert_eq!(lines, input.iter().filter(|byte| **byte == b'\n').count() as u64 + u64::from(!input.is_empty() && !input.ends_with(b"\n")));
    }

    #[test]
    fn what_is_stripped_is_what_the_sequences_leave(input in input(40)) {
        let mut stripped = Vec::new();
        Escapes::default().strip(&input, &mut stripped);
        prop_assert_eq!(fed(Ansi::Strip, &[&input]), fed(Ansi::Keep, &[&stripped]));
    }
}
