//! Which task runs when: a pure state machine. No clock, no randomness and no system call in here: times are given, in
//! milliseconds since the run began, and what is random comes from a seed.

use std::time::Duration;

use crate::fetch::Retry;

/// What the scheduler has to know about a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The tasks that have to be done first, by index.
    pub needs: Vec<usize>,
    /// How long one attempt may take.
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
    /// Send a [`Event::Tick`] at this time, in milliseconds since the run began. Replaces the one before.
    WakeAt(u64),
    /// Everything has come to its end.
    Finish,
}
