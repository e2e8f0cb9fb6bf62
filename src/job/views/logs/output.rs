//! How items are printed, and how many of them.

use std::collections::VecDeque;
use std::io::{self, Write};

use super::join::{Item, Text};
use super::text::shown;
use crate::cli;
use crate::words::{clean, harmless_json};

/// How much is put together for one write, in bytes.
const BATCH: usize = 64 << 10;
/// So much is kept in memory of what may be the last lines, in bytes; if it is more, they are read a second time.
const KEPT: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// What an item looks like.
#[derive(Clone, Copy)]
pub struct Form {
    /// Records as they are.
    pub json: bool,
    /// The bytes that were printed.
    pub raw: bool,
    /// The time is in front.
    pub time: bool,
    /// It goes to a terminal.
    pub terminal: bool,
}

impl Form {
    /// What the command line asks for.
    pub fn new(options: &cli::JobLogs, terminal: bool) -> Self {
        Self { json: options.json, raw: options.raw, time: options.time, terminal }
    }

    /// Appends an item.
    fn write(self, item: &Item<'_>, out: &mut Vec<u8>) {
        if self.json {
            self.record(item.records, out);
            return;
        }
        if self.time && !self.raw {
            out.extend_from_slice(shown(item.time, self.terminal).as_bytes());
            out.push(b' ');
        }
        match &item.text {
            Text::Line { text, bytes, ended, goes_on, .. } => {
                if self.raw {
                    out.extend_from_slice(bytes.unwrap_or(text.as_bytes()));
                } else {
                    out.extend_from_slice(shown(text, self.terminal).as_bytes());
                }
                if !goes_on && (*ended || !self.raw) {
                    out.push(b'\n');
                }
            }
            Text::Missing { .. } if self.raw => {}
            Text::Missing { lines, reason } => {
                let plural = if *lines == 1 { "" } else { "s" };
                let reason = clean(reason, 200);
                out.extend_from_slice(format!("… {lines} line{plural} could not be written: {reason}\n").as_bytes());
            }
        }
    }

    /// Appends records.
    fn record(self, records: &[u8], out: &mut Vec<u8>) {
        match std::str::from_utf8(records) {
            Ok(text) if self.terminal => out.extend_from_slice(harmless_json(text).as_bytes()),
            _ => out.extend_from_slice(records),
        }
        out.push(b'\n');
    }
}

/// Prints items, or only the last ones of them.
pub struct Output<'a> {
    form: Form,
    to: &'a mut dyn Write,
    batch: Vec<u8>,
    which: Which,
    /// How many items there were.
    count: u64,
    /// Why nothing more can be written.
    failed: Option<io::Error>,
}

/// Which items are printed.
enum Which {
    All,
    /// The last ones. What is too much to be kept is only counted.
    Last {
        most: usize,
        kept: VecDeque<(bool, Vec<u8>)>,
        bytes: usize,
        too_much: bool,
    },
    /// All but so many at first.
    Skip(u64),
}

impl<'a> Output<'a> {
    /// Prints all items.
    pub fn new(form: Form, to: &'a mut dyn Write) -> Self {
        Self { form, to, batch: Vec::new(), which: Which::All, count: 0, failed: None }
    }

    /// From now on keeps only the last items, until [`Self::release`].
    pub fn keep(&mut self, most: usize) {
        self.which = Which::Last { most, kept: VecDeque::new(), bytes: 0, too_much: false };
        self.count = 0;
    }

    /// How many items there were since.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Prints what was kept, and from now on all. If it is too much: how many items are to be skipped when they come again.
    pub fn release(&mut self) -> Option<u64> {
        let Which::Last { most, kept, too_much, .. } = std::mem::replace(&mut self.which, Which::All) else {
            return None;
        };
        if too_much {
            let skipped = self.count.saturating_sub(most as u64);
            self.which = Which::Skip(skipped);
            return Some(skipped);
        }
        let mut first = true;
        for (begins, text) in kept {
            self.print(begins && !std::mem::take(&mut first), &text);
            first = false;
        }
        None
    }

    /// Takes an item; in front of a new group of lines there is a line between.
    pub fn item(&mut self, begins: bool, item: &Item<'_>) {
        self.count += 1;
        match &mut self.which {
            Which::Skip(left @ 1..) => *left -= 1,
            Which::Last { most, kept, bytes, too_much } => {
                if *too_much || *most == 0 {
                    return;
                }
                let mut text = if kept.len() < *most { Vec::new() } else { kept.pop_front().unwrap_or_default().1 };
                *bytes -= text.len();
                text.clear();
                self.form.write(item, &mut text);
                *bytes += text.len();
                kept.push_back((begins, text));
                if *bytes > KEPT {
                    *too_much = true;
                    kept.clear();
                }
            }
            which => {
                // The first one is not between anything.
                let begins = begins && !matches!(std::mem::replace(which, Which::All), Which::Skip(_));
                if begins && !self.form.json {
                    self.batch.extend_from_slice(b"--\n");
                }
                self.form.write(item, &mut self.batch);
                self.batched();
            }
        }
    }

    /// Ends with this record, if records are printed.
    pub fn end(&mut self, record: &[u8]) {
        if self.form.json && !record.is_empty() {
            self.form.record(record, &mut self.batch);
        }
    }

    fn print(&mut self, begins: bool, text: &[u8]) {
        if begins && !self.form.json {
            self.batch.extend_from_slice(b"--\n");
        }
        self.batch.extend_from_slice(text);
        self.batched();
    }

    fn batched(&mut self) {
        if self.batch.len() > BATCH {
            self.flush();
        }
    }

    /// Writes what there is; returns whether anyone reads.
    pub fn flush(&mut self) -> bool {
        if self.failed.is_none()
            && let Err(error) = self.to.write_all(&self.batch).and_then(|()| self.to.flush())
        {
            self.failed = Some(error);
        }
        self.batch.clear();
        self.failed.is_none()
    }

    /// Whether anyone read what was written so far.
    pub fn is_read(&self) -> bool {
        self.failed.is_none()
    }

    /// What kept the output from being written; that nobody reads it any more is not worth a word.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failed.as_ref().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }
}
