use super::super::decode::decode;
use super::super::problem::Severity;
use super::super::yaml;
use super::*;

/// Errors and warnings of a config, each as `LINE:COLUMN message`, warnings marked by `?`.
pub(super) fn found(text: &str) -> Vec<String> {
    findings(text).iter().map(shown).collect()
}

/// The same with their hints in parentheses.
pub(super) fn found_with_hints(text: &str) -> Vec<String> {
    let hint = |finding: &Finding| finding.hint.iter().map(|hint| format!(" ({hint})")).collect::<String>();
    findings(text).iter().map(|finding| shown(finding) + &hint(finding)).collect()
}

fn shown(finding: &Finding) -> String {
    let warning = if finding.severity == Severity::Warning { "?" } else { "" };
    format!("{warning}{}:{} {}", finding.mark.line, finding.mark.column, finding.message)
}

fn findings(text: &str) -> Vec<Finding> {
    let (tree, mut findings) = yaml::parse(text.as_bytes(), 0);
    let mut tree = tree.unwrap();
    let config: Config = decode(&mut tree, &mut findings).unwrap();
    check(&config, &tree, findings.is_empty(), &mut findings);
    findings.sort_by_key(|finding| finding.mark);
    findings
}

pub(super) fn good(text: &str) {
    assert_eq!(found(text), [""; 0], "{text}");
}

/// Asserts that there is just one thing wrong: its place and the beginning of its message.
pub(super) fn bad(text: &str, expected: &str) {
    let found = found(text);
    assert!(found.len() == 1 && found[0].starts_with(expected), "{text}\n  gave {found:?}\n  and not {expected}");
}

#[test]
fn paths_are_absolute_wherever_they_stand() {
    for (text, place) in [
        ("users: {a: {home: home}}", "1:19 `users.a.home`"),
        ("users: {a: {shell: bash}}", "1:20 `users.a.shell`"),
        ("users: {a: {shell: ''}}", "1:20 `users.a.shell`"),
        ("users: {a: {uid_from: .}}", "1:23 `users.a.uid_from`"),
        ("users: {a: {password: {file: pw}}}", "1:30 `users.a.password.file`"),
        ("users: {a: {authorized_keys: [{file: k}]}}", "1:38 `users.a.authorized_keys[0].file`"),
        ("users: {a: {authorized_keys: [{directory: k}]}}", "1:43 `users.a.authorized_keys[0].directory`"),
        ("ssh: {host_keys: ssh}", "1:18 `ssh.host_keys`"),
        ("path: [/bin, ~/bin]", "1:14 `path[1]`"),
        ("hooks: {on_login: [x.sh]}", "1:20 `hooks.on_login[0]`"),
        ("services: {a: {command: x, directory: d}}", "1:39 `services.a.directory`"),
        ("app: {directory: app}", "1:18 `app.directory`"),
        ("app: {ready: {path: app.sock}}", "1:21 `app.ready.path`"),
        ("app: {environment_files: [x.env]}", "1:27 `app.environment_files[0]`"),
        ("app: {log: {to: file, path: app.log}}", "1:29 `app.log.path`"),
    ] {
        bad(text, &format!("{place}: expected an absolute path"));
    }
}

#[test]
fn nothing_can_smuggle_a_field_or_a_line_into_an_account_file() {
    bad("users: {a: {home: \"/home/a:/bin/sh\"}}", "1:19 `users.a.home`: cannot have a colon");
    bad("users: {a: {shell: \"/bin/sh\\nroot::0:0\"}}", "1:20 `users.a.shell`: cannot have a colon");
    bad("path: [\"/a:/b\"]", "1:8 `path[0]`: cannot have a colon");
    bad("ssh: {listen: [\"::1\", \"0.0.0.0\\nPermitRootLogin yes\"]}", "1:23 `ssh.listen[1]`: expected an address");
    bad("ssh: {listen: [\"127.0.0.1:22\"]}", "1:16 `ssh.listen[0]`: expected an address");
    good("ssh: {listen: [\"::\", 127.0.0.1, localhost]}");
}

#[test]
fn ports_exist() {
    bad("ssh: {port: 0}", "1:13 `ssh.port`: port 0");
    bad("app: {port: 0}", "1:13 `app.port`: port 0");
    bad("app: {ready: {tcp: 0}}", "1:20 `app.ready.tcp`: port 0");
}

#[test]
fn variables_have_names_that_a_shell_can_say() {
    good("environment: {A_b1: x, _: y}");
    bad("environment: {A: x, B-C: y}", "1:21 `environment.B-C`: not a name for a variable");
    bad("services: {a: {command: x, environment: {1A: x}}}", "1:42 `services.a.environment.1A`");
    bad("app: {environment: {\"A=B\": x}}", "1:21 `app.environment.A=B`");
    bad("users: {a: {password: {env: A B}}}", "1:29 `users.a.password.env`: expected the name of a variable");
    bad("users: {a: {authorized_keys: [{env: $X}]}}", "1:37 `users.a.authorized_keys[0].env`: expected the name");
    bad("ssh: {environment: {deny: [\"*_KEY\", \"A B\"]}}", "1:37 `ssh.environment.deny[1]`: expected the name");
}

#[test]
fn nul_is_refused_anywhere() {
    bad("environment: {A: \"x\\0y\"}", "1:18 `environment.A`: has a NUL");
    bad("app: {command: [a, \"\\0\"]}", "1:20 `app.command[1]`: has a NUL");
}

#[test]
fn commands_and_accounts_are_not_empty() {
    bad("app: {command: ''}", "1:16 `app.command`: an empty command");
    bad("app: {command: []}", "1:7 `app.command`: an empty command");
    bad("app: {command: ['', x]}", "1:7 `app.command`: an empty command");
    bad("hooks: {on_boot: [x, ' ']}", "1:22 `hooks.on_boot[1]`: an empty command");
    bad("app: {ready: {command: []}}", "1:15 `app.ready.command`: an empty command");
    bad("app: {user: ''}", "1:13 `app.user`: expected the name or the number");
    bad("services: {a: {command: x, user: 'a b'}}", "1:34 `services.a.user`: expected the name or the number");
    bad("app: {user: 4294967295}", "1:13 `app.user`: expected");
    good("app: {user: 1000}");
    good("app: {user: jovyan}");
}
