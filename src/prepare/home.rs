//! Homes: made with the skeleton, and handed over where a fresh volume belongs to root.
//!
//! A home is a place that its user controls. Root makes the folder and gives it away by descriptor; all that happens
//! inside is done by a child that has become the user, so that no link in there leads root anywhere.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, fchown, symlinkat};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::accounts::{Account, lookup};
use crate::note::Note;
use crate::sys;

/// What new homes are filled with.
pub const SKELETON: &str = "/etc/skel";

/// Debian's home of accounts that have none.
const NO_HOME: &str = "/nonexistent";

/// Folders whose content is the system's: never given to a user, whatever passwd calls its home.
const SYSTEM: [&str; 14] =
    ["bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "usr", "var"];
/// Folders that hold those of several users.
const SHARED: [&str; 8] = ["/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp"];

const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Gets the home of an account ready: there, the user's own, and with the skeleton in it if it is empty.
///
/// `passwd` is only for the name of a third party that a home belongs to. What cannot be done is a note.
#[must_use]
pub fn prepare(account: &Account, skeleton: &Path, passwd: &[u8]) -> Vec<Note> {
    let (name, home) = (&account.name, account.home.display());
    match ready(account, passwd) {
        Ok(Home { folder: Some(folder), note, empty }) => {
            let mut notes: Vec<Note> = note.into_iter().collect();
            if empty && skeleton.is_dir() {
                match run_as(account, || Ok(copy_skeleton(skeleton, &folder))) {
                    Ok(faults) => notes.extend(faults.into_iter().map(Note::warning)),
                    Err(error) => {
                        notes.push(Note::warning(format!("home {home} of {name} has no skeleton: {error:#}")))
                    }
                }
            }
            notes
        }
        Ok(Home { note, .. }) => note.into_iter().collect(),
        Err(error) => vec![Note::error(format!("home {home} of {name} is not ready: {error:#}"))],
    }
}

/// Runs `work` as a user, in a child that has given up root, and returns what it returned.
///
/// # Errors
/// Those of the work; the process may not become that user; the child was killed.
pub fn run_as<T: Serialize + DeserializeOwned>(account: &Account, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let act = || format!("failed to act as {} (uid {})", account.name, account.uid);
    // Memory and not a pipe: nobody has to read while the child writes.
    let mut answer = File::from(memfd_create(c"devinit", MFdFlags::MFD_CLOEXEC).with_context(act)?);
    let mut work = Some(work);
    let code = sys::as_user(account.uid, account.gid, &account.groups, &mut || {
        let Some(work) = work.take() else { return 1 };
        let outcome: Result<T, String> = work().map_err(|error| format!("{error:#}"));
        let told = serde_json::to_vec(&outcome).is_ok_and(|json| answer.write_all(&json).is_ok());
        i32::from(!told)
    })
    .with_context(act)?;
    if code != 0 {
        bail!("{}: the child ended with {code}", act());
    }
    let mut json = Vec::new();
    answer.seek(SeekFrom::Start(0)).and_then(|_| answer.read_to_end(&mut json)).with_context(act)?;
    serde_json::from_slice::<Result<T, String>>(&json).with_context(act)?.map_err(|error| anyhow!(error))
}

/// A home after root's part.
#[derive(Default)]
struct Home {
    /// The folder, if it is the user's.
    folder: Option<OwnedFd>,
    /// Whether there is nothing in it.
    empty: bool,
    note: Option<Note>,
}

impl Home {
    fn left_alone(note: Note) -> Self {
        Self { note: Some(note), ..Self::default() }
    }
}

fn ready(account: &Account, passwd: &[u8]) -> Result<Home> {
    let name = &account.name;
    let home = normal(&account.home)?;
    let (Some(parent), Some(last)) = (home.parent(), home.file_name()) else {
        // `/`: many system accounts have it.
        return Ok(Home::default());
    };
    if home == Path::new(NO_HOME) {
        return Ok(Home::default());
    }
    make_parents(parent)?;
    let parent = trusted(parent, End::Anyones)?;
    let real = parent.join(last);
    let parent =
        open(&parent, FOLDER, Mode::empty()).with_context(|| format!("failed to open {}", parent.display()))?;
    match fstatat(&parent, last, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => {
            let folder = make(&parent, last, account)?;
            Ok(Home { folder: Some(folder), empty: true, note: None })
        }
        Err(errno) => Err(errno.into()),
        Ok(stat) if !is_folder(&stat) => {
            let what = if kind(&stat) == SFlag::S_IFLNK { "a symlink" } else { "not a folder" };
            bail!("there is {what} in its place; remove it, or name another home for {name}")
        }
        Ok(_) => {
            let folder = openat(&parent, last, FOLDER, Mode::empty())?;
            let owner = fstat(&folder)?.st_uid;
            if owner == account.uid {
                return Ok(Home { empty: is_empty(&real), folder: Some(folder), note: None });
            }
            if owner != 0 {
                return Ok(Home::left_alone(Note::warning(of_third_party(account, owner, passwd))));
            }
            if is_system(&real) {
                return Ok(Home::left_alone(Note::info(format!(
                    "home {} of {name} is a folder of the system and stays root's",
                    account.home.display()
                ))));
            }
            hand_over(&folder, account)?;
            let note = Note::info(format!(
                "home {} belonged to root and was given to {name}; what is in it keeps its owners",
                account.home.display()
            ));
            Ok(Home { empty: is_empty(&real), folder: Some(folder), note: Some(note) })
        }
    }
}

/// Gives a user a folder outside of all homes, such as /soft/app/clash, if it is not there yet. What is missing above it
/// is made as well and stays root's. Returns whether it was made.
///
/// # Errors
/// Somebody other than root could turn the way there around; it cannot be made.
pub fn provide(account: &Account, folder: &Path) -> Result<bool> {
    let folder = normal(folder)?;
    let (Some(parent), Some(last)) = (folder.parent(), folder.file_name()) else { return Ok(false) };
    if fs::symlink_metadata(&folder).is_ok() {
        return Ok(false);
    }
    make_parents(parent)?;
    let parent = open(&trusted(parent, End::Roots)?, FOLDER, Mode::empty())?;
    let folder = make(&parent, last, account)?;
    fchmod(&folder, Mode::from_bits_truncate(0o755)).context("failed to set its mode")?;
    Ok(true)
}

fn of_third_party(account: &Account, owner: u32, passwd: &[u8]) -> String {
    let known = lookup(passwd, &owner.to_string()).filter(|entry| entry.uid == owner);
    let known = known.map_or(String::new(), |entry| format!(" ({})", entry.name));
    let (name, home) = (&account.name, account.home.display());
    format!(
        "home {home} of {name} (uid {}) belongs to uid {owner}{known} and is left alone: run `chown -R {}:{} {home}`, or give \
         {name} that uid",
        account.uid, account.uid, account.gid
    )
}

/// An absolute path without `.` and `..`, which would hide where it leads.
fn normal(path: &Path) -> Result<PathBuf> {
    if !path.is_absolute() || path.components().any(|part| matches!(part, Component::ParentDir)) {
        bail!("it has to be an absolute path without `..`");
    }
    Ok(path.components().collect())
}

/// Makes the missing folders above a home, with mode 0755 whatever the umask.
fn make_parents(parent: &Path) -> Result<()> {
    let missing: Vec<&Path> = parent.ancestors().take_while(|folder| fs::symlink_metadata(folder).is_err()).collect();
    if let Some(present) = missing.last().and_then(|folder| folder.parent()) {
        // What is made by its path has to be made where nobody can put a link in its place.
        trusted(present, End::Roots)?;
    }
    for folder in missing.into_iter().rev() {
        fs::create_dir(folder)
            .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("failed to make {}", folder.display()))?;
    }
    Ok(())
}

