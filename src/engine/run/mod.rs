//! The shell around the machine: one loop, one blocking call.
//!
//! Nothing here may end the process before the machine says so: there is nobody above PID 1. What can fail is either
//! done before the loop, where failing means that the container does not start, or its failure is an event.

mod answers;
mod preparation;
mod report;
mod service;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd;
use tracing::{error, warn};

use self::preparation::{Failure, Preparation};
pub use self::preparation::{Prepare, Purpose};
use super::control::Server;
use super::machine::{Action, End, Event, Id, Machine};
use super::notify::Channel;
use super::outputs::Outputs;
use super::pace::Pace;
use super::snapshot::Reload;
use super::spawn::Launcher;
use super::spec::{Kind, Spec};
use super::{processes, terminal};
use crate::log;
use crate::sys::{self, Change, Pid};

/// How many exits are handled before other events get their turn.
const REAP_BATCH: usize = 512;
/// After this long without any event devinit gives back the memory that the last ones needed.
const SETTLED: Duration = Duration::from_secs(2);
/// EX_CONFIG: a preparing child that ends with it wants the container to.
pub const UNUSABLE: i32 = 78;

/// What the engine starts with.
pub struct Start<'a> {
    /// Finds out what runs, in a child: at the boot it has two attempts.
    pub prepare: Prepare<'a>,
    /// What runs if nothing has to be found out, or both attempts fail.
    pub spec: Spec,
    /// Whether nothing has to be found out.
    pub known: bool,
}

/// What a preparing child is there for.
enum Wanted {
    /// The boot; this is what runs if there is nothing better. `again`: the first attempt failed.
    Boot {
        otherwise: Spec,
        again: bool,
    },
    Reload,
}

struct Engine<'a> {
    machine: Machine,
    launcher: Launcher,
    outputs: Outputs,
    runtime: Option<&'a Path>,
    /// What services say something over.
    channels: Vec<(Id, Channel, Pace)>,
    signals: OwnedFd,
    control: Option<Server>,
    prepare: Prepare<'a>,
    preparation: Option<(Preparation, Wanted)>,
    /// The last reload.
    reload: Option<Reload>,
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
pub fn run<'a>(start: Start<'a>, command_mode: bool, runtime: Option<&'a Path>) -> io::Result<i32> {
    let launcher = Launcher::new()?;
    let signals = sys::signal_descriptor()?;
    if unistd::getpid().as_raw() != 1
        && let Err(error) = sys::become_subreaper()
    {
        warn!("orphans will not be reaped here: {error}");
    }
    let mut engine = Engine {
        machine: Machine::new(command_mode, Instant::now()),
        launcher,
        outputs: Outputs::new(runtime),
        runtime,
        channels: Vec::new(),
        signals,
        control: None,
        prepare: start.prepare,
        preparation: None,
        reload: None,
        events: VecDeque::new(),
        zombie: None,
        sweep: None,
        sweeping: false,
        stranger: None,
        more_exits: false,
        exit: None,
    };
    if start.known {
        engine.events.push_back(Event::Begin(start.spec));
    } else {
        engine.prepare_boot(start.spec, None);
    }
    engine.drain();
    if runtime.is_none() && !command_mode {
        warn!(
            "there is no folder to write to in /run or /tmp, so devinit status, health and stop cannot work: add --tmpfs /run"
        );
    }
    // Only now: the first process need not wait for it, and starts meanwhile.
    engine.control = runtime.and_then(|folder| {
        let server = Server::listen(folder);
        server.inspect_err(|error| warn!("no control socket in {}: {error}", folder.display())).ok()
    });
    let code = engine.run();
    if engine.machine.command_mode() && engine.launcher.terminal {
        terminal::take_back();
    }
    // Its file has to go; all else goes with the process, faster than it could be taken apart.
    drop(engine.control.take());
    std::mem::forget(engine);
    Ok(code)
}

