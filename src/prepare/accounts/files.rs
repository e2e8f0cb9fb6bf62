//! passwd, shadow, group and gshadow as lines: what is not understood survives byte for byte and in its place.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The bytes of the four account files; none: there is no such file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Database {
    /// `/etc/passwd`
    pub passwd: Option<Vec<u8>>,
    /// `/etc/shadow`
    pub shadow: Option<Vec<u8>>,
    /// `/etc/group`
    pub group: Option<Vec<u8>>,
    /// `/etc/gshadow`
    pub gshadow: Option<Vec<u8>>,
}

/// Says which files there are and not what is in them: there may be hashes.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = |file: &Option<Vec<u8>>| file.as_ref().map(Vec::len);
        f.debug_struct("Database")
            .field("passwd", &size(&self.passwd))
            .field("shadow", &size(&self.shadow))
            .field("group", &size(&self.group))
            .field("gshadow", &size(&self.gshadow))
            .finish()
    }
}

/// An account as passwd has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home folder.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

/// Finds an account by its name or, if there is none of that name, by its uid.
#[must_use]
pub fn lookup(passwd: &[u8], name_or_uid: &str) -> Option<Entry> {
    let table = Table::parse(passwd);
    let uid = number(name_or_uid.as_bytes());
    let by_uid = || table.users().find(|user| Some(user.uid) == uid).map(|user| user.row);
    entry(&table, table.user(name_or_uid).map(|user| user.row).or_else(by_uid)?)
}

/// The ids of all groups of an account, its primary group first: what setgroups(2) is given.
#[must_use]
pub fn groups_of(group: &[u8], name: &str, gid: u32) -> Vec<u32> {
    let table = Table::parse(group);
    let mut gids = vec![gid];
    for group in table.groups() {
        if !gids.contains(&group.gid) && members(table.field(group.row, group::MEMBERS)).any(|m| m == name.as_bytes()) {
            gids.push(group.gid);
        }
    }
    gids
}

/// The id of a group by its name.
#[must_use]
pub fn gid_of(group: &[u8], name: &str) -> Option<u32> {
    Table::parse(group).group(name).map(|group| group.gid)
}

pub(super) fn entry(passwd: &Table, row: usize) -> Option<Entry> {
    let user = passwd.user_at(row)?;
    let path = |field| PathBuf::from(OsStr::from_bytes(passwd.field(row, field)));
    Some(Entry { name: user.name, uid: user.uid, gid: user.gid, home: path(passwd::HOME), shell: path(passwd::SHELL) })
}

/// The fields of passwd.
pub(super) mod passwd {
    pub(in super::super) const NAME: usize = 0;
    pub(in super::super) const PASSWORD: usize = 1;
    pub(in super::super) const UID: usize = 2;
    pub(in super::super) const GID: usize = 3;
    pub(in super::super) const HOME: usize = 5;
    pub(in super::super) const SHELL: usize = 6;
}

/// The fields of shadow.
pub(super) mod shadow {
    pub(in super::super) const NAME: usize = 0;
    pub(in super::super) const PASSWORD: usize = 1;
    pub(in super::super) const LAST_CHANGE: usize = 2;
}

/// The fields of group; gshadow has the administrators in place of the gid.
pub(super) mod group {
    pub(in super::super) const GID: usize = 2;
    pub(in super::super) const ADMINISTRATORS: usize = 2;
    pub(in super::super) const MEMBERS: usize = 3;
}

/// A line of passwd that is understood.
pub(super) struct User {
    pub(super) row: usize,
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// A line of group that is understood.
pub(super) struct Group {
    pub(super) row: usize,
    pub(super) name: String,
    pub(super) gid: u32,
}

/// One account file, line by line.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Each with its line ending; the last one may have none.
    lines: Vec<Vec<u8>>,
}

impl Table {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self { lines: bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.lines.concat()
    }

    fn rows(&self) -> std::ops::Range<usize> {
        0..self.lines.len()
    }

    /// The lines that are entries with at least this many fields.
    pub(super) fn entries(&self, fields: usize) -> Vec<usize> {
        self.rows().filter(|row| self.is_entry(*row, fields)).collect()
    }

    /// A field of a line; empty if the line has fewer. A CR before the line feed is no part of the last field.
    pub(super) fn field(&self, row: usize, field: usize) -> &[u8] {
        self.fields(row).nth(field).unwrap_or_default()
    }

