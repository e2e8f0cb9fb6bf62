//! Which task runs when: a pure state machine. No clock, no randomness and no system call in here: times are given, in
//! milliseconds since the run began, and what is random comes from a seed.
//!
//! ```text
//!               its turn
//!  Waiting ────────────────▶ Running ──▶ Done
//!     ▲                       │   │
//!     │ pause over            │   └────▶ Failed   not worth another try, tried too often, or the run stops
//!     └────── BackingOff ◀────┘
//!
//!  Waiting ──▶ Skipped: what it needs cannot be had any more, or the run stops before its turn
//! ```
//!
//! Among those whose turn it could be, the one with the longest chain of tasks behind it comes first, then the one that
//! comes first in the list.

mod graph;
mod pause;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use self::pause::Random;
use super::progress::State;
use crate::fetch::Retry;

pub use self::pause::{FIRST_PAUSE, LONGEST_AFTER, LONGEST_PAUSE};

/// What the scheduler has to know about a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The tasks that have to be done first, by index.
    pub needs: Vec<usize>,
    /// How long one attempt may take. Zero: as long as it likes.
    pub timeout: Duration,
    /// How often it is tried again.
    pub retries: u32,
    /// Whether a record says that it is done.
    pub done: bool,
    /// Whether it is left alone in this run although it is not done (`--only`; it needs root and there is none).
    pub excluded: bool,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The run begins, or a time that [`Action::WakeAt`] named has come.
    Tick,
    /// An attempt has ended.
    Ended {
        /// Of this task.
        task: usize,
        /// None: it is done. Else whether it is worth another try.
        failed: Option<Retry>,
    },
    /// The run is told to stop: nothing more is begun, what runs is ended.
    Stop,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin an attempt at a task.
    Start(usize),
    /// End the attempt at a task with all its processes: its time is over, or the run stops. Its end is reported as an
    /// [`Event::Ended`] like any other.
    End(usize),
    /// Send an [`Event::Tick`] at this time, in milliseconds since the run began. Replaces the one before.
    WakeAt(u64),
    /// Everything has come to its end: comes once, and nothing after it.
    Finish,
}

/// Decides which task runs when.
#[derive(Clone, Debug)]
pub struct Scheduler {
    slots: Vec<Slot>,
    /// How many may run side by side.
    parallel: usize,
    random: Random,
    now: u64,
    /// Tasks whose turn it could be, by the length of the chain behind them, then by their place in the list.
    ready: BinaryHeap<(usize, Reverse<usize>)>,
    /// When the time of a running task is over, and when a failed one is tried again.
    deadlines: BTreeSet<(u64, usize)>,
    running: usize,
    /// How many tasks have not come to their end.
    open: usize,
    /// The time of the last [`Action::WakeAt`].
    told: Option<u64>,
    stopping: bool,
    finished: bool,
}

#[derive(Clone, Debug)]
struct Slot {
    phase: Phase,
    /// How many of its needs are not done.
    unmet: usize,
    /// The tasks that need it.
    dependents: Vec<usize>,
    /// The length of the longest chain of tasks behind it.
    chain: usize,
    timeout: Option<u64>,
    retries: u32,
    attempts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    /// Until this time, if there is a limit.
    Running(Option<u64>),
    /// Runs, and [`Action::End`] is given out.
    Ending,
    /// Until this time.
    BackingOff(u64),
    Done,
    Unchanged,
    Failed,
    Skipped,
}

impl Scheduler {
    /// A scheduler that waits for the first [`Event::Tick`]. Runs at least one task at a time; tasks that need each
    /// other in a circle, or one that does not exist, are skipped.
    #[must_use]
    pub fn new(nodes: Vec<Node>, parallel: usize, seed: u64) -> Self {
        let graph = graph::Graph::of(&nodes);
        let slots = nodes.into_iter().zip(graph.vertices).map(|(node, vertex)| Slot {
            phase: if node.done {
                Phase::Unchanged
            } else if vertex.reachable {
                Phase::Waiting
            } else {
                Phase::Skipped
            },
            unmet: vertex.unmet,
            dependents: vertex.dependents,
            chain: vertex.chain,
            timeout: (!node.timeout.is_zero()).then(|| millis(node.timeout).max(1)),
            retries: node.retries,
            attempts: 0,
        });
        let slots: Vec<Slot> = slots.collect();
        let open = || slots.iter().enumerate().filter(|(_, slot)| slot.phase == Phase::Waiting);
        let ready = open().filter(|(_, slot)| slot.unmet == 0).map(|(task, slot)| (slot.chain, Reverse(task)));
        Self {
            ready: ready.collect(),
            open: open().count(),
            parallel: parallel.max(1),
            random: Random::new(seed),
            now: 0,
            deadlines: BTreeSet::new(),
            running: 0,
            told: None,
            stopping: false,
            finished: false,
            slots,
        }
    }

    /// Takes in an event, at a time in milliseconds since the run began, and says what is to be done, in this order.
    ///
    /// An event about a task that does not run is ignored. A [`Event::Tick`] that comes early does no harm.
    pub fn step(&mut self, event: Event, now_ms: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.finished {
            return actions;
        }
        self.now = self.now.max(now_ms);
        match event {
            // Whoever sends it has used up what it was told.
            Event::Tick => self.told = None,
            Event::Ended { task, failed } => self.ended(task, failed),
            Event::Stop => self.stop(&mut actions),
        }
        self.keep_deadlines(&mut actions);
        self.start(&mut actions);
        self.conclude(&mut actions);
        actions
    }

