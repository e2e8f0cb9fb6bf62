//! What must not reach the disk or a screen.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Task;
use crate::config::Config;
use crate::config::first_run::{Mirrors, Proxies, Step};
use crate::fetch::client::base64;
use crate::note::Note;
use crate::prepare::environment::is_proxy;
use crate::secret::{self, decoded};
use crate::sorted;

/// Shorter ones are left to the texts around them: without each `a`, no log could be read.
const SHORTEST: usize = 4;

/// The shortest value of a variable that is a secret by its name: `true` and `none` are none.
const SHORTEST_VALUE: usize = 6;

/// Proxies as they are written and what is in them, the credentials of other URLs, and the values of variables that are
/// secrets by their names: `${HF_TOKEN}` in a step has become its value by now. Longest first, so that a whole URL goes
/// before a part of it.
pub(super) fn all(config: &Config, proxies: &Proxies, tasks: &[Task]) -> Vec<String> {
    let mut secrets = Vec::new();
    for url in [&proxies.http, &proxies.https, &proxies.all].into_iter().flatten() {
        of_proxy(url, &mut secrets);
    }
    // A step may have some of its own, and npm has variables of its own.
    let variables = tasks.iter().flat_map(|task| &task.environment);
    for (_, url) in variables.filter(|(name, _)| is_proxy(name) && !name.eq_ignore_ascii_case("no_proxy")) {
        if !secrets.contains(url) {
            of_proxy(url, &mut secrets);
        }
    }
    for url in urls(config) {
        of_credentials(url, &mut secrets);
    }
    of_texts(&serde_json::to_value(&config.first_run.steps).unwrap_or_default(), &mut secrets);
    tasks.iter().for_each(|task| of_variables(&task.environment, &mut secrets));
    secrets.retain(|secret| secret.len() >= SHORTEST);
    sorted::sort_by(&mut secrets, |a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    secrets.dedup();
    secrets
}

/// What is said of credentials that cannot be kept from the disk: pixi and micromamba take channels as arguments only.
pub(super) fn note(config: &Config) -> Option<Note> {
    let conda = config.first_run.mirrors.conda.as_ref();
    let channels = config.first_run.steps.iter().filter_map(|step| match step {
        Step::Pixi(pixi) if !pixi.global.is_empty() => Some(&pixi.channels),
        Step::Micromamba(micromamba) if !micromamba.environments.is_empty() => Some(&micromamba.channels),
        _ => None,
    });
    let is_open = |url: &String| secret::credentials(url).next().is_some();
    channels.into_iter().any(|channels| channels.iter().chain(conda).any(is_open)).then(|| {
        Note::warning(
            "the URL of a conda channel or mirror has a password in it: pixi and micromamba show it to all users while \
             they run, and keep it in their files; give them one that needs none",
        )
    })
}

/// Where the config says that things come from.
fn urls(config: &Config) -> impl Iterator<Item = &str> {
    let Mirrors { github, node, claude, conda, pypi, npm } = &config.first_run.mirrors;
    let mirrors = [github, node, claude, conda, pypi, npm].into_iter().flatten();
    let steps = config.first_run.steps.iter().filter_map(|step| match step {
        Step::Download(download) => download.url.as_ref(),
        Step::Git(git) => git.url.as_ref(),
        _ => None,
    });
    mirrors.chain(steps).map(String::as_str)
}

/// The credentials of URLs anywhere in a step: `git+https://me:word@host/package`.
fn of_texts(what: &Value, secrets: &mut Vec<String>) {
    match what {
        Value::String(text) => of_text(text, secrets),
        Value::Array(values) => values.iter().for_each(|value| of_texts(value, secrets)),
        Value::Object(members) => members.values().for_each(|value| of_texts(value, secrets)),
        _ => {}
    }
}

fn of_variables(variables: &BTreeMap<String, String>, secrets: &mut Vec<String>) {
    for (name, value) in variables.iter().filter(|(name, _)| !is_proxy(name)) {
        let is_path = value.starts_with('/');
        if secret::is_by_name(name) && value.len() >= SHORTEST_VALUE && !is_path && !secrets.contains(value) {
            secrets.push(value.clone());
        }
        of_text(value, secrets);
    }
}

/// The credentials of the URLs in a text.
fn of_text(text: &str, secrets: &mut Vec<String>) {
    for credentials in secret::credentials(text) {
        if !secrets.iter().any(|known| known == credentials) {
            forms(credentials, secrets);
        }
    }
}

fn of_proxy(url: &str, secrets: &mut Vec<String>) {
    let url = url.trim();
    secrets.push(url.to_owned());
    of_credentials(url, secrets);
    let host = split(url).1;
    // A word alone, such as `proxy`, stands in many a text.
    if host.contains([':', '.']) {
        secrets.push(host.to_owned());
    }
}

fn of_credentials(url: &str, secrets: &mut Vec<String>) {
    if let Some(credentials) = split(url).0 {
        forms(credentials, secrets);
    }
}

/// `USER:PASSWORD`, and the password alone: as it is written, as it is meant, as others write it, and in the header of
/// a request, which programs print when they are asked to say more.
fn forms(credentials: &str, secrets: &mut Vec<String>) {
    let password = credentials.split_once(':').map_or(credentials, |(_, password)| password);
    for text in [credentials, password] {
        let meant = decoded(text);
        let encoded = encoded(&meant);
        secrets.extend([text.to_owned(), encoded.to_lowercase(), encoded, meant]);
    }
    let meant = decoded(credentials);
    let both = if meant.contains(':') { meant } else { format!("{meant}:") };
    secrets.push(base64(both.as_bytes()));
}

/// The credentials and the `HOST:PORT` of a URL, which may lack its scheme.
fn split(url: &str) -> (Option<&str>, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    // A password may have a slash in it that should not be there: up to the last `@` it may all be secret.
    let (credentials, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => (Some(credentials), rest),
        None => (None, rest),
    };
    (credentials, rest.split(['/', '?', '#']).next().unwrap_or_default())
}

/// With all but letters, digits and `-._~` as `%40` and its like.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
