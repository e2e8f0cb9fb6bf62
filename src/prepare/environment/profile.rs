//! What login shells source.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Environment;

/// What `/etc/profile.d/devinit.sh` does.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The PATH that `/etc/profile` of many distributions resets.
    pub path: String,
    /// What goes in front of it for one user only.
    pub tools: Vec<HomeTools>,
    /// This program, for the greeting.
    pub devinit: PathBuf,
    /// Where [`root_snippet`] lies.
    pub root_snippet: PathBuf,
    /// Whether there is a greeting at all.
    pub greeting: bool,
    /// Scripts that every login shell sources.
    pub on_login: Vec<PathBuf>,
}

/// Tools in a user's home: on the PATH of that user's login shells, and of nobody else's.
#[derive(Clone, Debug)]
pub struct HomeTools {
    /// The user's home.
    pub home: PathBuf,
    /// Their folders, as PATH has it.
    pub path: String,
    /// Whether the user is root.
    pub root: bool,
}

impl HomeTools {
    /// Puts the folders in front, if the shell is the user's: HOME alone can be kept by sudo or su. Root is told from
    /// others by `/`, so that a home that still belongs to root is not taken for root's own.
    fn snippet(&self) -> String {
        let home = quoted_path(&self.home);
        let not_root = if self.root { "" } else { " && [ ! -O / ]" };
        let path = quoted(&self.path);
        format!(
            "if [ \"${{HOME:-}}\" = {home} ] && [ -O {home} ]{not_root}; then devinit_path={path}:$devinit_path; fi\n"
        )
    }
}

/// The content of `/etc/profile.d/devinit.sh`, which everybody can read: it holds no variable but PATH.
///
/// For dash, bash and busybox, also under `set -eu`. It starts no program and prints nothing but in an interactive shell
/// on a terminal.
pub fn profile_snippet(profile: &Profile) -> String {
    let mut text = format!(
        r#"# Written by devinit at each boot.

# The container's environment, where sshd has not given it already. Only root can read it.
if [ -r {root} ]; then . {root}; fi

# /etc/profile resets PATH. If a folder of the container's got lost, they all come back, in front of what is there.
devinit_path={path}
{tools}devinit_left=$devinit_path:
devinit_lost=
while [ -n "$devinit_left" ]; do
    case ":${{PATH:-}}:" in
    *":${{devinit_left%%:*}}:"*) ;;
    *) devinit_lost=1 ;;
    esac
    devinit_left=${{devinit_left#*:}}
done
if [ -n "$devinit_lost" ]; then
    devinit_left=${{PATH:-}}:
    while [ -n "$devinit_left" ]; do
        case ":$devinit_path:" in
        *":${{devinit_left%%:*}}:"*) ;;
        *) if [ -n "${{devinit_left%%:*}}" ]; then devinit_path=$devinit_path:${{devinit_left%%:*}}; fi ;;
        esac
        devinit_left=${{devinit_left#*:}}
    done
    PATH=$devinit_path
    export PATH
fi
unset devinit_path devinit_left devinit_lost
"#,
        root = quoted_path(&profile.root_snippet),
        path = quoted(&profile.path),
        tools = profile.tools.iter().map(HomeTools::snippet).collect::<String>(),
    );
    if profile.greeting {
        let _ = write!(
            text,
            r#"
case $- in
*i*)
    if [ -t 1 ] && [ "${{DEVINIT_GREETING:-1}}" != 0 ] && [ ! -e "${{HOME:-}}/.hushlogin" ] && [ -x {devinit} ]; then
        {devinit} greet || :
    fi
    ;;
esac
"#,
            devinit = quoted_path(&profile.devinit),
        );
    }
    if !profile.on_login.is_empty() {
        // A failing script must not end the shell of someone who logs in to mend it; in dash `. script || :` does.
        text.push_str("\n# hooks.on_login\ndevinit_flags=$-\nset +eu\n");
        for script in &profile.on_login {
            let script = quoted_path(script);
            let _ = writeln!(text, "if [ -r {script} ]; then . {script}; fi");
        }
        text.push_str("case $devinit_flags in *e*) set -e ;; esac\ncase $devinit_flags in *u*) set -u ;; esac\n");
        text.push_str("unset devinit_flags\n");
    }
    text
}

