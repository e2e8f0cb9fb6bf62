mod world;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn needs(needs: &[usize]) -> Node {
    Node { needs: needs.to_vec(), ..Node::default() }
}

fn done(task: usize) -> Event {
    Event::Ended { task, failed: None }
}

fn failed(task: usize, retry: Retry) -> Event {
    Event::Ended { task, failed: Some(retry) }
}

fn states(scheduler: &Scheduler) -> Vec<State> {
    (0..scheduler.slots.len()).map(|task| scheduler.state(task)).collect()
}

#[test]
fn a_task_starts_when_all_that_it_needs_is_done() {
    let mut scheduler = Scheduler::new(vec![needs(&[1, 2]), needs(&[]), needs(&[])], 4, 0);
    assert_eq!(scheduler.step(Event::Tick, 0), [Action::Start(1), Action::Start(2)]);
    assert_eq!(scheduler.step(done(2), 10), []);
    assert_eq!(scheduler.step(done(1), 20), [Action::Start(0)]);
    assert_eq!(scheduler.step(done(0), 30), [Action::Finish]);
    assert_eq!(states(&scheduler), [State::Done; 3]);
}

#[test]
fn the_longest_chain_comes_first_and_then_the_order_of_the_list() {
    // 0 and 1 stand alone, 2 ◀ 3 ◀ 4 is a chain, 5 ◀ 6 a shorter one.
    let nodes = vec![needs(&[]), needs(&[]), needs(&[]), needs(&[2]), needs(&[3]), needs(&[]), needs(&[5]), needs(&[])];
    let mut scheduler = Scheduler::new(nodes, 1, 0);
    let mut order = Vec::new();
    let mut actions = scheduler.step(Event::Tick, 0);
    while let [Action::Start(task)] = actions[..] {
        order.push(task);
        actions = scheduler.step(done(task), order.len() as u64);
    }
    assert_eq!(order, [2, 3, 5, 0, 1, 4, 6, 7]);
    assert_eq!(actions, [Action::Finish]);
}

#[test]
fn what_needs_a_task_that_failed_for_good_is_skipped_however_far_behind_it_is() {
    let mut scheduler = Scheduler::new(vec![needs(&[]), needs(&[0]), needs(&[1, 3]), needs(&[])], 4, 0);
    scheduler.step(Event::Tick, 0);
    assert_eq!(scheduler.step(failed(0, Retry::Never), 5), []);
    assert_eq!(states(&scheduler), [State::Failed, State::Skipped, State::Skipped, State::Running]);
    assert_eq!(scheduler.step(done(3), 6), [Action::Finish]);
}

#[test]
fn what_is_done_or_excluded_is_not_started_and_what_is_done_holds_nothing_up() {
    let nodes = vec![
        Node { done: true, ..needs(&[1]) },
        Node { excluded: true, ..needs(&[]) },
        needs(&[0]),
        needs(&[1]),
        Node { done: true, excluded: true, ..needs(&[]) },
        needs(&[4]),
    ];
    let mut scheduler = Scheduler::new(nodes, 4, 0);
    let before = [State::Unchanged, State::Skipped, State::Waiting, State::Skipped, State::Unchanged, State::Waiting];
    assert_eq!(states(&scheduler), before);
    assert_eq!(scheduler.step(Event::Tick, 0), [Action::Start(2), Action::Start(5)]);
}

#[test]
fn with_nothing_to_do_it_finishes_at_once_and_only_once() {
    for nodes in [vec![], vec![Node { done: true, ..Node::default() }]] {
        let mut scheduler = Scheduler::new(nodes, 4, 0);
        assert_eq!(scheduler.step(Event::Tick, 0), [Action::Finish]);
        assert_eq!(scheduler.step(Event::Tick, 1), []);
        assert_eq!(scheduler.step(Event::Stop, 2), []);
    }
}

