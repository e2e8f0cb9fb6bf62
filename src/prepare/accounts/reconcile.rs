//! Decides how the account files have to look. Reads and writes nothing; only a new salt is random.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::files::{Database, Table, User, entry, group, groups_of, passwd, shadow};
use super::{Account, Defaults, Outcome, PasswordWanted, Wanted};
use crate::config::model::OnCollision;
use crate::note::Note;
use crate::prepare::password;

/// Ids of accounts that are people's, as in Debian's login.defs.
const FIRST_ID: u32 = 1000;
const LAST_ID: u32 = 59_999;
/// Ids of groups that are the system's, taken from the upper end.
const FIRST_SYSTEM_GID: u32 = 101;
const LAST_SYSTEM_GID: u32 = 999;
/// As useradd has it.
const LONGEST_NAME: usize = 32;
/// -1: "no change" for chown(2) and no id.
const NO_ID: u32 = u32::MAX;

/// Works the wanted users into the account files.
///
/// What is asked for is adjusted, what is not stays; lines that are not understood survive byte for byte. Doing it
/// again over the result changes nothing. A user that cannot be had is an error note, and the others go on.
#[must_use]
pub fn reconcile(database: &Database, wanted: &[Wanted], defaults: &Defaults) -> Outcome {
    let mut work = Work::new(database, defaults);
    let mut pending: Vec<&Wanted> = Vec::new();
    for user in wanted {
        match fault(user) {
            Some(fault) => work.refuse(user, &fault),
            None if pending.iter().any(|other| other.name == user.name) => work.refuse(user, "it stands there twice"),
            None => pending.push(user),
        }
    }
    work.reserve(&pending);

    // Those in nobody's way first: one of them may be the holder of an id that another one waits for.
    let all = pending.clone();
    let mut settled = Vec::new();
    loop {
        let claims: Vec<Claim> = pending.iter().map(|user| work.claim(user, &all)).collect();
        let clear = claims.iter().position(|claim| matches!(claim, Claim::Clear));
        let next = clear.or_else(|| claims.iter().position(|claim| !matches!(claim, Claim::Refused(_))));
        let Some((at, claim)) = next.and_then(|at| Some((at, claims.into_iter().nth(at)?))) else { break };
        let user = pending.remove(at);
        match work.settle(user, claim) {
            Ok(()) => settled.push(user),
            Err(reason) => work.refuse(user, &reason),
        }
    }
    for user in pending {
        if let Claim::Refused(reason) = work.claim(user, &all) {
            work.refuse(user, &reason);
        }
    }
    // After all primary groups, which may be meant by name.
    for user in all.iter().filter(|user| settled.iter().any(|other| other.name == user.name)) {
        work.join_groups(user);
    }
    work.finish(database, wanted)
}

/// The wanted users that exist.
pub(super) fn accounts(database: &Database, wanted: &[Wanted], created: &[String]) -> Vec<Account> {
    let passwd = Table::parse(database.passwd.as_deref().unwrap_or_default());
    let group = database.group.as_deref().unwrap_or_default();
    let mut accounts: Vec<Account> = Vec::new();
    for name in wanted.iter().map(|user| &user.name) {
        let Some(entry) = passwd.user(name).and_then(|user| entry(&passwd, user.row)) else { continue };
        if accounts.iter().any(|account| account.name == *name) {
            continue;
        }
        accounts.push(Account {
            groups: groups_of(group, name, entry.gid),
            created: created.contains(name),
            name: entry.name,
            uid: entry.uid,
            gid: entry.gid,
            home: entry.home,
            shell: entry.shell,
        });
    }
    accounts
}

/// How a wanted user stands to the uid that is asked for.
enum Claim {
    /// Nothing is in the way.
    Clear,
    /// Shared with this account.
    Share(User),
    /// This account gets the wanted name.
    Rename(User),
    /// The accounts that have the uid go to a free one.
    Move,
    /// It cannot be had, and why.
    Refused(String),
}

struct Work<'a> {
    defaults: &'a Defaults,
    passwd: Table,
    shadow: Option<Table>,
    group: Table,
    gshadow: Option<Table>,
    /// Ids that are asked for, which nobody gets by chance.
    reserved_uids: Vec<u32>,
    reserved_gids: Vec<u32>,
    created: Vec<String>,
    notes: Vec<Note>,
    changes: Vec<String>,
}

