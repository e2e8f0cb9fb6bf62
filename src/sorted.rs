//! Sorting, and what is kept in order, with little code.
//!
//! What the standard library sorts with is 4 KiB in the binary, again for each type and each order. Here it is there
//! once: for the places that things have. And `collect` sorts all entries before it makes a map or set of them; the maps
//! here have some dozen entries, and are filled entry by entry.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// A map of these entries; of those with the same key the last one counts.
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(entries);
    map
}

/// A set of these.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// Puts `items` in order, and leaves those that are equal as they stand.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Puts `items` in the order of what `key` makes of each, which it is asked for once, and leaves those with the same key
/// as they stand.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    let keys: Vec<K> = items.iter().map(key).collect();
    let places = places(items.len(), &|a, b| keys[a].cmp(&keys[b]));
    put(places, &mut |a, b| items.swap(a, b));
}

/// Puts `items` in the order that `compare` tells, and leaves those that are equal as they stand.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let places = places(items.len(), &|a, b| compare(&items[a], &items[b]));
    put(places, &mut |a, b| items.swap(a, b));
}

/// For each place in the order the place that its item has now.
fn places(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| compare(*a, *b));
    places
}

/// Swaps until every item is in its place. Places that change in a ring are gone around once.
fn put(mut places: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    for first in 0..places.len() {
        let mut place = first;
        while places[place] != first {
            let from = places[place];
            swap(place, from);
            places[place] = place;
            place = from;
        }
        places[place] = place;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_map_holds_what_collecting_would_make_of_the_entries() {
        let entries = [(3, 'c'), (1, 'a'), (3, 'd'), (2, 'b')];
        assert_eq!(map(entries), entries.into_iter().collect());
        assert_eq!(set([3, 1, 3, 2]), [1, 2, 3].into());
    }

    proptest! {
        #[test]
        fn things_are_in_the_order_that_the_standard_library_puts_them_in(
            items in prop::collection::vec((0_u8..10, any::<u8>()), 0..200)
        ) {
            let (mut expected, mut sorted) = (items.clone(), items.clone());
            expected.sort();
            sort(&mut sorted);
            prop_assert_eq!(&sorted, &expected);

            let (mut expected, mut by, mut by_key) = (items.clone(), items.clone(), items);
            expected.sort_by_key(|item| item.0);
            sort_by(&mut by, |a, b| a.0.cmp(&b.0));
            sort_by_key(&mut by_key, |item| item.0);
            prop_assert_eq!(&by, &expected);
            prop_assert_eq!(&by_key, &expected);
        }
    }
}
