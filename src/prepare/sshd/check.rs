//! Asks the sshd that is there.

use std::fs::DirBuilder;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::trust::is_ours_alone;

/// How long sshd may take to look at its config. It takes milliseconds.
const LIMIT: Duration = Duration::from_secs(10);
/// The most bytes of sshd's messages that are kept.
const MAX_MESSAGE: u64 = 4096;

/// Why sshd would not start.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be executed.
    #[error("failed to run {0:?}: {1}")]
    CannotRun(PathBuf, #[source] io::Error),
    /// It says what it does not like; one line.
    #[error("sshd refuses its config: {0}")]
    Refused(String),
    /// It did not come to an end.
    #[error("sshd took more than {} s to check its config", LIMIT.as_secs())]
    TimedOut,
}

/// The sshd of this image. Its path is absolute, as sshd wants it: it executes itself anew for each connection.
pub fn find_sshd() -> Option<PathBuf> {
    find_in(&["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"], std::env::var_os("PATH").as_deref())
}

fn find_in(usual: &[&str], path: Option<&std::ffi::OsStr>) -> Option<PathBuf> {
    let in_path = std::env::split_paths(path.unwrap_or_default()).map(|folder| folder.join("sshd"));
    // A PATH often begins with folders of an ordinary user's home, and what lies there must not be run as root.
    let in_path = in_path.filter(|candidate| candidate.is_absolute() && is_ours_alone(candidate));
    usual.iter().map(PathBuf::from).chain(in_path).find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Has sshd check the config (`sshd -t`). Makes the folder for its privilege separation where it is missing, as on every
/// fresh /run. What sshd only warns about, such as an option that it was built without, is no error.
///
/// # Errors
/// When sshd would not start with this config, with its reason on one line.
pub fn check(sshd: &Path, config: &Path) -> Result<(), CheckError> {
    let test = || run(sshd, &["-t".as_ref(), "-f".as_ref(), config.as_os_str()], LIMIT);
    let mut outcome = test()?;
    if !outcome.success
        && let Some(folder) = missing_folder(&outcome.message)
    {
        // If it cannot be made, sshd says so once more.
        let _ = DirBuilder::new().recursive(true).mode(0o755).create(folder);
        outcome = test()?;
    }
    if outcome.success {
        return Ok(());
    }
    let mut reason = one_line(&outcome.message);
    if reason.contains("Privilege separation user") {
        reason.push_str(" (install the image's openssh-server package, or add the user sshd)");
    }
    Err(CheckError::Refused(reason))
}

/// Whether this sshd reads `\"` and `#` within quotes: OpenSSH does since 8.7. One whose version cannot be told is taken
/// for an old one.
pub fn understands_escapes(sshd: &Path) -> bool {
    // Older ones do not know -V, and print their version with the usage.
    let outcome = run(sshd, &["-V".as_ref()], LIMIT);
    outcome.ok().and_then(|outcome| version(&outcome.message)).is_some_and(|version| version >= (8, 7))
}

fn version(message: &str) -> Option<(u32, u32)> {
    let (_, rest) = message.split_once("OpenSSH_")?;
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn missing_folder(message: &str) -> Option<&Path> {
    let (_, rest) = message.split_once("Missing privilege separation directory: ")?;
    let path = Path::new(rest.lines().next()?.trim());
    path.is_absolute().then_some(path)
}

fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let text = lines.collect::<Vec<_>>().join("; ");
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    if plain.is_empty() { "it says nothing".into() } else { plain }
}

struct Outcome {
    success: bool,
    message: String,
}

/// Runs sshd for a moment, and takes what it says on stderr.
fn run(sshd: &Path, arguments: &[&std::ffi::OsStr], limit: Duration) -> Result<Outcome, CheckError> {
    let cannot = |error| CheckError::CannotRun(sshd.to_owned(), error);
    let mut command = Command::new(sshd);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(cannot)?;
    let (sender, receiver) = mpsc::channel();
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut message = Vec::new();
            let mut stderr = stderr.take(MAX_MESSAGE);
            let _ = stderr.read_to_end(&mut message);
            // What is beyond the limit is read as well, so that sshd does not wait for a reader.
            let _ = io::copy(stderr.get_mut(), &mut io::sink());
            let _ = sender.send(message);
        });
    }
    // Its stderr closes when it ends.
    let message = receiver.recv_timeout(limit);
    if message.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(cannot)?;
    let message = String::from_utf8_lossy(&message.map_err(|_| CheckError::TimedOut)?).into_owned();
    Ok(Outcome { success: status.success(), message })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    /// An sshd that is a shell script.
    fn script(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("sshd");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A file that was just written cannot be executed while a test in another thread forks with it still open.
    fn patiently<T>(mut attempt: impl FnMut() -> Result<T, CheckError>) -> Result<T, CheckError> {
        loop {
            match attempt() {
                Err(CheckError::CannotRun(_, error)) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                other => return other,
            }
        }
    }

    #[test]
    fn a_missing_folder_for_privilege_separation_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("run/sshd");
        let text = format!(
            "[ -d {0} ] || {{ echo 'Missing privilege separation directory: {0}' >&2; exit 255; }}",
            wanted.display()
        );
        let sshd = script(folder.path(), &text);
        patiently(|| check(&sshd, Path::new("/dev/null"))).unwrap();
        assert_eq!(wanted.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn the_reason_of_a_refusal_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let sshd = script(folder.path(), "printf 'c line 3: Bad option\\r\\n\\033[1mterminating\\n' >&2; exit 255");
        let error = patiently(|| check(&sshd, Path::new("/dev/null"))).unwrap_err().to_string();
        assert_eq!(error, "sshd refuses its config: c line 3: Bad option; [1mterminating");
    }

    #[test]
    fn warnings_are_tolerated_and_much_talk_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let sshd =
            script(folder.path(), "echo 'c line 1: Unsupported option UsePAM' >&2; head -c 200000 /dev/zero >&2");
        patiently(|| check(&sshd, Path::new("/dev/null"))).unwrap();
    }

    #[test]
    fn an_sshd_that_hangs_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let sshd = script(folder.path(), "exec sleep 100");
        let begin = std::time::Instant::now();
        let outcome = patiently(|| run(&sshd, &[], Duration::from_millis(100)));
        assert!(matches!(outcome, Err(CheckError::TimedOut)));
        assert!(begin.elapsed() < Duration::from_secs(50));
    }

    #[test]
    fn what_cannot_be_executed_is_said_with_its_path() {
        let error = check(Path::new("/nonexistent/sshd"), Path::new("/dev/null")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/sshd"), "{error}");
    }

    #[test]
    fn versions_are_told_from_new_and_old_ways_of_printing_them() {
        let old = "unknown option -- V\nOpenSSH_8.4p1 Debian-5+deb11u3, OpenSSL 1.1.1w  11 Sep 2023\nusage: sshd";
        assert_eq!(version(old), Some((8, 4)));
        assert_eq!(version("OpenSSH_9.2, OpenSSL 3.0.19 27 Jan 2026\n"), Some((9, 2)));
        assert_eq!(version("OpenSSH_10.0p2 Debian-7"), Some((10, 0)));
        assert_eq!(version("Dropbear v2022"), None);
    }

    #[test]
    fn an_sshd_that_others_can_exchange_is_not_run_as_root() {
        let place = tempfile::tempdir().unwrap();
        let (bin, link) = (place.path().join("bin"), place.path().join("link"));
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(&bin, &link).unwrap();
        let sshd = script(&bin, "");
        let set_mode =
            |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let found = |folder: &Path| find_in(&[], Some(folder.as_os_str()));
        assert_eq!(found(&link), Some(link.join("sshd")));
        set_mode(&sshd, 0o775);
        assert_eq!(found(&bin), None);
        set_mode(&sshd, 0o755);
        set_mode(&bin, 0o757);
        assert_eq!((found(&bin), found(&link)), (None, None));
        set_mode(&bin, 0o755);
        if std::os::unix::fs::chown(&bin, Some(3100), None).is_ok() {
            assert_eq!((found(&bin), found(&link)), (None, None));
        }
    }

    #[test]
    fn sshd_is_found_in_the_path_by_its_absolute_name_only() {
        let folder = tempfile::tempdir().unwrap();
        let sshd = script(folder.path(), "");
        let path = std::env::join_paths([Path::new("."), Path::new("/nonexistent"), folder.path()]).unwrap();
        assert_eq!(find_in(&["/nonexistent/sshd"], Some(&path)), Some(sshd.clone()));
        std::fs::set_permissions(&sshd, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(find_in(&[], Some(&path)), None);
        assert_eq!(find_in(&[], Some(OsStr::new(""))), None);
    }
}
