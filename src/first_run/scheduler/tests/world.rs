//! A world for the scheduler: attempts that end when and how they like, time that passes. It carries out every action
//! and holds the scheduler to its promises after every step.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// One way in which attempts go.
#[derive(Clone, Debug)]
struct Habit {
    /// How long an attempt takes, in milliseconds.
    takes: u64,
    /// How long it takes to go once it is told to.
    goes: u64,
    /// How its attempts end, one after the other; the last one again and again.
    ends: Vec<Option<Retry>>,
}

struct World {
    scheduler: Scheduler,
    nodes: Vec<Node>,
    habits: Vec<Habit>,
    parallel: usize,
    now: u64,
    wake: Option<u64>,
    /// When each running attempt ends, and how.
    running: Vec<Option<(u64, Option<Retry>)>>,
    /// When its time is over, if it has a limit.
    over: Vec<Option<u64>>,
    told_to_end: Vec<bool>,
    attempts: Vec<u32>,
    done: Vec<bool>,
    /// When the last attempt failed, and how.
    failed: Vec<Option<(u64, Retry)>>,
    stopped: bool,
    finished: bool,
    steps: usize,
    history: Vec<(u64, Action)>,
}

impl World {
    fn new(nodes: &[Node], habits: &[Habit], parallel: usize, seed: u64) -> Self {
        let count = nodes.len();
        Self {
            scheduler: Scheduler::new(nodes.to_vec(), parallel, seed),
            nodes: nodes.to_vec(),
            habits: habits.to_vec(),
            parallel: parallel.max(1),
            now: 0,
            wake: None,
            running: vec![None; count],
            over: vec![None; count],
            told_to_end: vec![false; count],
            attempts: vec![0; count],
            done: nodes.iter().map(|node| node.done).collect(),
            failed: vec![None; count],
            stopped: false,
            finished: false,
            steps: 0,
            history: Vec::new(),
        }
    }

    fn is_running(&self, task: usize) -> bool {
        self.running[task].is_some()
    }

    fn step(&mut self, event: Event) {
        self.steps += 1;
        assert!(self.steps < 100_000, "it goes on for ever");
        let over = self.finished;
        for action in self.scheduler.step(event, self.now) {
            assert!(!over, "{action:?} after the end");
            self.carry_out(action);
        }
        self.look();
    }

    fn carry_out(&mut self, action: Action) {
        assert!(!self.finished, "{action:?} after Finish");
        self.history.push((self.now, action));
        match action {
            Action::Start(task) => self.begin(task),
            Action::End(task) => {
                let goes = self.now + self.habits[task].goes;
                assert!(!std::mem::replace(&mut self.told_to_end[task], true), "told twice");
                let (ends, how) = self.running[task].as_mut().expect("it runs");
                if goes < *ends {
                    (*ends, *how) = (goes, Some(Retry::Never));
                }
            }
            Action::WakeAt(at) => {
                assert_ne!(self.wake, Some(at), "nothing changed");
                self.wake = Some(at);
            }
            Action::Finish => self.finished = true,
        }
    }

    fn begin(&mut self, task: usize) {
        let node = &self.nodes[task];
        assert!(!self.stopped, "begun after a stop");
        assert!(!self.is_running(task), "it runs already");
        assert!(!self.done[task] && !node.excluded, "begun without need");
        assert!(node.needs.iter().all(|need| self.done[*need]), "begun before its needs");
        if let Some((at, retry)) = self.failed[task] {
            assert_ne!(retry, Retry::Never, "tried again in vain");
            let wait = self.now - at;
            let usual = (1_000u64 << (self.attempts[task] - 1).min(20)).min(60_000);
            assert!(wait >= usual * 3 / 4, "{wait}");
            assert!(!matches!(retry, Retry::After(least) if u128::from(wait) < least.as_millis().min(600_000)));
        }
        let habit = &self.habits[task];
        let how = habit.ends[(self.attempts[task] as usize).min(habit.ends.len() - 1)];
        self.attempts[task] += 1;
        assert!(self.attempts[task] <= node.retries + 1);
        self.running[task] = Some((self.now + habit.takes, how));
        let limit = (!node.timeout.is_zero()).then(|| u64::try_from(node.timeout.as_millis()).unwrap());
        self.over[task] = limit.map(|limit| self.now.saturating_add(limit));
        self.told_to_end[task] = false;
        assert!(self.running.iter().flatten().count() <= self.parallel);
    }

