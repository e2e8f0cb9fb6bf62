//! People log in: every kind of session works and has the container's environment, and no secret.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::support::{BASE, Container, Key, ROOT_AND_PEID, seconds, wait_for};

const TRICKY: &str = r#"two words, "quoted", it's $HOME `id` \ ünï #1"#;

fn container(key: &Key) -> Container {
    let container = Container::image(BASE)
        .key(key)
        .config(ROOT_AND_PEID)
        .env("HF_TOKEN", "hf_0123456789")
        .env("TRICKY", TRICKY)
        .env("EMPTY", "")
        .env("HTTP_PROXY", "http://user:proxypass@proxy.example:3128")
        .env("https_proxy", "http://user:proxypass@proxy.example:3128")
        .env("no_proxy", "localhost")
        .env("USER_PASSWORD", "correct horse")
        .env("API_KEY_FILE", "/run/secrets/api_key")
        .run();
    container.wait_for_ssh();
    container
}

#[test]
fn root_and_peid_log_in_with_the_key_of_the_variable() {
    let key = Key::new();
    let container = container(&key);

    assert_eq!(container.ssh("root").run("id -u").success(), "0");
    let peid = container.ssh("peid").run("id -u; id -g; echo $HOME; stat -c %U:%a ~; sudo -n id -u; pwd").success();
    let lines: Vec<_> = peid.lines().collect();
    assert!(
        matches!(lines[..], ["3100", "1100", "/home/peid", mode, "0", "/home/peid"] if mode.starts_with("peid:7")),
        "{lines:?}"
    );
}

#[test]
fn neither_another_key_nor_a_password_opens_the_door() {
    let container = container(&Key::new());
    for user in ["root", "peid"] {
        let refused =
            container.ssh(user).key(&Key::new()).option("-oPreferredAuthentications=publickey,password").run("true");
        assert_eq!(refused.code, 255, "{refused:?}");
        assert!(refused.stderr.contains("Permission denied (publickey)"), "{refused:?}");
    }
}

#[test]
fn every_kind_of_session_has_the_environment_and_no_secret() {
    let key = Key::new();
    let container = container(&key);
    let print = "python3 -c 'import json, os; print(\"<\" + json.dumps(dict(os.environ)) + \">\")'";
    for user in ["root", "peid"] {
        let ssh = container.ssh(user);
        let mut terminal = ssh.terminal();
        terminal.send(&format!("stty -echo cols 10000; {print}; exit\n"));
        assert_eq!(terminal.wait(), Some(0));
        let sessions = [
            ("a command", ssh.run(print).success()),
            ("a login shell for a command", ssh.run(&format!("bash -lc {}", quoted(print))).success()),
            ("a shell without a terminal", ssh.shell(&format!("{print}\n")).success()),
            ("a login shell on a terminal", terminal.screen()),
        ];
        for (session, printed) in sessions {
            let environment = environment(&printed).unwrap_or_else(|| panic!("{user}, {session}: {printed}"));
            let value = |name: &str| environment[name].as_str();
            assert_eq!(value("HF_TOKEN"), Some("hf_0123456789"), "{user}, {session}");
            assert_eq!(value("TRICKY"), Some(TRICKY), "{user}, {session}");
            assert_eq!(value("USER"), Some(user), "{session}");
            let path = value("PATH").unwrap_or_default();
            assert!(
                path.starts_with("/opt/tools/bin:") && path.contains(":/usr/local/bin:"),
                "{user}, {session}: PATH={path}"
            );
            assert_eq!(path.matches("/opt/tools/bin").count(), 1, "{user}, {session}: PATH={path}");
            for name in ["HTTP_PROXY", "https_proxy", "no_proxy", "USER_PASSWORD", "API_KEY_FILE", "PUBLIC_KEY"] {
                assert_eq!(value(name), None, "{user}, {session}: {name}");
            }
            assert!(!printed.contains("proxypass") && !printed.contains("correct horse"), "{user}, {session}");
        }
    }
}

/// The object between `<{` and `}>` on a screen.
fn environment(printed: &str) -> Option<serde_json::Value> {
    let from = printed.find("<{")? + 1;
    let to = from + printed[from..].rfind("}>")? + 1;
    serde_json::from_str(&printed[from..to].replace(['\r', '\n'], "")).ok()
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', r"'\''"))
}

