//! What the user writes: one struct per section of the config.
//!
//! These types carry no behaviour. The reference and the JSON Schema are made from their doc comments,
//! so a comment here is written for the person who writes the YAML.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::first_run::{FirstRun, Proxy};
use super::{duration, schema};

/// devinit's config: `/etc/devinit/config.yaml` with the drop-ins of `/etc/devinit/conf.d` merged over it.
///
/// In values, `${VAR}` and `${VAR:-default}` are replaced by the container's variables. `$$` is a dollar sign: a shell
/// command gets `${VAR}` by writing `$${VAR}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The version of this format. Only 1 exists.
    pub version: Version,
    /// The users that exist after boot, by name. Without this section: root, with the keys of the usual variables.
    pub users: BTreeMap<String, User>,
    /// The SSH server.
    pub ssh: Ssh,
    /// Variables for the app, the services, hooks and SSH sessions. They go over the container's own environment.
    #[schemars(schema_with = "schema::environment")]
    pub environment: BTreeMap<String, String>,
    /// Folders put in front of PATH, everywhere.
    pub path: Vec<String>,
    /// Proxies for the first run.
    pub proxy: Proxy,
    /// What is installed the first time.
    pub first_run: FirstRun,
    /// Scripts that run at set moments.
    pub hooks: Hooks,
    /// Processes that run beside sshd and the app, by name.
    pub services: BTreeMap<String, Service>,
    /// The app on port 27015. Without one the image is SSH-only and stays up.
    pub app: Option<App>,
    /// What is done with the entrypoint of an NVIDIA base image.
    pub base_entrypoint: BaseEntrypoint,
    /// The greeting at boot and in interactive logins.
    pub greeting: Greeting,
    /// What happens when the config cannot be used.
    pub on_error: OnError,
    /// The end of the container.
    pub shutdown: Shutdown,
}

/// The version of the config format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum Version {
    /// The only one so far.
    #[default]
    V1,
}

/// A user account and who may log in to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct User {
    /// User id, 0 to 4294967294. Without one an existing account keeps its own, and a new one gets the first free id
    /// from 1000.
    #[schemars(range(max = 4_294_967_294u32))]
    pub uid: Option<u32>,
    /// Id of the primary group. Without one an existing account keeps its own, and a new one gets its uid's number if
    /// that is free.
    #[schemars(range(max = 4_294_967_294u32))]
    pub gid: Option<u32>,
    /// Login shell. Without one: what the account has, or /bin/bash, or /bin/sh where there is no bash.
    pub shell: Option<PathBuf>,
    /// Home folder. Without one: what the account has, or /home/NAME.
    pub home: Option<PathBuf>,
    /// Further groups, made where they are missing.
    pub groups: Vec<String>,
    /// May use sudo without a password (needs sudo in the image).
    pub sudo: bool,
    /// Where the password comes from. Without one the account has no password and is reached by key.
    pub password: Option<Password>,
    /// Who may log in by key. Without this list: the usual variables (PUBLIC_KEY and its kin). An empty list: nobody.
    pub authorized_keys: Option<Vec<KeySource>>,
    /// Take the uid and gid of this folder (a mounted volume), unless it belongs to root.
    pub uid_from: Option<PathBuf>,
    /// What to do if the uid or gid is taken by another account.
    pub on_collision: OnCollision,
}

/// Where a password comes from: exactly one of these.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "one of `{file: PATH}`, `{env: NAME}`, `{hash: HASH}` and `{text: PASSWORD}`"
)]
pub enum Password {
    /// A file that holds it; a trailing newline is trimmed.
    File(PathBuf),
    /// A variable that holds it; it is not passed on to anything.
    Env(String),
    /// A crypt(5) hash, as in /etc/shadow.
    Hash(String),
    /// The password itself. Warned about: everyone who can read the image can read it.
    Text(String),
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Env(name) => write!(f, "Env({name})"),
            Self::Hash(_) => f.write_str("Hash(…)"),
            Self::Text(_) => f.write_str("Text(…)"),
        }
    }
}

