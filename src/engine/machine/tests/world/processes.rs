//! The processes of the world, and how they take signals.

use std::collections::BTreeSet;

use nix::libc::{SIGCONT, SIGSEGV};

use super::*;

/// Process ids go round in a small circle, so that they are given out again and again.
const MOST_PIDS: Pid = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manners {
    /// Ends so long after it was asked to.
    Polite(Duration),
    /// Ends by SIGKILL only.
    Deaf,
    /// Hangs in the kernel: SIGKILL is felt after this time, or never.
    Hung(Option<Duration>),
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) role: Role,
    pub(super) group: Pid,
    pub(super) manners: Manners,
    pub(super) since: Instant,
    pub(super) ends: Option<(Instant, End)>,
    /// Ended, and the machine has not been told yet: its number is not free.
    pub(super) zombie: bool,
    /// The machine knows its number.
    pub(super) told: bool,
    pub(super) asked: bool,
    pub(super) killed: bool,
    /// The last sweep has met it.
    pub(super) swept: bool,
}

impl World {
    pub(super) fn any_end(&mut self) -> End {
        self.any_of(&[
            End::Code(0),
            End::Code(1),
            End::Code(143),
            End::Signal(SIGSEGV),
            End::Signal(SIGKILL),
            End::NotExecuted(127, "no such file".into()),
        ])
    }

    pub(super) fn spawn(&mut self, role: Role, group: Option<Pid>, ends: Option<(Duration, End)>) -> Pid {
        let manners = match self.any(10) {
            0 => Manners::Hung(None),
            1 => Manners::Hung(Some(self.any_delay())),
            2 | 3 => Manners::Deaf,
            _ => Manners::Polite(self.any_delay()),
        };
        let taken: BTreeSet<Pid> = self.processes.iter().flat_map(|(pid, process)| [*pid, process.group]).collect();
        assert!(taken.len() < MOST_PIDS as usize, "more processes than numbers");
        while taken.contains(&self.next_pid) {
            self.next_pid = 2 + (self.next_pid - 1) % MOST_PIDS;
        }
        let pid = self.next_pid;
        self.next_pid = 2 + (self.next_pid - 1) % MOST_PIDS;
        let ends = ends.map(|(delay, end)| (self.now + delay, end));
        let process = Process {
            role,
            group: group.unwrap_or(pid),
            manners,
            since: self.now,
            ends,
            zombie: false,
            told: false,
            asked: false,
            killed: false,
            swept: false,
        };
        self.processes.insert(pid, process);
        pid
    }

    pub(super) fn main_of(&self, id: Id) -> Option<&Process> {
        self.processes.values().find(|process| process.role == Role::Main(id))
    }

    /// Lets a signal arrive at a process.
    pub(super) fn deliver(&mut self, pid: Pid, signal: i32) {
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

    pub(super) fn deliver_to_all(&mut self, signal: i32, to: impl Fn(&Process) -> bool) {
        let pids: Vec<_> = self.processes.iter().filter(|(_, process)| to(process)).map(|(pid, _)| *pid).collect();
        for pid in pids {
            self.deliver(pid, signal);
        }
    }

    /// Turns those whose time has come into zombies, in order.
    pub(super) fn bury(&mut self) {
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

    pub(super) fn look_around(&mut self) {
        if self.sweeping && self.processes.is_empty() {
            self.inbox.push_back(Event::Alone);
        }
    }
}
