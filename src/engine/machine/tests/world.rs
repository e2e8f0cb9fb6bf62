//! A world for the machine: processes that end when and how they like, time that passes, people who send signals. It
//! carries out every action and holds the machine to its promises after every step.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use nix::libc::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPWR, SIGQUIT, SIGSEGV, SIGTERM, SIGUSR1, SIGWINCH};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use super::service;
use crate::engine::machine::*;
use crate::engine::snapshot::ServiceState;
use crate::engine::spec::{Backoff, By, Kind, Readiness, Restart, Service, Spec};
use crate::probe::Probe;

/// How long devinit waits for the last SIGKILL to be felt.
const PATIENCE: Duration = Duration::from_millis(500);
/// Process ids go round in a small circle, so that they are given out again and again.
const MOST_PIDS: Pid = 90;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Main(Id),
    Probe(Id),
    Stray,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manners {
    /// Ends so long after it was asked to.
    Polite(Duration),
    /// Ends by SIGKILL only.
    Deaf,
    /// Hangs in the kernel: SIGKILL is felt after this time, or never.
    Hung(Option<Duration>),
}

#[derive(Clone, Debug)]
struct Process {
    role: Role,
    group: Pid,
    manners: Manners,
    ends: Option<(Instant, End)>,
    /// Ended, and the machine has not been told yet: its number is not free.
    zombie: bool,
    /// The machine knows its number.
    told: bool,
    asked: bool,
    killed: bool,
}

/// What the world knows about a service without asking the machine.
#[derive(Clone, Debug, Default)]
struct Record {
    /// A launch was asked for and is not answered.
    launching: bool,
    ready_since: Option<Instant>,
    succeeded: bool,
    /// Someone has asked for it to stay down.
    held: bool,
    last_pause: Option<Duration>,
    not_before: Option<Instant>,
}

#[derive(Clone, Debug)]
enum Stimulus {
    Pass(Duration),
    /// Time passes and nobody looks, as in a container that is frozen.
    Freeze(Duration),
    Signal(i32),
    Request(u8, Id),
    /// A process ends all of a sudden.
    Crash(usize, End),
    /// A process appears that is nobody's service.
    Stray,
}

struct World {
    machine: Machine,
    services: Vec<Service>,
    records: Vec<Record>,
    budget: Duration,
    now: Instant,
    inbox: VecDeque<Event>,
    processes: BTreeMap<Pid, Process>,
    next_pid: Pid,
    random: u64,
    sweeping: bool,
    shutdown_since: Option<Instant>,
    exit: Option<i32>,
    steps: u64,
}

