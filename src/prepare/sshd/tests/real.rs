//! A real sshd and a real ssh. They need root, an sshd and its user, so they run where `tests/run` has put these:
//! `cargo test --lib real -- --ignored`.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::prepare::{environment, host_keys, keys};

struct Server {
    folder: tempfile::TempDir,
    port: u16,
    sshd: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

impl Server {
    /// Starts sshd with these changes to the config, and waits for its banner.
    fn start(change: impl FnOnce(&mut SshdWanted)) -> Self {
        Self::start_after("", change)
    }

    /// As [`Server::start`], in a mount namespace in which a shell has run some commands in the server's folder.
    fn start_after(commands: &str, change: impl FnOnce(&mut SshdWanted)) -> Self {
        // StrictModes wants every folder above the keys to be root's alone, which /tmp is not.
        let folder = tempfile::tempdir_in("/root").unwrap();
        let at = |name: &str| folder.path().join(name);
        let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at("id")).status();
        assert!(status.unwrap().success());
        std::fs::create_dir(at("keys")).unwrap();
        let public = std::fs::read_to_string(at("id.pub")).unwrap();
        for user in ["root", "peid"] {
            let content = keys::file_content(user, &keys::parse(&public, "id.pub").keys);
            std::fs::write(at("keys").join(user), content).unwrap();
        }

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut wanted = SshdWanted {
            port,
            listen: vec!["127.0.0.1".into()],
            host_keys: host_keys::prepare(&at("state"), &at("run"), &at("baked")).paths,
            keys_folder: at("keys"),
            ..wanted()
        };
        change(&mut wanted);
        let sshd = find_sshd().expect("openssh-server is installed");
        std::fs::write(at("sshd_config"), render(&wanted)).unwrap();
        check(&sshd, &at("sshd_config")).unwrap();
        let mut command = Command::new("unshare");
        let script = format!("set -e; {commands}\nexec \"$0\" \"$@\"");
        command.args(["--mount", "sh", "-c", &script]).arg(sshd).args(["-D", "-e", "-f"]).arg(at("sshd_config"));
        command.current_dir(folder.path()).stderr(Stdio::null());
        let server = Self { sshd: command.spawn().unwrap(), folder, port };
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(10), "sshd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// What sshd would give to a user's session, as it says itself: sorted.
    fn environment_of(&self, user: &str) -> Vec<String> {
        let mut command = Command::new(find_sshd().unwrap());
        command.arg("-T").arg("-f").arg(self.folder.path().join("sshd_config"));
        command.args(["-C", &format!("user={user},host=localhost,addr=127.0.0.1")]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut pairs: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("setenv ")).map(str::to_owned).collect();
        pairs.sort();
        pairs
    }

    fn ssh(&self, program: &str, arguments: &[&str]) -> std::process::Output {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let public = std::fs::read_to_string(at("state/ssh_host_ed25519_key.pub")).unwrap();
        std::fs::write(at("known"), format!("[127.0.0.1]:{} {public}", self.port)).unwrap();
        let options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "LogLevel=ERROR", "ConnectTimeout=5"];
        let mut command = Command::new(program);
        command.args(["-F", "/dev/null", "-i", &at("id"), "-o", &format!("Port={}", self.port)]);
        command.args(["-o", &format!("UserKnownHostsFile={}", at("known"))]);
        command.args(options.iter().flat_map(|option| ["-o", option]));
        command.args(arguments).stdin(Stdio::null()).output().unwrap()
    }
}

