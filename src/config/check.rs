//! What types cannot say: names, ranges, paths, and what goes together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::expand::is_variable_name;
use super::model::{
    App, Command, Config, Hooks, KeyPlace, KeySource, Password, PermitRootLogin, Ready, Service, Ssh, Stop, User,
};
use super::node::{Node, Step, Value};
use super::problem::{Finding, nearest, quoted_list};
use super::signal::signal_number;

/// How long `docker stop` waits before it kills, unless it is told otherwise.
const DOCKER_STOP: Duration = Duration::from_secs(10);
/// `(uid_t) -1`, which means "leave it as it is" to the kernel.
const NO_ID: u32 = u32::MAX;
/// Names that devinit gives to processes itself.
const RESERVED: [&str; 6] = ["app", "fetch-keys", "greeting", "main", "page", "sshd"];

/// Adds to `findings` what is wrong with `config`. `tree` is what it was made from. If it is not `whole` (some of it
/// was wrong and left out), it is not said that something is missing.
pub(super) fn check(config: &Config, tree: &Node, whole: bool, findings: &mut Vec<Finding>) {
    let mut check = Check { config, tree, whole, findings };
    check.no_nul(tree, &Place::default());
    check.users();
    check.ssh(&config.ssh);
    check.environment(&config.environment, &Place::of(&["environment"]));
    check.search_path();
    check.hooks(&config.hooks);
    check.services();
    if let Some(app) = &config.app {
        check.app(app);
    }
    check.shutdown();
}

/// The way to a setting: `users.peid.authorized_keys[2]`.
#[derive(Clone, Default)]
struct Place(Vec<Step>);

impl Place {
    fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if depth == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

struct Check<'a> {
    config: &'a Config,
    tree: &'a Node,
    whole: bool,
    findings: &'a mut Vec<Finding>,
}

/// What all checks are made of.
impl Check<'_> {
    fn error(&mut self, place: &Place, message: impl fmt::Display) -> &mut Self {
        self.findings.push(Finding::error(self.tree.locate(&place.0), format!("`{place}`: {message}")));
        self
    }

    /// An error in the key itself.
    fn misnamed(&mut self, place: &Place, message: impl fmt::Display) -> &mut Self {
        self.findings.push(Finding::error(self.tree.locate_key(&place.0), format!("`{place}`: {message}")));
        self
    }

    fn warning(&mut self, place: &Place, message: impl fmt::Display) -> &mut Self {
        self.findings.push(Finding::warning(self.tree.locate(&place.0), format!("`{place}`: {message}")));
        self
    }

    /// What to do about the last of these.
    fn hint(&mut self, hint: impl Into<String>) {
        if let Some(last) = self.findings.last_mut() {
            last.hint = Some(hint.into());
        }
    }

    /// C strings end there: cut short, a path or an argument would be another one.
    fn no_nul(&mut self, node: &Node, place: &Place) {
        match &node.value {
            Value::Scalar(scalar) if scalar.text.contains('\0') => _ = self.error(place, "has a NUL character in it"),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.no_nul(item, &place.index(index));
                }
            }
            Value::Map(map) => {
                for (key, entry) in map {
                    self.no_nul(&entry.node, &place.key(key));
                }
            }
            _ => {}
        }
    }

    fn absolute(&mut self, path: &Path, place: &Place) {
        if !path.is_absolute() {
            self.error(place, "expected an absolute path, which begins with `/`");
        }
    }

    fn absolute_if_any(&mut self, path: Option<&PathBuf>, place: &Place) {
        if let Some(path) = path {
            self.absolute(path, place);
        }
    }

    /// A path that goes into a line of /etc/passwd, or of another file of that kind.
    fn field(&mut self, path: &Path, place: &Place) {
        self.absolute(path, place);
        if path.to_string_lossy().contains(|character: char| character == ':' || character.is_control()) {
            self.error(place, "cannot have a colon or a control character in it");
        }
    }

    fn port(&mut self, port: u16, place: &Place) {
        if port == 0 {
            self.error(place, "port 0 does not exist");
        }
    }

    fn variable_name(&mut self, name: &str, place: &Place) {
        if !is_variable_name(name) {
            self.misnamed(place, "not a name for a variable: letters, digits and `_`, and no digit in front");
        }
    }

    fn environment(&mut self, environment: &BTreeMap<String, String>, place: &Place) {
        for name in environment.keys() {
            self.variable_name(name, &place.key(name));
        }
    }

    fn command(&mut self, command: &Command, place: &Place) {
        let empty = match command {
            Command::Shell(text) => text.trim().is_empty(),
            Command::Argv(argv) => argv.first().is_none_or(String::is_empty),
        };
        if empty && (self.whole || matches!(command, Command::Shell(_))) {
            self.error(place, "an empty command");
        }
    }

    /// A user by name or number, as whom something runs.
    fn account(&mut self, user: Option<&String>, place: &Place) {
        let Some(user) = user else { return };
        let number = !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit());
        let known = if number { user.parse().is_ok_and(|id: u32| id != NO_ID) } else { Name::of(user) != Name::Bad };
        if !known {
            self.error(place, "expected the name or the number of a user");
        }
    }
}

