use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use super::*;
use crate::fetch::Retry;
use crate::sys::{Fork, exit_now, fork, kill};

/// A folder in memory where there is one: the others who write to this machine's disk would be waited for.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A folder on another file system than [`folder`]'s, if there is one.
fn elsewhere() -> Option<TempDir> {
    let (there, here) = (tempfile::tempdir().unwrap(), folder());
    (there.path().metadata().unwrap().dev() != here.path().metadata().unwrap().dev()).then_some(there)
}

/// A tree of a few files, all with the same text.
fn grow(root: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(root.join("lib/deep"))?;
    for name in ["bin", "lib/a", "lib/b", "lib/deep/c"] {
        fs::write(root.join(name), text)?;
    }
    fs::set_permissions(root.join("bin"), Permissions::from_mode(0o755))?;
    symlink("lib/deep/c", root.join("link"))
}

/// The text that all files of such a tree have, if they have the same one and all are there.
fn whole(root: &Path) -> Option<String> {
    let texts: Option<Vec<String>> =
        ["bin", "lib/a", "lib/b", "link"].iter().map(|name| fs::read_to_string(root.join(name)).ok()).collect();
    let texts = texts?;
    texts.windows(2).all(|pair| pair[0] == pair[1]).then(|| texts[0].clone())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

fn staged_file(folder: &Path, text: &str) -> PathBuf {
    let staged = folder.join("staged");
    fs::write(&staged, text).unwrap();
    staged
}

fn staged_tree(folder: &Path, text: &str) -> PathBuf {
    let staged = folder.join("staged");
    grow(&staged, text).unwrap();
    staged
}

#[test]
fn a_file_gets_its_mode_and_the_folders_above_it() {
    let root = folder();
    let target = root.path().join("home/.local/bin/tool");
    file(&staged_file(root.path(), "1"), &target, 0o755).unwrap();
    assert_eq!((fs::read_to_string(&target).unwrap().as_str(), mode(&target)), ("1", 0o755));
    for above in ["home", "home/.local", "home/.local/bin"] {
        assert_eq!(mode(&root.path().join(above)), 0o755);
    }
    file(&staged_file(root.path(), "2"), &target, 0o600).unwrap();
    assert_eq!((fs::read_to_string(&target).unwrap().as_str(), mode(&target)), ("2", 0o600));
    assert_eq!(names(target.parent().unwrap()), ["tool"]);
    assert_eq!(names(root.path()), ["home"]);
}

#[test]
fn a_link_in_place_of_a_file_is_replaced_and_not_followed() {
    let root = folder();
    let (kept, target) = (root.path().join("kept"), root.path().join("tool"));
    fs::write(&kept, "kept").unwrap();
    symlink(&kept, &target).unwrap();
    file(&staged_file(root.path(), "new"), &target, 0o755).unwrap();
    assert_eq!(fs::read_to_string(kept).unwrap(), "kept");
    assert!(target.symlink_metadata().unwrap().is_file());
}

#[test]
fn a_program_is_replaced_while_it_runs() {
    let root = folder();
    let target = root.path().join("tool");
    // Something that waits for its input, whatever the name that it is called by.
    let Some(cat) = ["/bin/cat", "/usr/bin/cat"].iter().find(|path| Path::new(path).exists()) else { return };
    fs::copy(cat, root.path().join("staged")).unwrap();
    file(&root.path().join("staged"), &target, 0o755).unwrap();
    let Ok(mut running) = Command::new(&target).stdin(Stdio::piped()).stdout(Stdio::null()).spawn() else { return };
    let result = file(&staged_file(root.path(), "new"), &target, 0o755);
    drop(running.stdin.take());
    running.wait().unwrap();
    result.unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "new");
}