    fn fields(&self, row: usize) -> impl Iterator<Item = &[u8]> {
        let line = self.lines.get(row).map_or(&[][..], |line| content(line));
        line.split(|byte| *byte == b':')
    }

    /// The first line of that name, with at least this many fields.
    pub(super) fn find(&self, name: &str, fields: usize) -> Option<usize> {
        self.rows().find(|row| self.field(*row, 0) == name.as_bytes() && self.is_entry(*row, fields))
    }

    /// Whether a line is an entry and not a comment, a NIS line (`+`, `-`), an empty or a mangled one.
    fn is_entry(&self, row: usize, fields: usize) -> bool {
        !matches!(self.field(row, 0).first(), None | Some(b'#' | b'+' | b'-' | b' ' | b'\t'))
            && self.fields(row).count() >= fields
    }

    /// The entries of passwd.
    pub(super) fn users(&self) -> impl Iterator<Item = User> {
        self.rows().filter_map(|row| self.user_at(row))
    }

    /// The entry of passwd that the system finds by this name.
    pub(super) fn user(&self, name: &str) -> Option<User> {
        self.users().find(|user| self.field(user.row, passwd::NAME) == name.as_bytes())
    }

    fn user_at(&self, row: usize) -> Option<User> {
        if !self.is_entry(row, 7) {
            return None;
        }
        Some(User {
            row,
            name: self.name(row),
            uid: number(self.field(row, passwd::UID))?,
            gid: number(self.field(row, passwd::GID))?,
        })
    }

    /// The entries of group.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        self.rows()
            .filter(|row| self.is_entry(*row, 3))
            .filter_map(|row| Some(Group { row, name: self.name(row), gid: number(self.field(row, group::GID))? }))
    }

    /// The entry of group that the system finds by this name.
    pub(super) fn group(&self, name: &str) -> Option<Group> {
        self.groups().find(|group| self.field(group.row, 0) == name.as_bytes())
    }

    fn name(&self, row: usize) -> String {
        String::from_utf8_lossy(self.field(row, 0)).into_owned()
    }

    /// Sets a field and leaves the others as they are; returns whether that changed the line.
    pub(super) fn set(&mut self, row: usize, field: usize, value: impl AsRef<[u8]>) -> bool {
        let mut fields: Vec<&[u8]> = self.fields(row).collect();
        while fields.len() <= field {
            fields.push(b"");
        }
        if self.field(row, field) == value.as_ref() && self.fields(row).count() == fields.len() {
            return false;
        }
        fields[field] = value.as_ref();
        let changed = fields.join(&b':');
        self.replace(row, changed);
        true
    }

    /// Drops the CR of a line with a DOS ending: the system would take it for a part of the last field.
    pub(super) fn drop_carriage_return(&mut self, row: usize) -> bool {
        let Some(line) = self.lines.get(row).filter(|line| content(line).len() < without_newline(line).len()) else {
            return false;
        };
        let line = content(line).to_vec();
        self.replace(row, line);
        true
    }

    fn replace(&mut self, row: usize, mut content: Vec<u8>) {
        if let Some(line) = self.lines.get_mut(row) {
            if line.ends_with(b"\n") {
                content.push(b'\n');
            }
            *line = content;
        }
    }

    /// Adds a line at the end, but before the NIS lines, which stand for everything after them.
    pub(super) fn push(&mut self, line: String) {
        let nis = self.lines.iter().position(|line| matches!(line.first(), Some(b'+' | b'-')));
        let at = nis.unwrap_or(self.lines.len());
        if let Some(last) = self.lines.last_mut().filter(|last| nis.is_none() && !last.ends_with(b"\n")) {
            last.push(b'\n');
        }
        self.lines.insert(at, format!("{line}\n").into_bytes());
    }

    pub(super) fn remove(&mut self, row: usize) {
        self.lines.remove(row);
    }

    /// Adds a name to a comma-separated field; returns whether it was missing.
    pub(super) fn add_member(&mut self, row: usize, field: usize, name: &str) -> bool {
        let list = self.field(row, field);
        if members(list).any(|member| member == name.as_bytes()) {
            return false;
        }
        let comma: &[u8] = if list.is_empty() || list.ends_with(b",") { b"" } else { b"," };
        let list = [list, comma, name.as_bytes()].concat();
        self.set(row, field, list)
    }

    /// Renames a member in a comma-separated field, without naming it twice.
    pub(super) fn rename_member(&mut self, row: usize, field: usize, old: &str, new: &str) -> bool {
        let list = self.field(row, field);
        if !members(list).any(|member| member == old.as_bytes()) {
            return false;
        }
        let mut renamed: Vec<&[u8]> = Vec::new();
        for member in members(list) {
            let member = if member == old.as_bytes() { new.as_bytes() } else { member };
            if !renamed.contains(&member) {
                renamed.push(member);
            }
        }
        let renamed = renamed.join(&b',');
        self.set(row, field, renamed)
    }
}

