//! The view for a terminal: a line for each task that runs, redrawn in place; what has ended scrolls up.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use super::changes::{Change, Changes};
use super::{text, write};
use crate::first_run::progress::{Progress, State, TaskProgress};
use crate::words::{bytes, columns_of, span};

/// The least time between two drawings of the same lines, in milliseconds.
const FRAME: u64 = 100;
/// More running tasks than these are only counted: nothing can be redrawn that has scrolled off the screen.
const MOST_LINES: usize = 10;
/// The widest column of names.
const WIDEST_NAME: usize = 24;
/// The widest bar.
const WIDEST_BAR: usize = 24;
/// A terminal that is narrower than this has no bars, only numbers.
const NARROW: usize = 50;
/// The time over which the speed of a download is measured, in milliseconds.
const WINDOW: u64 = 5_000;
/// The time between two measurements, in milliseconds.
const SAMPLE: u64 = 250;

/// Up by so many lines is `ESC [ n A`.
const CLEAR_TO_END_OF_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// What the terminal can do.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Asks for its width, in columns: people resize it.
    pub columns: fn() -> usize,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// Whether it may be colourful.
    pub color: bool,
}

/// The view for a terminal: a line for each task that runs, redrawn in place; what has ended scrolls up.
pub struct Bars<W> {
    pub(super) out: W,
    look: Look,
    changes: Changes,
    rates: Vec<Rate>,
    /// How many lines above the cursor are redrawn.
    drawn: usize,
    drawn_at: Option<u64>,
}

/// How fast a download is.
#[derive(Clone, Default)]
struct Rate(VecDeque<(u64, u64)>);

#[derive(Clone, Copy)]
enum Mark {
    Done,
    Failed,
    Skipped,
    Warning,
}

impl<W: Write> Bars<W> {
    /// Draws on this.
    pub fn new(out: W, look: Look) -> Self {
        Self { out, look, changes: Changes::default(), rates: Vec::new(), drawn: 0, drawn_at: None }
    }

    /// See [`View::update`](super::View::update).
    pub fn update(&mut self, progress: &Progress) {
        let (lasting, lively) = self.take_in(progress);
        let soon = self.drawn_at.is_some_and(|at| progress.elapsed_ms < at.saturating_add(FRAME));
        if lasting.is_empty() && !lively && soon {
            return;
        }
        let live = self.live(progress);
        self.drawn_at = Some(progress.elapsed_ms);
        self.draw(&lasting, &live);
    }

    /// See [`View::end`](super::View::end).
    pub fn end(&mut self, progress: &Progress) {
        let (lasting, _) = self.take_in(progress);
        self.draw(&lasting, &[]);
        let report = format!("{}{}\n", text::failures(progress), text::summary(progress));
        let report = self.shown(&report);
        write(&mut self.out, &report);
    }

    /// The lines that are to stay, and whether those that do not have changed in more than numbers.
    fn take_in(&mut self, progress: &Progress) -> (Vec<String>, bool) {
        self.rates.resize(self.rates.len().max(progress.tasks.len()), Rate::default());
        let changes = self.changes.of(progress);
        for (task, rate) in progress.tasks.iter().zip(&mut self.rates) {
            rate.measure(progress.elapsed_ms, task);
        }
        let lasting = changes.iter().filter_map(|(_, task, change)| self.lasting(progress, task, *change)).collect();
        (lasting, changes.iter().any(|(_, _, change)| matches!(change, Change::Begin | Change::Retry)))
    }

    /// The line that stays after a change.
    fn lasting(&self, progress: &Progress, task: &TaskProgress, change: Change<'_>) -> Option<String> {
        let name = text::name(task);
        let (mark, text) = match change {
            Change::Warning(warning) => (Mark::Warning, format!("{name}  {}", text::long(warning))),
            Change::End(State::Done) => {
                (Mark::Done, format!("{name}{}  {}", text::version(task), text::time_of(progress, task)))
            }
            Change::End(State::Failed) => (Mark::Failed, format!("{name}  {}", text::error(task))),
            Change::End(State::Skipped) => {
                (Mark::Skipped, format!("{name}  skipped{}", text::why_skipped(progress, task)))
            }
            _ => return None,
        };
        // Room for the mark and the space after it.
        Some(format!("{} {}", self.mark(mark), self.fit(&text, 2)))
    }

    /// The lines that are redrawn.
    fn live(&self, progress: &Progress) -> Vec<String> {
        let is_live = |task: &TaskProgress| matches!(task.state, State::Running | State::BackingOff);
        let live: Vec<(&TaskProgress, &Rate)> =
            progress.tasks.iter().zip(&self.rates).filter(|(task, _)| is_live(task)).collect();
        let names = live.iter().take(MOST_LINES).map(|(task, _)| text::name(task).chars().count());
        let width = names.max().unwrap_or(0).min(WIDEST_NAME);
        let mut lines: Vec<String> = live
            .iter()
            .take(MOST_LINES)
            .map(|(task, rate)| {
                let name: String = text::name(task).chars().take(WIDEST_NAME).collect();
                self.fit(&format!("  {name:width$}  {}", self.doing(progress, task, rate)), 0)
            })
            .collect();
        if live.len() > MOST_LINES {
            lines.push(self.fit(&format!("  and {} more", live.len() - MOST_LINES), 0));
        }
        lines.push(self.fit(&counts(progress), 0));
        lines
    }