#[test]
fn a_folder_in_place_of_a_file_or_a_link_stays_and_is_named() {
    let root = folder();
    let target = root.path().join("tool");
    fs::create_dir(&target).unwrap();
    let staged = staged_file(root.path(), "1");
    for failure in [file(&staged, &target, 0o755).unwrap_err(), link(&staged, &target).unwrap_err()] {
        assert_eq!(failure.text, format!("{} is in the way: it is a folder", target.display()));
        assert_eq!(failure.hint.as_deref(), Some("move it away and run it again"));
        assert_eq!(failure.retry, Retry::Never);
    }
    assert_eq!(names(root.path()), ["staged", "tool"]);
}

#[test]
fn what_is_no_folder_in_place_of_one_stays_and_is_named() {
    let root = folder();
    let target = root.path().join("tool");
    let staged = staged_tree(root.path(), "1");
    let in_the_way = |make: &dyn Fn()| {
        make();
        let failure = tree(&staged, &target).unwrap_err();
        assert_eq!(failure.text, format!("{} is in the way: it is not a folder", target.display()));
        let below = tree(&staged, &target.join("below")).unwrap_err();
        assert!(below.text.starts_with(&format!("failed to make the folder {}: ", target.display())), "{below}");
        assert!(below.hint.is_some());
        fs::remove_file(&target).unwrap();
    };
    in_the_way(&|| fs::write(&target, "file").unwrap());
    in_the_way(&|| symlink("nowhere", &target).unwrap());
    assert_eq!(whole(&staged).as_deref(), Some("1"));
}

#[test]
fn a_tree_comes_and_is_replaced_as_a_whole() {
    let root = folder();
    let target = root.path().join("share/node");
    tree(&staged_tree(root.path(), "1"), &target).unwrap();
    assert_eq!(whole(&target).as_deref(), Some("1"));
    fs::write(target.join("of the old one"), "").unwrap();
    tree(&staged_tree(root.path(), "2"), &target).unwrap();
    assert_eq!(whole(&target).as_deref(), Some("2"));
    assert_eq!(names(&target), ["bin", "lib", "link"]);
    assert_eq!(names(target.parent().unwrap()), ["node"]);
    assert_eq!(names(root.path()), ["share"]);
}

#[test]
fn what_is_staged_on_another_file_system_is_copied() {
    let (root, Some(other)) = (folder(), elsewhere()) else { return };
    let (tool, node) = (root.path().join("bin/tool"), root.path().join("node"));
    for text in ["1", "2"] {
        file(&staged_file(other.path(), text), &tool, 0o755).unwrap();
        assert_eq!((fs::read_to_string(&tool).unwrap().as_str(), mode(&tool)), (text, 0o755));
        tree(&staged_tree(other.path(), text), &node).unwrap();
        assert_eq!(whole(&node).as_deref(), Some(text));
        assert_eq!((mode(&node.join("bin")), mode(&node.join("lib/a"))), (0o755, 0o644));
        assert_eq!(fs::read_link(node.join("link")).unwrap().to_str(), Some("lib/deep/c"));
        assert!(names(other.path()).is_empty());
    }
    assert_eq!(names(root.path()), ["bin", "node"]);
}

