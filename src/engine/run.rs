//! The shell around the machine: one loop, one blocking call.
//!
//! Nothing here may end the process before the machine says so: there is nobody above PID 1. What can fail is either
//! done before the loop, where failing means that the container does not start, or its failure is an event.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd;
use tracing::{error, info, warn};

use super::control::{Answer, Query, Server};
use super::machine::{Action, End, Event, Id, Machine, Next, Report, Request};
use super::snapshot::Phase;
use super::spawn::{Attachments, Launcher};
use super::spec::{Kind, Service, Spec};
use super::{processes, terminal};
use crate::sys::{self, Change, Pid};

/// How long a preparing child may take before it is given up.
const PREPARE_LIMIT: Duration = Duration::from_secs(120);
/// The longest spec that is taken from a preparing child, in bytes.
const LONGEST_SPEC: usize = 16 << 20;
/// How many signals are taken in before other events get their turn.
const SIGNAL_BATCH: usize = 64;
/// How many exits are handled before other events get their turn.
const REAP_BATCH: usize = 512;
/// After this long without any event devinit gives back the memory that the last ones needed.
const SETTLED: Duration = Duration::from_secs(2);
/// EX_CONFIG: a preparing child that ends with it wants the container to.
pub const UNUSABLE: i32 = 78;

/// Works out what runs. Called in a child of its own for each attempt, with the reason why the one before failed; it
/// writes a [`Spec`] as JSON to the pipe and returns 0, or [`UNUSABLE`] to end the container.
pub type Prepare<'a> = &'a dyn Fn(Option<&str>, File) -> i32;

/// What the engine starts with.
pub enum Start<'a> {
    /// It is known what runs.
    With(Spec),
    /// A child finds out.
    Prepare {
        /// How; it has two attempts.
        prepare: Prepare<'a>,
        /// What runs if both fail.
        otherwise: Spec,
    },
}

struct Preparation<'a> {
    prepare: Prepare<'a>,
    otherwise: Spec,
    second: bool,
    pid: Pid,
    /// Open until the child closes its end.
    pipe: Option<File>,
    spec: Vec<u8>,
    deadline: Instant,
}

struct Engine<'a> {
    machine: Machine,
    launcher: Launcher,
    signals: OwnedFd,
    control: Option<Server>,
    preparation: Option<Preparation<'a>>,
    events: VecDeque<Event>,
    /// A process that has ended and is about to be reaped.
    zombie: Option<Pid>,
    /// A sweep that is due, with this signal.
    sweep: Option<i32>,
    /// Whether a sweep was begun, so that the end of everybody is news.
    sweeping: bool,
    /// Somebody who is not our child and has to end before we leave.
    stranger: Option<OwnedFd>,
    /// Whether the last batch of exits may not have been all: no further SIGCHLD tells of those.
    more_exits: bool,
    exit: Option<i32>,
}

/// Runs until the container ends, and returns its exit code.
///
/// # Errors
/// Only at the very start: no signals, no descriptors.
pub fn run(start: Start<'_>, command_mode: bool, runtime: Option<&Path>) -> io::Result<i32> {
    let launcher = Launcher::new()?;
    let signals = sys::signal_descriptor()?;
    if unistd::getpid().as_raw() != 1
        && let Err(error) = sys::become_subreaper()
    {
        warn!("orphans will not be reaped here: {error}");
    }
    let control = runtime.and_then(|folder| {
        let server = Server::listen(folder);
        server.inspect_err(|error| warn!("no control socket in {}: {error}", folder.display())).ok()
    });
    let mut engine = Engine {
        machine: Machine::new(command_mode, Instant::now()),
        launcher,
        signals,
        control,
        preparation: None,
        events: VecDeque::new(),
        zombie: None,
        sweep: None,
        sweeping: false,
        stranger: None,
        more_exits: false,
        exit: None,
    };
    match start {
        Start::With(spec) => engine.events.push_back(Event::Begin(spec)),
        Start::Prepare { prepare, otherwise } => engine.prepare(prepare, otherwise, None),
    }
    let code = engine.run();
    if command_mode && engine.launcher.terminal {
        terminal::take_back();
    }
    Ok(code)
}

impl<'a> Engine<'a> {
    fn run(&mut self) -> i32 {
        loop {
            self.drain();
            if let Some(signal) = self.sweep.take() {
                // Only now: in the middle of reaping, whoever has just ended would still count as there.
                self.sweeping = true;
                if self.anyone() {
                    processes::sweep(signal);
                }
                self.look_around();
                continue;
            }
            if let Some(code) = self.exit {
                return code;
            }
            self.wait();
        }
    }

