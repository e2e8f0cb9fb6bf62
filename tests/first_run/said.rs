//! What `devinit first-run` says when something goes wrong, and what then.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A uid that no account has: what is done for it is done in HOME.
const UID: u32 = 61_234;

/// A home with a config, for somebody who is in no /etc/passwd.
struct Home {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Home {
    /// None where there is no root to become somebody else from.
    fn new(steps: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // The program itself may be where only root gets to.
        let program = folder.path().join("devinit");
        fs::copy(assert_cmd::cargo::cargo_bin!("devinit"), &program).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(folder.path(), Some(UID), Some(UID)).unwrap();
        let home = Self { folder, program };
        let folder = home.folder.path().display();
        let steps = steps.replace("{home}", &folder.to_string());
        fs::write(home.path("config.yaml"), format!("first_run:\n  steps:\n{steps}")).unwrap();
        Some(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `devinit first-run` with these arguments, in the home.
    fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(&self.program);
        command.args(["first-run", "--config", "config.yaml"]).args(arguments);
        command.env_clear().env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin");
        command.current_dir(self.folder.path()).uid(UID).gid(UID);
        Said::of(&command.output().unwrap())
    }
}

#[derive(Debug)]
struct Said {
    code: Option<i32>,
    text: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        Self { code: output.status.code(), text: String::from_utf8(text).unwrap() }
    }
}

#[test]
fn a_step_that_takes_too_long_says_so_and_not_that_its_program_got_a_signal() {
    let Some(home) = Home::new("    - script: {run: sleep 60, timeout: 1s, retries: 0}\n") else { return };
    let said = home.run(&[]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.text.contains(
            "script failed: it was not done within its time limit of 1s\n  hint: if it needs longer, raise timeout:"
        ),
        "{said:?}"
    );
    assert!(!said.text.contains("signal"), "{said:?}");
}

#[test]
fn a_bundle_is_found_from_where_the_command_is_given_and_not_from_the_home() {
    let steps = "    - download: {url: \"http://example.invalid/x\", to: ~/x, retries: 0}\n";
    let Some(home) = Home::new(steps) else { return };
    let there = home.path("elsewhere/bundle/example.invalid");
    fs::create_dir_all(&there).unwrap();
    fs::write(there.join("x"), "brought along").unwrap();
    let mut command = Command::new(&home.program);
    command.args(["first-run", "--config", "../config.yaml", "--bundle", "bundle"]);
    command.env_clear().env("HOME", home.folder.path()).current_dir(home.path("elsewhere")).uid(UID).gid(UID);
    let said = Said::of(&command.output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(fs::read_to_string(home.path("x")).unwrap(), "brought along");
}

#[test]
fn who_fills_a_bundle_is_offered_no_command_that_installs_and_no_log_that_is_not_there() {
    let Some(home) = Home::new("    - download: {url: \"file:///nonexistent/x\", to: ~/x, retries: 0}\n") else {
        return;
    };
    let said = home.run(&["--download-only", "bundle"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.text.contains("download failed: ") && !said.text.contains("try again: "), "{said:?}");
    assert!(!said.text.contains("  log: ") && !home.path(".local").exists(), "{said:?}");
}

#[test]
fn a_step_that_only_root_can_do_says_so_to_others() {
    let Some(home) = Home::new("    - script: {name: everyone, as: root, run: 'true'}\n") else { return };
    let said = home.run(&[]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.text.contains("everyone skipped: it runs as root, so root has to begin it"), "{said:?}");
}

#[test]
fn an_error_with_a_hint_is_one_line() {
    let Some(home) = Home::new("    - script: {name: setup, run: 'true'}\n") else { return };
    let said = home.run(&["--only", "setpu"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(said.text, "devinit: error: first run: there is no step setpu; hint: the config has: setup\n");
}

#[test]
fn the_config_and_a_proxy_that_it_takes_from_a_variable_are_found_in_a_session_without_either() {
    let Some(home) = Home::new("    - script: {run: 'true'}\nproxy: {https: '${COMPANY_PROXY}'}\n") else { return };
    // The shell is the container's first process; what it runs is as a session that sshd has taken the proxies from.
    let session = "env -u COMPANY_PROXY -u DEVINIT_CONFIG ./devinit first-run --user root --plan; exit $?";
    let mut container = Command::new("unshare");
    container.args(["--pid", "--fork", "--mount-proc", "sh", "-c", session]).current_dir(home.folder.path());
    container.env("COMPANY_PROXY", "http://127.0.0.1:3128").env("DEVINIT_CONFIG", home.path("config.yaml"));
    let said = Said::of(&container.output().unwrap());
    if said.text.contains("unshare: ") {
        return;
    }
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.text.starts_with("first run for root") && said.text.contains("script"), "{said:?}");
}