    /// What holds after every step.
    fn look(&self) {
        let free = self.running.iter().flatten().count() < self.parallel;
        for (task, node) in self.nodes.iter().enumerate() {
            let state = self.scheduler.state(task);
            assert_eq!(state == State::Running, self.is_running(task));
            assert_eq!(self.scheduler.attempts(task), self.attempts[task]);
            assert_eq!(self.scheduler.again_at(task).is_some(), state == State::BackingOff);
            if let Some(again) = self.scheduler.again_at(task) {
                let (at, retry) = self.failed[task].unwrap();
                let usual = (1_000u64 << (self.attempts[task] - 1).min(20)).min(60_000);
                let asked = if let Retry::After(least) = retry { least.as_millis() as u64 } else { 0 };
                assert!(again - at <= (usual * 5 / 4).max(asked.min(600_000)), "it waits for too long");
            }
            let due = state == State::Waiting && node.needs.iter().all(|need| self.done[*need]);
            assert!(!(due && free && self.steps > 0), "{task} could run");
            let over = self.over[task].filter(|_| self.is_running(task) && !self.told_to_end[task]);
            let deadline = self.scheduler.again_at(task).or(over);
            assert!(deadline.is_none_or(|at| self.wake.is_some_and(|wake| wake <= at)), "nobody looks in time");
            assert!(over.is_none_or(|at| self.now < at), "its time is over");
        }
    }

    /// The next thing that happens by itself.
    fn next(&self) -> Option<(u64, Event)> {
        let ends = self.running.iter().enumerate().filter_map(|(task, end)| {
            let (at, failed) = (*end)?;
            Some((at, Event::Ended { task, failed }))
        });
        ends.chain(self.wake.map(|at| (at, Event::Tick))).min_by_key(|(at, _)| *at)
    }

    fn advance(&mut self, (at, event): (u64, Event)) {
        self.now = self.now.max(at);
        match event {
            Event::Tick => self.wake = None,
            Event::Ended { task, failed } => {
                let told = std::mem::take(&mut self.told_to_end[task]);
                self.running[task] = None;
                self.done[task] = failed.is_none();
                self.failed[task] = failed.map(|retry| match retry {
                    Retry::Never if told => (self.now, Retry::Soon),
                    retry => (self.now, retry),
                });
            }
            Event::Stop => self.stopped = true,
        }
        self.step(event);
    }

    fn run(&mut self, stop: Option<u64>, noise: &[Event]) {
        self.step(Event::Tick);
        let mut noise = noise.iter().cycle();
        while let Some((at, event)) = self.next() {
            if self.finished {
                break;
            }
            if let Some(stop) = stop.filter(|stop| !self.stopped && *stop <= at) {
                self.advance((stop, Event::Stop));
                continue;
            }
            match noise.next() {
                Some(Event::Ended { task, .. }) if self.running.get(*task).is_some_and(Option::is_some) => {}
                Some(noise) if !matches!(noise, Event::Stop) => {
                    if *noise == Event::Tick {
                        self.wake = None;
                    }
                    self.step(*noise);
                }
                _ => {}
            }
            if !self.finished {
                self.advance((at, event));
            }
        }
        self.judge();
    }

    /// What holds at the end.
    fn judge(&mut self) {
        assert!(self.finished, "it hangs: {:?}", self.scheduler);
        for (task, node) in self.nodes.iter().enumerate() {
            let lacks = node.needs.iter().any(|need| !self.done[*need]);
            match self.scheduler.state(task) {
                State::Done => assert!(self.done[task] && !node.done),
                State::Unchanged => assert!(node.done),
                State::Skipped => assert!(self.attempts[task] == 0 && (lacks || node.excluded || self.stopped)),
                State::Failed => {
                    let (_, retry) = self.failed[task].expect("it failed");
                    let tried = retry == Retry::Never || self.attempts[task] == node.retries + 1;
                    assert!(tried || self.stopped, "given up too early");
                }
                state => panic!("{state:?} at the end"),
            }
        }
        for event in [Event::Tick, Event::Stop, Event::Ended { task: 0, failed: None }] {
            self.step(event);
        }
    }
}

fn any_retry() -> impl Strategy<Value = Option<Retry>> {
    let after = select(vec![0, 1, 7, 100, 700, 100_000]).prop_map(|seconds| Retry::After(SECOND * seconds));
    prop_oneof![
        6 => Just(None),
        4 => Just(Some(Retry::Soon)),
        1 => Just(Some(Retry::Never)),
        1 => after.prop_map(Some),
    ]
}

fn any_habit() -> impl Strategy<Value = Habit> {
    let ends = proptest::collection::vec(any_retry(), 1..5);
    (select(vec![0u64, 1, 10, 900, 1_000, 20_000]), select(vec![0u64, 1, 3_000]), ends)
        .prop_map(|(takes, goes, ends)| Habit { takes, goes, ends })
}

fn any_node() -> impl Strategy<Value = Node> {
    let rarely = || proptest::bool::weighted(0.1);
    let timeouts = select(vec![0u64, 0, 1, 950, 5_000, u64::MAX]).prop_map(Duration::from_millis);
    (proptest::collection::vec(any::<proptest::sample::Index>(), 0..4), timeouts, 0u32..4, rarely(), rarely()).prop_map(
        |(needs, timeout, retries, done, excluded)| Node {
            // Made into earlier ones, or into any, by those who use it.
            needs: needs.iter().map(|index| index.index(1 << 20)).collect(),
            timeout,
            retries,
            done,
            excluded,
        },
    )
}

