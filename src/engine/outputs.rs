//! The pipes that services print to, and the logger that empties them.
//!
//! PID 1 keeps both ends of every pipe, so that neither a service nor what it printed is lost with a logger: whatever
//! becomes of one, the next one finds the same pipes. Once PID 1 has let go of its ends, a logger ends by itself when the
//! last process that could print has gone.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd;
use tracing::warn;

use super::machine::End;
use super::spawn::{Launcher, NOFILE};
use super::spec::{Form, Log, Service};
use crate::logger::{self, Source};
use crate::sys::{self, Pid};

/// The least time between the starts of two loggers, if the first one did not end as it was asked to.
const PAUSE: Duration = Duration::from_secs(1);
/// How many descriptors are left for other things than pipes: as many clients as are heard at a time, and some.
const RESERVE: u64 = 64;
/// How many services a warning names.
const NAMED: usize = 3;

/// All pipes, and the logger.
pub struct Outputs {
    runtime: Option<PathBuf>,
    pipes: BTreeMap<String, Pipes>,
    logger: Option<Pid>,
    /// When the last logger was started.
    since: Option<Instant>,
    /// When the next logger is due.
    due: Option<Instant>,
    /// Whether the logger was asked to make way for one that knows the pipes of now.
    renewing: bool,
    /// Whether PID 1 has let go of its ends.
    closed: bool,
    /// How many loggers may still be started for what is left at the end.
    rests: u8,
}

/// What a service prints to.
struct Pipes {
    log: Log,
    owner: Option<u32>,
    output: Pipe,
    /// For standard error, where it is kept apart, or was before the config changed.
    error: Option<Pipe>,
    /// The service was gone when the config was read last.
    unused: bool,
}

struct Pipe {
    read: OwnedFd,
    /// None once PID 1 has let go of it.
    write: Option<OwnedFd>,
}

