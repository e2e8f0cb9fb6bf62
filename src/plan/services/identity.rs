//! As whom a process runs, and with which variables of that user.

use std::collections::BTreeMap;

use super::super::first_run;
use super::Ground;
use crate::config::model::Process;
use crate::engine::spec::{Identity, Service};
use crate::note::Note;
use crate::prepare::accounts::{gid_of, groups_of, lookup};

/// Variables that go with a user: HOME and its kin.
type OfUser = [(String, String); 4];

impl Ground<'_> {
    /// Makes a service run as its user, with that user's HOME, and with its own variables over all others. Nothing is
    /// started as the wrong user or with the wrong groups: where the right ones cannot be had, there is a note and no
    /// service.
    pub(super) fn as_user(&self, service: Service, process: &Process<'_>, notes: &mut Vec<Note>) -> Option<Service> {
        let name = service.name.clone();
        let service = self.run_as(service, process, notes);
        service.map_err(|why| notes.push(Note::error(format!("{name} is not started: {why}")))).ok()
    }

    /// The same; where it cannot be done, why.
    pub(super) fn run_as(
        &self,
        mut service: Service,
        process: &Process<'_>,
        notes: &mut Vec<Note>,
    ) -> Result<Service, String> {
        let (identity, of_user) = self.who(process)?;
        let uid = identity.as_ref().map_or(self.facts.uid, |identity| identity.uid);
        service.environment = self.with_tools(uid);
        service.environment.extend(of_user.into_iter().flatten());
        service.environment.extend(process.environment.clone());
        if process.groups.is_some() && !self.facts.root {
            let text = format!("{} has the groups that devinit has: only root can set others", service.name);
            notes.push(Note::warning(text));
        }
        service.identity = identity.filter(|_| self.facts.root);
        Ok(service)
    }

    /// As whom a process runs, if not as devinit itself does.
    fn who(&self, process: &Process<'_>) -> Result<(Option<Identity>, Option<OfUser>), String> {
        let (identity, of_user) = match process.user.as_deref().map(|user| self.identify(user)).transpose()? {
            Some((identity, of_user)) => (Some(identity), Some(of_user)),
            None => (None, None),
        };
        let Some(wanted) = process.groups else { return Ok((identity, of_user)) };
        let identity = identity.unwrap_or_else(|| self.own_identity());
        let mut groups = vec![identity.gid];
        for name in wanted {
            let gid = gid_of(self.database.group.as_deref().unwrap_or_default(), name)
                .or_else(|| name.parse().ok())
                .ok_or_else(|| {
                    format!("there is no group {name}; make it in the image, or add it to a user's groups")
                })?;
            if !groups.contains(&gid) {
                groups.push(gid);
            }
        }
        Ok((Some(Identity { groups, ..identity }), of_user))
    }

    /// devinit's own, without further groups.
    fn own_identity(&self) -> Identity {
        let uid = self.facts.uid;
        let passwd = self.database.passwd.as_deref().unwrap_or_default();
        let gid = lookup(passwd, &uid.to_string()).map_or_else(|| nix::unistd::getegid().as_raw(), |entry| entry.gid);
        Identity { uid, gid, groups: vec![gid] }
    }

    /// The environment of what runs as devinit itself does.
    pub(super) fn own_environment(&self) -> BTreeMap<String, String> {
        self.with_tools(self.facts.uid)
    }

    /// The environment, with the tools of the user of this id, if any, in front of PATH.
    fn with_tools(&self, uid: u32) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        let passwd = self.database.passwd.as_deref().unwrap_or_default();
        let own = |name: &str| lookup(passwd, name).is_some_and(|entry| entry.uid == uid);
        if let Some((_, folders)) = self.tools.iter().find(|(name, _)| own(name)) {
            environment.insert("PATH".to_owned(), first_run::path(folders, self.environment));
        }
        environment
    }

    fn identify(&self, user: &str) -> Result<(Identity, OfUser), String> {
        let passwd = self.database.passwd.as_deref().unwrap_or_default();
        let Some(entry) = lookup(passwd, user) else {
            let uid: u32 = user.parse().map_err(|_| format!("there is no user {user}; add it to users"))?;
            // A number without an account is fine: as in `docker run --user`.
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let variables = [pair("HOME", "/"), pair("USER", user), pair("LOGNAME", user), pair("SHELL", "/bin/sh")];
            return Ok((Identity { uid, gid: uid, groups: vec![uid] }, variables));
        };
        if !self.facts.root && entry.uid != self.facts.uid {
            return Err(format!("devinit runs as uid {} and cannot become {user}", self.facts.uid));
        }
        let groups = groups_of(self.database.group.as_deref().unwrap_or_default(), &entry.name, entry.gid);
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let variables = [
            pair("HOME", entry.home.to_string_lossy().into_owned()),
            pair("USER", entry.name.clone()),
            pair("LOGNAME", entry.name.clone()),
            pair("SHELL", entry.shell.to_string_lossy().into_owned()),
        ];
        Ok((Identity { uid: entry.uid, gid: entry.gid, groups }, variables))
    }
}
