//! Where the log of a job's last run is.

use std::path::PathBuf;

use crate::job::{Folder, Name};
use crate::words::{clean, nearest};

/// A log.
#[derive(Debug, PartialEq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The run.
    pub id: String,
    /// Something is to be said about it.
    pub remark: Option<String>,
}

/// Finds the log of a job's last run: the one that the status names, but only by its name and in this folder, which may be
/// mounted somewhere else where the job runs, and whose files may be anyone's. Otherwise the newest.
///
/// # Errors
/// What to tell if there is none.
pub fn find(folder: &Folder, wanted: &str) -> Result<Place, String> {
    let name = Name::parse(wanted)?;
    let shown = folder.path().display();
    let status =
        folder.status(&name).map_err(|error| format!("cannot read the status of {name} in {shown}: {error}"))?;
    let place = |id: &str, remark| Place { path: folder.path().join(name.log_file(id)), id: id.to_owned(), remark };
    let named = status.as_ref().and_then(|status| status.log.as_ref()?.file_name()?.to_str());
    let told = named.and_then(Name::of_log).filter(|(job, _)| *job == name).map(|(_, id)| place(id, None));
    if let Some(told) = told.filter(|told| told.path.symlink_metadata().is_ok()) {
        return Ok(told);
    }
    let (mut newest, mut known) = (None::<String>, Vec::new());
    let files = folder.path().read_dir().map(|files| files.flatten().collect::<Vec<_>>());
    let files = match files {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(format!("cannot read {shown}: {error}")),
        Ok(files) => files,
    };
    for file in files {
        let file = file.file_name();
        let Some(file) = file.to_str() else { continue };
        let job = match Name::of_log(file) {
            Some((job, id)) => {
                if job == name && newest.as_ref().is_none_or(|newest| age(newest) < age(id)) {
                    newest = Some(id.to_owned());
                }
                Some(job)
            }
            None => Name::of_status(file),
        };
        known.extend(job.map(|job| job.to_string()));
    }
    if let Some(id) = newest {
        let last = status.filter(|status| status.id != id && !status.id.is_empty());
        let remark = last.map(|status| {
            let run = clean(&status.id, 40);
            format!("the last run of {name}, {run}, has no log here: this is the one of {id}")
        });
        return Ok(place(&id, remark));
    }
    if let Some(status) = status {
        let why = status.warnings.last().map(|why| format!(": {}", clean(why, 200))).unwrap_or_default();
        return Err(format!("{name} has no log in {shown}{why}"));
    }
    known.sort_unstable();
    known.dedup();
    if known.is_empty() {
        return Err(format!("no job has run here: there is none in {shown}"));
    }
    let hint = nearest(wanted, known.iter().map(String::as_str));
    let hint = hint.map(|near| format!("\n  hint: did you mean `{near}`?")).unwrap_or_default();
    Err(format!("there is no job `{name}` in {shown}{hint}\n  there are: {}", clean(&known.join(", "), 500)))
}

/// What ids of runs are ordered by: `20260131-235959`, then `20260131-235959-2`, …, `20260131-235959-10`.
fn age(id: &str) -> (&str, u64) {
    let (second, count) = id.split_at_checked(15).unwrap_or((id, ""));
    (second, count.trim_start_matches('-').parse().unwrap_or(0))
}
