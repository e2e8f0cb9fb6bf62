//! `devinit job logs`: what a job has printed, from the log of its last run.
//!
//! A log may have a gigabyte and be on another machine: what is asked for is found from its end (`--tail`), by time
//! (`--since`), or in one pass over it (`--grep`, `--errors`), and never is more of it in memory than a few blocks.
//!
//! ```text
//! Reader ── line ──> Entry ──> Join ── item ──> Select ──> Output
//! ```

mod errors;
mod follow;
mod join;
mod output;
mod place;
mod reader;
mod select;
mod since;
#[cfg(test)]
mod tests;
mod text;
mod view;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::cli;
use crate::job::{Folder, Name, Time};
use crate::logs::open;

use follow::Followed;
use place::Place;
use reader::Reader;
use view::View;

/// How much of a log is read at first for its last lines, in bytes, and for each of them; then ever more.
const TAIL: u64 = 64 << 10;
const TAIL_LINE: u64 = 256;
const TAIL_STEP: u64 = 8;

/// Prints what a job has printed. Returns the exit code: 1 if there is no such job or no log of it, or if it cannot be read.
#[must_use]
pub fn logs(folder: &Folder, options: &cli::JobLogs) -> i32 {
    let terminal = io::stdout().is_terminal();
    let mut out = io::stdout().lock();
    let mut tell = |what: &str| {
        // Unlike `eprintln!` this does not panic where standard error is gone, too.
        let _ = writeln!(io::stderr(), "{what}");
    };
    let done = show(folder, options, Followed::PATIENCE, terminal, &mut out, &mut tell);
    match done {
        Ok(()) => 0,
        Err(problem) => {
            tell(&format!("devinit: {problem}"));
            1
        }
    }
}

/// Prints to `out` and tells what is to be said beside it. `patience`: how long a job without a sign of life is followed.
///
/// # Errors
/// What to tell.
fn show(
    folder: &Folder,
    options: &cli::JobLogs,
    patience: Duration,
    terminal: bool,
    out: &mut dyn Write,
    tell: &mut dyn FnMut(&str),
) -> Result<(), String> {
    let since = options.since.as_deref().map(|since| since::parse(since, Time::now())).transpose()?;
    let place = place::find(folder, &options.name)?;
    if let Some(remark) = &place.remark {
        tell(&format!("devinit: {remark}"));
    }
    let fault = |error: io::Error| why(&place, &error);
    let file = open(&place.path).map_err(fault)?;
    let end = file.metadata().map_err(fault)?.len();
    let from = since.map_or(Ok(0), |since| since::place(&file, end, since)).map_err(fault)?;
    let mut view = View::new(options, terminal, out);
    let mut reader = match options.tail {
        Some(last) => tail(&file, from, end, last, options, &mut view),
        None => Ok(Reader::new(file, from).until(end)),
    }
    .map_err(fault)?;
    view.read(&mut reader).map_err(fault)?;
    let end = if options.follow {
        let name = Name::parse(&options.name)?;
        let followed = Followed { folder, name: &name, id: &place.id, path: &place.path, patience };
        followed.follow(&mut view, &mut reader).map_err(fault)?
    } else {
        view.finish();
        view.output.flush();
        None
    };
    if view.torn > 0 {
        let plural = if view.torn == 1 { "" } else { "s" };
        tell(&format!("devinit: {} damaged line{plural} of {} left out", view.torn, place.path.display()));
    }
    if view.missing > 0 && options.raw {
        tell(&format!("devinit: {} lines are missing: they could not be written to the log", view.missing));
    }
    if let Some(end) = end {
        tell(&end);
    }
    match view.output.failure() {
        Some(error) => Err(format!("the output could not be written: {error}")),
        None => Ok(()),
    }
}

/// Prints the last lines between two places of a log, and returns a reader for what follows. Read is from ever farther before
/// the end, until that gives more lines than are wanted: the first one may be half of one.
fn tail(
    file: &File,
    from: u64,
    end: u64,
    last: usize,
    options: &cli::JobLogs,
    view: &mut View<'_>,
) -> io::Result<Reader> {
    let last_bytes = TAIL_LINE.saturating_mul(u64::try_from(last).unwrap_or(u64::MAX));
    let mut length = if last == 0 { 0 } else { TAIL.saturating_add(last_bytes) };
    loop {
        let start = end.saturating_sub(length).max(from);
        let read = |view: &mut View<'_>| -> io::Result<Reader> {
            let mut reader =
                if start > from { Reader::behind(file, start)? } else { Reader::new(file.try_clone()?, from) }
                    .until(end);
            view.restart(options);
            view.read(&mut reader)?;
            if !options.follow {
                view.finish();
            }
            Ok(reader)
        };
        view.output.keep(last);
        let reader = read(view)?;
        if last == 0 || start <= from || view.output.count() > last as u64 {
            return if view.output.release().is_some() { read(view) } else { Ok(reader) };
        }
        length = length.saturating_mul(TAIL_STEP);
    }
}

/// Why a log cannot be read, and what to do.
fn why(place: &Place, error: &io::Error) -> String {
    let path = place.path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!("cannot read {path}: only root and the job's user can: try sudo"),
        io::ErrorKind::NotFound => format!("there is no log {path}: it was removed a moment ago"),
        _ => format!("cannot read {path}: {error}"),
    }
}
