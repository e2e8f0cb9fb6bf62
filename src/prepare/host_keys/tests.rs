use std::collections::BTreeMap;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::note::Level;

struct Place {
    root: TempDir,
    mounts: String,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["etc", "state"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        Self { root, mounts: String::new() }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn mount(&mut self, path: &str) {
        self.mounts += &format!("40 30 0:9 / {} rw,relatime - ext4 /dev/x rw\n", self.at(path).display());
    }

    fn prepare(&self) -> HostKeys {
        prepare_with(&self.at("state/ssh"), &self.at("run/ssh"), &self.at("etc"), &self.mounts)
    }

    /// Puts a key there as ssh-keygen makes it.
    fn keygen(&self, path: &str, arguments: &[&str]) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-C", "x", "-f"]).arg(path).args(arguments);
        if !arguments.contains(&"-N") {
            command.args(["-N", ""]);
        }
        assert!(command.status().unwrap().success());
    }

    /// Every file below, with its mode, time and content.
    fn snapshot(&self) -> BTreeMap<PathBuf, (u32, std::time::SystemTime, Vec<u8>)> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.root.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let metadata = path.metadata().unwrap();
                let content = if metadata.is_dir() { Vec::new() } else { std::fs::read(&path).unwrap() };
                files.insert(path.clone(), (metadata.permissions().mode(), metadata.modified().unwrap(), content));
                if metadata.is_dir() {
                    folders.push(path);
                }
            }
        }
        files
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What ssh-keygen says of a key: `SHA256:… (TYPE)`.
fn print_of(path: &Path) -> String {
    let line = output(Command::new("ssh-keygen").arg("-lf").arg(path));
    let words: Vec<_> = line.split_whitespace().collect();
    format!("{} {}", words[1], words.last().unwrap())
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn errors(keys: &HostKeys) -> Vec<&str> {
    keys.notes.iter().filter(|note| note.level == Level::Error).map(|note| note.text.as_str()).collect()
}

#[test]
fn the_first_boot_makes_a_key_that_ssh_keygen_accepts_and_the_second_changes_nothing() {
    let place = Place::new();
    let keys = place.prepare();
    let path = place.at("state/ssh/ssh_host_ed25519_key");
    assert_eq!((keys.paths.as_slice(), keys.notes.as_slice()), ([path.clone()].as_slice(), [].as_slice()));
    assert_eq!((mode(&path), mode(&with_pub(&path)), mode(path.parent().unwrap())), (0o600, 0o644, 0o700));

    let derived = output(Command::new("ssh-keygen").arg("-y").arg("-f").arg(&path));
    let public = std::fs::read_to_string(with_pub(&path)).unwrap();
    assert_eq!(derived.split(' ').take(2).collect::<Vec<_>>(), public.split(' ').take(2).collect::<Vec<_>>());
    assert!(public.trim_end().ends_with(&comment()), "{public}");
    assert_eq!(keys.fingerprints, [print_of(&path)]);

    let before = place.snapshot();
    assert_eq!(place.prepare(), keys);
    assert_eq!(place.snapshot(), before);
}

#[test]
fn two_boots_without_a_kept_folder_have_different_keys() {
    assert_ne!(Place::new().prepare().fingerprints, Place::new().prepare().fingerprints);
}

#[test]
fn every_key_in_the_folder_is_used_whatever_its_type_and_format() {
    let place = Place::new();
    place.keygen("state/ssh/ssh_host_ecdsa_key", &["-t", "ecdsa"]);
    place.keygen("state/ssh/ssh_host_ed25519_key", &["-t", "ed25519"]);
    place.keygen("state/ssh/ssh_host_old_key", &["-t", "rsa", "-b", "2048", "-m", "PEM"]);
    place.keygen("state/ssh/ssh_host_rsa_key", &["-t", "rsa", "-b", "2048"]);
    let keys = place.prepare();
    assert_eq!(keys.notes, []);
    assert_eq!(keys.paths.len(), 4);
    assert_eq!(keys.fingerprints, keys.paths.iter().map(|path| print_of(path)).collect::<Vec<_>>());
}

#[test]
fn a_missing_or_foreign_pub_file_is_made_anew() {
    let place = Place::new();
    for kind in ["rsa", "ecdsa", "ed25519"] {
        place.keygen(&format!("state/ssh/ssh_host_{kind}_key"), &["-t", kind]);
    }
    let path = |kind: &str| place.at(&format!("state/ssh/ssh_host_{kind}_key.pub"));
    std::fs::remove_file(path("rsa")).unwrap();
    std::fs::copy(path("ed25519"), path("ecdsa")).unwrap();
    std::fs::write(path("ed25519"), "").unwrap();
    let keys = place.prepare();
    assert_eq!(keys.notes, []);
    for private in &keys.paths {
        let derived = output(Command::new("ssh-keygen").arg("-y").arg("-f").arg(private));
        let public = std::fs::read_to_string(with_pub(private)).unwrap();
        assert_eq!(
            derived.split_whitespace().take(2).collect::<Vec<_>>(),
            public.split(' ').take(2).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_damaged_key_is_reported_and_left_as_it_is_and_this_boot_gets_another() {
    let good = Place::new();
    good.keygen("key", &["-t", "ed25519"]);
    good.keygen("locked", &["-t", "ed25519", "-N", "passphrase"]);
    good.keygen("locked_pem", &["-t", "rsa", "-m", "PEM", "-N", "passphrase"]);
    let text = |name: &str| std::fs::read_to_string(good.at(name)).unwrap();
    let flipped = {
        let key = text("key");
        let lines: Vec<_> = key.lines().collect();
        let swapped = lines[3].chars().rev().collect::<String>();
        [lines[0], lines[1], lines[2], &swapped, lines[4], lines[5]].join("\n")
    };
    for (content, reason) in [
        (String::new(), "empty"),
        (text("key")[..200].to_owned(), "cut short"),
        (text("key").replacen("-----END", "", 1), "cut short"),
        (flipped, ""),
        (text("locked"), "passphrase"),
        (text("locked_pem"), "passphrase"),
        (text("key.pub"), "public key"),
        ("hunter2".to_owned(), "not a private key"),
    ] {
        let place = Place::new();
        let path = place.at("state/ssh/ssh_host_ed25519_key");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &content).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let keys = place.prepare();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        assert_eq!(errors(&keys).len(), 1, "{content}: {:?}", keys.notes);
        assert!(errors(&keys)[0].contains(reason), "{:?}", keys.notes);
        assert!(!errors(&keys)[0].contains("hunter2"));
        assert_eq!(keys.paths, [place.at("run/ssh/ssh_host_ed25519_key")]);
        assert_eq!(keys.fingerprints, [print_of(&keys.paths[0])]);
        assert_eq!(place.prepare().fingerprints, keys.fingerprints, "a restart keeps the makeshift");
    }
}

#[test]
fn a_directory_or_a_fifo_in_a_keys_place_is_reported() {
    let place = Place::new();
    std::fs::create_dir_all(place.at("state/ssh/ssh_host_a_key")).unwrap();
    nix::unistd::mkfifo(&place.at("state/ssh/ssh_host_b_key"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    place.keygen("state/ssh/ssh_host_c_key", &["-t", "ed25519"]);
    let keys = place.prepare();
    assert_eq!(errors(&keys).len(), 2);
    assert_eq!(keys.paths, [place.at("state/ssh/ssh_host_c_key")], "a good one is enough: no makeshift");
}

#[test]
fn a_key_that_others_can_read_is_closed() {
    let place = Place::new();
    place.keygen("state/ssh/ssh_host_ed25519_key", &["-t", "ed25519"]);
    let path = place.at("state/ssh/ssh_host_ed25519_key");
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let keys = place.prepare();
    assert_eq!((keys.paths.as_slice(), mode(&path)), ([path].as_slice(), 0o600));
    assert!(keys.notes[0].text.contains("0644"), "{:?}", keys.notes);
}

#[test]
fn where_nothing_can_be_kept_the_key_lasts_for_this_container_and_the_note_says_how_to_keep_it() {
    let place = Place::new();
    std::fs::write(place.at("file"), "").unwrap();
    let folder = place.at("file/ssh");
    let first = prepare_with(&folder, &place.at("run/ssh"), &place.at("etc"), "");
    assert_eq!(first.paths, [place.at("run/ssh/ssh_host_ed25519_key")]);
    assert_eq!(first.notes.len(), 1);
    assert_eq!(first.notes[0].level, Level::Warning);
    assert!(first.notes[0].text.contains("-v NAME:"), "{:?}", first.notes);
    assert_eq!(prepare_with(&folder, &place.at("run/ssh"), &place.at("etc"), ""), first);

    let nowhere = prepare_with(&folder, &place.at("file/run"), &place.at("etc"), "");
    assert_eq!(nowhere.paths, [] as [PathBuf; 0]);
    assert!(errors(&nowhere)[0].contains("sshd cannot start"));
}

#[test]
fn keys_that_came_with_the_image_are_removed_with_one_note() {
    let place = Place::new();
    place.keygen("etc/ssh_host_rsa_key", &["-t", "rsa"]);
    place.keygen("etc/ssh_host_ed25519_key", &["-t", "ed25519"]);
    std::fs::write(place.at("etc/sshd_config"), "Port 22\n").unwrap();
    let keys = place.prepare();
    let left: Vec<_> = std::fs::read_dir(place.at("etc")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["sshd_config"]);
    assert_eq!(keys.notes.len(), 1);
    assert!(keys.notes[0].text.starts_with("2 host keys"), "{:?}", keys.notes);
    assert_eq!(keys.paths, [place.at("state/ssh/ssh_host_ed25519_key")]);
    assert_eq!(place.prepare().notes, []);
}

#[test]
fn keys_that_somebody_mounted_are_used() {
    for mounted in ["etc", "etc/ssh_host_ed25519_key"] {
        let mut place = Place::new();
        place.keygen("etc/ssh_host_ed25519_key", &["-t", "ed25519"]);
        place.mount(mounted);
        let keys = place.prepare();
        assert_eq!(keys.paths, [place.at("etc/ssh_host_ed25519_key")]);
        assert!(keys.notes.iter().all(|note| note.level == Level::Info), "{:?}", keys.notes);
        assert!(!place.at("state/ssh").exists(), "no further key is made");
    }
}

#[test]
fn a_folder_that_is_the_images_own_is_left_as_it_is() {
    let place = Place::new();
    place.keygen("etc/ssh_host_ed25519_key", &["-t", "ed25519"]);
    let keys = prepare_with(&place.at("etc"), &place.at("run"), &place.at("etc"), "");
    assert_eq!(keys.paths, [place.at("etc/ssh_host_ed25519_key")]);
}

#[test]
fn a_mount_point_with_a_blank_in_its_name_is_found() {
    let mounts = "1 2 0:3 / /a\\040b rw - tmpfs tmpfs rw\n";
    assert!(is_mount(Path::new("/a b"), mounts));
    assert!(!is_mount(Path::new("/a"), mounts));
}

#[test]
fn a_file_on_the_volume_adds_no_line_to_sshd_s_config_by_its_name() {
    let place = Place::new();
    place.keygen("state/ssh/ssh_host_ed25519_key", &["-t", "ed25519"]);
    let evil = place.at("state/ssh").join("ssh_host_x\"\nAuthorizedKeysFile evil\n#_key");
    std::fs::copy(place.at("state/ssh/ssh_host_ed25519_key"), &evil).unwrap();
    assert_eq!(place.prepare().paths, [place.at("state/ssh/ssh_host_ed25519_key")]);
}

#[test]
#[ignore = "needs root: mounts in a namespace of its own"]
fn real_read_only_mount_of_an_open_key_is_copied_for_sshd() {
    use nix::mount::{MsFlags, mount};
    let place = Place::new();
    place.keygen("state/ssh/ssh_host_ed25519_key", &["-t", "ed25519"]);
    let folder = place.at("state/ssh");
    let path = folder.join("ssh_host_ed25519_key");
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    std::fs::remove_file(with_pub(&path)).unwrap();
    // A thread of its own, since the namespace is the thread's.
    let boot = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        mount(Some(&folder), &folder, none, MsFlags::MS_BIND, none).unwrap();
        mount(none, &folder, none, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY, none).unwrap();
        let (first, second) = (place.prepare(), place.prepare());
        (place, first, second)
    });
    let (place, first, second) = boot.join().unwrap();
    let copy = place.at("run/ssh/ssh_host_ed25519_key");
    assert_eq!(first.paths, std::slice::from_ref(&copy));
    assert_eq!((mode(&copy), mode(&path)), (0o600, 0o640));
    assert_eq!(first.fingerprints, [print_of(&path)]);
    assert_eq!(second, first);
}
