//! Commands that tell by their exit code whether a service is up.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Context;
use crate::engine::spec::Identity;
use crate::sys;

/// Runs the command as the user of its service, and tells why it did not exit with 0.
pub(super) fn look(command: &[String], context: &Context, limit: Duration) -> Result<(), String> {
    let Some(Identity { uid, gid, groups }) = &context.identity else { return run(command, context, limit) };
    let fault = |error: io::Error| format!("cannot look as uid {uid}: {error}");
    let (mut answer, mut report) = io::pipe().map_err(fault)?;
    let code = sys::as_user(*uid, *gid, groups, &mut || {
        // What whoever looks has open is not for this user.
        sys::close_with_exec();
        match run(command, context, limit) {
            Ok(()) => 0,
            Err(why) => {
                let _ = report.write_all(why.as_bytes());
                1
            }
        }
    })
    .map_err(fault)?;
    drop(report);
    let mut why = String::new();
    let _ = answer.read_to_string(&mut why);
    if code == 0 { Ok(()) } else { Err(why) }
}

fn run(command: &[String], context: &Context, limit: Duration) -> Result<(), String> {
    let [program, arguments @ ..] = command else { return Err("an empty command".to_owned()) };
    let fault = |error: io::Error| format!("{program}: {error}");
    let mut run = Command::new(program);
    run.args(arguments).env_clear().envs(&context.environment);
    run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(directory) = &context.directory {
        run.current_dir(directory);
    }
    let mut child = run.spawn().map_err(fault)?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait().map_err(fault)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{program}: {status}")),
            None if Instant::now() >= deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{program} takes longer than {} s", limit.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::probe::Probe;

    fn shell(line: &str, context: &Context) -> Result<(), String> {
        let command = ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
        Probe::Command(command).look(context, Duration::from_secs(10))
    }

    #[test]
    fn a_command_has_the_variables_and_the_folder_of_its_service_only() {
        let folder = tempfile::tempdir().unwrap();
        let environment = BTreeMap::from([("OF_SERVICE".to_owned(), "1".to_owned())]);
        let context = Context { environment, directory: Some(folder.path().to_owned()), identity: None };
        // Cargo tells every test its name.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        shell("[ \"$OF_SERVICE\" = 1 ] && [ -z \"$CARGO_PKG_NAME\" ] && touch here", &context).unwrap();
        assert!(folder.path().join("here").exists());
    }

    #[test]
    fn a_command_runs_as_the_user_of_its_service() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let identity = Some(Identity { uid: 3100, gid: 1100, groups: vec![1100, 44] });
        let environment = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let context = Context { identity, environment, directory: Some("/".into()) };
        shell("[ \"$(id -u) $(id -g) $(id -G)\" = '3100 1100 1100 44' ]", &context).unwrap();
        assert_eq!(shell("exit 3", &context), Err("/bin/sh: exit status: 3".to_owned()));
    }

    #[test]
    fn a_command_has_no_descriptor_of_who_looks() {
        use std::os::fd::AsRawFd;

        use nix::fcntl::{FcntlArg, FdFlag, fcntl};

        let own = nix::unistd::geteuid();
        if !own.is_root() {
            return;
        }
        let secret = tempfile::tempfile().unwrap();
        let code = sys::as_user(0, 0, &[], &mut || {
            // As what devinit was started with is: it goes along to every program.
            fcntl(&secret, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
            let context =
                Context { identity: Some(Identity { uid: 3100, gid: 1100, groups: vec![1100] }), ..Context::default() };
            let line = format!("[ ! -e /proc/self/fd/{} ]", secret.as_raw_fd());
            i32::from(shell(&line, &context).is_err())
        });
        assert_eq!(code.unwrap(), 0);
    }
}
