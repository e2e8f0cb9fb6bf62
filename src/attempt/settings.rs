//! What the container boots with: the config, what `try` lays over it, and a fresh environment.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::ports::Port;
use crate::cli;
use crate::config::model::{Config, KeyPlace, KeySource, PermitRootLogin, Policy};
use crate::config::{self, Problem, Sources};
use crate::engine::spawn::DEFAULT_PATH;
use crate::{plan, sorted};

/// The config that is booted if none is given.
const DEFAULT: &str = include_str!("default.yaml");
/// The variable that the made key goes to. Users without a list of keys of their own take it from there.
pub const KEY_VARIABLE: &str = "PUBLIC_KEY";
/// Variables of the caller that the container gets besides `LC_*`: none that usually holds a secret.
const PASSED: [&str; 26] = [
    "ALL_PROXY",
    "COLORTERM",
    "CURL_CA_BUNDLE",
    "DEVINIT_ENTRYPOINT",
    "DEVINIT_GREETING",
    "DEVINIT_LOG",
    "DEVINIT_LOG_FORMAT",
    "GIT_SSL_CAINFO",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LANGUAGE",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "NO_COLOR",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SYGALDRY_ENTRYPOINT",
    "TERM",
    "TZ",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What the container boots with.
pub struct Settings {
    /// The text of the config.
    pub config: String,
    /// What is laid over it: YAML.
    pub drop_in: String,
    /// The environment, without the key.
    pub environment: BTreeMap<String, String>,
    /// The main command, or the arguments of an entrypoint; empty: none.
    pub main: Vec<String>,
    /// Whether there is a main command, which has the terminal: a given one or an entrypoint. Else it is the config's app or
    /// the page.
    pub foreground: bool,
    /// Whether there is SSH.
    pub ssh: bool,
    /// The port of SSH.
    pub ssh_port: u16,
    /// The users that the made key opens, the one to try first at the front.
    pub users: Vec<String>,
    /// The port of the page and the app.
    pub app_port: u16,
}

impl Settings {
    /// Reads and checks the config.
    ///
    /// # Errors
    /// All that is wrong with it, a line or two each.
    pub fn load(options: &cli::Try) -> Result<Self, Vec<String>> {
        let caller =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let environment = environment(caller);
        let (sources, text) = match &options.config {
            Some(file) => {
                let text = fs::read_to_string(file)
                    .map_err(|error| vec![format!("devinit: failed to read {}: {error}", file.display())])?;
                (Sources::only(file), text)
            }
            None => (default_sources(), DEFAULT.to_owned()),
        };
        let lines = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        let config = config::load(&sources, &environment).map_err(|broken| lines(broken.problems))?.config;
        Ok(Self::new(text, &config, environment, options))
    }

    fn new(text: String, config: &Config, environment: BTreeMap<String, String>, options: &cli::Try) -> Self {
        let mut users: Vec<String> = config.users.keys().filter(|name| *name != ROOT).cloned().collect();
        if root_may_log_in(config) {
            users.push(ROOT.to_owned());
        }
        let chosen = plan::VARIABLES.iter().any(|name| environment.get(*name).is_some_and(|value| !value.is_empty()));
        Self {
            drop_in: drop_in(config, options.ssh_port),
            config: text,
            foreground: !options.main.is_empty() || chosen || begins_with_default(config),
            environment,
            main: options.main.clone(),
            ssh: config.ssh.enabled,
            ssh_port: options.ssh_port,
            users,
            app_port: config.app.clone().unwrap_or_default().port.0,
        }
    }

    /// The ports that have to be free.
    pub fn ports(&self) -> Vec<Port> {
        let mut ports = Vec::new();
        if self.ssh {
            ports.push(Port { number: self.ssh_port, purpose: "SSH", remedy: "choose another one with --ssh-port" });
        }
        if !self.foreground {
            let remedy = "end what uses it, or set app.port in a config of your own";
            ports.push(Port { number: self.app_port, purpose: "the page and the app", remedy });
        }
        ports
    }
}

const ROOT: &str = "root";

fn root_may_log_in(config: &Config) -> bool {
    config.ssh.permit_root_login != PermitRootLogin::No
}

/// Whether the config has an entrypoint that is taken without a choice.
fn begins_with_default(config: &Config) -> bool {
    config.entrypoints.contains_key(plan::DEFAULT) && !plan::has_app(config)
}

fn default_sources() -> Sources {
    Sources {
        main: PathBuf::new(),
        main_required: false,
        drop_ins: None,
        extra: vec![("the default config".to_owned(), DEFAULT.to_owned())],
    }
}

/// What `try` needs on top of the config: SSH and the page on loopback only, and the made key for everyone who can log
/// in at all. Everything else, and what the end of the app means, stays as the config has it.
fn drop_in(config: &Config, ssh_port: u16) -> String {
    let made = KeySource::From(KeyPlace::Env(KEY_VARIABLE.to_owned()));
    let mut users = serde_json::Map::new();
    for (name, user) in &config.users {
        // A user without a list takes the usual variables, the made key's among them.
        if let Some(keys) = &user.authorized_keys {
            let keys: Vec<_> = keys.iter().chain((!keys.contains(&made)).then_some(&made)).collect();
            users.insert(name.clone(), json!({ "authorized_keys": keys }));
        }
    }
    if root_may_log_in(config) && !config.users.contains_key(ROOT) {
        users.insert(ROOT.to_owned(), json!({ "authorized_keys": [made] }));
    }
    // A page would be an app, and keep the entrypoint `default` from being taken.
    let mut app = json!({ "page": !begins_with_default(config), "page_address": "127.0.0.1" });
    if let Some(wanted) = config.app.as_ref().filter(|app| !app.page) {
        app["policy"] = json!(wanted.policy.unwrap_or(Policy::Critical));
    }
    let all = json!({ "users": users, "ssh": { "port": ssh_port, "listen": ["127.0.0.1"] }, "app": app });
    // JSON is YAML, but for the dollar sign of variables, which have been replaced already.
    format!("{all:#}\n").replace('$', "$$")
}

/// The container's environment: what every container has, and of the caller's what it needs to reach the network and
/// to speak the caller's language.
fn environment(caller: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let own = [("HOME", "/root"), ("PATH", DEFAULT_PATH)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let passed = caller.filter(|(name, _)| PASSED.contains(&name.as_str()) || name.starts_with("LC_"));
    sorted::map(passed.chain(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN0mZmKwFwVqPpcuHJlOMC2qCWy0TtOyYjYLkWM0p0bi me@laptop";

    /// The config as the container loads it: a text with what `try` lays over it.
    fn tried(text: &str) -> (Settings, Config) {
        let environment = environment(std::iter::empty());
        let alone = Sources { extra: vec![("config".into(), text.into())], ..default_sources() };
        let config = config::load(&alone, &environment).unwrap().config;
        let options = cli::Try { config: None, keep: None, ssh_port: 4444, main: Vec::new() };
        let settings = Settings::new(text.to_owned(), &config, environment.clone(), &options);
        let mut both = alone;
        both.extra.push(("zz-try.yaml".into(), settings.drop_in.clone()));
        let loaded = config::load(&both, &environment).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        (settings, loaded.config)
    }

    fn keys(config: &Config, user: &str) -> Option<usize> {
        config.users[user].authorized_keys.as_ref().map(Vec::len)
    }

    #[test]
    fn the_default_config_has_a_user_a_page_and_root_all_on_loopback() {
        let (settings, config) = tried(DEFAULT);
        assert_eq!(settings.users, ["dev", "root"]);
        assert!(config.users["dev"].sudo);
        assert_eq!(keys(&config, "dev"), None);
        assert_eq!(keys(&config, "root"), Some(1));
        assert_eq!((config.ssh.port, config.ssh.listen), (4444, vec!["127.0.0.1".to_owned()]));
        let app = config.app.unwrap();
        assert!(app.page && app.page_address.unwrap().is_loopback());
        assert_eq!(settings.app_port, 27015);
    }

    #[test]
    fn without_any_config_root_can_log_in_and_there_is_a_page() {
        let (settings, config) = tried("{}");
        assert_eq!(settings.users, ["root"]);
        assert!(config.app.unwrap().page);
    }

    #[test]
    fn lists_of_keys_are_kept_and_the_made_key_is_added_once() {
        let text = format!(
            "users: {{a: {{authorized_keys: ['{KEY}', {{file: '/a$${{b}}'}}]}}, b: {{authorized_keys: [{{env: PUBLIC_KEY}}]}}, c: {{authorized_keys: []}}}}"
        );
        let (_, config) = tried(&text);
        assert_eq!(["a", "b", "c"].map(|user| keys(&config, user)), [Some(3), Some(1), Some(1)]);
        let kept = config.users["a"].authorized_keys.as_ref().unwrap();
        assert_eq!(kept[0], KeySource::Key(KEY.to_owned()));
        assert_eq!(kept[1], KeySource::From(KeyPlace::File("/a${b}".into())));
    }

    #[test]
    fn a_root_that_may_not_log_in_is_left_alone() {
        let (settings, config) = tried("{ssh: {permit_root_login: 'no'}, users: {dev: {}}}");
        assert_eq!(settings.users, ["dev"]);
        assert!(!config.users.contains_key("root"));
    }

    #[test]
    fn the_page_does_not_change_what_the_end_of_the_app_means() {
        let policy = |text: &str| tried(text).1.app.unwrap().policy;
        assert_eq!(policy("{app: {command: [a]}}"), Some(Policy::Critical));
        assert_eq!(policy("{app: {command: [a], policy: degraded}}"), Some(Policy::Degraded));
        assert_eq!(policy("{app: {command: [a], page: true}}"), None);
    }

    #[test]
    fn the_ports_are_those_that_will_be_used() {
        let numbers = |text: &str| tried(text).0.ports().iter().map(|port| port.number).collect::<Vec<_>>();
        assert_eq!(numbers("{app: {port: 9000}}"), [4444, 9000]);
        assert_eq!(numbers("{ssh: {enabled: false}}"), [27015]);
    }

    #[test]
    fn proxies_and_language_are_passed_on_and_secrets_are_not() {
        let caller = [
            ("https_proxy", "http://proxy:3128"),
            ("LC_ALL", "C.UTF-8"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("SSH_AUTH_SOCK", "/tmp/agent"),
            ("PATH", "/home/me/bin"),
            ("HOME", "/home/me"),
        ];
        let passed = environment(caller.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter());
        assert_eq!(passed.keys().collect::<Vec<_>>(), ["HOME", "LC_ALL", "PATH", "https_proxy"]);
        assert_eq!((passed["HOME"].as_str(), passed["PATH"].as_str()), ("/root", DEFAULT_PATH));
    }

    #[test]
    fn an_entrypoint_has_the_terminal_as_a_given_command_has() {
        let entrypoints = "entrypoints: {default: {command: [bash, -l]}, build: {command: [make]}}";
        let (settings, config) = tried(&format!("version: 1\n{entrypoints}\n"));
        assert!(settings.foreground && !plan::has_app(&config));
        assert!(settings.ports().iter().all(|port| port.purpose == "SSH"));
        // An app goes before the entrypoint `default`, and not before one that is asked for.
        let with_app = format!("version: 1\n{entrypoints}\napp: {{command: [sleep, \"9\"]}}\n");
        let (settings, config) = tried(&with_app);
        assert!(!settings.foreground && plan::has_app(&config));
        let options = cli::Try { config: None, keep: None, ssh_port: 4444, main: Vec::new() };
        for (name, value, foreground) in [
            ("DEVINIT_ENTRYPOINT", "build", true),
            ("SYGALDRY_ENTRYPOINT", "build", true),
            ("DEVINIT_ENTRYPOINT", "", false),
        ] {
            let environment = environment(std::iter::once((name.to_owned(), value.to_owned())));
            assert_eq!(Settings::new(String::new(), &config, environment, &options).foreground, foreground, "{value}");
        }
        let (settings, config) = tried(DEFAULT);
        assert!(!settings.foreground && plan::has_app(&config));
    }
}
