//! A world for the machine: processes that end when and how they like, time that passes, people who send signals, ask
//! for things and change the config. It carries out every action and holds the machine to its promises after every step.

mod actions;
mod checks;
mod lives;
mod notes;
mod processes;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use nix::libc::{SIGKILL, SIGTERM, SIGUSR2};

use self::processes::Process;
use crate::engine::machine::*;
use crate::engine::snapshot::ServiceState;
use crate::engine::spec::{Backoff, By, Kind, Service, Spec, When};

/// How long devinit waits for the last SIGKILL to be felt.
const PATIENCE: Duration = Duration::from_millis(500);
/// What services of this world have as their reload signal, and as nothing else.
const RELOAD: i32 = SIGUSR2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Main(Id),
    Probe(Id),
    Finish(Id),
    Stray,
}

/// What the world knows about a service without asking the machine.
#[derive(Clone, Debug)]
struct Record {
    /// As it runs, or ran last.
    service: Service,
    /// As it is to be; none: it was removed.
    wanted: Option<Service>,
    /// The back-off that counts, while it runs and after.
    backoff: Backoff,
    /// A launch was asked for and is not answered.
    launching: bool,
    /// Its process has ended, and its finish command has not.
    finishing: bool,
    /// Its process has just ended, and its finish command was not asked for yet.
    finish_due: bool,
    /// How many answers are outstanding.
    unanswered: u32,
    /// The wall clock was asked, and has not answered.
    clock_asked: bool,
    ready_since: Option<Instant>,
    succeeded: bool,
    /// Someone has asked for it to stay down.
    held: bool,
    /// Someone has asked for it to run.
    asked_for: bool,
    /// Something has called for it to run, whatever the clock says.
    called: bool,
    last_start: Option<Instant>,
    /// What the wall clock has said last.
    due: Option<Instant>,
    last_pause: Option<Duration>,
    /// Its finish command has given it up, and nobody has asked for it since.
    given_up: bool,
    not_before: Option<Instant>,
    alive_every: Option<Duration>,
    heard: Option<Instant>,
    last_end: Option<End>,
}

impl Record {
    fn new(service: &Service) -> Self {
        Self {
            service: service.clone(),
            wanted: Some(service.clone()),
            backoff: service.backoff,
            launching: false,
            finishing: false,
            finish_due: false,
            unanswered: 0,
            clock_asked: false,
            ready_since: None,
            succeeded: false,
            held: false,
            asked_for: false,
            called: false,
            last_start: None,
            due: None,
            last_pause: None,
            given_up: false,
            not_before: None,
            alive_every: None,
            heard: None,
            last_end: None,
        }
    }
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
    /// A service, or nobody, says something.
    Notice(Id, Notice),
    /// The config is read again: what becomes of each service, and how each would be if it were new.
    Reload(Vec<(Fate, Service)>, Duration),
}

/// What a reload makes of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
    Becomes,
    ReadsAnother,
}

struct World {
    machine: Machine,
    command_mode: bool,
    /// The spec that counts.
    spec: Spec,
    records: Vec<Record>,
    budget: Duration,
    now: Instant,
    inbox: VecDeque<Event>,
    processes: BTreeMap<Pid, Process>,
    next_pid: Pid,
    random: u64,
    revisions: u32,
    /// A sweep that is done as soon as everything that happened is taken in.
    sweep: Option<i32>,
    sweeping: bool,
    /// The last sweep was asked for.
    killing: bool,
    shutdown_since: Option<Instant>,
    /// Of which service nothing is left since this step.
    concluded: Option<Id>,
    /// The first stop signal.
    stop_signal: Option<i32>,
    /// The code that was decided, and whether this world can tell.
    code: Option<i32>,
    code_known: bool,
    exit: Option<i32>,
    steps: u64,
}

