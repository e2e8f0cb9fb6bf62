//! Services, specs and fates at random, and the lives that come of them.

use std::cell::Cell;

use nix::libc::{SIGCHLD, SIGHUP, SIGINT, SIGPWR, SIGQUIT, SIGUSR1, SIGWINCH};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::engine::machine::tests::service;
use crate::engine::spec::{Readiness, Restart};
use crate::probe::Probe;

/// How many services there are at most; they are named by these numbers.
const MOST: usize = 8;

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (0u64..20_000).prop_map(Duration::from_millis),
        1 => select(vec![Duration::ZERO, Duration::from_nanos(1), Duration::MAX, Duration::from_secs(u64::MAX / 2)]),
    ]
}

fn any_backoff() -> impl Strategy<Value = Backoff> {
    let limit = proptest::option::of(0u32..12);
    let own = (any_duration(), any_duration(), any_duration(), limit.clone());
    prop_oneof![
        3 => limit.prop_map(|give_up_after| Backoff { give_up_after, ..Backoff::default() }),
        1 => own.prop_map(|(first, longest, stable, give_up_after)| Backoff { first, longest, stable, give_up_after }),
    ]
}

fn any_when() -> impl Strategy<Value = When> {
    prop_oneof![
        8 => Just(When::Boot),
        2 => Just(When::Asked),
        1 => any_duration().prop_map(When::Every),
        1 => Just(When::At("30 3 * * *".to_owned().try_into().unwrap())),
    ]
}

fn any_readiness() -> impl Strategy<Value = Option<Readiness>> {
    let by = select(vec![By::Probe(Probe::Tcp(27015)), By::Probe(Probe::Tcp(27015)), By::Notify, By::Descriptor(3)]);
    let readiness = (by, proptest::option::of(any_duration()));
    proptest::option::of(readiness.prop_map(|(by, timeout)| Readiness { by, timeout }))
}

fn any_service() -> impl Strategy<Value = Service> {
    let kinds = prop_oneof![
        12 => Just((Kind::Daemon, false)),
        6 => Just((Kind::Oneshot, false)),
        2 => Just((Kind::Daemon, true)),
        1 => Just((Kind::Oneshot, true)),
    ];
    let restarts = select(vec![Restart::Never, Restart::OnFailure, Restart::Always, Restart::Always]);
    let shape = (kinds, restarts, any_readiness(), any::<bool>(), any_backoff(), any_when());
    let links = (0u16..256, 0u16..256, any::<bool>(), any::<bool>(), 0usize..24);
    let stop = (0u8..3, select(vec![SIGTERM, SIGINT, SIGUSR1]), any_duration());
    let rarely = || proptest::option::weighted(0.25, any_duration());
    let rest = (rarely(), rarely(), any::<bool>(), proptest::bool::weighted(0.3), proptest::bool::weighted(0.08));
    (shape, links, stop, rest).prop_map(|(shape, links, stop, rest)| {
        let (after, settled, sparse, sparser, other) = links;
        let bits = |bits: u16| (0..MOST).filter(move |bit| bits >> bit & 1 == 1).map(|bit| format!("{bit}"));
        let recurring = matches!(shape.5, When::Every(_) | When::At(_));
        Service {
            kind: if recurring { Kind::Oneshot } else { shape.0.0 },
            critical: shape.0.1,
            gets_signals: shape.0.1,
            restart: shape.1,
            ready: shape.2,
            foreground: shape.3,
            backoff: shape.4,
            when: shape.5,
            after: bits(after & if sparse { 0x11 } else { 0xff }).collect(),
            settled: bits(settled & if sparser { 0x24 } else { 0xff }).collect(),
            stands_in_for: Some(other.to_string()),
            stop_order: stop.0,
            stop_signal: stop.1,
            stop_timeout: stop.2,
            watchdog: rest.0,
            run_limit: rest.1,
            finish: rest.3.then(|| vec!["clean-up".to_owned()]),
            reload_signal: rest.2.then_some(RELOAD),
            boot_only: rest.4,
            ..service("")
        }
    })
}

/// Gives a service its number: it comes after those of smaller ones only, and stands in for nobody who comes after it.
fn numbered(number: usize, mut service: Service) -> Service {
    service.name = number.to_string();
    let smaller = |name: &String| name.parse::<usize>().unwrap() < number;
    service.after.retain(smaller);
    service.settled.retain(smaller);
    service.stands_in_for = service.stands_in_for.take().filter(smaller);
    service
}

fn any_spec() -> impl Strategy<Value = Spec> {
    (proptest::collection::vec(any_service(), 1..MOST), any_duration()).prop_map(|(services, shutdown)| {
        let services = services.into_iter().enumerate().map(|(number, service)| numbered(number, service));
        Spec { services: services.collect(), shutdown }
    })
}

fn any_reload() -> impl Strategy<Value = Stimulus> {
    let fate = prop_oneof![
        10 => Just(Fate::Stays),
        3 => Just(Fate::Goes),
        3 => Just(Fate::Becomes),
        2 => Just(Fate::ReadsAnother),
    ];
    let fates = proptest::collection::vec((fate, any_service()), MOST);
    (fates, any_duration()).prop_map(|(fates, shutdown)| {
        let fates = fates.into_iter().enumerate();
        Stimulus::Reload(fates.map(|(number, (fate, new))| (fate, numbered(number, new))).collect(), shutdown)
    })
}

fn any_notice() -> impl Strategy<Value = Notice> {
    prop_oneof![
        4 => Just(Notice::Ready),
        4 => Just(Notice::Alive),
        1 => Just(Notice::Status("at work".to_owned())),
        1 => any_duration().prop_map(Notice::AliveEvery),
        1 => Just(Notice::Trigger),
    ]
}

fn any_stimulus() -> impl Strategy<Value = Stimulus> {
    let times = select(vec![0, 1, 99, 100, 250, 500, 1000, 2000, 5000, 30_000, 100_000, 4_000_000]);
    let times = times.prop_map(Duration::from_millis);
    let harmless = select(vec![SIGCHLD, SIGHUP, SIGUSR1, SIGWINCH, 64]).prop_map(Stimulus::Signal);
    let stopping = select(vec![SIGTERM, SIGINT, SIGQUIT, SIGPWR, 37]).prop_map(Stimulus::Signal);
    let ends = select(vec![End::Code(0), End::Code(1), End::Code(125), End::Signal(SIGKILL)]);
    prop_oneof![
        40 => times.clone().prop_map(Stimulus::Pass),
        3 => times.prop_map(Stimulus::Freeze),
        5 => harmless,
        1 => stopping,
        12 => (0u8..3, 0usize..MOST).prop_map(|(what, id)| Stimulus::Request(what, id)),
        16 => (0usize..64, ends).prop_map(|(which, end)| Stimulus::Crash(which, end)),
        3 => Just(Stimulus::Stray),
        16 => (0usize..MOST + 2, any_notice()).prop_map(|(id, notice)| Stimulus::Notice(id, notice)),
        3 => any_reload(),
    ]
}

/// `PROPTEST_CASES` sets how many lives are lived.
#[test]
fn the_machine_keeps_its_promises_whatever_happens() {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 200;
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