impl World {
    fn new(command_mode: bool, spec: &Spec, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(command_mode, now),
            services: spec.services.clone(),
            records: vec![Record::default(); spec.services.len()],
            budget: spec.shutdown,
            now,
            inbox: VecDeque::new(),
            processes: BTreeMap::new(),
            next_pid: 2,
            random: seed | 1,
            sweeping: false,
            shutdown_since: None,
            exit: None,
            steps: 0,
        }
    }

    fn any(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % below
    }

    fn any_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.any(choices.len() as u64) as usize].clone()
    }

    fn any_delay(&mut self) -> Duration {
        Duration::from_millis(self.any_of(&[0, 1, 20, 300, 1000, 2500, 8000, 31_000]))
    }

    fn any_end(&mut self) -> End {
        self.any_of(&[
            End::Code(0),
            End::Code(1),
            End::Code(143),
            End::Signal(SIGSEGV),
            End::Signal(SIGKILL),
            End::NotExecuted(127, "no such file".into()),
        ])
    }

    fn spawn(&mut self, role: Role, group: Option<Pid>, ends: Option<(Duration, End)>) -> Pid {
        let manners = match self.any(10) {
            0 => Manners::Hung(None),
            1 => Manners::Hung(Some(self.any_delay())),
            2 | 3 => Manners::Deaf,
            _ => Manners::Polite(self.any_delay()),
        };
        let taken: BTreeSet<Pid> = self.processes.iter().flat_map(|(pid, process)| [*pid, process.group]).collect();
        while taken.contains(&self.next_pid) {
            self.next_pid = 2 + (self.next_pid - 1) % MOST_PIDS;
        }
        let pid = self.next_pid;
        self.next_pid = 2 + (self.next_pid - 1) % MOST_PIDS;
        let ends = ends.map(|(delay, end)| (self.now + delay, end));
        let group = group.unwrap_or(pid);
        let process = Process { role, group, manners, ends, zombie: false, told: false, asked: false, killed: false };
        self.processes.insert(pid, process);
        pid
    }

    fn main_of(&self, id: Id) -> Option<&Process> {
        self.processes.values().find(|process| process.role == Role::Main(id))
    }

    fn runs(&self, id: Id) -> bool {
        self.records[id].launching || self.main_of(id).is_some()
    }

    fn is_ready(&self, name: &str) -> bool {
        let id = id_of(name);
        let record = &self.records[id];
        if self.services[id].kind == Kind::Oneshot { record.succeeded } else { record.ready_since.is_some() }
    }

    fn state(&self, id: Id) -> ServiceState {
        self.machine.slots[id].shown()
    }

    fn is_settled(&self, name: &str) -> bool {
        let id = id_of(name);
        self.is_ready(name) || matches!(self.state(id), ServiceState::Done | ServiceState::Failed)
    }

    fn prerequisites_met(&self, id: Id) -> bool {
        let service = &self.services[id];
        service.after.iter().all(|name| self.is_ready(name)) && service.settled.iter().all(|name| self.is_settled(name))
    }

    /// Lets a signal arrive at a process.
    fn deliver(&mut self, pid: Pid, signal: i32) {
        let now = self.now;
        let how = self.any(3);
        let Some(process) = self.processes.get_mut(&pid).filter(|process| !process.zombie) else { return };
        let (delay, end) = match (process.manners, signal) {
            (_, SIGCONT) => return,
            (Manners::Polite(_) | Manners::Deaf, SIGKILL) => (Duration::ZERO, End::Signal(SIGKILL)),
            (Manners::Hung(Some(delay)), SIGKILL) => (delay, End::Signal(SIGKILL)),
            (Manners::Polite(delay), signal) => {
                let ends = [End::Code(0), End::Signal(signal), End::Code(signal + 128)];
                (delay, ends[how as usize].clone())
            }
            _ => return,
        };
        if process.ends.as_ref().is_none_or(|(at, _)| *at > now + delay) {
            process.ends = Some((now + delay, end));
        }
    }

    fn deliver_to_all(&mut self, signal: i32, to: impl Fn(&Process) -> bool) {
        let pids: Vec<_> = self.processes.iter().filter(|(_, process)| to(process)).map(|(pid, _)| *pid).collect();
        for pid in pids {
            self.deliver(pid, signal);
        }
    }

    /// Turns those whose time has come into zombies, in order.
    fn bury(&mut self) {
        let now = self.now;
        let mut due: Vec<_> = self
            .processes
            .iter_mut()
            .filter(|(_, process)| !process.zombie)
            .filter_map(|(pid, process)| {
                let (at, end) = process.ends.clone().filter(|(at, _)| *at <= now)?;
                process.zombie = true;
                Some((at, *pid, end))
            })
            .collect();
        due.sort_by_key(|(at, ..)| *at);
        self.inbox.extend(due.into_iter().map(|(_, pid, end)| Event::Ended(pid, end)));
    }

    fn look_around(&mut self) {
        if self.sweeping && self.processes.is_empty() {
            self.inbox.push_back(Event::Alone);
        }
    }

    fn stimulate(&mut self, stimulus: &Stimulus) {
        match stimulus {
            Stimulus::Pass(time) => self.pass(self.now + *time),
            Stimulus::Freeze(time) => {
                self.now += *time;
                self.bury();
            }
            Stimulus::Signal(signal) => self.inbox.push_back(Event::Signal(*signal)),
            Stimulus::Request(what, id) => {
                let id = *id % (self.services.len() + 1);
                let requests = [Request::Start(id), Request::Stop(id), Request::Restart(id)];
                self.inbox.push_back(Event::Request(requests[usize::from(*what) % 3].clone()));
            }
            Stimulus::Crash(which, end) => {
                let now = self.now;
                let count = self.processes.len().max(1);
                if let Some(process) = self.processes.values_mut().nth(which % count)
                    && !process.zombie
                {
                    process.ends = Some((now, end.clone()));
                }
                self.bury();
            }
            Stimulus::Stray => {
                self.spawn(Role::Stray, None, None);
            }
        }
    }

    /// Time passes, and everything happens when it is due.
    fn pass(&mut self, to: Instant) {
        let mut at_once = 0;
        loop {
            self.drain();
            let ends =
                self.processes.values().filter(|process| !process.zombie).filter_map(|process| process.ends.as_ref());
            let next = ends.map(|(at, _)| *at).chain(self.machine.next_deadline()).min();
            let Some(next) = next.filter(|next| *next <= to && self.exit.is_none()) else { break };
            at_once = if next <= self.now { at_once + 1 } else { 0 };
            assert!(at_once < 200, "it goes round in circles");
            self.now = self.now.max(next);
            self.bury();
            if self.machine.next_deadline().is_some_and(|at| at <= self.now) {
                self.inbox.push_back(Event::Tick);
            }
        }
        self.now = self.now.max(to);
    }

    fn drain(&mut self) {
        while let Some(event) = self.inbox.pop_front() {
            self.step(event);
            self.bury();
        }
    }

    fn step(&mut self, event: Event) {
        self.steps += 1;
        self.note(&event);
        let actions = self.machine.step(event.clone(), self.now);
        if self.exit.is_some() {
            assert_eq!(actions, [], "something is done after the end");
        }
        for action in actions {
            self.act(action);
        }
        self.check();
        if let Event::Request(Request::Start(id)) = event
            && id < self.services.len()
            && self.shutdown_since.is_none()
            && !self.machine.slots.is_empty()
        {
            let down = [ServiceState::BackingOff, ServiceState::Done, ServiceState::Failed];
            assert!(!down.contains(&self.state(id)), "started on request, and down: {:?}", self.machine.slots[id]);
        }
    }

    /// Takes note of what the machine is about to hear.
    fn note(&mut self, event: &Event) {
        let now = self.now;
        match event {
            Event::Launched(id, pid) => {
                self.processes.get_mut(pid).unwrap().told = true;
                let service = &self.services[*id];
                self.records[*id].launching = false;
                if service.ready.is_none() && service.kind != Kind::Oneshot {
                    self.records[*id].ready_since = Some(now);
                }
            }
            Event::NotLaunched(id, _) => self.records[*id].launching = false,
            Event::Probing(_, pid) => self.processes.get_mut(pid).unwrap().told = true,
            Event::Ended(pid, end) => {
                let process = self.processes.remove(pid).unwrap();
                self.look_around();
                match process.role {
                    Role::Main(id) => {
                        let record = &mut self.records[id];
                        record.succeeded = *end == End::Code(0) && !process.asked;
                        if record.ready_since.take().is_some_and(|since| now - since >= STABLE) && !process.asked {
                            record.last_pause = None;
                        }
                    }
                    Role::Probe(id) if *end == End::Code(0) && !process.killed => {
                        self.records[id].ready_since = Some(now);
                    }
                    _ => {}
                }
            }
            Event::Request(request) if !self.machine.stopping() && !self.machine.slots.is_empty() => {
                let (Request::Start(id) | Request::Stop(id) | Request::Restart(id)) = *request;
                let runs = id < self.services.len() && self.runs(id);
                let Some(record) = self.records.get_mut(id) else { return };
                record.held = matches!(request, Request::Stop(_));
                if !record.held {
                    record.last_pause = None;
                    record.not_before = None;
                    record.succeeded &= runs;
                }
            }
            _ => {}
        }
    }

    fn act(&mut self, action: Action) {
        assert!(self.exit.is_none(), "{action:?} after the end");
        match action {
            Action::Launch(id) => self.launch(id),
            Action::Probe(id) => self.probe(id),
            Action::EndProbe(pid) => {
                let process = self.processes.get_mut(&pid).expect("a probe that is there");
                assert!(matches!(process.role, Role::Probe(_)) && !process.killed);
                process.killed = true;
                self.deliver_to_all(SIGKILL, |process| process.group == pid);
            }
            Action::Finish(..) | Action::Schedule(_) => unreachable!("no service of this world has one"),
            Action::Signal(pid, signal) => self.signal(pid, signal),
            Action::SignalGroup(pid, signal) => {
                match self.processes.get_mut(&pid) {
                    Some(process) if self.machine.service_of(pid).is_some() => {
                        assert!(process.asked && !process.killed, "killed without need: {process:?}");
                        process.killed = true;
                    }
                    // The number was given to someone else, and the action says what then.
                    Some(_) => return,
                    None => {}
                }
                self.deliver_to_all(signal, |process| process.group == pid);
            }
            Action::Forward { pid, signal, .. } => {
                let process = self.processes.get(&pid).expect("a process to pass the signal on to");
                let Role::Main(id) = process.role else { panic!("passed on to {process:?}") };
                assert!(self.services[id].critical);
                if self.any(2) == 0 {
                    self.deliver(pid, signal);
                }
            }
            Action::HangUp(pid) => {
                let process = &self.processes[&pid];
                assert!(matches!(process.role, Role::Main(id) if self.services[id].foreground));
                self.deliver(pid, SIGHUP);
            }
            Action::Sweep(signal) => {
                assert!(self.machine.stopping());
                if signal == SIGTERM {
                    let running = self.processes.values().find(|p| matches!(p.role, Role::Main(_)) && !p.killed);
                    assert!(running.is_none(), "swept before {running:?} had its time");
                }
                self.sweeping = true;
                self.deliver_to_all(signal, |_| true);
                self.look_around();
            }
            Action::Report(report) => self.hear(report),
            Action::Exit(code) => {
                assert!((0..=255).contains(&code));
                self.exit = Some(code);
            }
        }
    }

    fn launch(&mut self, id: Id) {
        let record = &self.records[id];
        assert!(self.shutdown_since.is_none(), "launched in a shutdown");
        assert!(!self.runs(id), "{id} is launched twice");
        assert!(self.prerequisites_met(id), "{id} is launched before what it needs");
        assert!(!record.held, "{id} is launched though it is to stay down");
        assert!(record.not_before.is_none_or(|at| at <= self.now), "{id} is launched before its pause is over");
        for (other, service) in self.services.iter().enumerate() {
            let together = service.stands_in_for.as_ref() == Some(&self.services[id].name)
                || self.services[id].stands_in_for.as_ref() == Some(&service.name);
            assert!(!(together && self.runs(other)), "{id} runs beside {other}");
        }
        let record = &mut self.records[id];
        (record.succeeded, record.launching) = (false, true);
        if self.any(12) == 0 {
            return self.inbox.push_back(Event::NotLaunched(id, "no memory".into()));
        }
        let ends = match (self.services[id].kind, self.any(10)) {
            (Kind::Oneshot, 0..=6) => Some((self.any_delay(), End::Code(0))),
            (_, 0..=4) => Some((self.any_delay(), self.any_end())),
            _ => None,
        };
        let pid = self.spawn(Role::Main(id), None, ends);
        if self.any(5) == 0 {
            self.spawn(Role::Stray, Some(pid), None);
        }
        self.inbox.push_back(Event::Launched(id, pid));
    }

    fn probe(&mut self, id: Id) {
        assert!(self.shutdown_since.is_none(), "probed in a shutdown");
        assert!(self.services[id].ready.is_some() && self.services[id].kind != Kind::Oneshot);
        assert!(self.main_of(id).is_some_and(|process| process.told && !process.asked), "nothing to probe");
        let looks = |process: &Process| process.role == Role::Probe(id) && !process.killed;
        assert!(!self.processes.values().any(looks), "probed twice");
        if self.any(12) == 0 {
            return self.inbox.push_back(Event::NotProbing(id));
        }
        let ends = match self.any(8) {
            0 => None,
            1 => Some((self.any_delay(), End::Signal(SIGKILL))),
            _ => Some((self.any_delay(), End::Code(0))),
        };
        let pid = self.spawn(Role::Probe(id), None, ends);
        self.processes.get_mut(&pid).unwrap().manners = Manners::Deaf;
        self.inbox.push_back(Event::Probing(id, pid));
    }

    fn signal(&mut self, pid: Pid, signal: i32) {
        let process = self.processes.get_mut(&pid).unwrap_or_else(|| panic!("signal {signal} to nobody"));
        assert!(process.told, "{process:?} is not known to the machine");
        let Role::Main(id) = process.role else { panic!("signal {signal} to {process:?}") };
        if signal != SIGCONT {
            assert!(!process.asked, "asked twice");
            process.asked = true;
            self.records[id].ready_since = None;
            if self.shutdown_since.is_some() {
                let service = &self.services[id];
                for (other, first) in self.services.iter().enumerate().filter(|(other, _)| *other != id) {
                    let waits = first.stop_order < service.stop_order
                        || first.stop_order == service.stop_order && first.after.contains(&service.name);
                    let runs = self.records[other].launching || self.main_of(other).is_some_and(|p| !p.killed);
                    assert!(!(waits && runs), "{id} is stopped before {other}");
                }
            }
        }
        self.deliver(pid, signal);
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Ended(id, _, Next::Restart(pause)) => {
                let record = &mut self.records[id];
                assert!((FIRST_PAUSE..=LONGEST_PAUSE).contains(&pause));
                let expected = record.last_pause.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
                assert_eq!(pause, expected, "{id} is not restarted with growing pauses");
                record.last_pause = Some(pause);
                record.not_before = Some(self.now + pause);
            }
            Report::Shutdown(_) => {
                assert!(self.shutdown_since.is_none(), "two shutdowns");
                self.shutdown_since = Some(self.now);
            }
            _ => {}
        }
    }

    /// What has to hold between any two steps.
    fn check(&mut self) {
        assert_eq!(self.machine.stopping(), self.shutdown_since.is_some());
        let quiet = self.machine.next_deadline().is_none_or(|at| at > self.now);
        if self.exit.is_some() {
            return assert_eq!(self.machine.next_deadline(), None);
        }
        if quiet {
            assert_eq!(self.machine.step(Event::Tick, self.now), [], "done for no reason");
        }
        for (pid, process) in self.processes.iter().filter(|(_, process)| process.told) {
            match process.role {
                Role::Main(id) => {
                    let known = self.machine.service_of(*pid).map(|service| &service.name);
                    assert_eq!(known, Some(&self.services[id].name), "a process is lost");
                }
                Role::Probe(id) => {
                    assert!(process.killed || self.machine.slots[id].probe() == Some(*pid), "a probe is lost");
                }
                Role::Stray => {}
            }
        }
        for id in 0..self.machine.slots.len() {
            self.check_service(id);
        }
    }

    fn check_service(&self, id: Id) {
        let (service, state) = (&self.services[id], self.state(id));
        assert_eq!(
            state == ServiceState::Ready,
            self.records[id].ready_since.is_some(),
            "{:?}",
            self.machine.slots[id]
        );
        if service.kind == Kind::Oneshot {
            assert_ne!(state, ServiceState::Ready, "a oneshot that merely runs");
        }
        if self.records[id].held && self.shutdown_since.is_none() {
            assert_ne!(state, ServiceState::BackingOff, "it is to stay down");
        }
        if state == ServiceState::Waiting && self.prerequisites_met(id) {
            let down = |id: Id| matches!(self.state(id), ServiceState::Done | ServiceState::Failed);
            // Whom it stands in for is not down for good, or who stands in for it is not gone.
            let rival = |other: &Service| {
                service.stands_in_for.as_ref() == Some(&other.name) && !down(id_of(&other.name))
                    || other.stands_in_for.as_ref() == Some(&service.name) && self.runs(id_of(&other.name))
            };
            assert!(self.services.iter().any(rival), "{id} waits for nothing");
        }
    }

    /// Ends it all, and sees that it ends in time.
    fn finish(&mut self) {
        self.drain();
        if self.shutdown_since.is_none() {
            self.inbox.push_back(Event::Signal(SIGTERM));
            self.drain();
        }
        let since = self.shutdown_since.unwrap();
        let latest = self.now.max(later(since, self.budget)) + PATIENCE;
        self.pass(latest);
        assert!(self.exit.is_some(), "it is still there: {:?}", self.machine);
        for event in [Event::Tick, Event::Signal(SIGTERM), Event::Alone, Event::Request(Request::Start(0))] {
            self.step(event);
        }
    }
}