/// Where authorized keys come from: a string is a key, else one of these.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum KeySource {
    /// An authorized_keys line.
    Key(String),
    /// A place to read keys from.
    From(KeyPlace),
}

/// A place that holds authorized keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyPlace {
    /// A variable; several keys are split at newlines, at a literal `\n`, and at a comma before a key type.
    Env(String),
    /// A file such as /run/secrets/peid.pub.
    File(PathBuf),
    /// A folder: every regular file in it is read.
    Directory(PathBuf),
    /// An http or https URL, fetched after sshd is up.
    Url(String),
    /// A GitHub account, whose public keys are fetched after sshd is up.
    Github(String),
}

/// What to do when a uid or gid that the config asks for belongs to another account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnCollision {
    /// Leave both as they are and say so; the user is not made.
    #[default]
    Error,
    /// Share the id: both names stand for it.
    Reuse,
    /// The account that has the id is renamed to the wanted name.
    Rename,
    /// The account that has the id is moved to a free one.
    Move,
}

/// The SSH server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ssh {
    /// Whether sshd runs. Without sshd in the image devinit says so and goes on.
    pub enabled: bool,
    /// The port that sshd listens on.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// Addresses to listen on; empty: all.
    pub listen: Vec<String>,
    /// Whether a password opens the door. Keys always do.
    pub password_authentication: bool,
    /// Whether and how root may log in.
    pub permit_root_login: PermitRootLogin,
    /// X11 forwarding (`ssh -X`).
    pub x11_forwarding: bool,
    /// The folder that the host keys live in.
    pub host_keys: PathBuf,
    /// Whether sshd goes through PAM. Off: container images seldom have a PAM setup that works without systemd.
    pub use_pam: bool,
    /// Which of the container's variables SSH sessions get.
    pub environment: SshEnvironment,
}

impl Default for Ssh {
    fn default() -> Self {
        Self {
            enabled: true,
            port: 22,
            listen: Vec::new(),
            password_authentication: false,
            permit_root_login: PermitRootLogin::ProhibitPassword,
            x11_forwarding: true,
            host_keys: PathBuf::from("/var/lib/devinit/ssh"),
            use_pam: false,
            environment: SshEnvironment::default(),
        }
    }
}

/// sshd's PermitRootLogin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PermitRootLogin {
    /// By key or password.
    Yes,
    /// By key only.
    #[default]
    ProhibitPassword,
    /// Not at all.
    No,
}

/// What SSH sessions see of the container's environment: all of it, but for what devinit itself consumes,
/// proxies, what belongs to one process only, and these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SshEnvironment {
    /// Names that are not passed on; `*` stands for any characters.
    pub deny: Vec<String>,
}

/// Scripts that run at set moments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// Commands that run one after the other as root, before the services and the app; sshd does not wait for them.
    pub on_boot: Vec<Command>,
    /// Scripts that login shells source.
    pub on_login: Vec<PathBuf>,
}

/// A command: a list is executed as it stands, a string is given to `/bin/sh -c`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Command {
    /// Given to /bin/sh -c.
    Shell(String),
    /// The program and its arguments.
    Argv(#[schemars(schema_with = "schema::argv")] Vec<String>),
}

/// A process that runs beside sshd and the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// What is run: a list as it stands, a string by `/bin/sh -c`.
    pub command: Command,
    /// As whom: a name or a uid. Without one: root, or whoever devinit runs as.
    #[serde(default)]
    pub user: Option<String>,
    /// Working folder. Without one: the container's.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// Variables for this process only, over all others.
    #[serde(default)]
    #[schemars(schema_with = "schema::environment")]
    pub environment: BTreeMap<String, String>,
    /// Services that have to be ready first.
    #[serde(default)]
    pub after: Vec<String>,
    /// When it is started again.
    #[serde(default)]
    pub restart: Restart,
    /// How to tell that it is ready. Without one it is ready as soon as it runs.
    #[serde(default)]
    pub ready: Option<Ready>,
    /// How it is stopped.
    #[serde(default)]
    pub stop: Stop,
}

