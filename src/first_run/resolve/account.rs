//! For whom the first run is.

use std::path::{Path, PathBuf};

use super::Ground;
use crate::config::Config;
use crate::prepare::accounts::{Account, Entry, groups_of, lookup};
use crate::prepare::environment::users_from_environment;

/// The user that the command line names, or the config; else the only one besides root; else root. Where devinit does
/// not run as root: whoever it runs as.
pub(super) fn user(config: &Config, ground: &Ground) -> Result<Account, String> {
    let named = ground.user.as_deref().or(config.first_run.user.as_deref());
    if ground.uid != 0 {
        let own = own(ground);
        return match named {
            Some(name) if find(ground, name).is_none_or(|account| account.uid != own.uid) && name != own.name => {
                Err(format!("devinit runs as uid {} and cannot become {name}; run it as root or as {name}", own.uid))
            }
            _ => with_home(own),
        };
    }
    let account = match named {
        Some(name) => find(ground, name).ok_or_else(|| no_such_user(name, config))?,
        None => match only_user(config, ground) {
            Some(name) => find(ground, &name).ok_or_else(|| no_such_user(&name, config))?,
            None => root(ground),
        },
    };
    with_home(account)
}

/// root's account, as the image has it.
pub(super) fn root(ground: &Ground) -> Account {
    find(ground, "root").filter(|root| root.uid == 0).or_else(|| find(ground, "0")).unwrap_or_else(|| Account {
        name: "root".to_owned(),
        uid: 0,
        gid: 0,
        home: PathBuf::from("/root"),
        shell: PathBuf::from("/bin/sh"),
        groups: vec![0],
        created: false,
    })
}

/// The only user besides root, of the config's and of those that variables ask for.
fn only_user(config: &Config, ground: &Ground) -> Option<String> {
    let mut names: Vec<String> = config.users.keys().cloned().collect();
    for (name, _) in users_from_environment(&ground.environment, &names).users {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut others = names.into_iter().filter(|name| name != "root");
    match (others.next(), others.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Whoever devinit runs as: an account, or a number alone as in `docker run --user`.
fn own(ground: &Ground) -> Account {
    let name = ground.uid.to_string();
    find(ground, &name).filter(|account| account.uid == ground.uid).unwrap_or_else(|| Account {
        name,
        uid: ground.uid,
        gid: ground.gid,
        home: ground.environment.get("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from),
        shell: PathBuf::from("/bin/sh"),
        groups: vec![ground.gid],
        created: false,
    })
}

fn find(ground: &Ground, name_or_uid: &str) -> Option<Account> {
    let passwd = ground.database.passwd.as_deref().unwrap_or_default();
    let Entry { name, uid, gid, home, shell } = lookup(passwd, name_or_uid)?;
    let groups = groups_of(ground.database.group.as_deref().unwrap_or_default(), &name, gid);
    let shell = if shell == Path::new("") { PathBuf::from("/bin/sh") } else { shell };
    Some(Account { name, uid, gid, home, shell, groups, created: false })
}

fn with_home(account: Account) -> Result<Account, String> {
    if account.home.is_absolute() {
        return Ok(account);
    }
    Err(format!("{} has no home in /etc/passwd; set users.{0}.home", account.name))
}

fn no_such_user(name: &str, config: &Config) -> String {
    if config.users.contains_key(name) {
        // In a Dockerfile, or on a machine that devinit has not booted.
        return format!(
            "there is no user {name} yet: it is made when the container boots; before, make it with useradd"
        );
    }
    format!("there is no user {name} for the first run; add it to users, or name another one in first_run.user")
}