/// The sections.
impl Check<'_> {
    fn users(&mut self) {
        let users = Place::of(&["users"]);
        for (name, user) in &self.config.users {
            let place = users.key(name);
            match Name::of(name) {
                Name::Good => {}
                Name::Unusual => {
                    _ = self.warning(&place, "capital letters and dots in a user name are trouble for some programs");
                }
                Name::Bad => _ = self.misnamed(&place, BAD_NAME),
            }
            self.user(user, &place);
        }
        self.logins(&users);
    }

    fn user(&mut self, user: &User, place: &Place) {
        for (key, id) in [("uid", user.uid), ("gid", user.gid)] {
            if id == Some(NO_ID) {
                self.error(&place.key(key), "4294967295 is reserved; the largest id is 4294967294");
            }
        }
        for (key, path) in [("shell", &user.shell), ("home", &user.home)] {
            if let Some(path) = path {
                self.field(path, &place.key(key));
            }
        }
        self.absolute_if_any(user.uid_from.as_ref(), &place.key("uid_from"));
        for (index, group) in user.groups.iter().enumerate() {
            if Name::of(group) == Name::Bad {
                self.error(&place.key("groups").index(index), BAD_NAME);
            }
        }
        if let Some(password) = &user.password {
            self.password(password, &place.key("password"));
        }
        for (index, source) in user.authorized_keys.iter().flatten().enumerate() {
            if let KeySource::From(from) = source {
                self.key_place(from, &place.key("authorized_keys").index(index));
            }
        }
    }

    fn password(&mut self, password: &Password, place: &Place) {
        match password {
            Password::File(path) => self.absolute(path, &place.key("file")),
            Password::Env(name) if !is_variable_name(name) => _ = self.error(&place.key("env"), NOT_A_VARIABLE),
            Password::Env(_) => {}
            Password::Hash(hash) => {
                if !hash.starts_with('$') || hash.contains([':', '\n']) {
                    let message = "not a hash as in /etc/shadow, which begins with `$` and has no colon and one line";
                    self.error(&place.key("hash"), message).hint("make one with `openssl passwd -6`");
                }
            }
            Password::Text(text) if text.is_empty() => _ = self.error(&place.key("text"), "an empty password"),
            Password::Text(_) => {
                let message = "the password itself is written here, for everyone who can read the file";
                self.warning(&place.key("text"), message).hint("use `file:`, `env:` or `hash:` instead");
            }
        }
    }

    fn key_place(&mut self, from: &KeyPlace, place: &Place) {
        match from {
            KeyPlace::Env(name) if !is_variable_name(name) => _ = self.error(&place.key("env"), NOT_A_VARIABLE),
            KeyPlace::Env(_) => {}
            KeyPlace::File(path) => self.absolute(path, &place.key("file")),
            KeyPlace::Directory(path) => self.absolute(path, &place.key("directory")),
            KeyPlace::Url(url) => {
                if host_of(url, "https://").or_else(|| host_of(url, "http://")).is_none() {
                    self.error(&place.key("url"), "expected a URL that begins with `https://` or `http://`");
                }
            }
            KeyPlace::Github(name) => {
                let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
                if name.is_empty() || name.len() > 39 || !fits {
                    self.error(&place.key("github"), "not the name of a GitHub account");
                }
            }
        }
    }

    /// Whether anyone can get in.
    fn logins(&mut self, users: &Place) {
        let ssh = &self.config.ssh;
        if !ssh.enabled || !self.whole {
            return;
        }
        let everyone = &self.config.users;
        if ssh.password_authentication && everyone.values().all(|user| user.password.is_none()) {
            let message = "is on, and no user has a password";
            self.warning(&Place::of(&["ssh", "password_authentication"]), message);
        }
        // Without any user devinit provides root, with the keys of the usual variables.
        let default = BTreeMap::from([("root".to_owned(), User::default())]);
        let everyone = if everyone.is_empty() { &default } else { everyone };
        if !everyone.iter().any(|(name, user)| can_log_in(name, user, ssh)) {
            self.warning(users, "nobody can log in")
                .hint("give someone `authorized_keys`, or leave that out for the keys in PUBLIC_KEY");
        }
    }

    fn ssh(&mut self, ssh: &Ssh) {
        let place = Place::of(&["ssh"]);
        self.port(ssh.port, &place.key("port"));
        self.field(&ssh.host_keys, &place.key("host_keys"));
        for (index, address) in ssh.listen.iter().enumerate() {
            let host = |name: &str| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            };
            if address.parse::<IpAddr>().is_err() && !host(address) {
                self.error(&place.key("listen").index(index), "expected an address without a port")
                    .hint("the port is set by `ssh.port`");
            }
        }
        let deny = place.key("environment").key("deny");
        for (index, pattern) in ssh.environment.deny.iter().enumerate() {
            if !is_variable_name(&pattern.replace('*', "x")) {
                self.error(
                    &deny.index(index),
                    "expected the name of a variable, in which `*` stands for any characters",
                );
            }
        }
    }

    fn search_path(&mut self) {
        let place = Place::of(&["path"]);
        for (index, folder) in self.config.path.iter().enumerate() {
            self.field(Path::new(folder), &place.index(index));
        }
    }

    fn hooks(&mut self, hooks: &Hooks) {
        let place = Place::of(&["hooks"]);
        for (index, command) in hooks.on_boot.iter().enumerate() {
            self.command(command, &place.key("on_boot").index(index));
        }
        for (index, script) in hooks.on_login.iter().enumerate() {
            self.absolute(script, &place.key("on_login").index(index));
        }
    }

    fn services(&mut self) {
        let services = Place::of(&["services"]);
        for (name, service) in &self.config.services {
            let place = services.key(name);
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if RESERVED.contains(&name.as_str()) {
                self.misnamed(&place, "devinit itself has something of this name")
                    .hint(format!("{} are taken", quoted_list(&RESERVED)));
            } else if name.is_empty() || name.len() > 64 || name.starts_with(['-', '.']) || !name.bytes().all(fits) {
                self.misnamed(&place, "not a name for a service: up to 64 letters, digits, `-`, `_` and `.`");
            }
            let Service { command, user, directory, environment, after, restart: _, ready, stop } = service;
            self.command(command, &place.key("command"));
            self.account(user.as_ref(), &place.key("user"));
            self.absolute_if_any(directory.as_ref(), &place.key("directory"));
            self.environment(environment, &place.key("environment"));
            self.after(after, &place.key("after"));
            self.ready(ready.as_ref(), &place.key("ready"));
            self.stop(stop, &place.key("stop"));
        }
        for cycle in cycles(&self.config.services) {
            let [first, ..] = cycle.as_slice() else { continue };
            let message = format!("these wait for each other: {} → {first}", cycle.join(" → "));
            self.error(&services.key(first).key("after"), message);
        }
    }

    fn app(&mut self, app: &App) {
        let place = Place::of(&["app"]);
        let App { command, user, directory, environment, after, restart: _, ready, stop, port, page, .. } = app;
        if let Some(command) = command {
            self.command(command, &place.key("command"));
        }
        self.account(user.as_ref(), &place.key("user"));
        self.absolute_if_any(directory.as_ref(), &place.key("directory"));
        self.environment(environment, &place.key("environment"));
        self.after(after, &place.key("after"));
        self.ready(ready.as_ref(), &place.key("ready"));
        self.stop(stop, &place.key("stop"));
        self.port(port.0, &place.key("port"));
        let ssh = &self.config.ssh;
        if ssh.enabled && (command.is_some() || *page) && port.0 == ssh.port {
            self.error(&place.key("port"), "sshd has this port already").hint("change `app.port` or `ssh.port`");
        }
    }

    fn after(&mut self, after: &[String], place: &Place) {
        let config = self.config;
        for (index, name) in after.iter().enumerate() {
            if config.services.contains_key(name) || !self.whole {
                continue;
            }
            let known: Vec<&str> = config.services.keys().map(String::as_str).collect();
            let hint = match nearest(name, &known) {
                _ if name == "sshd" => "sshd is always started first".to_owned(),
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "there are no services".to_owned(),
                None => format!("services: {}", quoted_list(&known)),
            };
            self.error(&place.index(index), "no such service").hint(hint);
        }
    }

    fn ready(&mut self, ready: Option<&Ready>, place: &Place) {
        let Some(Ready { http, tcp, path, command, timeout }) = ready else { return };
        let given = [http.is_some(), tcp.is_some(), path.is_some(), command.is_some()];
        match given.iter().filter(|given| **given).count() {
            1 => {}
            0 if !self.whole => {}
            _ => _ = self.error(place, "expected exactly one of `http`, `tcp`, `path` and `command`"),
        }
        if http.as_ref().is_some_and(|url| host_of(url, "http://").is_none()) {
            self.error(&place.key("http"), "expected a URL that begins with `http://`")
                .hint("it is asked for inside the container, as in `http://127.0.0.1:27015/`");
        }
        if let Some(port) = tcp {
            self.port(*port, &place.key("tcp"));
        }
        self.absolute_if_any(path.as_ref(), &place.key("path"));
        if let Some(command) = command {
            self.command(command, &place.key("command"));
        }
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.error(&place.key("timeout"), "nothing is ready in no time");
        }
    }

    fn stop(&mut self, stop: &Stop, place: &Place) {
        if stop.signal.as_ref().is_some_and(|signal| signal_number(signal).is_none()) {
            self.error(&place.key("signal"), "no such signal")
                .hint("write it as in `SIGTERM`, `SIGINT` or `SIGRTMIN+3`");
        }
        if stop.timeout.is_some_and(|timeout| timeout > self.config.shutdown.timeout) {
            self.warning(&place.key("timeout"), "longer than `shutdown.timeout`, which ends everything");
        }
    }

    fn shutdown(&mut self) {
        if self.config.shutdown.timeout > DOCKER_STOP {
            let message = "`docker stop` kills after 10s, unless it is told otherwise by `-t`";
            self.warning(&Place::of(&["shutdown", "timeout"]), message);
        }
    }
}

