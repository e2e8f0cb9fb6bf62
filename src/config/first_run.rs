//! The sections `first_run` and `proxy` of the config.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{duration, schema};

/// What is installed the first time that a container, or a home, is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FirstRun {
    /// For whom it is installed, and as whom the steps run. Without one: the only user of `users` besides root, else root.
    pub user: Option<String>,
    /// How many steps run side by side.
    #[schemars(range(min = 1, max = 64))]
    pub parallel: u32,
    /// Whether the app waits until the steps have ended, well or not. Beside a main command there is no first run unless
    /// this is true.
    pub blocks_app: bool,
    /// Where downloads come from, instead of from where they are published.
    pub mirrors: Mirrors,
    /// A folder that `devinit first-run --download-only` has filled: nothing else is asked.
    pub bundle: Option<PathBuf>,
    /// Files with certificates (PEM) of authorities that are trusted on top of the system's.
    pub certificates: Vec<PathBuf>,
    /// What is done; steps that do not need each other run side by side.
    pub steps: Vec<Step>,
}

impl Default for FirstRun {
    fn default() -> Self {
        Self {
            user: None,
            parallel: 4,
            blocks_app: false,
            mirrors: Mirrors::default(),
            bundle: None,
            certificates: Vec::new(),
            steps: Vec::new(),
        }
    }
}

/// Where downloads come from: a URL of http or https, or `file:///FOLDER`, for each source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mirrors {
    /// Stands for `https://github.com`: releases, and repositories to clone.
    pub github: Option<String>,
    /// Stands for `https://nodejs.org/dist`.
    pub node: Option<String>,
    /// Stands for `https://downloads.claude.ai`.
    pub claude: Option<String>,
    /// Holds conda channels: `conda-forge` is a folder of it. For pixi and micromamba.
    pub conda: Option<String>,
    /// A simple index (PEP 503) of Python packages. For pip and uv.
    pub pypi: Option<String>,
    /// A registry of npm packages. For npm and bun.
    pub npm: Option<String>,
}

/// Proxies for the first run: `inherit` (the container's variables), `none`, or a mapping. Never written to disk.
#[derive(Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proxy {
    /// The container's own: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, or the same in small letters.
    #[default]
    Inherit,
    /// No proxy, whatever the container's variables say.
    None,
    /// These, and no others.
    #[serde(untagged)]
    Set(Proxies),
}

/// Proxies by what they are for.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Proxies {
    /// For URLs of http: `http://[USER:PASSWORD@]HOST:PORT`, or `socks5://…`.
    pub http: Option<String>,
    /// For URLs of https.
    pub https: Option<String>,
    /// For both, where there is none of their own.
    pub all: Option<String>,
    /// Hosts that are reached directly, parted by commas.
    pub no_proxy: Option<String>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Inherit => "Inherit",
            Self::None => "None",
            Self::Set(_) => "Set(…)",
        })
    }
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proxies(…)")
    }
}

/// What every step can have, whatever it does.
#[derive(Clone, Copy, Debug)]
pub struct Common<'a> {
    /// `name`.
    pub name: Option<&'a str>,
    /// `needs`.
    pub needs: &'a [String],
    /// `as`.
    pub run_as: Option<RunAs>,
    /// `creates`.
    pub creates: &'a [PathBuf],
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// `retries`.
    pub retries: Option<u32>,
    /// `environment`.
    pub environment: &'a BTreeMap<String, String>,
    /// `optional`.
    pub optional: bool,
}

/// As whom a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunAs {
    /// As the user of the first run, into that user's home.
    User,
    /// As root, for everyone: below /usr/local.
    Root,
}

