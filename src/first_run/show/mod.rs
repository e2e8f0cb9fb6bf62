//! What a first run looks like while it goes on, drawn from one [`Progress`] after the other.
//!
//! No view has a clock: all times are those of the progress, so a view shows the same for the same run. What cannot be
//! written (the terminal is gone, nobody reads the pipe) is dropped: looking on must not hold a run up.

mod bars;
mod changes;
mod json;
mod lines;
mod plan;
mod text;

use std::io::{IsTerminal, Stdout, Write, stdout};

use super::Progress;
use crate::sys;

pub use bars::{Bars, Look};
pub use json::Json;
pub use lines::Lines;
pub use plan::plan;
pub(super) use text::took;
pub use text::{failures, summary};

/// One way to show a first run.
pub enum View<W: Write> {
    /// For a terminal: a line with a bar for each task that runs, redrawn in place.
    Bars(Bars<W>),
    /// For a log: a line for each beginning and each end, without escapes.
    Lines(Lines<W>),
    /// For programs: a JSON object on each line.
    Json(Json<W>),
}

impl View<Stdout> {
    /// The view for this process' standard output: JSON if it is asked for, bars on a terminal that can draw them, else
    /// lines. With [NO_COLOR](https://no-color.org) the bars are without colour.
    #[must_use]
    pub fn of_stdout(json: bool) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if json {
            Self::Json(Json::new(stdout()))
        } else if stdout().is_terminal() && draws(variable("TERM").as_deref()) {
            let look = Look {
                columns: || sys::terminal_columns().unwrap_or(80),
                unicode: is_utf8(&variable),
                color: variable("NO_COLOR").is_none(),
            };
            Self::Bars(Bars::new(stdout(), look))
        } else {
            Self::Lines(Lines::new(stdout()))
        }
    }
}

impl<W: Write> View<W> {
    /// Shows what is new. The tasks have to be the same, in the same order, each time.
    pub fn update(&mut self, progress: &Progress) {
        match self {
            Self::Bars(bars) => bars.update(progress),
            Self::Lines(lines) => lines.update(progress),
            Self::Json(json) => json.update(progress),
        }
    }

    /// Whether it shows that time goes by, and so wants to hear of it a few times a second.
    #[must_use]
    pub fn moves(&self) -> bool {
        matches!(self, Self::Bars(_))
    }

    /// Shows what is new and how it ended: each failed task with the reason, the last lines of its log and the command
    /// that tries it again, and a summary.
    pub fn end(&mut self, progress: &Progress) {
        match self {
            Self::Bars(bars) => bars.end(progress),
            Self::Lines(lines) => lines.end(progress),
            Self::Json(json) => json.end(progress),
        }
    }
}

/// Whether a terminal of this kind can move its cursor.
fn draws(term: Option<&str>) -> bool {
    term.is_some_and(|term| term != "dumb")
}

/// Whether texts are UTF-8, by the first of the variables that POSIX lets decide.
fn is_utf8(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8")
}

fn write(out: &mut impl Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests;
