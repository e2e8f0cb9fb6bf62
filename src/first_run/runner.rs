//! The coordinator: drives the scheduler, forks workers, and tells how it stands.

use std::io::{self, Stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing::warn;

use super::attempt::{Attempt, Heard, Lifeline};
use super::job::Report;
use super::lock::Lock;
use super::progress::{State, TaskProgress};
use super::scheduler::{Action, Event, Node, Scheduler};
use super::show::View;
use super::worker::{Ground, Outcome};
use super::{Progress, Task, job};
use crate::config::duration;
use crate::fetch::Failure;
use crate::prepare::write::{self, Attributes};
use crate::sys;

/// How often those outside are told how it stands, at most.
const BETWEEN_TELLS: Duration = Duration::from_millis(300);
/// How often a terminal is drawn anew.
const BETWEEN_FRAMES: Duration = Duration::from_millis(100);

/// How many warnings of a task are kept.
const MOST_WARNINGS: usize = 20;

/// What a run needs to know besides its tasks.
pub struct Run<'a> {
    /// The tasks.
    pub tasks: &'a [Task],
    /// What the scheduler has to know about each.
    pub nodes: Vec<Node>,
    /// Versions of those that are done, by index.
    pub versions: Vec<Option<String>>,
    /// What all workers have in common.
    pub ground: &'a Ground,
    /// How many run side by side.
    pub parallel: usize,
    /// How it begins to stand: whose run it is, of which process.
    pub progress: Progress,
    /// Where it is shown.
    pub view: View<Stdout>,
    /// Who waits hears of it there.
    pub locks: &'a [Lock],
    /// `status`, the greeting and the page read it there.
    pub published: Option<PathBuf>,
    /// An earlier run that had tasks which this one leaves out.
    pub earlier: Option<Progress>,
}

/// How a run ended.
pub struct End {
    /// How it stands now.
    pub progress: Progress,
    /// The signal that stopped it, if one did.
    pub stopped_by: Option<i32>,
}

/// Runs the tasks.
///
/// # Errors
/// Those of the system calls that it cannot begin without.
pub fn run(run: Run<'_>) -> io::Result<End> {
    let signals = sys::take_signals()?;
    let descriptor = sys::signal_descriptor()?;
    let lifeline = Lifeline::new()?;
    let seed = u64::from(std::process::id()) ^ u64::from(Instant::now().elapsed().subsec_nanos());
    let excluded: Vec<bool> = run.nodes.iter().map(|node| node.excluded && !node.done).collect();
    let scheduler = Scheduler::new(run.nodes, run.parallel, seed);
    let mut coordinator = Coordinator {
        tasks: run.tasks,
        ground: run.ground,
        scheduler,
        progress: run.progress,
        view: run.view,
        locks: run.locks,
        published: run.published,
        earlier: run.earlier,
        begin: Instant::now(),
        running: Vec::new(),
        lifeline,
        wake_at: None,
        finished: false,
        stopped_by: None,
        told: Pace::every(BETWEEN_TELLS),
        shown: Pace::every(BETWEEN_FRAMES),
    };
    coordinator.progress.tasks = run.tasks.iter().map(|task| describe(run.tasks, task, &run.ground.secrets)).collect();
    for (task, version) in coordinator.progress.tasks.iter_mut().zip(run.versions) {
        task.version = version;
        // Who fills a bundle has no logs.
        task.log = task.log.take().filter(|_| run.ground.bundle.is_none());
    }
    for (task, _) in coordinator.progress.tasks.iter_mut().zip(excluded).filter(|(_, excluded)| *excluded) {
        task.error = Some("it runs as root, so root has to begin it".to_owned());
    }
    coordinator.step(Event::Tick);
    coordinator.tell_now_and_then();
    while !coordinator.finished {
        coordinator.wait(&descriptor);
    }
    let (progress, stopped_by) = coordinator.end();
    drop(descriptor);
    signals.give_back();
    Ok(End { progress, stopped_by })
}

/// A task before anything has happened.
pub(super) fn describe(all: &[Task], task: &Task, secrets: &[String]) -> TaskProgress {
    let state = task.owner.place.state();
    TaskProgress {
        name: task.name.clone(),
        summary: job::log::redacted(&task.installer.summary(), secrets),
        needs: task.needs.iter().filter_map(|need| all.get(*need)).map(|need| need.name.clone()).collect(),
        optional: task.optional,
        log: Some(job::log::path(&state, &task.name).to_string_lossy().into_owned()),
        ..TaskProgress::default()
    }
}