/// Whose the last folder of a way may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Root's, as all before it.
    Roots,
    /// Anyone's (a volume for all homes): what is in it is opened without following links.
    Anyones,
}

/// Resolves the folder above a home, and makes sure that nobody but root can turn the way there around.
fn trusted(parent: &Path, end: End) -> Result<PathBuf> {
    let real = fs::canonicalize(parent).with_context(|| format!("failed to open {}", parent.display()))?;
    let own = nix::unistd::geteuid().as_raw();
    // Links on the way as well as the folders that they lead to.
    for folder in parent.ancestors().chain(real.ancestors()) {
        let there = fs::symlink_metadata(folder).with_context(|| format!("failed to open {}", folder.display()))?;
        let open_to_others = there.is_dir() && there.mode() & 0o022 != 0 && there.mode() & 0o1000 == 0;
        let safe = (there.uid() == 0 || there.uid() == own) && !open_to_others;
        let is_end = end == End::Anyones && there.is_dir() && (folder == parent || folder == real);
        if !safe && !is_end {
            bail!(
                "{} above it is not root's alone; chown it to root and take the others' right to write",
                folder.display()
            );
        }
    }
    Ok(real)
}

fn make(parent: impl AsFd, name: &OsStr, account: &Account) -> Result<OwnedFd> {
    mkdirat(&parent, name, Mode::S_IRWXU).context("failed to make it")?;
    let folder = openat(&parent, name, FOLDER, Mode::empty())?;
    hand_over(&folder, account)?;
    let mode = if account.uid == 0 { 0o700 } else { 0o750 };
    fchmod(&folder, Mode::from_bits_truncate(mode)).context("failed to set its mode")?;
    Ok(folder)
}

