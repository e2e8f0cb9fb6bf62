//! Users from the variables that people already set: linuxserver's and Jupyter's.

use std::path::PathBuf;

use super::Environment;
use crate::config::model::Password;
use crate::note::Note;

/// What the variables say about one user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvUser {
    /// PUID or NB_UID.
    pub uid: Option<u32>,
    /// PGID or NB_GID.
    pub gid: Option<u32>,
    /// USER_PASSWORD or USER_PASSWORD_FILE.
    pub password: Option<Password>,
    /// SUDO_ACCESS or GRANT_SUDO.
    pub sudo: Option<bool>,
}

/// What the variables say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FromEnvironment {
    /// The users by name; each name once.
    pub users: Vec<(String, EnvUser)>,
    /// PASSWORD_ACCESS.
    pub password_authentication: Option<bool>,
    /// What could not be understood or assigned.
    pub notes: Vec<Note>,
}

/// Reads USER_NAME, PUID, PGID, USER_PASSWORD, USER_PASSWORD_FILE, SUDO_ACCESS, PASSWORD_ACCESS, and Jupyter's NB_USER,
/// NB_UID, NB_GID, GRANT_SUDO. Without a name the others are about the only user of the config besides root.
pub fn users_from_environment(environment: &Environment, config_users: &[String]) -> FromEnvironment {
    let mut read = Reading { environment, found: FromEnvironment::default() };
    let password = read.password();
    let linuxserver =
        EnvUser { uid: read.id("PUID"), gid: read.id("PGID"), password, sudo: read.switch("SUDO_ACCESS") };
    read.assign("USER_NAME", linuxserver, config_users);
    let jupyter =
        EnvUser { uid: read.id("NB_UID"), gid: read.id("NB_GID"), password: None, sudo: read.switch("GRANT_SUDO") };
    read.assign("NB_USER", jupyter, config_users);
    read.found.password_authentication = read.switch("PASSWORD_ACCESS");
    read.found
}

struct Reading<'a> {
    environment: &'a Environment,
    found: FromEnvironment,
}

impl Reading<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn warn(&mut self, text: String) {
        self.found.notes.push(Note::warning(text));
    }

    /// A user or group id. 0 is root's, and 4294967295 means "none" to the kernel.
    fn id(&mut self, name: &str) -> Option<u32> {
        let value = self.value(name)?;
        match value.parse() {
            Ok(id) if id != 0 && id != u32::MAX => Some(id),
            _ => {
                self.warn(format!("{name} is not an id from 1 to 4294967294: it was ignored"));
                None
            }
        }
    }

    fn switch(&mut self, name: &str) -> Option<bool> {
        match self.value(name)?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => {
                self.warn(format!("{name} is neither true nor false: it was ignored"));
                None
            }
        }
    }

    fn password(&mut self) -> Option<Password> {
        if self.environment.get("USER_PASSWORD").is_some_and(|value| !value.is_empty()) {
            return Some(Password::Env("USER_PASSWORD".into()));
        }
        self.value("USER_PASSWORD_FILE").map(|path| Password::File(PathBuf::from(path)))
    }

    /// Gives what was read to the user whom the variable names, or to the only one there is.
    fn assign(&mut self, name_variable: &str, user: EnvUser, config_users: &[String]) {
        let name = match self.value(name_variable) {
            Some(name) if is_user_name(name) => name.to_owned(),
            Some(_) => {
                return self.warn(format!("{name_variable} is not a user's name (a-z, 0-9, _ and -): it was ignored"));
            }
            None if user == EnvUser::default() => return,
            None => {
                let mut others = config_users.iter().filter(|name| *name != "root");
                let (Some(only), None) = (others.next(), others.next()) else {
                    return self.warn(format!(
                        "ids, password or sudo are set by variables, but not for whom: set {name_variable}, or have one user besides root in the config"
                    ));
                };
                only.clone()
            }
        };
        match self.found.users.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                known.uid = known.uid.or(user.uid);
                known.gid = known.gid.or(user.gid);
                known.password = known.password.take().or(user.password);
                known.sudo = known.sudo.or(user.sudo);
            }
            None => self.found.users.push((name, user)),
        }
    }
}

