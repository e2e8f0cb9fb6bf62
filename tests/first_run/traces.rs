//! Where a first run writes, and as whom.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::tree;
use super::world::World;

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn nothing_is_written_but_the_state_and_the_targets_and_nothing_of_roots_in_the_home() {
    let world = World::new();
    let config = world.all_steps();
    let before: BTreeSet<String> = tree::of(&world.container.upper()).into_keys().collect();
    world.container.run(&config, &[]).expect(0);

    // The layer that takes all that is written to the root: everything outside of the home and the state folders.
    let after: BTreeSet<String> = tree::of(&world.container.upper()).into_keys().collect();
    let new: Vec<&String> = after.difference(&before).collect();
    // The folders above it are copied up, as overlayfs does it.
    let expected = ["usr", "usr/local", "usr/local/bin", "usr/local/bin/for-all"];
    assert!(new.iter().all(|path| expected.contains(&path.as_str())), "{new:#?}");
    let names = |folder: &str| -> Vec<String> { tree::of(&world.container.path(folder)).into_keys().collect() };
    assert_eq!(names("/tmp"), [""; 0]);
    assert_eq!(names("/usr/local/share/devinit"), ["first-run", "first-run/for-all"]);
    assert_eq!(names("/var/lib/devinit"), ["first-run", "first-run/for-all.json"]);
    assert_eq!(names("/run/devinit"), ["first-run", "first-run/peid", "first-run/peid/progress.json"]);

    assert_owned(&world.home, 3100, 1100);
    let mut top: Vec<String> =
        fs::read_dir(&world.home).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    top.sort();
    top.retain(|name| name != "clone");
    assert_eq!(top, [".bun", ".local", ".pixi", "last", "micromamba", "project", "soft", "tree"]);
}

fn assert_owned(path: &Path, uid: u32, gid: u32) {
    let about = path.symlink_metadata().unwrap();
    assert_eq!((about.uid(), about.gid()), (uid, gid), "{}", path.display());
    assert!(about.is_symlink() || about.mode() & 0o022 == 0, "{} can be written to by others", path.display());
    if about.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            assert_owned(&entry.unwrap().path(), uid, gid);
        }
    }
}
