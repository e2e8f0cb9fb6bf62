//! What a service depends on besides its spec, put into a few characters.

use ring::digest::{Context, SHA256};
use serde::Serialize;

use crate::digest::hex;

/// A text that stays the same as long as all of these do. What they hold cannot be read from it.
#[must_use]
pub fn revision(parts: &[&[u8]]) -> String {
    let mut hasher = Context::new(&SHA256);
    for part in parts {
        // With its length in front: two parts are never another two that are parted elsewhere.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex(hasher.finish().as_ref()).chars().take(32).collect()
}

/// A section of the config as a part of a revision.
pub(super) fn section(value: &impl Serialize) -> Vec<u8> {
    // It has no map whose keys are not text, so it can be written.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_stays_until_something_changes() {
        let known = revision(&[b"a", b"bc"]);
        assert_eq!(known, revision(&[b"a", b"bc"]));
        assert_eq!(known.len(), 32);
        for other in [&[&b"ab"[..], b"c"][..], &[b"a", b"bd"], &[b"a"], &[]] {
            assert_ne!(known, revision(other), "{other:?}");
        }
    }
}
