//! Which lines are shown: those of a stream, with a text, that look like errors, and those around them.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::errors::Errors;
use super::join::{Item, Text};
use super::text::without_escapes;
use crate::cli;

/// Selects lines.
pub struct Select {
    /// Only standard error, or only standard output.
    stream: Option<bool>,
    needle: Option<Needle>,
    errors: Option<Errors>,
    /// How many lines around those that are found.
    context: usize,
    /// The last lines that were not shown.
    before: VecDeque<Kept>,
    /// How many of the next lines are shown.
    after: usize,
    /// Whether lines were left out since the last one that was shown.
    left_out: bool,
    /// Whether anything was shown.
    shown: bool,
}

/// A line that may turn out to be before one that is found.
#[derive(Default)]
struct Kept {
    time: String,
    stderr: bool,
    text: String,
    records: Vec<u8>,
}

impl Kept {
    fn fill(&mut self, item: &Item<'_>, stderr: bool, text: &str) {
        self.time.clear();
        self.time.push_str(item.time);
        self.text.clear();
        self.text.push_str(text);
        self.records.clear();
        self.records.extend_from_slice(item.records);
        self.stderr = stderr;
    }

    fn item(&self) -> Item<'_> {
        let text = Text::Line { stderr: self.stderr, text: &self.text, bytes: None, ended: true, goes_on: false };
        Item { time: &self.time, text, records: &self.records }
    }
}

impl Select {
    /// What the command line selects.
    pub fn new(options: &cli::JobLogs) -> Self {
        Self {
            stream: options.stream.map(|stream| stream == cli::StreamName::Stderr),
            needle: options.grep.as_deref().map(|text| Needle::new(text, options.ignore_case)),
            errors: options.errors.then(Errors::default),
            context: options.context.unwrap_or(if options.errors { 2 } else { 0 }),
            before: VecDeque::new(),
            after: 0,
            left_out: false,
            shown: false,
        }
    }

    /// Takes a line, and hands on what is to be shown; true: a new group begins with it.
    pub fn take(&mut self, item: &Item<'_>, emit: &mut dyn FnMut(bool, &Item<'_>)) {
        let all = self.needle.is_none() && self.errors.is_none();
        let Text::Line { stderr, text, .. } = item.text else {
            // What is looked for may have been among the missing ones.
            if all {
                emit(false, item)
            } else {
                self.found(item, emit)
            }
            return;
        };
        if self.stream.is_some_and(|wanted| wanted != stderr) {
            return;
        }
        if all {
            emit(false, item);
            return;
        }
        let plain = without_escapes(text);
        // Not the other way round: a traceback is followed through lines without the needle.
        let is_error = self.errors.as_mut().is_none_or(|errors| errors.is_error(stderr, &plain));
        if is_error && self.needle.as_ref().is_none_or(|needle| needle.is_in(&plain)) {
            self.found(item, emit);
        } else if self.after > 0 {
            self.after -= 1;
            emit(false, item);
        } else if self.context == 0 {
            self.left_out = true;
        } else {
            let oldest = if self.before.len() < self.context { None } else { self.before.pop_front() };
            self.left_out |= oldest.is_some();
            let mut kept = oldest.unwrap_or_default();
            kept.fill(item, stderr, text);
            self.before.push_back(kept);
        }
    }

    /// Hands on a line that is found, and those before it.
    fn found(&mut self, item: &Item<'_>, emit: &mut dyn FnMut(bool, &Item<'_>)) {
        let mut begins = std::mem::take(&mut self.left_out) && self.shown && self.context > 0;
        for kept in self.before.drain(..) {
            emit(std::mem::take(&mut begins), &kept.item());
        }
        emit(begins, item);
        self.after = self.context;
        self.shown = true;
    }
}

/// A text that is looked for.
struct Needle {
    text: String,
    ignore_case: bool,
}

impl Needle {
    fn new(text: &str, ignore_case: bool) -> Self {
        Self { text: if ignore_case { text.to_lowercase() } else { text.to_owned() }, ignore_case }
    }

    fn is_in(&self, line: &str) -> bool {
        if !self.ignore_case {
            return line.contains(&self.text);
        }
        let line: Cow<'_, str> = if self.text.is_ascii() { line.into() } else { line.to_lowercase().into() };
        let Some(first) = self.text.as_bytes().first() else { return true };
        let mut rest = line.as_bytes();
        while let Some(at) = rest.iter().position(|byte| byte.to_ascii_lowercase() == *first) {
            let from = rest.get(at..).unwrap_or_default();
            if from.get(..self.text.len()).is_some_and(|same| same.eq_ignore_ascii_case(self.text.as_bytes())) {
                return true;
            }
            rest = from.get(1..).unwrap_or_default();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_as_it_is_or_in_any_case() {
        for (needle, ignore, line, found) in [
            ("ab", false, "xxaab", true),
            ("Ab", false, "xxaab", false),
            ("Ab", true, "xxaAB", true),
            ("aab", true, "aaab", true),
            ("ÄB", true, "xäb", true),
            ("ÄB", false, "xäb", false),
            ("", true, "", true),
            ("abc", true, "ab", false),
        ] {
            assert_eq!(Needle::new(needle, ignore).is_in(line), found, "{needle} {line}");
        }
    }
}
