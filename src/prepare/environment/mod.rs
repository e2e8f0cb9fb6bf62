//! Which variables go where: the app and services, SSH sessions, login shells.

mod profile;
mod users;

use std::collections::BTreeMap;

use super::keys::CONSUMED;
use crate::engine::spawn::DEFAULT_PATH;
use crate::sorted;

pub use profile::{HomeTools, Profile, profile_snippet, root_snippet};
pub use users::{EnvUser, FromEnvironment, users_from_environment};

/// Variables by name.
pub type Environment = BTreeMap<String, String>;

/// The environment of everything that devinit starts: the config's over the container's, the config's folders in front
/// of PATH, each folder once.
pub fn merge(container: &Environment, config: &Environment, path: &[String]) -> Environment {
    let mut merged = container.clone();
    merged.extend(config.iter().map(|(name, value)| (name.clone(), value.clone())));
    let existing = merged.get("PATH").filter(|path| !path.is_empty()).map_or(DEFAULT_PATH, String::as_str);
    let path = in_front(path, existing);
    merged.insert("PATH".to_owned(), path);
    merged
}

/// A PATH with folders in front of it, each folder once.
#[must_use]
pub fn in_front<S: AsRef<str>>(front: &[S], path: &str) -> String {
    let mut folders: Vec<&str> = Vec::new();
    for folder in front.iter().flat_map(|path| path.as_ref().split(':')).chain(path.split(':')) {
        // An empty component would mean the current folder, whatever that is.
        if !folder.is_empty() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders.join(":")
}

/// What SSH sessions and login shells get: no secret that devinit itself uses up, nothing that belongs to one process or
/// one place only, no proxy (these are written to a file, and proxies never are), nothing that matches `deny`.
pub fn for_sessions(environment: &Environment, deny: &[String]) -> Environment {
    let wanted = |name: &str, value: &str| {
        is_legal(name)
            && !is_consumed(name)
            && !is_of_one_process(name)
            && !is_proxy(name)
            && !is_kubernetes(name, value, environment)
            && !deny.iter().any(|glob| matches_glob(glob, name))
    };
    keep(environment, wanted)
}

/// What the app, services and hooks get: everything that the container was given, proxies too, since they were given for
/// it; but for what devinit itself uses up (`consumed`: besides the usual variables those that the config names as the
/// source of a password or of keys).
pub fn for_services(environment: &Environment, consumed: &[String]) -> Environment {
    keep(environment, |name, _| !is_consumed(name) && !consumed.iter().any(|consumed| consumed == name))
}

fn keep(environment: &Environment, wanted: impl Fn(&str, &str) -> bool) -> Environment {
    let kept = environment.iter().filter(|(name, value)| wanted(name, value));
    sorted::map(kept.map(|(name, value)| (name.clone(), value.clone())))
}

fn is_consumed(name: &str) -> bool {
    CONSUMED.contains(&name)
}

/// What a shell can have as a variable: exported bash functions (`BASH_FUNC_x%%`) and worse are none.
fn is_legal(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    name.bytes().all(word) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// What a session has of its own, devinit's switches (but for the one that the session itself reads), and `*_FILE`, which
/// points at secrets. SSL_CERT_FILE points at none, and without it nothing can be downloaded behind TLS interception.
fn is_of_one_process(name: &str) -> bool {
    const OWN: [&str; 10] = ["HOME", "USER", "LOGNAME", "SHELL", "SHLVL", "PWD", "OLDPWD", "HOSTNAME", "TERM", "_"];
    OWN.contains(&name)
        || (name.starts_with("DEVINIT_") && name != "DEVINIT_GREETING")
        || (name.ends_with("_FILE") && name != "SSL_CERT_FILE")
}

/// Whether a variable is for a proxy: `http_proxy`, `NO_PROXY`, `npm_config_https_proxy`.
pub fn is_proxy(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("_proxy")
}

/// What Kubernetes and Docker links put into every container about every service around it.
fn is_kubernetes(name: &str, value: &str, environment: &Environment) -> bool {
    if name.starts_with("KUBERNETES_") || is_link(name) {
        return true;
    }
    // A variable of the app's own may end in _SERVICE_HOST or _PORT: only the whole set is a link.
    let is_service = |service: &str| {
        !service.is_empty()
            && environment.contains_key(&format!("{service}_SERVICE_HOST"))
            && environment.contains_key(&format!("{service}_SERVICE_PORT"))
    };
    if let Some((service, rest)) = name.rsplit_once("_SERVICE_") {
        return (rest == "HOST" || rest == "PORT" || rest.starts_with("PORT_")) && is_service(service);
    }
    let address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    name.strip_suffix("_PORT").is_some_and(|service| address && is_service(service))
}

/// `REDIS_PORT_6379_TCP`, `REDIS_PORT_6379_TCP_ADDR`.
fn is_link(name: &str) -> bool {
    let Some((_, rest)) = name.split_once("_PORT_") else { return false };
    let mut parts = rest.split('_');
    let number = parts.next().is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let protocol = matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"));
    number && protocol && matches!(parts.next(), None | Some("ADDR" | "PORT" | "PROTO")) && parts.next().is_none()
}

/// Whether a text matches a pattern in which `*` stands for any characters and `?` for one.
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Where the last star stands, and how much of the text it has taken: there the search goes on after a mismatch.
    let mut star = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == text[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((position, taken)) = star else { return false };
                star = Some((position, taken + 1));
                at = position + 1;
                from = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn names(environment: &Environment) -> Vec<&str> {
        environment.keys().map(String::as_str).collect()
    }

    #[test]
    fn the_config_goes_over_the_container_and_its_folders_in_front_of_path() {
        let container = environment(&[("A", "1"), ("B", "1"), ("PATH", "/usr/bin:/opt/conda/bin::/bin:/usr/bin")]);
        let path = ["/root/.local/bin".to_owned(), "/opt/conda/bin".to_owned(), String::new()];
        let merged = merge(&container, &environment(&[("B", "2")]), &path);
        assert_eq!((merged["A"].as_str(), merged["B"].as_str()), ("1", "2"));
        assert_eq!(merged["PATH"], "/root/.local/bin:/opt/conda/bin:/usr/bin:/bin");
    }

    #[test]
    fn where_nobody_set_a_path_there_is_the_usual_one() {
        assert_eq!(merge(&Environment::new(), &Environment::new(), &[])["PATH"], DEFAULT_PATH);
        assert_eq!(merge(&environment(&[("PATH", "")]), &Environment::new(), &[])["PATH"], DEFAULT_PATH);
        let path = ["/x:/y".to_owned()];
        assert!(merge(&Environment::new(), &environment(&[("PATH", "/z")]), &path)["PATH"].eq("/x:/y:/z"));
    }

    #[test]
    fn sessions_get_what_people_miss_there() {
        let kept = environment(&[
            ("CUDA_VERSION", "12.9"),
            ("DEVINIT_GREETING", "0"),
            ("HF_TOKEN", "x"),
            ("LD_LIBRARY_PATH", "/usr/local/cuda/lib64"),
            ("MY_SERVICE_HOST", "an app's own"),
            ("NB_USER", "jovyan"),
            ("NVIDIA_VISIBLE_DEVICES", "all"),
            ("PATH", "/usr/bin"),
            ("SSL_CERT_FILE", "/etc/ca.pem"),
            ("VPN_PORT", "tcp://no link without its service"),
        ]);
        assert_eq!(for_sessions(&kept, &[]), kept);
    }

    #[test]
    fn sessions_do_not_get_secrets_proxies_and_what_belongs_elsewhere() {
        let lost = environment(&[
            ("AUTHORIZED_KEYS", "x"),
            ("BASH_FUNC_x%%", "() { :; }"),
            ("1ST", "x"),
            ("DEVINIT_CONFIG", "/x"),
            ("HOME", "/root"),
            ("HOSTNAME", "x"),
            ("HTTPS_PROXY", "http://user:password@proxy"),
            ("JUPYTER_TOKEN_FILE", "/run/secrets/x"),
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("LOGNAME", "root"),
            ("OLDPWD", "/"),
            ("PUBLIC_KEY", "x"),
            ("PWD", "/"),
            ("REDIS_PORT", "tcp://10.0.0.2:6379"),
            ("REDIS_PORT_6379_TCP", "tcp://10.0.0.2:6379"),
            ("REDIS_PORT_6379_TCP_ADDR", "10.0.0.2"),
            ("REDIS_SERVICE_HOST", "10.0.0.2"),
            ("REDIS_SERVICE_PORT", "6379"),
            ("REDIS_SERVICE_PORT_MAIN", "6379"),
            ("SHELL", "/bin/sh"),
            ("SHLVL", "1"),
            ("TERM", "xterm"),
            ("USER", "root"),
            ("USER_PASSWORD", "x"),
            ("_", "/usr/bin/env"),
            ("no_proxy", "x"),
            ("npm_config_https_proxy", "x"),
        ]);
        assert_eq!(names(&for_sessions(&lost, &[])), [] as [&str; 0]);
    }

    #[test]
    fn the_users_own_globs_are_denied() {
        let all = environment(&[("AWS_SECRET", "x"), ("AWS", "x"), ("MY_AWS_KEY", "x"), ("TOKEN", "x")]);
        assert_eq!(names(&for_sessions(&all, &["AWS_*".to_owned(), "T?KEN".to_owned()])), ["AWS", "MY_AWS_KEY"]);
    }

    #[test]
    fn services_keep_the_proxy_but_not_the_password() {
        let all = environment(&[
            ("HTTP_PROXY", "x"),
            ("MY_PW", "x"),
            ("PUBLIC_KEY", "x"),
            ("USER_PASSWORD", "x"),
            ("PASSWORD", "x"),
        ]);
        assert_eq!(names(&for_services(&all, &["MY_PW".to_owned()])), ["HTTP_PROXY", "PASSWORD"]);
    }

    #[test]
    fn a_name_that_only_resembles_a_link_is_none() {
        for name in
            ["REDIS_PORT_TCP", "A_PORT_x_TCP", "A_PORT_1_TCPX", "A_PORT_1_TCP_FOO", "A_PORT_1_TCP_ADDR_X", "PORT_1_TCP"]
        {
            assert!(!is_link(name), "{name}");
        }
    }

    #[test]
    fn globs_match_as_in_a_shell() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("?", "é", true),
            ("??", "a", false),
            ("a**", "a", true),
        ] {
            assert_eq!(matches_glob(pattern, text), matches, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_glob_of_stars_around_a_piece_finds_the_piece(before in "[ab]{0,8}", piece in "[ab]{0,4}", after in "[ab]{0,8}") {
            let glob = format!("*{}*", piece);
            let text = format!("{}{}{}", before, piece, after);
            prop_assert!(matches_glob(&glob, &text));
            prop_assert_eq!(matches_glob(&glob, &before), before.contains(&piece));
        }
    }
}