#[test]
fn a_passing_failure_is_tried_again_after_a_pause_in_which_others_have_its_slot() {
    let mut scheduler = Scheduler::new(vec![Node { retries: 1, ..needs(&[]) }, needs(&[])], 1, 3);
    assert_eq!(scheduler.step(Event::Tick, 0), [Action::Start(0)]);
    let actions = scheduler.step(failed(0, Retry::Soon), 1_000);
    let again = scheduler.again_at(0).unwrap();
    assert!((1_750..=2_250).contains(&again), "{again}");
    assert_eq!(actions, [Action::Start(1), Action::WakeAt(again)]);
    assert_eq!(scheduler.state(0), State::BackingOff);

    assert_eq!(scheduler.step(Event::Tick, again), [], "its slot is taken");
    assert_eq!((scheduler.state(0), scheduler.again_at(0)), (State::Waiting, None));
    assert_eq!(scheduler.step(done(1), 5_000), [Action::Start(0)]);
    assert_eq!(scheduler.attempts(0), 2);
    assert_eq!(scheduler.step(failed(0, Retry::Soon), 6_000), [Action::Finish]);
    assert_eq!(scheduler.state(0), State::Failed);
}

#[test]
fn it_comes_back_no_sooner_than_it_was_told_to() {
    let mut scheduler = Scheduler::new(vec![Node { retries: 9, ..needs(&[]) }], 1, 0);
    scheduler.step(Event::Tick, 0);
    let actions = scheduler.step(failed(0, Retry::After(90 * SECOND)), 1_000);
    assert_eq!(actions, [Action::WakeAt(91_000)]);
    assert_eq!(scheduler.step(Event::Tick, 90_999), [Action::WakeAt(91_000)], "too early: it is told again");
    assert_eq!(scheduler.step(Event::Tick, 91_000), [Action::Start(0)]);
}

#[test]
fn an_attempt_whose_time_is_over_is_ended_once_and_tried_again_whatever_it_says() {
    let mut scheduler = Scheduler::new(vec![Node { retries: 1, timeout: 5 * SECOND, ..needs(&[]) }], 1, 0);
    assert_eq!(scheduler.step(Event::Tick, 100), [Action::Start(0), Action::WakeAt(5_100)]);
    assert_eq!(scheduler.step(Event::Tick, 5_100), [Action::End(0)]);
    assert_eq!(scheduler.step(Event::Tick, 9_000), []);
    assert_eq!(scheduler.state(0), State::Running, "until its end is reported");
    scheduler.step(failed(0, Retry::Never), 9_100);
    assert_eq!(scheduler.state(0), State::BackingOff);
}

#[test]
fn an_attempt_that_was_done_just_as_its_time_was_over_is_done() {
    let mut scheduler = Scheduler::new(vec![Node { timeout: SECOND, ..needs(&[]) }], 1, 0);
    scheduler.step(Event::Tick, 0);
    assert_eq!(scheduler.step(Event::Tick, 1_000), [Action::End(0)]);
    assert_eq!(scheduler.step(done(0), 1_001), [Action::Finish]);
    assert_eq!(scheduler.state(0), State::Done);
}

#[test]
fn an_end_in_time_takes_its_deadline_along() {
    let limited = Node { timeout: 5 * SECOND, ..needs(&[]) };
    let mut scheduler = Scheduler::new(vec![limited.clone(), Node { timeout: 9 * SECOND, ..limited }], 2, 0);
    assert_eq!(scheduler.step(Event::Tick, 0), [Action::Start(0), Action::Start(1), Action::WakeAt(5_000)]);
    assert_eq!(scheduler.step(done(0), 10), [Action::WakeAt(9_000)]);
}

#[test]
fn a_stop_ends_what_runs_and_begins_nothing_more() {
    let nodes = vec![
        needs(&[]),
        Node { retries: 5, ..needs(&[]) },
        Node { retries: 5, ..needs(&[]) },
        needs(&[]),
        needs(&[]),
        needs(&[4]),
    ];
    let mut scheduler = Scheduler::new(nodes, 1, 0);
    for (now, event) in [Event::Tick, done(4), done(0), failed(1, Retry::Soon), failed(2, Retry::After(20 * SECOND))]
        .into_iter()
        .enumerate()
    {
        scheduler.step(event, now as u64);
    }
    scheduler.step(failed(3, Retry::Never), 5);
    scheduler.step(Event::Tick, 10_000);
    let before = [State::Done, State::Waiting, State::BackingOff, State::Failed, State::Done, State::Running];
    assert_eq!(states(&scheduler), before);

    assert_eq!(scheduler.step(Event::Stop, 10_001), [Action::End(5)]);
    assert_eq!(scheduler.step(Event::Stop, 10_002), []);
    assert_eq!(scheduler.step(failed(5, Retry::Soon), 10_003), [Action::Finish]);
    let after = [State::Done, State::Failed, State::Failed, State::Failed, State::Done, State::Failed];
    assert_eq!(states(&scheduler), after);
}

