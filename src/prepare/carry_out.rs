//! Carries a plan out: everything of it that is files.
//!
//! Each part that fails leaves a note and the rest goes on: a box that somebody can log in to and mend is worth more
//! than one that stopped at the first fault.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, lchown};
use std::path::Path;

use tracing::{error, info, warn};

use super::write::{self, Attributes};
use super::{accounts, home, host_keys, keys, sshd};
use crate::engine::spec::Spec;
use crate::note::{Level, Note};
use crate::plan::{Plan, SSHD, Ssh, User, revision};
use crate::{paths, sorted, status};

/// Where host keys go for one boot only, below the runtime folder.
const HOST_KEYS_OF_THIS_BOOT: &str = "ssh";

/// When a plan is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// At the boot.
    Boot,
    /// While the container runs: what its processes have written is left alone.
    Reload,
}

/// Writes all files of a plan and returns the processes that are to run.
#[must_use]
pub fn carry_out(mut plan: Plan, occasion: Occasion) -> Spec {
    let mut notes = std::mem::take(&mut plan.record.notes);
    if occasion == Occasion::Reload
        && let Some(boot) = plan.runtime.as_deref().and_then(status::record)
    {
        // What has gone since the boot is still missed.
        plan.record.gpu = boot.gpu;
    }
    write_accounts(&plan, &mut notes);
    write_keys(&plan, occasion, &mut notes);
    if let Some(ssh) = &mut plan.ssh {
        if occasion == Occasion::Boot {
            // One of an earlier boot would say that sshd listens before it does.
            let _ = fs::remove_file(&ssh.wanted.pid_file);
        }
        match prepare_sshd(ssh, &mut plan.record, &mut notes) {
            Ok(revision) => set_revision(&mut plan.spec, &revision),
            Err(why) => {
                notes.push(Note::error(format!("no SSH: {why}")));
                plan.record.ssh = None;
                plan.spec.services.retain(|service| service.name != SSHD);
            }
        }
    }
    write_sudoers(&plan, &mut notes);
    write_profile(&plan, &mut notes);
    make_first_run_folders(&plan, occasion, &mut notes);
    for user in &plan.users {
        if !plan.wanted.is_empty() {
            notes.extend(home::prepare(&user.account, Path::new(home::SKELETON), &plan.passwd));
        }
    }
    for note in &notes {
        match note.level {
            Level::Info => info!("{}", note.text),
            Level::Warning => warn!("{}", note.text),
            Level::Error => error!("{}", note.text),
        }
    }
    plan.record.notes = notes;
    if let Some(runtime) = &plan.runtime
        && let Err(error) = status::write_record(runtime, &plan.record)
    {
        warn!("{error}");
    }
    plan.spec
}

/// The processes that a plan would have run, as far as that can be told without writing anything.
#[must_use]
pub fn foresee(mut plan: Plan) -> Spec {
    if let Some(ssh) = plan.ssh.as_mut().filter(|ssh| ssh.host_keys.is_dir()) {
        // They are there, so this only finds them.
        let made = find_host_keys(ssh);
        ssh.wanted.host_keys = made.paths;
        let content = sshd::render(&ssh.wanted);
        set_revision(&mut plan.spec, &revision(&[content.as_bytes(), made.fingerprints.concat().as_bytes()]));
    }
    plan.spec
}

fn set_revision(spec: &mut Spec, revision: &str) {
    for service in spec.services.iter_mut().filter(|service| service.name == SSHD) {
        revision.clone_into(&mut service.revision);
    }
}

fn write_accounts(plan: &Plan, notes: &mut Vec<Note>) {
    if plan.wanted.is_empty() {
        return;
    }
    match accounts::apply(Path::new("/etc"), &plan.wanted, &plan.defaults) {
        Ok(outcome) => {
            for change in &outcome.changes {
                info!("{change}");
            }
            // Those that the plan foresaw are there already.
            let foreseen = notes.clone();
            notes.extend(outcome.notes.into_iter().filter(|note| !foreseen.contains(note)));
        }
        Err(error) => notes.push(Note::error(format!("users could not be set up: {error:#}"))),
    }
}

