//! A real sshd and a real ssh. They need root, an sshd and its user, so they run where `tests/run` has put these:
//! `cargo test --lib real -- --ignored`.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::prepare::{host_keys, keys};

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
        // StrictModes wants every folder above the keys to be root's alone, which /tmp is not.
        let folder = tempfile::tempdir_in("/root").unwrap();
        let at = |name: &str| folder.path().join(name);
        let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at("id")).status();
        assert!(status.unwrap().success());
        std::fs::create_dir(at("keys")).unwrap();
        let public = std::fs::read_to_string(at("id.pub")).unwrap();
        let content = keys::file_content("root", &keys::parse(&public, "id.pub").keys);
        std::fs::write(at("keys/root"), content).unwrap();

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
        let mut command = Command::new(sshd);
        command.args(["-D", "-e", "-f"]).arg(at("sshd_config")).stderr(Stdio::null());
        let server = Self { sshd: command.spawn().unwrap(), folder, port };
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(10), "sshd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
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
        assert!(!wanted.image.is_empty(), "there is such a config");
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