/// The content of `/run/devinit/environment.sh` (mode 0600): the session environment for root's login shells that did not
/// come through sshd (`docker exec … bash -l`, `su -`). What is set already stays. PATH is the profile's.
pub fn root_snippet(environment: &Environment) -> String {
    let mut text = String::from("# Written by devinit at each boot.\n");
    for (name, value) in environment.iter().filter(|(name, _)| *name != "PATH" && super::is_legal(name)) {
        let _ = writeln!(text, "if [ -z \"${{{name}+x}}\" ]; then {name}={}; export {name}; fi", quoted(value));
    }
    text
}

/// In single quotes nothing has a meaning to a shell but the quote itself.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn quoted_path(path: &Path) -> String {
    quoted(&String::from_utf8_lossy(path.as_os_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Output};

    use proptest::prelude::*;

    use super::*;

    /// The shells of this machine that login shells are made of; sh at least.
    fn shells() -> Vec<Vec<&'static str>> {
        let all = [vec!["sh"], vec!["dash"], vec!["bash"], vec!["bash", "--posix"], vec!["busybox", "sh"]];
        let there = |name: &str| which::which(name).is_ok();
        let shells: Vec<_> = all.into_iter().filter(|shell| there(shell[0])).collect();
        assert!(!shells.is_empty());
        shells
    }

    /// Runs a script in a shell with nothing in its environment but these.
    fn run(shell: &[&str], script: &str, environment: &[(&str, &str)]) -> Output {
        let program = which::which(shell[0]).unwrap();
        let mut command = Command::new(program);
        command.args(&shell[1..]).arg("-c").arg(script).env_clear().envs(environment.iter().copied());
        command.output().unwrap()
    }

    fn profile(path: &str) -> Profile {
        Profile {
            path: path.to_owned(),
            tools: Vec::new(),
            devinit: PathBuf::from("/usr/local/bin/devinit"),
            root_snippet: PathBuf::from("/nonexistent/environment.sh"),
            greeting: true,
            on_login: vec![PathBuf::from("/nonexistent/login.sh")],
        }
    }

    fn path_after(shell: &[&str], wanted: &str, before: &str) -> String {
        let script = format!("set -eu\n{}printf %s \"$PATH\"", profile_snippet(&profile(wanted)));
        let output = run(shell, &script, &[("PATH", before)]);
        assert!(output.status.success(), "{shell:?}: {output:?}");
        assert_eq!(output.stderr, b"", "{shell:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn path_comes_back_in_its_order_without_duplicates_in_every_shell() {
        for shell in shells() {
            for (wanted, before, after) in [
                (
                    "/opt/conda/bin:/usr/bin:/bin",
                    "/usr/local/bin:/usr/bin:/bin",
                    "/opt/conda/bin:/usr/bin:/bin:/usr/local/bin",
                ),
                // Nothing lost: what somebody put in front stays in front.
                ("/usr/bin:/bin", "/venv/bin:/usr/bin:/bin", "/venv/bin:/usr/bin:/bin"),
                ("/a b/*:/x'y:/usr/bin", "/usr/bin", "/a b/*:/x'y:/usr/bin"),
                ("/a:/b", "::/c::", "/a:/b:/c"),
                ("/a/b", "/a", "/a/b:/a"),
            ] {
                assert_eq!(path_after(&shell, wanted, before), after, "{shell:?} {before}");
            }
        }
    }

    /// PATH after the snippet for a user with tools in this home, in a shell of this uid with this HOME.
    fn path_with_tools(shell: &[&str], tools: HomeTools, uid: u32, home: &str, before: &str) -> String {
        let profile = Profile { tools: vec![tools], ..profile("/usr/bin:/bin") };
        let script = format!("set -eu\n{}printf %s \"$PATH\"", profile_snippet(&profile));
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).args(["-c", &script]).env_clear().env("PATH", before).env("HOME", home);
        let output = command.uid(uid).gid(uid).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn tools_are_in_front_for_their_user_and_for_nobody_else() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let home = |name: &str, uid| {
            let home = place.path().join(name);
            std::fs::create_dir(&home).unwrap();
            std::os::unix::fs::chown(&home, Some(uid), Some(uid)).unwrap();
            home.display().to_string()
        };
        let (peid, other, unclaimed) = (home("it's peid", 3100), home("other", 3200), home("unclaimed", 0));
        let tools = |home: &str, root| HomeTools { home: home.into(), path: format!("{home}/a b:/t"), root };
        for shell in shells() {
            let path = |tools, uid, home: &str| path_with_tools(&shell, tools, uid, home, "/usr/local/bin:/bin");
            let plain = "/usr/bin:/bin:/usr/local/bin";
            assert_eq!(path(tools(&peid, false), 3100, &peid), format!("{peid}/a b:/t:{plain}"), "{shell:?}");
            assert_eq!(path(tools(&peid, false), 3200, &other), plain, "{shell:?}: another user");
            assert_eq!(path(tools(&peid, false), 0, &peid), plain, "{shell:?}: root that kept HOME");
            assert_eq!(path(tools(&peid, false), 3200, &peid), plain, "{shell:?}: another user that kept HOME");
            assert_eq!(path(tools(&unclaimed, false), 0, &unclaimed), plain, "{shell:?}: a home that is root's still");
            assert_eq!(
                path(tools(&unclaimed, true), 0, &unclaimed),
                format!("{unclaimed}/a b:/t:{plain}"),
                "{shell:?}"
            );
            let again = format!("{peid}/a b:/t:/usr/bin:/bin");
            assert_eq!(path_with_tools(&shell, tools(&peid, false), 3100, &peid, &again), again, "{shell:?}");
        }
    }

    #[test]
    fn a_shell_that_is_not_interactive_hears_nothing_and_keeps_no_variable() {
        let folder = tempfile::tempdir().unwrap();
        let greeter = folder.path().join("devinit");
        std::fs::write(&greeter, "#!/bin/sh\necho greeting\n").unwrap();
        let status = Command::new("chmod").arg("+x").arg(&greeter).status().unwrap();
        assert!(status.success());
        let snippet = profile_snippet(&Profile { devinit: greeter, ..profile("/usr/bin:/bin") });
        for shell in shells() {
            let script = format!(
                "set -eu\n{snippet}echo \"[${{devinit_path-}}${{devinit_left-}}${{devinit_lost-}}${{devinit_flags-}}]\""
            );
            let output = run(&shell, &script, &[("PATH", "/bin")]);
            assert!(output.status.success() && output.stderr.is_empty(), "{shell:?}: {output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "[]\n", "{shell:?}");
        }
    }

    #[test]
    fn without_path_and_home_nothing_breaks_under_set_eu() {
        for shell in shells() {
            let script = format!("unset PATH HOME || :\nset -eu\n{}", profile_snippet(&profile("/usr/bin")));
            let output = run(&shell, &script, &[]);
            assert!(output.status.success() && output.stderr.is_empty(), "{shell:?}: {output:?}");
        }
    }

    #[test]
    fn login_scripts_are_sourced_and_a_failing_one_does_not_end_the_shell() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("it's 1.sh"), "FIRST=1\necho $UNSET\nfalse\n").unwrap();
        std::fs::write(at("2.sh"), "SECOND=2\n").unwrap();
        let on_login = vec![at("it's 1.sh"), at("2.sh")];
        let snippet = profile_snippet(&Profile { on_login, ..profile("/usr/bin:/bin") });
        for shell in shells() {
            let output = run(&shell, &format!("set -eu\n{snippet}echo $FIRST$SECOND$-"), &[("PATH", "/bin")]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let flags = text.strip_prefix("\n12").unwrap_or_else(|| panic!("{shell:?}: {output:?}"));
            assert!(flags.contains('e') && flags.contains('u'), "{shell:?}: {flags}");
        }
    }

    #[test]
    fn the_greeting_comes_on_an_interactive_terminal_only_and_can_be_switched_off() {
        let folder = tempfile::tempdir().unwrap();
        let greeter = folder.path().join("devinit");
        std::fs::write(&greeter, "#!/bin/sh\necho greeting of \"$1\"\nexit 3\n").unwrap();
        assert!(Command::new("chmod").arg("+x").arg(&greeter).status().unwrap().success());
        std::fs::create_dir(folder.path().join("quiet")).unwrap();
        std::fs::write(folder.path().join("quiet/.hushlogin"), "").unwrap();
        let snippet = folder.path().join("profile.sh");
        std::fs::write(&snippet, profile_snippet(&Profile { devinit: greeter, ..profile("/usr/bin:/bin") })).unwrap();

        // script(1) lends the shell a terminal.
        let on_terminal = |home: &str, greeting: &str| {
            let inner = format!("set -e; . {}; echo end", snippet.display());
            let mut command = Command::new("script");
            command.args(["-qec", &format!("sh -i -c '{inner}'"), "/dev/null"]).env_clear();
            command.env("PATH", "/usr/bin:/bin").env("HOME", home).env("DEVINIT_GREETING", greeting);
            String::from_utf8_lossy(&command.stdin(std::process::Stdio::null()).output().unwrap().stdout).into_owned()
        };
        let home = folder.path().display().to_string();
        let text = on_terminal(&home, "1");
        assert!(text.contains("greeting of greet") && text.contains("end"), "{text}");
        for text in [on_terminal(&home, "0"), on_terminal(&format!("{home}/quiet"), "1")] {
            assert!(!text.contains("greeting") && text.contains("end"), "{text}");
        }
    }

    #[test]
    fn the_root_snippet_is_sourced_where_it_can_be_read_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("environment.sh");
        let environment = Environment::from(
            [("KEPT", "new"), ("NEW", "it's $(id)"), ("PATH", "/wrong")].map(|(k, v)| (k.into(), v.into())),
        );
        std::fs::write(&path, root_snippet(&environment)).unwrap();
        let snippet = profile_snippet(&Profile { root_snippet: path, ..profile("/usr/bin:/bin") });
        for shell in shells() {
            let script = format!("set -eu\n{snippet}printf '%s|%s|%s' \"$KEPT\" \"$NEW\" \"$PATH\"");
            let output = run(&shell, &script, &[("PATH", "/bin"), ("KEPT", "")]);
            assert_eq!(String::from_utf8_lossy(&output.stdout), "|it's $(id)|/usr/bin:/bin", "{shell:?}");
        }
    }

    #[test]
    fn a_name_that_is_no_variable_cannot_run_anything() {
        let environment = Environment::from([("X;touch /tmp/x;Y".to_owned(), "1".to_owned())]);
        assert_eq!(root_snippet(&environment).lines().count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_reads_every_value_as_it_was_and_runs_nothing(value in "(?s)[^\0]{0,40}", ugly in "['\"$`\\\\;&|()\n!#*]{0,20}") {
            let environment = Environment::from([("A", value.clone()), ("B", ugly.clone())].map(|(k, v)| (k.to_owned(), v)));
            let script = format!("set -eu\n{}printf '%s\\0%s' \"$A\" \"$B\"", root_snippet(&environment));
            let expected = format!("{value}\0{ugly}");
            for shell in shells() {
                let output = run(&shell, &script, &[]);
                prop_assert_eq!(&output.stdout, expected.as_bytes(), "{:?}: {:?}", shell, output);
            }
        }
    }
}