fn hand_over(folder: impl AsFd, account: &Account) -> Result<()> {
    let stat = fstat(&folder)?;
    if (stat.st_uid, stat.st_gid) == (account.uid, account.gid) {
        return Ok(());
    }
    fchown(&folder, Some(Uid::from_raw(account.uid)), Some(Gid::from_raw(account.gid)))
        .with_context(|| format!("failed to give it to {} (uid {})", account.name, account.uid))
}

fn is_system(home: &Path) -> bool {
    let first = home.components().nth(1).map(|part| part.as_os_str().to_owned()).unwrap_or_default();
    SYSTEM.iter().any(|name| first == *name) || SHARED.iter().any(|folder| home == Path::new(folder))
}

/// Whether there is nothing in a folder but what mkfs makes. One that cannot be read counts as full.
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder)
        .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == "lost+found")))
}

fn is_folder(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFDIR
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

/// Copies what is in `from` into an open folder, as whoever runs this: modes and links kept, nothing overwritten.
/// Returns what could not be copied, a line for each.
fn copy_skeleton(from: &Path, to: &OwnedFd) -> Vec<String> {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) => return vec![format!("failed to read {}: {error}", from.display())],
    };
    let mut faults = Vec::new();
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        match copy(&path, &name, to) {
            Ok(below) => faults.extend(below),
            Err(error) => faults.push(format!("failed to copy {} into a home: {error}", path.display())),
        }
    }
    faults
}

fn copy(path: &Path, name: &OsStr, to: &OwnedFd) -> io::Result<Vec<String>> {
    let there = fs::symlink_metadata(path)?;
    let mode = Mode::from_bits_truncate(there.mode() & 0o777);
    if there.is_symlink() {
        existing_is_fine(symlinkat(fs::read_link(path)?.as_path(), to, name))?;
    } else if there.is_dir() {
        existing_is_fine(mkdirat(to, name, Mode::S_IRWXU))?;
        let folder = openat(to, name, FOLDER, Mode::empty())?;
        let faults = copy_skeleton(path, &folder);
        fchmod(&folder, mode)?;
        return Ok(faults);
    } else if there.is_file() {
        let mut source =
            fs::OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(to, name, flags, Mode::S_IRUSR | Mode::S_IWUSR) {
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
            Ok(file) => {
                let mut file = File::from(file);
                io::copy(&mut source, &mut file)?;
                fchmod(&file, mode)?;
            }
        }
    }
    Ok(Vec::new())
}