fn without_newline(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// A line without its ending.
fn content(line: &[u8]) -> &[u8] {
    let line = without_newline(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// An id: digits and nothing else (`parse` alone would take a sign).
fn number(field: &[u8]) -> Option<u32> {
    if !field.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(field).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n# comment\nbad line\nalice:x:-1:5::/:/bin/sh\n\
        5000:x:70:70::/odd:/bin/sh\ncaf\xe9:x:71:71:Andr\xe9:/home/caf\xe9:/bin/sh\r\npeid:x:3100:1100:,,,:/home/peid:/bin/zsh";

    #[test]
    fn an_account_is_found_by_name_and_by_uid() {
        let peid = lookup(PASSWD, "peid").unwrap();
        assert_eq!((peid.uid, peid.gid, peid.shell), (3100, 1100, PathBuf::from("/bin/zsh")));
        assert_eq!(lookup(PASSWD, "3100").unwrap().name, "peid");
        assert_eq!(lookup(PASSWD, "0").unwrap().name, "root");
    }

    #[test]
    fn a_name_made_of_digits_comes_before_a_uid() {
        assert_eq!(lookup(PASSWD, "5000").unwrap().uid, 70);
    }

    #[test]
    fn mangled_lines_comments_and_nis_lines_are_nobody() {
        for name in ["alice", "# comment", "bad line", "", "+", "+0", "-1"] {
            assert_eq!(lookup(PASSWD, name), None, "{name}");
        }
        assert_eq!(lookup(b"+::::::\n+peid::0:0::/:/bin/sh\n", "+peid"), None);
    }

    #[test]
    fn a_dos_ending_is_no_part_of_the_shell() {
        assert_eq!(lookup(PASSWD, "71").unwrap().shell, PathBuf::from("/bin/sh"));
    }

    #[test]
    fn the_primary_group_comes_first_and_each_group_once() {
        let group = b"root:x:0:\nvideo:x:44:peid\nrender:x:105:alice, peid,\nvideo2:x:44:peid\nmine:x:1100:peid\n";
        assert_eq!(groups_of(group, "peid", 1100), [1100, 44, 105]);
        assert_eq!(groups_of(b"", "peid", 1100), [1100]);
    }

    #[test]
    fn a_table_that_is_not_changed_gives_the_same_bytes() {
        for bytes in [PASSWD, b"", b"\n", b"\n\n\r\n", b":::", b"a\0b:\xff"] {
            assert_eq!(Table::parse(bytes).to_bytes(), bytes);
        }
    }

    #[test]
    fn setting_a_field_keeps_unknown_ones_and_the_missing_final_newline() {
        let mut table = Table::parse(b"peid:x:1:2::/h:/s:extra:more");
        assert!(table.set(0, passwd::UID, "7"));
        assert!(!table.set(0, passwd::UID, "7"));
        assert_eq!(table.to_bytes(), b"peid:x:7:2::/h:/s:extra:more");
    }

    #[test]
    fn a_new_line_goes_before_nis_lines_and_after_a_line_without_newline() {
        let mut table = Table::parse(b"root:x:0:\n+:::\n");
        table.push("video:x:44:".into());
        assert_eq!(table.to_bytes(), b"root:x:0:\nvideo:x:44:\n+:::\n");
        let mut table = Table::parse(b"root:x:0:");
        table.push("video:x:44:".into());
        assert_eq!(table.to_bytes(), b"root:x:0:\nvideo:x:44:\n");
    }

    #[test]
    fn members_are_added_once_and_renamed_without_a_double() {
        let mut table = Table::parse(b"video:x:44\r\n");
        assert!(table.add_member(0, group::MEMBERS, "a"));
        assert!(table.add_member(0, group::MEMBERS, "b"));
        assert!(!table.add_member(0, group::MEMBERS, "a"));
        assert_eq!(table.to_bytes(), b"video:x:44:a,b\n");
        assert!(table.rename_member(0, group::MEMBERS, "a", "b"));
        assert_eq!(table.to_bytes(), b"video:x:44:b\n");
    }
}