struct Coordinator<'a> {
    tasks: &'a [Task],
    ground: &'a Ground,
    scheduler: Scheduler,
    progress: Progress,
    view: View<Stdout>,
    locks: &'a [Lock],
    published: Option<PathBuf>,
    earlier: Option<Progress>,
    begin: Instant,
    running: Vec<Attempt>,
    lifeline: Lifeline,
    /// In milliseconds since the run began.
    wake_at: Option<u64>,
    finished: bool,
    stopped_by: Option<i32>,
    told: Pace,
    shown: Pace,
}

/// Something that is done often, but not more often than this.
struct Pace {
    pause: Duration,
    last: Option<Instant>,
    /// Whether there is a reason to do it as soon as it may be done.
    news: bool,
}

impl Pace {
    fn every(pause: Duration) -> Self {
        Self { pause, last: None, news: false }
    }

    fn left(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |last| self.pause.saturating_sub(last.elapsed()))
    }

    /// How long to wait for it, if there is a reason to.
    fn wait(&self) -> Option<Duration> {
        self.news.then(|| self.left())
    }

    /// Whether it may be done now; whoever asks does it.
    fn take(&mut self) -> bool {
        let due = self.left().is_zero();
        if due {
            (self.last, self.news) = (Some(Instant::now()), false);
        }
        due
    }
}

