//! Where jobs have their files, and what happens where they cannot have them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::world::World;

#[test]
fn without_a_folder_that_can_be_written_to_the_job_runs_and_says_so() {
    let world = World::new();
    // Not even root can make a folder there.
    fs::write(world.jobs(), "a file").unwrap();
    let said = world.job(&["run", "a", "--", "sh", "-c", "echo ran; exit 4"]).with(4);
    assert_eq!(said.out, "ran\n");
    let path = world.jobs();
    let once = said.errors.lines().count() == 1 && said.errors.contains(path.to_str().unwrap());
    assert!(once && said.errors.contains("the job runs on"), "{}", said.errors);
    assert_eq!(fs::read_to_string(world.jobs()).unwrap(), "a file");
}

#[test]
fn a_folder_that_disappears_takes_no_job_along() {
    let world = World::new();
    let jobs = world.jobs();
    let script = format!("echo one; rm -r {}; echo two; sleep 1.5; echo three; exit 4", jobs.display());
    let said = world.job(&["run", "a", "--", "sh", "-c", &script]).with(4);
    assert_eq!(said.out, "one\ntwo\nthree\n");
    assert!(said.errors.contains("status cannot be written"), "{}", said.errors);
}

#[test]
fn links_that_others_have_put_there_are_not_followed() {
    let world = World::new();
    fs::create_dir(world.jobs()).unwrap();
    fs::set_permissions(world.jobs(), fs::Permissions::from_mode(0o777)).unwrap();
    let victim = world.path("victim");
    fs::write(&victim, "precious").unwrap();
    for name in ["a.status", "a.stop", ".a.claim"] {
        std::os::unix::fs::symlink(&victim, world.jobs().join(name)).unwrap();
    }
    // The names of temporary files can be guessed.
    for pid in (std::process::id()..).take(300) {
        std::os::unix::fs::symlink(&victim, world.jobs().join(format!(".a.status.{pid}.tmp"))).unwrap();
    }
    let _ = world.job(&["run", "a", "--", "true"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}