const NOT_A_VARIABLE: &str = "expected the name of a variable";
const BAD_NAME: &str = "not a name: up to 32 letters, digits, `-` and `_`, and no digit or `-` in front";

/// shadow-utils' rule for the names of users and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Good,
    /// Works, but not with every program.
    Unusual,
    Bad,
}

impl Name {
    fn of(name: &str) -> Self {
        let stem = name.strip_suffix('$').unwrap_or(name);
        let tail = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let first = |character: char| character.is_ascii_alphabetic() || character == '_';
        if name.len() > 32 || !stem.starts_with(first) || !stem.bytes().all(tail) {
            Self::Bad
        } else if stem.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'.') {
            Self::Unusual
        } else {
            Self::Good
        }
    }
}

fn can_log_in(name: &str, user: &User, ssh: &Ssh) -> bool {
    let by_key = user.authorized_keys.as_ref().is_none_or(|sources| !sources.is_empty());
    let by_password = user.password.is_some() && ssh.password_authentication;
    match (name, ssh.permit_root_login) {
        ("root", PermitRootLogin::No) => false,
        ("root", PermitRootLogin::ProhibitPassword) => by_key,
        _ => by_key || by_password,
    }
}

/// The host (and port) of a URL with this scheme; none if it has another, or no host, or blanks.
fn host_of<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let rest = url.strip_prefix(scheme).filter(|rest| !rest.contains(|c: char| c.is_whitespace() || c.is_control()))?;
    rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())
}