#[test]
#[ignore = "needs root and an installed sshd"]
fn ugly_values_reach_a_session_exactly_as_they_are() {
    let ugly = [
        "two words",
        "a\"b",
        r"a\b",
        r"a\\b",
        r"ends\",
        r#"\""#,
        r"\'",
        "it's",
        "# no comment",
        "100% %u %h",
        "héé→🦀",
        "",
        "a\tb",
        "$HOME ${X} $(id) `id`",
        "a=b=c",
        r"\n",
        "*",
        " lead and trail ",
        "{\"json\": [\"x\\\"y\"]}",
    ];
    let environment: BTreeMap<_, _> =
        ugly.iter().enumerate().map(|(index, value)| (format!("UGLY_{index}"), (*value).to_owned())).collect();
    let given = environment.clone();
    let server = Server::start(|wanted| wanted.environment = given);
    let output = server.ssh("ssh", &["root@127.0.0.1", "env -0"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let seen: BTreeMap<_, _> = text
        .split('\0')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.starts_with("UGLY_"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(seen, environment, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs root and an installed sshd"]
fn the_path_of_a_session_is_the_containers() {
    let path = "/opt/conda/bin:/usr/bin:/bin";
    let server = Server::start(|wanted| {
        wanted.environment.insert("PATH".into(), path.into());
    });
    let output = server.ssh("ssh", &["root@127.0.0.1", "/bin/sh -c 'echo $PATH'"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("/opt/conda/bin"), "{output:?}");
}

#[test]
#[ignore = "needs root and an installed sshd"]
fn sftp_works_and_debians_own_config_does_not_get_in_the_way() {
    let server = Server::start(|wanted| {
        wanted.image = read_image_config(Path::new("/etc/ssh/sshd_config"));
        assert!(!wanted.image.global.is_empty(), "there is such a config");
    });
    let at = |name: &str| server.folder.path().join(name).display().to_string();
    let output = server.ssh("scp", &["-q", &format!("root@127.0.0.1:{}", at("id.pub")), &at("copy")]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::read(at("copy")).unwrap(), std::fs::read(at("id.pub")).unwrap());
}

#[test]
#[ignore = "needs root and an installed sshd"]
fn a_stranger_and_a_password_are_turned_away() {
    let server = Server::start(|_| ());
    let id = server.folder.path().join("id");
    std::fs::remove_file(&id).unwrap();
    let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&id).status();
    assert!(status.unwrap().success());
    let output = server.ssh("ssh", &["root@127.0.0.1", "true"]);
    assert_eq!(output.status.code(), Some(255));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("(publickey)"), "only keys are offered: {message}");
}

/// The environment and the PATHs by user that the tests below have.
fn with_tools(wanted: &mut SshdWanted, user: &str, tools: &Path) {
    let path = format!("{}:/usr/bin:/bin", tools.display());
    wanted.environment = pairs([("KEPT", "two words"), ("PATH", "/usr/bin:/bin")]);
    wanted.paths = pairs([(user, &path)]);
}

#[test]
#[ignore = "needs root and an installed sshd"]
fn the_tools_of_a_user_are_on_that_user_s_path_alone_also_where_the_image_has_blocks() {
    let server = Server::start(|wanted| {
        with_tools(wanted, "peid", Path::new("/home/peid/.local/bin"));
        let path = wanted.keys_folder.join("../image");
        std::fs::write(&path, "Banner none\nMatch User peid,bob\nSetEnv PATH=/image\nX11Forwarding no\n").unwrap();
        wanted.image = read_image_config(&path);
    });
    assert_eq!(server.environment_of("root"), ["KEPT=two words", "PATH=/usr/bin:/bin"]);
    assert_eq!(server.environment_of("pei"), ["KEPT=two words", "PATH=/usr/bin:/bin"]);
    assert_eq!(server.environment_of("peid"), ["KEPT=two words", "PATH=/home/peid/.local/bin:/usr/bin:/bin"]);
    assert_eq!(server.environment_of("bob"), ["PATH=/image"], "the image's block is its own business");
    let output = server.ssh("ssh", &["root@127.0.0.1", "echo $PATH"]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("/home/peid"), "{output:?}");
}

#[test]
#[ignore = "needs root and an installed sshd"]
fn a_folder_with_quotes_and_spaces_can_hold_tools() {
    let server = Server::start(|wanted| {
        let tools = wanted.keys_folder.join("../it's \"b#in\"");
        tool(&tools);
        with_tools(wanted, "root", &tools);
    });
    let output = server.ssh("ssh", &["root@127.0.0.1", "devinit-tool"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "found by two words\n", "{output:?}");
}

/// A program that says that it was found.
fn tool(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join("devinit-tool");
    std::fs::write(&path, "#!/bin/sh\necho found by \"$KEPT\"\n").unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
#[ignore = "needs root and an installed sshd"]
fn a_tool_is_found_by_commands_login_shells_and_terminals_of_its_user_and_of_nobody_else() {
    // A user, its home and its keys that this machine need not have.
    let mounts = "echo peid:x:3100:3100::/home/peid:/bin/sh | cat /etc/passwd - > passwd
        echo 'peid:*:20000::::::' | cat /etc/shadow - > shadow
        chown -R 3100:3100 home/peid
        mount --bind passwd /etc/passwd; mount --bind shadow /etc/shadow; mount --bind home /home; mount --bind keys /mnt
        mount --bind profile.d /etc/profile.d";
    let server = Server::start_after(mounts, |wanted| {
        let folder = wanted.keys_folder.parent().unwrap().to_owned();
        let tools = Path::new("/home/peid/.local/bin");
        tool(&folder.join("home/peid/.local/bin"));
        std::fs::create_dir(folder.join("profile.d")).unwrap();
        let snippet = environment::profile_snippet(&environment::Profile {
            path: "/usr/bin:/bin".to_owned(),
            tools: vec![environment::HomeTools {
                home: "/home/peid".into(),
                path: tools.display().to_string(),
                root: false,
            }],
            devinit: "/nonexistent".into(),
            root_snippet: "/nonexistent".into(),
            greeting: false,
            on_login: Vec::new(),
        });
        std::fs::write(folder.join("profile.d/devinit.sh"), snippet).unwrap();
        with_tools(wanted, "peid", tools);
        wanted.keys_folder = "/mnt".into();
    });
    let said = |arguments: &[&str]| {
        let output = server.ssh("ssh", arguments);
        (String::from_utf8_lossy(&output.stdout).trim_end().to_owned(), format!("{arguments:?}: {output:?}"))
    };
    for (arguments, found) in [
        (&["peid@127.0.0.1", "devinit-tool"][..], "found by two words"),
        (&["peid@127.0.0.1", "sh -lc devinit-tool"], "found by two words"),
        (&["peid@127.0.0.1", "bash -lc devinit-tool"], "found by two words"),
        (&["-tt", "peid@127.0.0.1", "devinit-tool"], "found by two words"),
        (&["-tt", "peid@127.0.0.1", "bash -ic devinit-tool"], "found by two words"),
        (&["root@127.0.0.1", "su - peid -c devinit-tool"], "found by"),
        (&["root@127.0.0.1", "devinit-tool"], ""),
        (&["root@127.0.0.1", "sh -lc devinit-tool"], ""),
        (&["root@127.0.0.1", "HOME=/home/peid bash -lc devinit-tool"], ""),
    ] {
        let (text, output) = said(arguments);
        assert_eq!(text, found, "{output}");
    }
}
