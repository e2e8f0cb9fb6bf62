//! What is secret in a text.

use std::collections::BTreeMap;

/// Words that mark a variable as a secret.
const WORDS: [&str; 5] = ["TOKEN", "PASS", "SECRET", "KEY", "CREDENTIAL"];

/// Whether a variable holds a secret, by its name.
#[must_use]
pub fn is_by_name(variable: &str) -> bool {
    let name = variable.to_ascii_uppercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// A text with `${NAME}` again where the config had it, if that variable is a secret by its name, or a proxy.
#[must_use]
pub fn without_values(text: &str, variables: &BTreeMap<String, String>) -> String {
    let secret = |name: &str| is_by_name(name) || name.to_ascii_uppercase().contains("PROXY");
    // One of a few characters is no secret, and would be found everywhere.
    let secrets = variables.iter().filter(|(name, value)| value.len() >= 4 && secret(name));
    secrets.fold(text.to_owned(), |text, (name, value)| text.replace(value, &format!("${{{name}}}")))
}

/// The credentials of all URLs in a text: `USER:PASSWORD`, or a token alone. The user alone of an ssh URL is none.
pub fn credentials(text: &str) -> impl Iterator<Item = &str> {
    places(text).map(|(from, to)| text.get(from..to).unwrap_or_default())
}

/// A text without the credentials of the URLs in it.
#[must_use]
pub fn without_credentials(text: &str) -> String {
    let (mut rest, mut kept) = (0, String::with_capacity(text.len()));
    for (from, to) in places(text) {
        kept.push_str(text.get(rest..from).unwrap_or_default());
        // With the `@` behind them.
        rest = to + 1;
    }
    kept.push_str(text.get(rest..).unwrap_or_default());
    kept
}

/// With `%40` and its like replaced by what they stand for.
#[must_use]
pub fn decoded(text: &str) -> String {
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

/// From where to where there are credentials.
fn places(text: &str) -> impl Iterator<Item = (usize, usize)> {
    text.match_indices("://").filter_map(|(colon, slashes)| {
        let from = colon + slashes.len();
        let rest = text.get(from..)?;
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'<>|`".contains(c)).unwrap_or(rest.len());
        let length = rest.get(..end)?.rfind('@')?;
        let is_web =
            ["http", "https"].iter().any(|scheme| text.get(..colon).is_some_and(|head| head.ends_with(scheme)));
        let is_secret = length > 0 && (is_web || rest.get(..length)?.contains(':'));
        is_secret.then_some((from, from + length))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_wherever_a_url_stands_in_a_text() {
        for (text, found, without) in [
            ("git+https://me:w%40rd@host/a@v1#egg=a", vec!["me:w%40rd"], "git+https://host/a@v1#egg=a"),
            (
                "curl 'http://tok@a/x?y=z@b' && wget https://u:p@b",
                vec!["tok", "u:p"],
                "curl 'http://a/x?y=z@b' && wget https://b",
            ),
            ("https://p@ss:w@rd@host", vec!["p@ss:w@rd"], "https://host"),
            ("socks5h://me:word@host:1", vec!["me:word"], "socks5h://host:1"),
            ("ssh://git@host/a", vec![], "ssh://git@host/a"),
            ("https://host/a@b @tavily/mcp@1 ://", vec![], "https://host/a@b @tavily/mcp@1 ://"),
            ("https://@host", vec![], "https://@host"),
            ("größe https://ü:ö@host", vec!["ü:ö"], "größe https://host"),
        ] {
            assert_eq!(credentials(text).collect::<Vec<_>>(), found, "{text}");
            assert_eq!(without_credentials(text), without);
        }
    }

    #[test]
    fn a_variable_is_a_secret_by_its_name() {
        for name in ["HF_TOKEN", "db_password", "AWS_SECRET_ACCESS_KEY", "PASSPHRASE", "MY_CREDENTIALS"] {
            assert!(is_by_name(name), "{name}");
        }
        assert!(!is_by_name("PATH") && !is_by_name("LANG"));
    }
}