/// Tasks that need others without circles, in any order.
fn any_nodes() -> impl Strategy<Value = Vec<Node>> {
    let nodes = proptest::collection::vec(any_node(), 0..24);
    (nodes, any::<bool>()).prop_map(|(mut nodes, backwards)| {
        let count = nodes.len();
        for (task, node) in nodes.iter_mut().enumerate() {
            node.needs.retain(|_| task > 0);
            node.needs.iter_mut().for_each(|need| *need %= task.max(1));
        }
        if backwards {
            nodes.reverse();
            nodes.iter_mut().flat_map(|node| &mut node.needs).for_each(|need| *need = count - 1 - *need);
        }
        nodes
    })
}

fn habits() -> impl Strategy<Value = Vec<Habit>> {
    proptest::collection::vec(any_habit(), 24)
}

fn noise() -> impl Strategy<Value = Vec<Event>> {
    let ended = (0usize..30, any_retry()).prop_map(|(task, failed)| Event::Ended { task, failed });
    proptest::collection::vec(prop_oneof![2 => Just(Event::Stop), 1 => Just(Event::Tick), 2 => ended], 0..9)
}

/// When the last task ends if each begins with the end of its last need.
fn critical_path(nodes: &[Node], habits: &[Habit]) -> u64 {
    let mut ends: Vec<Option<u64>> = vec![None; nodes.len()];
    while ends.iter().any(Option::is_none) {
        for (task, node) in nodes.iter().enumerate() {
            let begin: Option<Vec<u64>> = node.needs.iter().map(|need| ends[*need]).collect();
            ends[task] = begin.map(|begin| begin.into_iter().max().unwrap_or(0) + habits[task].takes);
        }
    }
    ends.into_iter().flatten().max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_scheduler_keeps_its_promises_whatever_happens(
        nodes in any_nodes(),
        habits in habits(),
        parallel in 0usize..6,
        seed: u64,
        stop in proptest::option::weighted(0.4, select(vec![0u64, 1, 500, 1_001, 5_000, 30_000])),
        noise in noise(),
    ) {
        World::new(&nodes, &habits, parallel, seed).run(stop, &noise);
    }

    #[test]
    fn with_room_for_all_and_no_failure_it_takes_as_long_as_the_critical_path(
        mut nodes in any_nodes(),
        mut habits in habits(),
    ) {
        for node in &mut nodes {
            *node = Node { needs: std::mem::take(&mut node.needs), ..Node::default() };
        }
        habits.iter_mut().for_each(|habit| habit.ends = vec![None]);
        let mut world = World::new(&nodes, &habits, usize::MAX, 0);
        world.run(None, &[]);
        prop_assert_eq!(world.now, critical_path(&nodes, &habits));
    }

    #[test]
    fn a_stop_takes_one_step_for_each_task_that_runs(
        nodes in any_nodes(),
        habits in habits(),
        parallel in 1usize..6,
        before in 0usize..40,
    ) {
        let mut world = World::new(&nodes, &habits, parallel, 1);
        world.step(Event::Tick);
        for _ in 0..before {
            let Some(next) = world.next().filter(|_| !world.finished) else { break };
            world.advance(next);
        }
        if !world.finished {
            world.advance((world.now, Event::Stop));
            let running: BTreeSet<usize> = (0..nodes.len()).filter(|task| world.is_running(*task)).collect();
            prop_assert_eq!(world.finished, running.is_empty());
            world.wake = None;
            for _ in running {
                prop_assert!(!world.finished);
                let next = world.next().unwrap();
                world.advance(next);
            }
        }
        world.judge();
    }

    #[test]
    fn the_same_seed_leads_to_the_same_run(nodes in any_nodes(), habits in habits(), parallel in 1usize..6, seed: u64) {
        let run = || {
            let mut world = World::new(&nodes, &habits, parallel, seed);
            world.run(None, &[]);
            world.history
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn whatever_needs_whatever_it_comes_to_an_end(
        nodes in proptest::collection::vec(any_node(), 0..12).prop_map(|mut nodes| {
            nodes.iter_mut().flat_map(|node| &mut node.needs).for_each(|need| *need %= 14);
            nodes
        }),
        parallel in 1usize..4,
    ) {
        let count = nodes.len();
        let mut scheduler = Scheduler::new(nodes, parallel, 0);
        let mut running = Vec::new();
        let mut actions = scheduler.step(Event::Tick, 0);
        for _ in 0..=count {
            running.extend(actions.iter().filter_map(|action| match action {
                Action::Start(task) => Some(*task),
                _ => None,
            }));
            let Some(task) = running.pop() else { break };
            actions = scheduler.step(Event::Ended { task, failed: None }, 0);
        }
        prop_assert_eq!(actions.last(), Some(&Action::Finish));
        let ended = |state| matches!(state, State::Done | State::Unchanged | State::Skipped);
        prop_assert!((0..count).all(|task| ended(scheduler.state(task))));
    }
}
