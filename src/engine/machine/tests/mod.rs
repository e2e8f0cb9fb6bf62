//! The rules one by one, and then all of them at once in a [`world`] where anything can happen.

mod finishing;
mod notices;
mod recurring;
mod reloading;
mod requests;
mod restarting;
mod shutting_down;
mod signals;
mod starting;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use nix::libc::{SIGCONT, SIGINT, SIGKILL, SIGTERM};

use super::*;
use crate::engine::snapshot::ServiceState;
use crate::engine::spec::{Backoff, By, Kind, Readiness, Restart, When};
use crate::probe::Probe;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A daemon that is ready at once.
fn service(name: &str) -> Service {
    let backoff = Backoff { give_up_after: None, ..Backoff::default() };
    Service { restart: Restart::Always, backoff, ..Service::new(name, Kind::Daemon, vec![name.to_owned()]) }
}

/// How a service comes again that is given up after this many failures.
fn given_up_after(failures: u32) -> Backoff {
    Backoff { give_up_after: Some(failures), ..Backoff::default() }
}

fn oneshot(name: &str) -> Service {
    Service { kind: Kind::Oneshot, restart: Restart::Never, ..service(name) }
}

/// The app of a service container: its end is the container's.
fn app() -> Service {
    Service { critical: true, gets_signals: true, restart: Restart::Never, stop_signal: SIGINT, ..service("app") }
}

/// What the container runs in the foreground.
fn main_command() -> Service {
    Service { foreground: true, ..app() }
}

/// A page that is shown while there is no app.
fn page() -> Service {
    Service { stands_in_for: Some("app".to_owned()), ..service("page") }
}

trait With: Sized {
    fn after(self, names: &[&str]) -> Self;
    fn settled(self, names: &[&str]) -> Self;
    fn probed(self, timeout: Option<Duration>) -> Self;
    fn order(self, order: u8) -> Self;
    fn finished(self) -> Self;
    fn when(self, when: When) -> Self;
}

impl With for Service {
    fn after(self, names: &[&str]) -> Self {
        Self { after: names.iter().map(ToString::to_string).collect(), ..self }
    }

    fn settled(self, names: &[&str]) -> Self {
        Self { settled: names.iter().map(ToString::to_string).collect(), ..self }
    }

    fn probed(self, timeout: Option<Duration>) -> Self {
        Self { ready: Some(Readiness { by: By::Probe(Probe::Tcp(27015)), timeout }), ..self }
    }

    fn order(self, stop_order: u8) -> Self {
        Self { stop_order, ..self }
    }

    fn finished(self) -> Self {
        Self { finish: Some(vec!["clean-up".to_owned()]), ..self }
    }

    fn when(self, when: When) -> Self {
        Self { when, ..self }
    }
}

/// A machine on a stage where every process starts at once, and ends when the test says so. What the machine does is
/// written down in words: "launch app", "SIGTERM to app", "exit 0".
struct Stage {
    machine: Machine,
    now: Instant,
    next_pid: Pid,
    cast: BTreeMap<Pid, String>,
    /// What was reported since the beginning.
    reports: Vec<Report>,
    /// What the wall clock says how long it is until the next time.
    next_time: Option<Duration>,
}

impl Stage {
    fn empty(command_mode: bool) -> Self {
        let now = Instant::now();
        let machine = Machine::new(command_mode, now);
        Self { machine, now, next_pid: 100, cast: BTreeMap::new(), reports: Vec::new(), next_time: None }
    }

    /// A container of these services, and what happens in it first.
    fn begin(services: impl Into<Vec<Service>>) -> (Self, Vec<String>) {
        let mut stage = Self::empty(false);
        let words = stage.play(Event::Begin(Spec { services: services.into(), shutdown: seconds(9) }));
        (stage, words)
    }

    /// A container of these services that all have started.
    fn of(services: impl Into<Vec<Service>>) -> Self {
        Self::begin(services).0
    }

    /// A container that was given a command.
    fn of_command(services: impl Into<Vec<Service>>) -> Self {
        let mut stage = Self::empty(true);
        stage.play(Event::Begin(Spec { services: services.into(), shutdown: seconds(9) }));
        stage
    }

    fn id(&self, name: &str) -> Id {
        self.machine.find(name).unwrap()
    }

    fn pid(&self, name: &str) -> Pid {
        *self.cast.iter().rev().find(|(_, other)| *other == name).unwrap().0
    }

    fn state(&self, name: &str) -> ServiceState {
        self.status(name).state
    }

    fn status(&self, name: &str) -> ServiceStatus {
        let services = self.machine.snapshot(self.now).services;
        services.into_iter().find(|service| service.name == name).unwrap()
    }

