//! `devinit job status`.

use serde_json::Value;

use super::list::{gather, none};
use super::{complain, find, json, line, print_end, value};
use crate::cli;
use crate::commands::print;
use crate::job::Folder;
use crate::sorted;

/// Prints how a job stands, or all of them do. Returns the exit code.
#[must_use]
pub fn status(folder: &Folder, options: &cli::JobStatus) -> i32 {
    let Some(name) = &options.name else { return all(folder, options.json) };
    match find(folder, name) {
        Ok((name, seen)) => print_end(&name, &seen, options.json),
        Err(why) => {
            complain(&why);
            1
        }
    }
}

/// Those that run come first.
fn all(folder: &Folder, as_json: bool) -> i32 {
    let Some(mut jobs) = gather(folder, as_json) else { return 1 };
    sorted::sort_by_key(&mut jobs, |(_, seen)| u64::from(!seen.runs()));
    if as_json {
        return print(&json(&Value::Array(jobs.iter().map(|(name, seen)| value(name, seen)).collect())));
    }
    if jobs.is_empty() {
        return print(&none(folder, false));
    }
    print(&jobs.iter().map(|(name, seen)| line::line(name, seen)).collect::<String>())
}