impl<'a> Work<'a> {
    fn new(database: &Database, defaults: &'a Defaults) -> Self {
        let required = |file: &Option<Vec<u8>>| Table::parse(file.as_deref().unwrap_or_default());
        Self {
            defaults,
            passwd: required(&database.passwd),
            shadow: database.shadow.as_deref().map(Table::parse),
            group: required(&database.group),
            gshadow: database.gshadow.as_deref().map(Table::parse),
            reserved_uids: Vec::new(),
            reserved_gids: Vec::new(),
            created: Vec::new(),
            notes: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn reserve(&mut self, wanted: &[&Wanted]) {
        self.reserved_uids = wanted.iter().filter_map(|user| user.uid).collect();
        self.reserved_gids = wanted.iter().filter_map(|user| user.gid).collect();
    }

    fn finish(self, before: &Database, wanted: &[Wanted]) -> Outcome {
        // A file that is missing and would be empty is not made.
        let bytes = |table: Table, before: &Option<Vec<u8>>| {
            Some(table.to_bytes()).filter(|bytes| before.is_some() || !bytes.is_empty())
        };
        let database = Database {
            passwd: bytes(self.passwd, &before.passwd),
            shadow: self.shadow.map(|table| table.to_bytes()),
            group: bytes(self.group, &before.group),
            gshadow: self.gshadow.map(|table| table.to_bytes()),
        };
        let accounts = accounts(&database, wanted, &self.created);
        Outcome { database, accounts, notes: self.notes, changes: self.changes }
    }

    fn refuse(&mut self, wanted: &Wanted, reason: &str) {
        let left = if self.passwd.user(&wanted.name).is_some() { "left as it is" } else { "left out" };
        self.notes.push(Note::error(format!("user {} is {left}: {reason}", wanted.name.escape_debug())));
    }

    fn change(&mut self, text: String) {
        self.changes.push(text);
    }

    // Uids

    fn claim(&self, wanted: &Wanted, all: &[&Wanted]) -> Claim {
        let own = self.passwd.user(&wanted.name);
        let Some(uid) = wanted.uid else { return Claim::Clear };
        if own.as_ref().is_some_and(|own| own.uid == uid) {
            return Claim::Clear;
        }
        if wanted.name == "root" && uid != 0 {
            return Claim::Refused(format!("root cannot have uid {uid}; its uid is 0"));
        }
        if wanted.name != "root" && uid == 0 && wanted.on_collision != OnCollision::Reuse {
            return Claim::Refused("uid 0 is root's; choose another uid, or share it with on_collision: reuse".into());
        }
        let holders: Vec<User> = self.passwd.users().filter(|user| user.uid == uid).collect();
        let names = holders.iter().map(|user| user.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(first) = holders.into_iter().next() else { return Claim::Clear };
        let is_wanted = |name: &str| all.iter().find(|other| other.name == name);
        match wanted.on_collision {
            OnCollision::Error => Claim::Refused(format!(
                "uid {uid} belongs to {names}; choose another uid, or on_collision: reuse, rename or move"
            )),
            OnCollision::Reuse => Claim::Share(first),
            OnCollision::Rename if own.is_some() => Claim::Refused(format!(
                "{names} has uid {uid} and cannot be renamed to {0}, as there is a {0}; use on_collision: move or reuse",
                wanted.name
            )),
            OnCollision::Rename if is_wanted(&first.name).is_some() => Claim::Refused(format!(
                "uid {uid} belongs to {0}, which the config asks for too and is not renamed; choose another uid",
                first.name
            )),
            OnCollision::Rename => Claim::Rename(first),
            OnCollision::Move => {
                let stays = names.split(", ").find(|name| is_wanted(name).is_some_and(|other| other.uid == Some(uid)));
                match stays {
                    Some(name) => Claim::Refused(format!("the config asks for uid {uid} for {name} too")),
                    None => Claim::Move,
                }
            }
        }
    }

    fn settle(&mut self, wanted: &Wanted, claim: Claim) -> Result<(), String> {
        let name = &wanted.name;
        let mut shared_gid = None;
        match (claim, wanted.uid) {
            (Claim::Share(holder), Some(uid)) => {
                self.notes.push(Note::info(format!("user {name} shares uid {uid} with {}", holder.name)));
                shared_gid = Some(holder.gid);
            }
            (Claim::Rename(holder), _) => self.rename(&holder, name),
            (Claim::Move, Some(uid)) => self.move_away(uid, name)?,
            _ => {}
        }
        match self.passwd.user(name) {
            Some(user) => self.adjust(wanted, &user),
            None => self.create(wanted, shared_gid)?,
        }
        self.settle_password(wanted);
        Ok(())
    }

    /// Gives an account another name, everywhere but in the path of its home.
    fn rename(&mut self, holder: &User, name: &str) {
        let old = &holder.name;
        self.passwd.set(holder.row, passwd::NAME, name);
        if let Some(shadow) = &mut self.shadow
            && shadow.find(old, 2).is_some()
        {
            // A line that someone of the new name has left behind would come to life again.
            while let Some(stale) = shadow.find(name, 1) {
                shadow.remove(stale);
            }
            if let Some(row) = shadow.find(old, 2) {
                shadow.set(row, shadow::NAME, name);
            }
        }
        for row in self.group.entries(4) {
            self.group.rename_member(row, group::MEMBERS, old, name);
        }
        if let Some(gshadow) = &mut self.gshadow {
            for row in gshadow.entries(4) {
                gshadow.rename_member(row, group::MEMBERS, old, name);
                gshadow.rename_member(row, group::ADMINISTRATORS, old, name);
            }
        }
        self.notes.push(Note::info(format!("user {old} (uid {}) is now called {name}", holder.uid)));
        self.change(format!("user {old}: renamed to {name}"));
    }

    /// Frees a uid for `name`.
    fn move_away(&mut self, uid: u32, name: &str) -> Result<(), String> {
        let free = self.free_uid().ok_or_else(no_free_id)?;
        let holders: Vec<User> = self.passwd.users().filter(|user| user.uid == uid).collect();
        for holder in holders {
            self.passwd.set(holder.row, passwd::UID, free.to_string());
            let holder = holder.name;
            self.notes.push(Note::warning(format!(
                "user {holder} was moved from uid {uid} to {free}, as {name} has it now; files of {holder} keep the old \
                 number and so belong to {name}"
            )));
            self.change(format!("user {holder}: uid {uid} → {free}"));
        }
        Ok(())
    }

    fn free_uid(&self) -> Option<u32> {
        (FIRST_ID..=LAST_ID)
            .find(|uid| !self.reserved_uids.contains(uid) && !self.passwd.users().any(|user| user.uid == *uid))
    }

    // Accounts

    fn create(&mut self, wanted: &Wanted, shared_gid: Option<u32>) -> Result<(), String> {
        let name = &wanted.name;
        let uid = wanted.uid.or_else(|| self.free_uid()).ok_or_else(no_free_id)?;
        let gid = match (wanted.gid, shared_gid) {
            (Some(gid), _) => {
                self.have_group(name, gid);
                gid
            }
            (None, Some(gid)) => gid,
            (None, None) => self.own_group(name, uid)?,
        };
        let home = wanted.home.clone().unwrap_or_else(|| PathBuf::from(format!("/home/{name}")));
        let shell = wanted.shell.as_deref().unwrap_or(&self.defaults.shell);
        let (home, shell) = (home.display(), shell.display());
        let line = format!("{name}:{}:{uid}:{gid}::{home}:{shell}", if self.shadow.is_some() { "x" } else { "*" });
        let text = format!("user {name}: made (uid {uid}, gid {gid}, home {home}, shell {shell})");
        self.passwd.push(line);
        self.change(text);
        // A line without an account must not hand its password on.
        if let Some(shadow) = &mut self.shadow
            && let Some(row) = shadow.find(name, 2)
            && !keeps(wanted.password.as_ref(), shadow.field(row, shadow::PASSWORD))
        {
            shadow.set(row, shadow::PASSWORD, "*");
        }
        self.created.push(name.clone());
        Ok(())
    }

    fn adjust(&mut self, wanted: &Wanted, user: &User) {
        let name = &wanted.name;
        if let Some(uid) = wanted.uid.filter(|uid| *uid != user.uid) {
            self.passwd.set(user.row, passwd::UID, uid.to_string());
            self.change(format!("user {name}: uid {} → {uid}", user.uid));
            self.notes.push(Note::warning(format!(
                "user {name} had uid {} and now has {uid}; its files keep the old number",
                user.uid
            )));
        }
        if let Some(gid) = wanted.gid {
            if gid != user.gid || !self.group.groups().any(|group| group.gid == gid) {
                self.have_group(name, gid);
            }
            if gid != user.gid {
                self.passwd.set(user.row, passwd::GID, gid.to_string());
                self.change(format!("user {name}: gid {} → {gid}", user.gid));
            }
        }
        for (field, what, path) in [(passwd::SHELL, "shell", &wanted.shell), (passwd::HOME, "home", &wanted.home)] {
            let Some(path) = path else { continue };
            let before = String::from_utf8_lossy(self.passwd.field(user.row, field)).into_owned();
            if self.passwd.set(user.row, field, path.as_os_str().as_bytes()) {
                self.change(format!("user {name}: {what} {} → {}", before.escape_debug(), path.display()));
            }
        }
        if self.passwd.drop_carriage_return(user.row) {
            self.change(format!("user {name}: DOS line ending removed"));
        }
    }

    // Groups

    /// The group with this id, as a primary group: made if it is missing.
    fn have_group(&mut self, name: &str, gid: u32) {
        if let Some(group) = self.group.groups().find(|group| group.gid == gid) {
            if group.name != *name {
                self.notes
                    .push(Note::info(format!("gid {gid} is group {}: now the primary group of {name}", group.name)));
            }
            return;
        }
        let Some(namesake) = self.group.group(name) else {
            self.make_group(name, gid);
            return;
        };
        let old = namesake.gid;
        let users: Vec<User> = self.passwd.users().filter(|user| user.gid == old).collect();
        let private = !users.is_empty() && users.iter().all(|user| user.name == *name);
        if private {
            self.group.set(namesake.row, group::GID, gid.to_string());
            self.change(format!("group {name}: gid {old} → {gid}"));
            self.notes
                .push(Note::info(format!("group {name} had gid {old} and now has {gid}; files keep the old number")));
        } else {
            let other = self.unused_group_name(&format!("{name}-{gid}"));
            self.make_group(&other, gid);
            self.notes.push(Note::info(format!(
                "group {name} has gid {old} already: the primary group of {name} (gid {gid}) is called {other}"
            )));
        }
    }

    /// The group of a new user's own name.
    fn own_group(&mut self, name: &str, uid: u32) -> Result<u32, String> {
        if let Some(group) = self.group.group(name) {
            self.notes
                .push(Note::info(format!("group {name} (gid {}) exists: now the primary group of {name}", group.gid)));
            return Ok(group.gid);
        }
        let mut candidates = std::iter::once(uid).chain(FIRST_ID..=LAST_ID);
        let gid = candidates.find(|gid| self.is_free_gid(*gid)).ok_or_else(no_free_id)?;
        self.make_group(name, gid);
        Ok(gid)
    }

    fn is_free_gid(&self, gid: u32) -> bool {
        !self.reserved_gids.contains(&gid)
            && !self.group.groups().any(|group| group.gid == gid)
            && !self.passwd.users().any(|user| user.gid == gid)
    }

    fn unused_group_name(&self, name: &str) -> String {
        let numbered = (2_u64..).map(|n| format!("{name}-{n}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| self.group.find(name, 1).is_none()).unwrap_or_default()
    }

    fn make_group(&mut self, name: &str, gid: u32) {
        self.group.push(format!("{name}:x:{gid}:"));
        if let Some(gshadow) = &mut self.gshadow
            && gshadow.find(name, 2).is_none()
        {
            gshadow.push(format!("{name}:!::"));
        }
        self.change(format!("group {name}: made (gid {gid})"));
    }

    fn join_groups(&mut self, wanted: &Wanted) {
        let name = &wanted.name;
        let Some(primary) = self.passwd.user(name).map(|user| user.gid) else { return };
        for group in &wanted.groups {
            if let Some(fault) = name_fault(group) {
                let group = group.escape_debug();
                self.notes.push(Note::error(format!("user {name} does not join group {group}: the name {fault}")));
                continue;
            }
            if self.group.group(group).is_none() {
                let Some(gid) = (FIRST_SYSTEM_GID..=LAST_SYSTEM_GID).rev().find(|gid| self.is_free_gid(*gid)) else {
                    self.notes
                        .push(Note::error(format!("user {name} does not join group {group}: no system gid is free")));
                    continue;
                };
                self.make_group(group, gid);
            }
            let Some(present) = self.group.group(group).filter(|group| group.gid != primary) else { continue };
            if self.group.add_member(present.row, group::MEMBERS, name) {
                self.change(format!("group {group}: member {name} added"));
            }
            if let Some(gshadow) = &mut self.gshadow
                && let Some(row) = gshadow.find(group, 2)
                && gshadow.add_member(row, group::MEMBERS, name)
            {
                self.change(format!("group {group}: member {name} added to gshadow"));
            }
        }
    }

    // Passwords

    fn settle_password(&mut self, wanted: &Wanted) {
        let name = &wanted.name;
        let Some(user) = self.passwd.user(name) else { return };
        let present = self.password_field(&user);
        let (field, note) = match &wanted.password {
            Some(wanted) => wanted_field(name, wanted, present.as_deref()),
            None => (kept_field(present.as_deref()), None),
        };
        self.notes.extend(note);
        if let Some(warning) = field_warning(name, &field) {
            self.notes.push(warning);
        }
        self.store_password(&user, &field, present.as_deref() != Some(field.as_str()));
    }

    /// What guards the account now; none: nothing that means anything.
    fn password_field(&self, user: &User) -> Option<String> {
        let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        let own = self.passwd.field(user.row, passwd::PASSWORD);
        match &self.shadow {
            _ if own != b"x" => Some(text(own)),
            Some(shadow) => shadow.find(&user.name, 2).map(|row| text(shadow.field(row, shadow::PASSWORD))),
            // `x` points to a shadow file, and there is none.
            None => None,
        }
    }

    /// Puts the field where it belongs: into shadow, with an `x` in passwd, or into passwd where there is no shadow.
    fn store_password(&mut self, user: &User, field: &str, is_new: bool) {
        let name = &user.name;
        let Some(shadow) = &mut self.shadow else {
            if is_new {
                self.passwd.set(user.row, passwd::PASSWORD, field);
                self.change(password_change(name, field));
            }
            if is_hash(field) {
                self.notes.push(Note::warning(format!(
                    "there is no /etc/shadow: the password hash of {name} stands in /etc/passwd, where everyone can read it"
                )));
            }
            return;
        };
        let points_to_shadow = self.passwd.field(user.row, passwd::PASSWORD) == b"x";
        if points_to_shadow && !is_new {
            return;
        }
        let today = self.defaults.today.max(1);
        match shadow.find(name, 2) {
            Some(row) => {
                // A date of 0 would ask for another password at the first login.
                if shadow.set(row, shadow::PASSWORD, field) && is_hash(field) {
                    shadow.set(row, shadow::LAST_CHANGE, today.to_string());
                }
            }
            None => shadow.push(format!("{name}:{field}:{today}:0:99999:7:::")),
        }
        self.passwd.set(user.row, passwd::PASSWORD, "x");
        self.change(match is_new {
            true => password_change(name, field),
            false => format!("user {name}: password field moved from passwd to shadow"),
        });
    }
}

fn no_free_id() -> String {
    format!("no id from {FIRST_ID} to {LAST_ID} is free")
}

/// Why a user cannot be asked for in this way.
fn fault(wanted: &Wanted) -> Option<String> {
    if let Some(fault) = name_fault(&wanted.name) {
        return Some(format!("the name {fault}"));
    }
    for (what, id) in [("uid", wanted.uid), ("gid", wanted.gid)] {
        if id == Some(NO_ID) {
            return Some(format!("{NO_ID} is no {what}"));
        }
    }
    for (what, path) in [("home", &wanted.home), ("shell", &wanted.shell)] {
        if path.as_deref().is_some_and(|path| !is_storable(path)) {
            return Some(format!("the {what} has to be an absolute path without colons and control characters"));
        }
    }
    None
}

/// What is wrong with a name of a user or group. Names go into paths and into the files of sshd and sudo, where other
/// characters have a meaning; a bare number is taken for an id.
fn name_fault(name: &str) -> Option<&'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let stem = name.strip_suffix('$').unwrap_or(name);
    if name.len() > LONGEST_NAME {
        Some("is longer than 32 characters")
    } else if !stem.bytes().next().is_some_and(plain) {
        Some("does not begin with a letter, digit or underscore")
    } else if !stem.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'.')) {
        Some("has characters other than letters, digits, `_`, `-` and `.`")
    } else if name.bytes().all(|byte| byte.is_ascii_digit()) {
        Some("is a bare number")
    } else {
        None
    }
}

fn is_storable(path: &Path) -> bool {
    path.is_absolute() && path.to_str().is_some_and(|path| !path.contains(|c: char| c == ':' || c.is_control()))
}

/// Whether the field that is there serves the wanted password.
fn keeps(wanted: Option<&PasswordWanted>, present: &[u8]) -> bool {
    let Ok(present) = std::str::from_utf8(present) else { return false };
    match wanted {
        Some(PasswordWanted::Hash(hash)) => hash == present,
        Some(PasswordWanted::Text(text)) => password::verify(present, text),
        None => false,
    }
}

/// The field for a wanted password, and what there is to say about it. One that cannot be had changes nothing.
fn wanted_field(name: &str, wanted: &PasswordWanted, present: Option<&str>) -> (String, Option<Note>) {
    match wanted {
        PasswordWanted::Hash(hash) if is_placeholder(hash) => ("*".to_owned(), None),
        PasswordWanted::Hash(hash) if is_hash(hash) => (hash.clone(), None),
        PasswordWanted::Hash(_) => {
            let text = format!(
                "the password of {name} is left out: not a crypt(5) hash such as $6$…; make one with openssl passwd -6"
            );
            (kept_field(present), Some(Note::error(text)))
        }
        PasswordWanted::Text(text) => {
            let weak = password::weakness(name, text).filter(|_| !text.is_empty());
            let weak =
                weak.map(|weakness| Note::warning(format!("the password of {name} {weakness}; choose another one")));
            if let Some(present) = present.filter(|present| password::verify(present, text)) {
                return (present.to_owned(), weak);
            }
            match password::hash(text) {
                Ok(hash) => (hash, weak),
                Err(error) => {
                    let text = format!("the password of {name} is left out: {error:#}");
                    (kept_field(present), Some(Note::error(text)))
                }
            }
        }
    }
}

/// The field of an account that no password is asked for. `*` and not `!`: without PAM sshd takes an account with `!`
/// for locked and refuses its keys.
fn kept_field(present: Option<&str>) -> String {
    match present {
        None => "*".to_owned(),
        Some(field) if is_placeholder(field) => "*".to_owned(),
        Some(field) => field.to_owned(),
    }
}

/// Whether a field only says that there is no password. An empty one says that none is needed.
fn is_placeholder(field: &str) -> bool {
    !field.is_empty() && matches!(field.trim_start_matches('!'), "" | "*" | "x")
}

/// `$id$…` or the 13 characters of the oldest kind.
fn is_hash(field: &str) -> bool {
    let storable =
        field.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b':' | b'!' | b'*' | b'\\' | b';'));
    let modern = field.starts_with('$') && field.matches('$').count() >= 3 && !field.ends_with('$');
    let traditional =
        field.len() == 13 && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte));
    storable && (modern || traditional)
}

fn field_warning(name: &str, field: &str) -> Option<Note> {
    if field.is_empty() {
        Some(Note::warning(format!(
            "account {name} has an empty password: who gets a prompt gets in; set one, or passwd -l {name}"
        )))
    } else if field.starts_with('!') {
        Some(Note::warning(format!(
            "account {name} is locked (`!` before its password hash), so that sshd without PAM refuses its keys too; unlock it with \
             passwd -u {name}"
        )))
    } else {
        None
    }
}

fn password_change(name: &str, field: &str) -> String {
    if is_hash(field) {
        format!("user {name}: password set")
    } else {
        format!("user {name}: no password, reached by key")
    }
}
