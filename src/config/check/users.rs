//! The section `users`, and who can log in.

use std::collections::BTreeMap;

use super::super::expand::is_variable_name;
use super::super::model::{KeyPlace, KeySource, Password, PermitRootLogin, Ssh, User};
use super::{Check, NO_ID, NOT_A_VARIABLE, Place, host_of};

const BAD_NAME: &str = "not a name: up to 32 letters, digits, `-` and `_`, and no digit or `-` in front";

impl Check<'_> {
    pub(super) fn users(&mut self) {
        let users = Place::of(&["users"]);
        for (name, user) in &self.config.users {
            let place = users.key(name);
            match Name::of(name) {
                Name::Good => {}
                Name::Unusual => {
                    _ = self.warning(&place, "capital letters and dots in a user name are trouble for some programs");
                }
                Name::Bad => _ = self.misnamed(&place, BAD_NAME),
            }
            self.user(user, &place);
        }
        self.logins(&users);
    }

    fn user(&mut self, user: &User, place: &Place) {
        for (key, id) in [("uid", user.uid), ("gid", user.gid)] {
            if id == Some(NO_ID) {
                self.error(&place.key(key), "4294967295 is reserved; the largest id is 4294967294");
            }
        }
        for (key, path) in [("shell", &user.shell), ("home", &user.home)] {
            if let Some(path) = path {
                self.field(path, &place.key(key));
            }
        }
        self.absolute_if_any(user.uid_from.as_ref(), &place.key("uid_from"));
        for (index, group) in user.groups.iter().enumerate() {
            if Name::of(group) == Name::Bad {
                self.error(&self.item(&place.key("groups"), index), BAD_NAME);
            }
        }
        if let Some(password) = &user.password {
            self.password(password, &place.key("password"));
        }
        for (index, source) in user.authorized_keys.iter().flatten().enumerate() {
            if let KeySource::From(from) = source {
                self.key_place(from, &self.item(&place.key("authorized_keys"), index));
            }
        }
    }

    fn password(&mut self, password: &Password, place: &Place) {
        match password {
            Password::File(path) => self.absolute(path, &place.key("file")),
            Password::Env(name) if !is_variable_name(name) => _ = self.error(&place.key("env"), NOT_A_VARIABLE),
            Password::Env(_) => {}
            Password::Hash(hash) => {
                if !hash.starts_with('$') || hash.contains([':', '\n']) {
                    let message = "not a hash as in /etc/shadow, which begins with `$` and has no colon and one line";
                    self.error(&place.key("hash"), message).hint("make one with `openssl passwd -6`");
                }
            }
            Password::Text(text) if text.is_empty() => _ = self.error(&place.key("text"), "an empty password"),
            Password::Text(_) => {
                let message = "the password itself is written here, for everyone who can read the file";
                self.warning(&place.key("text"), message).hint("use `file:`, `env:` or `hash:` instead");
            }
        }
    }

    fn key_place(&mut self, from: &KeyPlace, place: &Place) {
        match from {
            KeyPlace::Env(name) if !is_variable_name(name) => _ = self.error(&place.key("env"), NOT_A_VARIABLE),
            KeyPlace::Env(_) => {}
            KeyPlace::File(path) => self.absolute(path, &place.key("file")),
            KeyPlace::Directory(path) => self.absolute(path, &place.key("directory")),
            KeyPlace::Url(url) => {
                if host_of(url, "https://").or_else(|| host_of(url, "http://")).is_none() {
                    self.error(&place.key("url"), "expected a URL that begins with `https://` or `http://`");
                }
            }
            KeyPlace::Github(name) => {
                let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
                if name.is_empty() || name.len() > 39 || !fits {
                    self.error(&place.key("github"), "not the name of a GitHub account");
                }
            }
        }
    }

    /// Whether anyone can get in.
    fn logins(&mut self, users: &Place) {
        let ssh = &self.config.ssh;
        if !ssh.enabled || !self.whole {
            return;
        }
        let everyone = &self.config.users;
        if ssh.password_authentication && everyone.values().all(|user| user.password.is_none()) {
            let message = "is on, and no user has a password";
            self.warning(&Place::of(&["ssh", "password_authentication"]), message);
        }
        // Without any user devinit provides root, with the keys of the usual variables.
        let default = BTreeMap::from([("root".to_owned(), User::default())]);
        let everyone = if everyone.is_empty() { &default } else { everyone };
        if !everyone.iter().any(|(name, user)| can_log_in(name, user, ssh)) {
            self.warning(users, "nobody can log in")
                .hint("give someone `authorized_keys`, or leave that out for the keys in PUBLIC_KEY");
        }
    }
}

