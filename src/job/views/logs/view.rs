//! From the lines of a log to what is printed.

use std::borrow::Cow;
use std::io::{self, Write};

use super::join::{Item, Join, Text};
use super::output::{Form, Output};
use super::reader::Reader;
use super::select::Select;
use crate::cli;
use crate::job::Status;
use crate::job::log::Entry;
use crate::job::log::entry::Kind;

/// Takes the lines of a log, and prints what is asked for.
pub struct View<'a> {
    join: Join,
    select: Select,
    /// Where it goes to.
    pub output: Output<'a>,
    /// The record of the job's end, once that was read.
    pub end: Vec<u8>,
    /// How it ended by that; nothing else of this status is known.
    pub ended: Option<Status>,
    /// How many lines of the log were no records.
    pub torn: u64,
    /// How many lines could not be written, where that is not printed.
    pub missing: u64,
}

impl<'a> View<'a> {
    /// What the command line asks for.
    pub fn new(options: &cli::JobLogs, terminal: bool, to: &'a mut dyn Write) -> Self {
        let output = Output::new(Form::new(options, terminal), to);
        let select = Select::new(options);
        let join = Join::new(options.json, options.raw);
        Self { join, select, output, end: Vec::new(), ended: None, torn: 0, missing: 0 }
    }

    /// Forgets all that was read.
    pub fn restart(&mut self, options: &cli::JobLogs) {
        self.join = Join::new(options.json, options.raw);
        self.select = Select::new(options);
        self.end.clear();
        (self.ended, self.torn, self.missing) = (None, 0, 0);
    }

    /// Takes all lines that there are; returns whether there were any.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read(&mut self, reader: &mut Reader) -> io::Result<bool> {
        let mut any = false;
        while self.output.is_read()
            && let Some(line) = reader.next()?
        {
            any = true;
            self.line(line);
        }
        self.torn += std::mem::take(&mut reader.too_long);
        Ok(any)
    }

    fn line(&mut self, record: &[u8]) {
        let entry = match Entry::read(record) {
            Ok(Some(entry)) => entry,
            Ok(None) => return,
            Err(_) => {
                self.torn += 1;
                return;
            }
        };
        let Self { join, select, output, .. } = self;
        match entry.kind {
            Kind::Line(line) => join.line(entry.time, &line, record, &mut |item| {
                select.take(item, &mut |begins, item| output.item(begins, item));
            }),
            Kind::Missing { lines, reason } => {
                self.missing = self.missing.saturating_add(lines);
                let item = Item { time: entry.time, text: Text::Missing { lines, reason: &reason }, records: record };
                select.take(&item, &mut |begins, item| output.item(begins, item));
            }
            Kind::Exit(exit) => {
                self.ended = Some(Status {
                    state: exit.state,
                    exit_code: exit.code,
                    signal: exit.signal.map(str::to_owned),
                    error: exit.error.map(Cow::into_owned),
                    duration: exit.seconds as f64,
                    ..Status::default()
                });
                self.finish();
                self.end = record.to_vec();
            }
            Kind::Start | Kind::Heartbeat => {}
        }
    }

    /// Prints what has begun: there is no more to come.
    pub fn finish(&mut self) {
        let Self { join, select, output, .. } = self;
        join.finish(&mut |item| select.take(item, &mut |begins, item| output.item(begins, item)));
    }
}