macro_rules! steps {
    ($($(#[$comment:meta])* $kind:literal $name:ident { $($(#[$about:meta])* $field:ident: $type:ty,)* })*) => {
        /// A step: one of these, and what every step can have.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(expecting = "a step such as `uv: {}`")]
        pub enum Step {
            $($(#[$comment])* #[serde(rename = $kind)] $name($name),)*
        }

        impl Step {
            /// What it is, as it stands in the config: `claude-code`.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $kind,)* }
            }

            /// What it is called: its name, or else its kind.
            #[must_use]
            pub fn called(&self) -> &str {
                self.common().name.unwrap_or_else(|| self.kind())
            }

            /// What every step can have.
            #[must_use]
            pub fn common(&self) -> Common<'_> {
                match self {
                    $(Self::$name(step) => Common {
                        name: step.name.as_deref(),
                        needs: &step.needs,
                        run_as: step.run_as,
                        creates: &step.creates,
                        timeout: step.timeout,
                        retries: step.retries,
                        environment: &step.environment,
                        optional: step.optional,
                    },)*
                }
            }
        }

        $($(#[$comment])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$about])* pub $field: $type,)*
            /// What it is called in messages, in `needs` and in `--only`. Without one: its kind.
            pub name: Option<String>,
            /// Steps that have to be done first, by name.
            pub needs: Vec<String>,
            /// As whom: `user`, or `root` for everyone.
            #[serde(rename = "as")]
            pub run_as: Option<RunAs>,
            /// Paths that are there once it is done: if one is missing, it is done again. `~` is the user's home.
            pub creates: Vec<PathBuf>,
            /// How long one attempt may take. Without one: 30m.
            #[serde(with = "duration::optional")]
            #[schemars(with = "Option<String>")]
            pub timeout: Option<Duration>,
            /// How often it is tried again after a failure that may pass. Without one: 4.
            #[schemars(range(max = 20))]
            pub retries: Option<u32>,
            /// Variables for this step only, over all others.
            #[schemars(schema_with = "schema::environment")]
            pub environment: BTreeMap<String, String>,
            /// Whether the first run counts as done without it.
            pub optional: bool,
        })*
    };
}

steps! {
    /// pixi, the package manager.
    "pixi" Pixi {
        /// `0.77.0`, or `latest`.
        version: Option<String>,
        /// Checksum of the download; it goes over the published one.
        sha256: Option<String>,
        /// Packages for `pixi global install`.
        global: Vec<String>,
        /// Channels that these come from. Without any: conda-forge.
        channels: Vec<String>,
    }
    /// uv, the Python package manager.
    "uv" Uv {
        /// `0.12.5`, or `latest`.
        version: Option<String>,
        /// Checksum of the download; it goes over the published one.
        sha256: Option<String>,
        /// Versions for `uv python install`.
        python: Vec<String>,
        /// Packages for `uv tool install`.
        tools: Vec<String>,
    }
    /// Node.js with npm.
    "node" Node {
        /// `lts` (which it is without one), `latest`, `24`, or `24.19.0`.
        version: Option<String>,
        /// Checksum of the download; it goes over the published one.
        sha256: Option<String>,
        /// Packages for `npm install --global`.
        global: Vec<String>,
    }
    /// bun, the JavaScript runtime.
    "bun" Bun {
        /// `1.4.5`, or `latest`.
        version: Option<String>,
        /// Checksum of the download; it goes over the published one.
        sha256: Option<String>,
        /// Packages for `bun add --global`. Most of them want Node.js.
        global: Vec<String>,
    }
    /// Claude Code.
    "claude-code" ClaudeCode {
        /// `stable`, `latest` (which it is without one), or `2.1.0`.
        version: Option<String>,
        /// Checksum of the download; it goes over the published one.
        sha256: Option<String>,
    }
    /// Codex CLI.
    "codex" Codex {
        /// `0.169.0`, or `latest`.
        version: Option<String>,
        /// Checksum of the download; it goes over the published one.
        sha256: Option<String>,
    }
    /// A file from a URL or from a GitHub release, or what is in an archive.
    "download" Download {
        /// Where it is: http, https or file.
        url: Option<String>,
        /// Or the repository whose release it is part of: `Watfaq/clash-rs`.
        github: Option<String>,
        /// The release's file: `{arch}` is `x86_64` or `aarch64`, `{goarch}` is `amd64` or `arm64`, `{version}` is the
        /// tag without a leading `v`, `{tag}` is the tag.
        asset: Option<String>,
        /// The release: its tag, or `latest`.
        version: Option<String>,
        /// Where it goes: the file; the folder, if it is unpacked.
        to: PathBuf,
        /// Permissions of the file, in octal. Without them: 0644.
        mode: Option<String>,
        /// Checksum of the download.
        sha256: Option<String>,
        /// Unpack it (tar, tar.gz, tar.xz, tar.zst, zip).
        unpack: bool,
        /// How many leading folders of the names in the archive are left out.
        strip: u32,
        /// Take this one file out of the archive.
        member: Option<String>,
    }
    /// A script or a line of shell.
    "script" Script {
        /// The script; changing it makes it run again.
        path: Option<PathBuf>,
        /// Or a line for `/bin/sh -c`.
        run: Option<String>,
        /// Arguments for it.
        #[schemars(schema_with = "schema::argv")]
        args: Vec<String>,
        /// Working folder. Without one: the user's home.
        directory: Option<PathBuf>,
    }
    /// Debian packages. Always as root.
    "apt" Apt {
        /// Names, as apt-get takes them.
        packages: Vec<String>,
    }
    /// Python packages.
    "pip" Pip {
        /// Requirements, as pip takes them.
        packages: Vec<String>,
        /// Or files of them.
        requirements: Vec<PathBuf>,
        /// A constraints file. Without one: /opt/base-image-constraints.txt if there is one.
        constraints: Option<PathBuf>,
        /// The interpreter. Without one: python3.
        python: Option<PathBuf>,
        /// Install where a distribution asks to leave its own Python alone (PEP 668).
        break_system_packages: bool,
    }
    /// Packages for `npm install --global`.
    "npm" Npm {
        /// Names, as npm takes them.
        packages: Vec<String>,
    }
    /// micromamba, and environments made by it.
    "micromamba" Micromamba {
        /// `2.3.2-0`, or `latest`.
        version: Option<String>,
        /// Checksum of the download; it goes over the published one.
        sha256: Option<String>,
        /// Environments by name, each with its packages.
        environments: BTreeMap<String, Vec<String>>,
        /// Channels that these come from. Without any: conda-forge.
        channels: Vec<String>,
    }
    /// A clone of a git repository.
    "git" Git {
        /// Where it is.
        url: Option<String>,
        /// Or the repository on GitHub: `spack/spack`.
        github: Option<String>,
        /// A branch, a tag or a commit. Without one: the default branch.
        #[serde(rename = "ref")]
        reference: Option<String>,
        /// The folder that it is cloned to.
        to: PathBuf,
        /// How many commits of its history come along. Without one: all.
        #[schemars(range(min = 1))]
        depth: Option<u32>,
        /// Its submodules as well.
        submodules: bool,
    }
    /// ollama, and models.
    "ollama" Ollama {
        /// `0.13.0`, or `latest`.
        version: Option<String>,
        /// Checksum of the download; it goes over the published one.
        sha256: Option<String>,
        /// Models for `ollama pull`.
        models: Vec<String>,
    }
    /// code-server, VS Code in the browser.
    "code-server" CodeServer {
        /// `4.139.1`, or `latest`.
        version: Option<String>,
        /// Checksum of the download; it goes over the published one.
        sha256: Option<String>,
        /// Extensions for `code-server --install-extension`.
        extensions: Vec<String>,
    }
}
