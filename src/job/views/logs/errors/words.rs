//! The words of a line.

/// More words than this are not looked at.
const MOST: usize = 96;

/// The words of a line, by their places.
pub struct Words<'a> {
    line: &'a str,
    places: [(u16, u16); MOST],
    count: usize,
}

impl<'a> Words<'a> {
    /// The words of a line, which has at most 64 KiB.
    pub fn of(line: &'a str) -> Self {
        let mut words = Self { line, places: [(0, 0); MOST], count: 0 };
        let mut begin = None;
        for (at, byte) in line.bytes().chain([b' ']).enumerate() {
            let space = matches!(byte, b' ' | b'\t');
            match begin {
                None if !space => begin = u16::try_from(at).ok(),
                Some(from) if space => {
                    let Some(place) = words.places.get_mut(words.count) else { break };
                    *place = (from, u16::try_from(at).unwrap_or(from));
                    words.count += 1;
                    begin = None;
                }
                _ => {}
            }
        }
        words
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// A word, as it stands there; empty where there is none.
    pub fn word(&self, at: usize) -> &'a str {
        let (from, to) = if at < self.count { self.places.get(at).copied().unwrap_or_default() } else { (0, 0) };
        self.line.get(usize::from(from)..usize::from(to)).unwrap_or_default()
    }

    /// A word without the brackets and quotes in front of it.
    pub fn bare(&self, at: usize) -> &'a str {
        self.word(at).trim_start_matches(['[', '(', '<', '{', '\'', '"', '`', '‘', '*', '!', '='])
    }

    /// The line from such a word on.
    pub fn from(&self, at: usize) -> &'a str {
        let from = self.places.get(at).map_or(0, |place| usize::from(place.0));
        let skipped = self.word(at).len() - self.bare(at).len();
        self.line.get(from + skipped..).unwrap_or_default()
    }

    /// A word in lower case, without what stands around it.
    pub fn lower(&self, at: usize) -> String {
        self.word(at).trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase()
    }

    /// Whether a word counts what there is none of: `0 errors`, `no fatal errors`, `0 tests failed`.
    pub fn counts_nothing(&self, at: usize) -> bool {
        let none = |back: usize| {
            at.checked_sub(back).is_some_and(|at| {
                // `: 0, errors` is the value of something else.
                let word = self.word(at);
                let same = back == 1 || !word.ends_with([',', ';', '.', ':']);
                let word = word.trim_start_matches(['[', '(', '=', ':']);
                same && ["0", "no", "zero", "without", "0%"].iter().any(|none| word.eq_ignore_ascii_case(none))
            })
        };
        none(1) || none(2) && !self.word(at.wrapping_sub(1)).ends_with([',', ';', ':'])
    }

    /// Whether what a word tells has not happened: `if failed`, `on error`.
    pub fn is_talked_about(&self, at: usize) -> bool {
        const BEFORE: [&str; 14] = [
            "if", "on", "for", "any", "not", "never", "when", "non", "ignore", "ignoring", "ignored", "handle", "or",
            "may",
        ];
        let before = self.lower(at.wrapping_sub(1));
        BEFORE.contains(&before.as_str())
    }

    /// Whether a word is between quotes.
    pub fn is_quoted(&self, at: usize) -> bool {
        let word = self.word(at);
        word.starts_with(['"', '\'', '`']) && word.trim_end_matches([',', ':', '}', ')']).ends_with(['"', '\'', '`'])
    }
}

/// The letters that a word begins with, and what comes behind them.
pub fn head(word: &str) -> (&str, &str) {
    let end = word.bytes().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(word.len());
    word.split_at_checked(end).unwrap_or((word, ""))
}

/// A word that is a number.
pub fn number(word: &str) -> Option<u64> {
    if !word.starts_with(|c: char| c.is_ascii_digit()) { None } else { word.parse().ok() }
}

/// Whether the value behind a word's colon says that there is nothing, or is a measure: `Errors: 0`, `error: none`,
/// `error: 0.0123`.
pub fn is_value_of_nothing(words: &Words<'_>, at: usize, after: &str) -> bool {
    let (value, next) = match after.strip_prefix(':') {
        None => return false,
        Some("") => (words.word(at + 1), at + 2),
        Some(value) => (value, at + 1),
    };
    let number = value.trim_end_matches([',', '.', ';', ')', ']', '|', '}']);
    // `error: no such device` goes on.
    let is_all = number.len() < value.len() || next >= words.count();
    let measure = number.contains('.') && number.bytes().all(|byte| byte.is_ascii_digit() || b".e-+%".contains(&byte));
    let nothing = ["none", "null", "false", "nil", "no", "n/a", "ok"];
    measure || matches!(number, "0" | "0%") || is_all && nothing.iter().any(|no| number.eq_ignore_ascii_case(no))
}
