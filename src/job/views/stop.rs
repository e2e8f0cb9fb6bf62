//! `devinit job stop`.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use nix::libc;
use nix::unistd::geteuid;

use super::wait::{End, watch};
use super::{complain, find, line, print_end};
use crate::cli;
use crate::job::folder::Wish;
use crate::job::{Folder, Name, Seen, Standing, instance};
use crate::words::{clean, span};
use crate::{status, sys};

/// The job's first process was started within this time, in milliseconds, of the start that the status tells.
const STARTED_WITHIN: u64 = 10_000;
/// The longest path or name that is repeated, in characters.
const NAME: usize = 300;

/// Ends a job, and waits until it has ended. Returns the exit code.
#[must_use]
pub fn stop(folder: &Folder, options: &cli::StopJob) -> i32 {
    let (name, seen) = match find(folder, &options.name) {
        Ok(found) => found,
        Err(why) => {
            complain(&why);
            return 1;
        }
    };
    match seen.standing {
        Standing::Ended => {
            complain(&format!("`{name}` has ended already"));
            return print_end(&name, &seen, options.json);
        }
        Standing::Lost { .. } if seen.is_here() => return orphan(&name, &seen, options),
        Standing::Lost { .. } => {
            complain(&format!(
                "`{name}` is lost: its container is gone or cannot reach {}; if it still runs, stop it there",
                clean(&folder.path().to_string_lossy(), NAME)
            ));
            print_end(&name, &seen, options.json);
            return 1;
        }
        Standing::Running => {}
    }
    let mut asked = Asked { folder, name: &name, kill: options.kill, runner: None, wished: false };
    let end = watch(folder, &name, seen, Some(options.timeout), &mut |seen| asked.ask(seen));
    let wished = asked.wished;
    if wished && !matches!(end, End::Late(_)) {
        // Nobody is there any more to whom it means something.
        folder.remove_wish(&name);
    }
    match end {
        End::Ended(seen) => print_end(&name, &seen, options.json),
        // Its runner was killed at the same moment.
        End::Lost(seen) if seen.is_here() => orphan(&name, &seen, options),
        End::Lost(seen) => {
            complain(&format!("`{name}` is lost: whether it has ended is not known"));
            print_end(&name, &seen, options.json);
            1
        }
        End::Late(seen) => {
            let hint = match (wished, options.kill) {
                (true, _) => "; it was asked to, and ends when its container looks into the folder",
                (false, false) => "; --kill does not wait for it",
                (false, true) => "",
            };
            complain(&format!("`{name}` has not ended within {}{hint}", span(options.timeout)));
            complain(line::line(&name, &seen).trim_end());
            1
        }
        End::Gone(why) => {
            complain(&why);
            1
        }
    }
}

/// What was done so far to have a job end.
struct Asked<'a> {
    folder: &'a Folder,
    name: &'a Name,
    kill: bool,
    /// The runner that has got the signal: another one may have taken over before that came through.
    runner: Option<(i32, u64)>,
    wished: bool,
}

impl Asked<'_> {
    fn ask(&mut self, seen: &Seen) -> Result<(), String> {
        let status = &seen.status;
        if !seen.is_here() {
            if !self.wished {
                if !self.folder.heeds(geteuid().as_raw(), seen.owner) {
                    return Err(format!(
                        "`{}` runs in another container ({}) as someone else, and {} may not stop it: try sudo",
                        self.name,
                        clean(&status.host, NAME),
                        status::own_name()
                    ));
                }
                let wish = if self.kill { Wish::Kill } else { Wish::Stop };
                self.folder.write_wish(self.name, &status.id, wish).map_err(|error| {
                    let path = clean(&self.folder.path().to_string_lossy(), NAME);
                    format!(
                        "`{}` runs in another container ({}), and {path}/{} cannot be written: {error}; stop it there",
                        self.name,
                        clean(&status.host, NAME),
                        self.name.stop_file()
                    )
                })?;
                self.wished = true;
            }
            return Ok(());
        }
        let runner = (status.runner, status.runner_started);
        // A dead one has a guard that takes over, and the status tells whom then.
        if self.runner == Some(runner) || instance::started(runner.0) != Some(runner.1) {
            return Ok(());
        }
        let signal = if self.kill { libc::SIGUSR2 } else { libc::SIGTERM };
        send(self.name, seen, runner.0, signal)?;
        self.runner = Some(runner);
        Ok(())
    }
}

/// Signals a process of a job; a group with a negative number. Whoever has written the status may have written any number: for
/// them it is signalled only if it is theirs.
fn send(name: &Name, seen: &Seen, pid: i32, signal: i32) -> Result<(), String> {
    let owner = std::fs::metadata(format!("/proc/{}", pid.unsigned_abs())).map(|process| process.uid());
    if owner.is_ok_and(|owner| seen.owner != 0 && owner != seen.owner) {
        return Err(format!(
            "the status of `{name}` names process {}, which belongs to someone else than the status does: look at it, and \
             kill it by hand if it is the job's",
            pid.unsigned_abs()
        ));
    }
    match sys::kill(pid, signal) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Err(format!(
            "`{name}` runs as {}, and {} may not stop it: try sudo",
            clean(&seen.status.user, NAME),
            status::own_name()
        )),
        // It has just ended.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        Err(error) => Err(format!("process {} of `{name}` cannot be signalled: {error}", pid.unsigned_abs())),
        Ok(()) => Ok(()),
    }
}

/// A job of this container whose runner is gone: only its command may be left.
fn orphan(name: &Name, seen: &Seen, options: &cli::StopJob) -> i32 {
    let Some((pid, begun)) =
        seen.status.pid.filter(|pid| *pid > 1).and_then(|pid| Some((pid, instance::started(pid)?)))
    else {
        complain(&format!("the runner of `{name}` is gone, and so is its command"));
        return print_end(name, seen, options.json);
    };
    let is_its = instance::started_at(pid).is_some_and(|time| time.0.abs_diff(seen.status.started.0) < STARTED_WITHIN);
    let leads = nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid))).is_ok_and(|group| group.as_raw() == pid);
    if !is_its || !leads {
        complain(&format!(
            "the runner of `{name}` is gone, and process {pid} may be someone else's by now: look at it with `ps -fp {pid}`"
        ));
        print_end(name, seen, options.json);
        return 1;
    }
    let signal = if options.kill { libc::SIGKILL } else { libc::SIGTERM };
    if let Err(why) = send(name, seen, -pid, signal) {
        complain(&why);
        return 1;
    }
    let asked = Instant::now();
    while instance::started(pid) == Some(begun) {
        if asked.elapsed() >= options.timeout {
            let hint = if options.kill { "" } else { "; --kill does not wait for it" };
            complain(&format!("the command of `{name}` has not ended within {}{hint}", span(options.timeout)));
            return 1;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    complain(&format!(
        "the runner of `{name}` was gone, and its command has been ended: nobody has noted its exit code"
    ));
    print_end(name, seen, options.json)
}
