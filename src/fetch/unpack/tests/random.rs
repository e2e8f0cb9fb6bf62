use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Random {
    name: String,
    kind: u8,
    target: String,
}

fn random() -> impl Strategy<Value = Vec<Random>> {
    let part = || prop::sample::select(vec!["a", "b", "c", "canary", "..", ".", "", "to"]);
    let path = move || prop::collection::vec(part(), 1..5).prop_map(|parts| parts.join("/"));
    let select = |texts: &[&'static str]| prop::sample::select(texts.to_vec()).prop_map(str::to_owned);
    // Mostly names that pass, or hardly any archive would get beyond its first entry; and targets that add up.
    let name = prop_oneof![5 => select(&["a", "b", "c", "a/b", "b/a", "a/b/c", "c/a"]), 1 => path()];
    let target =
        prop_oneof![2 => select(&[".", "..", "a", "a/b", "a/b/..", "a/b/../canary", "b/a/../.."]), 1 => path()];
    let entry = (name, prop::sample::select(b"00112225".to_vec()), target);
    prop::collection::vec(entry.prop_map(|(name, kind, target)| Random { name, kind, target }), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_archive_makes_or_reaches_anything_outside(entries in random(), strip in 0u32..2) {
        let raw: Vec<Raw<'_>> = entries
            .iter()
            .map(|entry| Raw {
                name: entry.name.as_bytes(),
                kind: EntryType::new(entry.kind),
                mode: 0o7777,
                target: entry.target.as_bytes(),
                content: if entry.kind == b'0' { b"evil" } else { b"" },
            })
            .collect();
        // `unpack` checks all that is there afterwards.
        let _ = Place::new().unpack(&tar(&raw), &Options { strip, ..Options::default() });
    }
}
