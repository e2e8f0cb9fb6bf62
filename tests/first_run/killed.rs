//! Killed at any instant, a first run leaves nothing that runs, and the next one comes to the same end as if nothing had
//! happened.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::container::Running;
use super::tree::{self, Tree};
use super::world::World;

/// How soon everything has to be gone.
const SOON: Duration = Duration::from_secs(1);

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    Coordinator,
    Worker,
    Group,
}

/// Chance from a seed: SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A world, its config, how long an undisturbed run takes and what it leaves.
fn undisturbed() -> (World, String, Duration, Tree) {
    let world = World::new();
    let config = world.all_steps();
    let mut took = Duration::ZERO;
    for round in 0..2 {
        world.clear();
        took = world.container.run(&config, &["--json"]).expect(0).took;
        assert!(round == 0 || world.tree().len() > 50, "{:#?}", world.tree());
    }
    let tree = world.tree();
    (world, config, took, tree)
}

fn kill_one(running: &Running, whom: Whom, random: &mut Random) {
    match whom {
        Whom::Coordinator => running.signal(Signal::SIGKILL),
        Whom::Group => running.signal_group(Signal::SIGKILL),
        Whom::Worker => {
            let workers = running.workers();
            let chosen = usize::try_from(random.below(workers.len() as u64)).unwrap();
            workers.get(chosen).map(|pid| kill(Pid::from_raw(*pid), Signal::SIGKILL));
        }
    }
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn killed_at_any_instant_the_next_run_completes_and_leaves_the_same() {
    let kills = number("DEVINIT_TEST_KILLS").unwrap_or(20);
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = number("DEVINIT_TEST_SEED").unwrap_or(u64::from(clock.subsec_nanos()));
    let (world, config, took, expected) = undisturbed();
    let mut random = Random(seed);
    let begin = Instant::now();
    let (mut cut_short, mut unfinished) = (0, 0);
    for round in 0..kills {
        world.clear();
        let whom = match round % 5 {
            3 => Whom::Worker,
            4 => Whom::Group,
            _ => Whom::Coordinator,
        };
        // In parts of the run, so that a few instants are spread over all of it, too.
        let parts = kills.min(20);
        let part = u64::try_from(took.as_micros()).unwrap() / parts;
        let at = Duration::from_micros(part * (round % parts) + random.below(part));
        let what = || format!("seed {seed}, round {round}: {whom:?} after {at:?} of {took:?}");

        let running = world.container.start(&config, &["--json"]);
        std::thread::sleep(at);
        kill_one(&running, whom, &mut random);
        let ended = running.wait();
        if whom == Whom::Worker {
            assert_eq!(ended.status.code(), Some(0), "{}: {ended:?}", what());
        } else {
            cut_short += u32::from(ended.status.code().is_none());
        }
        let gone = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.container.assert_gone(SOON)));
        assert!(gone.is_ok(), "{}", what());
        unfinished += u32::from(world.tree() != expected);

        let next = world.container.run(&config, &["--json"]);
        assert_eq!(next.status.code(), Some(0), "{}: {next:?}", what());
        let differences = tree::differences(&expected, &world.tree());
        assert!(differences.is_empty(), "{}: {differences:#?}\n{next:?}", what());
        let third = world.container.run(&config, &["--json"]);
        assert_eq!((third.status.code(), third.tasks("begin")), (Some(0), Vec::new()), "{}: {third:?}", what());
    }
    println!(
        "{kills} kills, {cut_short} of them cut a run short and {unfinished} left work to do; undisturbed {took:?}; {:?}",
        begin.elapsed()
    );
    assert!(unfinished * 2 > u32::try_from(kills).unwrap(), "most kills came too late: {unfinished} of {kills}");
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn killed_again_and_again_it_gets_further_each_time() {
    let (world, config, took, expected) = undisturbed();
    world.clear();
    let mut done = 0;
    for part in 1..=8 {
        let running = world.container.start(&config, &["--json"]);
        std::thread::sleep(took * part / 8);
        running.signal(Signal::SIGKILL);
        let ended = running.wait();
        world.container.assert_gone(SOON);
        let unchanged = ended.tasks("unchanged").len();
        assert!(unchanged >= done, "{unchanged} after {done}: {ended:?}");
        done = unchanged;
    }
    world.container.run(&config, &[]).expect(0);
    assert_eq!(tree::differences(&expected, &world.tree()), [""; 0]);
}