#[test]
fn secrets_are_neither_in_the_log_nor_on_the_disk() {
    let key = Key::new();
    let container = container(&key);
    container.ssh("root").run("true").success();

    let log = container.logs();
    assert!(!log.contains("proxypass") && !log.contains("correct horse") && !log.contains("hf_0123456789"), "{log}");
    let found =
        container.exec(["grep", "-rlE", "proxypass|correct horse", "/etc", "/run", "/var", "/home", "/root", "/tmp"]);
    assert_eq!(found.stdout, "", "secrets were written to files");
}

#[test]
fn files_go_there_and_back_by_sftp_scp_and_rsync() {
    let key = Key::new();
    let container = container(&key);
    let folder = tempfile::tempdir().unwrap();
    let sent = folder.path().join("sent");
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    std::fs::write(&sent, &content).unwrap();
    let sent = sent.to_str().unwrap();
    let back = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();

    for user in ["root", "peid"] {
        let ssh = container.ssh(user);
        let name = back(&format!("{user}-sftp"));
        ssh.sftp(&format!("put {sent} by-sftp\nget by-sftp {name}\n")).success();
        assert!(std::fs::read(name).unwrap() == content, "{user}: sftp changed the file");

        for (kind, option) in [("scp over sftp", "-s"), ("old scp", "-O")] {
            let name = back(&format!("{user}{option}"));
            ssh.scp(&[option, sent, "there:by-scp"]).success();
            ssh.scp(&[option, "there:by-scp", &name]).success();
            assert!(std::fs::read(name).unwrap() == content, "{user}: {kind} changed the file");
        }

        let name = back(&format!("{user}-rsync"));
        ssh.rsync(&["-a", sent, "there:by-rsync"]).success();
        ssh.rsync(&["-a", "there:by-rsync", &name]).success();
        assert!(std::fs::read(name).unwrap() == content, "{user}: rsync changed the file");
    }
}

#[test]
fn a_port_of_the_container_is_forwarded() {
    let key = Key::new();
    let container = container(&key);
    container.start("exec python3 -m http.server --bind 127.0.0.1 9000 --directory /usr/share/doc/python3");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _client = container.ssh("peid").background(&["-N", "-L", &format!("127.0.0.1:{port}:127.0.0.1:9000")]);

    let answer = wait_for("an answer through the tunnel", seconds(20), || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(seconds(5))).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        (!answer.is_empty()).then_some(answer)
    });
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}

#[test]
fn windows_are_forwarded_with_a_cookie() {
    let key = Key::new();
    let container = container(&key);
    for user in ["root", "peid"] {
        let ssh = container.ssh(user).option("-Y");
        // The display need not exist: the client invents a cookie, sshd and xauth do the rest.
        let forwarded = ssh.run_with_display(":97", "echo $DISPLAY; xauth list").success();
        assert!(
            forwarded.starts_with("localhost:1") && forwarded.contains("MIT-MAGIC-COOKIE-1"),
            "{user}: {forwarded}"
        );
    }
}

#[test]
fn many_sessions_at_once_are_served() {
    let key = Key::new();
    let container = container(&key);
    let clients: Vec<_> = (0..8).map(|_| container.ssh("peid").background(&["-N"])).collect();
    let mut seen = String::new();
    for round in 0..5 {
        let _ = write!(seen, "{}", container.ssh("root").run(&format!("echo {round}")).success());
    }
    assert_eq!(seen, "01234");
    drop(clients);
}

#[test]
fn sshd_comes_back_when_it_is_killed() {
    let key = Key::new();
    let container = container(&key);
    let old = container.pid_of("^sshd: .*listener|sshd -D").expect("sshd runs");
    container.exec(["kill", "-KILL", &old.to_string()]).success();
    wait_for("another sshd", seconds(20), || {
        let new = container.pid_of("^sshd: .*listener|sshd -D")?;
        (new != old).then_some(())
    });
    container.wait_for_ssh();
    assert_eq!(container.ssh("peid").run("id -u").success(), "3100");
}
