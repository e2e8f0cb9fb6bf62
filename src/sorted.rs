//! Maps that are filled entry by entry.
//!
//! `collect` sorts all entries first, which brings 4 KiB of sorting code into the binary for each place that makes a
//! map of them. The maps here have some dozen entries.

use std::collections::BTreeMap;

/// A map of these entries; of those with the same key the last one counts.
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(entries);
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_holds_what_collecting_would_make_of_the_entries() {
        let entries = [(3, 'c'), (1, 'a'), (3, 'd'), (2, 'b')];
        assert_eq!(map(entries), entries.into_iter().collect());
    }
}