impl Coordinator<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Gives an event to the scheduler and does what it says. A worker that cannot be forked is one more event.
    fn step(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.scheduler.step(event, self.now()) {
                match action {
                    Action::Start(task) => events.extend(self.start(task)),
                    Action::End(task) => self.cut_short(task),
                    Action::WakeAt(at) => self.wake_at = Some(at),
                    Action::Finish => self.finished = true,
                }
            }
        }
        self.told.news = true;
        self.update();
    }

    fn start(&mut self, index: usize) -> Option<Event> {
        let now = self.now();
        let (task, told) = (self.tasks.get(index)?, self.progress.tasks.get_mut(index)?);
        told.begun_ms.get_or_insert(now);
        (told.stage, told.bytes, told.total, told.again_ms) = (String::new(), 0, None, None);
        match Attempt::start(index, task, self.ground, &mut self.lifeline) {
            Ok(attempt) => {
                self.running.push(attempt);
                None
            }
            Err(error) => {
                let failure = Failure::passing(format!("no process could be made for it: {error}"))
                    .hint("is there a limit of processes or of memory?");
                Some(self.ended(index, Outcome { failure: Some(failure), ..Outcome::default() }))
            }
        }
    }

    /// Ends an attempt: its time is over, or the run stops.
    fn cut_short(&mut self, index: usize) {
        let limit = self.tasks.get(index).map(|task| task.timeout).unwrap_or_default();
        let why = match self.stopped_by {
            Some(_) => Failure::passing("the run was stopped before it was done"),
            None => Failure::passing(format!("it was not done within its time limit of {}", duration::format(limit)))
                .hint("if it needs longer, raise timeout: of the step"),
        };
        self.running.iter_mut().filter(|attempt| attempt.task == index).for_each(|attempt| attempt.end(why.clone()));
    }

    fn ended(&mut self, task: usize, outcome: Outcome) -> Event {
        let failed = outcome.failure.as_ref().map(|failure| failure.retry);
        if let Some(told) = self.progress.tasks.get_mut(task) {
            told.version = outcome.version;
            told.tail = outcome.tail;
            (told.error, told.hint) =
                outcome.failure.map_or((None, None), |failure| (Some(failure.text), failure.hint));
        }
        Event::Ended { task, failed }
    }

    /// Waits until something happens, and takes it in.
    fn wait(&mut self, signals: &OwnedFd) {
        let mut watched = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        watched.extend(self.running.iter().map(|attempt| PollFd::new(attempt.descriptor(), PollFlags::POLLIN)));
        let _ = poll(&mut watched, self.patience());
        let ready: Vec<bool> = watched.iter().skip(1).map(|watched| watched.any() == Some(true)).collect();
        while let Some(signal) = sys::next_signal(signals) {
            self.signal(signal);
        }
        self.hear(&ready);
        self.running.iter_mut().for_each(Attempt::kill_if_late);
        if self.wake_at.is_some_and(|at| at <= self.now()) {
            self.wake_at = None;
            self.step(Event::Tick);
        }
        self.tell_now_and_then();
    }

    /// Until when nothing has to be done by itself.
    fn patience(&self) -> PollTimeout {
        let wake = self.wake_at.map(|at| Duration::from_millis(at.saturating_sub(self.now())));
        let kill = self.running.iter().filter_map(Attempt::kill_at).min();
        let kill = kill.map(|at| at.saturating_duration_since(Instant::now()));
        let frame = self.view.moves().then_some(BETWEEN_FRAMES);
        let news = [self.told.wait(), self.shown.wait()];
        let shortest = [wake, kill, frame].into_iter().chain(news).flatten().min().unwrap_or(Duration::from_secs(5));
        // One more, since a deadline that is rounded down would be found not to have come.
        PollTimeout::try_from(shortest.as_millis().saturating_add(1).min(5000)).unwrap_or(PollTimeout::MAX)
    }

    fn signal(&mut self, signal: i32) {
        if signal == libc::SIGTSTP {
            // Steps go on, in sessions of their own. That a terminal cannot be given back is no reason to end.
            let _ = sys::suspend();
        }
        if matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT) {
            let again = self.stopped_by.replace(signal).is_some();
            if again {
                self.running.iter_mut().for_each(Attempt::kill);
            }
            self.step(Event::Stop);
        }
    }

    fn hear(&mut self, ready: &[bool]) {
        let mut ended = Vec::new();
        for (attempt, _) in self.running.iter_mut().zip(ready).filter(|(_, ready)| **ready) {
            let Some(told) = self.progress.tasks.get_mut(attempt.task) else { continue };
            let heard = attempt.hear(&mut |report| match report {
                Report::Stage(stage) => (told.stage, told.bytes, told.total) = (stage, 0, None),
                Report::Bytes { done, total } => (told.bytes, told.total) = (done, total),
                Report::Warning(warning) if told.warnings.len() < MOST_WARNINGS => told.warnings.push(warning),
                Report::Warning(_) => {}
                Report::Line(_) => {}
            });
            if let Heard::Ended(outcome) = heard {
                ended.push((attempt.task, outcome));
            }
            (self.told.news, self.shown.news) = (true, true);
        }
        for (task, outcome) in ended {
            self.running.retain(|attempt| attempt.task != task);
            let event = self.ended(task, outcome);
            self.step(event);
        }
    }

    /// Brings the progress in line with the scheduler, and shows it.
    fn update(&mut self) {
        let now = self.now();
        self.progress.elapsed_ms = now;
        for (index, told) in self.progress.tasks.iter_mut().enumerate() {
            // Only where something is new: what is written to is copied for each worker that is forked.
            let now_is = (self.scheduler.state(index), self.scheduler.again_at(index), self.scheduler.attempts(index));
            if now_is != (told.state, told.again_ms, told.attempts) {
                (told.state, told.again_ms, told.attempts) = now_is;
            }
            if told.ended_ms.is_none() && matches!(told.state, State::Done | State::Failed | State::Skipped) {
                told.ended_ms = Some(now);
            }
        }
        self.view.update(&self.progress);
    }

    fn tell_now_and_then(&mut self) {
        if self.shown.take() {
            self.update();
        }
        if self.told.take() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let bytes = serde_json::to_vec(&self.progress).unwrap_or_default();
        for lock in self.locks {
            lock.tell(&bytes);
        }
        let Some(path) = &self.published else { return };
        let bytes = match &self.earlier {
            Some(earlier) => serde_json::to_vec(&self.progress.over(earlier)).unwrap_or_default(),
            None => bytes,
        };
        if let Err(error) = write::write_for_this_boot(path, &bytes, Attributes::own(0o644)) {
            warn!("status cannot show the first run: {error}");
            self.published = None;
        }
    }

    fn end(mut self) -> (Progress, Option<i32>) {
        self.update();
        self.progress.ended = true;
        self.tell();
        self.view.end(&self.progress);
        (self.progress, self.stopped_by)
    }
}