/// The names that useradd takes.
fn is_user_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    name.len() <= 32
        && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && name.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], config_users: &[&str]) -> FromEnvironment {
        let environment = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let users: Vec<_> = config_users.iter().map(|name| (*name).to_owned()).collect();
        users_from_environment(&environment, &users)
    }

    #[test]
    fn without_the_variables_nothing_is_said() {
        assert_eq!(read(&[("HOME", "/root"), ("PUID", " ")], &["root", "peid"]), FromEnvironment::default());
    }

    #[test]
    fn linuxservers_variables_make_a_user() {
        let found = read(
            &[
                ("USER_NAME", "peid"),
                ("PUID", "3100"),
                ("PGID", "1100"),
                ("USER_PASSWORD", "hunter2"),
                ("SUDO_ACCESS", "true"),
                ("PASSWORD_ACCESS", "False"),
            ],
            &[],
        );
        let password = Some(Password::Env("USER_PASSWORD".into()));
        let user = EnvUser { uid: Some(3100), gid: Some(1100), password, sudo: Some(true) };
        assert_eq!(found.users, [("peid".to_owned(), user)]);
        assert_eq!((found.password_authentication, found.notes.len()), (Some(false), 0));
        assert!(!format!("{:?}", found.users).contains("hunter2"));
    }

    #[test]
    fn jupyters_variables_are_about_their_own_user() {
        let found =
            read(&[("NB_USER", "jovyan"), ("NB_UID", "1000"), ("NB_GID", "100"), ("GRANT_SUDO", "yes")], &["peid"]);
        let user = EnvUser { uid: Some(1000), gid: Some(100), password: None, sudo: Some(true) };
        assert_eq!(found.users, [("jovyan".to_owned(), user)]);
    }

    #[test]
    fn both_sets_for_one_name_are_one_user() {
        let found = read(&[("USER_NAME", "a"), ("NB_USER", "a"), ("PUID", "5"), ("NB_UID", "6"), ("NB_GID", "7")], &[]);
        assert_eq!(found.users, [("a".to_owned(), EnvUser { uid: Some(5), gid: Some(7), ..EnvUser::default() })]);
    }

    #[test]
    fn ids_without_a_name_are_for_the_only_user_besides_root() {
        let found = read(&[("PUID", "3100"), ("USER_PASSWORD_FILE", "/run/secrets/pw")], &["root", "peid"]);
        let password = Some(Password::File("/run/secrets/pw".into()));
        assert_eq!(found.users, [("peid".to_owned(), EnvUser { uid: Some(3100), password, ..EnvUser::default() })]);
        for users in [&["root"][..], &["a", "b"], &[]] {
            let found = read(&[("PUID", "3100")], users);
            assert_eq!((found.users.len(), found.notes.len()), (0, 1), "{users:?}");
            assert!(found.notes[0].text.contains("USER_NAME"));
        }
    }

    #[test]
    fn what_cannot_be_right_is_ignored_and_said() {
        for (name, value) in [
            ("PUID", "0"),
            ("PUID", "-1"),
            ("PGID", "4294967295"),
            ("PGID", "users"),
            ("SUDO_ACCESS", "maybe"),
            ("PASSWORD_ACCESS", "2"),
            ("USER_NAME", "a:b"),
            ("USER_NAME", "-x"),
            ("NB_USER", "ROOT"),
            ("NB_USER", "../x"),
        ] {
            let found = read(&[(name, value)], &["peid"]);
            assert_eq!((found.users.len(), found.notes.len()), (0, 1), "{name}={value}: {found:?}");
            assert!(found.notes[0].text.contains(name), "{found:?}");
            assert_eq!(found.password_authentication, None);
        }
    }
}
