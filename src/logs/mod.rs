//! `devinit logs`: what services have printed, from the files that the logger writes. Also without a devinit that answers:
//! after the container's end, or in a copy of its files.

mod follow;
mod show;
mod tail;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::snapshot::Snapshot;
use crate::logger::{older, recent};
use crate::words::{clean, nearest};
use crate::{cli, paths, sorted, status};

use follow::Follower;
use show::Printer;

pub use show::harmless;
pub use tail::open;

/// How often it is looked for new lines.
const LOOK: Duration = Duration::from_millis(200);

/// The last lines of a log file and its older neighbours, the oldest first, as they stand there (with their times); nothing if
/// it cannot be read. What is not UTF-8 becomes U+FFFD; control characters are left.
#[must_use]
pub fn last_lines(path: &Path, n: usize) -> Vec<String> {
    let lines = tail::tail(path, n).map(|tail| tail.lines).unwrap_or_default();
    lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

/// Whether this process may not read the log at this path.
#[must_use]
pub fn is_forbidden(path: &Path) -> bool {
    tail::open(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// A service's log.
#[derive(Debug, PartialEq)]
struct Place {
    service: String,
    path: PathBuf,
}

/// Prints what services have printed; returns the exit code.
#[must_use]
pub fn logs(options: &cli::Logs) -> i32 {
    let runtime = paths::runtime();
    let snapshot = status::snapshot(&runtime);
    let (places, problems) = find(&options.services, snapshot.as_ref(), Path::new(paths::LOGS), &runtime);
    let mut code = 0;
    for problem in problems {
        eprintln!("devinit: {problem}");
        code = 1;
    }
    let many = options.services.len() > 1 || options.services.is_empty() && places.len() > 1;
    let names = if many { places.iter().map(|place| place.service.as_str()).collect() } else { Vec::new() };
    let mut printer = Printer::new(&names, options.json);
    let mut lines = Vec::new();
    let mut followers = Vec::new();
    let mut denied = Vec::new();
    for place in &places {
        let follower = match tail::tail(&place.path, options.lines) {
            Ok(mut tail) => {
                lines.extend(std::mem::take(&mut tail.lines).into_iter().map(|line| (place, line)));
                Follower::new(&place.path, Some(tail))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && options.follow => Follower::new(&place.path, None),
            // Of those that were not asked for by name, silent ones need no words, and closed ones need them once.
            Err(error) if error.kind() == io::ErrorKind::NotFound && options.services.is_empty() => continue,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && options.services.is_empty() => {
                denied.push(place.service.as_str());
                continue;
            }
            Err(error) => {
                eprintln!("devinit: {}", why(place, &error));
                // To have said nothing so far is no failure.
                code = code.max(i32::from(error.kind() != io::ErrorKind::NotFound));
                continue;
            }
        };
        followers.push((place, follower));
    }
    if !denied.is_empty() {
        let names = clean(&denied.join(", "), 500);
        eprintln!("devinit: only root and the service's user can read the logs of {names}: try sudo");
        code = 1;
    }
    if options.services.is_empty() && !places.is_empty() && followers.is_empty() && denied.is_empty() {
        eprintln!("devinit: no service has printed anything yet");
    }
    if many {
        sorted::sort_by_key(&mut lines, |(_, line)| show::time(line).map(<[u8]>::to_vec));
    }
    for (place, line) in &lines {
        printer.line(&place.service, line);
    }
    drop(lines);
    while printer.flush() && options.follow && !followers.is_empty() {
        std::thread::sleep(LOOK);
        for (place, follower) in &mut followers {
            follower.look(&mut |line| printer.line(&place.service, line));
        }
    }
    code
}

/// Where the logs of these services are, or of all, and what is to be said of those that have none.
fn find(wanted: &[String], snapshot: Option<&Snapshot>, logs: &Path, runtime: &Path) -> (Vec<Place>, Vec<String>) {
    let told = |name: &str| {
        let service = snapshot?.services.iter().find(|service| service.name == name)?;
        service.log.clone()
    };
    let exists = |path: &Path| {
        let there = |path: &Path| !path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        there(path) || there(&older(path, 1))
    };
    let path = |name: &str| {
        let usual = [logs.join(format!("{name}.log")), recent(runtime, name)];
        told(name).or_else(|| usual.into_iter().find(|path| exists(path)))
    };
    let known: Vec<String> = match snapshot {
        Some(snapshot) => snapshot.services.iter().map(|service| service.name.clone()).collect(),
        None => {
            let folders = [logs.to_owned(), runtime.join("log")];
            let files = folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten();
            let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".log")?.to_owned()));
            sorted::set(names).into_iter().collect()
        }
    };
    let (mut places, mut problems) = (Vec::new(), Vec::new());
    for name in if wanted.is_empty() { &known } else { wanted } {
        let shown = clean(name, 80);
        match path(name).filter(|_| !name.contains('/')) {
            Some(path) => {
                if !places.iter().any(|place: &Place| place.service == *name) {
                    places.push(Place { service: name.clone(), path });
                }
            }
            None if wanted.is_empty() => {}
            None if snapshot.is_some() && known.contains(name) => {
                problems.push(format!(
                    "{shown} has no log here: what it prints goes to the container's output, see `docker logs`; \
                     or it has not printed anything yet"
                ));
            }
            None if known.is_empty() => {
                problems.push(format!("there is no log of {shown} in {} or {}", logs.display(), runtime.display()));
            }
            None => {
                let hint = nearest(name, known.iter().map(String::as_str));
                let hint =
                    hint.map(|near| format!("\n  hint: did you mean `{}`?", clean(near, 80))).unwrap_or_default();
                let all = clean(&known.join(", "), 500);
                problems.push(format!("no service is named `{shown}`{hint}\n  there are: {all}"));
            }
        }
    }
    if wanted.is_empty() && places.is_empty() {
        problems.push(format!("there are no logs in {} or {}", logs.display(), runtime.display()));
    }
    (places, problems)
}

/// Why a log cannot be read, and what to do.
fn why(place: &Place, error: &io::Error) -> String {
    let path = place.path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "cannot read the log of {} in {path}: only root and the service's user can read it: try sudo",
            place.service
        ),
        io::ErrorKind::NotFound => {
            format!("{} has not printed anything yet, or it cannot be written: there is no {path}", place.service)
        }
        _ => format!("cannot read the log of {} in {path}: {error}", place.service),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::snapshot::{ServiceState, ServiceStatus};
    use crate::engine::spec::Kind;

    fn names(places: &[Place]) -> Vec<&str> {
        places.iter().map(|place| place.service.as_str()).collect()
    }

    #[test]
    fn a_log_is_found_where_devinit_says_and_where_logs_usually_are() {
        let folder = tempfile::tempdir().unwrap();
        let (logs, runtime) = (folder.path().join("logs"), folder.path().join("run"));
        std::fs::create_dir_all(&logs).unwrap();
        std::fs::create_dir_all(runtime.join("log")).unwrap();
        std::fs::write(logs.join("db.log"), "").unwrap();
        std::fs::write(recent(&runtime, "web"), "").unwrap();
        let mut services =
            ["app", "db", "web", "ui"].map(|name| ServiceStatus::new(name, Kind::Daemon, ServiceState::Ready));
        services[0].log = Some("/elsewhere/app.log".into());
        let snapshot = Snapshot::running(1, services.to_vec());

        let (places, problems) = find(&[], Some(&snapshot), &logs, &runtime);
        assert_eq!((names(&places), problems.len()), (vec!["app", "db", "web"], 0));
        assert_eq!(places[0].path, Path::new("/elsewhere/app.log"));

        let (places, _) = find(&[], None, &logs, &runtime);
        assert_eq!(names(&places), ["db", "web"]);

        let wanted = ["ui", "nothing", "../x", "db", "db"].map(str::to_owned);
        let (places, problems) = find(&wanted, Some(&snapshot), &logs, &runtime);
        assert_eq!(names(&places), ["db"]);
        assert!(problems[0].contains("docker logs"));
        assert_eq!(problems[1], "no service is named `nothing`\n  there are: app, db, web, ui");
        assert_eq!(problems.len(), 3);
    }

    #[test]
    fn who_may_not_read_a_log_is_told_who_may() {
        let place = Place { service: "db".into(), path: "/var/log/devinit/db.log".into() };
        let told = why(&place, &io::ErrorKind::PermissionDenied.into());
        assert!(told.ends_with("only root and the service's user can read it: try sudo"), "{told}");
    }
}
