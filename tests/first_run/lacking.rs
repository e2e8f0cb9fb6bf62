//! Where something is missing that a first run would like to have.

use std::os::unix::fs::chown;

use super::world::World;

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn what_is_for_everyone_is_done_although_the_home_cannot_be_written_to() {
    let world = World::new();
    chown(&world.home, Some(4000), Some(4000)).unwrap();
    let steps = ["script: {name: own, run: 'true'}", "script: {name: all, as: root, run: 'touch /tmp/all'}"];
    let run = world.container.run(&world.config(&steps), &[]).expect(1);
    assert!(run.err.contains("peid cannot write to /home/peid/"), "{run:?}");
    assert!(run.out.contains("all done") && world.container.path("/tmp/all").exists(), "{run:?}");
    assert!(run.out.contains("own failed: failed to make /home/peid/"), "{run:?}");

    let own = world.container.run(&world.config(&steps[..1]), &[]).expect(1);
    assert!(own.out.is_empty() && own.err.contains("peid cannot write to /home/peid/"), "{own:?}");
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn a_limit_of_processes_is_the_reason_that_is_told() {
    let world = World::new();
    let config = world.config(&["script: {run: 'true', retries: 0}"]);
    let run = world.container.start_by(&["prlimit", "--nproc=1:1"], &config, &[]).wait().expect(1);
    assert!(run.out.contains("no thread could be made") && run.out.contains("limit of processes"), "{run:?}");
    assert!(!run.err.contains("panicked"), "{run:?}");
}
