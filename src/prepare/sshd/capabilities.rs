//! What sshd may do: found by taking capabilities from a real one.

use crate::note::Note;

/// Without one of these no session begins: sshd dies before it has asked for a key.
const SESSIONS: [(u32, &str); 3] = [(6, "SETGID"), (7, "SETUID"), (18, "SYS_CHROOT")];
/// Without one of these `ssh host command` works, but the connection closes as soon as a terminal is wanted.
const TERMINALS: [(u32, &str); 3] = [(0, "CHOWN"), (3, "FOWNER"), (29, "AUDIT_WRITE")];

/// Names of the capabilities that a root sshd lacks, those for any session first; `cap_eff` is the mask that
/// `/proc/self/status` calls CapEff.
pub fn capabilities_missing(cap_eff: u64) -> Vec<&'static str> {
    [SESSIONS, TERMINALS].iter().flat_map(|group| lacking(cap_eff, group)).collect()
}

/// The one line about missing capabilities, if any are missing: an error if no session can begin.
pub fn capabilities_note(cap_eff: u64) -> Option<Note> {
    let missing = capabilities_missing(cap_eff);
    if missing.is_empty() {
        return None;
    }
    let add: String = missing.iter().map(|name| format!(" --cap-add {name}")).collect();
    Some(if lacking(cap_eff, &SESSIONS).next().is_some() {
        Note::error(format!("sshd cannot open sessions with the capabilities that this container has: add{add}"))
    } else {
        Note::warning(format!("ssh works for commands but not for terminals without further capabilities: add{add}"))
    })
}

fn lacking(cap_eff: u64, group: &[(u32, &'static str)]) -> impl Iterator<Item = &'static str> {
    group.iter().filter(move |(bit, _)| cap_eff & (1 << bit) == 0).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Level;

    #[test]
    fn dockers_default_set_is_enough() {
        assert_eq!(capabilities_missing(0x0000_0000_a804_25fb), [] as [&str; 0]);
        assert_eq!(capabilities_note(0x0000_0000_a804_25fb), None);
    }

    #[test]
    fn without_any_capability_one_line_says_what_to_add() {
        let note = capabilities_note(0).unwrap();
        assert_eq!(note.level, Level::Error);
        let add = "--cap-add SETGID --cap-add SETUID --cap-add SYS_CHROOT --cap-add CHOWN --cap-add FOWNER --cap-add AUDIT_WRITE";
        assert!(note.text.ends_with(add), "{}", note.text);
    }

    #[test]
    fn missing_terminals_are_a_warning_only() {
        let note = capabilities_note(1 << 6 | 1 << 7 | 1 << 18 | 1).unwrap();
        assert_eq!(note.level, Level::Warning);
        assert!(!note.text.contains("CHOWN ") && note.text.contains("FOWNER"), "{}", note.text);
    }
}
