//! How a job stands, in words.

use std::time::Duration;

use crate::job::{Name, Progress, Seen, State, Status, Time};
use crate::status::table::Tone;
use crate::words::{clean, span};

/// The longest last line that is shown, in characters.
const LAST: usize = 200;
/// The most warnings that are shown: there are no more, unless somebody else has written them.
pub(super) const WARNINGS: usize = 5;
/// The longest name of a signal or a host, in characters.
const WORD: usize = 60;

/// How a job stands: one line, and one more for each warning.
pub(super) fn line(name: &Name, seen: &Seen) -> String {
    let status = &seen.status;
    let mut parts = Vec::new();
    let ran = ago(ran(seen));
    match status.state {
        State::Running => parts.push(format!("{name} running {ran}")),
        State::Stopping => parts.push(format!("{name} stopping after {ran}")),
        State::Lost => parts.push(format!("{name} lost after {ran}, last seen {} ago", since(seen.last_seen))),
        _ => {
            parts.push(format!("{name} {} after {ran}", state(status)));
            parts.extend(status.finished.map(|finished| format!("ended {} ago", since(finished))));
        }
    }
    if status.attempt > 1 {
        parts.push(format!("attempt {}", status.attempt));
    }
    if !status.state.is_final() && !seen.is_here() && !status.host.is_empty() {
        parts.push(format!("in {}", clean(&status.host, WORD)));
    }
    parts.push(if status.lines == 1 { "1 line".to_owned() } else { format!("{} lines", status.lines) });
    if !status.state.is_final() {
        parts.extend(status.progress.as_ref().map(progress).filter(|text| !text.is_empty()));
        parts.extend(status.last_output.map(|printed| format!("printed {} ago", since(printed))));
    }
    let mut text = parts.join(", ");
    if let Some(last) = status.error.as_deref().or(status.last_line.as_deref()) {
        text.extend([": ", &clean(last, LAST)]);
    }
    text.push('\n');
    for warning in status.warnings.iter().take(WARNINGS) {
        text.extend(["  warning: ", &clean(warning, LAST), "\n"]);
    }
    text
}

/// What it does, or how it ended.
pub(super) fn state(status: &Status) -> String {
    let word = match status.state {
        State::Running => "running",
        State::Stopping => "stopping",
        State::Succeeded => "succeeded",
        State::Failed => "failed",
        State::Stopped => "stopped",
        State::Lost => "lost",
    };
    match (status.state, &status.signal, status.exit_code) {
        (State::Failed | State::Stopped, Some(signal), _) => format!("{word} ({})", clean(signal, WORD)),
        (State::Failed | State::Stopped, None, Some(code)) => format!("{word} (exit code {code})"),
        _ => word.to_owned(),
    }
}

/// How that stands out.
pub(super) fn tone(state: State) -> Tone {
    match state {
        State::Running => Tone::Strong,
        State::Succeeded => Tone::Good,
        State::Failed | State::Lost => Tone::Bad,
        State::Stopping => Tone::Odd,
        State::Stopped => Tone::Dim,
    }
}

/// `42 % [102/240]`
pub(super) fn progress(progress: &Progress) -> String {
    // `as` cuts what is no percentage to the nearest that fits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let percent = progress.percent.map(|percent| format!("{} %", percent as u8));
    let count = progress.done.zip(progress.total).map(|(done, total)| format!("[{done}/{total}]"));
    percent.into_iter().chain(count).collect::<Vec<_>>().join(" ")
}

/// How long it has run, in milliseconds.
pub(super) fn ran(seen: &Seen) -> u64 {
    // `as` makes 0 of what is less or no number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let written = (seen.status.duration * 1000.0) as u64;
    let since = if seen.status.state.is_final() { 0 } else { seen.status.updated.until(Time::now()) };
    // More is not how long it has run since, but a clock that was put forward.
    written.saturating_add(since.min(60_000))
}

/// When a job came into its state, as far as is known.
pub(super) fn entered(seen: &Seen) -> Time {
    match seen.status.state {
        State::Running | State::Stopping => seen.status.started,
        State::Lost => seen.last_seen,
        State::Succeeded | State::Failed | State::Stopped => seen.status.finished.unwrap_or(seen.last_seen),
    }
}

/// The time from a moment to now: `2h13m`.
pub(super) fn since(moment: Time) -> String {
    ago(moment.until(Time::now()))
}

/// A time in milliseconds: `2h13m`.
pub(super) fn ago(milliseconds: u64) -> String {
    span(Duration::from_millis(milliseconds)).replace(' ', "")
}
