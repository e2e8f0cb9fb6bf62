//! Two of a name, queues, and whoever steers a job.

use super::world::{World, finish, until};

#[test]
fn a_second_job_of_a_name_is_refused_or_waits() {
    let world = World::new();
    world.job(&["run", "a", "--detach", "--", "sh", "-c", "sleep 1.5; exit 3"]).with(0);
    for detach in [&["--detach"][..], &[]] {
        let said = world.job(&[&["run", "a"], detach, &["--", "true"]].concat()).with(125);
        assert!(said.errors.contains("runs already") && said.errors.contains("--queue"), "{}", said.errors);
    }
    assert_eq!(world.state("a"), "running");
    world.job(&["run", "a", "--queue", "--", "true"]).with(0);
    assert_eq!(world.state("a"), "succeeded");
    assert_eq!(world.logs("a").len(), 2, "the first one had ended");
    let said = world.job(&["run", "b", "--queue=none-such", "--", "true"]).with(125);
    assert!(said.errors.contains("none-such"), "{}", said.errors);
    world.job(&["run", "b", "--queue", "--", "true"]).with(0);
}

#[test]
fn of_twenty_that_begin_at_once_one_runs() {
    let world = World::new();
    let all: Vec<_> = (0..20).map(|_| world.begin(&["run", "a", "--quiet", "--", "sleep", "2"])).collect();
    let mut codes: Vec<_> = all.into_iter().map(|child| finish(child).status.code().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [vec![0], vec![125; 19]].concat());
    assert_eq!(world.logs("a").len(), 1);
}

#[test]
fn all_that_wait_in_a_queue_run_one_at_a_time() {
    let world = World::new();
    world.job(&["run", "a", "--detach", "--", "sleep", "0.7"]).with(0);
    let alone = format!("mkdir {0} || exit 9; sleep 0.2; rmdir {0}", world.path("alone").display());
    let all: Vec<_> =
        (0..5).map(|_| world.begin(&["run", "a", "--queue", "--quiet", "--", "sh", "-c", &alone])).collect();
    for child in all {
        let output = finish(child);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(world.logs("a").len(), 6);
}

#[test]
fn a_job_is_stopped_waited_for_and_run_again() {
    let world = World::new();
    world.job(&["run", "a", "--detach", "--", "sleep", "1000"]).with(0);
    world.job(&["wait", "a", "--timeout", "100ms"]).with(124);
    let waits = world.begin(&["wait", "a"]);
    world.job(&["stop", "a"]).with(0);
    assert_eq!(world.state("a"), "stopped");
    assert_eq!(finish(waits).status.code(), Some(143));
    world.job(&["stop", "a"]).with(0);
    world.job(&["wait", "none"]).with(125);

    world.job(&["run", "b", "--", "sh", "-c", "pwd; exit 3"]).with(3);
    let again = world.command(&["retry", "b"]).current_dir("/").output().unwrap();
    assert_eq!(again.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&again.stdout).trim(), world.path("").to_str().unwrap().trim_end_matches('/'));
    assert_eq!(world.status("b")["attempt"], 2);
    world.job(&["retry", "b", "--detach"]).with(0);
    world.ended("b");
    assert_eq!(world.status("b")["attempt"], 3);
    assert_eq!(world.logs("b").len(), 3);
    world.job(&["wait", "b"]).with(3);
}

#[test]
fn a_log_is_followed_to_the_end_of_its_job() {
    let world = World::new();
    world
        .job(&["run", "a", "--detach", "--", "sh", "-c", "for i in 1 2 3 4 5; do echo line $i; sleep 0.3; done"])
        .with(0);
    let said = world.job(&["logs", "a", "--follow"]).with(0);
    assert_eq!(said.out, (1..=5).map(|number| format!("line {number}\n")).collect::<String>());
    assert!(said.errors.contains("succeeded"), "{}", said.errors);
    assert_eq!(world.job(&["logs", "a", "--tail", "2"]).with(0).out, "line 4\nline 5\n");
    until("the end", || (world.state("a") == "succeeded").then_some(()));
    assert!(world.job(&["logs", "none"]).with(1).errors.contains("none"));
}