/// The app: the process that the image is for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct App {
    /// What is run: a list as it stands, a string by `/bin/sh -c`. Without one only the page is served.
    pub command: Option<Command>,
    /// As whom: a name or a uid. Without one: root, or whoever devinit runs as.
    pub user: Option<String>,
    /// Working folder. Without one: the container's.
    pub directory: Option<PathBuf>,
    /// Variables for the app only, over all others.
    #[schemars(schema_with = "schema::environment")]
    pub environment: BTreeMap<String, String>,
    /// Services that have to be ready first.
    pub after: Vec<String>,
    /// When it is started again. What happens when it is not, or is given up, is up to `policy`.
    pub restart: Restart,
    /// How to tell that it is ready. Without one it is ready when it listens on its port.
    pub ready: Option<Ready>,
    /// How it is stopped.
    pub stop: Stop,
    /// The port that it is reached on.
    pub port: AppPort,
    /// What happens when it ended for good. Without one: `critical`, or `degraded` where there is a page to say so.
    pub policy: Option<Policy>,
    /// Serve devinit's own status page on the port while there is no app to do so.
    pub page: bool,
    /// The address that the page listens on. Without one: all of them.
    pub page_address: Option<IpAddr>,
}

/// What happens when a process ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The container ends with its exit code.
    Critical,
    /// The container stays up, and health says that something is missing.
    Degraded,
}

/// The app's port, 27015 unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AppPort(#[schemars(range(min = 1))] pub u16);

impl Default for AppPort {
    fn default() -> Self {
        Self(27015)
    }
}

/// When a process that ended is started again: with growing pauses, and given up after too many failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Not at all.
    Never,
    /// When it failed: a non-zero exit code or a signal.
    #[default]
    OnFailure,
    /// Whenever it ends.
    Always,
}

/// How to tell that a process is ready: exactly one of http, tcp, path and command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ready {
    /// A URL that answers with a status below 400, or with 401 or 403 ("up, and it asks who you are").
    pub http: Option<String>,
    /// A port on 127.0.0.1 that accepts connections.
    #[schemars(range(min = 1))]
    pub tcp: Option<u16>,
    /// A path that exists.
    pub path: Option<PathBuf>,
    /// A command that exits with 0.
    pub command: Option<Command>,
    /// How long it may take before it counts as failed.
    #[serde(with = "duration::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
}

/// How a process is stopped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// The signal that asks it to end, by name. Without one: SIGTERM.
    pub signal: Option<String>,
    /// How long it may take before SIGKILL. Without one: 5s.
    #[serde(with = "duration::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
}

/// What is done with the base image's own entrypoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseEntrypoint {
    /// The main command and the app are started through /opt/nvidia/nvidia_entrypoint.sh where it exists.
    #[default]
    Auto,
    /// Nothing.
    None,
}

/// The greeting at boot and in interactive logins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Greeting {
    /// Whether there is one. DEVINIT_GREETING=0 and ~/.hushlogin switch it off as well.
    pub enabled: bool,
    /// Own text above the facts; `{hostname}`, `{user}`, `{os}`, `{gpu}` are replaced.
    pub text: Option<String>,
}

impl Default for Greeting {
    fn default() -> Self {
        Self { enabled: true, text: None }
    }
}

/// What happens when the config cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// sshd still comes up with the keys that can be found, so that someone can get in and mend it.
    #[default]
    Rescue,
    /// The container stops with exit code 78.
    Exit,
}

/// The end of the container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// How long everything together may take before SIGKILL. Docker gives 10 s before it kills the container.
    #[serde(with = "duration::required")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(9) }
    }
}