    /// What a task is doing.
    fn doing(&self, progress: &Progress, task: &TaskProgress, rate: &Rate) -> String {
        if task.state == State::BackingOff {
            return format!("again in {}: {}", text::until(progress, task.again_ms), text::error(task));
        }
        let stage = text::long(&task.stage);
        let stage = if stage.is_empty() { text::long(&task.summary) } else { stage };
        let speed = rate.bytes_per_second();
        let speed_text = speed.map(|speed| format!("  {}/s", bytes(speed))).unwrap_or_default();
        match task.total.filter(|total| *total > 0) {
            Some(total) if task.bytes < total => {
                let left = speed.filter(|speed| *speed > 0).map(|speed| (total - task.bytes).div_ceil(speed));
                let left = left.map(|left| format!("  {} left", span(Duration::from_secs(left)))).unwrap_or_default();
                let percent = text::percent(task.bytes, total);
                let bar = self.bar(task.bytes, total);
                format!("{bar}{percent:>3} %  {} of {}{speed_text}{left}", bytes(task.bytes), bytes(total))
            }
            None if task.bytes > 0 => format!("{stage}  {}{speed_text}", bytes(task.bytes)),
            _ => stage,
        }
    }

    fn bar(&self, done: u64, total: u64) -> String {
        let columns = (self.look.columns)();
        if columns < NARROW {
            return String::new();
        }
        let width = (columns / 4).min(WIDEST_BAR);
        let full = u128::from(done) * width as u128 / u128::from(total.max(1));
        let full = usize::try_from(full).unwrap_or(width).min(width);
        let (block, rest) = if self.look.unicode { ("█", "░") } else { ("#", "-") };
        format!("{}{} ", block.repeat(full), rest.repeat(width - full))
    }

    fn mark(&self, mark: Mark) -> String {
        let (unicode, ascii, color) = match mark {
            Mark::Done => ("✓", "+", 32),
            Mark::Failed => ("✗", "x", 31),
            Mark::Skipped => ("–", "-", 33),
            Mark::Warning => ("!", "!", 33),
        };
        let mark = if self.look.unicode { unicode } else { ascii };
        if self.look.color { format!("\x1b[{color}m{mark}\x1b[0m") } else { mark.to_owned() }
    }

    /// A line, cut so that the terminal does not break it, with so many columns taken already.
    fn fit(&self, line: &str, taken: usize) -> String {
        // The last column stays free: what some terminals do after a character there is theirs to know.
        let room = (self.look.columns)().saturating_sub(taken + 1);
        let line = self.shown(line);
        let ends = line.chars().scan(0, |width, character| {
            *width += columns_of(character);
            Some(*width)
        });
        let fits = ends.take_while(|end| *end <= room).count();
        line.chars().take(fits).collect()
    }

    /// A text as the terminal can show it.
    fn shown(&self, text: &str) -> String {
        if self.look.unicode {
            return text.to_owned();
        }
        text.replace('…', "...").chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
    }

    fn draw(&mut self, lasting: &[String], live: &[String]) {
        let mut frame = String::new();
        if self.drawn > 0 {
            let _ = write!(frame, "\r\x1b[{}A", self.drawn);
        }
        for line in lasting.iter().chain(live) {
            let _ = writeln!(frame, "{line}{CLEAR_TO_END_OF_LINE}");
        }
        if self.drawn > 0 {
            frame.push_str(CLEAR_BELOW);
        }
        self.drawn = live.len();
        write(&mut self.out, &frame);
    }
}

impl Rate {
    fn measure(&mut self, now: u64, task: &TaskProgress) {
        let began_anew = self.0.back().is_some_and(|(_, before)| task.bytes < *before);
        if task.state != State::Running || began_anew {
            self.0.clear();
        }
        if task.bytes > 0 && self.0.back().is_none_or(|(at, _)| now >= at.saturating_add(SAMPLE)) {
            self.0.push_back((now, task.bytes));
        }
        while self.0.front().is_some_and(|(at, _)| at.saturating_add(WINDOW) < now) {
            self.0.pop_front();
        }
    }

    fn bytes_per_second(&self) -> Option<u64> {
        let ((begin, before), (end, after)) = (self.0.front()?, self.0.back()?);
        let millis = end.checked_sub(*begin).filter(|millis| *millis > 0)?;
        Some(after.saturating_sub(*before).saturating_mul(1000) / millis)
    }
}

fn counts(progress: &Progress) -> String {
    let with = |state| progress.tasks.iter().filter(|task| task.state == state).count();
    let mut line = format!("first run: {} of {} done", progress.done(), progress.tasks.len());
    let parts = [
        (State::Running, "running"),
        (State::BackingOff, "to be tried again"),
        (State::Waiting, "waiting"),
        (State::Failed, "failed"),
        (State::Skipped, "skipped"),
    ];
    for (count, word) in parts.into_iter().map(|(state, word)| (with(state), word)).filter(|(count, _)| *count > 0) {
        let _ = write!(line, ", {count} {word}");
    }
    let _ = write!(line, "  {}", span(Duration::from_millis(progress.elapsed_ms)));
    line
}
