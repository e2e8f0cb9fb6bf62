//! `devinit job wait`, and waiting for the end of a job in general.

use std::io::{Read, Seek, SeekFrom};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{complain, exit_code, find, line, print_end};
use crate::cli;
use crate::job::{Folder, LOST_AFTER, Name, Seen, Standing, State, Status, Time};

/// The pauses between two looks: the first and the longest one.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// For how long a job has to look lost before that is believed: in its own container, where a guard may take over for its worker,
/// and seen from another one, whose clock may differ. By then it would have renewed its status.
const DOUBT: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(12)];
/// What is lost for longer, in milliseconds, is so beyond doubt: clocks that differ so much are not worth the time.
const BEYOND_DOUBT: u64 = 600_000;
/// For how long a status may be unreadable: a server that is started anew.
const UNREADABLE: Duration = LOST_AFTER;
/// The exit record is found within this many last bytes of a log.
const LAST: u64 = 8 << 10;
/// What it begins with.
const EXIT: &[u8] = b"{\"type\":\"exit\",";

/// How waiting for a job ended.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    /// It has ended.
    Ended(Box<Seen>),
    /// It is lost.
    Lost(Box<Seen>),
    /// It did not end in time.
    Late(Box<Seen>),
    /// Its status cannot be read any more, or was replaced by that of another run.
    Gone(String),
}

/// Waits until a job has ended, and prints how. Returns the exit code.
#[must_use]
pub fn wait(folder: &Folder, options: &cli::Wait) -> i32 {
    let (name, seen) = match find(folder, &options.name) {
        Ok(found) => found,
        Err(why) => {
            complain(&why);
            return 125;
        }
    };
    match watch(folder, &name, seen, options.timeout, &mut |_| Ok(())) {
        End::Ended(seen) => match print_end(&name, &seen, options.json) {
            0 => exit_code(&seen),
            _ => 125,
        },
        End::Lost(seen) => {
            print_end(&name, &seen, options.json);
            125
        }
        End::Late(seen) => {
            complain(&format!("not within this time: {}", line::line(&name, &seen).trim_end()));
            124
        }
        End::Gone(why) => {
            complain(&why);
            125
        }
    }
}

/// Waits for the end of the run that `first` is of. `each` is called with each look at it while it runs, and ends the waiting if
/// it fails.
pub(super) fn watch(
    folder: &Folder,
    name: &Name,
    first: Seen,
    limit: Option<Duration>,
    each: &mut dyn FnMut(&Seen) -> Result<(), String>,
) -> End {
    let begun = Instant::now();
    let (mut seen, mut pause) = (first, PAUSES[0]);
    let (mut changed, mut lost, mut unreadable) = (begun, None::<Instant>, None::<Instant>);
    loop {
        match seen.standing {
            Standing::Ended => return End::Ended(Box::new(seen)),
            Standing::Lost { last_seen } => {
                let old = last_seen.until(Time::now()) > BEYOND_DOUBT;
                let doubt = match (seen.is_here(), seen.is_in_doubt(), old) {
                    (true, true, _) => DOUBT[0],
                    (false, _, false) => DOUBT[1],
                    _ => Duration::ZERO,
                };
                if lost.get_or_insert_with(Instant::now).elapsed() >= doubt {
                    return End::Lost(Box::new(seen));
                }
            }
            // Whatever the clocks say: it is not renewed any more.
            Standing::Running if !seen.is_here() && changed.elapsed() >= LOST_AFTER => {
                seen.status.state = State::Lost;
                return End::Lost(Box::new(seen));
            }
            Standing::Running => {
                lost = None;
                if let Err(why) = each(&seen) {
                    return End::Gone(why);
                }
            }
        }
        let left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return End::Late(Box::new(seen));
        }
        sleep(left.map_or(pause, |left| left.min(pause)));
        pause = (pause * 5 / 4).min(PAUSES[1]);
        let problem = match folder.look(name) {
            Ok(Some(now)) => {
                unreadable = None;
                if now.status.id != seen.status.id {
                    return last_of(folder, name, seen);
                }
                if (now.status.updated, now.status.lines) != (seen.status.updated, seen.status.lines) {
                    changed = Instant::now();
                }
                seen = now;
                continue;
            }
            Ok(None) => "it is gone".to_owned(),
            Err(error) => error.to_string(),
        };
        if unreadable.get_or_insert_with(Instant::now).elapsed() >= UNREADABLE {
            return End::Gone(format!("the status of `{name}` cannot be read any more: {problem}"));
        }
    }
}

/// How a run ended whose status was replaced by the next one's between two looks: its log has it.
fn last_of(folder: &Folder, name: &Name, seen: Seen) -> End {
    match exit_record(folder, name, &seen.status.id) {
        Some(record) => {
            let Status { state, exit_code, signal, duration, lines, bytes, .. } = record;
            let status = Status { state, exit_code, signal, duration, lines, bytes, ..seen.status };
            End::Ended(Box::new(Seen { status, standing: Standing::Ended, ..seen }))
        }
        None => End::Gone(format!("`{name}` was started anew meanwhile, and how the run before ended is not known")),
    }
}

/// The record's keys are those of a status.
fn exit_record(folder: &Folder, name: &Name, id: &str) -> Option<Status> {
    // An id has come from outside; a log's name has not.
    let file = name.log_file(id);
    Name::of_log(&file)?;
    let mut file = crate::job::folder::open(&folder.path().join(file)).ok()?;
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(LAST))).ok()?;
    let mut bytes = Vec::new();
    file.take(LAST).read_to_end(&mut bytes).ok()?;
    let last = bytes.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
    // Read as a status is, the code for which is there already; what else is in the record does not matter.
    last.starts_with(EXIT).then(|| serde_json::from_slice(last).ok())?
}