    /// Where a task stands.
    #[must_use]
    pub fn state(&self, task: usize) -> State {
        match self.slots.get(task).map(|slot| slot.phase) {
            Some(Phase::Waiting) => State::Waiting,
            Some(Phase::Running(_) | Phase::Ending) => State::Running,
            Some(Phase::BackingOff(_)) => State::BackingOff,
            Some(Phase::Done) => State::Done,
            Some(Phase::Unchanged) => State::Unchanged,
            Some(Phase::Failed) => State::Failed,
            Some(Phase::Skipped) | None => State::Skipped,
        }
    }

    /// When a task is tried again, in milliseconds since the run began, if it is backing off.
    #[must_use]
    pub fn again_at(&self, task: usize) -> Option<u64> {
        match self.slots.get(task)?.phase {
            Phase::BackingOff(until) => Some(until),
            _ => None,
        }
    }

    /// How often a task was begun.
    #[must_use]
    pub fn attempts(&self, task: usize) -> u32 {
        self.slots.get(task).map_or(0, |slot| slot.attempts)
    }

    fn ended(&mut self, task: usize, failed: Option<Retry>) {
        let Some(slot) = self.slots.get(task) else { return };
        let failed = match (slot.phase, failed) {
            (Phase::Running(until), failed) => {
                until.map(|until| self.deadlines.remove(&(until, task)));
                failed
            }
            // It was cut short: what it said about itself is not why.
            (Phase::Ending, Some(Retry::Never)) => Some(Retry::Soon),
            (Phase::Ending, failed) => failed,
            _ => return,
        };
        self.running = self.running.saturating_sub(1);
        match failed {
            None => self.done(task),
            Some(retry) => self.failed(task, retry),
        }
    }

    fn done(&mut self, task: usize) {
        for dependent in self.close(task, Phase::Done) {
            let Some(slot) = self.slots.get_mut(dependent) else { continue };
            slot.unmet = slot.unmet.saturating_sub(1);
            if slot.unmet == 0 && slot.phase == Phase::Waiting {
                self.ready.push((slot.chain, Reverse(dependent)));
            }
        }
    }

    fn failed(&mut self, task: usize, retry: Retry) {
        let Some(slot) = self.slots.get_mut(task) else { return };
        if !self.stopping && retry != Retry::Never && slot.attempts <= slot.retries {
            let pause = pause::after(slot.attempts, retry, &mut self.random);
            let until = self.now.saturating_add(pause);
            slot.phase = Phase::BackingOff(until);
            self.deadlines.insert((until, task));
            return;
        }
        let mut behind = self.close(task, Phase::Failed);
        while let Some(task) = behind.pop() {
            if self.slots.get(task).is_some_and(|slot| slot.phase == Phase::Waiting) {
                behind.extend(self.close(task, Phase::Skipped));
            }
        }
    }

    /// A task has come to its end. Returns those that need it.
    fn close(&mut self, task: usize, end: Phase) -> Vec<usize> {
        let Some(slot) = self.slots.get_mut(task) else { return Vec::new() };
        slot.phase = end;
        self.open = self.open.saturating_sub(1);
        std::mem::take(&mut slot.dependents)
    }

    fn stop(&mut self, actions: &mut Vec<Action>) {
        self.stopping = true;
        self.ready.clear();
        self.deadlines.clear();
        for (task, slot) in self.slots.iter_mut().enumerate() {
            match slot.phase {
                Phase::Running(_) => {
                    slot.phase = Phase::Ending;
                    actions.push(Action::End(task));
                    continue;
                }
                // Also one that failed and waits for its turn to be tried again.
                Phase::Waiting if slot.attempts == 0 => slot.phase = Phase::Skipped,
                Phase::Waiting | Phase::BackingOff(_) => slot.phase = Phase::Failed,
                _ => continue,
            }
            self.open = self.open.saturating_sub(1);
        }
    }

    fn keep_deadlines(&mut self, actions: &mut Vec<Action>) {
        while let Some((_, task)) = self.deadlines.first().copied().filter(|(at, _)| *at <= self.now) {
            self.deadlines.pop_first();
            let Some(slot) = self.slots.get_mut(task) else { continue };
            match slot.phase {
                Phase::Running(_) => {
                    slot.phase = Phase::Ending;
                    actions.push(Action::End(task));
                }
                Phase::BackingOff(_) => {
                    slot.phase = Phase::Waiting;
                    self.ready.push((slot.chain, Reverse(task)));
                }
                _ => {}
            }
        }
    }

    fn start(&mut self, actions: &mut Vec<Action>) {
        while self.running < self.parallel
            && let Some((_, Reverse(task))) = self.ready.pop()
        {
            let Some(slot) = self.slots.get_mut(task) else { continue };
            let until = slot.timeout.map(|timeout| self.now.saturating_add(timeout));
            self.deadlines.extend(until.map(|until| (until, task)));
            slot.phase = Phase::Running(until);
            slot.attempts = slot.attempts.saturating_add(1);
            self.running += 1;
            actions.push(Action::Start(task));
        }
    }

    fn conclude(&mut self, actions: &mut Vec<Action>) {
        if self.open == 0 {
            self.finished = true;
            return actions.push(Action::Finish);
        }
        let earliest = self.deadlines.first().map(|(at, _)| *at);
        if let Some(at) = earliest.filter(|at| self.told != Some(*at)) {
            self.told = Some(at);
            actions.push(Action::WakeAt(at));
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