/// Services that wait for each other, in the order of waiting. Each service is in one cycle at most.
fn cycles(services: &BTreeMap<String, Service>) -> Vec<Vec<&str>> {
    let mut waits: BTreeMap<&str, &[String]> =
        services.iter().map(|(name, service)| (name.as_str(), service.after.as_slice())).collect();
    let mut cycles = Vec::new();
    loop {
        // Whoever waits for nobody that is left can start, and is left no longer.
        loop {
            let left: BTreeSet<&str> = waits.keys().copied().collect();
            waits.retain(|_, after| after.iter().any(|name| left.contains(name.as_str())));
            if waits.len() == left.len() {
                break;
            }
        }
        // Everyone who is left waits for someone who is left: following them must come round.
        let Some(mut name) = waits.keys().next().copied() else { return cycles };
        let mut walk: Vec<&str> = Vec::new();
        while !walk.contains(&name) {
            walk.push(name);
            let next = waits.get(name).and_then(|after| after.iter().find(|next| waits.contains_key(next.as_str())));
            match next {
                Some(next) => name = next,
                None => return cycles,
            }
        }
        let cycle: Vec<&str> = walk.into_iter().skip_while(|walked| *walked != name).collect();
        waits.retain(|name, _| !cycle.contains(name));
        cycles.push(cycle);
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::decode;
    use super::super::problem::Severity;
    use super::super::yaml;
    use super::*;

    /// Errors and warnings of a config whose types are right, each as `LINE:COLUMN message`, warnings marked by `?`.
    fn found(text: &str) -> Vec<String> {
        let (tree, mut findings) = yaml::parse(text.as_bytes(), 0);
        let mut tree = tree.unwrap();
        let config: Config = decode(&mut tree, &mut findings).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        check(&config, &tree, true, &mut findings);
        findings.sort_by_key(|finding| finding.mark);
        let shown = findings.into_iter().map(|finding| {
            let warning = if finding.severity == Severity::Warning { "?" } else { "" };
            format!("{warning}{}:{} {}", finding.mark.line, finding.mark.column, finding.message)
        });
        shown.collect()
    }

    fn good(text: &str) {
        assert_eq!(found(text), [""; 0], "{text}");
    }

    /// Asserts that there is just one thing wrong: its place and the beginning of its message.
    fn bad(text: &str, expected: &str) {
        let found = found(text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}\n  gave {found:?}\n  and not {expected}");
    }

    #[test]
    fn names_of_users_follow_shadow_utils() {
        for name in ["peid", "_apt", "www-data", "a1", "samba$", "abcdefghijklmnopqrstuvwxyz012345"] {
            assert_eq!(Name::of(name), Name::Good, "{name}");
        }
        for name in ["Peid", "first.last", "A$"] {
            assert_eq!(Name::of(name), Name::Unusual, "{name}");
        }
        for name in
            ["", "1abc", "-a", ".a", "a b", "a:b", "a/b", "ä", "a$b", "$", "..", "abcdefghijklmnopqrstuvwxyz0123456"]
        {
            assert_eq!(Name::of(name), Name::Bad, "{name}");
        }
        bad("users: {1st: {}}", "1:9 `users.1st`: not a name");
        bad("users: {First.Last: {}}", "?1:9 `users.First.Last`: capital letters and dots");
        bad("users: {a: {groups: [video, \"x:y\"]}}", "1:29 `users.a.groups[1]`: not a name");
    }

    #[test]
    fn the_last_id_is_reserved() {
        good("users: {a: {uid: 4294967294, gid: 0}}");
        bad("users: {a: {uid: 4294967295}}", "1:18 `users.a.uid`: 4294967295 is reserved");
        bad("users: {a: {gid: 4294967295}}", "1:18 `users.a.gid`: 4294967295 is reserved");
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
    fn the_app_cannot_have_the_port_of_sshd() {
        bad("app: {command: x, port: 22}", "1:25 `app.port`: sshd has this port");
        bad("ssh: {port: 27015}\napp: {page: true}", "2:1 `app.port`: sshd has this port");
        good("ssh: {enabled: false}\napp: {command: x, port: 22}");
        good("app: {port: 22}");
    }

    #[test]
    fn ready_is_exactly_one_probe() {
        let one = "expected exactly one of `http`, `tcp`, `path` and `command`";
        bad("app: {ready: {}}", &format!("1:7 `app.ready`: {one}"));
        bad("app: {ready: {timeout: 1m}}", &format!("1:7 `app.ready`: {one}"));
        bad("services: {a: {command: x, ready: {tcp: 1, path: /x}}}", &format!("1:28 `services.a.ready`: {one}"));
        bad("app: {ready: {tcp: 1, timeout: 0s}}", "1:32 `app.ready.timeout`: nothing is ready in no time");
        good("app: {ready: {http: \"http://127.0.0.1:27015/api\", timeout: 30m}}");
        for url in
            ["https://127.0.0.1/", "127.0.0.1:27015", "http://", "http:///x", "http://a b/", "\"http://a/\\r\\nX: y\""]
        {
            bad(&format!("app:\n  ready:\n    http: {url}"), "3:11 `app.ready.http`: expected a URL");
        }
    }

    #[test]
    fn stop_signals_exist_and_stopping_fits_into_the_shutdown() {
        good("app: {stop: {signal: SIGRTMIN+3, timeout: 9s}}");
        bad("app: {stop: {signal: SIGTREM}}", "1:22 `app.stop.signal`: no such signal");
        bad("app: {stop: {signal: 0}}", "1:22 `app.stop.signal`: no such signal");
        bad("app: {stop: {timeout: 10s}}", "?1:23 `app.stop.timeout`: longer than `shutdown.timeout`");
        bad("shutdown: {timeout: 11s}", "?1:21 `shutdown.timeout`: `docker stop` kills");
        good("shutdown: {timeout: 10s}");
    }

    #[test]
    fn after_names_services() {
        good("services: {a: {command: x}}\napp: {after: [a]}");
        bad("services: {xvfb: {command: x}}\napp: {after: [xvbf]}", "2:15 `app.after[0]`: no such service");
        bad("app: {after: [sshd]}", "1:15 `app.after[0]`: no such service");
    }

    #[test]
    fn services_that_wait_for_each_other_are_named() {
        let services = |after: &[(&str, &str)]| {
            let lines: Vec<_> =
                after.iter().map(|(name, after)| format!("  {name}: {{command: x, after: [{after}]}}\n")).collect();
            format!("services:\n{}", lines.concat())
        };
        bad(&services(&[("a", "a")]), "2:19 `services.a.after`: these wait for each other: a → a");
        bad(
            &services(&[("a", "b"), ("b", "c, d"), ("c", ""), ("d", "b")]),
            "3:19 `services.b.after`: these wait for each other: b → d → b",
        );
        let two = found(&services(&[("a", "b"), ("b", "a"), ("x", "a"), ("y", "z"), ("z", "y")]));
        assert_eq!(two.len(), 2, "{two:?}");
        good(&services(&[("a", "b, c, d"), ("b", "c, d"), ("c", "d"), ("d", "")]));
    }

    #[test]
    fn services_have_names_of_their_own_that_can_name_a_file() {
        for name in ["sshd", "app", "main", "page"] {
            bad(&format!("services: {{{name}: {{command: x}}}}"), &format!("1:12 `services.{name}`: devinit itself"));
        }
        for name in ["../x", "a b", ".a", "-a", "''", "a/b"] {
            bad(&format!("services: {{{name}: {{command: x}}}}"), "1:12 `services.");
        }
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

    #[test]
    fn passwords() {
        good("users: {a: {password: {hash: $6$salt$hash}}}");
        bad("users: {a: {password: {text: x}}}", "?1:30 `users.a.password.text`: the password itself");
        bad("users: {a: {password: {text: ''}}}", "1:30 `users.a.password.text`: an empty password");
        for hash in ["x", "'*'", "\"$6$a:b\"", "\"$6$a\\n\""] {
            bad(&format!("users: {{a: {{password: {{hash: {hash}}}}}}}"), "1:30 `users.a.password.hash`: not a hash");
        }
    }

    #[test]
    fn places_of_keys() {
        good("users: {a: {authorized_keys: [{url: \"https://example.com/k\"}, {github: a-b_c}]}}");
        bad("users: {a: {authorized_keys: [{url: /k}]}}", "1:37 `users.a.authorized_keys[0].url`: expected a URL");
        bad("users: {a: {authorized_keys: [{github: a/b}]}}", "1:40 `users.a.authorized_keys[0].github`: not the name");
    }

    #[test]
    fn it_is_said_when_nobody_can_log_in() {
        let nobody = "`users`: nobody can log in";
        bad("users: {a: {authorized_keys: []}}", &format!("?1:1 {nobody}"));
        bad("users: {a: {authorized_keys: [], password: {env: P}}}", &format!("?1:1 {nobody}"));
        bad("ssh: {permit_root_login: no}", &format!("?1:1 {nobody}"));
        bad(
            "users: {root: {authorized_keys: [], password: {env: P}}}\nssh: {password_authentication: yes}",
            &format!("?1:1 {nobody}"),
        );
        good(
            "users: {root: {authorized_keys: [], password: {env: P}}}\n\
             ssh: {password_authentication: yes, permit_root_login: yes}",
        );
        good("users: {a: {authorized_keys: [], password: {env: P}}}\nssh: {password_authentication: yes}");
        good("users: {a: {authorized_keys: []}, b: {}}");
        good("users: {a: {authorized_keys: []}}\nssh: {enabled: false}");
    }

    #[test]
    fn password_authentication_without_a_password_is_worth_a_word() {
        bad("ssh: {password_authentication: true}", "?1:32 `ssh.password_authentication`: is on, and no user");
    }
}
