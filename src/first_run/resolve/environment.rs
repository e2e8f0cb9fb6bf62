//! The environment of the programs that tasks run.

use std::collections::BTreeMap;
use std::path::Path;

use super::Ground;
use crate::config::Config;
use crate::config::first_run::{Proxies, Proxy};
use crate::config::model::{KeyPlace, KeySource, Password};
use crate::fetch::inherited;
use crate::first_run::trust::can_change;
use crate::prepare::accounts::Account;
use crate::prepare::environment::{for_services, is_proxy, merge};

type Environment = BTreeMap<String, String>;

/// What all tasks have: the container's variables with the config's over them, without what devinit uses up itself.
pub(super) fn base(config: &Config, ground: &Ground) -> Environment {
    for_services(&merge(&ground.environment, &config.environment, &config.path), &consumed(config))
}

/// Variables that the config names as the source of a password or of keys.
fn consumed(config: &Config) -> Vec<String> {
    let passwords = config.users.values().filter_map(|user| match &user.password {
        Some(Password::Env(name)) => Some(name.clone()),
        _ => None,
    });
    let keys = config.users.values().flat_map(|user| user.authorized_keys.iter().flatten());
    let keys = keys.filter_map(|source| match source {
        KeySource::From(KeyPlace::Env(name)) => Some(name.clone()),
        _ => None,
    });
    passwords.chain(keys).collect()
}

/// The environment of one task. `own` is what its step sets, over all others.
pub(super) fn of_task(base: &Environment, account: &Account, path: &str, own: &Environment) -> Environment {
    let mut environment = base.clone();
    let variables = [
        ("HOME", account.home.to_string_lossy().into_owned()),
        ("USER", account.name.clone()),
        ("LOGNAME", account.name.clone()),
        ("SHELL", account.shell.to_string_lossy().into_owned()),
        ("PATH", path.to_owned()),
    ];
    environment.extend(variables.map(|(name, value)| (name.to_owned(), value)));
    environment.extend(own.clone());
    environment
}

/// Variables from which programs learn what to run or to load, and where to keep it: by the beginnings of their names.
const LEADING: [&str; 22] = [
    "LD_",
    "PYTHON",
    "PIP_",
    "UV_",
    "PERL",
    "RUBY",
    "GEM_",
    "NODE_",
    "NPM_CONFIG_",
    "BUN_",
    "GIT_",
    "XDG_",
    "PIXI_",
    "CONDA_",
    "MAMBA_",
    "CARGO_",
    "RUSTUP_",
    "GOPATH",
    "GOBIN",
    "BASH_ENV",
    "APT_CONFIG",
    "TMPDIR",
];

/// Takes from root's environment the variables that lead programs to where the user can change things, as image and
/// config have them for the user: `PYTHONUSERBASE=/home/peid/.local`. Returns their names. A step may still set them.
pub(super) fn take_users(environment: &mut Environment, user: &Account) -> Vec<String> {
    let leads = |name: &str| {
        let name = name.to_ascii_uppercase();
        name == "ENV" || LEADING.iter().any(|leading| name.starts_with(leading))
    };
    let is_users = |value: &str| {
        let paths = value.split([':', ' ', '=', ',', ';']).filter(|part| part.starts_with('/'));
        paths.map(Path::new).any(|path| can_change(user, path))
    };
    let taken: Vec<String> = environment
        .iter()
        .filter(|(name, value)| leads(name) && is_users(value))
        .map(|(name, _)| name.clone())
        .collect();
    environment.retain(|name, _| !taken.contains(name));
    taken
}

/// The variables that programs take proxies from; each stands in small letters as well.
const PROXIES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// The proxies that the config, or else the variables, ask for.
pub(super) fn proxies(wanted: &Proxy, environment: &Environment) -> Proxies {
    match wanted {
        Proxy::None => Proxies::default(),
        Proxy::Set(proxies) => proxies.clone(),
        Proxy::Inherit => inherited(|name| environment.get(name).cloned()),
    }
}

/// Makes the variables say what the config does: programs look at the ones in capitals, or in small letters, or both.
pub(super) fn set_proxies(wanted: &Proxy, environment: &mut Environment) {
    if !matches!(wanted, Proxy::Inherit) {
        environment.retain(|name, _| !is_proxy(name));
    }
    let Proxies { http, https, all, no_proxy } = proxies(wanted, environment);
    // apt, npm and others don't know ALL_PROXY. What they make of socks is for them to say, so that stays where it is.
    let for_each = match wanted {
        Proxy::Set(_) => all.clone().filter(|url| !url.starts_with("socks")),
        _ => None,
    };
    let values = [http.or_else(|| for_each.clone()), https.or(for_each), all, no_proxy];
    for (name, value) in PROXIES.iter().zip(values) {
        let Some(value) = value else { continue };
        for name in [(*name).to_owned(), name.to_ascii_lowercase()] {
            let variable = environment.entry(name).or_default();
            if variable.is_empty() {
                variable.clone_from(&value);
            }
        }
    }
}