#[test]
fn a_stop_before_the_beginning_skips_everything() {
    let mut scheduler = Scheduler::new(vec![needs(&[]), needs(&[0])], 1, 0);
    assert_eq!(scheduler.step(Event::Stop, 0), [Action::Finish]);
    assert_eq!(states(&scheduler), [State::Skipped; 2]);
}

#[test]
fn what_comes_to_a_good_end_during_a_stop_is_done_and_what_needs_it_is_still_skipped() {
    let mut scheduler = Scheduler::new(vec![needs(&[]), needs(&[0])], 1, 0);
    scheduler.step(Event::Tick, 0);
    assert_eq!(scheduler.step(Event::Stop, 1), [Action::End(0)]);
    assert_eq!(scheduler.step(done(0), 2), [Action::Finish]);
    assert_eq!(states(&scheduler), [State::Done, State::Skipped]);
}

#[test]
fn events_about_tasks_that_do_not_run_are_ignored() {
    let mut scheduler = Scheduler::new(vec![needs(&[]), needs(&[0])], 1, 0);
    assert_eq!(scheduler.step(Event::Tick, 0), [Action::Start(0)]);
    for event in [done(1), failed(1, Retry::Never), done(2), failed(usize::MAX, Retry::Soon)] {
        assert_eq!(scheduler.step(event, 1), []);
    }
    assert_eq!(scheduler.step(done(0), 2), [Action::Start(1)]);
    assert_eq!(scheduler.step(done(0), 3), [], "its end is old news");
    assert_eq!(scheduler.step(done(1), 4), [Action::Finish]);
}

#[test]
fn circles_and_needs_that_do_not_exist_are_skipped_and_do_not_hang() {
    let nodes = vec![needs(&[1]), needs(&[0]), needs(&[1]), needs(&[3]), needs(&[99]), needs(&[]), needs(&[5, 5])];
    let mut scheduler = Scheduler::new(nodes, 4, 0);
    assert_eq!(scheduler.step(Event::Tick, 0), [Action::Start(5)]);
    assert_eq!(scheduler.step(done(5), 1), [Action::Start(6)]);
    assert_eq!(scheduler.step(done(6), 2), [Action::Finish]);
    assert_eq!(states(&scheduler)[..5], [State::Skipped; 5]);
    assert_eq!(states(&scheduler)[5..], [State::Done; 2]);
}

#[test]
fn extreme_times_and_numbers_do_no_harm() {
    let node = Node { timeout: Duration::MAX, retries: u32::MAX, ..needs(&[]) };
    let mut scheduler = Scheduler::new(vec![node], 0, u64::MAX);
    assert_eq!(scheduler.step(Event::Tick, u64::MAX - 1), [Action::Start(0), Action::WakeAt(u64::MAX)]);
    scheduler.step(failed(0, Retry::After(Duration::MAX)), 3);
    assert_eq!(scheduler.again_at(0), Some(u64::MAX), "a clock that goes back is taken to stand still");
    assert_eq!(scheduler.step(Event::Stop, u64::MAX), [Action::Finish]);
}

/// Prints what a task costs; the limit leaves a factor of hundred for a slow machine and a build without optimisation.
#[test]
fn five_thousand_tasks_cost_microseconds_each() {
    let nodes: Vec<Node> = (0..5_000usize)
        .map(|task| Node {
            needs: (1..=8).filter_map(|back| task.checked_sub(back * back)).collect(),
            timeout: 60 * SECOND,
            ..Node::default()
        })
        .chain((0..5_000).map(|_| Node { timeout: 60 * SECOND, ..Node::default() }))
        .collect();
    let count = nodes.len();
    let begin = std::time::Instant::now();
    let mut scheduler = Scheduler::new(nodes, 64, 0);
    let mut running: std::collections::VecDeque<usize> = std::collections::VecDeque::new();
    let mut actions = scheduler.step(Event::Tick, 0);
    let mut now = 0;
    while !actions.contains(&Action::Finish) {
        running.extend(actions.iter().filter_map(|action| match action {
            Action::Start(task) => Some(*task),
            _ => None,
        }));
        now += 1;
        actions = scheduler.step(done(running.pop_front().unwrap()), now);
    }
    let each = begin.elapsed() / u32::try_from(count).unwrap();
    println!("{each:?} for each of {count} tasks");
    assert!(each < Duration::from_millis(1), "{each:?}");
}