/// Services are named by their places.
fn id_of(name: &str) -> Id {
    name.parse().unwrap()
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (0u64..20_000).prop_map(Duration::from_millis),
        1 => select(vec![Duration::ZERO, Duration::from_nanos(1), Duration::MAX, Duration::from_secs(u64::MAX / 2)]),
    ]
}

fn any_service() -> impl Strategy<Value = Service> {
    let kinds = prop_oneof![8 => Just((Kind::Daemon, false)), 3 => Just((Kind::Oneshot, false)), 1 => Just((Kind::Daemon, true))];
    let restarts = select(vec![Restart::Never, Restart::OnFailure, Restart::Always, Restart::Always]);
    let ready = proptest::option::of(proptest::option::of(any_duration()));
    let shape = (kinds, restarts, ready, any::<bool>(), proptest::option::of(0u32..12));
    let links = (0u16..256, 0u16..256, any::<bool>(), any::<bool>(), 0usize..24);
    let stop = (0u8..3, select(vec![SIGTERM, SIGINT, SIGUSR1]), any_duration());
    (shape, links, stop).prop_map(|(shape, links, stop)| {
        let (after, settled, sparse, sparser, other) = links;
        let bits = |bits: u16| (0..8).filter(move |bit| bits >> bit & 1 == 1).map(|bit| format!("{bit}"));
        Service {
            kind: shape.0.0,
            critical: shape.0.1,
            restart: shape.1,
            ready: shape.2.map(|timeout| Readiness { by: By::Probe(Probe::Tcp(27015)), timeout }),
            foreground: shape.3,
            backoff: Backoff { give_up_after: shape.4, ..Backoff::default() },
            after: bits(after & if sparse { 0x11 } else { 0xff }).collect(),
            settled: bits(settled & if sparser { 0x24 } else { 0xff }).collect(),
            stands_in_for: Some(other.to_string()),
            stop_order: stop.0,
            stop_signal: stop.1,
            stop_timeout: stop.2,
            ..service("")
        }
    })
}