impl Pipe {
    /// Leaves some descriptors free: for who steers, for a reload, for what services notify over.
    fn new(owner: Option<u32>) -> io::Result<Self> {
        let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
        let limit = sys::limit(NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        // The kernel gives out the lowest number that is free.
        if u64::try_from(write.as_raw_fd()).unwrap_or(0) >= limit - RESERVE.min(limit / 2) {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let pipe = Self { read, write: Some(write) };
        pipe.give_to(owner);
        Ok(pipe)
    }

    /// So that the service can open /dev/stdout. Who has no right to give it away goes without.
    fn give_to(&self, owner: Option<u32>) {
        let owner = owner.map_or_else(unistd::geteuid, unistd::Uid::from_raw);
        let _ = unistd::fchown(&self.read, Some(owner), None);
    }
}

impl Pipes {
    fn new(log: &Log, owner: Option<u32>) -> io::Result<Self> {
        let error = if is_apart(log) { Some(Pipe::new(owner)?) } else { None };
        Ok(Self { log: log.clone(), owner, output: Pipe::new(owner)?, error, unused: false })
    }

    /// Changes what becomes of it. A process that prints to the pipes of before is still heard.
    fn change(&mut self, log: &Log, owner: Option<u32>) -> io::Result<()> {
        if is_apart(log) && self.error.is_none() {
            self.error = Some(Pipe::new(owner)?);
        }
        if self.owner != owner {
            [Some(&self.output), self.error.as_ref()].into_iter().flatten().for_each(|pipe| pipe.give_to(owner));
        }
        (self.log, self.owner) = (log.clone(), owner);
        Ok(())
    }
}

/// Whether standard error has a pipe of its own. One pipe keeps the order of what is printed.
fn is_apart(log: &Log) -> bool {
    log.output == Some(Form::Raw) && log.file.is_none()
}

impl Outputs {
    /// Without a pipe so far. `runtime` is the folder for files of last lines.
    #[must_use]
    pub fn new(runtime: Option<&Path>) -> Self {
        Self {
            runtime: runtime.map(Path::to_owned),
            pipes: BTreeMap::new(),
            logger: None,
            since: None,
            due: None,
            renewing: false,
            closed: false,
            rests: 3,
        }
    }

    /// Sees to it that there are pipes for these services. A pipe that no service has any more is kept until the next
    /// time, for what may still print to it.
    pub fn make_pipes(&mut self, services: &[Service], now: Instant) {
        let (mut changed, mut without, mut why) = (false, Vec::new(), None);
        let of = |name: &str| services.iter().find(|service| service.name == name && service.log.is_some());
        self.pipes.retain(|name, pipes| of(name).is_some() || !std::mem::replace(&mut pipes.unused, true));
        for service in services {
            let Some(log) = &service.log else { continue };
            let owner = service.identity.as_ref().map(|identity| identity.uid);
            let made = match self.pipes.get_mut(&service.name) {
                Some(pipes) => {
                    pipes.unused = false;
                    if pipes.log == *log && pipes.owner == owner {
                        continue;
                    }
                    pipes.change(log, owner)
                }
                None => Pipes::new(log, owner).map(|pipes| _ = self.pipes.insert(service.name.clone(), pipes)),
            };
            changed = true;
            if let Err(error) = made {
                without.push(service.name.as_str());
                why = Some(error);
            }
        }
        if let Some(error) = why {
            let others = without.len().saturating_sub(NAMED);
            without.truncate(NAMED);
            let more = if others > 0 { format!(" and {others} more") } else { String::new() };
            let hint = match error.raw_os_error() {
                Some(libc::EMFILE) => "; allow the container more descriptors (docker run --ulimit nofile=…)",
                _ => "",
            };
            let names = without.join(", ");
            warn!(
                "what {names}{more} print goes to where it did, or to the container's output: no pipe: {error}{hint}"
            );
        }
        if changed && !self.closed {
            match self.logger {
                Some(logger) => {
                    self.renewing = true;
                    let _ = sys::kill(logger, logger::MAKE_WAY);
                }
                None => self.due = Some(now),
            }
        }
    }

    /// What a service's standard output and standard error are; none: PID 1's own.
    #[must_use]
    pub fn of(&self, service: &Service) -> Option<[BorrowedFd<'_>; 2]> {
        let log = service.log.as_ref()?;
        let pipes = self.pipes.get(&service.name)?;
        let output = pipes.output.write.as_ref()?;
        let error =
            pipes.error.as_ref().filter(|_| is_apart(log)).map_or(Some(output), |error| error.write.as_ref())?;
        Some([output.as_fd(), error.as_fd()])
    }

    /// Where the lines of a service can be read.
    #[must_use]
    pub fn file(&self, service: &Service) -> Option<PathBuf> {
        match &service.log.as_ref()?.file {
            Some(file) => Some(file.path.clone()),
            None => self.runtime.as_ref().map(|runtime| logger::recent(runtime, &service.name)),
        }
    }

    /// When [`Outputs::start_logger`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Starts a logger, if one is due.
    pub fn start_logger(&mut self, launcher: &Launcher, now: Instant) {
        if self.pipes.is_empty() {
            self.due = None;
        }
        if self.logger.is_some() || self.due.is_none_or(|due| due > now) {
            return;
        }
        let (pipes, runtime) = (&mut self.pipes, &self.runtime);
        let started = launcher.fork(|| {
            sys::set_process_name(c"devinit: logger");
            // What the whole container is sent at its end is not for a logger: it goes when nobody prints any more.
            if sys::take_signals().is_err() {
                return 1;
            }
            let sources = sources(std::mem::take(pipes));
            let kept: Vec<_> = sources.iter().map(|source| source.pipe.as_raw_fd()).collect();
            // An end of ours to write to would keep a pipe from its end.
            sys::close_all_but(&kept);
            logger::run(sources, runtime.as_deref())
        });
        match started {
            Ok(pid) => (self.logger, self.since, self.due) = (Some(pid), Some(now), None),
            // Services wait while their pipes are full: not for ever, for this may pass.
            Err(error) => {
                warn!("the logger could not be started, and is tried again: {error}");
                self.due = now.checked_add(PAUSE);
            }
        }
    }

    /// A process has ended. Whether it was the logger.
    pub fn ended(&mut self, pid: Pid, end: &End, now: Instant) -> bool {
        if self.logger != Some(pid) {
            return false;
        }
        self.logger = None;
        let asked = std::mem::take(&mut self.renewing);
        if *end != End::Code(0) {
            // At the end of the container everybody is killed.
            if !self.closed {
                warn!("the logger ended ({end}) and is started again");
            }
        } else if self.closed {
            // Every pipe is at its end.
            self.pipes.clear();
            return true;
        }
        let soon = self.since.and_then(|since| since.checked_add(PAUSE)).filter(|soon| !asked && *soon > now);
        self.due = Some(soon.unwrap_or(now));
        true
    }

    /// Lets go of what services print to: from now on the logger ends with the last of them.
    pub fn close(&mut self) {
        self.closed = true;
        for pipes in self.pipes.values_mut() {
            pipes.output.write = None;
            if let Some(error) = &mut pipes.error {
                error.write = None;
            }
        }
    }

    /// Everybody has ended. Where a logger was killed before it could take everything that was printed, another one is
    /// started for the rest. Whether there is one now.
    pub fn take_the_rest(&mut self, launcher: &Launcher) -> bool {
        if self.pipes.is_empty() || !self.closed || self.rests == 0 {
            return false;
        }
        self.rests = self.rests.saturating_sub(1);
        let now = Instant::now();
        self.due = Some(now);
        self.start_logger(launcher, now);
        self.logger.is_some()
    }
}

fn sources(all: BTreeMap<String, Pipes>) -> Vec<Source> {
    let mut sources = Vec::new();
    for (service, Pipes { log, owner, output, error, .. }) in all {
        let source = |pipe: Pipe, error: bool| Source {
            service: service.clone(),
            pipe: pipe.read,
            error,
            log: log.clone(),
            owner,
        };
        sources.push(source(output, false));
        sources.extend(error.map(|error| source(error, true)));
    }
    sources
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::engine::spec::{Identity, Kind};

    #[test]
    fn a_service_can_open_its_output_anew_as_its_user() {
        if !unistd::geteuid().is_root() {
            return;
        }
        let identity = Some(Identity { uid: 3100, gid: 1100, groups: vec![1100] });
        let log = Some(Log { output: Some(Form::Raw), file: None });
        let mut service = Service { identity, log, ..Service::new("web", Kind::Daemon, Vec::new()) };
        let mut outputs = Outputs::new(None);
        let opens = |outputs: &Outputs, service: &Service| {
            let numbers = outputs.of(service).unwrap().map(|end| end.as_raw_fd());
            let uid = service.identity.as_ref().unwrap().uid;
            sys::as_user(uid, 1100, &[], &mut || {
                // With the rights that a program has, which may look into its own /proc.
                let open = |fd: i32| {
                    std::fs::File::options().write(true).open(format!("/proc/{}/fd/{fd}", std::process::id()))
                };
                let _ = nix::sys::prctl::set_dumpable(true);
                i32::from(numbers.iter().any(|fd| open(*fd).is_err()))
            })
            .unwrap()
        };
        outputs.make_pipes(std::slice::from_ref(&service), Instant::now());
        assert_eq!(opens(&outputs, &service), 0);
        service.identity = Some(Identity { uid: 3200, gid: 1100, groups: vec![1100] });
        outputs.make_pipes(std::slice::from_ref(&service), Instant::now());
        assert_eq!(opens(&outputs, &service), 0);
    }
}
