//! What a value of a step has to look like.

/// Whether a text is made of these, begins with a letter or a digit, and can be part of a URL or of a file's name.
fn is_word(text: &str, further: &[u8]) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || further.contains(&byte);
    text.len() <= 128 && text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(fits)
}

/// The name of a step: it names a log and a record, and its parts are called `NAME.PART`.
pub(super) fn is_step_name(name: &str) -> bool {
    name.len() <= 64 && is_word(name, b"_-") && !name.contains(|c: char| c.is_ascii_uppercase())
}

/// `1.4.5`, `2.3.2-0`, and with a `v` in front.
pub(super) fn is_version(version: &str) -> bool {
    let number = version.strip_prefix('v').unwrap_or(version);
    number.starts_with(|first: char| first.is_ascii_digit()) && is_word(number, b"._+-")
}

/// A tag of a release.
pub(super) fn is_tag(tag: &str) -> bool {
    is_word(tag, b"._+-")
}

/// 64 hexadecimal digits.
pub(super) fn is_sha256(checksum: &str) -> bool {
    checksum.len() == 64 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `OWNER/NAME`.
pub(super) fn is_repository(name: &str) -> bool {
    let (owner, repository) = name.split_once('/').unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let repository_fits = (1..=100).contains(&repository.len()) && repository.bytes().all(fits);
    owner.len() <= 39 && is_word(owner, b"_-") && repository_fits && ![".", ".."].contains(&repository)
}

/// Permissions in octal: `755`, `0755`.
pub(super) fn is_mode(mode: &str) -> bool {
    (3..=4).contains(&mode.len()) && mode.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
}

/// What stands between braces in the name of a release's file.
pub(super) fn placeholders(asset: &str) -> impl Iterator<Item = &str> {
    asset.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or(rest))
}

/// Whether a text is a URL with one of these schemes and a host; with `file`, an absolute path in its place.
pub(super) fn is_url(url: &str, schemes: &[&str]) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let place = if scheme == "file" { rest.starts_with('/') } else { !host_and_port(rest).is_empty() };
    schemes.contains(&scheme) && place && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Where git can clone from. `ext::…`, which runs a program, is not among them.
pub(super) fn is_clonable(url: &str) -> bool {
    // git@example.com:owner/name.git
    let (host, path) = url.split_once(':').unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"@._-".contains(&byte);
    let scp = !host.starts_with('-')
        && !host.is_empty()
        && host.bytes().all(fits)
        && !path.is_empty()
        && !path.starts_with([':', '/'])
        && !path.contains(|c: char| c.is_whitespace() || c.is_control());
    scp || is_url(url, &["https", "http", "ssh", "git", "file"])
}

/// A proxy's URL; without a scheme it is of http.
pub(super) fn is_proxy(url: &str) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = host_and_port(rest);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    ["http", "https", "socks4", "socks4a", "socks5", "socks5h"].contains(&scheme)
        && !host.is_empty()
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// What stands behind the scheme and the credentials of a URL.
fn host_and_port(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Whether there is a password in a URL, or with http a token in place of the user.
pub(super) fn has_credentials(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.split_once('@').is_some_and(|(user, _)| user.contains(':'));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let by_token = scheme.ends_with("http") || scheme.ends_with("https");
    authority.rsplit_once('@').is_some_and(|(user, _)| !user.is_empty() && (by_token || user.contains(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(test: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(test(text), "{text}");
        }
        for text in bad {
            assert!(!test(text), "{text:?}");
        }
    }

    #[test]
    fn names_of_steps_can_name_a_file_and_have_no_part() {
        let long = "a".repeat(65);
        all(
            is_step_name,
            &["a", "0", "clash-rs", "a_b"],
            &["", "A", "a.b", "-a", "_a", "a/b", "..", "a b", "ä", &long],
        );
    }

    #[test]
    fn versions_and_tags_cannot_lead_out_of_a_url() {
        all(
            is_version,
            &["1", "1.4.5", "v0.77.0", "2.3.2-0", "1.0.0+b.1", "1.0-rc.1"],
            &["", "v", "latest", "1/2", "../1", "1 2", "1?x", "1%2f", "-1", "rust-v1", "1\n"],
        );
        all(is_tag, &["v1", "rust-v0.169.0", "latest", "b+1"], &["", "a/b", "-a", ".a", "a b", "a#b", "a?b"]);
    }

    #[test]
    fn repositories_on_github() {
        all(
            is_repository,
            &["spack/spack", "Watfaq/clash-rs", "a/.github", "a_b/c.d_e"],
            &["", "a", "a/", "/a", "a/b/c", "a/..", "../a", "a b/c", "a/b?c", "https://github.com/a/b", "a/b\n"],
        );
    }

    #[test]
    fn modes_are_octal() {
        all(is_mode, &["755", "0755", "0644", "4755"], &["", "75", "0o755", "rwx", "0855", "00755", "-755"]);
    }

    #[test]
    fn urls_have_a_host_or_a_path() {
        let download = |url: &str| is_url(url, &["https", "http", "file"]);
        for url in ["https://a", "http://a:1/b?c#d", "https://u:p@a/b", "file:///a/b"] {
            assert!(download(url), "{url}");
        }
        for url in
            ["", "a", "https://", "https:///b", "https://u:p@/b", "ftp://a", "file://a/b", "http://a b", "http://a\n"]
        {
            assert!(!download(url), "{url:?}");
        }
    }

    #[test]
    fn git_clones_from_where_it_can_without_running_a_program() {
        all(
            is_clonable,
            &["https://a/b.git", "ssh://git@a/b", "git@a.example:b/c.git", "file:///srv/a.git", "host:a"],
            &[
                "",
                "/a",
                "a",
                "ext::sh -c x",
                "ext::sh",
                "-u:x",
                "--upload-pack=x:y",
                "host:",
                "https:/a",
                "a b:c",
                "x://y",
            ],
        );
    }

    #[test]
    fn proxies_may_lack_their_scheme() {
        all(
            is_proxy,
            &[
                "http://a:3128",
                "a:3128",
                "a",
                "https://u:p@a:1/",
                "socks5h://a:1",
                "socks4://1.2.3.4:1",
                "http://[::1]:1",
            ],
            &[
                "",
                "ftp://a",
                "socks://a:1",
                "http://",
                "http://:1",
                "a:0",
                "a:b",
                "a:65536",
                "http://a b",
                "http://a\n",
            ],
        );
    }

    #[test]
    fn credentials_are_seen_where_there_are_some() {
        all(
            has_credentials,
            &["https://u:p@a/b", "https://token@a/b", "git+https://u:p@a", "ssh://u:p@a", "u:p@a:1", "socks5://u:p@a"],
            &["https://a/b@c", "https://a", "ssh://git@a/b", "git@a:b/c", "a:1", "", "https://@a", "pkg@1.0"],
        );
    }

    #[test]
    fn placeholders_are_found_even_where_a_brace_is_missing() {
        let found = |asset| placeholders(asset).collect::<Vec<_>>();
        assert_eq!(found("a-{arch}-{version}.tar.gz"), ["arch", "version"]);
        assert_eq!(found("a-{arch"), ["arch"]);
        assert!(found("plain").is_empty());
    }
}