impl World {
    fn new(command_mode: bool, spec: &Spec, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(command_mode, now),
            command_mode,
            spec: spec.clone(),
            records: spec.services.iter().map(Record::new).collect(),
            budget: spec.shutdown,
            now,
            inbox: VecDeque::new(),
            processes: BTreeMap::new(),
            next_pid: 2,
            random: seed | 1,
            revisions: 0,
            sweep: None,
            sweeping: false,
            killing: false,
            shutdown_since: None,
            concluded: None,
            stop_signal: None,
            code: None,
            code_known: true,
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

    /// Whether the plan is there and nothing goes down yet.
    fn on(&self) -> bool {
        self.machine.begun && self.shutdown_since.is_none()
    }

    fn id_of(&self, name: &str) -> Option<Id> {
        self.records.iter().position(|record| record.wanted.is_some() && record.service.name == name)
    }

    fn runs(&self, id: Id) -> bool {
        self.records[id].launching || self.main_of(id).is_some()
    }

    fn busy(&self, id: Id) -> bool {
        self.runs(id) || self.records[id].finishing
    }

    fn state(&self, id: Id) -> ServiceState {
        self.machine.slots[id].shown()
    }

    fn is_ready(&self, id: Id) -> bool {
        let record = &self.records[id];
        match record.service.kind {
            Kind::Daemon => record.ready_since.is_some(),
            Kind::Oneshot => record.succeeded && matches!(self.state(id), ServiceState::Done | ServiceState::Scheduled),
        }
    }

    fn is_settled(&self, id: Id) -> bool {
        match self.state(id) {
            ServiceState::Done | ServiceState::Failed | ServiceState::Stopped => true,
            ServiceState::Scheduled => self.records[id].last_end.is_some(),
            _ => self.is_ready(id),
        }
    }

    fn prerequisites_met(&self, service: &Service) -> bool {
        let all =
            |names: &[String], met: &dyn Fn(Id) -> bool| names.iter().all(|name| self.id_of(name).is_none_or(met));
        all(&service.after, &|id| self.is_ready(id)) && all(&service.settled, &|id| self.is_settled(id))
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
                let id = *id % (self.records.len() + 1);
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
            Stimulus::Notice(id, notice) => {
                let id = *id % (self.records.len() + 1);
                self.inbox.push_back(Event::Notified(id, notice.clone()));
            }
            Stimulus::Reload(fates, shutdown) => {
                let spec = self.changed_spec(fates, *shutdown);
                self.inbox.push_back(Event::Reload(spec));
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
        loop {
            while let Some(event) = self.inbox.pop_front() {
                self.step(event);
                self.bury();
            }
            let Some(signal) = self.sweep.take() else { return };
            self.sweeping = true;
            for process in self.processes.values_mut().filter(|_| signal == SIGKILL) {
                process.swept = true;
            }
            self.deliver_to_all(signal, |_| true);
            self.look_around();
            self.bury();
        }
    }

    fn step(&mut self, event: Event) {
        self.steps += 1;
        self.note(&event);
        let actions = self.machine.step(event.clone(), self.now);
        if self.exit.is_some() {
            return assert_eq!(actions, [], "something is done after the end");
        }
        self.learn(&event);
        for action in actions {
            self.act(action, &event);
        }
        if matches!(event, Event::Ended(..)) {
            self.look_around();
        }
        self.check();
        if let Event::Request(Request::Start(id)) = event
            && self.on()
            && self.records.get(id).is_some_and(|record| record.wanted.is_some())
        {
            let up = [ServiceState::Waiting, ServiceState::Starting, ServiceState::Ready, ServiceState::Stopping];
            assert!(up.contains(&self.state(id)), "started on request, and down: {:?}", self.machine.slots[id]);
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
        let spec = self.spec.clone();
        for event in [
            Event::Tick,
            Event::Signal(SIGTERM),
            Event::Alone,
            Event::Request(Request::Start(0)),
            Event::Notified(0, Notice::Ready),
            Event::Reload(spec),
        ] {
            self.step(event);
        }
    }
}
