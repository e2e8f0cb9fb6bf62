//! From records to lines: the parts of a long line are put together.

use crate::job::log::entry::{Line, decoded};

/// So much of a line is put together, in bytes; a longer one is handed on in pieces of this size.
const LONGEST: usize = 16 << 20;

/// Records are not so many times longer than what they say: six times as JSON, one and a third as base64, and their keys.
const RECORDS: usize = 8;

/// A line of a log, or what stands for lines that are not in it.
pub struct Item<'a> {
    /// When it came, as it stands in the log; of a line in parts, the first one.
    pub time: &'a str,
    /// What it says.
    pub text: Text<'a>,
    /// Its records as they are in the log, without the last line feed; of a line in parts only if they are wanted.
    pub records: &'a [u8],
}

/// What an item says.
pub enum Text<'a> {
    /// A line.
    Line {
        /// Of standard error, and not of standard output.
        stderr: bool,
        /// The text, without its line feed.
        text: &'a str,
        /// The very bytes, if they are not those of the text.
        bytes: Option<&'a [u8]>,
        /// Whether it had a line feed.
        ended: bool,
        /// The next item of its stream is more of this line, which is beyond all measure.
        goes_on: bool,
    },
    /// Lines that could not be written.
    Missing {
        /// How many.
        lines: u64,
        /// Why.
        reason: &'a str,
    },
}

/// Puts parts together.
pub struct Join {
    /// Whether records are wanted, and whether bytes are.
    want: (bool, bool),
    /// Of both streams, what has begun.
    begun: [Option<Begun>; 2],
}

#[derive(Default)]
struct Begun {
    time: String,
    text: String,
    bytes: Vec<u8>,
    records: Vec<u8>,
}

impl Begun {
    fn add(&mut self, line: &Line<'_>, record: &[u8], want: (bool, bool)) {
        self.text.push_str(&line.text);
        if want.0 {
            if !self.records.is_empty() {
                self.records.push(b'\n');
            }
            self.records.extend_from_slice(record);
        }
        if want.1 {
            match line.base64 {
                Some(base64) => self.bytes.extend_from_slice(&decoded(base64)),
                None => self.bytes.extend_from_slice(line.text.as_bytes()),
            }
        }
    }

    fn give(&self, stderr: bool, ended: bool, goes_on: bool, emit: &mut dyn FnMut(&Item<'_>)) {
        let bytes = (!self.bytes.is_empty()).then_some(self.bytes.as_slice());
        let text = Text::Line { stderr, text: &self.text, bytes, ended, goes_on };
        emit(&Item { time: &self.time, text, records: &self.records });
    }
}

impl Join {
    /// Whether the records of lines in parts are wanted, and whether the very bytes are.
    pub fn new(records: bool, bytes: bool) -> Self {
        Self { want: (records, bytes), begun: [None, None] }
    }

    /// Takes a record of a line, and hands on the line that it ends.
    pub fn line(&mut self, time: &str, line: &Line<'_>, record: &[u8], emit: &mut dyn FnMut(&Item<'_>)) {
        let want = self.want;
        let [out, err] = &mut self.begun;
        let begun = if line.stderr { err } else { out };
        if begun.is_none() && !line.part {
            let bytes = line.base64.filter(|_| want.1).map(decoded);
            let (stderr, ended) = (line.stderr, !line.unended);
            let text = Text::Line { stderr, text: &line.text, bytes: bytes.as_deref(), ended, goes_on: false };
            emit(&Item { time, text, records: record });
            return;
        }
        let whole = begun.get_or_insert_with(|| Begun { time: time.to_owned(), ..Begun::default() });
        whole.add(line, record, want);
        // Parts without a text are none of ours, and may be without end.
        let longest = whole.text.len().max(whole.bytes.len()).max(whole.records.len() / RECORDS);
        if !line.part || longest >= LONGEST {
            whole.give(line.stderr, !line.unended, line.part, emit);
            *begun = None;
        }
    }

    /// Hands on what has no end: there is no more to come.
    pub fn finish(&mut self, emit: &mut dyn FnMut(&Item<'_>)) {
        for (begun, stderr) in self.begun.iter_mut().zip([false, true]) {
            if let Some(begun) = begun.take() {
                begun.give(stderr, false, false, emit);
            }
        }
    }
}