fn existing_is_fine(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::EEXIST) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, lchown, symlink};

    use tempfile::TempDir;

    use super::*;
    use crate::note::Level;

    const UID: u32 = 3100;
    const GID: u32 = 1100;

    fn is_root() -> bool {
        nix::unistd::geteuid().is_root()
    }

    /// A folder that other users can walk through, with a skeleton in it.
    fn place() -> TempDir {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let skeleton = place.path().join("skel");
        fs::create_dir_all(skeleton.join(".config/app")).unwrap();
        fs::write(skeleton.join(".bashrc"), "# bash\n").unwrap();
        fs::write(skeleton.join(".config/app/run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(skeleton.join(".config/app/run"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink(".bashrc", skeleton.join(".profile")).unwrap();
        nix::unistd::mkfifo(&skeleton.join("fifo"), Mode::S_IRWXU).unwrap();
        place
    }

    fn account(home: PathBuf) -> Account {
        Account {
            name: "peid".into(),
            uid: UID,
            gid: GID,
            home,
            shell: "/bin/sh".into(),
            groups: vec![GID],
            created: true,
        }
    }

    fn run(place: &TempDir, home: &Path) -> Vec<Note> {
        prepare(&account(home.to_owned()), &place.path().join("skel"), b"alice:x:1001:1001::/:/bin/sh\n")
    }

    fn owner(path: &Path) -> (u32, u32) {
        let there = fs::symlink_metadata(path).unwrap();
        (there.uid(), there.gid())
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_folder_outside_of_homes_is_made_for_its_user_where_only_root_has_a_say() {
        if !is_root() {
            return;
        }
        let place = place();
        let folder = place.path().join("soft/app/clash");
        assert!(provide(&account("/nowhere".into()), &folder).unwrap());
        assert_eq!((owner(&folder), mode(&folder)), ((UID, GID), 0o755));
        assert_eq!(owner(folder.parent().unwrap()), (0, 0));
        assert!(!provide(&account("/nowhere".into()), &folder).unwrap(), "it is there");
        let theirs = folder.join("deeper/still");
        assert!(provide(&account("/nowhere".into()), &theirs).is_err(), "below what a user controls");
        assert!(!theirs.parent().unwrap().exists());
    }

    #[test]
    fn a_new_home_gets_the_skeleton_and_all_of_it_is_the_users() {
        if !is_root() {
            return;
        }
        let place = place();
        let home = place.path().join("a/b/peid");
        assert_eq!(run(&place, &home), []);
        assert_eq!((owner(&home), mode(&home)), ((UID, GID), 0o750));
        assert_eq!((owner(&place.path().join("a/b")), mode(&place.path().join("a/b"))), ((0, 0), 0o755));
        for part in [".bashrc", ".profile", ".config", ".config/app/run"] {
            assert_eq!(owner(&home.join(part)), (UID, GID), "{part}");
        }
        assert_eq!(fs::read_to_string(home.join(".profile")).unwrap(), "# bash\n");
        assert_eq!(fs::read_link(home.join(".profile")).unwrap(), Path::new(".bashrc"));
        assert_eq!(mode(&home.join(".config/app/run")), 0o755);
        assert!(!home.join("fifo").exists());
    }

    #[test]
    fn a_second_boot_brings_nothing_back_that_the_user_has_deleted() {
        if !is_root() {
            return;
        }
        let place = place();
        let home = place.path().join("peid");
        assert_eq!(run(&place, &home), []);
        fs::remove_file(home.join(".bashrc")).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(run(&place, &home), []);
        assert!(!home.join(".bashrc").exists());
        assert_eq!(mode(&home), 0o711);
    }

    #[test]
    fn of_a_fresh_volume_only_the_top_is_handed_over() {
        if !is_root() {
            return;
        }
        let place = place();
        let home = place.path().join("peid");
        fs::create_dir_all(home.join("data")).unwrap();
        let notes = run(&place, &home);
        assert_eq!(notes[0].level, Level::Info);
        assert_eq!((owner(&home), owner(&home.join("data"))), ((UID, GID), (0, 0)));
        assert!(!home.join(".bashrc").exists());
    }

    #[test]
    fn an_empty_volume_with_lost_and_found_gets_the_skeleton() {
        if !is_root() {
            return;
        }
        let place = place();
        let home = place.path().join("peid");
        fs::create_dir_all(home.join("lost+found")).unwrap();
        run(&place, &home);
        assert_eq!(owner(&home.join(".bashrc")), (UID, GID));
        assert_eq!(owner(&home.join("lost+found")), (0, 0));
    }

    #[test]
    fn the_home_of_a_third_party_is_left_alone_and_the_note_names_owner_and_remedy() {
        if !is_root() {
            return;
        }
        let place = place();
        let home = place.path().join("peid");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(1001), Some(1001)).unwrap();
        let [note] = &run(&place, &home)[..] else { panic!() };
        assert_eq!(note.level, Level::Warning);
        assert!(note.text.contains("uid 1001 (alice)") && note.text.contains("chown -R 3100:1100"), "{}", note.text);
        assert_eq!((owner(&home), fs::read_dir(&home).unwrap().count()), ((1001, 1001), 0));
    }

    #[test]
    fn a_symlink_in_place_of_the_home_leads_nowhere() {
        if !is_root() {
            return;
        }
        let place = place();
        let (victim, home) = (place.path().join("victim"), place.path().join("peid"));
        fs::create_dir(&victim).unwrap();
        symlink(&victim, &home).unwrap();
        lchown(&home, Some(UID), Some(GID)).unwrap();
        let [note] = &run(&place, &home)[..] else { panic!() };
        assert!(note.level == Level::Error && note.text.contains("a symlink in its place"), "{}", note.text);
        assert_eq!((owner(&victim), fs::read_dir(&victim).unwrap().count()), ((0, 0), 0));
        fs::remove_file(&home).unwrap();
        nix::unistd::mkfifo(&home, Mode::S_IRWXU).unwrap();
        assert!(run(&place, &home)[0].text.contains("not a folder"));
    }

    #[test]
    fn a_home_below_a_folder_that_others_control_is_refused() {
        if !is_root() {
            return;
        }
        let place = place();
        let (theirs, victim) = (place.path().join("theirs"), place.path().join("victim"));
        fs::create_dir(&theirs).unwrap();
        fs::create_dir(&victim).unwrap();
        chown(&theirs, Some(1001), None).unwrap();
        symlink(&victim, theirs.join("way")).unwrap();
        fs::create_dir(theirs.join("inner")).unwrap();
        for home in ["theirs/inner/peid", "theirs/way/peid", "theirs/deeper/still/peid"] {
            let notes = run(&place, &place.path().join(home));
            assert!(
                notes[0].level == Level::Error && notes[0].text.contains("above it is not root's"),
                "{:?}",
                notes[0]
            );
        }
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
        assert_eq!(fs::read_dir(theirs.join("inner")).unwrap().count(), 0);
        assert!(!theirs.join("deeper").exists());
    }

    #[test]
    fn a_shared_volume_of_homes_may_be_anyones() {
        if !is_root() {
            return;
        }
        let place = place();
        let homes = place.path().join("homes");
        fs::create_dir(&homes).unwrap();
        fs::set_permissions(&homes, fs::Permissions::from_mode(0o777)).unwrap();
        chown(&homes, Some(1001), Some(1001)).unwrap();
        assert_eq!(run(&place, &homes.join("peid")), []);
        assert_eq!(owner(&homes.join("peid")), (UID, GID));
    }

    #[test]
    fn folders_of_the_system_are_given_to_nobody() {
        for home in ["/usr/sbin", "/etc", "/var/www", "/bin", "/home", "/root", "/tmp", "/run/sshd", "/dev"] {
            assert!(is_system(Path::new(home)), "{home}");
        }
        for home in ["/home/peid", "/workspace", "/data/homes/peid", "/opt/app", "/users"] {
            assert!(!is_system(Path::new(home)), "{home}");
        }
        if is_root() {
            let before = owner(Path::new("/usr/sbin"));
            assert_eq!(prepare(&account("/usr/sbin".into()), Path::new("/nonexistent"), b"")[0].level, Level::Info);
            assert_eq!(owner(Path::new("/usr/sbin")), before);
        }
    }

    #[test]
    fn no_home_is_made_of_a_path_that_stands_for_none() {
        assert_eq!(prepare(&account("/".into()), Path::new(SKELETON), b""), []);
        assert_eq!(prepare(&account("/nonexistent".into()), Path::new(SKELETON), b""), []);
        assert!(!Path::new("/nonexistent").exists());
        for home in ["relative", "/home/../etc", ""] {
            assert_eq!(prepare(&account(home.into()), Path::new(SKELETON), b"")[0].level, Level::Error, "{home}");
        }
    }

    #[test]
    fn a_skeleton_that_the_user_may_not_read_is_a_warning_and_the_rest_is_copied() {
        if !is_root() {
            return;
        }
        let place = place();
        let home = place.path().join("peid");
        fs::set_permissions(place.path().join("skel/.bashrc"), fs::Permissions::from_mode(0o600)).unwrap();
        let [note] = &run(&place, &home)[..] else { panic!() };
        assert!(note.text.contains(".bashrc into a home: Permission denied"), "{}", note.text);
        assert!(home.join(".config/app/run").exists());
    }

    #[test]
    fn what_is_run_as_the_user_returns_its_value_or_its_error() {
        if !is_root() {
            return;
        }
        let account = account("/".into());
        let long = run_as(&account, || Ok("x".repeat(1 << 20))).unwrap();
        assert_eq!(long.len(), 1 << 20);
        assert_eq!(run_as(&account, || Ok(nix::unistd::geteuid().as_raw())).unwrap(), UID);
        let error = run_as::<()>(&account, || bail!("no luck")).unwrap_err();
        assert_eq!(error.to_string(), "no luck");
        let denied = run_as::<()>(&account, || Ok(fs::write("/etc/devinit-test", "")?)).unwrap_err();
        assert!(denied.to_string().contains("Permission denied"));
    }
}