impl Engine<'_> {
    fn run(&mut self) -> i32 {
        loop {
            self.drain();
            if let Some(signal) = self.sweep.take() {
                // Only now: in the middle of reaping, whoever has just ended would still count as there.
                self.sweeping = true;
                self.outputs.close();
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
            if let Event::Begin(spec) = &event {
                let main = spec.services.iter().any(|service| service.foreground);
                self.machine.set_command_mode(main);
                if main {
                    log::quieten();
                }
            }
            if let Event::Begin(spec) | Event::Reload(spec) = &event {
                let now = Instant::now();
                self.launcher.make_room(spec.services.len());
                self.outputs.make_pipes(&spec.services, now);
                self.outputs.start_logger(&self.launcher, now);
            }
            for action in self.machine.step(event, Instant::now()) {
                self.act(action);
            }
        }
    }

    /// The one place where devinit sleeps.
    fn wait(&mut self) {
        let now = Instant::now();
        let preparing = self.preparation.as_ref().map(|(preparation, _)| preparation.deadline);
        let at_once = self.more_exits.then_some(now);
        let due = self.machine.next_deadline().into_iter().chain(preparing).chain(self.outputs.deadline()).min();
        let resting = self.channels.iter().filter_map(|(_, _, pace)| pace.rests_until(now));
        let deadline = due.into_iter().chain(at_once).chain(resting).min();
        let listens = |pace: &Pace| pace.rests_until(now).is_none();
        let mut watched = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        let pipe = self.preparation.as_ref().and_then(|(preparation, _)| preparation.descriptor());
        watched.extend(pipe.map(|pipe| PollFd::new(pipe, PollFlags::POLLIN)));
        let piped = pipe.is_some();
        watched.extend(self.stranger.iter().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        let channels = self.channels.iter().filter(|(.., pace)| listens(pace));
        watched.extend(channels.map(|(_, channel, _)| PollFd::new(channel.as_fd(), PollFlags::POLLIN)));
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
        let spoken: Vec<bool> = self.channels.iter().map(|(.., pace)| listens(pace) && heard()).collect();
        let knocked = self.control.is_some() && heard();
        // Who has spoken is answered before those who come in take the place.
        if spoke.contains(&true) {
            self.serve();
        }
        if knocked {
            self.control.iter_mut().for_each(Server::accept);
        }
        if prepared && let Some((preparation, _)) = &mut self.preparation {
            preparation.read();
        }
        if signalled {
            self.events.extend(sys::next_signals(&self.signals).map(Event::Signal));
        }
        // Before its exit: what it said last may be that it is ready, and counts.
        self.hear(&spoken);
        // Exits are looked for after every wake-up, whether SIGCHLD was seen or not: signals of one kind are merged.
        self.reap();
        if stranger_left {
            self.stranger = None;
            self.look_around();
        }
        // Whatever else woke us: who keeps devinit busy must not make it late.
        let now = Instant::now();
        self.outputs.start_logger(&self.launcher, now);
        if due.is_some_and(|due| due <= now) {
            if let Some((preparation, _)) = &mut self.preparation {
                preparation.give_up_if_due(now);
            }
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
            if self.outputs.ended(pid, &end, Instant::now()) {
                sys::reap(pid);
                continue;
            }
            let prepared = self.preparation.as_ref().is_some_and(|(preparation, _)| preparation.pid == pid);
            if !prepared && !self.machine.knows(pid) {
                // An orphan, of which there may be thousands: nobody waits for it.
                sys::reap(pid);
                continue;
            }
            let place = self.machine.place_of(pid);
            if let Some(id) = place {
                self.hear_out(id);
            }
            let service = place.and_then(|id| self.machine.service(id));
            let leaves_group = service.is_some_and(|service| service.kind != Kind::Oneshot);
            if let Some(failure) = self.machine.owner_of(pid).and_then(|owner| self.launcher.failure(pid, owner)) {
                if service.is_none() {
                    warn!("a finish command {failure}");
                }
                end = failure;
            }
            if prepared {
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
        if self.stranger.is_none() && !self.outputs.take_the_rest(&self.launcher) {
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
            Action::Finish(id, end) => self.finish(id, &end),
            Action::Schedule(id) => {
                let until = self.machine.service(id).and_then(service::until_next);
                self.events.push_back(Event::Scheduled(id, until));
            }
            Action::EndProbe(pid) => {
                let _ = sys::kill(-pid, libc::SIGKILL);
            }
            Action::SignalGroup(pid, signal) => {
                let ours = self.machine.knows(pid) || self.zombie == Some(pid);
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
            Action::Report(report) => report::report(&self.machine, report),
            Action::Exit(code) => self.exit = Some(code),
        }
    }

    fn prepare_boot(&mut self, otherwise: Spec, failed: Option<&str>) {
        let purpose = failed.map_or(Purpose::Boot, Purpose::Rescue);
        match Preparation::begin(&self.launcher, self.prepare, purpose) {
            Ok(begun) => {
                self.preparation = Some((begun, Wanted::Boot { otherwise, again: failed.is_some() }));
            }
            Err(error) => {
                error!("nothing could be prepared: {error}");
                self.events.push_back(Event::Begin(otherwise));
            }
        }
    }

    /// The preparing child is gone.
    fn prepared(&mut self, end: &End) {
        let Some((preparation, wanted)) = self.preparation.take() else { return };
        if self.machine.stopping() {
            return;
        }
        let result = preparation.result(end);
        match (wanted, result) {
            (Wanted::Reload, result) => self.reloaded(result),
            (Wanted::Boot { .. }, Ok(spec)) => self.events.push_back(Event::Begin(spec)),
            (Wanted::Boot { .. }, Err(Failure::Unusable)) => self.exit = Some(UNUSABLE),
            (Wanted::Boot { otherwise, again }, Err(Failure::Failed(why))) => {
                error!("{why}");
                if again {
                    self.events.push_back(Event::Begin(otherwise));
                } else {
                    self.prepare_boot(otherwise, Some(&why));
                }
            }
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
