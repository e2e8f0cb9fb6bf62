//! Putting things into words: for the command line, the greeting and the page.

use std::time::Duration;

/// A text that may come from anyone, made fit to print on one line: at most `limit` characters; control characters
/// (escape sequences), invisible ones and those that turn the direction of writing become `?`.
#[must_use]
pub fn clean(text: &str, limit: usize) -> String {
    let mut characters = text.trim().chars().map(|character| match character {
        '\n' | '\r' | '\t' => ' ',
        character if hidden(character) => '?',
        character => character,
    });
    let mut clean: String = characters.by_ref().take(limit).collect();
    if characters.next().is_some() {
        clean.pop();
        clean.push('…');
    }
    clean
}

/// Whether a character is one that moves the cursor, cannot be seen or turns the direction of writing.
#[must_use]
pub fn hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// JSON with its hidden characters written as `\uXXXX`, which means the same and does nothing to a terminal.
#[must_use]
pub fn harmless_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || !hidden(character) {
            text.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            text.push_str(&format!("\\u{unit:04x}"));
        }
    }
    text
}

/// How many columns of a terminal a character takes up, or more: of what is not known to be narrow, two.
#[must_use]
pub fn columns_of(character: char) -> usize {
    match character {
        '\0'..'\u{1100}' | '–' | '…' | '█' | '░' => 1,
        _ => 2,
    }
}

/// How many columns of a terminal a text on one line takes up, or more.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// A text on one line, cut to at most `room` columns of a terminal; `…` at its end says so.
#[must_use]
pub fn fit(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut used = 1;
    let kept = text.chars().take_while(|character| {
        used += columns_of(*character);
        used <= room
    });
    let kept: String = kept.collect();
    if room == 0 { kept } else { format!("{}…", kept.trim_end()) }
}

/// The name that is most like `wanted`, if one is like it at all: for slips of the finger.
#[must_use]
pub fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = names.map(|name| (strsim::jaro_winkler(name, wanted), name));
    likeness.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// A span of time in its one or two largest units: `45s`, `2m 10s`, `1h 5m`, `3d 4h`.
#[must_use]
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (large, small) = match seconds {
        0..60 => return format!("{seconds}s"),
        60..3_600 => ((seconds / 60, "m"), (seconds % 60, "s")),
        3_600..86_400 => ((seconds / 3_600, "h"), (seconds / 60 % 60, "m")),
        _ => ((seconds / 86_400, "d"), (seconds / 3_600 % 24, "h")),
    };
    match small {
        (0, _) => format!("{}{}", large.0, large.1),
        (amount, unit) => format!("{}{} {amount}{unit}", large.0, large.1),
    }
}

/// An amount of bytes: `512 B`, `1.5 GiB`.
#[must_use]
pub fn bytes(amount: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if amount < 1024 {
        return format!("{amount} B");
    }
    // In tenths of the unit, so that no float is needed; 1023.95 KiB and more is 1.0 MiB.
    let mut tenths = u128::from(amount) * 10;
    let mut unit = "B";
    for next in UNITS {
        tenths = (tenths + 512) / 1024;
        unit = next;
        if tenths < 10_240 {
            break;
        }
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_or_hides_gets_through() {
        assert_eq!(clean("a\u{1b}[2Jb\u{9b}c\u{7f}d\ne\tf", 80), "a?[2Jb?c?d e f");
        assert_eq!(clean("user\u{202e}txt.exe\u{200b}", 80), "user?txt.exe?");
        assert_eq!(clean("Grüße, 世界", 80), "Grüße, 世界");
    }

    #[test]
    fn json_says_the_same_without_what_moves_the_cursor() {
        let value = serde_json::json!({"a": "\u{9b}2J\u{1b}\u{7f} \u{202e}ü\u{e0041}\n"});
        let text = harmless_json(&format!("{value:#}\n"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(!text.chars().any(|c| c != '\n' && hidden(c)), "{text:?}");
        assert!(text.contains('ü'));
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde…");
    }

    #[test]
    fn a_text_is_cut_to_columns_and_not_to_characters() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd ef", 6), "abcd…");
        assert_eq!(fit("世界世界", 6), "世界…");
        assert_eq!((fit("abc", 1).as_str(), fit("abc", 0).as_str()), ("…", ""));
    }

    #[test]
    fn a_slip_has_a_nearest_name_and_a_strange_word_has_none() {
        let names = ["jupyter", "xvfb", "ollama"];
        assert_eq!(nearest("olama", names.into_iter()), Some("ollama"));
        assert_eq!(nearest("qqq", names.into_iter()), None);
    }

    #[test]
    fn spans_have_at_most_two_units() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (130, "2m 10s"), (3_900, "1h 5m"), (7_200, "2h"), (273_600, "3d 4h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn bytes_have_one_decimal() {
        for (amount, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (64 << 30, "64.0 GiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(amount), text);
        }
    }
}
