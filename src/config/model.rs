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

/// Declares the kinds of processes: what all of them can be told stands once, and [`Process`] is the view of it.
macro_rules! processes {
    (
        common { $( $(#[$about:meta])* $key:ident: $type:ty, )+ }
        $(#[$outer:meta])* struct $name:ident { $($own:tt)+ }
        $($rest:tt)*
    ) => {
        /// What every process can be told, of a service or of the app.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "they are documented where they are declared")]
        pub struct Process<'a> {
            pub command: Option<&'a Command>,
            pub policy: Option<Policy>,
            $( pub $key: &'a $type, )+
        }
        processes! { @each { $( $(#[$about])* $key: $type, )+ } $(#[$outer])* struct $name { $($own)+ } $($rest)* }
    };
    ( @each $common:tt $( $(#[$outer:meta])* struct $name:ident $own:tt )+ ) => {
        $( processes! { @one $common $(#[$outer])* struct $name $own } )+
    };
    (
        @one { $( $(#[$about:meta])* $key:ident: $type:ty, )+ }
        $(#[$outer:meta])* struct $name:ident { $( $(#[$about_own:meta])* $own:ident: $type_own:ty, )+ }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $( $(#[$about_own])* pub $own: $type_own, )+
            $( $(#[$about])* pub $key: $type, )+
        }

        impl $name {
            /// What it has in common with other processes.
            #[must_use]
            pub fn process(&self) -> Process<'_> {
                Process { command: self.command.as_ref(), policy: self.policy, $( $key: &self.$key, )+ }
            }
        }
    };
}

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
    /// Commands to choose from when the container starts, by name: `DEVINIT_ENTRYPOINT` (or `SYGALDRY_ENTRYPOINT`) says which.
    pub entrypoints: BTreeMap<String, Entrypoint>,
    /// What the image needs of the GPU's driver.
    pub gpu: Gpu,
    /// Long jobs: `devinit job`.
    pub jobs: Jobs,
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

processes! {
    common {
        /// As whom: a name or a uid. Without one: root, or whoever devinit runs as.
        user: Option<String>,
        /// Further groups, by name or number, instead of those that the user has.
        #[schemars(schema_with = "schema::names")]
        groups: Option<Vec<String>>,
        /// Working folder. Without one: the container's.
        directory: Option<PathBuf>,
        /// Variables for this process only, over all others.
        #[schemars(schema_with = "schema::environment")]
        environment: BTreeMap<String, String>,
        /// Files of `NAME=VALUE` lines that go over `environment`, read as the process's user each time that it is started.
        environment_files: Vec<PathBuf>,
        /// Services that have to be ready first; a oneshot: that have to have succeeded.
        after: Vec<String>,
        /// When it is started again.
        restart: Restart,
        /// How it is started again.
        backoff: Backoff,
        /// How to tell that it is ready. Without one a service is ready as soon as it runs, and the app when it listens on its
        /// port.
        ready: Option<Ready>,
        /// Once it is ready it has to say `WATCHDOG=1` to NOTIFY_SOCKET at least this often, or it is restarted.
        #[serde(with = "duration::optional")]
        #[schemars(with = "Option<String>")]
        watchdog: Option<Duration>,
        /// How it is stopped.
        stop: Stop,
        /// A command that is run each time that it ended: with its exit code (256: it was killed), the signal that killed it (0:
        /// none) and its name as further arguments, for at most 5s. If it exits with 125, the process is not started again.
        finish: Option<Command>,
        /// Where its output goes.
        log: Log,
        /// File mode creation mask, as in `"022"`.
        #[schemars(schema_with = "schema::text_or_number")]
        umask: Option<String>,
        /// Niceness: -20 (served first) to 19.
        #[schemars(range(min = -20, max = 19))]
        nice: Option<i32>,
        /// Whether the kernel takes it first when memory runs out: -1000 (never) to 1000 (first).
        #[schemars(range(min = -1000, max = 1000))]
        oom_score_adj: Option<i32>,
        /// Limits as of `ulimit`, by name (`nofile`, `core`, `memlock`, `nproc`, `stack`, …): a number, `unlimited`, or
        /// `SOFT:HARD` of these; bytes may have a unit, as in `64MiB`.
        #[schemars(schema_with = "schema::limits")]
        limits: BTreeMap<String, String>,
        /// Capabilities that it, and all that it starts, can never have: `NET_RAW`, or `ALL`.
        drop_capabilities: Vec<String>,
        /// Whether nothing that it runs can gain rights, not even sudo.
        no_new_privileges: bool,
    }

    /// A process that runs beside sshd and the app.
    struct Service {
        /// What is run: a list as it stands, a string by `/bin/sh -c`.
        command: Option<Command>,
        /// Whether it runs once and ends, rather than all the time.
        oneshot: bool,
        /// How long a oneshot may run. Without one: as long as it likes.
        #[serde(with = "duration::optional")]
        #[schemars(with = "Option<String>")]
        timeout: Option<Duration>,
        /// Whether it is started only when someone asks for it: `devinit start NAME`.
        manual: bool,
        /// Again and again: a duration (`10m`: at the boot, and so long after each start), a cron expression in the container's
        /// time zone (`30 3 * * mon`: minute, hour, day, month, weekday), or `@hourly`, `@daily`, `@weekly`, `@monthly`. It is
        /// a oneshot then.
        every: Option<String>,
        /// What happens when it ended for good. Without one: `degraded`.
        policy: Option<Policy>,
    }

    /// The app: the process that the image is for.
    struct App {
        /// What is run: a list as it stands, a string by `/bin/sh -c`. Without one only the page is served.
        command: Option<Command>,
        /// The port that it is reached on.
        port: AppPort,
        /// What happens when it ended for good. Without one: `critical`, or `degraded` where there is a page to say so.
        policy: Option<Policy>,
        /// Serve devinit's own status page on the port while there is no app to do so.
        page: bool,
        /// The address that the page listens on. Without one: all of them.
        page_address: Option<IpAddr>,
    }
}

/// How a process that ended is started again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// The least time between its start and the first restart; it doubles with each failure in a row. What has run for
    /// longer comes again at once. Without one: 250ms.
    #[serde(with = "duration::optional")]
    #[schemars(with = "Option<String>")]
    pub first: Option<Duration>,
    /// The longest pause. Without one: 30s.
    #[serde(with = "duration::optional")]
    #[schemars(with = "Option<String>")]
    pub longest: Option<Duration>,
    /// Ready for so long it has recovered, and its failures are counted anew. Without one: 30s.
    #[serde(with = "duration::optional")]
    #[schemars(with = "Option<String>")]
    pub stable: Option<Duration>,
    /// After how many failures in a row it is given up; 0: never. Without one: 5.
    pub give_up_after: Option<u32>,
}

/// Where output goes: one of the words, or a mapping.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Log {
    /// One word.
    To(LogTo),
    /// In detail.
    Set(LogSettings),
}

impl Default for Log {
    fn default() -> Self {
        Self::To(LogTo::Inherit)
    }
}

/// Where output goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogTo {
    /// To the container's output, as it is.
    #[default]
    Inherit,
    /// To the container's output, with the name in front of each line.
    Prefix,
    /// To a file that is rotated.
    File,
    /// To both, with the name in front of each line of the container's output.
    Both,
}

/// Where output goes, and in which form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Where it goes.
    pub to: LogTo,
    /// `json`: each line as a JSON object with time, service and line.
    pub format: LogFormat,
    /// The file. Without one: `/var/log/devinit/NAME.log`.
    pub path: Option<PathBuf>,
    /// How large the file may get before a new one is begun: `10MiB`, at least `4KiB`. Without one: 10MiB.
    #[schemars(schema_with = "schema::text_or_number")]
    pub size: Option<String>,
    /// How many older files are kept. Without one: 5.
    #[schemars(range(max = 1000))]
    pub keep: Option<u32>,
}

/// The form of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// As they are; in a file with the time in front.
    #[default]
    Text,
    /// A JSON object each.
    Json,
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

/// How to tell that a process is ready: exactly one of http, tcp, path, command, notify and fd.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ready {
    /// A URL that answers: unless `status` says otherwise, with a status below 400, or with 401 or 403 ("up, and it asks who
    /// you are").
    pub http: Option<String>,
    /// The status that `http` has to answer with: `200`, or a range as in `200-299`.
    #[schemars(schema_with = "schema::text_or_number")]
    pub status: Option<String>,
    /// What has to stand somewhere in the body that `http` answers with.
    pub body: Option<String>,
    /// The Host header that `http` asks with, where it is not the URL's host.
    pub host: Option<String>,
    /// A port on 127.0.0.1 that accepts connections.
    #[schemars(range(min = 1))]
    pub tcp: Option<u16>,
    /// A path that exists.
    pub path: Option<PathBuf>,
    /// A command that exits with 0.
    pub command: Option<Command>,
    /// `true`: it says so itself, by `READY=1` to NOTIFY_SOCKET (sd_notify).
    pub notify: Option<bool>,
    /// It says so itself, by a newline written to this descriptor (as for s6): 3 or above.
    #[schemars(range(min = 3, max = 255))]
    pub fd: Option<i32>,
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

/// A command to choose when the container starts. It is the main command then, and the arguments behind `--` are its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Entrypoint {
    /// What it is for: `devinit entrypoints` shows it.
    pub description: Option<String>,
    /// What is run: a list as it stands, a string by `/bin/sh -c`.
    pub command: Option<Command>,
    /// What becomes of the arguments behind `--`.
    pub arguments: Arguments,
    /// As whom: a name or a uid. Without one: root, or whoever devinit runs as.
    pub user: Option<String>,
    /// Working folder. Without one: the container's.
    pub directory: Option<PathBuf>,
    /// Variables for this command only, over all others.
    #[schemars(schema_with = "schema::environment")]
    pub environment: BTreeMap<String, String>,
    /// What follows when it has ended.
    pub then: Then,
    /// Run it as a job of this name, with a status file and a log.
    pub job: Option<String>,
}

/// What becomes of the arguments that follow `--` on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arguments {
    /// They are put behind the command's own.
    #[default]
    Append,
    /// They are run instead of the command, if there are any.
    Replace,
    /// There must be none.
    Refuse,
}

/// What follows when an entrypoint's command has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// The container ends with its exit code.
    #[default]
    Exit,
    /// A login shell of the same user, if there is a terminal; otherwise as `exit`.
    Shell,
}

/// What the image needs of the GPU's driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gpu {
    /// The CUDA version that the driver has to support, as in `"12.9"`. Without one: what the image was built with
    /// (`CUDA_VERSION`), within which an older driver of the same major version will do.
    #[schemars(schema_with = "schema::text_or_number")]
    pub cuda: Option<String>,
    /// What happens if it does not.
    pub on_mismatch: OnMismatch,
}

/// What happens if the GPU's driver does not support what the image needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnMismatch {
    /// It is said.
    #[default]
    Warn,
    /// Programs see no GPU: `CUDA_VISIBLE_DEVICES` is empty, and `NVIDIA_CPU_ONLY` is 1.
    Disable,
    /// The config cannot be used, and `on_error` says what then.
    Fail,
}

/// Long jobs: `devinit job`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Jobs {
    /// The folder of status files and logs: shared storage that outlives the container. Without one: `/var/lib/devinit/jobs`
    /// for root, and `~/.local/state/devinit/jobs` for others.
    pub directory: Option<PathBuf>,
    /// How many logs of each job are kept. Without one: 20.
    #[schemars(range(min = 1))]
    pub keep: Option<u32>,
    /// For how long logs of jobs that have ended are kept. Without one: for ever.
    #[serde(with = "duration::optional")]
    #[schemars(with = "Option<String>")]
    pub keep_for: Option<Duration>,
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