    /// The names of all services, in the order in which they are shown.
    fn names(&self) -> Vec<String> {
        self.machine.services().map(|service| service.name.clone()).collect()
    }

    fn says(&mut self, name: &str, notice: Notice) -> Vec<String> {
        self.play(Event::Notified(self.id(name), notice))
    }

    fn reload(&mut self, services: impl Into<Vec<Service>>) -> Vec<String> {
        self.play(Event::Reload(Spec { services: services.into(), shutdown: seconds(9) }))
    }

    /// One step, and nobody answers.
    fn step(&mut self, event: Event) -> Vec<String> {
        let actions = self.machine.step(event, self.now);
        actions.into_iter().filter_map(|action| self.words(action)).collect()
    }

    /// Something happens, and so does what the machine wants then.
    fn play(&mut self, event: Event) -> Vec<String> {
        let mut said = Vec::new();
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.machine.step(event, self.now) {
                match action {
                    Action::Launch(id) => events.push_back(Event::Launched(id, self.hire(id, ""))),
                    Action::Probe(id) => events.push_back(Event::Probing(id, self.hire(id, "probe of "))),
                    Action::Finish(id, _) => events.push_back(Event::Finishing(id, self.hire(id, "finish of "))),
                    Action::Schedule(id) => events.push_back(Event::Scheduled(id, self.next_time)),
                    _ => {}
                }
                said.extend(self.words(action));
            }
        }
        said
    }

    fn hire(&mut self, id: Id, what: &str) -> Pid {
        let pid = self.next_pid;
        self.next_pid += 1;
        self.cast.insert(pid, format!("{what}{}", self.machine.service(id).unwrap().name));
        pid
    }

    fn ends(&mut self, name: &str, end: End) -> Vec<String> {
        self.play(Event::Ended(self.pid(name), end))
    }

    fn exits(&mut self, name: &str, code: i32) -> Vec<String> {
        self.ends(name, End::Code(code))
    }

    /// A probe has found what it looked for.
    fn is_ready(&mut self, name: &str) -> Vec<String> {
        self.exits(&format!("probe of {name}"), 0)
    }

    fn signal(&mut self, signal: i32) -> Vec<String> {
        self.play(Event::Signal(signal))
    }

    fn start(&mut self, name: &str) -> Vec<String> {
        self.play(Event::Request(Request::Start(self.id(name))))
    }

    fn stop(&mut self, name: &str) -> Vec<String> {
        self.play(Event::Request(Request::Stop(self.id(name))))
    }

    fn restart(&mut self, name: &str) -> Vec<String> {
        self.play(Event::Request(Request::Restart(self.id(name))))
    }

    /// This time passes; the machine is woken whenever it wants to be.
    fn pass(&mut self, time: Duration) -> Vec<String> {
        let until = self.now + time;
        let mut said = Vec::new();
        for _ in 0..1000 {
            let Some(at) = self.machine.next_deadline().filter(|at| *at <= until) else {
                self.now = until;
                return said;
            };
            self.now = self.now.max(at);
            said.extend(self.play(Event::Tick));
        }
        panic!("it never comes to rest");
    }

    fn words(&mut self, action: Action) -> Option<String> {
        let name = |id: Id| self.machine.service(id).unwrap().name.as_str();
        let signal = |signal: i32| signal_hook::low_level::signal_name(signal).unwrap_or("?");
        Some(match action {
            Action::Launch(id) => format!("launch {}", name(id)),
            Action::Probe(id) => format!("probe {}", name(id)),
            Action::EndProbe(pid) => format!("end {}", self.cast[&pid]),
            Action::Finish(id, end) => format!("finish {} ({end})", name(id)),
            Action::Schedule(id) => format!("schedule {}", name(id)),
            // It goes with every other one.
            Action::Signal(_, SIGCONT) => return None,
            Action::Signal(pid, number) => format!("{} to {}", signal(number), self.cast[&pid]),
            Action::SignalGroup(pid, number) => format!("{} to group of {}", signal(number), self.cast[&pid]),
            Action::Forward { pid, signal: number, caught } => {
                let condition = if caught { ", if caught" } else { "" };
                format!("pass {} on to {}{condition}", signal(number), self.cast[&pid])
            }
            Action::HangUp(pid) => format!("hang up {}", self.cast[&pid]),
            Action::Sweep(number) => format!("{} to everyone", signal(number)),
            Action::Exit(code) => format!("exit {code}"),
            Action::Report(report) => {
                self.reports.push(report);
                return None;
            }
        })
    }
}