#[test]
fn a_copy_that_fails_leaves_the_old_tree_and_nothing_beside_it() {
    let (root, Some(other)) = (folder(), elsewhere()) else { return };
    let target = root.path().join("node");
    tree(&staged_tree(root.path(), "1"), &target).unwrap();
    let staged = staged_tree(other.path(), "2");
    nix::unistd::mkfifo(&staged.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let failure = tree(&staged, &target).unwrap_err();
    assert!(failure.text.contains("/staged/pipe is neither a file nor a folder nor a link"), "{failure}");
    assert_eq!(whole(&target).as_deref(), Some("1"));
    assert_eq!(names(root.path()), ["node"]);
}

#[test]
fn only_what_it_should_be_is_put_into_place() {
    let root = folder();
    let target = root.path().join("target");
    let a_file = staged_file(root.path(), "1");
    let a_link = root.path().join("link");
    symlink(root.path(), &a_link).unwrap();
    for result in [
        tree(&a_file, &target),
        tree(&a_link, &target),
        file(&a_link, &target, 0o755),
        file(root.path(), &target, 0o755),
        file(&root.path().join("missing"), &target, 0o755),
        file(&a_file, Path::new("/"), 0o755),
        file(&a_file, Path::new("x/.."), 0o755),
    ] {
        assert_eq!(result.unwrap_err().retry, Retry::Never);
    }
    assert_eq!(names(root.path()), ["link", "staged"]);
}

#[test]
fn leftovers_of_a_killed_attempt_are_cleared_away() {
    let root = folder();
    let target = root.path().join("node");
    let (new, old) = (root.path().join(".node.devinit-new"), root.path().join(".node.devinit-old"));
    // In the middle of a copy.
    grow(&target, "1").unwrap();
    fs::create_dir(&new).unwrap();
    fs::write(new.join("half"), "").unwrap();
    tree(&staged_tree(root.path(), "2"), &target).unwrap();
    assert_eq!((whole(&target).as_deref(), names(root.path())), (Some("2"), vec!["node".to_owned()]));
    // Before the old one was removed, with folders that may not be written to.
    grow(&old, "1").unwrap();
    fs::set_permissions(old.join("lib"), Permissions::from_mode(0o555)).unwrap();
    tree(&staged_tree(root.path(), "3"), &target).unwrap();
    assert_eq!((whole(&target).as_deref(), names(root.path())), (Some("3"), vec!["node".to_owned()]));
    // A file where a tree was left, and the other way round.
    fs::write(&new, "").unwrap();
    tree(&staged_tree(root.path(), "4"), &target).unwrap();
    let tool = root.path().join("tool");
    grow(&root.path().join(".tool.devinit-new"), "x").unwrap();
    file(&staged_file(root.path(), "tool"), &tool, 0o755).unwrap();
    symlink("nowhere", root.path().join(".tool.devinit-new")).unwrap();
    link(&target, &tool).unwrap();
    assert_eq!(names(root.path()), ["node", "tool"]);
}

#[test]
fn what_a_killed_attempt_moved_away_comes_back_even_if_the_next_one_fails() {
    let root = folder();
    let target = root.path().join("node");
    grow(&root.path().join(".node.devinit-old"), "1").unwrap();
    grow(&root.path().join(".node.devinit-new"), "2").unwrap();
    assert!(tree(&root.path().join("missing"), &target).is_err());
    assert_eq!(whole(&target).as_deref(), Some("1"));
    assert_eq!(names(root.path()), ["node"]);
}

/// Kills a process that does this over and over, at some instant.
fn kill_during(microseconds: u64, mut work: impl FnMut() -> bool) {
    let Fork::Parent(child) = fork().unwrap() else {
        while work() {}
        exit_now(1);
    };
    std::thread::sleep(Duration::from_micros(microseconds));
    kill(child, Signal::SIGKILL as i32).unwrap();
    let status = waitpid(Pid::from_raw(child), None).unwrap();
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{status:?}");
}

#[test]
fn whoever_is_killed_leaves_a_whole_tree_or_none_and_the_next_one_completes_it() {
    let root = folder();
    let (target, tool, on_path) =
        (root.path().join("node"), root.path().join("bin/tool"), root.path().join("bin/node"));
    let staged = root.path().join("staged");
    for attempt in 0..100 {
        kill_during(attempt * 97 % 5000, || {
            let once = |text: &str| {
                remove(&staged).is_ok()
                    && grow(&staged, text).is_ok()
                    && tree(&staged, &target).is_ok()
                    && fs::write(&staged, text).is_ok()
                    && file(&staged, &tool, 0o755).is_ok()
                    && link(&target.join(text), &on_path).is_ok()
            };
            once("1") && once("2")
        });
        assert!(missing(&target) || whole(&target).is_some());
        assert!(
            missing(&tool) || (mode(&tool) == 0o755 && ["1", "2", "3"].contains(&&*fs::read_to_string(&tool).unwrap()))
        );
        remove(&staged).unwrap();
        tree(&staged_tree(root.path(), "3"), &target).unwrap();
        file(&staged_file(root.path(), "3"), &tool, 0o755).unwrap();
        link(&target.join("bin"), &on_path).unwrap();
        assert_eq!(whole(&target).as_deref(), Some("3"));
        assert_eq!(fs::read_to_string(&on_path).unwrap(), "3");
        assert_eq!(
            (names(root.path()).join(" "), names(&root.path().join("bin")).join(" ")),
            ("bin node".into(), "node tool".into())
        );
    }
}

#[test]
fn links_are_relative_where_that_leads_to_the_same() {
    let root = folder();
    let root = root.path().canonicalize().unwrap();
    let read = |path: &Path| fs::read_link(path).unwrap().to_str().unwrap().to_owned();
    let on_path = root.join("home/.local/bin/claude");
    link(&root.join("home/.local/share/claude/1/claude"), &on_path).unwrap();
    assert_eq!(read(&on_path), "../share/claude/1/claude");
    link(&root.join("home/.local/bin/claude-2"), &on_path).unwrap();
    assert_eq!(read(&on_path), "claude-2");
    // Nothing above both but the root.
    link(Path::new("/no/such/tool"), &on_path).unwrap();
    assert_eq!(read(&on_path), "/no/such/tool");
    link(&root.join("home/../etc/tool"), &on_path).unwrap();
    assert_eq!(read(&on_path), root.join("home/../etc/tool").to_str().unwrap());
    // A folder that is a link itself: `..` would lead to the folder above where it leads to.
    fs::create_dir_all(root.join("volume/deep/bin")).unwrap();
    symlink(root.join("volume/deep/bin"), root.join("bin")).unwrap();
    fs::write(root.join("tool"), "tool").unwrap();
    link(&root.join("tool"), &root.join("bin/tool")).unwrap();
    assert_eq!(read(&root.join("bin/tool")), root.join("tool").to_str().unwrap());
    assert_eq!(fs::read_to_string(root.join("bin/tool")).unwrap(), "tool");
}

#[test]
fn a_link_that_is_there_already_stays() {
    let root = folder();
    let (target, on_path) = (root.path().join("share/tool"), root.path().join("bin/tool"));
    link(&target, &on_path).unwrap();
    let before = on_path.symlink_metadata().unwrap().ino();
    link(&target, &on_path).unwrap();
    assert_eq!(on_path.symlink_metadata().unwrap().ino(), before);
    fs::remove_file(&on_path).unwrap();
    fs::write(&on_path, "a file").unwrap();
    link(&target, &on_path).unwrap();
    assert!(on_path.is_symlink());
}

#[test]
fn a_folder_without_the_right_to_write_is_named() {
    if geteuid().is_root() {
        return;
    }
    let root = folder();
    let closed = root.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
    let failure = file(&staged_file(root.path(), "1"), &closed.join("tool"), 0o755).unwrap_err();
    assert!(failure.text.contains(closed.to_str().unwrap()), "{failure}");
    assert!(root.path().join("staged").exists());
}

#[test]
fn nothing_is_copied_through_a_link_that_someone_put_there_meanwhile() {
    let root = folder();
    let (staged, victim, target) =
        (staged_file(root.path(), "new"), root.path().join("victim"), root.path().join("copy"));
    fs::write(&victim, "precious").unwrap();
    fs::set_permissions(&victim, Permissions::from_mode(0o600)).unwrap();
    symlink(&victim, &target).unwrap();
    assert_eq!(copy_file(&staged, &target).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(victim.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(&target).unwrap();
    copy_file(&staged, &target).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "new");
}