/// shadow-utils' rule for the names of users and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Good,
    /// Works, but not with every program.
    Unusual,
    Bad,
}

impl Name {
    pub(super) fn of(name: &str) -> Self {
        let stem = name.strip_suffix('$').unwrap_or(name);
        let tail = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let first = |character: char| character.is_ascii_alphabetic() || character == '_';
        if name.len() > 32 || !stem.starts_with(first) || !stem.bytes().all(tail) {
            Self::Bad
        } else if stem.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'.') {
            Self::Unusual
        } else {
            Self::Good
        }
    }
}

fn can_log_in(name: &str, user: &User, ssh: &Ssh) -> bool {
    let by_key = user.authorized_keys.as_ref().is_none_or(|sources| !sources.is_empty());
    let by_password = user.password.is_some() && ssh.password_authentication;
    match (name, ssh.permit_root_login) {
        ("root", PermitRootLogin::No) => false,
        ("root", PermitRootLogin::ProhibitPassword) => by_key,
        _ => by_key || by_password,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bad, good};
    use super::*;

    #[test]
    fn names_of_users_follow_shadow_utils() {
        for name in ["peid", "_apt", "www-data", "a1", "samba$", "abcdefghijklmnopqrstuvwxyz012345"] {
            assert_eq!(Name::of(name), Name::Good, "{name}");
        }
        for name in ["Peid", "first.last", "A$"] {
            assert_eq!(Name::of(name), Name::Unusual, "{name}");
        }
        for name in
            ["", "1abc", "-a", ".a", "a b", "a:b", "a/b", "ä", "a$b", "$", "..", "abcdefghijklmnopqrstuvwxyz0123456"]
        {
            assert_eq!(Name::of(name), Name::Bad, "{name}");
        }
        bad("users: {1st: {}}", "1:9 `users.1st`: not a name");
        bad("users: {First.Last: {}}", "?1:9 `users.First.Last`: capital letters and dots");
        bad("users: {a: {groups: [video, \"x:y\"]}}", "1:29 `users.a.groups[1]`: not a name");
    }

    #[test]
    fn the_last_id_is_reserved() {
        good("users: {a: {uid: 4294967294, gid: 0}}");
        bad("users: {a: {uid: 4294967295}}", "1:18 `users.a.uid`: 4294967295 is reserved");
        bad("users: {a: {gid: 4294967295}}", "1:18 `users.a.gid`: 4294967295 is reserved");
    }

    #[test]
    fn passwords() {
        good("users: {a: {password: {hash: $6$salt$hash}}}");
        bad("users: {a: {password: {text: x}}}", "?1:30 `users.a.password.text`: the password itself");
        bad("users: {a: {password: {text: ''}}}", "1:30 `users.a.password.text`: an empty password");
        for hash in ["x", "'*'", "\"$6$a:b\"", "\"$6$a\\n\""] {
            bad(&format!("users: {{a: {{password: {{hash: {hash}}}}}}}"), "1:30 `users.a.password.hash`: not a hash");
        }
    }

    #[test]
    fn places_of_keys() {
        good("users: {a: {authorized_keys: [{url: \"https://example.com/k\"}, {github: a-b_c}]}}");
        bad("users: {a: {authorized_keys: [{url: /k}]}}", "1:37 `users.a.authorized_keys[0].url`: expected a URL");
        bad("users: {a: {authorized_keys: [{github: a/b}]}}", "1:40 `users.a.authorized_keys[0].github`: not the name");
    }

    #[test]
    fn it_is_said_when_nobody_can_log_in() {
        let nobody = "`users`: nobody can log in";
        bad("users: {a: {authorized_keys: []}}", &format!("?1:1 {nobody}"));
        bad("users: {a: {authorized_keys: [], password: {env: P}}}", &format!("?1:1 {nobody}"));
        bad("ssh: {permit_root_login: no}", &format!("?1:1 {nobody}"));
        bad(
            "users: {root: {authorized_keys: [], password: {env: P}}}\nssh: {password_authentication: yes}",
            &format!("?1:1 {nobody}"),
        );
        good(
            "users: {root: {authorized_keys: [], password: {env: P}}}\n\
             ssh: {password_authentication: yes, permit_root_login: yes}",
        );
        good("users: {a: {authorized_keys: [], password: {env: P}}}\nssh: {password_authentication: yes}");
        good("users: {a: {authorized_keys: []}, b: {}}");
        good("users: {a: {authorized_keys: []}}\nssh: {enabled: false}");
    }

    #[test]
    fn password_authentication_without_a_password_is_worth_a_word() {
        bad("ssh: {password_authentication: true}", "?1:32 `ssh.password_authentication`: is on, and no user");
    }
}