    /// Has the machine take in what happened, and does what it wants, until nothing is left.
    fn drain(&mut self) {
        while let Some(event) = self.events.pop_front() {
            for action in self.machine.step(event, Instant::now()) {
                self.act(action);
            }
        }
    }

    /// The one place where devinit sleeps.
    fn wait(&mut self) {
        let now = Instant::now();
        let preparing = self.preparation.as_ref().map(|preparation| preparation.deadline);
        let at_once = self.more_exits.then_some(now);
        let due = self.machine.next_deadline().into_iter().chain(preparing).min();
        let deadline = due.into_iter().chain(at_once).min();
        let mut watched = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        let pipe = self.preparation.as_ref().and_then(|preparation| preparation.pipe.as_ref());
        watched.extend(pipe.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        let piped = pipe.is_some();
        watched.extend(self.stranger.iter().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        watched.extend(self.control.iter().flat_map(Server::descriptors).map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let settles_at = now + SETTLED;
        let settles = deadline.is_none_or(|deadline| deadline > settles_at);
        let nothing = poll(&mut watched, timeout(if settles { Some(settles_at) } else { deadline })) == Ok(0);
        if nothing && settles {
            // Back to sleep at once, before any other code is touched and so read again.
            let timeout = timeout(deadline);
            sys::release_program_memory();
            let _ = poll(&mut watched, timeout);
        }
        let mut spoke: VecDeque<bool> = watched.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(watched);
        let mut heard = || spoke.pop_front().unwrap_or(false);

        let signalled = heard();
        let prepared = piped && heard();
        let stranger_left = self.stranger.is_some() && heard();
        let knocked = self.control.is_some() && heard();
        // Who has spoken is answered before those who come in take the place.
        if spoke.contains(&true) {
            self.serve();
        }
        if knocked {
            self.control.iter_mut().for_each(Server::accept);
        }
        if prepared {
            self.read_spec();
        }
        if signalled {
            let pending = std::iter::from_fn(|| sys::next_signal(&self.signals));
            self.events.extend(pending.take(SIGNAL_BATCH).map(Event::Signal));
        }
        // Exits are looked for after every wake-up, whether SIGCHLD was seen or not: signals of one kind are merged.
        self.reap();
        if stranger_left {
            self.stranger = None;
            self.look_around();
        }
        // Whatever else woke us: who keeps devinit busy must not make it late.
        if due.is_some_and(|due| due <= Instant::now()) {
            self.give_up_preparing();
            self.events.push_back(Event::Tick);
        }
    }

    fn reap(&mut self) {
        let mut any = false;
        self.more_exits = true;
        for _ in 0..REAP_BATCH {
            let Some((pid, change)) = sys::peek_child() else {
                self.more_exits = false;
                break;
            };
            let mut end = match change {
                Change::Exited(code) => End::Code(code),
                Change::Killed(signal) => End::Signal(signal),
                Change::Stopped(signal) => {
                    sys::take_note_of_stop(pid);
                    if self.machine.service_of(pid).is_some_and(|service| service.foreground) {
                        terminal::stopped(pid, signal);
                    }
                    continue;
                }
            };
            any = true;
            let service = self.machine.service_of(pid);
            let leaves_group = service.is_some_and(|service| service.kind != Kind::Oneshot);
            if let Some(failure) = service.and_then(|service| self.launcher.failure(pid, service)) {
                end = failure;
            }
            if self.preparation.as_ref().is_some_and(|preparation| preparation.pid == pid) {
                self.prepared(&end);
            } else {
                self.events.push_back(Event::Ended(pid, end));
            }
            // The machine knows of it, and its group hears of it, while it is a zombie: nobody else can have its number.
            self.zombie = Some(pid);
            self.drain();
            if leaves_group && !self.machine.stopping() {
                // What a service leaves behind is told to go; at a shutdown the sweep does that, once.
                let _ = sys::kill(-pid, libc::SIGTERM);
            }
            self.zombie = None;
            sys::reap(pid);
        }
        if any && self.sweeping {
            self.look_around();
        }
    }

    /// Whether there can be anyone to sweep: as PID 1 always, elsewhere our descendants, and those have children of ours
    /// among them.
    fn anyone(&self) -> bool {
        unistd::getpid().as_raw() == 1 || sys::has_children()
    }

    /// During a shutdown: is there anyone left to wait for?
    fn look_around(&mut self) {
        if sys::has_children() || self.stranger.is_some() {
            return;
        }
        // One at a time is enough: when this one ends, there is another look. Those that are gone by now are passed
        // over, and so is everyone in a /proc of another process namespace, as `unshare --pid` leaves it.
        self.stranger = processes::strangers().find_map(|pid| sys::process_descriptor(pid).ok());
        if self.stranger.is_none() {
            self.events.push_back(Event::Alone);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Launch(id) => self.launch(id),
            Action::Probe(id) => self.probe(id),
            Action::Signal(pid, signal) => {
                let _ = sys::kill(pid, signal);
            }
            Action::Finish(id, _) => self.events.push_back(Event::NotFinishing(id)),
            Action::Schedule(id) => self.events.push_back(Event::Scheduled(id, None)),
            Action::EndProbe(pid) => {
                let _ = sys::kill(-pid, libc::SIGKILL);
            }
            Action::SignalGroup(pid, signal) => {
                let ours = self.machine.service_of(pid).is_some() || self.zombie == Some(pid);
                if ours || processes::is_orphaned_group(pid) {
                    let _ = sys::kill(-pid, signal);
                }
            }
            Action::Forward { pid, signal, caught } => {
                if !caught || processes::catches(pid, signal) {
                    let _ = sys::kill(pid, signal);
                }
            }
            Action::HangUp(pid) => {
                if self.launcher.terminal {
                    let _ = sys::kill(pid, libc::SIGHUP);
                }
            }
            Action::Sweep(signal) => self.sweep = Some(signal),
            Action::Report(report) => self.report(report),
            Action::Exit(code) => self.exit = Some(code),
        }
    }

    fn launch(&mut self, id: Id) {
        let Some(service) = self.machine.service(id) else { return };
        self.events.push_back(match self.launcher.launch(service, Attachments::default()) {
            Ok(pid) => Event::Launched(id, pid),
            Err(error) => Event::NotLaunched(id, error.to_string()),
        });
    }

    fn probe(&mut self, id: Id) {
        let Some((probe, context)) = self.machine.service(id).and_then(Service::probe) else { return };
        let pid = self.launcher.fork(|| {
            sys::set_process_name(c"devinit: probe");
            probe.wait(&context);
            0
        });
        self.events.push_back(match pid {
            Ok(pid) => Event::Probing(id, pid),
            Err(_) => Event::NotProbing(id),
        });
    }

    fn prepare(&mut self, prepare: Prepare<'a>, otherwise: Spec, failed: Option<&str>) {
        let begun = unistd::pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from).and_then(|(read, write)| {
            // Only our end: a grandchild that keeps the other one open must not make us wait.
            fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            let (read, write) = (File::from(read), File::from(write));
            let pid = self.launcher.fork(|| {
                sys::set_process_name(c"devinit: prepare");
                prepare(failed, write)
            })?;
            Ok((pid, read))
        });
        match begun {
            Ok((pid, pipe)) => {
                self.preparation = Some(Preparation {
                    prepare,
                    otherwise,
                    second: failed.is_some(),
                    pid,
                    pipe: Some(pipe),
                    spec: Vec::new(),
                    deadline: Instant::now() + PREPARE_LIMIT,
                });
            }
            Err(error) => {
                error!("nothing could be prepared: {error}");
                self.events.push_back(Event::Begin(otherwise));
            }
        }
    }

    /// Takes what the preparing child has written so far.
    fn read_spec(&mut self) {
        let Some(preparation) = &mut self.preparation else { return };
        let mut buffer = [0u8; 4 << 10];
        match preparation.pipe.as_mut().map(|pipe| pipe.read(&mut buffer)) {
            Some(Ok(length)) if length > 0 && preparation.spec.len() < LONGEST_SPEC => {
                preparation.spec.extend_from_slice(buffer.get(..length).unwrap_or_default());
            }
            // End of file: the exit code follows at once.
            _ => preparation.pipe = None,
        }
    }

    /// The preparing child is gone.
    fn prepared(&mut self, end: &End) {
        // What it wrote last may still be in the pipe.
        while self.preparation.as_ref().is_some_and(|preparation| preparation.pipe.is_some()) {
            self.read_spec();
        }
        let Some(preparation) = self.preparation.take() else { return };
        if self.machine.stopping() {
            return;
        }
        let why = match end {
            End::Code(0) => match serde_json::from_slice(&preparation.spec) {
                Ok(spec) => return self.events.push_back(Event::Begin(spec)),
                Err(error) => format!("the plan could not be read: {error}"),
            },
            End::Code(UNUSABLE) => {
                self.exit = Some(UNUSABLE);
                return;
            }
            end => format!("preparing the container failed: {end}"),
        };
        error!("{why}");
        if preparation.second {
            self.events.push_back(Event::Begin(preparation.otherwise));
        } else {
            self.prepare(preparation.prepare, preparation.otherwise, Some(&why));
        }
    }

    fn give_up_preparing(&mut self) {
        if let Some(preparation) = &mut self.preparation
            && preparation.deadline <= Instant::now()
        {
            error!("preparing the container takes longer than {} s and is given up", PREPARE_LIMIT.as_secs());
            let _ = sys::kill(-preparation.pid, libc::SIGKILL);
            preparation.deadline = Instant::now() + PREPARE_LIMIT;
        }
    }

    fn serve(&mut self) {
        let (machine, events) = (&self.machine, &mut self.events);
        let Some(control) = &mut self.control else { return };
        control.serve(|query, allowed| {
            let now = Instant::now();
            let name = match &query {
                Query::Status | Query::StatusFrom(_) => return Answer::Status(machine.snapshot(now)),
                _ if !allowed => return Answer::Refused("only root may do this: try sudo".to_owned()),
                Query::Probe(name) => {
                    return Answer::Probe(machine.find(name).and_then(|id| machine.service(id)?.probe()));
                }
                Query::Reload { .. } => return Answer::Refused("this devinit cannot reload its config yet".to_owned()),
                Query::Start(name) | Query::Stop(name) | Query::Restart(name) => name,
            };
            if machine.snapshot(now).phase != Phase::Running {
                return Answer::Refused("the container is starting or stopping".to_owned());
            }
            let Some(id) = machine.find(name) else {
                let names: Vec<_> = machine.services().map(|service| service.name.as_str()).collect();
                return Answer::Refused(format!("no service is named {name}; there are: {}", names.join(", ")));
            };
            events.push_back(Event::Request(match query {
                Query::Stop(_) => Request::Stop(id),
                Query::Restart(_) => Request::Restart(id),
                _ => Request::Start(id),
            }));
            Answer::Accepted
        });
    }

    fn report(&self, report: Report) {
        let name = |id: Id| self.machine.service(id).map_or("?", |service| service.name.as_str());
        match report {
            Report::Ready(id, took) => info!("{} is ready after {}", name(id), seconds(took)),
            // A main command that ran says by its exit code all that is to be said.
            Report::Ended(id, End::Code(_) | End::Signal(_), Next::GivenUp)
                if self.machine.service(id).is_some_and(|service| service.foreground) => {}
            Report::Ended(id, End::NotExecuted(_, why), Next::GivenUp) => error!("{}: {why}", name(id)),
            Report::Ended(id, end, Next::Restart(pause)) => {
                warn!("{} ended ({end}) and is started again in {}", name(id), seconds(pause));
            }
            Report::Ended(id, end, Next::Nothing) => info!("{} ended ({end})", name(id)),
            Report::Ended(id, end, Next::GivenUp) => error!("{} ended ({end}) and is not started again", name(id)),
            Report::NotReady(id, took) => warn!("{} is not ready after {} and is stopped", name(id), seconds(took)),
            Report::StopTimeout(id, took) => {
                warn!("{} did not end {} after it was asked to and is killed", name(id), seconds(took));
            }
            Report::NotAlive(id, took) => {
                warn!("{} has not said for {} that it is alive and is stopped", name(id), seconds(took));
            }
            Report::FinishTimeout(id) => warn!("the finish command of {} took too long and is killed", name(id)),
            Report::RunTimeout(id, took) => warn!("{} has not ended after {} and is stopped", name(id), seconds(took)),
            Report::StillRuns(id) => warn!("{} is due, and still runs", name(id)),
            Report::Shutdown(reason) => info!("{reason}: shutting down"),
            Report::Killing(why) => warn!("{why} and are killed"),
        }
    }
}

/// Rounded up: a wake-up before the time would only lead to another one.
fn timeout(deadline: Option<Instant>) -> PollTimeout {
    deadline.map_or(PollTimeout::NONE, |at| {
        let millis = at.saturating_duration_since(Instant::now()).as_nanos().div_ceil(1_000_000);
        PollTimeout::try_from(u32::try_from(millis).unwrap_or(u32::MAX).min(0x7fff_ffff)).unwrap_or(PollTimeout::MAX)
    })
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