/// Services that come after earlier ones only, and stand-ins that come after nobody who comes after them.
fn any_spec() -> impl Strategy<Value = Spec> {
    (proptest::collection::vec(any_service(), 1..8), any_duration()).prop_map(|(mut services, shutdown)| {
        for (id, service) in services.iter_mut().enumerate() {
            service.name = id.to_string();
            let earlier = |name: &String| id_of(name) < id;
            service.after.retain(earlier);
            service.settled.retain(earlier);
            service.stands_in_for = service.stands_in_for.take().filter(earlier);
        }
        Spec { services, shutdown }
    })
}

fn any_stimulus() -> impl Strategy<Value = Stimulus> {
    let times = select(vec![0, 1, 99, 100, 250, 500, 1000, 2000, 5000, 30_000, 100_000]);
    let times = times.prop_map(Duration::from_millis);
    let harmless = select(vec![SIGCHLD, SIGHUP, SIGUSR1, SIGWINCH, 64]).prop_map(Stimulus::Signal);
    let stopping = select(vec![SIGTERM, SIGINT, SIGQUIT, SIGPWR, 37]).prop_map(Stimulus::Signal);
    let ends = select(vec![End::Code(0), End::Code(1), End::Signal(SIGKILL)]);
    prop_oneof![
        40 => times.clone().prop_map(Stimulus::Pass),
        3 => times.prop_map(Stimulus::Freeze),
        5 => harmless,
        1 => stopping,
        12 => (0u8..3, 0usize..8).prop_map(|(what, id)| Stimulus::Request(what, id)),
        16 => (0usize..64, ends).prop_map(|(which, end)| Stimulus::Crash(which, end)),
        3 => Just(Stimulus::Stray),
    ]
}

/// `PROPTEST_CASES` sets how many lives are lived.
#[test]
fn the_machine_keeps_its_promises_whatever_happens() {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 500;
    }
    let steps = Cell::new(0);
    let script = proptest::collection::vec((any_stimulus(), any::<bool>()), 0..300);
    let lives = (any::<bool>(), any_spec(), script, any::<u64>(), proptest::bool::weighted(0.9));
    let outcome = TestRunner::new(config).run(&lives, |(command_mode, spec, script, seed, prepared)| {
        let mut world = World::new(command_mode, &spec, seed);
        if prepared {
            world.inbox.push_back(Event::Begin(spec.clone()));
        }
        for (stimulus, at_once) in &script {
            world.stimulate(stimulus);
            if *at_once {
                world.drain();
            }
        }
        if !prepared {
            // The plan comes when it all goes down already.
            world.budget = DEFAULT_BUDGET;
            world.inbox.push_back(Event::Signal(SIGTERM));
            world.inbox.push_back(Event::Begin(spec));
        }
        world.finish();
        steps.set(steps.get() + world.steps);
        Ok(())
    });
    println!("{} steps", steps.get());
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