fn write_keys(plan: &Plan, occasion: Occasion, notes: &mut Vec<Note>) {
    let Some(folder) = &plan.keys_folder else { return };
    // Those that were fetched are in the file; what is new is put there when they are fetched again.
    let fetched = |user: &&User| {
        occasion == Occasion::Reload && !user.remote.is_empty() && folder.join(&user.account.name).exists()
    };
    for user in plan.users.iter().filter(|user| !fetched(user)) {
        if let Err(why) = write_user_keys(folder, user, &user.keys) {
            notes.push(Note::error(format!("the keys of {} could not be written: {why}", user.account.name)));
        }
    }
    if plan.remove_stale_keys {
        let known = sorted::set(plan.users.iter().map(|user| user.account.name.as_str()));
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_none_or(|name| !known.contains(name)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Writes a user's authorized keys, readable to all: sshd reads them as that user.
///
/// # Errors
/// Why they could not be written.
pub fn write_user_keys(folder: &Path, user: &User, keys: &[keys::Key]) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let name = &user.account.name;
    let content = keys::file_content(name, keys);
    write::write_if_changed(&folder.join(name), content.as_bytes(), Attributes::own(0o644))
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Makes host keys and config. Returns a text that changes with what sshd reads of them at its start.
fn prepare_sshd(ssh: &mut Ssh, record: &mut status::BootRecord, notes: &mut Vec<Note>) -> Result<String, String> {
    let made = find_host_keys(ssh);
    notes.extend(made.notes);
    if made.paths.is_empty() {
        return Err("there is no host key".to_owned());
    }
    if let Some(record) = &mut record.ssh {
        record.host_keys.clone_from(&made.fingerprints);
    }
    for fingerprint in &made.fingerprints {
        info!("host key {fingerprint}");
    }
    ssh.wanted.host_keys = made.paths;
    // Where most sshds are built to look for it; one that wants another folder says so when it is asked.
    let _ = DirBuilder::new().mode(0o755).create("/run/sshd");
    if let Some(folder) = ssh.log.as_ref().and_then(|log| log.parent()) {
        let _ = fs::create_dir_all(folder);
    }
    let content = match write_sshd_config(ssh) {
        Ok(content) => content,
        Err(why) => {
            // A broken line of the image's own config must not keep everybody out.
            ssh.wanted.image = sshd::ImageConfig::default();
            let content = write_sshd_config(ssh).map_err(|why| {
                let read_only = why.contains("privilege separation directory");
                if read_only { format!("{why}; with a read-only root add --tmpfs /run") } else { why }
            })?;
            notes.push(Note::warning(format!("the image's own sshd_config is left out: {why}")));
            content
        }
    };
    // The same files may hold other keys.
    Ok(revision(&[content.as_bytes(), made.fingerprints.concat().as_bytes()]))
}

fn find_host_keys(ssh: &Ssh) -> host_keys::HostKeys {
    let runtime = ssh.config.parent().unwrap_or(Path::new(paths::RUNTIME));
    // Keys that came with an image are everybody's. Those of a machine that is no container are its own.
    let baked = if in_container() { Path::new("/etc/ssh") } else { ssh.host_keys.as_path() };
    host_keys::prepare(&ssh.host_keys, &runtime.join(HOST_KEYS_OF_THIS_BOOT), baked)
}

/// Returns what was written.
fn write_sshd_config(ssh: &Ssh) -> Result<String, String> {
    let content = sshd::render(&ssh.wanted);
    write::write_for_this_boot(&ssh.config, content.as_bytes(), Attributes::own(0o600))
        .map_err(|error| error.to_string())?;
    sshd::check(&ssh.program, &ssh.config).map_err(|error| error.to_string())?;
    Ok(content)
}

/// Whether this is a container, as far as that can be told: PID 1, or the marks that the usual engines leave.
fn in_container() -> bool {
    std::process::id() == 1
        || nix::unistd::getppid().as_raw() == 1
        || ["/.dockerenv", "/run/.containerenv", "/var/run/secrets/kubernetes.io"]
            .iter()
            .any(|mark| Path::new(mark).exists())
        || std::env::var_os("container").is_some()
}

fn write_sudoers(plan: &Plan, notes: &mut Vec<Note>) {
    if plan.wanted.is_empty() {
        return;
    }
    let path = Path::new(paths::SUDOERS);
    let rules: String = plan.users.iter().filter(|user| user.sudo).map(|user| sudo_rule(&user.account)).collect();
    let done = if rules.is_empty() {
        // Whoever lost the right by a change of the config loses it for real.
        fs::remove_file(path).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Ok(()),
            _ => Err(format!("{}: {error}", path.display())),
        })
    } else {
        write::write_if_changed(path, rules.as_bytes(), Attributes::own(0o440)).map(drop).map_err(|e| e.to_string())
    };
    if let Err(why) = done {
        notes.push(Note::error(format!("sudo could not be set up: {why}")));
    }
}

/// In sudoers a capital letter begins aliases and keywords: a user named `ALL` would be everybody. Numbers mean themselves.
fn sudo_rule(account: &accounts::Account) -> String {
    let accounts::Account { name, uid, .. } = account;
    let who = if name.starts_with(|first: char| first.is_ascii_uppercase()) { format!("#{uid}") } else { name.clone() };
    format!("{who} ALL=(ALL:ALL) NOPASSWD: ALL\n")
}

fn write_profile(plan: &Plan, notes: &mut Vec<Note>) {
    let (Some(profile), Some(runtime)) = (&plan.profile, &plan.runtime) else { return };
    let path = Path::new(paths::PROFILE);
    let _ = path.parent().map(fs::create_dir_all);
    let written = write::write_if_changed(path, profile.snippet.as_bytes(), Attributes::own(0o644)).and_then(|_| {
        let path = runtime.join(paths::ENVIRONMENT);
        write::write_for_this_boot(&path, profile.environment.as_bytes(), Attributes::own(0o600))
    });
    if let Err(error) = written {
        notes.push(Note::warning(format!("login shells may lack PATH: {error}")));
    }
}

/// A folder for each user that may have a first run, where it leaves how it stands. What an earlier boot left there is
/// no news.
fn make_first_run_folders(plan: &Plan, occasion: Occasion, notes: &mut Vec<Note>) {
    let (Some(first_run), Some(runtime)) = (&plan.first_run, &plan.runtime) else { return };
    let made = own_folder(&runtime.join(paths::FIRST_RUNS), None).and_then(|()| {
        first_run.accounts.iter().try_for_each(|account| {
            let progress = paths::first_run_progress(runtime, &account.name);
            if occasion == Occasion::Boot {
                let _ = fs::remove_file(&progress);
            }
            own_folder(progress.parent().unwrap_or(runtime), Some(account))
        })
    });
    if let Err(error) = made {
        notes.push(Note::warning(format!("the progress of the first run cannot be shown: {error}")));
    }
}

/// A folder that everyone may look into, below one that only devinit can write to.
fn own_folder(folder: &Path, owner: Option<&accounts::Entry>) -> io::Result<()> {
    let in_folder = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    match DirBuilder::new().create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(in_folder(error)),
        _ => {}
    }
    // Whatever the umask.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(in_folder)?;
    let Some(owner) = owner else { return Ok(()) };
    lchown(folder, Some(owner.uid), Some(owner.gid)).map_err(in_folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn each_user_gets_a_folder_for_progress_and_news_of_an_earlier_boot_are_gone() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let runtime = tempfile::tempdir().unwrap();
        let passwd = "root:x:0:0::/root:/bin/sh\npeid:x:3100:1100::/home/peid:/bin/sh\n";
        let plan = || crate::plan::tests::plan("{first_run: {user: peid, steps: [{uv: {}}]}}", passwd, runtime.path());
        for old in [false, true] {
            let progress = paths::first_run_progress(runtime.path(), "peid");
            if old {
                fs::write(&progress, "{}").unwrap();
            }
            let mut notes = Vec::new();
            make_first_run_folders(&plan(), Occasion::Boot, &mut notes);
            assert_eq!(notes, []);
            let stat =
                |path: &Path| path.symlink_metadata().map(|found| (found.uid(), found.gid(), found.mode() & 0o7777));
            assert_eq!(stat(progress.parent().unwrap()).unwrap(), (3100, 1100, 0o755));
            assert_eq!(stat(&runtime.path().join("first-run")).unwrap(), (0, 0, 0o755));
            assert!(!progress.exists());
        }
    }

    #[test]
    fn a_user_whose_name_means_something_to_sudo_gives_nobody_else_the_right() {
        let rule = |name: &str| {
            let (home, shell) = (PathBuf::from("/home/x"), PathBuf::from("/bin/sh"));
            let name = name.to_owned();
            sudo_rule(&accounts::Account { name, uid: 3200, gid: 3200, home, shell, groups: Vec::new(), created: true })
        };
        for name in ["ALL", "Defaults", "User_Alias", "ADMINS"] {
            assert_eq!(rule(name), "#3200 ALL=(ALL:ALL) NOPASSWD: ALL\n", "{name}");
        }
        assert_eq!(rule("peid"), "peid ALL=(ALL:ALL) NOPASSWD: ALL\n");
    }
}
