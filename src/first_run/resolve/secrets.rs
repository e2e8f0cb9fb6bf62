//! What must not reach the disk or a screen.

use super::Task;
use super::environment::is_proxy;
use crate::config::Config;
use crate::config::first_run::{Mirrors, Proxies, Step};

/// Shorter ones are left to the texts around them: without each `a`, no log could be read.
const SHORTEST: usize = 4;

/// Proxies as they are written and what is in them, and the credentials of other URLs. Longest first, so that a whole
/// URL goes before a part of it.
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
    secrets.retain(|secret| secret.len() >= SHORTEST);
    secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    secrets.dedup();
    secrets
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

/// `USER:PASSWORD`, and the password alone, as it is written and as it is meant.
fn of_credentials(url: &str, secrets: &mut Vec<String>) {
    let Some(credentials) = split(url).0 else { return };
    let password = credentials.split_once(':').map_or(credentials, |(_, password)| password);
    for text in [credentials, password] {
        secrets.extend([text.to_owned(), decoded(text)]);
    }
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

/// With `%40` and its like replaced by what they stand for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = (first == b'%').then(|| after.get(..2)).flatten().filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let code = hex.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
